// SPDX-License-Identifier: Apache-2.0
/* What RDMA netlink answers to a question for counters, from any bytes. The source is included for what is static in it. */
#include "rdma/netlink.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A counter is told by a whole name, all of which can be read. */
static void fuzz_visit(const char *name, uint64_t value, void *ctx)
{
	uint64_t *sum = ctx;

	*sum += strlen(name) + value;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t sum = 0;
	struct counter_walk w = { .visit = fuzz_visit, .ctx = &sum };
	char *exact = malloc(size ? size : 1); /* so that a sanitizer sees a read beyond the message */

	if (!exact)
		return 0;
	memcpy(exact, data, size);
	if (netlink_lengths_are_sound(exact, size))
		mnl_cb_run(exact, size, 0, 0, parse_counters, &w);
	if (sum && !w.told)
		abort();
	free(exact);
	return 0;
}
