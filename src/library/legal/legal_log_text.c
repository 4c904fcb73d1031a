/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The default texts are Kea's, to the octet, because programs that search them for an address exist
 * already. Identifiers that have printable octets only are given as text, too.
 */
#include "library/legal/legal_log.h"

#include "base/ip.h"
#include "lease/lease.h"
#include "wire/dhcp4.h"
#include "wire/option_codes.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { HTYPE_ETHERNET = 1, CIRCUIT_ID = 1, REMOTE_ID = 2, SUBSCRIBER_ID = 6 };
enum { MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400 };

void legal_log_duration(struct buf *out, uint32_t seconds)
{
	if (seconds == LEASE_INFINITE) {
		buf_str(out, "infinite duration");
		return;
	}
	if (seconds >= DAY_S)
		buf_printf(out, "%u days ", seconds / DAY_S);
	buf_printf(out, "%u hrs %u mins %u secs", seconds % DAY_S / HOUR_S,
		   seconds % HOUR_S / MINUTE_S, seconds % MINUTE_S);
}

/* Writes octets as text in parentheses, if all can be printed. */
static void write_printable(struct buf *out, struct span id)
{
	for (size_t i = 0; i < id.n; i++)
		if (id.p[i] < ' ' || id.p[i] > '~')
			return;
	buf_str(out, " (");
	buf_add(out, id.p, id.n);
	buf_char(out, ')');
}

