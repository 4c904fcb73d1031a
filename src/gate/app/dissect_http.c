/* SPDX-License-Identifier: MPL-2.0 */
/*
 * HTTP/1 over a TCP connection (RFC 9112): both directions are read, and each answer is matched
 * with its request. Data that is not HTTP, or could be read in two ways, ends the connection by
 * name; under fail_open it is forwarded without inspection.
 */
#include "gate/app/dissect_http.h"

#include "gate/engine/app.h"
#include "gate/app/http_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { STATUS_SWITCHING = 101, STATUS_TIMEOUT = 408 };

/* --- Memory ----------------------------------------------------------------------------------- */

int gate_http_init(struct gate *g, const struct gate_opts *o)
{
	uint32_t max_flows = o->flows.max_flows;
	struct gate_http *h = calloc(1, sizeof(*h));
	int r = h ? 0 : -ENOMEM;

	g->apps[DISSECT_HTTP] = h;
	if (r == 0)
		r = slots_init(&h->flows, max_flows, sizeof(struct http_flow));
	if (r == 0)
		r = slots_init(&h->kept, max_flows < HTTP_MAX_KEPT ? max_flows : HTTP_MAX_KEPT,
			       sizeof(struct http_kept));
	return r;
}

void gate_http_fini(struct gate *g)
{
	struct gate_http *h = gate_http_of(g);

	if (h) {
		slots_fini(&h->flows);
		slots_fini(&h->kept);
	}
	free(h);
	g->apps[DISSECT_HTTP] = NULL;
}

void gate_http_begin(struct gate_walk *w, struct flow *f)
{
	struct http_flow *s = slots_take(&gate_http_of(w->g)->flows);

	assert(s);
	s->first = s->n = s->n_kept = 0;
	s->body[GATE_UP] = s->body[GATE_DOWN] = HTTP_BODY_FIXED;
	s->kept = s->answer = NULL;
	s->script[GATE_UP] = s->script[GATE_DOWN] = NULL;
	http_init(&s->parser[GATE_UP], false, HTTP_GATE_FLAGS);
	http_init(&s->parser[GATE_DOWN], true, HTTP_GATE_FLAGS);
	f->state = s;
}

static void forget_kept(struct gate_http *h, struct http_kept **at)
{
	struct http_kept *k = *at;

	if (!k)
		return;
	*at = k->next;
	slots_give(&h->kept, k);
}

void **gate_http_script(const struct flow *f, enum gate_direction d)
{
	return &((struct http_flow *)f->state)->script[d];
}

/* Ends the followers of a body. False: the flow is over, too. */
static bool end_body(struct gate_walk *w, struct flow *f, enum gate_direction d)
{
	void **script = gate_http_script(f, d);

	if (*script)
		w->g->stream_ops->ended(*script, w);
	*script = NULL;
	if (gate_walk_is_of(w, f) && w->p->stopped)
		f->dropped = true;
	return !f->dropped;
}

void gate_http_end(struct gate_walk *w, struct flow *f)
{
	struct gate_http *h = gate_http_of(w->g);
	struct http_flow *s = f->state;

	(void)end_body(w, f, GATE_UP);
	(void)end_body(w, f, GATE_DOWN);
	while (s->kept)
		forget_kept(h, &s->kept);
	forget_kept(h, &s->answer);
	slots_give(&h->flows, s);
	f->state = NULL;
}

/* Accepts packets of HTTP flows: their connection has handled their data before. */
int receive_http(struct gate_walk *w)
{
	return gate_app_is(w->p, DISSECT_HTTP) ? GATE_ACCEPT : GATE_DROP;
}

/* --- Endings ---------------------------------------------------------------------------------- */

static const enum gate_drop drop_of[HTTP_N_FAULTS] = {
#define FAULT(symbol, sentence) [HTTP_FAULT_##symbol] = GATE_DROP_HTTP_##symbol,
#include "wire/http_fault.def"
#undef FAULT
};

static void begin_tunnel(struct http_flow *s)
{
	http_to_tunnel(&s->parser[GATE_UP]);
	http_to_tunnel(&s->parser[GATE_DOWN]);
}

