/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The view of a client: its state, its lease and timers, messages, drops, the last error.
 */
#include "config/json/json.h"
#include "ctl/print.h"
#include "ctl/top_impl.h"

#include <stdio.h>
#include <string.h>

enum { STATE, STATISTICS, ERRORS }; /* the queries */
enum { DROPS_SHOWN = 10, ERRORS_SHOWN = 3 };

static const char *member_text(const struct json *map, const char *key)
{
	const char *s = json_get_str(map, key);

	return s ? s : "?";
}

static double real_number(const struct json *v)
{
	return v && v->type == JSON_REAL ? v->r : v && v->type == JSON_INT ? (double)v->i : 0;
}

static void draw_lease(const struct json *state, struct ctl_frame *f)
{
	const struct json *lease = json_get(state, "lease"), *timers = json_get(state, "timers");

	if (lease)
		ctl_frame_line(f, "lease: %s/%lld of server %s for %lld s",
			       member_text(lease, "address"),
			       (long long)top_number(lease, "prefix-length"),
			       member_text(lease, "server"),
			       (long long)top_number(lease, "valid-lifetime"));
	else
		ctl_frame_line(f, "no lease");
	for (const struct json *m = timers && timers->type == JSON_MAP ? timers->first : NULL; m;
	     m = m->next)
		ctl_frame_line(f, "timer: %s in %.1f s", m->key, real_number(m));
}

static void draw_counters(struct top *t, const char *map, const char *heading, struct ctl_frame *f)
{
	const struct json *now = json_get(top_answer(t, STATISTICS), map);
	const struct json *before = json_get(top_answer_before(t, STATISTICS), map);
	char rate[24];

	ctl_frame_heading(f, "%-14s %12s %9s", heading, "total", "/s");
	for (const struct json *m = now && now->type == JSON_MAP ? now->first : NULL; m;
	     m = m->next) {
		struct top_counter c = top_count(t, now, before, m->key);

		ctl_frame_line(f, "%-14s %12lld %9s", c.name, (long long)c.total,
			       top_rate_text(c.rate, rate));
	}
}

static void draw_errors(const struct top *t, struct ctl_frame *f)
{
	const struct json *list = json_get(top_answer(t, ERRORS), "errors");
	size_t n = 0;
	char when[40];

	if (!list || list->type != JSON_LIST || !list->first)
		return;
	ctl_frame_line(f, "%s", "");
	ctl_frame_heading(f, "ERRORS");
	for (const struct json *e = list->first; e && n < ERRORS_SHOWN; e = e->next, n++) {
		ctl_time_text((time_t)real_number(json_get(e, "time")), when, sizeof(when));
		ctl_frame_line(f, "%s %s: %s", when, member_text(e, "what"),
			       member_text(e, "cause"));
	}
}

static void draw_client(struct top *t, struct ctl_frame *f)
{
	const struct json *state = top_answer(t, STATE);
	const struct json *now = top_answer(t, STATISTICS),
			  *before = top_answer_before(t, STATISTICS);
	bool link = false, configured = false;

	(void)json_get_bool(state, "link", &link);
	(void)json_get_bool(state, "configured", &configured);
	ctl_frame_line(f, "%s: %s", member_text(state, "state"), member_text(state, "text"));
	ctl_frame_line(f, "interface %s, %s, link %s, %s", member_text(state, "interface"),
		       member_text(state, "hw-address"), link ? "up" : "DOWN",
		       configured ? "address configured" : "address not configured");
	draw_lease(state, f);
	ctl_frame_line(f, "%s", "");
	draw_counters(t, "sent", "SENT", f);
	draw_counters(t, "received", "RECEIVED", f);
	ctl_frame_line(f, "%s", "");
	top_draw_drops(t, json_get(now, "drops"), json_get(before, "drops"), "", DROPS_SHOWN, f);
	draw_errors(t, f);
}

const struct top_view top_view_client = {
	.queries = {[STATE] = {"state", NULL},
		    [STATISTICS] = {"statistics", NULL},
		    [ERRORS] = {"errors", NULL}},
	.draw = draw_client,
};
