/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one way errors travel: a function that can fail for a reason worth telling takes a struct err last
 * and returns 0 or -errno; where it fails it writes the sentence for the operator, once, and its callers
 * pass the code on. Who has no caller (main, the event loop, a control request) prints or sends it.
 */
#ifndef WARDEN_ERR_H
#define WARDEN_ERR_H

struct err {
	char text[512];
};

/* Writes the message (cut to fit) and returns `code`, a negative errno. `e` may be NULL. */
int fail(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
