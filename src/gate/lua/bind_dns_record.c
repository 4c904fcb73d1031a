/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Questions and records of DNS messages as rules see them, and lists of records. An assignment
 * rewrites the octets of its field, or, where a length changes, the message.
 */
#include "gate/lua/bind_dns_impl.h"

#include <arpa/inet.h>
#include <lauxlib.h>

static struct bind_dns_at record(lua_State *L, const void *obj, struct dns_rr *ret)
{
	struct bind_dns_at a = bind_dns_at(L, obj);
	uint32_t steps;
	bool there = gate_dns_record(a.g, a.msg, a.section, a.index, ret, &steps);

	if (steps > 2)
		script_charge(L, steps);
	if (!there)
		(void)luaL_error(L, "dns: there is no such record any more");
	return a;
}

/* Returns the record of a message that can be written, for setters. */
static struct bind_dns_at own_record(lua_State *L, const void *obj, struct dns_rr *ret,
				     const char *what)
{
	struct bind_dns_at a = record(L, obj, ret);

	bind_dns_check_unsent(L, &a, what);
	return a;
}

static int push_name(lua_State *L, const struct dns_name *name)
{
	char text[DNS_TEXT_MAX] uninit;
	size_t n = dns_name_text(name, text);

	lua_pushlstring(L, text, n);
	return 1;
}

static int push_rdata_name(lua_State *L, void *obj, enum dns_form form, unsigned i)
{
	struct dns_rr rr;
	struct bind_dns_at a = record(L, obj, &rr);
	struct dns_name name uninit;

	if ((form != DNS_N_FORMS && rr.form != form) || !dns_rdata_name(a.msg, &rr, i, &name))
		return 0;
	return push_name(L, &name);
}

static void check_name(lua_State *L, int idx, struct dns_name *ret, const char *what)
{
	if (dns_name_parse(script_check_span(L, idx, what), ret) < 0)
		script_expected(L, idx, what, "a name of DNS such as www.example.com.");
}

static void set_rdata_name(lua_State *L, void *obj, int idx, enum dns_form form, unsigned i,
			   const char *what)
{
	struct dns_rr rr;
	struct bind_dns_at a = own_record(L, obj, &rr, what);
	struct dns_change c = {0};
	struct dns_name name uninit;

	if ((form != DNS_N_FORMS && rr.form != form) || i >= rr.n_names)
		(void)luaL_error(L, "%s: a record of type %d has none", what, (int)rr.type);
	check_name(L, idx, &name, what);
	c.rdata[i] = &name;
	bind_check_write(L, gate_dns_change(a.g, &rr, &c), what);
}

static int get_record_name(lua_State *L, void *obj)
{
	struct dns_rr rr;
	struct bind_dns_at a = record(L, obj, &rr);
	struct dns_name name uninit;

	return dns_owner(a.msg, &rr, &name) ? push_name(L, &name) : 0;
}

static void set_name(lua_State *L, void *obj, int idx)
{
	struct dns_rr rr;
	struct bind_dns_at a = own_record(L, obj, &rr, "dns.name");
	struct dns_name name uninit;

	check_name(L, idx, &name, "dns.name");
	bind_check_write(L, gate_dns_change(a.g, &rr, &(struct dns_change){.owner = &name}),
			 "dns.name");
}

/* Pushes a number by its name if it has one. */
static int push_number(lua_State *L, const char *name, uint16_t n)
{
	if (name)
		lua_pushstring(L, name);
	else
		lua_pushinteger(L, n);
	return 1;
}

static int get_type(lua_State *L, void *obj)
{
	struct dns_rr rr;

	(void)record(L, obj, &rr);
	return push_number(L, dns_type_name(rr.type), rr.type);
}

static int get_class(lua_State *L, void *obj)
{
	struct dns_rr rr;

	(void)record(L, obj, &rr);
	return push_number(L, dns_class_name(rr.cls), rr.cls);
}

static void set_type(lua_State *L, void *obj, int idx)
{
	struct dns_rr rr;
	struct bind_dns_at a = own_record(L, obj, &rr, "dns.type");
	uint16_t type = 0;

	if (lua_type(L, idx) == LUA_TSTRING) {
		if (dns_type_find(lua_tostring(L, idx), &type) < 0)
			script_expected(L, idx, "dns.type",
					"a type of DNS records by name, or its number");
	} else {
		type = (uint16_t)script_check_uint(L, idx, UINT16_MAX, "dns.type");
	}
	bind_check_write(L, gate_dns_set_question(a.g, &rr, type, rr.cls), "dns.type");
}

