/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DNS over UDP (RFC 1035). Each datagram is one whole message; a flow remembers the ids that were
 * asked, so that answers to nothing go no further. Either end may ask: servers talk to each other
 * from port to port.
 */
#include "gate/app/dissect_dns.h"

#include "gate/engine/app.h"
#include "gate/engine/slots.h"
#include "gate/engine/verdict.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum {
	MAX_ASKED = 32,
	EXT_RCODE_OFF = 5,
	RCODE_MASK = 15,
	KEPT_LEN = 512,
	MAX_KEPT = 16384,
	MAX_WRITE = 16
};

/* A question as forwarded, for listeners of its answer. */
struct dns_kept {
	struct dns_kept *next;
	uint16_t id, len;
	uint8_t who;
	uint8_t octets[KEPT_LEN];
};

/* Questions without an answer, by client; the oldest first. */
struct dns_flow {
	struct dns_kept *kept;
	uint8_t n[2];
	uint16_t asked[2][MAX_ASKED];
};

struct gate_dns {
	struct slots flows, kept;
	struct dns_msg msg;
	struct gate_packet *p; /* while an event is raised; NULL outside */
	uint32_t generation;
	const struct dns_kept *asked; /* during response; NULL: not kept */
	struct dns_msg query;	      /* `asked` decoded, once a rule reads it */
	bool query_read;
	struct dns_iter at; /* before the record that was read last, ... */
	uint16_t index;	    /* ... which is that of its section; at.msg NULL: none was */
};

static struct gate_dns *dns_of(const struct gate *g)
{
	return g->apps[DISSECT_DNS];
}

int gate_dns_init(struct gate *g, const struct gate_opts *o)
{
	uint32_t max_flows = o->flows.max_flows;
	struct gate_dns *d = calloc(1, sizeof(*d));

	g->apps[DISSECT_DNS] = d;
	if (!d || slots_init(&d->flows, max_flows, sizeof(struct dns_flow)) < 0)
		return -ENOMEM;
	return slots_init(&d->kept, max_flows < MAX_KEPT ? max_flows : MAX_KEPT,
			  sizeof(struct dns_kept));
}

void gate_dns_fini(struct gate *g)
{
	struct gate_dns *d = dns_of(g);

	if (d) {
		slots_fini(&d->flows);
		slots_fini(&d->kept);
	}
	free(d);
	g->apps[DISSECT_DNS] = NULL;
}

void gate_dns_begin(struct gate_walk *w, struct flow *f)
{
	struct dns_flow *s = slots_take(&dns_of(w->g)->flows);

	assert(s);
	memset(s->n, 0, sizeof(s->n));
	s->kept = NULL;
	f->state = s;
}

void gate_dns_end(struct gate_walk *w, struct flow *f)
{
	struct gate_dns *d = dns_of(w->g);
	struct dns_flow *s = f->state;

	while (s->kept) {
		struct dns_kept *k = s->kept;

		s->kept = k->next;
		slots_give(&d->kept, k);
	}
	slots_give(&d->flows, s);
	f->state = NULL;
}

/* --- Questions that wait ---------------------------------------------------------------------- */

static unsigned find_asked(const struct dns_flow *s, unsigned who, uint16_t id)
{
	unsigned i = 0;

	while (i < s->n[who] && s->asked[who][i] != id)
		i++;
	return i;
}

static struct dns_kept **find_kept(struct dns_flow *s, unsigned who, uint16_t id)
{
	struct dns_kept **k = &s->kept;

	while (*k && ((*k)->who != who || (*k)->id != id))
		k = &(*k)->next;
	return k;
}

static void forget_question(struct gate_dns *d, struct dns_flow *s, unsigned who, unsigned i)
{
	uint16_t *a = s->asked[who];
	struct dns_kept **at = find_kept(s, who, a[i]), *k = *at;

	if (k) {
		*at = k->next;
		slots_give(&d->kept, k);
	}
	s->n[who]--;
	memmove(a + i, a + i + 1, (s->n[who] - i) * sizeof(*a));
}

static void keep_question(struct gate_dns *d, struct dns_flow *s, unsigned who)
{
	struct span m = d->msg.octets;
	struct dns_kept *k = m.n <= KEPT_LEN ? slots_take(&d->kept) : NULL;

	if (!k)
		return;
	k->id = d->msg.id;
	k->who = (uint8_t)who;
	k->len = (uint16_t)m.n;
	memcpy(k->octets, m.p, m.n);
	k->next = s->kept;
	s->kept = k;
}

