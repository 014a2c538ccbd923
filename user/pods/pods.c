// SPDX-License-Identifier: Apache-2.0
#include "pods/pods.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "attach/attach.h"
#include "config/config.h"
#include "lib/log.h"
#include "lib/timer.h"
#include "lib/util.h"
#include "pods/internal.h"

#define SETTLE_MS 20 /* a device comes with several events */
#define KUBELET_MS 2000 /* for one of its calls */
#define ANSWER_PERIOD_NS 10000000000ull /* between two questions without a reason, */
#define PASS_PERIOD_NS 30000000000ull /* and between two passes */
#define REST_FACTOR 20 /* of the CPU time of a round: at most 5 % of a core */
#define REST_MIN_NS 100000000ull

/* ---- timers ---- */

static void settle_after(struct pods *p, unsigned int ms)
{
	uint64_t at = boot_ns() + ms * 1000000ull;

	if (p->settle_ns && p->settle_ns <= at)
		return;
	p->settle_ns = at;
	timer_once(&p->settle_timer, ms);
}

/* The devices, once for all that happens until then. */
static void settle_soon(struct pods *p)
{
	p->devices_wanted = true;
	settle_after(p, SETTLE_MS);
}

static void settle(struct pods *p)
{
	p->devices_wanted = false;
	if (p->options.config->discover == DISCOVER_OFF)
		return;
	discover(p);
	if (!p->again_ms)
		return;
	p->devices_wanted = true;
	settle_after(p, p->again_ms);
}

/* ---- names ---- */

/* Whether a device waits for somebody to tell whose that netns is. */
static bool is_away_in(const struct pods *p, uint64_t netns_cookie)
{
	for (size_t i = 0; i < p->away_count; i++)
		if (p->away[i].netns.cookie == netns_cookie)
			return true;
	return false;
}

static void name_slot(const struct warden_pod *pod, void *ctx)
{
	struct pods *p = ctx;
	const struct kube_pod *known;
	struct slot_pod slot = { .uid = pod->uid };
	char owner[WARDEN_OWNER_LEN];

	if (pod->owner[0] && strncmp(pod->owner, "pod-uid/", 8))
		return;
	known = kube_pods_find(kube_api_pods(p->api), pod->uid);
	if (!known || try_snprintf(owner, sizeof(owner), "%s/%s", known->namespace, known->name))
		return;
	slot.owner = owner;
	slots_put(p->options.slots, &slot);
	p->devices_wanted |= is_away_in(p, pod->netns_cookie);
}

/* Those that have come since they were named last. */
static void name_slots(struct pods *p)
{
	if (p->names_wanted && p->api)
		slots_each(p->options.slots, name_slot, p);
	p->names_wanted = false;
}

/* ---- rounds: the sources are asked ---- */

static void begin_rounds(struct pods *p);

static uint64_t rest_of(uint64_t cpu_ns)
{
	return cpu_ns * REST_FACTOR > REST_MIN_NS ? cpu_ns * REST_FACTOR : REST_MIN_NS;
}

static bool has_waited(const struct waiting_look *look, const struct pods *p)
{
	return p->pass.begun_ns >= look->asked_ns && p->answer.begun_ns >= look->asked_ns;
}

static void serve_looks(struct pods *p)
{
	struct waiting_look **place = &p->looks, *look;

	while ((look = *place)) {
		if (!has_waited(look, p)) {
			place = &look->next;
			continue;
		}
		*place = look->next;
		look->done(picture(p, true), look->ctx);
		free(look);
	}
}

/* After each round: what is known now may explain a device, and be a contradiction. */
static void round_ended(struct pods *p)
{
	uint64_t cpu = thread_cpu_ns();

	settle(p);
	if (p->pass.begun_ns && p->answer.begun_ns && contradict(p))
		p->pass_wanted_ns = p->ask_wanted_ns = boot_ns();
	cpu = thread_cpu_ns() - cpu;
	p->pass_after_ns += cpu * REST_FACTOR;
	p->ask_after_ns += cpu * REST_FACTOR;
	serve_looks(p);
	begin_rounds(p);
	malloc_trim(0); /* what a round has needed is not kept for the next one */
}

static void run_pass(void *ctx)
{
	struct round *round = ctx;

	node_pass(&round->pass);
}

/* The pods whose processes the kernel told of while no wardend listened, and those that ended meanwhile. */
static bool is_in_scan(const struct warden_pod *pod, void *ctx)
{
	const struct node_pass *pass = ctx;
	char path[PATH_MAX];

	if (!pod->cgroup_id)
		return pod->netns_cookie;
	return scan_pod_by_uid(&pass->scan, pod->uid) || cgroup_path(pod->cgroup_id, path, sizeof(path)) != -ESTALE;
}

