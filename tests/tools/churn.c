// SPDX-License-Identifier: Apache-2.0
/*
 * Test code: stands for a kubelet and its runtime that make and end many pods: each is a process in a netns of its own and in a
 * cgroup of the kubelet's form (pkg/kubelet/cm: both drivers, the three QoS classes, by turns), that executes a program.
 *
 *   churn PROGRAM [ARG…]     commands come on standard input, a line each, and are answered by lines:
 *
 *     make COUNT               these stay until "drop"            made COUNT
 *     run RATE SECONDS LIVE    RATE a second; when there are      ran COUNT MILLISECONDS
 *                              LIVE of them the oldest ends
 *     list                     who lives, in the order of birth   pod NAMESPACE NAME UID CONTAINER PID NETNS …, end
 *     drop                     all end                            dropped COUNT
 *
 * Among the names is every character that a pod's name can have, and one in seven is as long as can be. With the input's end all
 * pods end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/cgroup.h"
#include "lib/util.h"

#define PODS_MAX 1024 /* at one time */
#define RATE_MAX 1000
#define SECONDS_MAX 600
#define NAME_LEN 253

struct pod {
	unsigned int number; /* all that there is of it is derived from that */
	pid_t pid;
	uint64_t netns;
};

struct list {
	struct pod pods[PODS_MAX];
	size_t first, count; /* a ring */
};

static struct list staying, passing;
static unsigned int next_number = 1;
static char **program;
static int null_fd = -1;

