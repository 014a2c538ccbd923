// SPDX-License-Identifier: Apache-2.0
/*
 * The reader of ethtool statistics. Its ioctl is a stand-in for the kernel's SIOCETHTOOL, after net/ethtool/ioctl.c: the
 * strings and the values are as many as the driver has at that moment, whatever room there is.
 */
#include <stdarg.h>
#include <sys/ioctl.h>

static int standin_ioctl(int fd, unsigned long command, void *request);
#define ioctl(fd, command, request) standin_ioctl(fd, command, request)
#include "lib/ethtool.c"
#undef ioctl

#include <stdio.h>
#include <stdlib.h>

#include "common/test.h"

static struct {
	uint32_t count[8]; /* by call; the last one that is not 0 goes on */
	unsigned int calls;
	bool heeds_room; /* as newer kernels do: says 0 rather than to write too much */
	int error;
	char last_name[ETH_GSTRING_LEN + 1];
	uint64_t last_value, sum;
	unsigned int visits;
} nic;

static uint32_t count_now(void)
{
	unsigned int i = nic.calls++;

	while (i && (i >= 8 || !nic.count[i]))
		i--;
	return nic.count[i];
}

/* copy_to_user(): what cannot be written is found by the kernel, here by read(2) into it. */
static int copy_out(void *to, const void *from, size_t size)
{
	int fds[2], r = 0;

	assert_int_equal(pipe(fds), 0);
	for (size_t done = 0; !r && done < size; done += 4096) {
		size_t chunk = size - done < 4096 ? size - done : 4096;

		assert_int_equal(write(fds[1], (const char *)from + done, chunk), chunk);
		r = read(fds[0], (char *)to + done, chunk) == (ssize_t)chunk ? 0 : -EFAULT;
	}
	close(fds[0]);
	close(fds[1]);
	return r;
}

static int give_info(struct ethtool_sset_info *info)
{
	uint32_t count = count_now();

	assert_int_equal(info->sset_mask, 1ull << ETH_SS_STATS);
	if (!count)
		info->sset_mask = 0;
	else
		memcpy(info + 1, &count, sizeof(count));
	return 0;
}

static int give(uint32_t *number, void *to, size_t each, bool names)
{
	uint32_t count = count_now();
	bool told = !nic.heeds_room || *number == count;
	_cleanup_free_ char *from = calloc(count + 1, each);

	for (uint32_t i = 0; i < count && names; i++)
		snprintf(from + i * each, each, "counter_%u", i);
	if (names && count)
		memset(from + (count - 1) * each, 'x', each); /* no NUL */
	for (uint32_t i = 0; i < count && !names; i++)
		((uint64_t *)from)[i] = i + 100;
	*number = told ? count : 0;
	return told ? copy_out(to, from, count * each) : 0;
}

static int standin_ioctl(int fd, unsigned long command, void *request)
{
	struct ethtool_gstrings *names = (void *)((struct ifreq *)request)->ifr_data;
	struct ethtool_stats *values = (void *)names;
	int r = -nic.error;

	(void)fd;
	assert_int_equal(command, SIOCETHTOOL);
	assert_string_equal(((struct ifreq *)request)->ifr_name, "eth0");
	if (!r && names->cmd == ETHTOOL_GSSET_INFO)
		r = give_info((void *)names);
	else if (!r && names->cmd == ETHTOOL_GSTRINGS)
		r = give(&names->len, names->data, ETH_GSTRING_LEN, true);
	else if (!r)
		r = give(&values->n_stats, values->data, sizeof(uint64_t), false);
	errno = -r;
	return r ? -1 : 0;
}

static void note(const char *name, uint64_t value, void *ctx)
{
	assert_ptr_equal(ctx, &nic);
	snprintf(nic.last_name, sizeof(nic.last_name), "%s", name);
	nic.last_value = value;
	nic.sum += value;
	nic.visits++;
}

static int fresh(void **state)
{
	(void)state;
	memset(&nic, 0, sizeof(nic));
	return 0;
}

static int ask(void)
{
	return ethtool_stats(5, "eth0", note, &nic);
}

static void all_of_them(void **state)
{
	(void)state;
	nic.count[0] = 3;
	assert_int_equal(ask(), 0);
	assert_int_equal(nic.visits, 3);
	assert_int_equal(nic.sum, 100 + 101 + 102);
	assert_int_equal(nic.last_value, 102);
	assert_string_equal(nic.last_name, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
}

static void none(void **state)
{
	(void)state;
	assert_int_equal(ask(), -EOPNOTSUPP);
	nic.error = ENODEV;
	assert_int_equal(ask(), -ENODEV);
	assert_int_equal(ethtool_stats(5, "a name that no netdev has, too long", note, &nic), -ENODEV);
	assert_int_equal(nic.visits, 0);
}

/* By a few, which still fit the page, and by so many that the kernel would write beyond the room. */
static void more_between_the_calls(void **state)
{
	static const uint32_t more[] = { 5, 60000 };

	for (int i = 0; i < 2; i++)
		for (unsigned int call = 1; call < 3; call++)
			for (int heeds = 0; heeds < 2; heeds++) {
				fresh(state);
				nic.heeds_room = heeds;
				for (unsigned int c = 0; c <= call; c++)
					nic.count[c] = c < call ? 4 : more[i];
				assert_int_equal(ask(), 0);
				assert_int_equal(nic.visits, more[i]);
			}
}

static void fewer_between_the_calls(void **state)
{
	(void)state;
	nic.count[0] = nic.count[1] = 9;
	nic.count[2] = 4;
	assert_int_equal(ask(), 0);
	assert_int_equal(nic.visits, 4);
}

static void never_the_same(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 8; i++)
		nic.count[i] = i + 1;
	assert_int_equal(ask(), -EAGAIN);
	assert_int_equal(nic.visits, 0);
}

static void absurdly_many(void **state)
{
	(void)state;
	nic.count[0] = UINT32_MAX;
	assert_int_equal(ask(), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test_setup(all_of_them, fresh),
		cmocka_unit_test_setup(none, fresh),
		cmocka_unit_test_setup(more_between_the_calls, fresh),
		cmocka_unit_test_setup(fewer_between_the_calls, fresh),
		cmocka_unit_test_setup(never_the_same, fresh),
		cmocka_unit_test_setup(absurdly_many, fresh),
	};

	return RUN_CASES("ethtool", cases);
}
