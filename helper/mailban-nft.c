/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mailban-nft, the kernel-rule writer: the only process of mailban with
 * CAP_NET_ADMIN. It takes fixed-size binary requests and never text that could
 * become a command. Its end lifts no ban.
 */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/priv.h"
#include "helper/answer.h"
#include "helper/keeper.h"
#include "helper/service.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

struct settings {
	int fd;
	const char *path, *group, *peer, *user, *table;
	bool debug;
};

static const char usage[] =
	"usage: mailban-nft [--fd N]                  serve an inherited "
	"socket\n"
	"       mailban-nft --listen SOCKET [--group GROUP] [--peer USER]\n"
	"                                             serve as a daemon\n"
	"  --fd N         connected SEQPACKET socket (default 3)\n"
	"  --listen PATH  make this Unix socket; not needed where systemd\n"
	"                 passes one\n"
	"  --group GROUP  group of the socket (default: that of the peer)\n"
	"  --peer USER    who may connect besides root (default " PRIV_USER
	")\n"
	"  --user USER    whom to become (default " PRIV_HELPER_USER
	", else " PRIV_USER ")\n"
	"  --table NAME   name of the nftables table (default mailban)\n"
	"  --debug        say more\n"
	"  --version, --help\n";

static int
parse_fd(const char *text)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < 0 || value > 65535)
		fatal("--fd %s: not the number of a descriptor", text);
	return (int)value;
}

static const char *
parse_table(const char *name)
{
	const char *letters = "abcdefghijklmnopqrstuvwxyz"
			      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	if (strlen(name) < 1 || strlen(name) > 31 ||
		name[strspn(name, letters)])
		fatal("--table %s: 1 to 31 letters, digits, _ and -", name);
	return name;
}

static void
say_and_leave(const char *text)
{
	(void)fputs(text, stdout);
	exit(fflush(stdout) == 0 ? 0 : 1);
}

static void
take_option(struct settings *settings, int option, char **argv)
{
	switch (option) {
	case 'f':
		settings->fd = parse_fd(optarg);
		break;
	case 'l':
		settings->path = optarg;
		break;
	case 'g':
		settings->group = optarg;
		break;
	case 'p':
		settings->peer = optarg;
		break;
	case 'u':
		settings->user = optarg;
		break;
	case 't':
		settings->table = parse_table(optarg);
		break;
	case 'd':
		settings->debug = true;
		break;
	case 'v':
		say_and_leave("mailban-nft " PACKAGE_VERSION "\n");
		break;
	case 'h':
		say_and_leave(usage);
		break;
	default:
		(void)fprintf(stderr, "Try '%s --help'.\n", argv[0]);
		exit(2);
	}
}

static struct settings
parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{"fd", required_argument, NULL, 'f'},
		{"listen", required_argument, NULL, 'l'},
		{"group", required_argument, NULL, 'g'},
		{"peer", required_argument, NULL, 'p'},
		{"user", required_argument, NULL, 'u'},
		{"table", required_argument, NULL, 't'},
		{"debug", no_argument, NULL, 'd'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct settings settings = {
		.fd = 3, .peer = PRIV_USER, .table = "mailban"};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		take_option(&settings, option, argv);
	if (optind < argc)
		take_option(&settings, '?', argv);
	return settings;
}

static void
become_user(const char *user)
{
	uid_t uid = getuid();
	gid_t gid = getgid();

	if (user) {
		if (priv_lookup(user, &uid, &gid) < 0)
			fatal("start user=%s error=\"no such user\"", user);
	} else if (uid == 0 && priv_lookup(PRIV_HELPER_USER, &uid, &gid) < 0 &&
		   priv_lookup(PRIV_USER, &uid, &gid) < 0) {
		fatal("start error=\"neither user " PRIV_HELPER_USER
		      " nor " PRIV_USER " exists\": create one, or name "
		      "another with --user");
	}
	priv_drop(uid, gid, true);
	if (!priv_has_net_admin())
		fatal("start error=\"no CAP_NET_ADMIN\": start as root, or "
		      "with that capability");
}

