// SPDX-License-Identifier: Apache-2.0
#include "qos/audit.h"

#include <errno.h>
#include <linux/dcbnl.h>
#include <stdio.h>
#include <string.h>

#include "common/test.h"
#include "lib/util.h"

/* ---- a node on which all is as spiderpool wants it: one PF of mlx5, and a VF whose RDMA device the host has ---- */

static struct qos_profile profile;
static struct qos_port port;
static struct qos_device device;
static struct qos_node node;

static void clean(void)
{
	assert_int_equal(qos_profile_named("spiderpool", &profile), 0);
	profile.mtu = 4200;
	port = (struct qos_port){ .name = "pf0" };
	port.dcb = (struct qos_dcb){ .has_pfc = true,
				     .has_ets = true,
				     .has_apps = true,
				     .has_buffer = true,
				     .has_dcbx = true,
				     .pfc = 1 << 5,
				     .tcs = 8,
				     .tc_of = { 1, 0, 2, 3, 4, 5, 6, 7 },
				     .dscp_priorities = { [40] = 1 << 5, [48] = 1 << 6 },
				     .buffer_of = { [5] = 1 },
				     .buffer_size = { 200000, 100000 },
				     .buffer_total = 310000,
				     .dcbx = DCB_CAP_DCBX_HOST | DCB_CAP_DCBX_VER_IEEE };
	port.host = (struct qos_host_port){ .mlx5 = true,
					    .mtu = { 0, 4200 },
					    .ecn_np = { 0, 1 << 5 },
					    .ecn_rp = { 0, 1 << 5 },
					    .cnp_dscp = { 0, 48 },
					    .cnp_priority = { 0, 6 } };
	device = (struct qos_device){ .name = "mlx5_2", .port = "pf0", .netdev = "vf0", .mtu = { 0, 9000 } };
	device.host = (struct qos_host_device){
		.visible = true, .tclass = { 0, 160 }, .cma_tos = { 0, 160 }, .cma_mode = { 0, QOS_ROCE_V2 }
	};
	node = (struct qos_node){ .ports = &port, .port_count = 1, .devices = &device, .device_count = 1 };
}

struct heard {
	unsigned int count[3]; /* by result */
	struct qos_finding last[3];
};

static void hear(const struct qos_finding *finding, void *ctx)
{
	struct heard *heard = ctx;

	assert_non_null(strchr(finding->rule, '.'));
	assert_true(finding->subject[0] && finding->expected[0] && finding->found[0]);
	assert_true(finding->result == QOS_FAIL || (!finding->cure[0] && !finding->cure_mlx5[0]));
	heard->count[finding->result]++;
	heard->last[finding->result] = *finding;
}

static struct heard audit(void)
{
	struct heard heard = {};

	qos_audit(&profile, &node, hear, &heard);
	return heard;
}

static void clean_nodes(void **state)
{
	struct heard heard;

	(void)state;
	clean();
	heard = audit();
	assert_int_equal(heard.count[QOS_FAIL], 0);
	assert_int_equal(heard.count[QOS_UNKNOWN], 0);
	assert_int_equal(heard.count[QOS_PASS], 13);
	/* What another profile of the same fabric would say of this one, and of its own. */
	assert_int_equal(qos_profile_named("nvidia", &profile), 0);
	assert_true(audit().count[QOS_FAIL] > 4);
	port.dcb.pfc = 1 << 3;
	port.dcb.dscp_priorities[26] = 1 << 3;
	port.dcb.dscp_priorities[40] = 0;
	port.dcb.buffer_of[3] = 1, port.dcb.buffer_of[5] = 0;
	port.host.ecn_np.value = port.host.ecn_rp.value = 1 << 3;
	device.host.tclass.value = 106; /* the ECN bits do not count */
	heard = audit();
	assert_int_equal(heard.count[QOS_FAIL], 0);
	assert_int_equal(heard.count[QOS_UNKNOWN], 0);
}

