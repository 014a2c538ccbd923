// SPDX-License-Identifier: Apache-2.0
/* The live view's loop, and its main page. */
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "rdmatop/clean.h"
#include "rdmatop/screen_internal.h"

/* ---- the frame ---- */

/* The lines around the rows; a small screen goes without most of them. */
static int head_height(void)
{
	return LINES >= 10 ? 4 : LINES >= 5 ? 2 : 1;
}

int screen_body_height(void)
{
	int height = LINES - head_height() - (LINES >= 5);

	return height > 0 ? height : 1;
}

static const char *state_text(const struct screen *s, enum paint *paint)
{
	*paint = PAINT_BAD;
	if (s->problem[0])
		return " NO ANSWER ";
	*paint = PAINT_GROUP;
	if (s->paused)
		return " PAUSED ";
	return s->ended ? " END " : "";
}

static void draw_title(const struct screen *s)
{
	const struct sample_node *n = !s->sample->fleet && s->sample->node_count ? &s->sample->nodes[0] : NULL;
	enum paint paint;
	const char *state = state_text(s, &paint);
	int width = clean_width(state);
	char text[700], every[32] = "";

	if (s->options->seconds)
		snprintf(every, sizeof(every), "  every %g s", s->options->seconds);
	if (n)
		snprintf(text, sizeof(text), "rdmatop  %s  %.19s%s  %s%s%s%s", n->node, s->sample->time, every,
			 n->daemon.value ? "wardend " : "kernel alone", n->version, *n->mode ? "  " : "", n->mode);
	else if (s->sample->fleet)
		snprintf(text, sizeof(text), "rdmatop  %zu nodes  %.19s%s", s->sample->node_count, s->sample->time,
			 every);
	else
		snprintf(text, sizeof(text), "rdmatop");
	paint_text(0, 0, COLS, false, PAINT_GROUP, false, text);
	if (width)
		paint_text(0, COLS > width ? COLS - width : 0, width, false, paint, true, state);
}

static void draw_totals(const struct screen *s)
{
	const struct row *total = &s->rows.total;
	char tx[16], rx[16], qps[16], violations[16];

	figure_text(total->figure[FIGURE_TX_BITS], false, tx, sizeof(tx));
	figure_text(total->figure[FIGURE_RX_BITS], false, rx, sizeof(rx));
	figure_text(total->figure[FIGURE_QPS], false, qps, sizeof(qps));
	figure_text(total->figure[FIGURE_VIOLATIONS], false, violations, sizeof(violations));
	paint_format(1, PAINT_PLAIN, "%zu of %zu devices  tx %sb/s  rx %sb/s  QPs %s  marking %s  violations %s",
		     s->rows.shown, s->rows.devices, tx, rx, qps, *total->marking ? total->marking : "-", violations);
}

/* The most pressing of what does not fit elsewhere. */
static void draw_notice(const struct screen *s)
{
	if (s->problem[0])
		paint_format(2, PAINT_BAD, "%s: trying again%s", s->problem,
			     s->sampled ? "; this is what was last told" : "");
	else if (s->view->filter[0])
		paint_format(2, PAINT_GROUP, "filter: %s", s->view->filter);
	else if (s->sample->missing_count > 1)
		paint_format(2, PAINT_DIM, "not known (%zu, h lists them): %s", s->sample->missing_count,
			     s->sample->missing[0]);
	else if (s->sample->missing_count)
		paint_format(2, PAINT_DIM, "not known: %s", s->sample->missing[0]);
}

static void draw_foot(const struct screen *s)
{
	if (s->prompt != PROMPT_NONE) {
		paint_format(LINES - 1, PAINT_PLAIN, "%s %s_",
			     s->prompt == PROMPT_FILTER ? "filter:" : "search:", s->input);
		return;
	}
	if (s->message[0])
		paint_format(LINES - 1, PAINT_GROUP, "%s", s->message);
	else
		paint_format(LINES - 1, PAINT_DIM,
			     "h help  q quit  Enter details  s sort  / filter  f fold  g group (%s)",
			     group_names[s->view->group]);
}

/* ---- rows ---- */

struct layout {
	enum column shown[COLUMNS];
	size_t count;
	int pod_width, history_width;
};

static int widest_name(const struct screen *s)
{
	int widest = 0, width;
	char text[ROW_TEXT + 32];

	for (size_t i = 0; i < s->rows.count; i++) {
		row_text(&s->rows.row[i], s->sample, COLUMN_POD, text, sizeof(text));
		width = clean_width(text) + 2;
		widest = width > widest ? width : widest;
	}
	return widest < 48 ? widest : 48;
}

