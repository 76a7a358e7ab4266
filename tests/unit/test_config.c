/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration: what is shipped is the default, each key is explained,
 * and what is wrong is told with file, line and what would be right.
 */
#include "plugin/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define S INT64_C(1000000)
#define HOUR (3600 * S)
#define DAY (24 * HOUR)

static char *
in_tree(const char *name)
{
	const char *top = getenv("srcdir");
	char *path = NULL;

	assert_true(asprintf(&path, "%s/%s", top ? top : ".", name) > 0);
	return path;
}

static char *
read_whole(const char *name)
{
	char *path = in_tree(name), *text = NULL;
	FILE *file = fopen(path, "re");
	size_t room = 0;

	if (!file)
		fail_msg("%s: can't be read", path);
	assert_true(getdelim(&text, &room, '\0', file) > 0);
	(void)fclose(file);
	free(path);
	return text;
}

static char *
write_file(const char *text)
{
	char *path = strdup("/tmp/mailban-config-XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
	return path;
}

static struct config *
load_text(const char *text, char **error)
{
	char *path = write_file(text);
	struct config *config = config_load(path, error);

	(void)unlink(path);
	free(path);
	return config;
}

static struct config *
good_text(const char *text)
{
	char *error = NULL;
	struct config *config = load_text(text, &error);

	if (!config)
		fail_msg("%s", error);
	return config;
}

/* --- what is wrong --- */

static const struct {
	const char *text, *want; /* behind "path:" */
} wrong[] = {
	{"[mailbam]\nmode = observe\n",
		"2: unknown section [mailbam]; known are mailban, ban, "
		"auth-failure, unknown-client, rejected, protocol-abuse, "
		"spam, trust, users, networks, ledger"},
	{"[login]\nmaxretry = 1\n",
		"2: unknown section [login]; known are mailban, ban, "
		"auth-failure, unknown-client, rejected, protocol-abuse, "
		"spam, trust, users, networks, ledger"},
	{"[class]\nmaxretry = 1\n",
		"2: unknown section [class]; known are mailban, ban, "
		"auth-failure, unknown-client, rejected, protocol-abuse, "
		"spam, trust, users, networks, ledger"},
	{"[spam]\n\nbantimes = 1h\n",
		"3: unknown key 'bantimes' in [spam]; known are maxretry, "
		"findtime, bantime, mode"},
	{"[auth-failure]\nbantimes = 1h\n",
		"2: unknown key 'bantimes' in [auth-failure]; known are "
		"maxretry, findtime, bantime, mode, unknown_user_weight"},
	{"[ledger]\nage = 1d\n",
		"2: unknown key 'age' in [ledger]; known are keep, size_mib"},
	{"[spam]\nmaxretry = five\n",
		"2: 'five' is not a whole number from 0 to 10000"},
	{"[spam]\nmaxretry = -1\n",
		"2: '-1' is not a whole number from 0 to 10000"},
	{"[spam]\nmaxretry = 10001\n",
		"2: '10001' is not a whole number from 0 to 10000"},
	{"[spam]\nmaxretry =\n", "2: '' is not a whole number from 0 to 10000"},
	{"[spam]\nfindtime = 0\n",
		"2: '0' is not a time such as 10m, 12h, 7d; the longest is "
		"3650d"},
	{"[spam]\nfindtime = permanent\n",
		"2: 'permanent' is not a time such as 10m, 12h, 7d; the "
		"longest is 3650d"},
	{"[spam]\nbantime = for ever\n",
		"2: 'for ever' is not a time such as 10m, 12h, 7d, or "
		"permanent; the longest is 3650d"},
	{"[spam]\nmode = maybe\n", "2: 'maybe' is neither enforce nor observe"},
	{"[mailban]\npolicy = strict\n",
		"2: 'strict' is neither balanced nor daily-script"},
	{"[mailban]\nignoreip = 192.0.2.0/24 mail.example.org\n",
		"2: 'mail.example.org': not an IPv4 or IPv6 address; names are "
		"never "
		"resolved"},
	{"[mailban]\nignoreip = 192.0.2.1/24\n", "2: '192.0.2.1/24': "},
	{"[mailban]\nignoreip_file = ignoreip\n",
		"2: 'ignoreip' is not a full path"},
	{"[mailban]\nwriters = root, 4294967295\n",
		"2: '4294967295' is no user id"},
	{"[mailban]\nipv4_prefix = 8\n",
		"2: '8' is not a whole number from 16 to 32"},
	{"[mailban]\nmemory_mib = 1\n",
		"2: '1' is not a whole number from 16 to 1048576"},
	{"[mailban]\ngroup =\n",
		"2: no group: leave the line out where only root is to use "
		"mailban"},
	{"[mailban]\nprotect_sessions = perhaps\n",
		"2: 'perhaps' is neither on nor off"},
	{"[ban]\nports = smpt\n", "2: 'smpt' is not a whole number from 1 to "
				  "65535"},
	{"[ban]\nports =\n", "2: no port: write all, or a list as in smtp, "
			     "submission, imap, 993"},
	{"[ban]\nincrement_factor = 0.5\n",
		"2: '0.5' is not a number from 1 to 100, such as 2 or 1.5"},
	{"[ban]\nincrement_factor = 2,5\n",
		"2: '2,5' is not a number from 1 to 100, such as 2 or 1.5"},
	{"[ban]\nincrement_factor = 1.555\n",
		"2: '1.555' is not a number from 1 to 100, such as 2 or 1.5"},
	{"[ban]\npermanent_after = never\n",
		"2: 'never' is neither off nor a whole number from 1 to 100"},
	{"[ban]\nlog_prefix = \"\x01\"\n", "2: only printable ASCII is "
					   "allowed"},
	{"[users]\nclients = 1\n",
		"2: '1' is neither off nor a whole number from 2 to 1000"},
	{"[trust]\ntrust_factor = 0\n",
		"2: '0' is not a whole number from 1 to 100"},
	{"[mailban]\nipv4_prefix = 16\n[ban]\nwidest_ipv4 = 24\n",
		" ipv4_prefix of [mailban] is wider than widest_ipv4 of [ban] "
		"allows"},
	{"[networks]\nclients = 3\nipv4_prefix = 12\n",
		" ipv4_prefix of [networks] is wider than widest_ipv4 of "
		"[ban] allows"},
	{"[networks]\noffenders = 3\nipv6_prefix = 64\n",
		" a network of [networks] must be wider than a client: its "
		"ipv4_prefix and ipv6_prefix must be smaller than those of "
		"[mailban]"},
};

static void
test_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char *path = write_file(wrong[i].text), *error = NULL, *want;
		struct config *config = config_load(path, &error);

		assert_true(asprintf(&want, "%s:%s", path, wrong[i].want) > 0);
		if (config)
			fail_msg("no error: %s", wrong[i].text);
		if (strncmp(error, want, strlen(want)) != 0)
			fail_msg("%s\nsays %s\nnot  %s", wrong[i].text, error,
				want);
		(void)unlink(path);
		free(path);
		free(want);
		free(error);
	}
}