static void a_profile_that_trusts_pcp(void **state)
{
	struct heard heard;

	(void)state;
	clean();
	profile.trust = QOS_TRUST_PCP;
	memset(port.dcb.dscp_priorities, 0, sizeof(port.dcb.dscp_priorities));
	port.host.cnp_dscp.value = 0;
	heard = audit();
	assert_int_equal(heard.count[QOS_FAIL], 0);
	assert_int_equal(heard.count[QOS_UNKNOWN], 0);
	port.host.cnp_priority.value = 0;
	heard = audit();
	assert_int_equal(heard.count[QOS_FAIL], 1);
	assert_string_equal(heard.last[QOS_FAIL].cure, "echo 6 >/sys/class/net/pf0/ecn/roce_np/cnp_802p_prio");
	port.host.cnp_priority.value = 6;
	port.dcb.has_trust = true;
	port.dcb.trust =
		(struct qos_selectors){ 3, { IEEE_8021QAZ_APP_SEL_DSCP, IEEE_8021QAZ_APP_SEL_ANY, DCB_APP_SEL_PCP } };
	heard = audit();
	assert_int_equal(heard.count[QOS_FAIL], 1);
	assert_string_equal(heard.last[QOS_FAIL].cure, "dcb apptrust set dev pf0 order pcp port");
	port.dcb.has_trust = false;
	port.dcb.dscp_priorities[0] = 1;
	heard = audit();
	assert_string_equal(heard.last[QOS_FAIL].rule, "qos.trust");
	assert_string_equal(heard.last[QOS_FAIL].cure, "dcb app del dev pf0 dscp-prio 0:0");
	assert_string_equal(heard.last[QOS_FAIL].cure_mlx5, "mlnx_qos -i pf0 --trust pcp");
}

/* ---- misconfigurations, each alone on the clean node ---- */

#define BREAK(name, ...)       \
	static void name(void) \
	{                      \
		__VA_ARGS__;   \
	}

BREAK(no_dscp_entry, memset(port.dcb.dscp_priorities, 0, sizeof(port.dcb.dscp_priorities)))
BREAK(no_pfc, port.dcb.pfc = 0)
BREAK(pfc_elsewhere, port.dcb.pfc = 1 << 3)
BREAK(pfc_everywhere, port.dcb.pfc = 0xff)
BREAK(pfc_on_cnp, port.dcb.pfc |= 1 << 6)
BREAK(pfc_by_firmware, port.dcb.pfc = 0, port.dcb.dcbx = DCB_CAP_DCBX_LLD_MANAGED)
BREAK(pfc_by_firmware_of_mlx5, port.dcb.pfc = 0, port.dcb.dcbx = DCB_CAP_DCBX_VER_CEE | DCB_CAP_DCBX_VER_IEEE)
BREAK(trust_told_pcp, port.dcb.has_trust = true, port.dcb.trust = (struct qos_selectors){ 1, { DCB_APP_SEL_PCP } })
BREAK(trust_told_behind_pcp, port.dcb.has_trust = true,
      port.dcb.trust = (struct qos_selectors){ 2, { DCB_APP_SEL_PCP, IEEE_8021QAZ_APP_SEL_DSCP } })
BREAK(trust_told_none, port.dcb.has_trust = true, port.dcb.trust = (struct qos_selectors){})
BREAK(trust_told_map_empty, port.dcb.has_trust = true,
      port.dcb.trust = (struct qos_selectors){ 1, { IEEE_8021QAZ_APP_SEL_DSCP } };
      memset(port.dcb.dscp_priorities, 0, sizeof(port.dcb.dscp_priorities)))
BREAK(starved_and_shared, port.dcb.tc_of[5] = 0, port.dcb.tc_algorithm[5] = IEEE_8021QAZ_TSA_ETS,
      port.dcb.tc_algorithm[0] = IEEE_8021QAZ_TSA_ETS, port.dcb.tc_bandwidth[0] = 100)
