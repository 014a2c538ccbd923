// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "lib/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/list.h"
#include "lib/log.h"
#include "lib/util.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* asm-generic/socket.h, since 5.14 */
#endif

#define NETNS_DIR "/run/netns"

static int open_path(const char *path, struct err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return fail(err, -errno, "netns %s: %s", path, errno == ENOENT ? "it is gone" : strerror(errno));
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return fail(err, -EINVAL, "netns %s: the file is not a network namespace", path);
	return take_fd(&fd);
}

int netns_open(const char *spec, pid_t pid, struct err *err)
{
	char path[256];
	int r;

	if (!spec)
		r = try_snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	else if (spec[0] == '/')
		r = try_snprintf(path, sizeof(path), "%s", spec);
	else if (strchr(spec, '/') || !strcmp(spec, "..") || !strcmp(spec, ".") || spec[0] == '\0')
		return fail(err, -EINVAL, "netns \"%s\": give a name of %s or an absolute path", spec, NETNS_DIR);
	else
		r = try_snprintf(path, sizeof(path), NETNS_DIR "/%s", spec);
	if (r)
		return fail(err, r, "netns: the name is too long");
	return open_path(path, err);
}

int netns_call(int fd, int (*call)(void *ctx), void *ctx)
{
	_cleanup_close_ int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int r;

	if (home < 0)
		return -errno;
	if (setns(fd, CLONE_NEWNET))
		return -errno;
	r = call(ctx);
	if (setns(home, CLONE_NEWNET)) {
		/* Every later judgement about "the host" would be wrong. The pinned programs go on. */
		pr_err("netns: cannot return to the own namespace: %s", strerror(errno));
		abort();
	}
	return r;
}

struct socket_call {
	int domain, type, protocol;
};

static int call_socket(void *ctx)
{
	const struct socket_call *c = ctx;
	int sock = socket(c->domain, c->type | SOCK_CLOEXEC, c->protocol);

	return sock < 0 ? -errno : sock;
}

int netns_socket(int fd, int domain, int type, int protocol)
{
	struct socket_call call = { .domain = domain, .type = type, .protocol = protocol };

	return netns_call(fd, call_socket, &call);
}

static int cookie_of_socket(int sock, uint64_t *cookie)
{
	socklen_t len = sizeof(*cookie);

	return getsockopt(sock, SOL_SOCKET, SO_NETNS_COOKIE, cookie, &len) ? -errno : 0;
}

int netns_identify(int fd, struct netns_id *id, struct err *err)
{
	_cleanup_close_ int sock = -1;
	struct stat st;
	int r;

	if (fstat(fd, &st))
		return fail(err, -errno, "netns: %s", strerror(errno));
	sock = netns_socket(fd, AF_UNIX, SOCK_DGRAM, 0);
	if (sock < 0)
		return fail(err, sock, "netns %lu: cannot enter it: %s", (unsigned long)st.st_ino, strerror(-sock));
	r = cookie_of_socket(sock, &id->cookie);
	if (r)
		return fail(err, r, "netns: no SO_NETNS_COOKIE (%s): the kernel is older than 5.14", strerror(-r));
	id->inum = (uint32_t)st.st_ino;
	return 0;
}

int netns_self(struct netns_id *id, struct err *err)
{
	_cleanup_close_ int fd = open_path("/proc/thread-self/ns/net", err);

	return fd < 0 ? fd : netns_identify(fd, id, err);
}

/* ---- the walk over all of them ---- */

struct walk {
	uint32_t *seen;
	size_t count, room;
	int (*visit)(int fd, const struct netns_id *id, void *ctx);
	void *ctx;
};

static bool seen_before(struct walk *w, uint32_t inum)
{
	for (size_t i = 0; i < w->count; i++)
		if (w->seen[i] == inum)
			return true;
	return false;
}

static int remember(struct walk *w, uint32_t inum)
{
	uint32_t *to = list_place(&w->seen, &w->room, w->count, sizeof(*to));

	if (!to)
		return -ENOMEM;
	*to = inum;
	w->count++;
	return 0;
}

/* What vanishes while it is looked at is passed over: it no longer holds anything. */
static int visit_path(struct walk *w, const char *path)
{
	_cleanup_close_ int fd = -1;
	struct netns_id id;
	struct stat st;
	int r;

	if (stat(path, &st) || seen_before(w, (uint32_t)st.st_ino))
		return 0;
	fd = open_path(path, NULL);
	if (fd < 0 || netns_identify(fd, &id, NULL) || seen_before(w, id.inum))
		return 0;
	r = remember(w, id.inum);
	return r ? r : w->visit(fd, &id, w->ctx);
}

/* Visits PREFIX/ENTRY SUFFIX for each entry of a folder; in /proc only those that are processes. */
static int visit_dir(struct walk *w, const char *prefix, const char *suffix, bool numbers_only)
{
	_cleanup_closedir_ DIR *dir = opendir(prefix);
	struct dirent *entry;
	char path[512];
	int r;

	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || (numbers_only && strspn(entry->d_name, "0123456789") == 0))
			continue;
		if (try_snprintf(path, sizeof(path), "%s/%s%s", prefix, entry->d_name, suffix))
			continue;
		r = visit_path(w, path);
		if (r)
			return r;
	}
	return 0;
}

int netns_for_each(int (*visit)(int fd, const struct netns_id *id, void *ctx), void *ctx)
{
	struct walk w = { .visit = visit, .ctx = ctx };
	int r;

	r = visit_path(&w, "/proc/thread-self/ns/net");
	if (!r)
		r = visit_dir(&w, NETNS_DIR, "", false);
	if (!r)
		r = visit_dir(&w, "/proc", "/ns/net", true);
	free(w.seen);
	return r;
}

struct cookie_search {
	uint64_t cookie;
	int fd;
};

static int match_cookie(int fd, const struct netns_id *id, void *ctx)
{
	struct cookie_search *s = ctx;

	if (id->cookie != s->cookie)
		return 0;
	s->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return 1;
}

int netns_open_cookie(uint64_t cookie)
{
	struct cookie_search s = { .cookie = cookie, .fd = -ENOENT };
	int r = netns_for_each(match_cookie, &s);

	return r < 0 ? r : s.fd;
}

void netns_name(uint32_t inum, char *to, size_t size)
{
	_cleanup_closedir_ DIR *dir = opendir(NETNS_DIR);
	struct dirent *entry;
	struct stat st;

	to[0] = '\0';
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || fstatat(dirfd(dir), entry->d_name, &st, 0) || st.st_ino != inum)
			continue;
		if (!try_snprintf(to, size, "%s", entry->d_name))
			return;
		to[0] = '\0';
	}
}

/* The first process that is in it, as the kernel lists them. */
static bool describe_process(uint32_t inum, char *to, size_t size)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc");
	char path[64], comm[32];
	struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir))) {
		if (strspn(entry->d_name, "0123456789") == 0 ||
		    try_snprintf(path, sizeof(path), "/proc/%.16s/ns/net", entry->d_name) || stat(path, &st) ||
		    st.st_ino != inum)
			continue;
		snprintf(path, sizeof(path), "/proc/%.16s/comm", entry->d_name);
		if (read_line(path, comm, sizeof(comm)))
			continue; /* it has just ended */
		snprintf(to, size, "process %s (%s)", entry->d_name, comm);
		return true;
	}
	return false;
}

void netns_describe(uint32_t inum, char *to, size_t size)
{
	netns_name(inum, to, size);
	if (!to[0] && !describe_process(inum, to, size))
		snprintf(to, size, "netns %u", inum);
}
