/* SPDX-License-Identifier: MPL-2.0 */
/* An answer is printed equally, whole or in pieces; a map that parses is printed as it is, with its
 * result. */
#include "fuzz.h"
#include "config/json/json.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece = size ? data[0] % 7 + 1 : 1;
	int64_t a = 0, b = 0, want = 0;
	char *whole, *parts;
	struct config_error e;
	struct arena arena;
	struct json *v;
	int r = print_pieces(data, size, size + 1, &whole, &a);

	fuzz_check(print_pieces(data, size, piece, &parts, &b) == r);
	fuzz_check(r < 0 || (strcmp(whole, parts) == 0 && a == b));
	arena_init(&arena);
	/* the printer decodes no escapes, also not in the name of a member */
	if (!memchr(data, '\\', size) &&
	    json_parse(span_of(data, size), &(struct json_opts){0}, &arena, &v, &e) == 0 &&
	    json_get_int(v, "result", &want) && want >= 0 && want < 1000)
		fuzz_check(r == 0 && a == want);
	arena_fini(&arena);
	free(whole), free(parts);
	return 0;
}
