/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ommailban: what rsyslog's omprog starts. Options, the order of the start,
 * and the loop. Started as root it gives up root before its first line of
 * input; what needs root (the starter of mailban-nft, the folders, the
 * operator's socket) is made before that.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/priv.h"
#include "common/xalloc.h"
#include "plugin/control.h"
#include "plugin/engine.h"
#include "plugin/omprog.h"
#include "plugin/starter.h"

enum {
	TICK_MS = 1000,
	/* While messages come: in a flood the ledger should not be left behind,
	 * nor take over crumbs: the larger a segment, the less each costs. */
	BUSY_TICK_MS = 250,
	/* While a message waits for room on the disk. */
	OWED_TICK_MS = 100,
	DOT_MS = 1000,
	/* After a failed start: rsyslog starts us again at once. */
	FAILED_PAUSE_S = 3,
	ENFORCE_WAIT_MS = 60000,
	LEAVE_KERNEL_MS = 1000,
};

struct options {
	struct engine_options engine;
	char *rules[CONFIG_RULES_MAX];
	bool check, debug;
};

struct loop {
	struct omprog *omprog;
	struct engine *engine;
	struct control *control; /* or NULL */
	int signal_fd;
	bool transaction;	 /* BEGIN was seen, COMMIT not yet */
	size_t owed;		 /* messages that are not answered yet */
	enum omprog_event event; /* what waits for their answers */
	bool leave;
	int64_t ticked_ms, dotted_ms;
};

static void
usage(FILE *to)
{
	(void)fputs(
		"usage: ommailban [OPTION]...\n"
		"Started by rsyslog's omprog; see rsyslog.d/60-mailban.conf.\n"
		"  --config FILE      configuration (default " MAILBAN_CONFIG
		",\n"
		"                     where it exists)\n"
		"  --rules FOLDER     rule files; may be repeated, later ones\n"
		"                     override (default: the configuration's)\n"
		"  --state FOLDER     journal and ledger\n"
		"  --control SOCKET   where mailban(1) asks\n"
		"  --helper PATH      program mailban-nft, or its socket\n"
		"  --check            check configuration and rules, and "
		"leave\n"
		"  --debug            say more\n"
		"  --version, --help\n",
		to);
}

static void
add_rules(struct options *options, char *folder)
{
	if (options->engine.rules_count == CONFIG_RULES_MAX)
		fatal("--rules: more than %d folders", CONFIG_RULES_MAX);
	options->rules[options->engine.rules_count++] = folder;
}

static void
take_option(struct options *options, int option, char *value)
{
	switch (option) {
	case 'c':
		options->engine.config_path = value;
		break;
	case 'r':
		add_rules(options, value);
		break;
	case 's':
		options->engine.state = value;
		break;
	case 'o':
		options->engine.control = value;
		break;
	case 'n':
		options->engine.helper = value;
		break;
	case 'k':
		options->check = true;
		break;
	case 'd':
		options->debug = true;
		break;
	case 'v':
		(void)puts("ommailban " MAILBAN_VERSION);
		exit(0);
	case 'h':
		usage(stdout);
		exit(0);
	default:
		usage(stderr);
		exit(2);
	}
}

static void
parse_options(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{"config", required_argument, NULL, 'c'},
		{"rules", required_argument, NULL, 'r'},
		{"state", required_argument, NULL, 's'},
		{"control", required_argument, NULL, 'o'},
		{"helper", required_argument, NULL, 'n'},
		{"check", no_argument, NULL, 'k'},
		{"debug", no_argument, NULL, 'd'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	int option;

	options->engine.starter_fd = -1;
	options->engine.rules = options->rules;
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
		take_option(options, option, optarg);
	if (optind < argc) {
		(void)fprintf(
			stderr, "ommailban: unexpected '%s'\n", argv[optind]);
		usage(stderr);
		exit(2);
	}
	if (!options->engine.config_path && access(MAILBAN_CONFIG, F_OK) == 0)
		options->engine.config_path = MAILBAN_CONFIG;
}

/* rsyslog would start us again at once, and again: say it once, and wait. */
static _Noreturn void
start_failed(char *error)
{
	log_err("start error=\"%s\"", error);
	free(error);
	if (!isatty(STDIN_FILENO))
		(void)sleep(FAILED_PAUSE_S);
	exit(1);
}

static int64_t
monotonic_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Keeps rsyslog waiting, without a word too many. */
static void
dot(void *arg)
{
	struct loop *loop = arg;
	int64_t now_ms = monotonic_ms();

	if (now_ms - loop->dotted_ms < DOT_MS)
		return;
	loop->dotted_ms = now_ms;
	omprog_dot(loop->omprog);
}

static int
check(const struct options *options)
{
	char *error = NULL;
	struct config *config = engine_config(&options->engine, &error);
	struct rules *rules = NULL;

	if (config)
		rules = rules_load((const char *const *)config->rules,
			config->rules_count, config->policy, &error);
	if (rules && rules_check(rules, &error) == 0)
		(void)printf(
			"%zu rules, all examples right\n", rules_count(rules));
	if (error)
		(void)fprintf(stderr, "ommailban: %s\n", error);
	rules_free(rules);
	config_free(config);
	return error ? 1 : 0;
}

/* --- the start --- */

static void
make_folder(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		log_warn("start folder=%s error=\"%s\"", path, strerror(errno));
	else if (geteuid() == 0 && chown(path, uid, gid) < 0)
		log_warn("start folder=%s error=\"%s\"", path, strerror(errno));
}

static void
make_parent(const char *path)
{
	char *parent = xstrdup(path);
	char *slash = strrchr(parent, '/');

	if (slash && slash != parent) {
		*slash = '\0';
		if (mkdir(parent, 0755) < 0 && errno != EEXIST)
			log_warn("start folder=%s error=\"%s\"", parent,
				strerror(errno));
	}
	free(parent);
}

/* What is not there yet may be the socket of a service that is still to
 * start. */
static bool
is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static void
start_starter(struct options *options, const struct config *config)
{
	int rc;

	if (!priv_has_net_admin()) {
		if (config->observe)
			return; /* does without */
		start_failed(xasprintf("%s: without CAP_NET_ADMIN it can't be "
				       "started from here; run it as a service "
				       "and give its socket as helper",
			config->helper));
	}
	rc = starter_new(config->helper, options->debug);
	if (rc < 0)
		start_failed(xasprintf("starter: %s", strerror(-rc)));
	options->engine.starter_fd = rc;
}

/* All that takes root, then root goes. */
static void
use_and_drop_root(struct options *options, const struct config *config,
	struct control **control)
{
	uid_t uid = getuid();
	gid_t gid = getgid();
	const struct control_groups groups = {
		.change = config->group, .read = config->read_group};
	char *error = NULL;

	if (uid == 0 && priv_lookup(PRIV_USER, &uid, &gid) < 0)
		start_failed(xasprintf("no system user %s: make one, as "
				       "'autogen.sh install' does",
			PRIV_USER));
	make_folder(config->state, 0750, uid, gid);
	make_parent(config->control);
	*control = control_new(config->control, &groups, &error);
	if (!*control) {
		log_warn("start control error=\"%s\": mailban(1) can't ask",
			error);
		free(error);
	}
	if (is_program(config->helper))
		start_starter(options, config);
	priv_drop(uid, gid, false);
}

static int
catch_signals(void)
{
	sigset_t set;

	(void)signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* --- the loop --- */

/* Answers the messages in hand if what they caused is written: in a transaction
 * in the file, else on the disk, for then OK promises what COMMIT does. An
 * error would have rsyslog send them again for ever, so until then they get no
 * answer but dots. rsyslog sends the next one after the answer; more than one
 * come from a file. Whether none is left. */
static bool
answer_messages(struct loop *loop)
{
	if (!loop->owed)
		return true;
	if (engine_flush(loop->engine) < 0 ||
		(!loop->transaction && engine_commit(loop->engine) < 0))
		return false;
	for (; loop->owed; loop->owed--)
		omprog_answer(loop->omprog,
			loop->transaction ? "DEFER_COMMIT" : "OK");
	return true;
}

static void
answer_commit(struct loop *loop)
{
	char text[OMPROG_ANSWER_MAX];
	int rc = engine_commit(loop->engine);

	loop->transaction = false;
	if (rc == 0) {
		omprog_answer(loop->omprog, "OK");
		return;
	}
	(void)snprintf(text, sizeof(text), "Error: journal: %s", strerror(-rc));
	omprog_answer(loop->omprog, text);
}

static void
take_mark(struct loop *loop, enum omprog_event mark)
{
	switch (mark) {
	case OMPROG_BEGIN_MARK:
		loop->transaction = true;
		omprog_answer(loop->omprog, "OK");
		break;
	case OMPROG_COMMIT_MARK:
		answer_commit(loop);
		break;
	case OMPROG_END:
		loop->leave = true;
		break;
	case OMPROG_NOTHING:
	case OMPROG_LINE:
	case OMPROG_TOO_LONG:
		break;
	}
}

/* Everything that has been read. What is neither message nor mark waits until
 * all messages before it are answered. */
static void
take_lines(struct loop *loop)
{
	enum omprog_event event = loop->event;
	int64_t now_us = engine_now();
	const char *line = NULL;
	size_t len = 0;

	while (!loop->leave) {
		if (event == OMPROG_LINE)
			engine_message(loop->engine, line, len, now_us);
		if (event == OMPROG_TOO_LONG)
			loop->engine->count.too_long++;
		if (event == OMPROG_LINE || event == OMPROG_TOO_LONG) {
			loop->owed++;
		} else {
			loop->event = event;
			if (!answer_messages(loop))
				return;
			loop->event = OMPROG_NOTHING;
			take_mark(loop, event);
		}
		event = omprog_next(loop->omprog, &line, &len);
		if (event == OMPROG_NOTHING && !loop->owed)
			return;
	}
}

static void
take_signals(struct loop *loop)
{
	struct signalfd_siginfo info;

	while (read(loop->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			(void)engine_reload(loop->engine);
		else
			loop->leave = true;
	}
}

static void
tick(struct loop *loop)
{
	int64_t now_ms = monotonic_ms();

	if (loop->owed) {
		dot(loop);
		take_lines(loop);
	}
	if (now_ms - loop->ticked_ms < BUSY_TICK_MS)
		return;
	loop->ticked_ms = now_ms;
	engine_work(loop->engine);
	if (loop->control)
		control_work(loop->control, loop->engine);
}

static bool
any_ready(const struct pollfd *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fds[i].revents)
			return true;
	return false;
}

enum { POLL_INPUT, POLL_SIGNAL, POLL_KERNEL, POLL_CONTROL };

static size_t
fill_poll(const struct loop *loop, struct pollfd *fds)
{
	const struct kernel *kernel = loop->engine->kernel;
	size_t count = POLL_CONTROL;

	fds[POLL_INPUT] = (struct pollfd){
		.fd = loop->owed ? -1 : STDIN_FILENO, .events = POLLIN};
	fds[POLL_SIGNAL] =
		(struct pollfd){.fd = loop->signal_fd, .events = POLLIN};
	fds[POLL_KERNEL] = (struct pollfd){
		.fd = kernel ? kernel_fd(kernel) : -1, .events = POLLIN};
	if (kernel && kernel_wants_write(kernel))
		fds[POLL_KERNEL].events |= POLLOUT;
	if (loop->control)
		count += control_poll(loop->control, fds + POLL_CONTROL);
	return count;
}

static int
poll_timeout(const struct loop *loop)
{
	int kernel_ms = TICK_MS;

	if (loop->engine->kernel)
		kernel_ms = kernel_timeout_ms(loop->engine->kernel);
	if (loop->owed && kernel_ms > OWED_TICK_MS)
		kernel_ms = OWED_TICK_MS;
	if (loop->control && kernel_ms > control_timeout_ms(loop->control))
		return control_timeout_ms(loop->control);
	return kernel_ms;
}

static void
one_round(struct loop *loop)
{
	struct pollfd fds[POLL_CONTROL + CONTROL_CLIENTS + 1];
	size_t count = fill_poll(loop, fds);
	bool kernel_ready;

	(void)poll(fds, count, poll_timeout(loop));
	if (fds[POLL_INPUT].revents) {
		omprog_read(loop->omprog);
		take_lines(loop);
	}
	if (fds[POLL_SIGNAL].revents)
		take_signals(loop);
	kernel_ready = fds[POLL_KERNEL].revents != 0;
	if (loop->engine->kernel &&
		(kernel_ready || kernel_fd(loop->engine->kernel) < 0))
		kernel_work(loop->engine->kernel);
	if (loop->control &&
		(kernel_ready || control_timeout_ms(loop->control) < TICK_MS ||
			any_ready(fds + POLL_CONTROL, count - POLL_CONTROL)))
		control_work(loop->control, loop->engine);
	tick(loop);
}

static void
run(struct loop *loop)
{
	while (!loop->leave)
		one_round(loop);
	(void)engine_commit(loop->engine);
	if (loop->engine->kernel)
		(void)kernel_settle(loop->engine->kernel, LEAVE_KERNEL_MS);
	log_info("stop messages=%llu offences=%llu bans=%llu",
		(unsigned long long)loop->engine->count.lines,
		(unsigned long long)loop->engine->count.offences,
		(unsigned long long)loop->engine->count.bans);
}

int
main(int argc, char **argv)
{
	struct options options = {0};
	struct loop loop = {0};
	struct config *config;
	char *error = NULL;

	parse_options(&options, argc, argv);
	log_open("ommailban", options.debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
		!options.check);
	if (options.check)
		return check(&options);
	config = engine_config(&options.engine, &error);
	if (!config)
		start_failed(error);
	use_and_drop_root(&options, config, &loop.control);
	loop.signal_fd = catch_signals();
	loop.omprog = omprog_new(STDIN_FILENO, STDOUT_FILENO);
	loop.dotted_ms = loop.ticked_ms = monotonic_ms();
	loop.engine = engine_open(&options.engine, config, dot, &loop, &error);
	if (!loop.engine)
		start_failed(error);
	engine_enforce(loop.engine, ENFORCE_WAIT_MS, dot, &loop);
	omprog_answer(loop.omprog, "OK");
	run(&loop);
	engine_close(loop.engine);
	control_free(loop.control);
	omprog_free(loop.omprog);
	return 0;
}