/* Returns true if the data is forwarded all the same, without inspection. */
static bool refuse_data(struct gate_view *v, enum gate_drop why)
{
	if (gate_undecided(v->walk, why) == GATE_ACCEPT) {
		begin_tunnel(v->flow->state);
		return true;
	}
	v->flow->dropped = true;
	return false;
}

/* --- Requests without an answer --------------------------------------------------------------- */

static struct http_kept *keep_head(struct gate *g, struct span head)
{
	struct gate_http *h = gate_http_of(g);
	struct http_kept *k = head.n <= HTTP_KEPT_LEN ? slots_take(&h->kept) : NULL;

	if (!k)
		return NULL;
	k->next = NULL;
	k->len = (uint16_t)head.n;
	memcpy(k->octets, head.p, head.n);
	return k;
}

/* Keeps a request for listeners of later events. */
static void keep_request(struct gate *g, struct http_flow *s, struct span head)
{
	struct http_kept **end = &s->kept;

	if (s->n_kept == HTTP_MAX_PIPED ||
	    !(g->listeners[EVENT_HTTP_response].n | g->listeners[EVENT_HTTP_request_data].n |
	      g->listeners[EVENT_HTTP_response_data].n))
		return;
	while (*end)
		end = &(*end)->next;
	*end = keep_head(g, head);
	if (!*end)
		return;
	(*end)->slot = (uint8_t)((s->first + s->n) % HTTP_MAX_ASKED);
	s->n_kept++;
}

static uint8_t asked_first(const struct http_flow *s)
{
	return s->n ? s->asked[s->first] & HTTP_ASKED_METHOD : HTTP_METHOD_OTHER;
}

struct http_kept *http_kept_first(const struct http_flow *s)
{
	return s->n && s->kept && s->kept->slot == s->first ? s->kept : NULL;
}

static void forget_answered(struct gate *g, struct http_flow *s)
{
	forget_kept(gate_http_of(g), &s->answer);
	if (!s->n)
		return;
	if (http_kept_first(s)) {
		forget_kept(gate_http_of(g), &s->kept);
		s->n_kept--;
	}
	s->first = (uint8_t)((s->first + 1) % HTTP_MAX_ASKED);
	s->n--;
}

/* --- Events ----------------------------------------------------------------------------------- */

static bool raise_http_event(struct gate_view *v, enum gate_event e)
{
	bool ok = gate_raise(v->walk, e, v->flow) && !v->flow->dropped;

	if (!ok)
		v->flow->dropped = true;
	return ok;
}

/* Raises an event of the head at offset `at`. False: the head is not forwarded. */
static bool raise_head(struct gate_view *v, uint32_t at, enum gate_event e)
{
	struct gate_http *h = gate_http_of(v->walk->g);
	bool ok;

	h->view = v;
	h->at = at;
	ok = raise_http_event(v, e);
	h->view = NULL;
	h->generation++;
	return ok;
}

bool http_raise_data(struct gate_view *v, uint32_t at, uint32_t n, uint32_t *ret_n)
{
	struct gate *g = v->walk->g;
	const struct http_flow *s = v->flow->state;
	enum gate_event e = v->direction == GATE_UP ? EVENT_HTTP_request_data
						    : EVENT_HTTP_response_data;
	struct gate_view body = {
		.walk = v->walk,
		.flow = v->flow,
		.direction = v->direction,
		.octets = v->octets + at,
		.n = n,
		.whole = v,
		.base = at,
		.fixed = s->body[v->direction] == HTTP_BODY_FIXED,
	};
	struct gate_view *before = v->walk->view;
	bool ok;

	*ret_n = n;
	if (!g->listeners[e].n)
		return true;
	v->walk->view = gate_http_of(g)->body = &body;
	ok = raise_http_event(v, e);
	v->walk->view = before;
	gate_http_of(g)->body = NULL;
	gate_http_of(g)->generation++;
	*ret_n = body.n;
	return ok;
}

