/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes metrics as Prometheus reads them: its text format 0.0.4, or OpenMetrics 1.0, which differ in the names of families and in the
 * end. Owns no state but the text.
 */
#ifndef WARDEN_EXPOSITION_H
#define WARDEN_EXPOSITION_H

#include <stdint.h>

#include "lib/bytes.h"

enum exposition_format { EXPOSITION_TEXT, EXPOSITION_OPENMETRICS };

#define EXPOSITION_MAX (64 << 20) /* bytes */

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_INFO, METRIC_HISTOGRAM };

/* Begins as { .format = … }. */
struct exposition {
	enum exposition_format format;
	struct bytes out;
	const char *name; /* of the family that is being written */
	int error; /* -ENOMEM or -EMSGSIZE: the text is not whole */
};

struct label {
	const char *name, *value;
};

/*
 * A family begins: each once, and all of its samples before the next one begins. A counter's name ends in _total, an information's in
 * _info.
 */
void exposition_family(struct exposition *e, enum metric_type type, const char *name, const char *help);

/* Labels as text, to be written with many samples; `text` begins as {}. Values of any bytes; what is not UTF-8 becomes '?'. */
void exposition_labels(struct bytes *text, const struct label *labels, size_t count);

/* One sample: with the labels that were written down already (NULL: none), and behind them others, up to one without a name. */
void exposition_sample(struct exposition *e, const struct bytes *labels, const struct label *more, uint64_t value);
void exposition_real(struct exposition *e, const struct bytes *labels, const struct label *more, double value);

/* A histogram's: the suffix is "_bucket" (with the label le), "_sum" or "_count". */
void exposition_part(struct exposition *e, const char *suffix, const struct label *labels, double value);

/* The last thing. */
void exposition_end(struct exposition *e);

/* A driver's name for a counter as a part of a metric's name, which has letters, digits and '_'. */
void exposition_name(const char *name, char *to, size_t size);

/* The format that who sends this header Accept likes best; NULL: none was sent. */
enum exposition_format exposition_accept(const char *accept);
const char *exposition_content_type(enum exposition_format format);

#endif
