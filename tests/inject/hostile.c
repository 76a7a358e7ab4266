/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The victims' lines are the examples themselves with another address, so that
 * a new rule brings its own attack with it.
 */
#include "tests/inject/hostile.h"

#include "common/xalloc.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE_MAX = HOSTILE_LINE_MAX, SAME_FILE_PERCENT = 70 };

static const char *const victims[] = {"198.51.100.99", "2001:db8:bad::99",
	"::ffff:198.51.100.98", "198.51.100.99"};
enum { VICTIMS = sizeof victims / sizeof victims[0] };

/* V stands for the victim. */
static const char *const fragments[] = {" from x[V]: ", " from unknown[V]",
	" from x[V]; ", " rip=V", ", rip=V, lip=192.0.2.1", ">, method=PLAIN",
	", session=<abc>", ", TLS", " secured", "[V]", "[V]:25",
	" from x[V]:", ",V): unknown user", ",V,<s>): ", " rhost=V",
	" rhost=V  user=x", " user=", "user=<", ">", "<", ": ", ", ", "; ",
	"\"", "'", "(", ")",
	" (auth failed, 1 attempts in 1 secs):", "Login: ", "Disconnected ",
	"\\", "#011", "#012", "\xff", "\xc0\xaf", "\xe2\x80\xa8", "..", "V",
	" H=(a) [V]", "\" H=[V]", ") [V]: 535 Incorrect authentication data",
	" [V]:25 I=[192.0.2.1]:25", ", relay=x [V]", ", relay=[IPv6:V]",
	", ip=[V]", ", host=V", " address=V", " client_ip=V", ", client: V, ",
	": Relay access denied", ": Recipient address rejected: Greylisted",
	"; from=<a> to=<b> proto=ESMTP helo=<c>", "warning: ",
	"SASL LOGIN authentication failed: ", " does not resolve to address V",
	"unknown user (SHA1 of given password: abc)",
	"(given password: ", "local_name=x",
	"rejected RCPT <a@b>: ", "authentication failure", " oip=V;", ";oip=V;",
	"IMAP Error: Login failed for x from V", "... from x[V]", "...", "\t",
	"\n", "\r\n", "\x01", "->", "  ->  V", " remote <helo:x:V> rcpt <",
	" V ", "message repeated 3 times: [ ", "\\n", "%", "&quot;",
	"\" tr=\"TCP|192.0.2.1|25|V|1\" ap=\"SMTP\""};
enum { FRAGMENTS = sizeof fragments / sizeof fragments[0] };

/* What may end the field that the text stands in. */
static const char *const enders[] = {"", "x", "x ", "x\"", "x>", "x)", "x'",
	"x) ", "x> ", ", ", "x]", "#012", "\n", "\xff", "x\\\"", "x:", "x;",
	"\">", "@x>", "x=", "x, y="};
enum { ENDERS = sizeof enders / sizeof enders[0] };

/* Where messages are cut on their way, by the header or by nothing less than
 * what is said there: see plugin/pattern.c. */
static const struct {
	size_t from, to;
} cuts[] = {{500, 512}, {798, 800}, {864, 1024}, {1888, 2048}, {3936, 4096},
	{8032, 8192}};
enum { CUTS = sizeof cuts / sizeof cuts[0] };

/* A target's text with its client, or the session that tells the client,
 * replaced by a victim's. */
struct victim_line {
	const struct target *target;
	char *text;
	size_t len, address; /* where that begins */
};

struct hostile {
	const struct targets *targets;
	struct victim_line *lines; /* VICTIMS for each target, or none */
	size_t *of;		   /* by target: index of its first, or -1 */
	size_t count;
};

struct piece {
	char text[PIECE_MAX];
	size_t len;
};

static void
add(struct piece *piece, const char *text, size_t len)
{
	if (len > PIECE_MAX - piece->len)
		len = PIECE_MAX - piece->len;
	memcpy(piece->text + piece->len, text, len);
	piece->len += len;
}

static char *
with_victim(const struct target *target, const char *victim)
{
	const char *at = target->text.text;
	char *text = xstrdup(""), *longer;

	for (size_t i = 0; i < target->place_count; i++) {
		struct span place = target->places[i];

		longer = xasprintf(
			"%s%.*s%s", text, (int)(place.text - at), at, victim);
		free(text);
		text = longer;
		at = place.text + place.len;
	}
	longer = xasprintf("%s%s", text, at);
	free(text);
	return longer;
}

