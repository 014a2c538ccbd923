// SPDX-License-Identifier: Apache-2.0
#include "qos/dcb.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/dcbnl.h>
#include <string.h>

#include "common/test.h"
#include "lib/util.h"

/* An answer in the making, in the layout of the kernel's dcbnl_ieee_fill(). */
static char bytes[4096];
static struct nlmsghdr *h;
static struct nlattr *ieee;

static void answer_begin(void)
{
	memset(bytes, 0, sizeof(bytes));
	h = mnl_nlmsg_put_header(bytes);
	mnl_attr_put_strz(h, DCB_ATTR_IFNAME, "sim0");
	ieee = mnl_attr_nest_start(h, DCB_ATTR_IEEE);
}

static struct qos_dcb answer_end(void)
{
	struct qos_dcb dcb = {};

	mnl_attr_nest_end(h, ieee);
	mnl_attr_put_u8(h, DCB_ATTR_DCBX, DCB_CAP_DCBX_HOST | DCB_CAP_DCBX_VER_IEEE);
	qos_dcb_parse(mnl_nlmsg_get_payload(h), mnl_nlmsg_get_payload_len(h), &dcb);
	return dcb;
}

static void put_app(uint8_t selector, uint8_t priority, uint16_t protocol)
{
	struct dcb_app app = { .selector = selector, .priority = priority, .protocol = protocol };

	mnl_attr_put(h, DCB_ATTR_IEEE_APP, sizeof(app), &app);
}

static void trust_table(void **state)
{
	struct nlattr *table;
	struct qos_dcb dcb;

	(void)state;
	answer_begin();
	dcb = answer_end();
	assert_false(dcb.has_trust);
	answer_begin();
	table = mnl_attr_nest_start(h, DCB_ATTR_DCB_APP_TRUST_TABLE);
	mnl_attr_put_u8(h, DCB_ATTR_IEEE_APP, IEEE_8021QAZ_APP_SEL_ANY);
	mnl_attr_put(h, DCB_ATTR_IEEE_APP, 0, "");
	mnl_attr_put_u8(h, DCB_ATTR_IEEE_APP, IEEE_8021QAZ_APP_SEL_DSCP);
	for (unsigned int i = 0; i < QOS_SELECTORS; i++) /* more than there are */
		mnl_attr_put_u8(h, DCB_ATTR_DCB_APP, DCB_APP_SEL_PCP);
	mnl_attr_nest_end(h, table);
	dcb = answer_end();
	assert_true(dcb.has_trust);
	assert_int_equal(dcb.trust.count, QOS_SELECTORS);
	assert_int_equal(dcb.trust.selector[1], IEEE_8021QAZ_APP_SEL_DSCP);
	assert_int_equal(dcb.trust.selector[2], DCB_APP_SEL_PCP);
	assert_int_equal(qos_dcb_trust(&dcb), QOS_TRUST_DSCP);
	answer_begin();
	table = mnl_attr_nest_start(h, DCB_ATTR_DCB_APP_TRUST_TABLE);
	mnl_attr_nest_end(h, table);
	dcb = answer_end();
	assert_int_equal(qos_dcb_trust(&dcb), QOS_TRUST_NONE);
}

static void whole_answer(void **state)
{
	struct ieee_pfc pfc = { .pfc_cap = 8, .pfc_en = 1 << 5 };
	struct ieee_ets ets = { .ets_cap = 8, .prio_tc = { 1, 0, 2, 3, 4, 5, 6, 7 }, .tc_tx_bw = { [5] = 40 } };
	struct dcbnl_buffer buffer = { .prio2buffer = { [5] = 1 }, .buffer_size = { 100, 200 }, .total_size = 400 };
	struct nlattr *apps;
	struct qos_dcb dcb;

	(void)state;
	ets.tc_tsa[5] = IEEE_8021QAZ_TSA_ETS;
	answer_begin();
	mnl_attr_put(h, DCB_ATTR_IEEE_ETS, sizeof(ets), &ets);
	mnl_attr_put(h, DCB_ATTR_IEEE_PFC, sizeof(pfc), &pfc);
	mnl_attr_put(h, DCB_ATTR_DCB_BUFFER, sizeof(buffer), &buffer);
	apps = mnl_attr_nest_start(h, DCB_ATTR_IEEE_APP_TABLE);
	put_app(IEEE_8021QAZ_APP_SEL_DSCP, 5, 40);
	put_app(IEEE_8021QAZ_APP_SEL_DSCP, 3, 40);
	put_app(IEEE_8021QAZ_APP_SEL_ETHERTYPE, 2, 26); /* RoCE v1's way, not a DSCP */
	put_app(IEEE_8021QAZ_APP_SEL_DSCP, 6, 48);
	mnl_attr_nest_end(h, apps);
	dcb = answer_end();
	assert_true(dcb.has_pfc && dcb.has_ets && dcb.has_apps && dcb.has_buffer && dcb.has_dcbx);
	assert_int_equal(dcb.pfc, 1 << 5);
	assert_int_equal(dcb.tcs, 8);
	assert_int_equal(dcb.tc_of[0], 1);
	assert_int_equal(dcb.tc_bandwidth[5], 40);
	assert_int_equal(dcb.tc_algorithm[5], IEEE_8021QAZ_TSA_ETS);
	assert_int_equal(dcb.buffer_of[5], 1);
	assert_int_equal(dcb.buffer_size[1], 200);
	assert_int_equal(dcb.buffer_total, 400);
	assert_int_equal(dcb.dscp_priorities[40], 1 << 5 | 1 << 3);
	assert_int_equal(dcb.dscp_priorities[48], 1 << 6);
	assert_int_equal(dcb.dscp_priorities[26], 0);
	assert_int_equal(dcb.dcbx, DCB_CAP_DCBX_HOST | DCB_CAP_DCBX_VER_IEEE);
	assert_int_equal(qos_dcb_trust(&dcb), QOS_TRUST_DSCP);
}

