// SPDX-License-Identifier: Apache-2.0
#include "track/track.h"

#include <bpf/bpf.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cgroup.h"
#include "lib/log.h"
#include "lib/names.h"
#include "lib/netns.h"
#include "lib/util.h"
#include "track/clean.h"
#include "track/internal.h"
#include "track/map.h"

/* ---- the request ---- */

/* Kubernetes: a namespace is a DNS label (63), a pod's name a DNS subdomain (253). */
static int check_owner(const char *owner, struct err *err)
{
	const char *slash = strchr(owner, '/');

	if (!slash || !name_valid(owner, (size_t)(slash - owner), NAME_LABEL_MAX) ||
	    !name_valid(slash + 1, strlen(slash + 1), NAME_SUBDOMAIN_MAX))
		return fail(err, -EINVAL,
			    "owner \"%.64s\": give NAMESPACE/NAME of lower-case letters, digits, '-' and '.' (63 and "
			    "253 at most)",
			    owner);
	return 0;
}

/* As owners, with the parts the other way round. */
static int check_resource(const char *resource, struct err *err)
{
	if (!name_resource_valid(resource, strlen(resource)))
		return fail(err, -EINVAL, "resource \"%.64s\": give DOMAIN/NAME, as Kubernetes has it", resource);
	return 0;
}

static int resolve_netns(const struct track *t, const struct claim_request *request, struct warden_claim *claim,
			 struct err *err)
{
	_cleanup_close_ int fd = netns_open(request->netns, request->pid, err);
	struct netns_id id;
	int r;

	if (fd < 0)
		return fd;
	r = netns_identify(fd, &id, err);
	if (r)
		return r;
	if (id.cookie == t->host.cookie && !(request->cgroup && request->cgroup[0]))
		return fail(
			err, -EINVAL,
			"netns: this is the host's own, which every host process has: give the owner's --cgroup too");
	claim->netns_cookie = id.cookie;
	claim->netns_inum = id.inum;
	return 0;
}

/* ---- the device ---- */

static int guid_parse(const char *text, uint64_t *guid)
{
	unsigned int a, b, c, d;
	char rest;

	if (sscanf(text, "%4x:%4x:%4x:%4x%c", &a, &b, &c, &d, &rest) != 4)
		return -EINVAL;
	*guid = htobe64((uint64_t)a << 48 | (uint64_t)b << 32 | (uint64_t)c << 16 | d);
	return 0;
}

static bool device_matches(const struct warden_device *d, const char *spec)
{
	uint64_t guid;

	return !strcmp(d->name, spec) || (d->parent[0] && !strcmp(d->parent, spec)) ||
	       (!guid_parse(spec, &guid) && d->node_guid && d->node_guid == guid);
}

static int device_find(const struct track *t, const char *spec, uint32_t *index, struct err *err)
{
	_cleanup_free_ uint32_t *keys = NULL;
	struct warden_device d;
	long count, found = 0;

	count = map_keys(t->devices, t->max_devices, sizeof(d), &keys);
	if (count < 0)
		return fail(err, (int)count, "devices: %s", strerror((int)-count));
	for (long i = 0; i < count; i++) {
		if (bpf_map_lookup_elem(t->devices, &keys[i], &d) || !device_matches(&d, spec))
			continue;
		*index = keys[i];
		found++;
	}
	if (found == 0)
		return fail(err, -ENODEV, "device %.64s: no such RDMA device", spec);
	if (found > 1)
		return fail(err, -ENOTUNIQ,
			    "device %.64s: %ld devices go by that; give the PCI address or the node GUID", spec, found);
	return 0;
}

/* ---- the mirror of the map, and the set of owners ---- */

static struct warden_owner owner_of(const struct warden_claim *claim)
{
	return (struct warden_owner){ .netns_cookie = claim->netns_cookie, .cgroup_id = claim->cgroup_id };
}

static bool owns_some(const struct track *t, const struct warden_owner *owner)
{
	for (size_t i = 0; i < t->known_count; i++) {
		struct warden_owner one = owner_of(&t->known[i].claim);

		if (t->known[i].index != WARDEN_NO_INDEX && !memcmp(&one, owner, sizeof(one)))
			return true;
	}
	return false;
}

