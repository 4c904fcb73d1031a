/* SPDX-License-Identifier: MPL-2.0 */
/* Commands that look up leases. Lists are made page by page as the client reads them, so that
 * they take no memory and do not delay packets. */
#include "server/manage/command_lease.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/ip.h"
#include "config/config.h"
#include "hook/hook.h"
#include "lease/lease_db.h"
#include "server/manage/command.h"
#include "server/manage/lease_json.h"
#include "server/core/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 256 };

/* --- lists of leases, made as they are read --------------------------------------------------- */

struct lease_list {
	struct server *srv;
	uint8_t key[LEASE_CLIENT_ID_MAX];
	char *hostname;
	struct lease_filter f;
	uint32_t from;
	size_t limit, count;
	bool page;	   /* with the count */
	char which[64];	   /* words behind "found" in the answer's text */
	uint32_t *subnets; /* one after the other; NULL: all at once */
	size_t n_subnets, subnet;
	bool begun;
	struct lease *leases; /* PAGE of them */
};

static void list_fini(void *ctx)
{
	struct lease_list *l = ctx;

	free(l->hostname);
	free(l->subnets);
	free(l->leases);
	free(l);
}

static struct lease_list *list_new(struct control_call *c)
{
	struct lease_list *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->srv = &daemon_of(c)->srv;
	l->f.state = -1;
	l->limit = SIZE_MAX;
	l->leases = calloc(PAGE, sizeof(*l->leases));
	if (l->leases)
		return l;
	list_fini(l);
	return NULL;
}

/* Fetches the next leases. Returns their number; 0: the list is complete. */
static size_t list_page(struct lease_list *l, struct arena *contexts)
{
	size_t want = l->limit - l->count < PAGE ? l->limit - l->count : PAGE;
	size_t n = 0;

	while (want && (!l->subnets || l->subnet < l->n_subnets)) {
		if (l->subnets)
			l->f.subnet_id = l->subnets[l->subnet];
		n = lease_db_page(l->srv->db, l->from, &l->f, contexts, l->leases, want);
		if (n || !l->subnets)
			break;
		l->subnet++;
		l->from = 0;
	}
	if (n)
		l->from = l->leases[n - 1].addr;
	return n;
}

static void list_end(struct lease_list *l, struct buf *out)
{
	if (!l->begun)
		buf_str(out, "{\"arguments\":{\"leases\":[");
	buf_str(out, "]");
	if (l->page)
		buf_printf(out, ",\"count\":%zu", l->count);
	buf_printf(out, "},\"result\":%d,\"text\":\"%zu IPv4 lease(s) found%s.\"}",
		   l->count ? CONTROL_OK : CONTROL_EMPTY, l->count, l->which);
}

static bool list_next(void *ctx, struct buf *out)
{
	struct lease_list *l = ctx;
	struct arena a;
	size_t n;

	arena_init(&a);
	n = list_page(l, &a);
	if (!n)
		list_end(l, out);
	for (size_t i = 0; i < n; i++) {
		buf_str(out, l->begun ? "," : "{\"arguments\":{\"leases\":[");
		l->begun = true;
		json_write(lease_to_json(&a, &l->leases[i]), false, out);
	}
	l->count += n;
	arena_fini(&a);
	return n != 0;
}

static struct json *list_answer(struct control_call *c, struct lease_list *l)
{
	if (!l)
		return command_fail(c, "out of memory");
	return command_stream(c, &(struct control_stream){list_next, list_fini, l});
}

int lease_arg_addr(struct control_call *c, const char *name, uint32_t *ret)
{
	const char *s = command_str(c, name);

	return s ? ip_parse(s, strlen(s), ret) : -USHER_E_NOTFOUND;
}

int lease_arg_hex(struct control_call *c, const char *name, uint8_t *out, size_t cap)
{
	const char *s = command_str(c, name);

	return s ? hex_parse(s, strlen(s), out, cap) : -USHER_E_NOTFOUND;
}

/* Finds a lease by hw-address or client-id, in a subnet. Returns NULL or the refusal. */
static struct json *find_by_identifier(struct control_call *c, uint32_t *ret,
				       struct lease_expect *ret_expect)
{
	const char *type = command_str(c, "identifier-type");
	uint8_t id[LEASE_CLIENT_ID_MAX];
	struct lease_filter f = {.state = -1};
	struct lease l;
	int64_t subnet;
	int n;

