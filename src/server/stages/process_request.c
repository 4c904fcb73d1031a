/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DHCPREQUEST (RFC 2131 4.3.2) in its four states, as one decision: find the address asked for,
 *decide ACK, NAK or silence, change the lease. The NAK-or-silence matrix:
 *
 *			   no subnet	unknown client	wrong address	outside all pools  in use
 *	SELECTING	   NAK		(served)	NAK		NAK		   NAK
 *	INIT-REBOOT	   auth		auth		NAK		auth		   NAK
 *	RENEWING	   NAK		(served)	NAK		auth		   NAK
 *	REBINDING	   silence (1)	(served)	NAK		auth		   NAK
 *
 * auth: NAK where we are authoritative, else silence. Silence means another server may know better.
 * (1) NAK to a relay, which asked this server. A reservation is no record of a client.
 */
#include "base/error.h"
#include "base/ip.h"
#include "base/log.h"
#include "config/config.h"
#include "lease/lease_limit.h"
#include "lease/lease_store.h"
#include "server/stages/agent_info.h"
#include "server/stages/alloc.h"
#include "server/core/exchange_hook.h"
#include "server/core/name_change.h"
#include "server/core/snapshot.h"
#include "server/stages/response.h"
#include "server/stages/reuse.h"
#include "server/core/server.h"
#include "server/stages/stages.h"
#include "server/stages/v6_only.h"
#include "server/core/trace.h"
#include "wire/option_codes.h"

struct request {
	enum request_state state;
	uint32_t addr;		   /* asked for */
	const struct candidate *c; /* the candidate that allows it; NULL: none */
	const struct config_pool *pool;
	struct lease *own; /* the client's records, best first */
	size_t n_own;
};

/* Reads address and state of a REQUEST (RFC 2131 table 4). One that names neither server nor
 * address is in no state. Returns false then. */
static bool request_parse(const struct exchange *x, struct request *q)
{
	bool has_addr = dhcp4_opt_u32(&x->query, DHCP4_OPT_REQUESTED_ADDRESS, &q->addr) && q->addr;

	/* a BOOTP client names no server, and takes the address that it is given */
	if (x->server_id_seen || exchange_has_builtin(x, CLASS_BOOTP))
		q->state = REQUEST_SELECTING;
	else if (has_addr)
		q->state = REQUEST_INIT_REBOOT;
	else if (x->pkt.flags & PACKET_BROADCAST || x->query.giaddr)
		q->state = REQUEST_REBINDING;
	else
		q->state = REQUEST_RENEWING;
	if (!has_addr)
		q->addr = x->query.ciaddr;
	return q->addr || q->state == REQUEST_SELECTING;
}

/* Sends a NAK with the reason and the log message id, or drops the packet where the server is not
 * authoritative. */
static enum verdict nak_if(struct exchange *x, bool authoritative, enum drop silent, enum log_id id,
			   const char *reason)
{
	return authoritative ? response_nak(x, id, reason) : exchange_drop(x, silent);
}

static bool is_authoritative(const struct exchange *x)
{
	return x->subnet ? x->subnet->params.authoritative : x->cfg->params.authoritative;
}

static enum verdict without_subnet(struct exchange *x, const struct request *q)
{
	switch (q->state) {
	case REQUEST_REBINDING:
		if (x->pkt.flags & PACKET_BROADCAST)
			return exchange_drop(x, DROP_NO_SUBNET);
		break;
	case REQUEST_INIT_REBOOT:
		return nak_if(x, is_authoritative(x), DROP_NO_SUBNET, LOG_DHCP4_PACKET_NAK_0001,
			      "client is on none of the configured networks");
	case REQUEST_SELECTING:
	case REQUEST_RENEWING:
		break;
	}
	return response_nak(x, LOG_DHCP4_PACKET_NAK_0001,
			    "client is on none of the configured networks");
}

/* Finds the candidate that allows the address, also by a reservation alone. */
static void request_place(struct exchange *x, struct request *q)
{
	for (uint32_t i = 0; i < x->n_candidates && !q->c; i++)
		if (alloc_allowed(x, &x->candidates[i], q->addr, &q->pool))
			q->c = &x->candidates[i];
}

/* Chooses an address as for a DISCOVER, in SELECTING, for a client that names none: its reserved
 * one, its own, or another. */
static bool request_choose(struct exchange *x, struct request *q)
{
	struct lease *l = alloc_any(x);

	if (!l)
		return false;
	q->addr = l->addr;
	request_place(x, q);
	return q->c != NULL;
}

