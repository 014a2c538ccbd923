// SPDX-License-Identifier: Apache-2.0
/*
 * Sends a RoCEv2 frame as it is told to, whatever the netdev has: what soft RoCE never sends.
 *   frame NETDEV KEY=VALUE…   from, to (MACs); source, destination (addresses); dscp, opcode, vlan, pcp, count
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/frames.h"
#include "lib/util.h"

struct options {
	struct frame_spec spec;
	unsigned char from[6], to[6];
	unsigned char source[16], destination[16];
	unsigned int count, vlan, pcp;
};

static void die(const char *what, const char *value)
{
	fprintf(stderr, "frame: %s \"%s\"\n", what, value);
	exit(2);
}

static void read_mac(const char *text, unsigned char *to)
{
	char rest;

	if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx%c", &to[0], &to[1], &to[2], &to[3], &to[4], &to[5], &rest) != 6)
		die("no MAC:", text);
}

/* Of both addresses the last one says of which family the frame is. */
static void read_address(struct options *o, const char *text, unsigned char *to)
{
	o->spec.ipv6 = strchr(text, ':') != NULL;
	if (inet_pton(o->spec.ipv6 ? AF_INET6 : AF_INET, text, to) != 1)
		die("no address:", text);
}

static unsigned int read_number(const char *text, unsigned int max)
{
	uint64_t value;

	if (parse_u64(text, 0, 0, max, &value))
		die("no number, or too large:", text);
	return (unsigned int)value;
}

static void read_option(struct options *o, const char *key, const char *value)
{
	if (!strcmp(key, "from"))
		read_mac(value, o->from);
	else if (!strcmp(key, "to"))
		read_mac(value, o->to);
	else if (!strcmp(key, "source"))
		read_address(o, value, o->source);
	else if (!strcmp(key, "destination"))
		read_address(o, value, o->destination);
	else if (!strcmp(key, "dscp"))
		o->spec.traffic_class = (uint8_t)(read_number(value, 63) << 2);
	else if (!strcmp(key, "opcode"))
		o->spec.opcode = (uint8_t)read_number(value, 255);
	else if (!strcmp(key, "vlan"))
		o->vlan = read_number(value, 4094), o->spec.tags = 1;
	else if (!strcmp(key, "pcp"))
		o->pcp = read_number(value, 7), o->spec.tags = 1;
	else if (!strcmp(key, "count"))
		o->count = read_number(value, 1000000);
	else
		die("unknown key:", key);
}

static void put_addresses(struct frame *f, const struct options *o)
{
	unsigned char *ip = f->bytes + f->l3;

	memcpy(f->bytes, o->to, 6);
	memcpy(f->bytes + 6, o->from, 6);
	if (o->spec.ipv6) {
		memcpy(ip + 8, o->source, 16);
		memcpy(ip + 24, o->destination, 16);
		return;
	}
	memcpy(ip + 12, o->source, 4);
	memcpy(ip + 16, o->destination, 4);
	frame_put16(ip + 10, 0);
	frame_put16(ip + 10, frame_checksum(ip));
}

int main(int argc, char **argv)
{
	struct options o = { .count = 1, .spec = { .payload = 64 } };
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct frame frame;
	int sock;

	if (argc < 2)
		die("usage: frame NETDEV KEY=VALUE…, not", "");
	for (int i = 2; i < argc; i++) {
		char *equals = strchr(argv[i], '=');

		if (!equals)
			die("not KEY=VALUE:", argv[i]);
		*equals = '\0';
		read_option(&o, argv[i], equals + 1);
	}
	o.spec.tci[0] = (uint16_t)(o.pcp << 13 | o.vlan);
	frame_build(&frame, &o.spec);
	put_addresses(&frame, &o);
	sock = socket(AF_PACKET, SOCK_RAW, 0);
	to.sll_ifindex = (int)if_nametoindex(argv[1]);
	if (sock < 0 || !to.sll_ifindex)
		die("cannot send on", argv[1]);
	/* A program that drops the packet is told to the sender, as ENOBUFS; what was refused is not the tool's to judge. */
	for (unsigned int i = 0; i < o.count; i++)
		(void)!sendto(sock, frame.bytes, frame.len, 0, (struct sockaddr *)&to, sizeof(to));
	return 0;
}
