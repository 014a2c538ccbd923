// SPDX-License-Identifier: Apache-2.0
#include "rdma-warden/install.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/util.h"
#include "lib/version.h"
#include "rdma-warden/note.h"

#define KEPT ".before-rdma-warden"
/* Under way, while the folder is locked: who holds the lock may remove what an interrupted one has left. */
#define NEW ".rdma-warden.new"
#define LINK ".rdma-warden.link"
#define LOCK_SECONDS 60

enum found { NOTHING, OWN, FOREIGN, UNFIT /* a folder, a device, a pipe or a socket: not replaced */ };

struct place {
	const char *folder; /* for messages */
	int dir;
};

static int fail_at(struct err *err, const struct place *p, const char *name)
{
	return fail(err, -errno, "%s/%s: %s", p->folder, name, strerror(errno));
}

/* ---- what is there ---- */

/* `version` is that of an own copy. What is there may be replaced meanwhile, by a pipe too: nothing here waits. */
static int look(const struct place *p, const char *name, enum found *found, char version[SEMVER_MAX], struct err *err)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	*found = NOTHING;
	if (fstatat(p->dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : fail_at(err, p, name);
	*found = S_ISLNK(st.st_mode) ? FOREIGN : UNFIT;
	if (!S_ISREG(st.st_mode))
		return 0;
	fd = openat(p->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st))
		return fail_at(err, p, name);
	if (!S_ISREG(st.st_mode))
		return 0;
	r = note_read(fd, version);
	*found = r ? FOREIGN : OWN;
	return !r || r == -ENOENT ? 0 : fail(err, r, "%s/%s: %s", p->folder, name, strerror(-r));
}

/* The name under which a file is kept: 0 or -ENAMETOOLONG. */
static int kept_name(const char *name, char to[NAME_MAX + 1])
{
	return try_snprintf(to, NAME_MAX + 1, "%s%s", name, KEPT);
}

static int check_name(const char *name, struct err *err)
{
	char kept[NAME_MAX + 1];
	size_t len = strlen(name);

	if (!len || *name == '.' || strchr(name, '/') || kept_name(name, kept))
		return fail(err, -EINVAL, "\"%.300s\" is no name for a plugin", name);
	if (len >= strlen(KEPT) && !strcmp(name + len - strlen(KEPT), KEPT))
		return fail(err, -EINVAL, "\"%.300s\" is a name for what is kept", name);
	return 0;
}

static int discard(const struct place *p, const char *name, struct err *err)
{
	return unlinkat(p->dir, name, 0) && errno != ENOENT ? fail_at(err, p, name) : 0;
}

