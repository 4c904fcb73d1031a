/* SPDX-License-Identifier: MPL-2.0 */
/*
 * msg: the fixed part of a DHCPv4 message (RFC 2131 2). Numbers are checked against the width of
 * their field, addresses are ipv4.addr values (text will do for writing), chaddr is text.
 */
#include "script/values/dhcp_impl.h"

#include "base/error.h"
#include "base/ip.h"
#include "script/values/addr.h"
#include "wire/option_codes.h"

#include <lauxlib.h>
#include <stdio.h>
#include <strings.h>

enum { CHADDR_TEXT_LEN = 3 * DHCP4_CHADDR_LEN, ETHER_LEN = 6 };

#define NUMBER(name, type, max)                                                     \
	static int get_##name(lua_State *L, void *obj)                              \
	{                                                                           \
		lua_pushnumber(L, ((const struct script_dhcp *)obj)->msg->name);    \
		return 1;                                                           \
	}                                                                           \
	static void set_##name(lua_State *L, void *obj, int idx)                    \
	{                                                                           \
		struct script_dhcp *d = dhcp_write(L, obj);                         \
                                                                                    \
		d->msg->name = (type)script_check_uint(L, idx, max, "dhcp." #name); \
		dhcp_touch(d);                                                      \
	}
#define ADDRESS(name)                                                              \
	static int get_##name(lua_State *L, void *obj)                             \
	{                                                                          \
		script_push_addr(L, ((const struct script_dhcp *)obj)->msg->name); \
		return 1;                                                          \
	}                                                                          \
	static void set_##name(lua_State *L, void *obj, int idx)                   \
	{                                                                          \
		struct script_dhcp *d = dhcp_write(L, obj);                        \
                                                                                   \
		d->msg->name = script_check_addr(L, idx, "dhcp." #name);           \
		dhcp_touch(d);                                                     \
	}
/* Text up to the first octet of value 0. */
#define TEXT(name)                                                                   \
	static int get_##name(lua_State *L, void *obj)                               \
	{                                                                            \
		const struct dhcp4_msg *m = ((const struct script_dhcp *)obj)->msg;  \
                                                                                     \
		lua_pushlstring(L, (const char *)m->name,                            \
				strnlen((const char *)m->name, sizeof(m->name)));    \
		return 1;                                                            \
	}                                                                            \
	static void set_##name(lua_State *L, void *obj, int idx)                     \
	{                                                                            \
		struct script_dhcp *d = dhcp_write(L, obj);                          \
                                                                                     \
		set_text(L, d->msg->name, sizeof(d->msg->name), idx, "dhcp." #name); \
		dhcp_touch(d);                                                       \
	}

static void set_text(lua_State *L, uint8_t *field, size_t len, int idx, const char *what)
{
	struct span s = script_check_span(L, idx, what);

	if (s.n > len)
		luaL_error(L, "%s: %d octets do not fit, it has %d", what, (int)s.n, (int)len);
	memset(field, 0, len);
	if (s.n)
		memcpy(field, s.p, s.n);
}

NUMBER(op, uint8_t, UINT8_MAX)
NUMBER(htype, uint8_t, UINT8_MAX)
NUMBER(hlen, uint8_t, DHCP4_CHADDR_LEN)
NUMBER(hops, uint8_t, UINT8_MAX)
NUMBER(xid, uint32_t, UINT32_MAX)
NUMBER(secs, uint16_t, UINT16_MAX)
NUMBER(flags, uint16_t, UINT16_MAX)
ADDRESS(ciaddr)
ADDRESS(yiaddr)
ADDRESS(siaddr)
ADDRESS(giaddr)
TEXT(sname)
TEXT(file)
#undef NUMBER
#undef ADDRESS
#undef TEXT

static int get_chaddr(lua_State *L, void *obj)
{
	const struct dhcp4_msg *m = ((const struct script_dhcp *)obj)->msg;
	char text[CHADDR_TEXT_LEN + 1] = "";
	size_t n = 0;

	for (size_t i = 0; i < m->hlen && i < DHCP4_CHADDR_LEN; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, i ? ":%02x" : "%02x",
				      m->chaddr[i]);
	lua_pushlstring(L, text, n);
	return 1;
}

static void set_chaddr(lua_State *L, void *obj, int idx)
{
	struct script_dhcp *d = dhcp_write(L, obj);
	struct span s = script_check_span(L, idx, "dhcp.chaddr");
	uint8_t octets[DHCP4_CHADDR_LEN] = {0};
	int n = s.n ? hex_parse((const char *)s.p, s.n, octets, sizeof(octets)) : 0;

	if (n < 0)
		luaL_error(L, "dhcp.chaddr: '%s' is no hardware address (02:00:00:00:00:01)",
			   (const char *)s.p);
	memcpy(d->msg->chaddr, octets, sizeof(octets));
	d->msg->hlen = (uint8_t)n;
	dhcp_touch(d);
}

static int get_type(lua_State *L, void *obj)
{
	lua_pushnumber(L, dhcp4_msg_type(((const struct script_dhcp *)obj)->msg));
	return 1;
}

static void set_type(lua_State *L, void *obj, int idx)
{
	struct script_dhcp *d = dhcp_write(L, obj);
	uint64_t type = 0;

	if (lua_type(L, idx) != LUA_TSTRING)
		type = script_check_uint(L, idx, UINT8_MAX, "dhcp.type");
	else if (script_dhcp_parse_type(lua_tostring(L, idx), &type) < 0)
		luaL_error(L, "dhcp.type: '%s' is no message type", lua_tostring(L, idx));
	dhcp_check_room(L, dhcp4_opt_set_u8(d->msg, DHCP4_OPT_MESSAGE_TYPE, (uint8_t)type),
			"dhcp.type");
	dhcp_touch(d);
}

static int get_type_name(lua_State *L, void *obj)
{
	const char *name = script_dhcp_type_text(
		dhcp4_msg_type(((const struct script_dhcp *)obj)->msg));

	if (!name)
		return 0;
	lua_pushstring(L, name);
	return 1;
}

static int get_options(lua_State *L, void *obj)
{
	struct script_dhcp *d = obj;

	script_push(L, &dhcp_options_class, d, &d->generation);
	return 1;
}

static int method_drop(lua_State *L)
{
	struct script_dhcp *d = script_check(L, 1, &script_dhcp_class);

	if (!d->host || !d->host->drop)
		return luaL_error(L, "dhcp:drop: this message cannot be dropped here");
	d->host->drop(d);
	return 0;
}

static int method_option_names(lua_State *L)
{
	const struct script_dhcp *d = script_check(L, 1, &script_dhcp_class);

	lua_createtable(L, d->msg->n_opts, 0);
	for (int i = 0; i < d->msg->n_opts; i++) {
		uint8_t code = d->msg->opts[i].code;
		const struct option_def *def = d->host && d->host->by_code
						       ? d->host->by_code(d, code)
						       : option_def_by_code(OPTION_SPACE_DHCP4,
									    code);

		if (def)
			lua_pushstring(L, def->name);
		else
			lua_pushinteger(L, code);
		lua_rawseti(L, -2, i + 1);
	}
	return 1;
}

static int to_string(lua_State *L, void *obj)
{
	const struct script_dhcp *d = obj;
	const char *name = script_dhcp_type_text(dhcp4_msg_type(d->msg));

	lua_pushfstring(L, "<dhcp %s>", name ? name : "?");
	return 1;
}

static const struct script_field fields[] = {
	{"op", get_op, set_op},
	{"htype", get_htype, set_htype},
	{"hlen", get_hlen, set_hlen},
	{"hops", get_hops, set_hops},
	{"xid", get_xid, set_xid},
	{"secs", get_secs, set_secs},
	{"flags", get_flags, set_flags},
	{"ciaddr", get_ciaddr, set_ciaddr},
	{"yiaddr", get_yiaddr, set_yiaddr},
	{"siaddr", get_siaddr, set_siaddr},
	{"giaddr", get_giaddr, set_giaddr},
	{"chaddr", get_chaddr, set_chaddr},
	{"sname", get_sname, set_sname},
	{"file", get_file, set_file},
	{"type", get_type, set_type},
	{"type_name", get_type_name, NULL},
	{"options", get_options, NULL},
	{0},
};

static const struct script_method methods[] = {
	{"drop", method_drop},
	{"option_names", method_option_names},
	{0},
};

const struct script_class script_dhcp_class = {
	.name = "dhcp",
	.fields = fields,
	.methods = methods,
	.tostring = to_string,
	.meta = (const struct luaL_Reg[]){{"__pairs", script_pairs_fields}, {NULL, NULL}},
};

int script_dhcp_register(struct script *s)
{
	int r = script_class_register(s, &script_dhcp_class);

	return r < 0 ? r : script_class_register(s, &dhcp_options_class);
}

void script_dhcp_init(struct script_dhcp *d, const struct script_dhcp_host *host, void *ctx)
{
	*d = (struct script_dhcp){.host = host, .ctx = ctx};
	buf_init(&d->text);
}

void script_dhcp_fini(struct script_dhcp *d)
{
	buf_fini(&d->text);
}

void script_dhcp_begin(struct script_dhcp *d, struct dhcp4_msg *msg)
{
	d->msg = msg;
	d->changed = false;
	d->generation++;
}

void script_dhcp_end(struct script_dhcp *d)
{
	d->msg = NULL;
	d->generation++;
}

void script_dhcp_push(lua_State *L, struct script_dhcp *d)
{
	script_push(L, &script_dhcp_class, d->msg ? d : NULL, &d->generation);
}

/* --- for `when` ------------------------------------------------------------------------------ */

enum { PREFIX_LEN = 4 }; /* of "DHCPDISCOVER" */

const char *script_dhcp_type_text(uint64_t type)
{
	const char *name = type && type < DHCP4_N_TYPES ? dhcp4_type_name((enum dhcp4_type)type)
							: "";

	return strncmp(name, "DHCP", PREFIX_LEN) == 0 ? name + PREFIX_LEN : NULL;
}

int script_dhcp_parse_type(const char *text, uint64_t *ret)
{
	if (strncasecmp(text, "DHCP", PREFIX_LEN) == 0)
		text += PREFIX_LEN;
	for (uint64_t t = 1; t < DHCP4_N_TYPES; t++) {
		const char *name = script_dhcp_type_text(t);

		if (name && strcasecmp(name, text) == 0) {
			*ret = t;
			return 0;
		}
	}
	return -USHER_E_UNKNOWN;
}

static uint64_t ether_number(const uint8_t octets[ETHER_LEN])
{
	uint64_t v = 0;

	for (size_t i = 0; i < ETHER_LEN; i++)
		v = v << 8 | octets[i];
	return v;
}

int script_dhcp_parse_chaddr(const char *text, uint64_t *ret)
{
	uint8_t octets[ETHER_LEN];

	if (hex_parse(text, strlen(text), octets, sizeof(octets)) != ETHER_LEN)
		return -USHER_E_SYNTAX;
	*ret = ether_number(octets);
	return 0;
}

uint64_t script_dhcp_chaddr(const struct dhcp4_msg *m)
{
	return ether_number(m->chaddr);
}

bool script_dhcp_has_chaddr(const struct dhcp4_msg *m)
{
	return m->hlen == ETHER_LEN;
}
