/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Packets in Lua, a class a dissector; fields that one lacks are looked up in the one below
 * (tcp.src is IPv4's). Fields are read from the octets and written to them; lengths and checksums
 * are completed before the packet is forwarded.
 */
#include "gate/lua/bind_field.h"
#include "gate/engine/verdict.h"
#include "script/values/moment.h"
#include "wire/eth.h"

/* --- Octets of headers ------------------------------------------------------------------------ */

uint32_t bind_read_be(const struct gate_packet *p, uint32_t off, unsigned n)
{
	struct rd r = rd_init(span_of(p->p.data, p->p.len));
	uint32_t v = 0;

	(void)rd_bytes(&r, off);
	for (unsigned i = 0; i < n; i++)
		v = v << 8 | rd_u8(&r);
	return v;
}

void bind_write_be(lua_State *L, struct gate_packet *p, uint32_t off, unsigned n, uint64_t v,
		   const char *what)
{
	uint8_t octets[4];

	for (unsigned i = n; i > 0; i--, v >>= 8)
		octets[i - 1] = (uint8_t)v;
	bind_check_write(L, verdict_write(bind_gate(p), p, off, octets, n), what);
}

/* A hardware address. */
#define MAC(name, what, at)                                      \
	static int get_##name(lua_State *L, void *obj)           \
	{                                                        \
		return push_mac(L, obj, at(obj));                \
	}                                                        \
	static void set_##name(lua_State *L, void *obj, int idx) \
	{                                                        \
		set_mac(L, obj, at(obj), idx, what);             \
	}

static int push_mac(lua_State *L, const struct gate_packet *p, uint32_t off)
{
	const uint8_t *m = p->p.data + off;

	if (off + ETH_ADDR_LEN > p->p.len)
		return 0;
	lua_pushfstring(L, "%c%c:%c%c:%c%c:%c%c:%c%c:%c%c", "0123456789abcdef"[m[0] >> 4],
			"0123456789abcdef"[m[0] & 15], "0123456789abcdef"[m[1] >> 4],
			"0123456789abcdef"[m[1] & 15], "0123456789abcdef"[m[2] >> 4],
			"0123456789abcdef"[m[2] & 15], "0123456789abcdef"[m[3] >> 4],
			"0123456789abcdef"[m[3] & 15], "0123456789abcdef"[m[4] >> 4],
			"0123456789abcdef"[m[4] & 15], "0123456789abcdef"[m[5] >> 4],
			"0123456789abcdef"[m[5] & 15]);
	return 1;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'		    ? c - '0'
	       : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
						    : -1;
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
			script_expected(L, idx, what,
					"a hardware address such as 02:00:00:00:00:01");
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

/* --- Raw, Ethernet, VLAN, ARP ----------------------------------------------------------------- */

static int get_len(lua_State *L, void *obj)
{
	lua_pushnumber(L, ((const struct gate_packet *)obj)->p.len);
	return 1;
}

/* Pushes the packet's number in the order of arrival. (frame.id is the source's own.) */
static int get_id(lua_State *L, void *obj)
{
	lua_pushnumber(L, (lua_Number)bind_gate(obj)->counters.packets);
	return 1;
}

static int get_iface(lua_State *L, void *obj)
{
	struct gate_packet *p = obj;

	lua_pushstring(L, frames_port_name(bind_gate(p)->frames,
					   p->frame.port & ~(unsigned)FRAME_BACK));
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

/* Pushes the name of the dissector of the packet's handle. */
int bind_get_name(lua_State *L, void *obj)
{
	const struct script_class *cls = script_class_of(L, 1);

	(void)obj;
	while (cls && !is_of_packets(cls))
		cls = cls->parent;
	lua_pushstring(L, cls ? cls->name : "packet");
	return 1;
}

/* Pushes the payload of a raw packet: Haka's packet begins with its network header. */
static int get_raw_payload(lua_State *L, void *obj)
{
	struct gate_packet *p = obj;
	uint32_t off = p->p.l3 == PACKET_NO_LAYER ? 0 : p->p.l3;

	bind_push_payload(L, p, off, p->p.len - off);
	return 1;
}

/* Pushes a table of the script's own, which exists as long as the packet. */
static int get_data(lua_State *L, void *obj)
{
	bind_push_data(L, obj);
	return 1;
}

static const struct script_field raw_fields[] = {
	{"len", get_len, NULL},
	{"id", get_id, NULL},
	{"iface", get_iface, bind_set_iface},
	{"timestamp", get_timestamp, NULL},
	{"name", bind_get_name, NULL},
	{"payload", get_raw_payload, NULL},
	{"state", bind_get_state, NULL},
	{"data", get_data, NULL},
	{0},
};
static const struct script_class class_raw = {.name = "packet",
					      .fields = raw_fields,
					      .methods = bind_verbs};

void *bind_same(void *obj)
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
	bind_write_be(L, p, p->p.l3 - 2U, 2, type, "ethernet.type");
	p->eth_type = (uint16_t)type;
}

MAC(eth_src, "ethernet.src", at_src)
MAC(eth_dst, "ethernet.dst", at_dst)
static const struct script_field ethernet_fields[] = {
	{"src", get_eth_src, set_eth_src},     {"dst", get_eth_dst, set_eth_dst},
	{"src_mac", get_eth_src, set_eth_src}, {"dst_mac", get_eth_dst, set_eth_dst},
	{"type", get_eth_type, set_eth_type},  {0},
};
const struct script_class bind_class_ethernet = {.name = "ethernet",
						 .fields = ethernet_fields,
						 .parent = &class_raw,
						 .to_parent = bind_same};

BITS(vlan_vid, "vlan.vid", l2, 14, 2, 0, 0xfffU)
BITS(vlan_pcp, "vlan.pcp", l2, 14, 2, 13, 7U)
BITS(vlan_dei, "vlan.dei", l2, 14, 2, 12, 1U)
static const struct script_field vlan_fields[] = {
	{"vid", get_vlan_vid, set_vlan_vid},
	{"pcp", get_vlan_pcp, set_vlan_pcp},
	{"dei", get_vlan_dei, set_vlan_dei},
	{0},
};
static const struct script_class class_vlan = {.name = "vlan",
					       .fields = vlan_fields,
					       .parent = &bind_class_ethernet,
					       .to_parent = bind_same};

NUMBER(arp_op, "arp.op", l3, 6, 2)
ADDRESS(arp_spa, "arp.spa", 14, src)
ADDRESS(arp_tpa, "arp.tpa", 24, dst)
MAC(arp_sha, "arp.sha", at_sha)
MAC(arp_tha, "arp.tha", at_tha)
static const struct script_field arp_fields[] = {
	{"op", get_arp_op, set_arp_op},	   {"spa", get_arp_spa, set_arp_spa},
	{"tpa", get_arp_tpa, set_arp_tpa}, {"sha", get_arp_sha, set_arp_sha},
	{"tha", get_arp_tha, set_arp_tha}, {0},
};
static const struct script_class class_arp = {.name = "arp",
					      .fields = arp_fields,
					      .parent = &bind_class_ethernet,
					      .to_parent = bind_same};

const struct script_class *bind_packet_class(enum gate_dissector d)
{
	static const struct script_class *const classes[DISSECT_N] = {
		[DISSECT_RAW] = &class_raw,	   [DISSECT_ETHERNET] = &bind_class_ethernet,
		[DISSECT_VLAN] = &class_vlan,	   [DISSECT_ARP] = &class_arp,
		[DISSECT_IPV4] = &bind_class_ipv4, [DISSECT_ICMP] = &bind_class_icmp,
		[DISSECT_UDP] = &bind_class_udp,   [DISSECT_TCP] = &bind_class_tcp,
		[DISSECT_DHCP] = &bind_class_udp,
	};

	return d < DISSECT_N ? classes[d] : NULL;
}

const struct script_class *const bind_flag_classes[] = {&bind_class_ipv4_flags,
							&bind_class_tcp_flags, NULL};
