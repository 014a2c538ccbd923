// SPDX-License-Identifier: Apache-2.0
#include "lib/ethtool.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/util.h"

#define STATS_MAX 65536 /* more than any NIC's queues and classes come to */
#define TRIES 3
#define LINK_WORDS_MAX 32 /* of a mask of link modes; there are four */

/*
 * What the kernel writes is as long as the driver says at that moment (kernels that heed the room they are told are
 * new), and the number may have grown since it was asked for: queues are added. So the page after the room cannot be
 * written: the kernel stops there with EFAULT.
 */
static void room_close(struct ethtool_room *room)
{
	if (room->start)
		munmap(room->start, room->size);
	*room = (struct ethtool_room){};
}

/* What was there is lost where it has to grow. */
static int room_for(struct ethtool_room *room, size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (bytes <= room->usable)
		return 0;
	room_close(room);
	room->usable = (bytes + page - 1) / page * page;
	room->size = room->usable + page;
	room->start = mmap(NULL, room->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room->start == MAP_FAILED) {
		*room = (struct ethtool_room){};
		return -ENOMEM;
	}
	return mprotect(room->start, room->usable, PROT_READ | PROT_WRITE) ? -errno : 0;
}

void ethtool_reader_close(struct ethtool_reader *reader)
{
	room_close(&reader->names);
	room_close(&reader->values);
}

static int call(int socket, const char *netdev, void *command)
{
	struct ifreq request = { .ifr_data = command };

	if (try_snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", netdev))
		return -ENODEV;
	return ioctl(socket, SIOCETHTOOL, &request) ? -errno : 0;
}

/* How many statistics the driver has now, or -errno. */
static int64_t count_stats(int socket, const char *netdev)
{
	union {
		struct ethtool_sset_info info;
		char bytes[sizeof(struct ethtool_sset_info) + sizeof(uint32_t)];
	} ask = { .info = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << ETH_SS_STATS } };
	uint32_t count;
	int r = call(socket, netdev, &ask);

	if (r)
		return r;
	memcpy(&count, ask.bytes + sizeof(struct ethtool_sset_info), sizeof(count));
	if (!(ask.info.sset_mask >> ETH_SS_STATS & 1) || !count)
		return -EOPNOTSUPP;
	return count <= STATS_MAX ? (int64_t)count : -E2BIG;
}

/* True: the kernel said by EFAULT, or by another number, that there are more or fewer now. */
static bool has_changed(int r, uint32_t given, uint32_t count)
{
	return r == -EFAULT || (!r && given != count);
}

static void visit_all(const struct ethtool_gstrings *names, const struct ethtool_stats *values, ethtool_visit visit,
		      void *ctx)
{
	for (uint32_t i = 0; i < values->n_stats; i++) {
		char name[ETH_GSTRING_LEN + 1] = ""; /* one that fills its place has no NUL */

		memcpy(name, names->data + (size_t)i * ETH_GSTRING_LEN, ETH_GSTRING_LEN);
		visit(name, values->data[i], ctx);
	}
}

static int read_once(struct ethtool_reader *reader, int socket, const char *netdev, uint32_t count, ethtool_visit visit,
		     void *ctx)
{
	struct ethtool_gstrings *names;
	struct ethtool_stats *values;
	int r = room_for(&reader->names, sizeof(*names) + (size_t)count * ETH_GSTRING_LEN);

	if (!r)
		r = room_for(&reader->values, sizeof(*values) + count * sizeof(values->data[0]));
	if (r)
		return r;
	names = reader->names.start;
	*names = (struct ethtool_gstrings){ .cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_STATS, .len = count };
	r = call(socket, netdev, names);
	if (has_changed(r, names->len, count))
		return -EAGAIN;
	if (r)
		return r;
	values = reader->values.start;
	*values = (struct ethtool_stats){ .cmd = ETHTOOL_GSTATS, .n_stats = count };
	r = call(socket, netdev, values);
	if (has_changed(r, values->n_stats, count))
		return -EAGAIN;
	if (!r)
		visit_all(names, values, visit, ctx);
	return r;
}

int ethtool_read(struct ethtool_reader *reader, int socket, const char *netdev, ethtool_visit visit, void *ctx)
{
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < TRIES; i++) {
		int64_t count = count_stats(socket, netdev);

		r = count < 0 ? (int)count : read_once(reader, socket, netdev, (uint32_t)count, visit, ctx);
	}
	return r;
}

int ethtool_stats(int socket, const char *netdev, ethtool_visit visit, void *ctx)
{
	_cleanup_(ethtool_reader_close) struct ethtool_reader reader = {};

	return ethtool_read(&reader, socket, netdev, visit, ctx);
}

/*
 * The kernel answers to a wrong size of its bit masks, of which there are three, with the right one, negated
 * (linux/ethtool.h); from then on one call is enough.
 */
uint64_t ethtool_speed(struct ethtool_reader *reader, int socket, const char *netdev)
{
	union {
		struct ethtool_link_settings settings;
		char bytes[sizeof(struct ethtool_link_settings) + 3 * sizeof(uint32_t) * LINK_WORDS_MAX];
	} ask;
	struct ethtool_link_settings *s = &ask.settings;

	for (int i = 0; i < 2; i++) {
		*s = (struct ethtool_link_settings){ .cmd = ETHTOOL_GLINKSETTINGS,
						     .link_mode_masks_nwords = reader->link_words };
		if (call(socket, netdev, &ask))
			return 0;
		if (s->link_mode_masks_nwords > 0)
			return s->speed == (uint32_t)SPEED_UNKNOWN ? 0 : s->speed;
		if (s->link_mode_masks_nwords < -LINK_WORDS_MAX)
			return 0;
		reader->link_words = (int8_t)-s->link_mode_masks_nwords;
	}
	return 0;
}
