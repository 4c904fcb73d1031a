/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A state whose timers run on the time of packets: the engine says when the first of them is due,
 * before it looks at the next packet.
 */
#include "gate/lua/bind_impl.h"
#include "gate/engine/dissect.h"
#include "script/rules/timer.h"
#include "script/script_open.h"

/* Fires timers in the order of time, each with the clock at its own time. If more are due than can
 * be intended, repetitions are skipped. */
static void on_alarm(void *ctx, struct gate *g, int64_t until_ns)
{
	enum { CATCH_UP = 256, AT_ONCE = 4096 };
	struct script *s = ctx;
	const int64_t *due = script_timer_due(s);

	for (unsigned n = 0; n < AT_ONCE && *due <= until_ns; n++) {
		if (*due > g->now_ns)
			g->now_ns = *due;
		(void)script_timer_fire(s, n < CATCH_UP ? *due : until_ns);
	}
}

int bind_script_new(struct gate *g, const struct script_opts *so, struct script **ret)
{
	struct script_opts o = *so;
	int r;

	o.timers = true;
	o.clock = gate_clock(g); /* which they are armed by */
	r = script_new(&o, ret);
	if (r == 0)
		gate_alarm(g, script_timer_due(*ret), on_alarm, *ret);
	return r;
}

void bind_script_free(struct gate *g, struct script *script)
{
	if (script && g->alarm_ctx == script)
		gate_alarm(g, NULL, NULL, NULL);
	script_free(script);
}
