/* SPDX-License-Identifier: MPL-2.0 */
/*
 * HTTP/1 over a TCP connection (RFC 9112): both directions are read, and each answer is held against the request
 * that it is for. What is not HTTP, or could be read in two ways, ends the connection by name; under fail_open it
 * goes on unseen.
 */
#include "gate/dissect_http.h"

#include "gate/app.h"
#include "gate/http_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { STATUS_TIMEOUT = 408 };

/* --- Memory -------------------------------------------------------------------------------------------- */

int gate_http_new(struct gate *g, uint32_t max_flows)
{
	struct gate_http *h = calloc(1, sizeof(*h));
	int r = h ? 0 : -ENOMEM;

	g->apps[DISSECT_HTTP] = h;
	if (r == 0)
		r = slots_init(&h->flows, max_flows, sizeof(struct http_flow));
	if (r == 0)
		r = slots_init(&h->kept, max_flows < HTTP_MAX_KEPT ? max_flows : HTTP_MAX_KEPT, HTTP_KEPT_LEN);
	return r;
}

void gate_http_free(struct gate *g)
{
	struct gate_http *h = gate_http_of(g);

	if (h) {
		slots_fini(&h->flows);
		slots_fini(&h->kept);
	}
	free(h);
	g->apps[DISSECT_HTTP] = NULL;
}

void gate_http_begin(struct gate *g, struct flow *f)
{
	struct http_flow *s = slots_take(&gate_http_of(g)->flows);

	assert(s);
	s->first = s->n = 0;
	s->kept = NULL;
	s->script[GATE_UP] = s->script[GATE_DOWN] = NULL;
	http_init(&s->parser[GATE_UP], false, HTTP_GATE_FLAGS);
	http_init(&s->parser[GATE_DOWN], true, HTTP_GATE_FLAGS);
	f->state = s;
}

static void forget_kept(struct gate_http *h, struct http_flow *s)
{
	slots_give(&h->kept, s->kept);
	s->kept = NULL;
}

void **gate_http_script(const struct flow *f, enum gate_direction d)
{
	return &((struct http_flow *)f->state)->script[d];
}

/* Those who follow the body see its end. False: the flow is over, too. */
static bool body_over(struct gate *g, struct flow *f, enum gate_direction d)
{
	void **script = gate_http_script(f, d);

	if (*script)
		g->stream_ops->ended(*script);
	*script = NULL;
	if (g->pkt.stopped && g->pkt.flow == f)
		f->dropped = true;
	return !f->dropped;
}

void gate_http_end(struct gate *g, struct flow *f)
{
	struct http_flow *s = f->state;

	(void)body_over(g, f, GATE_UP);
	(void)body_over(g, f, GATE_DOWN);

	forget_kept(gate_http_of(g), s);
	slots_give(&gate_http_of(g)->flows, s);
	f->state = NULL;
}

/* A stream's packets have been seen to when they come by here. */
int receive_http(struct gate *g, struct gate_packet *p)
{
	(void)g;
	return gate_app_is(p, DISSECT_HTTP) ? GATE_ACCEPT : GATE_DROP;
}

/* --- Endings ------------------------------------------------------------------------------------------- */

static const enum gate_drop drop_of[HTTP_N_FAULTS] = {
#define H(symbol, sentence) [HTTP_FAULT_##symbol] = GATE_DROP_HTTP_##symbol,
#include "wire/http_fault.def"
#undef H
};

static void tunnel(struct http_flow *s)
{
	http_to_tunnel(&s->parser[GATE_UP]);
	http_to_tunnel(&s->parser[GATE_DOWN]);
}

/* True: it goes on all the same, unseen. */
static bool refuse(struct gate *g, struct gate_view *v, enum gate_drop why)
{
	if (gate_undecided(g, &g->pkt, why) == GATE_ACCEPT) {
		tunnel(v->flow->state);
		return true;
	}
	v->flow->dropped = true;
	return false;
}

/* --- Requests without an answer ------------------------------------------------------------------------ */

/* The listeners of response may want to see what is answered. */
static void keep(struct gate *g, struct http_flow *s, struct span head)
{
	struct gate_http *h = gate_http_of(g);

	if (s->n || head.n > HTTP_KEPT_LEN ||
	    !(g->listeners[EVENT_HTTP_response].n | g->listeners[EVENT_HTTP_response_data].n))
		return;
	s->kept = slots_take(&h->kept);
	if (!s->kept)
		return;
	memcpy(s->kept, head.p, head.n);
	s->kept_len = (uint16_t)head.n;
}

static uint8_t asked_first(const struct http_flow *s)
{
	return s->n ? s->asked[s->first] : HTTP_METHOD_OTHER;
}

