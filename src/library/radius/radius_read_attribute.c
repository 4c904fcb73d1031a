/* SPDX-License-Identifier: MPL-2.0 */
/*
 * "attributes" of a service: the name or the number of an attribute, and its value as text, octets
 * or an expression.
 */
#include "library/common/library.h"
#include "library/radius/radius.h"

#include "base/ip.h"
#include "config/json/json.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* --- Values ----------------------------------------------------------------------------------- */

/* Parses the name of a value, or a number. */
static bool parse_integer(const struct radius_dictionary *d, const struct radius_name *of,
			  const char *text, struct arena *a, struct span *ret)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);
	uint32_t v = (uint32_t)n;

	if (!radius_value_find(d, of, text, &v) &&
	    (*end || !text[0] || text[0] == '-' || n > UINT32_MAX))
		return false;
	v = htonl(v);
	*ret = span_of(arena_memdup(a, &v, sizeof(v)), sizeof(v));
	return true;
}

/* Parses an IPv6 prefix: a reserved octet, the length, and the octets of the address. */
static bool parse_prefix6(const char *text, struct arena *a, struct span *ret)
{
	uint8_t octets[18] = {0};
	char copy[64];
	char *slash, *end;
	unsigned long n;

	if (strlen(text) >= sizeof(copy))
		return false;
	memcpy(copy, text, strlen(text) + 1);
	slash = strchr(copy, '/');
	if (!slash)
		return false;
	*slash = '\0';
	n = strtoul(slash + 1, &end, 10);
	if (*end || !slash[1] || n > 128 || inet_pton(AF_INET6, copy, octets + 2) != 1)
		return false;
	octets[1] = (uint8_t)n;
	*ret = span_of(arena_memdup(a, octets, 2 + (n + 7) / 8), 2 + (n + 7) / 8);
	return true;
}

/* Parses "data" of an attribute. */
static bool parse_data(const struct radius_dictionary *d, const struct radius_name *of,
		       const struct json *v, struct arena *a, struct span *ret)
{
	uint8_t octets[16];

	switch (of->kind) {
	case RADIUS_STRING:
		*ret = span_of(arena_memdup(a, v->s, v->n), v->n);
		return v->n > 0;
	case RADIUS_INTEGER:
		return parse_integer(d, of, v->s, a, ret);
	case RADIUS_IPV4:
		if (inet_pton(AF_INET, v->s, octets) != 1)
			return false;
		*ret = span_of(arena_memdup(a, octets, 4), 4);
		return true;
	case RADIUS_IPV6:
		if (inet_pton(AF_INET6, v->s, octets) != 1)
			return false;
		*ret = span_of(arena_memdup(a, octets, 16), 16);
		return true;
	case RADIUS_PREFIX6:
		return parse_prefix6(v->s, a, ret);
	}
	return false;
}

static bool parse_raw(const struct json *v, struct arena *a, struct span *ret)
{
	uint8_t octets[RADIUS_VALUE_MAX];
	int n = hex_parse(v->s, v->n, octets, sizeof(octets));

	if (n <= 0)
		return false;
	*ret = span_of(arena_memdup(a, octets, (size_t)n), (size_t)n);
	return true;
}

/* --- One attribute ---------------------------------------------------------------------------- */

static bool read_value(struct library_problems *p, const struct config *cfg,
		       const struct radius_dictionary *d, const struct json *map,
		       const struct radius_name *def, struct arena *arena, struct radius_extra *ret)
{
	const struct json *data = json_get(map, "data"), *raw = json_get(map, "raw");
	const struct json *expr = json_get(map, "expr");

	if (!data + !raw + !expr != 2) {
		library_problem(p, &map->pos, "an attribute has one of 'data', 'raw' and 'expr'");
		return false;
	}
	if (expr) {
		ret->expr = library_expr(p, cfg, expr, false, arena);
		return ret->expr;
	}
	if (data ? parse_data(d, def, data, arena, &ret->value)
		 : parse_raw(raw, arena, &ret->value))
		return ret->value.n <= (ret->vendor ? RADIUS_VENDOR_VALUE_MAX : RADIUS_VALUE_MAX);
	library_problem(p, &(data ? data : raw)->pos, "'%.64s' is no value of attribute %u",
			(data ? data : raw)->s, ret->type);
	return false;
}

/* Reads the vendor, by name or number. */
static bool read_vendor(struct library_problems *p, const struct radius_dictionary *d,
			const struct json *map, struct radius_extra *e)
{
	const struct json *v = json_get(map, "vendor");

	if (!v || !v->n)
		return true;
	e->vendor = radius_vendor_find(d, v->s);
	if (e->vendor)
		return true;
	library_problem(p, &v->pos,
			"'vendor' is the number of a vendor, or a name of the dictionary, this is "
			"'%.64s'",
			v->s);
	return false;
}

bool radius_read_attribute(struct library_problems *p, const struct config *cfg,
			   const struct radius_dictionary *d, const struct json *map,
			   struct arena *arena, struct radius_extra *ret)
{
	static const struct library_key keys[] = {{"name", JSON_STRING}, {"type", JSON_INT},
						  {"data", JSON_STRING}, {"raw", JSON_STRING},
						  {"expr", JSON_STRING}, {"vendor", JSON_STRING}};
	const struct radius_name *def;
	int64_t type = 0;

	if (map->type != JSON_MAP) {
		library_problem(p, &map->pos, "an attribute is a map");
		return false;
	}
	if (!library_check_keys(p, map, keys, ARRAY_LEN(keys)) || !read_vendor(p, d, map, ret))
		return false;
	(void)json_get_int(map, "type", &type);
	def = type >= 0 && type <= 255
		      ? radius_name_find(d, ret->vendor, json_get_str(map, "name"), (uint8_t)type)
		      : NULL;
	if (!def) {
		library_problem(p, &map->pos,
				"an attribute needs a 'name' or a 'type' that is known: the "
				"standard ones are built in, 'dictionary' adds others");
		return false;
	}
	ret->type = def->type;
	return read_value(p, cfg, d, map, def, arena, ret);
}
