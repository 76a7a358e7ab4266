/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What mailban-nft gives to libnftables and makes of its answers, without a
 * kernel: libnftables, the notifications and the host's addresses are
 * replaced. Linked with --wrap=nft_run_cmd_from_buffer,
 * --wrap=nft_ctx_get_error_buffer, --wrap=nft_ctx_get_output_buffer,
 * --wrap=watch_open, --wrap=watch_close, --wrap=watch_read,
 * --wrap=watch_pause, --wrap=watch_resume, --wrap=host_networks.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <libfastjson/json.h>

#include "common/duration.h"
#include "common/host.h"
#include "common/log.h"
#include "helper/answer.h"
#include "helper/command.h"
#include "helper/keeper.h"
#include "helper/nft.h"

/* ---- The replacements ---- */

enum { RUNS_MAX = 64 };

static struct {
	char *ran[RUNS_MAX]; /* the commands, but for lists */
	int runs;
	const char *error; /* every transaction fails with that */
	const char *bad;   /* those that contain this fail with EEXIST */
	const char *list;  /* what a list answers */
	const char *answer, *said;
	struct netset host;
} fake;

struct nft_ctx;
int __wrap_nft_run_cmd_from_buffer(struct nft_ctx *context, const char *text);
const char *__wrap_nft_ctx_get_error_buffer(struct nft_ctx *context);
const char *__wrap_nft_ctx_get_output_buffer(struct nft_ctx *context);
void __wrap_watch_open(struct watch *watch, const char *table);
void __wrap_watch_close(struct watch *watch);
void __wrap_watch_read(struct watch *watch);
void __wrap_watch_pause(struct watch *watch);
void __wrap_watch_resume(struct watch *watch, uint32_t commits);
int __wrap_host_networks(struct netset *set);

int
__wrap_nft_run_cmd_from_buffer(struct nft_ctx *context, const char *text)
{
	(void)context;
	fake.said = fake.answer = "";
	if (strstr(text, "\"list\"")) {
		fake.answer = fake.list ? fake.list : "{\"nftables\":[]}";
		return 0;
	}
	if (fake.error || (fake.bad && strstr(text, fake.bad))) {
		fake.said = fake.error ? fake.error
				       : "internal:0:0-0: Error: Could not "
					 "process rule: File exists";
		return -1;
	}
	assert_true(fake.runs < RUNS_MAX);
	fake.ran[fake.runs++] = strdup(text);
	return 0;
}

const char *
__wrap_nft_ctx_get_error_buffer(struct nft_ctx *context)
{
	(void)context;
	return fake.said;
}

const char *
__wrap_nft_ctx_get_output_buffer(struct nft_ctx *context)
{
	(void)context;
	return fake.answer;
}

void
__wrap_watch_open(struct watch *watch, const char *table)
{
	watch->table = table;
	watch->table_fd = watch->host_fd = -1;
}

void
__wrap_watch_close(struct watch *watch)
{
	(void)watch;
}

void
__wrap_watch_read(struct watch *watch)
{
	(void)watch;
}

void
__wrap_watch_pause(struct watch *watch)
{
	(void)watch;
}

void
__wrap_watch_resume(struct watch *watch, uint32_t commits)
{
	(void)watch;
	(void)commits;
}

int
__wrap_host_networks(struct netset *set)
{
	netset_add_all(set, &fake.host);
	return 0;
}

static int
reset_fake(void **state)
{
	(void)state;
	for (int i = 0; i < fake.runs; i++)
		free(fake.ran[i]);
	netset_free(&fake.host);
	memset(&fake, 0, sizeof(fake));
	fake.said = fake.answer = "";
	return 0;
}

/* ---- Commands ---- */

static struct network
network(const char *text)
{
	struct network net;
	const char *why = "";

	if (network_parse(text, strlen(text), &net, &why) < 0)
		fail_msg("%s: %s", text, why);
	return net;
}

#define PLAIN                                                                  \
	{                                                                      \
		.prefix6 = 64, .prefix4_min = 8, .prefix6_min = 19             \
	}
static const struct wire_options plain = PLAIN;

static void
expect_command(
	const char *name, struct command *command, const char *part, bool there)
{
	const char *text = command_text(command);

	if ((strstr(text, part) != NULL) != there)
		fail_msg("%s: %s %s in %s", name, part, there ? "is not" : "is",
			text);
}

