/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The classes of bind_*.c, and what they share. Objects: a packet is its struct gate_packet, whatever the
 * dissector that is asked; a flow is its struct flow.
 */
#pragma once

#include "gate/dissect.h"
#include "script/addr.h"
#include "script/class.h"

extern const struct script_class bind_class_flow, bind_class_udp;
/* The classes of pkt.flags; ends with NULL. */
extern const struct script_class *const bind_flag_classes[];
/* By dissector (dhcp: what the message came in); NULL: it has no packets of its own. */
const struct script_class *bind_packet_class(enum gate_dissector d);

/* The engine whose packet p is. */
static inline struct gate *bind_gate(struct gate_packet *p)
{
	return container_of(p, struct gate, pkt);
}

/* The engine of a state. */
struct gate *bind_gate_of(lua_State *L);
/* Pushes len octets at off of the packet, as a vbuffer. */
void bind_push_payload(lua_State *L, struct gate *g, uint32_t off, uint32_t len);
void bind_push_flow(lua_State *L, struct flow *f);
/* Raises the error of a write that failed; 0 returns. */
void bind_check_write(lua_State *L, int result, const char *what);