static void enter_pods(struct pods *p)
{
	for (size_t i = 0; i < p->pass.scan.pod_count; i++) {
		const struct scan_pod *pod = &p->pass.scan.pods[i];
		const struct slot_pod slot = { .uid = pod->uid,
					       .owner = "",
					       .cgroup_id = pod->cgroup.id,
					       .netns_cookie = pod->host_network ? 0 : pod->netns.cookie,
					       .netns_inum = pod->host_network ? 0 : pod->netns.inum };

		if (slots_put(p->options.slots, &slot) > 0)
			p->names_wanted = true;
	}
	slots_prune(p->options.slots, is_in_scan, &p->pass);
}

static void pass_done(void *ctx)
{
	struct round *round = ctx;
	struct pods *p = round->pods;

	node_pass_free(&p->pass);
	p->pass = round->pass;
	round->pass = (struct node_pass){};
	p->passing = false;
	p->pass_after_ns = boot_ns() + rest_of(p->pass.cpu_ns);
	source_asked(&p->health[POD_SOURCE_PROC], p->pass.error, &p->pass.err);
	if (p->pass.has_scan)
		enter_pods(p);
	name_slots(p);
	round_ended(p);
}

static void run_answer(void *ctx)
{
	struct round *round = ctx;

	kubelet_ask(&round->pods->options.config->kubernetes, KUBELET_MS, &round->answer);
}

static void note_health(struct pods *p, enum pod_source source, int r, const struct err *err)
{
	if (r <= 0)
		source_asked(&p->health[source], r, err);
}

/* What the kubelet said last holds until it says something else: that it does not answer takes no device away from anybody. */
static void keep_grants(struct pods *p, struct kubelet_answer *answer)
{
	if (answer->has_granted || !p->answer.has_granted)
		return;
	answer->granted = p->answer.granted;
	answer->allocatable = p->answer.allocatable;
	answer->by_checkpoint = p->answer.by_checkpoint;
	answer->has_allocatable = p->answer.has_allocatable;
	answer->has_granted = true;
	p->answer.granted = (struct kube_grants){};
	p->answer.allocatable = (struct kube_grants){};
}

static void answer_done(void *ctx)
{
	struct round *round = ctx;
	struct pods *p = round->pods;

	note_health(p, POD_SOURCE_KUBELET, round->answer.socket, &round->answer.socket_err);
	note_health(p, POD_SOURCE_CHECKPOINT, round->answer.checkpoint, &round->answer.checkpoint_err);
	note_health(p, POD_SOURCE_DEVINFO, round->answer.devinfo_read, &round->answer.devinfo_err);
	keep_grants(p, &round->answer);
	kubelet_answer_free(&p->answer);
	p->answer = round->answer;
	round->answer = (struct kubelet_answer){};
	p->asking = false;
	p->ask_after_ns = boot_ns() + rest_of(p->answer.cpu_ns);
	round_ended(p);
}

/* When the next round is due: now if somebody waits for a look, else after the rest, and in its period without a reason. */
static uint64_t due(const struct pods *p, uint64_t begun_ns, uint64_t wanted_ns, uint64_t after_ns, uint64_t period_ns)
{
	uint64_t periodic = begun_ns ? begun_ns + period_ns : 0;

	for (const struct waiting_look *look = p->looks; look; look = look->next)
		if (begun_ns < look->asked_ns)
			return 0;
	if (wanted_ns > begun_ns || periodic < after_ns)
		return after_ns;
	return periodic;
}

static void begin_rounds(struct pods *p)
{
	uint64_t now = boot_ns(), next;
	uint64_t pass = due(p, p->pass.begun_ns, p->pass_wanted_ns, p->pass_after_ns, PASS_PERIOD_NS);
	uint64_t answer = due(p, p->answer.begun_ns, p->ask_wanted_ns, p->ask_after_ns, ANSWER_PERIOD_NS);

	if (!p->passing && pass <= now)
		p->passing = !work_start(p->work, run_pass, pass_done, &p->pass_round);
	if (!p->asking && answer <= now)
		p->asking = !work_start(p->work, run_answer, answer_done, &p->answer_round);
	next = UINT64_MAX;
	if (!p->passing)
		next = pass;
	if (!p->asking && answer < next)
		next = answer;
	if (next != UINT64_MAX)
		timer_once(&p->round_timer, (next > now ? next - now : REST_MIN_NS) / 1000000 + 1);
}

void pods_want_answer(struct pods *p)
{
	p->ask_wanted_ns = boot_ns();
	begin_rounds(p);
}

void pods_want_pass(struct pods *p)
{
	p->pass_wanted_ns = boot_ns();
	begin_rounds(p);
}

static void round_ready(struct source *source, uint32_t events)
{
	struct pods *p = CONTAINER_OF(source, struct pods, round_timer);

	(void)events;
	if (timer_fired(source))
		begin_rounds(p);
}

int pods_look(struct pods *p, void (*done)(struct model *model, void *ctx), void *ctx)
{
	struct waiting_look *look = calloc(1, sizeof(*look));

	if (!look)
		return -ENOMEM;
	*look = (struct waiting_look){ .next = p->looks, .done = done, .ctx = ctx, .asked_ns = boot_ns() };
	p->looks = look;
	begin_rounds(p);
	return 0;
}

