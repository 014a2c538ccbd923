// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "alone/alone.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/util.h"

#define ANSWER_MAX (1 << 16)
#define CALL_SECONDS 150 /* more than any wait of the transaction */

/* What the child tells. */
struct said {
	bool success, broken;
	char answer[ANSWER_MAX];
};

struct alone {
	char folder[256];
	char plugins[PATH_MAX]; /* CNI_PATH */
	struct said *said;
};

/* Also for the hooks, whose context is theirs. */
static const struct alone *of_hooks;

const char *alone_path(const struct alone *a, const char *name)
{
	static char paths[4][PATH_MAX];
	static size_t next;
	char *path = paths[next++ % ARRAY_SIZE(paths)];

	snprintf(path, PATH_MAX, "%s/%s", a->folder, name);
	return path;
}

/* The IPAM plugin lies beside the program. */
static int find_plugins(struct alone *a)
{
	char own[PATH_MAX / 2];
	ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);

	if (len < 0)
		return -errno;
	own[len] = '\0';
	*strrchr(own, '/') = '\0';
	return try_snprintf(a->plugins, sizeof(a->plugins), "%s:/usr/lib/cni", own);
}

int alone_open(struct alone **alone, const char *folder, struct err *err)
{
	_cleanup_(alone_close) struct alone *a = calloc(1, sizeof(*a));
	int r = a ? try_snprintf(a->folder, sizeof(a->folder), "%s", folder) : -ENOMEM;

	if (!r)
		r = make_dirs(alone_path(a, "claims"));
	if (!r)
		r = make_dirs(alone_path(a, "leases"));
	if (!r)
		r = find_plugins(a);
	if (r)
		return fail(err, r, "%s: %s", folder, strerror(-r));
	a->said = mmap(NULL, sizeof(*a->said), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (a->said == MAP_FAILED)
		return fail(err, -errno, "mmap: %s", strerror(errno));
	of_hooks = a;
	*alone = take_ptr(a);
	return 0;
}

void alone_close(struct alone **alone)
{
	struct alone *a = *alone;

	*alone = NULL;
	if (!a)
		return;
	if (a->said && a->said != MAP_FAILED)
		munmap(a->said, sizeof(*a->said));
	free(a);
}

/* ---- hooks ---- */

static const char *claim_path(const char *device)
{
	char name[128];

	snprintf(name, sizeof(name), "claims/%s", device);
	return alone_path(of_hooks, name);
}

/* Not by the calls that fail on demand (calls.c): what of it can fail is the point attach.claim. */
static int claim(const struct attach_claim *claim, struct err *err, void *ctx)
{
	const char *path = claim_path(claim->device);
	_cleanup_close_ int fd = openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char owner[512] = "";

	(void)ctx;
	if (fd < 0 || read(fd, owner, sizeof(owner) - 1) < 0)
		return fail(err, -errno, "claim: %s", strerror(errno));
	owner[strcspn(owner, "\n")] = '\0';
	if (owner[0])
		return strcmp(owner, claim->owner) ? fail(err, -EEXIST, "claimed by %s", owner) : 0;
	return dprintf(fd, "%s\n", claim->owner) > 0 ? 0 : fail(err, -EIO, "claim: it cannot be written");
}

static void release(const char *device, void *ctx)
{
	(void)ctx;
	if (unlinkat(AT_FDCWD, claim_path(device), 0) && errno != ENOENT)
		abort();
}

static bool clean(const char *device, bool netdev, char *why, size_t size, void *ctx)
{
	(void)device, (void)netdev, (void)why, (void)size, (void)ctx;
	return true;
}

static void fault(const char *text, void *ctx)
{
	(void)ctx;
	fprintf(stderr, "fault: %s\n", text);
}

/* ---- the child ---- */

static size_t count_descriptors(void)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	while (dir && readdir(dir))
		count++;
	return count;
}

static ino_t own_netns(void)
{
	struct stat st;

	return stat("/proc/thread-self/ns/net", &st) ? 0 : st.st_ino;
}