/* Writes octets as pairs of digits, and as text. */
static void write_identifier(struct buf *out, struct span id)
{
	buf_hex(out, id, ':');
	write_printable(out, id);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static int compare_keys(const void *a, const void *b)
{
	const struct json *const *x = a;
	const struct json *const *y = b;

	return strcmp((*x)->key, (*y)->key);
}

static void write_map(struct buf *out, const struct json *map)
{
	const struct json **members = calloc(map->count ? map->count : 1, sizeof(*members));
	size_t n = 0;

	for (const struct json *v = map->first; members && v; v = v->next)
		members[n++] = v;
	if (members)
		qsort(members, n, sizeof(*members), compare_keys);
	buf_str(out, "{ ");
	for (size_t i = 0; i < n; i++) {
		struct json key = {.type = JSON_STRING,
				   .s = members[i]->key,
				   .n = strlen(members[i]->key)};

		buf_str(out, i ? ", " : "");
		json_write(&key, false, out);
		buf_str(out, ": ");
		legal_log_json(out, members[i]);
	}
	buf_str(out, " }");
	free(members);
}

void legal_log_json(struct buf *out, const struct json *v)
{
	if (v->type == JSON_MAP) {
		write_map(out, v);
	} else if (v->type == JSON_LIST) {
		buf_str(out, "[ ");
		for (const struct json *m = v->first; m; m = m->next) {
			if (m != v->first)
				buf_str(out, ", ");
			legal_log_json(out, m);
		}
		buf_str(out, " ]");
	} else {
		json_write(v, false, out);
	}
}

/* Writes the user-context of a lease, which is JSON on one line. */
static void write_context(struct buf *out, const char *text)
{
	struct json_opts o = {.file = ""};
	struct config_error err;
	struct arena arena;
	struct json *v;

	arena_init(&arena);
	buf_str(out, ", context: ");
	if (json_parse(span_str(text), &o, &arena, &v, &err) == 0)
		legal_log_json(out, v);
	else
		buf_str(out, text);
	arena_fini(&arena);
}

/* --- Leases ----------------------------------------------------------------------------------- */

static void write_relay(struct buf *out, const struct dhcp4_msg *query)
{
	static const struct {
		uint8_t code;
		const char *name;
	} ids[] = {{CIRCUIT_ID, "circuit-id"},
		   {REMOTE_ID, "remote-id"},
		   {SUBSCRIBER_ID, "subscriber-id"}};
	const struct dhcp4_option *rai = dhcp4_opt(query, DHCP4_OPT_AGENT_OPTIONS);
	const char *before = ", identified by ";
	char ip[IP_TEXT_LEN];
	struct span id;

	buf_printf(out, " connected via relay at address: %s", ip_text(query->giaddr, ip));
	for (size_t i = 0; rai && i < ARRAY_LEN(ids); i++) {
		if (!dhcp4_subopt(rai->data, ids[i].code, &id) || !id.n)
			continue;
		buf_printf(out, "%s%s: ", before, ids[i].name);
		write_identifier(out, id);
		before = " and ";
	}
}

void legal_log_lease(struct buf *out, usher_call *call, const struct lease *l, bool assigned)
{
	const struct dhcp4_msg *q = call->query;
	bool own = q && span_eq(lease_hw(l), span_of(q->chaddr, q->hlen));
	char ip[IP_TEXT_LEN];

	buf_printf(out, "Address: %s has been %s", ip_text(l->addr, ip),
		   assigned ? "assigned for " : "released from");
	if (assigned) {
		legal_log_duration(out, l->valid_lft);
		buf_str(out, " to");
	}
	buf_printf(out, " a device with hardware address: hwtype=%d ",
		   own ? q->htype : HTYPE_ETHERNET);
	buf_hex(out, lease_hw(l), ':');
	if (l->client_id_len) {
		buf_str(out, ", client-id: ");
		write_identifier(out, lease_client_id(l));
	}
	if (q && q->giaddr)
		write_relay(out, q);
	if (l->user_context)
		write_context(out, l->user_context);
}

/* --- Commands --------------------------------------------------------------------------------- */

/* Decodes pairs of digits, with or without separators. Returns the octets, 0: it is no such text.
 */
static size_t decode_pairs(const char *text, uint8_t *out, size_t cap)
{
	size_t n = 0;

	while (*text && n < cap) {
		char pair[3] = {text[0], text[1], '\0'};

		if (!isxdigit((unsigned char)pair[0]) || !isxdigit((unsigned char)pair[1]))
			return 0;
		out[n++] = (uint8_t)strtoul(pair, NULL, 16);
		text += 2;
		text += *text == ':' || *text == ' ';
	}
	return *text ? 0 : n;
}

static void write_command_client(struct buf *out, const char *client_id)
{
	uint8_t octets[LEASE_CLIENT_ID_MAX];
	size_t n;

	if (!client_id)
		return;
	buf_printf(out, ", client-id: %s", client_id);
	n = decode_pairs(client_id, octets, sizeof(octets));
	if (n)
		write_printable(out, span_of(octets, n));
}

static void write_command_duration(struct buf *out, const struct json *arguments, int64_t now_s)
{
	int64_t seconds = 0;

	if (!json_get_int(arguments, "valid-lft", &seconds) &&
	    json_get_int(arguments, "expire", &seconds))
		seconds -= now_s;
	if (seconds <= 0)
		return;
	buf_str(out, " for ");
	legal_log_duration(out, (uint32_t)seconds);
}

/* Writes the user-context, with the comment in it. */
static void write_command_context(struct buf *out, const struct json *arguments)
{
	const struct json *context = json_get(arguments, "user-context");
	const struct json *comment = json_get(arguments, "comment");
	struct arena arena;
	struct json *whole;

	if (!context && !comment)
		return;
	arena_init(&arena);
	whole = context ? json_copy(&arena, context) : json_map(&arena);
	if (comment)
		(void)json_add(&arena, whole, "comment", json_copy(&arena, comment));
	buf_str(out, ", context: ");
	if (whole)
		legal_log_json(out, whole);
	arena_fini(&arena);
}

/* Writes the rest of the record of lease4-add and lease4-update. */
static const char *write_change(struct buf *out, const char *what, const struct json *arguments,
				int64_t now_s)
{
	const char *address = json_get_str(arguments, "ip-address");
	const char *hw = json_get_str(arguments, "hw-address");

	if (!address || !hw)
		return "the command names no address or no device";
	buf_printf(out, " %s: %s to a device with hardware address: %s", what, address, hw);
	write_command_client(out, json_get_str(arguments, "client-id"));
	write_command_duration(out, arguments, now_s);
	write_command_context(out, arguments);
	return NULL;
}

static const char *write_deletion(struct buf *out, const struct json *arguments)
{
	const char *address = json_get_str(arguments, "ip-address");
	const char *type = json_get_str(arguments, "identifier-type");
	const char *id = json_get_str(arguments, "identifier");

	if (address)
		buf_printf(out, " deleted the lease for address: %s", address);
	else if (type && id)
		buf_printf(out, " deleted a lease for a device identified by: %s of %s", type, id);
	else
		return "the command names neither an address nor an identifier";
	return NULL;
}

const char *legal_log_command(struct buf *out, const char *name, const struct json *arguments,
			      int64_t now_s)
{
	const char *origin = json_get_str(arguments, "origin");

	buf_str(out, origin && strcmp(origin, "ha-partner") == 0 ? "HA partner" : "Administrator");
	if (strcmp(name, "lease4-add") == 0)
		return write_change(out, "added a lease of address", arguments, now_s);
	if (strcmp(name, "lease4-update") == 0)
		return write_change(out, "updated information on the lease of address", arguments,
				    now_s);
	return write_deletion(out, arguments);
}
