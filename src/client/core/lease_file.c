/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The kept lease. Big-endian, so that a file means the same everywhere:
 *   magic "USHL", version 16, length 16 (of all before the digest)
 *   interface 16, MAC 6, client identifier length 8 + octets
 *   boot id 16, boottime 64 and wall clock 64 when written (ns)
 *   address mask broadcast server-id server-ip 32 each, server MAC 6, lease T1 T2 32 each, start
 * 64, MTU 16, routes 16 + (destination 32, gateway 32, length 8) each, options 16 + octets SHA-256
 * of all that
 */
#include "client/core/lease_file.h"

#include "base/cursor.h"
#include "base/error.h"
#include "base/sha256.h"

enum { MAGIC = 0x5553484c, LENGTH_AT = 6, HEAD_LEN = 8 };

static void write_time(struct wr *w, int64_t v)
{
	wr_be32(w, (uint32_t)((uint64_t)v >> 32));
	wr_be32(w, (uint32_t)v);
}

static int64_t read_time(struct rd *r)
{
	uint64_t high = rd_be32(r);

	return (int64_t)(high << 32 | rd_be32(r));
}

static void write_identity(struct wr *w, const struct client_lease_context *ctx)
{
	char iface[CLIENT_IFACE_MAX] = "";

	memcpy(iface, ctx->iface, strnlen(ctx->iface, sizeof(iface) - 1));
	wr_bytes(w, iface, sizeof(iface));
	wr_bytes(w, ctx->mac, sizeof(ctx->mac));
	wr_u8(w, (uint8_t)ctx->client_id.n);
	wr_span(w, ctx->client_id);
	wr_bytes(w, ctx->boot_id, sizeof(ctx->boot_id));
	write_time(w, ctx->boot_ns);
	write_time(w, ctx->wall_ns);
}

static void write_lease(struct wr *w, const struct client_lease *l)
{
	wr_be32(w, l->address);
	wr_be32(w, l->mask);
	wr_be32(w, l->broadcast);
	wr_be32(w, l->server_id);
	wr_be32(w, l->server_ip);
	wr_bytes(w, l->server_mac, sizeof(l->server_mac));
	wr_be32(w, l->lease_s);
	wr_be32(w, l->t1_s);
	wr_be32(w, l->t2_s);
	write_time(w, l->start_ns);
	wr_be16(w, l->mtu);
	wr_be16(w, l->n_routes);
	for (size_t i = 0; i < l->n_routes; i++) {
		wr_be32(w, l->route[i].dest);
		wr_be32(w, l->route[i].gateway);
		wr_u8(w, l->route[i].len);
	}
	wr_be16(w, l->options_len);
	wr_bytes(w, l->options, l->options_len);
}

static void compute_digest(struct span s, uint8_t out[SHA256_LEN])
{
	struct sha256 h;

	sha256_init(&h);
	sha256_add(&h, s);
	sha256_end(&h, out);
}

