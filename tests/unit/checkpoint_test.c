// SPDX-License-Identifier: Apache-2.0
/* The kubelet's device manager checkpoint, in both forms that there are. */
#define _GNU_SOURCE
#include "kube/checkpoint.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/util.h"

#define UID_A "2f1b6d1e-6a3b-4c0e-9f0c-0c6d5a7b8e01"
#define UID_STATIC "0123456789abcdef0123456789abcdef"

static int read_bytes(const char *text, size_t len, struct kube_grants *grants, struct err *err)
{
	return checkpoint_read(temp_file("checkpoint", text, len), grants, err);
}

static int read_one(const char *text, struct kube_grants *grants, struct err *err)
{
	return read_bytes(text, strlen(text), grants, err);
}

static void assert_grant(const struct kube_grants *grants, size_t n, const char *expected)
{
	const struct kube_grant *g = &grants->list[n];
	char line[512];

	assert_true(n < grants->count);
	snprintf(line, sizeof(line), "%s %s %s %s %#llx", g->pod_uid, g->container, g->resource, g->device,
		 (unsigned long long)g->numa_nodes);
	assert_string_equal(line, expected);
	assert_null(g->pod_namespace);
	assert_null(g->pod_name);
	assert_null(g->claim_name);
}

/* Kubernetes 1.20 and later. */
static void by_numa_node(void **state)
{
	_cleanup_(kube_grants_free) struct kube_grants grants = {};
	struct err err;

	(void)state;
	if (read_one("{\"Data\":{\"PodDeviceEntries\":["
		     "{\"PodUID\":\"" UID_A "\",\"ContainerName\":\"main\",\"ResourceName\":\"nvidia.com/roce_a\","
		     "\"DeviceIDs\":{\"-1\":[\"0000:af:00.2\"],\"0\":[\"0000:3b:00.2\",\"0000:3b:00.3\"],\"1\":null},"
		     "\"AllocResp\":\"CgA=\"},"
		     "{\"PodUID\":\"" UID_STATIC "\",\"ContainerName\":\"c\",\"ResourceName\":\"example.com/any\","
		     "\"DeviceIDs\":{\"3\":[\"x\"],\"5\":[\"y\"]},\"AllocResp\":\"\",\"Later\":{}}],"
		     "\"RegisteredDevices\":{\"nvidia.com/"
		     "roce_a\":[\"0000:3b:00.2\"]}},\"Checksum\":1788594563,\"BootID\":\"b\"}",
		     &grants, &err))
		test_fail("%s", err.text);
	assert_int_equal(grants.count, 5);
	assert_grant(&grants, 0, UID_A " main nvidia.com/roce_a 0000:af:00.2 0");
	assert_grant(&grants, 1, UID_A " main nvidia.com/roce_a 0000:3b:00.2 0x1");
	assert_grant(&grants, 2, UID_A " main nvidia.com/roce_a 0000:3b:00.3 0x1");
	assert_grant(&grants, 3, UID_STATIC " c example.com/any x 0x8");
	assert_grant(&grants, 4, UID_STATIC " c example.com/any y 0x20");
}

/* Before it. */
static void by_list(void **state)
{
	_cleanup_(kube_grants_free) struct kube_grants grants = {};
	struct err err;

	(void)state;
	if (read_one("{\"Data\":{\"PodDeviceEntries\":["
		     "{\"PodUID\":\"" UID_A "\",\"ContainerName\":\"main\",\"ResourceName\":\"nvidia.com/roce_a\","
		     "\"DeviceIDs\":[\"0000:3b:00.2\",\"0000:3b:00.3\"],\"AllocResp\":\"\"},"
		     "{\"PodUID\":\"" UID_A "\",\"ContainerName\":\"side\",\"ResourceName\":\"nvidia.com/roce_a\","
		     "\"DeviceIDs\":null,\"AllocResp\":\"\"}],\"RegisteredDevices\":{}},\"Checksum\":1}",
		     &grants, &err))
		test_fail("%s", err.text);
	assert_int_equal(grants.count, 2);
	assert_grant(&grants, 0, UID_A " main nvidia.com/roce_a 0000:3b:00.2 0");
	assert_grant(&grants, 1, UID_A " main nvidia.com/roce_a 0000:3b:00.3 0");
}

static void nothing_given(void **state)
{
	static const char *const texts[] = {
		"{\"Data\":{\"PodDeviceEntries\":null,\"RegisteredDevices\":null},\"Checksum\":1}",
		"{\"Data\":{\"PodDeviceEntries\":[],\"RegisteredDevices\":{}},\"Checksum\":1}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct kube_grants grants = {};
		struct err err;

		assert_int_equal(read_one(texts[i], &grants, &err), 0);
		assert_int_equal(grants.count, 0);
	}
}

