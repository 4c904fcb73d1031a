/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Parameters of radius.
 */
#include "library/common/library.h"
#include "library/radius/radius.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/ip.h"
#include "config/config.h"
#include "config/json/json.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>

enum { ACCESS_PORT = 1812, ACCOUNTING_PORT = 1813, SECONDS_MAX = 3600, RETRIES_MAX = 100 };

/* The state of reading. */
struct reading {
	struct library_problems *p;
	const struct config *cfg;
	struct arena *arena;
	struct radius_params *to;
	struct radius_dictionary dictionary;
};

static int64_t read_number(const struct reading *r, const struct json *map, const char *name,
			   int64_t min, int64_t max, int64_t fallback)
{
	const struct json *v = json_get(map, name);

	if (!v || v->type != JSON_INT)
		return fallback;
	if (v->i >= min && v->i <= max)
		return v->i;
	library_problem(r->p, &v->pos, "'%s' is %lld to %lld, this is %lld", name, (long long)min,
			(long long)max, (long long)v->i);
	return fallback;
}

static bool read_flag(const struct json *map, const char *name, bool fallback)
{
	bool v = fallback;

	(void)json_get_bool(map, name, &v);
	return v;
}

static void read_id_type(const struct reading *r, const struct json *map)
{
	const struct json *v = json_get(map, "identifier-type4");
	enum config_host_id type;

	r->to->id_type = HOST_ID_CLIENT_ID;
	if (!v || v->type != JSON_STRING)
		return;
	type = config_host_id_find(v->s);
	if (type < HOST_ID_N)
		r->to->id_type = type;
	else
		library_problem(r->p, &v->pos,
				"'identifier-type4' is one of hw-address, duid, circuit-id, "
				"client-id and flex-id, this is '%.64s'",
				v->s);
}

/* --- Servers ---------------------------------------------------------------------------------- */

/* Finds the IPv4 address of a server: an address, or a name that is looked up now. */
static void find_server(const struct reading *r, const struct json *name, struct sockaddr_in *ret)
{
	static const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_DGRAM};
	struct addrinfo *found = NULL;
	int e;

	if (inet_pton(AF_INET, name->s, &ret->sin_addr) == 1)
		return;
	e = getaddrinfo(name->s, NULL, &hints, &found);
	if (e == 0) {
		struct sockaddr_in first;

		memcpy(&first, found->ai_addr, sizeof(first));
		ret->sin_addr = first.sin_addr;
		freeaddrinfo(found);
		return;
	}
	library_problem(r->p, &name->pos,
			"'%.64s' is no IPv4 address, and a look-up of this name found none: %s",
			name->s, gai_strerror(e));
}

static void read_server(const struct reading *r, const struct json *v, int64_t port,
			struct radius_server *s)
{
	static const struct library_key keys[] = {{"name", JSON_STRING},
						  {"port", JSON_INT},
						  {"secret", JSON_STRING},
						  {"trust-anchor", JSON_STRING},
						  {"cert-file", JSON_STRING},
						  {"key-file", JSON_STRING}};
	const struct json *name = json_get(v, "name"), *secret = json_get(v, "secret");

	if (v->type != JSON_MAP) {
		library_problem(r->p, &v->pos, "a server is a map");
		return;
	}
	if (!library_check_keys(r->p, v, keys, ARRAY_LEN(keys)))
		return;
	if (!name || !secret || !secret->n) {
		library_problem(r->p, &v->pos, "a server needs 'name' and 'secret'");
		return;
	}
	s->name = arena_strdup(r->arena, name->s);
	s->secret = span_of(arena_memdup(r->arena, secret->s, secret->n), secret->n);
	s->addr = (struct sockaddr_in){.sin_family = AF_INET,
				       .sin_port = htons((uint16_t)read_number(r, v, "port", 1,
									       65535, port))};
	find_server(r, name, &s->addr);
}

static void read_servers(const struct reading *r, const struct json *list, int64_t port,
			 struct radius_service *to)
{
	if (!list)
		return;
	if (list->count > RADIUS_SERVERS_MAX) {
		library_problem(r->p, &list->pos, "at most %d servers", RADIUS_SERVERS_MAX);
		return;
	}
	to->servers = arena_array(r->arena, struct radius_server, list->count);
	for (const struct json *v = list->first; v && to->servers; v = v->next)
		read_server(r, v, port, &to->servers[to->n_servers++]);
}

static struct radius_extra *read_attributes(const struct reading *r, const struct json *list,
					    size_t *ret_n)
{
	struct radius_extra *all = list ? arena_array(r->arena, struct radius_extra, list->count)
					: NULL;

	for (const struct json *v = all ? list->first : NULL; v; v = v->next)
		if (radius_read_attribute(r->p, r->cfg, &r->dictionary, v, r->arena, &all[*ret_n]))
			(*ret_n)++;
	return all;
}

