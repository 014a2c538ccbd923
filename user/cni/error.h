/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors as the CNI specification has them. Functions of user/cni and user/ipam take a struct cni_error last and return
 * 0 or a negative errno; where they fail the error holds what the runtime is to be told.
 */
#ifndef WARDEN_CNI_ERROR_H
#define WARDEN_CNI_ERROR_H

/* 1 to 99 are the specification's. */
enum cni_code {
	CNI_INCOMPATIBLE_VERSION = 1,
	CNI_UNSUPPORTED_FIELD = 2,
	CNI_UNKNOWN_CONTAINER = 3,
	CNI_INVALID_ENVIRONMENT = 4,
	CNI_IO = 5,
	CNI_DECODE = 6,
	CNI_INVALID_NETCONF = 7,
	CNI_INVALID_NETNS = 8, /* libcni's */
	CNI_TRY_AGAIN = 11,
	CNI_NOT_AVAILABLE = 50, /* STATUS */
	CNI_LIMITED = 51, /* STATUS: not available, and existing containers may be cut off */
	CNI_OWN = 100, /* from here on ours */
	CNI_INTERNAL = 100, /* memory, a broken invariant */
	CNI_IPAM = 101, /* IPAM failed and gave no code of its own */
};

enum cni_version { CNI_0_3_1, CNI_0_4_0, CNI_1_0_0, CNI_1_1_0, CNI_VERSIONS };

struct cni_error {
	unsigned int code; /* enum cni_code, or the one that an IPAM plugin gave; 0: no error */
	char msg[2048];
	char details[2048];
};

/*
 * Writes code and message (cut to fit, and what is not UTF-8 becomes "?") and no details; returns the negative errno.
 * `e` may be NULL.
 */
int cni_fail(struct cni_error *e, unsigned int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Adds to the details of an error, behind "; " where there are some. */
void cni_details(struct cni_error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "1.0.0" and so on. */
const char *cni_version_name(enum cni_version version);
/* 0, or -ENOENT for a version that is not supported. */
int cni_version_find(const char *name, enum cni_version *version);

/* The error as the runtime reads it, and the answer to VERSION as it was asked in: one line to be freed, NULL without memory. */
char *cni_error_print(enum cni_version version, const struct cni_error *e);
char *cni_version_print(const char *asked);

#endif
