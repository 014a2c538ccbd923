// SPDX-License-Identifier: Apache-2.0
/* The readers of sysfs and configfs, on trees that fixtures/NAME.txt describes; each says where its layout comes from. */
#include "qos/host.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <linux/dcbnl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/util.h"
#include "qos/audit.h"

static void make_parent(const char *path)
{
	char copy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s", path);
	assert_int_equal(make_dirs(dirname(copy)), 0);
}

static void make_entry(const char *root, char *line)
{
	char *target = strstr(line, " -> "), *value = strstr(line, " ="), path[PATH_MAX];
	FILE *file;

	line[strcspn(line, " ")] = '\0';
	snprintf(path, sizeof(path), "%s/%s", root, line);
	make_parent(path);
	if (target) {
		assert_int_equal(symlink(target + 4, path), 0);
		return;
	}
	assert_non_null(value);
	file = fopen(path, "we");
	assert_non_null(file);
	if (value[2])
		fprintf(file, "%s\n", value + 3);
	fclose(file);
}

/* Unpacks the fixture, once, and returns the tree's root. */
static const char *tree(const char *name)
{
	_cleanup_fclose_ FILE *file = NULL;
	const char *root = temp_path(name);
	char path[256], line[256];

	if (!access(root, F_OK))
		return root;
	snprintf(path, sizeof(path), "tests/unit/fixtures/%s.txt", name);
	file = fopen(path, "re");
	if (!file)
		test_fail("%s: run from the repository's top", path);
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '#')
			make_entry(root, line);
	}
	return root;
}

static void is(struct qos_reading reading, unsigned int value)
{
	assert_int_equal(reading.error, 0);
	assert_int_equal(reading.value, value);
}

static void port_of_ofed(void **state)
{
	struct qos_host_port port;

	(void)state;
	qos_host_port_read(tree("mlx5-ofed"), "pf0", &port);
	assert_true(port.mlx5);
	is(port.mtu, 4200);
	is(port.ecn_np, 1 << 5);
	is(port.ecn_rp, 0xff);
	is(port.cnp_dscp, 48);
	is(port.cnp_priority, 6);
	assert_string_equal(port.cc_pci, "");
	assert_int_equal(port.pause.error, -ENODATA); /* not asked for by this one */
}

static void port_of_inbox(void **state)
{
	struct qos_host_port port;

	(void)state;
	qos_host_port_read(tree("mlx5-inbox"), "pf0", &port);
	assert_true(port.mlx5);
	is(port.mtu, 1500);
	assert_int_equal(port.ecn_np.error, -ENOENT);
	assert_int_equal(port.ecn_rp.error, -ENOENT);
	is(port.cnp_dscp, 26);
	is(port.cnp_priority, 3);
	assert_string_equal(port.cc_pci, "0000:3b:00.0");
}

static void no_such_port(void **state)
{
	struct qos_host_port port;

	(void)state;
	qos_host_port_read(tree("mlx5-inbox"), "pf1", &port);
	assert_false(port.mlx5);
	assert_int_equal(port.mtu.error, -ENOENT);
	assert_int_equal(port.cnp_dscp.error, -ENOENT);
}

static void devices_of_ofed(void **state)
{
	struct qos_host_device device;
	const char *root = tree("mlx5-ofed");

	(void)state;
	qos_host_device_read(root, "mlx5_0", &device);
	assert_true(device.visible);
	assert_false(device.infiniband);
	is(device.tclass, 160);
	is(device.cma_tos, 160);
	is(device.cma_mode, QOS_ROCE_V2);
	qos_host_device_read(root, "mlx5_1", &device);
	assert_true(device.visible && device.infiniband);
	qos_host_device_read(root, "mlx5_2", &device);
	assert_int_equal(device.tclass.error, -ENODATA);
	qos_host_device_read(root, "mlx5_3", &device);
	assert_int_equal(device.tclass.error, -EBADMSG);
}

