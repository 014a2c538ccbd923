// SPDX-License-Identifier: Apache-2.0
#include "lib/json_text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"

const char *json_find_nul(const char *text, size_t len)
{
	const char *end = text + len;

	for (const char *p = text; p < end; p++) {
		if (!*p)
			return p;
		if (*p != '\\')
			continue;
		if (end - p >= 6 && !memcmp(p + 1, "u0000", 5))
			return p;
		p++; /* what is escaped begins no escape */
	}
	return NULL;
}

size_t json_utf8_length(const char *text, size_t left)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3 : 4;
	unsigned int second = left > 1 ? p[1] : 0;

	if ((p[0] >= 0x80 && p[0] < 0xc2) || p[0] > 0xf4 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && second < 0xa0) || (p[0] == 0xed && second > 0x9f) || (p[0] == 0xf0 && second < 0x90) ||
	    (p[0] == 0xf4 && second > 0x8f))
		return 0;
	return n;
}

bool json_is_utf8(const char *text, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		n = json_utf8_length(text + i, len - i);
		if (!n)
			return false;
	}
	return true;
}

/* ---- writing ---- */

void json_quote(FILE *to, const char *text)
{
	static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";

	putc('"', to);
	for (; *text; text++) {
		const char *escaped = strchr(plain, *text);

		if (escaped)
			fprintf(to, "\\%c", letters[escaped - plain]);
		else if ((unsigned char)*text < 0x20)
			fprintf(to, "\\u%04x", (unsigned int)*text);
		else
			putc(*text, to);
	}
	putc('"', to);
}

char *json_stream_end(FILE *to, char **text)
{
	bool bad = ferror(to);

	if (!fclose(to) && !bad)
		return *text;
	free(*text);
	return NULL;
}

/* ---- reading ---- */

static const char *skip_space(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

/* Behind the string that begins there, or NULL where it has no end. */
static const char *skip_string(const char *p)
{
	for (p++; *p && *p != '"'; p++)
		if (*p == '\\' && !*++p)
			return NULL;
	return *p ? p + 1 : NULL;
}

static const char *skip_value(const char *p)
{
	unsigned int depth = 0;

	do {
		if (*p == '"') {
			p = skip_string(p);
			if (!p)
				return NULL;
			continue;
		}
		if (!*p)
			return NULL;
		if (*p == '{' || *p == '[')
			depth++;
		else if (*p == '}' || *p == ']')
			depth--;
		p++;
	} while (depth || !strchr(",}]", *p));
	return p;
}

const char *json_find(const char *object, const char *name)
{
	const char *p = skip_space(object), *key;
	size_t len;

	if (*p != '{')
		return NULL;
	do {
		key = skip_space(p + 1);
		p = *key == '"' ? skip_string(key) : NULL;
		if (!p)
			return NULL;
		len = (size_t)(p - key) - 2;
		p = skip_space(p);
		if (*p != ':')
			return NULL;
		p = skip_space(p + 1);
		if (len == strlen(name) && !memcmp(key + 1, name, len))
			return p;
		p = *p && !strchr(",}]", *p) ? skip_value(p) : NULL;
	} while (p && *p == ',');
	return NULL;
}

/* Four hexadecimal digits, or -1. */
static int hex(const char *p)
{
	int value = 0;

	for (int i = 0; i < 4; i++) {
		const char *digits = "0123456789abcdef0123456789ABCDEF", *digit = p[i] ? strchr(digits, p[i]) : NULL;

		if (!digit)
			return -1;
		value = value << 4 | (int)((digit - digits) & 15);
	}
	return value;
}

/* The character of \uXXXX, or of two of them: where it ends, or NULL. */
static const char *read_unicode(const char *p, uint32_t *character)
{
	int high = hex(p), low;

	*character = (uint32_t)high;
	if (high <= 0 || (high & 0xfc00) == 0xdc00)
		return NULL;
	if ((high & 0xfc00) != 0xd800)
		return p + 4;
	low = p[4] == '\\' && p[5] == 'u' ? hex(p + 6) : -1;
	if (low < 0 || (low & 0xfc00) != 0xdc00)
		return NULL;
	*character = 0x10000 + (((uint32_t)high & 0x3ff) << 10 | ((uint32_t)low & 0x3ff));
	return p + 10;
}

static char *put_utf8(char *to, uint32_t c)
{
	static const unsigned char first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	int n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (int i = n - 1; i > 0; i--, c >>= 6)
		to[i] = (char)(0x80 | (c & 0x3f));
	to[0] = (char)(n == 1 ? c : first[n] | c);
	return to + n;
}

char *json_string(const char *value)
{
	static const char letters[] = "\"\\/bfnrt", plain[] = "\"\\/\b\f\n\r\t";
	const char *end = *value == '"' ? skip_string(value) : NULL, *p = value + 1;
	_cleanup_free_ char *text = end ? malloc((size_t)(end - value))
					: NULL; /* an escape is longer than what it stands for */
	char *to = text;

	while (text && p < end - 1) {
		const char *letter;
		uint32_t c;

		if (*p != '\\') {
			*to++ = *p++;
			continue;
		}
		letter = strchr(letters, p[1]);
		if (!letter && p[1] != 'u')
			return NULL;
		if (letter) {
			*to++ = plain[letter - letters];
			p += 2;
			continue;
		}
		p = read_unicode(p + 2, &c);
		if (!p)
			return NULL;
		to = put_utf8(to, c);
	}
	if (text)
		*to = '\0';
	return take_ptr(text);
}
