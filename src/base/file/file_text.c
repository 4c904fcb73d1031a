/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Whole files as texts. A replacement never takes a name that exists: another program's file may
 * have it.
 */
#include "base/file/file_text.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAMES_MAX = 100 };

const char *file_name_in(const char *dir, size_t n, const char *path)
{
	if (n && strncmp(path, dir, n) == 0)
		path += n;
	if (!path[0] || path[0] == '.' || strchr(path, '/'))
		return NULL;
	for (const char *p = path; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return NULL;
	return path;
}

int file_read_open(int fd, size_t max, struct buf *out)
{
	size_t begin = out->len;
	char part[8192];
	struct stat st;
	ssize_t n = 1;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	while (n > 0 && out->len - begin <= max && !out->failed) {
		n = read(fd, part, sizeof(part));
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			buf_add(out, part, (size_t)n);
	}
	if (n < 0)
		return -errno;
	if (out->failed)
		return -ENOMEM;
	return out->len - begin > max ? -EFBIG : 0;
}

int file_read_text(const char *path, size_t max, struct buf *out)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	return fd < 0 ? -errno : file_read_open(fd, max, out);
}

/* Makes a file with a free name beside path. Returns its descriptor or -errno. */
static int open_beside(const char *path, mode_t mode, char *tmp, size_t cap)
{
	for (unsigned i = 0; i < NAMES_MAX; i++) {
		int fd;

		/* .new, .new1, .new2 … */
		if ((size_t)snprintf(tmp, cap, "%s.new%.0u", path, i) >= cap)
			return -ENAMETOOLONG;
		fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
		if (fd >= 0 || errno != EEXIST)
			return fd < 0 ? -errno : fd;
	}
	return -EEXIST;
}

/* Writes all octets, and makes them durable. */
static int write_durable(int fd, struct span s)
{
	while (s.n) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			s = span_of(s.p + n, s.n - (size_t)n);
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* Makes the names in the directory of a path durable. */
static int sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[4096];
	auto_close int fd = -1;

	(void)snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) + 1 : 1,
		       slash ? path : ".");
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int file_replace(const char *path, struct span text, mode_t mode)
{
	char tmp[4096];
	auto_close int fd = open_beside(path, mode, tmp, sizeof(tmp));
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
		/* another user's file may refuse: then it has ours */
		(void)!fchown(fd, st.st_uid, st.st_gid);
		(void)fchmod(fd, st.st_mode & 07777);
	}
	r = write_durable(fd, text);
	if (r == 0 && rename(tmp, path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink(tmp);
		return r;
	}
	/* the new file has the name: an error here changes nothing any more */
	(void)sync_directory(path);
	return 0;
}