static void refuse_idle_timer(const struct reading *r, const struct json *map)
{
	if (read_number(r, map, "idle-timer-interval", 0, UINT32_MAX, 0))
		library_problem(r->p, &json_get(map, "idle-timer-interval")->pos,
				"'idle-timer-interval' is not supported, because no Status-Server "
				"is sent: expected 0");
}

static void read_access(const struct reading *r, const struct json *map)
{
	static const struct library_key keys[] = {{"servers", JSON_LIST},
						  {"attributes", JSON_LIST},
						  {"max-pending-requests", JSON_INT},
						  {"idle-timer-interval", JSON_INT}};

	if (!map || !library_check_keys(r->p, map, keys, ARRAY_LEN(keys)))
		return;
	read_servers(r, json_get(map, "servers"), ACCESS_PORT, &r->to->access);
	r->to->extras = read_attributes(r, json_get(map, "attributes"), &r->to->n_extras);
	r->to->max_pending = (uint32_t)read_number(r, map, "max-pending-requests", 0, UINT32_MAX,
						   0);
	refuse_idle_timer(r, map);
}

static void read_accounting(const struct reading *r, const struct json *map)
{
	static const struct library_key keys[] = {{"servers", JSON_LIST},
						  {"attributes", JSON_LIST},
						  {"peer-updates", JSON_BOOL},
						  {"idle-timer-interval", JSON_INT}};
	const struct json *list = json_get(map, "attributes");

	if (!map || !library_check_keys(r->p, map, keys, ARRAY_LEN(keys)))
		return;
	read_servers(r, json_get(map, "servers"), ACCOUNTING_PORT, &r->to->accounting);
	r->to->account_extras = read_attributes(r, list, &r->to->n_account_extras);
	for (const struct json *v = list ? list->first : NULL; v; v = v->next)
		if (json_get(v, "expr"))
			library_problem(r->p, &json_get(v, "expr")->pos,
					"'expr' is not supported in 'accounting', because a lease "
					"is changed without a packet, too");
	r->to->peer_updates = read_flag(map, "peer-updates", true);
	refuse_idle_timer(r, map);
}

/* --- NAS ports -------------------------------------------------------------------------------- */

static void add_port(const struct reading *r, uint32_t subnet_id, int64_t port)
{
	r->to->ports[r->to->n_ports++] = (struct radius_port){subnet_id, (uint32_t)port};
}

/* Returns the number of subnets that an entry may have. */
static size_t count_ports(const struct config *cfg, const struct json *list)
{
	return list->count * (cfg->n_subnets + 1);
}

/* Adds the ports of an entry. Returns false if its selector names nothing. */
static bool select_ports(const struct reading *r, const struct json *v, int64_t port)
{
	const char *prefix = json_get_str(v, "subnet-prefix");
	const char *network = json_get_str(v, "shared-network-name");
	size_t before = r->to->n_ports;
	int64_t id = 0;

	if (json_get_int(v, "subnet-id", &id) || (!prefix && !network)) {
		add_port(r, (uint32_t)id, port);
		return id >= 0 && id < UINT32_MAX;
	}
	for (size_t i = 0; i < r->cfg->n_subnets; i++) {
		const struct config_subnet *s = &r->cfg->subnets[i];

		if (prefix ? strcmp(s->text, prefix) == 0
			   : s->network && strcmp(s->network->name, network) == 0)
			add_port(r, s->id, port);
	}
	return r->to->n_ports > before;
}

static void read_ports(const struct reading *r, const struct json *list)
{
	static const struct library_key keys[] = {{"port", JSON_INT},
						  {"subnet-id", JSON_INT},
						  {"subnet-prefix", JSON_STRING},
						  {"shared-network-name", JSON_STRING}};
	int64_t port;

	if (!list)
		return;
	r->to->ports = arena_array(r->arena, struct radius_port, count_ports(r->cfg, list));
	for (const struct json *v = list->first; v && r->to->ports; v = v->next) {
		if (v->type != JSON_MAP || !json_get_int(v, "port", &port) || port < 0 ||
		    port > UINT32_MAX || v->count > 2) {
			library_problem(r->p, &v->pos,
					"an entry of 'nas-ports' has 'port', and at most one "
					"of 'subnet-id', 'subnet-prefix', 'shared-network-name'");
			continue;
		}
		if (library_check_keys(r->p, v, keys, ARRAY_LEN(keys)) && !select_ports(r, v, port))
			library_problem(r->p, &v->pos, "there is no such subnet or network");
	}
}

/* --- All -------------------------------------------------------------------------------------- */

