/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The fake disk. Model of a crash: writes covered by a successful fdatasync are there; every other
 * write is kept, dropped or torn at 512 octets by itself (a dropped one before a kept one leaves
 * zeroes). A failed fdatasync dooms its writes: no later one makes them durable. Names
 * not covered by sync_dir are old or new, each by itself.
 */
#include "fake/fake_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECTOR = 512 };

static struct fake_op *record(struct fake_files *f, enum fake_kind kind, int ino)
{
	if (f->n_ops == f->cap_ops) {
		f->cap_ops = f->cap_ops ? f->cap_ops * 2 : 256;
		f->op = realloc(f->op, f->cap_ops * sizeof(*f->op));
		if (!f->op)
			abort();
	}
	f->op[f->n_ops] = (struct fake_op){.kind = kind, .ino = ino};
	return &f->op[f->n_ops++];
}

static int fails(struct fake_files *f, unsigned call)
{
	if (!(f->mask & call))
		return 0;
	f->calls++;
	return f->calls >= f->first && f->calls <= f->last ? -f->err : 0;
}

static int find(const struct fake_files *f, const char *name)
{
	for (int i = 0; i < FAKE_NAMES; i++)
		if (f->dir[i].name[0] && strcmp(f->dir[i].name, name) == 0)
			return i;
	return -1;
}

static void set_name(struct fake_files *f, const char *name, int ino)
{
	int i = find(f, name);

	for (int k = 0; i < 0; k++)
		if (!f->dir[k].name[0])
			i = k;
	(void)snprintf(f->dir[i].name, FAKE_NAME, "%s", name);
	f->dir[i].ino = ino;
}

static int new_ino(struct fake_files *f)
{
	f->ino = realloc(f->ino, (size_t)(f->n_ino + 1) * sizeof(*f->ino));
	if (!f->ino)
		abort();
	f->ino[f->n_ino] = (struct fake_file){0};
	return f->n_ino++;
}

static void resize(struct fake_file *x, size_t n)
{
	if (n > x->cap) {
		x->cap = n * 2;
		x->p = realloc(x->p, x->cap);
		if (!x->p)
			abort();
	}
	if (n > x->len)
		memset(x->p + x->len, 0, n - x->len);
	x->len = n;
}

static void store(struct fake_file *x, size_t off, const char *p, size_t n)
{
	if (off + n > x->len)
		resize(x, off + n);
	if (n)
		memcpy(x->p + off, p, n);
}

static int fake_open(void *ctx, const char *path, int flags, mode_t mode)
{
	struct fake_files *f = ctx;
	int r = fails(f, FAKE_CALL_OPEN);
	int i = find(f, path);
	int ino;

	(void)mode;
	if (r < 0)
		return r;
	if (i < 0 && !(flags & O_CREAT))
		return -ENOENT;
	if (i >= 0 && flags & O_EXCL)
		return -EEXIST;
	ino = i < 0 ? new_ino(f) : f->dir[i].ino;
	if (i < 0) {
		set_name(f, path, ino);
		(void)snprintf(record(f, FAKE_CREATE, ino)->to, FAKE_NAME, "%s", path);
	} else if (flags & O_TRUNC) {
		f->ino[ino].len = 0;
		(void)record(f, FAKE_TRUNC, ino);
	}
	for (int fd = 0; fd < FAKE_FDS; fd++) {
		if (f->fd[fd].used)
			continue;
		f->fd[fd].used = true;
		f->fd[fd].append = flags & O_APPEND;
		f->fd[fd].ino = ino;
		f->fd[fd].pos = 0;
		return fd;
	}
	return -EMFILE;
}

static ssize_t fake_write(void *ctx, int fd, const void *p, size_t n)
{
	struct fake_files *f = ctx;
	int r = fails(f, FAKE_CALL_WRITE);
	struct fake_file *x = &f->ino[f->fd[fd].ino];
	struct fake_op *op;

	if (r < 0)
		return r;
	if (f->short_writes && n > 1)
		n = n / 2;
	if (f->fd[fd].append)
		f->fd[fd].pos = x->len;
	op = record(f, FAKE_WRITE, f->fd[fd].ino);
	op->off = f->fd[fd].pos;
	op->len = n;
	op->data = malloc(n + 1);
	if (!op->data)
		abort();
	memcpy(op->data, p, n);
	store(x, op->off, p, n);
	f->fd[fd].pos += n;
	return (ssize_t)n;
}

static ssize_t fake_write_at(void *ctx, int fd, const void *p, size_t n, off_t at)
{
	struct fake_files *f = ctx;

	f->fd[fd].pos = (size_t)at;
	return fake_write(ctx, fd, p, n);
}

