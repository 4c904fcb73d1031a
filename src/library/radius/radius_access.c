/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The access service: a client that the cache does not know is asked for at the RADIUS servers,
 * while its packet is parked. The request lies in the packet's memory, which stays until the handle
 * is given back; the worker then reads the answer, and selects the subnet.
 */
#include "library/radius/radius.h"
#include "library/common/library.h"

#include "base/buf.h"
#include "base/ip.h"
#include "config/config.h"
#include "hook/hook.h"
#include "packet/packet.h"
#include "wire/dhcp4.h"
#include "wire/option_codes.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { ATTRS_MAX = 2048, POOL_MAX = 254 };

struct radius_access {
	struct radius_access *next; /* pending */
	struct radius *radius;
	usher_parked *parked;
	struct span id;
	uint32_t subnet_id, host_subnet;
	struct radius_request request;
	/* the answer */
	enum radius_result result;
	uint32_t addr;
	char pool[POOL_MAX];
	uint8_t class_len;
	uint8_t class_octets[RADIUS_VALUE_MAX];
};

/* --- Identifier ------------------------------------------------------------------------------- */

struct span radius_lease_id(const struct radius_params *p, struct span hw, struct span client_id)
{
	const struct span id = client_id;

	switch (p->id_type) {
	case HOST_ID_HW_ADDRESS:
		return hw;
	case HOST_ID_CLIENT_ID:
		return id;
	case HOST_ID_DUID:
		return id.n > 5 && id.p[0] == 255 ? span_sub(id, 5, id.n) : SPAN_NULL;
	case HOST_ID_FLEX_ID: /* by replace-client-id of flex_id */
		return id.n > 1 && id.p[0] == 0 ? span_sub(id, 1, id.n) : SPAN_NULL;
	case HOST_ID_CIRCUIT_ID:
	case HOST_ID_N:
		break;
	}
	return SPAN_NULL;
}

static struct span read_id(const struct radius_params *p, const struct usher_call *call)
{
	const struct dhcp4_option *o = dhcp4_opt(call->query, DHCP4_OPT_AGENT_OPTIONS);
	struct span sub;

	if (p->id_type == HOST_ID_CIRCUIT_ID)
		return o && dhcp4_subopt(o->data, RAI_CIRCUIT_ID, &sub) ? sub : SPAN_NULL;
	o = dhcp4_opt(call->query, DHCP4_OPT_CLIENT_ID);
	return radius_lease_id(p, span_of(call->query->chaddr, call->query->hlen),
			       o ? o->data : SPAN_NULL);
}

const char *radius_hex_text(struct arena *a, struct span s, char sep)
{
	const char *text;
	struct buf b;

	buf_init(&b);
	buf_hex(&b, s, sep);
	text = b.failed ? NULL : arena_strdup(a, b.p ? b.p : "");
	buf_fini(&b);
	return text;
}

static bool is_printable(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!isprint(s.p[i]))
			return false;
	return s.n > 0;
}

static const char *octets_name(const struct radius_params *p, struct arena *a, struct span id)
{
	if (p->printable && is_printable(id))
		return arena_strndup(a, (const char *)id.p, id.n);
	return radius_hex_text(a, id, ':');
}

const char *radius_client_name(const struct radius_params *p, struct arena *a, struct span id)
{
	if (p->extract_duid && id.n > 5 && id.p[0] == 255)
		return octets_name(p, a, span_sub(id, 5, id.n));
	if (p->pop0 && id.n > 1 && id.p[0] == 0)
		id = span_sub(id, 1, id.n);
	return octets_name(p, a, id);
}

/* Returns the User-Name. NULL: memory is out. */
static const char *user_name(const struct radius_params *p, struct arena *a, struct span id)
{
	if (p->id_type == HOST_ID_HW_ADDRESS)
		return radius_hex_text(a, id, p->canonical_mac ? '-' : ':');
	return p->id_type == HOST_ID_CLIENT_ID ? radius_client_name(p, a, id)
					       : octets_name(p, a, id);
}

/* --- Request ---------------------------------------------------------------------------------- */

uint32_t radius_nas_port(const struct radius_params *p, uint32_t subnet_id)
{
	uint32_t port = subnet_id;

	for (size_t i = 0; i < p->n_ports; i++) {
		if (p->ports[i].subnet_id == subnet_id)
			return p->ports[i].port;
		if (!p->ports[i].subnet_id)
			port = p->ports[i].port;
	}
	return port;
}

