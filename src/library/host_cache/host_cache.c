/* SPDX-License-Identifier: MPL-2.0 */
/*
 * host_cache: a cache of reservations, as the source of the server's look-ups. Commands and other
 * libraries fill it; reservation commands keep it up to date.
 */
#include "library/host_cache/host_cache.h"
#include "library/common/library.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/ip.h"
#include "config/config.h"
#include "hook/hook.h"

#include <inttypes.h>
#include <string.h>

enum { MAXIMUM_MAX = 1000000000 };

/* --- Parameters ------------------------------------------------------------------------------- */

/* Reads "maximum" of a map. Returns whether it is there. */
static bool read_maximum(struct library_problems *p, const struct json *map, struct host_cache *c)
{
	const struct json *v = json_get(map, "maximum");

	if (!v || v->type != JSON_INT)
		return false;
	if (v->i < 0 || v->i > MAXIMUM_MAX)
		library_problem(p, &v->pos, "'maximum' is 0 to %d, this is %" PRId64, MAXIMUM_MAX,
				v->i);
	else
		c->maximum = (uint64_t)v->i;
	return true;
}

static void parse_host_cache(struct library_problems *p, const struct config *cfg,
			     const struct json *parameters, void *record)
{
	static const struct library_key keys[] = {{"maximum", JSON_INT}, {"host-cache", JSON_MAP}};
	static const struct library_key inner_keys[] = {{"maximum", JSON_INT}};
	const struct json *inner = json_get(parameters, "host-cache");
	struct host_cache *c = record;
	bool outer;

	(void)cfg;
	if (!library_check_keys(p, parameters, keys, ARRAY_LEN(keys)) ||
	    !library_check_keys(p, inner, inner_keys, ARRAY_LEN(inner_keys)))
		return;
	outer = read_maximum(p, parameters, c);
	if (read_maximum(p, inner, c) && outer)
		library_problem(p, &inner->key_pos,
				"'maximum' is given twice, also outside of "
				"'host-cache'");
}

/* --- Look-ups --------------------------------------------------------------------------------- */

/* Logs a look-up with its result. */
static void log_find(const struct host_cache *c, enum log_id id, uint32_t subnet_id,
		     enum config_host_id type, struct span octets)
{
	struct buf b;

	if (!log_wants(c->log, id))
		return;
	buf_init(&b);
	buf_hex(&b, octets, 0);
	log_msg(c->log, id, "subnet id %u, identifier %s=%s%s", subnet_id,
		config_host_id_names[type], b.failed || !b.p ? "" : b.p,
		id == LOG_HOST_CACHE_GET_ONE_SUBNET_ID_IDENTIFIER_HOST ? ": found" : "");
	buf_fini(&b);
}

/* Returns the entry with class numbers of the configuration, which commands may have changed. It
 * takes the place of h in the cache. */
static struct cached_host *renew_entry(struct host_cache *c, const struct config *cfg,
				       struct cached_host *h)
{
	struct cached_host *fresh;

	if (cached_host_renew(cfg, h, &fresh) < 0)
		return h;
	(void)host_cache_insert(c, cached_host_ref(fresh));
	cached_host_unref(h);
	return fresh;
}

static bool find_cached(void *cache, const struct config *cfg, uint32_t subnet_id,
			enum config_host_id type, struct span id, const struct config_host **ret)
{
	struct host_cache *c = cache;
	struct cached_host *h = host_cache_find(c, subnet_id, type, id);

	log_find(c, LOG_HOST_CACHE_GET_ONE_SUBNET_ID_IDENTIFIER, subnet_id, type, id);
	if (!h)
		return false;
	log_find(c, LOG_HOST_CACHE_GET_ONE_SUBNET_ID_IDENTIFIER_HOST, subnet_id, type, id);
	if (h->negative) {
		cached_host_unref(h);
		*ret = NULL;
		return true;
	}
	if (h->has_classes && h->class_names != cfg->class_names)
		h = renew_entry(c, cfg, h);
	*ret = &h->host;
	return true;
}

