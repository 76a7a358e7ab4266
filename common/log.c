/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log lines that never wait: each goes to /dev/log as one datagram and to
 * stderr as one line, and is dropped where it can't be taken at once. Any
 * thread may log. The programs ignore SIGPIPE; stderr may be a pipe that
 * nobody reads.
 */
#include "common/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Not above PIPE_BUF: poll promises that much room in a pipe. */
enum { LINE_MAX_LEN = 4096 };
enum { FACILITY_DAEMON = 3 };

static struct {
	pthread_mutex_t lock;
	const char *program;
	atomic_int max; /* enum log_level */
	bool to_syslog;
	int fd;		/* /dev/log, or -1 */
	time_t tried_s; /* monotonic time of the last connect */
	atomic_uint_fast64_t dropped;
} state = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.program = "mailban",
	.max = LOG_LEVEL_INFO,
	.fd = -1,
	.tried_s = -1,
};

static int
severity(enum log_level level)
{
	/* RFC 3164 section 4.1.1. */
	static const int values[] = {3, 4, 6, 7};

	return values[level];
}

static void
connect_syslog(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	struct timespec now;
	int fd;

	clock_gettime(CLOCK_MONOTONIC, &now);
	/* Once a second is enough for a socket that is gone. */
	if (now.tv_sec == state.tried_s)
		return;
	state.tried_s = now.tv_sec;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)&to, sizeof to) < 0) {
		close(fd);
		return;
	}
	state.fd = fd;
}

static bool
send_syslog(const char *line, size_t len)
{
	for (int tries = 0; tries < 2; tries++) {
		if (state.fd < 0)
			connect_syslog();
		if (state.fd < 0)
			return false;
		if (send(state.fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return true;
		if (errno == EAGAIN || errno == ENOBUFS || errno == EMSGSIZE)
			return false;
		/* The listener has gone; a new one has a new socket. */
		close(state.fd);
		state.fd = -1;
	}
	return false;
}

static bool
write_stderr(const char *line, size_t len)
{
	struct pollfd wait = {.fd = STDERR_FILENO, .events = POLLOUT};

	/* Under systemd it is a stream socket, where poll promises less. */
	if (send(STDERR_FILENO, line, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	if (errno != ENOTSOCK || poll(&wait, 1, 0) != 1 ||
		!(wait.revents & POLLOUT) || (wait.revents & POLLERR))
		return false;
	return write(STDERR_FILENO, line, len) == (ssize_t)len;
}

/* The text with its head for one of the two places; what is too long is cut.
 * Returns the length. */
static size_t
compose(char out[LINE_MAX_LEN], const char *head, const char *text)
{
	int len = snprintf(out, LINE_MAX_LEN, "%s%s", head, text);

	if (len < 0)
		return 0;
	return len < LINE_MAX_LEN ? (size_t)len : LINE_MAX_LEN - 1;
}

static void
emit(enum log_level level, const char *text)
{
	char head[128], line[LINE_MAX_LEN];
	size_t len;
	bool taken;

	snprintf(head, sizeof head, "%s: ", state.program);
	len = compose(line, head, text);
	line[len] = '\n';
	taken = write_stderr(line, len + 1);
	if (state.to_syslog) {
		snprintf(head, sizeof head,
			"<%d>%s[%ld]: ", FACILITY_DAEMON * 8 + severity(level),
			state.program, (long)getpid());
		len = compose(line, head, text);
		taken = send_syslog(line, len);
	}
	if (!taken)
		atomic_fetch_add(&state.dropped, 1);
}

static void __attribute__((format(printf, 2, 0)))
log_args(enum log_level level, const char *format, va_list args)
{
	char text[LINE_MAX_LEN];
	int error = errno;

	if (vsnprintf(text, sizeof text, format, args) < 0)
		return;
	/* One event, one line, whatever came in through an argument. */
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	pthread_mutex_lock(&state.lock);
	emit(level, text);
	pthread_mutex_unlock(&state.lock);
	errno = error;
}

void
log_open(const char *program, enum log_level max, bool to_syslog)
{
	pthread_mutex_lock(&state.lock);
	state.program = program;
	atomic_store(&state.max, (int)max);
	state.to_syslog = to_syslog;
	if (to_syslog && state.fd < 0)
		connect_syslog();
	pthread_mutex_unlock(&state.lock);
}

uint64_t
log_dropped(void)
{
	return atomic_load(&state.dropped);
}

void
log_line(enum log_level level, const char *format, ...)
{
	va_list args;

	if ((int)level > atomic_load(&state.max))
		return;
	va_start(args, format);
	log_args(level, format, args);
	va_end(args);
}

void
fatal(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_args(LOG_LEVEL_ERR, format, args);
	va_end(args);
	exit(1);
}

/* The length of the well-formed UTF-8 sequence at text (RFC 3629 section 4)
 * and its code point; 0 when there is none. */
static size_t
utf8_decode(const unsigned char *text, size_t len, uint32_t *out)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t need = text[0] < 0x80   ? 1
		      : text[0] < 0xc2 ? 0
		      : text[0] < 0xe0 ? 2
		      : text[0] < 0xf0 ? 3
		      : text[0] < 0xf5 ? 4
				       : 0;
	uint32_t point = text[0];

	if (need == 0 || need > len)
		return 0;
	if (need > 1)
		point &= 0x7fU >> need;
	for (size_t i = 1; i < need; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (text[i] & 0x3f);
	}
	if (point < least[need] || point > 0x10ffff ||
		(point >= 0xd800 && point <= 0xdfff))
		return 0;
	*out = point;
	return need;
}

/* What a terminal may show: no controls, no line ends, nothing that turns the
 * direction of the text. */
static bool
is_showable(uint32_t point)
{
	if (point < 0x20 || (point >= 0x7f && point <= 0x9f))
		return false;
	if (point == 0x2028 || point == 0x2029 || point == 0x61c)
		return false;
	if (point == 0x200e || point == 0x200f)
		return false;
	return !(point >= 0x202a && point <= 0x202e) &&
	       !(point >= 0x2066 && point <= 0x2069);
}

/* Writes what stands for the character at text, at most 16 bytes. Returns how
 * many bytes of text that was. */
static size_t
escape_one(const unsigned char *text, size_t len, char out[17], size_t *out_len)
{
	uint32_t point = 0;
	size_t used = utf8_decode(text, len, &point);

	if (used > 0 && is_showable(point)) {
		memcpy(out, text, used);
		*out_len = used;
		return used;
	}
	if (used == 0)
		used = 1;
	*out_len = 4 * used;
	for (size_t i = 0; i < used; i++)
		snprintf(out + 4 * i, 5, "\\x%02x", text[i]);
	return used;
}

const char *
text_escape(const char *text, size_t len, char *out, size_t size)
{
	const unsigned char *in = (const unsigned char *)text;
	char one[17];
	size_t at = 0, one_len, fits = 0;

	if (size == 0)
		return out;
	for (size_t i = 0; i < len;) {
		i += escape_one(in + i, len - i, one, &one_len);
		if (at + one_len > size - 1) {
			/* fits: the last end that leaves room for dots. */
			snprintf(out + fits, size - fits, "...");
			return out;
		}
		memcpy(out + at, one, one_len);
		at += one_len;
		if (at + 3 <= size - 1)
			fits = at;
	}
	out[at] = '\0';
	return out;
}
