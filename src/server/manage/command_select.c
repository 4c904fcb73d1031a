/* SPDX-License-Identifier: MPL-2.0 */
/*
 * subnet4-select-test: the choice of a subnet by given values, with the code of the stage SUBNET.
 * The classes are the given ones alone; no callout runs and no reservation is read.
 */
#include "base/cleanup.h"
#include "base/ip.h"
#include "config/config.h"
#include "runtime/iface.h"
#include "server/core/exchange.h"
#include "server/core/snapshot.h"
#include "server/core/subnet_select.h"
#include "server/manage/command.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum select_kind { SELECT_TEXT, SELECT_IPV4, SELECT_IPV6, SELECT_CLASSES };

enum select_entry {
	ENTRY_ADDRESS,
	ENTRY_RELAY,
	ENTRY_LOCAL,
	ENTRY_REMOTE,
	ENTRY_LINK,
	ENTRY_SUBNET
};

/* An argument. kind_4o6 is that of subnet4o6-select-test. entry: the place of an IPv4 address. */
static const struct select_row {
	const char *name;
	enum select_kind kind, kind_4o6;
	enum select_entry entry;
	bool only_4o6;
} select_rows[] = {
	{"interface", SELECT_TEXT, SELECT_TEXT, 0, false},
	{"interface-id", SELECT_TEXT, SELECT_TEXT, 0, true},
	{"address", SELECT_IPV4, SELECT_IPV4, ENTRY_ADDRESS, false},
	{"relay", SELECT_IPV4, SELECT_IPV4, ENTRY_RELAY, false},
	{"local", SELECT_IPV4, SELECT_IPV6, ENTRY_LOCAL, false},
	{"remote", SELECT_IPV4, SELECT_IPV6, ENTRY_REMOTE, false},
	{"link", SELECT_IPV4, SELECT_IPV6, ENTRY_LINK, false},
	{"subnet", SELECT_IPV4, SELECT_IPV4, ENTRY_SUBNET, false},
	{"classes", SELECT_CLASSES, SELECT_CLASSES, 0, false},
};

/* The values of a request. */
struct selection {
	const char *interface; /* NULL: not given */
	const struct json *classes;
	uint32_t addr[ENTRY_SUBNET + 1]; /* by enum select_entry; 0: not given */
};

static const struct select_row *find_row(const char *name, bool is_4o6)
{
	for (size_t i = 0; i < ARRAY_LEN(select_rows); i++)
		if (strcmp(select_rows[i].name, name) == 0 && (is_4o6 || !select_rows[i].only_4o6))
			return &select_rows[i];
	return NULL;
}

/* Reads an address of the family. Returns NULL or the refusal. */
static struct json *parse_address(struct control_call *c, const struct json *v, bool v6,
				  uint32_t *ret)
{
	struct in6_addr ip6;
	bool is_v4 = ip_parse(v->s, v->n, ret) == 0;

	if (!is_v4 && inet_pton(AF_INET6, v->s, &ip6) != 1)
		return command_fail(
			c,
			"bad '%s' entry: Failed to convert string to address '%s': Invalid argument",
			v->key, v->s);
	return is_v4 == v6 ? command_fail(c, "bad '%s' entry: not %s", v->key, v6 ? "IPv6" : "IPv4")
			   : NULL;
}

static struct json *check_classes(struct control_call *c, const struct json *v)
{
	if (v->type != JSON_LIST)
		return command_fail(c, "'classes' entry must be a list");
	for (const struct json *k = v->first; k; k = k->next)
		if (k->type != JSON_STRING)
			return command_fail(c, "'classes' entry must be a list of strings");
	return NULL;
}

/* Reads one argument. Returns NULL or the refusal. */
static struct json *parse_entry(struct control_call *c, const struct json *v, bool is_4o6,
				struct selection *sel)
{
	const struct select_row *row = find_row(v->key, is_4o6);
	enum select_kind kind;

	if (!row)
		return command_fail(c, "unknown entry '%s'", v->key);
	kind = is_4o6 ? row->kind_4o6 : row->kind;
	if (kind == SELECT_CLASSES) {
		sel->classes = v;
		return check_classes(c, v);
	}
	if (v->type != JSON_STRING)
		return command_fail(c, "'%s' entry must be a string", v->key);
	if (kind != SELECT_TEXT)
		return parse_address(c, v, kind == SELECT_IPV6, &sel->addr[row->entry]);
	if (!row->only_4o6)
		sel->interface = v->s;
	return NULL;
}