static void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
static void die(const char *fmt, ...)
{
	va_list args;

	fputs("churn: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

/* ---- what a pod is called ---- */

static void uid_of(unsigned int number, char dash, char uid[40])
{
	snprintf(uid, 40, "%08x%c0000%c4000%c8000%c%012x", number, dash, dash, dash, dash, number);
}

/* Begins and ends with a letter; what is between the dots does, too (RFC 1123). */
static void name_of(unsigned int number, char name[NAME_LEN + 1])
{
	static const char all[] = "a-b.c0-1.2d-3e.4f-5g.6h-7i.8j-9k.l--m.n.o.p.q.r.s.t.u.v.w.x.y.z";
	int len = snprintf(name, NAME_LEN + 1, "p%u-%s", number, all);

	if (number % 7)
		return;
	while (len + 2 <= NAME_LEN) {
		name[len] = len % 60 ? 'x' : '.';
		name[len + 1] = 'x';
		len += 2;
	}
	name[len] = '\0';
}

/* Of the pod, and behind `container_at` of its container. */
static void cgroup_of(unsigned int number, char path[PATH_MAX], size_t *container_at)
{
	static const char *classes[] = { "", "burstable", "besteffort" };
	const char *class = classes[number / 2 % 3];
	bool systemd = number % 2;
	char uid[40];
	int len;

	uid_of(number, systemd ? '_' : '-', uid);
	if (!systemd)
		len = snprintf(path, PATH_MAX, CGROUP_ROOT "/kubepods%s%s/pod%s", *class ? "/" : "", class, uid);
	else if (*class)
		len = snprintf(path, PATH_MAX, CGROUP_ROOT "/kubepods.slice/kubepods-%s.slice/kubepods-%s-pod%s.slice",
			       class, class, uid);
	else
		len = snprintf(path, PATH_MAX, CGROUP_ROOT "/kubepods.slice/kubepods-pod%s.slice", uid);
	*container_at = (size_t)len;
	snprintf(path + len, PATH_MAX - (size_t)len, systemd ? "/cri-containerd-%064x.scope" : "/%064x", number);
}

/* ---- a pod's beginning and end ---- */

/* In the child: nothing of the churn's own goes along. */
static void become_pod(void)
{
	for (int fd = 0; fd <= 2; fd++)
		dup2(null_fd, fd);
	execv(program[0], program);
	_exit(127);
}

static uint64_t netns_of(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	return stat(path, &st) ? 0 : st.st_ino;
}

static struct pod pod_begin(void)
{
	struct pod pod = { .number = next_number++ };
	_cleanup_close_ int cgroup = -1;
	struct clone_args args = { .flags = CLONE_INTO_CGROUP | CLONE_NEWNET, .exit_signal = SIGCHLD };
	char path[PATH_MAX];
	size_t container_at;
	int r;

	cgroup_of(pod.number, path, &container_at);
	r = make_dirs(path);
	cgroup = r ? -1 : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (cgroup < 0)
		die("%s: %s", path, strerror(r ? -r : errno));
	args.cgroup = (uint64_t)cgroup;
	pod.pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pod.pid < 0)
		die("a pod cannot be made: %s", strerror(errno));
	if (!pod.pid)
		become_pod();
	pod.netns = netns_of(pod.pid);
	return pod;
}

static void pod_end(const struct pod *pod)
{
	char path[PATH_MAX];
	size_t container_at;

	kill(pod->pid, SIGKILL);
	if (waitpid(pod->pid, NULL, 0) != pod->pid)
		die("pod %u was not there any more: %s", pod->number, strerror(errno));
	cgroup_of(pod->number, path, &container_at);
	if (rmdir(path))
		die("%s: %s", path, strerror(errno));
	path[container_at] = '\0';
	if (rmdir(path))
		die("%s: %s", path, strerror(errno));
}

static void list_add(struct list *list)
{
	if (list->count == PODS_MAX)
		die("more than %d pods", PODS_MAX);
	list->pods[(list->first + list->count) % PODS_MAX] = pod_begin();
	list->count++;
}

static void list_drop(struct list *list)
{
	pod_end(&list->pods[list->first]);
	list->first = (list->first + 1) % PODS_MAX;
	list->count--;
}

/* ---- commands ---- */

static void make(unsigned int count)
{
	for (unsigned int n = 0; n < count; n++)
		list_add(&staying);
	printf("made %u\n", count);
}

static void sleep_until(uint64_t ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000) };

	while (clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

/* A machine that is too slow makes fewer in a longer time, and that is said. */
static void run(unsigned int rate, unsigned int seconds, unsigned int live)
{
	uint64_t begin = boot_ns();
	unsigned int count = rate * seconds;

	for (unsigned int n = 0; n < count; n++) {
		sleep_until(begin + (uint64_t)n * 1000000000 / rate);
		if (passing.count >= live)
			list_drop(&passing);
		list_add(&passing);
	}
	printf("ran %u %llu\n", count, (unsigned long long)(boot_ns() - begin) / 1000000);
}

static void tell(const struct list *list)
{
	for (size_t n = 0; n < list->count; n++) {
		const struct pod *pod = &list->pods[(list->first + n) % PODS_MAX];
		char uid[40], name[NAME_LEN + 1];

		uid_of(pod->number, '-', uid);
		name_of(pod->number, name);
		printf("pod churn %s %s %064x %d %llu\n", name, uid, pod->number, pod->pid,
		       (unsigned long long)pod->netns);
	}
}

static unsigned int drop(void)
{
	unsigned int count = 0;

	for (; staying.count; count++)
		list_drop(&staying);
	for (; passing.count; count++)
		list_drop(&passing);
	return count;
}

static void obey(const char *line)
{
	unsigned int count, rate, seconds, live;

	if (sscanf(line, "make %u", &count) == 1) {
		make(count);
	} else if (sscanf(line, "run %u %u %u", &rate, &seconds, &live) == 3) {
		if (!rate || rate > RATE_MAX || seconds > SECONDS_MAX || !live)
			die("out of range: %s", line);
		run(rate, seconds, live);
	} else if (!strcmp(line, "list\n")) {
		tell(&staying);
		tell(&passing);
		puts("end");
	} else if (!strcmp(line, "drop\n")) {
		printf("dropped %u\n", drop());
	} else {
		die("unknown: %s", line);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char line[128];

	if (argc < 2)
		die("usage: churn PROGRAM [ARG…]");
	program = argv + 1;
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fgets(line, sizeof(line), stdin))
		obey(line);
	drop();
	return 0;
}
