/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Configuration text to option data. It works on the heap (configurations are not the packet path)
 * and moves the finished octets into the arena. The result is checked once more as data, so
 * that no option can be configured that we would refuse to read.
 */
#include "base/error.h"
#include "wire/option_internal.h"

/* Encodes text that is not csv: hex digits, or a text in single quotes. */
static int raw_encode(struct option_enc *e, const char *text)
{
	char *s = arena_strdup(e->arena, text);
	size_t n;

	if (!s)
		return -USHER_E_NOMEM;
	s = option_trim(s);
	n = strlen(s);
	if (n >= 2 && s[0] == '\'' && s[n - 1] == '\'') {
		buf_add(&e->out, s + 1, n - 2);
		return 0;
	}
	return option_enc_hex(e, s);
}

int option_encode_text(const struct option_def *def, const char *text, bool csv,
		       struct arena *arena, struct span *ret, const char **ret_why)
{
	struct option_enc e = {.arena = arena};
	void *copy = NULL;
	int r = csv ? option_codec_encode(&e, def, text) : raw_encode(&e, text);

	*ret_why = NULL;
	if (r == 0 && !e.out.failed)
		copy = arena_memdup(arena, e.out.p, e.out.len);
	if (r == 0 && !copy)
		r = -USHER_E_NOMEM;
	if (r == 0 && !option_data_valid(def, span_of(copy, e.out.len)))
		r = option_enc_fail(&e, -USHER_E_RANGE, "%zu octets do not fit type %s", e.out.len,
				    option_type_name(def->type));
	if (r == 0) {
		*ret = span_of(copy, e.out.len);
		*ret_why = e.unused;
	} else {
		*ret_why = e.why ? e.why : usher_strerror(r);
	}
	buf_fini(&e.out);
	return r;
}

int option_encode_raw(const char *text, struct arena *arena, struct span *ret, const char **ret_why)
{
	static const struct option_def binary = {.name = "",
						 .space = "",
						 .type = OPTION_BINARY,
						 .encapsulate = "",
						 .rfc = ""};

	return option_encode_text(&binary, text, false, arena, ret, ret_why);
}
