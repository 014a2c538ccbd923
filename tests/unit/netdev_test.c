// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "net/netdev.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/netlab.h"
#include "common/test.h"
#include "lib/netns.h"
#include "lib/util.h"

#define LO 1

static void lo_up(int netns)
{
	_cleanup_close_ int sock = netns_socket(netns, AF_INET, SOCK_DGRAM, 0);
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	assert_int_equal(ioctl(sock, SIOCSIFFLAGS, &r), 0);
}

static void lo_address(int netns, const char *label, const char *address)
{
	_cleanup_close_ int sock = netns_socket(netns, AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct ifreq r = {};

	inet_pton(AF_INET, address, &in.sin_addr);
	memcpy(&r.ifr_addr, &in, sizeof(in));
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", label);
	assert_int_equal(ioctl(sock, SIOCSIFADDR, &r), 0);
}

static bool has(const struct netdev *d, const char *address)
{
	uint8_t wanted[16];

	assert_int_equal(inet_pton(AF_INET6, address, wanted), 1);
	for (size_t i = 0; i < d->addresses && i < NETDEV_ADDRESSES; i++)
		if (!memcmp(d->address[i], wanted, sizeof(wanted)))
			return true;
	return false;
}

static void a_netdev_and_its_addresses(void **state)
{
	_cleanup_close_ int netns = netlab_netns();
	struct netdev d;

	(void)state;
	assert_int_equal(netdev_read(netns, LO, &d), 0);
	assert_string_equal(d.name, "lo");
	assert_int_equal(d.mtu, 65536);
	assert_int_equal(d.addresses, 0);
	lo_up(netns);
	lo_address(netns, "lo:1", "10.3.2.1");
	assert_int_equal(netdev_read(netns, LO, &d), 0);
	assert_true(has(&d, "::ffff:127.0.0.1"));
	assert_true(has(&d, "::ffff:10.3.2.1"));
	assert_true(has(&d, "::1"));
	assert_int_equal(d.addresses, 3);
	assert_int_equal(netdev_read(netns, 4711, &d), -ENODEV);
}

static void more_addresses_than_there_is_room_for(void **state)
{
	_cleanup_close_ int netns = netlab_netns();
	char label[16], address[16];
	struct netdev d;

	(void)state;
	lo_up(netns);
	for (int i = 1; i <= NETDEV_ADDRESSES; i++) {
		snprintf(label, sizeof(label), "lo:%d", i);
		snprintf(address, sizeof(address), "10.3.2.%d", i);
		lo_address(netns, label, address);
	}
	assert_int_equal(netdev_read(netns, LO, &d), 0);
	assert_int_equal(d.addresses, NETDEV_ADDRESSES + 2);
}

struct seen {
	int netns, other;
	unsigned int times, others;
};

static void changed(int netns, uint32_t ifindex, void *ctx)
{
	struct seen *s = ctx;

	if (ifindex == LO && netns == s->netns)
		s->times++;
	if (netns == s->other)
		s->others++;
}

static void word_of_changes(void **state)
{
	_cleanup_close_ int netns = netlab_netns(), other = netlab_netns(), watch = netwatch_open();
	struct seen seen = { .netns = netwatch_identify(netns), .other = netwatch_identify(other) };
	struct pollfd p = { .fd = watch, .events = POLLIN };
	unsigned int before;

	(void)state;
	assert_true(watch >= 0);
	assert_true(seen.netns >= 0 && seen.other >= 0 && seen.netns != seen.other);
	assert_int_equal(netwatch_identify(netns), seen.netns);
	lo_up(netns);
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(netwatch_read(watch, changed, &seen), 0);
	assert_true(seen.times > 0);
	before = seen.times;
	lo_address(netns, "lo:1", "10.3.2.1");
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(netwatch_read(watch, changed, &seen), 0);
	assert_true(seen.times > before);
	assert_int_equal(seen.others, 0);
}

static void the_own_netns(void **state)
{
	_cleanup_close_ int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(netwatch_identify(own), NETWATCH_OWN);
}

static void too_many_changes(void **state)
{
	_cleanup_close_ int netns = netlab_netns(), watch = netwatch_open();
	struct seen seen = { .netns = netwatch_identify(netns), .other = -1 };
	char address[16];
	int small = 1;

	(void)state;
	assert_int_equal(setsockopt(watch, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	lo_up(netns);
	for (int i = 1; i < 200; i++) {
		snprintf(address, sizeof(address), "10.3.2.%d", i);
		lo_address(netns, "lo:1", address);
	}
	assert_int_equal(netwatch_read(watch, changed, &seen), -ENOBUFS);
	assert_int_equal(netwatch_read(watch, changed, &seen), 0);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(a_netdev_and_its_addresses),
		cmocka_unit_test(more_addresses_than_there_is_room_for),
		cmocka_unit_test(word_of_changes),
		cmocka_unit_test(the_own_netns),
		cmocka_unit_test(too_many_changes),
	};

	return RUN_CASES("netdev", cases);
}