static bool is_barred(void *cache, uint32_t subnet_id, uint32_t addr, const struct config_host *own)
{
	struct cached_host *h = host_cache_find_addr(cache, subnet_id, addr);
	bool barred = h && !h->negative &&
		      (!own || own->id_type != h->host.id_type || !span_eq(own->id, h->host.id));

	cached_host_unref(h);
	return barred;
}

static void release_cached(const struct config_host *h)
{
	cached_host_unref((struct cached_host *)(uintptr_t)h);
}

/* --- Reservation commands --------------------------------------------------------------------- */

/* Puts the reservation of reservation-add or -update in. */
static int follow_put(struct host_cache *c, const struct usher_call *call)
{
	const struct json *body = json_get(call->command_args, "reservation");
	struct config_error err = {0};
	struct cached_host *h;
	int r = cached_host_of_reservation(call->cfg, body, &h, &err);

	if (r < 0)
		return r;
	(void)host_cache_insert(c, h);
	return 0;
}

/* Removes the reservation of reservation-del. */
static void follow_delete(struct host_cache *c, const struct usher_call *call)
{
	const struct json *args = call->command_args;
	const char *addr = json_get_str(args, "ip-address");
	const char *type = json_get_str(args, "identifier-type");
	const char *text = json_get_str(args, "identifier");
	struct cached_host *h = NULL;
	int64_t subnet_id = 0;
	uint32_t ip;
	enum config_host_id id_type = type ? config_host_id_find(type) : HOST_ID_N;
	struct span id;

	(void)json_get_int(args, "subnet-id", &subnet_id);
	if (addr && ip_parse(addr, strlen(addr), &ip) == 0)
		h = host_cache_find_addr(c, (uint32_t)subnet_id, ip);
	else if (text && id_type < HOST_ID_N && config_host_id_parse(call->arena, text, &id))
		h = host_cache_find(c, (uint32_t)subnet_id, id_type, id);
	if (h)
		(void)host_cache_remove(c, h);
	cached_host_unref(h);
}

/* Called at command_processed. */
static int follow_command(struct usher_call *call, void *cache)
{
	int64_t result = 1;

	(void)json_get_int(call->answer, "result", &result);
	if (!call->command || result != 0)
		return 0;
	if (strcmp(call->command, "reservation-add") == 0 ||
	    strcmp(call->command, "reservation-update") == 0)
		return follow_put(cache, call);
	if (strcmp(call->command, "reservation-del") == 0)
		follow_delete(cache, call);
	return 0;
}

/* --- Life ------------------------------------------------------------------------------------- */

static void attach_host_cache(void *record, const struct hook_registry_opts *o)
{
	struct host_cache *c = record;

	c->cfg = o->cfg;
	c->log = o->log;
}

static int start_host_cache(usher_lib *lib, void *record)
{
	struct host_cache *c = record;
	int r = host_cache_init(c);

	if (r < 0)
		return r;
	c->source = (struct host_source){.find = find_cached,
					 .is_barred = is_barred,
					 .release = release_cached,
					 .ctx = c};
	r = host_cache_commands(lib, c);
	if (r == 0)
		r = usher_register(lib, "command_processed", follow_command, c);
	if (r == 0)
		r = hook_register_hosts(lib, &c->source);
	if (r < 0)
		host_cache_fini(c);
	return r;
}

static void stop_host_cache(void *record)
{
	host_cache_fini(record);
}

static const struct library_log messages = {LOG_HOST_CACHE_INIT_OK,
					    LOG_HOST_CACHE_CONFIGURATION_FAILED,
					    LOG_HOST_CACHE_DEINIT_OK};

const struct library library_host_cache = {.name = "libdhcp_host_cache.so",
					   .size = sizeof(struct host_cache),
					   .log = &messages,
					   .parse = parse_host_cache,
					   .attach = attach_host_cache,
					   .start = start_host_cache,
					   .stop = stop_host_cache};
