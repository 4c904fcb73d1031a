/* SPDX-License-Identifier: MPL-2.0 */
/*
 * IPv4 in Lua: the header's fields, payload and checksum.
 */
#include "gate/lua/bind_field.h"

#include "gate/engine/verdict.h"
#include "gate/net/net.h"
#include "wire/ipv4.h"

ADDRESS(ip_src, "ipv4.src", 12, src)
ADDRESS(ip_dst, "ipv4.dst", 16, dst)
BITS(ip_version, "ipv4.version", l3, 0, 1, 4, 0xfU)
NUMBER(ip_tos, "ipv4.tos", l3, 1, 1)
NUMBER(ip_len, "ipv4.len", l3, 2, 2)
NUMBER(ip_id, "ipv4.id", l3, 4, 2)
NUMBER(ip_ttl, "ipv4.ttl", l3, 8, 1)
NUMBER(ip_proto, "ipv4.proto", l3, 9, 1)
NUMBER(ip_checksum, "ipv4.checksum", l3, 10, 2)
BITS(ip_all_flags, "ipv4.flags.all", l3, 6, 1, 5, 7U)

static int get_ip_hdr_len(lua_State *L, void *obj)
{
	lua_pushnumber(L, ((const struct gate_packet *)obj)->l3_len);
	return 1;
}

/* Pushes the fragment offset in octets, as Haka counts. */
static int get_ip_offset(lua_State *L, void *obj)
{
	const struct gate_packet *p = obj;

	lua_pushnumber(L, (bind_read_be(p, p->p.l3 + 6U, 2) & IPV4_OFFSET_MASK) * 8);
	return 1;
}

static void set_ip_offset(lua_State *L, void *obj, int idx)
{
	struct gate_packet *p = obj;
	uint64_t v = script_check_uint(L, idx, IPV4_OFFSET_MASK * 8U, "ipv4.frag_offset");
	uint32_t old = bind_read_be(p, p->p.l3 + 6U, 2);

	if (v % 8)
		(void)luaL_error(L, "ipv4.frag_offset: a multiple of 8 expected, got %d", (int)v);
	bind_write_be(L, p, p->p.l3 + 6U, 2, (old & ~(uint32_t)IPV4_OFFSET_MASK) | v / 8,
		      "ipv4.frag_offset");
}

static int get_ip_payload(lua_State *L, void *obj)
{
	struct gate_packet *p = obj;

	bind_push_payload(L, p, p->p.l4, p->end - p->p.l4);
	return 1;
}

static int get_keep_fragments(lua_State *L, void *obj)
{
	lua_pushboolean(L, ((const struct gate_packet *)obj)->keep_fragments);
	return 1;
}

static void set_keep_fragments(lua_State *L, void *obj, int idx)
{
	((struct gate_packet *)obj)->keep_fragments = script_check_bool(L, idx,
									"ipv4.dont_reassemble");
}

FLAG(ip_rb, "ipv4.flags.rb", l3, 6, 7)
FLAG(ip_df, "ipv4.flags.df", l3, 6, 6)
FLAG(ip_mf, "ipv4.flags.mf", l3, 6, 5)
static const struct script_field ip_flags_fields[] = {
	{"rb", get_ip_rb, set_ip_rb},
	{"df", get_ip_df, set_ip_df},
	{"mf", get_ip_mf, set_ip_mf},
	{"all", get_ip_all_flags, set_ip_all_flags},
	{0},
};
const struct script_class bind_class_ipv4_flags = {.name = "ipv4.flags", .fields = ip_flags_fields};

static int get_ip_flags(lua_State *L, void *obj)
{
	struct gate_packet *p = obj;

	script_push(L, &bind_class_ipv4_flags, p, &p->generation);
	return 1;
}

static int method_ip_verify(lua_State *L)
{
	const struct gate_packet *p = script_check(L, 1, &bind_class_ipv4);
	struct rd r = gate_rd(p, p->p.l3);
	struct ipv4_hdr ip;

	lua_pushboolean(L, ipv4_read(&r, &ip) == 0 && ip.csum_ok);
	return 1;
}

static int method_ip_compute(lua_State *L)
{
	struct gate_packet *p = script_check(L, 1, &bind_class_ipv4);
	struct gate *g = bind_gate(p);

	bind_check_write(L, verdict_write(g, p, p->p.l3, p->p.data + p->p.l3, 1),
			 "compute_checksum");
	net_complete(g, p);
	return 0;
}

static const struct script_field ipv4_fields[] = {
	{"src", get_ip_src, set_ip_src},
	{"dst", get_ip_dst, set_ip_dst},
	{"version", get_ip_version, set_ip_version},
	{"hdr_len", get_ip_hdr_len, NULL},
	{"tos", get_ip_tos, set_ip_tos},
	{"len", get_ip_len, set_ip_len},
	{"id", get_ip_id, set_ip_id},
	{"ttl", get_ip_ttl, set_ip_ttl},
	{"proto", get_ip_proto, set_ip_proto},
	{"checksum", get_ip_checksum, set_ip_checksum},
	{"frag_offset", get_ip_offset, set_ip_offset},
	{"flags", get_ip_flags, NULL},
	{"payload", get_ip_payload, NULL},
	{"dont_reassemble", get_keep_fragments, set_keep_fragments},
	{"name", bind_get_name, NULL},
	{0},
};
static const struct script_method ipv4_methods[] = {{"verify_checksum", method_ip_verify},
						    {"compute_checksum", method_ip_compute},
						    {0}};
const struct script_class bind_class_ipv4 = {.name = "ipv4",
					     .fields = ipv4_fields,
					     .methods = ipv4_methods,
					     .parent = &bind_class_ethernet,
					     .to_parent = bind_same};