static void devices_of_inbox(void **state)
{
	struct qos_host_device device;

	(void)state;
	qos_host_device_read(tree("mlx5-inbox"), "mlx5_0", &device);
	assert_int_equal(device.tclass.error, -ENOENT);
	is(device.cma_tos, 0);
	is(device.cma_mode, QOS_ROCE_V1);
	qos_host_device_read(tree("mlx5-inbox"), "mlx5_9", &device);
	assert_false(device.visible);
	assert_int_equal(device.tclass.error, -ENODEV);
	assert_int_equal(device.cma_tos.error, -ENODEV);
	assert_int_equal(device.cma_mode.error, -ENODEV);
}

/* What was made for the reading is gone after it, what was there before stays, and without rdma_cm nothing is made. */
static void configfs_is_left_as_it_was(void **state)
{
	const char *root = tree("mlx5-ofed");
	struct qos_host_device device;
	char path[PATH_MAX];

	(void)state;
	snprintf(path, sizeof(path), "%s/kernel/config/rdma_cm/mlx5_2", root);
	qos_host_device_read(root, "mlx5_2", &device);
	assert_int_equal(device.cma_tos.error, -ENOENT); /* no configfs fills this folder */
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(mkdir(path, 0755), 0); /* configfs removes such a folder though it looks filled */
	qos_host_device_read(root, "mlx5_2", &device);
	assert_int_equal(rmdir(path), 0);
	qos_host_device_read(tree("broken"), "odd_1", &device);
	snprintf(path, sizeof(path), "%s/kernel/config/rdma_cm/odd_1", tree("broken"));
	assert_int_equal(access(path, F_OK), -1);
}

static void broken_values(void **state)
{
	struct qos_host_device device;
	struct qos_host_port port;

	(void)state;
	qos_host_port_read(tree("broken"), "pf0", &port);
	assert_false(port.mlx5);
	assert_int_equal(port.mtu.error, -EBADMSG);
	assert_int_equal(port.ecn_np.error, -EBADMSG);
	assert_int_equal(port.ecn_rp.error, -ENOENT); /* the second switch is missing */
	assert_int_equal(port.cnp_dscp.error, -EBADMSG);
	assert_int_equal(port.cnp_priority.error, -ENODATA);
	qos_host_device_read(tree("broken"), "odd_0", &device);
	assert_int_equal(device.tclass.error, -EBADMSG);
	assert_int_equal(device.cma_tos.error, -EBADMSG);
	assert_int_equal(device.cma_mode.error, -EBADMSG);
	qos_host_device_read(tree("broken"), "odd_1", &device);
	is(device.tclass, 0);
}

/* ---- other drivers, from the files to the findings ---- */

struct expected {
	const char *rule;
	enum qos_result result;
	const char *found, *cure;
};

struct judged {
	const char *fixture;
	const struct expected *expected;
	size_t count, seen;
};

static void judge_one(const struct qos_finding *f, void *ctx)
{
	struct judged *j = ctx;
	const struct expected *e = &j->expected[j->seen];

	if (j->seen++ == j->count)
		test_fail("%s: %s was not expected", j->fixture, f->rule);
	if (strcmp(f->rule, e->rule) || f->result != e->result || !strstr(f->found, e->found) ||
	    strcmp(f->cure, e->cure))
		test_fail("%s, finding %zu: %s %s \"%s\" \"%s\"", j->fixture, j->seen, f->rule,
			  qos_result_name(f->result), f->found, f->cure);
	assert_string_equal(f->cure_mlx5, "");
}

/* DCB as the driver tells it: neither has buffers, apptrust or a DSCP in its app table at first; firmware runs DCBX. */
static void judge_fixture(const char *fixture, const char *device, const struct expected *expected, size_t count)
{
	struct judged judged = { .fixture = fixture, .expected = expected, .count = count };
	struct qos_port port = { .name = "pf0" };
	struct qos_device d = { .port = "pf0", .netdev = "pf0" };
	struct qos_node node = { .ports = &port, .port_count = 1, .devices = &d, .device_count = 1 };
	struct qos_profile profile;

	assert_int_equal(qos_profile_named("spiderpool", &profile), 0);
	profile.mtu = 4200;
	snprintf(d.name, sizeof(d.name), "%s", device);
	port.dcb = (struct qos_dcb){ .has_pfc = true,
				     .has_ets = true,
				     .has_apps = true,
				     .has_dcbx = true,
				     .tcs = 8,
				     .tc_of = { 0, 0, 0, 0, 0, 1, 0, 0 },
				     .dcbx = DCB_CAP_DCBX_LLD_MANAGED | DCB_CAP_DCBX_VER_IEEE };
	qos_host_port_read(tree(fixture), "pf0", &port.host);
	assert_false(port.host.mlx5);
	port.host.pause = (struct qos_reading){ .value = 0 };
	qos_host_device_read(tree(fixture), device, &d.host);
	qos_audit(&profile, &node, judge_one, &judged);
	assert_int_equal(judged.seen, count);
}