static void settle_ready(struct source *source, uint32_t events)
{
	struct pods *p = CONTAINER_OF(source, struct pods, settle_timer);

	(void)events;
	if (!timer_fired(source))
		return;
	p->settle_ns = 0;
	name_slots(p);
	if (p->devices_wanted)
		settle(p);
}

static void api_changed(void *ctx)
{
	struct pods *p = ctx;

	p->names_wanted = true;
	settle_after(p, SETTLE_MS);
}

/* ---- what happens ---- */

/* The one pod: that others begin and end fifty times a second is no reason to look at all. */
static void pod_began(struct pods *p, const struct warden_event *event)
{
	struct warden_pod pod;

	if (!slots_of_event(p->options.slots, event, &pod))
		return;
	if (p->api)
		name_slot(&pod, p);
	if (is_away_in(p, pod.netns_cookie))
		settle_soon(p);
}

void pods_moved(struct pods *p)
{
	settle_soon(p);
	pods_want_answer(p);
	pods_want_pass(p);
}

void pods_event(struct pods *p, const struct warden_event *event)
{
	if (!p)
		return;
	switch (event->rule) {
	case RULE_POD_PROCESS:
		pod_began(p, event);
		return;
	case RULE_DEVICE_ADD:
	case RULE_DEVICE_REMOVE:
	case RULE_DEVICE_MOVE:
	case RULE_EXCLUSIVE_DEVICE_MOVE:
	case RULE_NETDEV_MOVE:
	case RULE_EXCLUSIVE_NETDEV_MOVE:
	case RULE_EXCLUSIVE_ORPHAN:
		pods_moved(p);
		return;
	default:
		return;
	}
}

/* ---- open and close ---- */

/* A server that cannot be asked is a source that fails, no reason to leave the node unguarded. */
static int open_api(struct pods *p, struct err *err)
{
	const struct config_kubernetes *k = &p->options.config->kubernetes;
	struct kube_config config;
	char node[254] = "";
	int r = 0;

	if (k->api == CONFIG_API_OFF)
		return -ENOENT;
	config_node_name(p->options.config, node, sizeof(node));
	if (k->api == CONFIG_API_AUTO) {
		r = kube_config_in_cluster(&config, node, err);
	} else {
		kube_config_defaults(&config);
		snprintf(config.server, sizeof(config.server), "%s", k->server);
		snprintf(config.node, sizeof(config.node), "%s", node);
	}
	if (r)
		return r;
	if (k->token[0])
		snprintf(config.token, sizeof(config.token), "%s", k->token);
	if (k->ca[0])
		snprintf(config.ca, sizeof(config.ca), "%s", k->ca);
	return kube_api_open(&p->api, &config, p->options.loop, api_changed, p, err);
}

static void open_health(struct pods *p)
{
	const struct config_kubernetes *k = &p->options.config->kubernetes;
	struct err err = {};
	int r = open_api(p, &err);

	p->health[POD_SOURCE_API].on = k->api != CONFIG_API_OFF && r != -ENOENT;
	if (r && r != -ENOENT) {
		source_asked(&p->health[POD_SOURCE_API], r, &err);
		pr_warn("the Kubernetes API is not asked: %s", err.text);
	}
	p->health[POD_SOURCE_ATTACH] = (struct source_health){ .on = true };
	p->health[POD_SOURCE_CLAIM] = (struct source_health){ .on = true };
	p->health[POD_SOURCE_NETNS] = (struct source_health){ .on = true };
	p->health[POD_SOURCE_PROC].on = true;
	p->health[POD_SOURCE_KUBELET].on = k->podresources[0];
	p->health[POD_SOURCE_CHECKPOINT].on = k->checkpoint[0];
	p->health[POD_SOURCE_DEVINFO].on = k->devinfo[0];
}

int pods_open(struct pods **pods, const struct pods_options *options, struct err *err)
{
	struct pods *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return fail(err, -ENOMEM, "out of memory");
	p->options = *options;
	p->settle_timer.fd = p->round_timer.fd = -1;
	p->pass_round.pods = p->answer_round.pods = p;
	r = netns_self(&p->host, err);
	if (!r)
		r = work_open(&p->work, options->loop, 2, err);
	if (!r)
		r = timer_open(&p->settle_timer, options->loop, settle_ready, err);
	if (!r)
		r = timer_open(&p->round_timer, options->loop, round_ready, err);
	if (r) {
		pods_close(p);
		return r;
	}
	open_health(p);
	begin_rounds(p);
	*pods = p;
	return 0;
}

void pods_close(struct pods *p)
{
	struct waiting_look *look;

	if (!p)
		return;
	kube_api_close(p->api);
	work_close(p->work);
	while ((look = p->looks)) {
		p->looks = look->next;
		free(look);
	}
	util_close(&p->settle_timer.fd);
	util_close(&p->round_timer.fd);
	node_pass_free(&p->pass);
	node_pass_free(&p->pass_round.pass); /* of a round whose end nobody has seen */
	kubelet_answer_free(&p->answer);
	kubelet_answer_free(&p->answer_round.answer);
	free(p->away);
	free(p->told);
	free(p);
}
