/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands below each other: the devices of a sample in groups, filtered and sorted. Pure: sample, rates and what the user
 * wants go in, a list of rows comes out, and its memory is kept for the next one.
 */
#ifndef RDMATOP_ROWS_H
#define RDMATOP_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "rdmatop/columns.h"
#include "rdmatop/rates.h"
#include "rdmatop/sample.h"

#define ROW_TEXT 340

enum group_by { GROUP_PF, GROUP_POD, GROUP_NAMESPACE, GROUP_NODE, GROUP_NONE, GROUPS };

extern const char *const group_names[GROUPS];

struct fold {
	struct fold *next;
	char group[ROW_TEXT];
};

/* What the user wants to see. */
struct view {
	enum group_by group;
	enum column sort;
	bool reverse;
	char filter[128]; /* words that all must match; !word must not */
	struct fold *folds;
	bool all_folded; /* those that come are folded, too, and `folds` says which are not */
};

struct row {
	bool is_group;
	bool folded;
	char name[ROW_TEXT]; /* of the group, or who has the device */
	uint64_t key; /* equal for those of one group */
	size_t device; /* of the sample, when it is no group */
	size_t devices; /* of a group: how many it has */
	const char *marking; /* of a group: the worst one */
	const struct sample_pf *pf; /* of a group by PF, or NULL */
	const struct history *history; /* of a device */
	double figure[FIGURES]; /* of a group: sums; NAN where nothing is known */
};

struct rows {
	struct row *row;
	size_t count, room;
	size_t devices, shown; /* of the sample; of them, what passed the filter, folded or not */
	struct row total;
	struct row *scratch;
	size_t scratch_room;
};

/* 0 or -ENOMEM, and then there are no rows. */
int rows_build(struct rows *rows, const struct sample *sample, const struct tracker *tracker, const struct view *view);
void rows_free(struct rows *rows);

bool view_folds(const struct view *view, const char *group);
void view_fold(struct view *view, const char *group, bool folded);
void view_fold_all(struct view *view, bool folded);

/* The text of a cell; HISTORY has none. */
void row_text(const struct row *row, const struct sample *sample, enum column column, char *to, size_t size);
/* Does the device match all words of the filter, by any of its names. */
bool row_matches(const struct sample *sample, size_t device, const char *filter);
/* What is to be seen at once: wrong marking, violations, a link that is down. */
enum alarm { ALARM_NONE, ALARM_GOOD, ALARM_UNSURE, ALARM_BAD };
enum alarm row_alarm(const struct row *row, const struct sample *sample, enum column column);

#endif
