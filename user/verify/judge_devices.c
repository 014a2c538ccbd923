// SPDX-License-Identifier: Apache-2.0
/* Of a pod: its RDMA devices and their nodes, whose claims they are, and what contradicts that. */
#include <string.h>

#include "lib/util.h"
#include "verify/internal.h"

/* ---- contradictions ---- */

/* Their rules' names, which are the checks' ids, and what would be right. */
static const struct {
	const char *id, *right;
} tracking[] = {
#define RIGHT_POD "one pod, whoever is asked"
#define RIGHT_STRAY "what is in the pod was allocated to it"
#define RIGHT_MISSING "what was allocated to the pod is in it"
#define RIGHT_SPLIT "netdev and RDMA device are in one netns"
#define RIGHT_SHARED_PLUGIN ""
#define X(rule, name) [CONTRADICTION_##rule] = { name, RIGHT_##rule },
	CONTRADICTIONS(X)
#undef X
};

static bool concerns(const struct judge *j, const struct contradiction *x)
{
	if (x->rule == CONTRADICTION_SHARED_PLUGIN || x->rule >= ARRAY_SIZE(tracking))
		return false;
	if (!j->pod)
		return x->pods[0] == MODEL_NONE && x->pods[1] == MODEL_NONE;
	return x->pods[0] == j->index || x->pods[1] == j->index;
}

static void sources_agree(const struct judge *j)
{
	static const char *const names[] = {
#define X(id, name) [POD_SOURCE_##id] = name,
		POD_SOURCES(X)
#undef X
	};
	struct verify_check c = check_begin(j, "track.agree", "sources");
	char list[128] = "";

	for (size_t s = 0; s < ARRAY_SIZE(names); s++)
		if (j->pod->sources & 1u << s)
			text_list(list, sizeof(list), names[s]);
	check_expected(&c, "no two sources contradict each other");
	check_found(&c, "none contradicts another one: %s", list);
	check_tell(j, &c, VERIFY_PASS);
}

void judge_tracking(struct judge *j)
{
	bool told = false;

	for (size_t i = 0; i < j->model->contradiction_count; i++) {
		const struct contradiction *x = &j->model->contradictions[i];
		struct verify_check c;

		if (!concerns(j, x))
			continue;
		c = check_begin(j, tracking[x->rule].id, x->device);
		check_expected(&c, "%s", tracking[x->rule].right);
		check_found(&c, "%s", x->text);
		check_cure(&c, "%s", x->cure);
		check_tell(j, &c, VERIFY_FAIL);
		told = true;
	}
	if (!told && j->pod)
		sources_agree(j);
}

/* ---- RDMA devices ---- */

static const struct model_device *device_by_index(const struct model *model, uint32_t index)
{
	for (size_t i = 0; i < model->device_count; i++)
		if (model->devices[i].tracked.index == index)
			return &model->devices[i];
	return NULL;
}

static bool is_own(const struct judge *j, uint32_t index)
{
	const struct model_device *d = device_by_index(j->model, index);

	return d && device_is_of(j->model, d, j->index);
}

static void own_device(const struct judge *j, const struct model_device *d)
{
	struct verify_check c = check_begin(j, "pod.devices", device_subject(j->model, d));
	const struct inside_rdma *seen = inside_rdma_get(j->in, d->tracked.index);
	char anew[256];

	text_anew(j, anew, sizeof(anew));
	check_expected(&c, "%s is in the pod", d->tracked.device.name);
	check_found(&c, seen ? "it is, as %s" : "the pod does not see %s", seen ? seen->name : d->tracked.device.name);
	check_cure(&c, "%s", anew);
	check_tell(j, &c, pass_if(seen));
}

static bool is_disputed(const struct model_device *d)
{
	for (size_t s = 0; s < POD_SOURCE_COUNT; s++)
		if (d->by[s] != MODEL_NONE)
			return true;
	return false;
}

