/* SPDX-License-Identifier: MPL-2.0 */
/*
 * lease_cmds: values of expressions on the query and on the response, which are kept with the lease
 * in its user-context (binding-variables), in Kea's form:
 *
 *	{"ISC": {"binding-variables": {"name": "value", ...}}}
 *
 * They are evaluated when the lease is stored already, at leases4_committed, or at lease4_offer if
 * the offer is a lease. The lease is stored again only if a value has changed. The commands of
 * Kea's library are part of the server, and need no library.
 */
#include "library/common/library.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/ip.h"
#include "config/config.h"
#include "hook/hook_lib.h"
#include "lease/lease.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char isc_key[] = "ISC", variables_key[] = "binding-variables";

struct variable {
	const char *name;
	const struct expr *expr;
	bool of_response; /* evaluated on the response, else on the query */
	size_t order;	  /* in the text */
};

struct lease_cmds {
	struct arena arena;
	struct variable *variables; /* by name, each name once */
	size_t n;
};

/* --- Parameters ------------------------------------------------------------------------------- */

static const struct library_key variable_keys[] = {{"name", JSON_STRING},
						   {"expression", JSON_STRING},
						   {"source", JSON_STRING}};

/* Checks that a variable has all members, and that none is empty. Returns false after a report. */
static bool check_variable(struct library_problems *p, const struct json *v)
{
	size_t before = p->n;

	if (v->type != JSON_MAP) {
		library_problem(p, &v->pos, "a binding variable must be a map");
		return false;
	}
	if (!library_check_keys(p, v, variable_keys, ARRAY_LEN(variable_keys)))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(variable_keys); i++) {
		const struct json *member = json_get(v, variable_keys[i].name);

		if (!member)
			library_problem(p, &v->pos, "a binding variable needs '%s'",
					variable_keys[i].name);
		else if (!member->n)
			library_problem(p, &member->pos, "'%s' must not be empty", member->key);
	}
	return p->n == before;
}

static void read_variable(struct library_problems *p, const struct config *cfg,
			  const struct json *v, struct lease_cmds *l)
{
	struct variable *var = &l->variables[l->n];
	const struct json *source;

	if (!check_variable(p, v))
		return;
	source = json_get(v, "source");
	if (strcmp(source->s, "query") != 0 && strcmp(source->s, "response") != 0)
		library_problem(p, &source->pos, "'source' is \"query\" or \"response\"");
	*var = (struct variable){
		.name = arena_strdup(&l->arena, json_get_str(v, "name")),
		.expr = library_expr(p, cfg, json_get(v, "expression"), false, &l->arena),
		.of_response = strcmp(source->s, "response") == 0,
		.order = l->n,
	};
	l->n += var->name && var->expr;
}

