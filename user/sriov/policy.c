// SPDX-License-Identifier: Apache-2.0
#include "sriov/policy.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"
#include "lib/mac.h"
#include "lib/util.h"

static const char *const step_names[] = {
	[POLICY_PF_UP] = "pf-up",   [POLICY_PF_MTU] = "pf-mtu",   [POLICY_NUM_VFS] = "numVfs",
	[POLICY_VF_MAC] = "vf-mac", [POLICY_VF_BIND] = "vf-bind", [POLICY_VF_MTU] = "vf-mtu",
};

static const char *const state_names[] = {
	[POLICY_FITS] = "fits", [POLICY_CHANGE] = "change", [POLICY_REFUSED] = "refused", [POLICY_WATCHED] = "watched"
};

static const char *const type_names[] = { [POLICY_NETDEVICE] = "netdevice", [POLICY_VFIO_PCI] = "vfio-pci" };

const char *policy_step_name(enum policy_step step)
{
	return step_names[step];
}

const char *policy_state_name(enum policy_state state)
{
	return state_names[state];
}

const char *policy_type_name(enum policy_device_type type)
{
	return type_names[type];
}

bool policy_userspace_driver(const char *driver)
{
	return !strcmp(driver, "vfio-pci") || !strcmp(driver, "uio_pci_generic") || !strcmp(driver, "igb_uio");
}

/* ---- texts ---- */

bool policy_is_pci(const char *text)
{
	static const char form[] = "xxxx:xx:xx.o";

	for (size_t i = 0; i < sizeof(form); i++) {
		char c = text[i], f = form[i];

		if (f == 'x'   ? !(isdigit((unsigned char)c) || (c >= 'a' && c <= 'f'))
		    : f == 'o' ? !(c >= '0' && c <= '7')
			       : c != f)
			return false;
	}
	return true;
}

static int parse_range(const char *text, struct policy_pf_name *name)
{
	const char *dash = strchr(text, '-');
	uint64_t first, last;
	char begin[8];

	if (!dash || try_snprintf(begin, sizeof(begin), "%.*s", (int)(dash - text), text) ||
	    parse_u64(begin, 10, 0, POLICY_VFS - 1, &first) || parse_u64(dash + 1, 10, 0, POLICY_VFS - 1, &last) ||
	    first > last)
		return -EINVAL;
	name->first = (int)first;
	name->last = (int)last;
	return 0;
}

int policy_parse_pf_name(const char *text, struct policy_pf_name *name)
{
	const char *hash = strchr(text, '#');
	size_t len = hash ? (size_t)(hash - text) : strlen(text);

	*name = (struct policy_pf_name){ .first = -1, .last = -1 };
	if (!len || len >= IF_NAMESIZE || text[0] == '.')
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if (text[i] == '/' || text[i] == ':' || (unsigned char)text[i] <= ' ' || text[i] == 127)
			return -EINVAL;
	if (hash && parse_range(hash + 1, name))
		return -EINVAL;
	memcpy(name->name, text, len);
	return 0;
}