static struct json *parse_selection(struct control_call *c, bool is_4o6, struct selection *sel)
{
	struct json *bad = NULL;

	if (!c->args)
		return command_fail(c, "empty arguments");
	for (const struct json *v = c->args->first; v && !bad; v = v->next)
		bad = parse_entry(c, v, is_4o6, sel);
	return bad;
}

/* Fills in a query with the values. Returns the address of the link selection; 0: none. */
static uint32_t fill_query(const struct selection *sel, struct exchange *x)
{
	const uint32_t *addr = sel->addr;
	const struct json *k = sel->classes ? sel->classes->first : NULL;
	uint32_t link = x->cfg->ignore_rai_link_selection ? 0 : addr[ENTRY_LINK];

	x->query.giaddr = addr[ENTRY_RELAY];
	x->query.ciaddr = addr[ENTRY_ADDRESS];
	x->pkt.src = addr[ENTRY_REMOTE];
	if (addr[ENTRY_LOCAL] == UINT32_MAX)
		x->pkt.flags |= PACKET_BROADCAST;
	else
		x->local_addr = addr[ENTRY_LOCAL];
	if (!x->local_addr && x->iface && x->iface->n_addrs)
		x->local_addr = x->iface->serve_addr ? x->iface->serve_addr
						     : x->iface->addrs[0].addr;
	arena_init(&x->pkt.arena);
	for (; k; k = k->next)
		if (k->s[0])
			exchange_add_class_name(x, k->s);
	return link ? link : addr[ENTRY_SUBNET];
}

/* Returns whether the interface decides, by the order of subnet_select(). */
static bool needs_interface(const struct exchange *x, uint32_t link)
{
	bool broadcast = x->pkt.flags & PACKET_BROADCAST;

	return !link && !x->query.giaddr && (broadcast || (!x->query.ciaddr && !x->pkt.src));
}

static struct json *answer_selected(struct control_call *c, const struct config_subnet *s)
{
	if (!s)
		return control_answer(c->arena, CONTROL_EMPTY, "no subnet selected");
	if (s->network)
		return command_ok(c, NULL,
				  "selected shared network '%s' starting with subnet '%s' id %u",
				  s->network->name, s->text, s->id);
	return command_ok(c, NULL, "selected subnet '%s' id %u", s->text, s->id);
}

/* Selects by the values in the configuration in effect. */
static struct json *answer_selection(struct control_call *c, const struct selection *sel,
				     struct exchange *x)
{
	uint32_t link = fill_query(sel, x);
	bool named = sel->interface && sel->interface[0];
	struct json *answer;

	if (needs_interface(x, link) && !x->iface)
		answer = named ? command_fail(
					 c,
					 "Error during command processing: interface %s doesn't "
					 "exist and therefore it is impossible to find a "
					 "suitable subnet for its IPv4 address",
					 sel->interface)
			       : answer_selected(c, NULL);
	else
		answer = answer_selected(c, subnet_select(x, link));
	arena_fini(&x->pkt.arena);
	return answer;
}

struct json *command_subnet4_select_test(struct control_call *c)
{
	auto_free struct exchange *x = calloc(1, sizeof(*x));
	struct selection sel = {0};
	struct iface_table *ifaces;
	struct snapshot *s;
	struct json *answer = parse_selection(c, false, &sel);

	if (answer)
		return answer;
	if (!x)
		return command_fail(c, "out of memory");
	s = server_snapshot(&daemon_of(c)->srv);
	ifaces = server_ifaces(&daemon_of(c)->srv);
	x->srv = &daemon_of(c)->srv;
	x->cfg = s->cfg;
	if (sel.interface && ifaces)
		x->iface = iface_by_name(ifaces, sel.interface);
	answer = answer_selection(c, &sel, x);
	iface_table_unref(ifaces);
	snapshot_unref(s);
	return answer;
}

/* Checks the values. DHCPv4 over DHCPv6 is not served, so none of its queries selects a subnet. */
struct json *command_subnet4o6_select_test(struct control_call *c)
{
	struct selection sel = {0};
	struct json *bad = parse_selection(c, true, &sel);

	return bad ? bad : answer_selected(c, NULL);
}
