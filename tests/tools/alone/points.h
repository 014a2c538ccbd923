/* SPDX-License-Identifier: Apache-2.0 */
/* Test code: the fault points (lib/fault.h) that a call has passed, and how it can end at each. */
#ifndef WARDEN_POINTS_H
#define WARDEN_POINTS_H

#include <stdbool.h>
#include <stddef.h>

struct point {
	char name[48];
	unsigned int pass; /* the how manieth of that name, from 1 on */
};

struct points {
	struct point *list;
	size_t count;
};

/* Of a trace, those whose names begin with one of the words of `prefixes`. Aborts when there is no such file. */
void points_read(struct points *points, const char *trace, const char *prefixes);
void points_free(struct points *points);

/* "KILL", or the errno that the operation can give: the k-th, or NULL. */
const char *point_kind(const struct point *point, unsigned int k);
/* Of a kind's name; 0: KILL. */
int point_errno(const char *kind);

/* The point is one of call.* (calls.c): whoever makes the call may do without, or say in his own words what he lacks. */
bool point_is_call(const struct point *point);
/* What fails there is no reason for the whole to fail. */
bool point_may_pass(const struct point *point);

#endif
