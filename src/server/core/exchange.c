/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The exchange object: reset, identity, label, class membership. Classes are a bit set over the
 * names that the configuration mentions. Other names matter to hooks and logs only, so those few
 * are kept as strings.
 */
#include "server/core/exchange.h"

#include "base/buf.h"
#include "base/ip.h"
#include "config/config.h"
#include "hook/host_source.h"
#include "runtime/iface.h"
#include "server/core/server.h"
#include "server/core/snapshot.h"

#include <stddef.h>

void exchange_reset(struct exchange *x)
{
	enum { FROM = offsetof(struct exchange, capture), TO = offsetof(struct exchange, query) };

	x->parked = (struct hook_parked){.resume = x->parked.resume};
	packet_reset(&x->pkt);
	memset((uint8_t *)x + FROM, 0, TO - FROM);
}

/* A reservation that the exchange keeps. The source may end before the exchange. */
struct held_host {
	struct held_host *next;
	const struct config_host *host;
	void (*release)(const struct config_host *h);
};

const struct config_host *exchange_hold_host(struct exchange *x, const struct host_source *from,
					     const struct config_host *h)
{
	struct held_host *held = arena_new(&x->pkt.arena, struct held_host);

	if (!held) {
		from->release(h);
		return NULL;
	}
	*held = (struct held_host){.next = x->held, .host = h, .release = from->release};
	x->held = held;
	return h;
}

void exchange_release_hosts(struct exchange *x)
{
	for (struct held_host *h = x->held; h; h = h->next)
		h->release(h->host);
	x->held = NULL;
}

struct log *exchange_log(const struct exchange *x)
{
	return x->srv->log;
}

const char *exchange_iface_name(const struct exchange *x)
{
	return x->iface ? x->iface->name : "";
}

bool exchange_is_server_id(const struct exchange *x, uint32_t id)
{
	if (id == x->local_addr || x->cfg->ignore_server_id || iface_owns(x->ifaces, id))
		return true;
	for (size_t i = 0; i < x->snap->n_server_ids; i++)
		if (x->snap->server_ids[i] == id)
			return true;
	return false;
}

int exchange_unpack(struct exchange *x)
{
	int r = dhcp4_decode(x->raw, x->cfg->lenient_option_parsing, &x->pkt.arena, &x->query);

	if (r < 0)
		return r;
	x->unpacked = true;
	return 0;
}

void exchange_leave_lot(struct exchange *x)
{
	if (x->lot == HOOK_LOT_NONE)
		return;
	(void)atomic_fetch_sub(&x->srv->parked[x->lot], 1);
	x->lot = HOOK_LOT_NONE;
}

struct lease_client exchange_client(const struct exchange *x, const struct config_subnet *s)
{
	bool match = s ? s->params.match_client_id : x->cfg->params.match_client_id;

	return (struct lease_client){match ? x->client_id : SPAN_NULL, x->hw};
}

static char *put_text(char *p, const char *s)
{
	size_t n = strlen(s);

	memcpy(p, s, n);
	return p + n;
}

static char *put_number(char *p, uint32_t v, unsigned base)
{
	char digits[10];
	size_t n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (n)
		*p++ = digits[--n];
	return p;
}

/* Writes at most max octets in hex, with ':' between them. Returns the end of the text. */
static char *put_hex(char *p, struct span s, size_t max)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < s.n && i < max; i++) {
		if (i)
			*p++ = ':';
		*p++ = digits[s.p[i] >> 4];
		*p++ = digits[s.p[i] & 15];
	}
	return p;
}

/* Formats the label without printf: with INFO on, two labels are written for each lease. */
const char *exchange_label(struct exchange *x)
{
	enum { HW_SHOWN = 20, ID_SHOWN = 64 };
	char text[64 + 3 * (HW_SHOWN + ID_SHOWN) + 16] uninit;
	char *p = put_text(text, "[hwtype=");

	p = put_number(p, x->query.htype, 10);
	*p++ = ' ';
	p = put_hex(p, x->hw, HW_SHOWN);
	p = put_text(p, "], cid=[");
	p = x->client_id.n ? put_hex(p, x->client_id, ID_SHOWN) : put_text(p, "no info");
	p = put_text(p, "], tid=0x");
	p = put_number(p, x->query.xid, 16);
	*p = '\0';
	p = arena_strdup(&x->pkt.arena, text);
	return p ? p : "[?]";
}

static uint32_t class_words(const struct exchange *x)
{
	return (x->cfg->n_class_names + 63) / 64;
}

/* Allocates the bit set with the first class. Returns false when the arena is full. */
static bool class_room(struct exchange *x)
{
	if (x->class_bits)
		return true;
	x->class_bits = arena_calloc(&x->pkt.arena, class_words(x), sizeof(uint64_t));
	x->class_order = arena_alloc(&x->pkt.arena, x->cfg->n_class_names * sizeof(uint32_t));
	if (!x->class_bits || !x->class_order) {
		x->class_bits = NULL;
		return false;
	}
	return true;
}

bool exchange_has_class(const struct exchange *x, uint32_t id)
{
	return x->class_bits && id < x->cfg->n_class_names &&
	       (x->class_bits[id / 64] >> (id % 64) & 1);
}

void exchange_add_class(struct exchange *x, uint32_t id)
{
	if (id >= x->cfg->n_class_names || exchange_has_class(x, id) || !class_room(x))
		return;
	x->class_bits[id / 64] |= 1ULL << (id % 64);
	x->class_order[x->n_class_order++] = id;
}

void exchange_remove_class(struct exchange *x, uint32_t id)
{
	uint32_t n = 0;

	if (!exchange_has_class(x, id))
		return;
	x->class_bits[id / 64] &= ~(1ULL << (id % 64));
	for (uint32_t i = 0; i < x->n_class_order; i++)
		if (x->class_order[i] != id)
			x->class_order[n++] = x->class_order[i];
	x->n_class_order = n;
}

bool exchange_has_class_name(const struct exchange *x, const char *name)
{
	int id = config_class_by_name(x->cfg, name);

	if (id >= 0)
		return exchange_has_class(x, (uint32_t)id);
	for (uint32_t i = 0; i < x->n_extra_classes; i++)
		if (strcmp(x->extra_classes[i], name) == 0)
			return true;
	return false;
}

void exchange_add_class_name(struct exchange *x, const char *name)
{
	enum { EXTRA_MAX = 16 };
	int id = config_class_by_name(x->cfg, name);
	char *copy;

	if (id >= 0) {
		exchange_add_class(x, (uint32_t)id);
		return;
	}
	if (x->n_extra_classes == EXTRA_MAX || exchange_has_class_name(x, name))
		return;
	if (!x->extra_classes)
		x->extra_classes = arena_calloc(&x->pkt.arena, EXTRA_MAX, sizeof(char *));
	copy = arena_strdup(&x->pkt.arena, name);
	if (x->extra_classes && copy)
		x->extra_classes[x->n_extra_classes++] = copy;
}

bool exchange_class_ok(const struct exchange *x, const struct config_class_list *guard)
{
	for (size_t i = 0; i < guard->n; i++)
		if (exchange_has_class(x, guard->ids[i]))
			return true;
	return guard->n == 0;
}

void exchange_count(struct exchange *x, const struct config_subnet *s, enum subnet_metric m)
{
	stats_add(x->stats, subnet_metric_global(m), 1);
	if (s)
		subnet_stats_add(x->snap->subnet_stats[s->index], m);
}
