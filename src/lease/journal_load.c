/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reading the lease files at start, line by line out of one big buffer. A row that cannot be
 * read is skipped and reported; if nothing follows it, it is the torn end of the file. What lies
 * behind a hole of zeroes is taken for a row only if the hole does not end where disk sectors
 * do: there, it may be the rest of a row whose beginning was lost.
 */
#include "lease/journal_impl.h"

#include "base/error.h"
#include "base/log.h"
#include "lease/journal_rows.h"
#include "lease/lease_csv.h"
#include "lease/lease_load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

enum { READ_CHUNK = 1 << 20, LINE_MAX_LEN = 4 << 20, LOG_ROWS_MAX = 20, SECTOR = 512 };

struct loader {
	struct journal *j;
	struct rows *rows;
	struct journal_load_stats *st;
	char name[PATH_CAP];
	int fd;
	char *buf;		/* cap + 1 octets */
	size_t cap, len;
	off_t at;		/* file position of the current line */
	uint64_t line;
	int columns;
	off_t end;		/* behind the last good line */
	/* a bad row, until it is known whether anything follows */
	const char *bad_why;
	uint64_t bad_line;
	off_t bad_at;
	struct lease row;
	int result;
};

static int report_bad(struct loader *l)
{
	struct journal_load_stats *st = l->st;

	if (!l->bad_why)
		return 0;
	if (st->bad_rows++ == 0) {
		st->first_bad_line = l->bad_line;
		(void)snprintf(st->first_bad_file, sizeof(st->first_bad_file), "%.255s", l->name);
		(void)snprintf(st->first_bad_why, sizeof(st->first_bad_why), "octet %lld: %s",
			       (long long)l->bad_at, l->bad_why);
	}
	if (st->bad_rows <= LOG_ROWS_MAX)
		log_msg(l->j->o.log, LOG_DHCPSRV_MEMFILE_LEASE_LOAD_ROW_ERROR,
			"%s: line %llu, octet %lld: %s", l->name, (unsigned long long)l->bad_line,
			(long long)l->bad_at, l->bad_why);
	l->bad_why = NULL;
	if (l->j->o.max_row_errors && st->bad_rows > l->j->o.max_row_errors)
		return -USHER_E_LIMIT;
	return 0;
}

static int bad_row(struct loader *l, const char *why)
{
	int r = report_bad(l);

	l->bad_why = why;
	l->bad_line = l->line;
	l->bad_at = l->at;
	return r;
}

static int take_row(struct loader *l, char *p, size_t n)
{
	const char *why = NULL;
	size_t hole = 0;
	int r;

	while (hole < n && p[hole] == '\0')
		hole++;
	if (hole && (l->at + (off_t)hole) % SECTOR != 0) {
		r = bad_row(l, "zeroes");
		if (r < 0)
			return r;
		p += hole;
		n -= hole;
	}
	if (lease_csv_parse(p, n, l->columns, &l->row, &why) < 0)
		return bad_row(l, why);
	r = report_bad(l);
	if (r == 0)
		r = rows_push(l->rows, &l->row);
	l->st->rows++;
	return r;
}

static int take_line(struct loader *l, char *p, size_t n)
{
	int r = 0;

	l->line++;
	if (n == 0 || (n == 1 && p[0] == '\r')) {
		r = 0;
	} else if (l->line == 1 && (l->columns = lease_csv_header(p, n)) > 0) {
		r = 0;
	} else {
		/* without a header it is read as our own */
		if (l->columns <= 0)
			l->columns = LEASE_CSV_COLUMNS;
		r = take_row(l, p, n);
	}
	l->at += (off_t)n + 1;
	if (!l->bad_why)
		l->end = l->at;
	return r;
}

/* All whole lines in the buffer; what is left moves to its front. */
static int take_lines(struct loader *l)
{
	size_t from = 0;
	int r = 0;

	while (r == 0) {
		char *nl = memchr(l->buf + from, '\n', l->len - from);

		if (!nl)
			break;
		r = take_line(l, l->buf + from, (size_t)(nl - l->buf) - from);
		from = (size_t)(nl - l->buf) + 1;
	}
	memmove(l->buf, l->buf + from, l->len - from);
	l->len -= from;
	return r;
}

static int make_room(struct loader *l)
{
	char *p;

	if (l->cap - l->len >= READ_CHUNK / 2)
		return 0;
	/* nothing of ours is that long: keep the start, which cannot be parsed either */
	if (l->cap >= LINE_MAX_LEN) {
		l->at += (off_t)l->len;
		l->len = 0;
		return bad_row(l, "row is too long");
	}
	p = realloc(l->buf, l->cap * 2 + 1);
	if (!p)
		return -ENOMEM;
	l->buf = p;
	l->cap *= 2;
	return 0;
}

