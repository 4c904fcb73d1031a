/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The accounting service: a request for each change of a lease, which nobody waits for. Their
 * number in progress is bounded; further ones are lost, and counted.
 */
#include "library/radius/radius.h"
#include "library/common/library.h"

#include "base/clock.h"
#include "base/ip.h"
#include "config/config.h"
#include "hook/hook.h"
#include "lease/lease.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ACCOUNTING_MAX = 256,
	ACCOUNT_ATTRS_MAX = 1536,
	TEXTS_MAX = 4096,
	STATUS_START = 1,
	STATUS_STOP = 2,
	STATUS_ALIVE = 3
};

/* A request, freed when it ends. */
struct account {
	struct radius *radius;
	struct radius_request request;
	char session[48];
	uint8_t attrs[ACCOUNT_ATTRS_MAX];
};

/* The lease of a request. */
struct account_lease {
	uint32_t addr, subnet_id;
	struct span hw, client_id;
};

static void end_account(void *account, enum radius_result result, const struct radius_msg *m)
{
	struct account *a = account;

	(void)m;
	if (result != RADIUS_OK)
		log_msg(a->radius->log, LOG_RADIUS_ACCOUNTING_ERROR,
			"Accounting-Request failed for %s: %s", a->session,
			result == RADIUS_TIMEOUT ? "timeout" : "error");
	(void)atomic_fetch_sub(&a->radius->n_accounting, 1);
	free(a);
}

/* Adds the Class that the access service received for the client. */
static void add_class(const struct radius *r, const struct config *cfg,
		      const struct account_lease *l, struct arena *arena, struct wr *w)
{
	const struct config_subnet *s = config_subnet_by_id(cfg, l->subnet_id);
	uint32_t place = s && s->params.reservations_global ? 0 : l->subnet_id;
	struct span id = radius_lease_id(&r->params, l->hw, l->client_id), octets;
	struct cached_host *h = id.n ? host_cache_find(r->cache, place, r->params.id_type, id)
				     : NULL;
	const struct json *list = h ? json_get(json_get(h->host.node, "user-context"), "radius")
				    : NULL;

	for (const struct json *a = list && list->type == JSON_LIST ? list->first : NULL; a;
	     a = a->next) {
		const char *name = json_get_str(a, "name"), *raw = json_get_str(a, "raw");

		if (name && raw && strcmp(name, "Class") == 0 &&
		    config_host_id_parse(arena, raw, &octets))
			radius_add(w, RADIUS_CLASS, octets);
	}
	cached_host_unref(h);
}

/* Writes the attributes of a request. Returns false if they do not fit. */
static bool fill_account(const struct radius *r, const struct config *cfg,
			 const struct account_lease *l, unsigned status, struct account *a,
			 struct arena *arena)
{
	struct wr w = wr_init(a->attrs, sizeof(a->attrs));
	const char *mac = radius_hex_text(arena, l->hw, r->params.canonical_mac ? '-' : ':');
	const char *name = l->client_id.n ? radius_client_name(&r->params, arena, l->client_id)
					  : mac;

	if (!mac || !name)
		return false;
	radius_add(&w, RADIUS_USER_NAME, span_str(name));
	if (l->client_id.n)
		radius_add(&w, RADIUS_CALLING_STATION_ID, span_str(mac));
	radius_add_be32(&w, RADIUS_FRAMED_IP_ADDRESS, l->addr);
	radius_add(&w, RADIUS_ACCT_SESSION_ID, span_str(a->session));
	radius_add_be32(&w, RADIUS_ACCT_STATUS_TYPE, status);
	radius_add_be32(&w, RADIUS_NAS_PORT, radius_nas_port(&r->params, l->subnet_id));
	add_class(r, cfg, l, arena, &w);
	for (size_t i = 0; i < r->params.n_account_extras; i++) {
		const struct radius_extra *e = &r->params.account_extras[i];

		if (e->vendor)
			radius_add_vendor(&w, e->vendor, e->type, e->value);
		else
			radius_add(&w, e->type, e->value);
	}
	a->request.attrs = span_of(a->attrs, w.len);
	return wr_ok(&w);
}

