/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The lease that the arguments of lease4-get and lease4-del name: by its address, or by an
 * identifier of its client in a subnet. Checks and texts are in Kea's order.
 */
#include "base/ip.h"
#include "lease/lease_db.h"
#include "server/manage/command.h"
#include "server/manage/command_lease.h"
#include "lease/json/lease_hex.h"
#include "lease/json/lease_json.h"

#include <arpa/inet.h>
#include <string.h>

/* Reads the identifier of a client into a filter; id holds its octets. Returns NULL or the refusal.
 */
static struct json *parse_identifier(struct control_call *c, const char *type, const char *text,
				     uint8_t id[LEASE_CLIENT_ID_MAX], struct lease_filter *f)
{
	struct lease_json_problem problem;
	bool hw = strcmp(type, "hw-address") == 0;
	int n;

	if (strcmp(type, "duid") == 0)
		return command_fail(c, "Query by duid is not allowed in v4.");
	if (!hw && strcmp(type, "client-id") != 0)
		return command_fail(c,
				    "Incorrect identifier type: %s, the only supported values are: "
				    "hw-address, duid, client-id",
				    type);
	n = hw ? lease_hex_hardware(text, id, LEASE_HW_MAX, &problem)
	       : lease_hex_client_id(text, id, LEASE_CLIENT_ID_MAX, &problem);
	if (n < 0)
		return command_fail(c, "Bad '%s' identifier: %s", type, problem.text);
	*(hw ? &f->hw : &f->client_id) = span_of(id, (size_t)n);
	return NULL;
}

/* Finds a lease by hw-address or client-id, in a subnet. Returns NULL or the refusal. */
static struct json *find_by_identifier(struct control_call *c, uint32_t *ret,
				       struct lease_expect *ret_expect)
{
	const struct json *subnet = json_get(c->args, "subnet-id");
	const char *type = command_str(c, "identifier-type");
	const char *text = command_str(c, "identifier");
	uint8_t id[LEASE_CLIENT_ID_MAX];
	struct lease_filter f = {.state = -1};
	struct json *bad;
	struct lease l;

	if (!subnet)
		return command_fail(c, "Mandatory 'subnet-id' parameter missing.");
	if (subnet->type != JSON_INT)
		return command_fail(c, "'subnet-id' parameter is not integer.");
	if (subnet->i < 0 || subnet->i > UINT32_MAX)
		return command_fail(c, "'subnet-id' parameter is not a 32 bit unsigned integer.");
	if (!type || !text)
		return command_fail(
			c, "No 'ip-address' provided and '%s' is either missing or not a string.",
			type ? "identifier" : "identifier-type");
	f.subnet_id = (uint32_t)subnet->i;
	bad = parse_identifier(c, type, text, id, &f);
	if (bad)
		return bad;
	/* subnet 0 holds no lease, an empty identifier none either: neither is a filter */
	if (!f.subnet_id || (!f.hw.n && !f.client_id.n) ||
	    !lease_db_page(daemon_of(c)->srv.db, 0, &f, NULL, &l, 1))
		return control_answer(c->arena, CONTROL_EMPTY, "%s",
				      strcmp(c->name, "lease4-del") == 0 ? "IPv4 lease not found."
									 : "Lease not found.");
	*ret = l.addr;
	*ret_expect = lease_expect_row(&l);
	return NULL;
}

/* Checks the arguments that only other families and other servers use. */
static struct json *check_others(struct control_call *c)
{
	static const char *const types[] = {"IA_NA", "0", "IA_PD", "2", "V4", "3"};
	const struct json *ddns = json_get(c->args, "update-ddns");
	const struct json *type = json_get(c->args, "type");

	if (!c->args)
		return command_fail(c, "Parameters missing or are not a map.");
	if (ddns && ddns->type != JSON_BOOL)
		return command_fail(c, "'update-ddns' is not a boolean");
	for (size_t i = 0; type && type->type == JSON_STRING && i < ARRAY_LEN(types); i++)
		if (strcmp(type->s, types[i]) == 0)
			type = NULL;
	if (!type)
		return NULL;
	return command_fail(c,
			    "Invalid lease type specified: %s, only supported values are: IA_NA, "
			    "IA_PD and V4",
			    type->type == JSON_STRING ? type->s : "not a string");
}

struct json *lease_which(struct control_call *c, uint32_t *ret, struct lease_expect *ret_expect)
{
	const struct json *addr = json_get(c->args, "ip-address");
	struct json *bad = check_others(c);
	struct in6_addr ip6;

	*ret_expect = lease_expect_any();
	if (bad)
		return bad;
	if (!addr)
		return find_by_identifier(c, ret, ret_expect);
	if (addr->type != JSON_STRING)
		return command_fail(c, "'ip-address' is not a string.");
	if (ip_parse(addr->s, addr->n, ret) == 0)
		return NULL;
	if (inet_pton(AF_INET6, addr->s, &ip6) == 1)
		return command_fail(c, "Invalid IPv4 address specified: %s", addr->s);
	return command_fail(c, "Failed to convert string to address '%s': Invalid argument",
			    addr->s);
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
