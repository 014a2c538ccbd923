// SPDX-License-Identifier: Apache-2.0
/*
 * Test code: ADD and DEL fail and die at every fault point that they pass (user/lib/fault.h), one after the other. After each
 * end the node is as it was, or attached as if nothing had been, and the next ADD works (alone/alone.h says how calls are made).
 *
 *   attach-crash FOLDER CONFIG TRIAL [SHARE/SHARES]   the ends of a trial, below; the netns of the pod, p1, is there
 *   attach-crash FOLDER CONFIG covered                whether the trials before have passed all points of the program
 *
 * The status is 1 when something was not right. The last line says what was done.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>

#include "alone/alone.h"
#include "alone/look.h"
#include "alone/points.h"
#include "lib/fault.h"
#include "lib/netns.h"
#include "lib/util.h"
#include "net/netops.h"
#include "rdma/rdma.h"

#define POD "p1"
#define MAX_WRONG 20 /* then the rest is not worth the time */
/* Nobody needs to wait for the carrier where nobody is to hear the announcement. */
#define IN_HASTE "netdev.carrier:ETIMEDOUT"

struct trial {
	const char *name, *command; /* whose points they are; NULL: the recovery's */
	const char *points; /* those whose names begin so */
	bool (*ends)(const struct point *at, const char *kind);
	bool (*may_pass)(const struct point *point); /* without a failure of the whole */
	void (*in_pod)(void); /* what the pod does after its ADD */
	bool pod_dies; /* after its ADD, or with who made it */
	bool ipam; /* the points are those of the IPAM plugin (ipam-files.c), which dies or fails there */
	/* So many of each point's, from the first on; 0: all of them, and each death on each kernel. */
	unsigned int kinds;
};

static struct scene {
	const struct trial *trial;
	struct alone *alone;
	struct look_vfs vfs;
	const char *folder, *config;
	struct look before, attached;
	unsigned int share, shares;
	unsigned int ends, missed, wrong;
} scene;

/* ---- looking ---- */

static bool wrong(const char *what, const struct point *at, const char *kind)
{
	printf("%s, at %s:%u %s\n", what, at->name, at->pass, kind);
	alone_print_log(scene.alone);
	return false;
}

/* The pod's netns, too, where it is to outlive the call. */
static void look_now(struct look *look)
{
	look_take(look, &scene.vfs, scene.folder);
	if (!scene.trial->pod_dies)
		look_add_pod(look, POD);
}

static bool looks_like(const struct look *wanted)
{
	struct look now;
	bool same;

	look_now(&now);
	same = look_same(wanted, &now);
	look_free(&now);
	return same;
}

static bool must_look_like(const struct look *wanted, const char *when)
{
	struct look now;
	bool same;

	look_now(&now);
	same = look_same(wanted, &now);
	if (!same) {
		printf("the node %s:\n", when);
		look_differ(wanted, &now);
	}
	look_free(&now);
	return same;
}

/* ---- calling ---- */

static const char *lease_file(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "leases/%s", name);
	return alone_path(scene.alone, path);
}

static enum alone_end call(const char *command, const char *fault, const char *trace, const char **answer)
{
	const struct alone_call c = {
		.command = command, .pod = POD, .config = scene.config, .fault = fault, .trace = trace
	};

	return alone_call(scene.alone, &c, answer);
}

static bool must_work(const char *command)
{
	const char *answer;
	enum alone_end end = call(command, IN_HASTE, NULL, &answer);

	if (end == ALONE_DONE)
		return true;
	printf("%s: %s: %s\n", command ? command : "recovery", alone_end_name(end), answer);
	alone_print_log(scene.alone);
	return false;
}

/* What comes between ADD and DEL. */
static void live(void)
{
	if (scene.trial->in_pod)
		scene.trial->in_pod();
	if (scene.trial->pod_dies)
		alone_pod_end(POD);
}

/* An error of the specification's form, which says what went wrong. */
static bool names(const char *answer, const char *cause)
{
	cJSON *json = cJSON_Parse(answer);
	const cJSON *code = cJSON_GetObjectItemCaseSensitive(json, "code");
	const cJSON *msg = cJSON_GetObjectItemCaseSensitive(json, "msg");
	bool good = cJSON_IsNumber(code) && code->valueint > 0 && cJSON_IsString(msg) && msg->valuestring[0] &&
		    strstr(answer, cause);

	cJSON_Delete(json);
	return good;
}

/* What an error is to name. A call into the kernel is not called by its name, and an IPAM plugin is gone, or has given up. */
static const char *cause(const struct point *at, const char *kind)
{
	bool answers = strcmp(at->name, "files.half") && strcmp(at->name, "files.answer");

	if (point_is_call(at))
		return "";
	if (!scene.trial->ipam || (point_errno(kind) && answers))
		return strerror(point_errno(kind));
	return point_errno(kind) ? "status 1" : "signal 9";
}

