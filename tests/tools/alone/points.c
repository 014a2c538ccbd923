// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "alone/points.h"

#include <errno.h>
#include <string.h>

#include "lib/util.h"

static bool begins_with(const char *name, const char *prefixes)
{
	if (!*prefixes)
		return true;
	for (const char *p = prefixes; *p; p += strspn(p, " ")) {
		size_t len = strcspn(p, " ");

		if (!strncmp(name, p, len))
			return true;
		p += len;
	}
	return false;
}

static unsigned int passes_before(const struct points *points, const char *name)
{
	unsigned int passes = 0;

	for (size_t i = 0; i < points->count; i++)
		passes += !strcmp(points->list[i].name, name);
	return passes;
}

void points_read(struct points *points, const char *trace, const char *prefixes)
{
	_cleanup_fclose_ FILE *file = fopen(trace, "re");
	struct point *point;
	char name[48];

	*points = (struct points){};
	if (!file) {
		printf("%s: %s\n", trace, strerror(errno));
		abort();
	}
	while (fscanf(file, "%47s", name) == 1) {
		if (!begins_with(name, prefixes))
			continue;
		points->list = reallocarray(points->list, points->count + 1, sizeof(*points->list));
		if (!points->list)
			abort();
		point = &points->list[points->count];
		snprintf(point->name, sizeof(point->name), "%s", name);
		point->pass = passes_before(points, name) + 1;
		points->count++;
	}
}

void points_free(struct points *points)
{
	free(points->list);
	*points = (struct points){};
}

/* ---- kinds ---- */

static const struct {
	const char *name;
	int error;
} kinds[] = {
	{ "KILL", 0 },      { "EIO", EIO },       { "ENOMEM", ENOMEM },
	{ "EBUSY", EBUSY }, { "EEXIST", EEXIST }, { "ENOSPC", ENOSPC },
};

/* How many of them, from the first on. */
#define KINDS_OF_CALL 2
#define KINDS_OF_NETLINK 5

static bool is_of_file(const struct point *point)
{
	return begins_with(point->name, "record. sysctl. ipam.");
}

const char *point_kind(const struct point *point, unsigned int k)
{
	size_t count = point_is_call(point) ? KINDS_OF_CALL : is_of_file(point) ? ARRAY_SIZE(kinds) : KINDS_OF_NETLINK;

	return k < count ? kinds[k].name : NULL;
}

int point_errno(const char *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].name, kind))
			return kinds[i].error;
	abort();
}

bool point_is_call(const struct point *point)
{
	return begins_with(point->name, "call.");
}

/*
 * The announcement, and the two sysctls for it, help neighbours, and no more (attach/node.c). That GIDs are waited for helps who
 * asks for them at once; what it finds is told (attach/add.c).
 */
bool point_may_pass(const struct point *point)
{
	return point_is_call(point) || begins_with(point->name, "netdev.carrier neigh.announce") ||
	       begins_with(point->name, "rdma.gid") || (begins_with(point->name, "sysctl.set") && point->pass <= 2);
}
