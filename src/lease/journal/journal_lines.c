/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reading a lease file line by line out of one big buffer. A file that does not begin with the
 * header of a DHCPv4 lease file is refused. A row that cannot be read is reported and copied to
 * .rejected. A torn end is only the data that a crash leaves behind the last row: a line without
 * its newline, and blocks of zeroes. Octets behind a hole of zeroes are taken for a row only if the
 * hole does not end where disk sectors do: there, it may be the rest of a row whose beginning was
 * lost.
 */
#include "lease/journal/journal_lines.h"

#include "base/error.h"
#include "base/log.h"
#include "lease/journal/journal_reject.h"
#include "lease/journal/journal_rows.h"
#include "lease/lease_csv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { READ_CHUNK = 1 << 20, LINE_MAX_LEN = 4 << 20, LOG_ROWS_MAX = 20, SECTOR = 512 };

static void note_line(struct journal_load_stats *st, const char *suffix, uint64_t line)
{
	struct journal_bad_range *last = st->n_bad ? &st->bad[st->n_bad - 1] : NULL;

	if (last && strcmp(last->suffix, suffix) == 0 && last->last + 1 == line) {
		last->last = line;
	} else if (st->n_bad < JOURNAL_BAD_RANGES) {
		last = &st->bad[st->n_bad++];
		*last = (struct journal_bad_range){.first = line, .last = line};
		(void)snprintf(last->suffix, sizeof(last->suffix), "%s", suffix);
	}
}

static int count_bad(struct loader *l, uint64_t line, off_t at, const char *why)
{
	struct journal_load_stats *st = l->st;

	if (st->bad_rows++ == 0) {
		st->first_bad_line = line;
		(void)snprintf(st->first_bad_file, sizeof(st->first_bad_file), "%.255s", l->name);
		(void)snprintf(st->first_bad_why, sizeof(st->first_bad_why), "octet %lld: %s",
			       (long long)at, why);
	}
	note_line(st, l->suffix, line);
	if (st->bad_rows <= LOG_ROWS_MAX)
		log_msg(l->j->o.log, LOG_DHCPSRV_MEMFILE_LEASE_LOAD_ROW_ERROR,
			"%s: line %llu, octet %lld: %s", l->name, (unsigned long long)line,
			(long long)at, why);
	if (l->j->o.max_row_errors && st->bad_rows > l->j->o.max_row_errors)
		return -USHER_E_LIMIT;
	return 0;
}

/* Reports the zeroes before a line that is not torn as a bad row. */
static int end_torn(struct loader *l)
{
	uint64_t line = l->torn_line;

	l->torn_line = 0;
	return line ? count_bad(l, line, l->torn_at, "zeroes") : 0;
}

static int refuse(struct loader *l, const char *p, size_t n)
{
	static const char v6[] = "address,duid";
	const char *why = "line 1 is not the header of a DHCPv4 lease file";

	if (n >= sizeof(v6) - 1 && memcmp(p, v6, sizeof(v6) - 1) == 0)
		why = "it is a DHCPv6 lease file";
	l->st->first_bad_line = 1;
	(void)snprintf(l->st->first_bad_file, sizeof(l->st->first_bad_file), "%.255s", l->name);
	(void)snprintf(l->st->first_bad_why, sizeof(l->st->first_bad_why), "%s", why);
	log_msg(l->j->o.log, LOG_DHCPSRV_MEMFILE_LEASE_LOAD_ROW_ERROR,
		"%s: %s; the file is left as it is", l->name, why);
	return -USHER_E_FOREIGN;
}

static int bad_row(struct loader *l, const char *p, size_t n, const char *why)
{
	int r = l->no_header ? refuse(l, p, n) : end_torn(l);

	if (r == 0)
		r = count_bad(l, l->line, l->at, why);
	return r == 0 ? reject_row(l->reject, p, n) : r;
}

