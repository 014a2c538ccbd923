// SPDX-License-Identifier: Apache-2.0
#include "packet/packets.h"

#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "lib/log.h"
#include "lib/netns.h"
#include "lib/util.h"
#include "loader/loader.h"
#include "packet/hook.h"
#include "packet/vf_slots.h"
#include "rdma/rdma.h"
#include "report/events.h"
#include "track/track.h"

struct vf {
	uint32_t ib_index;
	struct netns_id netns;
	int watched; /* the netns, as netwatch_identify() has it, or -errno */
	struct netdev netdev;
	struct warden_vf_key key;
	struct warden_vf config;
	bool seen; /* in this round */
	bool pointed; /* slot is one, and its packets come to it */
	bool attached;
	uint32_t slot;
	struct packet_counts carried; /* from the slots before */
	char problem[160];
};

/* A slot that is no more anybody's; `vf` is the one that carries its counts on, or NULL. */
struct left {
	uint32_t slot;
	struct warden_vf config;
	struct vf *vf;
};

struct packets {
	struct loader *loader;
	struct track *track;
	struct events *events;
	const struct config *config;
	const struct loader_packets *maps; /* NULL: not wanted or not possible */
	struct vf_slots *slots;
	int watch;
	bool lost; /* word of changes */
	bool synced; /* once */
	struct vf **vfs;
	size_t count;
	struct left *left;
	size_t left_count;
};

/* ---- open and close ---- */

static uint32_t total_vfs(void)
{
	_cleanup_closedir_ DIR *dir = opendir("/sys/bus/pci/devices");
	char path[PATH_MAX], line[32];
	struct dirent *entry;
	uint64_t one, sum = 0;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    try_snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/sriov_totalvfs", entry->d_name) ||
		    read_line(path, line, sizeof(line)) || parse_u64(line, 10, 0, UINT16_MAX, &one))
			continue;
		sum += one;
	}
	return sum > WARDEN_MAX_VFS ? WARDEN_MAX_VFS : (uint32_t)sum;
}

/* For VFs that there can be, for software devices, and for the changes that are under way. */
static uint32_t room(void)
{
	uint32_t vfs = total_vfs(), all = vfs + vfs / 4 + 64;

	return all > WARDEN_MAX_VFS ? WARDEN_MAX_VFS : all;
}

static bool keep_none(const char *name, void *ctx)
{
	(void)name, (void)ctx;
	return false;
}

int packets_open(struct packets **packets, struct loader *loader, struct track *track, struct events *events,
		 const struct config *config, struct err *err)
{
	bool wanted = config_packets(config);
	struct packets *p = calloc(1, sizeof(*p));
	int r = 0;

	if (!p)
		return fail(err, -ENOMEM, "out of memory");
	*p = (struct packets){ .loader = loader, .track = track, .events = events, .config = config, .watch = -1 };
	p->maps = loader_load_packets(loader, wanted ? room() : 0,
				      "not in use: the configuration has no marking profile, or packets is false");
	if (p->maps)
		r = vf_slots_open(&p->slots, p->maps, err);
	if (!r && p->maps) {
		p->watch = netwatch_open();
		r = p->watch < 0 ? fail(err, p->watch, "word of netdevs: %s", strerror(-p->watch)) : 0;
	}
	if (r) {
		packets_close(p);
		return r;
	}
	if (!p->maps && !loader_is_first(loader)) {
		/* An earlier start may have had them. */
		loader_prune_links(loader, HOOK_PIN_PREFIX, keep_none, NULL);
		if (!loader_has_tcx(loader))
			hook_clear_filters();
	}
	*packets = p;
	return 0;
}

void packets_close(struct packets *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->count; i++)
		free(p->vfs[i]);
	free(p->vfs);
	free(p->left);
	vf_slots_close(p->slots);
	util_close(&p->watch);
	free(p);
}

void packets_unload(void)
{
	libbpf_set_print(NULL); /* which tells of each netdev that has no filter */
	hook_clear_filters();
}

/* ---- the configuration of a VF ---- */

