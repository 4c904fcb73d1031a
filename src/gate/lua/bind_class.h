/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The classes of bind_*.c, and their shared functions. Objects: a packet is its struct gate_packet,
 * for every dissector; a flow is its struct flow.
 */
#pragma once

#include "gate/engine/dissect.h"
#include "script/values/addr.h"
#include "script/state/class.h"

extern const struct script_class bind_class_flow, bind_class_udp;
/* The classes of pkt.flags; ends with NULL. */
extern const struct script_class *const bind_flag_classes[];
/* Classes of applications: arguments of their events' listeners. End with NULL. */
extern const struct script_class *const bind_dns_classes[], *const bind_http_classes[];
/* Returns the class of a dissector's packets (dhcp: of the packet with the message); NULL: it has
 * none of its own. */
const struct script_class *bind_packet_class(enum gate_dissector d);

/* Returns the engine of a packet. */
static inline struct gate *bind_gate(const struct gate_packet *p)
{
	return p->g;
}

/* Returns the engine of a state. */
struct gate *bind_gate_of(lua_State *L);
/* Pushes len octets at off of a packet, as a vbuffer. */
void bind_push_payload(lua_State *L, struct gate_packet *p, uint32_t off, uint32_t len);

/* --- bind_create.c: packets that rules make, and where packets go ----------------------------- */

int bind_get_state(lua_State *L, void *obj);
/* Pushes the field `name`: of the dissector of the packet's handle. */
int bind_get_name(lua_State *L, void *obj);
/* Pushes the table packet.data. */
void bind_push_data(lua_State *L, const struct gate_packet *p);
void bind_set_iface(lua_State *L, void *obj, int idx);
/* pkt:drop(), send(), inject(), parent(). */
extern const struct script_method bind_verbs[];
int bind_parent(lua_State *L);
/* Adds haka.dissectors.<x>.create of those that can be made, and haka.capture_mode(). In a
 * protected call. */
int bind_open_create(lua_State *L);

void bind_push_flow(lua_State *L, struct flow *f);
/* Pushes the arguments of query and response. Returns how many. */
int bind_push_dns(lua_State *L, struct gate_walk *w, struct flow *f, enum gate_event e);
/* Pushes the first arguments of http's events: the connection, and the head if the event is about
 * it. */
int bind_push_http(lua_State *L, struct flow *f, enum gate_event e);
/* Adds haka.dissectors.http.uri and .cookies. In a protected call. */
int bind_open_http(lua_State *L);
/* Raises the error of a write that failed; 0 returns. */
void bind_check_write(lua_State *L, int result, const char *what);