static struct known_claim *known_find(const struct track *t, uint32_t index)
{
	for (size_t i = 0; index != WARDEN_NO_INDEX && i < t->known_count; i++)
		if (t->known[i].index == index)
			return &t->known[i];
	return NULL;
}

static void owner_add(struct track *t, const struct warden_claim *claim)
{
	struct warden_owner owner = owner_of(claim);
	uint32_t unused = 0;

	bpf_map_update_elem(t->owners, &owner, &unused, BPF_ANY); /* which has as many entries as the map of claims */
}

static void owner_remove(struct track *t, const struct warden_claim *claim)
{
	struct warden_owner owner = owner_of(claim);

	if (!owns_some(t, &owner))
		bpf_map_delete_elem(t->owners, &owner);
}

/* The journal serves a later start; that it cannot be written is no reason to refuse what the map has taken. */
static void save(const struct track *t)
{
	struct err err;

	if (t->options.state_dir[0] && journal_write(t->options.state_dir, t->known, t->known_count, &err))
		pr_warn("%s", err.text);
}

/* What the configuration says now, whoever made the claim, and when. */
static void set_marking(const struct track *t, struct warden_claim *claim)
{
	claim->dscp_allowed = 0;
	claim->marking = claim->sl_allowed = 0;
	if (t->options.marking)
		t->options.marking(claim, t->options.ctx);
}

/* What former owners did with the device is not this one's. */
static void note_before(const struct track *t, uint32_t index, struct warden_claim *claim)
{
	struct warden_device d;

	if (!track_device_get(t, index, &d))
		return;
	claim->right_before = d.marking_right;
	claim->wrong_before = d.marking_wrong;
}

static void known_add(struct track *t, uint32_t index, const struct warden_claim *claim)
{
	struct known_claim k = { .index = index, .claim = *claim };
	struct warden_device d;

	if (track_device_get(t, index, &d)) {
		k.node_guid = d.node_guid;
		memcpy(k.parent, d.parent, sizeof(k.parent));
	}
	t->known[t->known_count++] = k; /* there is room: the map, with half as many entries, has just taken it */
	owner_add(t, claim);
}

static void known_remove(struct track *t, struct known_claim *k)
{
	struct warden_claim claim = k->claim;

	*k = t->known[--t->known_count];
	owner_remove(t, &claim);
}

/* The oldest of those that wait for their device to come back makes room for another one. */
static void forget_oldest_departed(struct track *t)
{
	struct known_claim *oldest = NULL;
	size_t n = 0;

	for (size_t i = 0; i < t->known_count; i++) {
		if (t->known[i].index != WARDEN_NO_INDEX)
			continue;
		if (!oldest || t->known[i].claim.id < oldest->claim.id)
			oldest = &t->known[i];
		n++;
	}
	if (n >= t->max_devices)
		known_remove(t, oldest);
}

/* Owners whose last claim went without them: a wardend that was killed between the two. */
static void owners_prune(struct track *t)
{
	struct warden_owner key, next;
	bool more = !bpf_map_get_next_key(t->owners, NULL, &key);

	while (more) {
		more = !bpf_map_get_next_key(t->owners, &key, &next);
		if (!owns_some(t, &key))
			bpf_map_delete_elem(t->owners, &key);
		key = next;
	}
}

struct written {
	struct known_claim *claims;
	long count;
};

static void read_journal(const struct track *t, struct written *w)
{
	size_t max = 2 * (size_t)t->max_devices;
	struct err err;

	w->claims = t->options.state_dir[0] ? calloc(max, sizeof(*w->claims)) : NULL;
	w->count = w->claims ? journal_read(t->options.state_dir, w->claims, max, &err) : 0;
	if (w->count < 0)
		pr_err("%s", err.text);
}

/* A claim of the map; where its device is gone, the journal still knows which one it was. */
static void load_claim(struct track *t, uint32_t index, const struct warden_claim *claim, const struct written *w)
{
	struct known_claim *k = &t->known[t->known_count];

	known_add(t, index, claim);
	for (long i = 0; i < w->count && !k->parent[0]; i++) {
		if (w->claims[i].claim.id != claim->id)
			continue;
		k->node_guid = w->claims[i].node_guid;
		memcpy(k->parent, w->claims[i].parent, sizeof(k->parent));
	}
}

