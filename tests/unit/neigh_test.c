// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "net/neigh.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/netlab.h"
#include "common/test.h"
#include "lib/netns.h"
#include "lib/util.h"

static const uint8_t own[6] = { 0x02, 0, 0, 0, 0, 0x01 }, other[6] = { 0x02, 0, 0, 0, 0, 0x02 };

/* ---- frames ---- */

static void a_gratuitous_arp(void **state)
{
	/* RFC 5227, 2.3: a request, sender and target address are both the own, the target's MAC is nobody's. */
	static const uint8_t wanted[] = "\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\x01\x08\x06\0\x01\x08\0\x06\x04\0\x01"
					"\x02\0\0\0\0\x01\x0a\x02\0\x05\0\0\0\0\0\0\x0a\x02\0\x05";
	const struct net_address a = netlab_address("10.2.0.5", 24);
	uint8_t frame[NEIGH_FRAME_MAX];

	(void)state;
	assert_int_equal(neigh_announcement(&a, own, frame), sizeof(wanted) - 1);
	assert_memory_equal(frame, wanted, sizeof(wanted) - 1);
}

static void an_unsolicited_advertisement(void **state)
{
	/* RFC 4861, 4.4; the checksum was worked out apart from this code. */
	static const uint8_t wanted[] =
		"\x33\x33\0\0\0\x01\x02\0\0\0\0\x01\x86\xdd\x60\0\0\0\0\x20\x3a\xff"
		"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x05\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
		"\x88\0"
		"\xf9\x22"
		"\x20\0\0\0\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x05\x02\x01\x02\0\0\0\0\x01";
	const struct net_address a = netlab_address("2001:db8::5", 64);
	uint8_t frame[NEIGH_FRAME_MAX];

	(void)state;
	assert_int_equal(neigh_announcement(&a, own, frame), sizeof(wanted) - 1);
	assert_memory_equal(frame, wanted, sizeof(wanted) - 1);
}

static void questions(void **state)
{
	struct neigh_query q = { .address = netlab_address("10.2.0.5", 24) };
	uint8_t frame[NEIGH_FRAME_MAX];
	static const uint8_t none[16];

	(void)state;
	assert_int_equal(neigh_question(&q, own, frame), 42);
	assert_memory_equal(frame + 28, none, 4); /* a probe: nobody learns the address from it */
	assert_memory_equal(frame + 38, q.address.bytes, 4);
	q.from = netlab_address("10.2.0.9", 24);
	assert_int_equal(neigh_question(&q, own, frame), 42);
	assert_memory_equal(frame + 28, q.from.bytes, 4);

	q = (struct neigh_query){ .address = netlab_address("2001:db8::12:3456", 64) };
	assert_int_equal(neigh_question(&q, own, frame), 78); /* without the option of the own MAC */
	assert_memory_equal(frame, "\x33\x33\xff\x12\x34\x56", 6);
	assert_memory_equal(frame + 22, none, 16);
	assert_memory_equal(frame + 38, "\xff\x02\0\0\0\0\0\0\0\0\0\x01\xff\x12\x34\x56", 16);
	q.from = netlab_address("2001:db8::9", 64);
	assert_int_equal(neigh_question(&q, own, frame), 86);
	assert_memory_equal(frame + 78, "\x01\x01", 2);
	assert_memory_equal(frame + 80, own, 6);
}

/* ---- what is heard ---- */

static bool heard(const uint8_t *frame, size_t len, const struct neigh_query *q)
{
	uint8_t mac[6];

	return neigh_answers(frame, len, q, own, mac) && !memcmp(mac, other, 6);
}

static void answers_of_both_families(void **state)
{
	static const char *const texts[] = { "10.2.0.5", "2001:db8::5" };
	uint8_t frame[NEIGH_FRAME_MAX], mac[6];

	(void)state;
	for (int i = 0; i < 2; i++) {
		const struct net_address a = netlab_address(texts[i], 24);
		const struct neigh_query probe = { .address = a },
					 ask = { .address = a, .from = netlab_address(texts[i], 24) };
		size_t len = neigh_announcement(&a, other, frame);

		assert_true(heard(frame, len, &probe));
		assert_true(heard(frame, len, &ask));
		for (size_t cut = 0; cut < (i ? 78 : 42);
		     cut++) /* without its option an advertisement has its sender's MAC */
			assert_false(heard(frame, cut, &probe));
		neigh_announcement(&a, own, frame);
		assert_false(neigh_answers(frame, len, &probe, own, mac));

		/* Another one's probe: only who wants the address minds. */
		len = neigh_question(&probe, other, frame);
		assert_true(heard(frame, len, &probe));
		assert_false(heard(frame, len, &ask));
	}
}

