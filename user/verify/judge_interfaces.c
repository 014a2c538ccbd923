// SPDX-License-Identifier: Apache-2.0
/* Of a pod: its netdevs, what was promised of them, and what RDMA needs of them. */
#include <arpa/inet.h>
#include <string.h>

#include "lib/mac.h"
#include "lib/util.h"
#include "verify/internal.h"

#define PORT_ACTIVE 4 /* enum ib_port_state (rdma/ib_verbs.h) */

/* ---- whose a netdev is ---- */

static const struct model_device *own_by_parent(const struct judge *j, const char *parent)
{
	for (size_t i = 0; parent[0] && i < j->model->device_count; i++) {
		const struct model_device *d = &j->model->devices[i];

		if (!strcmp(d->tracked.device.parent, parent) && device_is_of(j->model, d, j->index))
			return d;
	}
	return NULL;
}

static bool network_has(const struct model_pod *pod, const char *parent)
{
	for (size_t i = 0; i < pod->network_count; i++)
		if (!strcmp(pod->networks[i].pci, parent))
			return true;
	return false;
}

static bool is_promised_to(const struct judge *j, size_t pod, const char *parent)
{
	for (size_t i = 0; i < j->model->granted_count; i++)
		if (j->model->granted[i].pod == pod && !strcmp(j->model->granted[i].device, parent))
			return true;
	return network_has(&j->model->pods[pod], parent);
}

static bool is_promised_to_another(const struct judge *j, const char *parent)
{
	for (size_t i = 0; i < j->model->pod_count; i++)
		if (i != j->index && !j->model->pods[i].ended && is_promised_to(j, i, parent))
			return true;
	return false;
}

static bool has_rdma_device(const struct model *model, const char *parent)
{
	for (size_t i = 0; i < model->device_count; i++)
		if (!strcmp(model->devices[i].tracked.device.parent, parent))
			return true;
	return false;
}

/* What is of a function that has no RDMA device and that nobody promised to anybody may well be the pod's, by another plugin. */
static const char *why_foreign(const struct judge *j, const struct inside_netdev *n)
{
	if (!n->parent[0] || own_by_parent(j, n->parent) || is_promised_to(j, j->index, n->parent))
		return NULL;
	if (n->is_pf)
		return "a PF";
	if (has_rdma_device(j->model, n->parent))
		return "a device that is not the pod's";
	return is_promised_to_another(j, n->parent) ? "a VF of another pod" : NULL;
}

static void judge_netdevs(const struct judge *j)
{
	struct verify_check all = check_begin(j, "pod.netdevs", "all");
	char inside[64];
	bool told = false;

	text_inside(j, inside, sizeof(inside));
	for (size_t i = 0; i < j->in->netdev_count; i++) {
		const struct inside_netdev *n = &j->in->netdevs[i];
		struct verify_check c = check_begin(j, "pod.netdevs", n->name);
		const char *why = why_foreign(j, n);

		if (!why)
			continue;
		check_expected(&c, "not in the pod");
		check_found(&c, "it is of %s (%s)", why, n->parent);
		check_cure(&c, "%sip link set %s netns 1", inside, text_word(n->name));
		check_tell(j, &c, VERIFY_FAIL);
		told = true;
	}
	check_expected(&all, "no netdev of a PF or of another VF");
	check_found(&all, "none");
	if (!told)
		check_tell(j, &all, VERIFY_PASS);
}

/* ---- promises, by interface: of one, several sources may speak ---- */

static bool is_first_of(const struct model_pod *pod, size_t network)
{
	for (size_t i = 0; i < network; i++)
		if (!strcmp(pod->networks[i].ifname, pod->networks[network].ifname))
			return false;
	return true;
}

static bool is_promised(const struct model_pod *pod, const char *ifname)
{
	for (size_t i = 0; i < pod->network_count; i++)
		if (!strcmp(pod->networks[i].ifname, ifname))
			return true;
	return false;
}

