// SPDX-License-Identifier: Apache-2.0
#include "metrics/exposition.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/json.h"
#include "lib/util.h"

/* ---- text ---- */

static void put(struct exposition *e, const char *text, size_t len)
{
	if (!e->error)
		e->error = bytes_add(&e->out, text, len, EXPOSITION_MAX);
}

static void put_text(struct exposition *e, const char *text)
{
	put(e, text, strlen(text));
}

/* For labels, whose loss shows in `e` when they are written. */
static void add(struct bytes *to, const char *text, size_t len)
{
	bytes_add(to, text, len, EXPOSITION_MAX);
}

static void add_value(struct bytes *to, const char *value)
{
	size_t left = strlen(value), len;

	for (; left; value += len, left -= len) {
		len = json_utf8_length(value, left);
		if (*value == '\\')
			add(to, "\\\\", 2);
		else if (*value == '"')
			add(to, "\\\"", 2);
		else if (*value == '\n')
			add(to, "\\n", 2);
		else if (len)
			add(to, value, len);
		else
			add(to, "?", 1);
		len = len ? len : 1;
	}
}

static void add_label(struct bytes *to, const struct label *label)
{
	if (to->len)
		add(to, ",", 1);
	add(to, label->name, strlen(label->name));
	add(to, "=\"", 2);
	add_value(to, label->value);
	add(to, "\"", 1);
}

void exposition_labels(struct bytes *text, const struct label *labels, size_t count)
{
	for (size_t i = 0; i < count; i++)
		add_label(text, &labels[i]);
}

/* ---- families ---- */

static const char *const type_names[] = {
	[METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_INFO] = "info", [METRIC_HISTOGRAM] = "histogram"
};

/* In OpenMetrics the family is called without the suffix that its samples have; the text format knows no informations. */
static size_t family_length(const struct exposition *e, enum metric_type type, const char *name)
{
	size_t len = strlen(name);

	if (e->format == EXPOSITION_TEXT)
		return len;
	if (type == METRIC_COUNTER)
		return len - strlen("_total");
	return type == METRIC_INFO ? len - strlen("_info") : len;
}

void exposition_family(struct exposition *e, enum metric_type type, const char *name, const char *help)
{
	bool as_gauge = e->format == EXPOSITION_TEXT && type == METRIC_INFO;
	size_t len = family_length(e, type, name);

	e->name = name;
	put_text(e, "# HELP ");
	put(e, name, len);
	put_text(e, " ");
	put_text(e, help);
	put_text(e, "\n# TYPE ");
	put(e, name, len);
	put_text(e, " ");
	put_text(e, type_names[as_gauge ? METRIC_GAUGE : type]);
	put_text(e, "\n");
}

static void begin_sample(struct exposition *e, const char *suffix, const struct bytes *labels, const struct label *more)
{
	struct bytes text = {};

	for (; more && more->name; more++)
		add_label(&text, more);
	put_text(e, e->name);
	put_text(e, suffix);
	if ((labels && labels->len) || text.len) {
		put_text(e, "{");
		if (labels && labels->len)
			put(e, labels->data, labels->len);
		if (labels && labels->len && text.len)
			put_text(e, ",");
		if (text.len)
			put(e, text.data, text.len);
		put_text(e, "}");
	}
	bytes_free(&text);
}

static void end_real(struct exposition *e, double value)
{
	char text[48];

	snprintf(text, sizeof(text), " %.17g\n", value);
	for (int digits = 6; digits < 17; digits++) { /* the shortest that is read as the same */
		snprintf(text, sizeof(text), " %.*g\n", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	put_text(e, text);
}

void exposition_sample(struct exposition *e, const struct bytes *labels, const struct label *more, uint64_t value)
{
	char text[32];

	begin_sample(e, "", labels, more);
	snprintf(text, sizeof(text), " %" PRIu64 "\n", value);
	put_text(e, text);
}

void exposition_real(struct exposition *e, const struct bytes *labels, const struct label *more, double value)
{
	begin_sample(e, "", labels, more);
	end_real(e, value);
}

void exposition_part(struct exposition *e, const char *suffix, const struct label *labels, double value)
{
	begin_sample(e, suffix, NULL, labels);
	end_real(e, value);
}

void exposition_end(struct exposition *e)
{
	if (e->format == EXPOSITION_OPENMETRICS)
		put_text(e, "# EOF\n");
}

void exposition_name(const char *name, char *to, size_t size)
{
	size_t i;

	for (i = 0; name[i] && i + 1 < size; i++)
		to[i] = isalnum((unsigned char)name[i]) ? name[i] : '_';
	to[i] = '\0';
}

/* ---- which format ---- */

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

/* The value of the parameter, which may be quoted: its length, 0 where it is not there. */
static size_t parameter(const char *item, size_t len, const char *name, const char **value)
{
	const char *end = item + len, *at = memchr(item, ';', len);
	size_t n = strlen(name);

	while (at) {
		const char *word = skip_blanks(at + 1);

		at = word < end ? memchr(word, ';', (size_t)(end - word)) : NULL;
		if (word + n >= end || strncasecmp(word, name, n) || word[n] != '=')
			continue;
		*value = word + n + 1 + (word[n + 1] == '"');
		return strcspn(*value, "\"; \t,");
	}
	return 0;
}

/* RFC 9110, 12.4.2: 0 to 1, in thousandths. */
static unsigned int quality(const char *item, size_t len)
{
	const char *value;
	size_t n = parameter(item, len, "q", &value);
	double q = n ? strtod(value, NULL) : 1;

	return q >= 1 ? 1000 : q > 0 ? (unsigned int)(q * 1000) : 0;
}

static bool is_type(const char *item, size_t len, const char *type)
{
	size_t n = strcspn(item, "; \t,");

	return n <= len && n == strlen(type) && !strncasecmp(item, type, n);
}

/* A version that is not 1.0 has another form of numbers in its labels. */
static bool is_openmetrics(const char *item, size_t len)
{
	const char *version;
	size_t n;

	if (!is_type(item, len, "application/openmetrics-text"))
		return false;
	n = parameter(item, len, "version", &version);
	return !n || (n >= 3 && !strncmp(version, "1.0", 3));
}

enum exposition_format exposition_accept(const char *accept)
{
	unsigned int text = 0, openmetrics = 0, q;
	size_t len;

	for (const char *item = accept ? skip_blanks(accept) : ""; *item; item = skip_blanks(item + len)) {
		len = strcspn(item, ",");
		q = quality(item, len);
		if (is_openmetrics(item, len))
			openmetrics = q > openmetrics ? q : openmetrics;
		else if (is_type(item, len, "text/plain") || is_type(item, len, "text/*") || is_type(item, len, "*/*"))
			text = q > text ? q : text;
		len += item[len] == ',';
	}
	return openmetrics && openmetrics >= text ? EXPOSITION_OPENMETRICS : EXPOSITION_TEXT;
}

const char *exposition_content_type(enum exposition_format format)
{
	return format == EXPOSITION_OPENMETRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
						: "text/plain; version=0.0.4; charset=utf-8";
}
