/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the screen share. */
#ifndef RDMATOP_SCREEN_INTERNAL_H
#define RDMATOP_SCREEN_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "rdmatop/rates.h"
#include "rdmatop/rows.h"
#include "rdmatop/sample.h"
#include "rdmatop/screen.h"
#include "rdmatop/worker.h"

#define LOG_EVENTS 256

enum page { PAGE_ROWS, PAGE_DETAIL, PAGE_HELP };
enum prompt { PROMPT_NONE, PROMPT_FILTER, PROMPT_SEARCH };

/* What a cell says by more than its text; on a terminal without colours by bold. */
enum paint { PAINT_PLAIN, PAINT_DIM, PAINT_GOOD, PAINT_UNSURE, PAINT_BAD, PAINT_GROUP };

struct screen {
	const struct screen_options *options;
	struct view *view;
	struct worker *worker;
	struct sample *sample;
	struct tracker *tracker;
	struct rows rows;
	struct sample_event log[LOG_EVENTS]; /* the event n stands at n % LOG_EVENTS */
	size_t logged;
	char problem[256]; /* why there is no new sample, or "" */
	bool sampled, ended, paused, quit;
	enum page page, page_before_help;
	size_t selected, top; /* of the rows */
	struct {
		bool known, is_group;
		size_t node;
		char name[ROW_TEXT], pci[32];
	} chosen; /* who stands at `selected` */
	int scroll; /* of a page of text */
	bool all_columns;
	size_t first_column; /* of the others than POD, when all are to be seen */
	enum prompt prompt;
	char input[128], filter_before[128], search[128];
	char message[128]; /* until the next key */
	struct {
		char node[128], pci[32], device[64]; /* of the detail page */
		struct counted index;
	} subject;
};

/* ---- painting ---- */

bool paint_begin(bool mouse);
void paint_end(void);
/* Text in exactly `width` columns at that place; what lies outside of the screen is not drawn. */
void paint_text(int y, int x, int width, bool right, enum paint paint, bool reversed, const char *text);
void paint_format(int y, enum paint paint, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* ---- pages ---- */

void rows_draw(struct screen *s);
void detail_draw(struct screen *s);
void help_draw(struct screen *s);
/* A page of text that may be longer than the screen: from which line to show, given how many there are. */
int page_scroll(struct screen *s, int lines);

/* ---- keys ---- */

void screen_key(struct screen *s, int key);
/* After the sample or the view has changed. */
void screen_rebuild(struct screen *s);
int screen_body_height(void);

#endif