BREAK(dscp_to_best_effort, port.dcb.dscp_priorities[40] = 1)
BREAK(dscp_without_entry, port.dcb.dscp_priorities[40] = 0)
BREAK(dscp_twice, port.dcb.dscp_priorities[40] |= 1 << 3)
BREAK(cnp_to_rdma, port.dcb.dscp_priorities[48] = 1 << 5)
BREAK(cnp_without_entry, port.dcb.dscp_priorities[48] = 0)
BREAK(best_effort_to_rdma, port.dcb.dscp_priorities[0] = 1 << 5)
BREAK(two_wrong_entries, port.dcb.dscp_priorities[0] = 1 << 5, port.dcb.dscp_priorities[40] = 0)
BREAK(class_shared, port.dcb.tc_of[5] = 0)
BREAK(class_of_cnp, port.dcb.tc_of[6] = 5)
BREAK(one_class, memset(port.dcb.tc_of, 0, sizeof(port.dcb.tc_of)))
BREAK(few_classes, port.dcb.tcs = 2, memset(port.dcb.tc_of, 0, 7), port.dcb.tc_of[7] = 1)
BREAK(no_second_class, port.dcb.tcs = 1, memset(port.dcb.tc_of, 0, sizeof(port.dcb.tc_of)))
BREAK(starved, port.dcb.tc_algorithm[5] = IEEE_8021QAZ_TSA_ETS, port.dcb.tc_algorithm[0] = IEEE_8021QAZ_TSA_ETS,
      port.dcb.tc_bandwidth[0] = 99)
BREAK(starved_alone, port.dcb.tc_algorithm[5] = IEEE_8021QAZ_TSA_ETS)
BREAK(buffer_shared, port.dcb.buffer_of[5] = 0)
BREAK(buffer_of_cnp, port.dcb.buffer_of[6] = 1)
BREAK(buffer_empty, port.dcb.buffer_size[1] = 0)
BREAK(buffer_empty_none_free, port.dcb.buffer_size[1] = 0, port.dcb.buffer_total = 200000)
BREAK(ecn_off, port.host.ecn_np.value = port.host.ecn_rp.value = 0)
BREAK(ecn_elsewhere, port.host.ecn_np.value = port.host.ecn_rp.value = 1 << 3)
BREAK(ecn_rp_off, port.host.ecn_rp.value = 0)
BREAK(cnp_dscp_wrong, port.host.cnp_dscp.value = 0)
BREAK(cnp_dscp_wrong_inbox, port.host.cnp_dscp.value = 0;
      snprintf(port.host.cc_pci, sizeof(port.host.cc_pci), "0000:3b:00.0"))
BREAK(mtu_of_pf, port.host.mtu.value = 1500)
BREAK(mtu_by_one, port.host.mtu.value = 4191, profile.mtu = 4192)
BREAK(mtu_too_small, port.host.mtu.value = 351)
BREAK(mtu_of_vf, device.mtu.value = 1500)
BREAK(pause_on, port.host.pause.value = QOS_PAUSE_RX | QOS_PAUSE_TX)
BREAK(pause_rx, port.host.pause.value = QOS_PAUSE_RX)
BREAK(tclass_of_ucx, device.host.tclass.value = 106)
BREAK(tclass_zero, device.host.tclass.value = 0)
BREAK(tos_default, device.host.tclass.error = -ENOENT, device.host.cma_tos.value = 0)
BREAK(tos_not_shifted, device.host.tclass.error = -ENODATA, device.host.cma_tos.value = 40)
BREAK(roce_v1, device.host.cma_mode.value = QOS_ROCE_V1)
BREAK(driver_without_mlnx_qos, port.host.mlx5 = false, port.dcb.pfc = 0)

#define CMA "/sys/kernel/config/rdma_cm/mlx5_2"
#define TOS_CURE "mkdir -p " CMA " && echo 160 >" CMA "/ports/1/default_roce_tos"
#define MODE_CURE "mkdir -p " CMA " && echo 'RoCE v2' >" CMA "/ports/1/default_roce_mode"

