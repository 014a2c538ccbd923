// SPDX-License-Identifier: Apache-2.0
#include "report/events.h"

#include <bpf/bpf.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/cgroup.h"
#include "lib/log.h"
#include "lib/rules.h"
#include "lib/util.h"
#include "track/slots.h"
#include "qos/effects.h"
#include "qos/profile.h"
#include "rdma/rdma.h"
#include "report/packet_names.h"
#include "report/tally.h"
#include "report/text.h"
#include "track/track.h"

struct kept {
	uint64_t time_ns;
	char *line;
};

struct events {
	struct track *track;
	const struct slots *slots; /* or NULL */
	struct kept kept[EVENTS_KEPT];
	uint64_t count; /* of all; the next one's place is count % EVENTS_KEPT */
	struct follower *followers;
	struct subscriber *subscribers;
	struct tally tally;
};

static const char *const kind_names[] = {
	[EVENT_VIOLATION] = "violation", [EVENT_CHANGE] = "change", [EVENT_FAULT] = "fault"
};
static const char *const verdict_names[] = { [VERDICT_NONE] = "none",
					     [VERDICT_OBSERVED] = "observed",
					     [VERDICT_DENIED] = "denied",
					     [VERDICT_KILLED] = "killed",
					     [VERDICT_REMARKED] = "remarked" };

int events_open(struct events **events, struct track *track, const struct slots *slots, struct err *err)
{
	struct events *e = calloc(1, sizeof(*e));

	if (!e)
		return fail(err, -ENOMEM, "out of memory");
	e->track = track;
	e->slots = slots;
	*events = e;
	return 0;
}

void events_close(struct events *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < EVENTS_KEPT; i++)
		free(e->kept[i].line);
	tally_free(&e->tally);
	free(e);
}

const struct tally *events_tally(const struct events *e)
{
	return &e->tally;
}

void events_tally_prune(struct events *e, bool (*is_there)(uint32_t index, uint64_t claim, void *ctx), void *ctx)
{
	tally_prune(&e->tally, is_there, ctx);
}

const char *events_verdict_name(uint32_t verdict)
{
	return verdict < ARRAY_SIZE(verdict_names) ? verdict_names[verdict] : "unknown";
}

uint64_t events_count(const struct events *e)
{
	return e->count;
}

/* ---- one line ---- */

/* The wall-clock time of a moment of CLOCK_BOOTTIME. */
static uint64_t wall_of(uint64_t boottime_ns)
{
	return wall_ns() - (boot_ns() - boottime_ns);
}

struct who {
	uint64_t netns_cookie;
	const char *cgroup; /* path */
};

/* Whoever has entered a pod's netns without being of its cgroup is not the pod, and must not be taken for it. */
static bool is_owner(const struct warden_claim *claim, const void *ctx)
{
	const struct who *who = ctx;
	char own[512];
	size_t len;

	if (claim->netns_cookie != who->netns_cookie)
		return false;
	if (!claim->cgroup_id)
		return true;
	if (cgroup_path(claim->cgroup_id, own, sizeof(own)))
		return false;
	len = strlen(own);
	return !strncmp(who->cgroup, own, len) && (who->cgroup[len] == '/' || who->cgroup[len] == '\0');
}

static bool is_in_netns(const struct warden_claim *claim, const void *ctx)
{
	return claim->netns_cookie == *(const uint64_t *)ctx;
}

/* A packet was sent by whoever owns the VF; which of his processes it was, or who sent what he receives, nobody knows. */
static cJSON *packet_actor_json(struct events *e, const struct warden_event *ev)
{
	bool received = ev->rule == RULE_MARKING_PACKET && PACKET_ARG_DIRECTION(ev->arg[0]) == DIRECTION_INGRESS;
	cJSON *actor = cJSON_CreateObject();
	struct warden_claim pod;

	cJSON_AddNumberToObject(actor, "pid", 0);
	cJSON_AddStringToObject(actor, "comm", "");
	cJSON_AddNumberToObject(actor, "uid", 0);
	cJSON_AddStringToObject(actor, "cgroup", "");
	cJSON_AddNumberToObject(actor, "netns", ev->netns_inum);
	cJSON_AddStringToObject(actor, "pod",
				!received && track_claim_get(e->track, ev->ib_index, &pod) ? pod.owner : "");
	return actor;
}

