/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The life of an exchange: DISCOVER, OFFER, REQUEST, ACK (RFC 2131 3.1), or REQUEST and ACK of a
 * client that has a lease (RENEWING: ciaddr, no option 50 and 54; INIT-REBOOT: option 50 only; RFC
 * 2131 table 5), then perhaps a RELEASE. Nothing is sent twice: a lost message is counted where it
 * was lost.
 *
 * Behind a relay agent a renewal goes through it like a rebinding client's broadcast, because its
 * answer must come back to the agent's address, the only one the generator has.
 */
#include "tools/load_engine_impl.h"

#include "base/clock.h"
#include "base/ip.h"
#include "wire/dhcp4.h"

#include <stdio.h>

enum {
	BROADCAST = 0xffffffffU,
	LIVE_EVERY_NS = 5 * NS_PER_MS,
	LIVE_SLACK_S = 2,
	/* operations of clients of the mixed profile, in percent */
	MIXED_RELEASE = 10,
	MIXED_DORA = 10,
	MIXED_REBOOT = 10,
};

static uint16_t index_of(const struct load_engine *e, const struct load_slot *s)
{
	return (uint16_t)(s - e->slots);
}

/* --- waiting clients, oldest first ------------------------------------------------------------ */

static void unlink_slot(struct load_engine *e, struct load_slot *s)
{
	if (s->prev == LOAD_NIL)
		e->first = s->next;
	else
		e->slots[s->prev].next = s->next;
	if (s->next == LOAD_NIL)
		e->last = s->prev;
	else
		e->slots[s->next].prev = s->prev;
}

static void append_slot(struct load_engine *e, struct load_slot *s)
{
	uint16_t i = index_of(e, s);

	s->prev = e->last;
	s->next = LOAD_NIL;
	if (e->last == LOAD_NIL)
		e->first = i;
	else
		e->slots[e->last].next = i;
	e->last = i;
}

/* --- sending ---------------------------------------------------------------------------------- */

static uint32_t bind_of(const struct load_engine *e, uint32_t client)
{
	return e->o->n_bind ? (uint32_t)((e->o->first_client + client) % e->o->n_bind) : 0;
}

static uint32_t giaddr_of(const struct load_engine *e, uint32_t client)
{
	return e->o->direct ? 0 : e->o->bind[bind_of(e, client)];
}

static void send_message(struct load_engine *e, const struct load_ident *id, uint32_t client,
			 enum load_msg m, struct load_fields *f)
{
	bool unicast = e->o->direct && f->ciaddr;
	struct load_io_dest dest = {
		.bind = bind_of(e, client),
		.dport = e->o->direct ? DHCP4_SERVER_PORT : e->o->server_port,
		.src = f->ciaddr,
		.src_mac = id->mac,
		.dst = e->o->direct ? BROADCAST : e->o->server,
	};

	if (unicast)
		dest.dst = f->server_id;
	f->giaddr = giaddr_of(e, client);
	load_message(&e->templates, id, m, f, load_io_room(e->io, &dest));
	load_io_push(e->io, e->templates.len);
	e->counts->sent++;
}

static uint32_t xid_of(const struct load_engine *e, const struct load_slot *s)
{
	return (uint32_t)s->gen << 16 | index_of(e, s);
}

/* Sends the slot's message and waits for the answer to it. */
static void send_step(struct load_engine *e, struct load_slot *s, enum load_step step)
{
	static const enum load_msg msgs[LOAD_N_STEPS] = {
		[LOAD_STEP_DISCOVER] = LOAD_MSG_DISCOVER,
		[LOAD_STEP_REQUEST] = LOAD_MSG_REQUEST,
		[LOAD_STEP_RENEW] = LOAD_MSG_RENEW,
		[LOAD_STEP_REBOOT] = LOAD_MSG_REBOOT,
	};
	struct load_fields f = {
		.xid = xid_of(e, s),
		.ciaddr = step == LOAD_STEP_RENEW ? s->addr : 0,
		.requested = s->addr,
		.server_id = s->server_id,
	};

	s->step = (uint8_t)step;
	s->sent_ns = e->now_ns;
	append_slot(e, s);
	send_message(e, &s->id, s->client, msgs[step], &f);
}

