// SPDX-License-Identifier: Apache-2.0
/*
 * Runs the tables of vectors. Each vector is done by a process of its own in each of its roles, and once more by the
 * role of its control; each run is a line of JSON: who did what and what came of it. Whether that is as it should be
 * is for the script to say, which knows the mode and reads the events.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define ACTOR_SECONDS 20 /* then it hangs, and that is told as SIGALRM */
#define EARLY_MAX 16

/* ---- places and roles ---- */

enum place_id { PLACE_HOST, PLACE_OWNER, PLACE_OTHER, PLACE_IDLE, PLACE_COUNT };

struct place {
	const char *cgroup;
	const char *netns;
};

static struct place places[PLACE_COUNT] = { [PLACE_HOST] = { "/sys/fs/cgroup", "/proc/1/ns/net" } };

static const struct {
	const char *name;
	enum place_id cgroup, netns;
	const char *below; /* that cgroup */
	bool plain; /* the capabilities of a plain container */
} roles[ROLE_COUNT] = {
	[OWNER] = { "owner", PLACE_OWNER, PLACE_OWNER, "", false },
	[NESTED] = { "owner-nested", PLACE_OWNER, PLACE_OWNER, "/nested", false },
	[SIBLING] = { "owner-second", PLACE_OWNER, PLACE_OWNER, "/second", false },
	[HOST] = { "host", PLACE_HOST, PLACE_HOST, "", false },
	[POD] = { "pod", PLACE_OTHER, PLACE_OTHER, "", true },
	[PRIVILEGED] = { "pod-privileged", PLACE_OTHER, PLACE_OTHER, "", false },
	[IDLE] = { "pod-idle", PLACE_IDLE, PLACE_IDLE, "", false },
	[HOST_NETWORK] = { "pod-in-host-netns", PLACE_IDLE, PLACE_HOST, "", false },
	[IN_NETNS] = { "host-in-netns", PLACE_HOST, PLACE_OWNER, "", false },
	[IN_CGROUP] = { "owner-out-of-netns", PLACE_OWNER, PLACE_HOST, "", false },
};

static int write_text(const char *path, const char *text)
{
	__cleanup(close_fd) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

/* What container runtimes leave to a container that asks for nothing. */
static int drop_capabilities(void)
{
	static const int kept[] = { CAP_CHOWN,   CAP_DAC_OVERRIDE, CAP_FSETID,      CAP_FOWNER,          CAP_MKNOD,
				    CAP_NET_RAW, CAP_SETGID,       CAP_SETUID,      CAP_SETFCAP,         CAP_SETPCAP,
				    CAP_KILL,    CAP_SYS_CHROOT,   CAP_AUDIT_WRITE, CAP_NET_BIND_SERVICE };
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		data[CAP_TO_INDEX(kept[i])].permitted |= CAP_TO_MASK(kept[i]);
		data[CAP_TO_INDEX(kept[i])].effective |= CAP_TO_MASK(kept[i]);
	}
	return syscall(__NR_capset, &header, data) ? -errno : 0;
}

static int become(enum role role)
{
	__cleanup(close_fd) int netns = open(places[roles[role].netns].netns, O_RDONLY | O_CLOEXEC);
	char path[PATH_MAX];
	int err;

	snprintf(path, sizeof(path), "%s%s/cgroup.procs", places[roles[role].cgroup].cgroup, roles[role].below);
	err = write_text(path, "0");
	if (err)
		return err;
	if (netns < 0 || setns(netns, CLONE_NEWNET))
		return -errno;
	return roles[role].plain ? drop_capabilities() : 0;
}

/* ---- what the vectors use ---- */

int skip(struct scene *s, const char *why)
{
	snprintf(s->result->skipped, sizeof(s->result->skipped), "%s", why);
	return 0;
}

int say(struct scene *s, int number)
{
	return write(s->sock, &number, sizeof(number)) == sizeof(number) ? 0 : -EPIPE;
}

int hear(struct scene *s)
{
	int number;

	s->c.step = "the other side";
	return read(s->sock, &number, sizeof(number)) == sizeof(number) ? number : -EPIPE;
}

void wait_for_end(struct scene *s)
{
	char byte;

	while (read(s->sock, &byte, 1) > 0)
		;
}

