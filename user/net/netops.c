// SPDX-License-Identifier: Apache-2.0
#include "net/netops.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "lib/fault.h"
#include "lib/util.h"

/* ---- what a netdev is ---- */

static void take_altnames(const struct nlattr *list, struct netdev_link *link)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested (attr, list) {
		if (mnl_attr_get_type(attr) != IFLA_ALT_IFNAME || mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0 ||
		    link->altnames == NETDEV_ALTNAMES)
			continue;
		if (!try_snprintf(link->altname[link->altnames], NETDEV_ALTNAME_LEN, "%s", mnl_attr_get_str(attr)))
			link->altnames++;
	}
}

static void take_u32(const struct nlattr *attr, uint32_t *to)
{
	if (mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
		*to = mnl_attr_get_u32(attr);
}

static int parse_link_attr(const struct nlattr *attr, void *ctx)
{
	struct netdev_link *link = ctx;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			snprintf(link->name, sizeof(link->name), "%s", mnl_attr_get_str(attr));
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(attr) == sizeof(link->mac))
			memcpy(link->mac, mnl_attr_get_payload(attr), sizeof(link->mac));
		break;
	case IFLA_MTU:
		take_u32(attr, &link->mtu);
		break;
	case IFLA_PARENT_DEV_NAME: /* since 5.14 */
		if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			snprintf(link->parent, sizeof(link->parent), "%.31s", mnl_attr_get_str(attr));
		break;
	case IFLA_PROMISCUITY:
		take_u32(attr, &link->promiscuity);
		break;
	case IFLA_ALLMULTI:
		take_u32(attr, &link->allmulti);
		break;
	case IFLA_PROP_LIST:
		take_altnames(attr, link);
		break;
	}
	return MNL_CB_OK;
}

static int parse_link(const struct nlmsghdr *h, void *ctx)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(h);
	struct netdev_link *link = ctx;

	if (h->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(h) < sizeof(*info))
		return MNL_CB_OK;
	link->ifindex = (uint32_t)info->ifi_index;
	link->flags = info->ifi_flags;
	mnl_attr_parse(h, sizeof(*info), parse_link_attr, link);
	return MNL_CB_OK;
}

static struct ifinfomsg *link_request(void *buf, struct nlmsghdr **h, uint16_t type, uint32_t ifindex)
{
	struct ifinfomsg *info;

	*h = rtnl_request(buf, type, 0, sizeof(*info));
	info = mnl_nlmsg_get_payload(*h);
	info->ifi_index = (int)ifindex;
	return info;
}