static void whose(const struct judge *j, const struct model_device *d, char *to, size_t size)
{
	if (!d)
		snprintf(to, size, "and nothing is known of it");
	else if (d->pod != MODEL_NONE && d->pod != j->index)
		snprintf(to, size, "which is of %s", j->model->pods[d->pod].owner);
	else if (d->pod == MODEL_NONE && is_disputed(d))
		snprintf(to, size, "which is of more than one, if all sources are believed");
	else if (!d->tracked.pf[0] && strchr(d->tracked.device.parent, ':'))
		snprintf(to, size, "which is no VF, but a PF or a whole NIC");
	else if (d->pod == j->index)
		snprintf(to, size, "which nobody allocated to it");
	else
		snprintf(to, size, "which is of nobody");
}

static void foreign_device(const struct judge *j, const struct inside_rdma *seen)
{
	const struct model_device *d = device_by_index(j->model, seen->index);
	struct verify_check c = check_begin(j, "pod.devices", d ? device_subject(j->model, d) : seen->name);
	char by[384], inside[64];

	whose(j, d, by, sizeof(by));
	text_inside(j, inside, sizeof(inside));
	check_expected(&c, "not to be seen in the pod");
	check_found(&c, "the pod sees %s, %s", seen->name, by);
	check_cure(&c, "ip netns attach host 1; %srdma dev set %s netns host", inside, text_word(seen->name));
	check_tell(j, &c, VERIFY_FAIL);
}

/* One line for all of them; in shared mode that is each device of the node. */
static void no_other_device(const struct judge *j, size_t foreign)
{
	struct verify_check c = check_begin(j, "pod.devices", "others");

	check_expected(&c, "no device of others is to be seen in the pod");
	if (foreign)
		check_found(&c, "the RDMA subsystem is in shared netns mode: the pod sees %zu devices of others",
			    foreign);
	else
		check_found(&c, "none");
	check_cure(&c, "see exclusive.now");
	check_tell(j, &c, pass_if(!foreign));
}

static void other_devices(const struct judge *j)
{
	size_t foreign = 0;

	for (size_t i = 0; i < j->in->rdma_count; i++)
		foreign += !is_own(j, j->in->rdma[i].index);
	if (!foreign || j->node->exclusive_now == 0) {
		no_other_device(j, foreign);
		return;
	}
	for (size_t i = 0; i < j->in->rdma_count; i++)
		if (!is_own(j, j->in->rdma[i].index))
			foreign_device(j, &j->in->rdma[i]);
}

/* ---- claims ---- */

enum match { MATCH_YES, MATCH_NO, MATCH_UNKNOWN };

static enum match cgroup_matches(const struct model_pod *pod, const struct warden_claim *claim)
{
	if (!claim->cgroup_id || !pod->cgroup.id || claim->cgroup_id == pod->cgroup.id)
		return MATCH_YES;
	return claim->cgroup_level > pod->cgroup.level ? MATCH_UNKNOWN : MATCH_NO;
}

/* Without Kubernetes a pod has no name but that of its netns, and a claim calls its owner as it likes. */
static bool is_owner(const struct model_pod *pod, const struct warden_claim *claim)
{
	return !pod->namespace[0] || !strcmp(claim->owner, pod->owner);
}

static enum verify_result claim_result(const struct judge *j, const struct model_device *d, struct verify_check *c)
{
	const struct warden_claim *claim = &d->tracked.claim;
	enum match cgroup = cgroup_matches(j->pod, claim);

	if (!d->tracked.claimed)
		check_found(c, "claimed by nobody");
	else if (!is_owner(j->pod, claim))
		check_found(c, "claimed by %s", claim->owner);
	else if (claim->netns_cookie != j->pod->netns.cookie)
		check_found(c, "claimed by it for the netns %u, and it is in %u", claim->netns_inum,
			    j->pod->netns.inum);
	else if (cgroup == MATCH_NO)
		check_found(c, "claimed by it for a cgroup that is not its own");
	else if (cgroup == MATCH_UNKNOWN)
		check_found(c,
			    "claimed by it for a cgroup of level %u, that of the pod is of level %u: it is not known "
			    "whether one is "
			    "in the other",
			    claim->cgroup_level, j->pod->cgroup.level);
	else {
		check_found(c, "claimed by it, says %s", claim->source);
		return VERIFY_PASS;
	}
	return d->tracked.claimed && is_owner(j->pod, claim) && claim->netns_cookie == j->pod->netns.cookie &&
			       cgroup == MATCH_UNKNOWN
		       ? VERIFY_UNKNOWN
		       : VERIFY_FAIL;
}