static void set_marking(struct warden_vf *to, const struct config *config, const struct qos_profile *profile)
{
	bool pcp = profile->trust == QOS_TRUST_PCP;

	to->priority = to->cnp_priority = WARDEN_VF_ANY;
	to->cnp_dscp = WARDEN_VF_ANY;
	if (!profile->name[0])
		return;
	to->dscp_allowed = profile->dscp;
	to->remark_dscp = (uint8_t)__builtin_ctzll(profile->dscp);
	to->cnp_dscp = (uint8_t)profile->cnp_dscp;
	if (pcp) {
		to->priority = (uint8_t)profile->priority;
		to->cnp_priority = (uint8_t)profile->cnp_priority;
	}
	to->action[DIRECTION_EGRESS] = (uint8_t)config_packet_action(config);
	/* What others have sent is not the owner's to answer for; that it came so, is worth knowing. */
	to->action[DIRECTION_INGRESS] = VF_OBSERVE;
}

static void set_source(struct warden_vf *to, const struct config *config, const struct netdev *netdev)
{
	memcpy(to->mac, netdev->mac, sizeof(to->mac));
	if (netdev->addresses > WARDEN_VF_ADDRESSES)
		return;
	to->addresses = (uint8_t)netdev->addresses;
	memcpy(to->address, netdev->address, netdev->addresses * sizeof(to->address[0]));
	to->source_action = (uint8_t)config_source_action(config);
}

_Static_assert(NETDEV_ADDRESSES == WARDEN_VF_ADDRESSES, "an address of a netdev is one of its VF");

static struct warden_vf configure(const struct packets *p, const struct vf *vf, const struct warden_claim *claim)
{
	struct warden_vf to = { .netns_cookie = vf->netns.cookie,
				.netns_inum = vf->netns.inum,
				.ib_index = vf->ib_index };

	set_marking(&to, p->config, config_profile(p->config, claim->owner, claim->resource));
	set_source(&to, p->config, &vf->netdev);
	return to;
}

/* ---- slots ---- */

/* Whether no other VF falls on its place. */
static struct vf *place_partner(const struct packets *p, const struct vf *vf, size_t *partners)
{
	struct vf *partner = NULL;

	*partners = 0;
	for (size_t i = 0; i < p->count; i++) {
		struct vf *other = p->vfs[i];

		if (other == vf || !other->pointed ||
		    other->key.ifindex % WARDEN_VF_PLACES != vf->key.ifindex % WARDEN_VF_PLACES)
			continue;
		partner = other;
		(*partners)++;
	}
	return partner;
}

static void leave(struct packets *p, struct vf *vf, bool carry)
{
	struct left *grown = reallocarray(p->left, p->left_count + 1, sizeof(*grown));

	if (!grown)
		return; /* the slot is lost until the next start, and with it what it counted */
	p->left = grown;
	p->left[p->left_count++] = (struct left){ .slot = vf->slot, .config = vf->config, .vf = carry ? vf : NULL };
}

/* Puts another configuration in force: in another slot, since packets would see half of it in the same one. */
static int reconfigure(struct packets *p, struct vf *vf, const struct warden_vf *config)
{
	int slot = vf_slots_take(p->slots, config), r;
	size_t partners;

	if (slot < 0)
		return slot;
	place_partner(p, vf, &partners);
	if (partners) /* whoever was alone there is so no more, before this one comes to it */
		vf_slots_place(p->slots, &vf->key, 0, false);
	r = vf_slots_point(p->slots, &vf->key, (uint32_t)slot, !partners);
	if (r) {
		vf_slots_free(p->slots, (uint32_t)slot);
		return r;
	}
	if (vf->pointed)
		leave(p, vf, true);
	vf->slot = (uint32_t)slot;
	vf->config = *config;
	vf->pointed = true;
	return 0;
}

static void tell(const struct warden_event *event, void *ctx)
{
	struct packets *p = ctx;

	events_feed(p->events, event);
}

/* When no packet is under way to them any more, what the slots that were left have is taken along. */
static void take_leave(struct packets *p)
{
	if (!p->left_count)
		return;
	vf_slots_settle();
	for (size_t i = 0; i < p->left_count; i++) {
		const struct left *left = &p->left[i];

		if (left->vf)
			vf_slots_count(p->slots, left->slot, &left->vf->carried);
		vf_slots_sweep(p->slots, left->slot, &left->config, true, tell, p);
		vf_slots_free(p->slots, left->slot);
	}
	p->left_count = 0;
}

/* ---- VFs that come, change and go ---- */

