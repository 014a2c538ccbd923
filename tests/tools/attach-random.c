// SPDX-License-Identifier: Apache-2.0
/*
 * Test code: pods come and go at random: ADD, DEL, CHECK and GC, pods that end without a DEL, and calls that fail or die at a
 * fault point (alone/alone.h says how calls are made). After each of them the node is what a simple model says: every VF, its
 * settings, its RDMA device, its claim, what the pods have, the journal, the leases.
 *
 *   attach-random FOLDER IPAM COUNT SEED   IPAM: that of the configuration, JSON
 *
 * What the same seed gives is the same, as far as the kernel's own timing lets it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "alone/alone.h"
#include "alone/look.h"
#include "alone/points.h"
#include "lib/util.h"

#define PODS 5
#define VFS 4 /* those of the first PF; the others must stay as they are */
#define NONE (-1)

struct pod {
	char name[8];
	bool lives; /* has a netns */
	int vf; /* that it is attached to, or NONE */
	char *result; /* of its ADD */
};

static struct world {
	struct alone *alone;
	const char *folder, *ipam;
	struct look_vfs vfs;
	struct look home;
	struct points of_add, of_del;
	struct pod pods[PODS];
	char said[256]; /* what happens */
	unsigned int calls, faults, deaths;
} world;

static unsigned int any(unsigned int below)
{
	return (unsigned int)random() % below;
}

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...)
{
	size_t len = strlen(world.said);
	va_list args;

	va_start(args, fmt);
	vsnprintf(world.said + len, sizeof(world.said) - len, fmt, args);
	va_end(args);
}

/* ---- the model ---- */

static const char *pci(int vf)
{
	return world.vfs.vf[vf].pci;
}

static struct pod *owner(int vf)
{
	for (size_t i = 0; i < PODS; i++)
		if (world.pods[i].vf == vf)
			return &world.pods[i];
	return NULL;
}

static void attached(struct pod *pod, int vf, const char *result)
{
	free(pod->result);
	pod->result = strdup(result);
	pod->vf = vf;
}

static void detached(struct pod *pod)
{
	pod->vf = NONE;
}

static bool is_about(const char *line, const char *subject, const char *what)
{
	size_t len = strlen(subject);

	return !strncmp(line, subject, len) && line[len] == ' ' && !strncmp(line + len + 1, what, strlen(what));
}

/* Of a VF that has an owner: nothing of it is at home, but its claim. */
static struct pod *owner_of_line(const char *line)
{
	for (int i = 0; i < VFS; i++)
		if (is_about(line, pci(i), ""))
			return owner(i);
	return NULL;
}

static void expect_pod(struct look *wanted, const struct pod *pod)
{
	if (pod->vf != NONE) {
		look_add(wanted, "%s claim ml/%s", pci(pod->vf), pod->name);
		look_add(wanted, "journal %s:net1", pod->name);
		look_add(wanted, "lease %s", pod->name);
	}
	if (pod->vf != NONE && pod->lives)
		look_add(wanted, "%s netdev net1 of %s up mtu 1400 mac 0211223344%s5 promisc 0 0 allmulti 0 0",
			 pod->name, pci(pod->vf), pod->name + 1);
}

static void expected(struct look *wanted)
{
	*wanted = (struct look){};
	for (size_t i = 0; i < world.home.count; i++)
		if (!owner_of_line(world.home.line[i]))
			look_add(wanted, "%s", world.home.line[i]);
	for (size_t i = 0; i < PODS; i++)
		expect_pod(wanted, &world.pods[i]);
}

/*
 * What the PF has set for a VF that is away is CHECK's. Of a dead pod the kernel brings netdev and RDMA device home in its own
 * time, as they were.
 */
static bool counts(const char *line)
{
	const struct pod *pod = owner_of_line(line);
	const char *what = strchr(line, ' ') + 1;

	if (!strncmp(what, "netdev lo ", 10))
		return strncmp(line, "p", 1) != 0;
	return !pod || !strncmp(what, "claim", 5) || (pod->lives && strncmp(what, "pf", 2) != 0);
}

static void found(struct look *now)
{
	struct look all;

	look_take(&all, &world.vfs, world.folder);
	for (size_t i = 0; i < PODS; i++)
		if (world.pods[i].lives)
			look_add_pod(&all, world.pods[i].name);
	*now = (struct look){};
	for (size_t i = 0; i < all.count; i++)
		if (counts(all.line[i]))
			look_add(now, "%s", all.line[i]);
	look_free(&all);
}

static bool as_expected(void)
{
	struct look wanted, now;
	bool same;

	expected(&wanted);
	found(&now);
	same = look_same(&wanted, &now);
	if (!same)
		look_differ(&wanted, &now);
	look_free(&wanted);
	look_free(&now);
	return same;
}

/* ---- calls ---- */

