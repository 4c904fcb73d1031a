/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DNS messages as rules see them. Handles are of numbers, not of memory: which of the two messages
 * (the current one, the query that it answers), which section, which record. So only fields that a
 * rule uses are read, and a message that is written anew does not make them void. `name` is the
 * name that owns a record; the fields of its data are `rdata_name` and the others.
 */
#include "gate/lua/bind_dns_impl.h"

#include <lauxlib.h>

/* A handle's object: bits of a number that is no pointer; or, of the current message, the
 * packet. */
enum { SECTION_SHIFT = 16, SENT_BIT = 1 << 20, MARK = 1 << 24, MAX_CODE = MARK << 1 };

void *bind_dns_code(bool sent, enum dns_section s, uint32_t index)
{
	return (void *)(uintptr_t)(MARK | (sent ? SENT_BIT : 0) | (uint32_t)s << SECTION_SHIFT |
				   index);
}

struct bind_dns_at bind_dns_at(lua_State *L, const void *obj)
{
	uintptr_t n = (uintptr_t)obj < MAX_CODE ? (uintptr_t)obj : 0;
	struct bind_dns_at a = {.g = bind_gate_of(L), .sent = n & SENT_BIT};

	a.section = (enum dns_section)(n >> SECTION_SHIFT & 3);
	a.index = (uint16_t)n;
	a.msg = a.sent ? gate_dns_query(a.g) : gate_dns_msg(a.g);
	if (!a.msg)
		(void)luaL_error(L, "dns: there is no message any more");
	return a;
}

void bind_dns_push(lua_State *L, const struct script_class *cls, struct gate *g, void *obj)
{
	script_push(L, cls, obj, gate_dns_generation(g));
}

void bind_dns_check_unsent(lua_State *L, const struct bind_dns_at *a, const char *what)
{
	if (a->sent)
		(void)luaL_error(L, "%s: read-only: the query has been sent", what);
}

/* --- Messages --------------------------------------------------------------------------------- */

#define HEADER(field, value)                                       \
	static int get_##field(lua_State *L, void *obj)            \
	{                                                          \
		const struct dns_msg *m = bind_dns_at(L, obj).msg; \
		lua_pushinteger(L, (lua_Integer)(value));          \
		return 1;                                          \
	}
HEADER(id, m->id)
HEADER(opcode, dns_opcode(m))
HEADER(rcode, dns_rcode(m))
HEADER(qdcount, m->count[DNS_QUESTION])
HEADER(ancount, m->count[DNS_ANSWER])
HEADER(nscount, m->count[DNS_AUTHORITY])
HEADER(arcount, m->count[DNS_ADDITIONAL])

static struct bind_dns_at own_dns_message(lua_State *L, const void *obj, const char *what)
{
	struct bind_dns_at a = bind_dns_at(L, obj);

	bind_dns_check_unsent(L, &a, what);
	return a;
}

static void set_id(lua_State *L, void *obj, int idx)
{
	struct bind_dns_at a = own_dns_message(L, obj, "dns.id");

	bind_check_write(L,
			 gate_dns_set_id(a.g,
					 (uint16_t)script_check_uint(L, idx, UINT16_MAX, "dns.id")),
			 "dns.id");
}

static void set_rcode(lua_State *L, void *obj, int idx)
{
	struct bind_dns_at a = own_dns_message(L, obj, "dns.rcode");

	bind_check_write(L,
			 gate_dns_set_rcode(a.g, (uint16_t)script_check_uint(L, idx, 0xfff,
									     "dns.rcode")),
			 "dns.rcode");
}

static void set_opcode(lua_State *L, void *obj, int idx)
{
	enum { SHIFT = 11, MAX = 15 };
	struct bind_dns_at a = own_dns_message(L, obj, "dns.opcode");
	uint32_t v = (uint32_t)script_check_uint(L, idx, MAX, "dns.opcode");
	uint32_t rest = a.msg->flags & ~((uint32_t)MAX << SHIFT);

	bind_check_write(L, gate_dns_set_flags(a.g, (uint16_t)(rest | v << SHIFT)), "dns.opcode");
}