static const struct {
	const char *name;
	void (*apply)(void);
	const char *rule, *subject, *found, *cure, *cure_mlx5;
} wrong[] = {
#define CASE(function, ...)                      \
	{                                        \
		#function, function, __VA_ARGS__ \
	}
	CASE(no_dscp_entry, "qos.trust", "pf0", "pcp", "dcb app replace dev pf0 dscp-prio 40:5 48:6",
	     "mlnx_qos -i pf0 --trust dscp"),
	CASE(no_pfc, "qos.pfc", "pf0", "on for no priority", "dcb pfc set dev pf0 prio-pfc all:off 5:on",
	     "mlnx_qos -i pf0 --pfc 0,0,0,0,0,1,0,0"),
	CASE(pfc_elsewhere, "qos.pfc", "pf0", "on for priority 3", "dcb pfc set dev pf0 prio-pfc all:off 5:on",
	     "mlnx_qos -i pf0 --pfc 0,0,0,0,0,1,0,0"),
	CASE(pfc_everywhere, "qos.pfc", "pf0", "on for priority 0,1,2,3,4,5,6,7",
	     "dcb pfc set dev pf0 prio-pfc all:off 5:on", "mlnx_qos -i pf0 --pfc 0,0,0,0,0,1,0,0"),
	CASE(pfc_on_cnp, "qos.pfc", "pf0", "on for priority 5,6", "dcb pfc set dev pf0 prio-pfc all:off 5:on",
	     "mlnx_qos -i pf0 --pfc 0,0,0,0,0,1,0,0"),
	CASE(pfc_by_firmware, "qos.pfc", "pf0", "on for no priority",
	     "dcb dcbx set dev pf0 host ieee && dcb pfc set dev pf0 prio-pfc all:off 5:on",
	     "mlnx_qos -i pf0 -d os && mlnx_qos -i pf0 --pfc 0,0,0,0,0,1,0,0"),
	CASE(pfc_by_firmware_of_mlx5, "qos.pfc", "pf0", "on for no priority",
	     "dcb dcbx set dev pf0 host ieee && dcb pfc set dev pf0 prio-pfc all:off 5:on",
	     "mlnx_qos -i pf0 -d os && mlnx_qos -i pf0 --pfc 0,0,0,0,0,1,0,0"),
	CASE(trust_told_pcp, "qos.trust", "pf0", "pcp (trusted: pcp)", "dcb apptrust set dev pf0 order dscp pcp", ""),
	CASE(trust_told_behind_pcp, "qos.trust", "pf0", "pcp (trusted: pcp,dscp)",
	     "dcb apptrust set dev pf0 order dscp pcp", ""),
	CASE(trust_told_none, "qos.trust", "pf0", "neither dscp nor pcp (trusted: none)",
	     "dcb apptrust set dev pf0 order dscp", ""),
	CASE(trust_told_map_empty, "qos.map", "pf0", "DSCP 40 to no priority, DSCP 48 to no priority",
	     "dcb app replace dev pf0 dscp-prio 40:5 48:6",
	     "mlnx_qos -i pf0 --dscp2prio set,40,5 && mlnx_qos -i pf0 --dscp2prio set,48,6"),
	CASE(starved_and_shared, "qos.ets", "pf0", "class 0, and priority 1 with it",
	     "dcb ets set dev pf0 prio-tc 5:5 tc-bw 0:50 5:50",
	     "mlnx_qos -i pf0 -p 1,0,2,3,4,5,6,7 -s ets,strict,strict,strict,strict,ets,strict,strict -t "
	     "50,0,0,0,0,50,0,0"),
	CASE(dscp_to_best_effort, "qos.map", "pf0", "DSCP 40 to priority 0", "dcb app replace dev pf0 dscp-prio 40:5",
	     "mlnx_qos -i pf0 --dscp2prio set,40,5"),
	CASE(dscp_without_entry, "qos.map", "pf0", "DSCP 40 to no priority", "dcb app replace dev pf0 dscp-prio 40:5",
	     "mlnx_qos -i pf0 --dscp2prio set,40,5"),
	CASE(dscp_twice, "qos.map", "pf0", "DSCP 40 to priority 3,5", "dcb app replace dev pf0 dscp-prio 40:5",
	     "mlnx_qos -i pf0 --dscp2prio set,40,5"),
	CASE(cnp_to_rdma, "qos.map", "pf0", "DSCP 48 to priority 5", "dcb app replace dev pf0 dscp-prio 48:6",
	     "mlnx_qos -i pf0 --dscp2prio set,48,6"),
	CASE(cnp_without_entry, "qos.map", "pf0", "DSCP 48 to no priority", "dcb app replace dev pf0 dscp-prio 48:6",
	     "mlnx_qos -i pf0 --dscp2prio set,48,6"),
	CASE(best_effort_to_rdma, "qos.map", "pf0", "DSCP 0 to priority 5", "dcb app replace dev pf0 dscp-prio 0:0",
	     "mlnx_qos -i pf0 --dscp2prio set,0,0"),
	CASE(two_wrong_entries, "qos.map", "pf0", "DSCP 0 to priority 5, DSCP 40 to no priority",
	     "dcb app replace dev pf0 dscp-prio 0:0 40:5",
	     "mlnx_qos -i pf0 --dscp2prio set,0,0 && mlnx_qos -i pf0 --dscp2prio set,40,5"),
	CASE(class_shared, "qos.ets", "pf0", "class 0, and priority 1 with it", "dcb ets set dev pf0 prio-tc 5:5",
	     "mlnx_qos -i pf0 -p 1,0,2,3,4,5,6,7"),
	CASE(class_of_cnp, "qos.ets", "pf0", "class 5, and priority 6 with it", "dcb ets set dev pf0 prio-tc 5:6",
	     "mlnx_qos -i pf0 -p 1,0,2,3,4,6,5,7"),
	CASE(one_class, "qos.ets", "pf0", "class 0, and priority 0 with it", "dcb ets set dev pf0 prio-tc 5:5",
	     "mlnx_qos -i pf0 -p 0,0,0,0,0,5,0,0"),
	CASE(few_classes, "qos.ets", "pf0", "class 0, and priority 0 with it", "dcb ets set dev pf0 prio-tc 5:1 7:0",
	     "mlnx_qos -i pf0 -p 0,0,0,0,0,1,0,0"),
	CASE(no_second_class, "qos.ets", "pf0", "class 0, and priority 0 with it", "", ""),
	CASE(starved, "qos.ets", "pf0", "class 5: ets, 0 %", "dcb ets set dev pf0 tc-bw 0:50 5:49",
	     "mlnx_qos -i pf0 -s ets,strict,strict,strict,strict,ets,strict,strict -t 50,0,0,0,0,49,0,0"),
	CASE(starved_alone, "qos.ets", "pf0", "class 5: ets, 0 %", "dcb ets set dev pf0 tc-bw 5:100",
	     "mlnx_qos -i pf0 -s strict,strict,strict,strict,strict,ets,strict,strict -t 0,0,0,0,0,100,0,0"),
	CASE(buffer_shared, "qos.buffer", "pf0", "buffer 0 of 200000 bytes, and priority 0 with it",
	     "dcb buffer set dev pf0 prio-buffer 5:5 buffer-size 0:100000 5:100000",
	     "mlnx_qos -i pf0 --prio2buffer=0,0,0,0,0,5,0,0 --buffer_size=100000,100000,0,0,0,100000,0,0"),
	CASE(buffer_of_cnp, "qos.buffer", "pf0", "buffer 1 of 100000 bytes, and priority 6 with it",
	     "dcb buffer set dev pf0 prio-buffer 5:5 buffer-size 0:100000 5:100000",
	     "mlnx_qos -i pf0 --prio2buffer=0,0,0,0,0,5,1,0 --buffer_size=100000,100000,0,0,0,100000,0,0"),
	CASE(buffer_empty, "qos.buffer", "pf0", "buffer 1 of 0 bytes", "dcb buffer set dev pf0 buffer-size 1:110000",
	     "mlnx_qos -i pf0 --prio2buffer=0,0,0,0,0,1,0,0 --buffer_size=200000,110000,0,0,0,0,0,0"),
	CASE(buffer_empty_none_free, "qos.buffer", "pf0", "buffer 1 of 0 bytes",
	     "dcb buffer set dev pf0 buffer-size 0:100000 1:100000",
	     "mlnx_qos -i pf0 --prio2buffer=0,0,0,0,0,1,0,0 --buffer_size=100000,100000,0,0,0,0,0,0"),
	CASE(ecn_off, "qos.ecn", "pf0", "notification point off, reaction point off",
	     "echo 1 >/sys/class/net/pf0/ecn/roce_np/enable/5 && echo 1 >/sys/class/net/pf0/ecn/roce_rp/enable/5", ""),
	CASE(ecn_elsewhere, "qos.ecn", "pf0", "notification point off, reaction point off",
	     "echo 1 >/sys/class/net/pf0/ecn/roce_np/enable/5 && echo 1 >/sys/class/net/pf0/ecn/roce_rp/enable/5", ""),
	CASE(ecn_rp_off, "qos.ecn", "pf0", "notification point on, reaction point off",
	     "echo 1 >/sys/class/net/pf0/ecn/roce_rp/enable/5", ""),
	CASE(cnp_dscp_wrong, "qos.ecn", "pf0", "CNPs with DSCP 0", "echo 48 >/sys/class/net/pf0/ecn/roce_np/cnp_dscp",
	     ""),
	CASE(cnp_dscp_wrong_inbox, "qos.ecn", "pf0", "CNPs with DSCP 0",
	     "echo 48 >/sys/kernel/debug/mlx5/0000:3b:00.0/cc_params/np_cnp_dscp", ""),
	CASE(mtu_of_pf, "qos.mtu", "pf0", "1500: 1024 for RDMA", "ip link set dev pf0 mtu 4200", ""),
	CASE(mtu_by_one, "qos.mtu", "pf0", "4191: 2048 for RDMA", "ip link set dev pf0 mtu 4192", ""),
	CASE(mtu_too_small, "qos.mtu", "pf0", "351: 0 for RDMA", "ip link set dev pf0 mtu 4200", ""),
	CASE(mtu_of_vf, "qos.mtu", "vf0", "1500", "ip link set dev vf0 mtu 4200", ""),
	CASE(pause_on, "qos.pause", "pf0", "receive on, transmit on", "ethtool -A pf0 rx off tx off", ""),
	CASE(pause_rx, "qos.pause", "pf0", "receive on, transmit off", "ethtool -A pf0 rx off tx off", ""),
	CASE(tclass_of_ucx, "qos.tos", "mlx5_2", "DSCP 26 (traffic class 106), forced by the driver",
	     "echo 160 >/sys/class/infiniband/mlx5_2/tc/1/traffic_class", ""),
	CASE(tclass_zero, "qos.tos", "mlx5_2", "DSCP 0 (traffic class 0), forced by the driver",
	     "echo 160 >/sys/class/infiniband/mlx5_2/tc/1/traffic_class", ""),
	CASE(tos_default, "qos.tos", "mlx5_2", "DSCP 0 (traffic class 0), rdma_cm's default", TOS_CURE, ""),
	CASE(tos_not_shifted, "qos.tos", "mlx5_2", "DSCP 10 (traffic class 40), rdma_cm's default", TOS_CURE, ""),
	CASE(roce_v1, "qos.rocemode", "mlx5_2", "RoCE v1", MODE_CURE, ""),
	CASE(driver_without_mlnx_qos, "qos.pfc", "pf0", "on for no priority",
	     "dcb pfc set dev pf0 prio-pfc all:off 5:on", ""),
};

