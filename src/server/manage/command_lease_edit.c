/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Commands that change leases: lease4-add, lease4-update, lease4-del, lease4-wipe. The answer OK is
 * sent when the change is on disk.
 */
#include "base/error.h"
#include "base/ip.h"
#include "config/config.h"
#include "lease/lease_db.h"
#include "server/manage/command.h"
#include "server/manage/command_lease.h"
#include "server/manage/lease_json.h"
#include "server/core/snapshot.h"

#include <arpa/inet.h>
#include <string.h>

/* Returns the subnet: the named one, or the one that contains the address. NULL with a refusal
 * in *ret_bad. */
static const struct config_subnet *edit_subnet(struct control_call *c, const struct config *cfg,
					       uint32_t addr, struct json **ret_bad)
{
	const struct config_subnet *s;
	int64_t id;

	if (!json_get(c->args, "subnet-id")) {
		s = config_subnet_containing(cfg, addr, NULL);
		if (!s)
			*ret_bad = command_fail(c, "no subnet contains 'ip-address' %s",
						command_str(c, "ip-address"));
		return s;
	}
	if (!command_int(c, "subnet-id", &id) || id < 0 || id > UINT32_MAX) {
		*ret_bad = command_fail(c, "'subnet-id' must be a positive integer");
		return NULL;
	}
	s = id ? config_subnet_by_id(cfg, (uint32_t)id) : config_subnet_containing(cfg, addr, NULL);
	if (!s)
		*ret_bad = command_fail(
			c,
			"Invalid subnet-id: No IPv4 subnet with subnet-id=%lld currently "
			"configured.",
			(long long)id);
	else if ((addr & ip_mask(s->prefix_len)) != s->prefix)
		*ret_bad = command_fail(c,
					"the address %s does not belong to subnet %s, subnet-id=%u",
					command_str(c, "ip-address"), s->text, s->id);
	return *ret_bad ? NULL : s;
}

/* Sets the fields that the arguments may lack. */
static void edit_defaults(struct control_call *c, const struct config_subnet *s, struct lease *l)
{
	l->valid_lft = s->params.valid_lifetime.value;
	l->cltt = clock_wall_s(&daemon_of(c)->srv.clock);
	l->state = LEASE_ASSIGNED;
	for (size_t i = 0; i < s->n_pools; i++)
		if (l->addr >= s->pools[i].first && l->addr <= s->pools[i].last)
			l->pool_id = s->pools[i].pool_id;
}

static struct json *edit_parse(struct control_call *c, struct lease *l)
{
	struct lease_json_problem problem;
	const struct config_subnet *s;
	struct json *bad = NULL;
	struct snapshot *snap;

	memset(l, 0, sizeof(*l));
	if (lease_arg_addr(c, "ip-address", &l->addr) < 0)
		return command_fail(c, "'ip-address' must be given as an IPv4 address");
	snap = server_snapshot(&daemon_of(c)->srv);
	s = edit_subnet(c, snap->cfg, l->addr, &bad);
	if (s) {
		edit_defaults(c, s, l);
		if (lease_from_json(c->args, c->arena, l, &problem) < 0)
			bad = command_fail(c, "%s", problem.text);
		l->subnet_id = s->id; /* an argument of 0 names none */
	}
	snapshot_unref(snap);
	return bad;
}

static struct json *edit_put(struct control_call *c, enum lease_put mode, const char *done)
{
	struct lease_change change = {0};
	struct lease l;
	struct json *bad = edit_parse(c, &l);
	int r;

	if (bad)
		return bad;
	r = lease_db_put(daemon_of(c)->srv.db, &l, mode, lease_expect_any(), &change);
	if (r == -USHER_E_EXISTS)
		return command_fail(c, "IPv4 lease already exists.");
	if (r == -USHER_E_NOTFOUND)
		return command_fail(c, "failed to update the lease with address %s - no such lease",
				    command_str(c, "ip-address"));
	if (r < 0)
		return command_fail(c, "%s", usher_strerror(r));
	bad = command_durable(c, change.seq);
	return bad ? bad : command_ok(c, NULL, "%s", done);
}

struct json *command_lease4_add(struct control_call *c)
{
	return edit_put(c, LEASE_PUT_ADD, "Lease for address added.");
}

struct json *command_lease4_update(struct control_call *c)
{
	bool force = false;

	if (json_get(c->args, "force-create") && !command_bool(c, "force-create", &force))
		return command_fail(c, "'force-create' must be true or false");
	return edit_put(c, force ? LEASE_PUT_FORCE : LEASE_PUT_UPDATE, "IPv4 lease updated.");
}

struct json *command_lease4_del(struct control_call *c)
{
	struct lease_change change = {0};
	struct lease_expect expect;
	uint32_t addr;
	struct json *bad = lease_which(c, &addr, &expect);

	if (bad)
		return bad;
	if (lease_db_del(daemon_of(c)->srv.db, addr, expect, &change) < 0)
		return control_answer(c->arena, CONTROL_EMPTY, "IPv4 lease not found.");
	bad = command_durable(c, change.seq);
	return bad ? bad : command_ok(c, NULL, "IPv4 lease deleted.");
}

struct json *command_lease4_wipe(struct control_call *c)
{
	static const int64_t range[] = {0, UINT32_MAX};
	struct lease_json_problem problem;
	int64_t subnet = 0;
	uint64_t seq = 0;
	struct json *bad;
	uint64_t n;

	if (lease_json_int(c->args, "subnet-id", range, &subnet, &problem) < 0)
		return command_fail(c, "%s", problem.text);
	n = lease_db_wipe(daemon_of(c)->srv.db, (uint32_t)subnet, &seq);
	if (!n)
		return control_answer(c->arena, CONTROL_EMPTY, "Deleted 0 IPv4 lease(s)");
	bad = command_durable(c, seq);
	return bad ? bad : command_ok(c, NULL, "Deleted %llu IPv4 lease(s)", (unsigned long long)n);
}

/* Reads the address as Kea checks it, then refuses: the server sends no updates of the DNS. */
struct json *command_lease4_resend_ddns(struct control_call *c)
{
	const struct json *v = json_get(c->args, "ip-address");
	struct in6_addr ip6;
	uint32_t addr;

	if (!v)
		return command_fail(c, "'ip-address' parameter is missing.");
	if (v->type != JSON_STRING)
		return command_fail(c, "'ip-address' is not a string.");
	if (ip_parse(v->s, v->n, &addr) < 0)
		return inet_pton(AF_INET6, v->s, &ip6) == 1
			       ? command_fail(c, "Invalid IPv4 address specified: %s", v->s)
			       : command_fail(c, "'%s' is not a valid IP address.", v->s);
	return control_answer(c->arena, CONTROL_CONFLICT, "DDNS updating is not enabled");
}
