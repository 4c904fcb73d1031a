/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The common names of a client's certificate. libmicrohttpd has verified it against the trust
 * anchor; without one in the options no certificate is asked for.
 */
#include "http/request_impl.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include <string.h>

/* Keeps a common name if it is complete: an octet 0 in it could hide a part. */
static void check_name(int result, size_t n, char *name)
{
	if (result != 0 || strlen(name) != n)
		name[0] = '\0';
}

static void take_names(struct http_conn *c, gnutls_x509_crt_t crt)
{
	size_t n = sizeof(c->subject);
	int e = gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, c->subject,
					      &n);

	check_name(e, n, c->subject);
	n = sizeof(c->issuer);
	e = gnutls_x509_crt_get_issuer_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, c->issuer,
						 &n);
	check_name(e, n, c->issuer);
}

static void read_certificate(struct http_conn *c, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info;
	const gnutls_datum_t *certs;
	gnutls_x509_crt_t crt;
	unsigned n, status = 0;

	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	if (!info || gnutls_certificate_verify_peers2(info->tls_session, &status) < 0 || status)
		return;
	certs = gnutls_certificate_get_peers(info->tls_session, &n);
	if (!certs || !n || gnutls_x509_crt_init(&crt) < 0)
		return;
	if (gnutls_x509_crt_import(crt, &certs[0], GNUTLS_X509_FMT_DER) == 0)
		take_names(c, crt);
	gnutls_x509_crt_deinit(crt);
}

void http_peer_names(struct http_request *r)
{
	struct http_conn *c = r->conn;

	if (!r->config->trust || !c->l->o.authorize)
		return;
	if (!c->named)
		read_certificate(c, c->mhd);
	c->named = true;
	r->from.cert_subject = c->subject[0] ? c->subject : NULL;
	r->from.cert_issuer = c->issuer[0] ? c->issuer : NULL;
}