/* By its slot; but where that has only a UID for a name, a claim of the pod's may know more. */
static void actor_pod(struct events *e, const struct warden_event *ev, const char *cgroup, char *to, size_t size)
{
	const struct who who = { .netns_cookie = ev->netns_cookie, .cgroup = cgroup };
	struct warden_claim claim;
	struct warden_pod pod;
	bool found = e->slots && slots_of_event(e->slots, ev, &pod);

	if (found && strncmp(pod.owner, POD_BY_UID, strlen(POD_BY_UID)) != 0)
		snprintf(to, size, "%s", pod.owner);
	else if (track_claim_find(e->track, is_owner, &who, &claim))
		snprintf(to, size, "%s", claim.owner);
	else
		snprintf(to, size, "%s", found ? pod.owner : "");
}

static cJSON *actor_json(struct events *e, const struct warden_event *ev)
{
	cJSON *actor = cJSON_CreateObject();
	char pod[WARDEN_OWNER_LEN];
	char text[512];

	cJSON_AddNumberToObject(actor, "pid", ev->pid);
	text_from_bytes(ev->comm, sizeof(ev->comm), text, sizeof(text));
	cJSON_AddStringToObject(actor, "comm", text);
	cJSON_AddNumberToObject(actor, "uid", ev->uid);
	if (cgroup_path(ev->cgroup_id, text, sizeof(text)))
		snprintf(text, sizeof(text), "id:%llu", (unsigned long long)ev->cgroup_id);
	cJSON_AddStringToObject(actor, "cgroup", text);
	cJSON_AddNumberToObject(actor, "netns", ev->netns_inum);
	actor_pod(e, ev, text, pod, sizeof(pod));
	cJSON_AddStringToObject(actor, "pod", pod);
	return actor;
}

static const char *tamper_text(uint64_t what)
{
	static const char *const texts[] = { [OWN_MAP] = "a map",
					     [OWN_PROGRAM] = "a program",
					     [OWN_LINK] = "a link",
					     [OWN_FOLDER] = "a folder of pins" };

	return what >= OWN_MAP && what <= OWN_FOLDER ? texts[what] : "something";
}

/* Where a traffic class came from, and the cure, to which the right class is appended. */
static const struct origin {
	const char *name, *cure;
} origins[] = {
	[ORIGIN_APPLICATION] = { "application",
				 "set the traffic class in the application (NCCL_IB_TC, UCX_IB_TRAFFIC_CLASS, …) to" },
	[ORIGIN_CM_OPTION] = { "rdma_cm ToS option", "have the application set RDMA_OPTION_ID_TOS to" },
	[ORIGIN_CM_DEFAULT] = { "rdma_cm default_roce_tos, or the peer's",
				"on the side that connects, write into "
				"/sys/kernel/config/rdma_cm/DEVICE/ports/PORT/default_roce_tos:" },
};

static void marking_detail(const struct warden_event *ev, cJSON *detail, char *message, size_t size)
{
	uint64_t from = MARKING_ARG_ORIGIN(ev->arg[0]);
	const struct origin *origin = &origins[from < ARRAY_SIZE(origins) ? from : ORIGIN_APPLICATION];
	unsigned int asked = MARKING_ARG_DSCP(ev->arg[0]);
	unsigned int class = ev->arg[1] ? (unsigned int)__builtin_ctzll(ev->arg[1]) << 2 : 0;
	char set[256], cure[200];

	qos_dscp_text(ev->arg[1], set, sizeof(set));
	snprintf(cure, sizeof(cure), "%s %u", origin->cure, class);
	cJSON_AddNumberToObject(detail, "dscp_asked", asked);
	cJSON_AddStringToObject(detail, "dscp_expected", set);
	cJSON_AddStringToObject(detail, "origin", origin->name);
	cJSON_AddStringToObject(detail, "cure", cure);
	snprintf(message, size, "DSCP %u asked for, by %s; the profile expects %s", asked, origin->name, set);
}

static void priority_detail(const struct warden_event *ev, cJSON *detail, char *message, size_t size)
{
	char set[32];

	qos_dscp_text(ev->arg[1], set, sizeof(set));
	cJSON_AddNumberToObject(detail, "sl_asked", (double)ev->arg[0]);
	cJSON_AddStringToObject(detail, "priority_expected", set);
	snprintf(message, size, "service level %llu asked for; the profile trusts PCP and expects priority %s",
		 (unsigned long long)ev->arg[0], set);
}