/* Adds an attribute of the configuration. An expression without a value adds nothing. */
static bool add_extra(struct usher_call *call, const struct radius_extra *e, struct wr *w,
		      struct radius_request *r)
{
	struct span value = e->value;
	const char *why = NULL;

	if (e->expr && library_text(call, e->expr, call->query, &value, &why) < 0) {
		log_msg(hook_lib_log(call->lib), LOG_RADIUS_ACCESS_BUILD_FAILED,
			"building Access-Request failed: attribute %u: %s", e->type, why);
		return false;
	}
	if (e->expr && !value.n)
		return true;
	if (e->type == RADIUS_USER_PASSWORD && !e->vendor) {
		r->password = value;
		r->has_password = true;
	} else if (e->vendor) {
		radius_add_vendor(w, e->vendor, e->type, value);
	} else {
		radius_add(w, e->type, value);
	}
	return wr_ok(w);
}

static bool build_request(struct usher_call *call, const struct radius_params *p, const char *name,
			  struct radius_access *x)
{
	struct span hw = span_of(call->query->chaddr, call->query->hlen);
	uint8_t *mem = arena_alloc(call->arena, ATTRS_MAX);
	struct wr w = wr_init(mem, mem ? ATTRS_MAX : 0);
	const char *mac;

	radius_add(&w, RADIUS_USER_NAME, span_str(name));
	radius_add_be32(&w, RADIUS_NAS_PORT, radius_nas_port(p, x->subnet_id));
	mac = p->id_type != HOST_ID_HW_ADDRESS && hw.n
		      ? radius_hex_text(call->arena, hw, p->canonical_mac ? '-' : ':')
		      : NULL;
	if (mac)
		radius_add(&w, RADIUS_CALLING_STATION_ID, span_str(mac));
	for (size_t i = 0; i < p->n_extras; i++)
		if (!add_extra(call, &p->extras[i], &w, &x->request))
			return false;
	x->request.attrs = span_of(mem, w.len);
	if (mem)
		arena_trim(call->arena, mem, w.len);
	return wr_ok(&w);
}

/* --- Cache ------------------------------------------------------------------------------------ */

/* Puts an entry of the client into the cache, as Kea's. */
static void cache_client(const struct usher_call *call, const struct radius_access *x,
			 uint32_t host_subnet, uint32_t addr, const struct json *context)
{
	struct radius *r = x->radius;
	struct config_error err = {0};
	struct json *m = json_map(call->arena);
	struct cached_host *h;
	char ip[IP_TEXT_LEN];

	(void)json_add(call->arena, m, config_host_id_names[r->params.id_type],
		       json_str(call->arena, radius_hex_text(call->arena, x->id, 0)));
	(void)json_add(call->arena, m, "subnet-id4", json_int(call->arena, host_subnet));
	if (addr)
		(void)json_add(call->arena, m, "ip-address",
			       json_str(call->arena, ip_text(addr, ip)));
	else
		(void)json_add(call->arena, m, "negative", json_bool(call->arena, true));
	(void)json_add(call->arena, m, "user-context", json_copy(call->arena, context));
	if (m && cached_host_read(call->cfg, m, &h, &err) == 0)
		(void)host_cache_insert(r->cache, h);
	else
		log_msg(r->log, LOG_RADIUS_ACCESS_ERROR, "the answer cannot be cached: %s",
			err.text);
}

static struct json *attributes_of(const struct usher_call *call, const struct radius_access *x)
{
	struct json *list = json_list(call->arena), *m;

	if (x->class_len) {
		m = json_add(call->arena, list, NULL, json_map(call->arena));
		(void)json_add(call->arena, m, "name", json_str(call->arena, "Class"));
		(void)json_add(call->arena, m, "type", json_int(call->arena, RADIUS_CLASS));
		(void)json_add(call->arena, m, "raw",
			       json_str(call->arena,
					radius_hex_text(call->arena,
							span_of(x->class_octets, x->class_len),
							0)));
	}
	if (!x->pool[0])
		return list;
	m = json_add(call->arena, list, NULL, json_map(call->arena));
	(void)json_add(call->arena, m, "name", json_str(call->arena, "Framed-Pool"));
	(void)json_add(call->arena, m, "type", json_int(call->arena, RADIUS_FRAMED_POOL));
	(void)json_add(call->arena, m, "data", json_str(call->arena, x->pool));
	return list;
}

