// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "attach/record.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/util.h"

static char folder[PATH_MAX];

static int setup(void **state)
{
	struct err err;

	(void)state;
	return record_folder(temp_path("state"), folder, &err);
}

static struct record *example(const char *container)
{
	struct record *r = calloc(1, sizeof(*r));

	snprintf(r->container_id, sizeof(r->container_id), "%s", container);
	*r = (struct record){ .ifname = "net1",
			      .network = "roce",
			      .role = NETCONF_WARDEN,
			      .owner = "ml/train-0",
			      .pci = "0000:3b:00.2",
			      .netns = { .cookie = UINT64_MAX, .inum = 4026532000u },
			      .netns_path = "/run/netns/x",
			      .boot_id = "b",
			      .has_netdev = true,
			      .host_name = "ens1f0v0",
			      .host_mac = { 2, 0, 0, 0, 0, 1 },
			      .host_mtu = 1500,
			      .host_altname = { "enp59s0f0v0", "second" },
			      .host_altnames = 2,
			      .has_vf = true,
			      .vf = { .vlan = 7,
				      .vlan_qos = 3,
				      .vlan_proto = 0x8100,
				      .min_rate = -1,
				      .max_rate = 100,
				      .spoofchk = 1,
				      .trust = -1,
				      .link_state = 2 },
			      .has_rdma = true,
			      .rdma_name = "mlx5_3",
			      .rdma_guid = 0x1122334455667788ull,
			      .has_ipam = true,
			      .cni_path = "/opt/cni/bin",
			      .cni_args = "K8S_POD_NAME=train-0" };
	snprintf(r->container_id, sizeof(r->container_id), "%s", container);
	r->config = strdup("{\"cniVersion\":\"1.0.0\",\"x\":\"a\\\"b\\n\"}");
	return r;
}

static const char *path_of(const struct record *r)
{
	static char path[2 * PATH_MAX];
	char file[NAME_MAX + 1];

	assert_int_equal(record_file(r, file, sizeof(file)), 0);
	snprintf(path, sizeof(path), "%s/%s", folder, file);
	return path;
}

static struct record *again(const struct record *r)
{
	struct record *read = NULL;
	char file[NAME_MAX + 1];
	struct err err = {};

	assert_int_equal(record_file(r, file, sizeof(file)), 0);
	if (record_read(folder, file, &read, &err))
		test_fail("%s", err.text);
	return read;
}

static void written_and_read(void **state)
{
	struct record *r = example("c1"), *read;
	struct err err = {};

	(void)state;
	assert_int_equal(record_create(folder, r, &err), 0);
	assert_int_equal(record_create(folder, r, &err), -EEXIST);
	read = again(r);
	assert_int_equal(read->step, STEP_INTENT);
	assert_string_equal(read->container_id, "c1");
	assert_string_equal(read->config, r->config);
	assert_int_equal(read->netns.cookie, UINT64_MAX);
	assert_memory_equal(read->host_mac, r->host_mac, 6);
	assert_int_equal(read->host_altnames, 2);
	assert_string_equal(read->host_altname[1], "second");
	assert_memory_equal(&read->vf, &r->vf, sizeof(r->vf));
	assert_int_equal(read->rdma_guid, r->rdma_guid);
	assert_true(read->has_ipam);
	assert_null(read->result);
	record_free(read);
	assert_int_equal(record_advance(folder, r, STEP_IPAM, NULL, true, &err), 0);
	assert_int_equal(record_advance(folder, r, STEP_ATTACHED, "{\"ips\":[]}", true, &err), 0);
	read = again(r);
	assert_int_equal(read->step, STEP_ATTACHED);
	assert_string_equal(read->result, "{\"ips\":[]}");
	record_free(read);
	assert_int_equal(record_advance(folder, r, STEP_DELETE, NULL, true, &err), 0);
	read = again(r);
	assert_int_equal(read->step, STEP_DELETE);
	assert_string_equal(read->result, "{\"ips\":[]}");
	record_free(read);
	assert_int_equal(record_remove(folder, r, &err), 0);
	assert_int_equal(record_remove(folder, r, &err), 0);
	assert_int_equal(access(path_of(r), F_OK), -1);
	record_free(r);
}

