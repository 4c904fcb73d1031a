/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Two samples of the answers: the present one and the one before, for rates. A program that cannot
 * be reached is asked again at the next view; the view has the reason.
 */
#include "ctl/top.h"

#include "base/clock.h"
#include "config/json/json.h"
#include "control/plane.h"
#include "ctl/print.h"
#include "ctl/session.h"
#include "ctl/terminal.h"
#include "ctl/top_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- Answers ---------------------------------------------------------------------------------- */

/* Sends one command. Returns the result of the answer, and the answer itself if it is good (else
 * NULL); -1 with session->error. */
static int64_t ask_program(struct ctl_session *s, const char *command, struct arena *a,
			   const struct json **ret)
{
	int64_t result = CONTROL_ERROR;
	struct buf request;
	struct json *answer;
	int r;

	*ret = NULL;
	buf_init(&request);
	ctl_session_request(s, command, NULL, &request);
	r = ctl_session_ask(s, &request, NULL, a, &answer);
	buf_fini(&request);
	if (r < 0)
		return -1;
	(void)json_get_int(answer, "result", &result);
	if (result == CONTROL_OK || result == CONTROL_EMPTY)
		*ret = answer;
	return result;
}

const struct json *top_ask(struct top *t, const char *command)
{
	const struct json *answer;

	return ask_program(t->session, command, &t->kept, &answer) < 0 ? NULL : answer;
}

void top_ask_more(struct top *t, size_t i, const char *command)
{
	if (!t->instead[i] && ask_program(t->session, command, &t->now->arena,
					  &t->now->answers[i]) == CONTROL_UNSUPPORTED)
		t->instead[i] = true;
}

/* Sends query i of the view, or the command instead of it. Returns false: the program cannot be
 * reached. */
static bool take_answer(struct top *t, size_t i)
{
	const struct top_query *q = &t->view->queries[i];
	int64_t result = 0;

	if (!t->instead[i])
		result = ask_program(t->session, q->command, &t->now->arena, &t->now->answers[i]);
	if (result == CONTROL_UNSUPPORTED)
		t->instead[i] = true;
	if (t->instead[i] && q->instead)
		result = ask_program(t->session, q->instead, &t->now->arena, &t->now->answers[i]);
	return result >= 0;
}

/* Takes a sample; the one so far becomes `before`. */
static void take_sample(struct top *t)
{
	struct top_sample *old = t->before;

	t->before = t->now;
	t->now = old;
	arena_reset(&old->arena);
	memset(old->answers, 0, sizeof(old->answers));
	old->reached = true;
	old->at_ns = clock_mono_ns(&clock_system);
	for (size_t i = 0; i < TOP_QUERIES && t->view->queries[i].command && old->reached; i++)
		old->reached = take_answer(t, i);
	(void)snprintf(old->error, sizeof(old->error), "%s", old->reached ? "" : t->session->error);
	if (old->reached && t->view->prepare)
		t->view->prepare(t);
}

const struct json *top_answer(const struct top *t, size_t i)
{
	return json_get(t->now->answers[i], "arguments");
}

const struct json *top_answer_before(const struct top *t, size_t i)
{
	return t->before->reached ? json_get(t->before->answers[i], "arguments") : NULL;
}

/* --- Counters --------------------------------------------------------------------------------- */

int64_t top_number(const struct json *map, const char *name)
{
	const struct json *v = json_get(map, name);

	/* [[value, "time"], …] */
	for (int i = 0; i < 2 && v && v->type == JSON_LIST; i++)
		v = v->first;
	return v && v->type == JSON_INT ? v->i : 0;
}

struct top_counter top_count(const struct top *t, const struct json *now, const struct json *before,
			     const char *name)
{
	struct top_counter c = {.name = name, .total = top_number(now, name), .rate = -1};
	double seconds = (double)(t->now->at_ns - t->before->at_ns) / NS_PER_S;
	int64_t past = top_number(before, name);

	/* less than before: the program was started again, or the counter was reset */
	if (before && seconds > 0 && c.total >= past)
		c.rate = (double)(c.total - past) / seconds;
	return c;
}

const char *top_rate_text(double rate, char out[24])
{
	if (rate < 0)
		(void)snprintf(out, 24, "-");
	else
		(void)snprintf(out, 24, "%.*f", rate < 100 ? 1 : 0, rate);
	return out;
}

