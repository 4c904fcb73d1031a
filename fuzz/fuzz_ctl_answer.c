/* SPDX-License-Identifier: MPL-2.0 */
/* An answer is printed equally, whole or in pieces; a map that parses is printed as it is, with its
 * result. */
#include "fuzz.h"
#include "config/json/json.h"
#include "ctl/lease_rows.h"
#include "ctl/sink.h"

#include <stdlib.h>
#include <string.h>

/* Prints the octets in pieces. Returns 0 and the result, or the failure. */
static int print_pieces(const uint8_t *data, size_t size, size_t piece, char **ret, int64_t *result)
{
	struct ctl_printer p;
	size_t n;
	FILE *out = open_memstream(ret, &n);
	int r = 0;

	fuzz_check(out);
	ctl_printer_init(&p, out);
	for (size_t at = 0; at < size && r == 0; at += piece)
		r = p.sink.take(&p.sink, (const char *)data + at,
				size - at < piece ? size - at : piece);
	r = r < 0 ? r : ctl_printer_end(&p, result);
	(void)fclose(out);
	return r;
}

/* Takes the leases out of the octets, given in pieces. Returns 0, the rest and the number of
 * leases, or the failure. */
static int take_pieces(const uint8_t *data, size_t size, size_t piece, struct ctl_collector *rest,
		       size_t *ret_n)
{
	struct ctl_lease_rows rows;
	int r = 0;

	ctl_lease_rows_init(&rows);
	ctl_collector_init(rest, size);
	rows.next = &rest->sink;
	for (size_t at = 0; at < size && r == 0; at += piece)
		r = rows.sink.take(&rows.sink, (const char *)data + at,
				   size - at < piece ? size - at : piece);
	*ret_n = rows.n_rows;
	ctl_lease_rows_fini(&rows);
	return r;
}

/* Checks that the pieces do not matter, and that all leases of a valid answer are taken out. */
static void check_rows(const uint8_t *data, size_t size, size_t piece, const struct json *tree)
{
	const struct json *map = tree && tree->type == JSON_LIST && tree->count == 1 ? tree->first
										     : tree;
	const struct json *list = json_get(json_get(map, "arguments"), "leases");
	struct ctl_collector a, b;
	size_t n, m, maps = 0;
	int r = take_pieces(data, size, size + 1, &a, &n);

	fuzz_check(take_pieces(data, size, piece, &b, &m) == r);
	fuzz_check(r < 0 || (n == m && span_eq(span_of(a.text.p, a.text.len),
					       span_of(b.text.p, b.text.len))));
	if (list && list->type == JSON_LIST)
		for (const struct json *e = list->first; e; e = e->next)
			maps += e->type == JSON_MAP;
	fuzz_check(!map || map->type != JSON_MAP || r < 0 || n == maps);
	ctl_collector_fini(&a);
	ctl_collector_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece = size ? data[0] % 7 + 1 : 1;
	int64_t a = 0, b = 0, want = 0;
	char *whole, *parts;
	struct config_error e;
	struct arena arena;
	struct json *v = NULL;
	int r = print_pieces(data, size, size + 1, &whole, &a);

	fuzz_check(print_pieces(data, size, piece, &parts, &b) == r);
	fuzz_check(r < 0 || (strcmp(whole, parts) == 0 && a == b));
	arena_init(&arena);
	/* neither the printer nor the rows decode escapes, also not in the name of a member */
	if (memchr(data, '\\', size) ||
	    json_parse(span_of(data, size), &(struct json_opts){0}, &arena, &v, &e) < 0)
		v = NULL;
	if (v && json_get_int(v, "result", &want) && want >= 0 && want < 1000)
		fuzz_check(r == 0 && a == want);
	check_rows(data, size, piece, v);
	arena_fini(&arena);
	free(whole), free(parts);
	return 0;
}
