/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Commands on interfaces: interface-list, interface-redetect, interface-add. The last one applies
 * the running configuration with a longer list of interfaces, so it takes effect whole or not at
 * all, and config-get has the list.
 */
#include "base/error.h"
#include "base/ip.h"
#include "config/config.h"
#include "runtime/iface.h"
#include "server/core/snapshot.h"
#include "server/manage/command.h"
#include "server/manage/daemon_impl.h"

#include <stdio.h>
#include <string.h>

static bool is_served(const struct server_daemon *d, int ifindex)
{
	for (size_t i = 0; i < d->n_ports; i++)
		if (d->ports[i].ifindex == ifindex)
			return true;
	return false;
}

static struct json *describe_interface(struct control_call *c, const struct iface *i)
{
	struct arena *a = c->arena;
	struct json *addresses = json_list(a);
	struct json *m = json_map(a);
	char ip[IP_TEXT_LEN];

	for (size_t k = 0; k < i->n_addrs; k++)
		(void)json_add(a, addresses, NULL, json_str(a, ip_text(i->addrs[k].addr, ip)));
	(void)json_add(a, m, "addresses", addresses);
	(void)json_add(a, m, "flag-broadcast", json_bool(a, i->broadcast));
	(void)json_add(a, m, "flag-loopback", json_bool(a, i->loopback));
	(void)json_add(a, m, "flag-multicast", json_bool(a, i->multicast));
	(void)json_add(a, m, "flag-running", json_bool(a, i->running));
	(void)json_add(a, m, "flag-up", json_bool(a, i->up));
	(void)json_add(a, m, "in-use", json_bool(a, is_served(daemon_of(c), i->ifindex)));
	(void)json_add(a, m, "index", json_int(a, i->ifindex));
	(void)json_add(a, m, "mac",
		       json_str(a, arena_printf(a, "%02x:%02x:%02x:%02x:%02x:%02x", i->mac[0],
						i->mac[1], i->mac[2], i->mac[3], i->mac[4],
						i->mac[5])));
	(void)json_add(a, m, "name", json_str(a, i->name));
	(void)json_add(a, m, "type", json_int(a, i->arp_type));
	return m;
}

struct json *command_interface_list(struct control_call *c)
{
	struct iface_table *t = server_ifaces(&daemon_of(c)->srv);
	struct json *list = json_list(c->arena);
	struct json *m = json_map(c->arena);
	size_t n = t ? t->n : 0;

	for (size_t i = 0; i < n; i++)
		(void)json_add(c->arena, list, NULL, describe_interface(c, &t->items[i]));
	iface_table_unref(t);
	(void)json_add(c->arena, m, "interfaces", list);
	return command_ok(c, m, "%zu interfaces detected.", n);
}

struct json *command_interface_redetect(struct control_call *c)
{
	if (daemon_of(c)->ready)
		daemon_sync_ports(daemon_of(c));
	return command_interface_list(c);
}

/* --- interface-add ---------------------------------------------------------------------------- */

/* Returns the sentence of an entry that the machine does not have; NULL: it has it. */
static const char *find_fault(struct control_call *c, const struct iface_table *t,
			      const char *entry)
{
	const char *slash = strchr(entry, '/');
	char *name = arena_strndup(c->arena, entry,
				   slash ? (size_t)(slash - entry) : strlen(entry));
	const struct iface *i = name && t ? iface_by_name(t, name) : NULL;
	uint32_t addr;

	if (strcmp(entry, "*") == 0)
		return NULL;
	if (!entry[0])
		return "empty interface name used in configuration";
	if (!i)
		return arena_printf(c->arena, "interface '%s' doesn't exist in the system", name);
	if (!slash)
		return NULL;
	if (ip_parse(slash + 1, strlen(slash + 1), &addr) < 0)
		return arena_printf(c->arena, "address '%s' is not a valid IPv4 address",
				    slash + 1);
	for (size_t k = 0; k < i->n_addrs; k++)
		if (i->addrs[k].addr == addr)
			return NULL;
	return arena_printf(c->arena, "interface '%s' doesn't have address '%s' assigned", name,
			    slash + 1);
}

