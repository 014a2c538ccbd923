/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Test code: stands for the plugin and wardend in one short-lived process for each call, so that each is made by a wardend
 * that was just started. The transaction, its journal and all that it does to the node are the real ones. Only the claims
 * are files here, by the contract of struct attach_hooks (attach/attach.h); a device is always clean.
 */
#ifndef WARDEN_ALONE_H
#define WARDEN_ALONE_H

#include <stdbool.h>
#include <stddef.h>

#include "attach/attach.h"
#include "lib/err.h"

struct alone; /* a folder: below it attach/ (the journal), claims/, leases/ and log */

/* Makes the folder. 0 or -errno. */
int alone_open(struct alone **alone, const char *folder, struct err *err);
void alone_close(struct alone **alone);

/* FOLDER/NAME; valid until the fourth next call. */
const char *alone_path(const struct alone *alone, const char *name);

struct alone_call {
	const char *command; /* NULL: none; what an earlier wardend left half done is brought home */
	const char *pod; /* its container ID, its name, and its netns below /run/netns */
	const char *config;
	const char *fault; /* of the call itself, as in WARDEN_FAULT; NULL: none */
	const char *trace; /* file that gets the points that the call passes; NULL: none */
};

enum alone_end {
	ALONE_DONE,
	ALONE_REFUSED,
	ALONE_KILLED,
	ALONE_BROKEN /* it ended otherwise, or left something open */
};

/* `answer` is what the plugin prints, valid until the next call; NULL: none is wanted. */
enum alone_end alone_call(struct alone *alone, const struct alone_call *call, const char **answer);

const char *alone_end_name(enum alone_end end);

/* What the last call's process has logged, on stdout. */
void alone_print_log(const struct alone *alone);

/* ---- pods, which are nothing but a netns ---- */

/* As ip-netns(8) makes it, in the folder that it has made before. 0 or -errno. */
int alone_pod_new(const char *pod);
void alone_pod_end(const char *pod);

#endif