#define HOST_FIRST "dcb dcbx set dev pf0 host ieee && "
#define COMMON                                                                                                       \
	{ "qos.trust", QOS_FAIL, "pcp (no DSCP entries", HOST_FIRST "dcb app replace dev pf0 dscp-prio 40:5 48:6" }, \
		{ "qos.pfc", QOS_FAIL, "no priority", HOST_FIRST "dcb pfc set dev pf0 prio-pfc all:off 5:on" },      \
		{ "qos.ets", QOS_PASS, "class 1", "" }, { "qos.ets", QOS_PASS, "class 1", "" },                      \
		{ "qos.buffer", QOS_UNKNOWN, "does not tell its buffers", "" },                                      \
		{ "qos.ecn", QOS_UNKNOWN, "the switches of ECN: this driver and kernel do not show", "" },           \
	{                                                                                                            \
		"qos.ecn", QOS_UNKNOWN, "the DSCP of CNPs: this driver and kernel do not show", ""                   \
	}

static void bnxt_and_irdma(void **state)
{
	static const struct expected bnxt[] = {
		COMMON,
		{ "qos.mtu", QOS_PASS, "9000", "" },
		{ "qos.pause", QOS_PASS, "off", "" },
		{ "qos.tos", QOS_FAIL, "DSCP 0",
		  "mkdir -p /sys/kernel/config/rdma_cm/bnxt_re0 && "
		  "echo 160 >/sys/kernel/config/rdma_cm/bnxt_re0/ports/1/default_roce_tos" },
		{ "qos.rocemode", QOS_PASS, "RoCE v2", "" },
	};
	static const struct expected irdma[] = {
		COMMON,
		{ "qos.mtu", QOS_FAIL, "1500", "ip link set dev pf0 mtu 4200" },
		{ "qos.pause", QOS_PASS, "off", "" },
		{ "qos.tos", QOS_PASS, "DSCP 40", "" },
		{ "qos.rocemode", QOS_FAIL, "RoCE v1",
		  "mkdir -p /sys/kernel/config/rdma_cm/rocep175s0 && echo 'RoCE v2' "
		  ">/sys/kernel/config/rdma_cm/rocep175s0/ports/1/default_roce_mode" },
	};

	(void)state;
	judge_fixture("bnxt_re", "bnxt_re0", bnxt, ARRAY_SIZE(bnxt));
	judge_fixture("irdma", "rocep175s0", irdma, ARRAY_SIZE(irdma));
}

static void names_too_long(void **state)
{
	struct qos_host_device device;
	struct qos_host_port port;
	char name[PATH_MAX];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	qos_host_port_read("/sys", name, &port);
	assert_int_equal(port.mtu.error, -ENAMETOOLONG);
	qos_host_device_read("/sys", name, &device);
	assert_false(device.visible);
	assert_int_equal(qos_pause_read(name).error, -ENODEV);
	assert_int_not_equal(qos_pause_read("no-such-one").error, 0);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(port_of_ofed),     cmocka_unit_test(port_of_inbox),
		cmocka_unit_test(no_such_port),     cmocka_unit_test(devices_of_ofed),
		cmocka_unit_test(devices_of_inbox), cmocka_unit_test(configfs_is_left_as_it_was),
		cmocka_unit_test(broken_values),    cmocka_unit_test(bnxt_and_irdma),
		cmocka_unit_test(names_too_long),
	};

	return RUN_CASES("host", cases);
}
