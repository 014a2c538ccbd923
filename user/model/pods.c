// SPDX-License-Identifier: Apache-2.0
/* Whatever the sources say of one pod comes together: by its UID, else by its netns or its name, and never by guess. */
#include <string.h>

#include "lib/hash.h"
#include "lib/names.h"
#include "lib/util.h"
#include "model/internal.h"

/* ---- the table ---- */

static bool grow(struct join *j)
{
	size_t room = j->pod_room ? 2 * j->pod_room : 64;
	struct model_pod *pods = reallocarray(j->model->pods, room, sizeof(*pods));
	const char **alias = reallocarray(j->alias, room, sizeof(*alias));

	if (pods)
		j->model->pods = pods;
	if (alias)
		j->alias = alias;
	if (!pods || !alias)
		return false;
	j->pod_room = room;
	return true;
}

static size_t add_pod(struct join *j)
{
	size_t p = j->model->pod_count;

	if (p == j->pod_room && !grow(j)) {
		j->failed = true;
		return MODEL_NONE;
	}
	j->model->pods[p] = (struct model_pod){};
	j->alias[p] = NULL;
	j->model->pod_count++;
	return p;
}

static void put(struct join *j, struct index *index, uint64_t hash, size_t value)
{
	if (!index_put(index, hash, value))
		j->failed = true;
}

int pod_rank(const struct model_pod *pod)
{
	return pod->ended ? 0 : pod->deleting ? 1 : 2;
}

/* ---- UIDs ---- */

/* What is longer than the kubelet's own cannot be any other source's. */
static bool uid_valid(const char *uid)
{
	return uid && name_valid(uid, strlen(uid), POD_UID_LEN - 1);
}

static void set_uid(struct join *j, size_t p, const char *uid)
{
	strcpy(j->model->pods[p].uid, uid);
	put(j, &j->by_uid, hash_text(uid), p);
}

static size_t find_uid(struct join *j, const char *uid)
{
	INDEX_EACH(&j->by_uid, hash_text(uid), p)
	{
		if (!strcmp(j->model->pods[p].uid, uid))
			return p;
		if (j->alias[p] && !strcmp(j->alias[p], uid)) {
			strcpy(j->model->pods[p].uid, uid); /* by which all but the API know it */
			return p;
		}
	}
	return MODEL_NONE;
}

static size_t get_uid(struct join *j, const char *uid)
{
	size_t p = find_uid(j, uid);

	if (p == MODEL_NONE) {
		p = add_pod(j);
		if (p != MODEL_NONE)
			set_uid(j, p, uid);
	}
	return p;
}

/* ---- names ---- */

/* Owners that are no pod's name: the warden makes them where nobody tells one. */
static bool made_up(const char *owner)
{
	static const char *const made[] = { "netns/", "unit/", "cni/", "pod-uid/" };

	for (size_t i = 0; i < ARRAY_SIZE(made); i++)
		if (!strncmp(owner, made[i], strlen(made[i])))
			return true;
	return false;
}

static bool owner_valid(const char *owner)
{
	const char *slash = strchr(owner, '/');

	return slash && name_valid(owner, (size_t)(slash - owner), NAME_LABEL_MAX) &&
	       name_valid(slash + 1, strlen(slash + 1), NAME_SUBDOMAIN_MAX);
}

/* The first one who tells it is right. */
static void set_owner(struct join *j, size_t p, const char *owner)
{
	struct model_pod *pod = &j->model->pods[p];
	const char *slash = strchr(owner, '/');

	if (pod->namespace[0] || (pod->owner[0] && made_up(owner)))
		return;
	strcpy(pod->owner, owner);
	put(j, &j->by_owner, hash_text(owner), p);
	if (made_up(owner))
		return;
	memcpy(pod->namespace, owner, (size_t)(slash - owner));
	strcpy(pod->name, slash + 1);
}

/*
 * Of several pods of one name the one that lives longest. Where that is not one, it is the one that nobody gave a UID: all that
 * is said of the name alone comes together there.
 */
