/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The commands of host_cmds that show reservations.
 */
#include "server/edit/edit_host.h"

#include "config/config.h"
#include "config/json/json.h"
#include "server/edit/edit_commands.h"

#include <string.h>
#include <strings.h>

/* Returns the options of a reservation; a list of classes that is empty is not shown. */
static struct json *show_options(struct arena *a, const struct json *options)
{
	struct json *list = json_copy(a, options);

	for (struct json *o = list ? list->first : NULL; o; o = o->next) {
		const struct json *classes = json_get(o, "client-classes");

		if (classes && !classes->count)
			json_remove(o, "client-classes");
	}
	return list;
}

/* Returns a reservation as Kea shows it. */
static struct json *show_host(struct edit *e, const struct config_host *h)
{
	static const struct {
		const char *name;
		const char *absent; /* NULL: then it is not shown */
	} members[] = {{"ip-address", NULL},	{"hostname", ""},	{"next-server", "0.0.0.0"},
		       {"server-hostname", ""}, {"boot-file-name", ""}, {"client-classes", NULL}};
	struct arena *a = e->c->arena;
	struct json *m = json_map(a);
	const struct json *v = json_get(h->node, "user-context");

	if (v)
		(void)json_add(a, m, "user-context", json_copy(a, v));
	(void)json_add(a, m, config_host_id_names[h->id_type],
		       json_str(a, config_host_id_text(a, h->id_type, h->id)));
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		v = json_get(h->node, members[i].name);
		if (v)
			(void)json_add(a, m, members[i].name, json_copy(a, v));
		else if (members[i].absent)
			(void)json_add(a, m, members[i].name, json_str(a, members[i].absent));
	}
	(void)json_add(a, m, "option-data", show_options(a, json_get(h->node, "option-data")));
	(void)json_add(a, m, "subnet-id", json_int(a, h->subnet_id));
	return m;
}

static bool is_of_source(const struct config_host *h, unsigned target)
{
	return target & (h->stored ? TARGET_DATABASE : TARGET_MEMORY);
}

/* Ends with a list of reservations. */
static void answer_hosts(struct edit *e, struct json *list, struct json *more)
{
	struct json *m = json_map(e->c->arena);
	size_t n = list ? list->count : 0;

	(void)json_add(e->c->arena, m, "hosts", list);
	for (struct json *v = more ? more->first : NULL; v; v = v->next)
		(void)json_add(e->c->arena, m, v->key, json_copy(e->c->arena, v));
	if (n)
		edit_answer(e, m, "%zu IPv4 host(s) found.", n);
	else
		edit_empty(e, m, "0 IPv4 host(s) found.");
}

void edit_host_get(struct edit *e)
{
	struct host_query q = edit_host_query(e, TARGET_ALL);
	const struct config_host *h = e->ended ? NULL : edit_find_host(e->cfg, &q);

	if (!h)
		edit_empty(e, NULL, "Host not found.");
	else
		edit_answer(e, show_host(e, h), "Host found.");
}

/* A selection of reservations. */
struct selection {
	unsigned target;
	bool has_subnet;
	uint32_t subnet_id;
	const struct host_query *id; /* NULL: any */
	const char *hostname;	     /* NULL: any */
	bool by_addr;
	uint32_t addr;
};

static bool is_selected(const struct selection *s, const struct config_host *h)
{
	if (!is_of_source(h, s->target) || (s->has_subnet && h->subnet_id != s->subnet_id) ||
	    (s->by_addr && h->addr != s->addr))
		return false;
	if (s->id && (h->id_type != s->id->type || !span_eq(h->id, s->id->id)))
		return false;
	return !s->hostname || strcasecmp(h->hostname, s->hostname) == 0;
}

static void answer_selection(struct edit *e, const struct selection *s)
{
	struct json *list = json_list(e->c->arena);

	if (e->ended)
		return;
	for (size_t i = 0; i < e->cfg->n_hosts; i++)
		if (is_selected(s, &e->cfg->hosts[i]))
			(void)json_add(e->c->arena, list, NULL, show_host(e, &e->cfg->hosts[i]));
	answer_hosts(e, list, NULL);
}

/* Begins a selection: the arguments are there; subnet-id is optional, and must be configured. */
static struct selection begin_selection(struct edit *e)
{
	struct selection s = {0};

	if (!e->c->args)
		edit_refuse(e, "Parameters missing or are not a map.");
	s.has_subnet = edit_host_subnet(e, e->c->args, &s.subnet_id);
	if (!e->ended && s.has_subnet)
		edit_host_check_subnet(e, s.subnet_id);
	s.target = edit_host_target(e, TARGET_ALL);
	return s;
}

