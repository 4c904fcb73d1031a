/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Printing answers. Tables are: a list of maps that all describe leases, the result-set of
 * stat-lease4-get, statistics, and lists of maps that hold nothing but single values. Everything
 * else is shown as indented "name: value" lines.
 */
#include "ctl/print.h"

#include "base/attr.h"
#include "base/buf.h"
#include "config/json/json.h"
#include "lease/lease_field.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { COLS_MAX = 16, CELL_MAX = 96, MANY_COUNTERS = 12 };

/* Replaces octets that move the cursor or give orders to a terminal: texts come from clients of the
 * network. Line ends stay. C1 controls are two octets in UTF-8. */
static void clean_text(char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s, next = (unsigned char)s[1];

		if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f)
			*s = '?';
		else if (c == 0xc2 && next >= 0x80 && next < 0xa0)
			s[0] = s[1] = '?';
	}
}

static void cell_text(const struct json *v, char *out, size_t cap)
{
	struct buf b;

	if (!v) {
		(void)snprintf(out, cap, "-");
		return;
	}
	if (v->type == JSON_STRING) {
		(void)snprintf(out, cap, "%s", v->n ? v->s : "-");
		clean_text(out);
		return;
	}
	buf_init(&b);
	json_write(v, false, &b);
	(void)snprintf(out, cap, "%s", b.p ? b.p : "");
	buf_fini(&b);
}

struct table {
	const char *head[COLS_MAX];
	size_t width[COLS_MAX];
	size_t n;
};

static void table_add(struct table *t, const char *head)
{
	t->head[t->n] = head;
	t->width[t->n++] = strlen(head);
}

static void table_widen(struct table *t, size_t col, const char *cell)
{
	size_t n = strlen(cell);

	if (n > t->width[col])
		t->width[col] = n;
}

static void table_head(const struct table *t, FILE *out)
{
	for (size_t i = 0; i < t->n; i++)
		(void)fprintf(out, i + 1 < t->n ? "%-*s  " : "%-*s\n", (int)t->width[i],
			      t->head[i]);
}

static void table_cell(const struct table *t, size_t i, const char *cell, FILE *out)
{
	if (i + 1 < t->n)
		(void)fprintf(out, "%-*s  ", (int)t->width[i], cell);
	else
		(void)fprintf(out, "%s\n", cell);
}

/* --- leases ----------------------------------------------------------------------------------- */

/* Returns the field in column `place` of the table, from 1; NULL: there are fewer columns. */
static const struct lease_field *lease_column(unsigned place)
{
	for (size_t i = 0; i < LEASE_FIELDS; i++)
		if (lease_fields[i].place == place)
			return &lease_fields[i];
	return NULL;
}

/* Returns the heading of a column. For the last transaction, the table has the end of the lease
 * instead, which is more useful. */
static const char *lease_heading(const struct lease_field *f)
{
	return f->kind == LEASE_KIND_TIME ? "expires" : f->json;
}

void ctl_time_text(time_t at, char *out, size_t cap)
{
	struct tm tm;
	char zone[8] = "";
	char date[40] = "";

	if (!localtime_r(&at, &tm) || !strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm)) {
		(void)snprintf(out, cap, "%lld", (long long)at);
		return;
	}
	(void)strftime(zone, sizeof(zone), "%z", &tm);
	(void)snprintf(out, cap, "%s%.3s:%s", date, zone, zone[0] ? zone + 3 : "");
}

/* Writes the end of a lease. Returns false if the answer lacks the numbers for it. */
static bool end_cell(const struct json *lease, const struct lease_field *f, char *out, size_t cap)
{
	int64_t cltt;
	int64_t lft;

	if (!json_get_int(lease, f->json, &cltt) || !json_get_int(lease, "valid-lft", &lft))
		return false;
	if (lft == LEASE_INFINITE)
		(void)snprintf(out, cap, "never");
	else
		ctl_time_text((time_t)(cltt + lft), out, cap);
	return true;
}

static bool state_cell(const struct json *lease, const struct lease_field *f, char *out, size_t cap)
{
	static const char *const states[] = {"assigned", "declined", "reclaimed", "released"};
	int64_t state;

	if (!json_get_int(lease, f->json, &state) || state < 0 || state >= (int)ARRAY_LEN(states))
		return false;
	(void)snprintf(out, cap, "%s", states[state]);
	return true;
}

static void lease_cell(const struct json *lease, const struct lease_field *f, char *out, size_t cap)
{
	if (f->kind == LEASE_KIND_STATE && state_cell(lease, f, out, cap))
		return;
	if (f->kind == LEASE_KIND_TIME && end_cell(lease, f, out, cap))
		return;
	cell_text(json_get(lease, lease_heading(f)), out, cap);
}