/* --- Answer ----------------------------------------------------------------------------------- */

/* Returns the subnet of the client after the answer; NULL: none. */
static const struct config_subnet *pick_subnet(const struct usher_call *call,
					       const struct radius_access *x,
					       const struct config_subnet *own)
{
	const struct radius_params *p = &x->radius->params;
	const struct config_subnet *s = own;

	if (x->result == RADIUS_REJECTED)
		return NULL;
	if (x->pool[0] && p->reselect_pool)
		s = radius_reselect_pool(call, own, x->pool);
	if (s == own && x->addr && p->reselect_address)
		s = radius_reselect_address(call, own, x->addr);
	return s;
}

/* Caches the answer. A client that is moved, or refused, gets an entry that says so in the place
 * where it is looked for first. */
static void cache_answer(const struct usher_call *call, const struct radius_access *x,
			 const struct config_subnet *own, const struct config_subnet *s)
{
	struct json *context = json_map(call->arena);
	bool both_global = s && own->params.reservations_global && s->params.reservations_global;

	if (s != own)
		(void)json_add(call->arena, context, "subnet-id",
			       json_int(call->arena, s ? s->id : HOST_CACHE_NO_SUBNET));
	if (s != own && !both_global) {
		cache_client(call, x, x->host_subnet, 0, context);
		context = json_map(call->arena);
	}
	if (!s)
		return;
	(void)json_add(call->arena, context, "radius", attributes_of(call, x));
	cache_client(call, x, s->params.reservations_global ? 0 : s->id, x->addr, context);
}

/* Called in the worker, before the packet continues. */
static void apply_answer(struct usher_call *call, void *access)
{
	struct radius_access *x = access;
	const struct config_subnet *own = config_subnet_by_id(call->cfg, x->subnet_id), *s;

	if (x->result != RADIUS_OK && x->result != RADIUS_REJECTED) {
		log_msg(x->radius->log, LOG_RADIUS_ACCESS_ERROR, "Access-Request failed: %s",
			x->result == RADIUS_TIMEOUT ? "timeout" : "error");
		return;
	}
	if (x->pool[0])
		(void)call->class_add(call->ctx, x->pool);
	s = pick_subnet(call, x, own);
	cache_answer(call, x, own, s);
	if (!s)
		call->status = USHER_SKIP;
	else if (s != own)
		(void)usher_set_subnet_id(call, s->id);
}

static void forget_pending(struct radius *r, struct radius_access *x)
{
	struct radius_access **at = &r->pending;

	(void)pthread_mutex_lock(&r->mu);
	while (*at != x)
		at = &(*at)->next;
	*at = x->next;
	r->n_pending--;
	(void)pthread_mutex_unlock(&r->mu);
}

/* Called in the client's thread, with the answer. */
static void take_answer(void *access, enum radius_result result, const struct radius_msg *m)
{
	struct radius_access *x = access;
	usher_parked *parked = x->parked;
	struct span v;

	x->result = result;
	if (m && radius_find(m, RADIUS_FRAMED_IP_ADDRESS, &v))
		(void)rd_span_be32(v, &x->addr);
	if (m && radius_find(m, RADIUS_FRAMED_POOL, &v) && v.n < POOL_MAX && !memchr(v.p, 0, v.n))
		memcpy(x->pool, v.p, v.n);
	if (m && radius_find(m, RADIUS_CLASS, &v)) {
		x->class_len = (uint8_t)v.n;
		memcpy(x->class_octets, v.p, v.n);
	}
	forget_pending(x->radius, x);
	parked->then = apply_answer;
	parked->then_ctx = x;
	usher_unpark(parked);
}

/* --- Select ----------------------------------------------------------------------------------- */

/* Adds a request to the pending ones. Returns 0, or the reason to drop the packet. */
static unsigned note_pending(struct radius *r, struct radius_access *x)
{
	unsigned drop = 0;

	(void)pthread_mutex_lock(&r->mu);
	for (const struct radius_access *p = r->pending; p && !drop; p = p->next)
		if (span_eq(p->id, x->id))
			drop = DROP_RADIUS_CONFLICT;
	if (!drop && r->params.max_pending && r->n_pending >= r->params.max_pending)
		drop = DROP_RADIUS_PENDING;
	if (!drop) {
		x->next = r->pending;
		r->pending = x;
		r->n_pending++;
	}
	(void)pthread_mutex_unlock(&r->mu);
	return drop;
}

