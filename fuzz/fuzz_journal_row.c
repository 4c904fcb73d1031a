/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A row that parses is written, and the written row parses to an equal text again; with the short
 * cut for usual rows and without it.
 */
#include "lease/lease_csv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef int (*parse_fn)(char *line, size_t n, int columns, struct lease *ret, const char **ret_why);

/* Writes the parsed row to out; nothing: it does not parse. */
static void again(parse_fn parse, const void *row, size_t n, struct buf *out)
{
	struct buf in = {0};
	struct lease l;
	const char *why;

	buf_add(&in, row, n);
	buf_char(&in, '\n');
	if (parse(in.p, n, LEASE_CSV_COLUMNS, &l, &why) == 0)
		lease_csv_format(&l, false, out);
	buf_fini(&in);
}

static void expect_same(const struct buf *a, const struct buf *b)
{
	if (a->len != b->len || (a->len && memcmp(a->p, b->p, a->len) != 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf once = {0}, twice = {0}, slow = {0};

	if (size && !memchr(data, '\n', size)) {
		again(lease_csv_parse, data, size, &once);
		again(lease_csv_parse_any, data, size, &slow);
		expect_same(&once, &slow);
		if (once.len)
			again(lease_csv_parse, once.p, once.len - 1, &twice);
		expect_same(&once, &twice);
	}
	buf_fini(&once);
	buf_fini(&twice);
	buf_fini(&slow);
	return 0;
}
