/* SPDX-License-Identifier: MPL-2.0 */
/* A line of text compiles or is refused; compiled, it is evaluated on options made of the rest. */
#include "fuzz.h"
#include "config/expr.h"
#include "wire/dhcp4.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nl = size ? memchr(data, '\n', size) : NULL;
	struct span text = span_of(data, nl ? (size_t)(nl - data) : size);
	struct span tail = span_sub(span_of(data, size), text.n + 1, 255);
	struct config_error err;
	struct arena arena;
	struct dhcp4_msg m;
	struct expr *e;
	struct span s;
	bool b;

	arena_init(&arena);
	dhcp4_init(&m, &arena);
	for (unsigned code = 1; code < 255; code += 1 + code / 8)
		fuzz_check(dhcp4_opt_set_ref(&m, (uint8_t)code, tail) == 0);
	fuzz_check(dhcp4_opt_set_ref(&m, 82, tail) == 0 && dhcp4_opt_set_ref(&m, 125, tail) == 0);
	for (int want_bool = 0; want_bool < 2; want_bool++)
		if (expr_compile(text, want_bool, NULL, &(struct json_pos){"", 1, 1}, &arena, &e,
				 &err) == 0)
			(void)(want_bool
				       ? expr_bool(e,
						   &(struct expr_ctx){.msg = &m, .scratch = &arena},
						   &b, NULL)
				       : expr_string(e,
						     &(struct expr_ctx){.msg = &m,
									.scratch = &arena},
						     &s, NULL));
	arena_fini(&arena);
	return 0;
}
