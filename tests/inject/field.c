/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where in a message a stranger's text stands, found by the forms in which
 * servers write it. What the server itself writes is left alone: if a stranger
 * could write that, no rule could tell.
 */
#include "tests/inject/target.h"

#include <string.h>

const char *const field_names[FIELD_KINDS] = {
	[FIELD_USER] = "user",
	[FIELD_ANGLE] = "<>",
	[FIELD_QUOTE] = "quoted",
	[FIELD_PAREN] = "()",
	[FIELD_NAME] = "host name",
	[FIELD_VALUE] = "value",
	[FIELD_TAIL] = "tail",
};

/* What stands before text that a stranger chose, and which kind that is. */
static const struct {
	const char *text;
	enum field_kind kind;
} announced[] = {
	{"user=", FIELD_VALUE},
	{"ruser=", FIELD_VALUE},
	{"set_id=", FIELD_VALUE},
	{"sasl_username=", FIELD_VALUE},
	{"helo=", FIELD_VALUE},
	{"ident=", FIELD_VALUE},
	{"authid=", FIELD_VALUE},
	{"auth=", FIELD_VALUE},
	{"command=", FIELD_VALUE},
	{"cmd=", FIELD_VALUE},
	{"cmd: ", FIELD_VALUE},
	{"input=", FIELD_VALUE},
	{"name=", FIELD_VALUE},
	{"account=", FIELD_VALUE},
	{"login=", FIELD_VALUE},
	{"loginname=", FIELD_VALUE},
	{"ua=", FIELD_VALUE},
	{"us=", FIELD_VALUE},
	{"from=", FIELD_VALUE},
	{"to=", FIELD_VALUE},
	{"sender=", FIELD_VALUE},
	{"recipient=", FIELD_VALUE},
	{"username: ", FIELD_VALUE},
	{"(given password: ", FIELD_VALUE},
	{"header Subject: ", FIELD_VALUE},
	{"body ", FIELD_VALUE},
	{"message-id=", FIELD_VALUE},
	{"Message-Id: ", FIELD_VALUE},
	{"Message-ID: ", FIELD_VALUE},
	{"login for ", FIELD_VALUE},
	{"failed for ", FIELD_VALUE},
	{"for user ", FIELD_VALUE},
	{"User ", FIELD_VALUE},
	{"ETRN ", FIELD_VALUE},
	{"helo:", FIELD_VALUE},
	{"U=", FIELD_VALUE},
	{"S=", FIELD_VALUE},
	{"X-Forwarded-For: ", FIELD_VALUE},
	{"authentication_id=", FIELD_VALUE},
	{"authorisation_id=", FIELD_VALUE},
	{"realm=", FIELD_VALUE},
	{"arg1=", FIELD_NAME},
	{"client_name=", FIELD_NAME},
	{"host=", FIELD_NAME},
	{"hostname ", FIELD_NAME},
	{"origin_rdns: ", FIELD_NAME},
	{"name is ", FIELD_NAME},
};

/* Rules whose messages end in what the client (or its mail, or its TLS
 * library) said, without anything of the server's behind. */
static const char *const open_ended[] = {"postfix-sasl", "postfix-rejected",
	"postfix-protocol", "postfix-postscreen", "postfix-content",
	"postfix-milter", "postfix-user", "postfix-login", "sendmail-abuse",
	"sendmail-rejected", "sendmail-user", "daily-", "courier-smtp",
	"qmail-rblsmtpd", "amavis", "spamd", "exim-rejected", "nginx"};

/* What servers do not let through: whoever doubts it may look there. */
static const struct {
	const char *rule; /* beginning of its name; "" for all */
	enum field_kind kind;
	const char *never;
	size_t max;
} limits[] = {
	/* RFC 1035, and what resolvers and servers check (valid_hostname() in
	 * Postfix, res_hnok() in libc). */
	/* str_sanitize() of Dovecot's login processes (80) and of auth (64 and
	 * more): src/login-common/client-common.c, src/auth/auth-request.c. */
	{"dovecot-auth", FIELD_VALUE, "", 128},
	{"dovecot-pam", FIELD_USER, "", 512},
	{"dovecot-", FIELD_USER, "", 80},
	{"dovecot-", FIELD_ANGLE, "", 80},
	{"dovecot-", FIELD_VALUE, "", 80},
	/* cleanup_message.c, smtpd.c: "%.200s" and "%.100s". */
	{"postfix-content", FIELD_VALUE, "", 200},
	{"postfix-milter-header", FIELD_VALUE, "", 200},
	{"daily-", FIELD_VALUE, "", 200},
	/* A local part with such a character is quoted: quote_822_local.c. */
	{"daily-authentication", FIELD_ANGLE, ">", SIZE_MAX},
	/* In XML. */
	{"oracleims-", FIELD_QUOTE, "\"<>&", SIZE_MAX},
	{"oracleims-", FIELD_USER, "\"<>&", SIZE_MAX},
	{"oracleims-", FIELD_VALUE, "\"<>&", SIZE_MAX},
	{"", FIELD_NAME, " \t\n\r\"'()<>[]{},;:=@/\\|#%&*!?$^`~+", 255},
};

static bool
overlaps_place(const struct target *target, size_t start, size_t end)
{
	for (size_t i = 0; i < target->place_count; i++) {
		size_t at =
			(size_t)(target->places[i].text - target->text.text);

		if (start < at + target->places[i].len && at < end)
			return true;
	}
	return false;
}