const char *ctl_lease_heading(unsigned i)
{
	const struct lease_field *f = lease_column(i + 1);

	return f ? lease_heading(f) : NULL;
}

bool ctl_lease_cell(const struct json *lease, unsigned i, char *out, size_t cap)
{
	const struct lease_field *f = lease_column(i + 1);

	if (f)
		lease_cell(lease, f, out, cap);
	return f;
}

static void print_leases(const struct json *list, FILE *out)
{
	const struct lease_field *f;
	struct table t = {.n = 0};
	char cell[CELL_MAX];

	for (unsigned i = 0; (f = lease_column(i + 1)) != NULL; i++) {
		table_add(&t, lease_heading(f));
		for (const struct json *l = list->first; l; l = l->next) {
			lease_cell(l, f, cell, sizeof(cell));
			table_widen(&t, i, cell);
		}
	}
	table_head(&t, out);
	for (const struct json *l = list->first; l; l = l->next) {
		for (unsigned i = 0; (f = lease_column(i + 1)) != NULL; i++) {
			lease_cell(l, f, cell, sizeof(cell));
			table_cell(&t, i, cell, out);
		}
	}
}

/* --- result sets and statistics --------------------------------------------------------------- */

static void print_result_set(const struct json *set, FILE *out)
{
	const struct json *cols = json_get(set, "columns");
	const struct json *rows = json_get(set, "rows");
	struct table t = {.n = 0};
	char cell[CELL_MAX];

	for (const struct json *c = cols ? cols->first : NULL; c && t.n < COLS_MAX; c = c->next)
		table_add(&t, c->type == JSON_STRING ? c->s : "?");
	table_head(&t, out);
	for (const struct json *r = rows ? rows->first : NULL; r; r = r->next) {
		size_t i = 0;

		for (const struct json *v = r->first; v && i < t.n; v = v->next) {
			cell_text(v, cell, sizeof(cell));
			table_cell(&t, i++, cell, out);
		}
	}
	if (rows)
		(void)fprintf(out, "(%zu %s)\n", rows->count, rows->count == 1 ? "row" : "rows");
}

/* Returns the value of the newest sample of [[value, "time"], …]. */
static const struct json *sample_value(const struct json *v)
{
	return v->type == JSON_LIST && v->first && v->first->type == JSON_LIST ? v->first->first
									       : NULL;
}

static bool is_statistics(const struct json *m)
{
	return m->type == JSON_MAP && m->first && sample_value(m->first);
}

/* Prints the samples of one statistic, newest first. */
static void print_samples(const struct json *samples, FILE *out)
{
	char value[CELL_MAX], when[CELL_MAX];

	for (const struct json *s = samples->first; s; s = s->next) {
		cell_text(s->first, value, sizeof(value));
		cell_text(s->first ? s->first->next : NULL, when, sizeof(when));
		(void)fprintf(out, "  %-12s  %s\n", value, when);
	}
}

/* Prints the statistics. One that was requested by name is printed with its samples, also when it
 * is zero. */
static void print_statistics(const struct json *m, FILE *out)
{
	bool many = m->first->next != NULL;
	size_t width = 0, n_zero = 0;
	char cell[CELL_MAX];

	for (const struct json *s = m->first; s; s = s->next)
		if (strlen(s->key) > width)
			width = strlen(s->key);
	for (const struct json *s = m->first; s; s = s->next) {
		cell_text(sample_value(s), cell, sizeof(cell));
		if (many && strcmp(cell, "0") == 0) {
			n_zero++;
			continue;
		}
		(void)fprintf(out, "%-*s  %s\n", (int)width, s->key, cell);
		if (!many && s->count > 1)
			print_samples(s, out);
	}
	if (n_zero)
		(void)fprintf(out, "(%zu more are 0; --json has them)\n", n_zero);
}

/* --- lists of flat maps ----------------------------------------------------------------------- */

static bool is_branch(const struct json *v)
{
	return (v->type == JSON_MAP || v->type == JSON_LIST) && v->first;
}

/* Returns whether a list holds maps of single values, all with one set of keys: rows of a table. */
static bool is_rows(const struct json *list)
{
	if (list->type != JSON_LIST || !list->first)
		return false;
	for (const struct json *row = list->first; row; row = row->next) {
		if (row->type != JSON_MAP)
			return false;
		for (const struct json *v = row->first; v; v = v->next)
			if (is_branch(v) || !json_get(list->first, v->key))
				return false;
	}
	return true;
}

