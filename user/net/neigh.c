// SPDX-License-Identifier: Apache-2.0
#include "net/neigh.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip6.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fault.h"
#include "lib/mac.h"
#include "lib/netns.h"
#include "lib/util.h"

/* The layouts as they are on the wire; both together fit into NEIGH_FRAME_MAX. */
struct arp_frame {
	struct ether_header eth;
	struct ether_arp arp;
} __attribute__((packed));

struct nd_frame {
	struct ether_header eth;
	struct ip6_hdr ip;
	struct icmp6_hdr icmp;
	struct in6_addr target;
	uint8_t option[8]; /* the sender's MAC, or with a question from no address: not there */
} __attribute__((packed));

_Static_assert(sizeof(struct arp_frame) == 42 && sizeof(struct nd_frame) == NEIGH_FRAME_MAX, "as on the wire");

#define ND_OPTION_LEN 8

static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* ---- frames ---- */

static size_t arp_request(const uint8_t *sender, const uint8_t *target, const uint8_t mac[6], uint8_t *frame)
{
	struct arp_frame f = { .eth.ether_type = htons(ETHERTYPE_ARP) };

	memcpy(f.eth.ether_dhost, everybody, 6);
	memcpy(f.eth.ether_shost, mac, 6);
	f.arp.ea_hdr.ar_hrd = htons(ARPHRD_ETHER);
	f.arp.ea_hdr.ar_pro = htons(ETHERTYPE_IP);
	f.arp.ea_hdr.ar_hln = 6;
	f.arp.ea_hdr.ar_pln = 4;
	f.arp.ea_hdr.ar_op = htons(ARPOP_REQUEST);
	memcpy(f.arp.arp_sha, mac, 6);
	if (sender)
		memcpy(f.arp.arp_spa, sender, 4);
	memcpy(f.arp.arp_tpa, target, 4);
	memcpy(frame, &f, sizeof(f));
	return sizeof(f);
}