/* Remembers a question, also a repeated one: each of them may be answered once. */
static void remember_question(struct gate *g, struct dns_flow *s, unsigned who)
{
	struct gate_dns *d = dns_of(g);

	if (s->n[who] == MAX_ASKED)
		forget_question(d, s, who, 0);
	s->asked[who][s->n[who]++] = d->msg.id;
	if (g->listeners[EVENT_DNS_response].n)
		keep_question(d, s, who);
}

/* --- Messages --------------------------------------------------------------------------------- */

static int read_message(struct gate_dns *d, const struct gate_packet *p)
{
	struct rd r = gate_rd(p, p->p.app);

	d->at.msg = NULL;
	return dns_decode(rd_bytes(&r, p->p.app_len), &d->msg);
}

static bool raise_dns_event(struct gate_walk *w, enum gate_event e, const struct dns_kept *asked)
{
	struct gate_packet *p = w->p;
	struct gate_dns *d = dns_of(w->g);
	bool ok;

	d->p = p;
	d->asked = asked;
	d->query_read = false;
	ok = gate_raise(w, e, p->flow);
	/* written as payload, it may be another one now */
	if (ok && p->dirty & DIRTY_APP)
		(void)!read_message(d, p);
	d->p = NULL;
	d->asked = NULL;
	d->at.msg = NULL;
	d->generation++;
	return ok;
}

int receive_dns(struct gate_walk *w)
{
	struct gate_packet *p = w->p;
	unsigned who = p->direction, at;
	struct gate_dns *d = dns_of(w->g);
	struct dns_flow *s;

	if (!gate_app_is(p, DISSECT_DNS))
		return GATE_DROP;
	s = p->flow->state;
	if (read_message(d, p) < 0)
		return gate_undecided(w, GATE_DROP_DNS_MESSAGE);
	if (!(d->msg.flags & DNS_QR)) {
		if (!raise_dns_event(w, EVENT_DNS_query, NULL) && !p->given)
			return GATE_DROP;
		remember_question(w->g, s, who);
		return GATE_ACCEPT;
	}
	who = !who;
	at = find_asked(s, who, d->msg.id);
	if (at == s->n[who])
		return gate_undecided(w, GATE_DROP_DNS_UNASKED);
	if (!raise_dns_event(w, EVENT_DNS_response, *find_kept(s, who, d->msg.id)) && !p->given)
		return GATE_DROP;
	forget_question(d, s, who, at);
	return GATE_ACCEPT;
}

/* --- Calls of listeners ----------------------------------------------------------------------- */

const struct dns_msg *gate_dns_msg(const struct gate *g)
{
	struct gate_dns *d = dns_of(g);
	const struct gate_packet *p = d->p;

	if (!p)
		return NULL;
	/* it may have been written as payload, and moved */
	if (d->msg.octets.p == p->p.data + p->p.app && d->msg.octets.n == p->p.app_len)
		return &d->msg;
	return read_message(d, p) == 0 ? &d->msg : NULL;
}

const struct dns_msg *gate_dns_query(struct gate *g)
{
	struct gate_dns *d = dns_of(g);

	if (d->asked && !d->query_read)
		d->query_read = dns_decode(span_of(d->asked->octets, d->asked->len), &d->query) ==
				0;
	return d->asked && d->query_read ? &d->query : NULL;
}

const uint32_t *gate_dns_generation(const struct gate *g)
{
	return &dns_of(g)->generation;
}

bool gate_dns_record(struct gate *g, const struct dns_msg *m, enum dns_section s, uint16_t i,
		     struct dns_rr *ret, uint32_t *ret_steps)
{
	struct gate_dns *d = dns_of(g);
	struct dns_iter it = d->at;
	uint16_t n = d->index;

	*ret_steps = 0;
	if (it.msg != m || it.section != s || n > i) {
		it = dns_each(m, s);
		n = 0;
	}
	for (;; n++) {
		struct dns_iter before = it;

		++*ret_steps;
		if (!dns_next(&it, ret))
			return false;
		if (n < i)
			continue;
		d->at = before;
		d->index = n;
		return true;
	}
}

/* Writes octets of the message, in place; it is read anew. -EINVAL: it would be no message any
 * more. */
static int write_octets(struct gate *g, uint32_t off, const void *octets, size_t n)
{
	struct gate_dns *d = dns_of(g);
	struct gate_packet *p = d->p;
	struct span was = span_sub(gate_dns_msg(g) ? d->msg.octets : SPAN_NULL, off, n);
	uint8_t before[MAX_WRITE];
	int r = was.n == n && n <= sizeof(before) ? 0 : -EINVAL;

	if (r == 0) {
		memcpy(before, was.p, n);
		r = verdict_write(g, p, p->p.app + off, octets, n);
	}
	if (r < 0 || read_message(d, p) == 0)
		return r;
	(void)!verdict_write(g, p, p->p.app + off, before, n);
	(void)!read_message(d, p);
	return -EINVAL;
}