#define ENTRY(uid, container, resource, ids)                                                                       \
	"{\"Data\":{\"PodDeviceEntries\":["                                                                        \
	"{\"PodUID\":\"u\",\"ContainerName\":\"c\",\"ResourceName\":\"a.b/c\",\"DeviceIDs\":{\"0\":[\"d\"]}},"     \
	"{\"PodUID\":" uid ",\"ContainerName\":" container ",\"ResourceName\":" resource ",\"DeviceIDs\":" ids "}" \
	"]}}"

static void illegal(void **state)
{
	static const struct {
		const char *text, *why;
	} table[] = {
		{ "", "" },
		{ "{\"Data\":", "" },
		{ "[]", "" },
		{ "{}", "Data.PodDeviceEntries is missing or of a wrong type" },
		{ "{\"Data\":{\"PodDeviceEntries\":{}}}", "Data.PodDeviceEntries is missing or of a wrong type" },
		{ "{\"Data\":{\"PodDeviceEntries\":[7]}}", "DeviceIDs is missing or of a wrong type" },
		{ ENTRY("\"../u\"", "\"c\"", "\"a.b/c\"", "[\"d\"]"), "a pod's UID is not legal" },
		{ ENTRY("7", "\"c\"", "\"a.b/c\"", "[\"d\"]"), "a pod's UID is not legal" },
		{ ENTRY("\"u\"", "\"\"", "\"a.b/c\"", "[\"d\"]"), "a container's name is not legal" },
		{ ENTRY("\"u\"", "\"c\"", "\"c\"", "[\"d\"]"), "a resource's name is not legal" },
		{ ENTRY("\"u\"", "\"c\"", "\"a.b/c\"", "\"d\""), "DeviceIDs is missing or of a wrong type" },
		{ ENTRY("\"u\"", "\"c\"", "\"a.b/c\"", "[7]"), "a device's ID is not legal" },
		{ ENTRY("\"u\"", "\"c\"", "\"a.b/c\"", "[\"a\\u001bb\"]"), "a device's ID is not legal" },
		{ ENTRY("\"u\"", "\"c\"", "\"a.b/c\"", "[\"a\\u0000b\"]"), "" },
		{ ENTRY("\"u\"", "\"c\"", "\"a.b/c\"", "{\"x\":[\"d\"]}"), "DeviceIDs is missing or of a wrong type" },
		{ ENTRY("\"u\"", "\"c\"", "\"a.b/c\"", "{\"64\":[\"d\"]}"), "NUMA node 64 is none" },
		{ ENTRY("\"u\"", "\"c\"", "\"a.b/c\"", "{\"0\":7}"), "DeviceIDs is missing or of a wrong type" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct kube_grants grants = {};
		struct err err = {};
		int r = read_one(table[i].text, &grants, &err);

		if (r != -EBADMSG)
			test_fail("%s: %d", table[i].text, r);
		assert_contains(err.text, "/checkpoint: ");
		assert_contains(err.text, table[i].why);
		assert_null(grants.list);
	}
}

/* What lies there may be anything. */
static void no_such_file(void **state)
{
	struct kube_grants grants = {};
	struct err err;

	(void)state;
	assert_int_equal(checkpoint_read(temp_path("none"), &grants, &err), -ENOENT);
	assert_contains(err.text, "/none: No such file or directory");
	assert_int_equal(checkpoint_read(temp_dir(), &grants, &err), -EBADMSG);
	assert_int_equal(mkfifo(temp_path("pipe"), 0600), 0);
	assert_int_equal(checkpoint_read(temp_path("pipe"), &grants, &err), -EBADMSG);
	assert_int_equal(symlink(temp_file("real", "{\"Data\":{\"PodDeviceEntries\":[]}}", 32), temp_path("link")), 0);
	assert_int_equal(checkpoint_read(temp_path("link"), &grants, &err), -EBADMSG);
	assert_int_equal(truncate(temp_path("real"), (16 << 20) + 1), 0);
	assert_int_equal(checkpoint_read(temp_path("real"), &grants, &err), -EBADMSG);
	assert_contains(err.text, "it is no file that the kubelet has written");
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(by_numa_node), cmocka_unit_test(by_list),      cmocka_unit_test(nothing_given),
		cmocka_unit_test(illegal),      cmocka_unit_test(no_such_file),
	};

	return RUN_CASES("checkpoint", cases);
}
