// SPDX-License-Identifier: Apache-2.0
/* Device information files, as the SR-IOV device plugin and Multus write them. */
#define _GNU_SOURCE
#include "kube/devinfo.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/util.h"

#define VF                                                                                                   \
	"{\"type\":\"pci\",\"version\":\"1.1.0\",\"pci\":{\"pci-address\":\"0000:3b:00.2\",\"rdma-device\":" \
	"\"mlx5_2,mlx5_3\",\"pf-pci-address\":\"0000:3b:00.0\"}}"

/* Folders are told by their names, as temp_path() does not keep paths for long. */
static void make_folder(const char *dir)
{
	assert_int_equal(mkdir(temp_path(dir), 0700), 0);
}

static void put(const char *dir, const char *file, const char *text)
{
	char name[256];

	snprintf(name, sizeof(name), "%s/%s", dir, file);
	temp_file(name, text, strlen(text));
}

static int read_in(const char *dir, const char *file, struct devinfo *info, struct err *err)
{
	return devinfo_read(temp_path(dir), file, info, err);
}

static void names(void **state)
{
	char name[64];

	(void)state;
	assert_int_equal(devinfo_dp_name("nvidia.com/roce_a", "0000:3b:00.2", name, sizeof(name)), 0);
	assert_string_equal(name, "nvidia.com-roce_a-0000:3b:00.2-device.json");
	assert_int_equal(devinfo_dp_name("a.b/c", "../../x", name, sizeof(name)), 0);
	assert_string_equal(name, "a.b-c-..-..-x-device.json");
	assert_int_equal(devinfo_dp_name("a.b/c", "0000:3b:00.2", name, 16), -ENAMETOOLONG);
}

static void one_file(void **state)
{
	const char *dir = "one";
	struct devinfo info;
	struct err err;

	(void)state;
	make_folder(dir);
	put(dir, "a-device.json", VF);
	assert_int_equal(read_in(dir, "a-device.json", &info, &err), 0);
	assert_string_equal(info.file, "a-device.json");
	assert_string_equal(info.pci_address, "0000:3b:00.2");
	assert_string_equal(info.rdma_device, "mlx5_2,mlx5_3");
	put(dir, "plain", "{\"type\":\"pci\",\"pci\":{\"pci-address\":\"0000:3b:00.3\"}}");
	assert_int_equal(read_in(dir, "plain", &info, &err), 0);
	assert_string_equal(info.rdma_device, "");
	put(dir, "vdpa", "{\"type\":\"vdpa\",\"vdpa\":{\"path\":\"/dev/vhost-vdpa-0\"}}");
	assert_int_equal(read_in(dir, "vdpa", &info, &err), -ENODATA);
	assert_int_equal(read_in(dir, "none", &info, &err), -ENOENT);
	assert_contains(err.text, "/one/none: No such file or directory");
}

static void illegal(void **state)
{
	static const char *const texts[][2] = {
		{ "", "" },
		{ "{\"type\":\"pci\",\"pci\":{\"pci-addr", "" },
		{ "{\"pci\":{\"pci-address\":\"0000:3b:00.2\"}}", "\"type\" is missing" },
		{ "{\"type\":\"pci\"}", "\"pci-address\" is missing or not legal" },
		{ "{\"type\":\"pci\",\"pci\":{\"pci-address\":7}}", "\"pci-address\" is missing or not legal" },
		{ "{\"type\":\"pci\",\"pci\":{\"pci-address\":\"0000:3b:00.2x\"}}",
		  "\"pci-address\" is missing or not legal" },
		{ "{\"type\":\"pci\",\"pci\":{\"pci-address\":\"0000:3b:00.\"}}",
		  "\"pci-address\" is missing or not legal" },
		{ "{\"type\":\"pci\",\"pci\":{\"pci-address\":\"../../etc/xx\"}}",
		  "\"pci-address\" is missing or not legal" },
		{ "{\"type\":\"pci\",\"pci\":{\"pci-address\":\"0000:3b:00.2\",\"rdma-device\":7}}",
		  "\"rdma-device\" is no text" },
		{ "{\"type\":\"pci\",\"pci\":{\"pci-address\":\"0000:3b:00.2\",\"rdma-device\":\"../x\"}}",
		  "\"rdma-device\" is not legal" },
	};
	const char *dir = "illegal";

	(void)state;
	make_folder(dir);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct devinfo info;
		struct err err = {};
		int r;

		put(dir, "f", texts[i][0]);
		r = read_in(dir, "f", &info, &err);
		if (r != -EBADMSG)
			test_fail("%s: %d", texts[i][0], r);
		assert_contains(err.text, "/illegal/f: ");
		assert_contains(err.text, texts[i][1]);
	}
}

/* One that is bad does not hide the others. */
static void whole_folder(void **state)
{
	_cleanup_(devinfo_free) struct devinfos infos = {};
	const char *dir = "whole";
	struct err err;
	char name[32];

	(void)state;
	make_folder(dir);
	put(dir, "bad", "{");
	put(dir, ".hidden", VF);
	put(dir, "vdpa", "{\"type\":\"vdpa\"}");
	for (int i = 39; i >= 0; i--) {
		snprintf(name, sizeof(name), "f%02d", i);
		put(dir, name, VF);
	}
	assert_int_equal(mkfifo(temp_path("whole/pipe"), 0600), 0);
	assert_int_equal(devinfo_list(temp_path(dir), &infos, &err), 0);
	assert_int_equal(infos.count, 40);
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "f%02d", i);
		assert_string_equal(infos.list[i].file, name);
	}
	assert_int_equal(infos.bad, 2);
	assert_contains(infos.first_bad.text, "/whole/");
}

static void no_folder(void **state)
{
	struct devinfos infos = {};
	struct err err;

	(void)state;
	assert_int_equal(devinfo_list(temp_path("nowhere"), &infos, &err), 0);
	assert_int_equal(infos.count, 0);
	assert_int_equal(devinfo_list(temp_file("file", "", 0), &infos, &err), -ENOTDIR);
	assert_contains(err.text, "/file: Not a directory");
}

static void too_many_files(void **state)
{
	struct devinfos infos = {};
	const char *dir = "many";
	struct err err;
	char name[32];

	(void)state;
	make_folder(dir);
	for (int i = 0; i <= DEVINFO_MAX; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		put(dir, name, VF);
	}
	assert_int_equal(devinfo_list(temp_path(dir), &infos, &err), -E2BIG);
	assert_null(infos.list);
	unlink(temp_path("many/f0"));
	assert_int_equal(devinfo_list(temp_path(dir), &infos, &err), 0);
	assert_int_equal(infos.count, DEVINFO_MAX);
	devinfo_free(&infos);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(names),        cmocka_unit_test(one_file),  cmocka_unit_test(illegal),
		cmocka_unit_test(whole_folder), cmocka_unit_test(no_folder), cmocka_unit_test(too_many_files),
	};

	return RUN_CASES("devinfo", cases);
}