int use_fd(struct scene *s, int fd)
{
	if (fd < 0) {
		s->c.step = "open";
		return -errno;
	}
	s->c.fd = fd;
	return get_context(&s->c);
}

int compat_call(int number, unsigned long a, unsigned long b, unsigned long c)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"((long)number), "b"(a), "c"(b), "d"(c)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}

void *low_memory(void)
{
	void *at = mmap(NULL, LOW_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* ---- one run ---- */

struct run {
	const struct vector *vector;
	enum role role;
	const char *kind; /* attack, control or allowed */
	struct scene scene;
	pid_t actor;
};

/* Early actors say by the first that their beginning is done, and wait for the end of the second. */
struct gate {
	int ready[2];
	int go[2];
};

static int map_result(struct scene *s)
{
	s->result = mmap(NULL, sizeof(*s->result), PROT_READ | PROT_WRITE, MAP_SHARED, s->result_fd, 0);
	return s->result == MAP_FAILED ? -errno : 0;
}

static _Noreturn void finish(struct scene *s, int err)
{
	s->result->err = err;
	snprintf(s->result->step, sizeof(s->result->step), "%s", s->c.step);
	s->result->done = true;
	_exit(0);
}

static void wait_at(const struct gate *gate)
{
	char byte = 0;

	close(gate->go[1]);
	if (write(gate->ready[1], &byte, 1) != 1)
		_exit(1);
	while (read(gate->go[0], &byte, 1) > 0)
		;
}

static _Noreturn void actor(struct run *run, const struct gate *gate)
{
	const struct vector *v = run->vector;
	struct scene *s = &run->scene;
	int err = 0;

	if (v->before) {
		err = become(gate ? run->role : OWNER);
		if (!err)
			err = v->before(s);
	}
	s->result->pid = getpid();
	if (gate)
		wait_at(gate);
	alarm(ACTOR_SECONDS);
	if (!err && !gate) {
		s->c.step = "become";
		err = become(run->role);
	}
	finish(s, err ? err : v->act(s));
}

static _Noreturn void accomplice(struct run *run)
{
	alarm(ACTOR_SECONDS);
	if (!become(OWNER))
		run->vector->owner(&run->scene);
	_exit(0);
}

static pid_t spawn(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		perror("attack: fork");
		exit(2);
	}
	return pid;
}

static void start(struct run *run, const struct gate *gate)
{
	struct scene *s = &run->scene;
	int pair[2];

	s->result_fd = memfd_create("result", 0);
	if (s->result_fd < 0 || ftruncate(s->result_fd, sizeof(*s->result)) || map_result(s) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) || uring_open(&s->ring)) {
		perror("attack: a run");
		exit(2);
	}
	if (run->vector->owner) {
		s->owner = spawn();
		if (!s->owner) {
			s->sock = pair[0];
			close(pair[1]);
			accomplice(run);
		}
	}
	run->actor = spawn();
	if (!run->actor) {
		s->sock = pair[1];
		close(pair[0]);
		actor(run, gate);
	}
	close(pair[0]);
	close(pair[1]);
	close(s->ring.fd);
}

static const char *outcome(const struct result *r, int status)
{
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGKILL ? "SIGKILL" : WTERMSIG(status) == SIGALRM ? "hangs" : "died";
	if (!r->done)
		return "died";
	if (r->skipped[0])
		return "skipped";
	return r->err ? strerrorname_np(-r->err) : "ok";
}

static void print_run(const struct run *run, int status)
{
	const struct vector *v = run->vector;
	const struct result *r = run->scene.result;
	bool named = !v->deviceless && v->need != NEED_CM;

	printf("{\"vector\":\"%s\",\"what\":\"%s\",\"feature\":\"%s\",\"rule\":\"%s\",\"device\":\"%s\",\"role\":\"%"
	       "s\","
	       "\"kind\":\"%s\",\"pid\":%d,\"outcome\":\"%s\",\"step\":\"%s\",\"reason\":\"%s\"}\n",
	       v->name, v->what, v->feature, v->rule ? v->rule : "", named ? run->scene.device : "",
	       roles[run->role].name, run->kind, r->pid ? r->pid : run->actor, outcome(r, status), r->step, r->skipped);
}

