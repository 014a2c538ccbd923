// SPDX-License-Identifier: Apache-2.0
#include "report/notice.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/json.h"

static const char *text_of(const cJSON *object, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

	return text ? text : "";
}

static double number_of(const cJSON *object, const char *name)
{
	const cJSON *number = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsNumber(number) ? number->valuedouble : 0;
}

/* Rules whose violation is told when it begins and when it ends. */
static bool is_state(const char *rule)
{
	return !strncmp(rule, "track.", 6) || !strncmp(rule, "qos.effect.", 11) ||
	       !strcmp(rule, "exclusive.shared-plugin");
}

/* What a device is called may change, and whose it is, too: at the end of a state it is found by what it is about. */
static void set_key(struct notice *n, const cJSON *detail)
{
	const cJSON *owners = cJSON_GetObjectItemCaseSensitive(detail, "owners");
	const char *first = cJSON_GetStringValue(cJSON_GetArrayItem(owners, 0)),
		   *second = cJSON_GetStringValue(cJSON_GetArrayItem(owners, 1));
	const char *of_state = owners ? n->pci : *n->netdev ? n->netdev : n->device;
	const char *subject = n->state ? of_state : *n->pci ? n->pci : n->device;

	if (n->state)
		snprintf(n->key, sizeof(n->key), "%.63s|%.319s|%.319s|%.319s", n->rule, subject, first ? first : "",
			 second ? second : "");
	else
		snprintf(n->key, sizeof(n->key), "%.63s|%.15s|%.319s|%.319s|%.319s", n->rule, n->verdict, subject,
			 n->actor, n->owner);
}

bool notice_read(const cJSON *event, struct notice *n)
{
	const cJSON *actor = cJSON_GetObjectItemCaseSensitive(event, "actor");
	const cJSON *detail = cJSON_GetObjectItemCaseSensitive(event, "detail");
	bool violation = !strcmp(text_of(event, "kind"), "violation");

	*n = (struct notice){
		.rule = text_of(event, "rule"),
		.verdict = text_of(event, "verdict"),
		.device = text_of(event, "device"),
		.pci = text_of(event, "pci"),
		.netdev = text_of(detail, "netdev"),
		.owner = text_of(event, "owner"),
		.actor = text_of(actor, "pod"),
		.comm = text_of(actor, "comm"),
		.message = text_of(event, "message"),
		.cure = text_of(detail, "cure"),
		.pid = number_of(actor, "pid"),
		.has_actor = actor,
		.times = 1 + (uint64_t)number_of(event, "merged"),
	};
	n->state = is_state(n->rule);
	n->ends = n->state && !strcmp(text_of(event, "kind"), "change");
	set_key(n, detail);
	return violation || n->ends;
}

void notice_name(const char *rule, char to[NOTICE_NAME_LEN])
{
	bool begins = true;
	size_t len = 0;

	for (; *rule && len + 1 < NOTICE_NAME_LEN; rule++) {
		if (isalnum((unsigned char)*rule))
			to[len++] = begins ? (char)toupper((unsigned char)*rule) : *rule;
		begins = !isalnum((unsigned char)*rule);
	}
	to[len] = '\0';
}

void notice_clean(const char *text, char *to, size_t size)
{
	size_t left = strlen(text), room = size - 1, n;
	bool plain;

	while (left) {
		n = json_utf8_length(text, left);
		plain = n && (unsigned char)*text >= ' ' && *text != 0x7f;
		n = n ? n : 1;
		if ((plain ? n : 1) > room)
			break;
		if (plain)
			memcpy(to, text, n);
		else
			*to = '?';
		to += plain ? n : 1;
		room -= plain ? n : 1;
		text += n;
		left -= n;
	}
	*to = '\0';
}

/* Behind what is there already, as far as it fits. */
static void append(char *to, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void append(char *to, size_t size, const char *fmt, ...)
{
	size_t len = strlen(to);
	va_list args;

	va_start(args, fmt);
	vsnprintf(to + len, size - len, fmt, args);
	va_end(args);
}

/* The texts have bounds of their own, so that a long message does not take the place of what stands behind it. */
void notice_text(const struct notice *n, char *to, size_t size)
{
	const char *device = *n->device ? n->device : n->netdev;
	char text[2048] = "";

	if (*n->verdict && strcmp(n->verdict, "none"))
		append(text, sizeof(text), "%.15s: ", n->verdict);
	append(text, sizeof(text), "%.400s", n->message);
	if (*device || *n->pci)
		append(text, sizeof(text), "; device %.63s%s%.63s", device, *device && *n->pci ? " " : "", n->pci);
	if (*n->owner)
		append(text, sizeof(text), " of %.319s", n->owner);
	if (n->pid > 0)
		append(text, sizeof(text), "; by process %.0f (%.63s) of %.319s", n->pid, n->comm,
		       *n->actor ? n->actor : "no pod");
	if (*n->cure)
		append(text, sizeof(text), "; cure: %.400s", n->cure);
	notice_clean(text, to, size);
}