static ssize_t fake_read(void *ctx, int fd, void *p, size_t n)
{
	struct fake_files *f = ctx;
	int r = fails(f, FAKE_CALL_OTHER);
	const struct fake_file *x = &f->ino[f->fd[fd].ino];
	size_t left = x->len - f->fd[fd].pos;

	if (r < 0)
		return r;
	if (n > left)
		n = left;
	if (n)
		memcpy(p, x->p + f->fd[fd].pos, n);
	f->fd[fd].pos += n;
	return (ssize_t)n;
}

static int fake_fdatasync(void *ctx, int fd)
{
	struct fake_files *f = ctx;
	int r = fails(f, FAKE_CALL_SYNC);

	(void)record(f, r < 0 ? FAKE_SYNC_FAIL : FAKE_SYNC, f->fd[fd].ino);
	return r;
}

/* Says nothing about a crash; an error it meets is a lost write, as of a sync. */
static int fake_write_out(void *ctx, int fd, off_t from, off_t n)
{
	struct fake_files *f = ctx;
	int r = fails(f, FAKE_CALL_SYNC);

	(void)from;
	(void)n;
	if (r < 0)
		(void)record(f, FAKE_SYNC_FAIL, f->fd[fd].ino);
	return r;
}

static int fake_ftruncate(void *ctx, int fd, off_t len)
{
	struct fake_files *f = ctx;
	int r = fails(f, FAKE_CALL_OTHER);

	if (r < 0)
		return r;
	resize(&f->ino[f->fd[fd].ino], (size_t)len);
	record(f, FAKE_TRUNC, f->fd[fd].ino)->len = (size_t)len;
	return 0;
}

static int64_t fake_size(void *ctx, int fd)
{
	struct fake_files *f = ctx;
	int r = fails(f, FAKE_CALL_OTHER);

	return r < 0 ? r : (int64_t)f->ino[f->fd[fd].ino].len;
}

static int fake_close(void *ctx, int fd)
{
	struct fake_files *f = ctx;

	f->fd[fd].used = false;
	return fails(f, FAKE_CALL_OTHER);
}

static int fake_rename(void *ctx, const char *from, const char *to)
{
	struct fake_files *f = ctx;
	int r = fails(f, FAKE_CALL_RENAME);
	int i = find(f, from);
	struct fake_op *op;

	if (r < 0 || i < 0)
		return r < 0 ? r : -ENOENT;
	op = record(f, FAKE_RENAME, f->dir[i].ino);
	(void)snprintf(op->from, FAKE_NAME, "%s", from);
	(void)snprintf(op->to, FAKE_NAME, "%s", to);
	f->dir[i].name[0] = '\0';
	set_name(f, to, f->dir[i].ino);
	return 0;
}

static int fake_unlink(void *ctx, const char *path)
{
	struct fake_files *f = ctx;
	int r = fails(f, FAKE_CALL_OTHER);
	int i = find(f, path);

	if (r < 0 || i < 0)
		return r < 0 ? r : -ENOENT;
	(void)snprintf(record(f, FAKE_UNLINK, f->dir[i].ino)->from, FAKE_NAME, "%s", path);
	f->dir[i].name[0] = '\0';
	return 0;
}

static int fake_sync_dir(void *ctx, const char *path)
{
	struct fake_files *f = ctx;
	int r = fails(f, FAKE_CALL_SYNC);

	(void)path;
	if (r == 0)
		(void)record(f, FAKE_SYNC_DIR, -1);
	return r;
}

static void fill_info(const struct fake_files *f, int ino, struct file_info *ret)
{
	*ret = (struct file_info){.dev = 1,
				  .ino = (uint64_t)ino + 1,
				  .size = (int64_t)f->ino[ino].len,
				  .regular = true};
	for (int i = 0; i < FAKE_NAMES; i++)
		ret->nlink += f->dir[i].name[0] && f->dir[i].ino == ino;
}

static int fake_stat(void *ctx, const char *path, struct file_info *ret)
{
	struct fake_files *f = ctx;
	int r = fails(f, FAKE_CALL_OTHER);
	int i = find(f, path);

	if (r < 0 || i < 0)
		return r < 0 ? r : -ENOENT;
	fill_info(f, f->dir[i].ino, ret);
	return 0;
}

static int fake_fstat(void *ctx, int fd, struct file_info *ret)
{
	struct fake_files *f = ctx;
	int r = fails(f, FAKE_CALL_OTHER);

	if (r == 0)
		fill_info(f, f->fd[fd].ino, ret);
	return r;
}

static int fake_lock(void *ctx, int fd)
{
	(void)ctx, (void)fd;
	return 0;
}