/* Returns whether no other client has a lease of the address. */
static bool is_free(struct exchange *x, const struct candidate *c, uint32_t addr)
{
	struct lease_client who = exchange_client(x, c->subnet);
	struct lease l;

	if (lease_db_get(exchange_server(x)->db, addr, NULL, &l, NULL) < 0)
		return true;
	return lease_is_of(&l, &who) || l.state == LEASE_RECLAIMED || l.state == LEASE_RELEASED ||
	       (l.state == LEASE_ASSIGNED && alloc_expired(x, &l));
}

/* Returns whether the client has a reservation for another address that it could have. */
static bool reserved_elsewhere(struct exchange *x, const struct request *q)
{
	const struct candidate *c = alloc_reserved(x);

	return c && c->host->addr != q->addr && is_free(x, c, c->host->addr);
}

/* Returns whether an address outside of all pools, which is not reserved for this client, is
 * another client's. */
static bool is_anothers(struct exchange *x, uint32_t addr)
{
	for (uint32_t i = 0; i < x->n_candidates; i++) {
		const struct config_subnet *s = x->candidates[i].subnet;

		if (s->params.reservations_in_subnet && config_host_by_addr(x->cfg, s->id, addr))
			return true;
	}
	return !is_free(x, &x->candidates[0], addr);
}

/* Decides INIT-REBOOT by the leases of the client. */
static enum verdict check_init_reboot(struct exchange *x, const struct request *q)
{
	const struct lease *held = q->n_own && q->own[0].state != LEASE_OFFERED ? &q->own[0] : NULL;

	if (!held)
		return nak_if(x, is_authoritative(x), DROP_UNKNOWN_CLIENT,
			      LOG_DHCP4_NO_LEASE_INIT_REBOOT, "no lease of this client is known");
	for (size_t i = 0; i < q->n_own; i++)
		if (q->own[i].addr == q->addr)
			return VERDICT_CONTINUE;
	return response_nak(x, LOG_DHCP4_PACKET_NAK_0002, "client has another address");
}

/* Decides all that needs no change of the table. CONTINUE without a response: the lease is to be
 * assigned. */
static enum verdict request_check(struct exchange *x, struct request *q)
{
	enum verdict v;

	if (q->state == REQUEST_INIT_REBOOT) {
		v = check_init_reboot(x, q);
		if (v != VERDICT_CONTINUE || x->has_response)
			return v;
	}
	if (reserved_elsewhere(x, q))
		return response_nak(x, LOG_DHCP4_PACKET_NAK_0004,
				    "another address is reserved for the client");
	if (q->c)
		return VERDICT_CONTINUE;
	if (alloc_in_any_pool(x, q->addr) || is_anothers(x, q->addr))
		return response_nak(x, LOG_DHCP4_PACKET_NAK_0004, "address is not for this client");
	return nak_if(x, q->state == REQUEST_SELECTING || is_authoritative(x), DROP_UNKNOWN_ADDRESS,
		      LOG_DHCP4_UNKNOWN_ADDRESS_REQUESTED,
		      "address is not on the client's network");
}

/* Ends the client's leases at other addresses of the network. */
static void drop_others(struct exchange *x, const struct request *q)
{
	struct server *srv = exchange_server(x);

	for (size_t i = 0; i < q->n_own; i++) {
		struct lease_change gone;

		if (q->own[i].addr == q->addr)
			continue;
		if (q->own[i].state == LEASE_OFFERED) {
			struct lease_client who = exchange_client(x, x->subnet);

			lease_db_unhold(srv->db, q->own[i].addr, &who);
			continue;
		}
		if (q->own[i].state != LEASE_ASSIGNED ||
		    lease_db_del(srv->db, q->own[i].addr, lease_expect_row(&q->own[i]), &gone) < 0)
			continue;
		if (gone.seq > x->wait_seq)
			x->wait_seq = gone.seq;
		name_change_ended(x, &gone.old);
		if (!x->deleted)
			x->deleted = arena_memdup(&x->pkt.arena, &q->own[i], sizeof(q->own[i]));
	}
}

static enum verdict grant_lease(struct exchange *x, struct lease *l, uint32_t lifetime)
{
	x->lease = l;
	x->lifetime = lifetime;
	if (response_start(x, DHCP4_ACK) < 0)
		return exchange_drop(x, DROP_PROCESSING_FAILED);
	x->response.ciaddr = x->query.ciaddr;
	x->response.yiaddr = l->addr;
	return VERDICT_CONTINUE;
}

/* Returns whether the record is still the one that was read; callouts take time. */
static bool is_unchanged(const struct exchange *x, const struct lease *read)
{
	struct lease l uninit;

	return lease_db_get(exchange_server(x)->db, read->addr, NULL, &l, NULL) == 0 &&
	       l.state == read->state && l.row == read->row;
}