int claims_load(struct track *t, bool maps_are_new)
{
	_cleanup_free_ uint32_t *keys = NULL;
	struct written written = {};
	struct warden_claim claim;
	long count = 0;

	t->known = calloc(4 * (size_t)t->max_devices, sizeof(*t->known));
	if (!t->known)
		return -ENOMEM;
	read_journal(t, &written);
	/* Those that wait for their device are in the journal alone. */
	for (long i = 0; i < written.count; i++)
		if (maps_are_new || written.claims[i].index == WARDEN_NO_INDEX)
			t->known[t->known_count++] = written.claims[i];
	if (!maps_are_new)
		count = map_keys(t->claims, t->max_devices, sizeof(claim), &keys);
	for (long i = 0; i < count; i++)
		if (!bpf_map_lookup_elem(t->claims, &keys[i], &claim))
			load_claim(t, keys[i], &claim, &written);
	for (size_t i = 0; i < t->known_count; i++) {
		struct known_claim *k = &t->known[i];

		set_marking(t, &k->claim);
		if (!maps_are_new && k->index != WARDEN_NO_INDEX)
			bpf_map_update_elem(t->claims, &k->index, &k->claim, BPF_EXIST);
	}
	owners_prune(t);
	free(written.claims);
	save(t); /* one that was damaged or is missing is whole again */
	return count < 0 ? (int)count : 0;
}

/* ---- what becomes of the devices ---- */

static bool same_device(const struct known_claim *k, const struct warden_device *d)
{
	return k->parent[0] && k->node_guid == d->node_guid && !strcmp(k->parent, d->parent);
}

static bool owner_is_there(const struct known_claim *k)
{
	_cleanup_close_ int fd = netns_open_cookie(k->claim.netns_cookie);

	return fd >= 0;
}

static void depart(struct track *t, struct known_claim *k)
{
	bpf_map_delete_elem(t->claims, &k->index);
	k->index = WARDEN_NO_INDEX;
	owner_remove(t, &k->claim);
	if (!k->parent[0])
		known_remove(t, k); /* a software device: a new one of its name is another one */
	else
		forget_oldest_departed(t);
}

static bool claim_again(struct track *t, struct known_claim *k, uint32_t index)
{
	note_before(t, index, &k->claim);
	if (bpf_map_update_elem(t->claims, &index, &k->claim, BPF_NOEXIST))
		return false;
	k->index = index;
	owner_add(t, &k->claim);
	return true;
}

static bool device_came(struct track *t, uint32_t index, struct claim_change *change)
{
	struct warden_device d;

	if (!track_device_get(t, index, &d) || known_find(t, index))
		return false;
	for (size_t i = 0; i < t->known_count; i++) {
		struct known_claim *k = &t->known[i];

		if (k->index != WARDEN_NO_INDEX || !same_device(k, &d) || !owner_is_there(k) ||
		    !claim_again(t, k, index))
			continue;
		save(t);
		*change = (struct claim_change){
			.rule = RULE_CLAIM_SET, .why = "the device came back", .index = index, .claim = k->claim
		};
		return true;
	}
	return false;
}

static bool device_went(struct track *t, uint32_t index, struct claim_change *change)
{
	struct known_claim *k = known_find(t, index);

	if (!k)
		return false;
	*change = (struct claim_change){
		.rule = RULE_CLAIM_RELEASE, .why = "the device is gone", .index = index, .claim = k->claim
	};
	memcpy(change->pci, k->parent, sizeof(change->pci));
	depart(t, k);
	save(t);
	return true;
}

bool track_event(struct track *t, const struct warden_event *event, struct claim_change *change)
{
	if (event->rule == RULE_DEVICE_REMOVE)
		return device_went(t, event->ib_index, change);
	if (event->rule == RULE_DEVICE_ADD)
		return device_came(t, event->ib_index, change);
	return false;
}

/* After a scan: the claims of the journal go into a new map, and those on devices that went without a wardend wait. */
void claims_settle(struct track *t)
{
	struct claim_change change;
	_cleanup_free_ uint32_t *keys = NULL;
	struct warden_device d;
	bool departed = false;
	long count;

	for (size_t i = t->known_count; i-- > 0;) { /* what takes the place of one removed has been seen */
		struct known_claim *k = &t->known[i];

		if (k->index == WARDEN_NO_INDEX)
			continue;
		if (!track_device_get(t, k->index, &d) || (k->parent[0] && !same_device(k, &d))) {
			depart(t, k);
			departed = true;
		} else if (!bpf_map_update_elem(t->claims, &k->index, &k->claim, BPF_NOEXIST)) {
			owner_add(t, &k->claim);
		}
	}
	if (departed)
		save(t);
	count = map_keys(t->devices, t->max_devices, sizeof(d), &keys);
	for (long i = 0; i < count; i++)
		if (device_came(t, keys[i], &change))
			pr_info("the claim of %s is in force again", change.claim.owner);
}

