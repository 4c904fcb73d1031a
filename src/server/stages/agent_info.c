/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The relay's information beside a lease. Its form in the user-context, with upper-case digits:
 *
 *	{"ISC": {"relay-agent-info": {"sub-options": "0x...", "remote-id": "...", "relay-id":
 *"..."}}}
 *
 * Before Kea 2.4, relay-agent-info was the text of sub-options itself; that form is read as well.
 * Contexts have any size, because commands set them, so they are parsed outside of the packet's
 * arena.
 */
#include "server/stages/agent_info.h"

#include "config/config.h"
#include "config/json/json.h"
#include "lease/lease_db.h"
#include "server/core/server.h"
#include "server/core/trace.h"
#include "server/stages/alloc.h"
#include "wire/option_codes.h"

enum { STASH_MAX = 1024 }; /* octets of an option 82 that is taken from a lease */

static void write_hex(struct buf *b, struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_printf(b, "%02X", s.p[i]);
}

const char *agent_info_context(struct exchange *x)
{
	struct buf b;
	struct span id;
	char *text;

	buf_init(&b);
	buf_str(&b, "{\"ISC\":{\"relay-agent-info\":{\"sub-options\":\"0x");
	write_hex(&b, x->rai);
	if (dhcp4_subopt(x->rai, RAI_REMOTE_ID, &id)) {
		buf_str(&b, "\",\"remote-id\":\"");
		write_hex(&b, id);
	}
	if (dhcp4_subopt(x->rai, RAI_RELAY_ID, &id)) {
		buf_str(&b, "\",\"relay-id\":\"");
		write_hex(&b, id);
	}
	buf_str(&b, "\"}}}");
	text = b.failed ? NULL : arena_strdup(&x->pkt.arena, b.p);
	buf_fini(&b);
	return text;
}

/* Parses a context. NULL: it is none, or not a map. */
static struct json *parse_context(struct arena *a, const char *text)
{
	const struct json_opts opts = {.file = ""};
	struct config_error err = {0};
	struct json *m;

	if (!text || json_parse(span_str(text), &opts, a, &m, &err) < 0 || m->type != JSON_MAP)
		return NULL;
	return m;
}

static const struct json *find_info(const struct json *context)
{
	return json_get(json_get(context, "ISC"), "relay-agent-info");
}

/* Copies the members of a map except the one with this key. */
static struct json *copy_without(struct arena *a, const struct json *from, const char *key)
{
	struct json *to = json_map(a);

	for (const struct json *v = from && from->type == JSON_MAP ? from->first : NULL; v;
	     v = v->next)
		if (strcmp(v->key, key) != 0)
			(void)json_add(a, to, v->key, json_copy(a, v));
	return to;
}

/* Returns the old context with the new information, in the packet's arena. */
static const char *join_contexts(struct exchange *x, struct arena *a, const struct json *old,
				 const struct json *info)
{
	struct json *isc = copy_without(a, json_get(old, "ISC"), "relay-agent-info");
	struct json *m = copy_without(a, old, "ISC");
	const char *text = NULL;
	struct buf b;

	(void)json_add(a, isc, "relay-agent-info", json_copy(a, info));
	(void)json_add(a, m, "ISC", isc);
	buf_init(&b);
	json_write(m, false, &b);
	if (!a->failed && !b.failed)
		text = arena_strdup(&x->pkt.arena, b.p);
	buf_fini(&b);
	return text;
}

bool agent_info_merge(struct exchange *x, struct lease *l)
{
	struct json *stored, *ours;
	const char *joined = NULL;
	struct lease old uninit;
	bool changed = true;
	struct arena a;

	if (!l->user_context)
		return false;
	arena_init(&a);
	if (lease_db_get(exchange_server(x)->db, l->addr, &a, &old, NULL) == 0) {
		stored = parse_context(&a, old.user_context);
		ours = parse_context(&a, l->user_context);
		changed = !stored || !ours || !json_equal(find_info(stored), find_info(ours));
		if (stored && ours && changed)
			joined = join_contexts(x, &a, stored, find_info(ours));
		if (stored && ours)
			l->user_context = joined; /* NULL: unchanged, or memory is out */
	}
	arena_fini(&a);
	return changed;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes "0x" and hexadecimal digits into the packet's arena. Empty: the text is no such one. */
static struct span decode_hex(struct exchange *x, const char *text)
{
	size_t n = text ? strlen(text) : 0;
	uint8_t *out;

	if (n < 4 || n % 2 || n > 2 + 2 * STASH_MAX || text[0] != '0' || (text[1] | 0x20) != 'x')
		return SPAN_NULL;
	n = n / 2 - 1;
	out = arena_alloc(&x->pkt.arena, n);
	if (!out)
		return SPAN_NULL;
	for (size_t i = 0; i < n; i++) {
		int high = digit_value(text[2 + 2 * i]);
		int low = digit_value(text[3 + 2 * i]);

		if (high < 0 || low < 0)
			return SPAN_NULL;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return span_of(out, n);
}

/* Reads option 82 from the context of the client's running lease at its address. */
static struct span stored_option(struct exchange *x, struct arena *a)
{
	const struct json *info;
	struct lease_client who;
	struct lease l uninit;

	if (lease_db_get(exchange_server(x)->db, x->query.ciaddr, a, &l, NULL) < 0)
		return SPAN_NULL;
	who = exchange_client(x, config_subnet_by_id(x->cfg, l.subnet_id));
	if (l.state != LEASE_ASSIGNED || alloc_expired(x, &l) || !lease_is_of(&l, &who))
		return SPAN_NULL;
	info = find_info(parse_context(a, l.user_context));
	if (info && info->type == JSON_STRING)
		return decode_hex(x, info->s);
	return decode_hex(x, json_get_str(info, "sub-options"));
}

void agent_info_recover(struct exchange *x)
{
	struct arena a;
	struct span s;

	if (x->type != DHCP4_REQUEST || !x->query.ciaddr || x->query.giaddr || x->rai.n)
		return;
	arena_init(&a);
	s = stored_option(x, &a);
	arena_fini(&a);
	if (!s.n || dhcp4_opt_set_ref(&x->query, DHCP4_OPT_AGENT_OPTIONS, s) < 0)
		return;
	x->rai = s;
	x->rai_stashed = true;
	exchange_add_class(x, CLASS_STASH_AGENT_OPTIONS);
	TRACE(x, "option 82 of %zu octets is that of the lease", s.n);
}