/* What is particular to the rule, for programs (detail) and for people (message). */
static cJSON *detail_json(const struct warden_event *ev, char *message, size_t size)
{
	cJSON *detail = cJSON_CreateObject();

	switch (ev->rule) {
	case RULE_EXCLUSIVE_OPEN:
		snprintf(message, size, "open of a device of another owner");
		break;
	case RULE_EXCLUSIVE_INHERITED_FD:
		snprintf(message, size, "use of a descriptor that was opened elsewhere or earlier");
		break;
	case RULE_EXCLUSIVE_FD_PASS:
		snprintf(message, size, "a descriptor of a device of another owner was taken over");
		break;
	case RULE_EXCLUSIVE_MMAP:
		snprintf(message, size, "mapping of a device of another owner");
		break;
	case RULE_EXCLUSIVE_NETLINK:
	case RULE_EXCLUSIVE_MODE:
		cJSON_AddNumberToObject(detail, "nldev_command", (double)ev->arg[0]);
		snprintf(message, size, "RDMA netlink that changes %s, which is the host's alone",
			 ev->rule == RULE_EXCLUSIVE_MODE ? "the netns mode" : "devices");
		break;
	case RULE_EXCLUSIVE_UMAD:
		snprintf(message, size, "open of a management node, which belongs to nobody");
		break;
	case RULE_MARKING_DSCP:
		marking_detail(ev, detail, message, size);
		break;
	case RULE_MARKING_PRIORITY:
		priority_detail(ev, detail, message, size);
		break;
	case RULE_MARKING_UNVERIFIED:
		snprintf(message, size, "%s",
			 ev->arg[0] == UNVERIFIED_DEVX
				 ? "mlx5 DEVX programs the NIC past the kernel, so the device's marking is unknown"
				 : "the verbs command could not be read, so its marking is unknown");
		break;
	case RULE_MARKING_PACKET:
	case RULE_SPOOF_SOURCE:
		packet_detail(ev, detail, message, size);
		break;
	case RULE_DEVICE_MOVE:
	case RULE_EXCLUSIVE_DEVICE_MOVE:
	case RULE_EXCLUSIVE_ORPHAN:
		cJSON_AddNumberToObject(detail, "netns_from", (double)ev->arg[0]);
		cJSON_AddNumberToObject(detail, "netns_to", (double)ev->arg[1]);
		snprintf(message, size, "%s",
			 ev->rule == RULE_DEVICE_MOVE ? "the device came into another netns"
			 : ev->rule == RULE_EXCLUSIVE_ORPHAN
				 ? "the owner's netns ended; the device stays closed until it is proved clean"
				 : "a claimed device was moved out of its owner's netns");
		break;
	case RULE_NETNS_END:
		cJSON_AddNumberToObject(detail, "netns", (double)ev->arg[1]);
		snprintf(message, size, "the netns of an owner ended");
		break;
	case RULE_NETDEV_MOVE:
	case RULE_EXCLUSIVE_NETDEV_MOVE:
		cJSON_AddStringToObject(detail, "netdev", ev->text);
		cJSON_AddNumberToObject(detail, "netns_from", (double)ev->arg[0]);
		cJSON_AddNumberToObject(detail, "netns_to", (double)ev->arg[1]);
		snprintf(message, size, "%s",
			 ev->rule == RULE_NETDEV_MOVE
				 ? "the device's netdev came into another netns"
				 : "the netdev of a claimed device was moved out of its owner's netns");
		break;
	case RULE_WARDEN_TAMPER:
		cJSON_AddStringToObject(detail, "what", tamper_text(ev->arg[0]));
		cJSON_AddNumberToObject(detail, "id", (double)ev->arg[1]);
		snprintf(message, size, "%s of the warden's was reached for", tamper_text(ev->arg[0]));
		break;
	case RULE_DEVICE_RENAME:
		cJSON_AddStringToObject(detail, "new_name", ev->text);
		snprintf(message, size, "renamed to %.63s", ev->text);
		break;
	default:
		snprintf(message, size, "%s", rule_name(ev->rule));
	}
	return detail;
}