static void answered(struct gate *g, struct http_flow *s)
{
	if (!s->n)
		return;
	s->first = (uint8_t)((s->first + 1) % HTTP_MAX_ASKED);
	s->n--;
	forget_kept(gate_http_of(g), s);
}

/* --- Events -------------------------------------------------------------------------------------------- */

static bool tell(struct gate *g, struct gate_view *v, enum gate_event e)
{
	bool ok = gate_raise(g, e, &g->pkt, v->flow) && !v->flow->dropped;

	if (!ok)
		v->flow->dropped = true;
	return ok;
}

/* The head at offset `at`. False: it goes no further. */
static bool tell_head(struct gate *g, struct gate_view *v, uint32_t at, enum gate_event e)
{
	struct gate_http *h = gate_http_of(g);
	bool ok;

	h->view = v;
	h->at = at;
	ok = tell(g, v, e);
	h->view = NULL;
	return ok;
}

static bool tell_data(struct gate *g, struct gate_view *v, uint32_t at, uint32_t n)
{
	enum gate_event e = v->direction == GATE_UP ? EVENT_HTTP_request_data : EVENT_HTTP_response_data;
	struct gate_view body = {
		.flow = v->flow,
		.direction = v->direction,
		.octets = v->octets + at,
		.n = n,
		.whole = v,
		.base = at,
		.fixed = true,
	};
	struct gate_view *before = g->view;
	bool ok;

	if (!g->listeners[e].n)
		return true;
	g->view = gate_http_of(g)->body = &body;
	ok = tell(g, v, e);
	g->view = before;
	gate_http_of(g)->body = NULL;
	return ok;
}

static bool request(struct gate *g, struct gate_view *v, uint32_t at)
{
	struct http_flow *s = v->flow->state;
	struct gate_http *h = gate_http_of(g);

	if (s->n == HTTP_MAX_ASKED)
		return refuse(g, v, GATE_DROP_HTTP_PIPELINE);
	if (!tell_head(g, v, at, EVENT_HTTP_request))
		return false;
	keep(g, s, span_of(v->octets + at, h->head.len));
	s->asked[(s->first + s->n++) % HTTP_MAX_ASKED] = h->head.method;
	return true;
}

static bool response(struct gate *g, struct gate_view *v, uint32_t at)
{
	struct http_flow *s = v->flow->state;
	const struct http_head *h = &gate_http_of(g)->head;

	/* RFC 9110 15.5.9: a server may say that it waited in vain */
	if (!s->n && h->status != STATUS_TIMEOUT)
		return refuse(g, v, GATE_DROP_HTTP_UNASKED);
	if (!tell_head(g, v, at, EVENT_HTTP_response))
		return false;
	if (s->parser[GATE_DOWN].state == HTTP_IN_TUNNEL)
		tunnel(s);
	else if (asked_first(s) == HTTP_METHOD_CONNECT && !s->parser[GATE_DOWN].interim)
		http_no_tunnel(&s->parser[GATE_UP]);
	return true;
}

/* One step is carried out; *n: octets that it is about, as they are afterwards. False: the flow is over. */
static bool carry(struct gate *g, struct gate_view *v, struct http_step step, uint32_t at, uint32_t *n)
{
	struct http_flow *s = v->flow->state;

	*n = step.n;
	switch (step.event) {
	case HTTP_HEAD:
		if (!(v->direction == GATE_UP ? request(g, v, at) : response(g, v, at)))
			return false;
		*n = gate_http_of(g)->head.len;
		break;
	case HTTP_DATA:
		return tell_data(g, v, at, step.n);
	case HTTP_END:
		if (!body_over(g, v->flow, v->direction))
			return false;
		if (v->direction == GATE_DOWN && !s->parser[GATE_DOWN].interim)
			answered(g, s);
		break;
	case HTTP_BAD:
		return refuse(g, v, drop_of[step.fault]);
	case HTTP_MORE:
	case HTTP_FRAMING:
	case HTTP_TUNNEL:
		break;
	}
	return true;
}

uint32_t gate_http_data(struct gate *g, struct gate_view *v)
{
	struct http_flow *s = v->flow->state;
	struct http_parser *p = &s->parser[v->direction];
	struct http_step step;
	uint32_t at = 0, n;

	do {
		p->answers = v->direction == GATE_DOWN ? asked_first(s) : HTTP_METHOD_OTHER;
		step = http_next(p, span_sub(span_of(v->octets, v->n), at, v->n), v->end, &gate_http_of(g)->head);
		if (!carry(g, v, step, at, &n))
			return 0;
		at += n;
	} while (step.event != HTTP_MORE);
	return at;
}
