// SPDX-License-Identifier: Apache-2.0
/*
 * Real processes in real cgroups and netns, seen in a folder that stands for procfs: a link to /proc/PID for each of the
 * processes of this test, and as process 1, which need not be readable, this test itself (proc(5), namespaces(7)). What
 * the kernel here does not do, such as another PID order or cgroup v1, is in folders with the files of proc_pid_stat(5)
 * and cgroups(7).
 */
#define _GNU_SOURCE
#include "kube/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/util.h"

#define POD_A "73dc8baf-43a0-413e-aac2-5eb0868f6c1a"
#define POD_B "90b1ecb8-b850-451a-97c6-c073b5ddbb53"
#define ID_1 "1111111111111111111111111111111111111111111111111111111111111111"
#define ID_2 "2222222222222222222222222222222222222222222222222222222222222222"
#define ID_3 "3333333333333333333333333333333333333333333333333333333333333333"

static char proc[256], cgroups[256], base[64]; /* the folder; the mount; what all cgroups of this test are in */
static pid_t held[16];
static size_t held_count;

/* ---- what a case is made of ---- */

static void make_link(const char *target, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void make_link(const char *target, const char *fmt, ...)
{
	char path[512], name[128];
	va_list args;

	va_start(args, fmt);
	vsnprintf(name, sizeof(name), fmt, args);
	va_end(args);
	assert_int_equal(try_snprintf(path, sizeof(path), "%s/%s", proc, name), 0);
	assert_int_equal(symlink(target, path), 0);
}

static void unlink_link(const char *name)
{
	char path[512];

	assert_int_equal(try_snprintf(path, sizeof(path), "%s/%s", proc, name), 0);
	assert_int_equal(unlink(path), 0);
}

static void link_process(pid_t pid)
{
	char target[64];

	assert_int_equal(try_snprintf(target, sizeof(target), "/proc/%d", pid), 0);
	make_link(target, "%d", pid);
}

static void make_proc(void)
{
	static unsigned made;
	char path[512];

	assert_int_equal(try_snprintf(proc, sizeof(proc), "%s/proc%u", temp_dir(), made++), 0);
	assert_int_equal(try_snprintf(path, sizeof(path), "%s/1/ns", proc), 0);
	assert_int_equal(make_dirs(path), 0);
	make_link("/proc/self/ns/net", "1/ns/net");
	make_link("/proc/self/ns/pid", "1/ns/pid");
}

static void write_text(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, text, strlen(text)), 0);
}

static void make_file(const char *folder, const char *name, const char *text)
{
	char path[600];

	assert_int_equal(try_snprintf(path, sizeof(path), "%s/%s", folder, name), 0);
	write_text(path, text);
}

/* A process that there is not: its cgroups, when it began, and the process whose netns it is in. */
static void make_process(int pid, const char *cgroup, const char *started, pid_t netns)
{
	char folder[512], target[64], stat[512];

	assert_int_equal(try_snprintf(folder, sizeof(folder), "%s/%d/ns", proc, pid), 0);
	assert_int_equal(make_dirs(folder), 0);
	assert_int_equal(try_snprintf(target, sizeof(target), "/proc/%d/ns/net", netns), 0);
	make_link(target, "%d/ns/net", pid);
	assert_int_equal(try_snprintf(folder, sizeof(folder), "%s/%d", proc, pid), 0);
	make_file(folder, "cgroup", cgroup);
	assert_int_equal(try_snprintf(stat, sizeof(stat),
				      "%d (a) b (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 %s 20 21\n", pid,
				      started),
			 0);
	make_file(folder, "stat", stat);
}

static void cgroup_dir(const char *cgroup, char *path, size_t size)
{
	assert_int_equal(try_snprintf(path, size, "%s%s/%s", cgroups, base, cgroup), 0);
}

