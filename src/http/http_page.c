/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The page's routes. An event is composed once for all readers, and only while a page is
 * open; a page without events asks for the same data once a second.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log_tail.h"
#include "config/json/json.h"
#include "http/events.h"
#include "http/page.h"
#include "http/request.h"
#include "http/web.h"
#include "runtime/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Pages with an event stream; others ask once a second. */
enum { EVENT_READERS = 16 };

/* A packet is seen on the page within a second. */
#define TICK_NS (NS_PER_S / 2)

struct http_page {
	struct http_page_opts o;
	struct http_events *events;
	struct loop_timer *timer;
	uint64_t next_line; /* of the log */
	int64_t since_ns;   /* time of the program's start: its lines begin at 0 again */
};

/* --- Routes ----------------------------------------------------------------------------------- */

static void answer_alive(void *page, struct http_request *r)
{
	struct http_answer a = {.status = 200, .type = "text/plain", .body = span_str("alive\n")};

	(void)page;
	http_answer(r, &a);
}

static void answer_about(void *page, struct http_request *r)
{
	const struct http_page *p = page;
	struct json *m, *views;
	struct arena a;

	arena_init(&a);
	m = json_map(&a);
	(void)json_add(&a, m, "program", json_str(&a, p->o.program));
	(void)json_add(&a, m, "version", json_str(&a, p->o.version));
	(void)json_add(&a, m, "write", json_bool(&a, !http_requester(r)->read_only));
	views = json_add(&a, m, "views", json_list(&a));
	for (size_t i = 0; i < p->o.n_views; i++)
		(void)json_add(&a, views, NULL, json_str(&a, p->o.views[i]));
	p->o.describe(p->o.ctx, &a, m);
	http_answer_json(r, m);
	arena_fini(&a);
}

static void answer_tick(void *page, struct http_request *r)
{
	const struct http_page *p = page;
	const char *reason;
	struct json *m;
	struct arena a;

	arena_init(&a);
	m = json_map(&a);
	reason = p->o.compose(p->o.ctx, &a, m);
	if (reason)
		http_refuse(r, 503, reason);
	else
		http_answer_json(r, m);
	arena_fini(&a);
}

struct lines {
	struct arena *a;
	struct json *list;
};

static void put_line(void *lines, const char *line)
{
	struct lines *l = lines;

	(void)json_add(l->a, l->list, NULL, json_str(l->a, line));
}

/* Returns the lines of the log from a number on, and the number of the next one. */
static struct json *compose_log(const struct http_page *p, struct arena *a, uint64_t from,
				uint64_t *ret_next)
{
	struct json *m = json_map(a);
	struct lines l = {a, json_add(a, m, "lines", json_list(a))};

	*ret_next = from;
	if (!p->o.tail)
		return m;
	*ret_next = log_tail_read(p->o.tail, from, put_line, &l);
	http_page_count(a, m, "next", *ret_next);
	http_page_count(a, m, "since", (uint64_t)(p->since_ns / NS_PER_MS));
	return m;
}

static void answer_log(void *page, struct http_request *r)
{
	uint64_t next;
	struct arena a;

	arena_init(&a);
	http_answer_json(r, compose_log(page, &a, 0, &next));
	arena_fini(&a);
}

static void answer_events(void *page, struct http_request *r)
{
	struct http_page *p = page;

	http_answer_events(r, p->events);
	loop_timer_set(p->timer, 0);
}

struct http_routes http_page_routes(struct http_page *p)
{
	static const struct http_route routes[] = {
		{"GET", "/", false, true, http_answer_web},
		{"GET", "/app.js", false, true, http_answer_web},
		{"GET", "/style.css", false, true, http_answer_web},
		{"GET", "/icon.svg", false, true, http_answer_web},
		{"GET", "/api/v1/about", false, true, answer_about},
		{"GET", "/api/v1/tick", false, true, answer_tick},
		{"GET", "/api/v1/events", false, true, answer_events},
		{"GET", "/api/v1/log", false, true, answer_log},
		{"GET", "/healthz", true, false, answer_alive},
	};