const char *top_duration(int64_t seconds, char out[40])
{
	long long s = seconds > 0 ? seconds : 0;
	long long days = s / 86400;

	if (days)
		(void)snprintf(out, 40, "%lld d %02lld:%02lld:%02lld", days, s / 3600 % 24,
			       s / 60 % 60, s % 60);
	else
		(void)snprintf(out, 40, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
	return out;
}

double top_busy_seconds(const char *metrics, unsigned worker)
{
	const char *at;
	char name[64];

	(void)snprintf(name, sizeof(name), "\nusher_worker_busy_seconds_total{worker=\"%u\"} ",
		       worker);
	at = metrics ? strstr(metrics, name) : NULL;
	return at ? strtod(at + strlen(name), NULL) : -1;
}

static int compare_counters(const void *a, const void *b)
{
	const struct top_counter *x = a, *y = b;

	return x->total != y->total ? (x->total < y->total) - (x->total > y->total)
				    : strcmp(x->name, y->name);
}

void top_draw_drops(struct top *t, const struct json *now, const struct json *before,
		    const char *prefix, size_t max, struct ctl_frame *f)
{
	struct top_counter list[TOP_COUNTERS];
	char rate[24];
	size_t n = 0;

	for (const struct json *m = now && now->type == JSON_MAP ? now->first : NULL;
	     m && n < TOP_COUNTERS; m = m->next)
		if (strncmp(m->key, prefix, strlen(prefix)) == 0 && top_number(now, m->key) != 0)
			list[n++] = top_count(t, now, before, m->key);
	ctl_frame_heading(f, "%-28s %12s %9s  %s", "DROPS", "total", "/s", "reason");
	qsort(list, n, sizeof(list[0]), compare_counters);
	for (size_t i = 0; i < n && i < max; i++)
		ctl_frame_line(f, "%-28s %12lld %9s  %s", list[i].name, (long long)list[i].total,
			       top_rate_text(list[i].rate, rate),
			       ctl_drop_sentence(t->session->program, list[i].name));
	if (n == 0)
		ctl_frame_line(f, "none");
	else if (n > max)
		ctl_frame_line(f, "and %zu more reasons", n - max);
}

/* --- The loop --------------------------------------------------------------------------------- */

static void draw_view(struct top *t, struct ctl_frame *f)
{
	const struct ctl_session *s = t->session;
	char now[40];

	ctl_frame_reset(f);
	ctl_time_text(time(NULL), now, sizeof(now));
	if (!t->now->reached) {
		ctl_frame_heading(f, "%s  %s  %s", ctl_program_name(s->program),
				  s->url ? s->url : s->socket, now);
		ctl_frame_line(f, "no answer: %s", t->now->error);
		return;
	}
	ctl_frame_heading(f, "%s%s%s  %s  %s", ctl_program_name(s->program),
			  t->version[0] ? " " : "", t->version, s->url ? s->url : s->socket, now);
	t->view->draw(t, f);
}

/* Prints views as text. Returns the exit code: the last view was reached or not. */
static int print_views(struct top *t, struct ctl_frame *f, int seconds, int n)
{
	for (int i = 0; i < n; i++) {
		if (i > 0) {
			(void)sleep((unsigned)seconds);
			(void)putchar('\n');
		}
		take_sample(t);
		draw_view(t, f);
		ctl_frame_print(f, stdout);
		if (fflush(stdout) == EOF)
			return 1;
	}
	return t->now->reached ? 0 : 1;
}

/* Draws views on the terminal until the key q. */
static int show_views(struct top *t, struct ctl_frame *f, int seconds)
{
	int64_t next = 0, now;
	int key = 0;
	unsigned lines, columns;

	while (key != 'q' && key != 'Q') {
		now = clock_mono_ns(&clock_system);
		if (now >= next || key == ' ') {
			take_sample(t);
			draw_view(t, f);
			now = clock_mono_ns(&clock_system);
			next = now + seconds * NS_PER_S;
		}
		ctl_terminal_size(&lines, &columns);
		ctl_frame_draw(f, lines, columns, stdout);
		if (fflush(stdout) == EOF)
			return 1;
		key = ctl_terminal_key((int)((next - now) / NS_PER_MS) + 1);
	}
	return 0;
}

static int run_views(struct top *t, int seconds, int batch)
{
	struct ctl_frame f;
	int r;

	ctl_frame_init(&f);
	if (batch) {
		ctl_terminal_end_quietly();
		r = print_views(t, &f, seconds, batch);
	} else {
		r = ctl_terminal_enter(STDIN_FILENO, CTL_TERMINAL_VIEW);
		r = r < 0 ? 1 : show_views(t, &f, seconds);
		ctl_terminal_leave();
	}
	ctl_frame_fini(&f);
	return r;
}

int ctl_top(struct ctl_session *s, int seconds, int batch)
{
	static const struct top_view *const views[] = {
		[CTL_SERVER] = &top_view_server,
		[CTL_CLIENT] = &top_view_client,
		[CTL_GATE] = &top_view_gate,
	};
	struct top t = {.session = s, .view = views[s->program], .reloaded = -1};
	int r;

	if (!batch && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))) {
		(void)fputs("usherctl: top: input and output are no terminal; --batch N prints N "
			    "views as text\n",
			    stderr);
		return 1;
	}
	s->quiet = true;
	arena_init(&t.kept);
	for (int i = 0; i < 2; i++)
		arena_init(&t.samples[i].arena);
	t.now = &t.samples[0];
	t.before = &t.samples[1];
	r = run_views(&t, seconds, batch);
	for (int i = 0; i < 2; i++)
		arena_fini(&t.samples[i].arena);
	arena_fini(&t.kept);
	return r;
}