#define RULE "\"expr\":[{\"match\":{\"op\":\"==\",\"left\":"
static const struct {
	const char *name;
	struct wire_options options;
	enum command_spare spare;
	const char *part;
	bool there;
} installs[] = {
	{"table first", PLAIN, COMMAND_NO_SPARE,
		"{\"nftables\":[{\"add\":{\"table\":{\"family\":\"inet\","
		"\"name\":\"t\"}}},",
		true},
	{"hash set", PLAIN, COMMAND_NO_SPARE,
		"\"name\":\"ban6\",\"size\":4194304,\"stmt\":[{\"counter\":"
		"null}],\"type\":\"ipv6_addr\",\"flags\":[\"timeout\"]}",
		true},
	{"interval set", PLAIN, COMMAND_NO_SPARE,
		"\"name\":\"net4\",\"size\":4194304,\"stmt\":[{\"counter\":"
		"null}],\"type\":\"ipv4_addr\",\"flags\":[\"interval\","
		"\"timeout\"]}",
		true},
	{"exempt set", PLAIN, COMMAND_NO_SPARE,
		"\"name\":\"exempt4\",\"type\":\"ipv4_addr\",\"flags\":["
		"\"interval\"]}",
		true},
	{"chain", PLAIN, COMMAND_NO_SPARE,
		"\"name\":\"prerouting\",\"type\":\"filter\",\"hook\":"
		"\"prerouting\",\"prio\":-300,\"policy\":\"accept\"",
		true},
	{"loopback", PLAIN, COMMAND_NO_SPARE,
		RULE "{\"meta\":{\"key\":\"iif\"}},\"right\":\"lo\"}},"
		     "{\"return\":null}]",
		true},
	{"mask of 64", PLAIN, COMMAND_NO_SPARE,
		RULE "{\"&\":[{\"payload\":{\"protocol\":\"ip6\",\"field\":"
		     "\"saddr\"}},\"ffff:ffff:ffff:ffff::\"]},\"right\":"
		     "\"@ban6\"}},{\"goto\":{\"target\":\"banned\"}}]",
		true},
	{"mask of 48", {.prefix6 = 48}, COMMAND_NO_SPARE,
		"\"ffff:ffff:ffff::\"", true},
	{"no mask for 128", {.prefix6 = 128}, COMMAND_NO_SPARE, "\"&\"", false},
	{"all ports", PLAIN, COMMAND_NO_SPARE, "dport", false},
	{"ports", {.prefix6 = 64, .port_count = 2, .ports = {25, 587}},
		COMMAND_NO_SPARE,
		"{\"match\":{\"op\":\"!=\",\"left\":{\"payload\":{"
		"\"protocol\":\"tcp\",\"field\":\"dport\"}},\"right\":{"
		"\"set\":[25,587]}}},{\"return\":null}",
		true},
	{"no log", PLAIN, COMMAND_NO_SPARE, "\"log\"", false},
	{"log, its prefix escaped",
		{.prefix6 = 64,
			.log = true,
			.log_per_minute = 10,
			.log_burst = 5,
			.log_prefix = "a\"b\\"},
		COMMAND_NO_SPARE,
		"[{\"limit\":{\"rate\":10,\"per\":\"minute\",\"burst\":5}},"
		"{\"log\":{\"prefix\":\"a\\\"b\\\\\"}}]",
		true},
	{"drop last", PLAIN, COMMAND_NO_SPARE,
		"\"chain\":\"banned\",\"expr\":[{\"drop\":null}]", true},
	{"no spare sets", PLAIN, COMMAND_NO_SPARE, "@spare", false},
	{"they are deleted", PLAIN, COMMAND_DROP_SPARE,
		"{\"delete\":{\"set\":{\"family\":\"inet\",\"table\":\"t\","
		"\"name\":\"spare4\"}}}",
		true},
	{"spare sets", PLAIN, COMMAND_WITH_SPARE, "\"@spare4\"", true},
	{"they are not deleted", PLAIN, COMMAND_WITH_SPARE, "\"delete\"",
		false},
};

static void
test_install(void **state)
{
	struct command command;

	(void)state;
	for (size_t i = 0; i < sizeof(installs) / sizeof(installs[0]); i++) {
		command_begin(&command, "t");
		command_install(
			&command, &installs[i].options, installs[i].spare);
		expect_command(installs[i].name, &command, installs[i].part,
			installs[i].there);
		command_free(&command);
	}
}

/* Before any rule that drops comes every rule that exempts. */
static void
test_order(void **state)
{
	static const char *const order[] = {"\"right\":\"lo\"",
		"\"right\":\"@exempt4\"", "\"right\":\"@exempt6\"",
		"\"l4proto\"", "\"dport\"", "\"right\":\"@ban4\"",
		"\"right\":\"@ban6\"", "\"right\":\"@net4\"",
		"\"right\":\"@net6\"", "\"log\"", "\"drop\""};
	struct wire_options options = {.prefix6 = 64,
		.log = true,
		.log_per_minute = 1,
		.log_burst = 1,
		.port_count = 1,
		.ports = {25}};
	struct command command;
	const char *at;

	(void)state;
	command_begin(&command, "t");
	command_install(&command, &options, COMMAND_NO_SPARE);
	at = command_text(&command);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		at = strstr(at, order[i]);
		if (!at)
			fail_msg("%s is missing or too early", order[i]);
	}
	command_free(&command);
}

#define IN(verb, set, elements)                                                \
	"{\"" verb "\":{\"element\":{\"family\":\"inet\",\"table\":\"t\","     \
	"\"name\":\"" set "\",\"elem\":[" elements "]}}}"
#define TIMED(address, seconds)                                                \
	"{\"elem\":{\"val\":\"" address "\",\"timeout\":" seconds "}}"
#define ALL(commands) "{\"nftables\":[" commands "]}"

