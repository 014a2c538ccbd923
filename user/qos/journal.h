/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The changes of settings on disk, so that they can be taken back: qos-journal in state_dir, a JSON object a line. Each
 * change is there as "intent" before it is made, and as "done" or "failed" after. A line that a crash has cut is passed
 * over. When a run begins with a file above QOS_JOURNAL_MAX, that becomes qos-journal.1, and the one of before goes.
 */
#ifndef WARDEN_QOS_JOURNAL_H
#define WARDEN_QOS_JOURNAL_H

#include "lib/err.h"
#include "qos/plan.h"

#define QOS_JOURNAL_MAX (256 << 10)

struct qos_journal {
	int fd; /* -1: closed */
	bool reverts;
	char run[32]; /* of the changes made, also while they are taken back */
};

/* Begins a run of changes, or (`reverts`, with the run that qos_journal_last() gave) of taking them back. */
int qos_journal_open(struct qos_journal *journal, const char *dir, const char *reverts, struct err *err);
void qos_journal_close(struct qos_journal *journal);

/* `state` is "intent", "done" or "failed" (with the reason). On disk when it returns 0. */
int qos_journal_note(struct qos_journal *journal, const struct qos_change *change, const char *state,
		     const char *reason, struct err *err);

/*
 * The changes of the last run that were made, or may have been when a crash came between, and were not taken back;
 * with the values from and to of then. `run` gets its name. 0, also without any, or -errno.
 */
int qos_journal_last(const char *dir, struct qos_plan *plan, char *run, size_t size, struct err *err);

#endif
