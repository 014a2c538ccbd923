// SPDX-License-Identifier: Apache-2.0
/* The values of settings as text, for people and the journal, and back. */
#include <errno.h>
#include <linux/dcbnl.h>
#include <stdio.h>
#include <string.h>

#include "lib/util.h"
#include "qos/action.h"
#include "qos/host.h"

struct word {
	const char *name;
	unsigned int value;
};

static const struct word dcbx_words[] = {
	{ "host", DCB_CAP_DCBX_HOST },     { "lld-managed", DCB_CAP_DCBX_LLD_MANAGED }, { "cee", DCB_CAP_DCBX_VER_CEE },
	{ "ieee", DCB_CAP_DCBX_VER_IEEE }, { "static", DCB_CAP_DCBX_STATIC },           {}
};
static const struct word pause_words[] = { { "rx", QOS_PAUSE_RX }, { "tx", QOS_PAUSE_TX }, {} };
/* As `dcb apptrust` has them. */
static const struct word selector_words[] = { { "ethtype", IEEE_8021QAZ_APP_SEL_ETHERTYPE },
					      { "stream-port", IEEE_8021QAZ_APP_SEL_STREAM },
					      { "dgram-port", IEEE_8021QAZ_APP_SEL_DGRAM },
					      { "port", IEEE_8021QAZ_APP_SEL_ANY },
					      { "dscp", IEEE_8021QAZ_APP_SEL_DSCP },
					      { "pcp", DCB_APP_SEL_PCP },
					      {} };
static const struct word mode_words[] = { { "IB/RoCE v1", QOS_ROCE_V1 }, { "RoCE v2", QOS_ROCE_V2 }, {} };

static const char none[] = "none";

/* ---- to text ---- */

static const char *word_of(const struct word *words, unsigned int value)
{
	for (; words->name; words++)
		if (words->value == value)
			return words->name;
	return NULL;
}

static void add_flags(char *to, size_t size, const struct word *words, unsigned int flags)
{
	for (; words->name; words++)
		if (flags & words->value)
			qos_add(to, size, "%s%s", *to ? "," : "", words->name);
}

static void add_mask(char *to, size_t size, unsigned int mask, const char *joint)
{
	const char *between = "";

	for (unsigned int p = 0; p < QOS_PRIORITIES; p++) {
		if (!(mask >> p & 1))
			continue;
		qos_add(to, size, "%s%u", between, p);
		between = joint;
	}
	if (!mask)
		qos_add(to, size, none);
}

static void add_apps(char *to, size_t size, const struct qos_value *value)
{
	for (unsigned int d = 0; d < QOS_DSCPS; d++) {
		if (!(value->dscps >> d & 1))
			continue;
		qos_add(to, size, "%s%u:", *to ? "," : "", d);
		add_mask(to, size, value->priorities[d], "+");
	}
}

static void add_selectors(char *to, size_t size, const struct qos_selectors *selectors)
{
	for (unsigned int i = 0; i < selectors->count; i++) {
		const char *name = word_of(selector_words, selectors->selector[i]);

		if (name)
			qos_add(to, size, "%s%s", i ? "," : "", name);
		else
			qos_add(to, size, "%s%u", i ? "," : "", selectors->selector[i]);
	}
}

static void add_bytes(char *to, size_t size, const uint8_t *values)
{
	for (unsigned int i = 0; i < QOS_PRIORITIES; i++)
		qos_add(to, size, "%s%u", i ? "," : "", values[i]);
}

static void add_buffers(char *to, size_t size, const struct qos_value *value)
{
	qos_add(to, size, "of ");
	add_bytes(to, size, value->buffer_of);
	for (unsigned int i = 0; i < QOS_PRIORITIES; i++)
		qos_add(to, size, "%s%u", i ? "," : " sizes ", value->buffer_size[i]);
}

void qos_value_text(enum qos_setting setting, const struct qos_value *value, char *to, size_t size)
{
	to[0] = '\0';
	switch (setting) {
	case QOS_DCBX:
		add_flags(to, size, dcbx_words, value->number);
		break;
	case QOS_PAUSE:
		add_flags(to, size, pause_words, value->number);
		break;
	case QOS_PFC:
		add_mask(to, size, value->number, ",");
		break;
	case QOS_APP:
		add_apps(to, size, value);
		break;
	case QOS_APP_TRUST:
		add_selectors(to, size, &value->selectors);
		break;
	case QOS_ETS:
		qos_add(to, size, "of ");
		add_bytes(to, size, value->tc_of);
		qos_add(to, size, " shares ");
		add_bytes(to, size, value->tc_bandwidth);
		break;
	case QOS_BUFFER:
		add_buffers(to, size, value);
		break;
	case QOS_CMA_MODE:
		qos_add(to, size, "%s", value->number ? mode_words[1].name : mode_words[0].name);
		break;
	default:
		qos_add(to, size, "%u", value->number);
	}
	if (!to[0])
		qos_add(to, size, none);
}

bool qos_value_same(enum qos_setting setting, const struct qos_value *a, const struct qos_value *b)
{
	char texts[2][QOS_VALUE_LEN];

	qos_value_text(setting, a, texts[0], sizeof(texts[0]));
	qos_value_text(setting, b, texts[1], sizeof(texts[1]));
	return !strcmp(texts[0], texts[1]);
}