static void device_json(struct events *e, cJSON *json, const struct warden_event *ev)
{
	struct warden_device d = {};
	struct warden_claim claim;
	struct rdma_cdev node = {};

	/* A umad node has no index in the event; sysfs knows its device all the same. */
	if (ev->dev)
		rdma_cdev_get(dev_from_kernel(ev->dev), &node);
	if (!track_device_get(e->track, ev->ib_index, &d)) {
		snprintf(d.name, sizeof(d.name), "%s", ev->name[0] ? ev->name : node.ibdev);
		snprintf(d.parent, sizeof(d.parent), "%.31s", ev->rule == RULE_DEVICE_REMOVE ? ev->text : node.parent);
	}
	cJSON_AddStringToObject(json, "device", ev->name[0] ? ev->name : d.name);
	cJSON_AddStringToObject(json, "pci", d.parent);
	cJSON_AddStringToObject(json, "node", node.name);
	cJSON_AddStringToObject(json, "owner", track_claim_get(e->track, ev->ib_index, &claim) ? claim.owner : "");
}

/* Takes the JSON apart again; `boottime_ns` is when it happened. */
static void publish(struct events *e, cJSON *json, uint64_t boottime_ns)
{
	struct kept *place = &e->kept[e->count % EVENTS_KEPT];
	uint64_t when = wall_of(boottime_ns);
	char *line;
	size_t len;

	line = cJSON_PrintUnformatted(json);
	if (!line) {
		cJSON_Delete(json);
		pr_err("event lost: out of memory");
		return;
	}
	len = strlen(line);
	free(place->line);
	*place = (struct kept){ .time_ns = when, .line = line };
	e->count++;
	printf("%s\n", line);
	fflush(stdout);
	for (struct follower *f = e->followers; f; f = f->next)
		f->line(f, line, len);
	for (struct subscriber *s = e->subscribers; s; s = s->next)
		s->event(s, json, when);
	cJSON_Delete(json);
}

static cJSON *head_json(struct events *e, uint64_t boottime_ns, uint32_t kind, const char *rule, uint32_t verdict)
{
	cJSON *json = cJSON_CreateObject();
	char when[64];

	text_time(wall_of(boottime_ns), when, sizeof(when));
	cJSON_AddStringToObject(json, "time", when);
	cJSON_AddNumberToObject(json, "seq", (double)(e->count + 1));
	cJSON_AddStringToObject(json, "kind", kind < ARRAY_SIZE(kind_names) ? kind_names[kind] : "unknown");
	cJSON_AddStringToObject(json, "rule", rule);
	cJSON_AddStringToObject(json, "verdict", events_verdict_name(verdict));
	return json;
}

/* By the claim of then: what the one before it has done, or suffered, is not the next one's. */
static void count_violation(struct events *e, const struct warden_event *ev)
{
	struct warden_claim claim = {};
	uint32_t index = ev->ib_index;

	if (track_claim_get(e->track, index, &claim) && ev->time_ns < claim.since_ns)
		index = WARDEN_NO_INDEX;
	tally_add(&e->tally, ev->rule, ev->verdict, index, claim.id, ev->merged + 1);
}

void events_feed(struct events *e, const struct warden_event *ev)
{
	struct warden_claim claim;
	char message[400];
	cJSON *json, *detail;

	if (ev->rule == RULE_POD_PROCESS || ev->rule == RULE_POD_END)
		return;
	if (ev->rule == RULE_NETNS_END && !track_claim_find(e->track, is_in_netns, &ev->arg[0], &claim))
		return;
	json = head_json(e, ev->time_ns, ev->kind, rule_name(ev->rule), ev->verdict);
	device_json(e, json, ev);
	if (ev->rule == RULE_NETNS_END)
		cJSON_ReplaceItemInObject(json, "owner", cJSON_CreateString(claim.owner));
	cJSON_AddItemToObject(json, "actor",
			      ev->rule == RULE_MARKING_PACKET || ev->rule == RULE_SPOOF_SOURCE
				      ? packet_actor_json(e, ev)
				      : actor_json(e, ev));
	if (ev->kind == EVENT_VIOLATION) {
		cJSON_AddNumberToObject(json, "merged", (double)ev->merged);
		count_violation(e, ev);
	}
	detail = detail_json(ev, message, sizeof(message));
	cJSON_AddStringToObject(json, "message", message);
	cJSON_AddItemToObject(json, "detail", detail);
	publish(e, json, ev->time_ns);
}

/* The last of `merged` equal violations, which the others go with. */
static void feed_merged(struct events *e, const struct warden_merge_key *key, const struct warden_merge *merge)
{
	struct warden_event ev = { .time_ns = boot_ns(),
				   .kind = EVENT_VIOLATION,
				   .rule = key->rule,
				   .verdict = key->verdict,
				   .dev = key->dev,
				   .ib_index = key->ib_index,
				   .pid = key->pid,
				   .uid = key->uid,
				   .netns_inum = merge->netns_inum,
				   .netns_cookie = key->netns_cookie,
				   .cgroup_id = key->cgroup_id,
				   .arg = { key->arg, merge->arg },
				   .pod_slot = merge->pod_slot,
				   .pod_generation = merge->pod_generation,
				   .merged = merge->merged - 1 };

	memcpy(ev.comm, merge->comm, sizeof(ev.comm));
	events_feed(e, &ev);
}

