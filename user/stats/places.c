// SPDX-License-Identifier: Apache-2.0
/*
 * Netns found again: where they were, else by their names in /run/netns, which runtimes give each pod's; and only then by the processes,
 * of which a node has thousands.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/util.h"
#include "stats/internal.h"

#define NAMES "/run/netns"
#define PAUSE_NS (30ull * 1000000000) /* between two looks at all processes for the same netns */

static bool is_there(const struct stats_place *place)
{
	struct stat st;

	return place->path[0] && !stat(place->path, &st) && (uint32_t)st.st_ino == place->id.inum;
}

/* Who of those that are looked for it is, or NULL. */
static struct stats_place *match(struct stats_place *places, size_t count, uint32_t inum)
{
	for (size_t i = 0; i < count; i++)
		if (!places[i].path[0] && places[i].id.inum == inum)
			return &places[i];
	return NULL;
}

static size_t lost(struct stats_place *places, size_t count, uint64_t now)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += !places[i].path[0] && (!now || !places[i].missed_ns || now - places[i].missed_ns >= PAUSE_NS);
	return n;
}

/* Looks at FOLDER/ENTRY/BELOW for each entry, until nothing is lost any more. */
static void look_in(const char *folder, const char *below, bool numbers, struct stats_place *places, size_t count)
{
	_cleanup_closedir_ DIR *dir = opendir(folder);
	struct stats_place *place;
	struct dirent *entry;
	char path[300];
	struct stat st;

	while (dir && lost(places, count, 0) && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || (numbers && !strspn(entry->d_name, "0123456789")) ||
		    try_snprintf(path, sizeof(path), "%s%s", entry->d_name, below) || fstatat(dirfd(dir), path, &st, 0))
			continue;
		place = match(places, count, (uint32_t)st.st_ino);
		if (place && try_snprintf(place->path, sizeof(place->path), "%s/%s", folder, path))
			place->path[0] = '\0';
	}
}

void find_places(struct stats_place *places, size_t count)
{
	uint64_t now = boot_ns();

	for (size_t i = 0; i < count; i++)
		if (!is_there(&places[i]))
			places[i].path[0] = '\0';
	if (lost(places, count, 0))
		look_in(NAMES, "", false, places, count);
	if (!lost(places, count, now))
		return;
	look_in("/proc", "/ns/net", true, places, count);
	for (size_t i = 0; i < count; i++)
		places[i].missed_ns = places[i].path[0] ? 0 : now;
}
