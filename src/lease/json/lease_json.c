/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Leases as the arguments of commands, by the rows of lease_fields.def. The refusals are those of
 * Kea; the numbers are read before the texts.
 */
#include "lease/json/lease_json.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/ip.h"
#include "lease/lease_field.h"
#include "lease/json/lease_hex.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* --- to JSON ---------------------------------------------------------------------------------- */

static struct json *make_pairs(struct arena *a, struct span s)
{
	struct json *v;
	struct buf b;

	buf_init(&b);
	buf_hex(&b, s, ':');
	v = json_str(a, b.p ? b.p : "");
	buf_fini(&b);
	return v;
}

static struct json *make_context(struct arena *a, const char *text)
{
	struct json_opts o = {.file = ""};
	struct config_error err;
	struct json *v = NULL;

	return text && json_parse(span_str(text), &o, a, &v, &err) == 0 ? v : NULL;
}

/* Returns the value of a field; NULL: the lease has none. */
static struct json *make_value(struct arena *a, const struct lease_field *f, const struct lease *l)
{
	int64_t number;
	char ip[IP_TEXT_LEN];

	switch (f->kind) {
	case LEASE_KIND_ADDRESS:
		return json_str(a, ip_text(l->addr, ip));
	case LEASE_KIND_HARDWARE:
		return make_pairs(a, lease_hw(l));
	case LEASE_KIND_CLIENT_ID:
		return l->client_id_len ? make_pairs(a, lease_client_id(l)) : NULL;
	case LEASE_KIND_LIFETIME:
	case LEASE_KIND_TIME:
	case LEASE_KIND_NUMBER:
	case LEASE_KIND_STATE:
		return json_int(a, lease_field_number(f, l));
	case LEASE_KIND_OPTIONAL:
		number = lease_field_number(f, l);
		return number ? json_int(a, number) : NULL;
	case LEASE_KIND_FLAG:
		return json_bool(a, lease_field_number(f, l) != 0);
	case LEASE_KIND_TEXT:
		return json_str(a, lease_field_text(f, l));
	case LEASE_KIND_CONTEXT:
		return make_context(a, lease_field_text(f, l));
	}
	return NULL;
}

struct json *lease_to_json(struct arena *a, const struct lease *l)
{
	const struct lease_field *sorted[LEASE_FIELDS];
	struct json *m = json_map(a);

	for (size_t i = 0; i < LEASE_FIELDS; i++) {
		size_t at = i;

		for (; at > 0 && strcmp(sorted[at - 1]->json, lease_fields[i].json) > 0; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = &lease_fields[i];
	}
	for (size_t i = 0; i < LEASE_FIELDS; i++) {
		struct json *v = make_value(a, sorted[i], l);

		if (v)
			(void)json_add(a, m, sorted[i]->json, v);
	}
	return m;
}

/* --- from JSON -------------------------------------------------------------------------------- */

/* The arguments and the lease that is made of them. */
struct reader {
	const struct json *args;
	bool stored; /* the form of answers, with the time of the client's last message */
	struct arena *arena;
	struct lease *l;
	struct lease_json_problem *problem;
};

static int report_problem(struct lease_json_problem *problem, const char *fmt, ...)
	printf_like(2, 3);

static int report_problem(struct lease_json_problem *problem, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(problem->text, sizeof(problem->text), fmt, ap);
	va_end(ap);
	return -USHER_E_SYNTAX;
}

/* Returns the position of an argument, or of the arguments when it is absent. */
static const struct json_pos *place_of(const struct json *args, const char *name)
{
	static const struct json_pos nowhere = {0};
	const struct json *v = json_get(args, name);

	return v ? &v->pos : args ? &args->pos : &nowhere;
}

/* Refuses an argument that is absent, or that has another type. */
static int report_type(const struct json *args, const char *name,
		       struct lease_json_problem *problem)
{
	const struct json_pos *at = place_of(args, name);

	return report_problem(problem,
			      json_get(args, name)
				      ? "invalid type specified for parameter '%s' (<wire>:%u:%u)"
				      : "missing parameter '%s' (<wire>:%u:%u)",
			      name, at->line, at->col);
}

int lease_json_int(const struct json *args, const char *name, const int64_t range[2], int64_t *io,
		   struct lease_json_problem *ret_problem)
{
	const struct json *v = json_get(args, name);

	if (!v)
		return 0;
	if (v->type != JSON_INT)
		return report_type(args, name, ret_problem);
	if (v->i < range[0] || v->i > range[1])
		return report_problem(
			ret_problem,
			"out of range value (%lld) specified for parameter '%s' (<wire>:%u:%u)",
			(long long)v->i, name, v->pos.line, v->pos.col);
	*io = v->i;
	return 0;
}

int lease_json_bool(const struct json *args, const char *name, bool *io,
		    struct lease_json_problem *ret_problem)
{
	const struct json *v = json_get(args, name);