/* An entry is taken away in one step with its count, so no program counts on into it; false: it has to stay for now. */
static bool sweep_one(struct events *e, int fd, const struct warden_merge_key *key)
{
	struct warden_merge merge;

	if (bpf_map_lookup_elem(fd, key, &merge))
		return true;
	if (boot_ns() - merge.told_ns < MERGE_WINDOW_NS)
		return false;
	if (!bpf_map_lookup_and_delete_elem(fd, key, &merge) && merge.merged)
		feed_merged(e, key, &merge);
	return true;
}

bool events_sweep(struct events *e, int fd)
{
	struct warden_merge_key key, next;
	bool left = false, more = !bpf_map_get_next_key(fd, NULL, &key);

	while (more) {
		/* Before this one may go: a walk that stands on a key that is gone starts over. */
		more = !bpf_map_get_next_key(fd, &key, &next);
		left |= !sweep_one(e, fd, &key);
		key = next;
	}
	return left;
}

void events_claim(struct events *e, const struct claim_change *change, uint32_t pid, uint32_t uid)
{
	uint64_t now = boot_ns();
	cJSON *json = head_json(e, now, EVENT_CHANGE, rule_name(change->rule), VERDICT_NONE), *actor, *detail;
	struct warden_device d = {};
	char message[128];

	track_device_get(e->track, change->index, &d);
	cJSON_AddStringToObject(json, "device", d.name);
	cJSON_AddStringToObject(json, "pci", change->pci[0] ? change->pci : d.parent);
	cJSON_AddStringToObject(json, "owner", change->claim.owner);
	actor = cJSON_AddObjectToObject(json, "actor");
	cJSON_AddNumberToObject(actor, "pid", pid);
	cJSON_AddNumberToObject(actor, "uid", uid);
	snprintf(message, sizeof(message), "%s: %s", change->rule == RULE_CLAIM_SET ? "claimed" : "released",
		 change->why);
	cJSON_AddStringToObject(json, "message", message);
	detail = cJSON_AddObjectToObject(json, "detail");
	cJSON_AddNumberToObject(detail, "netns", change->claim.netns_inum);
	cJSON_AddStringToObject(detail, "claim_source", change->claim.source);
	publish(e, json, now);
}

void events_setting(struct events *e, const struct setting_change *change, uint32_t pid, uint32_t uid)
{
	bool failed = change->error[0];
	uint64_t now = boot_ns();
	cJSON *json = head_json(e, now, failed ? EVENT_FAULT : EVENT_CHANGE, change->rule, VERDICT_NONE);
	cJSON *actor = cJSON_AddObjectToObject(json, "actor"), *detail;
	char message[512];

	cJSON_AddNumberToObject(actor, "pid", pid);
	cJSON_AddNumberToObject(actor, "uid", uid);
	if (failed)
		snprintf(message, sizeof(message), "%s of %s was not set: %.300s", change->setting, change->subject,
			 change->error);
	else
		snprintf(message, sizeof(message), "%s of %s was set from %.150s to %.150s", change->setting,
			 change->subject, change->from, change->to);
	cJSON_AddStringToObject(json, "message", message);
	detail = cJSON_AddObjectToObject(json, "detail");
	cJSON_AddStringToObject(detail, "subject", change->subject);
	cJSON_AddStringToObject(detail, "setting", change->setting);
	cJSON_AddStringToObject(detail, "from", change->from);
	cJSON_AddStringToObject(detail, "to", change->to);
	cJSON_AddStringToObject(detail, "error", change->error);
	publish(e, json, now);
}

