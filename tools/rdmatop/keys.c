// SPDX-License-Identifier: Apache-2.0
/* What keys do. */
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <stdlib.h>
#include <string.h>

#include "rdmatop/clean.h"
#include "rdmatop/screen_internal.h"

#define KEY_ESCAPE 27
#define KEY_RETURN '\r'

/* ---- moving ---- */

/* False: the key is none of those that move. */
static bool move_selection(struct screen *s, int key)
{
	size_t last = s->rows.count ? s->rows.count - 1 : 0, page = (size_t)screen_body_height();

	switch (key) {
	case KEY_UP:
	case 'k':
		s->selected -= s->selected > 0;
		return true;
	case KEY_DOWN:
	case 'j':
		s->selected += s->selected < last;
		return true;
	case KEY_PPAGE:
		s->selected = s->selected > page ? s->selected - page : 0;
		return true;
	case KEY_NPAGE:
		s->selected = s->selected + page < last ? s->selected + page : last;
		return true;
	case KEY_HOME:
		s->selected = 0;
		return true;
	case KEY_END:
		s->selected = last;
		return true;
	case KEY_LEFT:
		s->first_column -= s->first_column > 0;
		return true;
	case KEY_RIGHT:
		s->first_column += s->all_columns && s->first_column + 2 < COLUMNS;
		return true;
	}
	return false;
}

static void move_page(struct screen *s, int key)
{
	int page = LINES > 3 ? LINES - 3 : 1;

	if (key == KEY_UP || key == 'k')
		s->scroll--;
	else if (key == KEY_DOWN || key == 'j')
		s->scroll++;
	else if (key == KEY_PPAGE)
		s->scroll -= page;
	else if (key == KEY_NPAGE)
		s->scroll += page;
	else if (key == KEY_HOME)
		s->scroll = 0;
	else if (key == KEY_END)
		s->scroll = 100000; /* the page knows its end */
}

/* ---- pages ---- */

static void open_help(struct screen *s)
{
	s->page_before_help = s->page;
	s->page = PAGE_HELP;
	s->scroll = 0;
}

static void open_detail(struct screen *s, const struct row *row)
{
	const struct sample_device *d = &s->sample->devices[row->device];

	memcpy(s->subject.pci, d->pci, sizeof(s->subject.pci));
	memcpy(s->subject.device, d->device, sizeof(s->subject.device));
	s->subject.index = d->index;
	snprintf(s->subject.node, sizeof(s->subject.node), "%s",
		 d->node < s->sample->node_count ? s->sample->nodes[d->node].node : "");
	s->page = PAGE_DETAIL;
	s->scroll = 0;
	worker_device(s->worker, *d->pci ? d->pci : d->device);
}

static void close_page(struct screen *s)
{
	if (s->page == PAGE_DETAIL)
		worker_device(s->worker, "");
	s->page = s->page == PAGE_HELP ? s->page_before_help : PAGE_ROWS;
	s->scroll = 0;
}

/* ---- the view ---- */

/* The group that the row is in: it stands above. */
static struct row *group_of(struct screen *s, size_t row)
{
	for (size_t i = row + 1; i-- > 0 && i < s->rows.count;)
		if (s->rows.row[i].is_group)
			return &s->rows.row[i];
	return NULL;
}

static void fold(struct screen *s)
{
	struct row *group = group_of(s, s->selected);

	if (!group) {
		snprintf(s->message, sizeof(s->message), "nothing to fold: g groups the devices");
		return;
	}
	s->selected = (size_t)(group - s->rows.row);
	view_fold(s->view, group->name, !group->folded);
}

static void fold_all(struct screen *s)
{
	bool unfolded = false;

	for (size_t i = 0; i < s->rows.count; i++)
		unfolded |= s->rows.row[i].is_group && !s->rows.row[i].folded;
	view_fold_all(s->view, unfolded);
}

static void sort_by(struct screen *s, int step)
{
	s->view->sort = (enum column)(((int)s->view->sort + step + COLUMNS) % COLUMNS);
	snprintf(s->message, sizeof(s->message), "sorted by %s: %s", column_kinds[s->view->sort].option,
		 column_kinds[s->view->sort].help);
}

/* From the row after the selected one, around. */
static void find_next(struct screen *s, bool from_here)
{
	const char *wanted = s->search[0] ? s->search : s->view->filter;

	for (size_t step = !from_here; *wanted && step <= s->rows.count; step++) {
		size_t i = s->rows.count ? (s->selected + step) % s->rows.count : 0;

		if (i < s->rows.count && !s->rows.row[i].is_group &&
		    row_matches(s->sample, s->rows.row[i].device, wanted)) {
			s->selected = i;
			return;
		}
	}
	snprintf(s->message, sizeof(s->message), *wanted ? "no row matches %s" : "nothing to search for: L begins%s",
		 wanted);
}

