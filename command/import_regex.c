/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From an expression as Python's re and fail2ban's tags have it to PCRE2 with
 * ours. It is read once, from left to right; what has no counterpart ends it
 * with the reason.
 */
#include "command/import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

enum { GROUPS_MAX = 60, TAGS_MAX = 16, NAME_MAX_LEN = 48 };

/* A program's own time stamp, which fail2ban takes out of a line wherever it
 * stands; in front of the message there may still be one. */
#define CLOCK "\\d\\d:\\d\\d:\\d\\d"
#define OWN_TIME                                                               \
	"(?:\\[?(?:\\d{4}[-/]\\d\\d[-/]\\d\\d[ T]" CLOCK "(?:[.,]\\d+)?"       \
	"(?: ?[+-]\\d\\d:?\\d\\d|Z)?|"                                         \
	"\\d\\d?[-/](?:\\d\\d|[A-Z][a-z]{2})[-/]\\d{4}[: ]" CLOCK              \
	"(?: [+-]\\d{4})?|[A-Z][a-z]{2}-\\d\\d-\\d\\d " CLOCK                  \
	"|(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} [ \\d]\\d " CLOCK                   \
	"(?: \\d{4})?)\\]?)?"

/* One expression on its way. */
struct reading {
	struct imported *out;
	const char *text, *at;
	FILE *to;
	char *made; /* what to has, after fflush */
	size_t made_len;
	const char *reset; /* the group whose branches all hold an address */
	bool addr, user, session, gave_up;
	/* Groups as Python counts them from the beginning of this expression,
	 * and as PCRE2 counts them from the beginning of the pattern. */
	unsigned python, pcre;
	unsigned number[GROUPS_MAX + 1];
	char names[GROUPS_MAX + 1][NAME_MAX_LEN];
	size_t open_tags;
};

static void
note(struct imported *out, char *text)
{
	for (size_t i = 0; i < out->note_count; i++)
		if (!strcmp(out->notes[i], text)) {
			free(text);
			return;
		}
	if (out->note_count < sizeof out->notes / sizeof out->notes[0])
		out->notes[out->note_count++] = text;
	else
		free(text);
}

/* Ends the reading. */
static void
give_up(struct reading *reading, char *why)
{
	if (reading->out->why_not)
		free(why);
	else
		reading->out->why_not = why;
	reading->gave_up = true;
}

static void
put(struct reading *reading, const char *text)
{
	(void)fputs(text, reading->to);
}

static bool
put_ends_with(struct reading *reading, const char *text)
{
	size_t len = strlen(text);

	(void)fflush(reading->to);
	return reading->made_len >= len &&
	       !memcmp(reading->made + reading->made_len - len, text, len);
}