static int64_t fake_room(void *ctx, const char *path)
{
	const struct fake_files *f = ctx;

	(void)path;
	return f->room ? f->room : INT64_MAX;
}

void fake_files_init(struct fake_files *f)
{
	*f = (struct fake_files){.ops =
					 {
						 .open = fake_open,
						 .write = fake_write,
						 .write_at = fake_write_at,
						 .read = fake_read,
						 .fdatasync = fake_fdatasync,
						 .write_out = fake_write_out,
						 .ftruncate = fake_ftruncate,
						 .size = fake_size,
						 .close = fake_close,
						 .rename = fake_rename,
						 .unlink = fake_unlink,
						 .sync_dir = fake_sync_dir,
						 .stat = fake_stat,
						 .fstat = fake_fstat,
						 .lock = fake_lock,
						 .room = fake_room,
						 .ctx = f,
					 },
				 .mask = FAKE_CALL_ANY,
				 .err = EIO};
}

void fake_files_fini(struct fake_files *f)
{
	for (size_t i = 0; i < f->n_ops; i++)
		free(f->op[i].data);
	for (int i = 0; i < f->n_ino; i++)
		free(f->ino[i].p);
	free(f->op);
	free(f->ino);
	*f = (struct fake_files){0};
}

/* Is the data change at i sure to be on disk? Only if the next sync of its file succeeded. */
static bool is_covered(const struct fake_files *f, size_t i, size_t n_ops)
{
	for (size_t k = i + 1; k < n_ops; k++)
		if (f->op[k].ino == f->op[i].ino &&
		    (f->op[k].kind == FAKE_SYNC || f->op[k].kind == FAKE_SYNC_FAIL))
			return f->op[k].kind == FAKE_SYNC;
	return false;
}

static bool keeps(enum fake_loss loss, struct rng *rng)
{
	return loss == FAKE_LOSE_NOTHING || (loss == FAKE_LOSE_SOME && rng_below(rng, 2));
}

static void write_torn(struct fake_file *x, const struct fake_op *op, struct rng *rng)
{
	for (size_t at = 0; at < op->len;) {
		size_t n = SECTOR - (op->off + at) % SECTOR;

		if (n > op->len - at)
			n = op->len - at;
		if (rng_below(rng, 2))
			store(x, op->off + at, op->data + at, n);
		at += n;
	}
}

static void replay_data(struct fake_files *to, const struct fake_op *op, bool sure,
			enum fake_loss loss, struct rng *rng)
{
	struct fake_file *x = &to->ino[op->ino];

	if (op->kind == FAKE_TRUNC && (sure || keeps(loss, rng)))
		resize(x, op->len);
	if (op->kind != FAKE_WRITE)
		return;
	if (!sure && loss == FAKE_LOSE_SOME && rng_below(rng, 3) == 0)
		write_torn(x, op, rng);
	else if (sure || keeps(loss, rng))
		store(x, op->off, op->data, op->len);
}

static void replay_name(struct fake_files *to, const struct fake_op *op)
{
	int i = op->from[0] ? find(to, op->from) : -1;

	if (i >= 0 && to->dir[i].ino == op->ino)
		to->dir[i].name[0] = '\0';
	if (op->kind != FAKE_UNLINK)
		set_name(to, op->to, op->ino);
}

static bool is_name_op(const struct fake_op *op)
{
	return op->kind == FAKE_CREATE || op->kind == FAKE_RENAME || op->kind == FAKE_UNLINK;
}

void fake_files_crash(const struct fake_files *f, size_t n_ops, enum fake_loss loss,
		      struct rng *rng, struct fake_files *ret)
{
	size_t dir_sure = 0;

	fake_files_init(ret);
	while (ret->n_ino < f->n_ino)
		(void)new_ino(ret);
	for (size_t i = 0; i < n_ops; i++)
		if (f->op[i].kind == FAKE_SYNC_DIR)
			dir_sure = i;
	for (size_t i = 0; i < n_ops; i++) {
		const struct fake_op *op = &f->op[i];

		if (op->kind == FAKE_WRITE || op->kind == FAKE_TRUNC)
			replay_data(ret, op, is_covered(f, i, n_ops), loss, rng);
		else if (is_name_op(op) && (i < dir_sure || keeps(loss, rng)))
			replay_name(ret, op);
	}
}

const struct fake_file *fake_files_get(const struct fake_files *f, const char *name)
{
	int i = find(f, name);

	return i < 0 ? NULL : &f->ino[f->dir[i].ino];
}

void fake_files_put(struct fake_files *f, const char *name, const void *p, size_t n)
{
	int ino = new_ino(f);

	set_name(f, name, ino);
	store(&f->ino[ino], 0, p, n);
}