/* RFC 1071 over the pseudo header (RFC 8200, 8.1) and the message. */
static uint16_t checksum(const struct nd_frame *f, size_t len)
{
	const uint8_t *addresses = (const uint8_t *)&f->ip.ip6_src, *message = (const uint8_t *)&f->icmp;
	uint32_t sum = (uint32_t)len + IPPROTO_ICMPV6;

	for (size_t i = 0; i < 32; i += 2)
		sum += (uint32_t)(addresses[i] << 8 | addresses[i + 1]);
	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)(message[i] << 8 | message[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* What both kinds of messages share. `f` has its type, its destination, its source and, where it has one, its option. */
static size_t finish_nd(struct nd_frame *f, const uint8_t mac[6], const uint8_t target[16], uint8_t *frame)
{
	size_t len = sizeof(f->icmp) + sizeof(f->target) + (f->option[0] ? ND_OPTION_LEN : 0);

	f->eth.ether_type = htons(ETHERTYPE_IPV6);
	memcpy(f->eth.ether_shost, mac, 6);
	memcpy(f->eth.ether_dhost, (uint8_t[]){ 0x33, 0x33 }, 2); /* RFC 2464, 7 */
	memcpy(f->eth.ether_dhost + 2, f->ip.ip6_dst.s6_addr + 12, 4);
	f->ip.ip6_flow = htonl(6u << 28);
	f->ip.ip6_plen = htons((uint16_t)len);
	f->ip.ip6_nxt = IPPROTO_ICMPV6;
	f->ip.ip6_hlim = 255; /* who receives less takes it for a stranger's */
	memcpy(f->target.s6_addr, target, 16);
	if (f->option[0]) {
		f->option[1] = 1;
		memcpy(f->option + 2, mac, 6);
	}
	f->icmp.icmp6_cksum = 0;
	f->icmp.icmp6_cksum = checksum(f, len);
	memcpy(frame, f, sizeof(*f));
	return offsetof(struct nd_frame, icmp) + len;
}

static size_t solicitation(const struct neigh_query *q, const uint8_t mac[6], uint8_t *frame)
{
	static const uint8_t solicited_node[13] = { 0xff, 0x02, [11] = 0x01, [12] = 0xff }; /* RFC 4291, 2.7.1 */
	struct nd_frame f = { .icmp.icmp6_type = ND_NEIGHBOR_SOLICIT };

	memcpy(f.ip.ip6_dst.s6_addr, solicited_node, sizeof(solicited_node));
	memcpy(f.ip.ip6_dst.s6_addr + 13, q->address.bytes + 13, 3);
	if (q->from.family) {
		memcpy(f.ip.ip6_src.s6_addr, q->from.bytes, 16);
		f.option[0] = ND_OPT_SOURCE_LINKADDR;
	}
	return finish_nd(&f, mac, q->address.bytes, frame);
}

size_t neigh_question(const struct neigh_query *q, const uint8_t mac[6], uint8_t frame[NEIGH_FRAME_MAX])
{
	if (q->address.family == AF_INET6)
		return solicitation(q, mac, frame);
	return arp_request(q->from.family ? q->from.bytes : NULL, q->address.bytes, mac, frame);
}

/* RFC 5227, 2.3: a request, not a reply. RFC 4861, 7.2.6: to all nodes, and the override flag makes them forget the old MAC. */
size_t neigh_announcement(const struct net_address *a, const uint8_t mac[6], uint8_t frame[NEIGH_FRAME_MAX])
{
	static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 0x01 };
	struct nd_frame f = { .icmp.icmp6_type = ND_NEIGHBOR_ADVERT, .option[0] = ND_OPT_TARGET_LINKADDR };

	if (a->family != AF_INET6)
		return arp_request(a->bytes, a->bytes, mac, frame);
	f.icmp.icmp6_data32[0] = ND_NA_FLAG_OVERRIDE;
	memcpy(f.ip.ip6_dst.s6_addr, all_nodes, 16);
	memcpy(f.ip.ip6_src.s6_addr, a->bytes, 16);
	return finish_nd(&f, mac, a->bytes, frame);
}

/* ---- what is heard ---- */

static bool arp_answers(const uint8_t *frame, size_t len, const struct neigh_query *q, uint8_t mac[6])
{
	static const uint8_t none[4];
	struct arp_frame f;

	if (len < sizeof(f))
		return false;
	memcpy(&f, frame, sizeof(f));
	if (f.eth.ether_type != htons(ETHERTYPE_ARP) || f.arp.ea_hdr.ar_hrd != htons(ARPHRD_ETHER) ||
	    f.arp.ea_hdr.ar_pro != htons(ETHERTYPE_IP) || f.arp.ea_hdr.ar_hln != 6 || f.arp.ea_hdr.ar_pln != 4)
		return false;
	memcpy(mac, f.arp.arp_sha, 6);
	if (!memcmp(f.arp.arp_spa, q->address.bytes, 4))
		return true;
	/* RFC 5227, 2.1.1: another's probe for the address that we want. */
	return !q->from.family && f.arp.ea_hdr.ar_op == htons(ARPOP_REQUEST) && !memcmp(f.arp.arp_spa, none, 4) &&
	       !memcmp(f.arp.arp_tpa, q->address.bytes, 4);
}

static bool nd_answers(const uint8_t *frame, size_t len, const struct neigh_query *q, uint8_t mac[6])
{
	static const uint8_t none[16];
	struct nd_frame f = {};

	if (len < offsetof(struct nd_frame, option))
		return false;
	memcpy(&f, frame, len < sizeof(f) ? len : sizeof(f));
	if (f.eth.ether_type != htons(ETHERTYPE_IPV6) || f.ip.ip6_nxt != IPPROTO_ICMPV6 || f.ip.ip6_hlim != 255 ||
	    ntohs(f.ip.ip6_plen) < sizeof(f.icmp) + sizeof(f.target) || f.icmp.icmp6_code ||
	    memcmp(f.target.s6_addr, q->address.bytes, 16))
		return false;
	memcpy(mac, f.eth.ether_shost, 6);
	if (f.icmp.icmp6_type == ND_NEIGHBOR_ADVERT) {
		if (len >= sizeof(f) && f.option[0] == ND_OPT_TARGET_LINKADDR && f.option[1] == 1)
			memcpy(mac, f.option + 2, 6);
		return true;
	}
	/* RFC 4862, 5.4.3: a question from no address is another's duplicate address detection. */
	return !q->from.family && f.icmp.icmp6_type == ND_NEIGHBOR_SOLICIT && !memcmp(f.ip.ip6_src.s6_addr, none, 16);
}

bool neigh_answers(const uint8_t *frame, size_t len, const struct neigh_query *q, const uint8_t own[6], uint8_t mac[6])
{
	if (q->address.family == AF_INET6)
		return nd_answers(frame, len, q, mac) && memcmp(mac, own, 6);
	return arp_answers(frame, len, q, mac) && memcmp(mac, own, 6);
}

/* ---- sockets ---- */

/* ARP, and the solicitations and advertisements of neighbour discovery; a busy netdev has much else. */
static int filter(int fd)
{
	static const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 8), /* one of a VLAN of its own */
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct ether_header, ether_type)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_ARP, 7, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 5),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, offsetof(struct nd_frame, ip.ip6_nxt)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, offsetof(struct nd_frame, icmp.icmp6_type)),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, ND_NEIGHBOR_ADVERT, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, ND_NEIGHBOR_SOLICIT, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
	};
	const struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = (struct sock_filter *)code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) ? -errno : 0;
}