static bool
starts_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

static struct field
limited(const struct target *target, struct field field)
{
	field.never = "";
	field.max = SIZE_MAX;
	for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
		if (limits[i].kind == field.kind &&
			starts_with(target->def->name, limits[i].rule)) {
			field.never = limits[i].never;
			field.max = limits[i].max;
			break;
		}
	return field;
}

static void
add_field(struct target *target, size_t start, size_t end, enum field_kind kind)
{
	if (overlaps_place(target, start, end) ||
		target->field_count == FIELDS_MAX)
		return;
	for (size_t i = 0; i < target->field_count; i++)
		if (target->fields[i].start == start &&
			target->fields[i].end == end)
			return;
	target->fields[target->field_count++] = limited(target,
		(struct field){.start = start, .end = end, .kind = kind});
}

static bool
ends_with(struct span text, size_t end, const char *what)
{
	size_t len = strlen(what);

	return end >= len && !memcmp(text.text + end - len, what, len);
}

/* Session ids in angle brackets are the server's. */
static bool
is_session(const struct target *target, size_t open)
{
	return open == 0 || ends_with(target->text, open, "session=") ||
	       ends_with(target->text, open, "SESSIONID=") ||
	       ends_with(target->text, open, ")") ||
	       (target->session.text == target->text.text + open + 1);
}

static void
find_pairs(struct target *target, char open, char close, enum field_kind kind)
{
	struct span text = target->text;

	for (size_t i = 0; i < text.len; i++) {
		const char *end;

		if (text.text[i] != open ||
			(open == '<' && is_session(target, i)))
			continue;
		/* A file of the server's, or its place for the address. */
		if (ends_with(text, i, " of ") || ends_with(text, i, "from ") ||
			ends_with(text, i, "shown as "))
			continue;
		/* An apostrophe opens nothing. */
		if (open == '\'' && i > 0 &&
			((text.text[i - 1] | 32) >= 'a' &&
				(text.text[i - 1] | 32) <= 'z'))
			continue;
		end = memchr(text.text + i + 1, close, text.len - i - 1);
		if (!end)
			return;
		if (kind != FIELD_PAREN ||
			(end + 2 < text.text + text.len && end[1] == ' ' &&
				end[2] == '['))
			add_field(
				target, i + 1, (size_t)(end - text.text), kind);
		if (open == close)
			i = (size_t)(end - text.text);
	}
}

static bool
is_name_byte(char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
	       c == '.' || c == '-' || c == '_';
}

/* NAME[ADDRESS], NAME [ADDRESS] and NAME (HELO) [ADDRESS]. */
static void
find_names(struct target *target)
{
	const char *text = target->text.text;

	for (size_t i = 0; i < target->place_count; i++) {
		size_t end = (size_t)(target->places[i].text - text), start;

		if (!end || text[end - 1] != '[')
			continue;
		end--;
		while (end && text[end - 1] == ' ')
			end--;
		if (end && text[end - 1] == ')') {
			while (end && text[end] != '(')
				end--;
			while (end && text[end - 1] == ' ')
				end--;
		}
		for (start = end; start && is_name_byte(text[start - 1]);)
			start--;
		if (start < end)
			add_field(target, start, end, FIELD_NAME);
	}
}

static void
find_values(struct target *target)
{
	struct span text = target->text;

	for (size_t i = 0; i < sizeof announced / sizeof announced[0]; i++) {
		size_t len = strlen(announced[i].text);

		for (size_t at = 0; at + len <= text.len; at++) {
			size_t start = at + len, end = start;

			/* In brackets or quotes it is found as such. */
			if (memcmp(text.text + at, announced[i].text, len) !=
					0 ||
				(at && is_name_byte(text.text[at - 1])) ||
				(start < text.len &&
					strchr("<\"'[", text.text[start])))
				continue;
			while (end < text.len &&
				!strchr(" ,;)>\"'", text.text[end]))
				end++;
			add_field(target, start, end, announced[i].kind);
		}
	}
}

/* Where a colon stands behind the address. */
static void
find_tail(struct target *target)
{
	size_t last = 0, len = target->text.len;
	bool open = false;

	for (size_t i = 0; i < sizeof open_ended / sizeof open_ended[0]; i++)
		open |= starts_with(target->def->name, open_ended[i]);
	for (size_t i = 0; i < target->place_count; i++) {
		size_t end =
			(size_t)(target->places[i].text - target->text.text) +
			target->places[i].len;

		last = end > last ? end : last;
	}
	for (size_t i = last; open && last && i + 1 < len; i++)
		if (!memcmp(target->text.text + i, ": ", 2)) {
			add_field(target, len, len, FIELD_TAIL);
			return;
		}
}

void
target_find_fields(struct target *target, struct span user)
{
	if (user.text && user.len) {
		size_t start = (size_t)(user.text - target->text.text);

		add_field(target, start, start + user.len, FIELD_USER);
	}
	find_pairs(target, '<', '>', FIELD_ANGLE);
	find_pairs(target, '"', '"', FIELD_QUOTE);
	find_pairs(target, '\'', '\'', FIELD_QUOTE);
	find_pairs(target, '(', ')', FIELD_PAREN);
	find_names(target);
	find_values(target);
	find_tail(target);
}