static int by_name(const void *a, const void *b)
{
	const struct variable *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	if (r != 0)
		return r;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Sorts the variables. Of those with the same name the first one stays. */
static void sort_variables(struct lease_cmds *l)
{
	size_t n = 0;

	if (!l->n)
		return;
	qsort(l->variables, l->n, sizeof(l->variables[0]), by_name);
	for (size_t i = 0; i < l->n; i++)
		if (!n || strcmp(l->variables[n - 1].name, l->variables[i].name) != 0)
			l->variables[n++] = l->variables[i];
	l->n = n;
}

static void parse_lease_cmds(struct library_problems *p, const struct config *cfg,
			     const struct json *parameters, void *record)
{
	static const struct library_key keys[] = {{variables_key, JSON_LIST}};
	const struct json *list = json_get(parameters, variables_key);
	struct lease_cmds *l = record;

	if (!library_check_keys(p, parameters, keys, ARRAY_LEN(keys)) || !list)
		return;
	l->variables = arena_array(&l->arena, struct variable, list->count);
	for (const struct json *v = list->first; v && l->variables; v = v->next)
		read_variable(p, cfg, v, l);
	if (l->arena.failed)
		library_problem(p, &list->pos, "memory is out");
	sort_variables(l);
}

/* --- Values in a context ---------------------------------------------------------------------- */

/* The variables and, in the same order, their values. */
struct bindings {
	const struct lease_cmds *l;
	struct span *values;
};

/* Returns the character of an octet: U+0000 to U+00FF, as in Kea. JSON texts of this server have no
 * U+0000, so that it is U+FFFD. *ret_len: octets of its UTF-8. */
static const char *show_octet(uint8_t c, char room[4], size_t *ret_len)
{
	if (c == 0) {
		memcpy(room, "\xef\xbf\xbd", 4);
		*ret_len = 3;
	} else if (c < 0x80) {
		room[0] = (char)c;
		*ret_len = 1;
	} else {
		room[0] = (char)(0xc0 | c >> 6);
		room[1] = (char)(0x80 | (c & 0x3f));
		*ret_len = 2;
	}
	return room;
}

/* Returns whether a member of a context is the text of these octets. */
static bool is_value(const struct json *v, struct span octets)
{
	size_t at = 0, n;
	char room[4];

	if (!v || v->type != JSON_STRING)
		return false;
	for (size_t i = 0; i < octets.n; i++, at += n) {
		const char *c = show_octet(octets.p[i], room, &n);

		if (v->n - at < n || memcmp(v->s + at, c, n) != 0)
			return false;
	}
	return at == v->n;
}

/* Returns whether a context has these values, and no others. */
static bool has_values(const struct json *context, const struct bindings *b)
{
	const struct json *had = json_get(json_get(context, isc_key), variables_key);

	if (!had || had->type != JSON_MAP || had->count != b->l->n)
		return false;
	for (size_t i = 0; i < b->l->n; i++)
		if (!is_value(json_get(had, b->l->variables[i].name), b->values[i]))
			return false;
	return true;
}

static bool is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Appends the text of a value in Kea's form: escapes stand for all that is not printable ASCII. */
static void write_octets(struct span octets, struct buf *out)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	size_t begin = 0;

	buf_char(out, '"');
	for (size_t i = 0; i < octets.n; i++) {
		uint8_t c = octets.p[i];
		const char *at = c ? strchr(from, c) : NULL;

		if (is_plain(c))
			continue;
		buf_add(out, octets.p + begin, i - begin);
		begin = i + 1;
		if (at)
			buf_printf(out, "\\%c", to[at - from]);
		else
			buf_printf(out, "\\u%04x", c ? c : 0xfffdU);
	}
	buf_add(out, octets.p + begin, octets.n - begin);
	buf_char(out, '"');
}

static void write_key(const char *key, struct buf *out)
{
	const struct json text = {.type = JSON_STRING, .s = key, .n = strlen(key)};

	json_write(&text, false, out);
	buf_char(out, ':');
}

/* Appends a member that stays as it is. */
static void write_member(const struct json *v, struct buf *out)
{
	write_key(v->key, out);
	json_write(v, false, out);
}

/* Appends a context with these values; the other members of had (NULL: none) stay. */
static void write_context(const struct json *had, const struct bindings *b, struct buf *out)
{
	const struct json *isc = json_get(had, isc_key);

	buf_char(out, '{');
	for (const struct json *m = had ? had->first : NULL; m; m = m->next) {
		if (m == isc)
			continue;
		write_member(m, out);
		buf_char(out, ',');
	}
	buf_str(out, "\"ISC\":{\"binding-variables\":{");
	for (size_t i = 0; i < b->l->n; i++) {
		if (i)
			buf_char(out, ',');
		write_key(b->l->variables[i].name, out);
		write_octets(b->values[i], out);
	}
	buf_char(out, '}');
	for (const struct json *m = isc && isc->type == JSON_MAP ? isc->first : NULL; m;
	     m = m->next) {
		if (strcmp(m->key, variables_key) == 0)
			continue;
		buf_char(out, ',');
		write_member(m, out);
	}
	buf_str(out, "}}");
}

static const struct json *read_context(const char *text, struct arena *a)
{
	const struct json_opts opts = {.file = ""};
	struct config_error err uninit;
	struct json *m;

	return json_parse(span_str(text), &opts, a, &m, &err) == 0 && m->type == JSON_MAP ? m
											  : NULL;
}

/* Writes the context that follows an old one (NULL: none). Returns 1; 0: its values are these
 * already; or -ENOMEM. */
static int make_context(const char *old, const struct bindings *b, struct buf *out)
{
	const struct json *had;
	struct arena a;
	int r = 1;

	write_context(NULL, b, out); /* most contexts have nothing else */
	if (out->failed)
		return -ENOMEM;
	if (!old || strcmp(old, out->p) == 0)
		return old ? 0 : 1;
	arena_init(&a);
	had = read_context(old, &a);
	if (has_values(had, b)) {
		r = 0;
	} else {
		buf_reset(out);
		write_context(had, b, out);
	}
	if (a.failed || out->failed)
		r = -ENOMEM;
	arena_fini(&a);
	return r;
}

