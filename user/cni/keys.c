// SPDX-License-Identifier: Apache-2.0
#include "cni/keys.h"

#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "lib/util.h"

#define NAME_MAX_LEN 64 /* of a key that is compared with the known ones */

/* Levenshtein's distance, with two rows; both at most NAME_MAX_LEN long. Upper and lower case are alike. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int rows[2][NAME_MAX_LEN + 1], *row = rows[0], *above = rows[1], *swap;
	size_t n = strlen(b);

	for (size_t j = 0; j <= n; j++)
		above[j] = (unsigned int)j;
	for (size_t i = 0; a[i]; i++) {
		row[0] = (unsigned int)i + 1;
		for (size_t j = 0; j < n; j++) {
			unsigned int same = tolower((unsigned char)a[i]) == tolower((unsigned char)b[j]) ? 0 : 1;
			unsigned int best = above[j] + same;

			best = above[j + 1] + 1 < best ? above[j + 1] + 1 : best;
			row[j + 1] = row[j] + 1 < best ? row[j] + 1 : best;
		}
		swap = above;
		above = row;
		row = swap;
	}
	return above[n];
}

static bool is_known(const struct key *key, unsigned int role)
{
	return !key->roles || (key->roles & role);
}

/* The specification wants key and value to be named. */
static int unknown_key(const char *section, const cJSON *member, const struct key *keys, size_t count,
		       unsigned int role, struct cni_error *e)
{
	_cleanup_free_ char *value = cJSON_PrintUnformatted(member);
	unsigned int best = 4, d; /* three letters wrong are no near match any more for short keys, see below */
	const char *near = NULL, *name = member->string;

	for (size_t i = 0; i < count && strlen(name) <= NAME_MAX_LEN; i++) {
		d = is_known(&keys[i], role) ? distance(name, keys[i].name) : best;
		if (d < best && d * 2 < strlen(keys[i].name)) {
			best = d;
			near = keys[i].name;
		}
	}
	if (near)
		return cni_fail(e, CNI_UNSUPPORTED_FIELD, "unknown key \"%s%.64s\" (%.64s): did you mean \"%s%s\"?",
				section, name, value ? value : "", section, near);
	return cni_fail(e, CNI_UNSUPPORTED_FIELD, "unknown key \"%s%.64s\" (%.64s)", section, name, value ? value : "");
}

int keys_read(const cJSON *object, const char *section, const struct key *keys, size_t count, unsigned int role,
	      void *base, struct cni_error *e)
{
	const cJSON *member;
	char name[160];
	size_t k;
	int r;

	cJSON_ArrayForEach (member, object) {
		for (k = 0; k < count && (!is_known(&keys[k], role) || strcmp(keys[k].name, member->string)); k++)
			;
		if (k == count)
			return unknown_key(section, member, keys, count, role, e);
		if (cJSON_IsNull(member))
			continue;
		snprintf(name, sizeof(name), "%s%s", section, keys[k].name);
		r = keys[k].read((char *)base + keys[k].offset, &keys[k], name, member, e);
		if (r)
			return r;
	}
	return 0;
}

int key_skip(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e)
{
	(void)to, (void)key, (void)name, (void)value, (void)e;
	return 0;
}

int key_bool(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e)
{
	(void)key;
	if (!cJSON_IsBool(value))
		return cni_fail(e, CNI_INVALID_NETCONF, "\"%s\" must be true or false", name);
	*(bool *)to = cJSON_IsTrue(value);
	return 0;
}

int key_number(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e)
{
	struct key_number *number = to;
	double v = cJSON_IsNumber(value) ? value->valuedouble : -1;

	if (!(v >= (double)key->min && v <= (double)key->max) || v != (double)(uint32_t)v)
		return cni_fail(e, CNI_INVALID_NETCONF, "\"%s\" must be a whole number from %llu to %llu", name,
				(unsigned long long)key->min, (unsigned long long)key->max);
	number->set = true;
	number->value = (uint32_t)v;
	return 0;
}

int key_text(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e)
{
	if (!cJSON_IsString(value))
		return cni_fail(e, CNI_INVALID_NETCONF, "\"%s\" must be a text", name);
	if (try_snprintf(to, (size_t)key->max, "%s", value->valuestring))
		return cni_fail(e, CNI_INVALID_NETCONF, "\"%s\" is longer than %zu bytes", name, (size_t)key->max - 1);
	return 0;
}

int key_path(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e)
{
	int r = key_text(to, key, name, value, e);

	/* An empty one is none, as it is for the Go plugins. */
	if (!r && *(char *)to && *(char *)to != '/')
		return cni_fail(e, CNI_INVALID_NETCONF, "\"%s\" must be an absolute path", name);
	return r;
}

int key_object(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e)
{
	(void)key;
	if (!cJSON_IsObject(value))
		return cni_fail(e, CNI_INVALID_NETCONF, "\"%s\" must be an object", name);
	*(const cJSON **)to = value;
	return 0;
}

int key_texts(void *to, const struct key *key, const char *name, const cJSON *value, struct cni_error *e)
{
	const cJSON *one;

	(void)key;
	if (!cJSON_IsArray(value))
		return cni_fail(e, CNI_INVALID_NETCONF, "\"%s\" must be a list", name);
	cJSON_ArrayForEach (one, value)
		if (!cJSON_IsString(one))
			return cni_fail(e, CNI_INVALID_NETCONF, "\"%s\" must hold texts", name);
	*(const cJSON **)to = value;
	return 0;
}

bool cni_is_name(const char *text, size_t max)
{
	size_t len = strlen(text);

	if (!len || len > max || !isalnum((unsigned char)text[0]))
		return false;
	for (const char *p = text; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_.-", *p))
			return false;
	return true;
}

bool cni_is_ifname(const char *text)
{
	if (!*text || strlen(text) >= IF_NAMESIZE || !strcmp(text, ".") || !strcmp(text, ".."))
		return false;
	for (const char *p = text; *p; p++)
		/* The kernel takes a % for a pattern and makes up a name. */
		if (*p <= ' ' || *p > '~' || strchr("/:%", *p))
			return false;
	return true;
}

/* The digits of an address, or -EINVAL for another form: 17 characters with : or -, or 14 with dots. */
static int mac_digits(const char *text, char digits[13])
{
	size_t len = strlen(text), group = len == 14 ? 4 : 2, n = 0;
	char separator = len == 14 ? '.' : text[len == 17 ? 2 : 0];

	if ((len != 14 && len != 17) || (len == 17 && separator != ':' && separator != '-'))
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (i % (group + 1) == group) {
			if (text[i] != separator)
				return -EINVAL;
			continue;
		}
		if (!isxdigit((unsigned char)text[i]))
			return -EINVAL;
		digits[n++] = (char)tolower((unsigned char)text[i]);
	}
	digits[n] = '\0';
	return 0;
}

int cni_mac(const char *text, char to[18])
{
	char digits[13];

	if (mac_digits(text, digits) || !strcmp(digits, "000000000000"))
		return -EINVAL;
	if (strchr("13579bdf", digits[1])) /* multicast */
		return -EINVAL;
	for (size_t i = 0; i < 6; i++)
		snprintf(to + i * 3, 4, i < 5 ? "%.2s:" : "%.2s", digits + i * 2);
	return 0;
}