/* The call itself, and only that, sees the wish. */
static void do_call(const struct alone *a, struct attach *attach, const struct alone_call *call)
{
	char netns[64], args[128];
	const struct cni_variables variables = { .command = call->command,
						 .container_id = call->pod,
						 .netns = netns,
						 .ifname = "net1",
						 .args = args,
						 .path = a->plugins };
	_cleanup_free_ char *answer = NULL;

	snprintf(netns, sizeof(netns), "/run/netns/%s", call->pod);
	snprintf(args, sizeof(args), "IgnoreUnknown=1;K8S_POD_NAMESPACE=ml;K8S_POD_NAME=%s", call->pod);
	if (call->fault)
		setenv("WARDEN_FAULT", call->fault, 1);
	if (call->trace)
		setenv("WARDEN_FAULT_TRACE", call->trace, 1);
	if (call->command)
		a->said->success = attach_call(attach, &variables, call->config, strlen(call->config), &answer);
	else
		attach_recover(attach);
	unsetenv("WARDEN_FAULT");
	unsetenv("WARDEN_FAULT_TRACE");
	a->said->success |= !call->command;
	snprintf(a->said->answer, sizeof(a->said->answer), "%s", answer ? answer : "");
}

static int run(const struct alone *a, const struct alone_call *call)
{
	const struct attach_options options = {
		.state_dir = a->folder,
		.ipam_ms = 100000,
		.hooks = { .claim = claim, .release = release, .clean = clean, .fault = fault }
	};
	size_t descriptors = count_descriptors();
	ino_t netns = own_netns();
	struct attach *attach;
	struct err err;

	if (attach_open(&attach, &options, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return EXIT_FAILURE;
	}
	do_call(a, attach, call);
	attach_close(attach);
	if (count_descriptors() == descriptors && own_netns() == netns)
		return EXIT_SUCCESS;
	fputs("the call has left a descriptor open, or its thread in another netns\n", stderr);
	return EXIT_FAILURE;
}

static void be_child(const struct alone *a, const struct alone_call *call)
{
	int log = open(alone_path(a, "log"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (log < 0 || dup2(log, STDERR_FILENO) < 0)
		exit(EXIT_FAILURE);
	close(log);
	alarm(CALL_SECONDS);
	exit(run(a, call));
}

enum alone_end alone_call(struct alone *a, const struct alone_call *call, const char **answer)
{
	int status;
	pid_t pid;

	a->said->success = false;
	a->said->answer[0] = '\0';
	fflush(stdout);
	pid = fork();
	if (!pid)
		be_child(a, call);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return ALONE_BROKEN;
	if (answer)
		*answer = a->said->answer;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return ALONE_KILLED;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return ALONE_BROKEN;
	return a->said->success ? ALONE_DONE : ALONE_REFUSED;
}

const char *alone_end_name(enum alone_end end)
{
	static const char *const names[] = { "done", "refused", "killed", "broken" };

	return names[end];
}

void alone_print_log(const struct alone *a)
{
	_cleanup_fclose_ FILE *file = fopen(alone_path(a, "log"), "re");
	char line[1024];

	while (file && fgets(line, sizeof(line), file))
		printf("    %s%s", line, strchr(line, '\n') ? "" : "\n");
}

/* ---- pods ---- */

static int pin_own_netns(const char *path)
{
	if (unshare(CLONE_NEWNET) || mount("/proc/self/ns/net", path, "none", MS_BIND, NULL))
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}

int alone_pod_new(const char *pod)
{
	char path[64];
	int fd, status;
	pid_t pid;

	snprintf(path, sizeof(path), "/run/netns/%s", pod);
	fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	if (fd < 0)
		return -errno;
	close(fd);
	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(pin_own_netns(path));
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status ? 0 : -EIO;
}

void alone_pod_end(const char *pod)
{
	char path[64];

	snprintf(path, sizeof(path), "/run/netns/%s", pod);
	umount2(path, MNT_DETACH);
	unlink(path);
}