/* All columns: from the first one that was scrolled to, as many as there is room for. */
static void lay_out_all(const struct screen *s, struct layout *l)
{
	int left = COLS - l->pod_width;

	l->shown[0] = COLUMN_POD;
	l->count = 1;
	for (size_t c = 1 + s->first_column; c < COLUMNS && left > column_kinds[c].width; c++) {
		left -= column_kinds[c].width + 1;
		l->shown[l->count++] = (enum column)c;
	}
}

static void lay_out(const struct screen *s, struct layout *l)
{
	int used;

	l->history_width = column_kinds[COLUMN_HISTORY].width;
	if (s->all_columns) {
		l->pod_width = COLS < 60 ? COLUMN_POD_LEAST : 24;
		lay_out_all(s, l);
		return;
	}
	l->count = columns_fit(COLS, widest_name(s), l->shown, &l->pod_width);
	used = l->pod_width;
	for (size_t i = 1; i < l->count; i++)
		used += column_kinds[l->shown[i]].width + 1;
	l->history_width += COLS - used;
	if (l->history_width > HISTORY)
		l->history_width = HISTORY;
}

static int width_of(const struct layout *l, enum column c)
{
	return c == COLUMN_POD ? l->pod_width : c == COLUMN_HISTORY ? l->history_width : column_kinds[c].width;
}

static void draw_titles(const struct screen *s, const struct layout *l, int y)
{
	int x = 0;

	paint_text(y, 0, COLS, false, PAINT_PLAIN, true, "");
	for (size_t i = 0; i < l->count; i++) {
		enum column c = l->shown[i];

		paint_text(y, x, width_of(l, c), column_kinds[c].figure != FIGURES,
			   c == s->view->sort ? PAINT_GROUP : PAINT_PLAIN, true, column_kinds[c].title);
		if (c == s->view->sort) /* beside the title, in the gap */
			paint_text(y, x + width_of(l, c), 1, false, PAINT_GROUP, true, s->view->reverse ? "^" : "v");
		x += width_of(l, c) + 1;
	}
}

static enum paint cell_paint(const struct row *row, const struct sample *sample, enum column c)
{
	switch (row_alarm(row, sample, c)) {
	case ALARM_BAD:
		return PAINT_BAD;
	case ALARM_UNSURE:
		return PAINT_UNSURE;
	case ALARM_GOOD:
		return PAINT_GOOD;
	default:
		return row->is_group ? PAINT_GROUP : PAINT_PLAIN;
	}
}

static void draw_row(const struct screen *s, const struct layout *l, const struct row *row, int y, bool selected)
{
	bool indented = !row->is_group && s->view->group != GROUP_NONE;
	char text[ROW_TEXT + 32];
	int x = 0;

	if (selected)
		paint_text(y, 0, COLS, false, PAINT_PLAIN, true, "");
	for (size_t i = 0; i < l->count; i++) {
		enum column c = l->shown[i];
		int width = width_of(l, c), indent = c == COLUMN_POD && (indented || row->is_group) ? 2 : 0;

		if (c == COLUMN_HISTORY && row->history)
			history_text(row->history, width, clean_has_utf8(), text, sizeof(text));
		else
			row_text(row, s->sample, c, text, sizeof(text));
		if (c == COLUMN_POD && row->is_group)
			paint_text(y, x, 2, false, PAINT_GROUP, selected, row->folded ? "+ " : "- ");
		paint_text(y, x + indent, width - indent, column_kinds[c].figure != FIGURES,
			   cell_paint(row, s->sample, c), selected, text);
		x += width + 1;
	}
}

/* Who the selected row is, as its place and the sample change. */
static void remember_chosen(struct screen *s)
{
	const struct row *row = &s->rows.row[s->selected];
	const struct sample_device *d = row->is_group ? NULL : &s->sample->devices[row->device];

	s->chosen.known = s->selected > 0; /* who stands at the top wants to see what is at the top */
	s->chosen.is_group = row->is_group;
	snprintf(s->chosen.name, sizeof(s->chosen.name), "%s", d ? d->device : row->name);
	snprintf(s->chosen.pci, sizeof(s->chosen.pci), "%s", d ? d->pci : "");
	s->chosen.node = d ? d->node : 0;
}

