/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The file is read twice: to check all rows and to find the last one of each address, and to send
 * those. Sixteen octets an address are kept, not the leases.
 */
#include "ctl/leases.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/ip.h"
#include "config/json/json.h"
#include "ctl/progress.h"
#include "ctl/session.h"
#include "lease/json/lease_json.h"
#include "lease/lease_csv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BATCH = 1000, EXIT_FAILED = 1, RESULT_EMPTY = 3, PROBLEMS_SHOWN = 20 };

/* The last row of an address. */
struct place {
	long at; /* in the file */
	uint32_t addr;
	bool deleted;
};

struct import {
	struct ctl_session *s;
	const char *path;
	FILE *file;
	bool overwrite;
	int columns;
	char *line; /* of getline() */
	size_t cap;
	unsigned long number; /* of the line */
	struct place *places;
	size_t n, room;
	struct ctl_bar bar;
	uint64_t stored, left_out;
	unsigned problems;
};

/* Prints a mistake with its place; the first ones only. */
static int report(struct import *m, unsigned long line, const char *why)
{
	if (m->problems++ < PROBLEMS_SHOWN)
		(void)fprintf(stderr, "usherctl: leases import: %s:%lu: %s\n", m->path, line, why);
	return -1;
}

/* Reports that a row which was good is not so any more. */
static int report_changed(struct import *m)
{
	ctl_bar_end(&m->bar);
	(void)fprintf(stderr, "usherctl: leases import: %s was changed meanwhile\n", m->path);
	return -1;
}

/* Reads the next line without its newline. Returns its length; -1: the file ends, or its last line
 * is incomplete, which is reported and left out. */
static ssize_t read_line(struct import *m)
{
	ssize_t n = getline(&m->line, &m->cap, m->file);

	if (n < 0)
		return -1;
	m->number++;
	if (m->line[n - 1] != '\n') {
		(void)fprintf(stderr,
			      "usherctl: leases import: %s:%lu: the last line is incomplete; it is "
			      "left out\n",
			      m->path, m->number);
		return -1;
	}
	m->line[--n] = '\0';
	if (n && m->line[n - 1] == '\r')
		m->line[--n] = '\0';
	return n;
}

static int read_header(struct import *m)
{
	ssize_t n = read_line(m);

	m->columns = n < 0 ? -USHER_E_SYNTAX : lease_csv_header(m->line, (size_t)n);
	return m->columns < 0
		       ? report(m, 1,
				"this is no DHCPv4 lease file: expected address,hwaddr,client_id,…")
		       : 0;
}

static int add_place(struct import *m, const struct lease *l, long at)
{
	if (m->n == m->room) {
		size_t room = m->room ? 2 * m->room : 1024;
		struct place *p = realloc(m->places, room * sizeof(*p));

		if (!p)
			return report(m, m->number, "out of memory");
		m->places = p;
		m->room = room;
	}
	m->places[m->n++] = (struct place){at, l->addr, l->valid_lft == 0};
	return 0;
}

/* Checks all rows, and notes where they are. Returns 0, or -1: mistakes were printed. */
static int read_places(struct import *m)
{
	struct lease l;
	const char *why;
	ssize_t n;
	long at;

	if (read_header(m) < 0)
		return -1;
	while (at = ftell(m->file), (n = read_line(m)) >= 0) {
		if (n == 0)
			continue;
		if (lease_csv_parse(m->line, (size_t)n, m->columns, &l, &why) < 0)
			(void)report(m, m->number, why);
		else if (add_place(m, &l, at) < 0)
			return -1;
	}
	if (ferror(m->file))
		return report(m, m->number, strerror(errno));
	if (m->problems > PROBLEMS_SHOWN)
		(void)fprintf(stderr, "usherctl: leases import: %u mistakes more\n",
			      m->problems - PROBLEMS_SHOWN);
	return m->problems ? -1 : 0;
}