int client_lease_encode(const struct client_lease *l, const struct client_lease_context *ctx,
			uint8_t *buf, size_t cap)
{
	struct wr w = wr_init(buf, cap);
	uint8_t sum[SHA256_LEN];

	wr_be32(&w, MAGIC);
	wr_be16(&w, CLIENT_LEASE_FILE_VERSION);
	wr_be16(&w, 0);
	write_identity(&w, ctx);
	write_lease(&w, l);
	if (!wr_ok(&w) || ctx->client_id.n > CLIENT_ID_MAX)
		return -USHER_E_NOSPACE;
	wr_patch_be16(&w, LENGTH_AT, (uint16_t)w.len);
	compute_digest(span_of(buf, w.len), sum);
	wr_bytes(&w, sum, sizeof(sum));
	return wr_ok(&w) ? (int)w.len : -USHER_E_NOSPACE;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Checks magic, version, length, digest. On 0 *r covers the octets between head and digest. */
static int open_file(struct span file, struct rd *r)
{
	struct rd head = rd_init(file);
	uint32_t magic = rd_be32(&head);
	uint16_t version = rd_be16(&head);
	size_t len = rd_be16(&head);
	uint8_t sum[SHA256_LEN];

	if (!rd_ok(&head))
		return -USHER_E_TRUNCATED;
	if (magic != MAGIC)
		return -USHER_E_MALFORMED;
	if (version != CLIENT_LEASE_FILE_VERSION)
		return -USHER_E_UNSUPPORTED;
	if (len < HEAD_LEN || file.n > len + SHA256_LEN)
		return -USHER_E_MALFORMED;
	if (file.n < len + SHA256_LEN)
		return -USHER_E_TRUNCATED;
	compute_digest(span_sub(file, 0, len), sum);
	if (!span_eq(span_of(sum, sizeof(sum)), span_sub(file, len, SHA256_LEN)))
		return -USHER_E_CHECKSUM;
	*r = rd_init(span_sub(file, HEAD_LEN, len - HEAD_LEN));
	return 0;
}

struct written {
	struct span boot_id;
	int64_t boot_ns, wall_ns;
};

static int read_identity(struct rd *r, const struct client_lease_context *ctx, struct written *ret)
{
	char iface[CLIENT_IFACE_MAX];
	struct span mac;
	struct span id;

	rd_copy(r, iface, sizeof(iface));
	mac = rd_bytes(r, sizeof(ctx->mac));
	id = rd_bytes(r, rd_u8(r));
	ret->boot_id = rd_bytes(r, CLIENT_BOOT_ID_LEN);
	ret->boot_ns = read_time(r);
	ret->wall_ns = read_time(r);
	if (!rd_ok(r))
		return -USHER_E_MALFORMED;
	if (strncmp(iface, ctx->iface, sizeof(iface)) != 0 ||
	    !span_eq(mac, span_of(ctx->mac, sizeof(ctx->mac))) || !span_eq(id, ctx->client_id))
		return -USHER_E_NOT_OWNER;
	return 0;
}

static void read_routes(struct rd *r, struct client_lease *l)
{
	l->n_routes = rd_be16(r);
	if (l->n_routes > CLIENT_LEASE_ROUTES) {
		r->bad = true;
		return;
	}
	for (size_t i = 0; i < l->n_routes; i++) {
		l->route[i].dest = rd_be32(r);
		l->route[i].gateway = rd_be32(r);
		l->route[i].len = rd_u8(r);
		r->bad |= l->route[i].len > 32;
	}
}

static int read_lease_text(struct rd *r, struct client_lease *l)
{
	struct span options;

	memset(l, 0, sizeof(*l));
	l->address = rd_be32(r);
	l->mask = rd_be32(r);
	l->broadcast = rd_be32(r);
	l->server_id = rd_be32(r);
	l->server_ip = rd_be32(r);
	rd_copy(r, l->server_mac, sizeof(l->server_mac));
	l->lease_s = rd_be32(r);
	l->t1_s = rd_be32(r);
	l->t2_s = rd_be32(r);
	l->start_ns = read_time(r);
	l->mtu = rd_be16(r);
	read_routes(r, l);
	options = rd_bytes(r, rd_be16(r));
	if (!rd_ok(r) || rd_left(r) || options.n > sizeof(l->options))
		return -USHER_E_MALFORMED;
	if (options.n)
		memcpy(l->options, options.p, options.n);
	l->options_len = (uint16_t)options.n;
	return client_lease_check(l) == CLIENT_DROP_NONE ? 0 : -USHER_E_MALFORMED;
}

/* Returns the time since the file was written; -1: unknown. */
static int64_t file_age(const struct written *w, const struct client_lease_context *ctx)
{
	/* clocks before their zero are invalid, and the difference could overflow */
	if (w->boot_ns < 0 || w->wall_ns < 0)
		return -1;
	if (span_eq(w->boot_id, span_of(ctx->boot_id, sizeof(ctx->boot_id))))
		return ctx->boot_ns >= w->boot_ns ? ctx->boot_ns - w->boot_ns : -1;
	return ctx->wall_ns >= w->wall_ns ? ctx->wall_ns - w->wall_ns : -1;
}

int client_lease_decode(struct span file, const struct client_lease_context *ctx,
			struct client_lease *ret, enum client_kept *ret_kept)
{
	struct written w;
	struct client_lease l;
	int64_t since;
	int64_t used;
	struct rd r;
	int e = open_file(file, &r);

	if (e == 0)
		e = read_identity(&r, ctx, &w);
	if (e == 0)
		e = read_lease_text(&r, &l);
	if (e < 0)
		return e;
	since = file_age(&w, ctx);
	if (since < 0 || l.start_ns > w.boot_ns || l.start_ns < 0 ||
	    __builtin_add_overflow(since, w.boot_ns - l.start_ns, &used)) {
		*ret_kept = CLIENT_KEPT_HINT;
	} else {
		/* this boot's clock may be younger than the lease: the start is before its zero
		 * then */
		l.start_ns = ctx->boot_ns - used;
		*ret_kept = l.lease_s == CLIENT_LEASE_INFINITE || used < l.lease_s * NS_PER_S
				    ? CLIENT_KEPT_VALID
				    : CLIENT_KEPT_HINT;
	}
	*ret = l;
	return 0;
}