static void same(const char *name, const char *found, const char *wanted)
{
	if (strcmp(found, wanted))
		test_fail("%s: \"%s\" instead of \"%s\"", name, found, wanted);
}

static void counts(const char *name, const struct heard *heard, unsigned int failed, unsigned int unknown)
{
	if (heard->count[QOS_FAIL] != failed || heard->count[QOS_UNKNOWN] != unknown)
		test_fail("%s: %u failed and %u unknown instead of %u and %u", name, heard->count[QOS_FAIL],
			  heard->count[QOS_UNKNOWN], failed, unknown);
}

static void misconfigurations(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		const struct qos_finding *f;
		struct heard heard;

		clean();
		wrong[i].apply();
		heard = audit();
		f = &heard.last[QOS_FAIL];
		counts(wrong[i].name, &heard, 1, 0);
		same(wrong[i].name, f->rule, wrong[i].rule);
		same(wrong[i].name, f->subject, wrong[i].subject);
		assert_contains(f->found, wrong[i].found);
		same(wrong[i].name, f->cure, wrong[i].cure);
		same(wrong[i].name, f->cure_mlx5, wrong[i].cure_mlx5);
	}
}

/* ---- what cannot be read ---- */

BREAK(no_dcb, port.dcb = (struct qos_dcb){ .error = -EOPNOTSUPP })
BREAK(netlink_broken, port.dcb = (struct qos_dcb){ .error = -EPERM })
BREAK(pfc_untold, port.dcb.has_pfc = false)
BREAK(ets_untold, port.dcb.has_ets = false)
BREAK(apps_untold, port.dcb.has_apps = false)
BREAK(buffer_untold, port.dcb.has_buffer = false)
BREAK(ecn_np_untold, port.host.ecn_np.error = -ENOENT)
BREAK(ecn_rp_untold, port.host.ecn_rp.error = -ENOENT)
BREAK(cnp_untold, port.host.cnp_dscp.error = -EBADMSG)
BREAK(mtu_untold, port.host.mtu.error = -EIO)
BREAK(vf_mtu_untold, device.mtu.error = -ENODEV, device.netdev[0] = '\0')
BREAK(pause_untold, port.host.pause.error = -EOPNOTSUPP)
BREAK(device_away, device.host = (struct qos_host_device){})
BREAK(tclass_by_rules, device.host.tclass.error = -EBADMSG)
BREAK(no_configfs, device.host.tclass.error = -ENOENT, device.host.cma_tos.error = -ENOENT)
BREAK(mode_untold, device.host.cma_mode.error = -ENOENT)
BREAK(port_unseen, device.port[0] = '\0')

