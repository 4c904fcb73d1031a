/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Rows that cannot be read are appended, octet for octet, to <name>.rejected before anything else
 * is written, so that neither the cut of a torn end nor a clean-up destroys them. A row that is
 * there already (from an earlier start with the same lease file) is not appended again: rows are
 * counted by their hash. NULs, of which a power cut leaves whole blocks, are left out.
 */
#include "lease/journal/journal_files.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/rng.h"
#include "lease/journal/journal_reject.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum { FLUSH_BYTES = 1 << 20, READ_BYTES = 64 << 10, FIRST_SLOTS = 1024 };

struct seen {
	uint64_t hash;
	uint32_t n; /* rows that are in the file and not found in this start yet */
	bool used;
};

struct reject {
	struct journal *j;
	int fd; /* -1: not open yet */
	struct buf buf;
	struct hash_key key;
	struct seen *slots; /* open addressing */
	size_t n_slots, used;
};

int reject_new(struct journal *j, struct reject **ret)
{
	struct reject *r = calloc(1, sizeof(*r));
	struct rng rng;

	if (!r)
		return -ENOMEM;
	rng_seed_system(&rng);
	r->key = (struct hash_key){rng_u64(&rng), rng_u64(&rng)};
	r->j = j;
	r->fd = -1;
	buf_init(&r->buf);
	*ret = r;
	return 0;
}

void reject_free(struct reject *r)
{
	if (!r)
		return;
	if (r->fd >= 0)
		(void)r->j->files->close(r->j->files->ctx, r->fd);
	buf_fini(&r->buf);
	free(r->slots);
	free(r);
}

static struct seen *seen_slot(struct seen *slots, size_t n, uint64_t hash)
{
	size_t i = (size_t)hash & (n - 1);

	while (slots[i].used && slots[i].hash != hash)
		i = (i + 1) & (n - 1);
	return &slots[i];
}

static int seen_grow(struct reject *r)
{
	size_t n = r->n_slots ? r->n_slots * 2 : FIRST_SLOTS;
	struct seen *slots;

	if (r->used * 2 < r->n_slots)
		return 0;
	slots = calloc(n, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < r->n_slots; i++)
		if (r->slots[i].used)
			*seen_slot(slots, n, r->slots[i].hash) = r->slots[i];
	free(r->slots);
	r->slots = slots;
	r->n_slots = n;
	return 0;
}

static int seen_line(struct reject *r, const char *p, size_t n)
{
	uint64_t hash = hash_bytes(&r->key, span_of(p, n));
	struct seen *s;

	if (seen_grow(r) < 0)
		return -ENOMEM;
	s = seen_slot(r->slots, r->n_slots, hash);
	r->used += !s->used;
	*s = (struct seen){hash, s->n + 1, true};
	return 0;
}

/* Returns true as many times as the file has the row. */
static bool seen_take(struct reject *r, const char *p, size_t n)
{
	struct seen *s;

	if (!r->n_slots)
		return false;
	s = seen_slot(r->slots, r->n_slots, hash_bytes(&r->key, span_of(p, n)));
	if (!s->n)
		return false;
	s->n--;
	return true;
}

/* Counts the rows that an earlier start has set aside; *ret_whole: the file ends with a newline, or
 * is empty. */
static int read_seen(struct reject *r, const char *name, bool *ret_whole)
{
	const struct file_ops *f = r->j->files;
	int fd = f->open(f->ctx, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	struct buf b;
	int e = 0;

	*ret_whole = true;
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	buf_init(&b);
	while (e == 0) {
		char *from = b.p;
		char *nl;
		ssize_t n;

		if (!buf_reserve(&b, READ_BYTES)) {
			e = -ENOMEM;
			break;
		}
		n = f->read(f->ctx, fd, b.p + b.len, READ_BYTES);
		if (n <= 0) {
			e = (int)n;
			break;
		}
		b.len += (size_t)n;
		for (from = b.p; e == 0 && (nl = memchr(from, '\n', b.len - (size_t)(from - b.p)));
		     from = nl + 1)
			e = seen_line(r, from, (size_t)(nl - from));
		b.len -= (size_t)(from - b.p);
		memmove(b.p, from, b.len);
	}
	*ret_whole = b.len == 0;
	buf_fini(&b);
	(void)f->close(f->ctx, fd);
	return e;
}

static int open_file(struct reject *r)
{
	const struct file_ops *f = r->j->files;
	char name[PATH_CAP];
	bool whole = true;
	int e;

	if (r->fd >= 0)
		return 0;
	e = read_seen(r, journal_name(r->j, ".rejected", name), &whole);
	if (e < 0)
		return e;
	r->fd = f->open(f->ctx, name, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK,
			0640);
	if (r->fd < 0)
		return r->fd;
	if (!whole)
		buf_char(&r->buf, '\n');
	return 0;
}

static int flush_rows(struct reject *r)
{
	int e = r->buf.failed ? -ENOMEM : journal_write_all(r->j, r->fd, r->buf.p, r->buf.len);

	buf_reset(&r->buf);
	return e;
}

static int add_piece(struct reject *r, const char *p, size_t n)
{
	if (n == 0 || seen_take(r, p, n))
		return 0;
	buf_add(&r->buf, p, n);
	buf_char(&r->buf, '\n');
	return r->buf.len >= FLUSH_BYTES || r->buf.failed ? flush_rows(r) : 0;
}

int reject_row(struct reject *r, const char *p, size_t n)
{
	const char *end = p + n;
	int e = 0;

	while (e == 0 && p < end) {
		const char *nul = memchr(p, '\0', (size_t)(end - p));
		size_t len = (size_t)((nul ? nul : end) - p);

		if (len)
			e = open_file(r);
		if (e == 0)
			e = add_piece(r, p, len);
		p += len + 1;
	}
	return e;
}

int reject_end(struct reject *r)
{
	const struct file_ops *f = r->j->files;
	char name[PATH_CAP];
	int e;

	if (r->fd < 0)
		return 0;
	e = flush_rows(r);
	if (e == 0)
		e = f->fdatasync(f->ctx, r->fd);
	if (e >= 0)
		e = f->sync_dir(f->ctx, journal_name(r->j, ".rejected", name));
	return e < 0 ? e : 0;
}
