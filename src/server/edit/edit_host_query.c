/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Arguments of the commands reservation-*, with Kea's texts.
 */
#include "server/edit/edit_host.h"

#include "base/buf.h"
#include "base/ip.h"
#include "config/config.h"
#include "config/json/json.h"

#include <string.h>

static const int64_t subnet_max = UINT32_MAX - 1;

/* --- Identifiers ------------------------------------------------------------------------------ */

void edit_host_id(struct edit *e, const struct json *args, const char *missing,
		  struct host_query *q)
{
	const struct json *type = json_get(args, "identifier-type");
	const struct json *id = json_get(args, "identifier");

	if (!type || type->type != JSON_STRING)
		edit_refuse(e, "%s'identifier-type' is either missing or not a string.", missing);
	else if (!id || id->type != JSON_STRING)
		edit_refuse(e, "%s'identifier' is either missing or not a string.", missing);
	else if (!config_host_id_parse(e->c->arena, id->s, &q->id))
		edit_refuse(e, "Unable to parse 'identifier' value.");
	else if (!q->id.n)
		edit_refuse(e, "Unable to query for empty 'identifier'.");
	if (e->ended)
		return;
	q->type = config_host_id_find(type->s);
	if (q->type == HOST_ID_N)
		edit_refuse(e, "Value of 'identifier-type' was not recognized.");
}

/* --- Other arguments -------------------------------------------------------------------------- */

unsigned edit_host_target(struct edit *e, unsigned by_default)
{
	static const struct {
		const char *name;
		unsigned target;
	} targets[] = {{"memory", TARGET_MEMORY},
		       {"database", TARGET_DATABASE},
		       {"all", TARGET_ALL},
		       {"default", 0}};
	const struct json *v = json_get(e->c->args, "operation-target");

	if (!v)
		return by_default;
	for (size_t i = 0; v->type == JSON_STRING && i < ARRAY_LEN(targets); i++)
		if (strcmp(v->s, targets[i].name) == 0)
			return targets[i].target ? targets[i].target : by_default;
	if (v->type == JSON_STRING)
		edit_refuse(e,
			    "The 'operation-target' value (%s) is not within expected set: "
			    "(memory, database, all, default)",
			    v->s);
	else
		edit_refuse(e, "'operation-target' must be a string");
	return by_default;
}

bool edit_host_subnet(struct edit *e, const struct json *args, uint32_t *ret)
{
	const struct json *v = json_get(args, "subnet-id");

	if (!v || e->ended)
		return false;
	if (v->type != JSON_INT)
		edit_refuse(e, "invalid type specified for parameter 'subnet-id'");
	else if (v->i < 0 || v->i > subnet_max)
		edit_refuse(e,
			    "The 'subnet-id' value (%" PRId64
			    ") is not within expected range: (0 - %" PRId64 ")",
			    v->i, subnet_max);
	else
		*ret = (uint32_t)v->i;
	return !e->ended;
}

void edit_host_check_subnet(struct edit *e, uint32_t subnet_id)
{
	if (subnet_id && !config_subnet_by_id(e->cfg, subnet_id))
		edit_refuse(e, "IPv4 subnet with ID of '%u' is not configured", subnet_id);
}

uint32_t edit_host_addr(struct edit *e, const char *text)
{
	uint32_t addr = 0;

	if (ip_parse(text, strlen(text), &addr) < 0)
		edit_refuse(e, "Failed to convert '%s' to an IPv4 address", text);
	return addr;
}

struct host_query edit_host_query(struct edit *e, unsigned by_default)
{
	const struct json *args = e->c->args;
	const struct json *addr = json_get(args, "ip-address");
	const struct json *type = json_get(args, "identifier-type");
	const struct json *id = json_get(args, "identifier");
	struct host_query q = {0};

	if (!args)
		edit_refuse(e, "Parameters missing or are not a map.");
	q.has_subnet = edit_host_subnet(e, args, &q.subnet_id);
	if (!q.has_subnet && !addr && !type && !id)
		edit_refuse(e, "missing parameter 'subnet-id'");
	q.target = edit_host_target(e, by_default);
	if (e->ended)
		return q;
	q.by_addr = addr;
	if (addr && addr->type != JSON_STRING)
		edit_refuse(e, "'ip-address' is not a string.");
	else if (addr)
		q.addr = edit_host_addr(e, addr->s);
	else
		edit_host_id(e, args, "No 'ip-address' provided and ", &q);
	if (e->ended || q.has_subnet)
		return q;
	if (addr)
		edit_refuse(e,
			    "missing parameter 'subnet-id', use 'reservation-get-by-address' with "
			    "'ip-address' set to \"%s\" to get the list of reservations with this "
			    "address",
			    addr->s);
	else
		edit_refuse(e,
			    "missing parameter 'subnet-id', use 'reservation-get-by-id' with "
			    "'identifier-type' set to \"%s\" and 'identifier' to \"%s\" to get the "
			    "list of reservations with this identifier",
			    type->s, id->s);
	return q;
}

/* Returns whether a reservation is one of the target. */
static bool is_of_target(const struct config_host *h, const struct host_query *q)
{
	return q->target & (h->stored ? TARGET_DATABASE : TARGET_MEMORY);
}

const struct config_host *edit_find_host(const struct config *cfg, const struct host_query *q)
{
	const struct config_host *h = q->by_addr ? config_host_by_addr(cfg, q->subnet_id, q->addr)
						 : config_host_by_id(cfg, q->subnet_id, q->type,
								     q->id);

	if (!h || is_of_target(h, q))
		return h;
	/* an address may have several reservations */
	for (size_t i = 0; q->by_addr && i < cfg->n_hosts; i++)
		if (cfg->hosts[i].subnet_id == q->subnet_id && cfg->hosts[i].addr == q->addr &&
		    is_of_target(&cfg->hosts[i], q))
			return &cfg->hosts[i];
	return NULL;
}