static void of_another_address(void **state)
{
	uint8_t frame[NEIGH_FRAME_MAX];
	const struct net_address a = netlab_address("10.2.0.6", 24), b = netlab_address("2001:db8::6", 64);
	const struct neigh_query arp = { .address = netlab_address("10.2.0.5", 24) };
	const struct neigh_query nd = { .address = netlab_address("2001:db8::5", 64) };
	size_t len = neigh_announcement(&a, other, frame);

	(void)state;
	assert_false(heard(frame, len, &arp));
	assert_false(heard(frame, len, &nd));
	len = neigh_announcement(&b, other, frame);
	assert_false(heard(frame, len, &nd));
	assert_false(heard(frame, len, &arp));
}

static void lies(void **state)
{
	static const struct {
		int family;
		size_t at;
		uint8_t value;
	} wrong[] = {
		{ AF_INET, 13, 0x07 }, { AF_INET, 15, 2 },    { AF_INET, 17, 1 },   { AF_INET, 18, 8 },
		{ AF_INET, 19, 16 },   { AF_INET6, 13, 0 },   { AF_INET6, 20, 17 }, { AF_INET6, 21, 64 },
		{ AF_INET6, 19, 8 },   { AF_INET6, 54, 128 }, { AF_INET6, 55, 1 },
	};
	const struct net_address addresses[] = { netlab_address("10.2.0.5", 24), netlab_address("2001:db8::5", 64) };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		const struct neigh_query q = { .address = addresses[wrong[i].family == AF_INET6] };
		uint8_t frame[NEIGH_FRAME_MAX];
		size_t len = neigh_announcement(&q.address, other, frame);

		assert_true(heard(frame, len, &q));
		frame[wrong[i].at] = wrong[i].value;
		if (heard(frame, len, &q))
			test_fail("byte %zu of the frame may be %u", wrong[i].at, wrong[i].value);
	}
}

/* ---- on a veth pair, with the kernel at the other end ---- */

struct pair {
	int here, there;
	struct rtnl *peer;
	uint32_t peer_index;
	struct neigh_port port;
};

static void pair_close(struct pair *p)
{
	rtnl_close(&p->peer);
	close(p->here);
	close(p->there);
}

#define _cleanup_pair_ _cleanup_(pair_close)

static struct pair pair_open(void)
{
	struct pair p = { .here = netlab_netns(), .there = netlab_netns() };
	uint32_t v = netlab_veth(p.here, "v0", "v1");
	_cleanup_(rtnl_close) struct rtnl *nl = netlab_open(p.here);
	const struct netdev_target target = { .netns_fd = p.there, .name = "peer", .mac = other };
	const struct netdev_change up = { .state = NETDEV_UP }, here = { .state = NETDEV_UP, .mac = own };
	struct netdev_place place;

	assert_int_equal(netdev_move(nl, (uint32_t)netdev_find(nl, "v1"), &target, &place, NULL), 0);
	p.peer = netlab_open(p.there);
	p.peer_index = place.ifindex;
	assert_int_equal(netdev_set(nl, v, &here, NULL), 0);
	assert_int_equal(netdev_set(p.peer, p.peer_index, &up, NULL), 0);
	assert_int_equal(netdev_wait_carrier(p.here, v, 5000, NULL), 0);
	assert_int_equal(netdev_wait_carrier(p.there, p.peer_index, 5000, NULL), 0);
	p.port = (struct neigh_port){ .netns_fd = p.here, .ifindex = v };
	memcpy(p.port.mac, own, sizeof(own));
	return p;
}

static void peer_has(struct pair *p, const char *text, uint8_t prefix)
{
	const struct net_address a = netlab_address(text, prefix);
	const struct net_config config = { .addresses = &a, .address_count = 1 };

	assert_int_equal(netdev_configure(p->peer, p->peer_index, &config, NULL), 0);
}

