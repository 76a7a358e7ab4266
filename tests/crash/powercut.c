/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into ommailban: writes down, in $POWERCUT_LOG, in which order what
 * was done to the files of $POWERCUT_FOLDER, and what was synced when. From
 * that powercut.py makes the folder as a power cut at any moment could have
 * left it. A record is a header, then len bytes of data or names.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FDS = 1024 };

struct head {
	uint32_t op, len;
	uint64_t inode, offset;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static const char *folder;
static size_t folder_len;
static int log_fd = -1;
/* By descriptor: 0, the inode of a file in the folder, or DIRECTORY. */
static uint64_t inode_of[FDS];
#define DIRECTORY UINT64_MAX

#define REAL(name)                                                             \
	static __typeof__(name) *real;                                         \
	if (!real)                                                             \
	real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

int open_real(int dir, const char *path, int flags, mode_t mode);
int open_2(const char *path, int flags) __asm__("__open_2");
int open64_2(const char *path, int flags) __asm__("__open64_2");
int openat_2(int dir, const char *path, int flags) __asm__("__openat_2");
int openat64_2(int dir, const char *path, int flags) __asm__("__openat64_2");

static ssize_t
write_real(int fd, const void *data, size_t len)
{
	REAL(write);
	return real(fd, data, len);
}

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("POWERCUT_LOG");

	folder = getenv("POWERCUT_FOLDER");
	if (!folder || !path)
		return;
	folder_len = strlen(folder);
	log_fd = open_real(AT_FDCWD, path,
		O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	/* Out of the way of descriptors that are counted from 3. */
	if (log_fd >= 0) {
		int high = fcntl(log_fd, F_DUPFD_CLOEXEC, 900);

		(void)close(log_fd);
		log_fd = high;
	}
}

static void
put(char op, uint64_t inode, uint64_t offset, const void *data, size_t len)
{
	static char buf[1 << 22];
	struct head head = {(uint32_t)op, (uint32_t)len, inode, offset};

	if (log_fd < 0 || len > sizeof(buf) - sizeof(head))
		abort();
	memcpy(buf, &head, sizeof(head));
	memcpy(buf + sizeof(head), data, len);
	if (write_real(log_fd, buf, sizeof(head) + len) !=
		(ssize_t)(sizeof(head) + len))
		abort();
}

/* The name within the folder of what a descriptor leads to; NULL: it is not in
 * there; "": the folder itself. */
static const char *
name_of(int fd, char *buf, size_t size)
{
	char link[64];
	ssize_t len;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, buf, size - 1);
	if (!folder || len < (ssize_t)folder_len ||
		memcmp(buf, folder, folder_len))
		return NULL;
	buf[len] = '\0';
	if (buf[folder_len] == '\0')
		return buf + folder_len;
	return buf[folder_len] == '/' ? buf + folder_len + 1 : NULL;
}

static const char *
base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int
note_open(int fd, bool made, bool truncated)
{
	char buf[4096];
	const char *name;
	struct stat st;

	if (fd < 0 || fd >= FDS)
		return fd;
	inode_of[fd] = 0;
	name = name_of(fd, buf, sizeof(buf));
	if (!name || fstat(fd, &st) < 0)
		return fd;
	inode_of[fd] = S_ISDIR(st.st_mode) ? DIRECTORY : st.st_ino;
	if (!S_ISREG(st.st_mode))
		return fd;
	if (made)
		put('C', st.st_ino, 0, name, strlen(name));
	else if (truncated)
		put('T', st.st_ino, 0, "", 0);
	return fd;
}

int
open_real(int dir, const char *path, int flags, mode_t mode)
{
	static int (*real)(int, const char *, int, ...);

	if (!real)
		real = (int (*)(int, const char *, int, ...))dlsym(
			RTLD_NEXT, "openat64");
	return real(dir, path, flags, mode);
}

static int
open_noted(int dir, const char *path, int flags, mode_t mode)
{
	struct stat st;
	bool there;
	int fd, error;

	if (log_fd < 0)
		return open_real(dir, path, flags, mode);
	(void)pthread_mutex_lock(&mutex);
	there = fstatat(dir, path, &st, 0) == 0;
	fd = open_real(dir, path, flags, mode);
	error = errno;
	(void)note_open(fd, !there, flags & O_TRUNC);
	(void)pthread_mutex_unlock(&mutex);
	errno = error;
	return fd;
}

#define MODE(flags)                                                            \
	mode_t mode = 0;                                                       \
	if ((flags)&O_CREAT) {                                                 \
		va_list args;                                                  \
		va_start(args, flags);                                         \
		mode = va_arg(args, mode_t);                                   \
		va_end(args);                                                  \
	}

int
open(const char *path, int flags, ...)
{
	MODE(flags)
	return open_noted(AT_FDCWD, path, flags, mode);
}