static void what_is_not_told_is_not_known(void **state)
{
	struct qos_dcb dcb;

	(void)state;
	answer_begin();
	dcb = answer_end();
	assert_false(dcb.has_pfc || dcb.has_ets || dcb.has_apps || dcb.has_buffer);
	assert_true(dcb.has_dcbx);
	assert_int_equal(qos_dcb_trust(&dcb), QOS_TRUST_PCP);
}

/* Each attribute a byte too short, and indexes that nothing has. */
static void malformed_attributes(void **state)
{
	struct ieee_ets ets = { .prio_tc = { [7] = 8 } };
	struct dcbnl_buffer buffer = { .prio2buffer = { [0] = 8 } };
	char zeros[256] = {};
	struct nlattr *apps;
	struct qos_dcb dcb;

	(void)state;
	answer_begin();
	mnl_attr_put(h, DCB_ATTR_IEEE_ETS, sizeof(struct ieee_ets) - 1, zeros);
	mnl_attr_put(h, DCB_ATTR_IEEE_PFC, sizeof(struct ieee_pfc) - 1, zeros);
	mnl_attr_put(h, DCB_ATTR_DCB_BUFFER, sizeof(struct dcbnl_buffer) - 1, zeros);
	mnl_attr_put(h, DCB_ATTR_IEEE_ETS, sizeof(ets), &ets);
	mnl_attr_put(h, DCB_ATTR_DCB_BUFFER, sizeof(buffer), &buffer);
	apps = mnl_attr_nest_start(h, DCB_ATTR_IEEE_APP_TABLE);
	mnl_attr_put(h, DCB_ATTR_IEEE_APP, sizeof(struct dcb_app) - 1, "\5\5\50");
	put_app(IEEE_8021QAZ_APP_SEL_DSCP, 8, 40);
	put_app(IEEE_8021QAZ_APP_SEL_DSCP, 5, 64);
	mnl_attr_nest_end(h, apps);
	dcb = answer_end();
	assert_false(dcb.has_pfc || dcb.has_ets || dcb.has_buffer);
	assert_true(dcb.has_apps);
	assert_int_equal(qos_dcb_trust(&dcb), QOS_TRUST_PCP);
	assert_int_equal(dcb.buffer_of[0], 0); /* what follows the table */
}

/* Cut after each byte, in memory that ends there: a sanitizer sees what reads on. */
static void cut_anywhere(void **state)
{
	struct ieee_pfc pfc = { .pfc_en = 1 };
	size_t len;

	(void)state;
	answer_begin();
	mnl_attr_put(h, DCB_ATTR_IEEE_PFC, sizeof(pfc), &pfc);
	answer_end();
	len = mnl_nlmsg_get_payload_len(h);
	for (size_t cut = 0; cut < len - 3; cut++) { /* the last three bytes are padding */
		_cleanup_free_ char *copy = malloc(cut + 1);
		struct qos_dcb dcb = {};

		assert_non_null(copy);
		memcpy(copy, mnl_nlmsg_get_payload(h), cut);
		qos_dcb_parse(copy, cut, &dcb);
		assert_false(dcb.has_dcbx);
	}
}

static void no_netdev(void **state)
{
	struct qos_dcb dcb = { .has_pfc = true };

	(void)state;
	qos_dcb_read("no-such-netdev", &dcb);
	assert_int_not_equal(dcb.error, 0);
	assert_false(dcb.has_pfc);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(trust_table),
		cmocka_unit_test(whole_answer),
		cmocka_unit_test(what_is_not_told_is_not_known),
		cmocka_unit_test(malformed_attributes),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(no_netdev),
	};

	return RUN_CASES("dcb", cases);
}
