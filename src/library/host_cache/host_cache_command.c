/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The commands on entries. Their answers, and the texts of errors in arguments, are Kea's.
 */
#include "library/host_cache/host_cache.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/ip.h"
#include "config/config.h"
#include "control/command.h"
#include "hook/hook.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* --- Answers ---------------------------------------------------------------------------------- */

struct json *host_cache_fail(struct control_call *call, int log_id, const char *fmt, ...)
{
	const struct host_cache *c = call->ctx;
	char text[768];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_msg(c->log, (enum log_id)log_id, "%s command failed (reason: %s)", call->name, text);
	return control_answer(call->arena, CONTROL_ERROR, "%s", text);
}

static const char no_arguments[] = "no parameters specified for the command";

/* Adds the list of entries to an answer, which is empty if the list is. */
static struct json *answer_list(struct control_call *call, struct json *list, int log_id)
{
	const struct host_cache *c = call->ctx;
	size_t n = list ? list->count : 0;
	struct json *answer = control_answer(call->arena, n ? CONTROL_OK : CONTROL_EMPTY,
					     "%zu entries returned.", n);

	(void)json_add(call->arena, answer, "arguments", list);
	log_msg(c->log, (enum log_id)log_id, "%s command successful (returned: %zu)", call->name,
		n);
	return answer;
}

/* --- All entries ------------------------------------------------------------------------------ */

static struct json *show_size(struct control_call *call)
{
	struct host_cache *c = call->ctx;
	size_t n = host_cache_size(c);
	struct json *answer = control_answer(call->arena, CONTROL_OK, "%zu entries.", n);
	struct json *m = json_map(call->arena);

	(void)json_add(call->arena, m, "size", json_int(call->arena, (int64_t)n));
	(void)json_add(call->arena, answer, "arguments", m);
	log_msg(c->log, LOG_HOST_CACHE_COMMAND_SIZE, "cache-size command successful: %zu", n);
	return answer;
}

static struct json *clear_cache(struct control_call *call)
{
	struct host_cache *c = call->ctx;

	(void)host_cache_flush(c, UINT64_MAX);
	log_msg(c->log, LOG_HOST_CACHE_COMMAND_CLEAR, "cache-clear command successful");
	return control_answer(call->arena, CONTROL_OK, "Cache cleared.");
}

static struct json *flush_cache(struct control_call *call)
{
	struct host_cache *c = call->ctx;
	size_t n;

	if (!call->args)
		return host_cache_fail(call, LOG_HOST_CACHE_COMMAND_FLUSH_FAILED, no_arguments);
	if (call->args->type != JSON_INT)
		return host_cache_fail(call, LOG_HOST_CACHE_COMMAND_FLUSH_FAILED,
				       "invalid (not an integer) parameter");
	if (call->args->i == 0)
		return host_cache_fail(call, LOG_HOST_CACHE_COMMAND_FLUSH_FAILED,
				       "invalid (0) parameter: please use cache-clear command");
	if (call->args->i < 0)
		return host_cache_fail(call, LOG_HOST_CACHE_COMMAND_FLUSH_FAILED,
				       "invalid (<0) parameter");
	n = host_cache_flush(c, (uint64_t)call->args->i);
	log_msg(c->log, LOG_HOST_CACHE_COMMAND_FLUSH, "cache-flush command successful");
	return control_answer(call->arena, CONTROL_OK, "Cache flushed (%zu entries removed).", n);
}

/* Makes the list of all entries, or of those of an identifier. */
static struct json *list_entries(struct control_call *call, const enum config_host_id *type,
				 struct span id)
{
	struct json *result = json_list(call->arena);
	size_t n;
	struct cached_host **list = host_cache_list(call->ctx, &n);

	for (size_t i = 0; list && i < n; i++)
		if (!type || (list[i]->host.id_type == *type && span_eq(list[i]->host.id, id)))
			(void)json_add(call->arena, result, NULL,
				       cached_host_show(call->arena, list[i]));
	host_cache_list_free(list, list ? n : 0);
	return result;
}

static void list_all_work(struct control_call *call)
{
	call->result = list_entries(call, NULL, SPAN_NULL);
}

static struct json *list_all(struct control_call *call)
{
	return answer_list(call, call->result, LOG_HOST_CACHE_COMMAND_GET);
}

/* --- Arguments of cache-get-by-id and cache-remove -------------------------------------------- */

struct selector {
	unsigned n_ids;
	enum config_host_id type;
	const char *id_text;
	struct span id;
	unsigned n_subnets;
	bool is_v4, is_v6; /* subnet-id4, subnet-id6; neither: subnet-id */
	uint32_t subnet_id;
	const char *addr_text;
	uint32_t addr;
	char why[160];
};

static bool printf_like(2, 3) refuse_selector(struct selector *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(s->why, sizeof(s->why), fmt, ap);
	va_end(ap);
	return false;
}

