/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spans of time as administrators write them: "90" (seconds), "10m", "12h",
 * "7d", "4w", combined as "1d12h"; "permanent" (fail2ban's -1 too) for ever.
 */
#ifndef MAILBAN_DURATION_H
#define MAILBAN_DURATION_H

#include <stdint.h>

/* Spans are in seconds; this one never ends. */
#define DURATION_PERMANENT INT64_MAX
/* 3,650 days: nftables takes that, and refuses far longer with ERANGE
 * (FACTS.md, "nftables"). */
#define DURATION_MAX_S (INT64_C(3650) * 86400)

enum { DURATION_STRLEN = 32 };

/* -EBADMSG: no such form; -ERANGE: negative, or above DURATION_MAX_S. */
int duration_parse(const char *text, int64_t *seconds);
/* "permanent", "2d 3h", "15s": the two largest units. Returns out. */
const char *duration_format(int64_t seconds, char out[DURATION_STRLEN]);

#endif