static void end(struct run *run)
{
	int status = 0;

	waitpid(run->actor, &status, 0);
	if (run->scene.owner)
		waitpid(run->scene.owner, NULL, 0);
	print_run(run, status);
	munmap(run->scene.result, sizeof(*run->scene.result));
	close(run->scene.result_fd);
}

/* ---- all runs ---- */

static const struct vector *const tables[] = { open_vectors, descriptor_vectors, node_vectors, netlink_vectors };

struct request {
	struct scene scene;
	const char *nodes[NEED_COUNT]; /* NULL: none here */
	const char *gate, *only;
};

static bool wanted(const struct request *q, const struct vector *v)
{
	return !q->only || !strncmp(v->name, q->only, strlen(q->only));
}

static struct run new_run(const struct request *q, const struct vector *v, enum role role, const char *kind)
{
	struct run run = { .vector = v, .role = role, .kind = kind, .scene = q->scene };

	run.scene.node = q->nodes[v->need];
	return run;
}

static void run_in(const struct request *q, const struct vector *v, enum role role, const char *kind)
{
	struct run run = new_run(q, v, role, kind);

	start(&run, NULL);
	end(&run);
}

static void skip_vector(const struct request *q, const struct vector *v)
{
	struct result none = { .done = true, .skipped = "there is no such node" };
	struct run run = new_run(q, v, HOST, "attack");

	run.scene.result = &none;
	print_run(&run, 0);
}

static void run_vector(const struct request *q, const struct vector *v)
{
	if (!q->nodes[v->need]) {
		skip_vector(q, v);
		return;
	}
	for (enum role role = 0; role < ROLE_COUNT; role++) {
		if (!v->early && v->roles & R(role))
			run_in(q, v, role, v->rule ? "attack" : "allowed");
		if (v->control & R(role))
			run_in(q, v, role, "control");
	}
}

typedef void (*visitor)(const struct request *q, const struct vector *v, void *ctx);

static void each_vector(const struct request *q, visitor visit, void *ctx)
{
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		for (const struct vector *v = tables[i]; v->name; v++)
			if (wanted(q, v))
				visit(q, v, ctx);
}

struct early {
	struct run runs[EARLY_MAX];
	size_t count;
	struct gate gate;
};

static void start_early(const struct request *q, const struct vector *v, void *ctx)
{
	struct early *early = ctx;

	if (!v->early || early->count == EARLY_MAX)
		return;
	early->runs[early->count] = new_run(q, v, HOST, "attack");
	start(&early->runs[early->count++], &early->gate);
}

/*
 * The gate is a FIFO: whoever opens it for writing goes on when all early descriptors are open, and what he does until
 * he closes it (claim the device) comes before their use.
 */
static void run_early(const struct request *q)
{
	__cleanup(close_fd) int fifo = -1;
	struct early early = { 0 };
	char byte;

	if (pipe2(early.gate.ready, O_CLOEXEC) || pipe2(early.gate.go, O_CLOEXEC)) {
		perror("attack: pipe");
		exit(2);
	}
	each_vector(q, start_early, &early);
	for (size_t i = 0; i < early.count; i++)
		if (read(early.gate.ready[0], &byte, 1) != 1)
			break;
	if (q->gate) {
		fifo = open(q->gate, O_RDONLY | O_CLOEXEC);
		while (read(fifo, &byte, 1) > 0)
			;
	}
	close(early.gate.go[1]);
	for (size_t i = 0; i < early.count; i++)
		end(&early.runs[i]);
}

static void visit_run(const struct request *q, const struct vector *v, void *ctx)
{
	(void)ctx;
	run_vector(q, v);
}

static int make_containers(bool make)
{
	static const enum role containers[] = { NESTED, SIBLING };

	for (size_t i = 0; i < ARRAY_SIZE(containers); i++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s%s", places[PLACE_OWNER].cgroup, roles[containers[i]].below);
		if (make ? mkdir(path, 0755) && errno != EEXIST : rmdir(path)) {
			perror(path);
			return 2;
		}
	}
	return 0;
}

static int run_all(const struct request *q)
{
	if (make_containers(true))
		return 2;
	run_early(q);
	each_vector(q, visit_run, NULL);
	return make_containers(false);
}

