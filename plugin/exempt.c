/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An array of some tens, a thousand at most but for the file, gone through
 * when a person asks; the union is a netset, made anew when something changed.
 */
#include "plugin/exempt.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

enum {
	/* So many offences of one address before it is told. */
	HIDDEN_MIN = 50,
	/* And how many of others it takes at most to be forgotten. */
	HIDDEN_MAX = 1000,
	LINE_MAX_LEN = 1024,
	RECENT = 256, /* a power of two */
};

struct item {
	struct exempt seen; /* what others are shown */
	char *by, *reason;  /* its texts, ours */
};

struct recent {
	struct addr addr;
	int64_t time_us;
};

struct exempts {
	struct item *items;
	size_t count, room, senders;
	struct netset all;
	struct recent recent[RECENT]; /* senders noted within half a day */
	/* Boyer and Moore's vote: while `lead` is not 0, `candidate` had more
	 * than half of the votes since it became that. */
	struct addr candidate;
	bool candidate_exempt;
	unsigned lead;
	uint64_t votes;
};

struct exempts *
exempts_new(void)
{
	return xcalloc(1, sizeof(struct exempts));
}

static void
free_texts(struct item *item)
{
	free(item->by);
	free(item->reason);
}

void
exempts_free(struct exempts *all)
{
	if (!all)
		return;
	for (size_t i = 0; i < all->count; i++)
		free_texts(&all->items[i]);
	free(all->items);
	netset_free(&all->all);
	free(all);
}

static bool
unite(struct exempts *all)
{
	struct netset old = all->all;
	bool changed;

	all->all = (struct netset){0};
	for (size_t i = 0; i < all->count; i++)
		netset_add(&all->all, &all->items[i].seen.net);
	changed = !netset_equal(&old, &all->all);
	netset_free(&old);
	return changed;
}

static void
append(struct exempts *all, const struct exempt *one)
{
	struct item *item;

	if (all->count == all->room) {
		all->room = all->room ? all->room * 2 : 32;
		all->items = xreallocarray(
			all->items, all->room, sizeof(*all->items));
	}
	item = &all->items[all->count++];
	*item = (struct item){.seen = *one,
		.by = one->by ? xstrdup(one->by) : NULL,
		.reason = one->reason ? xstrdup(one->reason) : NULL};
	item->seen.by = item->by;
	item->seen.reason = item->reason;
	all->senders += one->source == EXEMPT_SENDER;
}

static void
take_away(struct exempts *all, size_t at)
{
	all->senders -= all->items[at].seen.source == EXEMPT_SENDER;
	free_texts(&all->items[at]);
	all->items[at] = all->items[--all->count];
}

/* Its place, or count. */
static size_t
place_of(const struct exempts *all, enum exempt_source source,
	const struct network *net)
{
	size_t at = 0;

	for (; at < all->count; at++) {
		const struct exempt *one = &all->items[at].seen;

		if (one->source == source && network_equal(&one->net, net))
			break;
	}
	return at;
}

bool
exempts_replace(struct exempts *all, enum exempt_source source,
	const struct netset *nets)
{
	for (size_t i = 0; i < all->count;)
		if (all->items[i].seen.source == source)
			take_away(all, i);
		else
			i++;
	for (size_t i = 0; i < nets->count; i++) {
		struct exempt one = {.net = nets->items[i],
			.source = source,
			.until_us = EXEMPT_PERMANENT};

		append(all, &one);
	}
	return unite(all);
}

bool
exempts_add(struct exempts *all, const struct exempt *one)
{
	size_t at = place_of(all, one->source, &one->net);
	struct exempt copy = *one;

	/* Before the old one goes: it may be that. */
	append(all, &copy);
	if (at + 1 < all->count)
		take_away(all, at);
	return unite(all);
}

bool
exempts_remove(struct exempts *all, const struct network *net, bool *found)
{
	size_t at = place_of(all, EXEMPT_OPERATOR, net);

	*found = at < all->count;
	if (!*found)
		return false;
	take_away(all, at);
	return unite(all);
}

static bool
is_loopback(const struct addr *addr)
{
	static const struct addr one = {.family = ADDR_V6, .bytes = {[15] = 1}};

	return (addr->family == ADDR_V4 && addr->bytes[0] == 127) ||
	       memcmp(addr, &one, sizeof(one)) == 0;
}

/* No need of a key: who makes others collide costs us a walk over the array. */
static struct recent *
recent_of(struct exempts *all, const struct addr *addr)
{
	unsigned sum = addr->family;

	for (size_t i = 0; i < sizeof(addr->bytes); i++)
		sum = sum * 31 + addr->bytes[i];
	return &all->recent[sum % RECENT];
}

bool
exempts_note_sender(
	struct exempts *all, const struct addr *addr, int64_t now_us)
{
	struct exempt one = {.net = network_of(addr, addr_bits(addr)),
		.source = EXEMPT_SENDER,
		.since_us = now_us,
		.until_us = now_us + EXEMPT_SENDER_US};
	struct recent *recent = recent_of(all, addr);
	int64_t age_us = now_us - recent->time_us;
	size_t at;