static int by_address(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static int by_position(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

/* Keeps the last row of each address that is no deletion, in the order of the file. */
static void keep_last(struct import *m)
{
	size_t out = 0;

	if (!m->n)
		return;
	qsort(m->places, m->n, sizeof(*m->places), by_address);
	for (size_t i = 0; i < m->n; i++)
		if ((i + 1 == m->n || m->places[i + 1].addr != m->places[i].addr) &&
		    !m->places[i].deleted)
			m->places[out++] = m->places[i];
	m->n = out;
	qsort(m->places, m->n, sizeof(*m->places), by_position);
}

/* --- sending ---------------------------------------------------------------------------------- */

/* Makes the arguments of a lease: the end instead of the last message, as commands have it. */
static struct json *lease_args(struct arena *a, const struct lease *l)
{
	struct json *m = lease_to_json(a, l);

	json_remove(m, "cltt");
	(void)json_add(a, m, "expire", json_int(a, l->cltt + (int64_t)l->valid_lft));
	return m;
}

/* Adds the rows from first on to a request. Returns their number, or -1: one cannot be read any
 * more, which was printed. */
static int fill_batch(struct import *m, size_t first, struct arena *a, struct json *list)
{
	struct lease l;
	const char *why;
	int n = 0;

	for (; n < BATCH && first + (size_t)n < m->n; n++) {
		if (fseek(m->file, m->places[first + (size_t)n].at, SEEK_SET) < 0)
			return report_changed(m);
		ssize_t len = getline(&m->line, &m->cap, m->file);

		if (len < 1 || m->line[len - 1] != '\n')
			return report_changed(m);
		m->line[--len] = '\0';
		if (len && m->line[len - 1] == '\r')
			m->line[--len] = '\0';
		if (lease_csv_parse(m->line, (size_t)len, m->columns, &l, &why) < 0 ||
		    l.addr != m->places[first + (size_t)n].addr)
			return report_changed(m);
		(void)json_add(a, list, NULL, lease_args(a, &l));
	}
	return n;
}

/* Prints the leases that the server did not take. */
static void list_failures(struct import *m, const struct json *answer)
{
	const struct json *list = json_get(json_get(answer, "arguments"), "failed-leases");

	for (const struct json *v = list ? list->first : NULL; v; v = v->next) {
		const char *ip = json_get_str(v, "ip-address");
		const char *why = json_get_str(v, "error-message");

		ctl_bar_end(&m->bar);
		if (m->left_out++ < PROBLEMS_SHOWN)
			(void)fprintf(stderr, "usherctl: leases import: %s was left out: %s\n",
				      ip ? ip : "a lease", why ? why : "no reason given");
	}
}

/* Sends one request. Returns 0, or -1: it was refused, which was printed. */
static int send_batch(struct import *m, struct arena *a, struct json *list, int n)
{
	struct json *args = json_map(a), *answer;
	int64_t result = EXIT_FAILED;
	uint64_t before = m->left_out;
	const char *text;
	struct buf request;
	int r = -1;

	buf_init(&request);
	(void)json_add(a, args, "leases", list);
	(void)json_add(a, args, "overwrite", json_bool(a, m->overwrite));
	ctl_session_request(m->s, "lease4-bulk-apply", args, &request);
	if (ctl_session_ask(m->s, &request, NULL, a, &answer) < 0) {
		ctl_bar_end(&m->bar);
		(void)fprintf(stderr, "usherctl: leases import: %s\n", m->s->error);
	} else if (!json_get_int(answer, "result", &result) || (result && result != RESULT_EMPTY)) {
		text = json_get_str(answer, "text");
		ctl_bar_end(&m->bar);
		(void)fprintf(stderr, "usherctl: leases import: %s\n",
			      text ? text : "the answer has no text");
	} else {
		list_failures(m, answer);
		m->stored += (uint64_t)n - (m->left_out - before);
		ctl_bar_add(&m->bar, (uint64_t)n);
		r = 0;
	}
	buf_fini(&request);
	return r;
}

static int send_leases(struct import *m)
{
	struct arena arena;
	struct json *list;
	int n, r = 0;

	arena_init(&arena);
	for (size_t i = 0; i < m->n && r == 0; i += (size_t)n) {
		arena_reset(&arena);
		list = json_list(&arena);
		n = fill_batch(m, i, &arena, list);
		if (n < 0)
			r = -1;
		else
			r = send_batch(m, &arena, list, n);
	}
	arena_fini(&arena);
	return r;
}

/* Prints the sum. Returns the exit code. */
static int conclude(const struct import *m, int r)
{
	(void)printf("%llu leases imported from %s", (unsigned long long)m->stored, m->path);
	if (m->left_out)
		(void)printf(", %llu left out", (unsigned long long)m->left_out);
	if (r < 0)
		(void)printf("; the import ended before all of the %zu leases were sent", m->n);
	(void)putchar('\n');
	return r < 0 ? EXIT_FAILED : m->left_out ? CTL_LEASES_CONFLICT : 0;
}

int ctl_leases_import(struct ctl_session *s, const char *path, bool overwrite)
{
	struct import m = {.s = s, .path = path, .overwrite = overwrite};
	struct stat st;
	int r;

	m.file = fopen(path, "re");
	if (!m.file || fstat(fileno(m.file), &st) < 0 || !S_ISREG(st.st_mode)) {
		(void)fprintf(stderr, "usherctl: leases import: %s: %s\n", path,
			      m.file ? "it is no regular file, which is read twice"
				     : strerror(errno));
		if (m.file)
			(void)fclose(m.file);
		return EXIT_FAILED;
	}
	s->quiet = true;
	r = read_places(&m);
	if (r == 0) {
		keep_last(&m);
		ctl_bar_begin(&m.bar, m.n, false);
		r = send_leases(&m);
		ctl_bar_end(&m.bar);
		r = conclude(&m, r);
	} else {
		r = EXIT_FAILED;
	}
	(void)fclose(m.file);
	free(m.line);
	free(m.places);
	return r;
}