/* Calls lease4_renew for a lease that stays as it is: with a copy, because changes would be lost.
 * Returns false if the lease ended meanwhile. */
static bool reuse_hook(struct exchange *x, const struct lease *l, const struct lease *old)
{
	struct lease *copy;

	if (!hook_any(x->snap->hooks, HOOK_LEASE4_RENEW))
		return true;
	copy = arena_memdup(&x->pkt.arena, l, sizeof(*l));
	if (copy)
		(void)exchange_hook(x, HOOK_LEASE4_RENEW, copy, NULL);
	return is_unchanged(x, old) && !alloc_expired(x, old);
}

/* Answers a renewal that changes nothing. It still waits for the row it repeats, if that is not
 * on disk yet. */
static enum verdict request_reuse(struct exchange *x, struct lease *l, const struct lease *old,
				  uint32_t left)
{
	if (!reuse_hook(x, l, old))
		return response_nak(x, LOG_DHCP4_PACKET_NAK_0004, "the lease ended meanwhile");
	reuse_count(x, l, left);
	if (old->row > x->wait_seq)
		x->wait_seq = old->row;
	return grant_lease(x, l, left);
}

/* Calls lease4_select for a new lease, lease4_renew for one that is extended. Returns false on
 * SKIP. */
static bool request_hook(struct exchange *x, struct lease *l, bool renewal)
{
	return exchange_hook(x, renewal ? HOOK_LEASE4_RENEW : HOOK_LEASE4_SELECT, l, NULL) !=
	       USHER_SKIP;
}

/* Returns the client's record at the address, also one of a subnet that the client is not in
 * now. */
static const struct lease *own_at(struct exchange *x, const struct request *q,
				  const struct lease_client *who)
{
	struct lease *l;

	for (size_t i = 0; i < q->n_own; i++)
		if (q->own[i].addr == q->addr)
			return &q->own[i];
	l = arena_alloc(&x->pkt.arena, sizeof(*l));
	if (!l || lease_db_get(exchange_server(x)->db, q->addr, NULL, l, NULL) < 0 ||
	    !lease_is_of(l, who))
		return NULL;
	return l;
}

/* Answers when a callout set SKIP: a renewal leaves the lease unchanged, and the answer has its
 * values. old: NULL, if it was no renewal. */
static enum verdict request_skipped(struct exchange *x, struct lease *l, const struct lease *old)
{
	int64_t now = clock_wall_s(&exchange_server(x)->clock);

	if (!old)
		return response_nak(x, LOG_DHCP4_PACKET_NAK_0004, "a callout refused the lease");
	if (!is_unchanged(x, old) || alloc_expired(x, old))
		return response_nak(x, LOG_DHCP4_PACKET_NAK_0004, "the lease ended meanwhile");
	*l = *old;
	x->wait_seq = old->row;
	return grant_lease(x, l,
			   old->valid_lft == LEASE_INFINITE ? LEASE_INFINITE
							    : (uint32_t)(lease_expire(old) - now));
}

/* Adds to the trace how the lease was granted: extended or new, in a record that existed or not. */
static void trace_assigned(struct exchange *x, bool renewal, bool had_record)
{
	trace_note(x,
		   renewal ? LOG_ALLOC_ENGINE_V4_REQUEST_EXTEND_LEASE
			   : LOG_ALLOC_ENGINE_V4_REQUEST_ALLOC_REQUESTED,
		   renewal ? "the lease is extended" : "the lease is new");
	trace_note(x, had_record ? LOG_DHCPSRV_MEMFILE_UPDATE_ADDR4 : LOG_DHCPSRV_MEMFILE_ADD_ADDR4,
		   "row %llu is written", (unsigned long long)x->wait_seq);
}

static enum verdict request_assign(struct exchange *x, struct request *q)
{
	struct server *srv = exchange_server(x);
	struct lease *l = alloc_lease(x, q->c, q->pool, q->addr);
	struct lease_client who = exchange_client(x, q->c->subnet);
	struct lease_change change = {0};
	char ip[IP_TEXT_LEN];
	const struct lease *old;
	uint32_t left;
	bool same_info;
	int r;

