/* SPDX-License-Identifier: MPL-2.0 */
/*
 * ICMP, UDP and TCP in Lua: the headers' fields, payloads and checksums.
 */
#include "gate/lua/bind_field.h"
#include "gate/net/net.h"
#include "gate/tcp/tcp_conn.h"
#include "gate/engine/verdict.h"
#include "wire/checksum.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

static int get_payload(lua_State *L, void *obj)
{
	struct gate_packet *p = obj;

	bind_push_payload(L, p, p->p.app, p->p.app_len);
	return 1;
}

/* Checks the checksum as it came, or, once the packet was written, as it stands. */
static int method_verify(lua_State *L)
{
	struct gate_packet *p = script_check(L, 1, &bind_class_ipv4);
	struct span s = span_of(p->p.data + p->p.l4, (size_t)p->l4_len + p->p.app_len);
	bool good;

	if (!p->dirty)
		good = net_checksum(bind_gate(p), p) == CHECKSUM_GOOD;
	else
		good = p->proto == IPV4_PROTO_UDP ? udp_csum_ok(p->p.src, p->p.dst, s)
						  : tcp_csum_ok(p->p.src, p->p.dst, s);
	lua_pushboolean(L, good);
	return 1;
}

/* Completes lengths and checksums: the rule uses the packet as it stands. */
static int method_compute(lua_State *L)
{
	struct gate_packet *p = script_check(L, 1, &bind_class_ipv4);
	struct gate *g = bind_gate(p);

	bind_check_write(L, verdict_write(g, p, p->p.l4, p->p.data + p->p.l4, 1),
			 "compute_checksum");
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
	{"name", bind_get_name, NULL},
	{0},
};
static int method_icmp_verify(lua_State *L)
{
	const struct gate_packet *p = script_check(L, 1, &bind_class_ipv4);

	lua_pushboolean(L, checksum_fold(checksum_add(0, span_of(p->p.data + p->p.l4,
								 p->end - p->p.l4))) == 0);
	return 1;
}

static const struct script_method icmp_methods[] = {{"verify_checksum", method_icmp_verify},
						    {"compute_checksum", method_compute},
						    {0}};
const struct script_class bind_class_icmp = {.name = "icmp",
					     .fields = icmp_fields,
					     .methods = icmp_methods,
					     .parent = &bind_class_ipv4,
					     .to_parent = bind_same};

/* Copies the ports from the octets to the packet: a flow is looked up by them. */
static void note_ports(struct gate_packet *p)
{
	p->p.sport = (uint16_t)bind_read_be(p, p->p.l4, 2);
	p->p.dport = (uint16_t)bind_read_be(p, p->p.l4 + 2U, 2);
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
	{"name", bind_get_name, NULL},
	{0},
};
static const struct script_method transport_methods[] = {{"verify_checksum", method_verify},
							 {"compute_checksum", method_compute},
							 {0}};
const struct script_class bind_class_udp = {.name = "udp",
					    .fields = udp_fields,
					    .methods = transport_methods,
					    .parent = &bind_class_ipv4,
					    .to_parent = bind_same};

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
	{"fin", get_tcp_fin, set_tcp_fin},
	{"syn", get_tcp_syn, set_tcp_syn},
	{"rst", get_tcp_rst, set_tcp_rst},
	{"psh", get_tcp_psh, set_tcp_psh},
	{"ack", get_tcp_ackf, set_tcp_ackf},
	{"urg", get_tcp_urg, set_tcp_urg},
	{"ecn", get_tcp_ecn, set_tcp_ecn},
	{"cwr", get_tcp_cwr, set_tcp_cwr},
	{"all", get_tcp_all_flags, set_tcp_all_flags},
	{0},
};
const struct script_class bind_class_tcp_flags = {.name = "tcp.flags", .fields = tcp_flags_fields};

static int get_tcp_flags(lua_State *L, void *obj)
{
	struct gate_packet *p = obj;

	script_push(L, &bind_class_tcp_flags, p, &p->generation);
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
	{"name", bind_get_name, NULL},
	{0},
};
const struct script_class bind_class_tcp = {.name = "tcp",
					    .fields = tcp_fields,
					    .methods = transport_methods,
					    .parent = &bind_class_ipv4,
					    .to_parent = bind_same};
