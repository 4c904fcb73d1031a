/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Basic authentication (RFC 7617). The pair that a request brings is compared with every entry, as
 * digests with a key of this process and in constant time, so that the time of an answer tells
 * nothing. After five refusals of an address within a minute each further one is late.
 */
#include "base/clock.h"
#include "base/sha256.h"
#include "http/auth.h"
#include "http/http_impl.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ADDRESSES = 64, FREE_FAILURES = 5, KEY_LEN = 32, PAIR_MAX = 512 };

#define FORGET_NS (60 * NS_PER_S)

struct failures {
	char address[HTTP_ADDRESS_LEN];
	unsigned n;
	int64_t last_ns;
};

struct http_auth {
	uint8_t key[KEY_LEN];
	struct failures failures[ADDRESSES]; /* of the last addresses */
};

int http_auth_new(struct http_auth **ret)
{
	struct http_auth *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	if (gnutls_rnd(GNUTLS_RND_KEY, a->key, sizeof(a->key)) < 0) {
		free(a);
		return -EIO;
	}
	*ret = a;
	return 0;
}

void http_auth_free(struct http_auth *a)
{
	free(a);
}

/* Counts a refusal. Returns whether it is to be late. */
static bool count_failure(struct http_auth *a, const char *address)
{
	struct failures *f = &a->failures[0];
	int64_t now_ns = clock_mono_ns(&clock_system);

	for (unsigned i = 0; i < ADDRESSES; i++) {
		if (strcmp(a->failures[i].address, address) == 0) {
			f = &a->failures[i];
			break;
		}
		if (a->failures[i].last_ns < f->last_ns)
			f = &a->failures[i];
	}
	if (strcmp(f->address, address) != 0 || now_ns - f->last_ns > FORGET_NS)
		f->n = 0;
	(void)snprintf(f->address, sizeof(f->address), "%s", address);
	f->last_ns = now_ns;
	f->n++;
	return f->n > FREE_FAILURES;
}

/* Writes the digest of "name:password"; password NULL: name is the whole pair. */
static void digest_pair(const struct http_auth *a, struct span name, const char *password,
			uint8_t ret[SHA256_LEN])
{
	struct sha256 s;

	sha256_init(&s);
	sha256_add(&s, span_of(a->key, KEY_LEN));
	sha256_add(&s, name);
	if (password) {
		sha256_add(&s, span_str(":"));
		sha256_add(&s, span_str(password));
	}
	sha256_end(&s, ret);
}

/* Returns the credentials behind the scheme "Basic"; NULL: there are none. */
static const char *skip_scheme(const char *header)
{
	if (!header)
		return NULL;
	header += strspn(header, " \t");
	if (strncasecmp(header, "basic", 5) != 0 || (header[5] != ' ' && header[5] != '\t'))
		return NULL;
	return header + 5 + strspn(header + 5, " \t");
}

const struct http_user *http_auth_find(struct http_auth *a, const struct http_config *c,
				       const char *header, const char *address, bool *ret_delay)
{
	const char *text = skip_scheme(header);
	const struct http_user *found = NULL;
	uint8_t got[SHA256_LEN], want[SHA256_LEN];
	gnutls_datum_t in, out = {0};
	size_t n = text ? strcspn(text, " \t") : 0;

	*ret_delay = false;
	in = (gnutls_datum_t){(unsigned char *)(uintptr_t)text, (unsigned)n};
	if (n && n < PAIR_MAX && gnutls_base64_decode2(&in, &out) == 0) {
		digest_pair(a, span_of(out.data, out.size), NULL, got);
		for (size_t i = 0; i < c->n_users; i++) {
			const struct http_user *u = &c->users[i];

			digest_pair(a, span_str(u->name), u->password, want);
			if (gnutls_memcmp(got, want, SHA256_LEN) == 0 && !found)
				found = u;
		}
		gnutls_memset(out.data, 0, out.size);
		gnutls_free(out.data);
	}
	if (!found && header)
		*ret_delay = count_failure(a, address);
	return found;
}