	if (!type || !command_str(c, "identifier") || !command_int(c, "subnet-id", &subnet))
		return command_fail(
			c,
			"'ip-address', or 'identifier-type', 'identifier' and 'subnet-id' are needed");
	n = lease_arg_hex(c, "identifier", id, sizeof(id));
	if (n <= 0)
		return command_fail(c, "'identifier' must be hex octets");
	f.subnet_id = (uint32_t)subnet;
	if (strcmp(type, "hw-address") == 0)
		f.hw = span_of(id, (size_t)n);
	else if (strcmp(type, "client-id") == 0)
		f.client_id = span_of(id, (size_t)n);
	else
		return command_fail(c,
				    "'identifier-type' must be hw-address or client-id, not '%s'",
				    type);
	if (!lease_db_page(daemon_of(c)->srv.db, 0, &f, NULL, &l, 1))
		return control_answer(c->arena, CONTROL_EMPTY, "Lease not found.");
	*ret = l.addr;
	*ret_expect = lease_expect_row(&l);
	return NULL;
}

struct json *lease_which(struct control_call *c, uint32_t *ret, struct lease_expect *ret_expect)
{
	*ret_expect = lease_expect_any();
	if (!json_get(c->args, "ip-address"))
		return find_by_identifier(c, ret, ret_expect);
	if (lease_arg_addr(c, "ip-address", ret) < 0)
		return command_fail(c, "'ip-address' must be an IPv4 address");
	return NULL;
}

struct json *command_lease4_get(struct control_call *c)
{
	struct lease_expect expect;
	struct lease l;
	uint32_t addr;
	struct json *bad = lease_which(c, &addr, &expect);

	if (bad)
		return bad;
	if (lease_db_get(daemon_of(c)->srv.db, addr, c->arena, &l, NULL) < 0 ||
	    l.state == LEASE_OFFERED)
		return control_answer(c->arena, CONTROL_EMPTY, "Lease not found.");
	return command_ok(c, lease_to_json(c->arena, &l), "IPv4 lease found.");
}

struct json *command_lease4_get_all(struct control_call *c)
{
	const struct json *subnets = json_get(c->args, "subnets");
	struct lease_list *l;
	size_t n = 0;

	if (subnets && subnets->type != JSON_LIST)
		return command_fail(c, "'subnets' must be a list of subnet ids");
	for (const struct json *s = subnets ? subnets->first : NULL; s; s = s->next)
		if (s->type != JSON_INT || s->i <= 0 || s->i > UINT32_MAX)
			return command_fail(c, "'subnets' must be a list of subnet ids");
	l = list_new(c);
	if (!l || !subnets)
		return list_answer(c, l);
	l->subnets = calloc(subnets->count + 1, sizeof(*l->subnets));
	if (!l->subnets) {
		list_fini(l);
		return command_fail(c, "out of memory");
	}
	for (const struct json *s = subnets->first; s; s = s->next)
		l->subnets[n++] = (uint32_t)s->i;
	l->n_subnets = n;
	return list_answer(c, l);
}

struct json *command_lease4_get_page(struct control_call *c)
{
	const char *from = command_str(c, "from");
	struct lease_list *l;
	uint32_t addr = 0;
	int64_t limit;

	if (!from || (strcmp(from, "start") != 0 && ip_parse(from, strlen(from), &addr) < 0))
		return command_fail(c, "'from' must be \"start\" or an IPv4 address");
	if (!command_int(c, "limit", &limit) || limit <= 0 || limit > UINT32_MAX)
		return command_fail(c, "'limit' must be a positive integer");
	l = list_new(c);
	if (l) {
		l->from = addr;
		l->limit = (size_t)limit;
		l->page = true;
	}
	return list_answer(c, l);
}

/* Returns a list of leases of one identity: n octets in key, which are copied. */
static struct lease_list *list_of(struct control_call *c, const uint8_t *key, size_t n)
{
	struct lease_list *l = list_new(c);

	if (l)
		memcpy(l->key, key, n);
	return l;
}

