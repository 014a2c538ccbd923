// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "rdmatop/clean.h"

#include <langinfo.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

#include "lib/json.h"

/* The code point of a valid sequence. */
static uint32_t decode(const char *s, size_t len)
{
	static const unsigned char first_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t c = (unsigned char)*s & first_bits[len];

	for (size_t i = 1; i < len; i++)
		c = c << 6 | ((unsigned char)s[i] & 0x3f);
	return c;
}

/* Controls, and those of Unicode's category Cf and its like that move or hide what stands beside them. */
static bool has_shape(uint32_t c)
{
	static const struct {
		uint32_t from, to;
	} without[] = {
		{ 0x00, 0x1f },     { 0x7f, 0x9f },     { 0xad, 0xad },       { 0x61c, 0x61c },   { 0x115f, 0x1160 },
		{ 0x180e, 0x180e }, { 0x200b, 0x200f }, { 0x2028, 0x202e },   { 0x2060, 0x206f }, { 0xfe00, 0xfe0f },
		{ 0xfeff, 0xfeff }, { 0xfff0, 0xfffc }, { 0xe0000, 0xe0fff },
	};

	for (size_t i = 0; i < sizeof(without) / sizeof(*without); i++)
		if (c >= without[i].from && c <= without[i].to)
			return false;
	return true;
}

void clean_text(const char *from, char *to, size_t size)
{
	size_t left = strlen(from), used = 0, len;

	while (left) {
		len = json_utf8_length(from, left);
		if (used + (len ? len : 1) >= size)
			break;
		if (len && has_shape(decode(from, len))) {
			memcpy(to + used, from, len);
			used += len;
		} else {
			to[used++] = '?';
		}
		len = len ? len : 1;
		from += len;
		left -= len;
	}
	to[used] = '\0';
}

bool clean_has_utf8(void)
{
	return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

/* Bytes and columns of the character that clean text begins with; in ASCII, or where its width is not known, one '?'. */
static size_t measure(const char *text, size_t left, bool utf8, int *width)
{
	size_t len = json_utf8_length(text, left);

	*width = len && utf8 ? wcwidth((wchar_t)decode(text, len)) : -1;
	return len ? len : 1;
}

int clean_width(const char *text)
{
	bool utf8 = clean_has_utf8();
	size_t left = strlen(text), len;
	int total = 0, width;

	for (; left; text += len, left -= len) {
		len = measure(text, left, utf8, &width);
		total += width < 0 ? 1 : width;
	}
	return total;
}

/* As much of the text as fits into `width` columns: the columns taken. */
static int put(const char *text, int width, char *to, size_t size, size_t *used)
{
	bool utf8 = clean_has_utf8();
	size_t left = strlen(text), len;
	int total = 0, one;

	for (; left; text += len, left -= len) {
		len = measure(text, left, utf8, &one);
		if (len == 1 && *text >= ' ' && *text <= '~')
			one = 1;
		if (total + (one < 0 ? 1 : one) > width || *used + len + 1 > size)
			break;
		if (one < 0)
			to[(*used)++] = '?';
		else
			memcpy(to + *used, text, len), *used += len;
		total += one < 0 ? 1 : one;
	}
	return total;
}

void clean_fit(const char *text, int width, bool right, char *to, size_t size)
{
	int wide = clean_width(text), pad = wide < width ? width - wide : 0, columns;
	size_t used = 0;

	if (width < 0)
		width = 0;
	while (right && pad-- > 0 && used + 1 < size)
		to[used++] = ' ';
	columns = put(text, wide > width && width > 0 ? width - 1 : width, to, size, &used);
	if (wide > width && width > 0 && used + 1 < size) {
		to[used++] = '~';
		columns++;
	}
	for (; !right && columns < width && used + 1 < size; columns++)
		to[used++] = ' ';
	to[used] = '\0';
}
