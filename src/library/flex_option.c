/* SPDX-License-Identifier: MPL-2.0 */
/*
 * flex_option: options of the response, or of the query, that expressions add, replace or remove.
 * Queries are changed at pkt4_receive, responses at pkt4_send.
 */
#include "library/flex_option.h"

#include "base/buf.h"
#include "base/error.h"
#include "wire/dhcp4.h"
#include "wire/option_codes.h"
#include "wire/option_def.h"

#include <errno.h>
#include <string.h>

enum { ENTERPRISE_HEAD = 5, PAD = 0, END = 255, DATA_MAX = 255 };

/* --- Values ----------------------------------------------------------------------------------- */

/* Evaluates an entry for a message. *ret_value: the octets; empty: the entry has no effect. Of a
 * removal: not empty if the condition holds. */
static int find_value(usher_call *call, const struct flex_entry *e, struct span *ret_value)
{
	const usher_msg *from = e->from_response ? usher_response(call) : usher_query(call);
	const char *why, *text;
	bool holds;
	int r;

	*ret_value = SPAN_NULL;
	if (e->action == FLEX_REMOVE) {
		r = library_condition(call, e->expr, from, &holds, &why);
		if (r == 0 && holds)
			*ret_value = span_str("1");
		return r;
	}
	r = library_text(call, e->expr, from, ret_value, &why);
	if (r < 0 || !e->csv || !ret_value->n)
		return r;
	text = arena_printf(call->arena, "%.*s", (int)ret_value->n, (const char *)ret_value->p);
	if (!text)
		return -USHER_E_NOMEM;
	return option_encode_text(e->def, text, true, call->arena, ret_value, &why);
}

/* --- Sub-options ------------------------------------------------------------------------------ */

/* Copies sub-options without those of a code. Returns whether there was one. */
static bool copy_without(struct span subs, uint32_t code, struct buf *out)
{
	bool found = false;

	for (size_t i = 0; i < subs.n && subs.p[i] != END;) {
		size_t n;

		if (subs.p[i] == PAD) {
			i++;
			continue;
		}
		n = i + 1 < subs.n ? 2U + subs.p[i + 1] : 1;
		if (i + n > subs.n || n < 2)
			break; /* cut: nothing can be said of the rest */
		if (subs.p[i] == code)
			found = true;
		else
			buf_add(out, subs.p + i, n);
		i += n;
	}
	return found;
}

/* Finds the block of an enterprise in option 125 (RFC 3925 4): its sub-options, and the octets
 * before and behind the block. Returns false if there is none. */
static bool find_block(struct span data, uint32_t enterprise, struct span *ret_before,
		       struct span *ret_subs, struct span *ret_behind)
{
	for (size_t i = 0; i + ENTERPRISE_HEAD <= data.n;) {
		const uint8_t *p = data.p + i;
		uint32_t id = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
			      p[3];
		size_t n = p[4];

		if (i + ENTERPRISE_HEAD + n > data.n)
			return false;
		if (id == enterprise) {
			*ret_before = span_of(data.p, i);
			*ret_subs = span_of(p + ENTERPRISE_HEAD, n);
			*ret_behind = span_of(p + ENTERPRISE_HEAD + n,
					      data.n - i - ENTERPRISE_HEAD - n);
			return true;
		}
		i += ENTERPRISE_HEAD + n;
	}
	return false;
}

/* A container and its parts. */
struct container {
	bool there;
	struct span before, subs, behind;
};

/* Returns false if the container is there and of another enterprise. */
static bool open_container(const usher_msg *msg, const struct flex_entry *e, struct container *ret)
{
	size_t n;
	const uint8_t *p = usher_msg_option(msg, e->code, &n);

	*ret = (struct container){.there = p != NULL};
	if (!p)
		return true;
	if (e->enterprise)
		return find_block(span_of(p, n), e->enterprise, &ret->before, &ret->subs,
				  &ret->behind);
	ret->subs = span_of(p, n);
	return true;
}

