// SPDX-License-Identifier: Apache-2.0
/*
 * The arms of a comparison: the same command with these programs attached, with those, with none. Programs that are
 * loaded attach in a fraction of the time that wardend needs to start, so the arms can alternate many times in a boot.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/util.h"

#define BUSY_TRIES 200
#define BUSY_PAUSE_US 50000

/* Calls `each` for the names in a folder; 0 or the first -errno. */
static int for_each(const char *folder, int (*each)(const char *path, const char *name, const char *arg),
		    const char *arg)
{
	_cleanup_closedir_ DIR *dir = opendir(folder);
	struct dirent *entry;
	char path[PATH_MAX];
	int err = dir ? 0 : -errno;

	while (!err && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		err = try_snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (!err)
			err = each(path, entry->d_name, arg);
		if (err)
			fprintf(stderr, "arms: %s: %s\n", path, strerror(-err));
	}
	return err;
}

static int program_of_link(const char *path)
{
	_cleanup_close_ int fd = bpf_obj_get(path);
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	fd = bpf_prog_get_fd_by_id(info.prog_id);
	return fd < 0 ? -errno : take_fd(&fd);
}

static int take_one(const char *path, const char *name, const char *to)
{
	_cleanup_close_ int fd = program_of_link(path);
	char pin[PATH_MAX];
	int err;

	if (fd < 0)
		return fd;
	err = try_snprintf(pin, sizeof(pin), "%s/%s", to, name);
	if (!err && (bpf_obj_pin(fd, pin) || unlink(path)))
		err = -errno;
	return err;
}

/* A program whose last link has just gone is busy for a moment yet. The link lives until this process ends. */
static int attach_one(const char *path, const char *name, const char *arg)
{
	_cleanup_close_ int fd = bpf_obj_get(path);

	(void)name;
	(void)arg;
	if (fd < 0)
		return -errno;
	for (int i = 0; i < BUSY_TRIES; i++) {
		if (bpf_raw_tracepoint_open(NULL, fd) >= 0)
			return 0;
		if (errno != EBUSY)
			return -errno;
		usleep(BUSY_PAUSE_US);
	}
	return -EBUSY;
}

static int run(char **command)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid) {
		execvp(command[0], command);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -ECHILD;
}

int main(int argc, char **argv)
{
	int err = -EINVAL;

	if (argc == 4 && !strcmp(argv[1], "take"))
		err = for_each(argv[2], take_one, argv[3]);
	else if (argc >= 4 && !strcmp(argv[1], "run")) {
		err = *argv[2] ? for_each(argv[2], attach_one, NULL) : 0;
		if (!err)
			err = run(argv + 3);
	} else {
		fprintf(stderr,
			"usage:\n"
			"  arms take LINKS PROGRAMS    the programs of pinned links are pinned instead of these\n"
			"  arms run PROGRAMS CMD...    runs CMD while the pinned programs are attached; '' for none\n");
	}
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