static void
test_missing(void **state)
{
	char *error = NULL;

	(void)state;
	assert_null(config_load("/nonexistent/mailban.conf", &error));
	assert_non_null(strstr(error, "/nonexistent/mailban.conf"));
	free(error);
}

/* --- what is right --- */

static const char everything[] =
	"[mailban]\nmode = observe\nignoreip = 192.0.2.0/24,2001:db8::/32\n"
	"ignoreip = 198.51.100.7\nignoreip_file = /etc/mailban/ignoreip\n"
	"writers = root, no-such-user 4711\n"
	"protect_sessions = off\nprotect_senders = no\nipv4_prefix = 24\n"
	"ipv6_prefix = 56\nmemory_mib = 64\ngroup = adm\n"
	"read_group = users\nrules = /a\n"
	"rules = /b\nstate = /s\ncontrol = /c\nhelper = /h\n"
	"[ban]\nports = smtp 993\nincrement = off\nincrement_factor = 1.5\n"
	"increment_max = permanent\nincrement_memory = 1d\n"
	"permanent_after = 7\nlog = on\nlog_prefix = \"x \"\n"
	"log_per_minute = 9\nlog_burst = 8\nwidest_ipv4 = 8\n"
	"widest_ipv6 = 40\n"
	"[auth-failure]\nmaxretry = 1\nfindtime = 10m\nbantime = permanent\n"
	"mode = observe\nunknown_user_weight = 3.25\n"
	"[spam]\nmaxretry = 0\nmode = observe\n"
	"[trust]\ntrust = off\ntrust_time = 1d\ntrust_factor = 9\n"
	"forgive = off\nstale_password = off\naccepted = off\n"
	"[users]\nclients = off\nfindtime = 2d\nmaxretry = 3\n"
	"[networks]\nclients = 5\noffenders = 6\nfindtime = 3d\n"
	"bantime = 4d\nipv4_prefix = 20\nipv6_prefix = 44\n"
	"[ledger]\nkeep = 7d\nsize_mib = 16\n";

