// SPDX-License-Identifier: Apache-2.0
/*
 * What the PF enforces on a VF, set. do_setvfinfo() in net/core/rtnetlink.c goes through the entries of IFLA_VFINFO_LIST in
 * their order, whatever VFs they name, and stops at the first that is refused: so each setting is an entry of its own, what
 * narrows the VF before what frees it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "lib/fault.h"
#include "lib/util.h"
#include "net/rtnl.h"
#include "sriov/sriov.h"

/* ---- entries ---- */

static void put_entry(struct nlmsghdr *h, uint16_t type, size_t size, const void *value)
{
	struct nlattr *entry = mnl_attr_nest_start(h, IFLA_VF_INFO);

	mnl_attr_put(h, type, size, value);
	mnl_attr_nest_end(h, entry);
}

/* IFLA_VF_VLAN knows 802.1Q only. */
static void put_vlan(struct nlmsghdr *h, uint32_t vf, const struct sriov_vf *to)
{
	struct ifla_vf_vlan_info info = { .vf = vf, .vlan = (uint32_t)to->vlan };
	struct nlattr *entry = mnl_attr_nest_start(h, IFLA_VF_INFO), *list;

	info.qos = to->vlan_qos > 0 ? (uint32_t)to->vlan_qos : 0;
	info.vlan_proto = htons(to->vlan_proto > 0 ? (uint16_t)to->vlan_proto : ETH_P_8021Q);
	list = mnl_attr_nest_start(h, IFLA_VF_VLAN_LIST);
	mnl_attr_put(h, IFLA_VF_VLAN_INFO, sizeof(info), &info);
	mnl_attr_nest_end(h, list);
	mnl_attr_nest_end(h, entry);
}

static void put_mac(struct nlmsghdr *h, uint32_t vf, const struct sriov_vf *to)
{
	struct ifla_vf_mac mac = { .vf = vf };

	memcpy(mac.mac, to->mac, sizeof(to->mac));
	put_entry(h, IFLA_VF_MAC, sizeof(mac), &mac);
}

static void put_rate(struct nlmsghdr *h, uint32_t vf, const struct sriov_vf *to)
{
	struct ifla_vf_rate rate = { .vf = vf };

	rate.min_tx_rate = to->min_rate > 0 ? (uint32_t)to->min_rate : 0;
	rate.max_tx_rate = to->max_rate > 0 ? (uint32_t)to->max_rate : 0;
	put_entry(h, IFLA_VF_RATE, sizeof(rate), &rate);
}

/* The structs of trust and link state are alike. */
static void put_flag(struct nlmsghdr *h, uint32_t vf, uint16_t type, int value)
{
	struct ifla_vf_spoofchk flag = { .vf = vf, .setting = (uint32_t)value };

	put_entry(h, type, sizeof(flag), &flag);
}

/*
 * VLAN and MAC before the spoof check, which some drivers refuse or warn of without a MAC, and which a driver may reset with
 * them; trust when all else is in force. A link goes down first and comes up last.
 */
static void put_settings(struct nlmsghdr *h, uint32_t vf, unsigned int settings, const struct sriov_vf *to)
{
	bool down = to->link_state == IFLA_VF_LINK_STATE_DISABLE;

	if ((settings & SRIOV_LINK_STATE) && down)
		put_flag(h, vf, IFLA_VF_LINK_STATE, to->link_state);
	if ((settings & SRIOV_TRUST) && !to->trust)
		put_flag(h, vf, IFLA_VF_TRUST, to->trust);
	if (settings & SRIOV_VLAN)
		put_vlan(h, vf, to);
	if (settings & SRIOV_MAC)
		put_mac(h, vf, to);
	if (settings & SRIOV_RATE)
		put_rate(h, vf, to);
	if (settings & SRIOV_SPOOFCHK)
		put_flag(h, vf, IFLA_VF_SPOOFCHK, to->spoofchk);
	if ((settings & SRIOV_TRUST) && to->trust)
		put_flag(h, vf, IFLA_VF_TRUST, to->trust);
	if ((settings & SRIOV_LINK_STATE) && !down)
		put_flag(h, vf, IFLA_VF_LINK_STATE, to->link_state);
}

static int send_settings(struct rtnl *nl, uint32_t pf, uint32_t vf, unsigned int settings, const struct sriov_vf *to)
{
	char buf[1024];
	struct nlmsghdr *h = rtnl_request(buf, RTM_SETLINK, 0, sizeof(struct ifinfomsg));
	struct nlattr *list;

	((struct ifinfomsg *)mnl_nlmsg_get_payload(h))->ifi_index = (int)pf;
	list = mnl_attr_nest_start(h, IFLA_VFINFO_LIST);
	put_settings(h, vf, settings, to);
	mnl_attr_nest_end(h, list);
	return rtnl_talk(nl, h, NULL, NULL);
}

/* ---- what differs ---- */

/* A VLAN of none has no protocol and no priority worth a message. */
static bool vlan_differs(const struct sriov_vf *a, const struct sriov_vf *b)
{
	int32_t proto_a = a->vlan_proto > 0 ? a->vlan_proto : ETH_P_8021Q;
	int32_t proto_b = b->vlan_proto > 0 ? b->vlan_proto : ETH_P_8021Q;
	int64_t qos_a = a->vlan_qos > 0 ? a->vlan_qos : 0, qos_b = b->vlan_qos > 0 ? b->vlan_qos : 0;

	return a->vlan != b->vlan || qos_a != qos_b || (a->vlan > 0 && proto_a != proto_b);
}

