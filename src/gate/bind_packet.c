/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Packets in Lua, a class a dissector; what one does not have it asks of the one below (tcp.src is IPv4's). Fields
 * are read from the octets and written to them; lengths and checksums follow when the packet goes on.
 */
#include "gate/bind_class.h"
#include "gate/verdict.h"
#include "script/moment.h"
#include "wire/checksum.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

#include <lauxlib.h>

enum { TCP_FLAGS_OFF = 13 };

/* --- Octets of headers -------------------------------------------------------------------------------------- */

static uint32_t read_be(const struct gate_packet *p, uint32_t off, unsigned n)
{
	struct rd r = rd_init(span_of(p->p.data, p->p.len));
	uint32_t v = 0;

	(void)rd_bytes(&r, off);
	for (unsigned i = 0; i < n; i++)
		v = v << 8 | rd_u8(&r);
	return v;
}

static void write_be(lua_State *L, struct gate_packet *p, uint32_t off, unsigned n, uint64_t v, const char *what)
{
	uint8_t octets[4];

	for (unsigned i = n; i > 0; i--, v >>= 8)
		octets[i - 1] = (uint8_t)v;
	bind_check_write(L, verdict_write(bind_gate(p), p, off, octets, n), what);
}

/* A number of n octets at off of a layer. */
#define NUMBER(name, what, layer, off, n)                                                          \
	static int get_##name(lua_State *L, void *obj)                                             \
	{                                                                                          \
		const struct gate_packet *p = obj;                                                 \
		lua_pushnumber(L, read_be(p, p->p.layer + (uint32_t)(off), n));                    \
		return 1;                                                                          \
	}                                                                                          \
	static void set_##name(lua_State *L, void *obj, int idx)                                   \
	{                                                                                          \
		struct gate_packet *p = obj;                                                       \
		uint64_t v = script_check_uint(L, idx, (UINT64_C(1) << 8 * (n)) - 1, what);        \
		write_be(L, p, p->p.layer + (uint32_t)(off), n, v, what);                          \
	}
/* Some bits of an octet, or of two. */
#define BITS(name, what, layer, off, n, shift, max)                                                \
	static int get_##name(lua_State *L, void *obj)                                             \
	{                                                                                          \
		const struct gate_packet *p = obj;                                                 \
		lua_pushnumber(L, read_be(p, p->p.layer + (uint32_t)(off), n) >> (shift) & (max)); \
		return 1;                                                                          \
	}                                                                                          \
	static void set_##name(lua_State *L, void *obj, int idx)                                   \
	{                                                                                          \
		struct gate_packet *p = obj;                                                       \
		uint64_t v = script_check_uint(L, idx, max, what);                                 \
		uint32_t old = read_be(p, p->p.layer + (uint32_t)(off), n);                        \
		write_be(L, p, p->p.layer + (uint32_t)(off), n,                                    \
			 (old & ~((uint32_t)(max) << (shift))) | v << (shift), what);              \
	}
#define ADDRESS(name, what, off, field)                                                            \
	static int get_##name(lua_State *L, void *obj)                                             \
	{                                                                                          \
		const struct gate_packet *p = obj;                                                 \
		script_push_addr(L, read_be(p, p->p.l3 + (uint32_t)(off), 4));                     \
		return 1;                                                                          \
	}                                                                                          \
	static void set_##name(lua_State *L, void *obj, int idx)                                   \
	{                                                                                          \
		struct gate_packet *p = obj;                                                       \
		uint32_t v = script_check_addr(L, idx, what);                                      \
		write_be(L, p, p->p.l3 + (uint32_t)(off), 4, v, what);                             \
		p->p.field = v;                                                                    \
	}
#define MAC(name, what, at)                                                                        \
	static int get_##name(lua_State *L, void *obj)                                             \
	{                                                                                          \
		return push_mac(L, obj, at(obj));                                                  \
	}                                                                                          \
	static void set_##name(lua_State *L, void *obj, int idx)                                   \
	{                                                                                          \
		set_mac(L, obj, at(obj), idx, what);                                               \
	}

static int push_mac(lua_State *L, const struct gate_packet *p, uint32_t off)
{
	const uint8_t *m = p->p.data + off;

	if (off + ETH_ADDR_LEN > p->p.len)
		return 0;
	lua_pushfstring(L, "%c%c:%c%c:%c%c:%c%c:%c%c:%c%c", "0123456789abcdef"[m[0] >> 4], "0123456789abcdef"[m[0] & 15],
			"0123456789abcdef"[m[1] >> 4], "0123456789abcdef"[m[1] & 15], "0123456789abcdef"[m[2] >> 4],
			"0123456789abcdef"[m[2] & 15], "0123456789abcdef"[m[3] >> 4], "0123456789abcdef"[m[3] & 15],
			"0123456789abcdef"[m[4] >> 4], "0123456789abcdef"[m[4] & 15], "0123456789abcdef"[m[5] >> 4],
			"0123456789abcdef"[m[5] & 15]);
	return 1;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static void set_mac(lua_State *L, struct gate_packet *p, uint32_t off, int idx, const char *what)
{
	struct span s = script_check_span(L, idx, what);
	uint8_t mac[ETH_ADDR_LEN];

	if (s.n != 3 * ETH_ADDR_LEN - 1)
		script_expected(L, idx, what, "a hardware address such as 02:00:00:00:00:01");
	for (size_t i = 0; i < ETH_ADDR_LEN; i++) {
		int high = hex_digit((char)s.p[3 * i]), low = hex_digit((char)s.p[3 * i + 1]);

		if (high < 0 || low < 0 || (i + 1 < ETH_ADDR_LEN && s.p[3 * i + 2] != ':'))
			script_expected(L, idx, what, "a hardware address such as 02:00:00:00:00:01");
		mac[i] = (uint8_t)(high << 4 | low);
	}
	bind_check_write(L, verdict_write(bind_gate(p), p, off, mac, sizeof(mac)), what);
}

static uint32_t at_dst(const struct gate_packet *p)
{
	return p->p.l2 == PACKET_NO_LAYER ? UINT16_MAX : p->p.l2;
}

static uint32_t at_src(const struct gate_packet *p)
{
	return p->p.l2 == PACKET_NO_LAYER ? UINT16_MAX : p->p.l2 + (uint32_t)ETH_ADDR_LEN;
}

static uint32_t at_sha(const struct gate_packet *p)
{
	return p->p.l3 + 8U;
}

static uint32_t at_tha(const struct gate_packet *p)
{
	return p->p.l3 + 18U;
}

/* --- Raw, Ethernet, VLAN, ARP ---------------------------------------------------------------------------------- */

static int get_len(lua_State *L, void *obj)
{
	lua_pushnumber(L, ((const struct gate_packet *)obj)->p.len);
	return 1;
}

static int get_id(lua_State *L, void *obj)
{
	lua_pushnumber(L, (lua_Number)((const struct gate_packet *)obj)->frame.id);
	return 1;
}

static int get_iface(lua_State *L, void *obj)
{
	struct gate_packet *p = obj;

	lua_pushstring(L, frames_port_name(bind_gate(p)->frames, p->frame.port & ~(unsigned)FRAME_BACK));
	return 1;
}

static int get_timestamp(lua_State *L, void *obj)
{
	script_push_time(L, ((const struct gate_packet *)obj)->frame.ts_ns);
	return 1;
}

static bool is_of_packets(const struct script_class *cls)
{
	for (unsigned d = 0; d < DISSECT_N; d++)
		if (bind_packet_class((enum gate_dissector)d) == cls)
			return true;
	return false;
}

/* Of the dissector as which it is looked at. */
static int get_name(lua_State *L, void *obj)
{
	const struct script_class *cls = script_class_of(L, 1);

	(void)obj;
	while (cls && !is_of_packets(cls))
		cls = cls->parent;
	lua_pushstring(L, cls ? cls->name : "packet");
	return 1;
}

/* Haka's packet begins with its network header. */
static int get_raw_payload(lua_State *L, void *obj)
{
	struct gate_packet *p = obj;
	uint32_t off = p->p.l3 == PACKET_NO_LAYER ? 0 : p->p.l3;

	bind_push_payload(L, p, off, p->p.len - off);
	return 1;
}

static const struct script_field raw_fields[] = {
	{"len", get_len, NULL},	      {"id", get_id, NULL},	{"iface", get_iface, bind_set_iface},
	{"timestamp", get_timestamp, NULL}, {"name", get_name, NULL}, {"payload", get_raw_payload, NULL},
	{"state", bind_get_state, NULL},
	{0},
};
static const struct script_class class_raw = {.name = "packet", .fields = raw_fields, .methods = bind_verbs};

static void *same(void *obj)
{
	return obj;
}

static int get_eth_type(lua_State *L, void *obj)
{
	lua_pushnumber(L, ((const struct gate_packet *)obj)->eth_type);
	return 1;
}

static void set_eth_type(lua_State *L, void *obj, int idx)
{
	uint64_t type = script_check_uint(L, idx, UINT16_MAX, "ethernet.type");
	struct gate_packet *p = obj;

	if (p->p.l2 == PACKET_NO_LAYER)
		(void)luaL_error(L, "ethernet.type: there is no such header");
	write_be(L, p, p->p.l3 - 2U, 2, type, "ethernet.type");
	p->eth_type = (uint16_t)type;
}

MAC(eth_src, "ethernet.src", at_src)
MAC(eth_dst, "ethernet.dst", at_dst)
static const struct script_field ethernet_fields[] = {
	{"src", get_eth_src, set_eth_src},
	{"dst", get_eth_dst, set_eth_dst},
	{"src_mac", get_eth_src, set_eth_src},
	{"dst_mac", get_eth_dst, set_eth_dst},
	{"type", get_eth_type, set_eth_type},
	{0},
};
static const struct script_class class_ethernet = {
	.name = "ethernet", .fields = ethernet_fields, .parent = &class_raw, .to_parent = same};

BITS(vlan_vid, "vlan.vid", l2, 14, 2, 0, 0xfffU)
BITS(vlan_pcp, "vlan.pcp", l2, 14, 2, 13, 7U)
BITS(vlan_dei, "vlan.dei", l2, 14, 2, 12, 1U)
static const struct script_field vlan_fields[] = {
	{"vid", get_vlan_vid, set_vlan_vid},
	{"pcp", get_vlan_pcp, set_vlan_pcp},
	{"dei", get_vlan_dei, set_vlan_dei},
	{0},
};
static const struct script_class class_vlan = {
	.name = "vlan", .fields = vlan_fields, .parent = &class_ethernet, .to_parent = same};

NUMBER(arp_op, "arp.op", l3, 6, 2)
ADDRESS(arp_spa, "arp.spa", 14, src)
ADDRESS(arp_tpa, "arp.tpa", 24, dst)
MAC(arp_sha, "arp.sha", at_sha)
MAC(arp_tha, "arp.tha", at_tha)
static const struct script_field arp_fields[] = {
	{"op", get_arp_op, set_arp_op},	   {"spa", get_arp_spa, set_arp_spa}, {"tpa", get_arp_tpa, set_arp_tpa},
	{"sha", get_arp_sha, set_arp_sha}, {"tha", get_arp_tha, set_arp_tha}, {0},
};
static const struct script_class class_arp = {
	.name = "arp", .fields = arp_fields, .parent = &class_ethernet, .to_parent = same};

/* --- IPv4 -------------------------------------------------------------------------------------------------------- */

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

/* In octets, as Haka counts. */
static int get_ip_offset(lua_State *L, void *obj)
{
	const struct gate_packet *p = obj;

	lua_pushnumber(L, (read_be(p, p->p.l3 + 6U, 2) & IPV4_OFFSET_MASK) * 8);
	return 1;
}

static void set_ip_offset(lua_State *L, void *obj, int idx)
{
	struct gate_packet *p = obj;
	uint64_t v = script_check_uint(L, idx, IPV4_OFFSET_MASK * 8U, "ipv4.frag_offset");
	uint32_t old = read_be(p, p->p.l3 + 6U, 2);

	if (v % 8)
		(void)luaL_error(L, "ipv4.frag_offset: a multiple of 8 expected, got %d", (int)v);
	write_be(L, p, p->p.l3 + 6U, 2, (old & ~(uint32_t)IPV4_OFFSET_MASK) | v / 8, "ipv4.frag_offset");
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
	((struct gate_packet *)obj)->keep_fragments = script_check_bool(L, idx, "ipv4.dont_reassemble");
}

/* Bit `bit` of the octet at off of layer, as a boolean. */
#define FLAG(name, what, layer, off, bit)                                                          \
	static int get_##name(lua_State *L, void *obj)                                             \
	{                                                                                          \
		const struct gate_packet *p = obj;                                                 \
		lua_pushboolean(L, (int)(read_be(p, p->p.layer + (uint32_t)(off), 1) >> (bit) & 1)); \
		return 1;                                                                          \
	}                                                                                          \
	static void set_##name(lua_State *L, void *obj, int idx)                                   \
	{                                                                                          \
		struct gate_packet *p = obj;                                                       \
		uint32_t old = read_be(p, p->p.layer + (uint32_t)(off), 1), mask = 1U << (bit);    \
		write_be(L, p, p->p.layer + (uint32_t)(off), 1,                                    \
			 script_check_bool(L, idx, what) ? old | mask : old & ~mask, what);        \
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
static const struct script_class class_ip_flags = {.name = "ipv4.flags", .fields = ip_flags_fields};

static int get_ip_flags(lua_State *L, void *obj)
{
	struct gate_packet *p = obj;

	script_push(L, &class_ip_flags, p, &p->generation);
	return 1;
}

static const struct script_class class_ipv4;

static int method_ip_verify(lua_State *L)
{
	const struct gate_packet *p = script_check(L, 1, &class_ipv4);
	struct rd r = gate_rd(p, p->p.l3);
	struct ipv4_hdr ip;

	lua_pushboolean(L, ipv4_read(&r, &ip) == 0 && ip.csum_ok);
	return 1;
}

static int method_ip_compute(lua_State *L)
{
	struct gate_packet *p = script_check(L, 1, &class_ipv4);
	struct gate *g = bind_gate(p);

	bind_check_write(L, verdict_write(g, p, p->p.l3, p->p.data + p->p.l3, 1), "compute_checksum");
	send_ipv4(g, p);
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
	{0},
};
static const struct script_method ipv4_methods[] = {
	{"verify_checksum", method_ip_verify}, {"compute_checksum", method_ip_compute}, {0}};
static const struct script_class class_ipv4 = {.name = "ipv4",
					       .fields = ipv4_fields,
					       .methods = ipv4_methods,
					       .parent = &class_ethernet,
					       .to_parent = same};

/* --- ICMP, UDP, TCP ------------------------------------------------------------------------------------------------ */

static int get_payload(lua_State *L, void *obj)
{
	struct gate_packet *p = obj;

	bind_push_payload(L, p, p->p.app, p->p.app_len);
	return 1;
}

/* As it came; or, once it was written, as it stands. */
static int method_verify(lua_State *L)
{
	struct gate_packet *p = script_check(L, 1, &class_ipv4);
	struct span s = span_of(p->p.data + p->p.l4, (size_t)p->l4_len + p->p.app_len);
	bool good;

	if (!p->dirty)
		good = gate_checksum(bind_gate(p), p) == CHECKSUM_GOOD;
	else
		good = p->proto == IPV4_PROTO_UDP ? udp_csum_ok(p->p.src, p->p.dst, s) : tcp_csum_ok(p->p.src, p->p.dst, s);
	lua_pushboolean(L, good);
	return 1;
}

/* The rule takes the packet as it is, and what it says is to be right. */
static int method_compute(lua_State *L)
{
	struct gate_packet *p = script_check(L, 1, &class_ipv4);
	struct gate *g = bind_gate(p);

	bind_check_write(L, verdict_write(g, p, p->p.l4, p->p.data + p->p.l4, 1), "compute_checksum");
	p->checksum = CHECKSUM_GOOD;
	if (p->proto == IPV4_PROTO_ICMP)
		send_icmp(g, p);
	else if (p->proto == IPV4_PROTO_UDP)
		send_udp(g, p);
	else
		send_tcp(g, p);
	return 0;
}

NUMBER(icmp_type, "icmp.type", l4, 0, 1)
NUMBER(icmp_code, "icmp.code", l4, 1, 1)
NUMBER(icmp_checksum, "icmp.checksum", l4, 2, 2)
static const struct script_field icmp_fields[] = {
	{"type", get_icmp_type, set_icmp_type},
	{"code", get_icmp_code, set_icmp_code},
	{"checksum", get_icmp_checksum, set_icmp_checksum},
	{"payload", get_payload, NULL},
	{0},
};
static int method_icmp_verify(lua_State *L)
{
	const struct gate_packet *p = script_check(L, 1, &class_ipv4);

	lua_pushboolean(L, checksum_fold(checksum_add(0, span_of(p->p.data + p->p.l4, p->end - p->p.l4))) == 0);
	return 1;
}

static const struct script_method icmp_methods[] = {
	{"verify_checksum", method_icmp_verify}, {"compute_checksum", method_compute}, {0}};
static const struct script_class class_icmp = {
	.name = "icmp", .fields = icmp_fields, .methods = icmp_methods, .parent = &class_ipv4, .to_parent = same};

/* Ports are kept beside the octets: a flow is looked up by them. */
static void note_ports(struct gate_packet *p)
{
	p->p.sport = (uint16_t)read_be(p, p->p.l4, 2);
	p->p.dport = (uint16_t)read_be(p, p->p.l4 + 2U, 2);
}

NUMBER(port_src, "srcport", l4, 0, 2)
NUMBER(port_dst, "dstport", l4, 2, 2)

static void write_port_src(lua_State *L, void *obj, int idx)
{
	set_port_src(L, obj, idx);
	note_ports(obj);
}

static void write_port_dst(lua_State *L, void *obj, int idx)
{
	set_port_dst(L, obj, idx);
	note_ports(obj);
}

NUMBER(udp_length, "udp.length", l4, 4, 2)
NUMBER(udp_checksum, "udp.checksum", l4, 6, 2)
static const struct script_field udp_fields[] = {
	{"srcport", get_port_src, write_port_src},
	{"dstport", get_port_dst, write_port_dst},
	{"length", get_udp_length, set_udp_length},
	{"checksum", get_udp_checksum, set_udp_checksum},
	{"payload", get_payload, NULL},
	{0},
};
static const struct script_method transport_methods[] = {
	{"verify_checksum", method_verify}, {"compute_checksum", method_compute}, {0}};
const struct script_class bind_class_udp = {
	.name = "udp", .fields = udp_fields, .methods = transport_methods, .parent = &class_ipv4, .to_parent = same};

NUMBER(tcp_seq, "tcp.seq", l4, 4, 4)
NUMBER(tcp_ack, "tcp.ack_seq", l4, 8, 4)
NUMBER(tcp_window, "tcp.window_size", l4, 14, 2)
NUMBER(tcp_checksum, "tcp.checksum", l4, 16, 2)
NUMBER(tcp_urgent, "tcp.urgent_pointer", l4, 18, 2)
BITS(tcp_res, "tcp.res", l4, 12, 1, 0, 0xfU)

static int get_tcp_hdr_len(lua_State *L, void *obj)
{
	lua_pushnumber(L, ((const struct gate_packet *)obj)->l4_len);
	return 1;
}

FLAG(tcp_fin, "tcp.flags.fin", l4, TCP_FLAGS_OFF, 0)
FLAG(tcp_syn, "tcp.flags.syn", l4, TCP_FLAGS_OFF, 1)
FLAG(tcp_rst, "tcp.flags.rst", l4, TCP_FLAGS_OFF, 2)
FLAG(tcp_psh, "tcp.flags.psh", l4, TCP_FLAGS_OFF, 3)
FLAG(tcp_ackf, "tcp.flags.ack", l4, TCP_FLAGS_OFF, 4)
FLAG(tcp_urg, "tcp.flags.urg", l4, TCP_FLAGS_OFF, 5)
FLAG(tcp_ecn, "tcp.flags.ecn", l4, TCP_FLAGS_OFF, 6)
FLAG(tcp_cwr, "tcp.flags.cwr", l4, TCP_FLAGS_OFF, 7)
NUMBER(tcp_all_flags, "tcp.flags.all", l4, TCP_FLAGS_OFF, 1)
static const struct script_field tcp_flags_fields[] = {
	{"fin", get_tcp_fin, set_tcp_fin},   {"syn", get_tcp_syn, set_tcp_syn}, {"rst", get_tcp_rst, set_tcp_rst},
	{"psh", get_tcp_psh, set_tcp_psh},   {"ack", get_tcp_ackf, set_tcp_ackf}, {"urg", get_tcp_urg, set_tcp_urg},
	{"ecn", get_tcp_ecn, set_tcp_ecn},   {"cwr", get_tcp_cwr, set_tcp_cwr}, {"all", get_tcp_all_flags, set_tcp_all_flags},
	{0},
};
static const struct script_class class_tcp_flags = {.name = "tcp.flags", .fields = tcp_flags_fields};

static int get_tcp_flags(lua_State *L, void *obj)
{
	struct gate_packet *p = obj;

	script_push(L, &class_tcp_flags, p, &p->generation);
	return 1;
}

static const struct script_field tcp_fields[] = {
	{"srcport", get_port_src, write_port_src},
	{"dstport", get_port_dst, write_port_dst},
	{"seq", get_tcp_seq, set_tcp_seq},
	{"ack_seq", get_tcp_ack, set_tcp_ack},
	{"hdr_len", get_tcp_hdr_len, NULL},
	{"res", get_tcp_res, set_tcp_res},
	{"flags", get_tcp_flags, NULL},
	{"window_size", get_tcp_window, set_tcp_window},
	{"checksum", get_tcp_checksum, set_tcp_checksum},
	{"urgent_pointer", get_tcp_urgent, set_tcp_urgent},
	{"payload", get_payload, NULL},
	{0},
};
static const struct script_class class_tcp = {.name = "tcp",
					      .fields = tcp_fields,
					      .methods = transport_methods,
					      .parent = &class_ipv4,
					      .to_parent = same};

const struct script_class *bind_packet_class(enum gate_dissector d)
{
	static const struct script_class *const classes[DISSECT_N] = {
		[DISSECT_RAW] = &class_raw,   [DISSECT_ETHERNET] = &class_ethernet, [DISSECT_VLAN] = &class_vlan,
		[DISSECT_ARP] = &class_arp,   [DISSECT_IPV4] = &class_ipv4,	    [DISSECT_ICMP] = &class_icmp,
		[DISSECT_UDP] = &bind_class_udp, [DISSECT_TCP] = &class_tcp,	    [DISSECT_DHCP] = &bind_class_udp,
	};

	return d < DISSECT_N ? classes[d] : NULL;
}

const struct script_class *const bind_flag_classes[] = {&class_ip_flags, &class_tcp_flags, NULL};
