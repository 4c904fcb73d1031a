/* SPDX-License-Identifier: MPL-2.0 */
/* Any text parses or is refused with a place; a tree that is written and parsed again is equal. */
#include "fuzz.h"
#include "config/json/json.h"

static void round_trip(struct span text, const struct json_opts *o, bool pretty)
{
	struct config_error e = {0};
	struct buf a = {0}, b = {0};
	struct arena arena;
	struct json *v;

	arena_init(&arena);
	if (json_parse(text, o, &arena, &v, &e) == 0) {
		json_write(v, pretty, &a);
		fuzz_check(json_parse(span_of(a.p, a.len), &(struct json_opts){0}, &arena, &v,
				      &e) == 0);
		json_write(json_copy(&arena, v), pretty, &b);
		fuzz_check(span_eq(span_of(a.p, a.len), span_of(b.p, b.len)));
	} else {
		fuzz_check(e.text[0] && (e.pos.line || e.file[0]));
	}
	buf_fini(&a), buf_fini(&b), arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	round_trip(span_of(data, size), &(struct json_opts){.comments = true, .file = "f"}, false);
	round_trip(span_of(data, size), &(struct json_opts){0}, true);
	return 0;
}
