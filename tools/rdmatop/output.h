/* SPDX-License-Identifier: Apache-2.0 */
/* For files and other programs: a table, JSON (an object a sample) or CSV (a line a device and sample). */
#ifndef RDMATOP_OUTPUT_H
#define RDMATOP_OUTPUT_H

#include <stdbool.h>

#include "rdmatop/rows.h"
#include "rdmatop/source.h"

enum output_form { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_CSV };

struct output_options {
	enum output_form form;
	double seconds; /* between two; 0: as fast as the source goes */
	unsigned long count; /* 0: without an end */
	FILE *record;
	const struct view *view;
};

/*
 * Prints `count` samples. Where rates take two samples, the first one is read and not printed, unless there is no other one.
 * The exit status: 1 when the first one cannot be read or the output not be written.
 */
int output_run(struct source *source, const struct output_options *options);

#endif
