// SPDX-License-Identifier: Apache-2.0
#include "config/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/util.h"
#include "lib/version.h"

/* The version is for people. */
static void print_format(char *to, size_t size)
{
	snprintf(to, size, "%d %s", STATE_FORMAT, WARDEN_VERSION);
}

/* No reason not to start: a disk that is full, or read-only, is told by the journals that need it. */
static void write_format(const char *dir, const char *path, const char *line)
{
	_cleanup_close_ int fd = -1;
	char text[160], other[PATH_MAX];
	int r = try_snprintf(other, sizeof(other), "%s.new", path);

	if (!r)
		r = make_dirs(dir);
	fd = r ? -1 : open(other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	snprintf(text, sizeof(text), "%s\n", line);
	if (!r)
		r = fd < 0 ? -errno : write_all(fd, text, strlen(text));
	if (!r && (fsync(fd) || rename(other, path)))
		r = -errno;
	if (!r)
		r = sync_dir(dir);
	if (r)
		pr_warn("%s: %s", path, strerror(-r));
}

static int judge(const char *dir, const char *path, char *line, struct err *err)
{
	char *version = line + strcspn(line, " ");
	uint64_t format;

	if (*version)
		*version++ = '\0';
	if (parse_u64(line, 10, 1, INT32_MAX, &format))
		return fail(err, -EBADMSG, "%s: not a format of a wardend: what is in %s is left alone", path, dir);
	if (format <= STATE_FORMAT)
		return 0;
	return fail(
		err, -EPROTO,
		"%s: wardend %.32s wrote it in format %" PRIu64
		", and this one (%s) knows %d: it cannot go back. Start a "
		"wardend that knows the format, or end all pods, run the newer one with --unload, and start this one",
		dir, *version ? version : "of a later version", format, WARDEN_VERSION, STATE_FORMAT);
}

int state_open(const char *state_dir, struct err *err)
{
	char path[PATH_MAX], found[96] = "", own[96];
	int r;

	if (!*state_dir)
		return 0;
	if (try_snprintf(path, sizeof(path), "%s/format", state_dir))
		return fail(err, -ENAMETOOLONG, "state_dir: the path is too long");
	print_format(own, sizeof(own));
	r = read_line(path, found, sizeof(found));
	if (!r && !strcmp(found, own))
		return 0;
	if (!r || r == -ENODATA)
		r = judge(state_dir, path, found, err);
	else
		r = r == -ENOENT ? 0 : fail(err, r, "%s: %s", path, strerror(-r));
	if (!r)
		write_format(state_dir, path,
			     own); /* also over an older one: from now on it is written in this format */
	return r;
}

int state_remove(const char *state_dir, struct err *err)
{
	char path[PATH_MAX];
	int r = try_snprintf(path, sizeof(path), "%s/format", state_dir);

	if (!r && unlink(path) && errno != ENOENT)
		r = -errno;
	if (r)
		return fail(err, r, "%s/format: %s", state_dir, strerror(-r));
	if (!try_snprintf(path, sizeof(path), "%s/attach", state_dir))
		remove_empty_dir(path);
	remove_empty_dir(state_dir);
	return 0;
}