/* With `hears` false it receives nothing, so that nothing fills its buffer. */
static int open_port(const struct neigh_port *port, bool hears)
{
	_cleanup_close_ int fd = netns_socket(port->netns_fd, AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
	const struct sockaddr_ll addr = { .sll_family = AF_PACKET,
					  .sll_protocol = hears ? htons(ETH_P_ALL) : 0,
					  .sll_ifindex = (int)port->ifindex };
	int r = fd < 0 ? fd : filter(fd);

	if (r)
		return r;
	return bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) ? -errno : take_fd(&fd);
}

/* Another host's question for an address that is not ours yet goes to a group that the netdev does not listen to. */
static void join_group(int fd, const struct neigh_port *port, const struct neigh_query *q)
{
	struct packet_mreq request = { .mr_ifindex = (int)port->ifindex, .mr_type = PACKET_MR_MULTICAST, .mr_alen = 6 };

	memcpy(request.mr_address, (uint8_t[]){ 0x33, 0x33, 0xff }, 3);
	memcpy(request.mr_address + 3, q->address.bytes + 13, 3);
	setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof(request)); /* ends with the socket */
}

static int send_frame(int fd, const struct neigh_port *port, const uint8_t *frame, size_t len)
{
	const struct sockaddr_ll to = { .sll_family = AF_PACKET,
					.sll_ifindex = (int)port->ifindex,
					.sll_protocol = htons((uint16_t)(frame[12] << 8 | frame[13])),
					.sll_halen = 6 };

	return sendto(fd, frame, len, 0, (const struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
}

static int announce(const struct neigh_port *port, const struct net_address *addresses, size_t count)
{
	_cleanup_close_ int fd = open_port(port, false);
	uint8_t frame[NEIGH_FRAME_MAX];
	int r = fd < 0 ? fd : 0;

	for (size_t i = 0; !r && i < count; i++)
		r = send_frame(fd, port, frame, neigh_announcement(&addresses[i], port->mac, frame));
	return r;
}

int neigh_announce(const struct neigh_port *port, const struct net_address *addresses, size_t count, struct err *err)
{
	int r = fault_around("neigh.announce", announce(port, addresses, count));

	return r ? fail(err, r, "netdev %u: cannot announce its addresses: %s", port->ifindex, strerror(-r)) : 0;
}

/* ---- questions ---- */

static void hear(int fd, const struct neigh_port *port, struct neigh_query *queries, size_t count)
{
	uint8_t frame[128], mac[6];
	struct sockaddr_ll from;
	ssize_t len;

	for (;;) {
		socklen_t size = sizeof(from);

		len = recvfrom(fd, frame, sizeof(frame), 0, (struct sockaddr *)&from, &size);
		if (len < 0)
			return;
		for (size_t i = 0; from.sll_pkttype != PACKET_OUTGOING && i < count; i++) {
			if (queries[i].answered || !neigh_answers(frame, (size_t)len, &queries[i], port->mac, mac))
				continue;
			queries[i].answered = true;
			memcpy(queries[i].mac, mac, sizeof(mac));
		}
	}
}

static bool all_answered(const struct neigh_query *queries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!queries[i].answered)
			return false;
	return true;
}

static int send_questions(int fd, const struct neigh_port *port, const struct neigh_query *queries, size_t count)
{
	uint8_t frame[NEIGH_FRAME_MAX];
	int r = 0;

	for (size_t i = 0; !r && i < count; i++)
		if (!queries[i].answered)
			r = send_frame(fd, port, frame, neigh_question(&queries[i], port->mac, frame));
	return r;
}

static int ask(const struct neigh_port *port, struct neigh_query *queries, size_t count, int interval_ms,
	       int timeout_ms)
{
	uint64_t now = boot_ns(), deadline = now + (uint64_t)timeout_ms * 1000000, next = now, until;
	_cleanup_close_ int fd = open_port(port, true);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r = fd < 0 ? fd : 0;

	for (size_t i = 0; !r && i < count; i++)
		if (queries[i].address.family == AF_INET6)
			join_group(fd, port, &queries[i]);
	for (; !r && now < deadline && !all_answered(queries, count); now = boot_ns()) {
		if (now >= next) {
			r = send_questions(fd, port, queries, count);
			next = now + (uint64_t)interval_ms * 1000000;
		}
		until = next < deadline ? next : deadline;
		if (!r && poll(&p, 1, (int)((until - now) / 1000000) + 1) > 0)
			hear(fd, port, queries, count);
	}
	return r;
}

int neigh_ask(const struct neigh_port *port, struct neigh_query *queries, size_t count, int interval_ms, int timeout_ms,
	      struct err *err)
{
	int r = fault_point("neigh.ask");

	for (size_t i = 0; i < count; i++)
		queries[i].answered = false;
	if (!r)
		r = ask(port, queries, count, interval_ms > 0 ? interval_ms : 1, timeout_ms);
	return r ? fail(err, r, "netdev %u: cannot ask for addresses: %s", port->ifindex, strerror(-r)) : 0;
}

int neigh_conflicts(const struct neigh_port *port, const struct net_address *addresses, size_t count, int interval_ms,
		    int timeout_ms, struct err *err)
{
	_cleanup_free_ struct neigh_query *queries = calloc(count ? count : 1, sizeof(*queries));
	char text[NET_ADDRESS_LEN], mac[MAC_TEXT_LEN];
	int r;

	if (!queries)
		return fail(err, -ENOMEM, "netdev %u: no memory", port->ifindex);
	for (size_t i = 0; i < count; i++)
		queries[i].address = addresses[i];
	r = neigh_ask(port, queries, count, interval_ms, timeout_ms, err);
	for (size_t i = 0; !r && i < count; i++) {
		if (!queries[i].answered)
			continue;
		net_address_print(&addresses[i], text);
		mac_print(queries[i].mac, mac);
		return fail(err, -EADDRINUSE, "the address %s is in use by %s", text, mac);
	}
	return r;
}

int neigh_gateway(const struct neigh_port *port, const struct net_address *gateway, const struct net_address *own,
		  int interval_ms, int timeout_ms, struct err *err)
{
	struct neigh_query query = { .address = *gateway, .from = *own };
	char text[INET6_ADDRSTRLEN] = "?";
	int r = neigh_ask(port, &query, 1, interval_ms, timeout_ms, err);

	if (r || query.answered)
		return r;
	inet_ntop(gateway->family, gateway->bytes, text, sizeof(text));
	return fail(err, -EHOSTUNREACH, "the gateway %s did not answer within %d ms", text, timeout_ms);
}