static void conflicts(void **state)
{
	_cleanup_pair_ struct pair p = pair_open();
	const struct net_address addresses[] = { netlab_address("10.2.0.5", 24), netlab_address("2001:db8::5", 64) };
	struct err err = {};

	(void)state;
	peer_has(&p, "10.2.0.1", 24);
	peer_has(&p, "2001:db8::1", 64);
	assert_int_equal(neigh_conflicts(&p.port, addresses, 2, 20, 60, &err), 0);
	peer_has(&p, "2001:db8::5", 64);
	assert_int_equal(neigh_conflicts(&p.port, addresses, 2, 100, 1000, &err), -EADDRINUSE);
	assert_string_equal(err.text, "the address 2001:db8::5/64 is in use by 02:00:00:00:00:02");
	peer_has(&p, "10.2.0.5", 24);
	assert_int_equal(neigh_conflicts(&p.port, addresses, 2, 50, 5000, &err), -EADDRINUSE);
	assert_string_equal(err.text, "the address 10.2.0.5/24 is in use by 02:00:00:00:00:02");
}

static void gateways(void **state)
{
	_cleanup_pair_ struct pair p = pair_open();
	const struct net_address own4 = netlab_address("10.2.0.5", 24), own6 = netlab_address("2001:db8::5", 64);
	const struct net_address gw4 = netlab_address("10.2.0.1", 24), gw6 = netlab_address("2001:db8::1", 64);
	struct err err = {};

	(void)state;
	assert_int_equal(neigh_gateway(&p.port, &gw4, &own4, 20, 60, &err), -EHOSTUNREACH);
	assert_string_equal(err.text, "the gateway 10.2.0.1 did not answer within 60 ms");
	peer_has(&p, "10.2.0.1", 24);
	assert_int_equal(neigh_gateway(&p.port, &gw4, &own4, 50, 5000, &err), 0);
	assert_int_equal(neigh_gateway(&p.port, &gw6, &own6, 20, 60, &err), -EHOSTUNREACH);
	peer_has(&p, "2001:db8::1", 64);
	/* The kernel answers to our address, whose MAC it has from the question. */
	assert_int_equal(neigh_gateway(&p.port, &gw6, &own6, 50, 5000, &err), 0);
}

static void announcements_arrive(void **state)
{
	_cleanup_pair_ struct pair p = pair_open();
	const struct net_address addresses[] = { netlab_address("10.2.0.5", 24), netlab_address("2001:db8::5", 64) };
	_cleanup_close_ int sock = netns_socket(p.there, AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	struct pollfd waiting = { .fd = sock, .events = POLLIN };
	uint8_t frame[256], wanted[NEIGH_FRAME_MAX];
	unsigned int seen = 0;
	struct err err = {};

	(void)state;
	assert_int_equal(neigh_announce(&p.port, addresses, 2, &err), 0);
	while (seen != 3 && poll(&waiting, 1, 5000) == 1) {
		ssize_t len = recv(sock, frame, sizeof(frame), 0);

		for (unsigned int i = 0; i < 2; i++)
			if ((size_t)len == neigh_announcement(&addresses[i], own, wanted) &&
			    !memcmp(frame, wanted, (size_t)len))
				seen |= 1u << i;
	}
	assert_int_equal(seen, 3);
	p.port.ifindex = 4711;
	assert_int_equal(neigh_announce(&p.port, addresses, 2, &err), -ENODEV);
	assert_contains(err.text, "netdev 4711: cannot announce its addresses: No such device");
	assert_int_equal(neigh_conflicts(&p.port, addresses, 2, 20, 60, &err), -ENODEV);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(a_gratuitous_arp),
		cmocka_unit_test(an_unsolicited_advertisement),
		cmocka_unit_test(questions),
		cmocka_unit_test(answers_of_both_families),
		cmocka_unit_test(of_another_address),
		cmocka_unit_test(lies),
		cmocka_unit_test(conflicts),
		cmocka_unit_test(gateways),
		cmocka_unit_test(announcements_arrive),
	};

	return RUN_CASES("neigh", cases);
}