/* ---- orphans ---- */

struct living {
	struct track *track;
	bool *alive; /* by the place in `known` */
};

static int mark_living(int fd, const struct netns_id *id, void *ctx)
{
	struct living *l = ctx;

	(void)fd;
	for (size_t i = 0; i < l->track->known_count; i++)
		l->alive[i] |= l->track->known[i].claim.netns_cookie == id->cookie;
	return 0;
}

/* One that waits for its device has nothing to be cleaned; without an owner it waits in vain. */
static bool orphan_ends(struct track *t, const struct known_claim *k)
{
	struct warden_device d;
	char unclean[256];

	return k->index == WARDEN_NO_INDEX || !track_device_get(t, k->index, &d) ||
	       device_is_clean(&d, &t->host, unclean, sizeof(unclean));
}

static void end_orphan(struct track *t, struct known_claim *k, void (*ended)(const struct claim_change *, void *),
		       void *ctx)
{
	struct claim_change change = { .rule = RULE_CLAIM_RELEASE,
				       .why = "its owner is gone and it is clean",
				       .index = k->index,
				       .claim = k->claim };
	bool told = k->index != WARDEN_NO_INDEX;

	if (told)
		bpf_map_delete_elem(t->claims, &k->index);
	known_remove(t, k);
	if (told)
		ended(&change, ctx);
}

bool track_orphans(struct track *t, void (*ended)(const struct claim_change *change, void *ctx), void *ctx)
{
	_cleanup_free_ bool *alive = calloc(t->known_count + 1, sizeof(*alive));
	struct living living = { .track = t, .alive = alive };
	bool left = false, some = false;

	if (!alive || netns_for_each(mark_living, &living))
		return true;
	for (size_t i = t->known_count; i-- > 0;) {
		if (alive[i])
			continue;
		if (orphan_ends(t, &t->known[i])) {
			end_orphan(t, &t->known[i], ended, ctx);
			some = true;
		} else {
			left = true;
		}
	}
	if (some)
		save(t);
	return left;
}

/* ---- claim and release ---- */

/* In one step, so that the device is never nobody's. */
static int replace_discovery(struct track *t, struct known_claim *k, const struct warden_claim *claim, struct err *err)
{
	struct warden_claim before = k->claim;

	if (bpf_map_update_elem(t->claims, &k->index, claim, BPF_EXIST))
		return fail(err, -errno, "claims: %s", strerror(errno));
	k->claim = *claim;
	owner_add(t, claim);
	owner_remove(t, &before);
	save(t);
	return 0;
}

int track_claim(struct track *t, const struct claim_request *request, uint32_t *index, struct warden_claim *claim,
		struct err *err)
{
	struct warden_claim holder;
	struct known_claim *discovered;
	struct cgroup_ref cgroup = {};
	int r;

	*claim = (struct warden_claim){};
	snprintf(claim->source, sizeof(claim->source), "%s", request->source ? request->source : "manual");
	r = check_owner(request->owner, err);
	if (!r && request->resource)
		r = check_resource(request->resource, err);
	if (!r)
		r = device_find(t, request->device, index, err);
	if (!r)
		r = resolve_netns(t, request, claim, err);
	if (!r && request->cgroup && request->cgroup[0])
		r = cgroup_resolve(request->cgroup, &cgroup, err);
	if (r)
		return r;
	snprintf(claim->owner, sizeof(claim->owner), "%s", request->owner);
	snprintf(claim->resource, sizeof(claim->resource), "%s", request->resource ? request->resource : "");
	claim->cgroup_id = cgroup.id;
	claim->cgroup_level = cgroup.level;
	claim->since_ns = boot_ns();
	claim->id = claim->since_ns;
	set_marking(t, claim);
	note_before(t, *index, claim);
	discovered = known_find(t, *index);
	if (discovered && discovered->claim.discovered) /* who asks knows better */
		return replace_discovery(t, discovered, claim, err);
	if (!bpf_map_update_elem(t->claims, index, claim, BPF_NOEXIST)) {
		known_add(t, *index, claim);
		save(t);
		return 0;
	}
	if (errno == EEXIST && track_claim_get(t, *index, &holder))
		return fail(err, -EEXIST, "device %.64s: claimed by %s already; release it first", request->device,
			    holder.owner);
	if (errno == E2BIG)
		return fail(err, -ENOSPC, "device %.64s: the map of claims is full", request->device);
	return fail(err, -errno, "device %.64s: %s", request->device, strerror(errno));
}

