/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The view of a gate: verdicts, drops, dissectors, rules.
 */
#include "config/json/json.h"
#include "ctl/top_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATISTICS, RULES, ALERTS }; /* the queries */
enum { DROPS_SHOWN = 10, SEEN_SHOWN = 8, RULES_SHOWN = 8 };

static void draw_verdicts(struct top *t, struct ctl_frame *f)
{
	static const char *const names[][2] = {
		{"packets", "octets"},
		{"accepted", "dropped"},
		{"modified", "held"},
		{"injected", "failed-open"},
		{"flows-added", "flows-expired"},
		{"send-errors", "source-drops"},
	};
	const struct json *now = top_answer(t, STATISTICS),
			  *before = top_answer_before(t, STATISTICS);
	char left[24], right[24];

	ctl_frame_heading(f, "%-14s %15s %12s   %-14s %15s %12s", "PACKETS", "total", "/s", "",
			  "total", "/s");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct top_counter a = top_count(t, now, before, names[i][0]);
		struct top_counter b = top_count(t, now, before, names[i][1]);

		ctl_frame_line(f, "%-14s %15lld %12s   %-14s %15lld %12s", a.name,
			       (long long)a.total, top_rate_text(a.rate, left), b.name,
			       (long long)b.total, top_rate_text(b.rate, right));
	}
}

static void draw_seen(struct top *t, struct ctl_frame *f)
{
	const struct json *now = json_get(top_answer(t, STATISTICS), "dissectors");
	const struct json *before = json_get(top_answer_before(t, STATISTICS), "dissectors");
	size_t n = 0;
	char rate[24];

	ctl_frame_heading(f, "%-14s %15s %12s", "DISSECTORS", "packets", "/s");
	for (const struct json *m = now && now->type == JSON_MAP ? now->first : NULL;
	     m && n < SEEN_SHOWN; m = m->next) {
		struct top_counter c = top_count(t, now, before, m->key);

		if (!c.total)
			continue;
		n++;
		ctl_frame_line(f, "%-14s %15lld %12s", c.name, (long long)c.total,
			       top_rate_text(c.rate, rate));
	}
}

/* --- Rules ------------------------------------------------------------------------------------ */

struct rule {
	const struct json *now, *before;
	int64_t calls;
};

static int compare_rules(const void *a, const void *b)
{
	const struct rule *x = a, *y = b;

	return (x->calls < y->calls) - (x->calls > y->calls);
}

static const char *rule_text(const struct rule *r, const char *key)
{
	const char *s = json_get_str(r->now, key);

	return s ? s : "";
}

static void draw_rule(const struct top *t, const struct rule *r, struct ctl_frame *f)
{
	struct top_counter calls = top_count(t, r->now, r->before, "calls");
	char rate[24];

	ctl_frame_line(f, "%12lld %9s %9lld  %-28s %s %s", (long long)calls.total,
		       top_rate_text(calls.rate, rate), (long long)top_number(r->now, "faults"),
		       rule_text(r, "event"), rule_text(r, "name"), rule_text(r, "where"));
}

/* Draws the rules that ran most. The rules of both samples have one order. */
static void draw_rules(struct top *t, struct ctl_frame *f)
{
	const struct json *list = json_get(top_answer(t, RULES), "rules");
	const struct json *before = json_get(top_answer_before(t, RULES), "rules");
	size_t n = list && list->type == JSON_LIST ? list->count : 0, i = 0;
	struct rule *rules = n ? arena_array(&t->now->arena, struct rule, n) : NULL;
	const struct json *b;

	b = before && before->type == JSON_LIST && before->count == n ? before->first : NULL;
	for (const struct json *r = rules ? list->first : NULL; r; r = r->next) {
		rules[i++] = (struct rule){r, b, top_number(r, "calls")};
		b = b ? b->next : NULL;
	}
	if (!i)
		return;
	qsort(rules, i, sizeof(rules[0]), compare_rules);
	ctl_frame_line(f, "%s", "");
	ctl_frame_heading(f, "%12s %9s %9s  %s", "RULES: runs", "/s", "failures",
			  "event, name, place");
	for (size_t k = 0; k < i && k < RULES_SHOWN; k++)
		draw_rule(t, &rules[k], f);
	if (i > RULES_SHOWN)
		ctl_frame_line(f, "and %zu more", i - RULES_SHOWN);
}

static void draw_gate(struct top *t, struct ctl_frame *f)
{
	const struct json *now = top_answer(t, STATISTICS);

	ctl_frame_line(f, "%lld flows, %lld evicted, %lld alerts",
		       (long long)top_number(now, "flows"),
		       (long long)top_number(now, "flows-evicted"),
		       (long long)top_number(top_answer(t, ALERTS), "total"));
	ctl_frame_line(f, "%s", "");
	draw_verdicts(t, f);
	ctl_frame_line(f, "%s", "");
	top_draw_drops(t, json_get(now, "drops"),
		       json_get(top_answer_before(t, STATISTICS), "drops"), "", DROPS_SHOWN, f);
	ctl_frame_line(f, "%s", "");
	draw_seen(t, f);
	draw_rules(t, f);
}

const struct top_view top_view_gate = {
	.queries = {[STATISTICS] = {"statistics", NULL},
		    [RULES] = {"rules", NULL},
		    [ALERTS] = {"alerts", NULL}},
	.draw = draw_gate,
};
