// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "kube/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/list.h"
#include "lib/util.h"

#define PROC_PID_INIT_INO 0xeffffffcU /* include/linux/proc_ns.h: the same on each kernel */

/* A line a hierarchy, of at most PATH_MAX; the paths of a node are far shorter than that. */
#define CGROUP_TEXT_MAX 65536

struct pass {
	struct scan *scan;
	const char *base;
	int proc, cgroups;
	size_t max_containers, pod_room, container_room;
	char text[CGROUP_TEXT_MAX];
};

/* A process by its open folder in /proc, which is never that of another, whatever becomes of the PID. */
struct process {
	pid_t pid;
	int dir;
};

/* ---- what is asked of a process: false when it has ended ---- */

static ssize_t read_text(int dir, const char *name, char *to, size_t size)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, to, size - 1);

	if (len < 0 || (size_t)len == size - 1)
		return -1;
	to[len] = '\0';
	return len;
}

static bool read_netns(int dir, const char *name, struct netns_id *netns)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && !netns_identify(fd, netns, NULL);
}

/* Of one whose first thread has ended before the others, by those: what is left of that one is in no netns. */
static bool read_process_netns(int dir, struct netns_id *netns)
{
	_cleanup_close_ int task = -1;
	_cleanup_closedir_ DIR *threads = NULL;
	struct dirent *entry;
	char path[300];

	if (read_netns(dir, "ns/net", netns))
		return true;
	task = openat(dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	threads = task < 0 ? NULL : fdopendir(task);
	if (!threads)
		return false;
	take_fd(&task);
	while ((entry = readdir(threads)))
		if (!try_snprintf(path, sizeof(path), "%s/ns/net", entry->d_name) && entry->d_name[0] != '.' &&
		    read_netns(dirfd(threads), path, netns))
			return true;
	return false;
}

/* proc_pid_stat(5): field 22. The name before it, in parentheses, may have parentheses and blanks itself. */
static bool read_started(int dir, uint64_t *started)
{
	char text[1024], *field;

	if (read_text(dir, "stat", text, sizeof(text)) < 0)
		return false;
	field = strrchr(text, ')');
	for (int i = 2; field && i < 22; i++)
		field = strchr(field + 1, ' ');
	if (!field)
		return false;
	field[1 + strcspn(field + 1, " \n")] = '\0';
	return !parse_u64(field + 1, 10, 0, UINT64_MAX, started);
}

/* ---- pods and containers ---- */

static bool container_known(const struct scan *s, const struct cgroup_pod *whose)
{
	for (size_t i = 0; i < s->container_count; i++)
		if (!strcmp(s->containers[i].id, whose->container) &&
		    !strcmp(s->pods[s->containers[i].pod].uid, whose->uid))
			return true;
	return false;
}

/* Zeros when that is not the root of a hierarchy, below which the path counts from. */
static struct cgroup_ref pod_cgroup(const struct pass *p, const struct cgroup_pod *whose)
{
	struct cgroup_ref ref = { 0 };
	char path[PATH_MAX];
	struct stat st;

	if (p->cgroups < 0 || !whose->unified || whose->pod_len == 0)
		return ref;
	memcpy(path, whose->path, whose->pod_len);
	path[whose->pod_len] = '\0';
	if (fstatat(p->cgroups, path + 1, &st, 0))
		return ref;
	ref.id = st.st_ino;
	for (size_t i = 0; i < whose->pod_len; i++)
		ref.level += path[i] == '/';
	return ref;
}

/* Its index, or -errno. */
static ssize_t pod_of(struct pass *p, const struct cgroup_pod *whose)
{
	struct scan *s = p->scan;
	struct scan_pod *pod;

	for (size_t i = 0; i < s->pod_count; i++)
		if (!strcmp(s->pods[i].uid, whose->uid))
			return (ssize_t)i;
	pod = list_place(&s->pods, &p->pod_room, s->pod_count, sizeof(*pod));
	if (!pod)
		return -ENOMEM;
	*pod = (struct scan_pod){ .qos = whose->qos, .cgroup = pod_cgroup(p, whose) };
	memcpy(pod->uid, whose->uid, sizeof(pod->uid));
	return (ssize_t)s->pod_count++;
}

static void settle_pod(struct scan *s, const struct scan_container *container)
{
	struct scan_pod *pod = &s->pods[container->pod];

	if (pod->pid && pod->netns.cookie != container->netns.cookie)
		pod->netns_differ = true;
	if (pod->pid && pod->started <= container->started)
		return;
	pod->pid = container->pid;
	pod->started = container->started;
	pod->netns = container->netns;
	pod->host_network = pod->netns.cookie == s->host.cookie;
}

static int add_container(struct pass *p, const struct process *process, const struct cgroup_pod *whose)
{
	struct scan_container container = { .runtime = whose->runtime, .pid = process->pid };
	struct scan_container *to;
	struct scan *s = p->scan;
	ssize_t pod;

	if (s->container_count == p->max_containers) {
		s->cut = true;
		return 0;
	}
	if (!read_process_netns(process->dir, &container.netns) || !read_started(process->dir, &container.started))
		return 0;
	to = list_place(&s->containers, &p->container_room, s->container_count, sizeof(*to));
	if (!to)
		return -ENOMEM;
	pod = pod_of(p, whose);
	if (pod < 0)
		return (int)pod;
	container.pod = (size_t)pod;
	memcpy(container.id, whose->container, sizeof(container.id));
	*to = container;
	s->container_count++;
	settle_pod(s, &container);
	return 0;
}

/* ---- the pass ---- */

static int visit(struct pass *p, const char *name, pid_t pid)
{
	_cleanup_close_ int dir = openat(p->proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct process process = { .pid = pid, .dir = dir };
	struct cgroup_pod whose;
	int r;

	if (dir < 0 || read_text(dir, "cgroup", p->text, sizeof(p->text)) < 0)
		return 0;
	p->scan->processes++;
	r = cgroup_pod_of_process(p->text, p->base, &whose);
	if (r && r != -ENOENT)
		p->scan->unclear++;
	if (r || whose.container[0] == '\0' || container_known(p->scan, &whose))
		return 0;
	return add_container(p, &process, &whose);
}

static int visit_all(struct pass *p)
{
	_cleanup_close_ int fd = openat(p->proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint64_t pid;
	int r = 0;

	if (!dir)
		return -errno;
	take_fd(&fd);
	while (!r && (entry = readdir(dir)))
		if (!parse_u64(entry->d_name, 10, 1, INT_MAX, &pid))
			r = visit(p, entry->d_name, (pid_t)pid);
	return r;
}

static int open_proc(struct pass *p, const char *proc, struct err *err)
{
	struct stat st;

	p->proc = open(proc, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->proc < 0 || fstatat(p->proc, "1/ns/pid", &st, 0))
		return fail(err, -errno, "%s: what process 1 is in cannot be told: %s", proc, strerror(errno));
	if (st.st_ino != PROC_PID_INIT_INO)
		return fail(err, -EXDEV, "%s: it shows a pid namespace, not the node: hostPID is needed", proc);
	if (!read_netns(p->proc, "1/ns/net", &p->scan->host))
		return fail(err, -EACCES, "%s: the netns of process 1 cannot be told", proc);
	return 0;
}

/* -1 when that is not the root of the v2 hierarchy: an id would not be what the programs see, nor a level. */
static int open_cgroups(const char *root)
{
	_cleanup_close_ int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;
	struct stat st;

	if (fd < 0 || fstatfs(fd, &fs) || fs.f_type != CGROUP2_SUPER_MAGIC || fstat(fd, &st) || st.st_ino != 1)
		return -1;
	return take_fd(&fd);
}

int scan_node(const struct scan_options *options, struct scan *scan, struct err *err)
{
	const char *proc = options->proc ? options->proc : "/proc";
	_cleanup_free_ struct pass *p = malloc(sizeof(*p));
	int r;

	*scan = (struct scan){ 0 };
	if (!p)
		return fail(err, -ENOMEM, "the processes cannot be looked at: out of memory");
	*p = (struct pass){ .scan = scan, .base = options->base, .proc = -1 };
	p->max_containers = options->max_containers ? options->max_containers : SCAN_MAX_CONTAINERS;
	p->cgroups = open_cgroups(options->cgroups ? options->cgroups : CGROUP_ROOT);
	r = open_proc(p, proc, err);
	if (!r) {
		r = visit_all(p);
		if (r)
			fail(err, r, "%s: the processes cannot be looked at: %s", proc, strerror(-r));
	}
	util_close(&p->proc);
	util_close(&p->cgroups);
	return r;
}

void scan_free(struct scan *scan)
{
	free(scan->pods);
	free(scan->containers);
	*scan = (struct scan){ 0 };
}

const struct scan_pod *scan_pod_by_uid(const struct scan *scan, const char *uid)
{
	for (size_t i = 0; i < scan->pod_count; i++)
		if (!strcmp(scan->pods[i].uid, uid))
			return &scan->pods[i];
	return NULL;
}

const struct scan_pod *scan_pod_by_netns(const struct scan *scan, uint64_t cookie)
{
	for (size_t i = 0; i < scan->pod_count; i++)
		if (scan->pods[i].netns.cookie == cookie && !scan->pods[i].host_network)
			return &scan->pods[i];
	return NULL;
}
