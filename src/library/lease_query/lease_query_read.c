/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reading of lease_query's parameters: requesters, and "advanced" for bulk queries.
 */
#include "library/lease_query/lease_query_read.h"
#include "library/common/library.h"

#include "base/ip.h"
#include "wire/dhcp4.h"

#include <stdlib.h>
#include <string.h>

enum { LOOPBACK = 0x7f000001 };

/* --- Requesters ------------------------------------------------------------------------------- */

/* Reads a decimal number of one or two digits at the end of a text. */
static bool read_length(const char *text, unsigned *ret)
{
	size_t n = strspn(text, "0123456789");

	*ret = (unsigned)strtoul(text, NULL, 10);
	return n >= 1 && n <= 2 && !text[n] && *ret <= 32;
}

/* Reads an address, or a prefix whose other bits are zero. */
static bool read_range(const char *text, struct lease_query_range *ret)
{
	size_t n = strcspn(text, "/");
	unsigned len = 32;
	uint32_t addr;

	if (ip_parse(text, n, &addr) < 0 || (text[n] && !read_length(text + n + 1, &len)))
		return false;
	*ret = (struct lease_query_range){addr, addr | ~ip_mask(len)};
	return addr && !(addr & ~ip_mask(len));
}

static void read_requester(struct library_problems *p, const struct json *v,
			   struct lease_query_requesters *r)
{
	struct lease_query_range range;

	if (v->type != JSON_STRING || !read_range(v->s, &range)) {
		library_problem(p, &v->pos,
				"a requester must be an IPv4 address other than 0.0.0.0, or a "
				"prefix as 192.0.2.0/24");
		return;
	}
	for (size_t i = 0; i < r->n; i++)
		if (r->ranges[i].first == range.first && r->ranges[i].last == range.last) {
			library_problem(p, &v->pos, "the requester '%.64s' is there twice", v->s);
			return;
		}
	r->ranges[r->n++] = range;
}

static void read_requesters(struct library_problems *p, const struct json *list,
			    const struct json_pos *at, struct arena *arena,
			    struct lease_query_requesters *ret)
{
	if (!list || (list->type == JSON_LIST && !list->count)) {
		library_problem(p, list ? &list->pos : at,
				"'requesters' must name at least one address that may ask");
		return;
	}
	if (list->type != JSON_LIST)
		return; /* reported */
	ret->ranges = arena_array(arena, struct lease_query_range, list->count);
	if (!ret->ranges) {
		library_problem(p, &list->pos, "out of memory");
		return;
	}
	for (const struct json *v = list->first; v; v = v->next)
		read_requester(p, v, ret);
	lease_query_sort(ret);
}

/* --- Advanced --------------------------------------------------------------------------------- */

/* Reads a whole number; an absent one stays. */
static void read_count(struct library_problems *p, const struct json *map, const char *key,
		       uint32_t least, uint32_t most, uint32_t *ret)
{
	const struct json *v = json_get(map, key);

	if (!v || v->type != JSON_INT)
		return; /* of another type: reported */
	if (v->i < least || v->i > most)
		library_problem(p, &v->pos, "'%s' must be a number from %u to %u", key, least,
				most);
	else
		*ret = (uint32_t)v->i;
}

/* Refuses keys whose effect would be missed. */
static void refuse_advanced(struct library_problems *p, const struct json *map)
{
	static const char *const tls[] = {"trust-anchor", "cert-file", "key-file"};
	bool active = false;

	if (json_get_bool(map, "active-query-enabled", &active) && active)
		library_problem(p, &json_get(map, "active-query-enabled")->pos,
				"active queries (RFC 7724) are not supported");
	for (size_t i = 0; i < ARRAY_LEN(tls); i++) {
		const char *name = json_get_str(map, tls[i]);

		if (name && *name)
			library_problem(p, &json_get(map, tls[i])->pos,
					"'%s': bulk queries over TLS are not supported, and Kea "
					"ignores this key",
					tls[i]);
	}
}

static void read_address(struct library_problems *p, const struct json *map, uint32_t *ret)
{
	const struct json *v = json_get(map, "lease-query-ip");

	if (v && v->type == JSON_STRING && ip_parse(v->s, v->n, ret) < 0)
		library_problem(p, &v->pos, "'lease-query-ip' must be an IPv4 address");
}

static void read_advanced(struct library_problems *p, const struct json *map, struct bulk_params *b)
{
	static const struct library_key keys[] = {{"bulk-query-enabled", JSON_BOOL},
						  {"active-query-enabled", JSON_BOOL},
						  {"extended-info-tables-enabled", JSON_BOOL},
						  {"lease-query-ip", JSON_STRING},
						  {"lease-query-tcp-port", JSON_INT},
						  {"max-bulk-query-threads", JSON_INT},
						  {"max-requester-connections", JSON_INT},
						  {"max-concurrent-queries", JSON_INT},
						  {"max-requester-idle-time", JSON_INT},
						  {"max-leases-per-fetch", JSON_INT},
						  {"trust-anchor", JSON_STRING},
						  {"cert-file", JSON_STRING},
						  {"key-file", JSON_STRING},
						  {"cert-required", JSON_BOOL},
						  {"comment", JSON_STRING}};
	uint32_t port = DHCP4_SERVER_PORT, threads;

	*b = (struct bulk_params){.ip = LOOPBACK,
				  .max_connections = 10,
				  .idle_s = 300,
				  .fetch = 100};
	(void)library_check_keys(p, map, keys, ARRAY_LEN(keys));
	(void)json_get_bool(map, "bulk-query-enabled", &b->enabled);
	read_address(p, map, &b->ip);
	read_count(p, map, "lease-query-tcp-port", 1, UINT16_MAX, &port);
	read_count(p, map, "max-bulk-query-threads", 0, UINT32_MAX, &threads);
	read_count(p, map, "max-requester-connections", 1, UINT32_MAX, &b->max_connections);
	read_count(p, map, "max-concurrent-queries", 0, UINT32_MAX, &b->max_queries);
	read_count(p, map, "max-requester-idle-time", 1, UINT32_MAX, &b->idle_s);
	read_count(p, map, "max-leases-per-fetch", 1, UINT32_MAX, &b->fetch);
	b->port = (uint16_t)port;
	if (b->fetch > BULK_FETCH_MAX)
		b->fetch = BULK_FETCH_MAX;
	refuse_advanced(p, map);
}

void lease_query_read(struct library_problems *p, const struct json *parameters,
		      struct arena *arena, struct lease_query_params *ret)
{
	static const struct library_key keys[] = {{"requesters", JSON_LIST},
						  {"advanced", JSON_MAP},
						  {"prefix-lengths", JSON_LIST}, /* of DHCPv6 */
						  {"comment", JSON_STRING}};

	(void)library_check_keys(p, parameters, keys, ARRAY_LEN(keys));
	read_requesters(p, json_get(parameters, "requesters"),
			parameters ? &parameters->pos : p->at, arena, &ret->requesters);
	read_advanced(p, json_get(parameters, "advanced"), &ret->bulk);
}