static size_t find_owner(const struct join *j, const char *owner)
{
	const struct model_pod *pods = j->model->pods;
	size_t best = MODEL_NONE, bare = MODEL_NONE;
	bool tie = false;

	INDEX_EACH(&j->by_owner, hash_text(owner), p)
	{
		if (strcmp(pods[p].owner, owner))
			continue;
		if (!pods[p].uid[0]) {
			bare = p;
		} else if (best == MODEL_NONE || pod_rank(&pods[p]) > pod_rank(&pods[best])) {
			best = p;
			tie = false;
		} else if (p != best && pod_rank(&pods[p]) == pod_rank(&pods[best])) {
			tie = true;
		}
	}
	return best == MODEL_NONE || tie ? bare : best;
}

static size_t get_owner(struct join *j, const char *owner)
{
	size_t p = find_owner(j, owner);

	if (p == MODEL_NONE) {
		p = add_pod(j);
		if (p != MODEL_NONE)
			set_owner(j, p, owner);
	}
	return p;
}

/* "": not a pod's. */
static void owner_of(const char *namespace, const char *name, char to[WARDEN_OWNER_LEN])
{
	if (!namespace || !name || try_snprintf(to, WARDEN_OWNER_LEN, "%s/%s", namespace, name) || !owner_valid(to))
		to[0] = '\0';
}

/* ---- netns ---- */

static void set_netns(struct join *j, size_t p, const struct netns_id *id)
{
	j->model->pods[p].netns = *id;
	put(j, &j->by_netns, id->cookie, p);
}

/* Where nobody has told it yet, and nobody else has it. */
static void learn_netns(struct join *j, size_t p, const struct netns_id *id)
{
	const struct model_pod *pod = &j->model->pods[p];

	if (id->cookie && id->cookie != j->in->host.cookie && !pod->netns.cookie && !pod->host_network &&
	    join_pod_by_netns(j, id->cookie) == MODEL_NONE)
		set_netns(j, p, id);
}

enum pod_source netns_source(const struct model_pod *pod)
{
	if (pod->sources & 1u << POD_SOURCE_PROC)
		return POD_SOURCE_PROC;
	return pod->sources & 1u << POD_SOURCE_NETNS ? POD_SOURCE_NETNS : POD_SOURCE_COUNT;
}

static size_t pod_by_container(const struct join *j, uint64_t cookie)
{
	size_t found = MODEL_NONE;

	INDEX_EACH(&j->by_container_netns, cookie, p)
	{
		if (j->model->pods[p].host_network || p == found)
			continue;
		if (found != MODEL_NONE)
			return MODEL_NONE;
		found = p;
	}
	return found;
}

size_t join_pod_by_netns(const struct join *j, uint64_t cookie)
{
	size_t found = MODEL_NONE;

	if (!cookie || cookie == j->in->host.cookie)
		return MODEL_NONE;
	INDEX_EACH(&j->by_netns, cookie, p)
	{
		if (j->model->pods[p].netns.cookie != cookie || p == found)
			continue;
		if (found != MODEL_NONE)
			return MODEL_NONE;
		found = p;
	}
	return found == MODEL_NONE ? pod_by_container(j, cookie) : found;
}

/* ---- processes ---- */

static void add_container(struct join *j, struct model_pod *pod, const char *id, const char *name, pid_t pid)
{
	size_t n = pod->container_count;
	struct model_container *longer;

	if (!(n & (n - 1))) { /* doubled at each power of two */
		longer = reallocarray(pod->containers, n ? 2 * n : 1, sizeof(*longer));
		if (!longer) {
			j->failed = true;
			return;
		}
		pod->containers = longer;
	}
	pod->containers[n] = (struct model_container){ .pid = pid };
	snprintf(pod->containers[n].id, sizeof(pod->containers[n].id), "%s", id);
	snprintf(pod->containers[n].name, sizeof(pod->containers[n].name), "%s", name);
	pod->container_count++;
}