static const struct {
	const char *name, *net;
	struct want want;
	const char *json;
} clients[] = {
	{"new", "192.0.2.1", {.change = WANT_NEW, .end_ms = 61000},
		ALL(IN("add", "ban4", TIMED("192.0.2.1", "60")))},
	{"rounded up", "192.0.2.1", {.change = WANT_NEW, .end_ms = 1001},
		ALL(IN("add", "ban4", TIMED("192.0.2.1", "1")))},
	{"permanent", "192.0.2.1",
		{.change = WANT_NEW, .end_ms = WANT_PERMANENT},
		ALL(IN("add", "ban4", "\"192.0.2.1\""))},
	{"too long", "192.0.2.1",
		{.change = WANT_NEW, .end_ms = DURATION_MAX_S * 2000},
		ALL(IN("add", "ban4", TIMED("192.0.2.1", "315360000")))},
	{"IPv6", "2001:db8::/64", {.change = WANT_NEW, .end_ms = 61000},
		ALL(IN("add", "ban6", TIMED("2001:db8::", "60")))},
	{"renewal", "192.0.2.1",
		{.change = WANT_NEW, .present = true, .end_ms = 61000},
		ALL(IN("add", "ban4", "\"192.0.2.1\"") "," IN(
			"delete", "ban4", "\"192.0.2.1\"") "," IN("add", "ban4",
			TIMED("192.0.2.1", "60")))},
	{"lift", "192.0.2.1",
		{.change = WANT_NEW, .present = true, .end_ms = WANT_LIFTED},
		ALL(IN("add", "ban4", "\"192.0.2.1\"") "," IN(
			"delete", "ban4", "\"192.0.2.1\""))},
	{"lift of one that is not there", "192.0.2.1",
		{.change = WANT_NEW, .end_ms = WANT_LIFTED}, ALL("")},
	{"mended", "192.0.2.1",
		{.change = WANT_MEND, .present = true, .end_ms = 61000},
		ALL(IN("add", "ban4", TIMED("192.0.2.1", "60")))},
	{"over by now", "192.0.2.1", {.change = WANT_NEW, .end_ms = 1000},
		ALL("")},
};

static void
test_clients(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
		struct want want = clients[i].want, *one = &want;
		struct command command;
		const char *text;

		want.net = network(clients[i].net);
		command_begin(&command, "t");
		command_clients(&command,
			&(struct command_clients){&one, 1, 1000, false});
		text = command_text(&command);
		if (strcmp(text, clients[i].json) != 0)
			fail_msg("%s: %s is not %s", clients[i].name, text,
				clients[i].json);
		assert_int_equal(
			command_is_empty(&command), strcmp(text, ALL("")) == 0);
		command_free(&command);
	}
}

static void
test_exempt(void **state)
{
	struct netset exempt = {0};
	struct command command;
	struct network net = network("10.0.0.0/8");

	(void)state;
	netset_add(&exempt, &net);
	net = network("192.0.2.1");
	netset_add(&exempt, &net);
	command_begin(&command, "t");
	command_exempt(&command, &exempt);
	assert_string_equal(command_text(&command),
		ALL("{\"flush\":{\"set\":{\"family\":\"inet\",\"table\":\"t\","
		    "\"name\":\"exempt4\"}}}," IN("add", "exempt4",
			    "{\"prefix\":{\"addr\":\"10.0.0.0\",\"len\":8}}"
			    ",\"192.0.2.1\"") ","
					      "{\"flush\":{\"set\":{\"family\":"
					      "\"inet\",\"table\":"
					      "\"t\",\"name\":\"exempt6\"}}}"));
	command_free(&command);
	netset_free(&exempt);
}

/* ---- Wide bans ---- */

static const struct {
	const char *name;
	struct {
		const char *net;
		int64_t end_ms;
	} wide[4];
	const char *parts;
} cuts[] = {
	{"none", {{0}}, ""},
	{"one", {{"10.0.0.0/8", 100}}, "10.0.0.0/8=100 "},
	{"one that is over", {{"10.0.0.0/8", 50}}, ""},
	{"side by side", {{"10.0.0.0/9", 100}, {"10.128.0.0/9", 200}},
		"10.0.0.0/9=100 10.128.0.0/9=200 "},
	{"inner ends first", {{"10.0.0.0/8", 200}, {"10.1.0.0/16", 100}},
		"10.0.0.0/8=200 "},
	{"inner ends with it", {{"10.0.0.0/8", 200}, {"10.1.0.0/16", 200}},
		"10.0.0.0/8=200 "},
	{"inner ends last", {{"10.0.0.0/8", 100}, {"10.128.0.0/10", 200}},
		"10.0.0.0/9=100 10.128.0.0/10=200 10.192.0.0/10=100 "},
	{"outer is over", {{"10.0.0.0/8", 50}, {"10.128.0.0/10", 200}},
		"10.128.0.0/10=200 "},
	{"three deep",
		{{"10.0.0.0/8", 100}, {"10.0.0.0/9", 300},
			{"10.0.0.0/10", 200}},
		"10.0.0.0/9=300 10.128.0.0/9=100 "},
	{"longest innermost",
		{{"10.0.0.0/8", 100}, {"10.0.0.0/9", 200},
			{"10.0.0.0/10", 300}},
		"10.0.0.0/10=300 10.64.0.0/10=200 10.128.0.0/9=100 "},
	{"permanent", {{"10.0.0.0/8", WANT_PERMANENT}, {"10.0.0.0/9", 200}},
		"10.0.0.0/8=9223372036854775807 "},
	{"everything's end", {{"255.255.255.254/31", 100}},
		"255.255.255.254/31=100 "},
	{"only its family", {{"2001:db8::/32", 100}}, ""},
};