static bool handle_request(struct gate_view *v, uint32_t at)
{
	struct gate *g = v->walk->g;
	struct http_flow *s = v->flow->state;
	struct gate_http *h = gate_http_of(g);
	uint8_t how = (h->head.minor == 0 ? HTTP_ASKED_OLD : 0) |
		      (h->head.close ? HTTP_ASKED_CLOSE : 0) |
		      (h->head.upgrade ? HTTP_ASKED_UPGRADE : 0);

	if (s->n == HTTP_MAX_ASKED)
		return refuse_data(v, GATE_DROP_HTTP_PIPELINE);
	s->body[GATE_UP] = HTTP_BODY_FIXED;
	if (!raise_head(v, at, EVENT_HTTP_request))
		return false;
	keep_request(g, s, span_of(v->octets + at, h->head.len));
	s->asked[(s->first + s->n++) % HTTP_MAX_ASKED] = h->head.method | how;
	return true;
}

static bool handle_response(struct gate_view *v, uint32_t at)
{
	struct gate *g = v->walk->g;
	struct http_flow *s = v->flow->state;
	struct gate_http *http = gate_http_of(g);
	const struct http_head *h = &http->head;

	/* RFC 9110 15.5.9: a server may say that it waited in vain */
	if (!s->n && h->status != STATUS_TIMEOUT)
		return refuse_data(v, GATE_DROP_HTTP_UNASKED);
	/* RFC 9110 15.2.2: behind it nothing is read as HTTP any more */
	if (h->status == STATUS_SWITCHING && !(s->n && s->asked[s->first] & HTTP_ASKED_UPGRADE))
		return refuse_data(v, GATE_DROP_HTTP_UNASKED);
	s->body[GATE_DOWN] = HTTP_BODY_FIXED;
	if (!raise_head(v, at, EVENT_HTTP_response))
		return false;
	forget_kept(http, &s->answer);
	if (g->listeners[EVENT_HTTP_response_data].n)
		s->answer = keep_head(g, span_of(v->octets + at, h->len));
	if (s->parser[GATE_DOWN].state == HTTP_IN_TUNNEL)
		begin_tunnel(s);
	else if (asked_first(s) == HTTP_METHOD_CONNECT && !s->parser[GATE_DOWN].interim)
		http_no_tunnel(&s->parser[GATE_UP]);
	return true;
}

static bool is_trailer(uint8_t state)
{
	return state == HTTP_AT_TRAILER || state == HTTP_IN_TRAILER || state == HTTP_TRAILER_LF ||
	       state == HTTP_LAST_LF;
}

/* Carries out one step of the parser, which began in state `from`. *n: its octets, as they are
 * afterwards. False: the flow is over. */
static bool handle_step(struct gate_view *v, uint8_t from, struct http_step step, uint32_t at,
			uint32_t *n)
{
	struct gate *g = v->walk->g;
	struct http_flow *s = v->flow->state;

	*n = step.n;
	switch (step.event) {
	case HTTP_HEAD:
		if (!(v->direction == GATE_UP ? handle_request(v, at) : handle_response(v, at)))
			return false;
		*n = gate_http_of(g)->head.len;
		break;
	case HTTP_DATA:
		return http_body_data(v, at, step.n, n);
	case HTTP_FRAMING:
		return http_body_framing(v, at, step.n, is_trailer(from), n);
	case HTTP_END:
		if (!end_body(v->walk, v->flow, v->direction))
			return false;
		s->body[v->direction] = HTTP_BODY_FIXED;
		if (v->direction == GATE_DOWN && !s->parser[GATE_DOWN].interim)
			forget_answered(g, s);
		break;
	case HTTP_BAD:
		return refuse_data(v, drop_of[step.fault]);
	case HTTP_MORE:
	case HTTP_TUNNEL:
		break;
	}
	return true;
}

uint32_t gate_http_data(struct gate_view *v)
{
	struct gate *g = v->walk->g;
	struct http_flow *s = v->flow->state;
	struct http_parser *p = &s->parser[v->direction];
	struct http_step step;
	uint32_t at = 0, n;

	do {
		uint8_t from = p->state;

		p->answers = v->direction == GATE_DOWN ? asked_first(s) : HTTP_METHOD_OTHER;
		step = http_next(p, span_sub(span_of(v->octets, v->n), at, v->n), v->end,
				 &gate_http_of(g)->head);
		if (!handle_step(v, from, step, at, &n))
			return 0;
		at += n;
	} while (step.event != HTTP_MORE);
	return at;
}