static size_t pod_of_scan(struct join *j, const struct scan_pod *s)
{
	size_t p = uid_valid(s->uid) ? get_uid(j, s->uid) : MODEL_NONE;
	struct model_pod *pod;

	if (p == MODEL_NONE)
		return p;
	pod = &j->model->pods[p];
	pod->sources |= 1u << POD_SOURCE_PROC;
	pod->pid = s->pid;
	pod->cgroup = s->cgroup;
	pod->host_network = s->netns.cookie && s->netns.cookie == j->in->host.cookie;
	set_netns(j, p, &s->netns);
	return p;
}

static void add_scan(struct join *j, const struct scan *scan)
{
	_cleanup_free_ size_t *pods = join_array(j, scan->pod_count, sizeof(*pods));

	for (size_t i = 0; !j->failed && i < scan->pod_count; i++)
		pods[i] = pod_of_scan(j, &scan->pods[i]);
	for (size_t i = 0; !j->failed && i < scan->container_count; i++) {
		const struct scan_container *c = &scan->containers[i];
		size_t p = pods[c->pod];

		if (p == MODEL_NONE)
			continue;
		add_container(j, &j->model->pods[p], c->id, "", c->pid);
		if (c->netns.cookie && c->netns.cookie != j->model->pods[p].netns.cookie)
			put(j, &j->by_container_netns, c->netns.cookie, p);
	}
}

/* ---- the Kubernetes API ---- */

struct aliases {
	struct index uids, statics; /* of the API's pods */
};

/* How many of them have it as their own UID, or as that of a static pod. */
static size_t count_uids(const struct join *j, const struct index *index, const char *uid, bool statics)
{
	size_t count = 0;

	INDEX_EACH(index, hash_text(uid), i)
	{
		const struct kube_pod *k = j->in->api->list[i];

		count += !strcmp(statics ? k->static_uid : k->uid, uid);
	}
	return count;
}

/* As kube_pods_find() has it: who makes a pod could give it the annotation of another one, so it counts behind a UID, and alone. */
static bool alias_counts(const struct join *j, const struct aliases *a, const struct kube_pod *k)
{
	return uid_valid(k->static_uid) && count_uids(j, &a->statics, k->static_uid, true) == 1 &&
	       !count_uids(j, &a->uids, k->static_uid, false);
}

/* The UID of an API object whose pod is static is no process's: one that is has no other. */
static size_t pod_of_api(struct join *j, const struct aliases *a, const struct kube_pod *k)
{
	size_t p = uid_valid(k->uid) ? find_uid(j, k->uid) : MODEL_NONE;
	bool alias = p == MODEL_NONE && alias_counts(j, a, k);

	if (alias)
		p = find_uid(j, k->static_uid);
	if (p != MODEL_NONE)
		return p;
	p = add_pod(j);
	if (p == MODEL_NONE)
		return p;
	if (uid_valid(k->uid))
		set_uid(j, p, k->uid);
	if (alias) {
		j->alias[p] = k->static_uid;
		put(j, &j->by_uid, hash_text(k->static_uid), p);
	}
	return p;
}

static void name_containers(struct join *j, struct model_pod *pod, const struct kube_pairs *pairs)
{
	size_t seen = pod->container_count;

	for (size_t i = 0; i < pairs->count; i++) {
		const struct kube_pair *pair = &pairs->list[i];
		size_t c = 0;

		if (strlen(pair->value) >= CONTAINER_ID_LEN)
			continue;
		while (c < seen && strcmp(pod->containers[c].id, pair->value))
			c++;
		if (c == seen)
			add_container(j, pod, pair->value, pair->name, 0);
		else
			snprintf(pod->containers[c].name, sizeof(pod->containers[c].name), "%s", pair->name);
	}
}