/* ---- from text: the journal is the warden's own, and read as if it were anybody's ---- */

static int number_from(const char *text, unsigned int max, unsigned int *value)
{
	uint64_t number;
	int r = parse_u64(text, 10, 0, max, &number);

	*value = r ? 0 : (unsigned int)number;
	return r ? -EINVAL : 0;
}

static int word_from(const struct word *words, const char *text, unsigned int *value)
{
	for (; words->name; words++) {
		if (strcmp(words->name, text))
			continue;
		*value = words->value;
		return 0;
	}
	return -EINVAL;
}

static int flags_from(const struct word *words, char *text, unsigned int *flags)
{
	unsigned int flag;
	char *part;

	if (!strcmp(text, none))
		return 0;
	while ((part = strsep(&text, ","))) {
		if (word_from(words, part, &flag))
			return -EINVAL;
		*flags |= flag;
	}
	return 0;
}

static int mask_from(char *text, const char *joint, unsigned int *mask)
{
	unsigned int p;
	char *part;

	if (!strcmp(text, none))
		return 0;
	while ((part = strsep(&text, joint))) {
		if (number_from(part, QOS_PRIORITIES - 1, &p))
			return -EINVAL;
		*mask |= 1u << p;
	}
	return 0;
}

static int apps_from(char *text, struct qos_value *value)
{
	char *part;

	while ((part = strsep(&text, ","))) {
		char *number = strsep(&part, ":");
		unsigned int d, mask = 0;

		if (!part || number_from(number, QOS_DSCPS - 1, &d) || mask_from(part, "+", &mask))
			return -EINVAL;
		value->dscps |= 1ull << d;
		value->priorities[d] = (uint8_t)mask;
	}
	return 0;
}

static int selectors_from(char *text, struct qos_selectors *selectors)
{
	unsigned int selector;
	char *part;

	if (!strcmp(text, none))
		return 0;
	while ((part = strsep(&text, ","))) {
		if (selectors->count == QOS_SELECTORS ||
		    (word_from(selector_words, part, &selector) && number_from(part, UINT8_MAX, &selector)))
			return -EINVAL;
		selectors->selector[selectors->count++] = (uint8_t)selector;
	}
	return 0;
}

/* All eight, each at most `max`. */
static int list_from(char *text, unsigned int max, uint32_t *values)
{
	unsigned int count = 0;
	char *part;

	while ((part = strsep(&text, ",")))
		if (count == QOS_PRIORITIES || number_from(part, max, &values[count++]))
			return -EINVAL;
	return count == QOS_PRIORITIES ? 0 : -EINVAL;
}

static int bytes_from(char *text, unsigned int max, uint8_t *values)
{
	uint32_t numbers[QOS_PRIORITIES];

	if (!text || list_from(text, max, numbers))
		return -EINVAL;
	for (unsigned int i = 0; i < QOS_PRIORITIES; i++)
		values[i] = (uint8_t)numbers[i];
	return 0;
}

/* "of LIST WORD LIST": the lists. */
static int lists_from(char *text, const char *word, char **first, char **second)
{
	const char *of = strsep(&text, " "), *between;

	*first = strsep(&text, " ");
	between = strsep(&text, " ");
	*second = text;
	return text && !strcmp(of, "of") && !strcmp(between, word) ? 0 : -EINVAL;
}

static int classes_from(char *text, struct qos_value *value)
{
	char *first, *second;

	if (lists_from(text, "shares", &first, &second) || bytes_from(first, QOS_TCS - 1, value->tc_of))
		return -EINVAL;
	return bytes_from(second, 100, value->tc_bandwidth);
}

static int buffers_from(char *text, struct qos_value *value)
{
	char *first, *second;

	if (lists_from(text, "sizes", &first, &second) || bytes_from(first, QOS_PRIORITIES - 1, value->buffer_of))
		return -EINVAL;
	return list_from(second, UINT32_MAX, value->buffer_size);
}

static unsigned int number_max(enum qos_setting setting)
{
	switch (setting) {
	case QOS_MTU:
		return UINT16_MAX;
	case QOS_CNP_DSCP:
		return QOS_DSCPS - 1;
	case QOS_CNP_PRIORITY:
		return QOS_PRIORITIES - 1;
	case QOS_ECN_NP:
	case QOS_ECN_RP:
		return 1;
	default:
		return UINT8_MAX;
	}
}

int qos_value_parse(enum qos_setting setting, const char *text, struct qos_value *value)
{
	char copy[QOS_VALUE_LEN];

	*value = (struct qos_value){};
	if (try_snprintf(copy, sizeof(copy), "%s", text))
		return -EINVAL;
	switch (setting) {
	case QOS_DCBX:
		return flags_from(dcbx_words, copy, &value->number);
	case QOS_PAUSE:
		return flags_from(pause_words, copy, &value->number);
	case QOS_PFC:
		return mask_from(copy, ",", &value->number);
	case QOS_APP:
		return apps_from(copy, value);
	case QOS_APP_TRUST:
		return selectors_from(copy, &value->selectors);
	case QOS_ETS:
		return classes_from(copy, value);
	case QOS_BUFFER:
		return buffers_from(copy, value);
	case QOS_CMA_MODE:
		return word_from(mode_words, copy, &value->number);
	default:
		return number_from(copy, number_max(setting), &value->number);
	}
}
