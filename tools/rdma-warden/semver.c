// SPDX-License-Identifier: Apache-2.0
#include "rdma-warden/semver.h"

#include <stddef.h>
#include <string.h>

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-" DIGITS

/* No zeros lead it, so that one number has one spelling. */
static bool is_number(const char *p, size_t len)
{
	return len && strspn(p, DIGITS) >= len && (len == 1 || *p != '0');
}

/* Identifiers between dots; in a pre-release those of digits are numbers. Behind them, or NULL where they are not right. */
static const char *skip_identifiers(const char *p, bool numbers)
{
	for (;; p++) {
		size_t len = strspn(p, LETTERS);

		if (!len || (numbers && strspn(p, DIGITS) == len && !is_number(p, len)))
			return NULL;
		p += len;
		if (*p != '.')
			return p;
	}
}

bool semver_valid(const char *text)
{
	const char *p = text;

	if (strlen(text) >= SEMVER_MAX)
		return false;
	for (int i = 0; i < 3; i++) {
		size_t len = strspn(p, DIGITS);

		if (!is_number(p, len) || (i < 2 && p[len] != '.'))
			return false;
		p += len + (i < 2);
	}
	if (*p == '-')
		p = skip_identifiers(p + 1, true);
	if (p && *p == '+')
		p = skip_identifiers(p + 1, false);
	return p && !*p;
}

static int sign(size_t a, size_t b)
{
	return (a > b) - (a < b);
}

/* Numbers by their value, which may be larger than any type holds; they are below all that is not a number. */
static int compare_identifiers(const char *a, size_t a_len, const char *b, size_t b_len)
{
	bool a_number = is_number(a, a_len), b_number = is_number(b, b_len);
	int r;

	if (a_number != b_number)
		return a_number ? -1 : 1;
	if (a_number && a_len != b_len)
		return sign(a_len, b_len);
	r = memcmp(a, b, a_len < b_len ? a_len : b_len);
	return r ? r : sign(a_len, b_len);
}

int semver_compare(const char *a, const char *b)
{
	int r;

	for (int i = 0;; i++) {
		size_t a_len = strcspn(a, i < 3 ? ".-+" : ".+"), b_len = strcspn(b, i < 3 ? ".-+" : ".+");

		r = compare_identifiers(a, a_len, b, b_len);
		a += a_len;
		b += b_len;
		if (r)
			return r;
		/* Who has a pre-release is older than who has none; within one, who has more identifiers is newer. */
		if (i == 2 && (*a == '-') != (*b == '-'))
			return *a == '-' ? -1 : 1;
		if (i > 2 && (*a == '.') != (*b == '.'))
			return *a == '.' ? 1 : -1;
		if (i >= 2 && *a != '-' && *a != '.')
			return 0;
		a++;
		b++;
	}
}
