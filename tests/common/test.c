// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "common/test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lib/util.h"

static struct {
	pid_t owner; /* forked children must not remove it */
	char path[PATH_MAX];
} temp;

void test_begin(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
}

void skip_because(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("# skip: ");
	vprintf(fmt, args);
	printf("\n");
	va_end(args);
	skip();
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	if (remove(path) && errno == EBUSY && !umount2(path, MNT_DETACH))
		remove(path);
	return 0;
}

static void remove_temp(void)
{
	if (getpid() == temp.owner)
		nftw(temp.path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *temp_dir(void)
{
	const char *base = getenv("TMPDIR");

	if (temp.owner)
		return temp.path;
	snprintf(temp.path, sizeof(temp.path), "%s/rdma-warden-test.XXXXXX", base ? base : "/tmp");
	assert_non_null(mkdtemp(temp.path));
	temp.owner = getpid();
	atexit(remove_temp);
	return temp.path;
}

const char *temp_path(const char *name)
{
	static char paths[16][PATH_MAX];
	static unsigned int next;
	char *path = paths[next++ % ARRAY_SIZE(paths)];

	assert_int_equal(try_snprintf(path, PATH_MAX, "%s/%s", temp_dir(), name), 0);
	return path;
}

const char *temp_file(const char *name, const void *bytes, size_t len)
{
	const char *path = temp_path(name);
	_cleanup_fclose_ FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	return path;
}

int private_mounts(void)
{
	static int answer = 1;

	if (answer == 1)
		answer = unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ? -errno : 0;
	return answer;
}

int test_fork(void)
{
	pid_t parent = getpid(), pid = fork();

	if (!pid && (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent))
		_exit(255);
	return pid;
}

void assert_contains(const char *text, const char *piece)
{
	if (strstr(text, piece))
		return;
	test_fail("\"%s\" does not contain \"%s\"", text, piece);
}