/* The other session has as many characters, all of them digits. */
static char *
with_session(const struct target *target)
{
	char *text = xstrndup(target->text.text, target->text.len);

	memset(text + (target->session.text - target->text.text), '7',
		target->session.len);
	return text;
}

static void
add_victims(struct hostile *hostile, const struct target *target)
{
	bool session = !target->place_count;
	const char *place =
		session ? target->session.text : target->places[0].text;

	for (size_t i = 0; i < VICTIMS; i++) {
		char *text = session ? with_session(target)
				     : with_victim(target, victims[i]);

		hostile->lines[hostile->count++] =
			(struct victim_line){target, text, strlen(text),
				(size_t)(place - target->text.text)};
	}
}

struct hostile *
hostile_new(const struct targets *targets)
{
	struct hostile *hostile = xcalloc(1, sizeof *hostile);

	hostile->targets = targets;
	hostile->lines =
		xcalloc(targets->count * VICTIMS, sizeof *hostile->lines);
	hostile->of = xcalloc(targets->count, sizeof *hostile->of);
	for (size_t i = 0; i < targets->count; i++) {
		const struct target *target = &targets->items[i];

		hostile->of[i] = SIZE_MAX;
		if (!target->place_count && !target->session.len)
			continue;
		hostile->of[i] = hostile->count;
		add_victims(hostile, target);
	}
	return hostile;
}

void
hostile_free(struct hostile *hostile)
{
	for (size_t i = 0; i < hostile->count; i++)
		free(hostile->lines[i].text);
	free(hostile->lines);
	free(hostile->of);
	free(hostile);
}

/* A victim's line of the same file, most times, or of any. */
static const struct victim_line *
any_line(const struct hostile *hostile, struct random *random,
	const struct target *target)
{
	const struct victim_line *line;
	bool same = random_percent(random, SAME_FILE_PERCENT);

	for (int tries = 0; tries < 200; tries++) {
		line = &hostile->lines[random_below(random, hostile->count)];
		if (!same ||
			!strcmp(line->target->def->file, target->def->file))
			return line;
	}
	return line;
}

static const struct victim_line *
own_line(const struct hostile *hostile, struct random *random,
	const struct target *target)
{
	size_t of = hostile->of[target - hostile->targets->items];

	return of == SIZE_MAX
		       ? any_line(hostile, random, target)
		       : &hostile->lines[of + random_below(random, VICTIMS)];
}

static bool
is_border(char c)
{
	return strchr(" \"<>()[]=,:;|'", c) != NULL;
}

/* From a place where something begins, to one where something ends, with the
 * address within most times. */
static void
add_part(struct random *random, struct piece *piece,
	const struct victim_line *line)
{
	size_t start = random_below(random, line->address + 1);
	size_t end = line->len;

	while (start > 0 && !is_border(line->text[start]))
		start--;
	if (random_percent(random, 60)) {
		end = line->address +
		      random_below(random, line->len - line->address + 1);
		while (end < line->len && !is_border(line->text[end]))
			end++;
		if (end < line->len && random_percent(random, 50))
			end++;
	}
	if (start < end)
		add(piece, line->text + start, end - start);
}

static void
add_fragments(struct random *random, struct piece *piece)
{
	size_t count = 1 + random_below(random, 8);
	const char *victim = victims[random_below(random, VICTIMS)];

	while (count--) {
		const char *at = fragments[random_below(random, FRAGMENTS)];

		for (; *at; at++)
			if (*at == 'V')
				add(piece, victim, strlen(victim));
			else
				add(piece, at, 1);
	}
}

/* The victim's line from where the field ends in the target's own. */
static void
add_rest(const struct hostile *hostile, struct random *random,
	struct piece *piece, const struct target *target,
	const struct field *field)
{
	const struct victim_line *line = own_line(hostile, random, target);
	size_t behind = target->text.len - field->end;

	/* Counted from the end, since the address may have another length. */
	if (line->target == target && behind <= line->len &&
		field->end <= line->address)
		add(piece, line->text + line->len - behind, behind);
	else if (line->target == target)
		add(piece, line->text, line->len);
	else
		add_part(random, piece, line);
}

