/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reading, writing, joining and checking of the relay's information in contexts.
 */
#include "lease/context/relay_info.h"

#include "base/ip.h"
#include "wire/dhcp4.h"
#include "wire/option_codes.h"

#include <errno.h>
#include <string.h>

/* --- Writing ---------------------------------------------------------------------------------- */

static void write_digits(struct buf *b, struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_printf(b, "%02X", s.p[i]);
}

static void write_member(struct buf *b, const char *name, struct span option, uint8_t code)
{
	struct span id;

	if (!dhcp4_subopt(option, code, &id) || !id.n)
		return;
	buf_printf(b, "\"%s\": \"", name);
	write_digits(b, id);
	buf_str(b, "\", ");
}

/* Appends the map of the information, with Kea's blanks and order: tools look for it in lease
 * files. An empty identifier counts as none. */
static void write_info(struct span option, struct buf *b)
{
	buf_str(b, "{ ");
	write_member(b, "relay-id", option, RAI_RELAY_ID);
	write_member(b, "remote-id", option, RAI_REMOTE_ID);
	buf_str(b, "\"sub-options\": \"0x");
	write_digits(b, option);
	buf_str(b, "\" }");
}

void relay_info_write(struct span option, struct buf *out)
{
	buf_str(out, "{ \"ISC\": { \"relay-agent-info\": ");
	write_info(option, out);
	buf_str(out, " } }");
}

/* --- Trees ------------------------------------------------------------------------------------ */

static struct json *parse_text(struct arena *a, const char *text, size_t n)
{
	const struct json_opts opts = {.file = ""};
	struct config_error err;
	struct json *v;

	return json_parse(span_of(text, n), &opts, a, &v, &err) < 0 ? NULL : v;
}

struct json *relay_context_parse(struct arena *a, const char *text, size_t max)
{
	size_t n = text ? strnlen(text, max + 1) : 0;
	struct json *m = n && n <= max ? parse_text(a, text, n) : NULL;

	return m && m->type == JSON_MAP ? m : NULL;
}

const struct json *relay_info_find(const struct json *context)
{
	return json_get(json_get(context, "ISC"), "relay-agent-info");
}

/* Returns a context with another information; info NULL: without any, and without the maps that
 * are empty then. */
static struct json *replace_info(struct arena *a, const struct json *context,
				 const struct json *info)
{
	struct json *isc = json_copy_without(a, json_get(context, "ISC"), "relay-agent-info");
	struct json *m = json_copy_without(a, context, "ISC");

	if (info)
		(void)json_add(a, isc, "relay-agent-info", json_copy(a, info));
	if (isc && isc->count)
		(void)json_add(a, m, "ISC", isc);
	return m;
}

void relay_context_join(struct arena *a, const struct json *context, const struct json *info,
			struct buf *out)
{
	json_write(replace_info(a, context, info), false, out);
	out->failed |= a->failed;
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* Decodes hexadecimal text into the arena. Empty: it is no such text, or too long. */
static struct span decode_digits(struct arena *a, const char *text, size_t max)
{
	size_t n = text ? strlen(text) : 0;
	uint8_t *out = n && n <= 3 * max + 2 ? arena_alloc(a, max) : NULL;
	int got = out ? hex_parse(text, n, out, max) : -ENOMEM;