int gate_dns_set_id(struct gate *g, uint16_t id)
{
	uint8_t octets[2] = {(uint8_t)(id >> 8), (uint8_t)id};

	return write_octets(g, 0, octets, sizeof(octets));
}

int gate_dns_set_question(struct gate *g, const struct dns_rr *rr, uint16_t type, uint16_t cls)
{
	uint8_t octets[4] = {(uint8_t)(type >> 8), (uint8_t)type, (uint8_t)(cls >> 8),
			     (uint8_t)cls};

	return rr->section == DNS_QUESTION ? write_octets(g, rr->rdata - (uint32_t)sizeof(octets),
							  octets, sizeof(octets))
					   : -EINVAL;
}

int gate_dns_set_flags(struct gate *g, uint16_t flags)
{
	uint8_t octets[2] = {(uint8_t)(flags >> 8), (uint8_t)flags};

	if (dns_of(g)->p && (flags ^ dns_of(g)->msg.flags) & DNS_QR)
		return -EPERM;
	return write_octets(g, DNS_FLAGS_OFF, octets, sizeof(octets));
}

int gate_dns_set_rcode(struct gate *g, uint16_t rcode)
{
	const struct dns_msg *m = &dns_of(g)->msg;
	uint8_t upper = (uint8_t)(rcode >> 4);
	int r = 0;

	if (rcode > (m->opt ? 0xfff : RCODE_MASK))
		return -ERANGE;
	/* behind the root's name, type and class */
	if (m->opt)
		r = write_octets(g, m->opt + (uint32_t)EXT_RCODE_OFF, &upper, 1);
	return r < 0 ? r
		     : gate_dns_set_flags(g, (uint16_t)((m->flags & ~RCODE_MASK) |
							(rcode & RCODE_MASK)));
}

int gate_dns_set_ttl(struct gate *g, const struct dns_rr *rr, uint32_t ttl)
{
	uint8_t octets[4] = {(uint8_t)(ttl >> 24), (uint8_t)(ttl >> 16), (uint8_t)(ttl >> 8),
			     (uint8_t)ttl};

	return rr->ttl_at && rr->type != DNS_TYPE_OPT
		       ? write_octets(g, rr->ttl_at, octets, sizeof(octets))
		       : -EINVAL;
}

int gate_dns_set_ipv4(struct gate *g, const struct dns_rr *rr, uint32_t a)
{
	uint8_t octets[4] = {(uint8_t)(a >> 24), (uint8_t)(a >> 16), (uint8_t)(a >> 8), (uint8_t)a};

	return rr->form == DNS_FORM_IPV4 ? write_octets(g, rr->rdata, octets, sizeof(octets))
					 : -EINVAL;
}

int gate_dns_set_ipv6(struct gate *g, const struct dns_rr *rr, const uint8_t address[16])
{
	return rr->form == DNS_FORM_IPV6 ? write_octets(g, rr->rdata, address, 16) : -EINVAL;
}

/* Writes the whole message into the engine's buffer, with one record changed. Returns its length;
 * 0: it is too long. */
static size_t write_anew(struct gate *g, const struct dns_rr *changed, const struct dns_change *c)
{
	const struct dns_msg *m = &dns_of(g)->msg;
	struct dns_writer w;
	struct dns_rr rr;
	size_t len = 0;

	dns_write_begin(&w, g->octets, DNS_MSG_MAX, m->id, m->flags);
	w.compress = true;
	for (int s = 0; s < DNS_N_SECTIONS; s++) {
		struct dns_iter it = dns_each(m, (enum dns_section)s);

		while (dns_next(&it, &rr))
			dns_write_copy(&w, m, &rr, rr.owner == changed->owner ? c : NULL);
	}
	return dns_write_end(&w, &len) == 0 ? len : 0;
}

int gate_dns_change(struct gate *g, const struct dns_rr *rr, const struct dns_change *c)
{
	struct gate_dns *d = dns_of(g);
	struct gate_packet *p = d->p;
	size_t len = p ? write_anew(g, rr, c) : 0;
	int r;

	if (!len)
		return p ? -EMSGSIZE : -EINVAL;
	r = verdict_splice(g, p, p->p.app, p->p.app_len, span_of(g->octets, len));
	return r < 0 ? r : read_message(d, p);
}
