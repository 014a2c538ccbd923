// SPDX-License-Identifier: Apache-2.0
#include "qos/profile.h"

#include <errno.h>
#include <string.h>

#include "common/test.h"

/* The two that operators know by name, with the numbers of their documentation. */
static void named(void **state)
{
	struct qos_profile p;

	(void)state;
	assert_int_equal(qos_profile_named("spiderpool", &p), 0);
	assert_string_equal(p.name, "spiderpool");
	assert_int_equal(p.dscp, 1ull << 40);
	assert_int_equal(p.priority, 5);
	assert_int_equal(p.cnp_dscp, 48);
	assert_int_equal(p.cnp_priority, 6);
	assert_int_equal(qos_profile_named("nvidia", &p), 0);
	assert_string_equal(p.name, "nvidia");
	assert_int_equal(p.dscp, 1ull << 26);
	assert_int_equal(p.priority, 3);
	assert_int_equal(p.cnp_dscp, 48);
	assert_int_equal(p.cnp_priority, 6);
}

static void unknown_name_changes_nothing(void **state)
{
	struct qos_profile p = { .name = "mine", .dscp = 1 };

	(void)state;
	assert_int_equal(qos_profile_named("Nvidia", &p), -ENOENT);
	assert_int_equal(qos_profile_named("", &p), -ENOENT);
	assert_string_equal(p.name, "mine");
	assert_int_equal(p.dscp, 1);
}

static void named_profiles_are_sound(void **state)
{
	struct qos_profile p;
	struct err err;

	(void)state;
	assert_int_equal(qos_profile_named("spiderpool", &p), 0);
	assert_int_equal(qos_profile_check(&p, &err), 0);
	assert_int_equal(qos_profile_named("nvidia", &p), 0);
	assert_int_equal(qos_profile_check(&p, &err), 0);
}

static void defaults_of_named(void **state)
{
	struct qos_profile p;

	(void)state;
	assert_int_equal(qos_profile_named("spiderpool", &p), 0);
	assert_int_equal(p.pfc, 1 << 5);
	assert_int_equal(p.trust, QOS_TRUST_DSCP);
	for (unsigned int d = 0; d < QOS_DSCPS; d++)
		assert_int_equal(p.map[d], d / 8);
	assert_true(p.ecn);
	assert_int_equal(p.mtu, 0);
	assert_int_equal(p.roce_mode, QOS_ROCE_V2);
	assert_int_equal(qos_profile_named("nvidia", &p), 0);
	assert_int_equal(p.pfc, 1 << 3);
}

static void refused(const struct qos_profile *p, const char *piece)
{
	struct err err = {};

	assert_int_equal(qos_profile_check(p, &err), -EINVAL);
	assert_contains(err.text, piece);
}

static void contradictions(void **state)
{
	struct qos_profile p = { .dscp = 1ull << 31 | 1ull << 26, .priority = 3, .cnp_dscp = 48, .cnp_priority = 6 };

	(void)state;
	qos_profile_defaults(&p);
	refused(&p, "pfc is off for priority 3");
	p.pfc = 1 << 3 | 1 << 6;
	refused(&p, "pfc is on for cnp_priority 6");
	p.pfc = 1 << 3 | 1 << 4; /* a second lossless class is nobody's business here */
	assert_int_equal(qos_profile_check(&p, NULL), 0);
	p.map[31] = 4;
	refused(&p, "dscp 31 is mapped to priority 4, but priority is 3");
	p.trust = QOS_TRUST_PCP;
	assert_int_equal(qos_profile_check(&p, NULL), 0);
	p.trust = QOS_TRUST_DSCP;
	p.map[31] = 3;
	p.map[48] = 3;
	refused(&p, "cnp_dscp 48 is mapped to priority 3, but cnp_priority is 6");
	p.map[48] = 6;
	p.cnp_dscp = 31;
	refused(&p, "cnp_dscp 31");
	p.cnp_dscp = 48;
	p.cnp_priority = 3;
	refused(&p, "cnp_priority 3");
	p.dscp = 0;
	refused(&p, "no DSCP");
}

static void set_as_text(void **state)
{
	char text[256], cut[6];

	(void)state;
	qos_dscp_text(0, text, sizeof(text));
	assert_string_equal(text, "");
	qos_dscp_text(1ull << 40, text, sizeof(text));
	assert_string_equal(text, "40");
	qos_dscp_text(1ull << 63 | 1ull << 26 | 1, text, sizeof(text));
	assert_string_equal(text, "0,26,63");
	qos_dscp_text(~0ull, text, sizeof(text));
	assert_int_equal(strlen(text), 10 + 2 * 54 + 63);
	qos_dscp_text(~0ull, cut, sizeof(cut));
	assert_int_equal(strlen(cut), sizeof(cut) - 1);
	qos_dscp_text(1, cut, 1);
	assert_string_equal(cut, "");
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(named),
		cmocka_unit_test(unknown_name_changes_nothing),
		cmocka_unit_test(named_profiles_are_sound),
		cmocka_unit_test(defaults_of_named),
		cmocka_unit_test(contradictions),
		cmocka_unit_test(set_as_text),
	};

	return RUN_CASES("profile", cases);
}