static void
check_mailban(const struct config *config)
{
	assert_true(config->observe);
	assert_int_equal(config->judge.exempt.count, 3);
	assert_string_equal(config->ignoreip_file, "/etc/mailban/ignoreip");
	assert_true(config->writers_given);
	assert_int_equal(config->writer_count, 2);
	assert_int_equal(config->writers[0], 0);
	assert_int_equal(config->writers[1], 4711);
	assert_false(config->protect_sessions);
	assert_false(config->protect_senders);
	assert_int_equal(config->judge.prefix4, 24);
	assert_int_equal(config->judge.prefix6, 56);
	assert_int_equal(config->judge.memory_max, 64 << 20);
	assert_string_equal(config->group, "adm");
	assert_string_equal(config->read_group, "users");
	assert_int_equal(config->rules_count, 2);
	assert_string_equal(config->rules[0], "/a");
	assert_string_equal(config->rules[1], "/b");
	assert_string_equal(config->state, "/s");
	assert_string_equal(config->control, "/c");
	assert_string_equal(config->helper, "/h");
	assert_int_equal(config->ledger_age_us, 7 * DAY);
	assert_int_equal(config->ledger_size_bytes, 16 << 20);
}

static void
check_ban(const struct config *config)
{
	const struct wire_options *options = &config->options;
	const struct growth *growth = &config->judge.growth;

	assert_int_equal(options->port_count, 2);
	assert_int_equal(options->ports[0], 25);
	assert_int_equal(options->ports[1], 993);
	assert_true(options->log);
	assert_string_equal(options->log_prefix, "x ");
	assert_int_equal(options->log_per_minute, 9);
	assert_int_equal(options->log_burst, 8);
	assert_int_equal(options->prefix4_min, 8);
	assert_int_equal(options->prefix6_min, 40);
	assert_int_equal(options->prefix6, 56);
	assert_false(growth->on);
	assert_int_equal(growth->factor_percent, 150);
	assert_true(growth->max_us == INT64_MAX);
	assert_int_equal(growth->memory_us, DAY);
	assert_int_equal(growth->permanent_after, 7);
}

static void
check_judge(const struct judge_settings *judge)
{
	const struct policy *auth = &judge->policy[CLASS_AUTH_FAILURE];

	assert_int_equal(auth->maxretry, 1);
	assert_int_equal(auth->findtime_us, 600 * S);
	assert_true(auth->bantime_us == BAN_PERMANENT);
	assert_true(auth->observe);
	assert_int_equal(judge->unknown_user_percent, 325);
	assert_int_equal(judge->policy[CLASS_SPAM].maxretry, 0);
	assert_true(judge->policy[CLASS_SPAM].observe);
	assert_false(judge->policy[CLASS_REJECTED].observe);
	assert_false(judge->trust.on);
	assert_int_equal(judge->trust.time_us, DAY);
	assert_int_equal(judge->trust.factor, 9);
	assert_false(judge->trust.forgive);
	assert_false(judge->trust.stale_password);
	assert_false(judge->trust.accepted);
	assert_int_equal(judge->users.clients, 0);
	assert_int_equal(judge->users.findtime_us, 2 * DAY);
	assert_int_equal(judge->users.maxretry, 3);
	assert_int_equal(judge->networks.clients, 5);
	assert_int_equal(judge->networks.offenders, 6);
	assert_int_equal(judge->networks.findtime_us, 3 * DAY);
	assert_int_equal(judge->networks.bantime_us, 4 * DAY);
	assert_int_equal(judge->networks.prefix4, 20);
	assert_int_equal(judge->networks.prefix6, 44);
}

