/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Commands that change leases: lease4-add, lease4-update, lease4-del, lease4-wipe. The answer OK is
 * sent when the change is on disk.
 */
#include "base/buf.h"
#include "base/error.h"
#include "base/ip.h"
#include "config/config.h"
#include "lease/lease_db.h"
#include "server/manage/command.h"
#include "server/manage/command_lease.h"
#include "server/view/lease_check.h"
#include "lease/json/lease_json.h"
#include "server/core/name_change.h"
#include "server/core/snapshot.h"

#include <arpa/inet.h>
#include <string.h>

/* Returns the subnet: the named one, or the one that contains the address. NULL with a refusal
 * in *ret_bad. */
static const struct config_subnet *edit_subnet(struct control_call *c, const struct config *cfg,
					       const struct json *args, uint32_t addr,
					       struct json **ret_bad)
{
	static const int64_t range[] = {0, UINT32_MAX};
	struct lease_json_problem problem;
	const struct config_subnet *s;
	char ip[IP_TEXT_LEN];
	int64_t id = 0;

	if (lease_json_int(args, "subnet-id", range, &id, &problem) < 0) {
		*ret_bad = command_fail(c, "%s", problem.text);
		return NULL;
	}
	s = id ? config_subnet_by_id(cfg, (uint32_t)id) : config_subnet_containing(cfg, addr, NULL);
	if (!s && id)
		*ret_bad = control_answer(c->arena, CONTROL_CONFLICT,
					  "Invalid subnet-id: No IPv4 subnet with subnet-id=%lld "
					  "currently configured.",
					  (long long)id);
	else if (!s)
		*ret_bad = control_answer(
			c->arena, CONTROL_CONFLICT,
			"subnet-id not specified and failed to find a subnet for address %s",
			ip_text(addr, ip));
	else if ((addr & ip_mask(s->prefix_len)) != s->prefix)
		*ret_bad =
			control_answer(c->arena, CONTROL_CONFLICT,
				       "The address %s does not belong to subnet %s, subnet-id=%u",
				       ip_text(addr, ip), s->text, s->id);
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

struct json *lease_edit_parse(struct control_call *c, const struct config *cfg,
			      const struct json *args, struct lease *ret)
{
	struct lease_json_problem problem;
	const struct config_subnet *s;
	struct json *bad = NULL;

	memset(ret, 0, sizeof(*ret));
	if (lease_identity_from_json(args, ret, &problem) < 0)
		return command_fail(c, "%s", problem.text);
	s = edit_subnet(c, cfg, args, ret->addr, &bad);
	if (!s)
		return bad;
	edit_defaults(c, s, ret);
	if (lease_from_json(args, c->arena, ret, &problem) < 0)
		return command_fail(c, "%s", problem.text);
	if (!ret->hostname[0] && (ret->fqdn_fwd || ret->fqdn_rev))
		return command_fail(c, "No hostname specified and either forward or reverse "
				       "fqdn was set to true.");
	if (lease_check_context(&daemon_of(c)->srv, cfg, c->arena, ret) < 0)
		return command_fail(c, "out of memory");
	ret->subnet_id = s->id; /* an argument of 0 names none */
	if (!ret->valid_lft && !json_get(args, "expire"))
		ret->cltt--; /* it has ended, so its last second is over, too */
	return NULL;
}

static struct json *edit_parse(struct control_call *c, struct lease *l)
{
	struct snapshot *snap = server_snapshot(&daemon_of(c)->srv);
	struct json *bad = lease_edit_parse(c, snap->cfg, c->args, l);

	snapshot_unref(snap);
	return bad;
}

/* Parses and puts a lease. Returns the refusal; NULL: it is on disk. */
static struct json *edit_put(struct control_call *c, enum lease_put mode, struct lease *l,
			     struct lease_change *change)
{
	struct json *bad = edit_parse(c, l);
	char ip[IP_TEXT_LEN];
	int r;

	if (bad)
		return bad;
	r = lease_db_put(daemon_of(c)->srv.db, l, mode, lease_expect_any(), change);
	if (r == -USHER_E_EXISTS)
		return control_answer(c->arena, CONTROL_CONFLICT, "IPv4 lease already exists.");
	if (r == -USHER_E_NOTFOUND)
		return control_answer(c->arena, CONTROL_CONFLICT,
				      "failed to update the lease with address %s either because "
				      "the lease has been deleted or it has changed in the "
				      "database, in both cases a retry might succeed",
				      ip_text(l->addr, ip));
	if (r < 0)
		return command_fail(c, "%s", usher_strerror(r));
	return command_durable(c, change->seq);
}

struct json *command_lease4_add(struct control_call *c)
{
	struct lease_change change = {0};
	char ip[IP_TEXT_LEN];
	struct lease l;
	struct json *bad;

	if (!c->args)
		return command_fail(c, "no parameters specified for the command");
	bad = edit_put(c, LEASE_PUT_ADD, &l, &change);
	return bad ? bad
		   : command_ok(c, NULL, "Lease for address %s, subnet-id %u added.",
				ip_text(l.addr, ip), l.subnet_id);
}

struct json *command_lease4_update(struct control_call *c)
{
	struct lease_json_problem problem;
	struct lease_change change = {0};
	bool force = false;
	struct lease l;
	struct json *bad;