static struct vf *vf_find(const struct packets *p, const struct warden_vf_key *key)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->vfs[i]->key.netns_cookie == key->netns_cookie && p->vfs[i]->key.ifindex == key->ifindex)
			return p->vfs[i];
	return NULL;
}

static struct vf *vf_add(struct packets *p, const struct warden_vf_key *key)
{
	struct vf **grown = reallocarray(p->vfs, p->count + 1, sizeof(*grown)), *vf;

	if (!grown)
		return NULL;
	p->vfs = grown;
	vf = calloc(1, sizeof(*vf));
	if (!vf)
		return NULL;
	vf->key = *key;
	p->vfs[p->count++] = vf;
	return vf;
}

static int open_netns(const struct vf *vf)
{
	return netns_open_cookie(vf->netns.cookie);
}

static void vf_remove(struct packets *p, size_t i)
{
	struct vf *vf = p->vfs[i], *partner;
	_cleanup_close_ int netns = p->maps->tcx ? -1 : open_netns(vf);
	size_t partners;

	hook_clear(p->loader, p->maps, netns, &vf->key);
	p->vfs[i] = p->vfs[--p->count];
	for (size_t l = 0; l < p->left_count; l++)
		if (p->left[l].vf == vf)
			p->left[l].vf = NULL;
	if (vf->pointed) {
		vf_slots_forget(p->slots, &vf->key);
		partner = place_partner(p, vf, &partners);
		if (partners == 1)
			vf_slots_place(p->slots, &partner->key, partner->slot, true);
		leave(p, vf, false);
	}
	free(vf);
}

static void problem(struct vf *vf, const char *text)
{
	if (!strcmp(vf->problem, text))
		return;
	snprintf(vf->problem, sizeof(vf->problem), "%s", text);
	if (*text)
		pr_warn("packets of %s: %s", vf->netdev.name, text);
}

static void vf_update(struct packets *p, struct vf *vf, const struct warden_claim *claim, int netns)
{
	const struct warden_vf config = configure(p, vf, claim);
	struct err err = {};
	int r = 0;

	if (!vf->pointed || memcmp(&config, &vf->config, sizeof(config)) != 0)
		r = reconfigure(p, vf, &config);
	if (r) {
		problem(vf, r == -ENOSPC ? "no slot is free for it" : strerror(-r));
		if (!vf->pointed)
			return;
	}
	r = hook_set(p->loader, p->maps, netns, &vf->key, &err);
	if (r < 0) {
		problem(vf, err.text);
		vf->attached = false;
		return;
	}
	if (r > 0 && vf->attached)
		events_fault(p->events, "the packet programs of %s were taken away by somebody and are attached again",
			     vf->netdev.name);
	vf->attached = true;
	problem(vf, vf->netdev.addresses > WARDEN_VF_ADDRESSES ? "it has more than 8 addresses: sources are not judged"
							       : "");
}

/* ---- the round over all claims ---- */

struct claims {
	struct claim {
		uint32_t index;
		struct warden_claim claim;
	} *items;
	size_t count;
};

struct round {
	struct packets *packets;
	struct claims claims;
};

static void note_claim(uint32_t index, const struct warden_claim *claim, void *ctx)
{
	struct claims *c = ctx;
	struct claim *grown = reallocarray(c->items, c->count + 1, sizeof(*grown));

	if (!grown)
		return;
	c->items = grown;
	c->items[c->count++] = (struct claim){ .index = index, .claim = *claim };
}

static void found(struct packets *p, const struct claim *claim, int netns, const struct netns_id *id,
		  const struct netdev *netdev)
{
	const struct warden_vf_key key = { .netns_cookie = id->cookie, .ifindex = netdev->ifindex };
	struct vf *vf = vf_find(p, &key);

	if (vf && vf->seen)
		return; /* two RDMA devices on one netdev: the first claim decides */
	if (!vf)
		vf = vf_add(p, &key);
	if (!vf)
		return;
	vf->seen = true;
	vf->ib_index = claim->index;
	vf->netns = *id;
	vf->netdev = *netdev;
	vf->watched = netwatch_identify(netns);
	vf_update(p, vf, &claim->claim, netns);
}

