// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "lib/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/util.h"

#ifdef WARDEN_FAULTS

/* The linker's names for both ends of the section; weak, as a program may have no fault point at all. */
extern const char *const __start_warden_fault_names[] __attribute__((weak));
extern const char *const __stop_warden_fault_names[] __attribute__((weak));

int fault_for_each(int (*visit)(const char *name, void *ctx), void *ctx)
{
	int r = 0;

	for (const char *const *name = __start_warden_fault_names; !r && name != __stop_warden_fault_names; name++)
		r = visit(*name, ctx);
	return r;
}

static int errno_of(const char *text, size_t len)
{
	for (int e = 1; e < 134; e++) {
		const char *name = strerrorname_np(e);

		if (name && strlen(name) == len && !strncmp(name, text, len))
			return e;
	}
	return 0;
}

/* A test that misspells its wish must not pass because nothing failed. */
static void refuse(const char *wish)
{
	fprintf(stderr, "WARDEN_FAULT=%s: not NAME:ERRNO[:NTH] or NAME:KILL[:NTH]\n", wish);
	abort();
}

static void trace(const char *name)
{
	const char *path = getenv("WARDEN_FAULT_TRACE");
	_cleanup_close_ int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;

	if (path && (fd < 0 || dprintf(fd, "%s\n", name) < 0))
		abort(); /* a list that lacks a point would be believed */
}

/* 0, or the number of this pass by the present wish, which is in `wish` then. */
static uint64_t count_pass(const char *name, char wish[128])
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static char last[128];
	static uint64_t passes;
	const char *from = getenv("WARDEN_FAULT");
	size_t len = strlen(name);
	uint64_t pass = 0;

	if (!from || (from[0] == '@' && read_line(from + 1, wish, 128)))
		return 0;
	if (from[0] != '@' && try_snprintf(wish, 128, "%s", from))
		refuse(from);
	pthread_mutex_lock(&lock);
	if (strcmp(last, wish)) {
		snprintf(last, sizeof(last), "%s", wish);
		passes = 0;
	}
	if (!strncmp(wish, name, len) && wish[len] == ':')
		pass = ++passes;
	pthread_mutex_unlock(&lock);
	return pass;
}

int fault_ask(const char *name)
{
	const char *what, *end;
	uint64_t nth = 1, pass;
	char wish[128];
	int error;

	trace(name);
	pass = count_pass(name, wish);
	if (!pass)
		return 0;
	what = wish + strlen(name) + 1;
	end = strchrnul(what, ':');
	if (*end && parse_u64(end + 1, 10, 1, UINT32_MAX, &nth))
		refuse(wish);
	error = errno_of(what, (size_t)(end - what));
	if (!error && (end - what != 4 || strncmp(what, "KILL", 4)))
		refuse(wish);
	if (pass != nth)
		return 0;
	if (!error)
		kill(getpid(), SIGKILL);
	return -error;
}

#else

int fault_for_each(int (*visit)(const char *name, void *ctx), void *ctx)
{
	(void)visit;
	(void)ctx;
	return 0;
}

#endif