/*
 * Returns whether p[n] can be a line of a lease file that lost its header in a power cut. The
 * zeroes end where the header or a sector ends, and text follows. Other files may begin with zeroes
 * as well.
 */
static bool lost_header(const struct loader *l, const char *p, size_t n)
{
	off_t to;

	size_t hole = 0;

	while (hole < n && p[hole] == '\0')
		hole++;
	to = l->at + (off_t)hole;
	if (hole < n && (l->line == 1 || hole) && to != LEASE_CSV_HEAD_LEN &&
	    (to == 0 || to % SECTOR != 0))
		return false;
	for (size_t i = hole; i < n; i++)
		if ((unsigned char)p[i] < 0x20 && p[i] != '\0' && !(p[i] == '\r' && i + 1 == n))
			return false;
	return true;
}

/* Reads a line with zeroes: the end of the file, or a bad row when anything follows. */
static int zero_row(struct loader *l, const char *p, size_t n)
{
	int r = l->no_header && !lost_header(l, p, n) ? refuse(l, p, n) : end_torn(l);

	if (r < 0)
		return r;
	l->torn_line = l->line;
	l->torn_at = l->at;
	return reject_row(l->reject, p, n);
}

/* Parses the row p[n], which a newline follows. *ret_why is set if it is bad. */
static int parse_row(struct loader *l, const char *p, size_t n, const char **ret_why)
{
	if (lease_csv_scan((const uint8_t *)p, (const uint8_t *)p + n, &l->row))
		return 0;
	buf_reset(&l->copy);
	buf_add(&l->copy, p, n);
	buf_char(&l->copy, '\n');
	if (l->copy.failed)
		return -ENOMEM;
	return lease_csv_parse_any(l->copy.p, n, l->columns, &l->row, ret_why);
}

/* Returns whether there are columns beyond ours with anything in them. */
static bool has_more(const char *p, size_t n)
{
	const char *end = p + n;

	for (int k = 0; k < LEASE_CSV_COLUMNS; k++) {
		p = memchr(p, ',', (size_t)(end - p));
		if (!p)
			return false;
		p++;
	}
	while (p < end && (*p == ',' || *p == '\r'))
		p++;
	return p < end;
}

static int take_row(struct loader *l, const char *p, size_t n)
{
	const char *why = NULL;
	const char *whole = p;
	size_t whole_n = n;
	size_t hole = 0;
	int r;

	while (hole < n && p[hole] == '\0')
		hole++;
	if (hole && (l->at + (off_t)hole) % SECTOR != 0) {
		p += hole;
		n -= hole;
	}
	r = parse_row(l, p, n, &why);
	if (r < 0)
		return !why			      ? r
		       : memchr(whole, '\0', whole_n) ? zero_row(l, whole, whole_n)
						      : bad_row(l, whole, whole_n, why);
	r = end_torn(l);
	if (r == 0 && p != whole)
		r = count_bad(l, l->line, l->at, "zeroes");
	if (r == 0 && l->columns > LEASE_CSV_COLUMNS && has_more(p, n))
		r = reject_row(l->reject, p, n);
	if (r == 0)
		r = rows_push(l->rows, &l->row);
	l->st->rows++;
	return r;
}

static int take_header(struct loader *l, const char *p, size_t n)
{
	/* a header whose block did not reach the disk: rows below it are ours, or it is another
	 * file */
	if (p[0] == '\0' && n > 1) {
		l->columns = LEASE_CSV_COLUMNS;
		l->no_header = true;
		return take_row(l, p, n);
	}
	l->columns = lease_csv_header(p, n);
	if (l->columns < 0)
		return refuse(l, p, n);
	if (l->columns > LEASE_CSV_COLUMNS)
		log_msg(l->j->o.log, LOG_DHCPSRV_MEMFILE_NEWER_COLUMNS,
			"%s has %d columns, of which the first %d are used; rows that fill the others are kept in %s.rejected",
			l->name, l->columns, LEASE_CSV_COLUMNS, l->j->path);
	return 0;
}