/* Of a pod whose sandbox is just being made the process is still in the host's netns: the API knows better. */
static void take_api(struct join *j, size_t p, const struct kube_pod *k, const char *owner)
{
	struct model_pod *pod = &j->model->pods[p];

	pod->sources |= 1u << POD_SOURCE_API;
	pod->ended = !strcmp(k->phase, "Succeeded") || !strcmp(k->phase, "Failed");
	pod->deleting = k->deleting;
	if (k->host_network)
		pod->netns = j->in->host;
	else if (pod->host_network)
		pod->netns = (struct netns_id){};
	pod->host_network = k->host_network;
	memcpy(pod->made_api_version, k->owner_api_version, sizeof(pod->made_api_version));
	memcpy(pod->made_kind, k->owner_kind, sizeof(pod->made_kind));
	memcpy(pod->made_name, k->owner_name, sizeof(pod->made_name));
	set_owner(j, p, owner);
	name_containers(j, pod, &k->containers);
}

static void add_api(struct join *j, const struct kube_pods *api)
{
	struct aliases a = {};
	char owner[WARDEN_OWNER_LEN];

	for (size_t i = 0; i < api->count; i++) {
		put(j, &a.uids, hash_text(api->list[i]->uid), i);
		put(j, &a.statics, hash_text(api->list[i]->static_uid), i);
	}
	for (size_t i = 0; !j->failed && i < api->count; i++) {
		const struct kube_pod *k = api->list[i];

		owner_of(k->namespace, k->name, owner);
		j->api_pod[i] = *owner ? pod_of_api(j, &a, k) : MODEL_NONE;
		if (j->api_pod[i] != MODEL_NONE)
			take_api(j, j->api_pod[i], k, owner);
	}
	index_free(&a.uids);
	index_free(&a.statics);
}

/* ---- attachments ---- */

/* A netns is of one pod: an owner that is another's name is not its. */
static size_t find_netns_of(const struct join *j, const char *owner, const struct netns_id *netns)
{
	size_t p = join_pod_by_netns(j, netns->cookie);

	if (p == MODEL_NONE || !j->model->pods[p].namespace[0] || made_up(owner) ||
	    !strcmp(j->model->pods[p].owner, owner))
		return p;
	return MODEL_NONE;
}

static size_t pod_of_attachment(struct join *j, const struct model_attachment *a)
{
	size_t p;

	if (uid_valid(a->uid)) {
		p = get_uid(j, a->uid);
	} else {
		p = find_netns_of(j, a->owner, &a->netns);
		if (p == MODEL_NONE)
			p = get_owner(j, a->owner);
	}
	if (p == MODEL_NONE)
		return p;
	set_owner(j, p, a->owner);
	learn_netns(j, p, &a->netns);
	j->model->pods[p].sources |= 1u << POD_SOURCE_ATTACH;
	return p;
}

/* Those with a UID first: they tell names that the others may join by. */
static void add_attachments(struct join *j, bool uids)
{
	for (size_t i = 0; !j->failed && i < j->in->attachment_count; i++) {
		const struct model_attachment *a = &j->in->attachments[i];

		if (uid_valid(a->uid) != uids)
			continue;
		j->attached_to[i] = owner_valid(a->owner) ? pod_of_attachment(j, a) : MODEL_NONE;
	}
}

/* ---- claims ---- */

/* What other sources of claims say they say themselves; and the pod of an orphan is gone. */
static bool claim_counts(const struct tracked_device *d)
{
	return d->claimed && !d->orphan && !strcmp(d->claim.source, "manual") && owner_valid(d->claim.owner);
}

static size_t find_claim(struct join *j, const char *owner, const struct netns_id *netns)
{
	size_t p = !strncmp(owner, "pod-uid/", 8) ? find_uid(j, owner + 8) : find_owner(j, owner);

	return p == MODEL_NONE ? find_netns_of(j, owner, netns) : p;
}

