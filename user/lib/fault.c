// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "lib/fault.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
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

int fault_ask(const char *name)
{
	static atomic_uint_fast64_t passes;
	const char *wish = getenv("WARDEN_FAULT"), *what, *end;
	size_t len = strlen(name);
	uint64_t nth = 1;
	int error;

	if (!wish || strncmp(wish, name, len) || wish[len] != ':')
		return 0;
	what = wish + len + 1;
	end = strchrnul(what, ':');
	if (*end && parse_u64(end + 1, 10, 1, UINT32_MAX, &nth))
		refuse(wish);
	error = errno_of(what, (size_t)(end - what));
	if (!error && (end - what != 4 || strncmp(what, "KILL", 4)))
		refuse(wish);
	if (atomic_fetch_add(&passes, 1) + 1 != nth)
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
