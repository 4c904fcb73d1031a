/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The properties of option texts, for fuzz_options.
 */
#include "fuzz.h"

#include "wire/option_def.h"

void fuzz_option_text(const struct option_def *d, struct span data, bool round_trip)
{
	struct buf a = {0}, b = {0};
	const char *why = NULL;
	struct arena arena;
	struct span again;

	arena_init(&arena);
	option_text(d, data, &a);
	if (round_trip && option_data_valid(d, data)) {
		buf_char(&a, '\0');
		fuzz_check(option_encode_text(d, a.p, true, &arena, &again, &why) == 0);
		option_text(d, again, &b);
		buf_char(&b, '\0');
		fuzz_check(span_eq(span_of(a.p, a.len), span_of(b.p, b.len)));
	}
	buf_fini(&a);
	buf_fini(&b);
	arena_fini(&arena);
}

void fuzz_option_encode(const struct option_def *d, struct span text)
{
	const char *why = NULL;
	struct arena arena;
	struct span data;
	char *s;

	arena_init(&arena);
	s = arena_strndup(&arena, (const char *)text.p, text.n);
	fuzz_check(s != NULL);
	for (int csv = 0; csv < 2; csv++) {
		if (option_encode_text(d, s, csv, &arena, &data, &why) == 0)
			fuzz_check(option_data_valid(d, data));
		else
			fuzz_check(why != NULL);
	}
	arena_fini(&arena);
}