int netdev_link_get(struct rtnl *nl, uint32_t ifindex, struct netdev_link *link)
{
	struct nlmsghdr *h;
	char buf[256];
	int r;

	*link = (struct netdev_link){};
	link_request(buf, &h, RTM_GETLINK, ifindex);
	mnl_attr_put_u32(h, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	r = rtnl_talk(nl, h, parse_link, link);
	if (!r && !link->ifindex)
		r = -ENODEV;
	return r;
}

struct link_walk {
	void (*visit)(const struct netdev_link *link, void *ctx);
	void *ctx;
};

static int visit_link(const struct nlmsghdr *h, void *ctx)
{
	const struct link_walk *walk = ctx;
	struct netdev_link link = {};

	parse_link(h, &link);
	if (link.ifindex)
		walk->visit(&link, walk->ctx);
	return MNL_CB_OK;
}

int netdev_link_each(struct rtnl *nl, void (*visit)(const struct netdev_link *link, void *ctx), void *ctx)
{
	struct link_walk walk = { .visit = visit, .ctx = ctx };
	char buf[256];
	struct nlmsghdr *h = rtnl_request(buf, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));

	mnl_attr_put_u32(h, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return rtnl_talk(nl, h, visit_link, &walk);
}

struct parent_search {
	const char *parent;
	uint32_t found;
};

static void match_parent(const struct netdev_link *link, void *ctx)
{
	struct parent_search *search = ctx;

	if (!search->found && !strcmp(link->parent, search->parent))
		search->found = link->ifindex;
}

int netdev_find_parent(struct rtnl *nl, const char *parent)
{
	struct parent_search search = { .parent = parent };
	int r = parent[0] ? netdev_link_each(nl, match_parent, &search) : -ENODEV;

	if (r)
		return r;
	return search.found ? (int)search.found : -ENODEV;
}

int netdev_find(struct rtnl *nl, const char *name)
{
	struct netdev_link link = {};
	struct nlmsghdr *h;
	char buf[512];
	int r;

	if (!name[0] || strlen(name) >= NETDEV_ALTNAME_LEN)
		return -EINVAL;
	link_request(buf, &h, RTM_GETLINK, 0);
	/* Either finds names of both kinds, but the first has no room for more than IFNAMSIZ. */
	mnl_attr_put_strz(h, strlen(name) < IF_NAMESIZE ? IFLA_IFNAME : IFLA_ALT_IFNAME, name);
	mnl_attr_put_u32(h, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	r = rtnl_talk(nl, h, parse_link, &link);
	if (r)
		return r;
	return link.ifindex ? (int)link.ifindex : -ENODEV;
}

/* ---- alternative names ---- */

static int remove_altname(struct rtnl *nl, uint32_t ifindex, const char *name)
{
	struct nlattr *list;
	struct nlmsghdr *h;
	char buf[512];

	link_request(buf, &h, RTM_DELLINKPROP, ifindex);
	list = mnl_attr_nest_start(h, IFLA_PROP_LIST);
	mnl_attr_put_strz(h, IFLA_ALT_IFNAME, name);
	mnl_attr_nest_end(h, list);
	return rtnl_talk(nl, h, NULL, NULL);
}

int netdev_altname_remove(struct rtnl *nl, uint32_t ifindex, const char *name, struct err *err)
{
	int r;

	if (strlen(name) >= NETDEV_ALTNAME_LEN)
		return fail(err, -ENAMETOOLONG, "netdev %u: the alternative name is too long", ifindex);
	r = fault_around("netdev.altname", remove_altname(nl, ifindex, name));
	return r ? fail(err, r, "netdev %u: cannot remove the alternative name %s: %s", ifindex, name, rtnl_said(nl, r))
		 : 0;
}

static bool has_altname(const struct netdev_link *link, const char *name)
{
	for (size_t i = 0; i < link->altnames; i++)
		if (!strcmp(link->altname[i], name))
			return true;
	return false;
}

/* How many were in the way of the move, and are no longer. */
static int clear_altnames(struct rtnl *from, struct rtnl *target, const struct netdev_link *link, struct err *err)
{
	int cleared = 0, r;

	for (size_t i = 0; i < link->altnames; i++) {
		if (netdev_find(target, link->altname[i]) < 0)
			continue;
		r = netdev_altname_remove(from, link->ifindex, link->altname[i], err);
		if (r)
			return r;
		cleared++;
	}
	return cleared;
}

/* ---- a move ---- */

/* That nobody has, as far as chance goes: the kernel refuses it otherwise. */
static int unique_name(char name[IF_NAMESIZE])
{
	uint32_t number;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return -EIO;
	snprintf(name, IF_NAMESIZE, "warden%08x", number);
	return 0;
}

/* As dev_valid_name() in net/core/dev.c, which is asked only after the move. A % would be a pattern. */
static bool is_name(const char *name)
{
	if (!name[0] || strlen(name) >= IF_NAMESIZE || !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	return !strpbrk(name, "/:% \t\n\v\f\r\240");
}

static int choose_name(struct rtnl *target, const struct netdev_link *link, const struct netdev_target *to,
		       char name[IF_NAMESIZE], struct err *err)
{
	const char *wanted = to->name ? to->name : link->name;
	int r;

	if (!is_name(wanted))
		return fail(err, -EINVAL, "netdev %s: \"%.64s\" is no name for it", link->name, wanted);
	snprintf(name, IF_NAMESIZE, "%s", wanted);
	r = netdev_find(target, name);
	if (r == -ENODEV)
		return 0;
	if (r < 0)
		return fail(err, r, "netdev %s: cannot ask the target netns for %s: %s", link->name, name,
			    rtnl_said(target, r));
	if (to->any_name)
		return unique_name(name);
	return fail(err, -EEXIST, "netdev %s: the name %s is taken in the target netns", link->name, name);
}

/*
 * One message for all. do_setlink() in net/core/rtnetlink.c changes the netns first, then the MAC, the MTU, and the name.
 * __dev_change_net_namespace() in net/core/dev.c closes the netdev, so that the MAC may change, and takes IFLA_IFNAME at once
 * only if the present name is taken in the target. So it is there under the old name or the new one at each moment, and what
 * is refused after the move leaves it in the target.
 */
static int send_move(struct rtnl *from, uint32_t ifindex, const struct netdev_target *to, const char *name)
{
	struct nlmsghdr *h;
	char buf[512];

	link_request(buf, &h, RTM_SETLINK, ifindex);
	mnl_attr_put_u32(h, IFLA_NET_NS_FD, (uint32_t)to->netns_fd);
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	if (to->mac)
		mnl_attr_put(h, IFLA_ADDRESS, 6, to->mac);
	if (to->mtu)
		mnl_attr_put_u32(h, IFLA_MTU, to->mtu);
	return rtnl_talk(from, h, NULL, NULL);
}

static void set_place(struct netdev_place *place, bool moved, uint32_t ifindex, const char *name)
{
	place->moved = moved;
	place->ifindex = ifindex;
	snprintf(place->name, sizeof(place->name), "%s", name);
}

/*
 * Whether the netdev of that name in the target is the one that was moved: another may have got the name meanwhile. A
 * function's netdevs have their function, and each its MAC.
 */
static bool is_there(struct rtnl *target, const struct netdev_link *was, const struct netdev_target *to,
		     const char *name, struct netdev_place *place)
{
	struct netdev_link now;
	int found = netdev_find(target, name);

	if (found < 0 || netdev_link_get(target, (uint32_t)found, &now) || strcmp(now.parent, was->parent))
		return false;
	if (memcmp(now.mac, was->mac, sizeof(now.mac)) && (!to->mac || memcmp(now.mac, to->mac, sizeof(now.mac))))
		return false;
	set_place(place, true, now.ifindex, now.name);
	return true;
}

static bool is_here(struct rtnl *from, const struct netdev_link *was)
{
	struct netdev_link now;

	return !netdev_link_get(from, was->ifindex, &now) && !strcmp(now.name, was->name);
}

/* After an error: still here, or there under one of its names? */
static void look_for(struct rtnl *from, struct rtnl *target, const struct netdev_link *was,
		     const struct netdev_target *to, const char *name, struct netdev_place *place)
{
	if (is_here(from, was))
		set_place(place, false, was->ifindex, was->name);
	else if (!is_there(target, was, to, name, place) && !is_there(target, was, to, was->name, place))
		set_place(place, false, 0, was->name);
}

/* Which of the settings was refused, by the order of do_setlink(). */
static const char *refused_setting(struct rtnl *target, const struct netdev_target *to, uint32_t ifindex)
{
	struct netdev_link now;

	if (netdev_link_get(target, ifindex, &now))
		return "a setting";
	if (to->mac && memcmp(now.mac, to->mac, sizeof(now.mac)))
		return "the MAC";
	if (to->mtu && now.mtu != to->mtu)
		return "the MTU";
	return "the name";
}

static int tell_failure(struct rtnl *from, struct rtnl *target, const struct netdev_link *was,
			const struct netdev_target *to, const char *name, struct netdev_place *place, int error,
			struct err *err)
{
	char said[256];

	snprintf(said, sizeof(said), "%s", rtnl_said(from, error));
	look_for(from, target, was, to, name, place);
	if (!place->moved)
		return fail(err, error, "netdev %s: cannot be moved to the target netns: %s", was->name, said);
	return fail(err, error, "netdev %s: moved, as %s, but %s was refused: %s", was->name, place->name,
		    refused_setting(target, to, place->ifindex), said);
}

/* An alternative name that is the new one is the netdev's own, and in its way; others are removed only if they must. */
static int move(struct rtnl *from, struct rtnl *target, const struct netdev_link *link, const struct netdev_target *to,
		const char *name, struct netdev_place *place, struct err *err)
{
	int r = has_altname(link, name) ? netdev_altname_remove(from, link->ifindex, name, err) : 0;

	if (r)
		return r;
	r = fault_around("netdev.move", send_move(from, link->ifindex, to, name));
	if (r == -EEXIST && is_here(from, link)) {
		r = clear_altnames(from, target, link, err);
		if (r < 0)
			return r;
		r = r ? fault_around("netdev.move", send_move(from, link->ifindex, to, name)) : -EEXIST;
	}
	if (r)
		return tell_failure(from, target, link, to, name, place, r, err);
	r = netdev_find(target, name);
	if (r < 0) {
		set_place(place, true, 0, name);
		return fail(err, r, "netdev %s: moved, but %s is not to be found: %s", link->name, name,
			    rtnl_said(target, r));
	}
	set_place(place, true, (uint32_t)r, name);
	return 0;
}

int netdev_move(struct rtnl *from, uint32_t ifindex, const struct netdev_target *to, struct netdev_place *place,
		struct err *err)
{
	_cleanup_(rtnl_close) struct rtnl *target = NULL;
	char name[IF_NAMESIZE];
	struct netdev_link link;
	int r;

	*place = (struct netdev_place){};
	r = netdev_link_get(from, ifindex, &link);
	if (r)
		return fail(err, r, "netdev %u: %s", ifindex, rtnl_said(from, r));
	set_place(place, false, ifindex, link.name);
	r = rtnl_open(&target, to->netns_fd);
	if (r)
		return fail(err, r, "netdev %s: no netlink in the target netns: %s", link.name, strerror(-r));
	if (rtnl_cookie(from) && rtnl_cookie(from) == rtnl_cookie(target))
		return fail(err, -EALREADY, "netdev %s: is in the target netns already", link.name);
	r = choose_name(target, &link, to, name, err);
	return r ? r : move(from, target, &link, to, name, place, err);
}

/* ---- settings ---- */

static void put_settings(struct nlmsghdr *h, struct ifinfomsg *info, const struct netdev_change *c)
{
	if (c->promisc_off)
		info->ifi_change |= IFF_PROMISC;
	if (c->allmulti_off)
		info->ifi_change |= IFF_ALLMULTI;
	if (c->state == NETDEV_UP) {
		info->ifi_change |= IFF_UP;
		info->ifi_flags |= IFF_UP;
	}
	if (c->mac)
		mnl_attr_put(h, IFLA_ADDRESS, 6, c->mac);
	if (c->mtu)
		mnl_attr_put_u32(h, IFLA_MTU, c->mtu);
}

/* do_setlink() changes the flags last, and a driver may want the netdev down for the rest: so that is a message before. */
static int send_settings(struct rtnl *nl, uint32_t ifindex, const struct netdev_change *c, unsigned int *failed)
{
	struct rtnl_batch batch;
	struct ifinfomsg *info;
	struct nlmsghdr *h;
	int r;

	rtnl_batch_begin(&batch, nl);
	if (c->state == NETDEV_DOWN) {
		info = mnl_nlmsg_get_payload(rtnl_batch_add(&batch, RTM_SETLINK, 0, sizeof(*info)));
		info->ifi_index = (int)ifindex;
		info->ifi_change = IFF_UP;
	}
	if (c->state != NETDEV_DOWN || c->mac || c->mtu || c->promisc_off || c->allmulti_off) {
		h = rtnl_batch_add(&batch, RTM_SETLINK, 0, sizeof(*info));
		info = mnl_nlmsg_get_payload(h);
		info->ifi_index = (int)ifindex;
		put_settings(h, info, c);
	}
	r = rtnl_batch_end(&batch);
	*failed = batch.failed;
	return r;
}

int netdev_set(struct rtnl *nl, uint32_t ifindex, const struct netdev_change *c, struct err *err)
{
	struct netdev_link now;
	unsigned int failed = 0;
	const char *what;
	char said[256];
	int r = fault_around("netdev.set", send_settings(nl, ifindex, c, &failed));

	if (!r)
		return 0;
	snprintf(said, sizeof(said), "%s", rtnl_said(nl, r));
	if (netdev_link_get(nl, ifindex, &now))
		return fail(err, r, "netdev %u: cannot be set: %s", ifindex, said);
	if (c->state == NETDEV_DOWN && failed == 0)
		what = "down";
	else if (c->mac && memcmp(now.mac, c->mac, sizeof(now.mac)))
		what = "the MAC";
	else if (c->mtu && now.mtu != c->mtu)
		what = "the MTU";
	else
		what = c->state == NETDEV_UP ? "up" : "its flags";
	return fail(err, r, "netdev %s: cannot set %s: %s", now.name, what, said);
}

static bool has_mac(struct rtnl *nl, uint32_t ifindex, const uint8_t mac[6], int *r)
{
	struct netdev_link now;

	*r = netdev_link_get(nl, ifindex, &now);
	return !*r && !memcmp(now.mac, mac, sizeof(now.mac));
}

static void wait_running(struct rtnl *nl, uint32_t ifindex, uint64_t deadline)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	struct netdev_link link;

	while (!netdev_link_get(nl, ifindex, &link) && !(link.flags & IFF_RUNNING) && boot_ns() < deadline)
		nanosleep(&pause, NULL);
}

/*
 * Some drivers (igbvf) let nobody set a MAC where the PF has set one, and take the PF's when they reset the VF: that is when the
 * netdev goes down. It must not meet the reset that the driver makes when it comes up, which is over with the carrier.
 */
static bool cycle(struct rtnl *nl, uint32_t ifindex, uint64_t deadline)
{
	const struct netdev_change up = { .state = NETDEV_UP }, down = { .state = NETDEV_DOWN };
	struct netdev_link link;
	bool was_up;

	if (netdev_link_get(nl, ifindex, &link))
		return false;
	was_up = link.flags & IFF_UP;
	if (!was_up && netdev_set(nl, ifindex, &up, NULL))
		return false;
	wait_running(nl, ifindex, deadline);
	if (netdev_set(nl, ifindex, &down, NULL))
		return false;
	return !was_up || !netdev_set(nl, ifindex, &up, NULL);
}

int netdev_mac_set(struct rtnl *nl, uint32_t ifindex, const uint8_t mac[6], int timeout_ms, struct err *err)
{
	const struct netdev_change change = { .mac = mac };
	uint64_t deadline = boot_ns() + (uint64_t)timeout_ms * 1000000;
	struct timespec pause = { .tv_nsec = 10000000 };
	bool cycled = false;
	int r, refused;

	while (!has_mac(nl, ifindex, mac, &r)) {
		if (r)
			return fail(err, r, "netdev %u: %s", ifindex, r == -ENODEV ? "it is gone" : rtnl_said(nl, r));
		refused = netdev_set(nl, ifindex, &change, err);
		if (has_mac(nl, ifindex, mac, &r))
			return 0;
		if (boot_ns() >= deadline)
			return refused ? refused
				       : fail(err, -EIO, "netdev %u: the driver took the MAC and does not have it",
					      ifindex);
		if (refused == -EADDRNOTAVAIL && !cycled)
			cycled = cycle(nl, ifindex, deadline);
		nanosleep(&pause, NULL); /* no message tells when a driver is ready to hear it again */
		if (pause.tv_nsec < 100000000)
			pause.tv_nsec *= 2;
	}
	return 0;
}

int netdev_rename(struct rtnl *nl, uint32_t ifindex, const char *name, struct err *err)
{
	struct nlmsghdr *h;
	char buf[512];
	int r;

	link_request(buf, &h, RTM_NEWLINK, ifindex);
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	r = fault_around("netdev.rename", rtnl_talk(nl, h, NULL, NULL));
	return r ? fail(err, r, "netdev %u is not renamed to %s: %s", ifindex, name, rtnl_said(nl, r)) : 0;
}
