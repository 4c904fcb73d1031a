/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Commands that look leases up. Big answers are built in pages of the table, so that packets are not
 * held up.
 */
#include "server/command_lease.h"

#include "base/error.h"
#include "base/ip.h"
#include "config/config.h"
#include "lease/lease_db.h"
#include "server/command.h"
#include "server/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 256 };

static void add_hex(struct arena *a, struct json *m, const char *key, struct span s)
{
	struct buf b;

	buf_init(&b);
	buf_hex(&b, s, ':');
	(void)json_add(a, m, key, json_str(a, b.p ? b.p : ""));
	buf_fini(&b);
}

struct json *lease_json(struct arena *a, const struct lease *l)
{
	struct json *m = json_map(a);
	char ip[IP_TEXT_LEN];

	if (l->client_id_len)
		add_hex(a, m, "client-id", lease_client_id(l));
	(void)json_add(a, m, "cltt", json_int(a, l->cltt));
	(void)json_add(a, m, "fqdn-fwd", json_bool(a, l->fqdn_fwd));
	(void)json_add(a, m, "fqdn-rev", json_bool(a, l->fqdn_rev));
	(void)json_add(a, m, "hostname", json_str(a, l->hostname));
	add_hex(a, m, "hw-address", lease_hw(l));
	(void)json_add(a, m, "ip-address", json_str(a, ip_text(l->addr, ip)));
	if (l->pool_id)
		(void)json_add(a, m, "pool-id", json_int(a, l->pool_id));
	(void)json_add(a, m, "state", json_int(a, l->state));
	(void)json_add(a, m, "subnet-id", json_int(a, l->subnet_id));
	if (l->user_context) {
		struct json_opts o = {.file = ""};
		struct config_error err;
		struct json *ctx;

		if (json_parse(span_str(l->user_context), &o, a, &ctx, &err) == 0)
			(void)json_add(a, m, "user-context", ctx);
	}
	(void)json_add(a, m, "valid-lft", json_int(a, l->valid_lft));
	return m;
}

/* Every lease that passes the filter, at most `limit`. */
static struct json *list_leases(struct command *c, uint32_t from, const struct lease_filter *f, size_t limit)
{
	struct json *list = json_list(c->arena);
	struct lease *page = calloc(PAGE, sizeof(*page));
	struct arena contexts;
	size_t n;

	arena_init(&contexts);
	do {
		size_t want = limit - list->count < PAGE ? limit - list->count : PAGE;

		n = page && want ? lease_db_page(c->d->srv.db, from, f, &contexts, page, want) : 0;
		for (size_t i = 0; i < n; i++)
			(void)json_add(c->arena, list, NULL, lease_json(c->arena, &page[i]));
		if (n)
			from = page[n - 1].addr;
		arena_reset(&contexts);
	} while (n);
	arena_fini(&contexts);
	free(page);
	return list;
}

static struct json *found(struct command *c, struct json *list)
{
	struct json *m = json_map(c->arena);
	struct json *answer;

	(void)json_add(c->arena, m, "leases", list);
	if (list->count)
		return command_ok(c, m, "%zu IPv4 lease(s) found.", list->count);
	answer = control_answer(c->arena, CONTROL_EMPTY, "0 IPv4 lease(s) found.");
	(void)json_add(c->arena, answer, "arguments", m);
	return answer;
}

int lease_arg_addr(struct command *c, const char *name, uint32_t *ret)
{
	const char *s = command_str(c, name);

	return s ? ip_parse(s, strlen(s), ret) : -USHER_E_NOTFOUND;
}

int lease_arg_hex(struct command *c, const char *name, uint8_t *out, size_t cap)
{
	const char *s = command_str(c, name);

	return s ? hex_parse(s, strlen(s), out, cap) : -USHER_E_NOTFOUND;
}

/* By identifier: hw-address or client-id, in a subnet. */
static struct json *find_by_identifier(struct command *c, uint32_t *ret, struct lease_expect *ret_expect)
{
	const char *type = command_str(c, "identifier-type");
	uint8_t id[LEASE_CLIENT_ID_MAX];
	struct lease_filter f = {.state = -1};
	struct lease l;
	int64_t subnet;
	int n;