	if (!l)
		return exchange_drop(x, DROP_PROCESSING_FAILED);
	old = own_at(x, q, &who);
	if (old && (old->state != LEASE_ASSIGNED || alloc_expired(x, old)))
		old = NULL; /* not a renewal */
	same_info = !old || !agent_info_merge(x, l);
	if (old && same_info && reuse_allowed(x, old, l, &left))
		return request_reuse(x, l, old, left);
	if (!request_hook(x, l, old != NULL))
		return request_skipped(x, l, old);
	r = lease_db_assign_within(srv->db, l, &who, x->bounds, &change);
	if (r < 0)
		return response_nak(x, LOG_DHCP4_PACKET_NAK_0004,
				    r == -USHER_E_LIMIT ? "a limit of leases is reached"
							: "address is in use");
	x->wait_seq = change.seq;
	l->row = change.seq;
	if (unlikely(x->trace != NULL))
		trace_assigned(x, old != NULL, change.had_old);
	alloc_reclaimed(x, &change);
	drop_others(x, q);
	name_change_granted(x, l, &change, !change.old_expired);
	EXCHANGE_LOG(x, LOG_DHCP4_LEASE_ALLOC, "lease %s has been allocated for %u seconds",
		     ip_text(l->addr, ip), l->valid_lft);
	return grant_lease(x, l, l->valid_lft);
}

/* Acknowledges without an address, as in Kea in every state: a lease of the client stays as it is,
 * and ends in time. */
static cold_fn enum verdict grant_v6_only(struct exchange *x)
{
	TRACE(x, "no address is given: the client prefers IPv6 only, and so does its link");
	if (response_start(x, DHCP4_ACK) < 0)
		return exchange_drop(x, DROP_PROCESSING_FAILED);
	x->response.ciaddr = x->query.ciaddr;
	return VERDICT_CONTINUE;
}

enum verdict process_request(struct exchange *x)
{
	struct request q = {0};
	enum verdict v;

	x->committed_hook = true; /* also for a NAK, with no leases */
	if (exchange_has_builtin(x, CLASS_REJECT))
		return response_nak(x, LOG_DHCP4_PACKET_NAK_0005, "client is rejected by class");
	if (!request_parse(x, &q))
		return response_nak(x, LOG_DHCP4_PACKET_NAK_0004,
				    "the client names neither server nor address");
	FINDING(x, DHCP4_REQUEST, "REQUEST in state %s",
		(const char *const[]){"SELECTING", "INIT-REBOOT", "RENEWING",
				      "REBINDING"}[q.state]);
	if (!x->subnet || !x->n_candidates)
		return without_subnet(x, &q);
	if (v6_only_answer(x))
		return grant_v6_only(x);
	q.n_own = alloc_own(x, &q.own);
	if (x->pkt.arena.failed)
		return exchange_drop(x, DROP_PROCESSING_FAILED);
	request_place(x, &q);
	/* kea-dhcp4 takes a REQUEST to it for one of the offered address, or of any */
	if (!q.addr && !request_choose(x, &q))
		return response_nak(x, LOG_DHCP4_PACKET_NAK_0004,
				    "there is no address for the client");
	v = request_check(x, &q);
	if (v != VERDICT_CONTINUE || x->has_response)
		return v;
	return request_assign(x, &q);
}

/*
 * Answers a REQUEST while the lease store is down, so that nothing new can be promised: a lease
 * that runs is confirmed until its end, which was promised before. All else is dropped; a NAK too,
 * because another server may have given the client its address.
 */
enum verdict process_request_confirm(struct exchange *x)
{
	const struct lease_store *s = exchange_server(x)->store;
	int64_t now = clock_wall_s(&exchange_server(x)->clock);
	struct request q = {0};
	struct lease_client who;
	const struct lease *old;
	struct lease *l;

	if (!x->subnet || !x->n_candidates || !request_parse(x, &q) || !q.addr ||
	    exchange_has_builtin(x, CLASS_REJECT))
		return exchange_drop(x, DROP_STORE_DOWN);
	request_place(x, &q);
	if (!q.c)
		return exchange_drop(x, DROP_STORE_DOWN);
	who = exchange_client(x, q.c->subnet);
	old = own_at(x, &q, &who);
	if (!old || old->state != LEASE_ASSIGNED || alloc_expired(x, old) ||
	    old->row > lease_store_durable(s))
		return exchange_drop(x, DROP_STORE_DOWN);
	l = arena_memdup(&x->pkt.arena, old, sizeof(*old));
	if (!l)
		return exchange_drop(x, DROP_PROCESSING_FAILED);
	alloc_place(x, q.c, q.pool);
	client_name(x, l->addr);
	x->lease_reused = true;
	TRACE(x, "the store is down: the lease is confirmed until its end");
	return grant_lease(x, l,
			   l->valid_lft == LEASE_INFINITE ? LEASE_INFINITE
							  : (uint32_t)(lease_expire(l) - now));
}
