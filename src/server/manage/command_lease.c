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
#include "lease/json/lease_hex.h"
#include "lease/json/lease_json.h"
#include "server/core/snapshot.h"

#include <arpa/inet.h>
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
	char which[80];	   /* words behind "found" in the answer's text */
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

static const char list_head[] = "{ \"arguments\": { \"leases\": [ ";

static void list_end(struct lease_list *l, struct buf *out)
{
	if (!l->begun)
		buf_str(out, list_head);
	buf_str(out, " ]");
	if (l->page)
		buf_printf(out, ", \"count\": %zu", l->count);
	buf_printf(out, " }, \"result\": %d, \"text\": \"%zu IPv4 lease(s) found%s.\" }",
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
		buf_str(out, l->begun ? ", " : list_head);
		l->begun = true;
		json_write_spaced(lease_to_json(&a, &l->leases[i]), out);
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

/* Reads a string argument that is needed. Returns NULL and *ret, or the refusal. */
static struct json *need_text(struct control_call *c, const char *name, const char **ret)
{
	const struct json *v = json_get(c->args, name);

	if (!c->args)
		return command_fail(c, "Command arguments missing or a not a map.");
	if (!v)
		return command_fail(c, "'%s' parameter not specified", name);
	if (v->type != JSON_STRING)
		return command_fail(c, "'%s' parameter must be a string", name);
	*ret = v->s;
	return NULL;
}

/* Checks the list of subnets. Returns NULL or the refusal. */
static struct json *check_subnets(struct control_call *c, const struct json *subnets)
{
	if (!subnets)
		return command_fail(c, "'subnets' parameter not specified");
	if (subnets->type != JSON_LIST)
		return command_fail(c, "'subnets' parameter must be a list");
	for (const struct json *s = subnets->first; s; s = s->next) {
		if (s->type != JSON_INT)
			return command_fail(c, "listed subnet identifiers must be numbers");
		if (s->i < 0 || s->i > UINT32_MAX)
			return command_fail(c, "out of range subnet identifier %lld",
					    (long long)s->i);
	}
	return NULL;
}

struct json *command_lease4_get_all(struct control_call *c)
{
	const struct json *subnets = json_get(c->args, "subnets");
	struct lease_list *l;
	struct json *bad = c->args ? check_subnets(c, subnets) : NULL;
	size_t n = 0;

	if (bad)
		return bad;
	l = list_new(c);
	if (!l || !subnets)
		return list_answer(c, l);
	l->subnets = calloc(subnets->count + 1, sizeof(*l->subnets));
	if (!l->subnets) {
		list_fini(l);
		return command_fail(c, "out of memory");
	}
	for (const struct json *s = subnets->first; s; s = s->next)
		if (s->i) /* subnet 0 has no lease */
			l->subnets[n++] = (uint32_t)s->i;
	l->n_subnets = n;
	return list_answer(c, l);
}

/* Reads the arguments of a page. Returns NULL or the refusal. */
static struct json *parse_page(struct control_call *c, uint32_t *ret_from, size_t *ret_limit)
{
	const struct json *limit = json_get(c->args, "limit");
	const char *from = NULL;
	struct in6_addr ip6;
	struct json *bad;

	if (!c->args)
		return command_fail(c, "no parameters specified for the %s command", c->name);
	bad = need_text(c, "from", &from);
	if (bad)
		return bad;
	*ret_from = 0;
	if (strcmp(from, "start") != 0 && ip_parse(from, strlen(from), ret_from) < 0)
		return inet_pton(AF_INET6, from, &ip6) == 1
			       ? command_fail(c, "'from' parameter value %s is not an IPv4 address",
					      from)
			       : command_fail(c, "'from' parameter value is neither 'start' "
						 "keyword nor a valid IPv4 address");
	if (!limit)
		return command_fail(c, "'limit' parameter not specified");
	if (limit->type != JSON_INT)
		return command_fail(c, "'limit' parameter must be a number");
	if (limit->i < 0 || limit->i > UINT32_MAX)
		return command_fail(c, "'limit' parameter is not a 32 bit unsigned integer.");
	if (limit->i == 0)
		return command_fail(c, "'limit' parameter must not be 0.");
	*ret_limit = (size_t)limit->i;
	return NULL;
}

struct json *command_lease4_get_page(struct control_call *c)
{
	struct lease_list *l;
	uint32_t from;
	size_t limit;
	struct json *bad = parse_page(c, &from, &limit);

	if (bad)
		return bad;
	l = list_new(c);
	if (l) {
		l->from = from;
		l->limit = limit;
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
	struct lease_json_problem problem;
	uint8_t hw[LEASE_HW_MAX];
	const char *text = NULL;
	struct json *bad = need_text(c, "hw-address", &text);
	struct lease_list *l;
	int n;

	if (bad || !text)
		return bad;
	if (!text[0])
		return command_fail(c, "'hw-address' parameter must not be empty");
	n = lease_hex_hardware(text, hw, sizeof(hw), &problem);
	if (n < 0)
		return command_fail(c, "bad 'hw-address' parameter: %s", problem.text);
	l = list_of(c, hw, (size_t)n);
	if (l)
		l->f.hw = span_of(l->key, (size_t)n);
	return list_answer(c, l);
}

struct json *command_lease4_by_client_id(struct control_call *c)
{
	struct lease_json_problem problem;
	uint8_t id[LEASE_CLIENT_ID_MAX];
	const char *text = NULL;
	struct json *bad = need_text(c, "client-id", &text);
	struct lease_list *l;
	int n;

	if (bad || !text)
		return bad;
	n = lease_hex_client_id(text, id, sizeof(id), &problem);
	if (n < 0)
		return command_fail(c, "bad 'client-id' parameter: %s", problem.text);
	l = list_of(c, id, (size_t)n);
	if (l)
		l->f.client_id = span_of(l->key, (size_t)n);
	return list_answer(c, l);
}

struct json *command_lease4_by_hostname(struct control_call *c)
{
	const char *name = NULL;
	struct json *bad = need_text(c, "hostname", &name);
	struct lease_list *l;

	if (bad || !name)
		return bad;
	if (!name[0])
		return command_fail(c, "'hostname' parameter is empty");
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
	uint32_t state = LEASE_ASSIGNED;
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
