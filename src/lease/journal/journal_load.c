/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reading the lease files at start, in their order: one thread reads lines (journal_lines.c),
 * another one puts the rows into the table (journal_rows.c).
 */
#include "lease/journal/journal_lines.h"

#include "base/error.h"
#include "base/log.h"
#include "lease/journal/journal_reject.h"
#include "lease/journal/journal_rows.h"
#include "lease/lease_csv.h"
#include "lease/lease_load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

/* Loads a file. 1: there is no such file. */
static int load_file(struct loader *l, const char *suffix)
{
	struct journal *j = l->j;
	int r;

	buf_fini(&l->copy);
	*l = (struct loader){.j = j,
			     .rows = l->rows,
			     .reject = l->reject,
			     .st = l->st,
			     .suffix = suffix};
	buf_init(&l->copy);
	r = journal_check_kind(j, suffix);
	(void)journal_name(j, suffix, l->name);
	if (r < 0) {
		(void)snprintf(l->st->first_bad_why, sizeof(l->st->first_bad_why),
			       "no regular file");
		return r;
	}
	l->fd = j->files->open(j->files->ctx, l->name, O_RDONLY | (r == 0 ? O_NONBLOCK : 0), 0);
	if (l->fd == -ENOENT)
		return 1;
	if (l->fd < 0)
		return l->fd;
	r = journal_read_lines(l);
	(void)j->files->close(j->files->ctx, l->fd);
	if (r == 0 && l->line)
		log_msg(j->o.log, LOG_DHCPSRV_MEMFILE_LEASE_FILE_LOAD, "%s: %llu lines", l->name,
			(unsigned long long)l->line);
	return r;
}

/*
 * Loads every file, in its order. A .completed that is not whole, beside the file it was made from,
 * is the work of a kea-lfc that a power cut undid.
 */
static int load_files(struct loader *l)
{
	struct journal *j = l->j;
	int end;
	int r = 0;

	if (journal_exists(j, ".completed") && journal_exists(j, ".1") &&
	    !journal_completed_whole(j)) {
		r = journal_set_aside(j, ".completed", "not complete");
		j->completed_aside = r == 0;
	}
	if (r == 0)
		r = load_file(l, ".completed");
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
	struct rows *rows = l->rows; /* l is the reader's from here on */
	pthread_t reader;
	int r = -pthread_create(&reader, NULL, load_main, l);

	if (r < 0)
		return r;
	r = rows_insert(rows);
	(void)pthread_join(reader, NULL);
	return r < 0 ? r : l->result;
}

/* Syncs the rows that were set aside before any file is changed; a torn end need not be on disk. */
static int end_reject(struct loader *l)
{
	char text[512];
	int r = reject_end(l->reject);

	if (l->st->bad_rows == 0)
		return 0;
	journal_bad_text(l->st, l->j->path, text, sizeof(text));
	if (r < 0)
		log_msg(l->j->o.log, LOG_DHCPSRV_MEMFILE_ROWS_SET_ASIDE,
			"%s.rejected cannot be written: %s", l->j->path, usher_strerror(r));
	else
		log_msg(l->j->o.log, LOG_DHCPSRV_MEMFILE_ROWS_SET_ASIDE,
			"%llu rows cannot be read and are kept in %s.rejected: %s",
			(unsigned long long)l->st->bad_rows, l->j->path, text);
	return r;
}

static int load_all(struct loader *l)
{
	int r = reject_new(l->j, &l->reject);

	if (r == 0)
		r = rows_new(l->j->db, l->j->o.threads, &l->rows);
	if (r == 0)
		r = l->j->o.threads ? load_threaded(l) : load_files(l);
	return r == 0 || r == -USHER_E_LIMIT ? (r < 0 ? r : end_reject(l)) : r;
}

int journal_load(struct journal *j, struct journal_load_stats *st, struct journal_loaded *ret)
{
	struct loader *l = calloc(1, sizeof(*l));
	int end;
	int r;

	if (!l)
		return -ENOMEM;
	l->j = j;
	l->st = st;
	r = load_all(l);
	if (r == 0)
		*ret = (struct journal_loaded){.end = l->end,
					       .newline = l->newline,
					       .other_header = l->columns > 0 && l->end &&
							       (l->no_header ||
								l->columns != LEASE_CSV_COLUMNS)};
	rows_free(l->rows);
	reject_free(l->reject);
	buf_fini(&l->copy);
	end = lease_db_load_end(j->db, j->o.threads);
	free(l);
	return r < 0 ? r : end;
}

void journal_bad_text(const struct journal_load_stats *st, const char *name, char *out, size_t cap)
{
	const char *suffix = NULL;
	struct buf b;

	buf_init(&b);
	for (unsigned i = 0; i < st->n_bad; i++) {
		const struct journal_bad_range *r = &st->bad[i];

		if (!suffix || strcmp(suffix, r->suffix) != 0)
			buf_printf(&b, "%s%s%s, line ", suffix ? "; " : "", name, r->suffix);
		else
			buf_str(&b, ", ");
		suffix = r->suffix;
		buf_printf(&b, "%llu", (unsigned long long)r->first);
		if (r->last != r->first)
			buf_printf(&b, "-%llu", (unsigned long long)r->last);
	}
	if (st->n_bad == JOURNAL_BAD_RANGES)
		buf_str(&b, " and more");
	(void)snprintf(out, cap, "%s", b.p && !b.failed ? b.p : "");
	buf_fini(&b);
}