/* One byte gone, doubled or another. */
static void
damage(struct random *random, struct piece *piece)
{
	size_t at;

	if (!piece->len)
		return;
	at = random_below(random, piece->len);
	switch (random_below(random, 3)) {
	case 0:
		memmove(piece->text + at, piece->text + at + 1,
			piece->len - at - 1);
		piece->len--;
		break;
	case 1:
		piece->text[at] = " \"<>()[]=,:;'\\"[random_below(random, 14)];
		break;
	default:
		piece->text[at] = (char)(1 + random_below(random, 255));
	}
}

static void
repeat_to(struct piece *piece, size_t len)
{
	size_t once = piece->len;

	for (size_t at = 0; once && piece->len < len && piece->len < PIECE_MAX;
		at = (at + 1) % once)
		piece->text[piece->len++] = piece->text[at];
}

static void
make_piece(const struct hostile *hostile, struct random *random,
	struct piece *piece, const struct target *target,
	const struct field *field)
{
	const char *ender = enders[random_below(random, ENDERS)];
	size_t kind = random_below(random, 12);

	if (random_percent(random, 60))
		add(piece, ender, strlen(ender));
	if (kind < 3) {
		add_rest(hostile, random, piece, target, field);
	} else if (kind < 5) {
		const struct victim_line *line =
			own_line(hostile, random, target);

		add(piece, line->text, line->len);
	} else if (kind < 6) {
		const struct victim_line *line =
			any_line(hostile, random, target);

		add(piece, line->text, line->len);
	} else if (kind < 9) {
		add_part(random, piece, any_line(hostile, random, target));
	} else {
		add_fragments(random, piece);
	}
	/* And the line's own beginning, so that what follows fits again. */
	if (random_percent(random, 25))
		add(piece, target->text.text, field->start);
	if (random_percent(random, 15))
		damage(random, piece);
	if (random_percent(random, 3))
		repeat_to(piece, random_percent(random, 50) ? 2000 : 8000);
}

void
hostile_place(const struct target *target, const struct field *field,
	struct span text, struct hostile_line *out)
{
	size_t before = field->start, behind = target->text.len - field->end;
	size_t room = HOSTILE_LINE_MAX - before - behind;

	if (text.len > room)
		text.len = room;
	if (text.len > field->max)
		text.len = field->max;
	memcpy(out->text, target->text.text, before);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.text[i];

		/* rsyslog ends a message at a NUL. */
		out->text[before + i] = !c || strchr(field->never, c) ? '?' : c;
	}
	memcpy(out->text + before + text.len, target->text.text + field->end,
		behind);
	out->len = before + text.len + behind;
}

/* Long enough to be cut on its way, with something that matters near the
 * cut. */
static void
cut(struct random *random, const struct field *field, struct piece *piece,
	struct hostile_line *out, const struct target *target)
{
	size_t which = random_below(random, CUTS);
	size_t to = cuts[which].from +
		    random_below(random, cuts[which].to - cuts[which].from + 1);
	size_t used = field->start + piece->len;

	if (used < to) {
		size_t pad = to - used + random_below(random, 30);
		size_t keep = random_below(random, piece->len + 1);

		pad -= keep < pad ? keep : pad;
		if (pad > PIECE_MAX - piece->len)
			pad = PIECE_MAX - piece->len;
		memmove(piece->text + pad, piece->text, piece->len);
		memset(piece->text, 'x', pad);
		piece->len += pad;
	}
	hostile_place(
		target, field, (struct span){piece->text, piece->len}, out);
	if (out->len > to)
		out->len = to;
}

void
hostile_craft(const struct hostile *hostile, struct random *random,
	const struct target *target, size_t index, struct hostile_line *out)
{
	const struct field *field = &target->fields[index];
	const char *old = target->text.text + field->start;
	size_t len = field->end - field->start, how = random_below(random, 3);
	static struct piece piece; /* 8 KiB, and one at a time */

	piece.len = 0;
	if (how == 0)
		add(&piece, old, len);
	make_piece(hostile, random, &piece, target, field);
	if (how == 1)
		add(&piece, old, len);
	if (random_percent(random, 15))
		cut(random, field, &piece, out, target);
	else
		hostile_place(target, field,
			(struct span){piece.text, piece.len}, out);
}

void
hostile_craft_long(const struct hostile *hostile, struct random *random,
	const struct target *target, size_t index, struct hostile_line *out)
{
	const struct field *field = &target->fields[index];
	static struct piece piece;

	piece.len = 0;
	make_piece(hostile, random, &piece, target, field);
	repeat_to(&piece, random_percent(random, 50) ? 2000 : 8000);
	hostile_place(target, field, (struct span){piece.text, piece.len}, out);
}
