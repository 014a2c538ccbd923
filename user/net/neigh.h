/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ARP and neighbour discovery by frames of our own: an address announced, its conflict with another host's found out, a
 * gateway looked for. Owns no state. Source of the formats: RFC 826, RFC 5227, RFC 4861.
 */
#ifndef WARDEN_NEIGH_H
#define WARDEN_NEIGH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "net/netops.h"

struct neigh_port {
	int netns_fd;
	uint32_t ifindex; /* up, with a carrier: else nothing leaves */
	uint8_t mac[6];
};

/* Tells the network whose each address is now: a gratuitous ARP or an unsolicited neighbour advertisement for each. */
int neigh_announce(const struct neigh_port *port, const struct net_address *addresses, size_t count, struct err *err);

struct neigh_query {
	struct net_address address; /* that is asked for */
	struct net_address
		from; /* our own one, of the same family; family 0: none yet, so nobody learns from the question */
	bool answered; /* out: somebody else has it, with that MAC */
	uint8_t mac[6];
};

/*
 * Asks for all of them, again every `interval_ms`, until each is answered or `timeout_ms` is over: 0 or -errno. What was
 * heard is in the queries.
 */
int neigh_ask(const struct neigh_port *port, struct neigh_query *queries, size_t count, int interval_ms, int timeout_ms,
	      struct err *err);

/* None of the addresses is another host's: 0, or -EADDRINUSE with its MAC in the text. Takes the whole time when all is well. */
int neigh_conflicts(const struct neigh_port *port, const struct net_address *addresses, size_t count, int interval_ms,
		    int timeout_ms, struct err *err);

/* The gateway answers us at our address: 0 or -EHOSTUNREACH. */
int neigh_gateway(const struct neigh_port *port, const struct net_address *gateway, const struct net_address *own,
		  int interval_ms, int timeout_ms, struct err *err);

/* ---- frames, here for their tests ---- */

#define NEIGH_FRAME_MAX 86

/* Writes the question or the announcement; its length. */
size_t neigh_question(const struct neigh_query *query, const uint8_t mac[6], uint8_t frame[NEIGH_FRAME_MAX]);
size_t neigh_announcement(const struct net_address *address, const uint8_t mac[6], uint8_t frame[NEIGH_FRAME_MAX]);

/*
 * Whether a received frame, of any bytes, shows that another than `own` has the address, or, where the query has no address
 * of ours, is about to take it; then with which MAC.
 */
bool neigh_answers(const uint8_t *frame, size_t len, const struct neigh_query *query, const uint8_t own[6],
		   uint8_t mac[6]);

#endif
