/* SPDX-License-Identifier: MPL-2.0 */
/*
 * FILL: the response's options and boot fields, before callouts of leases4_committed see it. Lease
 * options first, then the requested ones in the client's order (RFC 2132 9.8), then those with
 * always-send; 61 and 82 are echoed, 82 last (RFC 3046 2.2). An option that a callout has set
 * already stays unchanged.
 */
#include "base/log.h"
#include "base/cursor.h"
#include "config/config.h"
#include "server/stages/fill.h"
#include "server/stages/fill_sources.h"
#include "server/stages/fill_vendor.h"
#include "server/stages/response.h"
#include "server/stages/stages.h"
#include "wire/option_codes.h"

/* Options that a reply never takes from the configuration (RFC 2131 table 3; computed here). */
static const bool computed[256] = {
	[0] = true,   /* PAD */
	[255] = true, /* END */
	[DHCP4_OPT_REQUESTED_ADDRESS] = true,
	[DHCP4_OPT_LEASE_TIME] = true,
	[DHCP4_OPT_OVERLOAD] = true,
	[DHCP4_OPT_MESSAGE_TYPE] = true,
	[DHCP4_OPT_SERVER_ID] = true,
	[DHCP4_OPT_PARAMETER_REQUEST_LIST] = true,
	[DHCP4_OPT_MAX_MESSAGE_SIZE] = true,
	[DHCP4_OPT_CLIENT_ID] = true,
	[DHCP4_OPT_AGENT_OPTIONS] = true,
};

struct fill {
	struct exchange *x;
	struct fill_sources src;
	int err;
};

static void set_option(struct fill *f, uint8_t code, struct span data)
{
	if (f->err == 0 && !dhcp4_opt(&f->x->response, code))
		f->err = dhcp4_opt_set_ref(&f->x->response, code, data);
}

static void set_number(struct fill *f, uint8_t code, uint32_t v)
{
	if (f->err == 0 && !dhcp4_opt(&f->x->response, code))
		f->err = dhcp4_opt_set_u32(&f->x->response, code, v);
}

/* Returns the server identifier: the relay's override (RFC 5107); a configured value; else the
 * address that the query was sent to. */
static uint32_t server_id(const struct fill *f)
{
	const struct config_option *o;
	struct span sub;
	uint32_t id;

	if (dhcp4_subopt(f->x->rai, RAI_SERVER_ID_OVERRIDE, &sub) && rd_span_be32(sub, &id))
		return id;
	o = fill_top_option(f->x, &f->src, DHCP4_OPT_SERVER_ID);
	return o && rd_span_be32(o->data, &id) ? id : f->x->local_addr;
}

/* Sets T1 and T2, rounded, where T1 < T2 < lifetime holds. */
static void fill_timers(struct fill *f)
{
	const struct config_params *p = &f->x->subnet->params;
	uint32_t lft = f->x->lifetime;
	uint32_t t1 = 0;
	uint32_t t2 = 0;

	if (lft == LEASE_INFINITE && p->calculate_tee_times)
		return;
	if (p->has_rebind_timer)
		t2 = p->rebind_timer;
	else if (p->calculate_tee_times)
		t2 = (uint32_t)(p->t2_percent * lft + 0.5);
	if (p->has_renew_timer)
		t1 = p->renew_timer;
	else if (p->calculate_tee_times)
		t1 = (uint32_t)(p->t1_percent * lft + 0.5);
	if (t2 >= lft)
		t2 = 0;
	if (t1 >= (t2 ? t2 : lft))
		t1 = 0;
	if (t1)
		set_number(f, DHCP4_OPT_RENEWAL_TIME, t1);
	if (t2)
		set_number(f, DHCP4_OPT_REBINDING_TIME, t2);
}

static void fill_lease_options(struct fill *f)
{
	const struct config_subnet *s = f->x->subnet;

	if (f->x->lease)
		set_number(f, DHCP4_OPT_LEASE_TIME, f->x->lifetime);
	if (f->x->lease && s)
		fill_timers(f);
	if (s && !f->x->v6_only && (f->x->lease || query_requests(f->x, DHCP4_OPT_SUBNET_MASK)))
		set_number(f, DHCP4_OPT_SUBNET_MASK,
			   s->prefix_len ? 0xffffffffU << (32 - s->prefix_len) : 0);
}

