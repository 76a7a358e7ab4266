/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log lines of the three programs: to stderr, and in a daemon to /dev/log as
 * well, never waiting. syslog(3) is not used: it blocks while rsyslogd may be
 * waiting for our answer, a deadlock that was seen. What /dev/log would not
 * take at once is dropped and counted. Facility is never mail, so that nothing
 * we say can come back to us as input.
 */
#ifndef MAILBAN_LOG_H
#define MAILBAN_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* program is kept, not copied. to_syslog: open /dev/log too (facility
 * daemon). Lines above max are not made. */
void log_open(const char *program, enum log_level max, bool to_syslog);
/* Lines that /dev/log did not take since the start. */
uint64_t log_dropped(void);

void log_line(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
#define log_err(...) log_line(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
/* Says it and leaves with status 1. */
void fatal(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

/* Outside text made safe for a log line or a terminal: control characters,
 * bytes that are no UTF-8, and U+0080..U+009F, U+2028, U+2029 and the
 * direction marks become \xNN. Cut at size - 1, with "..." when cut. Returns
 * out. */
const char *text_escape(
	const char *text, size_t len, char *out, size_t size);

#endif
