// SPDX-License-Identifier: Apache-2.0
/* The writer of metrics, and which of its two formats who asks gets. */
#include "metrics/exposition.h"

#include <string.h>

#include "common/test.h"
#include "lib/util.h"

static char text[4096];

static const char *take(struct exposition *e)
{
	assert_int_equal(e->error, 0);
	assert_true(e->out.len < sizeof(text));
	memcpy(text, e->out.data, e->out.len + 1);
	bytes_free(&e->out);
	return text;
}

static const struct label end = {};

static void families_and_samples(void **state)
{
	struct exposition e = { .format = EXPOSITION_TEXT };

	(void)state;
	exposition_family(&e, METRIC_COUNTER, "a_total", "Some.");
	exposition_sample(&e, NULL, NULL, UINT64_MAX);
	exposition_family(&e, METRIC_INFO, "b_info", "What.");
	exposition_sample(&e, NULL, (struct label[]){ { "v", "1" }, { "w", "" }, end }, 1);
	exposition_family(&e, METRIC_GAUGE, "c", "How much.");
	exposition_real(&e, NULL, NULL, 0.1);
	exposition_end(&e);
	assert_string_equal(take(&e), "# HELP a_total Some.\n# TYPE a_total counter\na_total 18446744073709551615\n"
				      "# HELP b_info What.\n# TYPE b_info gauge\nb_info{v=\"1\",w=\"\"} 1\n"
				      "# HELP c How much.\n# TYPE c gauge\nc 0.1\n");
}

static void openmetrics_names_families_without_suffix(void **state)
{
	struct exposition e = { .format = EXPOSITION_OPENMETRICS };

	(void)state;
	exposition_family(&e, METRIC_COUNTER, "a_total", "Some.");
	exposition_sample(&e, NULL, NULL, 7);
	exposition_family(&e, METRIC_INFO, "b_info", "What.");
	exposition_sample(&e, NULL, NULL, 1);
	exposition_end(&e);
	assert_string_equal(take(&e), "# HELP a Some.\n# TYPE a counter\na_total 7\n"
				      "# HELP b What.\n# TYPE b info\nb_info 1\n# EOF\n");
}

static void labels_are_escaped(void **state)
{
	struct exposition e = { .format = EXPOSITION_TEXT };
	struct bytes labels = {};

	(void)state;
	exposition_labels(&labels, (struct label[]){ { "a", "q\"b\\s\nn" }, { "u", "\xc3\xa9\xff\xc3" } }, 2);
	exposition_family(&e, METRIC_GAUGE, "m", "h");
	exposition_sample(&e, &labels, (struct label[]){ { "b", "}" }, end }, 1);
	exposition_sample(&e, &labels, NULL, 2);
	assert_string_equal(take(&e),
			    "# HELP m h\n# TYPE m gauge\nm{a=\"q\\\"b\\\\s\\nn\",u=\"\xc3\xa9??\",b=\"}\"} 1\n"
			    "m{a=\"q\\\"b\\\\s\\nn\",u=\"\xc3\xa9??\"} 2\n");
	bytes_free(&labels);
}

static void histograms(void **state)
{
	struct exposition e = { .format = EXPOSITION_TEXT };

	(void)state;
	exposition_family(&e, METRIC_HISTOGRAM, "d", "h");
	exposition_part(&e, "_bucket", (struct label[]){ { "le", "+Inf" }, end }, 3);
	exposition_part(&e, "_sum", NULL, 1.5e-7);
	exposition_part(&e, "_count", NULL, 3);
	assert_string_equal(take(&e),
			    "# HELP d h\n# TYPE d histogram\nd_bucket{le=\"+Inf\"} 3\nd_sum 1.5e-07\nd_count 3\n");
}

static void names_of_drivers(void **state)
{
	char name[8];

	(void)state;
	exposition_name("rx p-9.", name, sizeof(name));
	assert_string_equal(name, "rx_p_9_");
	exposition_name("\xff{}\n\"12345", name, sizeof(name));
	assert_string_equal(name, "_____12");
}

static void negotiation(void **state)
{
	static const struct {
		const char *accept;
		enum exposition_format format;
	} cases[] = {
		{ NULL, EXPOSITION_TEXT },
		{ "", EXPOSITION_TEXT },
		{ "*/*", EXPOSITION_TEXT },
		{ "text/plain", EXPOSITION_TEXT },
		{ "application/openmetrics-text", EXPOSITION_OPENMETRICS },
		{ "Application/OpenMetrics-Text; Version=1.0.0", EXPOSITION_OPENMETRICS },
		{ "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;q=0.4,*/*;q=0.1",
		  EXPOSITION_OPENMETRICS },
		/* as Prometheus 2.42 sends it */
		{ "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
		  "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		  EXPOSITION_OPENMETRICS },
		{ "application/openmetrics-text;version=0.0.1", EXPOSITION_TEXT },
		{ "application/openmetrics-text;q=0", EXPOSITION_TEXT },
		{ "application/openmetrics-text;q=0.3, text/plain;q=0.5", EXPOSITION_TEXT },
		{ "application/openmetrics-text;version=\"1.0.0\"", EXPOSITION_OPENMETRICS },
		{ "application/openmetrics-textual", EXPOSITION_TEXT },
		{ "text/plain, application/openmetrics-text", EXPOSITION_OPENMETRICS },
		{ ",,;;q=,application/openmetrics-text;q", EXPOSITION_OPENMETRICS },
		{ ";", EXPOSITION_TEXT },
		{ "application/openmetrics-text;q=nan", EXPOSITION_TEXT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (exposition_accept(cases[i].accept) != cases[i].format)
			test_fail("%s: format %d", cases[i].accept, exposition_accept(cases[i].accept));
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(families_and_samples), cmocka_unit_test(openmetrics_names_families_without_suffix),
		cmocka_unit_test(labels_are_escaped),   cmocka_unit_test(histograms),
		cmocka_unit_test(names_of_drivers),     cmocka_unit_test(negotiation),
	};

	return RUN_CASES("exposition", cases);
}