static int visit_netns(int fd, const struct netns_id *id, void *ctx)
{
	_cleanup_(rdma_close) struct rdma_nl *nl = NULL;
	struct round *r = ctx;
	struct netdev netdev;
	uint32_t ifindex;

	for (size_t i = 0; i < r->claims.count; i++) {
		const struct claim *claim = &r->claims.items[i];

		if (claim->claim.netns_cookie != id->cookie || (!nl && rdma_open(&nl, fd)))
			continue;
		if (!rdma_port_ifindex(nl, claim->index, &ifindex) && !netdev_read(fd, ifindex, &netdev))
			found(r->packets, claim, fd, id, &netdev);
	}
	return 0;
}

static bool keep_known(const char *name, void *ctx)
{
	const struct packets *p = ctx;
	char own[64];

	for (size_t i = 0; i < p->count; i++)
		for (enum warden_direction d = 0; d < DIRECTION_COUNT; d++) {
			hook_pin_name(&p->vfs[i]->key, d, own);
			if (!strcmp(own, name))
				return true;
		}
	return false;
}

void packets_sync(struct packets *p)
{
	struct round round = { .packets = p };

	if (!p->maps)
		return;
	p->lost = false;
	for (size_t i = 0; i < p->count; i++)
		p->vfs[i]->seen = false;
	track_claim_each(p->track, note_claim, &round.claims);
	netns_for_each(visit_netns, &round);
	free(round.claims.items);
	for (size_t i = p->count; i-- > 0;)
		if (!p->vfs[i]->seen)
			vf_remove(p, i);
	if (!p->synced) /* links of an earlier start, to VFs whose claims ended meanwhile */
		loader_prune_links(p->loader, HOOK_PIN_PREFIX, keep_known, p);
	p->synced = true;
	take_leave(p);
}

void packets_claimed(struct packets *p, uint32_t ib_index, const struct warden_claim *claim, int netns_fd)
{
	struct claim one = { .index = ib_index, .claim = *claim };
	struct round round = { .packets = p, .claims = { .items = &one, .count = 1 } };
	struct netns_id id;

	if (!p->maps || netns_identify(netns_fd, &id, NULL))
		return;
	for (size_t i = 0; i < p->count; i++)
		p->vfs[i]->seen = p->vfs[i]->ib_index != ib_index;
	visit_netns(netns_fd, &id, &round);
	take_leave(p);
}

void packets_released(struct packets *p, uint32_t ib_index)
{
	for (size_t i = p->count; i-- > 0;)
		if (p->vfs[i]->ib_index == ib_index)
			vf_remove(p, i);
	take_leave(p);
}

/* ---- what wakes it ---- */

int packets_watch(const struct packets *p)
{
	return p->watch;
}

struct change {
	const struct packets *packets;
	bool due;
};

static void changed(int netns, uint32_t ifindex, void *ctx)
{
	struct change *c = ctx;

	for (size_t i = 0; !c->due && i < c->packets->count; i++) {
		const struct vf *vf = c->packets->vfs[i];

		c->due = vf->key.ifindex == ifindex && vf->watched == netns;
	}
}

bool packets_changed(struct packets *p)
{
	struct change change = { .packets = p };

	if (netwatch_read(p->watch, changed, &change))
		p->lost = true;
	return change.due || p->lost;
}

bool packets_sweep(struct packets *p)
{
	bool left = false;

	for (size_t i = 0; i < p->count; i++)
		if (p->vfs[i]->pointed)
			left |= vf_slots_sweep(p->slots, p->vfs[i]->slot, &p->vfs[i]->config, false, tell, p);
	return left;
}

/* ---- what is told of them ---- */

int packets_for_each(struct packets *p, int (*visit)(const struct packet_vf *vf, void *ctx), void *ctx)
{
	_cleanup_free_ struct packet_counts *counts = malloc(sizeof(*counts));
	int r = counts ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < p->count; i++) {
		const struct vf *vf = p->vfs[i];
		const struct packet_vf view = { .ib_index = vf->ib_index,
						.netdev = vf->netdev,
						.tcx = p->maps->tcx,
						.problem = vf->problem,
						.vf = vf->pointed && vf->attached ? &vf->config : NULL,
						.counts = counts };

		*counts = vf->carried;
		if (vf->pointed)
			vf_slots_count(p->slots, vf->slot, counts);
		r = visit(&view, ctx);
	}
	return r;
}
