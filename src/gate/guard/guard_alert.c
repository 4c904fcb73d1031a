/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Limits of alerts. The first sight of an offender raises an alert, then it is only counted for a
 * while: a flood makes no flood of alerts. The table is of fixed size; an offender that was evicted
 * is new.
 */
#include "gate/guard/guard_impl.h"

#include <errno.h>
#include <stdlib.h>

enum { WAYS = 4, BY_HOST = 0, BY_PORT = 1 };

struct offender {
	uint64_t hash;
	int64_t first_ns, last_ns, told_ns;
	uint64_t count;
};

struct guard_offenders {
	uint32_t n_rows;
	struct offender at[];
};

static const struct {
	enum guard_severity severity;
	uint8_t by;
	bool told;
} kinds[GATE_DROP_N] = {
#define ALERT(drop, severity, by) [GATE_DROP_##drop] = {GUARD_##severity, BY_##by, true},
#include "gate/guard/alert.def"
#undef ALERT
};

bool guard_alerts_of(enum gate_drop d)
{
	return kinds[d].told;
}

int guard_offenders_new(uint32_t max, struct guard_offenders **ret)
{
	uint32_t n = max / WAYS + 1;
	struct guard_offenders *t = calloc(1, sizeof(*t) + (size_t)n * WAYS * sizeof(t->at[0]));

	if (!t)
		return -ENOMEM;
	t->n_rows = n;
	*ret = t;
	return 0;
}

void guard_offenders_free(struct guard_offenders *t)
{
	free(t);
}

static uint64_t offender_key(const struct guard *gd, const struct gate_packet *p,
			     enum gate_drop why)
{
	uint8_t octets[4 + 6] = {(uint8_t)why, (uint8_t)(why >> 8), (uint8_t)p->frame.port,
				 (uint8_t)(p->frame.port >> 8)};

	if (kinds[why].by == BY_HOST)
		memcpy(octets + 4, p->p.l2_src, 6);
	return hash_bytes(&gd->o.hash_key, span_of(octets, sizeof(octets)));
}

static struct offender *offender(struct guard_offenders *t, uint64_t hash, int64_t now_ns)
{
	struct offender *row = &t->at[hash % t->n_rows * WAYS], *rested = row;

	for (unsigned i = 0; i < WAYS; i++) {
		if (row[i].hash == hash && row[i].count)
			return &row[i];
		if (row[i].last_ns < rested->last_ns)
			rested = &row[i];
	}
	*rested = (struct offender){.hash = hash, .first_ns = now_ns};
	return rested;
}

void guard_alert(struct guard *gd, const struct gate_packet *p, enum gate_drop why)
{
	struct guard_port *port = &gd->ports[p->frame.port < FRAMES_MAX_PORTS
						     ? p->frame.port
						     : FRAMES_MAX_PORTS - 1];
	int64_t now = gd->gate->now_ns;
	struct offender *o = offender(gd->offenders, offender_key(gd, p, why), now);
	bool due = !o->count || now - o->told_ns >= gd->o.alert_ns;
	struct guard_alert a = {
		.what = why,
		.severity = kinds[why].severity,
		.mac = p->p.l2_src,
		.ip = p->p.src,
		.server_id = gd->server_id,
		.port = p->frame.port,
		.vlan = p->vlans,
		.port_name = port->name,
		.text = gate_drop_info(why)->sentence,
		.time_ns = now,
		.first_ns = o->first_ns,
		.count = ++o->count,
		.passed = gd->gate->pass_through,
	};

	o->last_ns = now;
	if (!kinds[why].told || !gd->o.alert)
		return;
	if (!due || !guard_rate_ok(&gd->o.alerts, port->alerts_paid_ns, now)) {
		guard_count(gd, GUARD_COUNT_ALERTS_HELD);
		return;
	}
	guard_rate_take(&gd->o.alerts, &port->alerts_paid_ns, now);
	o->told_ns = now;
	guard_count(gd, GUARD_COUNT_ALERTS);
	gd->alerts[why]++;
	gd->o.alert(gd->o.alert_ctx, &a);
}
