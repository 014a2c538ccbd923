// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "lib/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/test.h"
#include "lib/cgroup.h"
#include "lib/util.h"

/* A process that holds a netns of its own until it is told to end. */
struct holder {
	pid_t pid;
	int hold; /* closed: it ends */
};

static struct holder hold_netns(void)
{
	int ready[2], hold[2], e = 0;
	struct holder h;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
	h.pid = test_fork();
	if (!h.pid) {
		close(hold[1]);
		e = unshare(CLONE_NEWNET) ? errno : 0;
		if (write(ready[1], &e, sizeof(e)) == sizeof(e) && !e)
			(void)!read(hold[0], &e, 1);
		_exit(0);
	}
	close(hold[0]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &e, sizeof(e)), sizeof(e));
	close(ready[0]);
	h.hold = hold[1];
	if (e) {
		close(h.hold);
		waitpid(h.pid, NULL, 0);
		skip_because("no netns can be made here: %s", strerror(e));
	}
	return h;
}

static void end_holder(struct holder *h)
{
	close(h->hold);
	waitpid(h->pid, NULL, 0);
}

static void wrong_names(void **state)
{
	static const char *const wrong[] = { "a/b", "../x", "..", ".", "", "x/" };
	char name[4096];
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_int_equal(netns_open(wrong[i], 0, &err), -EINVAL);
		assert_contains(err.text, wrong[i]);
	}
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(netns_open(name, 0, &err), -ENAMETOOLONG);
}

static void missing(void **state)
{
	pid_t pid = test_fork();
	struct err err;

	(void)state;
	if (!pid)
		_exit(0);
	assert_int_equal(netns_open("no-such-netns-here", 0, &err), -ENOENT);
	assert_contains(err.text, "it is gone");
	assert_int_equal(netns_open(temp_path("none"), 0, &err), -ENOENT);
	waitpid(pid, NULL, 0);
	assert_int_equal(netns_open(NULL, pid, &err), -ENOENT);
	assert_int_equal(netns_open("no-such-netns-here", 0, NULL), -ENOENT);
}

static void files_that_are_no_netns(void **state)
{
	const char *fifo = temp_path("fifo");
	struct err err;

	(void)state;
	assert_int_equal(netns_open(temp_file("plain", "x", 1), 0, &err), -EINVAL);
	assert_contains(err.text, "not a network namespace");
	assert_int_equal(netns_open(temp_dir(), 0, &err), -EINVAL);
	assert_int_equal(netns_open("/proc/self/ns/mnt", 0, &err), -EINVAL);
	/* A FIFO without a writer must not make the daemon wait. */
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(netns_open(fifo, 0, &err), -EINVAL);
}

/* Where the test may not enter a netns there is nothing to identify. */
static int self_or_skip(struct netns_id *id)
{
	struct err err = {};
	int fd = netns_open("/proc/self/ns/net", 0, &err);

	assert_true(fd >= 0);
	if (netns_identify(fd, id, &err)) {
		close(fd);
		skip_because("%s", err.text);
	}
	return fd;
}

static void the_same_twice(void **state)
{
	struct netns_id one, two, self;
	int fd = self_or_skip(&one);
	struct stat st;

	(void)state;
	assert_int_equal(netns_identify(fd, &two, NULL), 0);
	assert_int_equal(netns_self(&self, NULL), 0);
	close(fd);
	assert_true(one.cookie && one.cookie == two.cookie && one.cookie == self.cookie);
	assert_int_equal(stat("/proc/self/ns/net", &st), 0);
	assert_int_equal(one.inum, st.st_ino);
}

static void another_is_another(void **state)
{
	struct netns_id own, other;
	int fd = self_or_skip(&own);
	struct holder h;

	(void)state;
	close(fd);
	h = hold_netns();
	fd = netns_open(NULL, h.pid, NULL);
	assert_true(fd >= 0);
	assert_int_equal(netns_identify(fd, &other, NULL), 0);
	assert_true(own.cookie != other.cookie && own.inum != other.inum);
	close(fd);
	end_holder(&h);
}

static void a_socket_is_of_that_netns(void **state)
{
	struct netns_id before, after, other;
	struct holder h;
	int fd = self_or_skip(&before), sock;
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	(void)state;
	close(fd);
	h = hold_netns();
	fd = netns_open(NULL, h.pid, NULL);
	assert_int_equal(netns_identify(fd, &other, NULL), 0);
	sock = netns_socket(fd, AF_INET, SOCK_DGRAM, 0);
	assert_true(sock >= 0);
	assert_int_equal(getsockopt(sock, SOL_SOCKET, 71 /* SO_NETNS_COOKIE */, &cookie, &len), 0);
	assert_true(cookie == other.cookie);
	assert_true(fcntl(sock, F_GETFD) & FD_CLOEXEC);
	/* An error inside must not leave the caller there. */
	assert_int_equal(netns_socket(fd, AF_INET, SOCK_DGRAM, 4711), -EINVAL);
	assert_int_equal(netns_self(&after, NULL), 0);
	assert_true(after.cookie == before.cookie);
	assert_int_equal(netns_socket(-1, AF_INET, SOCK_DGRAM, 0), -EBADF);
	close(sock);
	close(fd);
	end_holder(&h);
}

struct seen {
	struct netns_id wanted;
	int times, all, answer;
};

static int look(int fd, const struct netns_id *id, void *ctx)
{
	struct seen *s = ctx;

	assert_true(fd >= 0);
	s->all++;
	if (id->cookie != s->wanted.cookie)
		return 0;
	assert_int_equal(id->inum, s->wanted.inum);
	s->times++;
	return s->answer;
}

