/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mailban why, for a person at three in the morning: the verdict first, what to
 * type last.
 */
#include "command/why.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "command/command.h"
#include "command/show.h"

static void
verdict(struct fjson_object *why, enum show_style style, const char *text)
{
	(void)printf("%s%s: %s%s\n", show_style(style),
		member_text(why, "address"), text, show_style(SHOW_PLAIN));
}

static void
print_verdict(struct fjson_object *why)
{
	struct fjson_object *ban = member(why, "ban");

	if (ban && member_flag(ban, "observed"))
		verdict(why, SHOW_WARN,
			"would be banned; its class is only observed");
	else if (ban && !strcmp(member_text(why, "mode"), "observe"))
		verdict(why, SHOW_WARN, "would be banned; mode is observe");
	else if (ban && member(why, "in_kernel") &&
		 !member_flag(why, "in_kernel"))
		verdict(why, SHOW_WARN,
			"banned, but not in force in the kernel");
	else if (ban)
		verdict(why, SHOW_BAD, "banned");
	else if (member_flag(why, "in_kernel"))
		verdict(why, SHOW_BAD,
			"dropped by the kernel, though no ban is known");
	else if (member_flag(why, "anything"))
		verdict(why, SHOW_GOOD, "not banned");
	else
		verdict(why, SHOW_GOOD,
			"nothing is known: no ban, no offence, no login");
}

static const char *
client_or_network(struct fjson_object *ban)
{
	return strchr(member_text(ban, "address"), '/') ? " as a network" : "";
}

static void
print_ban(struct fjson_object *ban)
{
	char from[SHOW_TIME_LEN], until[SHOW_TIME_LEN], span[SHOW_AGO_LEN];

	if (!ban)
		return;
	(void)printf("  ban        %s%s, since %s (%s)\n",
		member_text(ban, "address"), client_or_network(ban),
		show_time(member_number(ban, "from"), from),
		show_ago(member_number(ban, "from"), span));
	if (member_is_null(ban, "until"))
		(void)printf("             for ever\n");
	else
		(void)printf("             until %s (%s left)\n",
			show_time(member_number(ban, "until"), until),
			show_left(member_number(ban, "until"), span));
	if (member_is_null(ban, "class"))
		(void)printf("  because    %s%s%s%s%s\n",
			!strcmp(member_text(ban, "origin"), "imported")
				? "imported"
				: "by hand",
			member_text(ban, "by")[0] ? " by " : "",
			member_text(ban, "by"),
			member_text(ban, "reason")[0] ? ": " : "",
			member_text(ban, "reason"));
	else
		(void)printf("  because    %s: %" PRId64
			     " offences; rule %s; banned %" PRId64
			     " times before\n",
			member_text(ban, "class"), member_number(ban, "count"),
			member_text(ban, "rule")[0] ? member_text(ban, "rule")
						    : "(in the journal)",
			member_number(ban, "level"));
}

static void
print_kernel(struct fjson_object *why)
{
	char bytes[SHOW_TIME_LEN];

	if (!strcmp(member_text(why, "mode"), "observe"))
		(void)puts("  kernel     drops nobody: mode is observe");
	else if (!member(why, "in_kernel"))
		(void)printf(
			"  kernel     could not be asked: %s; see nft list "
			"table inet mailban\n",
			member_text(why, "kernel_unknown"));
	else if (member_flag(why, "in_kernel") && !member(why, "packets"))
		(void)puts("  kernel     in force");
	else if (member_flag(why, "in_kernel"))
		(void)printf("  kernel     in force, %" PRId64
			     " packets dropped (%s)\n",
			member_number(why, "packets"),
			show_bytes(member_number(why, "bytes"), bytes));
	else
		(void)printf("  kernel     drops nothing from it%s%s\n",
			member_text(why, "kernel_trouble")[0] ? "; " : "",
			member_text(why, "kernel_trouble"));
}

static void
print_exempt(struct fjson_object *why)
{
	struct fjson_object *exempt = member(why, "exempt");

	if (!exempt) {
		(void)puts("  exempt     no");
		return;
	}
	(void)printf("  exempt     %s: %s%s%s%s%s\n",
		member_text(exempt, "address"), member_text(exempt, "source"),
		member_text(exempt, "by")[0] ? " by " : "",
		member_text(exempt, "by"),
		member_text(exempt, "reason")[0] ? ": " : "",
		member_text(exempt, "reason"));
}

static int
length(struct fjson_object *array)
{
	return array ? fjson_object_array_length(array) : 0;
}

static void
print_counted(struct fjson_object *why)
{
	struct fjson_object *counted = member(why, "counted");

	for (int i = 0; i < length(counted); i++) {
		struct fjson_object *one =
			fjson_object_array_get_idx(counted, i);
		const char *class = member_text(one, "class");
		int64_t most = member_number(
			member(member(why, "policy"), class), "maxretry");
		char ago[SHOW_AGO_LEN];

		(void)printf("  %-10s %s %" PRId64, i ? "" : "counts", class,
			member_number(one, "count"));
		if (most)
			(void)printf(" of %" PRId64, most);
		(void)printf(", last %s\n",
			show_ago(member_number(one, "last"), ago));
	}
}

