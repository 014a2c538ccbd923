// SPDX-License-Identifier: Apache-2.0
/*
 * Test code: each call of the transaction into the kernel that can fail is a fault point of its own, "call.NAME". The linker
 * puts these in the place of libc's and libmnl's (--wrap, see the Makefile). What they find wrong is not done; that an answer
 * is lost is what call.recvfrom stands for.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/socket.h>

#include <dirent.h>
#include <libmnl/libmnl.h>
#include <spawn.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/fault.h"

#ifdef WARDEN_FAULTS

static _Thread_local bool asking; /* what a fault point itself calls is no point */

int __real_fault_ask(const char *name);
int __wrap_fault_ask(const char *name);

int __wrap_fault_ask(const char *name)
{
	bool before = asking;
	int r;

	asking = true;
	r = __real_fault_ask(name);
	asking = before;
	return r;
}

static bool fails(int (*ask)(void))
{
	int r = asking ? 0 : ask();

	if (r)
		errno = -r;
	return r != 0;
}

/* TYPE NAME(PARAMETERS) { return NAME(ARGUMENTS), or FAILURE } */
#define WRAP(type, name, parameters, arguments, failure)                        \
	type __real_##name parameters;                                          \
	type __wrap_##name parameters;                                          \
	static int ask_##name(void)                                             \
	{                                                                       \
		return fault_point("call." #name);                              \
	}                                                                       \
	type __wrap_##name parameters                                           \
	{                                                                       \
		return fails(ask_##name) ? (failure) : __real_##name arguments; \
	}

WRAP(int, socket, (int domain, int type, int protocol), (domain, type, protocol), -1)
WRAP(ssize_t, mnl_socket_sendto, (const struct mnl_socket *nl, const void *buf, size_t len), (nl, buf, len), -1)
WRAP(ssize_t, recvfrom, (int fd, void *buf, size_t len, int flags, struct sockaddr *from, socklen_t *size),
     (fd, buf, len, flags, from, size), -1)
WRAP(DIR *, opendir, (const char *path), (path), NULL)
WRAP(FILE *, fopen, (const char *path, const char *mode), (path, mode), NULL)
WRAP(ssize_t, write, (int fd, const void *buf, size_t len), (fd, buf, len), -1)
WRAP(ssize_t, pwrite, (int fd, const void *buf, size_t len, off_t at), (fd, buf, len, at), -1)
WRAP(int, fdatasync, (int fd), (fd), -1)
WRAP(int, fsync, (int fd), (fd), -1)
WRAP(int, ftruncate, (int fd, off_t len), (fd, len), -1)
WRAP(int, unlink, (const char *path), (path), -1)
WRAP(int, memfd_create, (const char *name, unsigned int flags), (name, flags), -1)
WRAP(int, pipe2, (int ends[2], int flags), (ends, flags), -1)
WRAP(int, posix_spawn,
     (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
      char *const argv[], char *const env[]),
     (pid, path, actions, attr, argv, env), errno)
/* setns() is not here: who cannot come home from another netns aborts, as nothing it would do there could be right. */

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

static int ask_open(void)
{
	return fault_point("call.open");
}

int __wrap_open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	return fails(ask_open) ? -1 : __real_open(path, flags, mode);
}

#endif
