/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names, listing and reading of segments.
 */
#include "plugin/journal_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/xalloc.h"

#define PREFIX "journal."
enum { DIGITS = 20, NAME_LEN = sizeof(PREFIX) + DIGITS };

static const char *
segment_name(uint64_t number, char out[NAME_LEN])
{
	(void)snprintf(
		out, NAME_LEN, PREFIX "%020llu", (unsigned long long)number);
	return out;
}

static bool
parse_name(const char *name, uint64_t *number)
{
	const char *digits = name + sizeof(PREFIX) - 1;
	char *end;

	if (strncmp(name, PREFIX, sizeof(PREFIX) - 1) != 0 ||
		strspn(digits, "0123456789") != DIGITS ||
		digits[DIGITS] != '\0')
		return false;
	errno = 0;
	*number = strtoull(digits, &end, 10);
	return errno == 0 && *number > 0 && *number < UINT64_MAX;
}

int
journal_create(int folder_fd, uint64_t number)
{
	char name[NAME_LEN];
	int fd = openat(folder_fd, segment_name(number, name),
		O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
		0600);

	return fd < 0 ? -errno : fd;
}

static int
compare_numbers(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

static int
read_names(DIR *dir, uint64_t **numbers, size_t *count)
{
	const struct dirent *entry;
	uint64_t number;

	while ((errno = 0, entry = readdir(dir))) {
		if (!parse_name(entry->d_name, &number))
			continue;
		if (*count % 64 == 0)
			*numbers = xreallocarray(
				*numbers, *count + 64, sizeof(**numbers));
		(*numbers)[(*count)++] = number;
	}
	return -errno;
}

int
journal_list(int folder_fd, uint64_t **numbers, size_t *count)
{
	int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int rc = -errno;

	*numbers = NULL;
	*count = 0;
	if (!dir) {
		if (fd >= 0)
			(void)close(fd);
		return rc;
	}
	rc = read_names(dir, numbers, count);
	(void)closedir(dir);
	if (rc < 0) {
		free(*numbers);
		*numbers = NULL;
		*count = 0;
		return rc;
	}
	if (*count)
		qsort(*numbers, *count, sizeof(**numbers), compare_numbers);
	return 0;
}

static int
read_all(int fd, uint8_t *data, size_t len)
{
	size_t at = 0;

	while (at < len) {
		ssize_t done = read(fd, data + at, len - at);

		if (done < 0 && errno != EINTR)
			return -errno;
		if (done == 0)
			return -EIO;
		if (done > 0)
			at += (size_t)done;
	}
	return 0;
}

int
journal_read(int folder_fd, uint64_t number, uint8_t **data, size_t *len)
{
	char name[NAME_LEN];
	struct stat st;
	uint8_t *buf = NULL;
	int rc, fd = openat(folder_fd, segment_name(number, name),
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	rc = fstat(fd, &st) < 0 ? -errno : 0;
	/* No xcalloc: where memory is short the thread waits and tries
	 * again. */
	if (rc == 0 && !(buf = malloc((size_t)st.st_size + 1)))
		rc = -ENOMEM;
	if (rc == 0)
		rc = read_all(fd, buf, (size_t)st.st_size);
	(void)close(fd);
	if (rc < 0) {
		free(buf);
		return rc;
	}
	*data = buf;
	*len = (size_t)st.st_size;
	return 0;
}

int
journal_unlink(int folder_fd, uint64_t number)
{
	char name[NAME_LEN];

	return unlinkat(folder_fd, segment_name(number, name), 0) < 0 ? -errno
								      : 0;
}

int
journal_move_aside(int folder_fd, uint64_t number)
{
	char name[NAME_LEN], aside[NAME_LEN + 8];

	(void)segment_name(number, name);
	(void)snprintf(
		aside, sizeof(aside), "damaged.%s", name + sizeof(PREFIX) - 1);
	return renameat(folder_fd, name, folder_fd, aside) < 0 ? -errno : 0;
}

int
journal_next(struct journal_cursor *cursor, const struct digest_key *key,
	struct record *out)
{
	bool gap = false;

	while (cursor->offset < cursor->len) {
		int rc = record_decode(cursor->data + cursor->offset,
			cursor->len - cursor->offset, key, out);

		if (rc == -ENOTSUP)
			return rc;
		if (rc > 0) {
			cursor->offset += (size_t)rc;
			cursor->damaged |= gap;
			return 1;
		}
		gap = true;
		cursor->offset++;
	}
	return 0;
}
