/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The signatures of RADIUS (RFC 2865 3, RFC 2866 3, RFC 3579 3.2), with the hashes of GnuTLS.
 */
#pragma once

#include "wire/radius.h"

/* Makes a request whole: fills the authenticator, and the Message-Authenticator if with_mac is set
 * (it is added first, as the first attribute). w: radius_begin(), the space of the
 * Message-Authenticator by radius_sign_begin(), the other attributes. False: it does not fit, or
 * GnuTLS fails. */
void radius_sign_begin(struct wr *w, enum radius_code code, uint8_t id, bool with_mac);
bool radius_sign_end(struct wr *w, struct span secret) must_check;
/* Encrypts a User-Password for the request in w, whose authenticator must be filled, which
 * radius_sign_begin() does for an Access-Request. At most 128 octets. False: GnuTLS fails. */
bool radius_add_password(struct wr *w, struct span password, struct span secret) must_check;
/* Returns whether a response belongs to the request and is signed with the secret. need_mac: a
 * Message-Authenticator must be there; one that is there must be right. */
bool radius_verify(const struct radius_msg *response, struct span request, struct span secret,
		   bool need_mac) must_check;