/* Returns the last Framed-Pool of a cached answer, as of a received one; NULL: none. */
static const char *cached_pool(const struct json *context)
{
	const struct json *attrs = json_get(context, "radius");
	const char *pool = NULL;

	for (const struct json *a = attrs ? attrs->first : NULL; a; a = a->next)
		if (json_get_str(a, "data") && json_get_str(a, "name") &&
		    strcmp(json_get_str(a, "name"), "Framed-Pool") == 0)
			pool = json_get_str(a, "data");
	return pool;
}

/* Uses the entry of the cache for the client. *subnet may become another one. Returns whether the
 * cache knows an answer. */
static bool use_cached(struct usher_call *call, struct radius *r, struct span id,
		       const struct config_subnet **subnet)
{
	const struct config_subnet *own = *subnet;
	uint32_t place = own->params.reservations_global ? 0 : own->id;
	struct cached_host *h = host_cache_find(r->cache, place, r->params.id_type, id);
	const struct json *context = h ? json_get(h->host.node, "user-context") : NULL;
	const struct config_subnet *s = own;
	const char *pool;
	int64_t moved;

	if (context && json_get_int(context, "subnet-id", &moved)) {
		s = moved == HOST_CACHE_NO_SUBNET ? NULL
						  : config_subnet_by_id(call->cfg, (uint32_t)moved);
		if (s && s != own) {
			cached_host_unref(h);
			place = s->params.reservations_global ? 0 : s->id;
			h = host_cache_find(r->cache, place, r->params.id_type, id);
			context = h ? json_get(h->host.node, "user-context") : NULL;
			(void)usher_set_subnet_id(call, s->id);
			*subnet = s;
		}
	}
	if (!s)
		call->status = USHER_SKIP;
	pool = context ? cached_pool(context) : NULL;
	if (pool)
		(void)call->class_add(call->ctx, pool);
	cached_host_unref(h);
	return context != NULL || !s;
}

/* Sends the request, and parks the packet. */
static void ask_servers(struct usher_call *call, struct radius *r, struct radius_access *x)
{
	unsigned drop = note_pending(r, x);

	if (drop) {
		log_msg(r->log,
			drop == DROP_RADIUS_CONFLICT ? LOG_RADIUS_ACCESS_CONFLICT
						     : LOG_RADIUS_ACCESS_MAX_PENDING_REQUESTS,
			"a packet is dropped: %s", drop_info((enum drop)drop)->sentence);
		hook_drop(call, drop);
		return;
	}
	x->parked = usher_park(call);
	if (!x->parked) {
		forget_pending(r, x);
		hook_drop(call, DROP_PROCESSING_FAILED);
		return;
	}
	call->status = USHER_PARK;
	if (radius_client_send(r->client, &x->request) < 0) {
		forget_pending(r, x);
		usher_unpark(x->parked);
		hook_drop(call, DROP_RADIUS_PENDING);
	}
}

int radius_select(struct usher_call *call, void *radius)
{
	struct radius *r = radius;
	const struct config_subnet *own = call->subnet_id
						  ? config_subnet_by_id(call->cfg, call->subnet_id)
						  : NULL;
	struct radius_access *x;
	const char *name;
	struct span id;

	if (call->status == USHER_SKIP || call->status == USHER_DROP || !own || !r->cache ||
	    !r->client || !r->params.access.n_servers)
		return 0;
	id = read_id(&r->params, call);
	if (!id.n) {
		log_msg(r->log, LOG_RADIUS_ACCESS_GET_IDENTIFIER_FAILED,
			"no identifier of type %s is in the message",
			config_host_id_names[r->params.id_type]);
		call->status = USHER_SKIP;
		return 0;
	}
	if (use_cached(call, r, id, &own))
		return 0;
	x = arena_new(call->arena, struct radius_access);
	name = user_name(&r->params, call->arena, id);
	if (!x || !name)
		return -ENOMEM;
	x->radius = r;
	x->id = id;
	x->subnet_id = own->id;
	x->host_subnet = own->params.reservations_global ? 0 : own->id;
	x->request.service = &r->params.access;
	x->request.code = RADIUS_ACCESS_REQUEST;
	x->request.done = take_answer;
	x->request.ctx = x;
	if (!build_request(call, &r->params, name, x)) {
		hook_drop(call, DROP_PROCESSING_FAILED);
		return 0;
	}
	ask_servers(call, r, x);
	return 0;
}
