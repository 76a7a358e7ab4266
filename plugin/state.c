/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lock and key of the state folder.
 */
#include "plugin/state.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"

#define KEY_FILE "digest.key"

/* The id is for those who look; the kernel's answer to F_GETLK decides. */
static void
write_pid(int fd)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)len, 0) < 0)
		log_debug("lock error=\"%s\"", strerror(errno));
}

int
state_lock(const char *folder, int *fd, pid_t *holder)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int file, error;

	*holder = 0;
	if (dir < 0)
		return -errno;
	file = openat(
		dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	error = errno;
	(void)close(dir);
	if (file < 0)
		return -error;
	if (fcntl(file, F_SETLK, &lock) == 0) {
		write_pid(file);
		*fd = file;
		return 0;
	}
	error = errno == EACCES || errno == EAGAIN ? EWOULDBLOCK : errno;
	if (fcntl(file, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK &&
		lock.l_pid > 0)
		*holder = lock.l_pid;
	(void)close(file);
	return -error;
}

int
state_read_key(int folder_fd, struct digest_key *key)
{
	struct digest_key read_key;
	int fd = openat(folder_fd, KEY_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t len;
	int error;

	if (fd < 0)
		return -errno;
	len = read(fd, read_key.bytes, sizeof(read_key.bytes));
	error = errno;
	(void)close(fd);
	if (len < 0)
		return -error;
	if (len != (ssize_t)sizeof(read_key.bytes))
		return -ENOENT;
	*key = read_key;
	return 0;
}

static int
write_synced(int fd, const void *data, size_t len)
{
	ssize_t done = write(fd, data, len);

	if (done < 0)
		return -errno;
	if ((size_t)done != len)
		return -ENOSPC;
	return fsync(fd) < 0 ? -errno : 0;
}

int
state_write_key(int folder_fd, const struct digest_key *key)
{
	const char *temporary = KEY_FILE ".new";
	int fd = openat(folder_fd, temporary,
		O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc;

	if (fd < 0)
		return -errno;
	rc = write_synced(fd, key->bytes, sizeof(key->bytes));
	(void)close(fd);
	if (rc == 0 && renameat(folder_fd, temporary, folder_fd, KEY_FILE) < 0)
		rc = -errno;
	if (rc == 0 && fsync(folder_fd) < 0)
		rc = -errno;
	return rc;
}

void
state_make_key(struct digest_key *key)
{
	if (sodium_init() < 0)
		fatal("libsodium does not start: no source of randomness?");
	randombytes_buf(key->bytes, sizeof(key->bytes));
}