	if (age_us >= 0 && age_us < EXEMPT_SENDER_US / 14 &&
		memcmp(addr, &recent->addr, sizeof(*addr)) == 0)
		return false;
	if (is_loopback(addr))
		return false;
	at = place_of(all, EXEMPT_SENDER, &one.net);
	if (at == all->count && all->senders >= EXEMPT_SENDERS_MAX)
		return false;
	*recent = (struct recent){*addr, now_us};
	if (at < all->count) {
		all->items[at].seen.until_us = one.until_us;
		return false;
	}
	append(all, &one);
	return unite(all);
}

bool
exempts_expire(struct exempts *all, int64_t now_us)
{
	size_t before = all->count;

	for (size_t i = 0; i < all->count;)
		if (all->items[i].seen.until_us <= now_us)
			take_away(all, i);
		else
			i++;
	return all->count != before && unite(all);
}

/* --- questions --- */

const struct netset *
exempts_union(const struct exempts *all)
{
	return &all->all;
}

const struct exempt *
exempts_find(const struct exempts *all, const struct network *net)
{
	const struct exempt *found = NULL;

	if (!netset_find(&all->all, net))
		return NULL;
	for (size_t i = 0; i < all->count; i++) {
		const struct exempt *one = &all->items[i].seen;

		if (network_contains(&one->net, net) &&
			(!found || one->source < found->source))
			found = one;
	}
	return found;
}

const struct exempt *
exempts_next(const struct exempts *all, size_t *cursor)
{
	return *cursor < all->count ? &all->items[(*cursor)++].seen : NULL;
}

size_t
exempts_count(const struct exempts *all)
{
	return all->count;
}

const char *
exempt_source_text(enum exempt_source source)
{
	static const char *const texts[EXEMPT_SOURCES] = {
		[EXEMPT_HOST] =
			"loopback, link-local, this host or its gateway",
		[EXEMPT_CONFIG] = "ignoreip in mailban.conf",
		[EXEMPT_FILE] = "listed in ignoreip_file",
		[EXEMPT_OPERATOR] = "exempted by an operator",
		[EXEMPT_SESSION] = "a login session on this host",
		[EXEMPT_SENDER] = "rsyslog receives messages from it",
	};

	assert((unsigned)source < EXEMPT_SOURCES);
	return texts[source];
}

void
exempts_note_offence(struct exempts *all, const struct addr *addr, bool exempt)
{
	if (all->lead == 0) {
		all->candidate = *addr;
		all->candidate_exempt = exempt;
		all->votes = 0;
	}
	if (memcmp(addr, &all->candidate, sizeof(*addr)) != 0) {
		all->lead--;
		return;
	}
	all->votes++;
	if (all->lead < HIDDEN_MAX)
		all->lead++;
}

bool
exempts_hidden(const struct exempts *all, struct addr *addr, uint64_t *offences)
{
	if (!all->lead || !all->candidate_exempt || all->votes < HIDDEN_MIN)
		return false;
	*addr = all->candidate;
	*offences = all->votes;
	return true;
}

/* --- the file --- */

static char *
read_line(char *line, struct netset *out)
{
	char *hash = strchr(line, '#');
	char *text = line + strspn(line, " \t");
	struct network net;
	const char *why;
	size_t len;

	if (!strchr(line, '\n') && strlen(line) == LINE_MAX_LEN - 1)
		return xstrdup("the line is too long for a network");
	if (hash)
		*hash = '\0';
	len = strcspn(text, " \t\r\n");
	if (len == 0 && text[0] == '\0')
		return NULL;
	if (text[len + strspn(text + len, " \t\r\n")] != '\0')
		return xasprintf("more than one word: one network a line, "
				 "comments begin with #");
	if (len == 0)
		return NULL;
	if (network_parse(text, len, &net, &why) < 0)
		return xasprintf("'%.*s': %s", (int)len, text, why);
	if (out->count >= EXEMPT_FILE_MAX)
		return xasprintf("more than %d networks", EXEMPT_FILE_MAX);
	netset_add(out, &net);
	return NULL;
}

static int
read_lines(FILE *file, const char *path, struct netset *out, char **error)
{
	char line[LINE_MAX_LEN];
	unsigned number = 0;

	while (fgets(line, sizeof(line), file)) {
		char *wrong = read_line(line, out);

		number++;
		if (!wrong)
			continue;
		*error = xasprintf("%s:%u: %s", path, number, wrong);
		free(wrong);
		return -EBADMSG;
	}
	if (!ferror(file))
		return 0;
	*error = xasprintf("%s: %s", path, strerror(EIO));
	return -EIO;
}

int
exempts_read_file(const char *path, struct netset *out, char **error)
{
	struct netset found = {0};
	FILE *file = fopen(path, "re");
	int rc;

	if (!file) {
		rc = -errno;
		*error = xasprintf("%s: %s", path, strerror(-rc));
		return rc;
	}
	rc = read_lines(file, path, &found, error);
	(void)fclose(file);
	if (rc == 0)
		netset_add_all(out, &found);
	netset_free(&found);
	return rc;
}