/* --- Hook points ------------------------------------------------------------------------------ */

/* Logs that a lease did not get its values. Returns r. */
static int report_failure(const usher_call *call, int r, const char *why)
{
	bool offer = call->point == HOOK_LEASE4_OFFER;
	char ip[IP_TEXT_LEN];

	log_msg(hook_lib_log(call->lib),
		offer ? LOG_LEASE_CMDS_LEASE4_OFFER_FAILED
		      : LOG_LEASE_CMDS_LEASES4_COMMITTED_FAILED,
		"the binding variables of lease %s are not stored: %s",
		ip_text(call->lease->addr, ip), why);
	return r;
}

/* Evaluates all variables. Returns 0, or a negative result after a log message. */
static int find_values(usher_call *call, struct bindings *b)
{
	const struct lease_cmds *l = b->l;

	b->values = arena_array(call->arena, struct span, l->n);
	if (!b->values)
		return report_failure(call, -ENOMEM, "the packet's memory is full");
	for (size_t i = 0; i < l->n; i++) {
		const struct variable *v = &l->variables[i];
		const usher_msg *from = v->of_response ? usher_response(call) : usher_query(call);
		const char *why = "";
		char text[256];
		int r = library_text(call, v->expr, from, &b->values[i], &why);

		if (r == 0)
			continue;
		(void)snprintf(text, sizeof(text), "variable '%.64s': %s", v->name, why);
		return report_failure(call, r, text);
	}
	return 0;
}

static const char *reason_of(int r)
{
	if (r == -ENOSPC)
		return "the context is longer than 16384 octets, or than the packet's memory";
	return r == -ESTALE ? "the lease was changed or deleted meanwhile" : usher_strerror(r);
}

/* Stores the context with the lease. */
static int store_context(usher_call *call, const char *text)
{
	const char *kept = hook_keep_context(call->arena, text);

	if (!kept)
		return -ENOSPC;
	call->lease->user_context = kept;
	return usher_lease4_update(call);
}

static int store_values(usher_call *call, const struct lease_cmds *l)
{
	struct bindings b = {.l = l};
	char mem[512] uninit;
	const char *old;
	struct buf text;
	int r = find_values(call, &b);

	if (r < 0)
		return r;
	r = usher_lease4_context(call, &old);
	if (r < 0)
		return report_failure(call, r, reason_of(r));
	buf_init_over(&text, mem, sizeof(mem));
	r = make_context(old, &b, &text);
	if (r == 1)
		r = store_context(call, text.p);
	buf_fini(&text);
	return r < 0 ? report_failure(call, r, reason_of(r)) : 0;
}

/* Returns whether a callout in front of the library keeps it from storing. One that parks the
 * answer does not. */
static bool is_skipped(const usher_call *call)
{
	return call->status == USHER_SKIP || call->status == USHER_DROP;
}

/* Called at leases4_committed, also of a NAK, a RELEASE, and a lease that is merely repeated. */
static int store_committed(usher_call *call, void *lease_cmds)
{
	const usher_msg *response = usher_response(call);

	if (is_skipped(call) || !call->lease || !response || usher_msg_type(response) != DHCP4_ACK)
		return 0;
	return store_values(call, lease_cmds);
}

/* Called at lease4_offer. */
static int store_offered(usher_call *call, void *lease_cmds)
{
	if (is_skipped(call) || !call->lease || !call->offer_stored)
		return 0;
	return store_values(call, lease_cmds);
}

static int start_lease_cmds(usher_lib *lib, void *record)
{
	const struct lease_cmds *l = record;
	int r;

	if (!l->n)
		return 0;
	r = usher_register(lib, "leases4_committed", store_committed, record);
	return r < 0 ? r : usher_register(lib, "lease4_offer", store_offered, record);
}

static const struct library_log messages = {LOG_LEASE_CMDS_INIT_OK, LOG_LEASE_CMDS_LOAD_ERROR,
					    LOG_LEASE_CMDS_DEINIT_OK};

const struct library library_lease_cmds = {.name = "libdhcp_lease_cmds.so",
					   .size = sizeof(struct lease_cmds),
					   .log = &messages,
					   .parse = parse_lease_cmds,
					   .start = start_lease_cmds};