/* VF NONE: of no device. */
static char *config(const struct pod *pod, int vf, const char *more)
{
	char *text;
	int n = vf == NONE ? asprintf(&text, "{\"cniVersion\":\"1.1.0\",\"name\":\"under\",\"type\":\"rdma-warden\"%s}",
				      more)
			   : asprintf(&text,
				      "{\"cniVersion\":\"1.0.0\",\"name\":\"under\",\"type\":\"rdma-warden\","
				      "\"deviceID\":\"%s\","
				      "\"vlan\":1%s,\"mac\":\"02:11:22:33:44:%s5\",\"mtu\":1400,\"trust\":\"on\","
				      "\"ipam\":%s%s}",
				      pci(vf), pod->name + 1, pod->name + 1, world.ipam, more);

	if (n < 0)
		abort();
	return text;
}

static enum alone_end call_with(const char *command, struct pod *pod, int vf, const char *more, const char *fault,
				const char **answer)
{
	_cleanup_free_ char *text = config(pod, vf, more);
	const struct alone_call c = { .command = command,
				      .pod = pod->name,
				      .config = text,
				      .fault = fault ? fault : "netdev.carrier:ETIMEDOUT" };

	world.calls++;
	return alone_call(world.alone, &c, answer);
}

static enum alone_end call(const char *command, struct pod *pod, int vf, const char **answer)
{
	return call_with(command, pod, vf, "", NULL, answer);
}

static bool must(enum alone_end wanted, enum alone_end end, const char *answer)
{
	if (end == wanted)
		return true;
	printf("it is %s and not %s: %s\n", alone_end_name(end), alone_end_name(wanted), answer);
	return false;
}

static bool restart(void)
{
	const char *answer;
	enum alone_end end = alone_call(world.alone, &(struct alone_call){ .pod = "" }, &answer);

	return must(ALONE_DONE, end, answer);
}

/* ---- what happens ---- */

static bool need_netns(struct pod *pod)
{
	int r = pod->lives ? 0 : alone_pod_new(pod->name);

	if (r) {
		printf("netns %s: %s\n", pod->name, strerror(-r));
		return false;
	}
	pod->lives = true;
	return true;
}

/* Not for a VF or a container that a living pod has; what a dead one has left is brought home first. */
static bool do_add(struct pod *pod, int vf)
{
	bool was_dead = pod->vf != NONE && !pod->lives, works;
	struct pod *of = owner(vf);
	enum alone_end end;
	const char *answer;

	works = (pod->vf == NONE || was_dead) && (!of || !of->lives);
	if (!need_netns(pod))
		return false;
	end = call("ADD", pod, vf, &answer);
	if (!must(works ? ALONE_DONE : ALONE_REFUSED, end, answer))
		return false;
	if (was_dead)
		detached(pod);
	if (!works)
		return true;
	if (of)
		detached(of);
	attached(pod, vf, answer);
	return true;
}

static bool do_del(struct pod *pod, int vf)
{
	const char *answer;
	enum alone_end end = call("DEL", pod, vf, &answer);

	detached(pod);
	return must(ALONE_DONE, end, answer);
}

static bool do_check(struct pod *pod)
{
	_cleanup_free_ char *more = NULL;
	const char *answer;
	enum alone_end end;

	if (pod->vf == NONE || !pod->lives)
		return true;
	if (asprintf(&more, ",\"prevResult\":%s", pod->result) < 0)
		return false;
	end = call_with("CHECK", pod, pod->vf, more, NULL, &answer);
	return must(ALONE_DONE, end, answer);
}

static bool do_end(struct pod *pod)
{
	if (pod->lives)
		alone_pod_end(pod->name);
	pod->lives = false;
	return true;
}

/* All are valid but one. */
static bool do_gc(struct pod *but)
{
	char more[512] = ",\"cni.dev/valid-attachments\":[";
	const char *answer, *comma = "";
	enum alone_end end;

	for (size_t i = 0; i < PODS; i++) {
		size_t len = strlen(more);

		if (world.pods[i].vf == NONE || &world.pods[i] == but)
			continue;
		snprintf(more + len, sizeof(more) - len, "%s{\"containerID\":\"%s\",\"ifname\":\"net1\"}", comma,
			 world.pods[i].name);
		comma = ",";
	}
	snprintf(more + strlen(more), sizeof(more) - strlen(more), "]");
	end = call_with("GC", but, NONE, more, NULL, &answer);
	detached(but);
	return must(ALONE_DONE, end, answer);
}

/* ---- ends before the end ---- */

static void any_fault(const struct points *points, char to[96])
{
	const struct point *at = &points->list[any((unsigned int)points->count)];
	unsigned int kinds = 0;

	while (point_kind(at, kinds))
		kinds++;
	/* A death as often as all the rest. */
	snprintf(to, 96, "%s:%s:%u", at->name, point_kind(at, any(2) ? any(kinds) : 0), at->pass);
	say(" at %s", to);
}