static void
test_parts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		struct wants wants = {.prefix6 = 64};
		struct want_part *parts;
		char got[400] = "", text[NETWORK_STRLEN];
		size_t count, len = 0;

		for (size_t j = 0; j < 4 && cuts[i].wide[j].net; j++) {
			struct network net = network(cuts[i].wide[j].net);

			want_set(&wants, &net, cuts[i].wide[j].end_ms, false,
				NULL);
		}
		assert_int_equal(wants.changed_count, 0);
		count = want_parts(&wants, ADDR_V4, 50, &parts);
		for (size_t j = 0; j < count; j++)
			len += (size_t)snprintf(got + len, sizeof(got) - len,
				"%s=%lld ", network_format(&parts[j].net, text),
				(long long)parts[j].end_ms);
		free(parts);
		if (strcmp(got, cuts[i].parts) != 0)
			fail_msg("%s: %s is not %s", cuts[i].name, got,
				cuts[i].parts);
		want_free(&wants);
	}
}

/* Against the definition: an address is banned until the latest end of all
 * bans that contain it. */
static void
test_parts_at_random(void **state)
{
	(void)state;
	srandom(1);
	for (int round = 0; round < 300; round++) {
		struct wants wants = {.prefix6 = 64};
		struct network nets[8];
		int64_t ends[8];
		struct want_part *parts;
		size_t count;

		for (int i = 0; i < 8; i++) {
			struct addr addr = {
				ADDR_V4, {10, 0, 0, (uint8_t)random()}};

			nets[i] =
				network_of(&addr, (uint8_t)(24 + random() % 8));
			ends[i] = 100 + random() % 5;
			want_set(&wants, &nets[i], ends[i], false, NULL);
			for (int j = 0; j < i; j++)
				if (network_equal(&nets[i], &nets[j]))
					ends[j] = ends[i];
		}
		count = want_parts(&wants, ADDR_V4, 50, &parts);
		for (unsigned last = 0; last < 256; last++) {
			struct addr addr = {ADDR_V4, {10, 0, 0, (uint8_t)last}};
			int64_t should = 0, is = 0;
			int covered = 0;

			for (int i = 0; i < 8; i++)
				if (network_has(&nets[i], &addr) &&
					ends[i] > should)
					should = ends[i];
			for (size_t i = 0; i < count; i++)
				if (network_has(&parts[i].net, &addr)) {
					is = parts[i].end_ms;
					covered++;
				}
			assert_true(covered <= 1);
			assert_int_equal(is, should);
		}
		free(parts);
		want_free(&wants);
	}
}

/* ---- Answers of libnftables ---- */

static const struct {
	const char *text;
	int error;
	bool general;
} errors[] = {
	{"internal:0:0-0: Error: Could not process rule: No such file or "
	 "directory",
		-ENOENT, true},
	{"netlink: Error: cache initialization failed: Operation not permitted",
		-EPERM, true},
	{"Error: Could not process rule: No buffer space available", -ENOBUFS,
		true},
	{"Error: Could not process rule: Cannot allocate memory", -ENOMEM,
		true},
	{"Error: Could not process rule: Too many open files in system",
		-ENFILE, true},
	{"Error: Could not process rule: Numerical result out of range",
		-ERANGE, false},
	{"Error: Could not process rule: File exists", -EEXIST, false},
	{"Error: conflicting intervals specified", -EINVAL, false},
};

static void
test_errors(void **state)
{
	struct nft nft;

	(void)state;
	nft_open(&nft, "t");
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct command command;

		fake.error = errors[i].text;
		command_begin(&command, "t");
		command_forget(&command);
		assert_int_equal(nft_run(&nft, &command), errors[i].error);
		assert_int_equal(
			nft_is_general(errors[i].error), errors[i].general);
	}
	assert_int_equal(nft.commits, 0);
	nft_close(&nft);
}

struct listed {
	char text[600];
	size_t len;
};

static void
note_item(const struct wire_item *item, void *arg)
{
	struct listed *listed = arg;
	char text[NETWORK_STRLEN];

	listed->len += (size_t)snprintf(listed->text + listed->len,
		sizeof(listed->text) - listed->len, "%s %llu %llu %llu;",
		network_format(&item->net, text),
		(unsigned long long)item->timeout_ms,
		(unsigned long long)item->packets,
		(unsigned long long)item->bytes);
}

#define SET(elements)                                                          \
	"{\"nftables\": [{\"metainfo\": {\"version\": \"1.0.6\"}}, {\"set\": " \
	"{\"name\": \"x\", \"elem\": [" elements "]}}]}"