/* Labels as on the wire; a name with a dot at its end is complete. */
static void put_labels(struct wr *w, const char *name)
{
	while (*name) {
		const char *dot = strchrnul(name, '.');
		size_t n = (size_t)(dot - name);

		if (n) {
			wr_u8(w, (uint8_t)n);
			wr_bytes(w, name, n);
		}
		name = *dot ? dot + 1 : dot;
	}
	wr_u8(w, 0);
}

/* Answers option 81 (RFC 4702 4). The name is the lease's. */
static void fill_fqdn(struct fill *f)
{
	struct span q = dhcp4_opt_data(&f->x->query, DHCP4_OPT_CLIENT_FQDN);
	const char *name = f->x->hostname ? f->x->hostname : "";
	uint8_t out[300];
	struct wr w = wr_init(out, sizeof(out));
	uint8_t in = q.n ? q.p[0] : 0;

	/* E copied; where nobody updates: N, and O when that overrides the client's wish */
	wr_u8(&w, (uint8_t)((in & 4) |
			    (f->x->cfg->ddns.enabled ? f->x->fqdn_flags : 8 | (in & 1 ? 2 : 0))));
	wr_be16(&w, 0xffff); /* RCODE1, RCODE2 */
	if (in & 4 && *name)
		put_labels(&w, name);
	else
		wr_bytes(&w, name, strlen(name));
	if (wr_ok(&w) && f->err == 0 && !dhcp4_opt(&f->x->response, DHCP4_OPT_CLIENT_FQDN))
		f->err = dhcp4_opt_set(&f->x->response, DHCP4_OPT_CLIENT_FQDN, span_of(out, w.len));
}

/* Answers with one name option: 81 for a client that sent it, else 12, also for a client that
 * did not request a name. */
static void fill_host_name(struct fill *f)
{
	/* as in Kea: a name belongs to a lease, and INFORM asks for parameters only */
	if (f->x->type == DHCP4_INFORM)
		return;
	/* an answer without a lease of its own */
	if (!f->x->named)
		client_name(f->x, 0);
	if (f->x->answer_fqdn)
		fill_fqdn(f);
	else if (f->x->hostname)
		set_option(f, DHCP4_OPT_HOST_NAME, span_str(f->x->hostname));
}

static void fill_one(struct fill *f, uint8_t code)
{
	const struct config_option *o;
	struct span data;

	if (!code_set_has(&f->src.codes, code) || computed[code] ||
	    dhcp4_opt(&f->x->response, code))
		return;
	o = fill_top_option(f->x, &f->src, code);
	if (code_set_has(&f->x->cfg->containers, code) &&
	    fill_vendor_option(f->x, &f->src, code, o, &data))
		set_option(f, code, data);
	else if (o && !o->no_value && code != DHCP4_OPT_VIVSO_SUBOPTIONS)
		/* RFC 3925 4: 125 without a block is none */
		set_option(f, code, o->data);
}

static void fill_requested(struct fill *f)
{
	struct span prl = dhcp4_opt_data(&f->x->query, DHCP4_OPT_PARAMETER_REQUEST_LIST);

	for (size_t i = 0; i < prl.n; i++)
		fill_one(f, prl.p[i]);
}

/* Fills the options that Kea sends whenever they are configured: router, name servers, domain. */
static void fill_basic(struct fill *f)
{
	static const uint8_t basic[] = {DHCP4_OPT_ROUTERS, DHCP4_OPT_DOMAIN_NAME_SERVERS,
					DHCP4_OPT_DOMAIN_NAME};

	for (size_t i = 0; i < sizeof(basic); i++)
		fill_one(f, basic[i]);
}

static void fill_always(struct fill *f)
{
	for (size_t i = 0; f->src.always && i < f->src.n; i++) {
		const struct config_options *o = f->src.scope[i];

		for (size_t j = 0; j < o->n; j++)
			if (o->items[j].always_send &&
			    exchange_class_ok(f->x, &o->items[j].classes))
				fill_one(f, o->items[j].outer);
	}
}

/* The boot fields of a class or a reservation. */
struct boot {
	bool has_siaddr;
	uint32_t siaddr;
	const char *sname, *file; /* NULL: not given */
};

