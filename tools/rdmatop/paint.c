// SPDX-License-Identifier: Apache-2.0
/* Curses: the only file that knows of colours. Nothing paints a background, so that any terminal's own one stays. */
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <unistd.h>

/* term.h has macros by these names. */
#undef lines
#undef columns

#include "rdmatop/clean.h"
#include "rdmatop/screen_internal.h"

bool screen_usable(void)
{
	int error;
	bool usable;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || setupterm(NULL, STDOUT_FILENO, &error))
		return false;
	usable = tigetstr("cup") && tigetstr("cup") != (char *)-1 && tigetstr("clear");
	del_curterm(cur_term);
	return usable;
}

/* https://no-color.org: set, and not empty. */
static bool wants_colours(void)
{
	const char *no_color = getenv("NO_COLOR");

	return !(no_color && *no_color) && has_colors();
}

static bool coloured;

/* Red, green and magenta can be read on black and on white; yellow, white, blue and cyan cannot on one of them. */
static void begin_colours(void)
{
	coloured = wants_colours() && start_color() == OK && use_default_colors() == OK;
	if (!coloured)
		return;
	init_pair(PAINT_GOOD, COLOR_GREEN, -1);
	init_pair(PAINT_UNSURE, COLOR_MAGENTA, -1);
	init_pair(PAINT_BAD, COLOR_RED, -1);
}

bool paint_begin(bool mouse)
{
	if (!initscr())
		return false;
	begin_colours();
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(25);
	curs_set(0);
	if (mouse)
		mousemask(BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
	return true;
}

void paint_end(void)
{
	endwin();
}

static attr_t attributes(enum paint paint, bool reversed)
{
	attr_t a = reversed ? A_REVERSE : A_NORMAL;

	switch (paint) {
	case PAINT_BAD:
		return a | A_BOLD | (coloured ? COLOR_PAIR(PAINT_BAD) : 0);
	case PAINT_UNSURE:
		return a | (coloured ? COLOR_PAIR(PAINT_UNSURE) : 0);
	case PAINT_GOOD:
		return a | (coloured ? COLOR_PAIR(PAINT_GOOD) : 0);
	case PAINT_GROUP:
		return a | A_BOLD;
	case PAINT_DIM:
		return a | A_DIM;
	default:
		return a;
	}
}

void paint_text(int y, int x, int width, bool right, enum paint paint, bool reversed, const char *text)
{
	char cell[2048];

	if (y < 0 || y >= LINES || x >= COLS)
		return;
	clean_fit(text, x + width > COLS ? COLS - x : width, right, cell, sizeof(cell));
	attrset(attributes(paint, reversed));
	mvaddstr(y, x, cell);
	attrset(A_NORMAL);
}

void paint_format(int y, enum paint paint, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	paint_text(y, 0, COLS, false, paint, false, text);
}