/* Reads a member that is an identifier. Returns whether it is one, or is refused. */
static bool take_identifier(struct selector *s, const struct json *v)
{
	enum config_host_id type = config_host_id_find(v->key);

	if (type == HOST_ID_N)
		return false;
	s->n_ids++;
	s->type = type;
	if (v->type == JSON_STRING)
		s->id_text = v->s;
	else
		(void)refuse_selector(s, "invalid (not a string) parameter '%s'", v->key);
	return true;
}

static bool take_place(struct selector *s, const struct json *v)
{
	bool v4 = strcmp(v->key, "subnet-id4") == 0, v6 = strcmp(v->key, "subnet-id6") == 0;

	if (strcmp(v->key, "ip-address") == 0) {
		if (v->type != JSON_STRING)
			return refuse_selector(s, "invalid (not a string) parameter '%s'", v->key);
		s->addr_text = v->s;
		return true;
	}
	if (!v4 && !v6 && strcmp(v->key, "subnet-id") != 0)
		return refuse_selector(s, "unknown parameter '%.64s'", v->key);
	if (v->type != JSON_INT || v->i < 0 || v->i > UINT32_MAX)
		return refuse_selector(s, "invalid (not a subnet identifier) parameter '%s'",
				       v->key);
	s->n_subnets++;
	s->is_v4 = v4;
	s->is_v6 = v6;
	s->subnet_id = (uint32_t)v->i;
	return true;
}

/* Reads the identifier's octets. */
static bool decode_identifier(struct arena *a, struct selector *s)
{
	if (!s->id_text[0])
		return refuse_selector(s, "invalid (empty) identifier");
	if (!config_host_id_parse(a, s->id_text, &s->id) || !s->id.n)
		return refuse_selector(s, "invalid identifier '%.64s'", s->id_text);
	return true;
}

/* Reads the arguments' members. place: others than identifiers are allowed. */
static bool read_selector(const struct control_call *call, bool place, struct selector *s)
{
	if (!call->args)
		return refuse_selector(s, "%s", no_arguments);
	if (call->args->type != JSON_MAP)
		return refuse_selector(s, "invalid (not a map) parameter");
	for (const struct json *v = call->args->first; v && !s->why[0]; v = v->next) {
		if (take_identifier(s, v))
			continue;
		if (place)
			(void)take_place(s, v);
		else
			(void)refuse_selector(s, "unknown parameter '%.64s'", v->key);
	}
	return !s->why[0];
}

static void list_by_id_work(struct control_call *call)
{
	struct selector s = {0};
	bool ok = read_selector(call, false, &s);

	if (ok && !s.n_ids)
		ok = refuse_selector(&s, "an identifier is required");
	if (ok && s.n_ids > 1)
		ok = refuse_selector(&s, "only one identifier can be specified");
	if (ok)
		ok = decode_identifier(call->arena, &s);
	call->result = ok ? answer_list(call, list_entries(call, &s.type, s.id),
					LOG_HOST_CACHE_COMMAND_GET_BY_ID)
			  : host_cache_fail(call, LOG_HOST_CACHE_COMMAND_GET_BY_ID_FAILED, "%s",
					    s.why);
}

static struct json *list_by_id(struct control_call *call)
{
	return call->result;
}

/* --- cache-remove ----------------------------------------------------------------------------- */

/* Checks a selection by address. IPv6 addresses have another form, and are never found. */
static bool check_address(struct selector *s)
{
	bool v6 = strchr(s->addr_text, ':') != NULL;

	if (s->n_ids || s->n_subnets > 1)
		return refuse_selector(s, "inconsistent parameters");
	if (!s->n_subnets)
		return refuse_selector(s, "subnet-id is required");
	if (!v6 && ip_parse(s->addr_text, strlen(s->addr_text), &s->addr) < 0)
		return refuse_selector(s, "invalid ip-address '%.64s'", s->addr_text);
	if (v6 ? s->is_v4 : s->is_v6)
		return refuse_selector(s, "inconsistent parameters");
	if (!v6 && !s->addr)
		return refuse_selector(s, "invalid ip-address '0.0.0.0'");
	return true;
}

static bool check_removal(struct arena *a, struct selector *s)
{
	if (s->addr_text && s->addr_text[0])
		return check_address(s);
	if (s->n_ids > 1 || s->n_subnets > 1)
		return refuse_selector(s, "inconsistent parameters");
	if (!s->n_ids)
		return refuse_selector(s, "either ip-address or an identifier is required");
	if (s->id_text[0] && !s->is_v4 && !s->is_v6)
		return refuse_selector(s, "either subnet-id4 or subnet-id6 is required");
	return decode_identifier(a, s);
}