	return got > 0 ? span_of(out, (size_t)got) : SPAN_NULL;
}

static void read_option(struct arena *a, const char *text, struct relay_info *ret)
{
	ret->sub_options = decode_digits(a, text, RELAY_OPTION_MAX);
	(void)dhcp4_subopt(ret->sub_options, RAI_REMOTE_ID, &ret->remote_id);
	(void)dhcp4_subopt(ret->sub_options, RAI_RELAY_ID, &ret->relay_id);
}

bool relay_info_read(struct arena *a, const char *text, size_t max, struct relay_info *ret)
{
	const struct json *info = relay_info_find(relay_context_parse(a, text, max));
	struct relay_info r = {0};
	struct span id;

	if (!info)
		return false;
	if (info->type == JSON_STRING) {
		read_option(a, info->s, &r);
	} else {
		read_option(a, json_get_str(info, "sub-options"), &r);
		id = decode_digits(a, json_get_str(info, "remote-id"), UINT8_MAX);
		r.remote_id = id.n ? id : r.remote_id;
		id = decode_digits(a, json_get_str(info, "relay-id"), UINT8_MAX);
		r.relay_id = id.n ? id : r.relay_id;
	}
	*ret = r;
	return true;
}

/* --- Checking --------------------------------------------------------------------------------- */

/* The end of a check: a replacement, or none. */
struct checked {
	struct arena *a;
	const struct json *context; /* that was read */
	const char *why;	    /* NULL: no defect */
	struct json *instead;	    /* the new context; NULL: none */
	bool changed;
};

/* Notes a defect: the context loses relay-agent-info. */
static void drop_info(struct checked *c, const char *why)
{
	c->why = why;
	c->changed = true;
	c->instead = replace_info(c->a, c->context, NULL);
}

/* Makes the present form of the older one. */
static void upgrade_info(struct checked *c, const struct json *text)
{
	struct span option = decode_digits(c->a, text->s, RELAY_OPTION_MAX);
	struct json *info = NULL;
	struct buf b;

	if (!option.n) {
		drop_info(c, "relay-agent-info is no hexadecimal text");
		return;
	}
	buf_init(&b);
	write_info(option, &b);
	if (!b.failed)
		info = parse_text(c->a, arena_strdup(c->a, b.p), b.len);
	c->a->failed |= b.failed;
	buf_fini(&b);
	c->changed = true;
	c->instead = info ? replace_info(c->a, c->context, info) : NULL;
}

/* Checks one of the identifiers, or sub-options (may_be_empty). */
static bool is_hexadecimal(struct checked *c, const struct json *v, bool may_be_empty)
{
	return v->type == JSON_STRING &&
	       ((may_be_empty && !v->n) || decode_digits(c->a, v->s, RELAY_OPTION_MAX).n);
}

static void check_members(struct checked *c, const struct json *info, enum relay_check how)
{
	for (const struct json *v = info->first; v && !c->changed; v = v->next) {
		if (strcmp(v->key, "sub-options") == 0) {
			if (!is_hexadecimal(c, v, true))
				drop_info(c, "sub-options is no hexadecimal text");
		} else if (strcmp(v->key, "remote-id") == 0) {
			if (!is_hexadecimal(c, v, false))
				drop_info(c, "remote-id is no hexadecimal text");
		} else if (strcmp(v->key, "relay-id") == 0) {
			if (!is_hexadecimal(c, v, false))
				drop_info(c, "relay-id is no hexadecimal text");
		} else if (how == RELAY_CHECK_PEDANTIC && strcmp(v->key, "comment") != 0) {
			drop_info(c, "relay-agent-info has an unknown member");
		}
	}
}

static void check_tree(struct checked *c, enum relay_check how)
{
	const struct json *isc = json_get(c->context, "ISC");
	const struct json *info = json_get(isc, "relay-agent-info");

	if (c->context->type != JSON_MAP) {
		c->changed = true;
		c->why = "the context is not a map";
	} else if (!c->context->count) {
		c->changed = true;
	} else if (isc && (isc->type != JSON_MAP || !isc->count)) {
		drop_info(c, isc->type == JSON_MAP ? NULL : "ISC is not a map");
	} else if (info && info->type == JSON_STRING) {
		upgrade_info(c, info);
	} else if (info && info->type != JSON_MAP) {
		drop_info(c, "relay-agent-info is neither a map nor a text");
	} else if (info && how != RELAY_CHECK_FIX) {
		check_members(c, info, how);
	}
}

/* Returns whether RELAY_CHECK_FIX cannot change a context: it has no ISC, or relay-agent-info is a
 * map. So a million leases are checked without a million trees. */
static bool is_plain(const char *text)
{
	static const char key[] = "\"relay-agent-info\"";
	const char *at = strstr(text, key);

	if (!at)
		return !strstr(text, "\"ISC\"") && strlen(text) > sizeof("{ }");
	at += sizeof(key) - 1;
	at += strspn(at, " :");
	return *at == '{';
}

int relay_info_check(struct arena *a, const char *text, enum relay_check how, const char **ret_text,
		     const char **ret_why)
{
	struct checked c = {.a = a};
	const char *instead = NULL;
	struct buf b;

	if (how == RELAY_CHECK_NONE || !text || (how == RELAY_CHECK_FIX && is_plain(text)))
		return 0;
	c.context = parse_text(a, text, strlen(text));
	if (c.context)
		check_tree(&c, how);
	else
		return a->failed ? -ENOMEM : 0; /* no JSON: the table keeps it as it is */
	if (!c.changed)
		return 0;
	buf_init(&b);
	if (c.instead && c.instead->count) {
		json_write(c.instead, false, &b);
		instead = b.failed ? NULL : arena_strdup(a, b.p);
		a->failed |= !instead;
	}
	buf_fini(&b);
	if (a->failed)
		return -ENOMEM;
	*ret_text = instead;
	*ret_why = c.why;
	return 1;
}