void edit_host_get_all(struct edit *e)
{
	struct selection s = begin_selection(e);

	if (!e->ended && !s.has_subnet)
		edit_refuse(e, "missing parameter 'subnet-id'");
	answer_selection(e, &s);
}

void edit_host_by_hostname(struct edit *e)
{
	const struct json *name = json_get(e->c->args, "hostname");
	struct selection s;

	if (e->c->args && !name)
		edit_refuse(e, "missing parameter 'hostname'");
	else if (name && name->type != JSON_STRING)
		edit_refuse(e, "invalid type specified for parameter 'hostname'");
	else if (name && !name->n)
		edit_refuse(e, "Empty hostname");
	s = begin_selection(e);
	s.hostname = e->ended ? NULL : name->s;
	answer_selection(e, &s);
}

void edit_host_by_id(struct edit *e)
{
	struct host_query q = {0};
	struct selection s = {.id = &q};

	if (!e->c->args)
		edit_refuse(e, "Parameters missing or are not a map.");
	if (!e->ended && json_get(e->c->args, "subnet-id") &&
	    json_get_str(e->c->args, "identifier-type") && json_get_str(e->c->args, "identifier"))
		edit_refuse(e, "'subnet-id' is forbidden in reservation-get-by-id");
	if (!e->ended)
		edit_host_id(e, e->c->args, "", &q);
	s.target = edit_host_target(e, TARGET_ALL);
	answer_selection(e, &s);
}

void edit_host_by_address(struct edit *e)
{
	struct selection s = begin_selection(e);
	const struct json *addr = json_get(e->c->args, "ip-address");

	if (!e->ended && !addr)
		edit_refuse(e, "missing parameter 'ip-address'");
	else if (!e->ended && addr->type != JSON_STRING)
		edit_refuse(e, "invalid type specified for parameter 'ip-address'");
	s.by_addr = true;
	s.addr = e->ended ? 0 : edit_host_addr(e, addr->s);
	answer_selection(e, &s);
}

/* --- Pages ------------------------------------------------------------------------------------ */

/* Reads a number of the arguments; false: it is absent. */
static bool read_number(struct edit *e, const char *name, int64_t min, int64_t max, int64_t *ret)
{
	const struct json *v = json_get(e->c->args, name);

	if (!v || e->ended)
		return false;
	if (v->type != JSON_INT)
		edit_refuse(e, "invalid type specified for parameter '%s'", name);
	else if (v->i < min || v->i > max)
		edit_refuse(e,
			    "The '%s' value (%" PRId64 ") is not within expected range: (%" PRId64
			    " - %" PRId64 ")",
			    name, v->i, min, max);
	else
		*ret = v->i;
	return !e->ended;
}

/* Adds reservations of one source behind the one with the id *from, which becomes that of the
 * last. */
static void add_page(struct edit *e, const struct selection *s, int64_t *from, int64_t limit,
		     struct json *list)
{
	for (size_t i = 0; i < e->cfg->n_hosts && (int64_t)list->count < limit; i++) {
		const struct config_host *h = &e->cfg->hosts[i];

		if ((int64_t)h->host_id <= *from || !is_selected(s, h))
			continue;
		(void)json_add(e->c->arena, list, NULL, show_host(e, h));
		*from = h->host_id;
	}
}

void edit_host_page(struct edit *e)
{
	struct selection s = begin_selection(e);
	struct arena *a = e->c->arena;
	struct json *list = json_list(a);
	struct json *more = json_map(a);
	struct json *next = json_map(a);
	int64_t limit = 0;
	int64_t source = 0;
	int64_t from = 0;

	if (!read_number(e, "limit", 0, UINT32_MAX, &limit))
		edit_refuse(e, "missing parameter 'limit'");
	(void)read_number(e, "source-index", 0, 10, &source);
	(void)read_number(e, "from", INT64_MIN, INT64_MAX, &from);
	if (!e->ended && !limit)
		edit_refuse(e, "page size limit cannot be 0");
	if (e->ended || !list)
		return;
	s.target = source ? TARGET_DATABASE : TARGET_MEMORY;
	if (source <= 1)
		add_page(e, &s, &from, limit, list);
	if (!source && !list->count) { /* the next source, from its begin */
		source = 1;
		from = 0;
		s.target = TARGET_DATABASE;
		add_page(e, &s, &from, limit, list);
	}
	(void)json_add(a, more, "count", json_int(a, (int64_t)list->count));
	if (list->count) {
		(void)json_add(a, next, "source-index", json_int(a, source));
		(void)json_add(a, next, "from", json_int(a, from));
		(void)json_add(a, more, "next", next);
	}
	answer_hosts(e, list, more);
}