static void
serve_inherited(const struct settings *settings, struct keeper *keeper)
{
	struct talk *talk;
	int type = 0, result = 0;
	socklen_t len = sizeof(type);

	if (getsockopt(settings->fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
		type != SOCK_SEQPACKET)
		fatal("--fd %d: no SEQPACKET socket", settings->fd);
	become_user(settings->user);
	keeper_open(keeper, settings->table, answer_refused);
	talk = talk_new(settings->fd, keeper);
	while (result == 0) {
		struct pollfd polled[] = {{settings->fd, POLLIN, 0},
			{keeper->table.watch.table_fd, POLLIN, 0},
			{keeper->table.watch.host_fd, POLLIN, 0}};

		(void)poll(polled, 3, keeper_timeout_ms(keeper));
		if (keeper_work(keeper))
			result = answer_healed(talk);
		if (result == 0 && polled[0].revents)
			result = answer_waiting(talk);
	}
	talk_free(talk);
	keeper_close(keeper);
	if (result != -ECONNRESET)
		fatal("leave error=\"%s\"", strerror(-result));
}

/* The peer has been read until nothing waits, so one that left is known. */
static void
take_peer(struct talk **talk, int listening, uid_t uid, struct keeper *keeper)
{
	int fd = service_accept(listening, uid);

	if (fd < 0)
		return;
	if (*talk) {
		log_warn("refused connection: another ommailban is served");
		(void)close(fd);
		return;
	}
	log_info("connected");
	*talk = talk_new(fd, keeper);
}

static void
end_talk(struct talk **talk, int why)
{
	if (why == -ECONNRESET)
		log_info("disconnected");
	else
		log_err("disconnect error=\"%s\"",
			why == -EBADMSG ? "malformed request" : strerror(-why));
	talk_free(*talk);
	*talk = NULL;
}

static void __attribute__((noreturn))
serve_all(int listening, uid_t peer, struct keeper *keeper)
{
	struct talk *talk = NULL;

	for (;;) {
		struct pollfd polled[] = {
			{talk ? talk_fd(talk) : -1, POLLIN, 0},
			{listening, POLLIN, 0},
			{keeper->table.watch.table_fd, POLLIN, 0},
			{keeper->table.watch.host_fd, POLLIN, 0}};
		int result = 0;

		(void)poll(polled, 4, keeper_timeout_ms(keeper));
		if (keeper_work(keeper) && talk)
			result = answer_healed(talk);
		if (talk && result == 0)
			result = answer_waiting(talk);
		if (result < 0)
			end_talk(&talk, result);
		if (polled[1].revents)
			take_peer(&talk, listening, peer, keeper);
	}
}

static void
serve(const struct settings *settings, int listening, struct keeper *keeper)
{
	struct group *group;
	uid_t peer;
	gid_t peer_group;

	if (priv_lookup(settings->peer, &peer, &peer_group) < 0)
		fatal("--peer %s: no such user", settings->peer);
	if (settings->group) {
		group = getgrnam(settings->group);
		if (!group)
			fatal("--group %s: no such group", settings->group);
		peer_group = group->gr_gid;
	}
	if (listening < 0)
		listening = service_listen(settings->path, peer_group);
	become_user(settings->user);
	keeper_open(keeper, settings->table, answer_refused);
	log_info("start version=" PACKAGE_VERSION " table=%s", settings->table);
	serve_all(listening, peer, keeper);
}

int
main(int argc, char **argv)
{
	struct keeper keeper;
	struct settings settings;
	int listening;

	log_open("mailban-nft", LOG_LEVEL_INFO, false);
	settings = parse_options(argc, argv);
	log_open("mailban-nft",
		settings.debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, true);
	listening = service_inherited();
	if (settings.path || listening >= 0)
		serve(&settings, listening, &keeper);
	else
		serve_inherited(&settings, &keeper);
	return 0;
}