static void interface_is_there(const struct judge *j, const char *ifname)
{
	struct verify_check c = check_begin(j, "pod.interface", ifname);
	const struct inside_netdev *n = inside_netdev_get(j->in, ifname);
	char anew[256];

	text_anew(j, anew, sizeof(anew));
	check_expected(&c, "it is in the pod");
	check_found(&c, n ? "it is" : "the pod has no such interface");
	check_cure(&c, "%s", anew);
	check_tell(j, &c, pass_if(n));
}

/* As it is kept, IPv4 as ::ffff:a.b.c.d. */
static bool parse_address(const char *text, uint8_t address[16])
{
	memset(address, 0, 10);
	memset(address + 10, 0xff, 2);
	return inet_pton(AF_INET, text, address + 12) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

static void print_address(const uint8_t address[16], char *to, size_t size)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (!memcmp(address, mapped, sizeof(mapped)))
		inet_ntop(AF_INET, address + 12, to, (socklen_t)size);
	else
		inet_ntop(AF_INET6, address, to, (socklen_t)size);
}

/* Which the readers leave out. */
static bool is_link_local(const uint8_t address[16])
{
	return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

static bool has_bytes(const uint8_t (*list)[16], size_t count, size_t room, const uint8_t wanted[16])
{
	for (size_t i = 0; i < count && i < room; i++)
		if (!memcmp(list[i], wanted, 16))
			return true;
	return false;
}

struct promise {
	size_t addresses;
	char all[256], missing[256], unreadable[128];
	char first[64]; /* of the missing ones */
};

static void take_address(const struct inside_netdev *n, const char *text, struct promise *p)
{
	uint8_t address[16];

	if (!parse_address(text, address)) {
		p->addresses++;
		text_list(p->unreadable, sizeof(p->unreadable), text);
		return;
	}
	if (is_link_local(address))
		return;
	p->addresses++;
	text_list(p->all, sizeof(p->all), text);
	if (has_bytes(n->address, n->addresses, INSIDE_ADDRESSES, address))
		return;
	text_list(p->missing, sizeof(p->missing), text);
	if (!p->first[0])
		print_address(address, p->first, sizeof(p->first));
}

static void judge_address(const struct judge *j, const struct inside_netdev *n)
{
	struct verify_check c = check_begin(j, "pod.address", n->name);
	bool cut = n->addresses > INSIDE_ADDRESSES;
	struct promise p = {};
	char inside[64];

	for (size_t i = 0; i < j->pod->network_count; i++)
		for (size_t k = 0; k < j->pod->networks[i].addresses && k < MODEL_ADDRESSES; k++)
			if (!strcmp(j->pod->networks[i].ifname, n->name))
				take_address(n, j->pod->networks[i].address[k], &p);
	if (!p.addresses)
		return;
	text_inside(j, inside, sizeof(inside));
	check_expected(&c, "%s", p.all[0] ? p.all : "the addresses that were promised");
	if (p.missing[0])
		check_found(&c, "%s is missing%s", p.missing, cut ? " among those that are looked at" : "");
	else if (p.unreadable[0])
		check_found(&c, "what was promised is no address: %s", p.unreadable);
	else
		check_found(&c, "%s", p.all);
	check_cure(&c, "%sip address add %s/PREFIX dev %s", inside, p.first, text_word(n->name));
	check_tell(j, &c,
		   p.missing[0] && !cut              ? VERIFY_FAIL
		   : p.missing[0] || p.unreadable[0] ? VERIFY_UNKNOWN
						     : VERIFY_PASS);
}

/* ---- MTU, MAC, link ---- */

static const struct verify_device *settings_of(const struct judge *j, const struct inside_netdev *n)
{
	const struct model_device *d = own_by_parent(j, n->parent);

	return d ? node_device(j->node, d->tracked.index) : NULL;
}

static void judge_mtu(const struct judge *j, const struct inside_netdev *n)
{
	struct verify_check c = check_begin(j, "pod.mtu", n->name);
	const struct verify_device *v = settings_of(j, n);
	uint32_t promised = 0, wanted;
	char inside[64];

	for (size_t i = 0; i < j->pod->network_count && !promised; i++)
		if (!strcmp(j->pod->networks[i].ifname, n->name))
			promised = j->pod->networks[i].mtu;
	wanted = promised ? promised : v ? v->mtu : 0;
	if (!wanted)
		return;
	text_inside(j, inside, sizeof(inside));
	check_expected(&c, "%u, %s", wanted, promised ? "as promised" : "as the PF has it");
	check_found(&c, "%u", n->mtu);
	check_cure(&c, "%sip link set %s mtu %u", inside, text_word(n->name), wanted);
	check_tell(j, &c, pass_if(n->mtu == wanted));
}

static const char *promised_mac(const struct model_pod *pod, const char *ifname)
{
	for (size_t i = 0; i < pod->network_count; i++)
		if (!strcmp(pod->networks[i].ifname, ifname) && pod->networks[i].mac[0])
			return pod->networks[i].mac;
	return "";
}

/* That of the netdev, of the promise, and the one that the PF holds the VF to. */
static void judge_mac(const struct judge *j, const struct inside_netdev *n)
{
	static const uint8_t none[6];
	struct verify_check c = check_begin(j, "pod.mac", n->name);
	const struct verify_device *v = settings_of(j, n);
	const char *promised = promised_mac(j->pod, n->name);
	bool held = v && memcmp(v->admin_mac, none, sizeof(none)) != 0, readable = true;
	char has[MAC_TEXT_LEN], wanted[MAC_TEXT_LEN], admin[MAC_TEXT_LEN] = "", inside[64];
	uint8_t mac[MAC_LEN];

	if (!promised[0] && !held)
		return;
	mac_print(n->mac, has);
	if (held)
		mac_print(v->admin_mac, admin);
	readable = !promised[0] || !mac_parse(promised, mac);
	if (!promised[0] || !readable)
		memcpy(mac, held ? v->admin_mac : n->mac, sizeof(mac));
	mac_print(mac, wanted);
	text_inside(j, inside, sizeof(inside));
	check_expected(&c, "%s%s", wanted, promised[0] ? ", as promised" : ", as the PF has it for the VF");
	if (readable)
		check_found(&c, "%s%s%s", has, held ? "; the PF has for the VF " : "", admin);
	else
		check_found(&c, "what was promised is no MAC: %s", promised);
	if (memcmp(n->mac, mac, sizeof(mac)) != 0)
		check_cure(&c, "%sip link set %s address %s", inside, text_word(n->name), wanted);
	else if (held)
		check_cure_vf(&c, own_by_parent(j, n->parent), "mac", wanted);
	check_tell(j, &c,
		   !readable ? VERIFY_UNKNOWN
			     : pass_if(!memcmp(n->mac, mac, sizeof(mac)) &&
				       (!held || !memcmp(v->admin_mac, mac, sizeof(mac)))));
}

static void judge_link(const struct judge *j, const struct inside_netdev *n)
{
	struct verify_check c = check_begin(j, "pod.link", n->name);
	char inside[64];

	text_inside(j, inside, sizeof(inside));
	check_expected(&c, "up, with carrier");
	check_found(&c, !n->up ? "down" : n->carrier ? "up, with carrier" : "up, without carrier");
	if (!n->up)
		check_cure(&c, "%sip link set %s up", inside, text_word(n->name));
	else
		check_cure(&c,
			   "look at the PF's own link, and whether ip link show PF has the VF's link-state disabled");
	check_tell(j, &c, pass_if(n->up && n->carrier));
}

/* ---- RDMA ports ---- */

static void judge_port(const struct judge *j, const struct model_device *d, const struct inside_rdma *rdma)
{
	static const char *const states[] = { "not told", "DOWN", "INIT", "ARMED", "ACTIVE", "ACTIVE_DEFER" };
	struct verify_check c = check_begin(j, "pod.link", device_subject(j->model, d));
	uint8_t state = rdma->port_state;

	check_expected(&c, "port 1 is ACTIVE");
	check_found(&c, "port 1: %s", state < ARRAY_SIZE(states) ? states[state] : "in no state that is known");
	check_cure(&c, "the port follows its netdev: bring %s up in the pod, and look at the PF's link",
		   rdma->netdev[0] ? text_word(rdma->netdev) : "it");
	check_tell(j, &c, state ? pass_if(state == PORT_ACTIVE) : VERIFY_UNKNOWN);
}

/* A port of InfiniBand, or one whose netdev is elsewhere, has no GIDs of addresses. */
static void judge_gid(const struct judge *j, const struct model_device *d, const struct inside_rdma *rdma)
{
	struct verify_check c = check_begin(j, "pod.gid", device_subject(j->model, d));
	const struct inside_netdev *n = rdma->netdev[0] ? inside_netdev_get(j->in, rdma->netdev) : NULL;
	bool unclear = rdma->gids_error || rdma->gids > INSIDE_GIDS;
	char all[256] = "", missing[256] = "", text[64], inside[64];

	for (size_t i = 0; n && i < n->addresses && i < INSIDE_ADDRESSES; i++) {
		print_address(n->address[i], text, sizeof(text));
		text_list(all, sizeof(all), text);
		if (!has_bytes(rdma->gid, rdma->gids, INSIDE_GIDS, n->address[i]))
			text_list(missing, sizeof(missing), text);
	}
	if (!all[0])
		return;
	text_inside(j, inside, sizeof(inside));
	check_expected(&c, "a GID of each address of %s: %s", n->name, all);
	if (rdma->gids_error)
		check_found(&c, "its GIDs cannot be read: %s", strerror(-rdma->gids_error));
	else
		check_found(&c, missing[0] ? "none of %s%s" : "%s%s", missing[0] ? missing : "each has one",
			    missing[0] && unclear ? " among those that are looked at" : "");
	check_cure(&c, "%sip address del and add the address on %s, for which the kernel makes the GID anew", inside,
		   text_word(n->name));
	check_tell(j, &c, !missing[0] ? VERIFY_PASS : unclear ? VERIFY_UNKNOWN : VERIFY_FAIL);
}

static void judge_ports(const struct judge *j)
{
	for (size_t i = 0; i < j->model->device_count; i++) {
		const struct model_device *d = &j->model->devices[i];
		const struct inside_rdma *rdma = inside_rdma_get(j->in, d->tracked.index);

		if (!rdma || !device_is_of(j->model, d, j->index))
			continue;
		judge_port(j, d, rdma);
		judge_gid(j, d, rdma);
	}
}

/* ---- all of a pod's interfaces ---- */

static void not_seen(const struct judge *j)
{
	const char *why = j->in && j->in->error.text[0] ? j->in->error.text : "its netns is not known";

	for (size_t i = 0; i < j->pod->network_count; i++) {
		struct verify_check c = check_begin(j, "pod.interface", j->pod->networks[i].ifname);

		if (!j->pod->networks[i].ifname[0] || !is_first_of(j->pod, i))
			continue;
		check_expected(&c, "it is in the pod");
		check_found(&c, "the pod cannot be seen from inside: %s", why);
		check_tell(j, &c, VERIFY_UNKNOWN);
	}
}

void judge_interfaces(struct judge *j)
{
	if (j->pod->host_network)
		return;
	if (!j->in || j->in->error.text[0]) {
		not_seen(j);
		return;
	}
	judge_netdevs(j);
	for (size_t i = 0; i < j->pod->network_count; i++)
		if (j->pod->networks[i].ifname[0] && is_first_of(j->pod, i))
			interface_is_there(j, j->pod->networks[i].ifname);
	for (size_t i = 0; i < j->in->netdev_count; i++) {
		const struct inside_netdev *n = &j->in->netdevs[i];

		if (!is_promised(j->pod, n->name) && !own_by_parent(j, n->parent))
			continue;
		judge_address(j, n);
		judge_mtu(j, n);
		judge_mac(j, n);
		judge_link(j, n);
	}
	judge_ports(j);
}
