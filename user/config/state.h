/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in state_dir: of which format, so that a version that does not know it says so and touches nothing. The journals below
 * it (claims, attachments, changed settings) belong to others.
 */
#ifndef WARDEN_STATE_H
#define WARDEN_STATE_H

#include "lib/err.h"

/*
 * One more whenever a journal changes so that an older wardend would misread it, or drop what it does not know. Older formats
 * are read on; what was written in them stays readable for the older version until this one writes.
 */
#define STATE_FORMAT 1

/*
 * Makes the folder, and its file "format". -EPROTO, with what to do: a later wardend wrote there. -EBADMSG: the file is none of
 * a wardend's. "" for a folder is nothing to do.
 */
int state_open(const char *state_dir, struct err *err);

/* Takes the file and the folders away that are empty then. What is attached stays in its journal. */
int state_remove(const char *state_dir, struct err *err);

#endif
