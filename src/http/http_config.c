/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Copies of a listener's texts, and the check of its certificates.
 */
#include "base/arena.h"
#include "base/error.h"
#include "http/http_impl.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Copies to an arena; failed: memory was out. */
struct copy {
	struct arena *a;
	bool failed;
};

static const char *copy_text(struct copy *k, const char *s)
{
	const char *t = s ? arena_strdup(k->a, s) : NULL;

	k->failed |= s && !t;
	return t;
}

static const struct http_header *copy_headers(struct copy *k, const struct http_header *from,
					      size_t n)
{
	struct http_header *to = arena_array(k->a, struct http_header, n);

	k->failed |= n && !to;
	for (size_t i = 0; to && i < n; i++)
		to[i] = (struct http_header){copy_text(k, from[i].name),
					     copy_text(k, from[i].value)};
	return to;
}

static const struct http_user *copy_users(struct copy *k, const struct http_user *from, size_t n)
{
	struct http_user *to = arena_array(k->a, struct http_user, n);

	k->failed |= n && !to;
	for (size_t i = 0; to && i < n; i++)
		to[i] = (struct http_user){copy_text(k, from[i].name),
					   copy_text(k, from[i].password), from[i].read_only};
	return to;
}

static gnutls_datum_t datum_of(const char *text)
{
	return (gnutls_datum_t){(unsigned char *)(uintptr_t)text, (unsigned)strlen(text)};
}

/* Reads the time at which the first certificate of the text expires. */
static int read_expiry(const char *text, int64_t *ret)
{
	gnutls_datum_t pem = datum_of(text);
	gnutls_x509_crt_t *list;
	unsigned n = 0;
	int r = gnutls_x509_crt_list_import2(&list, &n, &pem, GNUTLS_X509_FMT_PEM, 0);

	if (r < 0)
		return r;
	*ret = n ? (int64_t)gnutls_x509_crt_get_expiration_time(list[0]) : 0;
	for (unsigned i = 0; i < n; i++)
		gnutls_x509_crt_deinit(list[i]);
	gnutls_free(list);
	return 0;
}

int http_config_new(const struct http_opts *o, struct http_config **ret)
{
	struct http_config *c = calloc(1, sizeof(*c));
	struct arena *a = calloc(1, sizeof(*a));
	struct copy k = {0};

	if (!c || !a) {
		free(c);
		free(a);
		return -ENOMEM;
	}
	arena_init(a);
	k.a = a;
	*c = (struct http_config){
		.uses = 1,
		.agent = o->agent,
		.arena = a,
		.realm = copy_text(&k, o->realm),
		.cert = copy_text(&k, o->cert),
		.key = copy_text(&k, o->key),
		.trust = copy_text(&k, o->trust),
		.headers = copy_headers(&k, o->headers, o->n_headers),
		.n_headers = o->n_headers,
		.users = copy_users(&k, o->users, o->n_users),
		.n_users = o->n_users,
	};
	if (c->cert && read_expiry(c->cert, &c->expires_s) < 0)
		c->expires_s = 0; /* libmicrohttpd refuses it */
	if (k.failed) {
		http_config_drop(c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

void http_config_drop(struct http_config *c)
{
	if (!c || --c->uses)
		return;
	arena_fini(c->arena);
	free(c->arena);
	free(c);
}

int http_tls_check(const struct http_opts *o, int64_t *ret_expires, char text[HTTP_TEXT_MAX])
{
	gnutls_certificate_credentials_t cred;
	gnutls_datum_t cert = datum_of(o->cert), key = datum_of(o->key), trust;
	const char *part = "certificate";
	int r = gnutls_certificate_allocate_credentials(&cred);

	if (r < 0)
		return -ENOMEM;
	r = read_expiry(o->cert, ret_expires);
	if (r >= 0) {
		part = "certificate with its key";
		r = gnutls_certificate_set_x509_key_mem(cred, &cert, &key, GNUTLS_X509_FMT_PEM);
	}
	if (r >= 0 && o->trust) {
		part = "trust anchor";
		trust = datum_of(o->trust);
		r = gnutls_certificate_set_x509_trust_mem(cred, &trust, GNUTLS_X509_FMT_PEM);
		r = r == 0 ? GNUTLS_E_NO_CERTIFICATE_FOUND : r;
	}
	gnutls_certificate_free_credentials(cred);
	if (r >= 0)
		return 0;
	(void)snprintf(text, HTTP_TEXT_MAX, "the %s cannot be used: %s", part, gnutls_strerror(r));
	return -USHER_E_CONFIG;
}
