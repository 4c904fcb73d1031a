/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Any text as a script with small limits: it ends, within the memory, with a fault that has a text;
 * and the next script in this state runs as if nothing had happened.
 */
#include "fuzz.h"
#include "script/rules/event.h"
#include "script/script_open.h"

#include <stdio.h>

enum { MEMORY = 2 << 20 };

static void quiet(void *ctx, struct span line)
{
	(void)ctx, (void)line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script_opts o = {.instructions = 50000,
				.memory = MEMORY,
				.call_ms = 2000,
				.print = quiet};
	struct script_error err = {0};
	struct script_stats st;
	struct script *s;
	unsigned id;

	fuzz_check(script_new(&o, &s) == 0);
	fuzz_check(script_event_define(s, "udp", "receive_packet", SCRIPT_EVENT_STREAMED, &id) ==
		   0);
	if (script_run_text(s, "@f.lua", span_of(data, size), &err) < 0)
		fuzz_check(err.fault != SCRIPT_E_NONE && err.text[0]);
	(void)script_raise(s, id, &(struct script_raise){.stream = s});
	(void)script_raise(s, id, &(struct script_raise){.stream = s});
	script_stream_forget(s, s);
	/* at worst memory is full of the script's data, or its functions are replaced by
	 * others */
	fuzz_check(script_run_text(s, "@g.lua",
				   span_str("local t = {} for i = 1, 9 do t[i] = {} end"),
				   &err) <= 0);
	script_stats(s, &st);
	fuzz_check(st.memory_peak <= MEMORY + (1 << 20)); /* the reserve of loading */
	fuzz_check(lua_gettop(script_lua(s)) == 0);
	script_free(s);
	return 0;
}