	if (!type || !command_str(c, "identifier") || !command_int(c, "subnet-id", &subnet))
		return command_fail(c, "'ip-address', or 'identifier-type', 'identifier' and 'subnet-id' are needed");
	n = lease_arg_hex(c, "identifier", id, sizeof(id));
	if (n <= 0)
		return command_fail(c, "'identifier' must be hex octets");
	f.subnet_id = (uint32_t)subnet;
	if (strcmp(type, "hw-address") == 0)
		f.hw = span_of(id, (size_t)n);
	else if (strcmp(type, "client-id") == 0)
		f.client_id = span_of(id, (size_t)n);
	else
		return command_fail(c, "'identifier-type' must be hw-address or client-id, not '%s'", type);
	if (!lease_db_page(c->d->srv.db, 0, &f, NULL, &l, 1))
		return control_answer(c->arena, CONTROL_EMPTY, "Lease not found.");
	*ret = l.addr;
	*ret_expect = lease_expect_row(&l);
	return NULL;
}

struct json *lease_which(struct command *c, uint32_t *ret, struct lease_expect *ret_expect)
{
	*ret_expect = lease_expect_any();
	if (!json_get(c->args, "ip-address"))
		return find_by_identifier(c, ret, ret_expect);
	if (lease_arg_addr(c, "ip-address", ret) < 0)
		return command_fail(c, "'ip-address' must be an IPv4 address");
	return NULL;
}

struct json *command_lease4_get(struct command *c)
{
	struct lease_expect expect;
	struct lease l;
	uint32_t addr;
	struct json *bad = lease_which(c, &addr, &expect);

	if (bad)
		return bad;
	if (lease_db_get(c->d->srv.db, addr, c->arena, &l, NULL) < 0 || l.state == LEASE_OFFERED)
		return control_answer(c->arena, CONTROL_EMPTY, "Lease not found.");
	return command_ok(c, lease_json(c->arena, &l), "IPv4 lease found.");
}

struct json *command_lease4_get_all(struct command *c)
{
	const struct json *subnets = json_get(c->args, "subnets");
	struct lease_filter f = {.state = -1};
	struct json *all;

	if (!subnets)
		return found(c, list_leases(c, 0, &f, SIZE_MAX));
	if (subnets->type != JSON_LIST)
		return command_fail(c, "'subnets' must be a list of subnet ids");
	all = json_list(c->arena);
	for (const struct json *s = subnets->first; s; s = s->next) {
		struct json *some;

		if (s->type != JSON_INT || s->i <= 0 || s->i > UINT32_MAX)
			return command_fail(c, "'subnets' must be a list of subnet ids");
		f.subnet_id = (uint32_t)s->i;
		some = list_leases(c, 0, &f, SIZE_MAX);
		for (struct json *l = some->first; l;) {
			struct json *next = l->next;

			l->next = NULL;
			(void)json_add(c->arena, all, NULL, l);
			l = next;
		}
	}
	return found(c, all);
}

struct json *command_lease4_get_page(struct command *c)
{
	const char *from = command_str(c, "from");
	struct lease_filter f = {.state = -1};
	uint32_t addr = 0;
	int64_t limit;
	struct json *answer;

	if (!from || (strcmp(from, "start") != 0 && ip_parse(from, strlen(from), &addr) < 0))
		return command_fail(c, "'from' must be \"start\" or an IPv4 address");
	if (!command_int(c, "limit", &limit) || limit <= 0 || limit > UINT32_MAX)
		return command_fail(c, "'limit' must be a positive integer");
	answer = found(c, list_leases(c, addr, &f, (size_t)limit));
	(void)json_add(c->arena, json_get(answer, "arguments"), "count",
		       json_int(c->arena, (int64_t)json_get(json_get(answer, "arguments"), "leases")->count));
	return answer;
}

struct json *command_lease4_by_hw(struct command *c)
{
	uint8_t hw[LEASE_HW_MAX];
	int n = lease_arg_hex(c, "hw-address", hw, sizeof(hw));
	struct lease_filter f = {.state = -1};

	if (n <= 0)
		return command_fail(c, "'hw-address' must be hex octets, as in 00:11:22:33:44:55");
	f.hw = span_of(hw, (size_t)n);
	return found(c, list_leases(c, 0, &f, SIZE_MAX));
}

struct json *command_lease4_by_client_id(struct command *c)
{
	uint8_t id[LEASE_CLIENT_ID_MAX];
	int n = lease_arg_hex(c, "client-id", id, sizeof(id));
	struct lease_filter f = {.state = -1};

	if (n <= 0)
		return command_fail(c, "'client-id' must be hex octets");
	f.client_id = span_of(id, (size_t)n);
	return found(c, list_leases(c, 0, &f, SIZE_MAX));
}

struct json *command_lease4_by_hostname(struct command *c)
{
	struct lease_filter f = {.state = -1, .hostname = command_str(c, "hostname")};

	if (!f.hostname || !f.hostname[0])
		return command_fail(c, "'hostname' is missing or empty");
	return found(c, list_leases(c, 0, &f, SIZE_MAX));
}