static const struct {
	const char *name;
	int set;
	const char *json, *items;
} lists[] = {
	{"elements", 2,
		SET("{\"elem\": {\"val\": \"1.2.3.4\", \"timeout\": 60, "
		    "\"expires\": 59, \"counter\": {\"packets\": 3, "
		    "\"bytes\": 180}}}, {\"elem\": {\"val\": \"1.2.3.5\", "
		    "\"counter\": {\"packets\": 0, \"bytes\": 0}}}"),
		"1.2.3.4 59001 3 180;1.2.3.5 0 0 0;"},
	{"about to end is not permanent", 2,
		SET("{\"elem\": {\"val\": \"1.2.3.4\", \"timeout\": 60, "
		    "\"expires\": 0}}"),
		"1.2.3.4 1 0 0;"},
	{"bare", 2, SET("\"1.2.3.4\""), "1.2.3.4 0 0 0;"},
	{"IPv6 client", 3, SET("\"2001:db8::\""), "2001:db8::/64 0 0 0;"},
	{"networks", 4,
		SET("{\"elem\": {\"val\": {\"prefix\": {\"addr\": "
		    "\"10.0.0.0\", \"len\": 8}}, \"timeout\": 9, "
		    "\"expires\": 8}}"),
		"10.0.0.0/8 8001 0 0;"},
	{"no elements", 2, "{\"nftables\": [{\"set\": {\"name\": \"x\"}}]}",
		""},
	{"what is not understood", 2,
		SET("{\"elem\": {\"val\": {\"range\": [\"1.0.0.1\", "
		    "\"1.0.0.9\"]}}}, 7, {}, \"nonsense\", {\"elem\": 1}, "
		    "{\"prefix\": {\"addr\": \"1.0.0.0\", \"len\": 77}}"),
		""},
	{"no JSON", 2, "Error", ""},
	{"no list", 2, "{\"nftables\": 1}", ""},
};

static void
test_list(void **state)
{
	struct nft nft;

	(void)state;
	nft_open(&nft, "t");
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct listed listed = {.len = 0};

		fake.list = lists[i].json;
		assert_int_equal(nft_list(&nft, &command_sets[lists[i].set], 64,
					 note_item, &listed),
			0);
		if (strcmp(listed.text, lists[i].items) != 0)
			fail_msg("%s: %s", lists[i].name, listed.text);
	}
	nft_close(&nft);
}

static void
test_describe(void **state)
{
	struct nft nft;
	char *one, *two;

	(void)state;
	nft_open(&nft, "t");
	fake.list = "{\"nftables\": [{\"metainfo\": {}}, {\"table\": "
		    "{\"name\": \"u\"}}, {\"rule\": {\"table\": \"u\"}}]}";
	assert_null(nft_describe(&nft));
	fake.list = "{\"nftables\": [{\"table\": {\"name\": \"t\", "
		    "\"handle\": 1}}, {\"rule\": {\"table\": \"t\"}}]}";
	one = nft_describe(&nft);
	assert_non_null(one);
	fake.list = "{\"nftables\": [{\"table\": {\"name\": \"t\", "
		    "\"handle\": 2}}, {\"rule\": {\"table\": \"t\"}}]}";
	two = nft_describe(&nft);
	assert_non_null(two);
	assert_string_not_equal(one, two);
	free(one);
	free(two);
	nft_close(&nft);
}

/* ---- The keeper ---- */

static void
open_keeper(struct keeper *keeper, const char *listed)
{
	keeper_open(keeper, "t", answer_refused);
	fake.list = listed;
	assert_int_equal(keeper_install(keeper, &plain), 0);
}

static int
ban(struct keeper *keeper, const char *text, uint64_t timeout_ms)
{
	struct network net = network(text);

	return keeper_ban(keeper, &net, timeout_ms, NULL);
}

/* How many of the commands from the first on contain part. */
static int
ran(int first, const char *part)
{
	int count = 0;

	for (int i = first; i < fake.runs; i++)
		count += strstr(fake.ran[i], part) != NULL;
	return count;
}

static void
test_refusals(void **state)
{
	struct keeper keeper;
	struct network own = network("198.51.100.0/24");

	(void)state;
	netset_add(&fake.host, &own);
	open_keeper(&keeper, NULL);
	assert_int_equal(ran(0, "198.51.100.0"), 1);
	assert_int_equal(ban(&keeper, "198.51.100.7", 1000), -EPERM);
	assert_int_equal(ban(&keeper, "198.51.100.0/24", 1000), -EPERM);
	assert_int_equal(ban(&keeper, "198.51.0.0/16", 1000), 0);
	assert_int_equal(ban(&keeper, "192.0.0.0/7", 1000), -EINVAL);
	assert_int_equal(ban(&keeper, "2001::/18", 1000), -EINVAL);
	assert_int_equal(ban(&keeper, "2001::/19", 1000), 0);
	keeper_close(&keeper);
}