/* It has no device yet when its name is written down. */
static void a_soft_device(void **state)
{
	struct record *r = example("c9"), *read;
	struct err err = {};

	(void)state;
	r->has_rdma = false;
	r->softroce = true;
	snprintf(r->rdma_name, sizeof(r->rdma_name), "rxe-c9-net1");
	assert_int_equal(record_create(folder, r, &err), 0);
	read = again(r);
	assert_true(read->softroce);
	assert_false(read->has_rdma);
	assert_string_equal(read->rdma_name, "rxe-c9-net1");
	record_free(read);
	assert_int_equal(record_remove(folder, r, &err), 0);
	record_free(r);
}

/* Cut at every byte: the state of the last whole line, or no attachment; and what is added afterwards is whole. */
static void torn_at_every_byte(void **state)
{
	struct record *r = example("c2"), *read;
	_cleanup_free_ char *all = NULL;
	char file[NAME_MAX + 1];
	struct err err = {};
	struct stat st;
	size_t first;
	FILE *f;

	(void)state;
	assert_int_equal(record_create(folder, r, &err), 0);
	assert_int_equal(record_advance(folder, r, STEP_NETDEV, NULL, false, &err), 0);
	assert_int_equal(stat(path_of(r), &st), 0);
	all = malloc((size_t)st.st_size);
	f = fopen(path_of(r), "r");
	assert_int_equal(fread(all, 1, (size_t)st.st_size, f), st.st_size);
	fclose(f);
	first = (size_t)((char *)memchr(all, '\n', (size_t)st.st_size) - all) + 1;
	record_file(r, file, sizeof(file));
	for (size_t len = 0; len < (size_t)st.st_size; len++) {
		f = fopen(path_of(r), "w");
		assert_int_equal(fwrite(all, 1, len, f), len);
		fclose(f);
		if (len < first) {
			assert_int_equal(record_read(folder, file, &read, &err), -ENODATA);
			assert_int_equal(access(path_of(r), F_OK), -1);
			continue;
		}
		read = again(r);
		assert_int_equal(read->step, STEP_INTENT);
		assert_int_equal(record_advance(folder, read, STEP_DELETE, NULL, true, &err), 0);
		record_free(read);
		read = again(r);
		assert_int_equal(read->step, STEP_DELETE);
		record_free(read);
	}
	record_remove(folder, r, &err);
	record_free(r);
}

/* What lies there under the name of that one is set aside. */
static void is_set_aside(struct record *r)
{
	char file[NAME_MAX + 1], aside[3 * PATH_MAX];
	struct record *read = NULL;
	struct err err = {};

	record_file(r, file, sizeof(file));
	assert_int_equal(record_read(folder, file, &read, &err), -EBADMSG);
	assert_contains(err.text, "damaged");
	snprintf(aside, sizeof(aside), "%s.damaged", path_of(r));
	assert_int_equal(access(path_of(r), F_OK), -1);
	assert_int_equal(remove(aside), 0);
}

static void is_damaged(const char *content, size_t len)
{
	struct record *r = example("c3");
	FILE *f = fopen(path_of(r), "w");

	fwrite(content, 1, len, f);
	fclose(f);
	is_set_aside(r);
	record_free(r);
}

/* A pipe would be waited for, and the length of a device is no length. */
static void what_is_no_file(void **state)
{
	struct record *r = example("c3");

	(void)state;
	assert_int_equal(mkfifo(path_of(r), 0600), 0);
	is_set_aside(r);
	assert_int_equal(symlink("/dev/zero", path_of(r)), 0);
	is_set_aside(r);
	assert_int_equal(symlink("nothing", path_of(r)), 0);
	is_set_aside(r);
	assert_int_equal(mkdir(path_of(r), 0700), 0);
	is_set_aside(r);
	record_free(r);
}

