/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Leases as the arguments of commands, by the rows of lease_fields.def. The refusals are those of
 * Kea in their meaning; the numbers are read before the texts.
 */
#include "server/manage/lease_json.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/ip.h"
#include "lease/lease_field.h"

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

int lease_json_int(const struct json *args, const char *name, const int64_t range[2], int64_t *io,
		   struct lease_json_problem *ret_problem)
{
	int64_t v;

	if (!json_get(args, name))
		return 0;
	if (!json_get_int(args, name, &v) || v < range[0] || v > range[1])
		return report_problem(ret_problem, "'%s' must be an integer from %lld to %lld",
				      name, (long long)range[0], (long long)range[1]);
	*io = v;
	return 0;
}

static int read_address(struct reader *r, const struct lease_field *f)
{
	const char *s = json_get_str(r->args, f->json);

	if (s && ip_parse(s, strlen(s), &r->l->addr) >= 0)
		return 0;
	return report_problem(r->problem, "'%s' must be given as an IPv4 address", f->json);
}

/* Reads octets from pairs of digits. Returns their count; negative: the field is absent, or
 * malformed. */
static int parse_pairs(const struct reader *r, const struct lease_field *f, uint8_t *out)
{
	const char *s = json_get_str(r->args, f->json);

	return s ? hex_parse(s, strlen(s), out, f->size) : -USHER_E_NOTFOUND;
}

static int read_hardware(struct reader *r, const struct lease_field *f)
{
	int n = parse_pairs(r, f, r->l->hw);

	if (n <= 0)
		return report_problem(r->problem,
				      "'%s' must be given as hex octets, as in 00:11:22:33:44:55",
				      f->json);
	r->l->hw_len = (uint16_t)n;
	return 0;
}

static int read_client_id(struct reader *r, const struct lease_field *f)
{
	int n;

	if (!json_get(r->args, f->json))
		return 0;
	n = parse_pairs(r, f, r->l->client_id);
	if (n <= 0)
		return report_problem(r->problem, "'%s' must be hex octets", f->json);
	r->l->client_id_len = (uint16_t)n;
	return 0;
}

static int read_number(struct reader *r, const struct lease_field *f, int64_t low, int64_t high)
{
	const int64_t range[] = {low, high};
	int64_t v = lease_field_number(f, r->l);
	int result = lease_json_int(r->args, f->json, range, &v, r->problem);

	lease_field_set_number(f, r->l, v);
	return result;
}

/* Reads the end of the lease; the lifetime was read before. */
static int read_end(struct reader *r, const struct lease_field *f)
{
	static const int64_t range[] = {1, INT64_C(1) << 40};
	int64_t end = 0;
	int result = lease_json_int(r->args, f->csv, range, &end, r->problem);

	if (end)
		lease_field_set_number(f, r->l, end - (int64_t)r->l->valid_lft);
	return result;
}

static int read_flag(struct reader *r, const struct lease_field *f)
{
	bool v;

	if (json_get_bool(r->args, f->json, &v))
		lease_field_set_number(f, r->l, v);
	return 0;
}

static int read_text(struct reader *r, const struct lease_field *f)
{
	const char *s = json_get_str(r->args, f->json);

	if (s && strlen(s) >= f->size)
		return report_problem(r->problem, "'%s' is longer than %u characters", f->json,
				      f->size - 1U);
	if (s)
		lease_field_set_text(f, r->l, s, strlen(s));
	return 0;
}

static int read_context(struct reader *r, const struct lease_field *f)
{
	const struct json *context = json_get(r->args, f->json);
	struct buf b;

	if (!context)
		return 0;
	if (context->type != JSON_MAP)
		return report_problem(r->problem, "'%s' must be a map", f->json);
	buf_init(&b);
	json_write(context, false, &b);
	lease_field_set_context(f, r->l, b.failed ? NULL : arena_strdup(r->arena, b.p));
	buf_fini(&b);
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
	case LEASE_KIND_LIFETIME:
		return read_number(r, f, 1, UINT32_MAX);
	case LEASE_KIND_TIME:
		return read_end(r, f);
	case LEASE_KIND_NUMBER:
		return read_number(r, f, 0, UINT32_MAX);
	case LEASE_KIND_OPTIONAL:
		return read_number(r, f, 0, UINT32_MAX - 1);
	case LEASE_KIND_FLAG:
		return read_flag(r, f);
	case LEASE_KIND_TEXT:
		return read_text(r, f);
	case LEASE_KIND_STATE:
		return read_number(r, f, LEASE_ASSIGNED, LEASE_RELEASED);
	case LEASE_KIND_CONTEXT:
		return read_context(r, f);
	}
	return 0;
}

static bool is_text(const struct lease_field *f)
{
	return f->kind == LEASE_KIND_TEXT || f->kind == LEASE_KIND_CONTEXT;
}

int lease_from_json(const struct json *args, struct arena *a, struct lease *io,
		    struct lease_json_problem *ret_problem)
{
	struct reader reader = {args, a, io, ret_problem};
	int r = 0;

	for (size_t i = 0; i < LEASE_FIELDS && r == 0; i++)
		if (!is_text(&lease_fields[i]))
			r = read_value(&reader, &lease_fields[i]);
	for (size_t i = 0; i < LEASE_FIELDS && r == 0; i++)
		if (is_text(&lease_fields[i]))
			r = read_value(&reader, &lease_fields[i]);
	return r;
}
