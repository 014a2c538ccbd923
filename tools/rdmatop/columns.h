/* SPDX-License-Identifier: Apache-2.0 */
/* The columns: what each shows of a row, how wide it is, and which give way first where there is not enough room. */
#ifndef RDMATOP_COLUMNS_H
#define RDMATOP_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>

#include "rdmatop/rates.h"

/* In the order in which they stand. */
enum column {
	COLUMN_POD, /* takes what the others leave */
	COLUMN_VF,
	COLUMN_DEVICE,
	COLUMN_NETDEV,
	COLUMN_LINK,
	COLUMN_TX,
	COLUMN_RX,
	COLUMN_HISTORY,
	COLUMN_TX_PACKETS,
	COLUMN_RX_PACKETS,
	COLUMN_TX_MESSAGES,
	COLUMN_RX_MESSAGES,
	COLUMN_QPS,
	COLUMN_MRS,
	COLUMN_PINNED,
	COLUMN_CONNECTIONS,
	COLUMN_CNP,
	COLUMN_ECN,
	COLUMN_RETRANSMITS,
	COLUMN_OUT_OF_SEQUENCE,
	COLUMN_PAUSE,
	COLUMN_MARKING,
	COLUMN_VIOLATIONS,
	COLUMN_STATE,
	COLUMNS,
};

#define COLUMN_POD_LEAST 12

struct column_kind {
	const char *title;
	const char *option; /* its name on the command line and in CSV and JSON */
	const char *help;
	int width; /* of POD: the one wanted */
	int importance; /* the lowest gives way first */
	enum figure figure; /* FIGURES: a text */
	bool binary; /* of bytes */
};

extern const struct column_kind column_kinds[COLUMNS];

/* By its option: COLUMNS for none. */
enum column column_find(const char *option);

/* Which columns stand in `width`, each with a blank before it: how many, in `shown`, and the width that POD has. */
size_t columns_fit(int width, int pod_wanted, enum column *shown, int *pod_width);

/* 12.3G, 999, -: six columns at most. */
void figure_text(double value, bool binary, char *to, size_t size);

/* The last `width` values, the newest on the right, on a scale of their own; a blank where one was not known. */
void history_text(const struct history *history, int width, bool utf8, char *to, size_t size);

#endif
