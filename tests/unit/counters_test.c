// SPDX-License-Identifier: Apache-2.0
/* The answer of RDMA netlink to a question for counters: whole, cut at every byte, and with any byte changed. */
#include "fuzz/counters_fuzz.c"

#include "common/test.h"

/* In the layout of nldev.c's stat_get_doit_default_counter(). */
static char bytes[1024];
static struct nlmsghdr *h;
static struct nlattr *table;

static void answer_begin(void)
{
	memset(bytes, 0, sizeof(bytes));
	h = mnl_nlmsg_put_header(bytes);
	h->nlmsg_type = RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, RDMA_NLDEV_CMD_STAT_GET);
	mnl_attr_put_u32(h, RDMA_NLDEV_ATTR_DEV_INDEX, 3);
	mnl_attr_put_u32(h, RDMA_NLDEV_ATTR_PORT_INDEX, 1);
	table = mnl_attr_nest_start(h, RDMA_NLDEV_ATTR_STAT_HWCOUNTERS);
}

static void put_counter(const char *name, uint64_t value)
{
	struct nlattr *entry = mnl_attr_nest_start(h, RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY);

	if (name)
		mnl_attr_put_strz(h, RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_NAME, name);
	mnl_attr_put_u64(h, RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_VALUE, value);
	mnl_attr_nest_end(h, entry);
}

struct told {
	char names[256];
	uint64_t sum;
	unsigned int count;
};

static void note(const char *name, uint64_t value, void *ctx)
{
	struct told *t = ctx;

	snprintf(t->names + strlen(t->names), sizeof(t->names) - strlen(t->names), "%s ", name);
	t->sum += value;
	t->count++;
}

/* True: the answer had a table. */
static bool parse(struct told *t)
{
	struct counter_walk w = { .visit = note, .ctx = t };

	*t = (struct told){};
	mnl_attr_nest_end(h, table);
	assert_true(mnl_cb_run(bytes, h->nlmsg_len, 0, 0, parse_counters, &w) >= 0);
	return w.told;
}

static void whole_answer(void **state)
{
	struct told t;

	(void)state;
	answer_begin();
	put_counter("np_cnp_sent", 1ull << 40);
	put_counter("out_of_sequence", 7);
	assert_true(parse(&t));
	assert_int_equal(t.count, 2);
	assert_int_equal(t.sum, (1ull << 40) + 7);
	assert_string_equal(t.names, "np_cnp_sent out_of_sequence ");
}

/* One without its name, or with a value or a name that is none, is left out; the others count. */
static void broken_entries(void **state)
{
	struct nlattr *entry;
	struct told t;

	(void)state;
	answer_begin();
	put_counter(NULL, 5);
	entry = mnl_attr_nest_start(h, RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY);
	mnl_attr_put(h, RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_NAME, 6, "no NUL");
	mnl_attr_put_u64(h, RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_VALUE, 6);
	mnl_attr_nest_end(h, entry);
	entry = mnl_attr_nest_start(h, RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY);
	mnl_attr_put_strz(h, RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_NAME, "short");
	mnl_attr_put_u32(h, RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_VALUE, 6);
	mnl_attr_nest_end(h, entry);
	put_counter("good", 9);
	assert_true(parse(&t));
	assert_string_equal(t.names, "good ");
	assert_int_equal(t.sum, 9);
}

static void empty_and_missing_table(void **state)
{
	struct told t;

	(void)state;
	answer_begin();
	assert_true(parse(&t));
	assert_int_equal(t.count, 0);
	answer_begin();
	table->nla_type = RDMA_NLDEV_ATTR_RES_SUMMARY;
	assert_false(parse(&t));
}

static void lengths_that_lie(void **state)
{
	static const uint32_t lies[] = { 0, 15, 0x7fffffff, 0x80000000, 0x80000010, UINT32_MAX };

	(void)state;
	answer_begin();
	put_counter("np_cnp_sent", 1);
	mnl_attr_nest_end(h, table);
	assert_true(netlink_lengths_are_sound(bytes, h->nlmsg_len));
	assert_false(netlink_lengths_are_sound(bytes, h->nlmsg_len - 1));
	assert_true(netlink_lengths_are_sound(bytes, 3));
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		h->nlmsg_len = lies[i];
		assert_false(netlink_lengths_are_sound(bytes, 200));
	}
	h->nlmsg_len = 16; /* and the second one lies */
	((struct nlmsghdr *)(bytes + 16))->nlmsg_len = 0x80000010;
	assert_false(netlink_lengths_are_sound(bytes, 200));
}

/*
 * Another process sends to the socket what would be an answer. The socket is of NETLINK_USERSOCK, on which everybody may
 * send to everybody, and there is no kernel: so nothing is ever answered.
 */
static void a_stranger_is_not_the_kernel(void **state)
{
	const struct timeval soon = { .tv_usec = 50000 };
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	struct mnl_socket *stranger = mnl_socket_open(NETLINK_USERSOCK);
	struct rdma_nl nl = { .socket = mnl_socket_open(NETLINK_USERSOCK), .seq = 7 };
	char buf[1024];

	(void)state;
	if (!stranger || !nl.socket || mnl_socket_bind(nl.socket, 0, MNL_SOCKET_AUTOPID) ||
	    mnl_socket_bind(stranger, 0, MNL_SOCKET_AUTOPID))
		skip_because("no NETLINK_USERSOCK here");
	setsockopt(mnl_socket_get_fd(nl.socket), SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
	to.nl_pid = mnl_socket_get_portid(nl.socket);
	answer_begin();
	mnl_attr_nest_end(h, table);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			sendto(mnl_socket_get_fd(stranger), bytes, h->nlmsg_len, 0, (struct sockaddr *)&to, sizeof(to)),
			h->nlmsg_len);
	assert_int_equal(netlink_receive(mnl_socket_get_fd(nl.socket), buf, sizeof(buf)), -EAGAIN);
	mnl_socket_close(stranger);
	mnl_socket_close(nl.socket);
}

static void any_bytes(void **state)
{
	char copy[sizeof(bytes)];
	struct told t;

	(void)state;
	answer_begin();
	put_counter("np_cnp_sent", 1);
	put_counter("out_of_sequence", 2);
	assert_true(parse(&t));
	for (uint32_t len = 0; len <= h->nlmsg_len; len++) {
		memcpy(copy, bytes, sizeof(copy));
		LLVMFuzzerTestOneInput((uint8_t *)copy, len);
		if (len >= sizeof(*h))
			((struct nlmsghdr *)copy)->nlmsg_len = len; /* a header that tells of the cut */
		LLVMFuzzerTestOneInput((uint8_t *)copy, len);
	}
	for (uint32_t i = 0; i < h->nlmsg_len; i++)
		for (unsigned int value = 0; value < 256; value++) {
			memcpy(copy, bytes, sizeof(copy));
			copy[i] = (char)value;
			LLVMFuzzerTestOneInput((uint8_t *)copy, h->nlmsg_len);
		}
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(whole_answer),
		cmocka_unit_test(broken_entries),
		cmocka_unit_test(empty_and_missing_table),
		cmocka_unit_test(lengths_that_lie),
		cmocka_unit_test(a_stranger_is_not_the_kernel),
		cmocka_unit_test(any_bytes),
	};

	return RUN_CASES("counters", cases);
}
