// SPDX-License-Identifier: Apache-2.0
#include "config/notify.h"

#include <errno.h>
#include <string.h>

#include "lib/util.h"

static bool consists_of(const char *text, size_t len, const char *more)
{
	for (size_t i = 0; i < len; i++)
		if (!(text[i] >= 'a' && text[i] <= 'z') && !(text[i] >= 'A' && text[i] <= 'Z') &&
		    !(text[i] >= '0' && text[i] <= '9') && !strchr(more, text[i]))
			return false;
	return len > 0;
}

/* A name, an IPv4 address, or an IPv6 address in brackets. NULL: it is none of them; else what is behind it. */
static const char *behind_host(const char *text)
{
	size_t len = text[0] == '[' ? strcspn(text, "]") : strcspn(text, ":/");

	if (text[0] == '[')
		return text[len] && consists_of(text + 1, len - 1, ":.") ? text + len + 1 : NULL;
	return consists_of(text, len, "-._") ? text + len : NULL;
}

/* A user or a password in a URL would stand in messages, and a query has nothing to say here. */
static bool is_url(const char *text)
{
	size_t scheme = !strncmp(text, "https://", 8) ? 8 : !strncmp(text, "http://", 7) ? 7 : 0;
	const char *rest = scheme ? behind_host(text + scheme) : NULL;
	char port[8];
	uint64_t number;
	size_t len;

	if (!rest)
		return false;
	if (*rest == ':') {
		len = strcspn(rest + 1, "/");
		if (len >= sizeof(port) || !consists_of(rest + 1, len, ""))
			return false;
		snprintf(port, sizeof(port), "%.*s", (int)len, rest + 1);
		if (parse_u64(port, 10, 1, 65535, &number))
			return false;
		rest += 1 + len;
	}
	return !*rest || (*rest == '/' && consists_of(rest, strlen(rest), "/-._~%"));
}

static int read_kubernetes_events(struct reader *r, const char *name, const cJSON *value)
{
	if (!cJSON_IsBool(value))
		return fail(r->err, -EINVAL, "%s: \"%s\" must be true or false", r->file, name);
	r->config->notify.kubernetes_events = cJSON_IsTrue(value);
	return 0;
}

/* Without the slashes at its end, so that "http://a:1" and "http://a:1/" are one. */
static int read_server(struct reader *r, const char *name, const cJSON *value, char to[CONFIG_URL_LEN])
{
	const char *text = cJSON_IsString(value) ? value->valuestring : "";
	size_t len = strlen(text);

	if (!is_url(text))
		return fail(r->err, -EINVAL,
			    "%s: \"%s\" must be a list of \"http://HOST:PORT\" or \"https://HOST:PORT\"", r->file,
			    name);
	while (text[len - 1] == '/')
		len--;
	if (try_snprintf(to, CONFIG_URL_LEN, "%.*s", (int)len, text))
		return fail(r->err, -EINVAL, "%s: \"%s\": a URL has at most %d characters", r->file, name,
			    CONFIG_URL_LEN - 1);
	return 0;
}

static int read_alertmanager(struct reader *r, const char *name, const cJSON *value)
{
	char(*urls)[CONFIG_URL_LEN] = r->config->notify.alertmanager;
	const cJSON *one;
	int n = 0, e;

	if (!cJSON_IsArray(value) || cJSON_GetArraySize(value) > CONFIG_ALERTMANAGERS)
		return fail(r->err, -EINVAL, "%s: \"%s\" must be a list of at most %d URLs", r->file, name,
			    CONFIG_ALERTMANAGERS);
	cJSON_ArrayForEach (one, value) {
		e = read_server(r, name, one, urls[n]);
		if (e)
			return e;
		for (int i = 0; i < n; i++)
			if (!strcmp(urls[i], urls[n]))
				return fail(r->err, -EINVAL, "%s: \"%s\" names %s twice", r->file, name, urls[n]);
		n++;
	}
	return 0;
}

static const struct key notify_keys[] = {
	{ "kubernetes_events", read_kubernetes_events },
	{ "alertmanager", read_alertmanager },
};

int read_notify(struct reader *r, const char *name, const cJSON *value)
{
	if (!cJSON_IsObject(value))
		return fail(r->err, -EINVAL, "%s: \"%s\" must be an object", r->file, name);
	return read_object(r, name, value, notify_keys, ARRAY_SIZE(notify_keys));
}
