/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The order of reading is Kea's: what a clean-up has finished (.completed) replaces .2 and .1; then the
 * current file. The last row of an address is the one that counts. A torn last row is no row.
 */
#include "tools/load_leases.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "lease/lease_csv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { NAME_MAX_LEN = 4096, LIVE_CHUNK = 1 << 20 };

struct load_leases {
	const struct load_owners *owners;
	uint64_t first_client;
	uint64_t *good;		/* a bit an address */
};

typedef void (*row_fn)(void *ctx, const struct lease *l);

/* --- rows ------------------------------------------------------------------------------------------ */

static int read_rows(FILE *f, row_fn fn, void *ctx)
{
	auto_free char *line = NULL;
	size_t cap = 0;
	ssize_t n = getline(&line, &cap, f);
	int columns;

	if (n <= 0)
		return 0; /* a file that was just made */
	columns = lease_csv_header(line, (size_t)n - (line[n - 1] == '\n'));
	if (columns < 0)
		return columns;
	while ((n = getline(&line, &cap, f)) > 0) {
		struct lease l;
		const char *why;

		if (line[n - 1] == '\n' && lease_csv_parse(line, (size_t)n - 1, columns, &l, &why) == 0)
			fn(ctx, &l);
	}
	return ferror(f) ? -EIO : 0;
}

/* 1: read; 0: there is no such file. */
static int read_file(const char *path, const char *suffix, row_fn fn, void *ctx)
{
	char name[NAME_MAX_LEN];
	FILE *f;
	int r;

	if (snprintf(name, sizeof(name), "%s%s", path, suffix) >= (int)sizeof(name))
		return -ENAMETOOLONG;
	f = fopen(name, "re");
	if (!f)
		return errno == ENOENT ? 0 : -errno;
	r = read_rows(f, fn, ctx);
	(void)fclose(f);
	return r < 0 ? r : 1;
}

static int read_all(const char *path, row_fn fn, void *ctx)
{
	int r = read_file(path, ".completed", fn, ctx);

	if (r == 0) {
		r = read_file(path, ".2", fn, ctx);
		if (r >= 0)
			r = read_file(path, ".1", fn, ctx);
	}
	if (r >= 0)
		r = read_file(path, "", fn, ctx);
	if (r == 0)
		return -ENOENT;
	return r < 0 ? r : 0;
}

/* --- at the end ------------------------------------------------------------------------------------- */

static bool running(const struct lease *l)
{
	return l->state == LEASE_ASSIGNED && l->valid_lft > 0;
}

static void note_row(void *ctx, const struct lease *l)
{
	struct load_leases *ls = ctx;
	uint32_t client = load_owners_of(ls->owners, l->addr);
	uint64_t bit = UINT64_C(1) << (l->addr & 63);
	uint64_t n;

	if (client == LOAD_NOBODY)
		return;
	if (running(l) && load_ident_number(lease_hw(l), &n) && n == ls->first_client + client)
		ls->good[l->addr >> 6] |= bit;
	else
		ls->good[l->addr >> 6] &= ~bit;
}

int load_leases_read(const char *path, const struct load_owners *owners, uint64_t first_client,
		     struct load_leases **ret)
{
	struct load_leases *l = calloc(1, sizeof(*l));
	int r = -ENOMEM;

	if (!l)
		return r;
	l->owners = owners;
	l->first_client = first_client;
	l->good = load_bitmap_new();
	if (l->good)
		r = read_all(path, note_row, l);
	if (r < 0) {
		load_leases_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

bool load_leases_good(const struct load_leases *l, uint32_t addr)
{
	return l->good[addr >> 6] >> (addr & 63) & 1;
}

void load_leases_free(struct load_leases *l)
{
	if (!l)
		return;
	load_bitmap_free(l->good);
	free(l);
}

/* --- while it is written ------------------------------------------------------------------------------ */

static int live_reopen(struct load_live *l)
{
	struct stat st;
	int fd = open(l->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0) {
		int e = -errno;

		(void)close(fd);
		return e;
	}
	if (l->fd >= 0)
		(void)close(l->fd);
	l->fd = fd;
	l->ino = st.st_ino;
	l->dev = st.st_dev;
	return 0;
}

int load_live_open(struct load_live *l, const char *path)
{
	*l = (struct load_live){.path = path, .fd = -1, .buf = malloc(LIVE_CHUNK + 1)};
	return l->buf ? live_reopen(l) : -ENOMEM;
}

void load_live_close(struct load_live *l)
{
	if (l->fd >= 0 && l->buf)
		(void)close(l->fd);
	free(l->buf);
	l->buf = NULL;
	l->fd = -1;
}

/* Has a clean-up put another file in the place of ours? */
static bool live_moved(const struct load_live *l)
{
	struct stat st;

	return stat(l->path, &st) < 0 || st.st_ino != l->ino || st.st_dev != l->dev;
}

void load_live_mark(struct load_live *l)
{
	struct stat st;

	if (live_moved(l))
		(void)live_reopen(l);
	l->from = fstat(l->fd, &st) == 0 ? st.st_size : 0;
}

struct finding {
	const struct load_lease_want *want;
	bool good;		/* the last row that was seen of the address */
};

static void find_row(void *ctx, const struct lease *l)
{
	struct finding *f = ctx;

	if (l->addr != f->want->addr)
		return;
	f->good = running(l) && span_eq(lease_hw(l), span_of(f->want->mac, LOAD_MAC_LEN)) &&
		  lease_expire(l) >= f->want->expire_min;
}

/* Rows of the text, the last of which may be torn; the first is whole. */
static void find_in_text(char *p, size_t n, struct finding *f)
{
	char *end = p + n;
	char *nl;

	for (; (nl = memchr(p, '\n', (size_t)(end - p))); p = nl + 1) {
		struct lease l;
		const char *why;

		if (lease_csv_parse(p, (size_t)(nl - p), LEASE_CSV_COLUMNS, &l, &why) == 0 ||
		    lease_csv_parse(p, (size_t)(nl - p), LEASE_CSV_COLUMNS - 1, &l, &why) == 0)
			find_row(f, &l);
	}
}

/* What was written since the mark, as far as the buffer holds it. */
static int find_behind_mark(struct load_live *l, struct finding *f)
{
	ssize_t n = pread(l->fd, l->buf, LIVE_CHUNK, l->from);

	if (n < 0)
		return -errno;
	find_in_text(l->buf, (size_t)n, f);
	return n == LIVE_CHUNK ? 0 : f->good;
}

int load_live_check(struct load_live *l, const struct load_lease_want *w)
{
	struct finding f = {.want = w};
	int r = live_moved(l) ? 0 : find_behind_mark(l, &f);

	if (r)
		return r;
	/* written before the mark, or a clean-up went on, or really not there */
	f.good = false;
	r = read_all(l->path, find_row, &f);
	return r < 0 ? r : f.good;
}