/* One bad element among many: all the others are in, it alone is not. */
static void
test_halving(void **state)
{
	struct keeper keeper;
	struct network net = network("10.0.0.0");
	int before;

	(void)state;
	open_keeper(&keeper, NULL);
	before = fake.runs;
	for (unsigned i = 0; i < 100; i++) {
		net.addr.bytes[3] = (uint8_t)i;
		assert_int_equal(keeper_ban(&keeper, &net, 0, NULL), 0);
	}
	fake.bad = "\"10.0.0.77\"";
	assert_int_equal(keeper_write(&keeper), 0);
	assert_int_equal(keeper.table.wants.count, 99);
	assert_int_equal(keeper.table.wants.changed_count, 0);
	for (unsigned i = 0; i < 100; i++) {
		char text[24];

		(void)snprintf(text, sizeof(text), "\"10.0.0.%u\"", i);
		assert_int_equal(ran(before, text), i == 77 ? 0 : 1);
	}
	keeper_close(&keeper);
}

/* What fails as a whole is wanted still, and comes with the next write. */
static void
test_retry(void **state)
{
	struct keeper keeper;
	int before;

	(void)state;
	open_keeper(&keeper, NULL);
	before = fake.runs;
	assert_int_equal(ban(&keeper, "192.0.2.1", 0), 0);
	fake.error = "Could not process rule: No buffer space available";
	assert_int_equal(keeper_write(&keeper), -ENOBUFS);
	assert_int_equal(ran(before, "192.0.2.1"), 0);
	fake.error = NULL;
	assert_int_equal(keeper_write(&keeper), 0);
	assert_int_equal(ran(before, "192.0.2.1"), 1);
	before = fake.runs;
	assert_int_equal(ban(&keeper, "192.0.2.1", 0), 0);
	assert_int_equal(keeper_write(&keeper), 0);
	assert_int_equal(fake.runs, before); /* nothing new */
	keeper_close(&keeper);
}

static void
test_replace(void **state)
{
	struct keeper keeper;
	int before;

	(void)state;
	open_keeper(&keeper, NULL);
	assert_int_equal(ban(&keeper, "192.0.2.1", 0), 0);
	assert_int_equal(ban(&keeper, "192.0.2.2", 0), 0);
	assert_int_equal(ban(&keeper, "10.0.0.0/8", 0), 0);
	assert_int_equal(keeper_write(&keeper), 0);
	before = fake.runs;
	keeper_replace_begin(&keeper);
	assert_int_equal(ban(&keeper, "192.0.2.2", 0), 0);
	assert_int_equal(ban(&keeper, "192.0.2.3", 0), 0);
	assert_int_equal(keeper_replace_end(&keeper, NULL), 0);
	assert_int_equal(ran(before, "{\"delete\":{\"element\""), 1);
	assert_int_equal(ran(before, "[\"192.0.2.1\"]"), 1);
	assert_int_equal(ran(before, "192.0.2.2"), 0);
	assert_int_equal(ran(before, "[\"192.0.2.3\"]"), 1);
	assert_int_equal(ran(before, "\"name\":\"net4\""), 1);
	assert_int_equal(ran(before, "10.0.0.0"), 0);
	assert_int_equal(
		keeper.table.wants.count, 3); /* the /8 is swept later */
	keeper_close(&keeper);
}

/* A new helper finds a table, and does not know what it holds: the sets are
 * emptied and filled in one transaction, so that nobody slips through. */
static void
test_replace_unknown(void **state)
{
	struct keeper keeper;
	int before;

	(void)state;
	open_keeper(
		&keeper, "{\"nftables\": [{\"table\": {\"name\": \"t\"}}]}");
	assert_true(keeper.table.unknown);
	assert_int_equal(ran(0, "\"@spare4\""), 1);
	before = fake.runs;
	keeper_replace_begin(&keeper);
	assert_int_equal(ban(&keeper, "192.0.2.2", 0), 0);
	assert_int_equal(keeper_replace_end(&keeper, NULL), 0);
	assert_false(keeper.table.unknown);
	assert_non_null(strstr(fake.ran[before], "{\"flush\":{\"set\""));
	assert_non_null(strstr(fake.ran[before], "\"ban4\""));
	assert_non_null(strstr(fake.ran[before], "192.0.2.2"));
	assert_int_equal(ran(before, "\"@spare4\""), 0);
	keeper_close(&keeper);
}

/* The same where a bad element refuses that transaction: by way of the spare
 * sets, which are filled before the others are emptied. */
static void
test_replace_spare(void **state)
{
	struct keeper keeper;
	int before, spare = -1, flush = -1, filled = -1;

	(void)state;
	open_keeper(
		&keeper, "{\"nftables\": [{\"table\": {\"name\": \"t\"}}]}");
	before = fake.runs;
	fake.bad = "\"192.0.2.66\"";
	keeper_replace_begin(&keeper);
	assert_int_equal(ban(&keeper, "192.0.2.2", 0), 0);
	assert_int_equal(ban(&keeper, "192.0.2.66", 0), 0);
	assert_int_equal(keeper_replace_end(&keeper, NULL), 0);
	for (int i = before; i < fake.runs; i++) {
		if (strstr(fake.ran[i], "192.0.2.2"))
			*(spare < 0 ? &spare : &filled) = i;
		if (strstr(fake.ran[i], "{\"flush\":{\"set\":{\"family\":"
					"\"inet\",\"table\":\"t\",\"name\":"
					"\"ban4\"}}}"))
			flush = i;
	}
	assert_true(spare >= 0 && spare < flush && flush < filled);
	assert_non_null(strstr(fake.ran[spare], "\"spare4\""));
	assert_non_null(strstr(fake.ran[filled], "\"ban4\""));
	assert_int_equal(keeper.table.wants.count, 1);
	keeper_close(&keeper);
}