static bool
starts(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* A capturing group begins; name may be NULL. */
static void
count_group(struct reading *reading, const char *name, size_t len)
{
	reading->pcre++;
	if (++reading->python > GROUPS_MAX) {
		give_up(reading, xstrdup("it has too many groups"));
		return;
	}
	reading->number[reading->python] = reading->pcre;
	if (name)
		(void)snprintf(reading->names[reading->python], NAME_MAX_LEN,
			"%.*s", (int)len, name);
}

/* Past an escape or a character class; *at is at its beginning. */
static const char *
skip_atom(const char *at)
{
	if (*at == '\\')
		return at + (at[1] ? 2 : 1);
	if (*at != '[')
		return *at ? at + 1 : at;
	at += at[1] == '^' ? 2 : 1;
	if (*at == ']')
		at++;
	while (*at && *at != ']')
		at += *at == '\\' && at[1] ? 2 : 1;
	return *at ? at + 1 : at;
}

/* What a tag stands for an address with; length of the tag, or 0. */
static size_t
address_tag(const char *at, bool *brackets)
{
	static const struct {
		const char *tag;
		bool brackets;
	} tags[] = {{"<HOST>", true}, {"<ADDR>", true}, {"<F-ADDR/>", true},
		{"<SUBNET>", true}, {"<F-SUBNET/>", true}, {"<IP4>", false},
		{"<F-IP4/>", false}, {"<IP6>", false}, {"<F-IP6/>", false},
		{"<F-ID/>", false}};

	for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
		if (starts(at, tags[i].tag)) {
			*brackets = tags[i].brackets;
			return strlen(tags[i].tag);
		}
	return 0;
}

/* A pattern may hold <ADDR> once, but for the branches of "(?|": where there
 * are several, the innermost group around all of them becomes one. */
static const char *
group_of_addresses(const char *text, size_t *count)
{
	const char *open[GROUPS_MAX], *around = NULL;
	size_t depth = 0, common = 0, low = 0;
	bool brackets;

	*count = 0;
	for (; *text; text = skip_atom(text)) {
		if (*text == '(' && depth < GROUPS_MAX)
			open[depth++] = text;
		else if (*text == ')' && depth)
			depth--;
		low = depth < low ? depth : low;
		if (!address_tag(text, &brackets))
			continue;
		if (!(*count)++)
			common = depth;
		else
			common = low < common ? low : common;
		around = common ? open[common - 1] : NULL;
		low = depth;
	}
	return *count > 1 ? around : NULL;
}

static void
put_address(struct reading *reading, bool brackets)
{
	const char *tag = "<ADDR>";

	if (reading->addr && !reading->reset) {
		give_up(reading, xstrdup("it has more than one address"));
		return;
	}
	if (brackets && !put_ends_with(reading, "\\[") &&
		!put_ends_with(reading, "\\[?"))
		tag = "\\[?<ADDR>\\]?";
	put(reading, tag);
	/* Python has a group for each family, and one for a name. */
	if (!reading->addr)
		reading->pcre++;
	reading->python += brackets ? 3 : 1;
	reading->addr = true;
}

/* fail2ban's own groups are named like the tags, in small letters. */
static void
count_tag(struct reading *reading, const char *name, size_t len)
{
	char small[NAME_MAX_LEN];

	len = len < sizeof small ? len : sizeof small;
	for (size_t i = 0; i < len; i++)
		small[i] = (char)(name[i] | (name[i] >= 'A' ? 32 : 0));
	count_group(reading, small, len);
}

static void
open_tag(struct reading *reading, const char *name, size_t len)
{
	const char *with = "(";

	if (reading->open_tags == TAGS_MAX) {
		give_up(reading, xstrdup("it has too many tags"));
		return;
	}
	if (starts(name, "USER>") && !reading->user) {
		with = "(?<USER>";
		reading->user = true;
	} else if (starts(name, "ID>") && !reading->addr) {
		with = "(?<ADDR>";
		reading->addr = true;
	} else if (starts(name, "MLFID>") && !reading->session) {
		with = "(?<SESSION>";
		reading->session = true;
	} else if (starts(name, "NOFAIL>")) {
		reading->out->charges_none = true;
	} else if (starts(name, "MLFGAINED>") || starts(name, "MLFFORGET>")) {
		note(reading->out,
			xasprintf("<F-%.*s>: what it gains or forgets for "
				  "other lines is not carried over",
				(int)len, name));
	}
	put(reading, with);
	reading->open_tags++;
	count_tag(reading, name, len);
}

/* "<F-NAME>", "</F-NAME>", "<F-NAME/>". False: none of them. */
static bool
take_f_tag(struct reading *reading)
{
	const char *name = reading->at + 1, *end;
	bool closing = *name == '/';
	size_t len;

	name += closing;
	if (!starts(name, "F-"))
		return false;
	name += 2;
	len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
	end = name + len;
	if (*end == '/' && end[1] == '>') {
		bool user = !strncmp(name, "USER", len) && !reading->user;

		put(reading, user ? "(?<USER>\\S+)" : "(\\S+)");
		reading->user |= user;
		count_tag(reading, name, len);
		reading->at = end + 2;
		return true;
	}
	if (*end != '>')
		return false;
	reading->at = end + 1;
	if (!closing)
		open_tag(reading, name, len);
	else if (reading->open_tags) {
		put(reading, ")");
		reading->open_tags--;
	}
	return true;
}

/* A text such as "<USER>" would be a token of ours. */
static bool
is_token(const char *at)
{
	size_t len = strspn(at + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	return len && at[len + 1] == '>';
}

static void
take_angle(struct reading *reading)
{
	bool brackets, subnet = strstr(reading->at, "SUBNET") != NULL;
	size_t len = address_tag(reading->at, &brackets);

	if (len) {
		subnet = subnet && (starts(reading->at, "<SUBNET>") ||
					   starts(reading->at, "<F-SUBNET/>"));
		put_address(reading, brackets);
		if (subnet)
			put(reading, "(?:/\\d+)?");
		else if (!reading->at[len])
			/* A full stop behind it is no part of it. */
			put(reading, "(?<![.:])");
		reading->at += len;
	} else if (starts(reading->at, "<DNS>")) {
		give_up(reading, xstrdup("it charges a host name; no name is "
					 "ever resolved here"));
	} else if (starts(reading->at, "<SKIPLINES>")) {
		give_up(reading, xstrdup("it is for several lines at once "
					 "(<SKIPLINES>)"));
	} else if (!take_f_tag(reading)) {
		put(reading, is_token(reading->at) ? "\\<" : "<");
		reading->at++;
	}
}

/* "\1" or "(?P=name)", by number in the pattern. */
static void
put_reference(struct reading *reading, unsigned python)
{
	char text[16];

	if (!python || python > GROUPS_MAX || !reading->number[python]) {
		give_up(reading, xstrdup("it refers back to a group that is "
					 "not there"));
		return;
	}
	(void)snprintf(text, sizeof text, "\\g{%u}", reading->number[python]);
	put(reading, text);
}

static void
take_backslash(struct reading *reading)
{
	char c = reading->at[1];

	if (c >= '1' && c <= '9') {
		char *end;
		unsigned long number = strtoul(reading->at + 1, &end, 10);

		put_reference(
			reading, number > GROUPS_MAX ? 0 : (unsigned)number);
		reading->at = end;
		return;
	}
	if (c == 'u' || c == 'U' || c == 'N') {
		give_up(reading, xasprintf("\\%c is Python's alone", c));
		return;
	}
	(void)fputc('\\', reading->to);
	/* Without a letter behind, \Z of Python is \z of PCRE2. */
	if (c)
		(void)fputc(c == 'Z' ? 'z' : c, reading->to);
	reading->at += c ? 2 : 1;
}

/* "(?P<name>" and "(?P=name)"; at is behind "(?P". */
static void
take_named(struct reading *reading, const char *at)
{
	size_t len = strcspn(at + 1, *at == '<' ? ">" : ")");
	const char *name = at + 1;

	if (*at == '=') {
		unsigned found = 0;

		for (unsigned i = 1; i <= reading->python && i <= GROUPS_MAX;
			i++)
			if (strlen(reading->names[i]) == len &&
				!strncmp(reading->names[i], name, len))
				found = i;
		put_reference(reading, found);
		reading->at = name + len + (name[len] == ')');
		return;
	}
	if (!reading->user && ((len == 4 && !strncasecmp(name, "user", 4)))) {
		put(reading, "(?<USER>");
		reading->user = true;
	} else {
		put(reading, "(");
	}
	count_group(reading, name, len);
	reading->at = name + len + (name[len] == '>');
}

/* "(?aiLmsux)" or "(?i:": those letters that PCRE2 has. */
static void
take_flags(struct reading *reading)
{
	const char *at = reading->at + 2;

	put(reading, "(?");
	for (; *at && *at != ')' && *at != ':'; at++) {
		if (*at == 'x' || *at == 'm') {
			give_up(reading,
				xasprintf(
					"the flag %c is not known here", *at));
			return;
		}
		if (strchr("is-", *at))
			(void)fputc(*at, reading->to);
	}
	reading->at = at;
}

static void
take_group(struct reading *reading)
{
	const char *at = reading->at;

	if (at == reading->reset) {
		put(reading, "(?|");
		if (!starts(at, "(?"))
			count_group(reading, NULL, 0);
		if (!starts(at, "(?"))
			reading->pcre--;
		reading->at += starts(at, "(?:") ? 3 : 1;
	} else if (starts(at, "(?P") && (at[3] == '<' || at[3] == '=')) {
		take_named(reading, at + 3);
	} else if (starts(at, "(?(")) {
		give_up(reading, xstrdup("it has a conditional group"));
	} else if (starts(at, "(?#")) {
		at += strcspn(at, ")");
		reading->at = *at ? at + 1 : at;
	} else if (starts(at, "(?") && !strchr(":=!<>", at[2])) {
		take_flags(reading);
	} else {
		(void)fputc('(', reading->to);
		reading->at++;
		if (at[1] != '?')
			count_group(reading, NULL, 0);
	}
}

/* Expression up to its end into reading->to. */
static void
translate(struct reading *reading, const char *text)
{
	const char *end;
	size_t addresses;

	reading->at = text;
	reading->reset = group_of_addresses(text, &addresses);
	memset(reading->number, 0, sizeof reading->number);
	reading->python = 0;
	while (*reading->at && !reading->gave_up)
		switch (*reading->at) {
		case '\\':
			take_backslash(reading);
			break;
		case '[':
			end = skip_atom(reading->at);
			(void)fwrite(reading->at, 1,
				(size_t)(end - reading->at), reading->to);
			reading->at = end;
			break;
		case '(':
			take_group(reading);
			break;
		case '<':
			take_angle(reading);
			break;
		case FILTER_PREFIX:
			reading->out->had_prefix = true;
			reading->at++;
			break;
		case '{':
			put(reading, reading->at[1] == ',' ? "{0" : "{");
			reading->at++;
			break;
		default:
			(void)fputc(*reading->at++, reading->to);
		}
}

/* --- the beginning ---------------------------------------------------- */

/* The blank that stood between the time, or the host, and the message is not
 * there any more: what takes it first becomes optional. Returns behind the
 * last place where the message may begin. */
static const char *put_optional_lead(FILE *to, const char *at);

static const char *
put_lead_group(FILE *to, const char *at)
{
	const char *inner = at + (starts(at, "(?:") ? 3 : 1);

	(void)fwrite(at, 1, (size_t)(inner - at), to);
	while (*inner) {
		size_t depth = 0;

		inner = put_optional_lead(to, inner);
		while (*inner && !(depth == 0 && strchr("|)", *inner))) {
			const char *next = skip_atom(inner);

			depth += *inner == '(';
			depth -= *inner == ')';
			(void)fwrite(inner, 1, (size_t)(next - inner), to);
			inner = next;
		}
		if (*inner)
			(void)fputc(*inner, to);
		if (!*inner || *inner++ == ')')
			break;
	}
	return inner;
}

static const char *
put_optional_lead(FILE *to, const char *at)
{
	bool blank = *at == ' ' || starts(at, "\\s");
	size_t len = *at == ' ' ? 1 : 2;

	/* What the time stamp left of its brackets. */
	if (starts(at, "\\[\\]")) {
		(void)fputs("(?:\\[\\])?", to);
		return put_optional_lead(to, at + 4);
	}
	if (blank) {
		(void)fwrite(at, 1, len, to);
		at += len;
		if (*at == '+')
			(void)fputc('*', to);
		else if (*at != '*' && *at != '?')
			(void)fputc('?', to);
		return *at == '+' ? at + 1 : at;
	}
	if (*at == '(' && (at[1] != '?' || at[2] == ':')) {
		at = put_lead_group(to, at);
		if (*at == '?' || *at == '*') {
			(void)fputc(*at++, to);
			return put_optional_lead(to, at);
		}
	}
	return at;
}

static char *
optional_lead(const char *text)
{
	char *made = NULL;
	size_t len;
	FILE *to = open_memstream(&made, &len);

	if (!to)
		return xstrdup(text);
	text = put_optional_lead(to, text);
	(void)fputs(text, to);
	(void)fclose(to);
	return made;
}

/* --- prefregex -------------------------------------------------------- */

/* Whether there is a '|' outside of all groups. */
static bool
has_branches(const char *text)
{
	size_t depth = 0;

	for (; *text; text = skip_atom(text)) {
		depth += *text == '(';
		depth -= *text == ')' && depth;
		if (*text == '|' && !depth)
			return true;
	}
	return false;
}

/* Before and behind <F-CONTENT>...</F-CONTENT>, and a lookahead for what is in
 * it where that is not just anything. */
static bool
split_content(const char *text, char **before, char **behind)
{
	const char *open = strstr(text, "<F-CONTENT>");
	const char *close = strstr(text, "</F-CONTENT>"), *inner;
	bool any;

	if (!open || !close || close < open)
		return false;
	inner = open + strlen("<F-CONTENT>");
	any = starts(inner, ".+<") || starts(inner, ".*<") ||
	      starts(inner, ".+?<");
	*behind = xstrdup(close + strlen("</F-CONTENT>"));
	if (any)
		*before = xstrndup(text, (size_t)(open - text));
	else
		*before = xasprintf("%.*s(?=%.*s%s)", (int)(open - text), text,
			(int)(close - inner), inner, *behind);
	return true;
}

/* What stands behind the content is mostly its end again. */
static char *
join_end(const char *regex, const char *behind)
{
	size_t len = strlen(regex);
	bool ends = len && regex[len - 1] == '$' &&
		    (len < 2 || regex[len - 2] != '\\');

	if (!behind || !strcmp(behind, "$") || !strcmp(behind, "\\s*$") ||
		!behind[0])
		return xstrdup(regex);
	if (ends)
		return xasprintf("%.*s%s", (int)(len - 1), regex, behind);
	return xasprintf("%s.*%s", regex, behind);
}

/* Without the '^' that begins it, in *anchored whether there was one; flags
 * that stand before it are kept. */
static char *
without_anchor(const char *text, bool *anchored)
{
	size_t flags = 0;

	text += strspn(text, " \t");
	if (text[0] == '(' && text[1] == '?' &&
		text[2 + strspn(text + 2, "aiLmsux")] == ')')
		flags = 3 + strspn(text + 2, "aiLmsux");
	*anchored = text[flags] == '^' || starts(text + flags, "\\A");
	if (!*anchored)
		return xstrdup(text);
	return xasprintf("%.*s%s", (int)flags, text,
		text + flags + (text[flags] == '^' ? 1 : 2));
}

/* An id that may be empty would be everybody's: "<F-MLFID>(...)?</F-MLFID>"
 * becomes "(?:<F-MLFID>(...)</F-MLFID>)?"; and where nothing but the syslog
 * prefix is in it, nothing is left. */
static char *
required_session(char *before)
{
	char *open = strstr(before, "<F-MLFID>"), *inner, *made;
	char *close = strstr(before, "</F-MLFID>");
	bool optional;

	if (!open || !close || close < open)
		return before;
	inner = open + strlen("<F-MLFID>");
	inner += *inner == FILTER_PREFIX;
	optional = close - inner > 2 && !strncmp(close - 2, ")?", 2);
	made = optional ? xasprintf("%.*s%c(?:<F-MLFID>%.*s</F-MLFID>)?%s",
				  (int)(open - before), before, FILTER_PREFIX,
				  (int)(close - 1 - inner), inner,
				  close + strlen("</F-MLFID>"))
			: xasprintf("%.*s%c%.*s%s", (int)(open - before),
				  before, FILTER_PREFIX, (int)(close - inner),
				  inner, close + strlen("</F-MLFID>"));
	free(before);
	return made;
}

/* The part of prefregex before the content, without its anchor. */
static char *
take_prefix(const char *prefregex, char **behind, struct imported *out)
{
	char *before = NULL, *bare;
	bool anchored;

	if (!prefregex || !prefregex[0])
		return NULL;
	if (!split_content(prefregex, &before, behind)) {
		out->why_not = xstrdup("its prefregex has no <F-CONTENT>");
		return NULL;
	}
	bare = without_anchor(before, &anchored);
	free(before);
	if (!anchored)
		out->why_not = xstrdup("its prefregex is not anchored (^)");
	return required_session(bare);
}

/* --- all of it -------------------------------------------------------- */

static void
put_start(struct reading *reading, const char *lead, bool anchored, bool search)
{
	put(reading, "^");
	if (!anchored)
		put(reading, ".*?");
	/* Behind the syslog prefix no time stamp is expected. */
	else if (lead[0] != FILTER_PREFIX)
		put(reading, OWN_TIME);
	if (!anchored && !search && !reading->out->why_not)
		reading->out->why_not = xstrdup(
			"it is not anchored (^): what a stranger wrote further "
			"on in a line could match");
}

/* With the groups in which the branches of the content stand, where it has
 * more than one. */
static void
put_content(struct reading *reading, const char *content, bool wrapped)
{
	char *bare = xstrdup(content);

	if (wrapped) {
		put(reading, "(?:");
		/* A '^' behind the prefix would never match. */
		for (char *at = bare; *at; at++)
			if (at[0] == '|' && at[1] == '^')
				memmove(at + 1, at + 2, strlen(at + 2) + 1);
	}
	translate(reading, bare);
	if (wrapped)
		put(reading, ")");
	free(bare);
}

static void
finish(struct reading *reading, struct imported *out)
{
	size_t len;

	(void)fclose(reading->to);
	len = reading->made_len;
	out->has_addr = reading->addr;
	out->has_session = reading->session;
	if (reading->gave_up) {
		free(reading->made);
		return;
	}
	out->pattern = reading->made;
	/* The file's reader takes blanks off the end of a value. */
	if (len && out->pattern[len - 1] == ' ' &&
		(len < 2 || out->pattern[len - 2] != '\\')) {
		out->pattern =
			xasprintf("%.*s\\x20", (int)(len - 1), reading->made);
		free(reading->made);
	}
}

void
import_regex(const char *prefregex, const char *regex, bool search,
	struct imported *out)
{
	struct reading reading = {.out = out};
	char *behind = NULL, *prefix, *content, *joined;
	bool anchored;

	*out = (struct imported){.pattern = NULL};
	reading.to = open_memstream(&reading.made, &reading.made_len);
	if (!reading.to)
		return;
	prefix = take_prefix(prefregex, &behind, out);
	content = without_anchor(regex, &anchored);
	joined = join_end(content, behind);
	free(content);
	if (!prefix) {
		content = optional_lead(joined);
		put_start(&reading, content, anchored, search);
		put_content(&reading, content, has_branches(content));
	} else {
		content = optional_lead(prefix);
		put_start(&reading, content, true, search);
		translate(&reading, content);
		if (!anchored)
			put(&reading, ".*?");
		if (!anchored && !search && !out->why_not)
			out->why_not = xstrdup("behind prefregex it is not "
					       "anchored (^)");
		put_content(&reading, joined, has_branches(joined));
	}
	finish(&reading, out);
	free(prefix);
	free(behind);
	free(joined);
	free(content);
}

void
imported_clear(struct imported *imported)
{
	free(imported->pattern);
	free(imported->why_not);
	for (size_t i = 0; i < imported->note_count; i++)
		free(imported->notes[i]);
	*imported = (struct imported){.pattern = NULL};
}
