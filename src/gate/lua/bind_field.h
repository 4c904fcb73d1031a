/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Fields of headers as rules read and write them: getters and setters of numbers, bits, flags and
 * addresses at an offset of a layer, made by macro for the tables of bind_packet.c and
 * bind_transport.c.
 */
#pragma once

#include "gate/lua/bind_class.h"

#include <lauxlib.h>

/* Reads n octets, 4 at most, of a packet; they are zero beyond its end. */
uint32_t bind_read_be(const struct gate_packet *p, uint32_t off, unsigned n);
void bind_write_be(lua_State *L, struct gate_packet *p, uint32_t off, unsigned n, uint64_t v,
		   const char *what);

extern const struct script_class bind_class_ethernet, bind_class_ipv4, bind_class_ipv4_flags,
	bind_class_icmp, bind_class_tcp, bind_class_tcp_flags;
/* Returns its argument: the parent of a packet is the packet itself, in the class below. */
void *bind_same(void *obj);

/* A number of n octets at off of a layer. */
#define NUMBER(name, what, layer, off, n)                                                   \
	static int get_##name(lua_State *L, void *obj)                                      \
	{                                                                                   \
		const struct gate_packet *p = obj;                                          \
		lua_pushnumber(L, bind_read_be(p, p->p.layer + (uint32_t)(off), n));        \
		return 1;                                                                   \
	}                                                                                   \
	static void set_##name(lua_State *L, void *obj, int idx)                            \
	{                                                                                   \
		struct gate_packet *p = obj;                                                \
		uint64_t v = script_check_uint(L, idx, (UINT64_C(1) << 8 * (n)) - 1, what); \
		bind_write_be(L, p, p->p.layer + (uint32_t)(off), n, v, what);              \
	}
/* Some bits of an octet, or of two. */
#define BITS(name, what, layer, off, n, shift, max)                                             \
	static int get_##name(lua_State *L, void *obj)                                          \
	{                                                                                       \
		const struct gate_packet *p = obj;                                              \
		lua_pushnumber(L, bind_read_be(p, p->p.layer + (uint32_t)(off), n) >> (shift) & \
					  (max));                                               \
		return 1;                                                                       \
	}                                                                                       \
	static void set_##name(lua_State *L, void *obj, int idx)                                \
	{                                                                                       \
		struct gate_packet *p = obj;                                                    \
		uint64_t v = script_check_uint(L, idx, max, what);                              \
		uint32_t old = bind_read_be(p, p->p.layer + (uint32_t)(off), n);                \
		bind_write_be(L, p, p->p.layer + (uint32_t)(off), n,                            \
			      (old & ~((uint32_t)(max) << (shift))) | v << (shift), what);      \
	}
#define ADDRESS(name, what, off, field)                                             \
	static int get_##name(lua_State *L, void *obj)                              \
	{                                                                           \
		const struct gate_packet *p = obj;                                  \
		script_push_addr(L, bind_read_be(p, p->p.l3 + (uint32_t)(off), 4)); \
		return 1;                                                           \
	}                                                                           \
	static void set_##name(lua_State *L, void *obj, int idx)                    \
	{                                                                           \
		struct gate_packet *p = obj;                                        \
		uint32_t v = script_check_addr(L, idx, what);                       \
		bind_write_be(L, p, p->p.l3 + (uint32_t)(off), 4, v, what);         \
		p->p.field = v;                                                     \
	}
/* Bit `bit` of the octet at off of layer, as a boolean. */
#define FLAG(name, what, layer, off, bit)                                                        \
	static int get_##name(lua_State *L, void *obj)                                           \
	{                                                                                        \
		const struct gate_packet *p = obj;                                               \
		lua_pushboolean(L, (int)(bind_read_be(p, p->p.layer + (uint32_t)(off), 1) >>     \
					 (bit)&1));                                              \
		return 1;                                                                        \
	}                                                                                        \
	static void set_##name(lua_State *L, void *obj, int idx)                                 \
	{                                                                                        \
		struct gate_packet *p = obj;                                                     \
		uint32_t old = bind_read_be(p, p->p.layer + (uint32_t)(off), 1),                 \
			 mask = 1U << (bit);                                                     \
		bind_write_be(L, p, p->p.layer + (uint32_t)(off), 1,                             \
			      script_check_bool(L, idx, what) ? old | mask : old & ~mask, what); \
	}
