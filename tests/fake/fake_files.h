/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A disk in memory behind struct file_ops: it records every change, fails calls on demand, and
 * builds each state that a crash at any moment may leave behind. One thread at a time.
 */
#pragma once

#include "base/file/file_ops.h"
#include "base/rng.h"

#include <stdbool.h>

enum fake_kind {
	FAKE_CREATE,
	FAKE_WRITE,
	FAKE_TRUNC,
	FAKE_SYNC,
	FAKE_SYNC_FAIL,
	FAKE_RENAME,
	FAKE_UNLINK,
	FAKE_SYNC_DIR,
};

/* Classes of calls that can be made to fail. */
enum fake_call {
	FAKE_CALL_OPEN = 1,
	FAKE_CALL_WRITE = 2,
	FAKE_CALL_SYNC = 4,
	FAKE_CALL_RENAME = 8,
	FAKE_CALL_OTHER = 16,
	FAKE_CALL_ANY = 31,
};

enum { FAKE_NAME = 64, FAKE_NAMES = 16, FAKE_FDS = 32 };

struct fake_op {
	enum fake_kind kind;
	int ino;
	size_t off, len;
	char *data;
	char from[FAKE_NAME], to[FAKE_NAME];
};

struct fake_file {
	char *p;
	size_t len, cap;
};

struct fake_files {
	struct file_ops ops;
	struct fake_file *ino;
	int n_ino;
	struct fake_op *op;
	size_t n_ops, cap_ops;
	struct {
		char name[FAKE_NAME];
		int ino;
	} dir[FAKE_NAMES];
	struct {
		bool used, append;
		int ino;
		size_t pos;
	} fd[FAKE_FDS];
	/* failing: calls of the classes in mask, numbered from 1, first..last */
	uint64_t calls, first, last;
	unsigned mask;
	int err;
	bool short_writes;
	int64_t room; /* that the disk says it has; 0: any */
};

enum fake_loss { FAKE_LOSE_NOTHING, FAKE_LOSE_UNSYNCED, FAKE_LOSE_SOME };

void fake_files_init(struct fake_files *f);
void fake_files_fini(struct fake_files *f);
/* Returns the state after a crash behind the first n_ops recorded changes of f, as a new disk. */
void fake_files_crash(const struct fake_files *f, size_t n_ops, enum fake_loss loss,
		      struct rng *rng, struct fake_files *ret);
/* The content of a name; NULL: none. Borrowed. */
const struct fake_file *fake_files_get(const struct fake_files *f, const char *name);
void fake_files_put(struct fake_files *f, const char *name, const void *p, size_t n);
