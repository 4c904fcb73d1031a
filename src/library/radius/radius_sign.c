/* SPDX-License-Identifier: MPL-2.0 */
/*
 * An Access-Request has a random authenticator; that of an Accounting-Request, and of every
 * response, is a hash over the message and the secret. The Message-Authenticator is computed with
 * its own octets zero, and in a response with the authenticator of the request.
 */
#include "library/radius/radius_sign.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>

enum { ATTR_HDR_LEN = 2, MAC_OFF = RADIUS_HDR_LEN + ATTR_HDR_LEN, PASSWORD_MAX = 128 };

/* Computes MD5 over three parts. */
static bool hash_parts(struct span a, struct span b, struct span c, uint8_t out[RADIUS_AUTH_LEN])
{
	gnutls_hash_hd_t h;
	bool ok;

	if (gnutls_hash_init(&h, GNUTLS_DIG_MD5) < 0)
		return false;
	ok = gnutls_hash(h, a.p, a.n) >= 0 && gnutls_hash(h, b.p, b.n) >= 0 &&
	     gnutls_hash(h, c.p, c.n) >= 0;
	gnutls_hash_deinit(h, out);
	return ok;
}

void radius_sign_begin(struct wr *w, enum radius_code code, uint8_t id, bool with_mac)
{
	static const uint8_t zeros[RADIUS_AUTH_LEN];

	radius_begin(w, code, id);
	if (code != RADIUS_ACCOUNTING_REQUEST && wr_ok(w) &&
	    gnutls_rnd(GNUTLS_RND_NONCE, w->base + RADIUS_AUTH_OFF, RADIUS_AUTH_LEN) < 0)
		w->bad = true;
	if (with_mac)
		radius_add(w, RADIUS_MESSAGE_AUTHENTICATOR, span_of(zeros, sizeof(zeros)));
}

static bool begins_with_mac(const struct wr *w)
{
	return w->len >= MAC_OFF + RADIUS_AUTH_LEN &&
	       w->base[RADIUS_HDR_LEN] == RADIUS_MESSAGE_AUTHENTICATOR;
}

bool radius_sign_end(struct wr *w, struct span secret)
{
	if (!radius_end(w))
		return false;
	if (begins_with_mac(w) && gnutls_hmac_fast(GNUTLS_MAC_MD5, secret.p, secret.n, w->base,
						   w->len, w->base + MAC_OFF) < 0)
		return false;
	if (w->base[0] != RADIUS_ACCOUNTING_REQUEST)
		return true;
	return hash_parts(span_of(w->base, w->len), secret, SPAN_NULL, w->base + RADIUS_AUTH_OFF);
}

bool radius_add_password(struct wr *w, struct span password, struct span secret)
{
	uint8_t text[PASSWORD_MAX] = {0}, hash[RADIUS_AUTH_LEN];
	struct span last = span_of(w->base + RADIUS_AUTH_OFF, RADIUS_AUTH_LEN);
	size_t n = (password.n + RADIUS_AUTH_LEN - 1) / RADIUS_AUTH_LEN * RADIUS_AUTH_LEN;

	if (password.n > PASSWORD_MAX || !wr_ok(w))
		return false;
	if (!n)
		n = RADIUS_AUTH_LEN;
	if (password.n)
		memcpy(text, password.p, password.n);
	for (size_t at = 0; at < n; at += RADIUS_AUTH_LEN) {
		if (!hash_parts(secret, last, SPAN_NULL, hash))
			return false;
		for (size_t i = 0; i < RADIUS_AUTH_LEN; i++)
			text[at + i] ^= hash[i];
		last = span_of(text + at, RADIUS_AUTH_LEN);
	}
	radius_add(w, RADIUS_USER_PASSWORD, span_of(text, n));
	return wr_ok(w);
}

/* Computes the Message-Authenticator of a response whose authenticator is that of the request, or
 * zero, and compares it. */
static bool is_mac(const struct radius_msg *m, const uint8_t *authenticator, struct span secret,
		   struct span value)
{
	uint8_t copy[RADIUS_LEN_MAX], hash[RADIUS_AUTH_LEN];

	memcpy(copy, m->octets.p, m->octets.n);
	memcpy(copy + RADIUS_AUTH_OFF, authenticator, RADIUS_AUTH_LEN);
	memset(copy + (value.p - m->octets.p), 0, RADIUS_AUTH_LEN);
	return gnutls_hmac_fast(GNUTLS_MAC_MD5, secret.p, secret.n, copy, m->octets.n, hash) >= 0 &&
	       gnutls_memcmp(hash, value.p, RADIUS_AUTH_LEN) == 0;
}

/* Checks the Message-Authenticator of a response, if it is there. In an Accounting-Response,
 * FreeRADIUS computes it with an authenticator of zeros. */
static bool verify_mac(const struct radius_msg *m, struct span request, struct span secret,
		       bool need_mac)
{
	static const uint8_t zeros[RADIUS_AUTH_LEN];
	struct span value;

	if (!radius_find(m, RADIUS_MESSAGE_AUTHENTICATOR, &value))
		return !need_mac;
	if (value.n != RADIUS_AUTH_LEN)
		return false;
	return is_mac(m, request.p + RADIUS_AUTH_OFF, secret, value) ||
	       (m->code == RADIUS_ACCOUNTING_RESPONSE && is_mac(m, zeros, secret, value));
}

bool radius_verify(const struct radius_msg *response, struct span request, struct span secret,
		   bool need_mac)
{
	uint8_t copy[RADIUS_LEN_MAX], hash[RADIUS_AUTH_LEN];

	if (request.n < RADIUS_HDR_LEN || response->id != request.p[1])
		return false;
	memcpy(copy, response->octets.p, response->octets.n);
	memcpy(copy + RADIUS_AUTH_OFF, request.p + RADIUS_AUTH_OFF, RADIUS_AUTH_LEN);
	if (!hash_parts(span_of(copy, response->octets.n), secret, SPAN_NULL, hash) ||
	    gnutls_memcmp(hash, response->octets.p + RADIUS_AUTH_OFF, RADIUS_AUTH_LEN) != 0)
		return false;
	return verify_mac(response, request, secret, need_mac);
}