static uint64_t inode(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

/* Into the cgroup, and into a netns of its own: 0 or an errno. */
static int move(const char *cgroup, bool own_netns)
{
	char procs[512];
	_cleanup_close_ int fd = -1;

	if (try_snprintf(procs, sizeof(procs), "%s%s/%s/cgroup.procs", cgroups, base, cgroup))
		return ENAMETOOLONG;
	fd = open(procs, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1 || (own_netns && unshare(CLONE_NEWNET)))
		return errno;
	return 0;
}

static void *stay(void *none)
{
	for (;;)
		pause();
	return none;
}

/* A process in that cgroup below `base`, until the case ends. It shows in `proc`. */
static pid_t hold_as(const char *cgroup, bool own_netns, bool end_first_thread)
{
	char path[512];
	int ready[2], e;
	pid_t pid;

	cgroup_dir(cgroup, path, sizeof(path));
	assert_int_equal(make_dirs(path), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = test_fork();
	assert_true(pid >= 0);
	if (!pid) {
		e = move(cgroup, own_netns);
		if (!e && end_first_thread)
			e = pthread_create(&(pthread_t){ 0 }, NULL, stay, NULL);
		if (write(ready[1], &e, sizeof(e)) != sizeof(e))
			_exit(1);
		if (end_first_thread)
			pthread_exit(NULL);
		stay(NULL);
	}
	assert_true(held_count < ARRAY_SIZE(held));
	held[held_count++] = pid;
	close(ready[1]);
	assert_int_equal(read(ready[0], &e, sizeof(e)), sizeof(e));
	close(ready[0]);
	assert_int_equal(e, 0);
	link_process(pid);
	return pid;
}

static pid_t hold(const char *cgroup, bool own_netns)
{
	return hold_as(cgroup, own_netns, false);
}

static void end_held(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int tear_down(void **state)
{
	(void)state;
	while (held_count > 0)
		end_held(held[--held_count]);
	return 0;
}

static int remove_dir(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)where;
	return type == FTW_DP ? rmdir(path) : 0;
}

static int remove_cgroups(void **state)
{
	char path[512];

	(void)state;
	if (base[0] == '\0')
		return 0;
	cgroup_dir("", path, sizeof(path));
	return nftw(path, remove_dir, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static void need_cgroups(void)
{
	int r = private_mounts();

	make_proc();
	if (base[0])
		return;
	if (r)
		skip_because("no private mounts here: %s", strerror(-r));
	assert_int_equal(try_snprintf(cgroups, sizeof(cgroups), "%s", temp_path("cgroups")), 0);
	assert_int_equal(make_dirs(cgroups), 0);
	if (mount("none", cgroups, "cgroup2", 0, NULL))
		skip_because("cgroup v2 cannot be mounted: %s", strerror(errno));
	if (inode(cgroups) != 1)
		skip_because("this is a cgroup namespace of its own");
	assert_int_equal(try_snprintf(base, sizeof(base), "/rdma-warden-test-%d", getpid()), 0);
}

static struct netns_id netns_of(pid_t pid)
{
	_cleanup_close_ int fd = netns_open(NULL, pid, NULL);
	struct netns_id id;

	assert_true(fd >= 0);
	assert_int_equal(netns_identify(fd, &id, NULL), 0);
	return id;
}

static void look(struct scan *scan, const char *below)
{
	const struct scan_options options = { .proc = proc, .cgroups = cgroups, .base = below };
	struct err err = { "" };
	int r = scan_node(&options, scan, &err);

	if (r)
		test_fail("%s", err.text);
	assert_int_equal(scan->host.cookie, netns_of(getpid()).cookie);
}

static const struct scan_pod *pod(const struct scan *scan, const char *uid)
{
	const struct scan_pod *found = scan_pod_by_uid(scan, uid);

	assert_non_null(found);
	return found;
}

static const struct scan_container *container(const struct scan *scan, const char *id)
{
	for (size_t i = 0; i < scan->container_count; i++)
		if (!strcmp(scan->containers[i].id, id))
			return &scan->containers[i];
	test_fail("no container %s", id);
	return NULL;
}

/* ---- real processes ---- */

static void pods_of_the_node(void **state)
{
	_cleanup_(scan_free) struct scan scan;
	const struct scan_pod *a, *b;
	pid_t first, second;
	char path[512];

	(void)state;
	need_cgroups();
	first = hold("kubepods/burstable/pod" POD_A "/" ID_1, true);
	second = hold("kubepods/pod" POD_B "/crio-" ID_2, true);
	hold("kubepods/pod" POD_B "/crio-conmon-" ID_3, false);
	hold("system.slice/containerd.service", false);
	look(&scan, base);
	assert_int_equal(scan.processes, 4);
	assert_int_equal(scan.pod_count, 2);
	assert_int_equal(scan.container_count, 2);
	a = pod(&scan, POD_A);
	assert_int_equal(a->pid, first);
	assert_int_equal(a->qos, POD_BURSTABLE);
	assert_int_equal(a->netns.cookie, netns_of(first).cookie);
	assert_int_equal(a->netns.inum, netns_of(first).inum);
	assert_false(a->host_network);
	assert_false(a->netns_differ);
	b = pod(&scan, POD_B);
	assert_int_equal(b->netns.cookie, netns_of(second).cookie);
	assert_int_equal(container(&scan, ID_2)->runtime, RUNTIME_CRIO);
	assert_ptr_equal(&scan.pods[container(&scan, ID_2)->pod], b);
	assert_ptr_equal(scan_pod_by_netns(&scan, b->netns.cookie), b);
	assert_null(scan_pod_by_netns(&scan, scan.host.cookie));
	assert_null(scan_pod_by_uid(&scan, ID_1));
	cgroup_dir("kubepods/burstable/pod" POD_A, path, sizeof(path));
	assert_int_equal(a->cgroup.id, inode(path));
	assert_int_equal(a->cgroup.level, 4); /* the test's own, kubepods, burstable and the pod's */
	assert_int_equal(b->cgroup.level, 3);
}

static void host_network(void **state)
{
	_cleanup_(scan_free) struct scan scan;

	(void)state;
	need_cgroups();
	hold("kubepods/pod" POD_A "/" ID_1, false);
	look(&scan, base);
	assert_true(pod(&scan, POD_A)->host_network);
	assert_int_equal(pod(&scan, POD_A)->netns.cookie, scan.host.cookie);
	assert_null(scan_pod_by_netns(&scan, scan.host.cookie));
}

/* A process that a container put into a netns, or a cgroup, of its own does not take its pod there. */
static void own_netns_of_a_container(void **state)
{
	_cleanup_(scan_free) struct scan scan;
	pid_t sandbox;

	(void)state;
	need_cgroups();
	sandbox = hold("kubepods/pod" POD_A "/" ID_1, true);
	usleep(30000); /* so that the next one begins in another clock tick */
	hold("kubepods/pod" POD_A "/" ID_2, true);
	hold("kubepods/pod" POD_A "/" ID_2 "/kubepods/pod" POD_B "/" ID_3, true);
	look(&scan, base);
	assert_int_equal(scan.pod_count, 1);
	assert_int_equal(scan.container_count, 2);
	assert_int_equal(pod(&scan, POD_A)->pid, sandbox);
	assert_int_equal(pod(&scan, POD_A)->netns.cookie, netns_of(sandbox).cookie);
	assert_true(pod(&scan, POD_A)->netns_differ);
	assert_int_not_equal(container(&scan, ID_2)->netns.cookie, netns_of(sandbox).cookie);
}

/* Gone before it is looked at, and gone but not waited for, which has a cgroup and no netns. */
static void ended_meanwhile(void **state)
{
	_cleanup_(scan_free) struct scan scan;
	pid_t pid;

	(void)state;
	need_cgroups();
	end_held(hold("kubepods/pod" POD_A "/" ID_1, true));
	held_count--;
	pid = hold("kubepods/pod" POD_B "/" ID_2, true);
	kill(pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	look(&scan, base);
	assert_int_equal(scan.processes, 1);
	assert_int_equal(scan.pod_count, 0);
	assert_int_equal(scan.container_count, 0);
}

/* The next process of a container serves where the first one has ended. */
static void next_process(void **state)
{
	_cleanup_(scan_free) struct scan scan;
	pid_t first, second;

	(void)state;
	need_cgroups();
	first = hold("kubepods/pod" POD_A "/" ID_1, true);
	second = hold("kubepods/pod" POD_A "/" ID_1, true);
	kill(first, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)first, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	look(&scan, base);
	assert_int_equal(scan.container_count, 1);
	assert_int_equal(pod(&scan, POD_A)->pid, second);
	assert_int_equal(pod(&scan, POD_A)->netns.cookie, netns_of(second).cookie);
}

/* A process does not hide by ending its first thread. */
static void first_thread_ended(void **state)
{
	_cleanup_(scan_free) struct scan scan;
	char path[64];
	pid_t pid;

	(void)state;
	need_cgroups();
	pid = hold_as("kubepods/pod" POD_A "/" ID_1, true, true);
	assert_int_equal(try_snprintf(path, sizeof(path), "/proc/%d/ns/net", pid), 0);
	while (!access(path, F_OK))
		usleep(1000);
	look(&scan, base);
	assert_int_equal(scan.container_count, 1);
	assert_int_equal(pod(&scan, POD_A)->pid, pid);
	assert_false(pod(&scan, POD_A)->host_network);
}

/* A process whose children are in a pid namespace of their own, and one of these, without which there is none yet. */
static pid_t hold_pid_namespace(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = test_fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (unshare(CLONE_NEWPID) || (pid = fork()) < 0)
			_exit(1);
		if (!pid && (prctl(PR_SET_PDEATHSIG, SIGKILL) || write(ready[1], "", 1) != 1))
			_exit(1);
		close(ready[1]);
		stay(NULL);
	}
	held[held_count++] = pid;
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void other_pid_namespace(void **state)
{
	const struct scan_options options = { .proc = proc };
	_cleanup_(scan_free) struct scan scan;
	char target[64];
	struct err err;

	(void)state;
	make_proc();
	unlink_link("1/ns/pid");
	assert_int_equal(try_snprintf(target, sizeof(target), "/proc/%d/ns/pid_for_children", hold_pid_namespace()), 0);
	make_link(target, "1/ns/pid");
	assert_int_equal(scan_node(&options, &scan, &err), -EXDEV);
	assert_contains(err.text, "hostPID");
}

/* ---- processes that there are not ---- */

/* In whatever order they come. */
static void oldest_decides(void **state)
{
	static const char *const ids[] = { ID_1, ID_2, ID_3 };
	char cgroup[256];
	pid_t other;

	(void)state;
	need_cgroups();
	other = hold("x", true);
	for (int oldest = 0; oldest < 3; oldest++) {
		_cleanup_(scan_free) struct scan scan;

		make_proc();
		for (int i = 0; i < 3; i++) {
			assert_int_equal(try_snprintf(cgroup, sizeof(cgroup), "0::/kubepods/pod" POD_A "/%s\n", ids[i]),
					 0);
			make_process(10 + i, cgroup, i == oldest ? "99" : "100", i == oldest ? other : getpid());
		}
		look(&scan, "");
		assert_int_equal(scan.container_count, 3);
		assert_int_equal(pod(&scan, POD_A)->pid, 10 + oldest);
		assert_int_equal(pod(&scan, POD_A)->started, 99);
		assert_int_equal(pod(&scan, POD_A)->netns.cookie, netns_of(other).cookie);
		assert_false(pod(&scan, POD_A)->host_network);
		assert_true(pod(&scan, POD_A)->netns_differ);
		assert_int_equal(pod(&scan, POD_A)->cgroup.id, 0); /* the cgroup is not there */
	}
}

static void cgroup_v1(void **state)
{
	_cleanup_(scan_free) struct scan scan;

	(void)state;
	make_proc();
	make_process(20,
		     "2:cpu:/kubepods/pod" POD_A "/" ID_1 "\n1:name=systemd:/kubepods/pod" POD_A "/" ID_1 "\n0::/\n",
		     "100", getpid());
	make_process(21, "2:cpu:/kubepods/pod" POD_A "/" ID_1 "\n0::/kubepods/pod" POD_B "/" ID_2 "\n", "100",
		     getpid());
	make_process(22, "0::/kubepods/strange\n", "100", getpid());
	look(&scan, "");
	assert_int_equal(scan.pod_count, 1);
	assert_string_equal(container(&scan, ID_1)->id, ID_1);
	assert_int_equal(pod(&scan, POD_A)->cgroup.id, 0);
	assert_int_equal(pod(&scan, POD_A)->cgroup.level, 0);
	assert_int_equal(scan.unclear, 2);
}

/* The ID of a v2 cgroup that happens to have the name of the v1 one is not the pod's; nor is there one in SLICE:RUNTIME:ID. */
static void no_cgroup_of_its_own(void **state)
{
	_cleanup_(scan_free) struct scan scan;
	char path[512], text[512];

	(void)state;
	need_cgroups();
	cgroup_dir("kubepods/pod" POD_A "/" ID_1, path, sizeof(path));
	assert_int_equal(make_dirs(path), 0);
	assert_int_equal(try_snprintf(text, sizeof(text), "2:cpu:%s/kubepods/pod" POD_A "/" ID_1 "\n", base), 0);
	make_process(40, text, "100", getpid());
	assert_int_equal(try_snprintf(text, sizeof(text),
				      "0::%s/kubepods-pod90b1ecb8_b850_451a_97c6_c073b5ddbb53.slice:crio:" ID_2 "\n",
				      base),
			 0);
	make_process(41, text, "100", getpid());
	look(&scan, base);
	assert_int_equal(scan.pod_count, 2);
	assert_int_equal(pod(&scan, POD_A)->cgroup.id, 0);
	assert_int_equal(pod(&scan, POD_B)->cgroup.id, 0);
	assert_int_equal(pod(&scan, POD_B)->cgroup.level, 0);
}

static void more_than_there_is_room_for(void **state)
{
	const struct scan_options options = { .proc = proc, .max_containers = 2 };
	_cleanup_(scan_free) struct scan scan;
	struct err err;

	(void)state;
	make_proc();
	make_process(50, "0::/kubepods/pod" POD_A "/" ID_1 "\n", "100", getpid());
	make_process(51, "0::/kubepods/pod" POD_A "/" ID_2 "\n", "100", getpid());
	assert_int_equal(scan_node(&options, &scan, &err), 0);
	assert_int_equal(scan.container_count, 2);
	assert_false(scan.cut);
	scan_free(&scan);
	make_process(52, "0::/kubepods/pod" POD_B "/" ID_3 "\n", "100", getpid());
	assert_int_equal(scan_node(&options, &scan, &err), 0);
	assert_int_equal(scan.container_count, 2);
	assert_true(scan.cut);
	assert_int_equal(scan.processes, 3);
}

/* More than the first piece of memory holds. */
static void many(void **state)
{
	_cleanup_(scan_free) struct scan scan;
	char text[256], uid[64];

	(void)state;
	make_proc();
	for (int i = 0; i < 150; i++) {
		assert_int_equal(try_snprintf(text, sizeof(text), "0::/kubepods/pod%032x/%064x\n", i / 2, i), 0);
		make_process(1000 + i, text, "100", getpid());
	}
	look(&scan, "");
	assert_int_equal(scan.container_count, 150);
	assert_int_equal(scan.pod_count, 75);
	for (int i = 0; i < 150; i++) {
		const struct scan_container *c = &scan.containers[i];

		assert_int_equal(try_snprintf(text, sizeof(text), "%064x", c->pid - 1000), 0);
		assert_string_equal(c->id, text);
		assert_int_equal(try_snprintf(uid, sizeof(uid), "%032x", (c->pid - 1000) / 2), 0);
		assert_string_equal(scan.pods[c->pod].uid, uid);
	}
}

/* Names that are no PID, files that are cut short, a netns that is none, a cgroup file without an end. */
static void odd_files(void **state)
{
	_cleanup_(scan_free) struct scan scan;
	static char endless[80000];
	char path[512];

	(void)state;
	make_proc();
	make_process(30, "0::/kubepods/pod" POD_A "/" ID_1 "\n", "x", getpid());
	make_process(31, "0::/kubepods/pod" POD_A "/" ID_1 "\n", "100", -1);
	memset(endless, 'x', sizeof(endless) - 1);
	memcpy(endless, "0::/", 4);
	make_process(32, endless, "100", getpid());
	make_process(33, "0::/kubepods/pod" POD_A "/" ID_1 "\n", "100", getpid());
	assert_int_equal(try_snprintf(path, sizeof(path), "%s/33", proc), 0);
	make_file(path, "stat", "33 (a");
	make_link("33", "33x");
	make_link("33", "+33");
	make_link("33", "0");
	make_link("33", "99999999999999999999");
	look(&scan, "");
	assert_int_equal(scan.pod_count, 0);
	assert_int_equal(scan.container_count, 0);
	assert_int_equal(scan.processes, 3);
}

static void no_procfs(void **state)
{
	struct scan_options options = { .proc = temp_path("none") };
	_cleanup_(scan_free) struct scan scan;
	struct err err;

	(void)state;
	assert_int_equal(scan_node(&options, &scan, &err), -ENOENT);
	assert_contains(err.text, "none");
	make_proc();
	options.proc = proc;
	unlink_link("1/ns/net");
	assert_int_equal(scan_node(&options, &scan, &err), -EACCES);
	assert_contains(err.text, "process 1");
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test_teardown(pods_of_the_node, tear_down),
		cmocka_unit_test_teardown(host_network, tear_down),
		cmocka_unit_test_teardown(own_netns_of_a_container, tear_down),
		cmocka_unit_test_teardown(ended_meanwhile, tear_down),
		cmocka_unit_test_teardown(next_process, tear_down),
		cmocka_unit_test_teardown(first_thread_ended, tear_down),
		cmocka_unit_test_teardown(oldest_decides, tear_down),
		cmocka_unit_test(cgroup_v1),
		cmocka_unit_test(no_cgroup_of_its_own),
		cmocka_unit_test(more_than_there_is_room_for),
		cmocka_unit_test(many),
		cmocka_unit_test(odd_files),
		cmocka_unit_test(no_procfs),
		cmocka_unit_test_teardown(other_pid_namespace, tear_down),
	};

	test_begin();
	return cmocka_run_group_tests_name("the pass over the processes", cases, NULL, remove_cgroups);
}
