/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The fields that `when` of a rule may name: each is read from the call in progress and compared
 * as a number or a text.
 */
#include "server/lua/lua_hook.h"

#include <string.h>

static const struct usher_call *call_of(const void *ctx)
{
	return ((const struct lua_state *)ctx)->call;
}

/* Returns the FNV-1a hash of a text, by which texts are compared as numbers. */
static uint64_t text_number(const char *text)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 0x100000001b3ULL;
	return h;
}

static int parse_text(const char *text, uint64_t *ret)
{
	*ret = text_number(text);
	return 0;
}

#define FIELD(name, value)                                 \
	static uint64_t when_##name(const void *ctx)       \
	{                                                  \
		const struct usher_call *c = call_of(ctx); \
                                                           \
		return (value);                            \
	}
FIELD(type, dhcp4_msg_type(c->query))
FIELD(chaddr, script_dhcp_chaddr(c->query))
FIELD(ciaddr, c->query->ciaddr)
FIELD(giaddr, c->query->giaddr)
FIELD(hops, c->query->hops)
FIELD(secs, c->query->secs)
FIELD(subnet_id, c->subnet_id)
FIELD(interface, text_number(c->iface))
FIELD(source, c->src)
FIELD(destination, c->dst)
FIELD(command, text_number(c->command))
#undef FIELD

static bool has_query(const void *ctx)
{
	return call_of(ctx)->query != NULL;
}

static bool has_type(const void *ctx)
{
	return has_query(ctx) && dhcp4_msg_type(call_of(ctx)->query) != DHCP4_NOTYPE;
}

static bool has_chaddr(const void *ctx)
{
	return has_query(ctx) && script_dhcp_has_chaddr(call_of(ctx)->query);
}

static bool has_subnet(const void *ctx)
{
	return call_of(ctx)->subnet_id != 0;
}

static bool has_interface(const void *ctx)
{
	return call_of(ctx)->iface != NULL;
}

static bool has_command(const void *ctx)
{
	return call_of(ctx)->command != NULL;
}

const struct script_filter_field lua_when_fields[] = {
	{"type", when_type, has_type, script_dhcp_parse_type, SCRIPT_FIELD_TEXT,
	 script_dhcp_type_text},
	{"chaddr", when_chaddr, has_chaddr, script_dhcp_parse_chaddr, SCRIPT_FIELD_NUMBER, NULL},
	{"ciaddr", when_ciaddr, has_query, NULL, SCRIPT_FIELD_ADDRESS, NULL},
	{"giaddr", when_giaddr, has_query, NULL, SCRIPT_FIELD_ADDRESS, NULL},
	{"hops", when_hops, has_query, NULL, SCRIPT_FIELD_NUMBER, NULL},
	{"secs", when_secs, has_query, NULL, SCRIPT_FIELD_NUMBER, NULL},
	{"subnet_id", when_subnet_id, has_subnet, NULL, SCRIPT_FIELD_NUMBER, NULL},
	{"interface", when_interface, has_interface, parse_text, SCRIPT_FIELD_NUMBER, NULL},
	{"source", when_source, has_query, NULL, SCRIPT_FIELD_ADDRESS, NULL},
	{"destination", when_destination, has_query, NULL, SCRIPT_FIELD_ADDRESS, NULL},
	{"command", when_command, has_command, parse_text, SCRIPT_FIELD_NUMBER, NULL},
	{0},
};
