/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The exchange object: reset, identity, label, class membership. Classes are a bit set over the
 * names that the configuration mentions; a name it never mentions can matter to nobody but hooks and
 * logs, so those few are kept as strings.
 */
#include "server/exchange.h"

#include "base/buf.h"
#include "base/ip.h"
#include "config/config.h"
#include "runtime/iface.h"
#include "server/server.h"
#include "server/snapshot.h"
#include "server/worker.h"

#include <stddef.h>
#include <stdio.h>

void exchange_reset(struct exchange *x)
{
	enum { FROM = offsetof(struct exchange, capture), TO = offsetof(struct exchange, query) };

	x->parked = (struct hook_parked){.resume = x->parked.resume};
	packet_reset(&x->pkt);
	memset((uint8_t *)x + FROM, 0, TO - FROM);
}

struct server *exchange_server(const struct exchange *x)
{
	return worker_server(x->w);
}

struct log *exchange_log(const struct exchange *x)
{
	return exchange_server(x)->log;
}

const char *exchange_iface_name(const struct exchange *x)
{
	return x->iface ? x->iface->name : "";
}

void exchange_leave_lot(struct exchange *x)
{
	if (!x->lot)
		return;
	(void)atomic_fetch_sub(&exchange_server(x)->parked[x->lot - 1], 1);
	x->lot = 0;
}

struct lease_client exchange_client(const struct exchange *x, const struct config_subnet *s)
{
	bool match = s ? s->params.match_client_id : x->cfg->params.match_client_id;

	return (struct lease_client){match ? x->client_id : SPAN_NULL, x->hw};
}

static size_t label_hex(char *out, size_t cap, struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n && n + 4 < cap; i++)
		n += (size_t)snprintf(out + n, cap - n, i ? ":%02x" : "%02x", s.p[i]);
	return n;
}

const char *exchange_label(struct exchange *x)
{
	char hw[64] = "";
	char cid[200] = "no info";
	const char *label;

	(void)label_hex(hw, sizeof(hw), x->hw);
	if (x->client_id.n)
		(void)label_hex(cid, sizeof(cid), x->client_id);
	label = arena_printf(&x->pkt.arena, "[hwtype=%u %s], cid=[%s], tid=0x%x", x->query.htype, hw, cid,
			     x->query.xid);
	return label ? label : "[?]";
}

static uint32_t class_words(const struct exchange *x)
{
	return (x->cfg->n_class_names + 63) / 64;
}

/* The bit set is made with the first class; false when the arena is full. */
static bool class_room(struct exchange *x)
{
	if (x->class_bits)
		return true;
	x->class_bits = arena_calloc(&x->pkt.arena, class_words(x), sizeof(uint64_t));
	x->class_order = arena_calloc(&x->pkt.arena, x->cfg->n_class_names, sizeof(uint32_t));
	if (!x->class_bits || !x->class_order) {
		x->class_bits = NULL;
		return false;
	}
	return true;
}

bool exchange_has_class(const struct exchange *x, uint32_t id)
{
	return x->class_bits && id < x->cfg->n_class_names && (x->class_bits[id / 64] >> (id % 64) & 1);
}

void exchange_add_class(struct exchange *x, uint32_t id)
{
	if (id >= x->cfg->n_class_names || exchange_has_class(x, id) || !class_room(x))
		return;
	x->class_bits[id / 64] |= 1ULL << (id % 64);
	x->class_order[x->n_class_order++] = id;
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
	stats_add(worker_stats(x->w), subnet_metric_global(m), 1);
	if (s)
		subnet_stats_add(x->snap->subnet_stats[s->index], m);
}