static void add(char *to, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void add(char *to, size_t size, const char *fmt, ...)
{
	size_t len = strlen(to);
	va_list args;

	if (len)
		len += (size_t)snprintf(to + len, size - len, "; ");
	if (len >= size)
		return;
	va_start(args, fmt);
	vsnprintf(to + len, size - len, fmt, args);
	va_end(args);
}

#define ADD(text, ...) add(text, sizeof(text), __VA_ARGS__)

/* ---- MACs ---- */

static bool is_zero(const uint8_t mac[6])
{
	static const uint8_t zero[6];

	return !memcmp(mac, zero, sizeof(zero));
}

/*
 * The PF's place counts, as the PFs of a bond may well show one MAC. Of 100,000 VFs no two have the same MAC, but for one chance in
 * some 14,000.
 */
void policy_stable_mac(const struct policy_pf *pf, unsigned int vf, uint8_t mac[6])
{
	const uint8_t number[2] = { (uint8_t)(vf >> 8), (uint8_t)vf };
	uint64_t h = hash_bytes(HASH_BEGIN, pf->mac, sizeof(pf->mac));

	h = hash_bytes(h, pf->pci, strlen(pf->pci));
	h = hash_bytes(h, number, sizeof(number));
	h ^= h >> 32; /* what FNV mixes least are its low bits */
	for (size_t i = 0; i < 6; i++)
		mac[i] = (uint8_t)(h >> (8 * i));
	mac[0] = (uint8_t)((mac[0] & 0xfc) | 0x02); /* locally administered, and of one station */
}

/*
 * The operator fixes the MAC that the VF has; so does the warden where that is the VF's own. One that its driver drew
 * would be another one after the next boot, and the node GUID that is made of it, too.
 */
static void wanted_mac(const struct policy_pf *pf, unsigned int number, const struct policy_vf *vf, uint8_t mac[6])
{
	if (!vf->netdev[0] || vf->mac_random || is_zero(vf->mac) || (vf->mac[0] & 1))
		policy_stable_mac(pf, number, mac);
	else
		memcpy(mac, vf->mac, 6);
}

/* ---- which policies are for a PF ---- */

static bool selected(const struct node_policy *p, const struct policy_pf *pf, const struct policy_pf_name **name)
{
	bool named = !p->pf_names[0].name[0], rooted = !p->root_devices[0][0];

	*name = NULL;
	if ((p->vendor >= 0 && p->vendor != pf->vendor) || (p->device >= 0 && p->device != pf->device))
		return false;
	for (size_t i = 0; !rooted && i < POLICY_SELECTORS && p->root_devices[i][0]; i++)
		rooted = !strcmp(p->root_devices[i], pf->pci);
	for (size_t i = 0; !named && i < POLICY_SELECTORS && p->pf_names[i].name[0]; i++) {
		if (strcmp(p->pf_names[i].name, pf->netdev))
			continue;
		*name = &p->pf_names[i];
		named = true;
	}
	return named && rooted;
}

static bool overlap(const struct policy_group *a, const struct policy_group *b)
{
	return a->first <= b->last && b->first <= a->last;
}

/* Two policies of one priority that cannot both hold. */
static void clash(struct policy_item *item, const struct policy_group *old, const struct policy_group *new)
{
	if (!strcmp(old->policy->resource, new->policy->resource))
		ADD(item->reason, "two policies of priority %u give resource %s on it (VFs %u-%u and %u-%u)",
		    new->policy->priority, new->policy->resource, old->first, old->last, new->first, new->last);
	else
		ADD(item->reason, "policies of priority %u overlap: %s has VFs %u-%u, %s has VFs %u-%u",
		    new->policy->priority, old->policy->resource, old->first, old->last, new->policy->resource,
		    new->first, new->last);
}

/*
 * The policy is at least as strong as what the item has from others. As the operator does: what overlaps and is weaker
 * goes, what does not overlap stays; of the number of VFs and of the MTU the higher one counts, but where nothing stays
 * of the weaker ones.
 */
static void merge(struct policy_item *item, const struct policy_group *group)
{
	const struct node_policy *p = group->policy;
	bool equal = false;
	size_t kept = 0;

	for (size_t i = 0; i < item->group_count; i++) {
		struct policy_group *g = &item->groups[i];
		bool against = overlap(g, group) || !strcmp(g->policy->resource, p->resource);

		equal |= g->policy->priority == p->priority;
		if (against && g->policy->priority == p->priority)
			clash(item, g, group);
		if (!against)
			item->groups[kept++] = *g;
	}
	if (item->group_count && item->externally_managed != p->externally_managed && (kept || equal))
		ADD(item->reason, "externallyManaged is true in one policy for it and false in another");
	item->num_vfs = (equal || kept) && item->num_vfs > p->num_vfs ? item->num_vfs : p->num_vfs;
	item->mtu = (equal || kept) && item->mtu > p->mtu ? item->mtu : p->mtu;
	item->externally_managed = p->externally_managed;
	item->groups[kept++] = *group;
	item->group_count = kept;
}

/* Weakest first, and of one priority in the order of the list. */
static size_t by_strength(const struct node_policy *policies, size_t count, const struct node_policy **order)
{
	size_t n = 0;

	for (int priority = 99; priority >= 0; priority--)
		for (size_t i = 0; i < count; i++)
			if (policies[i].priority == (unsigned int)priority)
				order[n++] = &policies[i];
	return n;
}

static int compare_groups(const void *a, const void *b)
{
	unsigned int x = ((const struct policy_group *)a)->first, y = ((const struct policy_group *)b)->first;

	return (x > y) - (x < y);
}

/* False: no policy is for the PF. */
static bool gather(const struct policy_pf *pf, const struct node_policy *policies, size_t count,
		   struct policy_item *item, bool *matched)
{
	const struct node_policy *order[POLICY_COUNT];
	const struct policy_pf_name *name;
	bool any = false;

	count = by_strength(policies, count, order);
	*item = (struct policy_item){ .pf = pf };
	for (size_t i = 0; i < count; i++) {
		struct policy_group group = { .policy = order[i] };

		if (!selected(order[i], pf, &name))
			continue;
		matched[order[i] - policies] = true;
		any = true;
		if (!order[i]->num_vfs) { /* without VFs the operator enters nothing: whatever else is said holds */
			item->externally_managed |= !item->group_count && order[i]->externally_managed;
			continue;
		}
		group.first = name && name->first >= 0 ? (unsigned int)name->first : 0;
		group.last = name && name->first >= 0 ? (unsigned int)name->last : order[i]->num_vfs - 1;
		merge(item, &group);
	}
	qsort(item->groups, item->group_count, sizeof(item->groups[0]), compare_groups);
	return any;
}

/* ---- what is to be done ---- */

static struct policy_action *act(struct policy_item *item, enum policy_step step, unsigned int vf)
{
	struct policy_action *a = &item->actions[item->action_count++];

	*a = (struct policy_action){ .step = step, .vf = vf };
	return a;
}

static void plan_mac(struct policy_item *item, unsigned int number, const uint8_t mac[6], const char *reason)
{
	struct policy_action *a = act(item, POLICY_VF_MAC, number);

	memcpy(a->mac, mac, sizeof(a->mac));
	mac_print(item->pf->vfs[number].admin_mac, a->from);
	mac_print(mac, a->to);
	snprintf(a->reason, sizeof(a->reason), "%s", reason);
}

static void plan_bind(struct policy_item *item, unsigned int number, enum policy_device_type type, const char *reason)
{
	const struct policy_vf *vf = &item->pf->vfs[number];
	struct policy_action *a = act(item, POLICY_VF_BIND, number);
	bool again = type == POLICY_NETDEVICE && vf->driver[0] && !policy_userspace_driver(vf->driver);

	a->type = type;
	snprintf(a->from, sizeof(a->from), "%s", vf->driver[0] ? vf->driver : "no driver");
	snprintf(a->to, sizeof(a->to), "%s",
		 type == POLICY_VFIO_PCI ? "vfio-pci"
		 : again                 ? vf->driver
					 : "its kernel driver");
	snprintf(a->reason, sizeof(a->reason), "%s", reason);
}

static void plan_number(struct policy_item *item, enum policy_step step, unsigned int vf, unsigned int from,
			unsigned int to, const char *reason)
{
	struct policy_action *a = act(item, step, vf);

	a->value = to;
	snprintf(a->from, sizeof(a->from), "%u", from);
	snprintf(a->to, sizeof(a->to), "%u", to);
	snprintf(a->reason, sizeof(a->reason), "%s", reason);
}

/*
 * Its MAC is to be the PF's to say. True: the VF has to be bound again to take it. Some drivers of PFs tell what the VF's
 * driver drew as if somebody had given it; what somebody gave, and the VF has not yet, is another one.
 */
static bool plan_vf_mac(struct policy_item *item, unsigned int number)
{
	const struct policy_vf *vf = &item->pf->vfs[number];
	bool none = is_zero(vf->admin_mac), same = vf->netdev[0] && !memcmp(vf->mac, vf->admin_mac, sizeof(vf->mac));
	uint8_t mac[6];

	if (!vf->admin_known)
		return false;
	wanted_mac(item->pf, number, vf, mac);
	if (!none && !(same && memcmp(mac, vf->admin_mac, sizeof(mac))))
		return vf->netdev[0] && !same;
	plan_mac(item, number, mac,
		 vf->mac_random ? "its driver drew the MAC that it has, and would draw another one"
				: "its PF gives it none");
	return vf->netdev[0] && memcmp(vf->mac, mac, sizeof(mac));
}

static void plan_vf_netdevice(struct policy_item *item, unsigned int number, const struct node_policy *p)
{
	const struct policy_vf *vf = &item->pf->vfs[number];

	if (!vf->driver[0] || policy_userspace_driver(vf->driver)) {
		plan_bind(item, number, POLICY_NETDEVICE,
			  vf->driver[0] ? "deviceType is netdevice" : "it has no driver");
		return; /* and what it is like then shows then */
	}
	if (plan_vf_mac(item, number))
		plan_bind(item, number, POLICY_NETDEVICE, "its netdev has another MAC than its PF gives it");
	else if (p->is_rdma && vf->guid == POLICY_GUID_ZERO)
		plan_bind(item, number, POLICY_NETDEVICE, "the node GUID of its RDMA device is zero");
	if (p->mtu && vf->netdev[0] && vf->mtu != p->mtu)
		plan_number(item, POLICY_VF_MTU, number, vf->mtu, p->mtu, "mtu");
	if (p->is_rdma && vf->netdev[0] && !vf->busy[0] && vf->guid == POLICY_GUID_NONE)
		ADD(item->note, "VF %u has no RDMA device, but isRdma is true", number);
}

static void plan_vf_vfio(struct policy_item *item, unsigned int number)
{
	const struct policy_vf *vf = &item->pf->vfs[number];

	plan_vf_mac(item, number);
	if (strcmp(vf->driver, "vfio-pci"))
		plan_bind(item, number, POLICY_VFIO_PCI, "deviceType is vfio-pci");
}

static void plan_vf(struct policy_item *item, unsigned int number, const struct node_policy *p)
{
	const struct policy_vf *vf = &item->pf->vfs[number];
	size_t before = item->action_count;

	if (!vf->pci[0])
		return; /* it went while the node was read */
	if (p->type == POLICY_VFIO_PCI)
		plan_vf_vfio(item, number);
	else
		plan_vf_netdevice(item, number, p);
	if (!vf->busy[0] || item->action_count == before)
		return;
	ADD(item->reason, "VF %u (%s) is to be changed (%s), but %s", number, vf->pci,
	    policy_step_name(item->actions[before].step), vf->busy);
	item->action_count = before;
}

static void plan_vfs(struct policy_item *item)
{
	for (size_t g = 0; g < item->group_count; g++)
		for (unsigned int i = item->groups[g].first; i <= item->groups[g].last && i < item->pf->num_vfs; i++)
			plan_vf(item, i, item->groups[g].policy);
}

/* Whether a change of the PF itself would take a VF away from somebody. */
static bool vfs_in_use(struct policy_item *item, const char *change)
{
	const struct policy_pf *pf = item->pf;
	unsigned int n = 0;

	for (unsigned int i = 0; i < pf->num_vfs; i++) {
		if (!pf->vfs[i].busy[0])
			continue;
		if (!n++)
			ADD(item->reason, "%s cannot be changed", change);
		ADD(item->reason, "VF %u (%s): %s", i, pf->vfs[i].pci, pf->vfs[i].busy);
	}
	return n;
}

/* The PF's own settings. A higher MTU is left, as the operator does; false: nothing can be done. */
static bool plan_pf(struct policy_item *item)
{
	const struct policy_pf *pf = item->pf;
	bool vfs = item->num_vfs != pf->num_vfs, mtu = item->mtu > pf->mtu;

	if (item->num_vfs > pf->total_vfs) {
		ADD(item->reason, "numVfs is %u, but the PF can have %u", item->num_vfs, pf->total_vfs);
		return false;
	}
	if ((vfs && vfs_in_use(item, "numVfs")) || (!vfs && mtu && vfs_in_use(item, "the PF's MTU")))
		return false;
	if (!pf->up && item->num_vfs)
		snprintf(act(item, POLICY_PF_UP, 0)->reason, sizeof(item->actions->reason), "VFs need their PF up");
	if (mtu)
		plan_number(item, POLICY_PF_MTU, 0, pf->mtu, item->mtu, "mtu");
	if (vfs)
		plan_number(item, POLICY_NUM_VFS, 0, pf->num_vfs, item->num_vfs,
			    pf->num_vfs && item->num_vfs ? "all of its VFs go, and come anew" : "numVfs");
	return true;
}

static bool lacks_vfio(const struct policy_item *item, const struct policy_node *node)
{
	for (size_t i = 0; !node->vfio && i < item->group_count; i++)
		if (item->groups[i].policy->type == POLICY_VFIO_PCI)
			return true;
	return false;
}

/* Somebody else's: of each thing that is not as it is to be, a word. */
static void watch(struct policy_item *item)
{
	const struct policy_pf *pf = item->pf;

	item->state = POLICY_WATCHED;
	if (item->num_vfs > pf->num_vfs)
		ADD(item->reason, "it has %u VFs, and is to have %u", pf->num_vfs, item->num_vfs);
	if (item->mtu > pf->mtu)
		ADD(item->reason, "its MTU is %u, and is to be %u", pf->mtu, item->mtu);
	plan_vfs(item);
	for (size_t i = 0; i < item->action_count; i++) {
		const struct policy_action *a = &item->actions[i];

		/* How its MACs are chosen is the other one's affair. */
		if (a->step != POLICY_VF_MAC && !(a->step == POLICY_VF_BIND && !strcmp(a->from, a->to)))
			ADD(item->reason, "VF %u: %s is %s, and is to be %s", a->vf, policy_step_name(a->step), a->from,
			    a->to);
	}
	item->action_count = 0;
}

static void plan_item(struct policy_item *item, const struct policy_node *node)
{
	const struct policy_pf *pf = item->pf;

	item->state = POLICY_REFUSED;
	if (item->reason[0])
		return; /* the policies contradict each other */
	if (item->externally_managed || pf->manager[0]) {
		watch(item);
		return;
	}
	if (lacks_vfio(item, node)) {
		ADD(item->reason, "deviceType is vfio-pci, but there is no such driver: load the module vfio-pci");
		return;
	}
	if (!plan_pf(item)) {
		item->action_count = 0;
		return;
	}
	if (item->num_vfs == pf->num_vfs)
		plan_vfs(item);
	item->state = item->action_count ? POLICY_CHANGE : item->reason[0] ? POLICY_REFUSED : POLICY_FITS;
}

int policy_plan_make(const struct policy_node *node, const struct node_policy *policies, size_t count,
		     struct policy_plan *plan)
{
	*plan = (struct policy_plan){};
	plan->items = calloc(node->count ? node->count : 1, sizeof(*plan->items));
	if (!plan->items)
		return -ENOMEM;
	for (size_t i = 0; i < node->count; i++) {
		struct policy_item *item = &plan->items[plan->count];

		if (!gather(&node->pfs[i], policies, count, item, plan->matched))
			continue;
		plan->count++;
		item->actions = calloc(3 + 3 * (size_t)node->pfs[i].num_vfs,
				       sizeof(*item->actions)); /* of PF and VF three each */
		if (!item->actions) {
			policy_plan_free(plan);
			return -ENOMEM;
		}
		plan_item(item, node);
	}
	return 0;
}

void policy_plan_free(struct policy_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		free(plan->items[i].actions);
	free(plan->items);
	*plan = (struct policy_plan){};
}

size_t policy_plan_actions(const struct policy_plan *plan)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->count; i++)
		n += plan->items[i].action_count;
	return n;
}

bool policy_item_fits(const struct policy_item *item)
{
	return !item->reason[0] && !item->note[0] && (item->state == POLICY_FITS || item->state == POLICY_WATCHED);
}

void policy_node_free(struct policy_node *node)
{
	for (size_t i = 0; i < node->count; i++)
		free(node->pfs[i].vfs);
	free(node->pfs);
	*node = (struct policy_node){};
}