struct json *command_lease4_by_hw(struct control_call *c)
{
	uint8_t hw[LEASE_HW_MAX];
	int n = lease_arg_hex(c, "hw-address", hw, sizeof(hw));
	struct lease_list *l;

	if (n <= 0)
		return command_fail(c, "'hw-address' must be hex octets, as in 00:11:22:33:44:55");
	l = list_of(c, hw, (size_t)n);
	if (l)
		l->f.hw = span_of(l->key, (size_t)n);
	return list_answer(c, l);
}

struct json *command_lease4_by_client_id(struct control_call *c)
{
	uint8_t id[LEASE_CLIENT_ID_MAX];
	int n = lease_arg_hex(c, "client-id", id, sizeof(id));
	struct lease_list *l;

	if (n <= 0)
		return command_fail(c, "'client-id' must be hex octets");
	l = list_of(c, id, (size_t)n);
	if (l)
		l->f.client_id = span_of(l->key, (size_t)n);
	return list_answer(c, l);
}

struct json *command_lease4_by_hostname(struct control_call *c)
{
	const char *name = command_str(c, "hostname");
	struct lease_list *l;

	if (!name || !name[0])
		return command_fail(c, "'hostname' is missing or empty");
	l = list_new(c);
	if (l) {
		l->hostname = strdup(name);
		l->f.hostname = l->hostname ? l->hostname : "";
	}
	return list_answer(c, l);
}

/* Kea's names of states. Leases of DHCPv4 have the first four only. */
static const char *const state_names[] = {"default", "declined", "expired-reclaimed", "released",
					  "registered"};

/* Reads the argument "state", a name or a number, of which Kea takes the lowest 32 bits. Returns
 * NULL or the refusal. */
static struct json *parse_state(struct control_call *c, uint32_t *ret)
{
	const struct json *state = json_get(c->args, "state");

	if (!c->args)
		return command_fail(c, "Command arguments missing or a not a map.");
	if (!state)
		return command_fail(c, "'state' parameter not specified");
	if (state->type == JSON_INT) {
		*ret = (uint32_t)state->i;
		return NULL;
	}
	if (state->type != JSON_STRING)
		return command_fail(c, "'state' parameter must be a number or a string");
	if (!state->s[0])
		return command_fail(c, "'state' parameter is empty");
	*ret = LEASE_ASSIGNED;
	if (strcmp(state->s, "assigned") == 0)
		return NULL;
	for (uint32_t i = 0; i < ARRAY_LEN(state_names); i++) {
		if (strcmp(state->s, state_names[i]) == 0) {
			*ret = i;
			return NULL;
		}
	}
	return command_fail(c, "'state' parameter value (%s) is not recognized", state->s);
}

/* Writes the words that name the state and the subnet. */
static void name_state(struct lease_list *l, uint32_t state)
{
	char name[32];
	char subnet[32] = "";

	if (state < ARRAY_LEN(state_names))
		(void)snprintf(name, sizeof(name), "%s (%u)", state_names[state], state);
	else
		(void)snprintf(name, sizeof(name), "%u", state);
	if (l->f.subnet_id)
		(void)snprintf(subnet, sizeof(subnet), " in subnet %u", l->f.subnet_id);
	(void)snprintf(l->which, sizeof(l->which), " with state %s%s", name, subnet);
}

struct json *command_lease4_by_state(struct control_call *c)
{
	const struct json *subnet = json_get(c->args, "subnet-id");
	struct lease_list *l;
	uint32_t state;
	struct json *bad = parse_state(c, &state);

	if (bad)
		return bad;
	if (subnet && subnet->type != JSON_INT)
		return command_fail(c, "'subnet-id' parameter must be a number");
	if (subnet && (subnet->i < 0 || subnet->i > UINT32_MAX))
		return command_fail(c, "'subnet-id' parameter must be a 32 bit unsigned integer");
	l = list_new(c);
	if (l) {
		l->f.subnet_id = subnet ? (uint32_t)subnet->i : 0;
		/* offers are never listed, so this filter passes nothing */
		l->f.state = (int)(state <= LEASE_RELEASED ? state : LEASE_OFFERED);
		name_state(l, state);
	}
	return list_answer(c, l);
}