static const struct {
	const char *name;
	void (*apply)(void);
	unsigned int count;
	const char *rule, *subject, *why; /* of the last one */
} untold[] = {
	CASE(no_dcb, 5, "qos.buffer", "pf0", "answers no DCB requests"),
	CASE(netlink_broken, 5, "qos.buffer", "pf0", "DCB netlink: Operation not permitted"),
	CASE(pfc_untold, 1, "qos.pfc", "pf0", "does not tell its PFC"),
	CASE(ets_untold, 1, "qos.ets", "pf0", "does not tell its ETS"),
	CASE(apps_untold, 2, "qos.map", "pf0", "does not tell its app table"),
	CASE(buffer_untold, 1, "qos.buffer", "pf0", "does not tell its buffers"),
	CASE(ecn_np_untold, 1, "qos.ecn", "pf0", "the switches of ECN: this driver"),
	CASE(ecn_rp_untold, 1, "qos.ecn", "pf0", "the switches of ECN: this driver"),
	CASE(cnp_untold, 1, "qos.ecn", "pf0", "the DSCP of CNPs: not understood"),
	CASE(mtu_untold, 1, "qos.mtu", "pf0", "the MTU: Input/output error"),
	CASE(vf_mtu_untold, 1, "qos.mtu", "mlx5_2", "the MTU: No such device"),
	CASE(pause_untold, 1, "qos.pause", "pf0", "the pause of the link: Operation not supported"),
	CASE(device_away, 2, "qos.rocemode", "mlx5_2", "in another network namespace"),
	CASE(tclass_by_rules, 1, "qos.tos", "mlx5_2", "the driver forces: not understood"),
	CASE(no_configfs, 1, "qos.tos", "mlx5_2", "configfs"),
	CASE(mode_untold, 1, "qos.rocemode", "mlx5_2", "configfs"),
	CASE(port_unseen, 9, "qos.pause", "mlx5_2", "No such device"),
};