static void
test_everything(void **state)
{
	struct config *config = good_text(everything);

	(void)state;
	check_mailban(config);
	check_ban(config);
	check_judge(&config->judge);
	config_free(config);
}

/* Each key is in the text above. */
static void
test_everything_is_all(void **state)
{
	const char *section, *key;
	size_t cursor = 0;

	(void)state;
	while (config_next_key(&cursor, &section, &key)) {
		char line[64];

		(void)snprintf(line, sizeof(line), "\n%s = ", key);
		if (!strstr(everything, line) && strcmp(key, "policy") != 0)
			fail_msg("[%s] %s is not tested", section, key);
	}
}

/* The routine knows nothing of all this, whatever the file says. */
static void
test_daily_script(void **state)
{
	char *text = NULL;
	struct config *config;

	(void)state;
	assert_true(asprintf(&text, "%s[rejected]\nmode = observe\n",
			    everything) > 0);
	memcpy(strstr(text, "mode = observe"), "mode = enforce", 14);
	memcpy(strstr(text, "ipv4_prefix = 24"), "ipv4_prefix = 32", 16);
	config = good_text(text);
	config_set_policy(config, RULES_DAILY_SCRIPT);
	assert_int_equal(config->policy, RULES_DAILY_SCRIPT);
	for (int i = 0; i < CLASS_OFFENCES; i++) {
		const struct policy *policy = &config->judge.policy[i];

		assert_int_equal(policy->maxretry, 2);
		assert_int_equal(policy->findtime_us, DAY);
		assert_true(policy->bantime_us == BAN_PERMANENT);
		assert_false(policy->observe);
	}
	assert_true(config->judge.no_weights);
	assert_false(config->judge.growth.on);
	assert_false(config->judge.trust.on);
	assert_int_equal(config->judge.users.clients, 0);
	assert_int_equal(config->judge.networks.clients, 0);
	assert_int_equal(config->judge.networks.offenders, 0);
	assert_int_equal(config->options.port_count, 0);
	config_free(config);
	free(text);
	config = good_text("[mailban]\npolicy = daily-script\n");
	assert_int_equal(config->judge.policy[CLASS_SPAM].maxretry, 2);
	config_free(config);
}

/* --- what is shipped --- */

static void
same_judge(const struct judge_settings *a, const struct judge_settings *b)
{
	for (int i = 0; i < CLASS_OFFENCES; i++) {
		assert_int_equal(a->policy[i].maxretry, b->policy[i].maxretry);
		assert_int_equal(
			a->policy[i].findtime_us, b->policy[i].findtime_us);
		assert_int_equal(
			a->policy[i].bantime_us, b->policy[i].bantime_us);
		assert_int_equal(a->policy[i].observe, b->policy[i].observe);
	}
	assert_int_equal(a->prefix4, b->prefix4);
	assert_int_equal(a->prefix6, b->prefix6);
	assert_int_equal(a->exempt.count, b->exempt.count);
	assert_int_equal(a->memory_max, b->memory_max);
	assert_int_equal(a->unknown_user_percent, b->unknown_user_percent);
	assert_int_equal(a->growth.on, b->growth.on);
	assert_int_equal(a->growth.factor_percent, b->growth.factor_percent);
	assert_int_equal(a->growth.memory_us, b->growth.memory_us);
	assert_int_equal(a->growth.max_us, b->growth.max_us);
	assert_int_equal(a->growth.permanent_after, b->growth.permanent_after);
	assert_int_equal(a->trust.on, b->trust.on);
	assert_int_equal(a->trust.time_us, b->trust.time_us);
	assert_int_equal(a->trust.factor, b->trust.factor);
	assert_int_equal(a->trust.forgive, b->trust.forgive);
	assert_int_equal(a->trust.stale_password, b->trust.stale_password);
	assert_int_equal(a->trust.accepted, b->trust.accepted);
	assert_int_equal(a->users.clients, b->users.clients);
	assert_int_equal(a->users.findtime_us, b->users.findtime_us);
	assert_int_equal(a->users.maxretry, b->users.maxretry);
	assert_memory_equal(&a->networks, &b->networks, 2);
	assert_int_equal(a->networks.clients, b->networks.clients);
	assert_int_equal(a->networks.offenders, b->networks.offenders);
	assert_int_equal(a->networks.findtime_us, b->networks.findtime_us);
	assert_int_equal(a->networks.bantime_us, b->networks.bantime_us);
}

