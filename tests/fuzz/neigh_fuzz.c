// SPDX-License-Identifier: Apache-2.0
/*
 * Frames of any bytes against a question: who is said to have the address must be in the frame, and nothing shorter than the
 * message is an answer. The first byte chooses the family and whether there is an address of ours.
 */
#include "net/neigh.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t own[6] = { 2, 0, 0, 0, 0, 1 }, ipv6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 5 },
			     ipv4[4] = { 10, 2, 0, 5 };
	struct neigh_query q = {};
	uint8_t mac[6];
	bool found = false;

	if (!size)
		return 0;
	q.address.family = data[0] & 1 ? AF_INET6 : AF_INET;
	memcpy(q.address.bytes, data[0] & 1 ? ipv6 : ipv4, data[0] & 1 ? 16 : 4);
	if (data[0] & 2)
		q.from = q.address;
	data++;
	size--;
	if (!neigh_answers(data, size, &q, own, mac))
		return 0;
	if (size < (q.address.family == AF_INET6 ? 78u : 42u) || !memcmp(mac, own, sizeof(own)))
		abort();
	for (size_t i = 0; !found && i + sizeof(mac) <= size; i++)
		found = !memcmp(data + i, mac, sizeof(mac));
	if (!found)
		abort();
	return 0;
}