static void forget_lease(struct load_engine *e, uint32_t client, uint32_t addr)
{
	load_owners_release(&e->owners, addr);
	load_clients_bind(&e->clients, client, 0, 0);
}

/* Sends a RELEASE. The lease counts as free from now on, because the server may give it to the
 * next client before any answer reaches us. */
static void send_release(struct load_engine *e, struct load_slot *s)
{
	struct load_fields f = {.xid = xid_of(e, s), .ciaddr = s->addr, .server_id = s->server_id};

	forget_lease(e, s->client, s->addr);
	send_message(e, &s->id, s->client, LOAD_MSG_RELEASE, &f);
	e->counts->releases++;
}

/* --- beginning -------------------------------------------------------------------------------- */

/* Arms the check of the lease file while it is written: one client at a time, from its last
 * message on, checked when its ACK comes. */
static void live_arm(struct load_engine *e, const struct load_slot *s)
{
	if (!e->o->live || e->live_armed || e->now_ns < e->live_next_ns)
		return;
	e->live_armed = true;
	e->live_slot = index_of(e, s);
	e->live_wall_s = clock_wall_s(&clock_system);
}

static enum load_step choose(struct load_engine *e, struct load_slot *s,
			     const struct load_client *c)
{
	uint32_t dice;

	s->release = e->o->profile == LOAD_RELEASE;
	if (e->binding || !c || !c->addr || e->o->profile == LOAD_DORA || s->release)
		return LOAD_STEP_DISCOVER;
	if (e->o->profile == LOAD_RENEW)
		return LOAD_STEP_RENEW;
	dice = rng_below(&e->rng, 100);
	s->release = rng_below(&e->rng, 100) < MIXED_RELEASE;
	if (dice < MIXED_DORA)
		return LOAD_STEP_DISCOVER;
	return dice < MIXED_DORA + MIXED_REBOOT ? LOAD_STEP_REBOOT : LOAD_STEP_RENEW;
}

bool load_exchange_start(struct load_engine *e)
{
	const struct load_client *c;
	struct load_slot *s;
	uint32_t client;
	enum load_step step;

	if (!e->n_free || !load_clients_take(&e->clients, &client))
		return false;
	s = &e->slots[e->free_slots[--e->n_free]];
	c = e->clients.c ? &e->clients.c[client] : NULL;
	s->client = client;
	s->gen++;
	s->begin_ns = e->now_ns;
	load_ident_init(&e->templates, e->o->first_client + client, false, &s->id);
	step = choose(e, s, c);
	s->addr = c && step != LOAD_STEP_DISCOVER ? c->addr : 0;
	s->server_id = c && step == LOAD_STEP_RENEW ? c->server_id : 0;
	e->counts->started++;
	if (step != LOAD_STEP_DISCOVER)
		live_arm(e, s);
	send_step(e, s, step);
	return true;
}

void load_exchange_stranger(struct load_engine *e)
{
	struct load_fields f = {.xid = (uint32_t)rng_u64(&e->rng) | LOAD_STRANGER_SLOT};
	struct load_ident id;

	load_ident_init(&e->templates, e->stranger, true, &id);
	send_message(e, &id, (uint32_t)e->stranger++, LOAD_MSG_DISCOVER, &f);
	e->counts->sent--;
	e->counts->strangers_sent++;
}

/* --- ending ----------------------------------------------------------------------------------- */

/* Forgets a client's address: a lost ACK may have moved the client to another one, so the server
 * may give this one away. */
static void forget_moved(struct load_engine *e, const struct load_slot *s)
{
	uint32_t had = e->clients.c ? e->clients.c[s->client].addr : 0;

	if (s->step == LOAD_STEP_REQUEST && had && had != s->addr)
		forget_lease(e, s->client, had);
}

static void end_exchange(struct load_engine *e, struct load_slot *s, bool retry)
{
	s->step = LOAD_STEP_FREE;
	e->free_slots[e->n_free++] = index_of(e, s);
	load_clients_give(&e->clients, s->client, retry);
	if (e->live_armed && e->live_slot == index_of(e, s))
		e->live_armed = false;
}