int
open64(const char *path, int flags, ...)
{
	MODE(flags)
	return open_noted(AT_FDCWD, path, flags, mode);
}

int
openat(int dir, const char *path, int flags, ...)
{
	MODE(flags)
	return open_noted(dir, path, flags, mode);
}

int
openat64(int dir, const char *path, int flags, ...)
{
	MODE(flags)
	return open_noted(dir, path, flags, mode);
}

int
open_2(const char *path, int flags)
{
	return open_noted(AT_FDCWD, path, flags, 0);
}

int
open64_2(const char *path, int flags)
{
	return open_noted(AT_FDCWD, path, flags, 0);
}

int
openat_2(int dir, const char *path, int flags)
{
	return open_noted(dir, path, flags, 0);
}

int
openat64_2(int dir, const char *path, int flags)
{
	return open_noted(dir, path, flags, 0);
}

int
close(int fd)
{
	REAL(close);
	if (fd >= 0 && fd < FDS)
		inode_of[fd] = 0;
	return real(fd);
}

static bool
watched(int fd)
{
	return log_fd >= 0 && fd >= 0 && fd < FDS && inode_of[fd] &&
	       inode_of[fd] != DIRECTORY;
}

/* Noted before it is done: it may reach the disk from then on. */
ssize_t
write(int fd, const void *data, size_t len)
{
	bool appends;
	off_t at;
	ssize_t done;

	if (!watched(fd))
		return write_real(fd, data, len);
	(void)pthread_mutex_lock(&mutex);
	appends = fcntl(fd, F_GETFL) & O_APPEND;
	at = lseek(fd, 0, appends ? SEEK_END : SEEK_CUR);
	put('W', inode_of[fd], (uint64_t)at, data, len);
	done = write_real(fd, data, len);
	(void)pthread_mutex_unlock(&mutex);
	return done;
}

ssize_t
pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	ssize_t done;

	REAL(pwrite64);
	if (!watched(fd))
		return real(fd, data, len, at);
	(void)pthread_mutex_lock(&mutex);
	put('W', inode_of[fd], (uint64_t)at, data, len);
	done = real(fd, data, len, at);
	(void)pthread_mutex_unlock(&mutex);
	return done;
}

ssize_t
pwrite(int fd, const void *data, size_t len, off_t at)
{
	return pwrite64(fd, data, len, at);
}

int
ftruncate64(int fd, off64_t size)
{
	int rc;

	REAL(ftruncate64);
	if (!watched(fd))
		return real(fd, size);
	(void)pthread_mutex_lock(&mutex);
	put('T', inode_of[fd], (uint64_t)size, "", 0);
	rc = real(fd, size);
	(void)pthread_mutex_unlock(&mutex);
	return rc;
}

int
ftruncate(int fd, off_t size)
{
	return ftruncate64(fd, size);
}

/* Noted when it is done: nothing was promised before. */
static int
note_sync(int fd, int (*real)(int))
{
	int rc;

	if (log_fd < 0 || fd < 0 || fd >= FDS || !inode_of[fd])
		return real(fd);
	(void)pthread_mutex_lock(&mutex);
	rc = real(fd);
	if (rc == 0)
		put(inode_of[fd] == DIRECTORY ? 'D' : 'S', inode_of[fd], 0, "",
			0);
	(void)pthread_mutex_unlock(&mutex);
	return rc;
}

int
fsync(int fd)
{
	REAL(fsync);
	return note_sync(fd, real);
}

int
fdatasync(int fd)
{
	REAL(fdatasync);
	return note_sync(fd, real);
}

/* Names are all in the one folder, however they are given. */
static bool
in_folder(int dir, const char *path)
{
	if (log_fd < 0)
		return false;
	if (path[0] == '/')
		return !strncmp(path, folder, folder_len) &&
		       path[folder_len] == '/';
	return dir >= 0 && dir < FDS && inode_of[dir] == DIRECTORY;
}

int
unlinkat(int dir, const char *path, int flags)
{
	bool noted = in_folder(dir, path);
	int rc;

	REAL(unlinkat);
	(void)pthread_mutex_lock(&mutex);
	rc = real(dir, path, flags);
	if (noted && rc == 0)
		put('U', 0, 0, base(path), strlen(base(path)));
	(void)pthread_mutex_unlock(&mutex);
	return rc;
}

int
unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	bool noted = in_folder(from_dir, from);
	char names[1024];
	int rc, len;

	REAL(renameat);
	(void)pthread_mutex_lock(&mutex);
	rc = real(from_dir, from, to_dir, to);
	len = snprintf(names, sizeof(names), "%s/%s", base(from), base(to));
	if (noted && rc == 0 && len > 0)
		put('R', 0, 0, names, (size_t)len);
	(void)pthread_mutex_unlock(&mutex);
	return rc;
}

int
rename(const char *from, const char *to)
{
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}