static int open_fds(void)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	return n;
}

static void the_walk_finds_each_once(void **state)
{
	struct seen s = {};
	int fd = self_or_skip(&s.wanted), fds;
	struct holder h;

	(void)state;
	close(fd);
	h = hold_netns();
	fds = open_fds();
	assert_int_equal(netns_for_each(look, &s), 0);
	assert_int_equal(s.times, 1);
	fd = netns_open(NULL, h.pid, NULL);
	s = (struct seen){ .answer = 42 };
	assert_int_equal(netns_identify(fd, &s.wanted, NULL), 0);
	close(fd);
	assert_int_equal(netns_for_each(look, &s), 42);
	assert_int_equal(s.times, 1);
	assert_in_range(s.all, 2, 10000);
	fd = netns_open_cookie(s.wanted.cookie);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(open_fds(), fds);
	end_holder(&h);
	assert_int_equal(netns_open_cookie(s.wanted.cookie), -ENOENT);
}

/* The folder of names is hidden behind one of the test's own. */
static void a_name(void **state)
{
	struct netns_id own, named;
	int fd = self_or_skip(&own), r = private_mounts();
	char name[64] = "old";

	(void)state;
	close(fd);
	if (r)
		skip_because("no private mounts here: %s", strerror(-r));
	mkdir("/run/netns", 0755);
	assert_int_equal(mount("none", "/run/netns", "tmpfs", 0, NULL), 0);
	netns_name(own.inum, name, sizeof(name));
	assert_string_equal(name, "");
	close(open("/run/netns/mine", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_int_equal(netns_open("mine", 0, NULL), -EINVAL); /* a name whose netns ended, as a crash leaves it */
	assert_int_equal(mount("/proc/self/ns/net", "/run/netns/mine", NULL, MS_BIND, NULL), 0);
	netns_name(own.inum, name, sizeof(name));
	assert_string_equal(name, "mine");
	netns_name(own.inum, name, 4); /* one that does not fit is none, not another one */
	assert_string_equal(name, "");
	netns_name(own.inum + 1, name, sizeof(name));
	assert_string_equal(name, "");
	fd = netns_open("mine", 0, NULL);
	assert_true(fd >= 0);
	assert_int_equal(netns_identify(fd, &named, NULL), 0);
	assert_true(named.cookie == own.cookie);
	close(fd);
	umount("/run/netns/mine");
	umount("/run/netns");
}

static uint64_t cgroup_id(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

/* On a machine with cgroup v1 the hierarchy is mounted for the test alone. */
static void cgroup_paths(void **state)
{
	static const char *const folder = CGROUP_ROOT "/rdma-warden-test";
	int r = private_mounts();
	char path[256];
	uint64_t id;

	(void)state;
	if (r)
		skip_because("no private mounts here: %s", strerror(-r));
	if (mount("none", CGROUP_ROOT, "cgroup2", 0, NULL))
		skip_because("cgroup v2 cannot be mounted: %s", strerror(errno));
	rmdir(folder);
	assert_int_equal(mkdir(folder, 0755), 0);
	id = cgroup_id(folder);
	assert_int_equal(cgroup_path(id, path, sizeof(path)), 0);
	assert_string_equal(path, "/rdma-warden-test");
	assert_int_equal(cgroup_path(id, path, 5), -ENAMETOOLONG);
	assert_int_equal(cgroup_path(cgroup_id(CGROUP_ROOT), path, sizeof(path)), 0);
	assert_string_equal(path, "/");
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(cgroup_path(id, path, sizeof(path)), -ESTALE);
	assert_int_equal(cgroup_path(0xffffffffffff, path, sizeof(path)), -ESTALE);
	umount(CGROUP_ROOT);
}

struct asker {
	int begin[2];
	pthread_t thread;
	struct netns_id id;
};

static void *ask_for_own(void *ctx)
{
	struct asker *a = ctx;
	char byte;

	(void)!read(a->begin[0], &byte, 1);
	netns_self(&a->id, NULL);
	return NULL;
}

static int let_it_ask(void *ctx)
{
	struct asker *a = ctx;

	(void)!write(a->begin[1], "", 1);
	return pthread_join(a->thread, NULL);
}

/* The own netns is the thread's: another one, and be it the first, may be in a pod's at the moment. */
static void while_another_thread_is_elsewhere(void **state)
{
	struct holder h = hold_netns();
	_cleanup_close_ int fd = -1;
	struct asker a = {};
	struct netns_id own;
	struct err err;

	(void)state;
	fd = netns_open(NULL, h.pid, &err);
	assert_true(fd >= 0);
	assert_int_equal(netns_self(&own, &err), 0);
	assert_int_equal(pipe2(a.begin, O_CLOEXEC), 0);
	assert_int_equal(pthread_create(&a.thread, NULL, ask_for_own, &a), 0);
	assert_int_equal(netns_call(fd, let_it_ask, &a), 0);
	assert_true(a.id.cookie == own.cookie);
	close(a.begin[0]);
	close(a.begin[1]);
	end_holder(&h);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(wrong_names),
		cmocka_unit_test(missing),
		cmocka_unit_test(files_that_are_no_netns),
		cmocka_unit_test(the_same_twice),
		cmocka_unit_test(another_is_another),
		cmocka_unit_test(a_socket_is_of_that_netns),
		cmocka_unit_test(the_walk_finds_each_once),
		cmocka_unit_test(a_name),
		cmocka_unit_test(while_another_thread_is_elsewhere),
		cmocka_unit_test(cgroup_paths),
	};

	return RUN_CASES("netns", cases);
}