/* The program that kept.exec has executed: it has the descriptor and nothing else. */
static int run_use(int fd, int result_fd)
{
	struct scene s = { .c = { .fd = fd, .step = "after exec" }, .result_fd = result_fd };

	if (map_result(&s))
		return 2;
	finish(&s, act_ioctl(&s));
}

/* ---- command line ---- */

static void usage(FILE *to)
{
	fputs("usage: attack --node N --device NAME --index I --owner PLACE --other PLACE --idle PLACE [--second N]\n"
	      "              [--free N] [--umad N] [--issm N] [--cm N] [--exclusive] [--gate FIFO] [--only PREFIX]\n"
	      "       attack work NODE ROUNDS\n"
	      "       attack flood NODE OPENS\n"
	      "PLACE: CGROUP-FOLDER:NETNS-FILE. Each run of a vector is a line of JSON.\n",
	      to);
}

static void set_place(enum place_id id, char *text)
{
	char *colon = strchr(text, ':');

	if (!colon) {
		usage(stderr);
		exit(2);
	}
	*colon = '\0';
	places[id] = (struct place){ text, colon + 1 };
}

static const struct option options[] = {
	{ "free", required_argument, NULL, 'f' },   { "node", required_argument, NULL, 'n' },
	{ "second", required_argument, NULL, '2' }, { "umad", required_argument, NULL, 'u' },
	{ "issm", required_argument, NULL, 'i' },   { "cm", required_argument, NULL, 'c' },
	{ "device", required_argument, NULL, 'd' }, { "index", required_argument, NULL, 'x' },
	{ "owner", required_argument, NULL, 'o' },  { "other", required_argument, NULL, 'p' },
	{ "idle", required_argument, NULL, 'l' },   { "gate", required_argument, NULL, 'g' },
	{ "only", required_argument, NULL, 'y' },   { "exclusive", no_argument, NULL, 'e' },
	{ "help", no_argument, NULL, 'h' },         { 0 },
};

static void set_option(struct request *q, int key, char *value)
{
	switch (key) {
	case 'n':
		q->nodes[NEED_UVERBS] = value;
		break;
	case '2':
		q->nodes[NEED_SECOND] = value;
		break;
	case 'f':
		q->nodes[NEED_FREE] = value;
		break;
	case 'u':
		q->nodes[NEED_UMAD] = value;
		break;
	case 'i':
		q->nodes[NEED_ISSM] = value;
		break;
	case 'c':
		q->nodes[NEED_CM] = value;
		break;
	case 'd':
		q->scene.device = value;
		break;
	case 'x':
		q->scene.index = (unsigned)strtoul(value, NULL, 10);
		break;
	case 'o':
		set_place(PLACE_OWNER, value);
		break;
	case 'p':
		set_place(PLACE_OTHER, value);
		break;
	case 'l':
		set_place(PLACE_IDLE, value);
		break;
	case 'g':
		q->gate = value;
		break;
	case 'y':
		q->only = value;
		break;
	case 'e':
		q->scene.exclusive = true;
		break;
	default:
		usage(key == 'h' ? stdout : stderr);
		exit(key == 'h' ? 0 : 2);
	}
}

static int run_table(int argc, char **argv)
{
	struct request q = { .scene = { .c = { .fd = -1, .step = "start", .opt = { .qps = 1 } }, .sock = -1 } };
	int key;

	while ((key = getopt_long(argc, argv, "h", options, NULL)) >= 0)
		set_option(&q, key, optarg);
	if (!q.nodes[NEED_UVERBS] || !q.scene.device || !places[PLACE_OWNER].cgroup || !places[PLACE_OTHER].cgroup ||
	    !places[PLACE_IDLE].cgroup) {
		usage(stderr);
		return 2;
	}
	return run_all(&q);
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "--use"))
		return run_use(atoi(argv[2]), atoi(argv[3]));
	if (argc == 4 && !strcmp(argv[1], "work"))
		return run_work(argv[2], strtoul(argv[3], NULL, 10));
	if (argc == 4 && !strcmp(argv[1], "flood"))
		return run_flood(argv[2], strtoul(argv[3], NULL, 10));
	signal(SIGPIPE, SIG_IGN);
	return run_table(argc, argv);
}