/* Writes the container back, with these sub-options. */
static int close_container(usher_msg *msg, const struct flex_entry *e, const struct container *c,
			   const struct buf *subs)
{
	struct buf out;
	int r;

	if (subs->failed || (e->enterprise && subs->len > DATA_MAX))
		return -ENOSPC;
	if (!subs->len && e->action == FLEX_REMOVE && !e->keep_container && !c->before.n &&
	    !c->behind.n)
		return usher_msg_del_option(msg, e->code);
	buf_init(&out);
	buf_add(&out, c->before.p, c->before.n);
	if (e->enterprise) {
		const uint8_t head[ENTERPRISE_HEAD] = {(uint8_t)(e->enterprise >> 24),
						       (uint8_t)(e->enterprise >> 16),
						       (uint8_t)(e->enterprise >> 8),
						       (uint8_t)e->enterprise, (uint8_t)subs->len};

		buf_add(&out, head, sizeof(head));
	}
	buf_add(&out, subs->p, subs->len);
	buf_add(&out, c->behind.p, c->behind.n);
	r = out.failed ? -ENOMEM
		       : usher_msg_set_option(msg, e->code, (const uint8_t *)out.p, out.len);
	buf_fini(&out);
	return r;
}

static int apply_sub(usher_call *call, const struct flex_entry *e, usher_msg *msg)
{
	struct span value;
	struct container c;
	struct buf subs;
	bool has;
	int r;

	if (!open_container(msg, e, &c) ||
	    (!c.there && (e->action == FLEX_REMOVE || e->no_container)))
		return 0;
	r = find_value(call, e, &value);
	if (r < 0 || !value.n)
		return r;
	if (value.n > DATA_MAX)
		return -ENOSPC;
	buf_init(&subs);
	has = copy_without(c.subs, e->sub_code, &subs);
	if (e->action == FLEX_REMOVE ? has : e->action == FLEX_SUPERSEDE || !has) {
		const uint8_t head[] = {(uint8_t)e->sub_code, (uint8_t)value.n};

		if (e->action != FLEX_REMOVE) {
			buf_add(&subs, head, sizeof(head));
			buf_add(&subs, value.p, value.n);
		}
		r = close_container(msg, e, &c, &subs);
	}
	buf_fini(&subs);
	return r;
}

/* --- Messages --------------------------------------------------------------------------------- */

static int apply_option(usher_call *call, const struct flex_entry *e, usher_msg *msg)
{
	struct span value;
	size_t n;
	bool there = usher_msg_option(msg, e->code, &n) != NULL;
	int r;

	if (there ? e->action == FLEX_ADD : e->action == FLEX_REMOVE)
		return 0;
	r = find_value(call, e, &value);
	if (r < 0 || !value.n)
		return r;
	if (e->action == FLEX_REMOVE)
		return usher_msg_del_option(msg, e->code);
	return usher_msg_set_option(msg, e->code, value.p, value.n);
}

static bool is_wanted(const usher_call *call, const struct flex_entry *e)
{
	return (!e->container_class || usher_class_has(call, e->container_class)) &&
	       (!e->client_class || usher_class_has(call, e->client_class));
}

/* Applies the entries for the query or for the response. The first failure ends it. */
static int apply_entries(usher_call *call, const struct flex_option *f, bool query)
{
	usher_msg *msg = query ? usher_query(call) : usher_response(call);
	int r = 0;

	for (size_t i = 0; msg && r == 0 && i < f->n; i++) {
		const struct flex_entry *e = &f->entries[i];

		if (e->to_query == query && is_wanted(call, e))
			r = e->is_sub ? apply_sub(call, e, msg) : apply_option(call, e, msg);
	}
	return r;
}

/* Called at pkt4_receive. */
static int change_query(usher_call *call, void *flex_option)
{
	return apply_entries(call, flex_option, true);
}

/* Called at pkt4_send. */
static int change_response(usher_call *call, void *flex_option)
{
	return apply_entries(call, flex_option, false);
}

static int start_flex_option(usher_lib *lib, void *record)
{
	const struct flex_option *f = record;
	bool query = false, response = false;
	int r = 0;

	for (size_t i = 0; i < f->n; i++)
		*(f->entries[i].to_query ? &query : &response) = true;
	if (query)
		r = usher_register(lib, "pkt4_receive", change_query, record);
	if (r == 0 && response)
		r = usher_register(lib, "pkt4_send", change_response, record);
	return r;
}

const struct library library_flex_option = {.name = "libdhcp_flex_option.so",
					    .size = sizeof(struct flex_option),
					    .parse = flex_option_parse,
					    .start = start_flex_option};