static uint16_t check_class(lua_State *L, int idx)
{
	static const uint16_t named[] = {DNS_CLASS_IN, DNS_CLASS_CH, DNS_CLASS_HS, DNS_CLASS_NONE,
					 DNS_CLASS_ANY};

	if (lua_type(L, idx) != LUA_TSTRING)
		return (uint16_t)script_check_uint(L, idx, UINT16_MAX, "dns.class");
	for (size_t i = 0; i < ARRAY_LEN(named); i++)
		if (strcmp(dns_class_name(named[i]), lua_tostring(L, idx)) == 0)
			return named[i];
	script_expected(L, idx, "dns.class", "a class such as IN, or its number");
}

static void set_class(lua_State *L, void *obj, int idx)
{
	struct dns_rr rr;
	struct bind_dns_at a = own_record(L, obj, &rr, "dns.class");

	bind_check_write(L, gate_dns_set_question(a.g, &rr, rr.type, check_class(L, idx)),
			 "dns.class");
}

static int get_ttl(lua_State *L, void *obj)
{
	struct dns_rr rr;

	(void)record(L, obj, &rr);
	lua_pushnumber(L, rr.ttl);
	return 1;
}

static void set_ttl(lua_State *L, void *obj, int idx)
{
	struct dns_rr rr;
	struct bind_dns_at a = own_record(L, obj, &rr, "dns.ttl");

	bind_check_write(L,
			 gate_dns_set_ttl(a.g, &rr,
					  (uint32_t)script_check_uint(L, idx, UINT32_MAX,
								      "dns.ttl")),
			 "dns.ttl");
}

static int get_length(lua_State *L, void *obj)
{
	struct dns_rr rr;

	(void)record(L, obj, &rr);
	lua_pushinteger(L, rr.rdata_len);
	return 1;
}

static int get_record_data(lua_State *L, void *obj)
{
	struct dns_rr rr;
	struct bind_dns_at a = record(L, obj, &rr);
	struct span s = dns_rdata(a.msg, &rr);

	lua_pushlstring(L, s.n ? (const char *)s.p : "", s.n);
	return 1;
}

static int get_ip(lua_State *L, void *obj)
{
	char text[INET6_ADDRSTRLEN];
	struct dns_rr rr;
	struct bind_dns_at a = record(L, obj, &rr);

	if (rr.form == DNS_FORM_IPV4) {
		script_push_addr(L, dns_ipv4(a.msg, &rr));
		return 1;
	}
	if (rr.form != DNS_FORM_IPV6 ||
	    !inet_ntop(AF_INET6, dns_ipv6(a.msg, &rr).p, text, sizeof(text)))
		return 0;
	lua_pushstring(L, text);
	return 1;
}

static void set_ip(lua_State *L, void *obj, int idx)
{
	uint8_t octets[16];
	struct dns_rr rr;
	struct bind_dns_at a = own_record(L, obj, &rr, "dns.ip");

	if (rr.form == DNS_FORM_IPV4) {
		bind_check_write(L,
				 gate_dns_set_ipv4(a.g, &rr, script_check_addr(L, idx, "dns.ip")),
				 "dns.ip");
		return;
	}
	if (rr.form != DNS_FORM_IPV6)
		(void)luaL_error(L, "dns.ip: a record of type %d has none", (int)rr.type);
	if (lua_type(L, idx) != LUA_TSTRING ||
	    inet_pton(AF_INET6, lua_tostring(L, idx), octets) != 1)
		script_expected(L, idx, "dns.ip", "an IPv6 address as text");
	bind_check_write(L, gate_dns_set_ipv6(a.g, &rr, octets), "dns.ip");
}

/* Pushes the list of a record's texts. */
static int get_strings(lua_State *L, void *obj)
{
	struct dns_rr rr;
	struct bind_dns_at a = record(L, obj, &rr);
	struct rd r = rd_init(dns_rdata(a.msg, &rr));
	struct span s;

	if (rr.form != DNS_FORM_TXT)
		return 0;
	lua_newtable(L);
	for (int i = 1; dns_string_next(&r, &s); i++) {
		lua_pushlstring(L, s.n ? (const char *)s.p : "", s.n);
		lua_rawseti(L, -2, i);
	}
	return 1;
}