static size_t pod_of_claim(struct join *j, const struct warden_claim *claim)
{
	struct netns_id netns = { .cookie = claim->netns_cookie, .inum = claim->netns_inum };
	size_t p = find_claim(j, claim->owner, &netns);
	struct model_pod *pod;

	if (p == MODEL_NONE) {
		p = get_owner(j, claim->owner);
		if (p == MODEL_NONE)
			return p;
		pod = &j->model->pods[p];
		pod->host_network = netns.cookie == j->in->host.cookie;
		if (pod->host_network)
			pod->netns = netns;
	}
	set_owner(j, p, claim->owner);
	learn_netns(j, p, &netns);
	j->model->pods[p].sources |= 1u << POD_SOURCE_CLAIM;
	return p;
}

static void add_claims(struct join *j)
{
	for (size_t i = 0; !j->failed && i < j->in->device_count; i++)
		j->claimed_for[i] = claim_counts(&j->in->devices[i]) ? pod_of_claim(j, &j->in->devices[i].claim)
								     : MODEL_NONE;
}

/* ---- the kubelet ---- */

enum pod_source grant_source(const struct join *j)
{
	return j->in->by_checkpoint ? POD_SOURCE_CHECKPOINT : POD_SOURCE_KUBELET;
}

static size_t pod_of_grant(struct join *j, const struct kube_grant *g)
{
	char owner[WARDEN_OWNER_LEN];
	size_t p = MODEL_NONE;

	owner_of(g->pod_namespace, g->pod_name, owner);
	if (uid_valid(g->pod_uid))
		p = get_uid(j, g->pod_uid);
	else if (*owner)
		p = get_owner(j, owner);
	if (p == MODEL_NONE)
		return p;
	if (*owner)
		set_owner(j, p, owner);
	j->model->pods[p].sources |= 1u << grant_source(j);
	return p;
}

static void add_grants(struct join *j, bool uids)
{
	const struct kube_grants *granted = j->in->granted;

	for (size_t i = 0; !j->failed && granted && i < granted->count; i++)
		if (uid_valid(granted->list[i].pod_uid) == uids)
			j->granted_to[i] = pod_of_grant(j, &granted->list[i]);
}

/* ---- without Kubernetes ---- */

static void add_netns(struct join *j, const struct model_netns *n)
{
	const unsigned int others = 1u << POD_SOURCE_ATTACH | 1u << POD_SOURCE_CLAIM | 1u << POD_SOURCE_NETNS;
	size_t p = join_pod_by_netns(j, n->id.cookie);
	char owner[WARDEN_OWNER_LEN];

	if (!n->id.cookie || n->id.cookie == j->in->host.cookie)
		return;
	if (p == MODEL_NONE) {
		if (try_snprintf(owner, sizeof(owner), "%s/%s", n->unit ? "unit" : "netns", n->name) ||
		    !owner_valid(owner))
			return;
		p = add_pod(j);
		if (p == MODEL_NONE)
			return;
		set_owner(j, p, owner);
		set_netns(j, p, &n->id);
	}
	if (!(j->model->pods[p].sources & ~others))
		j->model->pods[p].sources |= 1u << POD_SOURCE_NETNS;
}

/* ---- all of them ---- */

/* The checkpoint keeps pods that have gone until the kubelet next writes it. */
static void finish(const struct join *j, struct model_pod *pod)
{
	if (j->in->api && pod->sources == 1u << POD_SOURCE_CHECKPOINT)
		pod->ended = true;
	if (!pod->owner[0])
		snprintf(pod->owner, sizeof(pod->owner), "pod-uid/%s", pod->uid);
}

/* The order matters: who tells more of a pod comes first, so that who tells less finds it. */
void join_pods(struct join *j)
{
	if (j->in->scan)
		add_scan(j, j->in->scan);
	if (j->in->api)
		add_api(j, j->in->api);
	add_attachments(j, true);
	add_grants(j, true);
	add_attachments(j, false);
	add_claims(j);
	add_grants(j, false);
	for (size_t i = 0; !j->failed && i < j->in->netns_count; i++)
		add_netns(j, &j->in->netns[i]);
	for (size_t i = 0; !j->failed && i < j->model->pod_count; i++)
		finish(j, &j->model->pods[i]);
}