/* By the next start, or by the next call: that of the runtime, which gives up or tries again, perhaps after the pod has gone. */
static bool go_on(struct pod *pod, int vf)
{
	unsigned int how = any(8);

	if (how & 4)
		do_end(pod);
	say("%s%s%s", how & 4 ? ", end of the pod" : "", how & 1 ? ", restart" : "", how & 2 ? ", DEL" : ", ADD");
	if ((how & 1) && !restart())
		return false;
	if (how & 2)
		return do_del(pod, vf);
	return do_del(pod, vf) && do_add(pod, vf);
}

static bool do_fault(const char *command, struct pod *pod, int vf)
{
	bool add = !strcmp(command, "ADD");
	enum alone_end end;
	const char *answer;
	char fault[96];

	any_fault(add ? &world.of_add : &world.of_del, fault);
	if (add && !need_netns(pod))
		return false;
	end = call_with(command, pod, vf, "", fault, &answer);
	world.faults++;
	world.deaths += end == ALONE_KILLED;
	if (end == ALONE_BROKEN)
		return must(ALONE_DONE, end, answer);
	if (end == ALONE_DONE && add)
		attached(pod, vf, answer);
	else if (end == ALONE_DONE)
		detached(pod);
	else if (end == ALONE_KILLED || !add)
		return go_on(pod, vf);
	return true;
}

static bool happen(void)
{
	struct pod *pod = &world.pods[any(PODS)];
	int vf = (int)any(VFS);
	unsigned int what = any(20);

	world.said[0] = '\0';
	if (what < 6) {
		say("ADD %s %s", pod->name, pci(vf));
		return do_add(pod, vf);
	}
	if (what < 9) {
		say("DEL %s", pod->name);
		return do_del(pod, pod->vf == NONE ? vf : pod->vf);
	}
	if (what < 11) {
		say("CHECK %s", pod->name);
		return do_check(pod);
	}
	if (what < 13) {
		say("end of %s", pod->name);
		return do_end(pod);
	}
	if (what < 14) {
		say("GC without %s", pod->name);
		return do_gc(pod);
	}
	if (what < 15) {
		say("restart");
		return restart();
	}
	if (pod->vf != NONE) {
		say("DEL %s", pod->name);
		return do_fault("DEL", pod, pod->vf);
	}
	if (owner(vf))
		return true;
	say("ADD %s %s", pod->name, pci(vf));
	return do_fault("ADD", pod, vf);
}

/* ---- the program ---- */

static bool rehearse(const char *command, struct pod *pod, struct points *points)
{
	_cleanup_free_ char *text = config(pod, 0, "");
	const char *trace = alone_path(world.alone, "trace"), *answer;
	const struct alone_call c = { .command = command, .pod = pod->name, .config = text, .trace = trace };
	enum alone_end end;

	unlink(trace);
	end = alone_call(world.alone, &c, &answer);
	if (!must(ALONE_DONE, end, answer))
		return false;
	points_read(points, trace, "");
	return true;
}

static bool begin(void)
{
	struct pod *first = &world.pods[0];

	for (size_t i = 0; i < PODS; i++) {
		snprintf(world.pods[i].name, sizeof(world.pods[i].name), "p%zu", i + 1);
		world.pods[i].vf = NONE;
	}
	look_take(&world.home, &world.vfs, world.folder);
	if (!need_netns(first) || !rehearse("ADD", first, &world.of_add) || !rehearse("DEL", first, &world.of_del))
		return false;
	return do_end(first) && as_expected();
}

static bool finish(void)
{
	for (size_t i = 0; i < PODS; i++)
		if (!do_end(&world.pods[i]) || !do_del(&world.pods[i], 0))
			return false;
	return as_expected();
}

static int run(unsigned int count, unsigned int seed)
{
	bool right = begin();

	srandom(seed);
	for (unsigned int i = 1; right && i <= count; i++) {
		right = happen() && as_expected();
		if (!right) {
			printf("number %u with seed %u: %s\n", i, seed, world.said);
			alone_print_log(world.alone);
		}
	}
	right = right && finish();
	printf("%u calls, %u of them with a fault, %u deaths\n", world.calls, world.faults, world.deaths);
	return right ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	uint64_t count, seed;
	struct err err;
	int status;

	if (argc != 5 || parse_u64(argv[3], 10, 1, 1000000, &count) || parse_u64(argv[4], 10, 0, UINT32_MAX, &seed)) {
		fputs("usage: attach-random FOLDER IPAM COUNT SEED\n", stderr);
		return 2;
	}
	world.folder = argv[1];
	world.ipam = argv[2];
	if (look_find_vfs(&world.vfs) || world.vfs.count < VFS || alone_open(&world.alone, world.folder, &err)) {
		fputs("attach-random: no VFs, or no folder\n", stderr);
		return 2;
	}
	status = run((unsigned int)count, (unsigned int)seed);
	alone_close(&world.alone);
	return status;
}