static void
test_shipped_is_default(void **state)
{
	char *path = in_tree("etc/mailban.conf"), *error = NULL;
	struct config *shipped = config_load(path, &error);
	struct config *none = config_new();

	(void)state;
	if (!shipped)
		fail_msg("%s", error);
	same_judge(&shipped->judge, &none->judge);
	assert_int_equal(shipped->observe, none->observe);
	assert_int_equal(shipped->policy, none->policy);
	assert_int_equal(shipped->protect_sessions, none->protect_sessions);
	assert_int_equal(shipped->protect_senders, none->protect_senders);
	assert_false(shipped->writers_given);
	assert_null(shipped->ignoreip_file);
	assert_null(shipped->group);
	assert_int_equal(shipped->ledger_age_us, none->ledger_age_us);
	assert_int_equal(shipped->ledger_size_bytes, none->ledger_size_bytes);
	assert_memory_equal(
		&shipped->options, &none->options, sizeof(shipped->options));
	assert_int_equal(shipped->rules_count, 2);
	config_free(shipped);
	config_free(none);
	free(path);
}

/* From its ".It" to the next; NULL: none with such a section before it. */
static bool
man_explains(const char *man, const char *section, const char *key,
	bool *not_shipped)
{
	char head[64], item[64];
	const char *at, *end, *text;

	(void)snprintf(head, sizeof(head), ".Sh THE SECTION %s\n", section);
	if (strcmp(section, "class") == 0 ||
		strcmp(section, "auth-failure") == 0)
		(void)snprintf(
			head, sizeof(head), ".Sh THE SECTIONS OF THE CLASSES");
	(void)snprintf(item, sizeof(item), ".It Cm %s No", key);
	at = strstr(man, head);
	if (!at)
		return false;
	end = strstr(at + 1, "\n.Sh ");
	text = strstr(at, item);
	if (!text || (end && text > end))
		return false;
	end = strstr(text + 1, "\n.It ");
	at = strstr(text, "Not in the shipped file.");
	*not_shipped = at && end && at < end;
	/* The default is told with it, or with the next of a pair. */
	at = strstr(text, "Default");
	return at != NULL || *not_shipped;
}

/* "key = " in its section, perhaps behind '#'. */
static bool
file_has(const char *conf, const char *section, const char *key)
{
	char head[64], item[64], hidden[64];
	const char *at, *end, *text;

	if (strcmp(section, "class") == 0) {
		const char *class = "auth-failure";

		return strcmp(key, "mode") == 0
			       ? strstr(conf, "mode = ") != NULL
			       : file_has(conf, class, key);
	}
	(void)snprintf(head, sizeof(head), "\n[%s]\n", section);
	(void)snprintf(item, sizeof(item), "\n%s ", key);
	(void)snprintf(hidden, sizeof(hidden), "\n#%s ", key);
	at = strstr(conf, head);
	if (!at)
		return false;
	end = strstr(at + 1, "\n[");
	text = strstr(at, item);
	if (!text || (end && text > end))
		text = strstr(at, hidden);
	return text && (!end || text < end);
}

static void
test_every_key_is_explained(void **state)
{
	char *man = read_whole("man/mailban.conf.5");
	char *conf = read_whole("etc/mailban.conf");
	const char *section, *key;
	size_t cursor = 0, keys = 0;

	(void)state;
	for (; config_next_key(&cursor, &section, &key); keys++) {
		bool not_shipped = false;

		if (!man_explains(man, section, key, &not_shipped))
			fail_msg("mailban.conf(5) lacks [%s] %s", section, key);
		if (!not_shipped && !file_has(conf, section, key))
			fail_msg(
				"etc/mailban.conf lacks [%s] %s", section, key);
		if (not_shipped && file_has(conf, section, key))
			fail_msg(
				"[%s] %s is in the shipped file", section, key);
	}
	assert_true(keys > 40);
	free(man);
	free(conf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_everything_is_all),
		cmocka_unit_test(test_daily_script),
		cmocka_unit_test(test_shipped_is_default),
		cmocka_unit_test(test_every_key_is_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
