/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The answer to a DHCPLEASEQUERY (RFC 4388): LEASEACTIVE with the newest lease that runs and the
 * addresses of the others, LEASEUNASSIGNED for an address of ours without such a lease, else
 * LEASEUNKNOWN.
 */
#include "library/lease_query/lease_query.h"

#include "base/cursor.h"
#include "base/error.h"
#include "config/config.h"
#include "hook/hook.h"
#include "lease/lease_db.h"
#include "wire/dhcp4.h"
#include "wire/option_codes.h"

#include <errno.h>

/* LEASES_MAX: that are named in an answer. Those of option 92 fill its largest piece. */
enum { LEASES_MAX = 64, CLIENT_ID_MIN = 2 };

/* The leases of an answer. */
struct found {
	enum dhcp4_type type;
	struct lease lease; /* with LEASEACTIVE; its context is in the caller's arena */
	struct lease_brief leases[LEASES_MAX];
	size_t n;
};

/* --- Checks ----------------------------------------------------------------------------------- */

/* Checks the requester and the server identifier (RFC 4388 6.3, and access control as in Kea). */
static enum drop check_requester(const struct usher_call *call,
				 const struct lease_query_requesters *r)
{
	const struct dhcp4_msg *q = call->query;
	uint32_t id;

	if (!q->giaddr)
		return DROP_LEASE_QUERY_NO_GIADDR;
	if (!lease_query_may_ask(r, q->giaddr))
		return DROP_LEASE_QUERY_REQUESTER;
	if (!dhcp4_opt(q, DHCP4_OPT_SERVER_ID))
		return DROP_NONE;
	if (!dhcp4_opt_u32(q, DHCP4_OPT_SERVER_ID, &id) || !id)
		return DROP_BAD_SERVER_ID;
	return call->services->is_server_id(call->ctx, id) ? DROP_NONE : DROP_NOT_FOR_US;
}

/* Returns whether the query names exactly one of address, hardware address and client identifier
 * (RFC 4388 6.2). */
static bool names_one(const struct dhcp4_msg *q)
{
	const struct dhcp4_option *id = dhcp4_opt(q, DHCP4_OPT_CLIENT_ID);
	bool by_hw = q->hlen || q->htype;

	if (by_hw && !q->hlen)
		return false;
	if (id && (id->data.n < CLIENT_ID_MIN || id->data.n > LEASE_CLIENT_ID_MAX))
		return false;
	return (q->ciaddr != 0) + by_hw + (id != NULL) == 1;
}

/* --- Look-ups --------------------------------------------------------------------------------- */

static bool is_in_pool(const struct config *cfg, uint32_t addr)
{
	const struct config_subnet *s = NULL;

	while ((s = config_subnet_containing(cfg, addr, s)) != NULL)
		for (size_t i = 0; i < s->n_pools; i++)
			if (addr >= s->pools[i].first && addr <= s->pools[i].last)
				return true;
	return false;
}

static void find_address(struct lease_db *db, const struct usher_call *call, struct arena *a,
			 int64_t now_s, struct found *f)
{
	uint32_t addr = call->query->ciaddr;
	bool known = lease_db_get(db, addr, a, &f->lease, NULL) == 0 &&
		     f->lease.state != LEASE_OFFERED;

	if (known && lease_query_runs(&f->lease, now_s))
		f->type = DHCP4_LEASEACTIVE;
	else if (known || is_in_pool(call->cfg, addr))
		f->type = DHCP4_LEASEUNASSIGNED;
}

/* Finds the leases of a client. The newest one is read again, because it may have ended meanwhile.
 */
static void find_client(struct lease_db *db, const struct dhcp4_msg *q, struct arena *a,
			int64_t now_s, struct found *f)
{
	struct lease_client who = {.client_id = dhcp4_opt_data(q, DHCP4_OPT_CLIENT_ID),
				   .hw = span_of(q->chaddr, q->hlen)};
	bool more;

	f->n = lease_db_running(db, &who, f->leases, LEASES_MAX, &more);
	for (size_t i = 0; i < f->n; i++) {
		if (lease_db_get(db, f->leases[i].addr, a, &f->lease, NULL) < 0 ||
		    !lease_query_runs(&f->lease, now_s) ||
		    !(who.client_id.n ? span_eq(lease_client_id(&f->lease), who.client_id)
				      : span_eq(lease_hw(&f->lease), who.hw)))
			continue;
		f->type = DHCP4_LEASEACTIVE;
		return;
	}
}

/* --- Answers ---------------------------------------------------------------------------------- */

/* Repeats the query's criterion, which the requester needs to match the answer (RFC 4388 6.4.1). */
static int repeat_query(struct dhcp4_msg *m, const struct dhcp4_msg *q)
{
	const struct dhcp4_option *id = dhcp4_opt(q, DHCP4_OPT_CLIENT_ID);

	m->ciaddr = q->ciaddr;
	m->htype = q->htype;
	m->hlen = q->hlen;
	memcpy(m->chaddr, q->chaddr, sizeof(m->chaddr));
	return id ? dhcp4_opt_set_ref(m, DHCP4_OPT_CLIENT_ID, id->data) : 0;
}

/* Sets option 92: the addresses of the other leases. */
static int set_associated(struct dhcp4_msg *m, const struct found *f)
{
	uint8_t octets[4 * LEASES_MAX];
	struct wr w = wr_init(octets, sizeof(octets));

	for (size_t i = 0; i < f->n; i++)
		if (f->leases[i].addr != f->lease.addr && wr_left(&w) > 4)
			wr_be32(&w, f->leases[i].addr);
	return w.len ? dhcp4_opt_set(m, DHCP4_OPT_ASSOCIATED_IP, span_of(octets, w.len)) : 0;
}

static int send_found(struct usher_call *call, const struct found *f, int64_t now_s)
{
	struct dhcp4_msg *m;
	int r;

	if (f->type == DHCP4_LEASEACTIVE && !lease_query_has_subnet(call->cfg, &f->lease)) {
		hook_drop(call, DROP_LEASE_QUERY_NO_SUBNET);
		return 0;
	}
	m = hook_answer(call, f->type);
	if (!m)
		return -ENOMEM;
	if (f->type != DHCP4_LEASEACTIVE)
		return repeat_query(m, call->query) < 0 ? -ENOMEM : 0;
	r = lease_query_fill(m, &f->lease, call->cfg, now_s);
	return r < 0 || set_associated(m, f) < 0 ? -ENOMEM : 0;
}

int lease_query_answer(struct usher_call *call, const struct lease_query_requesters *r,
		       struct lease_db *db, int64_t now_s)
{
	struct found f = {.type = DHCP4_LEASEUNKNOWN};
	enum drop drop = check_requester(call, r);
	struct arena a;
	int e;

	if (drop == DROP_NONE && !names_one(call->query))
		drop = DROP_LEASE_QUERY_MALFORMED;
	if (drop == DROP_NONE && lease_db_is_loading(db))
		drop = DROP_LEASES_LOADING;
	if (drop != DROP_NONE) {
		hook_drop(call, drop);
		return 0;
	}
	arena_init(&a);
	if (call->query->ciaddr)
		find_address(db, call, &a, now_s, &f);
	else
		find_client(db, call->query, &a, now_s, &f);
	e = send_found(call, &f, now_s);
	arena_fini(&a);
	return e;
}
