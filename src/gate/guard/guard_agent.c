/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Option 82 of a switch (RFC 3046 2.1): which port of which switch a request came from. It is
 * inserted on the way to the servers and removed from their answers, where only this switch has a
 * use for it.
 */
#include "gate/guard/guard_impl.h"
#include "wire/eth.h"
#include "wire/option_codes.h"

enum { MTU = 1500, AGENT_MAX = 2 * (2 + GUARD_NAME_LEN) };

static void write_option(struct wr *w, uint8_t code, const void *octets, size_t n)
{
	wr_u8(w, code);
	wr_u8(w, (uint8_t)n);
	wr_bytes(w, octets, n);
}

static size_t agent_options(const struct guard *gd, const struct guard_port *port,
			    uint8_t out[AGENT_MAX])
{
	struct wr w = wr_init(out, AGENT_MAX);

	write_option(&w, RAI_CIRCUIT_ID, port->name, strlen(port->name));
	write_option(&w, RAI_REMOTE_ID, gd->remote_id, gd->remote_id_len);
	return w.len;
}

void guard_agent_add(struct guard *gd, struct gate_packet *p)
{
	struct dhcp4_msg *m = gate_dhcp_msg(gd->gate);
	bool there = dhcp4_opt(m, DHCP4_OPT_AGENT_OPTIONS) != NULL;
	uint8_t octets[AGENT_MAX];
	size_t n = agent_options(gd, guard_port_of(gd, p), octets);
	bool fits = p->end - p->p.l3 + 2 + n <= MTU;

	if (there && gd->o.agent == GUARD_AGENT_KEEP)
		return;
	if ((!there && !gd->o.add_agent) || (!there && !fits)) {
		if (gd->o.add_agent)
			guard_count(gd, GUARD_COUNT_AGENT_NO_ROOM);
		return;
	}
	if (gate_dhcp_change(gd->gate, p) < 0)
		return;
	(void)dhcp4_opt_del(m, DHCP4_OPT_AGENT_OPTIONS);
	if (!gd->o.add_agent)
		return;
	if (fits && dhcp4_opt_set(m, DHCP4_OPT_AGENT_OPTIONS, span_of(octets, n)) == 0)
		guard_count(gd, GUARD_COUNT_AGENT_ADDED);
	else
		guard_count(gd, GUARD_COUNT_AGENT_NO_ROOM);
}

void guard_agent_remove(struct guard *gd, struct gate_packet *p)
{
	struct dhcp4_msg *m = gate_dhcp_msg(gd->gate);
	struct span ours;

	if (!gd->o.add_agent ||
	    !dhcp4_subopt(dhcp4_opt_data(m, DHCP4_OPT_AGENT_OPTIONS), RAI_REMOTE_ID, &ours) ||
	    !span_eq(ours, span_of(gd->remote_id, gd->remote_id_len)) ||
	    gate_dhcp_change(gd->gate, p) < 0)
		return;
	(void)dhcp4_opt_del(m, DHCP4_OPT_AGENT_OPTIONS);
	guard_count(gd, GUARD_COUNT_AGENT_REMOVED);
}