/* The folder, for this process alone: whoever may read it can lock it, so that this ends. */
static int enter(const char *folder, struct place *p, struct err *err)
{
	const struct timespec pause = { .tv_nsec = 20 * 1000000 };
	_cleanup_close_ int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t end = boot_ns() + LOCK_SECONDS * 1000000000ull;
	int r;

	if (dir < 0)
		return fail(err, -errno, "%s: %s", folder, strerror(errno));
	while (flock(dir, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail(err, -errno, "%s: cannot be locked: %s", folder, strerror(errno));
		if (boot_ns() > end)
			return fail(err, -EBUSY, "%s: another process has locked it for %d s", folder, LOCK_SECONDS);
		nanosleep(&pause, NULL);
	}
	*p = (struct place){ .folder = folder, .dir = dir };
	r = discard(p, NEW, err);
	if (!r)
		r = discard(p, LINK, err);
	if (!r)
		(void)take_fd(&dir);
	return r;
}

/* ---- install ---- */

static int copy_bytes(int from, int to)
{
	char bytes[65536];
	off_t at = 0;
	ssize_t n;
	int r;

	while ((n = pread(from, bytes, sizeof(bytes), at)) > 0) {
		r = write_all(to, bytes, (size_t)n);
		if (r)
			return r;
		at += n;
	}
	if (n < 0 || fchmod(to, 0755) || fsync(to))
		return -errno;
	return 0;
}

/* This program, as NEW. */
static int write_new(const struct place *p, struct err *err)
{
	_cleanup_close_ int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), to = -1;
	int r;

	if (from < 0)
		return fail(err, -errno, "/proc/self/exe: %s", strerror(errno));
	to = openat(p->dir, NEW, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	if (to < 0)
		return fail_at(err, p, NEW);
	r = copy_bytes(from, to);
	if (!r)
		return 0;
	discard(p, NEW, NULL);
	return fail(err, r, "%s/%s: %s", p->folder, NEW, strerror(-r));
}

/* A second name for what is kept: the first one is there until the new file takes its place. */
static int keep(const struct place *p, const char *name, struct err *err)
{
	char kept[NAME_MAX + 1];
	int r;

	kept_name(name, kept);
	if (linkat(p->dir, name, p->dir, LINK, 0))
		return fail(err, -errno, "%s/%s: cannot be kept: %s", p->folder, name, strerror(errno));
	if (renameat(p->dir, LINK, p->dir, kept)) {
		r = fail_at(err, p, kept);
		discard(p, LINK, NULL);
		return r;
	}
	return discard(p, LINK, err); /* which a rename leaves where both are names of one file */
}

/* May it be replaced? */
static int judge(const struct place *p, const char *name, bool downgrade, enum found *found, struct err *err)
{
	char version[SEMVER_MAX] = "";
	int r = check_name(name, err);

	if (!r)
		r = look(p, name, found, version, err);
	if (r)
		return r;
	if (*found == UNFIT)
		return fail(err, -EEXIST, "%s/%s: is no file, and is not replaced", p->folder, name);
	if (*found == OWN && !downgrade && semver_compare(version, warden_version) > 0)
		return fail(err, -EEXIST, "%s/%s: is version %s, newer than %s; --downgrade replaces it", p->folder,
			    name, version, warden_version);
	return 0;
}

static int install_one(const struct place *p, const char *name, bool downgrade, struct err *err)
{
	enum found found;
	int r = judge(p, name, downgrade, &found, err);

	if (!r)
		r = write_new(p, err);
	if (r)
		return r;
	if (found == FOREIGN)
		r = keep(p, name, err);
	if (!r && renameat(p->dir, NEW, p->dir, name))
		r = fail_at(err, p, name);
	if (r) {
		discard(p, NEW, NULL);
		return r;
	}
	if (fsync(p->dir))
		return fail(err, -errno, "%s: %s", p->folder, strerror(errno));
	printf("%s/%s: version %s%s%s%s\n", p->folder, name, warden_version,
	       found == FOREIGN ? "; what was there is kept as " : "", found == FOREIGN ? name : "",
	       found == FOREIGN ? KEPT : "");
	return 0;
}

int install_copies(const struct install *install, struct err *err)
{
	struct place p = { .dir = -1 };
	enum found found;
	int r = semver_valid(warden_version) ? 0 : fail(err, -EINVAL, "%s: is no version", warden_version);

	if (!r)
		r = enter(install->folder, &p, err);
	for (size_t i = 0; !r && install->names[i]; i++)
		r = judge(&p, install->names[i], install->downgrade, &found, err);
	for (size_t i = 0; !r && install->names[i]; i++)
		r = install_one(&p, install->names[i], install->downgrade, err);
	util_close(&p.dir);
	return r;
}

/* ---- uninstall ---- */

/* Kept, though somebody else's is there (again): by an installation that was interrupted, or one who came later. */
static int settle_kept(const struct place *p, const char *name, const char *kept, const struct stat *st,
		       struct err *err)
{
	struct stat there;

	if (!fstatat(p->dir, name, &there, AT_SYMLINK_NOFOLLOW) && there.st_ino == st->st_ino)
		return discard(p, kept, err);
	printf("%s/%s: is not ours; %s stays\n", p->folder, name, kept);
	return 0;
}

static int remove_one(const struct place *p, const char *name, struct err *err)
{
	char version[SEMVER_MAX], kept[NAME_MAX + 1];
	enum found found;
	struct stat st;
	int r = check_name(name, err);

	if (!r)
		r = look(p, name, &found, version, err);
	if (r)
		return r;
	kept_name(name, kept);
	if (!fstatat(p->dir, kept, &st, AT_SYMLINK_NOFOLLOW)) {
		if (found == FOREIGN || found == UNFIT)
			return settle_kept(p, name, kept, &st, err);
		if (renameat(p->dir, kept, p->dir, name))
			return fail_at(err, p, kept);
		printf("%s/%s: is what it was before\n", p->folder, name);
		return 0;
	}
	if (errno != ENOENT)
		return fail_at(err, p, kept);
	if (found != OWN)
		return 0;
	r = discard(p, name, err);
	if (!r)
		printf("%s/%s: removed\n", p->folder, name);
	return r;
}

/* By the names of what is kept, and by the notes. */
static int remove_all(const struct place *p, struct err *err)
{
	_cleanup_closedir_ DIR *dir = opendir(p->folder);
	const struct dirent *entry;
	int r = 0;

	if (!dir)
		return fail(err, -errno, "%s: %s", p->folder, strerror(errno));
	while (!r && (errno = 0, entry = readdir(dir))) {
		char name[NAME_MAX + 1];
		size_t len = strlen(entry->d_name);

		snprintf(name, sizeof(name), "%s", entry->d_name);
		if (len > strlen(KEPT) && !strcmp(name + len - strlen(KEPT), KEPT))
			name[len - strlen(KEPT)] = '\0';
		if (!check_name(name, NULL))
			r = remove_one(p, name, err);
	}
	return r || !errno ? r : fail(err, -errno, "%s: %s", p->folder, strerror(errno));
}

int install_remove(const struct install *install, struct err *err)
{
	struct place p = { .dir = -1 };
	int r = enter(install->folder, &p, err);

	if (!r && !install->names[0])
		r = remove_all(&p, err);
	for (size_t i = 0; !r && install->names[i]; i++)
		r = remove_one(&p, install->names[i], err);
	if (!r && fsync(p.dir))
		r = fail(err, -errno, "%s: %s", install->folder, strerror(errno));
	util_close(&p.dir);
	return r;
}