static void what_cannot_be_read_is_unknown(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(untold); i++) {
		const struct qos_finding *f;
		struct heard heard;

		clean();
		untold[i].apply();
		heard = audit();
		f = &heard.last[QOS_UNKNOWN];
		counts(untold[i].name, &heard, 0, untold[i].count);
		same(untold[i].name, f->rule, untold[i].rule);
		same(untold[i].name, f->subject, untold[i].subject);
		assert_contains(f->found, untold[i].why);
	}
}

/* All 64 DSCPs wrong, and the longest names: no command is cut. */
static void no_cure_is_cut(void **state)
{
	struct heard heard;

	(void)state;
	clean();
	snprintf(port.name, sizeof(port.name), "fifteen-letters");
	profile.dscp = ~(1ull << 48);
	memset(profile.map, 5, sizeof(profile.map));
	profile.map[48] = 6;
	memset(port.dcb.dscp_priorities, 1, sizeof(port.dcb.dscp_priorities));
	device.host.tclass.value = 0;
	heard = audit();
	assert_string_equal(heard.last[QOS_FAIL].rule, "qos.map");
	assert_contains(heard.last[QOS_FAIL].cure, " 63:5");
	assert_contains(heard.last[QOS_FAIL].cure_mlx5, "mlnx_qos -i fifteen-letters --dscp2prio set,63,5");
	assert_true(strlen(heard.last[QOS_FAIL].found) < sizeof(heard.last[QOS_FAIL].found) - 1);
}

