/* SPDX-License-Identifier: Apache-2.0 */
/* The log: lines on stderr, with systemd's <N> priority prefixes when stderr is the journal. */
#ifndef WARDEN_LOG_H
#define WARDEN_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

void log_init(bool debug);
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define pr_err(...) log_line(LOG_LEVEL_ERR, __VA_ARGS__)
#define pr_warn(...) log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define pr_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define pr_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
