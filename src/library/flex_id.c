/* SPDX-License-Identifier: MPL-2.0 */
/*
 * flex_id: an identifier of the client that an expression makes of its query. It selects
 * reservations (identifier type flex-id), and may stand in for the client identifier, so that
 * leases follow it: then the query has it as option 61 from pkt4_receive on, and the response has
 * the client's own option 61, or none.
 */
#include "library/common/library.h"

#include "base/error.h"
#include "wire/dhcp4.h"
#include "wire/option_codes.h"

#include <errno.h>
#include <string.h>

/* Octets in front of the identifier: type 0 (RFC 2132 9.14), or type 255 with IAID 0 (RFC 4361
 * 6.1). */
enum { PREFIX_PLAIN = 1, PREFIX_DUID = 5, ID_MAX = 255 };

struct flex_id {
	struct arena arena;
	const struct expr *expr; /* NULL: off */
	bool replace, as_duid;
};

/* State of a packet, in its memory. */
struct packet_id {
	struct span id;		/* empty: the expression has no value */
	bool replaced, had_cid; /* option 61 of the query is ours; the client sent one */
	struct span cid;	/* of the client */
};

static void parse_parameters(struct library_problems *p, const struct config *cfg,
			     const struct json *parameters, void *record)
{
	static const struct library_key keys[] = {{"identifier-expression", JSON_STRING},
						  {"replace-client-id", JSON_BOOL},
						  {"cid-as-rfc4361-duid", JSON_BOOL},
						  {"ignore-iaid", JSON_BOOL}};
	struct flex_id *f = record;

	(void)library_check_keys(p, parameters, keys, ARRAY_LEN(keys));
	f->expr = library_expr(p, cfg, json_get(parameters, "identifier-expression"), false,
			       &f->arena);
	(void)json_get_bool(parameters, "replace-client-id", &f->replace);
	(void)json_get_bool(parameters, "cid-as-rfc4361-duid", &f->as_duid);
}

/* Returns the identifier of the packet, evaluated once. NULL: the expression failed, or memory is
 * out. */
static struct packet_id *find_packet_id(usher_call *call, const struct flex_id *f)
{
	struct packet_id *k = usher_packet_get(call);
	const char *why;

	if (k)
		return k;
	k = arena_new(call->arena, struct packet_id);
	if (!k || library_text(call, f->expr, usher_query(call), &k->id, &why) < 0)
		return NULL;
	usher_packet_set(call, k);
	return k;
}

/* Called at host4_identifier. */
static int give_identifier(usher_call *call, void *flex_id)
{
	const struct packet_id *k = find_packet_id(call, flex_id);

	if (!k)
		return -USHER_E_EVAL;
	return k->id.n ? usher_set_host_id(call, k->id.p, k->id.n) : 0;
}

/* Called at pkt4_receive: puts the identifier in place of the client identifier. */
static int replace_client_id(usher_call *call, void *flex_id)
{
	const struct flex_id *f = flex_id;
	struct packet_id *k = find_packet_id(call, f);
	uint8_t cid[PREFIX_DUID + ID_MAX] = {0};
	size_t prefix = f->as_duid ? PREFIX_DUID : PREFIX_PLAIN;
	const uint8_t *old;
	size_t n;

	if (!k)
		return -USHER_E_EVAL;
	if (!k->id.n)
		return 0;
	if (k->id.n + prefix > ID_MAX)
		return -ENOSPC;
	old = usher_msg_option(usher_query(call), DHCP4_OPT_CLIENT_ID, &n);
	k->had_cid = old != NULL;
	k->cid = span_of(old, old ? n : 0);
	if (f->as_duid)
		cid[0] = 255;
	memcpy(cid + prefix, k->id.p, k->id.n);
	k->replaced = true;
	return usher_msg_set_option(usher_query(call), DHCP4_OPT_CLIENT_ID, cid, prefix + k->id.n);
}

/* Called at pkt4_send: the response gets the client's own identifier (RFC 6842 3). */
static int restore_client_id(usher_call *call, void *flex_id)
{
	const struct packet_id *k = usher_packet_get(call);
	usher_msg *response = usher_response(call);

	(void)flex_id;
	if (!k || !k->replaced || !response)
		return 0;
	(void)usher_msg_del_option(response, DHCP4_OPT_CLIENT_ID);
	if (!k->had_cid)
		return 0;
	return usher_msg_set_option(response, DHCP4_OPT_CLIENT_ID, k->cid.p, k->cid.n);
}

static int start_flex_id(usher_lib *lib, void *record)
{
	const struct flex_id *f = record;
	int r = 0;

	if (!f->expr)
		return 0;
	r = usher_register(lib, "host4_identifier", give_identifier, record);
	if (r == 0 && f->replace)
		r = usher_register(lib, "pkt4_receive", replace_client_id, record);
	if (r == 0 && f->replace)
		r = usher_register(lib, "pkt4_send", restore_client_id, record);
	return r;
}

const struct library library_flex_id = {.name = "libdhcp_flex_id.so",
					.size = sizeof(struct flex_id),
					.parse = parse_parameters,
					.start = start_flex_id};