static void
test_mend(void **state)
{
	struct keeper keeper;
	struct network net = network("192.0.2.1");
	int before;

	(void)state;
	open_keeper(&keeper, NULL);
	assert_int_equal(keeper_ban(&keeper, &net, 0, NULL), 0);
	assert_int_equal(ban(&keeper, "192.0.2.2", 0), 0);
	assert_int_equal(keeper_write(&keeper), 0);
	/* One element: it alone. */
	before = fake.runs;
	keeper.table.watch.gone(
		"ban4", net.addr.bytes, 4, keeper.table.watch.arg);
	assert_false(keeper_work(&keeper)); /* quiet first */
	assert_in_range(keeper_timeout_ms(&keeper), 1, 100);
	usleep(110000);
	assert_true(keeper_work(&keeper));
	assert_int_equal(fake.runs, before + 1);
	assert_int_equal(ran(before, "[\"192.0.2.1\"]"), 1);
	/* All. */
	before = fake.runs;
	keeper.table.watch.hit = true;
	assert_false(keeper_work(&keeper));
	usleep(110000);
	assert_true(keeper_work(&keeper));
	assert_int_equal(ran(before, "\"prerouting\""), 1);
	assert_int_equal(ran(before, "192.0.2.2"), 1);
	assert_int_equal(ran(before, "{\"delete\":{\"element\""), 0);
	/* Not after it was removed. */
	assert_int_equal(table_remove(&keeper.table), 0);
	before = fake.runs;
	keeper.table.watch.hit = true;
	(void)keeper_work(&keeper);
	usleep(110000);
	assert_false(keeper_work(&keeper));
	assert_int_equal(fake.runs, before);
	keeper_close(&keeper);
}

/* ---- Requests ---- */

struct peer {
	struct keeper keeper;
	struct talk *talk;
	int fd;
};

static void
open_peer(struct peer *peer)
{
	int pair[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair),
		0);
	open_keeper(&peer->keeper, NULL);
	peer->talk = talk_new(pair[0], &peer->keeper);
	peer->fd = pair[1];
}

static void
close_peer(struct peer *peer)
{
	talk_free(peer->talk);
	keeper_close(&peer->keeper);
	(void)close(peer->fd);
	(void)reset_fake(NULL);
}

static size_t
make_request(uint8_t *packet, enum wire_type type, uint8_t flags, uint32_t seq,
	const char *net)
{
	struct wire_header header = {
		.type = type, .flags = flags, .seq = seq, .count = net != NULL};
	struct wire_item item = {.timeout_ms = 60000};

	wire_put_header(packet, &header);
	if (!net)
		return WIRE_HEADER_LEN;
	item.net = network(net);
	wire_put_item(packet + WIRE_HEADER_LEN, &item);
	return WIRE_HEADER_LEN + WIRE_ITEM_LEN;
}

static void
request(struct peer *peer, enum wire_type type, uint8_t flags, uint32_t seq,
	const char *net)
{
	uint8_t packet[WIRE_HEADER_LEN + WIRE_ITEM_LEN];
	size_t len = make_request(packet, type, flags, seq, net);

	assert_int_equal(send(peer->fd, packet, len, 0), len);
}

/* The next answer, as "seq status [network]". */
static void
expect_answer(struct peer *peer, uint32_t seq, int status, const char *net)
{
	static uint8_t packet[WIRE_PACKET_MAX];
	ssize_t got = recv(peer->fd, packet, sizeof(packet), 0);
	struct wire_header header;
	struct wire_item item;
	struct network wanted;

	assert_true(got > 0);
	assert_int_equal(wire_get_header(packet, (size_t)got, &header), 0);
	assert_int_equal(header.type, WIRE_DONE);
	assert_int_equal(header.seq, seq);
	assert_int_equal(header.status, status);
	assert_int_equal(header.count, net != NULL);
	if (!net)
		return;
	wanted = network(net);
	assert_int_equal(wire_get_item(packet + WIRE_HEADER_LEN, &item), 0);
	assert_true(network_equal(&item.net, &wanted));
}

