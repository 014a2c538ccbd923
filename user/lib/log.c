// SPDX-License-Identifier: Apache-2.0
#include "lib/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static struct {
	enum log_level max;
	bool journal;
} log_state = { .max = LOG_LEVEL_INFO };

void log_init(bool debug)
{
	log_state.max = debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
	log_state.journal = getenv("JOURNAL_STREAM") != NULL;
}

static const char *level_name(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERR:
		return "error: ";
	case LOG_LEVEL_WARN:
		return "warning: ";
	case LOG_LEVEL_INFO:
		return "";
	case LOG_LEVEL_DEBUG:
		return "debug: ";
	}
	return "";
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char line[1024];
	va_list args;

	if (level > log_state.max)
		return;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	if (log_state.journal)
		fprintf(stderr, "<%d>%s\n", level, line);
	else
		fprintf(stderr, "wardend: %s%s\n", level_name(level), line);
}