static void pause_or_go(struct screen *s)
{
	s->paused = !s->paused;
	worker_pause(s->worker, s->paused);
}

/* False: the key does not change the view. */
static bool change_view(struct screen *s, int key)
{
	switch (key) {
	case 's':
	case '>':
		sort_by(s, 1);
		break;
	case '<':
		sort_by(s, -1);
		break;
	case 'r':
		s->view->reverse = !s->view->reverse;
		break;
	case 'g':
		s->view->group = (s->view->group + 1) % GROUPS;
		view_fold_all(s->view, false);
		break;
	case 'f':
		fold(s);
		break;
	case 'F':
		fold_all(s);
		break;
	case 'c':
		s->all_columns = !s->all_columns;
		s->first_column = 0;
		break;
	default:
		return false;
	}
	screen_rebuild(s);
	return true;
}

/* ---- typing ---- */

static void begin_prompt(struct screen *s, enum prompt prompt)
{
	s->prompt = prompt;
	memcpy(s->filter_before, s->view->filter, sizeof(s->filter_before));
	if (prompt == PROMPT_FILTER)
		memcpy(s->input, s->view->filter, sizeof(s->input));
	else
		s->input[0] = '\0';
}

/* Bytes of UTF-8 come one by one; the last character goes as a whole. */
static void edit(struct screen *s, int key)
{
	size_t len = strlen(s->input);

	if (key == KEY_BACKSPACE || key == 127 || key == 8) {
		while (len && ((unsigned char)s->input[len - 1] & 0xc0) == 0x80)
			len--;
		s->input[len ? len - 1 : 0] = '\0';
	} else if (key == ('u' & 31)) {
		s->input[0] = '\0';
	} else if (key >= ' ' && key < 256 && len + 1 < sizeof(s->input)) {
		s->input[len] = (char)key;
		s->input[len + 1] = '\0';
	}
}

static void type_key(struct screen *s, int key)
{
	enum prompt prompt = s->prompt;

	if (key == KEY_ESCAPE || key == KEY_RETURN || key == KEY_ENTER) {
		s->prompt = PROMPT_NONE;
		if (key == KEY_ESCAPE && prompt == PROMPT_FILTER)
			s->input[0] = '\0';
	} else {
		edit(s, key);
	}
	if (prompt == PROMPT_FILTER) {
		memcpy(s->view->filter, s->input, sizeof(s->view->filter));
		screen_rebuild(s);
	} else if (key != KEY_ESCAPE) {
		memcpy(s->search, s->input, sizeof(s->search));
		if (s->prompt == PROMPT_NONE)
			find_next(s, true);
	}
}

/* ---- all ---- */

static void press_enter(struct screen *s)
{
	if (s->selected >= s->rows.count)
		return;
	if (s->rows.row[s->selected].is_group) {
		fold(s);
		screen_rebuild(s);
	} else {
		open_detail(s, &s->rows.row[s->selected]);
	}
}

static void take_mouse(struct screen *s)
{
	MEVENT event;
	int row;

	if (getmouse(&event) != OK)
		return;
	if (event.bstate & BUTTON4_PRESSED) {
		move_selection(s, KEY_UP);
	} else if (event.bstate & BUTTON5_PRESSED) {
		move_selection(s, KEY_DOWN);
	} else {
		row = event.y - (LINES - screen_body_height() - (LINES >= 5));
		if (row >= 0 && s->top + (size_t)row < s->rows.count)
			s->selected = s->top + (size_t)row;
	}
}

static void rows_key(struct screen *s, int key)
{
	if (move_selection(s, key) || change_view(s, key))
		return;
	switch (key) {
	case KEY_RETURN:
	case KEY_ENTER:
		press_enter(s);
		break;
	case '/':
		begin_prompt(s, PROMPT_FILTER);
		break;
	case 'L':
		begin_prompt(s, PROMPT_SEARCH);
		break;
	case 'n':
		find_next(s, false);
		break;
	case KEY_ESCAPE:
		s->view->filter[0] = '\0';
		screen_rebuild(s);
		break;
	case KEY_MOUSE:
		take_mouse(s);
		break;
	}
}

void screen_key(struct screen *s, int key)
{
	s->message[0] = '\0';
	if (key == KEY_RESIZE)
		return;
	if (s->prompt != PROMPT_NONE) {
		type_key(s, key);
		return;
	}
	if (key == 'q' || key == 3) {
		s->quit = true;
	} else if (key == 'h' || key == '?') {
		if (s->page != PAGE_HELP)
			open_help(s);
		else
			close_page(s);
	} else if (key == ' ') {
		pause_or_go(s);
	} else if (s->page == PAGE_ROWS) {
		rows_key(s, key);
	} else if (key == KEY_ESCAPE || key == KEY_RETURN || key == KEY_ENTER) {
		close_page(s);
	} else {
		move_page(s, key);
	}
}