/* How often a call polls, and tries again, is the driver's and the kernel's. */
static bool may_be_missed(const struct point *at)
{
	return point_is_call(at) || !strncmp(at->name, "netdev.set", 10);
}

static bool was_passed(const struct point *at, const char *trace)
{
	struct points points;
	unsigned int passes = 0;

	points_read(&points, trace, at->name);
	for (size_t i = 0; i < points.count; i++)
		passes += !strcmp(points.list[i].name, at->name);
	points_free(&points);
	return passes >= at->pass;
}

/* What is wrong with how a call ended; NULL: nothing. */
static const char *judge(const char *command, enum alone_end end, const char *answer, const struct point *at,
			 const char *kind)
{
	bool dies = !point_errno(kind) && !scene.trial->ipam;

	if (end == ALONE_BROKEN)
		return "it is broken";
	if ((end == ALONE_KILLED) != dies)
		return dies ? "it did not die" : "it died";
	if (end == ALONE_KILLED)
		return NULL;
	if (end == ALONE_DONE)
		return !command || (scene.trial->may_pass && scene.trial->may_pass(at)) ? NULL : "it took no notice";
	return names(answer, cause(at, kind)) ? NULL : answer;
}

/* For the plugin's next start. */
static void wish(const char *fault)
{
	_cleanup_fclose_ FILE *file = fopen(lease_file(".wish"), "we");

	if (!file || fprintf(file, "%s\n", fault) < 0)
		abort();
}

static bool end_call(const char *command, const struct point *at, const char *kind, enum alone_end *end)
{
	const char *answer, *what, *trace = scene.trial->ipam ? NULL : alone_path(scene.alone, "passed");
	char fault[96];

	snprintf(fault, sizeof(fault), "%s:%s:%u", at->name, kind, at->pass);
	if (trace)
		unlink(trace);
	else
		wish(fault);
	*end = call(command, trace ? fault : IN_HASTE, trace, &answer);
	if (*end == ALONE_DONE && trace && may_be_missed(at) && !was_passed(at, trace)) {
		scene.missed++;
		return true;
	}
	what = judge(command, *end, answer, at, kind);
	return what ? wrong(what, at, kind) : true;
}

/* ---- ends ---- */

static bool home_after(const char *command, const struct point *at, const char *kind)
{
	return (must_work(command) && must_look_like(&scene.before, "after it")) ||
	       wrong(command ? command : "the recovery", at, kind);
}

/* Before any recovery the container is tried again: that works, or it has been attached already, which is refused. */
static bool add_again(const struct point *at, const char *kind)
{
	const char *answer;
	enum alone_end end = call("ADD", IN_HASTE, NULL, &answer);

	if (end != ALONE_DONE && (end != ALONE_REFUSED || !names(answer, "is attached to container")))
		return wrong(answer, at, kind);
	if (!must_look_like(&scene.attached, "after ADD again"))
		return wrong("ADD again", at, kind);
	return home_after("DEL", at, kind);
}

/* It is undone at once, or was done all the same. */
static bool add_ends(const struct point *at, const char *kind)
{
	enum alone_end end;

	if (!end_call("ADD", at, kind, &end))
		return false;
	if (end == ALONE_KILLED && scene.ends % 2)
		return add_again(at, kind);
	if (end == ALONE_REFUSED)
		return must_look_like(&scene.before, "after a failed ADD") || wrong("ADD", at, kind);
	if (end == ALONE_KILLED && !must_work(NULL))
		return wrong("the recovery", at, kind);
	if (end == ALONE_KILLED && !looks_like(&scene.attached))
		return must_look_like(&scene.before, "after the recovery") || wrong("ADD", at, kind);
	if (!must_look_like(&scene.attached, "after an ADD that was done"))
		return wrong("ADD", at, kind);
	return home_after("DEL", at, kind);
}

/* The pod is gone when wardend comes again; and the runtime says DEL in any case. */
static bool orphan_ends(const struct point *at, const char *kind)
{
	enum alone_end end;

	if (!end_call("ADD", at, kind, &end))
		return false;
	alone_pod_end(POD);
	return (end == ALONE_REFUSED || must_work(NULL)) && home_after("DEL", at, kind);
}

/* It goes on from where it stopped: by the next start, or by the runtime's next DEL. */
static bool del_ends(const struct point *at, const char *kind)
{
	enum alone_end end;

	if (!must_work("ADD"))
		return wrong("the ADD before", at, kind);
	live();
	if (!end_call("DEL", at, kind, &end))
		return false;
	if (end == ALONE_DONE)
		return must_look_like(&scene.before, "after a DEL that was done") || wrong("DEL", at, kind);
	if (end == ALONE_REFUSED || scene.ends % 2)
		return home_after("DEL", at, kind);
	if (!must_work(NULL))
		return wrong("the recovery", at, kind);
	return looks_like(&scene.before) || home_after("DEL", at, kind);
}

