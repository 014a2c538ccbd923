// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "loader/pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/util.h"
#include "pins_test.skel.h"

static const char *folder; /* of the pins, on a BPF file system of this process alone */

static bool exists(const char *name)
{
	char path[4096];

	return !try_snprintf(path, sizeof(path), "%s/%s", folder, name) && !access(path, F_OK);
}

/* A fresh folder for each case. */
static void need_bpffs(void)
{
	static bool mounted;
	const char *base = temp_path("bpf");
	int r = private_mounts();

	if (r)
		skip_because("no private mounts here: %s", strerror(-r));
	folder = temp_path("bpf/pins");
	if (mounted)
		return;
	assert_int_equal(mkdir(base, 0700), 0);
	if (mount("bpf", base, "bpf", 0, NULL))
		skip_because("no BPF file system can be mounted: %s", strerror(errno));
	mounted = true;
}

static int open_pins(void)
{
	struct err err = {};
	int lock = pins_open(folder, "maps-1", &err);

	if (lock < 0)
		test_fail("%s", err.text);
	return lock;
}

static void remove_pins(int lock)
{
	struct err err = {};

	if (pins_remove(folder, &err))
		test_fail("%s", err.text);
	assert_false(exists(""));
	close(lock);
}

static void opened_twice(void **state)
{
	struct err err;
	int lock;

	(void)state;
	need_bpffs();
	lock = open_pins();
	assert_true(exists("maps-1") && exists("links"));
	assert_true(fcntl(lock, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(pins_open(folder, "maps-1", &err), -EBUSY);
	assert_contains(err.text, "another wardend has it");
	assert_int_equal(pins_lock(folder, &err), -EBUSY);
	close(lock);
	lock = open_pins(); /* what a wardend that ended has left */
	remove_pins(lock);
}

static void the_lock_ends_with_the_process(void **state)
{
	int ready[2], lock;
	pid_t pid;
	char one;

	(void)state;
	need_bpffs();
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = test_fork();
	if (!pid) {
		lock = pins_open(folder, "maps-1", NULL);
		(void)!write(ready[1], "", 1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &one, 1), 1);
	assert_int_equal(pins_open(folder, "maps-1", NULL), -EBUSY);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	lock = open_pins();
	remove_pins(lock);
	close(ready[0]);
	close(ready[1]);
}

static void nothing_there(void **state)
{
	struct err err;

	(void)state;
	need_bpffs();
	assert_int_equal(pins_lock(folder, &err), -ENOENT);
	assert_int_equal(pins_remove(folder, &err), 0);
	assert_int_equal(pins_open(temp_path("bpf/none/pins"), "maps-1", &err), -ENOENT);
	assert_contains(err.text, "none/pins");
}

static void not_on_a_bpffs(void **state)
{
	const char *plain = temp_path("plain");
	struct err err;

	(void)state;
	assert_int_equal(pins_open(plain, "maps-1", &err), -ENOTSUP);
	assert_contains(err.text, "mount -t bpf");
	assert_int_equal(access(plain, F_OK), -1);
	/* What was there before stays, with what is in it. */
	assert_int_equal(mkdir(plain, 0700), 0);
	temp_file("plain/kept", "", 0);
	assert_int_equal(pins_open(plain, "maps-1", &err), -ENOTSUP);
	assert_int_equal(access(temp_path("plain/kept"), F_OK), 0);
	assert_int_equal(access(temp_path("plain/links"), F_OK), -1);
	assert_int_equal(pins_remove(plain, &err), -ENOTSUP);
	assert_int_equal(access(temp_path("plain/kept"), F_OK), 0);
	assert_int_equal(unlink(temp_path("plain/kept")), 0);
	/* Even when it is empty. */
	assert_int_equal(pins_open(plain, "maps-1", &err), -ENOTSUP);
	assert_int_equal(access(plain, F_OK), 0);
	assert_int_equal(pins_open(temp_file("file", "", 0), "maps-1", &err), -ENOTSUP);
}

/* ---- links ---- */

static struct pins_test_bpf *load(void)
{
	struct pins_test_bpf *skel = pins_test_bpf__open();

	assert_non_null(skel);
	if (pins_test_bpf__load(skel)) {
		int e = errno;

		pins_test_bpf__destroy(skel);
		skip_because("the kernel does not load a tp_btf program: %s", strerror(e));
	}
	return skel;
}

static struct bpf_link *attach(struct bpf_program *prog)
{
	struct bpf_link *link = bpf_program__attach(prog);

	assert_non_null(link);
	return link;
}

static uint32_t pinned_program(const char *name)
{
	struct bpf_link_info info = {};
	uint32_t len = sizeof(info);
	char path[4096];
	int fd;

	assert_int_equal(try_snprintf(path, sizeof(path), "%s/links/%s", folder, name), 0);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return 0;
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	close(fd);
	return info.prog_id;
}

static uint32_t program_id(const struct bpf_program *prog)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len), 0);
	return info.id;
}