static void damaged_ones(void **state)
{
	static const char *const contents[] = {
		"\n",
		"{}\n",
		"[]\n",
		"x\n",
		"{\"format\":1}\n",
		"{\"format\":2,\"step\":\"vf\"}\n",
		"{\"format\":1,\"format\":1}\n",
	};
	struct record *other = example("other");
	char text[4096], *swap;
	struct err err = {};
	FILE *f;
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(contents); i++)
		is_damaged(contents[i], strlen(contents[i]));
	is_damaged("{\"format\":1}\0\n", 14);
	/* A whole one under another one's name, and one whose names would lead out of the folder. */
	assert_int_equal(record_create(folder, other, &err), 0);
	f = fopen(path_of(other), "r");
	len = fread(text, 1, sizeof(text) - 1, f);
	text[len] = '\0';
	fclose(f);
	is_damaged(text, len);
	swap = strstr(text, "\"other\"");
	assert_non_null(swap);
	memcpy(swap, "\"../x/\"", 7);
	is_damaged(text, len);
	record_remove(folder, other, &err);
	record_free(other);
}

struct count {
	unsigned int visited, damaged;
};

static void count_one(struct record *record, void *ctx)
{
	((struct count *)ctx)->visited++;
	record_free(record);
}

static void count_damaged(const char *why, void *ctx)
{
	assert_contains(why, "damaged");
	((struct count *)ctx)->damaged++;
}

static void all_of_them(void **state)
{
	struct record *a = example("a"), *b = example("b");
	struct count count = {};
	struct err err = {};
	FILE *f;

	(void)state;
	b->role = NETCONF_RDMA;
	assert_int_equal(record_create(folder, a, &err), 0);
	assert_int_equal(record_create(folder, b, &err), 0);
	f = fopen(temp_path("state/attach/bad:net1"), "w");
	fputs("no\n", f);
	fclose(f);
	assert_int_equal(record_for_each(folder, count_one, count_damaged, &count, &err), 0);
	assert_int_equal(count.visited, 2);
	assert_int_equal(count.damaged, 1);
	/* What was set aside is not met again. */
	assert_int_equal(record_for_each(folder, count_one, count_damaged, &count, &err), 0);
	assert_int_equal(count.visited, 4);
	assert_int_equal(count.damaged, 1);
	record_remove(folder, a, &err);
	record_remove(folder, b, &err);
	record_free(a);
	record_free(b);
}

/* A disk that is full in the middle of a line: as a limit on the size of files. */
static void no_room(void **state)
{
	struct record *r = example("c4"), *read;
	struct rlimit before, limit;
	struct err err = {};
	struct stat st;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	limit = before;
	limit.rlim_cur = 100;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(record_create(folder, r, &err), -EFBIG);
	assert_int_equal(access(path_of(r), F_OK), -1);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(record_create(folder, r, &err), 0);
	assert_int_equal(stat(path_of(r), &st), 0);
	limit.rlim_cur = (rlim_t)st.st_size + 5;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(record_advance(folder, r, STEP_VF, NULL, true, &err), -EFBIG);
	assert_int_equal(r->step, STEP_INTENT);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(record_advance(folder, r, STEP_DELETE, NULL, true, &err), 0);
	read = again(r);
	assert_int_equal(read->step, STEP_DELETE);
	record_free(read);
	record_remove(folder, r, &err);
	record_free(r);
}

static void names_too_long(void **state)
{
	char id[CNI_ID_LEN];
	struct record *r;
	struct err err = {};

	(void)state;
	memset(id, 'a', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	r = example(id);
	assert_int_equal(record_create(folder, r, &err), -ENAMETOOLONG);
	assert_contains(err.text, "too long");
	record_free(r);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(written_and_read),   cmocka_unit_test(a_soft_device),
		cmocka_unit_test(torn_at_every_byte), cmocka_unit_test(damaged_ones),
		cmocka_unit_test(all_of_them),        cmocka_unit_test(no_room),
		cmocka_unit_test(names_too_long),     cmocka_unit_test(what_is_no_file),
	};

	test_begin();
	return cmocka_run_group_tests_name("record", cases, setup, NULL);
}
