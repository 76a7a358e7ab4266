/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words are looked for twice: all of them at once in the look that every
 * message gets (grams_add_word), and here in what that lets through and no
 * rule knows.
 */
#include "plugin/unknown.h"

#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

/* In small letters; four or more, see grams_add_word. Of what servers say in
 * every other message ("unknown", "error", "from") none. */
static const char *const words[] = {"fail", "denied", "deny", "reject",
	"refuse", "refusing", "invalid", "illegal", "mismatch", "incorrect",
	"wrong", "authentication", "unauthor", "not allowed", "disallow",
	"forbidden", "not permitted", "bad password", "unknown user",
	"no such user", "user unknown", "attack", "intrus", "abuse"};
enum { WORDS = sizeof words / sizeof words[0] };

struct unknown {
	uint64_t total, others;
	struct unknown_entry entries[UNKNOWN_PROGRAMS];
};

struct unknown *
unknown_new(void)
{
	return xcalloc(1, sizeof(struct unknown));
}

void
unknown_free(struct unknown *unknown)
{
	free(unknown);
}

const char *
unknown_word(size_t index)
{
	return index < WORDS ? words[index] : NULL;
}

static char
small(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
}

static bool
is_word(const char *text, size_t len, const char *word)
{
	size_t i;

	for (i = 0; i < len && word[i]; i++)
		if (small(text[i]) != word[i])
			return false;
	return !word[i];
}

bool
unknown_smells(struct span text)
{
	for (size_t at = 0; at < text.len; at++)
		for (size_t i = 0; i < WORDS; i++)
			if (is_word(text.text + at, text.len - at, words[i]))
				return true;
	return false;
}

/* Of the program, or a free one, or NULL. */
static struct unknown_entry *
entry_of(struct unknown *unknown, struct span program)
{
	size_t len = program.len < UNKNOWN_PROGRAM_LEN
			     ? program.len
			     : UNKNOWN_PROGRAM_LEN - 1;

	for (size_t i = 0; i < UNKNOWN_PROGRAMS; i++) {
		struct unknown_entry *entry = &unknown->entries[i];

		if (!entry->count) {
			memcpy(entry->program, program.text, len);
			entry->program[len] = '\0';
			return entry;
		}
		if (strncmp(entry->program, program.text, len) == 0 &&
			!entry->program[len])
			return entry;
	}
	return NULL;
}

bool
unknown_note(struct unknown *unknown, const struct message *message)
{
	struct unknown_entry *entry;

	if (!unknown_smells(message->msg))
		return false;
	unknown->total += message->repeat;
	entry = entry_of(unknown, message->program);
	if (!entry) {
		unknown->others += message->repeat;
		return true;
	}
	if (!entry->count)
		entry->first_us = message->time_us;
	entry->count += message->repeat;
	entry->last_us = message->time_us;
	entry->sample_len = message->msg.len < UNKNOWN_SAMPLE_LEN
				    ? message->msg.len
				    : UNKNOWN_SAMPLE_LEN;
	memcpy(entry->sample, message->msg.text, entry->sample_len);
	return true;
}

const struct unknown_entry *
unknown_next(const struct unknown *unknown, size_t *cursor)
{
	if (*cursor >= UNKNOWN_PROGRAMS || !unknown->entries[*cursor].count)
		return NULL;
	return &unknown->entries[(*cursor)++];
}

uint64_t
unknown_total(const struct unknown *unknown)
{
	return unknown->total;
}

uint64_t
unknown_others(const struct unknown *unknown)
{
	return unknown->others;
}

void
unknown_clear(struct unknown *unknown)
{
	unknown->total = 0;
	unknown->others = 0;
	memset(unknown->entries, 0, sizeof unknown->entries);
}