/* Sends a request. lib: counts it if it is lost. */
static void send_account(const struct usher_call *call, struct radius *r,
			 const struct account_lease *l, unsigned status)
{
	int64_t now_ms = clock_wall_ns(&clock_system) / NS_PER_MS -
			 (int64_t)RADIUS_SESSION_EPOCH_S * 1000;
	uint8_t mem[TEXTS_MAX];
	struct arena texts; /* an expired lease has no packet */
	struct account *a;
	char ip[IP_TEXT_LEN];
	int64_t at_ms;
	bool known;

	arena_init_fixed(&texts, mem, sizeof(mem));
	at_ms = radius_session(r->sessions, l->addr, status == STATUS_START, now_ms, &known);
	if (status == STATUS_STOP)
		radius_session_end(r->sessions, l->addr);
	if (atomic_fetch_add(&r->n_accounting, 1) >= ACCOUNTING_MAX) {
		(void)atomic_fetch_sub(&r->n_accounting, 1);
		hook_count_lost(r->lib, 1);
		log_msg(r->log, LOG_RADIUS_UDP_EXCHANGE_MAX_PENDING,
			"an Accounting-Request is lost: %d are in progress", ACCOUNTING_MAX);
		return;
	}
	a = calloc(1, sizeof(*a));
	if (a) {
		(void)snprintf(a->session, sizeof(a->session), "%s@%lld.%lld", ip_text(l->addr, ip),
			       (long long)(at_ms / 1000), (long long)(at_ms % 1000));
		a->radius = r;
		a->request.service = &r->params.accounting;
		a->request.code = RADIUS_ACCOUNTING_REQUEST;
		a->request.done = end_account;
		a->request.ctx = a;
	}
	if (a && fill_account(r, call->cfg, l, status, a, &texts) &&
	    radius_client_send(r->client, &a->request) == 0)
		return;
	free(a);
	(void)atomic_fetch_sub(&r->n_accounting, 1);
	hook_count_lost(r->lib, 1);
}

/* --- Callouts --------------------------------------------------------------------------------- */

static int account_call(struct usher_call *call, struct radius *r, unsigned status)
{
	struct account_lease a;
	const struct lease *l = call->lease;

	if (call->status == USHER_SKIP || call->status == USHER_DROP || !r->client || !l ||
	    !r->params.accounting.n_servers)
		return 0;
	a = (struct account_lease){.addr = l->addr,
				   .subnet_id = l->subnet_id,
				   .hw = span_of(l->hw, l->hw_len),
				   .client_id = span_of(l->client_id, l->client_id_len)};
	send_account(call, r, &a, status);
	return 0;
}

int radius_account_select(struct usher_call *call, void *radius)
{
	return call->fake_allocation ? 0 : account_call(call, radius, STATUS_START);
}

int radius_account_renew(struct usher_call *call, void *radius)
{
	return account_call(call, radius, STATUS_ALIVE);
}

int radius_account_end(struct usher_call *call, void *radius)
{
	return account_call(call, radius, STATUS_STOP);
}

/* Reads the lease of a command. Returns false if it is not described. */
static bool read_lease(const struct usher_call *call, struct account_lease *l)
{
	const struct json *args = call->command_args;
	const char *ip = json_get_str(args, "ip-address"), *hw = json_get_str(args, "hw-address");
	const char *client_id = json_get_str(args, "client-id");
	int64_t subnet_id;

	if (!ip || !hw || !json_get_int(args, "subnet-id", &subnet_id) ||
	    ip_parse(ip, strlen(ip), &l->addr) < 0 ||
	    !config_host_id_parse(call->arena, hw, &l->hw))
		return false;
	l->subnet_id = (uint32_t)subnet_id;
	return !client_id || config_host_id_parse(call->arena, client_id, &l->client_id);
}

int radius_account_command(struct usher_call *call, void *radius)
{
	static const struct {
		const char *name;
		unsigned status;
	} commands[] = {{"lease4-add", STATUS_START},
			{"lease4-update", STATUS_ALIVE},
			{"lease4-del", STATUS_STOP}};
	const char *origin = json_get_str(call->command_args, "origin");
	struct account_lease l = {0};
	struct radius *r = radius;
	int64_t result = 1;

	(void)json_get_int(call->answer, "result", &result);
	if (result != 0 || !call->command || !r->client || !r->params.accounting.n_servers ||
	    (origin && strcmp(origin, "ha-partner") == 0 && !r->params.peer_updates))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, call->command) == 0 && read_lease(call, &l))
			send_account(call, r, &l, commands[i].status);
	return 0;
}