/* Checks the arguments. Returns NULL or the refusal. */
static struct json *check_added(struct control_call *c)
{
	const struct json *list = json_get(c->args, "interfaces");
	struct iface_table *t;
	const char *fault = NULL;
	const struct json *v;

	if (!c->args)
		return command_fail(c, "Missing mandatory 'arguments' parameter.");
	for (v = c->args->first; v; v = v->next)
		if (strcmp(v->key, "interfaces") != 0)
			return command_fail(c, "Unsupported '%s' map parameter in 'arguments'.",
					    v->key);
	if (!list)
		return command_fail(c, "Missing mandatory 'interfaces' map parameter in "
				       "'arguments'.");
	if (list->type != JSON_LIST)
		return command_fail(c, "'interfaces' parameter must be a list");
	t = server_ifaces(&daemon_of(c)->srv);
	for (v = list->first; v && !fault; v = v->next)
		fault = v->type == JSON_STRING ? find_fault(c, t, v->s)
					       : "the name of an interface must be a string";
	iface_table_unref(t);
	return fault ? command_fail(c,
				    "Updating used interfaces failed: Failed to select "
				    "interface: %s",
				    fault)
		     : NULL;
}

/* Returns the member of a map, which is made if it is absent. */
static struct json *take_member(struct control_call *c, struct json *m, const char *name,
				enum json_type type)
{
	struct json *v = m ? m->first : NULL;

	while (v && strcmp(v->key, name) != 0)
		v = v->next;
	if (v || !m)
		return v;
	v = type == JSON_LIST ? json_list(c->arena) : json_map(c->arena);
	(void)json_add(c->arena, m, name, v);
	return v;
}

static bool has_entry(const struct json *list, const char *name)
{
	for (const struct json *v = list->first; v; v = v->next)
		if (v->type == JSON_STRING && strcmp(v->s, name) == 0)
			return true;
	return false;
}

/* Returns the running configuration with the interfaces; NULL: it has all of them. */
static struct json *add_interfaces(struct control_call *c)
{
	struct snapshot *s = server_snapshot(&daemon_of(c)->srv);
	struct json *root = command_running_config(c, s);
	struct json *dhcp4 = take_member(c, root, "Dhcp4", JSON_MAP);
	struct json *section = take_member(c, dhcp4, "interfaces-config", JSON_MAP);
	struct json *list = take_member(c, section, "interfaces", JSON_LIST);
	const struct json *v = json_get(c->args, "interfaces")->first;
	bool grown = false;

	snapshot_unref(s);
	for (; list && v; v = v->next) {
		if (has_entry(list, v->s))
			continue;
		(void)json_add(c->arena, list, NULL, json_str(c->arena, v->s));
		grown = true;
	}
	return grown ? root : NULL;
}

void command_interface_add_work(struct control_call *c)
{
	struct daemon_reading *r;
	const struct json *root;

	if (check_added(c))
		return;
	root = add_interfaces(c);
	r = root ? command_begin_reading(c) : NULL;
	if (r && daemon_reading_json(r, root) == 0)
		(void)!daemon_check(r);
}

struct json *command_interface_add(struct control_call *c)
{
	struct daemon_reading *r = c->result;
	struct json *bad = check_added(c);

	if (bad)
		return bad;
	if (r && (!r->cfg || daemon_apply(daemon_of(c), r->cfg, &r->problems, &r->first) < 0))
		return command_fail(c, "Updating used interfaces failed: %s",
				    r->problems.n ? r->problems.items[0].text : r->first.text);
	if (r)
		r->cfg = NULL; /* it is in effect */
	return command_ok(c, NULL, "Interface configuration successfully updated.");
}
