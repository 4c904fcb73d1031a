/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The order of reading is Kea's: the result of a finished clean-up (.completed) replaces .2 and .1;
 * then the current file. The last row of an address is the one that counts. A torn last row is no
 * row.
 */
#include "tools/load_leases.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "lease/lease_csv.h"
#include "tools/load_template.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { NAME_MAX_LEN = 4096 };

struct load_leases {
	const struct load_owners *owners;
	uint64_t first_client;
	uint64_t *good; /* a bit an address */
};

typedef void (*row_fn)(void *ctx, const struct lease *l);

/* --- rows ------------------------------------------------------------------------------------- */

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

		if (line[n - 1] == '\n' &&
		    lease_csv_parse(line, (size_t)n - 1, columns, &l, &why) == 0)
			fn(ctx, &l);
	}
	return ferror(f) ? -EIO : 0;
}

/* Reads a file with the suffix. Returns 1; 0: there is no such file; negative: an error. */
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

/* Reads the files that a clean-up has left beside path. Returns their number, or a negative
 * result. */
static int read_older(const char *path, row_fn fn, void *ctx)
{
	int r = read_file(path, ".completed", fn, ctx);
	int n;

	if (r)
		return r;
	r = read_file(path, ".2", fn, ctx);
	n = r < 0 ? r : read_file(path, ".1", fn, ctx);
	return n < 0 ? n : r + n;
}

static int read_all(const char *path, row_fn fn, void *ctx)
{
	int older = read_older(path, fn, ctx);
	int r = older < 0 ? older : read_file(path, "", fn, ctx);

	if (r < 0)
		return r;
	return older || r ? 0 : -ENOENT;
}

/* --- at the end ------------------------------------------------------------------------------- */

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

/* --- while it is written ---------------------------------------------------------------------- */

struct load_row {
	uint32_t client; /* + 1; 0: none of ours */
	uint32_t expire; /* seconds; 0: does not run */
};

#define ROWS_LEN ((UINT64_C(1) << 32) * sizeof(struct load_row))

static void live_row(void *ctx, const struct lease *row)
{
	struct load_live *l = ctx;
	struct load_row *r = &l->rows[row->addr];
	int64_t expire = lease_expire(row);
	uint64_t n;

	*r = (struct load_row){0};
	if (!running(row) || !load_ident_number(lease_hw(row), &n) || n < l->first_client ||
	    n - l->first_client >= UINT32_MAX)
		return;
	r->client = (uint32_t)(n - l->first_client) + 1;
	r->expire = expire < UINT32_MAX ? (uint32_t)expire : UINT32_MAX;
}

/* Reads the new rows. An incomplete row is read again when it is complete. */
static int live_read(struct load_live *l)
{
	int r = 0;

	while (r == 0) {
		off_t at = ftello(l->f);
		ssize_t n = getline(&l->line, &l->line_cap, l->f);
		struct lease row;
		const char *why;

		if (n <= 0 || l->line[n - 1] != '\n') {
			if (ferror(l->f))
				return -EIO;
			clearerr(l->f);
			return fseeko(l->f, at, SEEK_SET) < 0 ? -errno : 0;
		}
		if (!l->columns) {
			l->columns = lease_csv_header(l->line, (size_t)n - 1);
			r = l->columns < 0 ? l->columns : 0;
		} else if (lease_csv_parse(l->line, (size_t)n - 1, l->columns, &row, &why) == 0) {
			live_row(l, &row);
		}
	}
	return r;
}

/* Follows the file. A clean-up moves it away and begins a new one: the rest of the old file is
 * read first. */
static int live_follow(struct load_live *l)
{
	struct stat mine;
	struct stat now;
	FILE *f;
	int r = live_read(l);

	if (r < 0 || fstat(fileno(l->f), &mine) < 0 || stat(l->path, &now) < 0)
		return r;
	if (mine.st_ino == now.st_ino && mine.st_dev == now.st_dev)
		return 0;
	f = fopen(l->path, "re");
	if (!f)
		return 0; /* between the two files; the next call finds the new one */
	r = live_read(l);
	(void)fclose(l->f);
	l->f = f;
	l->columns = 0;
	return r < 0 ? r : live_read(l);
}

int load_live_open(struct load_live *l, const char *path, uint64_t first_client)
{
	int r;

	*l = (struct load_live){.path = path, .first_client = first_client};
	l->rows = load_reserve(ROWS_LEN);
	if (!l->rows)
		return -ENOMEM;
	r = read_older(path, live_row, l);
	if (r < 0)
		return r;
	l->f = fopen(path, "re");
	return l->f ? live_read(l) : -errno;
}

void load_live_close(struct load_live *l)
{
	if (l->f)
		(void)fclose(l->f);
	load_unreserve(l->rows, ROWS_LEN);
	free(l->line);
	*l = (struct load_live){0};
}

int load_live_check(struct load_live *l, uint32_t addr, uint32_t client, int64_t expire_min)
{
	const struct load_row *row = &l->rows[addr];
	int r = live_follow(l);

	if (r < 0)
		return r;
	return row->client == client + 1 && row->expire && (int64_t)row->expire >= expire_min;
}