	if (v && v->type != JSON_BOOL)
		return report_type(args, name, ret_problem);
	if (v)
		*io = v->b;
	return 0;
}

static int read_address(struct reader *r, const struct lease_field *f)
{
	const struct json *v = json_get(r->args, f->json);
	struct in6_addr ip6;

	if (!v || v->type != JSON_STRING)
		return report_type(r->args, f->json, r->problem);
	if (ip_parse(v->s, v->n, &r->l->addr) >= 0)
		return 0;
	if (inet_pton(AF_INET6, v->s, &ip6) == 1)
		return report_problem(r->problem, "Non-IPv4 address specified: %s", v->s);
	return report_problem(r->problem,
			      "Failed to convert '%.40s' to address: Failed to convert string to "
			      "address '%.40s': Invalid argument(<wire>:%u:%u)",
			      v->s, v->s, v->pos.line, v->pos.col);
}

static int read_hardware(struct reader *r, const struct lease_field *f)
{
	const struct json *v = json_get(r->args, f->json);
	int n;

	if (!v || v->type != JSON_STRING)
		return report_type(r->args, f->json, r->problem);
	/* declined leases have none */
	n = v->n ? lease_hex_hardware(v->s, r->l->hw, f->size, r->problem) : 0;
	r->l->hw_len = (uint16_t)(n < 0 ? 0 : n);
	return n < 0 ? n : 0;
}

static int read_client_id(struct reader *r, const struct lease_field *f)
{
	const struct json *v = json_get(r->args, f->json);
	int n;

	if (!v)
		return 0;
	if (v->type != JSON_STRING)
		return report_type(r->args, f->json, r->problem);
	n = lease_hex_client_id(v->s, r->l->client_id, f->size, r->problem);
	r->l->client_id_len = (uint16_t)(n < 0 ? 0 : n);
	return n < 0 ? n : 0;
}

static int read_number(struct reader *r, const struct lease_field *f, int64_t low, int64_t high)
{
	const int64_t range[] = {low, high};
	int64_t v = lease_field_number(f, r->l);
	int result = lease_json_int(r->args, f->json, range, &v, r->problem);

	lease_field_set_number(f, r->l, v);
	return result;
}

/* Reads the time of the client's last message, which must be there. */
static int read_cltt(struct reader *r, const struct lease_field *f)
{
	static const int64_t range[] = {1, INT64_C(1) << 40};
	int64_t cltt = 0;

	if (!json_get(r->args, f->json))
		return report_type(r->args, f->json, r->problem);
	if (lease_json_int(r->args, f->json, range, &cltt, r->problem) < 0)
		return -USHER_E_SYNTAX;
	lease_field_set_number(f, r->l, cltt);
	return 0;
}

/* Reads the end of the lease; the address and the lifetime were read before. */
static int read_end(struct reader *r, const struct lease_field *f)
{
	static const int64_t range[] = {INT64_MIN, INT64_C(1) << 40};
	char ip[IP_TEXT_LEN];
	int64_t end = 1;
	int result = lease_json_int(r->args, f->csv, range, &end, r->problem);

	if (result < 0 || !json_get(r->args, f->csv))
		return result;
	if (end <= 0)
		return report_problem(r->problem, "expiration time must be positive for address %s",
				      ip_text(r->l->addr, ip));
	if (end < (int64_t)r->l->valid_lft)
		return report_problem(
			r->problem,
			"expiration time must be greater than valid lifetime for address %s",
			ip_text(r->l->addr, ip));
	lease_field_set_number(f, r->l, end - (int64_t)r->l->valid_lft);
	return 0;
}

static int read_flag(struct reader *r, const struct lease_field *f)
{
	bool v = lease_field_number(f, r->l) != 0;
	int result = lease_json_bool(r->args, f->json, &v, r->problem);

	lease_field_set_number(f, r->l, v);
	return result;
}

static int read_text(struct reader *r, const struct lease_field *f)
{
	const struct json *v = json_get(r->args, f->json);

	if (!v)
		return 0;
	if (v->type != JSON_STRING)
		return report_type(r->args, f->json, r->problem);
	if (v->n >= f->size)
		return report_problem(r->problem, "'%s' is longer than %u characters", f->json,
				      f->size - 1U);
	lease_field_set_text(f, r->l, v->s, v->n);
	return 0;
}

/* Reads the state. Kea knows one more, which belongs to DHCPv6. */
static int read_state(struct reader *r, const struct lease_field *f)
{
	static const int64_t range[] = {0, UINT8_MAX};
	enum { REGISTERED = 4 };
	int64_t v = lease_field_number(f, r->l);
	int result = lease_json_int(r->args, f->json, range, &v, r->problem);

	if (result < 0)
		return result;
	if (v == REGISTERED)
		return report_problem(r->problem, "DHCPv4 leases do not support registered state");
	if (v > REGISTERED)
		return report_problem(r->problem,
				      "Invalid state value: %lld, supported values are: 0 "
				      "(default), 1 (declined), 2 (expired-reclaimed), 3 "
				      "(released) and 4 (registered)",
				      (long long)v);
	lease_field_set_number(f, r->l, v);
	return 0;
}

/* Returns a value as text in the arena, for refusals and for the lease. */
static char *text_of(struct reader *r, const struct json *v)
{
	char *text;
	struct buf b;

	buf_init(&b);
	json_write(v, false, &b);
	text = b.failed ? NULL : arena_strdup(r->arena, b.p);
	buf_fini(&b);
	return text;
}

/* Reads the context. "comment" beside it is one of its members. */
static int read_context(struct reader *r, const struct lease_field *f)
{
	const struct json *context = json_get(r->args, f->json);
	const struct json *comment = json_get(r->args, "comment");
	struct json *both;

	if (context && context->type != JSON_MAP)
		return report_problem(r->problem, "Invalid user context '%.80s' is not a JSON map.",
				      text_of(r, context));
	if (context && comment && json_get(context, "comment"))
		return report_problem(r->problem,
				      "Duplicated comment entry '%.80s' in user context '%.80s'",
				      text_of(r, comment), text_of(r, context));
	if (!context && !comment)
		return 0;
	both = context ? json_copy(r->arena, context) : json_map(r->arena);
	if (comment)
		(void)json_add(r->arena, both, "comment", json_copy(r->arena, comment));
	lease_field_set_context(f, r->l, text_of(r, both));
	return 0;
}

static int read_value(struct reader *r, const struct lease_field *f)
{
	switch (f->kind) {
	case LEASE_KIND_ADDRESS:
		return read_address(r, f);
	case LEASE_KIND_HARDWARE:
		return read_hardware(r, f);
	case LEASE_KIND_CLIENT_ID:
		return read_client_id(r, f);
	case LEASE_KIND_LIFETIME: /* 0: the lease has ended; in the file its row is a deletion */
		return read_number(r, f, 0, UINT32_MAX);
	case LEASE_KIND_TIME:
		return r->stored ? read_cltt(r, f) : read_end(r, f);
	case LEASE_KIND_NUMBER:
		return read_number(r, f, 0, UINT32_MAX);
	case LEASE_KIND_OPTIONAL:
		return read_number(r, f, 0, UINT32_MAX - 1);
	case LEASE_KIND_FLAG:
		return read_flag(r, f);
	case LEASE_KIND_TEXT:
		return read_text(r, f);
	case LEASE_KIND_STATE:
		return read_state(r, f);
	case LEASE_KIND_CONTEXT:
		return read_context(r, f);
	}
	return 0;
}

static bool is_text(const struct lease_field *f)
{
	return f->kind == LEASE_KIND_TEXT || f->kind == LEASE_KIND_CONTEXT;
}

static int read_all(struct reader *reader)
{
	int r = 0;

	for (size_t i = 0; i < LEASE_FIELDS && r == 0; i++)
		if (!is_text(&lease_fields[i]))
			r = read_value(reader, &lease_fields[i]);
	for (size_t i = 0; i < LEASE_FIELDS && r == 0; i++)
		if (is_text(&lease_fields[i]))
			r = read_value(reader, &lease_fields[i]);
	return r;
}

int lease_from_json(const struct json *args, struct arena *a, struct lease *io,
		    struct lease_json_problem *ret_problem)
{
	struct reader reader = {.args = args, .arena = a, .l = io, .problem = ret_problem};

	return read_all(&reader);
}

int lease_from_stored_json(const struct json *map, struct arena *a, struct lease *ret,
			   struct lease_json_problem *ret_problem)
{
	struct reader reader = {.args = map,
				.stored = true,
				.arena = a,
				.l = ret,
				.problem = ret_problem};

	memset(ret, 0, sizeof(*ret));
	return read_all(&reader);
}

int lease_identity_from_json(const struct json *args, struct lease *io,
			     struct lease_json_problem *ret_problem)
{
	struct reader reader = {.args = args, .l = io, .problem = ret_problem};
	int r = 0;

	for (size_t i = 0; i < LEASE_FIELDS && r == 0; i++)
		if (lease_fields[i].kind == LEASE_KIND_ADDRESS ||
		    lease_fields[i].kind == LEASE_KIND_HARDWARE)
			r = read_value(&reader, &lease_fields[i]);
	return r;
}