#define FLAG(field, bit)                                                                        \
	static int get_##field(lua_State *L, void *obj)                                         \
	{                                                                                       \
		lua_pushboolean(L, bind_dns_at(L, obj).msg->flags &(bit));                      \
		return 1;                                                                       \
	}                                                                                       \
	static void set_##field(lua_State *L, void *obj, int idx)                               \
	{                                                                                       \
		struct bind_dns_at a = own_dns_message(L, obj, "dns." #field);                  \
		bool on = script_check_bool(L, idx, "dns." #field);                             \
		uint16_t flags = (uint16_t)(on ? a.msg->flags | (bit) : a.msg->flags & ~(bit)); \
		bind_check_write(L, gate_dns_set_flags(a.g, flags), "dns." #field);             \
	}
FLAG(aa, DNS_AA)
FLAG(tc, DNS_TC)
FLAG(rd, DNS_RD)
FLAG(ra, DNS_RA)
FLAG(ad, DNS_AD)
FLAG(cd, DNS_CD)

/* Pushes the flag QR, which the direction decides. */
static int get_qr(lua_State *L, void *obj)
{
	lua_pushboolean(L, bind_dns_at(L, obj).msg->flags & DNS_QR);
	return 1;
}

static int get_question(lua_State *L, void *obj)
{
	struct bind_dns_at a = bind_dns_at(L, obj);

	if (!a.msg->count[DNS_QUESTION])
		return 0;
	bind_dns_push(L, &bind_class_dns_question, a.g, bind_dns_code(a.sent, DNS_QUESTION, 0));
	return 1;
}

static int get_dissector(lua_State *L, void *obj)
{
	(void)obj;
	lua_pushliteral(L, "dns");
	return 1;
}

#define SECTION(field, section)                                                                    \
	static int get_##field(lua_State *L, void *obj)                                            \
	{                                                                                          \
		struct bind_dns_at a = bind_dns_at(L, obj);                                        \
		bind_dns_push(L, &bind_class_dns_records, a.g, bind_dns_code(a.sent, section, 0)); \
		return 1;                                                                          \
	}
SECTION(answer, DNS_ANSWER)
SECTION(authority, DNS_AUTHORITY)
SECTION(additional, DNS_ADDITIONAL)

static const struct script_field message_fields[] = {
	{"name", get_dissector, NULL},
	{"id", get_id, set_id},
	{"qr", get_qr, NULL},
	{"opcode", get_opcode, set_opcode},
	{"aa", get_aa, set_aa},
	{"tc", get_tc, set_tc},
	{"rd", get_rd, set_rd},
	{"ra", get_ra, set_ra},
	{"ad", get_ad, set_ad},
	{"cd", get_cd, set_cd},
	{"rcode", get_rcode, set_rcode},
	{"qdcount", get_qdcount, NULL},
	{"ancount", get_ancount, NULL},
	{"nscount", get_nscount, NULL},
	{"arcount", get_arcount, NULL},
	{"question", get_question, NULL},
	{"answer", get_answer, NULL},
	{"authority", get_authority, NULL},
	{"additional", get_additional, NULL},
	{0},
};

static void *packet(void *obj)
{
	return obj;
}

static const luaL_Reg pairs_meta[] = {{"__pairs", script_pairs_fields}, {NULL, NULL}};
static const struct script_class class_message = {.name = "dns_message",
						  .fields = message_fields,
						  .meta = pairs_meta,
						  .parent = &bind_class_udp,
						  .to_parent = packet};

static int refuse_drop(lua_State *L)
{
	return luaL_error(L, "dns:drop: the query has been sent");
}

static const struct script_method query_methods[] = {{"drop", refuse_drop}, {0}};
static const struct script_class class_query = {.name = "dns_query",
						.fields = message_fields,
						.methods = query_methods,
						.meta = pairs_meta};

static void *dns_parent_flow(void *obj)
{
	return obj;
}

static const struct script_field dns_fields[] = {{"name", get_dissector, NULL}, {0}};
static const struct script_class class_dns = {.name = "dns",
					      .fields = dns_fields,
					      .parent = &bind_class_flow,
					      .to_parent = dns_parent_flow,
					      .flags = SCRIPT_CLASS_EXTENSIBLE};

const struct script_class *const bind_dns_classes[] = {&class_dns,
						       &class_message,
						       &class_query,
						       &bind_class_dns_records,
						       &bind_class_dns_record,
						       &bind_class_dns_question,
						       NULL};

/* --- The flow, the messages ------------------------------------------------------------------- */

int bind_push_dns(lua_State *L, struct gate_walk *w, struct flow *f, enum gate_event e)
{
	struct gate *g = w->g;

	f->script = 1;
	script_push(L, &class_dns, f, &f->generation);
	if (!gate_dns_msg(g))
		return 1;
	bind_dns_push(L, &class_message, g, w->p);
	if (e != EVENT_DNS_response)
		return 2;
	if (gate_dns_query(g))
		bind_dns_push(L, &class_query, g, bind_dns_code(true, DNS_QUESTION, 0));
	else
		lua_pushnil(L);
	return 3;
}
