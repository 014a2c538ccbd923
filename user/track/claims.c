// SPDX-License-Identifier: Apache-2.0
#include "track/track.h"

#include <bpf/bpf.h>
#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cgroup.h"
#include "lib/util.h"
#include "track/internal.h"
#include "track/map.h"

/* ---- the request ---- */

static bool name_valid(const char *s, size_t len, size_t max)
{
	if (len == 0 || len > max || !isalnum((unsigned char)s[0]) || !isalnum((unsigned char)s[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!islower((unsigned char)s[i]) && !isdigit((unsigned char)s[i]) && s[i] != '-' && s[i] != '.')
			return false;
	return true;
}

/* Kubernetes: a namespace is a DNS label (63), a pod's name a DNS subdomain (253). */
static int check_owner(const char *owner, struct err *err)
{
	const char *slash = strchr(owner, '/');

	if (!slash || !name_valid(owner, (size_t)(slash - owner), 63) || !name_valid(slash + 1, strlen(slash + 1), 253))
		return fail(err, -EINVAL,
			    "owner \"%.64s\": give NAMESPACE/NAME of lower-case letters, digits, '-' and '.' (63 and "
			    "253 at most)",
			    owner);
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
	if (id.cookie == t->host.cookie && !request->cgroup)
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

		if (!memcmp(&one, owner, sizeof(one)))
			return true;
	}
	return false;
}

static void known_add(struct track *t, uint32_t index, const struct warden_claim *claim)
{
	struct warden_owner owner = owner_of(claim);
	uint32_t unused = 0;

	/* The maps, which have as many entries, have just taken it, or can take it. */
	t->known[t->known_count++] = (struct known_claim){ .index = index, .claim = *claim };
	bpf_map_update_elem(t->owners, &owner, &unused, BPF_ANY);
}

static void known_remove(struct track *t, uint32_t index)
{
	for (size_t i = 0; i < t->known_count; i++) {
		struct warden_owner owner = owner_of(&t->known[i].claim);

		if (t->known[i].index != index)
			continue;
		t->known[i--] = t->known[--t->known_count];
		if (!owns_some(t, &owner))
			bpf_map_delete_elem(t->owners, &owner);
	}
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

int claims_load(struct track *t)
{
	_cleanup_free_ uint32_t *keys = NULL;
	struct warden_claim claim;
	long count;

	t->known = calloc(t->max_devices, sizeof(*t->known));
	if (!t->known)
		return -ENOMEM;
	count = map_keys(t->claims, t->max_devices, sizeof(claim), &keys);
	for (long i = 0; i < count; i++)
		if (!bpf_map_lookup_elem(t->claims, &keys[i], &claim))
			known_add(t, keys[i], &claim);
	owners_prune(t);
	return count < 0 ? (int)count : 0;
}

/* ---- claim and release ---- */

int track_claim(struct track *t, const struct claim_request *request, uint32_t *index, struct warden_claim *claim,
		struct err *err)
{
	struct warden_claim holder;
	struct cgroup_ref cgroup = {};
	int r;

	*claim = (struct warden_claim){ .source = "manual" };
	r = check_owner(request->owner, err);
	if (!r)
		r = device_find(t, request->device, index, err);
	if (!r)
		r = resolve_netns(t, request, claim, err);
	if (!r && request->cgroup)
		r = cgroup_resolve(request->cgroup, &cgroup, err);
	if (r)
		return r;
	snprintf(claim->owner, sizeof(claim->owner), "%s", request->owner);
	claim->cgroup_id = cgroup.id;
	claim->cgroup_level = cgroup.level;
	claim->since_ns = boot_ns();
	claim->id = claim->since_ns;
	if (!bpf_map_update_elem(t->claims, index, claim, BPF_NOEXIST)) {
		known_add(t, *index, claim);
		return 0;
	}
	if (errno == EEXIST && track_claim_get(t, *index, &holder))
		return fail(err, -EEXIST, "device %.64s: claimed by %s already; release it first", request->device,
			    holder.owner);
	if (errno == E2BIG)
		return fail(err, -ENOSPC, "device %.64s: the map of claims is full", request->device);
	return fail(err, -errno, "device %.64s: %s", request->device, strerror(errno));
}

int track_release(struct track *t, const char *device, uint32_t *index, struct warden_claim *claim, struct err *err)
{
	int r = device_find(t, device, index, err);

	if (r)
		return r;
	if (!track_claim_get(t, *index, claim) || bpf_map_delete_elem(t->claims, index))
		return fail(err, -ENOENT, "device %.64s: it is not claimed", device);
	known_remove(t, *index);
	return 0;
}

void track_claim_drop(struct track *t, uint32_t index)
{
	bpf_map_delete_elem(t->claims, &index); /* -ENOENT: it had none */
	known_remove(t, index);
}

/* ---- look-ups ---- */

bool track_device_get(const struct track *t, uint32_t index, struct warden_device *device)
{
	return !bpf_map_lookup_elem(t->devices, &index, device);
}

bool track_claim_get(const struct track *t, uint32_t index, struct warden_claim *claim)
{
	for (size_t i = 0; i < t->known_count; i++) {
		if (t->known[i].index != index)
			continue;
		*claim = t->known[i].claim;
		return true;
	}
	return false;
}

bool track_claim_find(const struct track *t, bool (*match)(const struct warden_claim *claim, const void *ctx),
		      const void *ctx, struct warden_claim *claim)
{
	for (size_t i = 0; i < t->known_count; i++) {
		if (!match(&t->known[i].claim, ctx))
			continue;
		*claim = t->known[i].claim;
		return true;
	}
	return false;
}

uint32_t track_claim_count(const struct track *t)
{
	return (uint32_t)t->known_count;
}