/* The server ends before it has loaded. */
static bool is_stopped(struct journal *j)
{
	bool stop;

	(void)pthread_mutex_lock(&j->mu);
	stop = j->stop;
	(void)pthread_mutex_unlock(&j->mu);
	return stop;
}

static int read_lines(struct loader *l)
{
	const struct file_ops *f = l->j->files;
	int r = 0;

	while (r == 0) {
		ssize_t n;

		r = is_stopped(l->j) ? -ECANCELED : make_room(l);
		if (r < 0)
			break;
		n = f->read(f->ctx, l->fd, l->buf + l->len, l->cap - l->len);
		if (n <= 0)
			return (int)n;
		l->len += (size_t)n;
		r = take_lines(l);
	}
	return r;
}

static void report_torn(struct loader *l)
{
	uint64_t line = l->bad_why ? l->bad_line : l->line + 1;
	off_t total = l->at + (off_t)l->len;

	if (l->end == total)
		return;
	l->st->torn_bytes += (uint64_t)(total - l->end);
	log_msg(l->j->o.log, LOG_DHCPSRV_MEMFILE_TORN_TAIL,
		"%s: line %llu, octet %lld: the last %lld octets are no whole row", l->name,
		(unsigned long long)line, (long long)l->end, (long long)(total - l->end));
	if (l->st->first_bad_line == 0) {
		l->st->first_bad_line = line;
		(void)snprintf(l->st->first_bad_file, sizeof(l->st->first_bad_file), "%.255s", l->name);
		(void)snprintf(l->st->first_bad_why, sizeof(l->st->first_bad_why),
			       "octet %lld: torn row", (long long)l->end);
	}
}

/* 1: there is no such file. */
static int load_file(struct loader *l, const char *suffix)
{
	struct journal *j = l->j;
	int r;

	*l = (struct loader){.j = j, .rows = l->rows, .st = l->st, .cap = READ_CHUNK};
	l->fd = j->files->open(j->files->ctx, journal_name(j, suffix, l->name), O_RDONLY, 0);
	if (l->fd == -ENOENT)
		return 1;
	if (l->fd < 0)
		return l->fd;
	l->buf = malloc(l->cap + 1);
	r = l->buf ? read_lines(l) : -ENOMEM;
	if (r == 0)
		report_torn(l);
	free(l->buf);
	(void)j->files->close(j->files->ctx, l->fd);
	if (r == 0)
		log_msg(j->o.log, LOG_DHCPSRV_MEMFILE_LEASE_FILE_LOAD, "%s: %llu lines", l->name,
			(unsigned long long)l->line);
	return r;
}

/* Every file, in its order. */
static int load_files(struct loader *l)
{
	int r = load_file(l, ".completed");
	int end;

	if (r == 1) {
		r = load_file(l, ".2");
		if (r >= 0)
			r = load_file(l, ".1");
	}
	if (r >= 0)
		r = load_file(l, "");
	end = rows_end(l->rows);
	return r < 0 ? r : end < 0 ? end : r;
}

static void *load_main(void *loader)
{
	struct loader *l = loader;

	l->result = load_files(l);
	return NULL;
}

static int load_threaded(struct loader *l)
{
	struct rows *rows = l->rows;	/* l is the reader's from here on */
	pthread_t reader;
	int r = -pthread_create(&reader, NULL, load_main, l);

	if (r < 0)
		return r;
	r = rows_insert(rows);
	(void)pthread_join(reader, NULL);
	return r < 0 ? r : l->result;
}

int journal_load(struct journal *j, struct journal_load_stats *st, off_t *ret_end,
		 bool *ret_old_header)
{
	struct loader *l = calloc(1, sizeof(*l));
	int end;
	int r;

	if (!l)
		return -ENOMEM;
	l->j = j;
	l->st = st;
	r = rows_new(j->db, j->o.threads, &l->rows);
	if (r == 0)
		r = j->o.threads ? load_threaded(l) : load_files(l);
	if (r == 0) {
		*ret_end = l->end;
		*ret_old_header = l->columns > 0 && l->columns < LEASE_CSV_COLUMNS;
	}
	rows_free(l->rows);
	end = lease_db_load_end(j->db, j->o.threads);
	free(l);
	return r < 0 ? r : end;
}