void rows_draw(struct screen *s)
{
	int head = head_height(), height = screen_body_height();
	struct layout layout = {};

	if (s->selected >= s->rows.count)
		s->selected = s->rows.count ? s->rows.count - 1 : 0;
	if (s->rows.count)
		remember_chosen(s);
	if (s->selected < s->top)
		s->top = s->selected;
	if (s->selected >= s->top + (size_t)height)
		s->top = s->selected - (size_t)height + 1;
	if (s->top + (size_t)height > s->rows.count)
		s->top = s->rows.count > (size_t)height ? s->rows.count - (size_t)height : 0;
	draw_title(s);
	if (head == 4 && s->sampled)
		draw_totals(s);
	if (head == 4)
		draw_notice(s);
	lay_out(s, &layout);
	if (head > 1)
		draw_titles(s, &layout, head - 1);
	for (int i = 0; i < height && s->top + (size_t)i < s->rows.count; i++)
		draw_row(s, &layout, &s->rows.row[s->top + (size_t)i], head + i, s->top + (size_t)i == s->selected);
	if (!s->rows.count && height > 1)
		paint_format(head + 1, PAINT_PLAIN, "  %s",
			     !s->sampled          ? "waiting for the first sample"
			     : s->view->filter[0] ? "no device matches the filter: / and Enter clear it"
						  : "there is no RDMA device");
	if (LINES >= 5)
		draw_foot(s);
}

/* ---- samples ---- */

static bool is_chosen(const struct screen *s, const struct row *row)
{
	const struct sample_device *d = row->is_group ? NULL : &s->sample->devices[row->device];

	if (row->is_group != s->chosen.is_group)
		return false;
	if (!d)
		return !strcmp(row->name, s->chosen.name);
	return !strcmp(d->device, s->chosen.name) && !strcmp(d->pci, s->chosen.pci) && d->node == s->chosen.node;
}

void screen_rebuild(struct screen *s)
{
	if (!s->sampled || rows_build(&s->rows, s->sample, s->tracker, s->view))
		return;
	for (size_t i = 0; s->chosen.known && i < s->rows.count; i++)
		if (is_chosen(s, &s->rows.row[i])) {
			s->selected = i;
			return;
		}
}

static void log_events(struct screen *s)
{
	size_t count = s->sample->event_count, first = count > SAMPLE_EVENTS ? count - SAMPLE_EVENTS : 0;

	for (size_t i = first; i < count; i++)
		s->log[s->logged++ % LOG_EVENTS] = s->sample->events[i % SAMPLE_EVENTS];
}

static void take_sample(struct screen *s)
{
	s->problem[0] = '\0';
	s->sampled = true;
	log_events(s);
	if (tracker_feed(s->tracker, s->sample))
		snprintf(s->problem, sizeof(s->problem), "out of memory");
	screen_rebuild(s);
}

static void take_news(struct screen *s)
{
	struct err err;

	switch (worker_take(s->worker, &s->sample, &err)) {
	case WORKER_SAMPLE:
		take_sample(s);
		break;
	case WORKER_PROBLEM:
		clean_text(err.text, s->problem, sizeof(s->problem));
		break;
	case WORKER_END:
		s->ended = true;
		break;
	case WORKER_NOTHING:
		break;
	}
}

/* ---- the loop ---- */

static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
	stopped = signal_number;
}

static void draw(struct screen *s)
{
	static void (*const pages[])(
		struct screen *s) = { [PAGE_ROWS] = rows_draw, [PAGE_DETAIL] = detail_draw, [PAGE_HELP] = help_draw };

	erase();
	pages[s->page](s);
	refresh();
}

static void loop(struct screen *s)
{
	struct pollfd fds[] = { { .fd = 0, .events = POLLIN }, { .fd = worker_fd(s->worker), .events = POLLIN } };
	int key;

	while (!s->quit && !stopped) {
		draw(s);
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return;
		if (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) /* the terminal is gone */
			return;
		while ((key = getch()) != ERR)
			screen_key(s, key);
		if (fds[1].revents)
			take_news(s);
	}
}

int screen_run(struct source *source, const struct screen_options *options)
{
	struct screen s = {
		.options = options, .view = options->view, .sample = sample_new(), .tracker = tracker_new()
	};
	struct sigaction action = { .sa_handler = stop };
	struct err err = {};

	if (s.sample && s.tracker)
		s.worker = worker_open(source, options->seconds, options->record, &err);
	if (!s.worker || !paint_begin(options->mouse)) {
		fprintf(stderr, "rdmatop: %s\n", err.text[0] ? err.text : "the terminal cannot be used");
		return EXIT_FAILURE;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	loop(&s);
	paint_end();
	worker_close(s.worker);
	rows_free(&s.rows);
	tracker_free(s.tracker);
	sample_free(s.sample);
	return EXIT_SUCCESS;
}