static void print_rows(const struct json *list, FILE *out)
{
	struct table t = {.n = 0};
	char cell[CELL_MAX];

	for (const struct json *v = list->first->first; v && t.n < COLS_MAX; v = v->next)
		table_add(&t, v->key);
	for (const struct json *row = list->first; row; row = row->next) {
		for (size_t i = 0; i < t.n; i++) {
			cell_text(json_get(row, t.head[i]), cell, sizeof(cell));
			table_widen(&t, i, cell);
		}
	}
	table_head(&t, out);
	for (const struct json *row = list->first; row; row = row->next) {
		for (size_t i = 0; i < t.n; i++) {
			cell_text(json_get(row, t.head[i]), cell, sizeof(cell));
			table_cell(&t, i, cell, out);
		}
	}
}

/* --- the rest --------------------------------------------------------------------------------- */

static void print_leaf(const struct json *v, FILE *out)
{
	struct buf b;

	buf_init(&b);
	if (v->type == JSON_STRING)
		buf_add(&b, v->s, v->n);
	else
		json_write(v, false, &b);
	if (b.p)
		clean_text(b.p);
	(void)fprintf(out, " %s\n", b.p ? b.p : "");
	buf_fini(&b);
}

static void print_tree(const struct json *v, int depth, FILE *out)
{
	size_t n_zero = 0;

	for (const struct json *k = v->first; k; k = k->next) {
		/* counters by the dozen */
		if (k->type == JSON_INT && k->i == 0 && v->count > MANY_COUNTERS) {
			n_zero++;
			continue;
		}
		if (is_rows(k)) {
			print_rows(k, out);
			continue;
		}
		(void)fprintf(out, "%*s%s%s", depth * 2, "", k->key ? k->key : "-",
			      k->key ? ":" : "");
		if (is_branch(k)) {
			(void)fprintf(out, "\n");
			print_tree(k, depth + 1, out);
			continue;
		}
		print_leaf(k, out);
	}
	if (n_zero)
		(void)fprintf(out, "%*s(%zu more are 0; --json has them)\n", depth * 2, "", n_zero);
}

static bool whole_json(const char *command)
{
	return strcmp(command, "config-get") == 0;
}

/* Prints traces. A trace is one line of steps; for people every step gets its own. */
static void print_traces(const struct json *traces, FILE *out)
{
	for (const struct json *t = traces->first; t; t = t->next) {
		char *text = strdup(t->type == JSON_STRING ? t->s : "");
		const char *s = text ? text : "";
		const char *indent = "";

		if (text)
			clean_text(text);

		while (*s) {
			const char *end = strstr(s, "; ");
			size_t n = end ? (size_t)(end - s) : strlen(s);

			(void)fprintf(out, "%s%.*s\n", indent, (int)n, s);
			indent = "  ";
			s += n + (end ? 2 : 0);
		}
		free(text);
	}
}

static void print_arguments(const char *command, const struct json *args, FILE *out)
{
	const struct json *leases = json_get(args, "leases");
	struct buf b;

	if (leases && leases->type == JSON_LIST) {
		print_leases(leases, out);
	} else if (json_get(args, "result-set")) {
		print_result_set(json_get(args, "result-set"), out);
	} else if (json_get(args, "traces")) {
		print_traces(json_get(args, "traces"), out);
	} else if (is_statistics(args)) {
		print_statistics(args, out);
	} else if (json_get(args, "ip-address") && json_get(args, "cltt")) {
		struct json one = {.type = JSON_LIST};
		struct json copy = *args;

		copy.next = NULL;
		one.first = &copy;
		print_leases(&one, out);
	} else if (whole_json(command)) {
		buf_init(&b);
		json_write(args, true, &b);
		(void)fprintf(out, "%s\n", b.p ? b.p : "");
		buf_fini(&b);
	} else {
		print_tree(args, 0, out);
	}
}

void ctl_print_text(const struct json *answer, FILE *out)
{
	const char *given = json_get_str(answer, "text");
	char *text = given && given[0] ? strdup(given) : NULL;
	int64_t result = 1;

	(void)json_get_int(answer, "result", &result);
	if (text) {
		clean_text(text);
		(void)fprintf(result == 0 || result == 3 ? out : stderr, "%s\n", text);
	}
	free(text);
}

void ctl_print(const char *command, const struct json *answer, FILE *out)
{
	const struct json *args = json_get(answer, "arguments");
	const char *metrics = json_get_str(args, "metrics");

	if (metrics) { /* a text for other programs, which stays as it is */
		(void)fputs(metrics, out);
		return;
	}
	if (args && (args->type == JSON_MAP || args->type == JSON_LIST) && args->first)
		print_arguments(command, args, out);
	/* the table contains the number of rows */
	if (!json_get(args, "result-set"))
		ctl_print_text(answer, out);
}