/* Removes an entry by its identifier in a subnet for IPv6, of which there is no index. */
static size_t remove_by_subnet6(struct host_cache *c, const struct selector *s)
{
	size_t n, removed = 0;
	struct cached_host **list = host_cache_list(c, &n);

	for (size_t i = 0; list && i < n && !removed; i++)
		if (list[i]->subnet6 == s->subnet_id && list[i]->host.id_type == s->type &&
		    span_eq(list[i]->host.id, s->id))
			removed = host_cache_remove(c, list[i]);
	host_cache_list_free(list, list ? n : 0);
	return removed;
}

static size_t remove_selected(struct host_cache *c, const struct selector *s)
{
	struct cached_host *h = NULL;
	size_t n;

	if (s->is_v6 && s->n_ids)
		return remove_by_subnet6(c, s);
	if (s->n_ids)
		h = host_cache_find(c, s->subnet_id, s->type, s->id);
	else if (s->addr)
		h = host_cache_find_addr(c, s->subnet_id, s->addr);
	n = h ? host_cache_remove(c, h) : 0;
	cached_host_unref(h);
	return n;
}

static struct json *remove_entry(struct control_call *call)
{
	struct host_cache *c = call->ctx;
	struct selector s = {0};

	if (!read_selector(call, true, &s) || !check_removal(call->arena, &s))
		return host_cache_fail(call, LOG_HOST_CACHE_COMMAND_REMOVE_FAILED, "%s", s.why);
	log_msg(c->log, LOG_HOST_CACHE_COMMAND_REMOVE, "cache-remove command successful");
	if (remove_selected(c, &s))
		return control_answer(call->arena, CONTROL_OK, "Host removed.");
	return control_answer(call->arena, CONTROL_EMPTY, "Host not removed (not found).");
}

/* --- cache-insert ----------------------------------------------------------------------------- */

static struct json *insert_entries(struct control_call *call)
{
	struct host_cache *c = call->ctx;
	const struct json *v = call->args;
	bool list = v && v->type == JSON_LIST;
	size_t n = 0, doubles = 0, n_made = 0;
	struct config_error err = {0};
	struct cached_host **made;
	int r = 0;

	if (!v)
		return host_cache_fail(call, LOG_HOST_CACHE_COMMAND_INSERT_FAILED, no_arguments);
	made = arena_array(call->arena, struct cached_host *, list ? v->count : 1);
	for (v = list ? v->first : v; v && made && r == 0; v = list ? v->next : NULL) {
		r = cached_host_read(c->cfg, v, &made[n_made], &err);
		n_made += r == 0;
	}
	for (n = 0; n < n_made; n++) {
		if (r == 0 && made)
			doubles += host_cache_insert(c, made[n]);
		else
			cached_host_unref(made[n]);
	}
	if (r < 0 || !made)
		return host_cache_fail(call, LOG_HOST_CACHE_COMMAND_INSERT_FAILED, "%s",
				       err.text[0] ? err.text : "out of memory");
	log_msg(c->log, LOG_HOST_CACHE_COMMAND_INSERT,
		"cache-insert command successful (inserted: %zu, overwritten: %zu)", n, doubles);
	return control_answer(call->arena, CONTROL_OK,
			      "%zu entries inserted (%zu overwritten by more recent entries).", n,
			      doubles);
}

/* --- Rows ------------------------------------------------------------------------------------- */

int host_cache_commands(struct usher_lib *lib, struct host_cache *c)
{
	static const struct control_command rows[] = {
		{.name = "cache-size", .fn = show_size, .help = "the number of entries"},
		{.name = "cache-clear",
		 .fn = clear_cache,
		 .help = "removes all entries",
		 .access = CONTROL_WRITE},
		{.name = "cache-flush",
		 .fn = flush_cache,
		 .help = "removes the oldest entries; the arguments are their number",
		 .access = CONTROL_WRITE},
		{.name = "cache-get", .fn = list_all, .work = list_all_work, .help = "all entries"},
		{.name = "cache-get-by-id",
		 .fn = list_by_id,
		 .work = list_by_id_work,
		 .help = "the entries of an identifier"},
		{.name = "cache-insert",
		 .fn = insert_entries,
		 .help = "inserts an entry or a list of them",
		 .access = CONTROL_WRITE},
		{.name = "cache-remove",
		 .fn = remove_entry,
		 .help = "removes an entry",
		 .access = CONTROL_WRITE},
		{.name = "cache-write",
		 .fn = host_cache_write,
		 .work = host_cache_write_work,
		 .help = "writes all entries to a file; the arguments are its name",
		 .access = CONTROL_WRITE},
		{.name = "cache-load",
		 .fn = host_cache_load,
		 .work = host_cache_load_work,
		 .help = "inserts the entries of a file; the arguments are its name",
		 .access = CONTROL_WRITE},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(rows); i++) {
		struct control_command row = rows[i];

		row.args = "";
		row.any_args = true;
		row.ctx = c;
		r = hook_register_row(lib, &row);
	}
	return r;
}
