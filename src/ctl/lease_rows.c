/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The list is the member "leases" of the member "arguments". An element of it that is no map stays
 * in the rest, for the parser to judge.
 */
#include "ctl/lease_rows.h"

#include "base/error.h"
#include "config/json/json.h"
#include "ctl/print.h"

#include <errno.h>
#include <string.h>

enum { ELEMENT_BYTES = 1 << 20, CELL_MAX = 96 };

/* Writes the cells of a lease to the file. */
static int write_cells(struct ctl_lease_rows *r, const struct json *lease)
{
	char cell[CELL_MAX];

	if (!r->cells)
		r->cells = tmpfile();
	if (!r->cells)
		return -errno;
	for (unsigned i = 0; i < CTL_LEASE_COLUMNS && ctl_lease_cell(lease, i, cell, sizeof(cell));
	     i++) {
		size_t n = strlen(cell);

		if (n > r->widths[i])
			r->widths[i] = n;
		if (fwrite(cell, 1, n + 1, r->cells) != n + 1)
			return -EIO;
	}
	r->n_rows++;
	return 0;
}

/* Parses the lease that was taken. */
static int end_element(struct ctl_lease_rows *r)
{
	struct json_opts o = {.file = "answer"};
	struct config_error err = {0};
	struct json *lease;
	int n;

	if (r->element.failed)
		return -ENOMEM;
	arena_reset(&r->arena);
	n = json_parse(span_of(r->element.p, r->element.len), &o, &r->arena, &lease, &err);
	buf_reset(&r->element);
	if (n < 0)
		return -USHER_E_SYNTAX;
	return r->each ? r->each(r->ctx, lease) : write_cells(r, lease);
}

static bool is_key(const struct ctl_lease_rows *r, const char *name)
{
	return r->key_len == strlen(name) && memcmp(r->key, name, r->key_len) == 0;
}

/* Follows an opening bracket outside of the leases. */
static void open_bracket(struct ctl_lease_rows *r, char c)
{
	if (r->depth == 0 && c == '[')
		r->outer = 1;
	else if (r->depth == r->outer + 1)
		r->in_arguments = c == '{' && is_key(r, "arguments");
	else if (r->depth == r->outer + 2)
		r->in_leases = r->in_arguments && c == '[' && is_key(r, "leases");
	r->depth++;
	r->key_len = 0;
}

/* Follows one octet that is in no string. */
static void follow_octet(struct ctl_lease_rows *r, char c)
{
	if (c == '"') {
		r->in_string = true;
		r->key_len = 0;
	} else if (c == '{' || c == '[') {
		open_bracket(r, c);
	} else if ((c == '}' || c == ']') && r->depth) {
		r->depth--;
		r->in_leases = r->in_leases && r->depth > r->outer + 2;
		r->in_arguments = r->in_arguments && r->depth > r->outer + 1;
	} else if (c == ',') {
		r->key_len = 0;
	}
}

static void follow_string(struct ctl_lease_rows *r, char c)
{
	if (r->escaped)
		r->escaped = false;
	else if (c == '\\')
		r->escaped = true;
	else if (c == '"')
		r->in_string = false;
	if (r->in_string && r->key_len < sizeof(r->key))
		r->key[r->key_len++] = c;
}

/* Returns whether an octet belongs to the list, between its elements. */
static bool is_between(char c)
{
	return c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Takes one octet: it goes to the element or to the rest. */
static int take_octet(struct ctl_lease_rows *r, char c)
{
	bool listed = r->in_leases && r->depth == r->outer + 3 && !r->in_string;

	if (listed && c == '{' && !r->element_depth)
		r->element_depth = r->depth + 1;
	if (r->element_depth) {
		if (r->element.len >= ELEMENT_BYTES)
			return -EMSGSIZE;
		buf_char(&r->element, c);
	} else if (!listed || !is_between(c)) {
		buf_char(&r->rest, c);
	}
	if (r->in_string)
		follow_string(r, c);
	else
		follow_octet(r, c);
	if (!r->element_depth || r->depth >= r->element_depth)
		return 0;
	r->element_depth = 0;
	return end_element(r);
}

static int take_listed(struct ctl_sink *s, const char *p, size_t n)
{
	struct ctl_lease_rows *r = container_of(s, struct ctl_lease_rows, sink);
	int result = 0;

	buf_reset(&r->rest);
	for (size_t i = 0; i < n && result == 0; i++)
		result = take_octet(r, p[i]);
	if (result == 0 && r->rest.failed)
		result = -ENOMEM;
	return result == 0 && r->rest.len ? r->next->take(r->next, r->rest.p, r->rest.len) : result;
}

void ctl_lease_rows_init(struct ctl_lease_rows *r)
{
	*r = (struct ctl_lease_rows){.sink = {take_listed}};
	buf_init(&r->rest);
	buf_init(&r->element);
	arena_init(&r->arena);
	for (unsigned i = 0; i < CTL_LEASE_COLUMNS && ctl_lease_heading(i); i++)
		r->widths[i] = strlen(ctl_lease_heading(i));
}

void ctl_lease_rows_fini(struct ctl_lease_rows *r)
{
	if (r->cells)
		(void)fclose(r->cells);
	buf_fini(&r->rest);
	buf_fini(&r->element);
	arena_fini(&r->arena);
}

/* Reads one cell. Returns false: the file ends or cannot be read. */
static bool read_cell(FILE *f, char cell[CELL_MAX])
{
	int c = EOF;

	for (size_t n = 0; n < CELL_MAX; n++) {
		c = getc(f);
		cell[n] = (char)c;
		if (c <= 0)
			break;
	}
	return c == '\0';
}

static void print_padded(const struct ctl_lease_rows *r, unsigned i, const char *cell, FILE *out)
{
	if (ctl_lease_heading(i + 1))
		(void)fprintf(out, "%-*s  ", (int)r->widths[i], cell);
	else
		(void)fprintf(out, "%s\n", cell);
}

int ctl_lease_rows_print(struct ctl_lease_rows *r, FILE *out)
{
	char cell[CELL_MAX];

	if (!r->cells)
		return 0;
	rewind(r->cells);
	for (unsigned i = 0; ctl_lease_heading(i); i++)
		print_padded(r, i, ctl_lease_heading(i), out);
	for (size_t n = 0; n < r->n_rows; n++)
		for (unsigned i = 0; ctl_lease_heading(i); i++) {
			if (!read_cell(r->cells, cell))
				return -EIO;
			print_padded(r, i, cell, out);
		}
	return 0;
}
