/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault points: places where a build with FAULTS=1 fails or dies when the environment says so. In every other build they
 * are nothing. Each change of the node has two, NAME.before and NAME.after: the second one is "it was done, but who did
 * it never learned that".
 *
 *   WARDEN_FAULT=NAME:WHAT[:NTH]   WHAT is an errno (EIO, ENOMEM, …) or KILL; NTH is the pass that counts, the first by default
 *   WARDEN_FAULT=@FILE             the same, and other wishes while the program runs: read at each pass; no file is no wish,
 *                                  and another wish counts from the beginning
 *   WARDEN_FAULT_TRACE=FILE        gets the name of each point that is passed
 */
#ifndef WARDEN_FAULT_H
#define WARDEN_FAULT_H

/*
 * Calls `visit` with the name of each fault point that is linked into the program, in no order, some perhaps twice; a
 * nonzero answer stops and is returned. A build without faults has none.
 */
int fault_for_each(int (*visit)(const char *name, void *ctx), void *ctx);

#ifdef WARDEN_FAULTS

/* 0, or the -errno that is asked for; does not come back from KILL. */
int fault_ask(const char *name);

/* The names lie side by side in a section of their own, so that the program can list them. */
#define fault_point(name)                                                                                           \
	({                                                                                                          \
		static const char *const fault_name_ __attribute__((section("warden_fault_names"), used)) = (name); \
		fault_ask(fault_name_);                                                                             \
	})

#else

#define fault_point(name) (0)

#endif

/* The call, which answers 0 or more, or a negative errno, between its two fault points. */
#define fault_around(name, call)                                           \
	({                                                                 \
		int fault_r_ = fault_point(name ".before");                \
		int fault_after_;                                          \
                                                                           \
		if (!fault_r_) {                                           \
			fault_r_ = (call);                                 \
			fault_after_ = fault_point(name ".after");         \
			fault_r_ = fault_after_ ? fault_after_ : fault_r_; \
		}                                                          \
		fault_r_;                                                  \
	})

#endif