/* ---- devices that others attach to pods ---- */

static struct warden_claim claim_of_discovery(const struct discovery *d)
{
	struct warden_claim claim = { .netns_cookie = d->netns.cookie,
				      .netns_inum = d->netns.inum,
				      .cgroup_id = d->cgroup.id,
				      .cgroup_level = d->cgroup.level,
				      .discovered = true };

	snprintf(claim.source, sizeof(claim.source), "%s", d->source);
	snprintf(claim.owner, sizeof(claim.owner), "%s", d->owner);
	snprintf(claim.resource, sizeof(claim.resource), "%s", d->resource);
	return claim;
}

static bool is_discovered_so(const struct warden_claim *now, const struct warden_claim *seen)
{
	return now->cgroup_id == seen->cgroup_id && !strcmp(now->owner, seen->owner) &&
	       !strcmp(now->resource, seen->resource) && !strcmp(now->source, seen->source);
}

/* What is known better now; the claim is the same, with its time and its counts. */
static int correct_discovery(struct track *t, struct known_claim *k, struct warden_claim *claim,
			     struct claim_change *change, struct err *err)
{
	struct warden_claim before = k->claim;
	int r;

	if (!k->claim.discovered || k->claim.netns_cookie != claim->netns_cookie)
		return fail(err, -EEXIST, "claimed by %s already", k->claim.owner);
	if (is_discovered_so(&k->claim, claim))
		return 0;
	claim->id = before.id;
	claim->since_ns = before.since_ns;
	claim->right_before = before.right_before;
	claim->wrong_before = before.wrong_before;
	set_marking(t, claim);
	change->claim = *claim;
	change->why = "known better now";
	r = replace_discovery(t, k, claim, err);
	return r ? r : 1;
}

int track_discover(struct track *t, const struct discovery *d, struct claim_change *change, struct err *err)
{
	struct known_claim *k = known_find(t, d->index);
	struct warden_claim claim = claim_of_discovery(d);
	int r = check_owner(d->owner, err);

	if (!r && d->resource[0])
		r = check_resource(d->resource, err);
	if (r)
		return r;
	*change = (struct claim_change){ .rule = RULE_CLAIM_SET, .why = "found attached", .index = d->index };
	if (k)
		return correct_discovery(t, k, &claim, change, err);
	claim.id = claim.since_ns = boot_ns();
	set_marking(t, &claim);
	note_before(t, d->index, &claim);
	if (bpf_map_update_elem(t->claims, &d->index, &claim, BPF_NOEXIST))
		return fail(err, errno == E2BIG ? -ENOSPC : -errno, "claims: %s", strerror(errno));
	known_add(t, d->index, &claim);
	save(t);
	change->claim = claim;
	return 1;
}

/* Who has fetched it has seen to it as he is used to; what a netns has left when it ended is to be proved clean. */
static bool was_left_well(const struct track *t, const struct known_claim *k, const struct warden_device *d)
{
	char why[256];

	return owner_is_there(k) ? device_is_idle(d, &t->host, true, why, sizeof(why))
				 : device_is_clean(d, &t->host, why, sizeof(why));
}

int track_given_back(struct track *t, uint32_t index, struct claim_change *change)
{
	struct known_claim *k = known_find(t, index);
	struct warden_device d;

	if (!k || !k->claim.discovered || !track_device_get(t, index, &d) || d.netns_cookie != t->host.cookie)
		return 0;
	if (!was_left_well(t, k, &d))
		return -EBUSY;
	*change = (struct claim_change){
		.rule = RULE_CLAIM_RELEASE, .why = "given back", .index = index, .claim = k->claim
	};
	bpf_map_delete_elem(t->claims, &index);
	known_remove(t, k);
	save(t);
	return 1;
}