static enum alone_end cut_off(void)
{
	return call("ADD", "netdev.configure.after:KILL", NULL, NULL);
}

/* The recovery of an ADD that was nearly done does not come to its end; the next one does. */
static bool recovery_ends(const struct point *at, const char *kind)
{
	enum alone_end end = cut_off();

	if (end != ALONE_KILLED)
		return wrong("the ADD before", at, kind);
	return end_call(NULL, at, kind, &end) && home_after(NULL, at, kind);
}

/* ---- what a pod does ---- */

static int take_device(const struct rdma_device *device, void *ctx)
{
	*(struct rdma_device *)ctx = *device;
	return 1;
}

static int rename_rdma(void *ctx)
{
	_cleanup_(rdma_close) struct rdma_nl *nl = NULL;
	struct rdma_device device;

	if (rdma_open(&nl, *(int *)ctx) || rdma_for_each(nl, take_device, &device) != 1)
		return -ENODEV;
	return rdma_rename(nl, device.index, "of_the_pod", NULL);
}

static int add_altname(int netns)
{
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	char buf[512];
	struct nlmsghdr *h = rtnl_request(buf, RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	struct nlattr *list = mnl_attr_nest_start(h, IFLA_PROP_LIST);
	int index = rtnl_open(&nl, netns) ? -ENODEV : netdev_find(nl, "net1");

	((struct ifinfomsg *)mnl_nlmsg_get_payload(h))->ifi_index = index;
	mnl_attr_put_strz(h, IFLA_ALT_IFNAME, "of-the-pod");
	mnl_attr_nest_end(h, list);
	return index < 0 ? index : rtnl_talk(nl, h, NULL, NULL);
}

/* They are not to come home. */
static void change_names(void)
{
	_cleanup_close_ int netns = netns_open(POD, 0, NULL);

	if (netns < 0 || add_altname(netns) || netns_call(netns, rename_rdma, &netns))
		printf("the pod could not change the names\n");
}

/* ---- the trials ---- */

/*
 * That the way back has begun need not stand in the journal (attach/home.c), and a VF's driver may refuse its MAC more than once
 * (netdev_mac_set()).
 */
static bool del_may_pass(const struct point *point)
{
	return point_is_call(point) || !strncmp(point->name, "record.advance", 14) ||
	       !strncmp(point->name, "netdev.set", 10);
}

#define ALL "record. sriov. netdev. rdma. attach. sysctl. ipam. neigh."

static const struct trial trials[] = {
	{ "add", "ADD", ALL, add_ends, .may_pass = point_may_pass },
	{ "del", "DEL", ALL, del_ends, .may_pass = del_may_pass, .in_pod = change_names },
	{ "recovery", NULL, ALL, recovery_ends, .kinds = 2 },
	{ "add-calls", "ADD", "call.", add_ends, .may_pass = point_may_pass, .kinds = 2 },
	{ "del-calls", "DEL", "call.", del_ends, .may_pass = del_may_pass, .kinds = 2 },
	{ "orphan-add", "ADD", "record.advance.after netdev.move rdma.move", orphan_ends, .pod_dies = true,
	  .kinds = 2 },
	{ "orphan-del", "DEL", ALL, del_ends, .may_pass = del_may_pass, .pod_dies = true, .kinds = 2 },
	{ "soft-add", "ADD", "rdma.", add_ends, .may_pass = point_may_pass, .kinds = 2 },
	{ "soft-del", "DEL", "rdma.", del_ends, .may_pass = del_may_pass, .kinds = 2 },
	{ "ipam-add", "ADD", "files.", add_ends, .ipam = true, .kinds = 2 },
	{ "ipam-del", "DEL", "files.", del_ends, .ipam = true, .kinds = 2 },
	{ "announce", "ADD", "neigh.", add_ends, .may_pass = point_may_pass, .kinds = 2 },
};

/* This kernel's share. */
static bool is_due(size_t i, unsigned int kind)
{
	if (!scene.trial->kinds && !kind)
		return true;
	return (!scene.trial->kinds || kind < scene.trial->kinds) && (i + kind) % scene.shares == scene.share;
}

static bool one_end(const struct point *at, const char *kind)
{
	bool right;

	if (scene.trial->pod_dies)
		alone_pod_new(POD);
	scene.ends++;
	right = scene.trial->ends(at, kind);
	if (scene.trial->pod_dies || !right)
		alone_pod_end(POD);
	if (right)
		return true;
	scene.wrong++;
	call(NULL, NULL, NULL, NULL);
	call("DEL", NULL, NULL, NULL);
	if (!scene.trial->pod_dies)
		alone_pod_new(POD);
	return must_look_like(&scene.before, "does not recover");
}

static void each_end(const struct points *points)
{
	for (size_t i = 0; i < points->count; i++) {
		const struct point *at = &points->list[i];
		const char *kind;

		for (unsigned int k = 0; (kind = point_kind(at, k)); k++)
			if (is_due(i, k) && (!one_end(at, kind) || scene.wrong == MAX_WRONG))
				return;
	}
}

/* Of the plugin, the points that its process passes. */
static enum alone_end traced(const char *command, const char *trace, const char **answer)
{
	_cleanup_fclose_ FILE *file = NULL;
	enum alone_end end;

	if (!scene.trial->ipam)
		return call(command, NULL, trace, answer);
	file = fopen(lease_file(".trace"), "we");
	end = call(command, NULL, NULL, answer);
	if (!file || rename(lease_file(".trace"), trace))
		abort();
	return end;
}

static bool rehearse_call(const char *command, const char *trace)
{
	bool is_it = scene.trial->command ? command && !strcmp(command, scene.trial->command) : !command;
	const char *answer;
	enum alone_end end = is_it ? traced(command, trace, &answer) : call(command, NULL, NULL, &answer);

	if (end != ALONE_DONE)
		printf("%s with no fault: %s: %s\n", command ? command : "recovery", alone_end_name(end), answer);
	return end == ALONE_DONE;
}

/* What is passed when nothing fails, and what the node looks like before and between. */
static bool rehearse(const char *trace)
{
	bool right;

	unlink(trace);
	if (scene.trial->pod_dies)
		alone_pod_new(POD);
	look_now(&scene.before);
	right = rehearse_call("ADD", trace);
	live();
	look_now(&scene.attached);
	right = right && rehearse_call("DEL", trace);
	if (!scene.trial->command)
		right = right && cut_off() == ALONE_KILLED && rehearse_call(NULL, trace);
	return right && must_look_like(&scene.before, "after the rehearsal");
}

static int run(const struct trial *trial)
{
	struct points points;
	char name[32];

	scene.trial = trial;
	snprintf(name, sizeof(name), "trace.%s", trial->name);
	if (!rehearse(alone_path(scene.alone, name)))
		return EXIT_FAILURE;
	points_read(&points, alone_path(scene.alone, name), trial->points);
	each_end(&points);
	printf("%s: %zu points, %u ends, %u missed, %u wrong\n", trial->name, points.count, scene.ends, scene.missed,
	       scene.wrong);
	points_free(&points);
	look_free(&scene.before);
	look_free(&scene.attached);
	return scene.wrong || !scene.ends ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- what no trial has passed ---- */

/*
 * What ADD and DEL do not use, what only Spiderpool's agent can ask for (neigh_test.c), and what comes after another failure only
 * (record_test.c).
 */
static bool is_elsewhere(const char *name)
{
	static const char *const others[] = { "netdev.flush", "neigh.ask", "call.ftruncate" };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (!strncmp(name, others[i], strlen(others[i])))
			return true;
	return false;
}

static bool is_passed(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(trials); i++) {
		struct points points;
		char trace[32];
		bool found;

		snprintf(trace, sizeof(trace), "trace.%s", trials[i].name);
		if (access(alone_path(scene.alone, trace), F_OK))
			continue;
		points_read(&points, alone_path(scene.alone, trace), name);
		found = points.count > 0;
		points_free(&points);
		if (found)
			return true;
	}
	return false;
}

static int is_covered(const char *name, void *ctx)
{
	(void)ctx;
	scene.ends++;
	if (is_elsewhere(name) || is_passed(name))
		return 0;
	printf("no trial passes %s\n", name);
	scene.wrong++;
	return 0;
}

static int covered(void)
{
	fault_for_each(is_covered, NULL);
	printf("%u names of points\n", scene.ends);
	return scene.wrong || !scene.ends ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- the program ---- */

static const struct trial *find_trial(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(trials); i++)
		if (!strcmp(trials[i].name, name))
			return &trials[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct trial *trial = argc > 3 ? find_trial(argv[3]) : NULL;
	struct err err;
	int status;

	scene.shares = 1;
	if ((!trial && strcmp(argc > 3 ? argv[3] : "", "covered")) || argc > 5 ||
	    (argc == 5 && sscanf(argv[4], "%u/%u", &scene.share, &scene.shares) != 2)) {
		fputs("usage: attach-crash FOLDER CONFIG TRIAL [SHARE/SHARES]\n", stderr);
		return 2;
	}
	scene.folder = argv[1];
	scene.config = argv[2];
	if (look_find_vfs(&scene.vfs) || alone_open(&scene.alone, scene.folder, &err)) {
		fputs("attach-crash: no VFs, or no folder\n", stderr);
		return 2;
	}
	status = trial ? run(trial) : covered();
	alone_close(&scene.alone);
	return status;
}