	return (struct http_routes){routes, ARRAY_LEN(routes), p};
}

/* --- Twice a second --------------------------------------------------------------------------- */

static void send_json(struct http_events *e, const char *name, const struct json *v)
{
	struct buf out;

	buf_init(&out);
	json_write(v, false, &out);
	if (!out.failed)
		http_events_send(e, name, span_of(out.p, out.len));
	buf_fini(&out);
}

static void send_tick(void *page)
{
	struct http_page *p = page;
	struct json *tick, *log;
	uint64_t next;
	struct arena a;

	if (!http_events_readers(p->events))
		return;
	arena_init(&a);
	tick = json_map(&a);
	if (!p->o.compose(p->o.ctx, &a, tick))
		send_json(p->events, "tick", tick);
	log = compose_log(p, &a, p->next_line, &next);
	if (next != p->next_line)
		send_json(p->events, "log", log);
	p->next_line = next;
	arena_fini(&a);
	loop_timer_set(p->timer, TICK_NS);
}

/* --- Life ------------------------------------------------------------------------------------- */

int http_page_new(struct loop *loop, const struct http_page_opts *o, struct http_page **ret)
{
	struct http_page *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->o = *o;
	p->since_ns = clock_wall_ns(&clock_system);
	r = http_events_new(EVENT_READERS, &p->events);
	if (r == 0)
		r = loop_timer_new(loop, send_tick, p, &p->timer);
	if (r < 0) {
		http_page_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void http_page_free(struct http_page *p)
{
	if (!p)
		return;
	http_events_free(p->events);
	if (p->timer)
		loop_timer_free(p->timer);
	free(p);
}

/* --- Writers ---------------------------------------------------------------------------------- */

uint64_t http_page_number(const struct http_request *r, const char *name, uint64_t dflt,
			  uint64_t max)
{
	const char *text = http_query(r, name);
	unsigned long long v;

	if (!text || !text[0] || strspn(text, "0123456789") != strlen(text))
		return dflt;
	v = strtoull(text, NULL, 10);
	return v < max ? v : max;
}

void http_page_title(struct arena *a, struct json *titles, const char *of, const char *text)
{
	(void)json_add(a, titles, of, json_str(a, text));
}

struct json *http_page_stage(struct arena *a, struct json *stages, const char *name,
			     const char *purpose)
{
	struct json *s = json_add(a, stages, NULL, json_map(a));

	(void)json_add(a, s, "name", json_str(a, name));
	(void)json_add(a, s, "purpose", json_str(a, purpose));
	return s;
}

void http_page_reason(struct arena *a, struct json *drops, const char *name, const char *sentence)
{
	struct json *v = json_add(a, drops, name, json_map(a));

	(void)json_add(a, v, "sentence", json_str(a, sentence));
}

void http_page_state(struct arena *a, struct json *tick, int64_t started_ns, const char *state,
		     const char *health)
{
	(void)json_add(a, tick, "time", json_int(a, clock_mono_ns(&clock_system) / NS_PER_MS));
	(void)json_add(a, tick, "started", json_int(a, started_ns / NS_PER_MS));
	(void)json_add(a, tick, "state", json_str(a, state));
	(void)json_add(a, tick, "health", json_str(a, health));
}

void http_page_count(struct arena *a, struct json *map, const char *name, uint64_t n)
{
	(void)json_add(a, map, name, json_int(a, (int64_t)n));
}

void http_page_drop(struct arena *a, struct json *drops, const char *reason, uint64_t n,
		    const char *stage)
{
	struct json *row = json_add(a, drops, reason, json_list(a));

	http_page_count(a, row, NULL, n);
	(void)json_add(a, row, NULL, json_str(a, stage));
}

void http_page_head(struct arena *a, struct json *head, const char *name, uint64_t n, bool counter)
{
	struct json *row = json_add(a, head, NULL, json_list(a));

	(void)json_add(a, row, NULL, json_str(a, name));
	http_page_count(a, row, NULL, n);
	(void)json_add(a, row, NULL, json_bool(a, counter));
}