void track_device_each(struct track *t, void (*visit)(uint32_t index, const struct warden_device *device, void *ctx),
		       void *ctx)
{
	_cleanup_free_ uint32_t *keys = NULL;
	struct warden_device d;
	long count = map_keys(t->devices, t->max_devices, sizeof(d), &keys);

	for (long i = 0; i < count; i++)
		if (track_device_get(t, keys[i], &d))
			visit(keys[i], &d, ctx);
}

/* A device whose owner is gone: whether it may be released, or why not. */
static int check_orphan(const struct track *t, const struct known_claim *k, struct err *err)
{
	struct warden_device d;
	char unclean[256];

	if (owner_is_there(k) || !track_device_get(t, k->index, &d) ||
	    device_is_clean(&d, &t->host, unclean, sizeof(unclean)))
		return 0;
	return fail(err, -EBUSY, "device %s: not clean (%s); mend that, or release it with --force", d.name, unclean);
}

/* One whose device has gone and is waited for; a device has no index then. */
static struct known_claim *departed_find(const struct track *t, const char *parent)
{
	for (size_t i = 0; i < t->known_count; i++)
		if (t->known[i].index == WARDEN_NO_INDEX && t->known[i].parent[0] &&
		    !strcmp(t->known[i].parent, parent))
			return &t->known[i];
	return NULL;
}

int track_release(struct track *t, const char *device, bool force, uint32_t *index, struct warden_claim *claim,
		  struct err *err)
{
	int r = device_find(t, device, index, err);
	struct known_claim *k = r == -ENODEV ? departed_find(t, device) : r ? NULL : known_find(t, *index);

	if (r && !k)
		return r;
	if (!k)
		return fail(err, -ENOENT, "device %.64s: it is not claimed", device);
	*index = k->index;
	r = force ? 0 : check_orphan(t, k, err);
	if (r)
		return r;
	*claim = k->claim;
	if (*index != WARDEN_NO_INDEX)
		bpf_map_delete_elem(t->claims, index);
	known_remove(t, k);
	save(t);
	return 0;
}

bool track_idle(struct track *t, const char *device, bool netdev, char *why, size_t size)
{
	struct warden_device d;
	uint32_t index;

	why[0] = '\0';
	if (device_find(t, device, &index, NULL) || !track_device_get(t, index, &d) ||
	    device_is_idle(&d, &t->host, netdev, why, size))
		return true;
	return track_mend_moves(t) &&
	       (!track_device_get(t, index, &d) || device_is_idle(&d, &t->host, netdev, why, size));
}

/* ---- look-ups ---- */

bool track_device_get(const struct track *t, uint32_t index, struct warden_device *device)
{
	return !bpf_map_lookup_elem(t->devices, &index, device);
}

bool track_claim_get(const struct track *t, uint32_t index, struct warden_claim *claim)
{
	const struct known_claim *k = known_find(t, index);

	if (k)
		*claim = k->claim;
	return k;
}

bool track_claim_of(const struct track *t, const char *device, struct warden_claim *claim)
{
	uint32_t index;

	return !device_find(t, device, &index, NULL) && track_claim_get(t, index, claim);
}

bool track_claim_find(const struct track *t, bool (*match)(const struct warden_claim *claim, const void *ctx),
		      const void *ctx, struct warden_claim *claim)
{
	for (size_t i = 0; i < t->known_count; i++) {
		if (t->known[i].index == WARDEN_NO_INDEX || !match(&t->known[i].claim, ctx))
			continue;
		*claim = t->known[i].claim;
		return true;
	}
	return false;
}

bool track_claims_in(const struct track *t, uint64_t netns_cookie)
{
	for (size_t i = 0; i < t->known_count; i++)
		if (t->known[i].claim.netns_cookie == netns_cookie)
			return true;
	return false;
}

void track_claim_each(const struct track *t, void (*visit)(uint32_t index, const struct warden_claim *claim, void *ctx),
		      void *ctx)
{
	for (size_t i = 0; i < t->known_count; i++)
		if (t->known[i].index != WARDEN_NO_INDEX)
			visit(t->known[i].index, &t->known[i].claim, ctx);
}

uint32_t track_claim_count(const struct track *t)
{
	uint32_t n = 0;

	for (size_t i = 0; i < t->known_count; i++)
		n += t->known[i].index != WARDEN_NO_INDEX;
	return n;
}