	if (!c->args)
		return command_fail(c, "no parameters specified for lease4-update command");
	if (lease_json_bool(c->args, "force-create", &force, &problem) < 0)
		return command_fail(c, "%s", problem.text);
	bad = edit_put(c, force ? LEASE_PUT_FORCE : LEASE_PUT_UPDATE, &l, &change);
	return bad ? bad
		   : command_ok(c, NULL, "IPv4 lease %s.", change.had_old ? "updated" : "added");
}

/* Sends a request for the DNS by the present configuration. */
static void update_dns(struct control_call *c, enum ddns_op op, const struct lease *l)
{
	struct server *srv = &daemon_of(c)->srv;
	struct snapshot *s = server_snapshot(srv);

	(void)name_change_now(srv, s->cfg, op, l);
	snapshot_unref(s);
}

struct json *command_lease4_del(struct control_call *c)
{
	struct lease_change change = {0};
	bool dns = false;
	struct lease_expect expect;
	uint32_t addr;
	struct json *bad = lease_which(c, &addr, &expect);

	if (bad)
		return bad;
	if (lease_db_del(daemon_of(c)->srv.db, addr, expect, &change) < 0)
		return control_answer(c->arena, CONTROL_EMPTY, "IPv4 lease not found.");
	bad = command_durable(c, change.seq);
	if (!bad && json_get_bool(c->args, "update-ddns", &dns) && dns)
		update_dns(c, DDNS_REMOVE, &change.old);
	return bad ? bad : command_ok(c, NULL, "IPv4 lease deleted.");
}

/* Returns the answer of lease4-wipe, which names the subnet (0: all subnets). */
static struct json *answer_wipe(struct control_call *c, uint64_t n, uint32_t subnet)
{
	struct json *m = json_map(c->arena);
	struct snapshot *s;
	struct buf b;

	buf_init(&b);
	buf_printf(&b, "Deleted %llu IPv4 lease(s) from subnet(s)", (unsigned long long)n);
	if (subnet) {
		buf_printf(&b, " %u", subnet);
	} else {
		s = server_snapshot(&daemon_of(c)->srv);
		for (size_t i = 0; i < s->cfg->n_subnets; i++)
			buf_printf(&b, " %u", s->cfg->subnets[i].id);
		snapshot_unref(s);
	}
	(void)json_add(c->arena, m, "result", json_int(c->arena, n ? CONTROL_OK : CONTROL_EMPTY));
	(void)json_add(c->arena, m, "text", json_str(c->arena, b.failed ? "" : b.p));
	buf_fini(&b);
	return m;
}

struct json *command_lease4_wipe(struct control_call *c)
{
	static const int64_t range[] = {0, UINT32_MAX};
	struct lease_json_problem problem;
	struct json *bad = NULL;
	int64_t subnet = 0;
	uint64_t seq = 0;
	uint64_t n;

	if (lease_json_int(c->args, "subnet-id", range, &subnet, &problem) < 0)
		return command_fail(c, "%s", problem.text);
	n = lease_db_wipe(daemon_of(c)->srv.db, (uint32_t)subnet, &seq);
	if (n)
		bad = command_durable(c, seq);
	return bad ? bad : answer_wipe(c, n, (uint32_t)subnet);
}

/* Reads the address as Kea checks it. Returns NULL, or the refusal. */
static struct json *resend_address(struct control_call *c, uint32_t *ret)
{
	const struct json *v = json_get(c->args, "ip-address");
	struct in6_addr ip6;

	if (!v)
		return command_fail(c, "'ip-address' parameter is missing.");
	if (v->type != JSON_STRING)
		return command_fail(c, "'ip-address' is not a string.");
	if (ip_parse(v->s, v->n, ret) == 0)
		return NULL;
	return inet_pton(AF_INET6, v->s, &ip6) == 1
		       ? command_fail(c, "Invalid IPv4 address specified: %s", v->s)
		       : command_fail(c, "'%s' is not a valid IP address.", v->s);
}

static struct json *resend_lease(struct control_call *c, uint32_t addr)
{
	char ip[IP_TEXT_LEN];
	struct lease l;

	if (lease_db_get(daemon_of(c)->srv.db, addr, NULL, &l, NULL) < 0 ||
	    l.state == LEASE_OFFERED)
		return control_answer(c->arena, CONTROL_EMPTY, "No lease found for: %s",
				      ip_text(addr, ip));
	if (!l.hostname[0])
		return control_answer(c->arena, CONTROL_CONFLICT,
				      "Lease for: %s, has no hostname, nothing to update",
				      ip_text(addr, ip));
	if (!l.fqdn_fwd && !l.fqdn_rev)
		return control_answer(c->arena, CONTROL_CONFLICT,
				      "Neither forward nor reverse updates enabled for lease for: "
				      "%s",
				      ip_text(addr, ip));
	update_dns(c, DDNS_ADD, &l);
	return command_ok(c, NULL, "NCR generated for: %s, hostname: %s", ip_text(addr, ip),
			  l.hostname);
}

struct json *command_lease4_resend_ddns(struct control_call *c)
{
	uint32_t addr = 0;
	struct json *bad = resend_address(c, &addr);
	struct snapshot *s;
	bool enabled;

	if (bad)
		return bad;
	s = server_snapshot(&daemon_of(c)->srv);
	enabled = s->cfg->ddns.enabled;
	snapshot_unref(s);
	return enabled ? resend_lease(c, addr)
		       : control_answer(c->arena, CONTROL_CONFLICT, "DDNS updating is not enabled");
}