static void a_link_is_pinned_and_replaced(void **state)
{
	struct bpf_link *first, *second;
	struct pins_test_bpf *skel;
	struct err err = {};
	int lock;

	(void)state;
	need_bpffs();
	skel = load();
	lock = open_pins();
	first = attach(skel->progs.one);
	second = attach(skel->progs.other);
	assert_int_equal(pins_link(folder, "hook", bpf_link__fd(first), &err), 0);
	assert_int_equal(pinned_program("hook"), program_id(skel->progs.one));
	/* A start that was killed between its two steps leaves this. */
	assert_int_equal(bpf_obj_pin(bpf_link__fd(first), temp_path("bpf/pins/links/new_hook")), 0);
	assert_int_equal(pins_link(folder, "hook", bpf_link__fd(second), &err), 0);
	assert_int_equal(pinned_program("hook"), program_id(skel->progs.other));
	assert_false(exists("links/new_hook"));
	bpf_link__destroy(first);
	bpf_link__destroy(second);
	assert_int_equal(pinned_program("hook"), program_id(skel->progs.other));
	pins_test_bpf__destroy(skel); /* or the removal would wait for it in vain */
	remove_pins(lock);
}

static void the_same_program_on_the_same_maps(void **state)
{
	struct pins_test_bpf *skel, *twin;
	struct bpf_link *link;
	int lock;

	(void)state;
	need_bpffs();
	skel = load();
	lock = open_pins();
	link = attach(skel->progs.one);
	assert_false(pins_same_program(folder, "hook", skel->progs.one));
	assert_int_equal(pins_link(folder, "hook", bpf_link__fd(link), NULL), 0);
	assert_true(pins_same_program(folder, "hook", skel->progs.one));
	assert_false(pins_same_program(folder, "hook", skel->progs.other));
	assert_false(pins_same_program(folder, "hock", skel->progs.one));
	twin = load(); /* the same instructions on maps of its own */
	assert_false(pins_same_program(folder, "hook", twin->progs.one));
	pins_test_bpf__destroy(twin);
	twin = pins_test_bpf__open();
	assert_int_equal(bpf_map__reuse_fd(twin->maps.shared, bpf_map__fd(skel->maps.shared)), 0);
	assert_int_equal(pins_test_bpf__load(twin), 0);
	assert_true(pins_same_program(folder, "hook", twin->progs.one));
	pins_test_bpf__destroy(twin);
	bpf_link__destroy(link);
	pins_test_bpf__destroy(skel); /* or the removal would wait for it in vain */
	remove_pins(lock);
}

static bool keep_two(const char *name, void *ctx)
{
	(*(int *)ctx)++;
	return !strcmp(name, "guard_two");
}

static void pruning(void **state)
{
	static const char *const names[] = { "guard_one", "guard_two", "verbs_one" };
	struct pins_test_bpf *skel;
	struct bpf_link *link;
	int lock, asked = 0;

	(void)state;
	need_bpffs();
	skel = load();
	lock = open_pins();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		link = attach(skel->progs.one);
		assert_int_equal(pins_link(folder, names[i], bpf_link__fd(link), NULL), 0);
		bpf_link__destroy(link);
	}
	pins_prune_links(folder, "guard_", keep_two, &asked);
	assert_int_equal(asked, 2);
	assert_false(exists("links/guard_one"));
	assert_true(exists("links/guard_two") && exists("links/verbs_one"));
	pins_test_bpf__destroy(skel); /* or the removal would wait for it in vain */
	remove_pins(lock);
}

static void removal_takes_maps_too(void **state)
{
	struct pins_test_bpf *skel;
	int lock;

	(void)state;
	need_bpffs();
	skel = load();
	lock = open_pins();
	assert_int_equal(bpf_map__pin(skel->maps.shared, temp_path("bpf/pins/maps-1/shared")), 0);
	pins_test_bpf__destroy(skel); /* or the removal would wait for it in vain */
	remove_pins(lock);
}

/* The maps of other layouts go, those of this one stay. */
static void older_layouts(void **state)
{
	struct pins_test_bpf *skel;
	int lock, other;

	(void)state;
	need_bpffs();
	skel = load();
	lock = open_pins();
	assert_int_equal(bpf_map__pin(skel->maps.shared, temp_path("bpf/pins/maps-1/shared")), 0);
	assert_int_equal(pins_prune_maps(folder, "maps-1"), 0);
	assert_true(exists("maps-1/shared"));
	assert_int_equal(pins_make_folders(folder, "maps-2", NULL), 0);
	other = bpf_map__fd(skel->maps.shared);
	assert_int_equal(bpf_obj_pin(other, temp_path("bpf/pins/maps-2/shared")), 0);
	assert_int_equal(pins_prune_maps(folder, "maps-2"), 1);
	assert_false(exists("maps-1"));
	assert_true(exists("maps-2/shared"));
	pins_test_bpf__destroy(skel);
	remove_pins(lock);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(opened_twice),
		cmocka_unit_test(the_lock_ends_with_the_process),
		cmocka_unit_test(nothing_there),
		cmocka_unit_test(not_on_a_bpffs),
		cmocka_unit_test(a_link_is_pinned_and_replaced),
		cmocka_unit_test(the_same_program_on_the_same_maps),
		cmocka_unit_test(pruning),
		cmocka_unit_test(removal_takes_maps_too),
		cmocka_unit_test(older_layouts),
	};

	libbpf_set_print(NULL);
	return RUN_CASES("pins", cases);
}