static void judge_claim(const struct judge *j, const struct model_device *d)
{
	struct verify_check c = check_begin(j, "pod.claim", device_subject(j->model, d));
	const char *device = text_word(device_subject(j->model, d)), *owner = text_word(j->pod->owner);
	char netns[64] = "--netns NAME";
	enum verify_result result = claim_result(j, d, &c);

	if (j->pod->pid > 0)
		snprintf(netns, sizeof(netns), "--pid %d", j->pod->pid);
	check_expected(&c, "claimed by the pod, for its netns and its cgroup");
	check_cure(&c, "%s%s%swardenctl claim --device %s %s --owner %s",
		   d->tracked.claimed ? "wardenctl release --device " : "", d->tracked.claimed ? device : "",
		   d->tracked.claimed ? "; " : "", device, netns, owner);
	check_tell(j, &c, result);
}

/* ---- what the PF enforces, and how the traffic is marked ---- */

static void judge_switch(const struct judge *j, const struct model_device *d, const char *id, const char *what,
			 int value, bool wanted)
{
	struct verify_check c = check_begin(j, id, device_subject(j->model, d));

	if (!d->tracked.pf[0])
		return; /* of a VF alone is it a setting */
	check_expected(&c, wanted ? "on" : "off");
	check_found(&c, value < 0 ? "the driver of the PF does not say" : value ? "on" : "off");
	check_cure_vf(&c, d, what, wanted ? "on" : "off");
	check_tell(j, &c, value < 0 ? VERIFY_UNKNOWN : pass_if(!!value == wanted));
}

static void judge_marking(const struct judge *j, const struct model_device *d, const char *marking)
{
	struct verify_check c = check_begin(j, "pod.marking", device_subject(j->model, d));
	bool unverified = !strcmp(marking, "unverified"), wrong = !strcmp(marking, "wrong");

	check_expected(&c, "the marking of the profile");
	check_found(&c, "%s",
		    wrong                      ? "queue pairs or address handles asked for another DSCP"
		    : unverified               ? "objects were made past the kernel, which does not know their marking"
		    : !strcmp(marking, "none") ? "no queue pair has asked for a DSCP yet"
					       : marking);
	check_cure(
		&c,
		"wardenctl events names the process and the DSCP: give it the profile's, as traffic class (DSCP * 4)");
	check_tell(j, &c, wrong ? VERIFY_FAIL : unverified ? VERIFY_UNKNOWN : VERIFY_PASS);
}

/* ---- all of a pod's devices ---- */

static void not_seen(const struct judge *j, const char *id, const char *right)
{
	struct verify_check c = check_begin(j, id, "all");

	check_expected(&c, "%s", right);
	check_found(&c, "the pod cannot be seen from inside: %s",
		    j->in && j->in->error.text[0] ? j->in->error.text : "its netns is not known");
	check_tell(j, &c, VERIFY_UNKNOWN);
}

void judge_devices(struct judge *j)
{
	bool seen = j->in && !j->in->error.text[0];

	for (size_t i = 0; i < j->model->device_count; i++) {
		const struct model_device *d = &j->model->devices[i];
		const struct verify_device *v = node_device(j->node, d->tracked.index);

		if (!device_is_of(j->model, d, j->index))
			continue;
		if (seen)
			own_device(j, d);
		if (!j->pod->host_network)
			judge_claim(j, d);
		if (!v)
			continue;
		judge_switch(j, d, "pod.spoofchk", "spoofchk", v->spoofchk, true);
		judge_switch(j, d, "pod.trust", "trust", v->trust, false);
		if (v->marking)
			judge_marking(j, d, v->marking);
	}
	if (seen)
		other_devices(j);
	else if (!j->pod->host_network)
		not_seen(j, "pod.devices", "the pod sees its own RDMA devices and no other");
}