/* Where the trust is told, the map is not its sign, and is judged whatever is trusted. */
static void trust_and_map_apart(void **state)
{
	struct heard heard;

	(void)state;
	clean();
	trust_told_map_empty();
	trust_told_pcp();
	heard = audit();
	assert_int_equal(heard.count[QOS_FAIL], 2);
	assert_string_equal(heard.last[QOS_FAIL].rule, "qos.map");
}

/* The device by its owner's profile, and the port, which others share, by the node's. */
static void an_owners_profile(void **state)
{
	struct qos_profile own;
	struct heard heard;

	(void)state;
	clean();
	assert_int_equal(qos_profile_named("nvidia", &own), 0);
	device.profile = &own;
	heard = audit();
	assert_int_equal(heard.count[QOS_FAIL], 1);
	assert_string_equal(heard.last[QOS_FAIL].rule, "qos.tos");
	assert_string_equal(heard.last[QOS_FAIL].expected, "DSCP 26");
	device.host.tclass.value = 104;
	assert_int_equal(audit().count[QOS_FAIL], 0);
}

static void not_judged(void **state)
{
	(void)state;
	clean();
	device.host = (struct qos_host_device){ .visible = true, .infiniband = true, .tclass.error = -EIO };
	device.port[0] = '\0';
	assert_int_equal(audit().count[QOS_UNKNOWN], 0);
	clean();
	profile.ecn = false;
	profile.mtu = 0;
	port.host.ecn_np.error = port.host.cnp_dscp.error = -ENOENT;
	port.host.mtu.value = device.mtu.value = 68;
	assert_int_equal(audit().count[QOS_PASS], 9);
	assert_int_equal(audit().count[QOS_FAIL] + audit().count[QOS_UNKNOWN], 0);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(clean_nodes),         cmocka_unit_test(a_profile_that_trusts_pcp),
		cmocka_unit_test(misconfigurations),   cmocka_unit_test(what_cannot_be_read_is_unknown),
		cmocka_unit_test(no_cure_is_cut),      cmocka_unit_test(not_judged),
		cmocka_unit_test(trust_and_map_apart), cmocka_unit_test(an_owners_profile),
	};

	return RUN_CASES("audit", cases);
}