/* A number that records of one form have. */
#define RDATA(field, of_form, value)                        \
	static int get_##field(lua_State *L, void *obj)     \
	{                                                   \
		struct dns_rr rr;                           \
		struct bind_dns_at a = record(L, obj, &rr); \
		if (rr.form != DNS_FORM_##of_form)          \
			return 0;                           \
		lua_pushnumber(L, value(a.msg, &rr));       \
		return 1;                                   \
	}
#define serial_of(m, rr)   dns_soa(m, rr).serial
#define refresh_of(m, rr)  dns_soa(m, rr).refresh
#define retry_of(m, rr)	   dns_soa(m, rr).retry
#define expire_of(m, rr)   dns_soa(m, rr).expire
#define minimum_of(m, rr)  dns_soa(m, rr).minimum
#define priority_of(m, rr) dns_srv(m, rr).priority
#define weight_of(m, rr)   dns_srv(m, rr).weight
#define port_of(m, rr)	   dns_srv(m, rr).port
RDATA(pref, MX, dns_mx_preference)
RDATA(serial, SOA, serial_of)
RDATA(refresh, SOA, refresh_of)
RDATA(retry, SOA, retry_of)
RDATA(expire, SOA, expire_of)
RDATA(minimum, SOA, minimum_of)
RDATA(priority, SRV, priority_of)
RDATA(weight, SRV, weight_of)
RDATA(port, SRV, port_of)
/* A name in the data. */
#define NAME(field, form, i)                                         \
	static int get_##field(lua_State *L, void *obj)              \
	{                                                            \
		return push_rdata_name(L, obj, form, i);             \
	}                                                            \
	static void write_##field(lua_State *L, void *obj, int idx)  \
	{                                                            \
		set_rdata_name(L, obj, idx, form, i, "dns." #field); \
	}
NAME(rdata_name, DNS_N_FORMS, 0)
NAME(mname, DNS_FORM_SOA, 0)
NAME(rname, DNS_FORM_SOA, 1)

static const struct script_field question_fields[] = {{"name", get_record_name, set_name},
						      {"type", get_type, set_type},
						      {"class", get_class, set_class},
						      {0}};
static const luaL_Reg pairs_meta[] = {{"__pairs", script_pairs_fields}, {NULL, NULL}};
const struct script_class bind_class_dns_question = {.name = "dns_question",
						     .fields = question_fields,
						     .meta = pairs_meta};

static const struct script_field record_fields[] = {
	{"name", get_record_name, set_name},
	{"type", get_type, NULL},
	{"class", get_class, NULL},
	{"ttl", get_ttl, set_ttl},
	{"length", get_length, NULL},
	{"ip", get_ip, set_ip},
	{"rdata_name", get_rdata_name, write_rdata_name},
	{"mname", get_mname, write_mname},
	{"rname", get_rname, write_rname},
	{"serial", get_serial, NULL},
	{"refresh", get_refresh, NULL},
	{"retry", get_retry, NULL},
	{"expire", get_expire, NULL},
	{"minimum", get_minimum, NULL},
	{"pref", get_pref, NULL},
	{"priority", get_priority, NULL},
	{"weight", get_weight, NULL},
	{"port", get_port, NULL},
	{"strings", get_strings, NULL},
	{"data", get_record_data, NULL},
	{0},
};
const struct script_class bind_class_dns_record = {.name = "dns_record",
						   .fields = record_fields,
						   .meta = pairs_meta};

/* --- Sections --------------------------------------------------------------------------------- */

static int push_record(lua_State *L, const struct bind_dns_at *a, lua_Integer i)
{
	if (i < 1 || i > a->msg->count[a->section])
		return 0;
	bind_dns_push(L, &bind_class_dns_record, a->g,
		      bind_dns_code(a->sent, a->section, (uint32_t)i - 1));
	return 1;
}

static int list_index(lua_State *L, void *obj)
{
	struct bind_dns_at a = bind_dns_at(L, obj);

	return lua_type(L, 2) == LUA_TNUMBER ? push_record(L, &a, lua_tointeger(L, 2)) : 0;
}

static int list_len(lua_State *L)
{
	struct bind_dns_at a = bind_dns_at(L, script_check(L, 1, &bind_class_dns_records));

	lua_pushinteger(L, a.msg->count[a.section]);
	return 1;
}

/* Steps through a list of records. Arguments: the list, the number before. */
static int list_next(lua_State *L)
{
	struct bind_dns_at a = bind_dns_at(L, script_check(L, 1, &bind_class_dns_records));
	lua_Integer i = luaL_checkinteger(L, 2) + 1;

	lua_pushinteger(L, i);
	return push_record(L, &a, i) ? 2 : 0;
}

static int list_pairs(lua_State *L)
{
	lua_pushcfunction(L, list_next);
	lua_pushvalue(L, 1);
	lua_pushinteger(L, 0);
	return 3;
}

static const luaL_Reg list_meta[] = {{"__len", list_len}, {"__pairs", list_pairs}, {NULL, NULL}};
const struct script_class bind_class_dns_records = {.name = "dns_records",
						    .index = list_index,
						    .meta = list_meta};