static void complete(struct load_engine *e, struct load_slot *s)
{
	if (e->draining) {
		e->counts->drained++;
	} else {
		e->counts->exchanges++;
		e->last_done_ns = e->now_ns;
	}
	e->counts->by_step[s->step]++;
	if (e->measuring) {
		hist_record(&e->result.latency, (uint64_t)(e->now_ns - s->begin_ns));
		hist_record(&e->result.ack, (uint64_t)(e->now_ns - s->sent_ns));
		if (!e->draining)
			load_series_add(&e->result.series, e->now_ns, 1, 0);
	}
	if (s->release && !e->binding)
		send_release(e, s);
	end_exchange(e, s, false);
}

void load_exchange_expire(struct load_engine *e)
{
	while (e->first != LOAD_NIL) {
		struct load_slot *s = &e->slots[e->first];

		if (s->sent_ns + e->o->timeout_ns > e->now_ns)
			return;
		unlink_slot(e, s);
		e->counts->drops[s->step]++;
		if (e->measuring)
			load_series_add(&e->result.series, e->now_ns, 0, 1);
		forget_moved(e, s);
		end_exchange(e, s, e->binding);
	}
}

/* --- leases ----------------------------------------------------------------------------------- */

/* Returns whether an address in use counts as a duplicate. After the shortest lease's time an
 * address may be given again. */
static bool duplicates_count(const struct load_engine *e)
{
	return e->now_ns - e->first_ack_ns < (int64_t)e->result.shortest_lease * NS_PER_S;
}

static void take_lease(struct load_engine *e, struct load_slot *s, const struct load_answer *a)
{
	const struct load_client *c = e->clients.c ? &e->clients.c[s->client] : NULL;

	if (!e->first_ack_ns)
		e->first_ack_ns = e->now_ns;
	if (!e->result.shortest_lease || a->lease_time < e->result.shortest_lease)
		e->result.shortest_lease = a->lease_time;
	if (c && c->addr && c->addr != a->yiaddr)
		forget_lease(e, s->client, c->addr);
	if (!load_owners_claim(&e->owners, a->yiaddr, s->client)) {
		if (duplicates_count(e)) {
			load_engine_error(e, LOAD_E_DUPLICATE, s, a);
		} else {
			e->result.reused++;
			load_owners_release(&e->owners, a->yiaddr);
			(void)load_owners_claim(&e->owners, a->yiaddr, s->client);
		}
	}
	load_clients_bind(&e->clients, s->client, a->yiaddr, a->server_id);
}

static void live_check(struct load_engine *e, const struct load_slot *s,
		       const struct load_answer *a)
{
	int64_t expire = e->live_wall_s + a->lease_time - LIVE_SLACK_S;

	if (!e->live_armed || e->live_slot != index_of(e, s))
		return;
	if (a->lease_time == UINT32_MAX)
		expire = UINT32_MAX;
	e->result.live_checked++;
	if (load_live_check(&e->live, a->yiaddr, s->client, expire) <= 0)
		load_engine_error(e, LOAD_E_ROW_LATE, s, a);
	e->live_armed = false;
	e->live_next_ns = e->now_ns + LIVE_EVERY_NS;
}

/* --- answers ---------------------------------------------------------------------------------- */

static void take_offer(struct load_engine *e, struct load_slot *s, const struct load_answer *a)
{
	unlink_slot(e, s);
	if (e->measuring)
		hist_record(&e->result.offer, (uint64_t)(e->now_ns - s->begin_ns));
	s->addr = a->yiaddr;
	s->server_id = a->server_id;
	live_arm(e, s);
	send_step(e, s, LOAD_STEP_REQUEST);
}

static void take_ack(struct load_engine *e, struct load_slot *s, const struct load_answer *a)
{
	unlink_slot(e, s);
	live_check(e, s, a);
	s->server_id = a->server_id;
	take_lease(e, s, a);
	complete(e, s);
}

/* Takes a NAK, which ends the exchange: the client has no lease. */
static void take_nak(struct load_engine *e, struct load_slot *s)
{
	unlink_slot(e, s);
	if (e->clients.c && e->clients.c[s->client].addr)
		forget_lease(e, s->client, e->clients.c[s->client].addr);
	e->counts->failed++;
	end_exchange(e, s, e->binding);
}