static bool rate_differs(const struct sriov_vf *a, const struct sriov_vf *b)
{
	int64_t min_a = a->min_rate > 0 ? a->min_rate : 0, min_b = b->min_rate > 0 ? b->min_rate : 0;
	int64_t max_a = a->max_rate > 0 ? a->max_rate : 0, max_b = b->max_rate > 0 ? b->max_rate : 0;

	return min_a != min_b || max_a != max_b;
}

static unsigned int differences(const struct sriov_vf *a, const struct sriov_vf *b)
{
	return (vlan_differs(a, b) ? SRIOV_VLAN : 0) | (memcmp(a->mac, b->mac, sizeof(a->mac)) ? SRIOV_MAC : 0) |
	       (rate_differs(a, b) ? SRIOV_RATE : 0) | (a->spoofchk != b->spoofchk ? SRIOV_SPOOFCHK : 0) |
	       (a->trust != b->trust ? SRIOV_TRUST : 0) | (a->link_state != b->link_state ? SRIOV_LINK_STATE : 0);
}

/* What was unknown when it was saved cannot be put back. */
static unsigned int known(const struct sriov_vf *vf)
{
	return SRIOV_MAC | (vf->vlan >= 0 ? SRIOV_VLAN : 0) |
	       (vf->max_rate >= 0 || vf->min_rate >= 0 ? SRIOV_RATE : 0) | (vf->spoofchk >= 0 ? SRIOV_SPOOFCHK : 0) |
	       (vf->trust >= 0 ? SRIOV_TRUST : 0) | (vf->link_state >= 0 ? SRIOV_LINK_STATE : 0);
}

/* The names of the settings, as many as there are. */
static const char *name_settings(unsigned int settings, char *to, size_t size)
{
	static const char *const names[] = { "VLAN", "MAC", "rate", "spoof check", "trust", "link state" };
	size_t len = 0;

	to[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if ((settings & (1u << i)) && len < size)
			len += (size_t)snprintf(to + len, size - len, "%s%s", len ? ", " : "", names[i]);
	return to;
}

/* ---- the operations ---- */

static int check(const char *pci, unsigned int settings, const struct sriov_vf *to, struct err *err)
{
	const char *wrong = NULL;

	if ((settings & SRIOV_VLAN) && (to->vlan < 0 || to->vlan > 4094))
		wrong = "VLAN";
	if ((settings & SRIOV_VLAN) && to->vlan_qos > 7)
		wrong = "VLAN priority";
	if ((settings & SRIOV_RATE) && (to->min_rate > UINT32_MAX || to->max_rate > UINT32_MAX))
		wrong = "rate";
	if (((settings & SRIOV_SPOOFCHK) && to->spoofchk < 0) || ((settings & SRIOV_TRUST) && to->trust < 0) ||
	    ((settings & SRIOV_LINK_STATE) && (to->link_state < 0 || to->link_state >= __IFLA_VF_LINK_STATE_MAX)))
		wrong = "spoof check, trust or link state";
	return wrong ? fail(err, -EINVAL, "VF %s: no such %s", pci, wrong) : 0;
}

static int read_vf(const char *pci, struct sriov_vf *vf, struct err *err)
{
	int r = sriov_vf_get(pci, vf);

	return r ? fail(err, r, "VF %s: its PF does not tell of it: %s", pci, strerror(-r)) : 0;
}

/* One message, and what came of it: those of `settings` that are not so. */
static int apply(const char *pci, unsigned int settings, const struct sriov_vf *to, struct err *err)
{
	_cleanup_(rtnl_close) struct rtnl *nl = NULL;
	char names[96], said[256];
	struct sriov_vf now;
	uint32_t pf, number;
	int r, read;

	if (sriov_pf_ifindex(pci, &pf) || sriov_vf_number(pci, &number))
		return fail(err, -ENODEV, "VF %s: no VF, or its PF has no netdev here", pci);
	r = rtnl_open(&nl, -1);
	if (r)
		return fail(err, r, "VF %s: no netlink: %s", pci, strerror(-r));
	r = fault_around("sriov.set", send_settings(nl, pf, number, settings, to));
	snprintf(said, sizeof(said), "%s", r ? rtnl_said(nl, r) : "");
	read = read_vf(pci, &now, r ? NULL : err);
	if (!r && read)
		return read;
	/* Those that are not so; all of them when that cannot be told, or when it was done and refused all the same. */
	if (!read && (!r || (settings & differences(&now, to))))
		settings &= differences(&now, to);
	name_settings(settings, names, sizeof(names));
	if (r)
		return fail(err, r, "VF %s: cannot set %s: %s", pci, names, said);
	return settings ? fail(err, -EIO, "VF %s: the driver took %s and has something else", pci, names) : 0;
}

int sriov_vf_set(const char *pci, unsigned int settings, const struct sriov_vf *to, const struct sriov_vf *now,
		 struct err *err)
{
	struct sriov_vf asked;
	int r = check(pci, settings, to, err);

	if (r)
		return r;
	if (!now) {
		r = read_vf(pci, &asked, err);
		if (r)
			return r;
		now = &asked;
	}
	settings &= differences(now, to);
	return settings ? apply(pci, settings, to, err) : 0;
}

int sriov_vf_restore(const char *pci, const struct sriov_vf *saved, struct err *err)
{
	return sriov_vf_set(pci, known(saved), saved, NULL, err);
}
