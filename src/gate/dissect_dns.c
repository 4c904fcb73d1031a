/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DNS over UDP (RFC 1035). Each datagram is one whole message; a flow remembers the ids that were asked, so that
 * answers to nothing go no further. Either end may ask: servers talk to each other from port to port.
 */
#include "gate/dissect_dns.h"

#include "gate/app.h"
#include "gate/slots.h"
#include "gate/verdict.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { MAX_ASKED = 32, EXT_RCODE_OFF = 5, RCODE_MASK = 15 };

/* Questions without an answer, by who asks; the oldest first. */
struct dns_flow {
	uint8_t n[2];
	uint16_t asked[2][MAX_ASKED];
};

struct gate_dns {
	struct slots flows;
	struct dns_msg msg;
	bool shown;	/* an event is being told */
};

static struct gate_dns *self(const struct gate *g)
{
	return g->apps[DISSECT_DNS];
}

int gate_dns_new(struct gate *g, uint32_t max_flows)
{
	struct gate_dns *d = calloc(1, sizeof(*d));

	g->apps[DISSECT_DNS] = d;
	return d ? slots_init(&d->flows, max_flows, sizeof(struct dns_flow)) : -ENOMEM;
}

void gate_dns_free(struct gate *g)
{
	struct gate_dns *d = self(g);

	if (d)
		slots_fini(&d->flows);
	free(d);
	g->apps[DISSECT_DNS] = NULL;
}

void gate_dns_begin(struct gate *g, struct flow *f)
{
	struct dns_flow *s = slots_take(&self(g)->flows);

	assert(s);
	memset(s->n, 0, sizeof(s->n));
	f->state = s;
}

void gate_dns_end(struct gate *g, struct flow *f)
{
	slots_give(&self(g)->flows, f->state);
	f->state = NULL;
}

/* --- Questions that wait ------------------------------------------------------------------------------- */

static unsigned find(const struct dns_flow *s, unsigned who, uint16_t id)
{
	unsigned i = 0;

	while (i < s->n[who] && s->asked[who][i] != id)
		i++;
	return i;
}

static void forget(struct dns_flow *s, unsigned who, unsigned i)
{
	uint16_t *a = s->asked[who];

	s->n[who]--;
	memmove(a + i, a + i + 1, (s->n[who] - i) * sizeof(*a));
}

/* Asked once more, it may be answered once more. */
static void remember(struct dns_flow *s, unsigned who, uint16_t id)
{
	if (s->n[who] == MAX_ASKED)
		forget(s, who, 0);
	s->asked[who][s->n[who]++] = id;
}

/* --- Messages ------------------------------------------------------------------------------------------ */

static int read_message(const struct gate *g, struct dns_msg *ret)
{
	struct rd r = gate_rd(&g->pkt, g->pkt.p.app);

	return dns_decode(rd_bytes(&r, g->pkt.p.app_len), ret);
}

int receive_dns(struct gate *g, struct gate_packet *p)
{
	unsigned who = p->direction, at = 0;
	struct gate_dns *d = self(g);
	struct dns_flow *s;
	bool answer, ok;

	if (!gate_app_is(p, DISSECT_DNS))
		return GATE_DROP;
	s = p->flow->state;
	if (read_message(g, &d->msg) < 0)
		return gate_undecided(g, p, GATE_DROP_DNS_MESSAGE);
	answer = d->msg.flags & DNS_QR;
	if (answer) {
		who = !who;
		at = find(s, who, d->msg.id);
		if (at == s->n[who])
			return gate_undecided(g, p, GATE_DROP_DNS_UNASKED);
	}
	d->shown = true;
	ok = gate_raise(g, answer ? EVENT_DNS_response : EVENT_DNS_query, p, p->flow);
	d->shown = false;
	if (!ok)
		return GATE_DROP;
	if (answer)
		forget(s, who, at);
	else
		remember(s, who, d->msg.id);
	return GATE_ACCEPT;
}

/* --- What listeners may do ----------------------------------------------------------------------------- */

const struct dns_msg *gate_dns_msg(const struct gate *g)
{
	return self(g)->shown ? &self(g)->msg : NULL;
}

/* Octets of the message, in place; it is read anew. */
static int put(struct gate *g, uint32_t off, const void *octets, size_t n)
{
	struct gate_dns *d = self(g);
	int r = d->shown ? verdict_write(g, &g->pkt, g->pkt.p.app + off, octets, n) : -EINVAL;

	return r < 0 ? r : read_message(g, &d->msg);
}

int gate_dns_set_flags(struct gate *g, uint16_t flags)
{
	uint8_t octets[2] = {(uint8_t)(flags >> 8), (uint8_t)flags};

	if (self(g)->shown && (flags ^ self(g)->msg.flags) & DNS_QR)
		return -EPERM;
	return put(g, DNS_FLAGS_OFF, octets, sizeof(octets));
}

int gate_dns_set_rcode(struct gate *g, uint16_t rcode)
{
	const struct dns_msg *m = &self(g)->msg;
	uint8_t upper = (uint8_t)(rcode >> 4);
	int r = 0;

	if (rcode > (m->opt ? 0xfff : RCODE_MASK))
		return -ERANGE;
	/* behind the root's name, type and class */
	if (m->opt)
		r = put(g, m->opt + (uint32_t)EXT_RCODE_OFF, &upper, 1);
	return r < 0 ? r : gate_dns_set_flags(g, (uint16_t)((m->flags & ~RCODE_MASK) | (rcode & RCODE_MASK)));
}

int gate_dns_set_ttl(struct gate *g, const struct dns_rr *rr, uint32_t ttl)
{
	uint8_t octets[4] = {(uint8_t)(ttl >> 24), (uint8_t)(ttl >> 16), (uint8_t)(ttl >> 8), (uint8_t)ttl};

	return rr->ttl_at && rr->type != DNS_TYPE_OPT ? put(g, rr->ttl_at, octets, sizeof(octets)) : -EINVAL;
}

int gate_dns_set_ipv4(struct gate *g, const struct dns_rr *rr, uint32_t a)
{
	uint8_t octets[4] = {(uint8_t)(a >> 24), (uint8_t)(a >> 16), (uint8_t)(a >> 8), (uint8_t)a};

	return rr->form == DNS_FORM_IPV4 ? put(g, rr->rdata, octets, sizeof(octets)) : -EINVAL;
}

int gate_dns_set_ipv6(struct gate *g, const struct dns_rr *rr, const uint8_t address[16])
{
	return rr->form == DNS_FORM_IPV6 ? put(g, rr->rdata, address, 16) : -EINVAL;
}

/* All of the message, into the engine's buffer, with one record changed: its length; 0: too long. */
static size_t write_anew(struct gate *g, const struct dns_rr *changed, const struct dns_change *c)
{
	const struct dns_msg *m = &self(g)->msg;
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
	struct gate_packet *p = &g->pkt;
	size_t len = self(g)->shown ? write_anew(g, rr, c) : 0;
	int r;

	if (!len)
		return self(g)->shown ? -EMSGSIZE : -EINVAL;
	r = verdict_splice(g, p, p->p.app, p->p.app_len, span_of(g->octets, len));
	return r < 0 ? r : read_message(g, &self(g)->msg);
}
