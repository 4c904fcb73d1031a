/* SPDX-License-Identifier: MPL-2.0 */
/* A configuration loads or is refused; loaded, its effective tree loads again with the same
 * hash. */
#include "fuzz.h"
#include "config/config.h"

static struct config *load(struct span text)
{
	struct config_error e = {0};
	struct config *c = NULL;
	struct arena arena;
	struct json *v;

	arena_init(&arena);
	if (json_parse(text, &(struct json_opts){.comments = true}, &arena, &v, &e) == 0 &&
	    config_load_json(v, NULL, &c, &e) < 0)
		fuzz_check(e.text[0] && e.pos.line);
	arena_fini(&arena);
	return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *c = load(span_of(data, size)), *again = NULL;
	struct buf b = {0};

	if (c)
		json_write(config_effective(c), false, &b);
	fuzz_check(!c || ((again = load(span_of(b.p, b.len))) &&
			  strcmp(config_hash(c), config_hash(again)) == 0));
	buf_fini(&b), config_free(c), config_free(again);
	return 0;
}