void events_effect(struct events *e, const struct effect_change *change)
{
	const struct qos_finding *f = &change->finding;
	bool device = change->kind == EFFECT_DEVICE;
	struct warden_claim claim = {};
	struct warden_device d = {};
	uint64_t now = boot_ns();
	char message[400];
	cJSON *json, *detail;

	json = head_json(e, now, change->begins ? EVENT_VIOLATION : EVENT_CHANGE, rule_name(change->rule),
			 change->begins ? VERDICT_OBSERVED : VERDICT_NONE);
	if (device) {
		track_device_get(e->track, change->index, &d);
		track_claim_get(e->track, change->index, &claim);
	}
	if (change->begins)
		tally_add(&e->tally, change->rule, VERDICT_OBSERVED, device ? change->index : WARDEN_NO_INDEX, claim.id,
			  1);
	cJSON_AddStringToObject(json, "device", device ? f->subject : "");
	cJSON_AddStringToObject(json, "pci", d.parent);
	cJSON_AddStringToObject(json, "owner", claim.owner);
	snprintf(message, sizeof(message), "%s%s%s%s", device ? "" : f->subject, device ? "" : ": ",
		 change->begins ? "" : "no longer: ", f->found);
	cJSON_AddStringToObject(json, "message", message);
	detail = cJSON_AddObjectToObject(json, "detail");
	cJSON_AddStringToObject(detail, "netdev", device ? "" : f->subject);
	cJSON_AddStringToObject(detail, "expected", f->expected);
	cJSON_AddStringToObject(detail, "found", f->found);
	cJSON_AddStringToObject(detail, "cure", f->cure);
	publish(e, json, now);
}

void events_contradiction(struct events *e, const struct contradiction_change *change)
{
	uint64_t now = boot_ns();
	cJSON *json = head_json(e, now, change->begins ? EVENT_VIOLATION : EVENT_CHANGE, change->rule,
				change->begins ? VERDICT_OBSERVED : VERDICT_NONE);
	cJSON *detail, *sources, *owners;
	char message[640];
	int rule = rule_find(change->rule);

	if (change->begins && rule >= 0)
		tally_add(&e->tally, (uint32_t)rule, VERDICT_OBSERVED, WARDEN_NO_INDEX, 0, 1);

	cJSON_AddStringToObject(json, "device", "");
	cJSON_AddStringToObject(json, "pci", change->subject);
	cJSON_AddStringToObject(json, "owner", change->owner[0][0] ? change->owner[0] : change->owner[1]);
	snprintf(message, sizeof(message), "%s%s", change->begins ? "" : "no longer: ", change->text);
	cJSON_AddStringToObject(json, "message", message);
	detail = cJSON_AddObjectToObject(json, "detail");
	cJSON_AddStringToObject(detail, "subject", change->subject);
	sources = cJSON_AddArrayToObject(detail, "sources");
	owners = cJSON_AddArrayToObject(detail, "owners");
	for (int i = 0; i < 2; i++) {
		cJSON_AddItemToArray(sources, cJSON_CreateString(change->source[i]));
		cJSON_AddItemToArray(owners, cJSON_CreateString(change->owner[i]));
	}
	cJSON_AddStringToObject(detail, "cure", change->cure);
	publish(e, json, now);
}

void events_fault(struct events *e, const char *fmt, ...)
{
	uint64_t now = boot_ns();
	cJSON *json = head_json(e, now, EVENT_FAULT, rule_name(RULE_WARDEN_FAULT), VERDICT_NONE);
	char message[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	pr_warn("%s", message);
	cJSON_AddStringToObject(json, "message", message);
	publish(e, json, now);
}

/* ---- who reads them ---- */

void events_kept(struct events *e, uint64_t since_ns, void (*visit)(const char *line, size_t len, void *ctx), void *ctx)
{
	uint64_t first = e->count > EVENTS_KEPT ? e->count - EVENTS_KEPT : 0;

	for (uint64_t i = first; i < e->count; i++) {
		const struct kept *k = &e->kept[i % EVENTS_KEPT];

		if (k->time_ns >= since_ns)
			visit(k->line, strlen(k->line), ctx);
	}
}

void events_follow(struct events *e, struct follower *follower)
{
	follower->next = e->followers;
	e->followers = follower;
}

void events_unfollow(struct events *e, struct follower *follower)
{
	for (struct follower **p = &e->followers; *p; p = &(*p)->next) {
		if (*p != follower)
			continue;
		*p = follower->next;
		return;
	}
}

void events_subscribe(struct events *e, struct subscriber *subscriber)
{
	subscriber->next = e->subscribers;
	e->subscribers = subscriber;
}

void events_unsubscribe(struct events *e, struct subscriber *subscriber)
{
	for (struct subscriber **p = &e->subscribers; *p; p = &(*p)->next) {
		if (*p != subscriber)
			continue;
		*p = subscriber->next;
		return;
	}
}