static void
print_users(struct fjson_object *why)
{
	struct fjson_object *users = member(why, "users");

	for (int i = 0; i < length(users); i++) {
		struct fjson_object *one = fjson_object_array_get_idx(users, i);
		char ago[SHOW_AGO_LEN];

		(void)printf("  %-10s %s by %s on %s, %" PRId64
			     " times, last %s\n",
			i ? "" : "tried", member_text(one, "user"),
			member_text(one, "program"), member_text(one, "host"),
			member_number(one, "count"),
			show_ago(member_number(one, "last"), ago));
	}
}

static void
print_message(const char *text)
{
	size_t width = show_width();
	size_t cut = width > 12 ? show_cut(text, width - 8) : strlen(text);

	(void)printf("      %s%.*s%s\n", show_style(SHOW_DIM), (int)cut, text,
		show_style(SHOW_PLAIN));
}

static void
print_evidence(struct fjson_object *why)
{
	struct fjson_object *evidence = member(why, "evidence");
	int64_t all = member_number(member(why, "offences"), "lines");

	if (!length(evidence))
		return;
	(void)printf("  evidence   the last %d of %" PRId64 " messages%s\n",
		length(evidence), all,
		all > length(evidence) ? " (more: --lines N)" : "");
	for (int i = 0; i < length(evidence); i++) {
		struct fjson_object *one =
			fjson_object_array_get_idx(evidence, i);
		char when[SHOW_TIME_LEN];

		(void)printf("    %s  %s  %s %s%s%s  %s%s\n",
			show_time(member_number(one, "time"), when),
			member_text(one, "address"), member_text(one, "host"),
			member_text(one, "tag"),
			member_text(one, "user")[0] ? "  user " : "",
			member_text(one, "user"), member_text(one, "rule"),
			member_flag(one, "counted") ? "" : " (not counted)");
		print_message(member_text(one, "message"));
	}
}

static void
print_history(struct fjson_object *why)
{
	struct fjson_object *bans = member(why, "bans");

	for (int i = 0; i < length(bans); i++) {
		struct fjson_object *one = fjson_object_array_get_idx(bans, i);
		char from[SHOW_TIME_LEN], until[SHOW_TIME_LEN];

		(void)printf("  %-10s %s %s until %s, %s", i ? "" : "bans",
			member_text(one, "address"),
			show_time(member_number(one, "from"), from),
			member_is_null(one, "until")
				? "for ever"
				: show_time(member_number(one, "until"), until),
			member_is_null(one, "class")
				? member_text(one, "origin")
				: member_text(one, "class"));
		if (!member_is_null(one, "lifted"))
			(void)printf(", lifted %s by %s",
				show_time(member_number(one, "lifted"), from),
				member_text(one, "lifted_by"));
		(void)putchar('\n');
	}
}

static void
print_logins(struct fjson_object *why)
{
	struct fjson_object *logins = member(why, "logins");

	if (member_flag(why, "known") && !length(logins))
		(void)puts("  logins     a user logged in from there of late");
	for (int i = 0; i < length(logins); i++) {
		struct fjson_object *one =
			fjson_object_array_get_idx(logins, i);
		char ago[SHOW_AGO_LEN];

		(void)printf("  %-10s %s from %s by %s on %s, last noted %s\n",
			i ? "" : "logins", member_text(one, "user"),
			member_text(one, "address"), member_text(one, "tag"),
			member_text(one, "host"),
			show_ago(member_number(one, "time"), ago));
	}
}

static void
print_commands(struct fjson_object *why)
{
	struct fjson_object *commands = member(why, "commands");

	for (int i = 0; i < length(commands); i++)
		(void)printf("  %-10s %s\n", i ? "" : "to do",
			fjson_object_get_string(
				fjson_object_array_get_idx(commands, i)));
}

void
why_print(struct fjson_object *why)
{
	print_verdict(why);
	if (!member_flag(why, "running"))
		(void)puts("  (ommailban is not running: this is what the "
			   "ledger and mailban.conf know)");
	print_ban(member(why, "ban"));
	print_kernel(why);
	print_exempt(why);
	print_counted(why);
	print_users(why);
	print_evidence(why);
	print_history(why);
	print_logins(why);
	if (member_text(why, "ledger_trouble")[0])
		(void)printf("  ledger     can't be read: %s\n",
			member_text(why, "ledger_trouble"));
	if (!member_flag(why, "anything") &&
		!member_text(why, "ledger_trouble")[0])
		(void)puts("  So it is not mailban. Look for it in the mail "
			   "log, at the network, at other firewalls.");
	print_commands(why);
}