static enum load_error check(struct load_engine *e, const struct load_slot *s,
			     const struct load_answer *a)
{
	uint8_t id[LOAD_SENT_MAX];
	uint8_t agent[LOAD_SENT_MAX];
	bool offer = s->step == LOAD_STEP_DISCOVER;
	struct load_expect x = {
		.mac = s->id.mac,
		.type = offer ? DHCP4_OFFER : DHCP4_ACK,
		.giaddr = giaddr_of(e, s->client),
		.server_id = s->step == LOAD_STEP_REQUEST ? s->server_id : 0,
		.addr = s->addr,
		.client_id = load_sent_client_id(&e->templates, &s->id, id),
		.agent = load_sent_agent(&e->templates, &s->id, agent),
	};

	return load_answer_check(a, &x);
}

/* Returns the slot that waits for the answer; NULL: none does, and the answer is counted by its
 * kind. */
static struct load_slot *slot_of(struct load_engine *e, const struct load_answer *a)
{
	uint16_t i = (uint16_t)a->xid;
	struct load_slot *s = &e->slots[i];
	uint16_t age;

	if (i == LOAD_STRANGER_SLOT) {
		e->counts->strangers_answered++;
		return NULL;
	}
	if (i >= e->o->window) {
		load_engine_error(e, LOAD_E_XID, NULL, a);
		return NULL;
	}
	age = (uint16_t)(s->gen - (a->xid >> 16));
	if (age == 0 && s->step != LOAD_STEP_FREE)
		return s;
	if (age <= LOAD_LATE_MAX)
		e->counts->late++;
	else
		load_engine_error(e, LOAD_E_XID, s, a);
	return NULL;
}

void load_exchange_answer(void *ctx, struct span msg, int64_t now_ns)
{
	struct load_engine *e = ctx;
	struct load_answer a;
	struct load_slot *s;
	enum load_error err = load_answer_parse(msg, &e->arena, &a);

	e->now_ns = now_ns;
	e->counts->received++;
	e->result.answers++;
	if (err != LOAD_E_NONE) {
		load_engine_error(e, err, NULL, &a);
		return;
	}
	s = slot_of(e, &a);
	if (!s)
		return;
	/* an OFFER of another server, or a repeated one */
	if (s->step == LOAD_STEP_REQUEST && a.type == DHCP4_OFFER) {
		e->counts->late++;
		return;
	}
	err = check(e, s, &a);
	if (err != LOAD_E_NONE) {
		load_engine_error(e, err, s, &a);
		if (err == LOAD_E_NAK)
			take_nak(e, s);
		return;
	}
	if (s->step == LOAD_STEP_DISCOVER)
		take_offer(e, s, &a);
	else
		take_ack(e, s, &a);
}

void load_engine_error(struct load_engine *e, enum load_error err, const struct load_slot *s,
		       const struct load_answer *a)
{
	struct load_result *r = &e->result;
	char addr[IP_TEXT_LEN];
	char sid[IP_TEXT_LEN];
	size_t n;

	r->errors[err]++;
	r->n_errors++;
	if (r->n_samples == LOAD_SAMPLES)
		return;
	n = (size_t)snprintf(r->sample[r->n_samples], LOAD_SAMPLE_LEN,
			     "%s: %s:", load_error_name(err), load_error_sentence(err));
	if (s && n < LOAD_SAMPLE_LEN)
		n += (size_t)snprintf(r->sample[r->n_samples] + n, LOAD_SAMPLE_LEN - n,
				      " client %llu at %s,",
				      (unsigned long long)(e->o->first_client + s->client),
				      load_step_name((enum load_step)s->step));
	if (n < LOAD_SAMPLE_LEN)
		(void)snprintf(r->sample[r->n_samples] + n, LOAD_SAMPLE_LEN - n,
			       " xid %08x type %u yiaddr %s server %s", a->xid, a->type,
			       ip_text(a->yiaddr, addr), ip_text(a->server_id, sid));
	r->n_samples++;
}
