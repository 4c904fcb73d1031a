/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reading of lease_query's parameters: requesters, and "advanced" for bulk queries.
 */
#include "library/lease_query_read.h"
#include "library/library.h"

#include "base/ip.h"

#include <stdlib.h>
#include <string.h>

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

static void read_advanced(struct library_problems *p, const struct json *map)
{
	bool bulk = false;

	(void)json_get_bool(map, "bulk-query-enabled", &bulk);
	if (bulk)
		library_problem(p, &map->pos, "bulk queries over TCP are not supported");
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
	read_advanced(p, json_get(parameters, "advanced"));
}