static void read_transport(const struct reading *r, const struct json *map)
{
	const struct json *protocol = json_get(map, "protocol"),
			  *bind_to = json_get(map, "bindaddr");
	struct radius_service *s = &r->to->access;

	if (protocol && protocol->type == JSON_STRING && strcmp(protocol->s, "UDP") != 0)
		library_problem(r->p, &protocol->pos,
				"protocol '%.16s' is not supported, because requests are sent over "
				"UDP only: expected UDP",
				protocol->s);
	if (bind_to && bind_to->type == JSON_STRING && strcmp(bind_to->s, "*") != 0 &&
	    inet_pton(AF_INET, bind_to->s, &s->bind_to) != 1)
		library_problem(r->p, &bind_to->pos,
				"'bindaddr' is '%.64s', expected an IPv4 address or *", bind_to->s);
	s->retries = (unsigned)read_number(r, map, "retries", 0, RETRIES_MAX, 3);
	s->timeout_ns = read_number(r, map, "timeout", 1, SECONDS_MAX, 10) * NS_PER_S;
	s->deadtime_ns = read_number(r, map, "deadtime", 0, UINT32_MAX, 0) * NS_PER_S;
	s->with_mac = read_flag(map, "use-message-authenticator", true);
	r->to->accounting = *s;
}

/* Refuses parameters that this library does not support. */
static void refuse_others(const struct reading *r, const struct json *map)
{
	const struct json *tls = json_get(map, "tls");

	if (tls)
		library_problem(r->p, &tls->key_pos,
				"'tls' is not supported, because requests are sent over UDP only");
}

static void read_dictionary(struct reading *r, const struct json *map)
{
	const struct json *v = json_get(map, "dictionary");
	struct config_error err = {0};
	int e;

	if (!v)
		return;
	e = radius_dictionary_read(v->s, r->arena, &r->dictionary, &err);
	if (e == -USHER_E_SYNTAX)
		library_problem(r->p, &v->pos, "'dictionary': %.200s:%u: %s", err.file,
				err.pos.line, err.text);
	else if (e < 0)
		library_problem(r->p, &v->pos, "'dictionary': %.200s: %s", v->s, usher_strerror(e));
}

static const char *read_history(const struct reading *r, const struct json *map)
{
	const char *name = json_get_str(map, "session-history");

	return name && name[0] ? config_file_name(r->arena, CONFIG_DIR_DATA, name) : NULL;
}

void radius_read_params(struct library_problems *p, const struct config *cfg,
			const struct json *map, struct arena *arena, struct radius_params *ret)
{
	static const struct library_key keys[] = {{"access", JSON_MAP},
						  {"accounting", JSON_MAP},
						  {"bindaddr", JSON_STRING},
						  {"canonical-mac-address", JSON_BOOL},
						  {"client-id-pop0", JSON_BOOL},
						  {"client-id-printable", JSON_BOOL},
						  {"comment", JSON_STRING},
						  {"deadtime", JSON_INT},
						  {"dictionary", JSON_STRING},
						  {"extract-duid", JSON_BOOL},
						  {"identifier-type4", JSON_STRING},
						  {"identifier-type6", JSON_STRING},
						  {"nas-ports", JSON_LIST},
						  {"protocol", JSON_STRING},
						  {"reselect-subnet-address", JSON_BOOL},
						  {"reselect-subnet-pool", JSON_BOOL},
						  {"retries", JSON_INT},
						  {"session-history", JSON_STRING},
						  {"thread-pool-size", JSON_INT},
						  {"timeout", JSON_INT},
						  {"tls", JSON_MAP},
						  {"use-message-authenticator", JSON_BOOL}};
	struct reading r = {.p = p, .cfg = cfg, .arena = arena, .to = ret};

	if (!map || map->type != JSON_MAP) {
		library_problem(p, p->at, "the library needs 'parameters', a map");
		return;
	}
	if (!library_check_keys(p, map, keys, ARRAY_LEN(keys)))
		return;
	read_id_type(&r, map);
	ret->canonical_mac = read_flag(map, "canonical-mac-address", false);
	ret->pop0 = read_flag(map, "client-id-pop0", false);
	ret->printable = read_flag(map, "client-id-printable", false);
	ret->extract_duid = read_flag(map, "extract-duid", true);
	ret->reselect_pool = read_flag(map, "reselect-subnet-pool", false);
	ret->reselect_address = read_flag(map, "reselect-subnet-address", false);
	refuse_others(&r, map);
	read_dictionary(&r, map);
	ret->session_history = read_history(&r, map);
	read_transport(&r, map);
	read_accounting(&r, json_get(map, "accounting"));
	read_access(&r, json_get(map, "access"));
	read_ports(&r, json_get(map, "nas-ports"));
	if (cfg->early_global_reservations_lookup)
		library_problem(p, p->at,
				"'early-global-reservations-lookup' and this library exclude each "
				"other");
}
