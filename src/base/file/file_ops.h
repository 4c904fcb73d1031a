/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The file calls that durable data goes through, as a table: the kernel's own by default; tests
 * put a recorder or a failing disk in its place. Every call returns >= 0 or -errno.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct file_info {
	uint64_t dev, ino;
	uint64_t nlink;
	int64_t size;
	bool regular, symlink, fifo;
};

struct file_ops {
	int (*open)(void *ctx, const char *path, int flags, mode_t mode);
	ssize_t (*write)(void *ctx, int fd, const void *p, size_t n);
	/* Writes at an offset; the descriptor must not append. */
	ssize_t (*write_at)(void *ctx, int fd, const void *p, size_t n, off_t at);
	ssize_t (*read)(void *ctx, int fd, void *p, size_t n);
	int (*fdatasync)(void *ctx, int fd);
	/* Has these octets written by now, without making anything durable: a later fdatasync has
	 * less to do at once. */
	int (*write_out)(void *ctx, int fd, off_t from, off_t n);
	int (*ftruncate)(void *ctx, int fd, off_t len);
	int64_t (*size)(void *ctx, int fd);
	int (*close)(void *ctx, int fd);
	int (*rename)(void *ctx, const char *from, const char *to);
	int (*unlink)(void *ctx, const char *path);
	/* Makes renames and creations in the directory of path durable. */
	int (*sync_dir)(void *ctx, const char *path);
	/* Describes a name without following a symbolic link, or an open file. */
	int (*stat)(void *ctx, const char *path, struct file_info *ret);
	int (*fstat)(void *ctx, int fd, struct file_info *ret);
	/* Locks the open file's inode for this process: 0, or -EWOULDBLOCK when another one has
	 * it. */
	int (*lock)(void *ctx, int fd);
	/* Octets that may still be written to the file system of path. */
	int64_t (*room)(void *ctx, const char *path);
	/* Replaces a path that ends in a symbolic link by the name of the file it leads to.
	 * -ENOENT: to none. */
	int (*resolve)(void *ctx, const char *path, char *ret, size_t cap);
	void *ctx;
};

extern const struct file_ops file_ops_system;