/* Reads each boot field from the first class that has it, in the order of the classes. */
static void boot_of_classes(const struct exchange *x, struct boot *b)
{
	for (uint32_t i = 0; i < x->n_class_order; i++) {
		const struct config_class *c = x->cfg->class_by_id[x->class_order[i]];

		if (!c)
			continue;
		if (c->has_next_server && !b->has_siaddr) {
			b->has_siaddr = true;
			b->siaddr = c->next_server;
		}
		if (c->server_hostname && c->server_hostname[0] && !b->sname)
			b->sname = c->server_hostname;
		if (c->boot_file_name && c->boot_file_name[0] && !b->file)
			b->file = c->boot_file_name;
	}
}

/* Fills the boot fields: a reservation overrides the classes, which override the subnet. */
static void fill_boot_fields(struct exchange *x)
{
	const struct config_params *p = x->subnet ? &x->subnet->params : &x->cfg->params;
	const struct config_host *h = x->host;
	struct dhcp4_msg *r = &x->response;
	struct boot b = {0};

	boot_of_classes(x, &b);
	if (h && h->has_next_server) {
		b.has_siaddr = true;
		b.siaddr = h->next_server;
	}
	if (h && h->server_hostname && h->server_hostname[0])
		b.sname = h->server_hostname;
	if (h && h->boot_file_name && h->boot_file_name[0])
		b.file = h->boot_file_name;
	r->siaddr = b.has_siaddr ? b.siaddr : p->next_server;
	if (!b.sname)
		b.sname = p->server_hostname;
	if (!b.file)
		b.file = p->boot_file_name;
	if (*b.sname)
		memcpy(r->sname, b.sname, strnlen(b.sname, sizeof(r->sname)));
	if (*b.file)
		memcpy(r->file, b.file, strnlen(b.file, sizeof(r->file)));
}

static void fill_echo(struct fill *f)
{
	const struct dhcp4_msg *q = &f->x->query;
	const struct dhcp4_option *o;

	o = dhcp4_opt(q, DHCP4_OPT_CLIENT_ID);
	if (o && f->x->cfg->echo_client_id)
		set_option(f, o->code, o->data); /* RFC 6842 */
	o = dhcp4_opt(q, DHCP4_OPT_SUBNET_SELECTION);
	if (o && f->x->nak_reason == NULL)
		set_option(f, o->code, o->data); /* RFC 3011 */
	o = dhcp4_opt(q, DHCP4_OPT_UUID_GUID);
	if (o && f->x->nak_reason == NULL)
		set_option(f, o->code,
			   o->data); /* RFC 4578 2.3: a PXE client wants its identifier back */
	if (f->x->rai.n && !f->x->rai_stashed)
		set_option(f, DHCP4_OPT_AGENT_OPTIONS, fill_rai_echo(f->x));
}

static void fill_nak(struct fill *f)
{
	set_number(f, DHCP4_OPT_SERVER_ID, server_id(f));
	set_option(f, DHCP4_OPT_MESSAGE, span_str(f->x->nak_reason));
}

static void fill_ack_or_offer(struct fill *f)
{
	set_number(f, DHCP4_OPT_SERVER_ID, server_id(f));
	fill_lease_options(f);
	fill_host_name(f);
	fill_requested(f);
	if (f->x->type == DHCP4_DISCOVER && !f->x->lease &&
	    dhcp4_opt(&f->x->query, DHCP4_OPT_AUTO_CONFIG))
		fill_one(f, DHCP4_OPT_AUTO_CONFIG); /* RFC 2563 2.3 */
	if (fill_docsis_oro(f->x).n)
		fill_one(f,
			 DHCP4_OPT_VIVSO_SUBOPTIONS); /* the client's list within 125 requests it */
	fill_basic(f);
	fill_always(f);
	fill_boot_fields(f->x);
}

enum verdict stage_fill(struct exchange *x)
{
	struct fill f = {.x = x};

	if (!x->has_response)
		return VERDICT_CONTINUE; /* COMMIT ends it: a RELEASE, or a silent server */
	classify_additional(x);
	fill_sources(x, &f.src);
	if (x->nak_reason)
		fill_nak(&f);
	else
		fill_ack_or_offer(&f);
	if (x->v6_only && !dhcp4_opt(&x->response, DHCP4_OPT_V6_ONLY_PREFERRED))
		return exchange_drop(x, DROP_V6_ONLY_MISSING);
	fill_echo(&f);
	return f.err < 0 ? exchange_drop(x, DROP_PACK_FAILED) : VERDICT_CONTINUE;
}