static int take_line(struct loader *l, const char *p, size_t n)
{
	int r = 0;

	l->line++;
	if (l->line == 1)
		r = take_header(l, p, n);
	else if (l->cut_short)
		r = reject_row(l->reject, p, n);
	else if (n != 0 && (n != 1 || p[0] != '\r'))
		r = take_row(l, p, n);
	l->cut_short = false;
	l->at += (off_t)n + 1;
	if (!l->torn_line)
		l->end = l->at;
	return r;
}

/* Takes all whole lines of the buffer; the rest moves to its front. */
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

/* Sets a line that is too long aside, piece by piece. */
static int take_piece(struct loader *l)
{
	size_t n = l->len;
	int r = 0;

	if (l->line == 0)
		return refuse(l, l->buf, n);
	if (!l->cut_short) {
		l->line++;
		r = bad_row(l, l->buf, n, "row is too long");
		l->line--; /* its end counts it again */
	} else {
		r = reject_row(l->reject, l->buf, n);
	}
	l->cut_short = true;
	l->at += (off_t)n;
	l->len = 0;
	return r;
}

static int make_room(struct loader *l)
{
	char *p;

	if (l->cap - l->len >= READ_CHUNK / 2)
		return 0;
	/* nothing of ours is that long */
	if (l->cap >= LINE_MAX_LEN)
		return take_piece(l);
	p = realloc(l->buf, l->cap * 2 + 1);
	if (!p)
		return -ENOMEM;
	l->buf = p;
	l->cap *= 2;
	return 0;
}

/* Returns whether the server ends before loading is complete. */
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

/* Takes a last row that only lacks its newline, which it gets. */
static int take_last(struct loader *l)
{
	const char *why = NULL;
	int r;

	if (l->len == 0 || l->line == 0 || l->torn_line || l->cut_short)
		return 0;
	/* the last column is never empty */
	if (l->columns >= LEASE_CSV_COLUMNS && l->buf[l->len - 1] == ',')
		return 0;
	l->buf[l->len] = '\n';
	r = parse_row(l, l->buf, l->len, &why);
	if (r < 0)
		return why ? 0 : r;
	r = rows_push(l->rows, &l->row);
	l->st->rows++;
	l->line++;
	l->at += (off_t)l->len;
	l->len = 0;
	l->end = l->at;
	l->newline = true;
	return r;
}

static int take_torn(struct loader *l)
{
	uint64_t line = l->torn_line ? l->torn_line : l->line + 1;
	off_t total = l->at + (off_t)l->len;

	if (l->line == 0 && !journal_torn_header(l->buf, l->len))
		return refuse(l, l->buf, l->len);
	if (l->end == total)
		return 0;
	/* it was never acknowledged: a disk that is full must not keep the server from starting */
	if (l->line)
		(void)!reject_row(l->reject, l->buf, l->len);
	l->st->torn_bytes += (uint64_t)(total - l->end);
	log_msg(l->j->o.log, LOG_DHCPSRV_MEMFILE_TORN_TAIL,
		"%s: line %llu, octet %lld: the last %lld octets are no whole row", l->name,
		(unsigned long long)line, (long long)l->end, (long long)(total - l->end));
	if (l->st->first_bad_line == 0) {
		l->st->first_bad_line = line;
		(void)snprintf(l->st->first_bad_file, sizeof(l->st->first_bad_file), "%.255s",
			       l->name);
		(void)snprintf(l->st->first_bad_why, sizeof(l->st->first_bad_why),
			       "octet %lld: torn row", (long long)l->end);
	}
	return 0;
}

int journal_read_lines(struct loader *l)
{
	int r;

	l->cap = READ_CHUNK;
	l->buf = malloc(l->cap + 1);
	r = l->buf ? read_lines(l) : -ENOMEM;
	if (r == 0)
		r = take_last(l);
	if (r == 0)
		r = take_torn(l);
	free(l->buf);
	l->buf = NULL;
	return r;
}
