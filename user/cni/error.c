// SPDX-License-Identifier: Apache-2.0
#include "cni/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/json_text.h"

static const char *const versions[CNI_VERSIONS] = {
	[CNI_0_3_1] = "0.3.1", [CNI_0_4_0] = "0.4.0", [CNI_1_0_0] = "1.0.0", [CNI_1_1_0] = "1.1.0"
};

const char *cni_version_name(enum cni_version version)
{
	return versions[version];
}

int cni_version_find(const char *name, enum cni_version *version)
{
	for (size_t i = 0; i < CNI_VERSIONS; i++)
		if (!strcmp(versions[i], name)) {
			*version = (enum cni_version)i;
			return 0;
		}
	return -ENOENT;
}

static int to_errno(unsigned int code)
{
	switch (code) {
	case CNI_INCOMPATIBLE_VERSION:
		return -EPROTONOSUPPORT;
	case CNI_UNSUPPORTED_FIELD:
	case CNI_INVALID_ENVIRONMENT:
	case CNI_INVALID_NETCONF:
		return -EINVAL;
	case CNI_UNKNOWN_CONTAINER:
	case CNI_INVALID_NETNS:
		return -ENOENT;
	case CNI_DECODE:
		return -EBADMSG;
	case CNI_TRY_AGAIN:
		return -EAGAIN;
	default:
		return -EIO;
	}
}

/* Bytes of other programs stand in messages, and a cut may be within a character: the runtime is to get UTF-8. */
static void scrub(char *text)
{
	size_t len = strlen(text), n;

	for (size_t i = 0; i < len; i += n) {
		n = json_utf8_length(text + i, len - i);
		if (n)
			continue;
		text[i] = '?';
		n = 1;
	}
}

int cni_fail(struct cni_error *e, unsigned int code, const char *fmt, ...)
{
	char msg[sizeof(e->msg)]; /* the old message may be among the arguments */
	va_list args;

	if (!e)
		return to_errno(code);
	va_start(args, fmt);
	vsnprintf(msg, sizeof(msg), fmt, args);
	va_end(args);
	scrub(msg);
	e->code = code;
	e->details[0] = '\0';
	memcpy(e->msg, msg, sizeof(msg));
	return to_errno(code);
}

void cni_details(struct cni_error *e, const char *fmt, ...)
{
	size_t len;
	va_list args;

	if (!e)
		return;
	len = strlen(e->details);
	if (len && len + 2 < sizeof(e->details)) {
		memcpy(e->details + len, "; ", 3);
		len += 2;
	}
	va_start(args, fmt);
	vsnprintf(e->details + len, sizeof(e->details) - len, fmt, args);
	va_end(args);
	scrub(e->details);
}

char *cni_error_print(enum cni_version version, const struct cni_error *e)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	if (!to)
		return NULL;
	fprintf(to, "{\"cniVersion\":\"%s\",\"code\":%u,\"msg\":", versions[version], e->code);
	json_quote(to, e->msg);
	if (e->details[0]) {
		fputs(",\"details\":", to);
		json_quote(to, e->details);
	}
	putc('}', to);
	return json_stream_end(to, &text);
}

char *cni_version_print(const char *asked)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	if (!to)
		return NULL;
	fputs("{\"cniVersion\":", to);
	json_quote(to, asked);
	fputs(",\"supportedVersions\":[", to);
	for (size_t i = 0; i < CNI_VERSIONS; i++)
		fprintf(to, "%s\"%s\"", i ? "," : "", versions[i]);
	fputs("]}", to);
	return json_stream_end(to, &text);
}