static void
test_requests(void **state)
{
	struct peer peer;
	int before;

	(void)state;
	open_peer(&peer);
	request(&peer, WIRE_EXEMPT, WIRE_FIRST, 1, "10.1.0.0/16");
	request(&peer, WIRE_EXEMPT, WIRE_LAST, 1, "10.2.0.0/16");
	assert_int_equal(answer_waiting(peer.talk), 0);
	expect_answer(&peer, 1, 0, NULL);
	assert_int_equal(recv(peer.fd, &before, 1, 0), -1);
	/* What waits goes into one transaction. */
	before = fake.runs;
	request(&peer, WIRE_BAN, 0, 2, "192.0.2.1");
	request(&peer, WIRE_BAN, 0, 3, "10.2.3.4");
	request(&peer, WIRE_LIFT, 0, 4, "192.0.2.9");
	assert_int_equal(answer_waiting(peer.talk), 0);
	assert_int_equal(fake.runs, before + 1);
	expect_answer(&peer, 2, 0, NULL);
	expect_answer(&peer, 3, -EPERM, "10.2.3.4");
	expect_answer(&peer, 4, 0, NULL);
	/* The kernel's refusals go to who asked. */
	fake.bad = "\"192.0.2.5\"";
	request(&peer, WIRE_BAN, 0, 5, "192.0.2.4");
	request(&peer, WIRE_BAN, 0, 6, "192.0.2.5");
	assert_int_equal(answer_waiting(peer.talk), 0);
	expect_answer(&peer, 5, 0, NULL);
	expect_answer(&peer, 6, -EEXIST, "192.0.2.5");
	/* Failure of all. */
	fake.error = "Could not process rule: Cannot allocate memory";
	request(&peer, WIRE_BAN, 0, 7, "192.0.2.6");
	assert_int_equal(answer_waiting(peer.talk), 0);
	expect_answer(&peer, 7, -ENOMEM, NULL);
	close_peer(&peer);
}

/* What was asked before the peer went is done all the same. */
static void
test_last_words(void **state)
{
	struct peer peer;
	int before;

	(void)state;
	open_peer(&peer);
	before = fake.runs;
	request(&peer, WIRE_BAN, 0, 1, "192.0.2.1");
	assert_int_equal(shutdown(peer.fd, SHUT_RDWR), 0);
	assert_int_equal(answer_waiting(peer.talk), -ECONNRESET);
	assert_int_equal(ran(before, "192.0.2.1"), 1);
	close_peer(&peer);
}

static const struct {
	const char *name;
	enum wire_type type;
	uint8_t flags;
} strange[] = {
	{"an answer", WIRE_DONE, 0},
	{"an unasked answer", WIRE_ITEMS, WIRE_LAST},
	{"a stream without beginning", WIRE_REPLACE, WIRE_LAST},
	{"the same of exemptions", WIRE_EXEMPT, 0},
};

static void
test_strange_requests(void **state)
{
	uint8_t packet[WIRE_HEADER_LEN + WIRE_ITEM_LEN];
	struct peer peer;

	(void)state;
	for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
		open_peer(&peer);
		request(&peer, strange[i].type, strange[i].flags, 1,
			"192.0.2.1");
		if (answer_waiting(peer.talk) != -EBADMSG)
			fail_msg("%s is accepted", strange[i].name);
		assert_int_equal(peer.keeper.table.wants.count, 0);
		close_peer(&peer);
	}
	/* A stream of one kind inside another, or with another number. */
	open_peer(&peer);
	request(&peer, WIRE_REPLACE, WIRE_FIRST, 1, "192.0.2.1");
	request(&peer, WIRE_EXEMPT, WIRE_FIRST, 2, "192.0.2.1");
	assert_int_equal(answer_waiting(peer.talk), -EBADMSG);
	close_peer(&peer);
	open_peer(&peer);
	request(&peer, WIRE_REPLACE, WIRE_FIRST, 1, "192.0.2.1");
	request(&peer, WIRE_REPLACE, WIRE_LAST, 2, "192.0.2.1");
	assert_int_equal(answer_waiting(peer.talk), -EBADMSG);
	close_peer(&peer);
	/* Every truncation, and one byte too many. */
	for (size_t len = 1; len <= sizeof(packet) + 1; len++) {
		uint8_t cut[sizeof(packet) + 1] = {0};

		if (len == make_request(cut, WIRE_BAN, 0, 1, "192.0.2.1"))
			continue;
		open_peer(&peer);
		assert_int_equal(send(peer.fd, cut, len, 0), len);
		assert_int_equal(answer_waiting(peer.talk), -EBADMSG);
		assert_int_equal(peer.keeper.table.wants.count, 0);
		close_peer(&peer);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_install, reset_fake),
		cmocka_unit_test_teardown(test_order, reset_fake),
		cmocka_unit_test_teardown(test_clients, reset_fake),
		cmocka_unit_test_teardown(test_exempt, reset_fake),
		cmocka_unit_test_teardown(test_parts, reset_fake),
		cmocka_unit_test_teardown(test_parts_at_random, reset_fake),
		cmocka_unit_test_teardown(test_errors, reset_fake),
		cmocka_unit_test_teardown(test_list, reset_fake),
		cmocka_unit_test_teardown(test_describe, reset_fake),
		cmocka_unit_test_teardown(test_refusals, reset_fake),
		cmocka_unit_test_teardown(test_halving, reset_fake),
		cmocka_unit_test_teardown(test_retry, reset_fake),
		cmocka_unit_test_teardown(test_replace, reset_fake),
		cmocka_unit_test_teardown(test_replace_unknown, reset_fake),
		cmocka_unit_test_teardown(test_replace_spare, reset_fake),
		cmocka_unit_test_teardown(test_mend, reset_fake),
		cmocka_unit_test_teardown(test_requests, reset_fake),
		cmocka_unit_test_teardown(test_last_words, reset_fake),
		cmocka_unit_test_teardown(test_strange_requests, reset_fake),
	};

	(void)reset_fake(NULL);
	log_open("test_nft", LOG_LEVEL_ERR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
