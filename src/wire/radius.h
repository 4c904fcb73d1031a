/* SPDX-License-Identifier: MPL-2.0 */
/*
 * RADIUS messages (RFC 2865, 2866): header and attributes. Signatures are the caller's work: this
 * has no cryptography. Pure.
 */
#pragma once

#include "base/cursor.h"

enum {
	RADIUS_HDR_LEN = 20,
	RADIUS_AUTH_OFF = 4, /* of the authenticator */
	RADIUS_AUTH_LEN = 16,
	RADIUS_LEN_MAX = 4096,
	RADIUS_VALUE_MAX = 253,
	RADIUS_VENDOR_VALUE_MAX = 247,
};

enum radius_code {
	RADIUS_ACCESS_REQUEST = 1,
	RADIUS_ACCESS_ACCEPT = 2,
	RADIUS_ACCESS_REJECT = 3,
	RADIUS_ACCOUNTING_REQUEST = 4,
	RADIUS_ACCOUNTING_RESPONSE = 5,
	RADIUS_ACCESS_CHALLENGE = 11,
	RADIUS_STATUS_SERVER = 12,
};

/* Attributes that the server itself writes or reads. */
enum radius_type {
	RADIUS_USER_NAME = 1,
	RADIUS_USER_PASSWORD = 2,
	RADIUS_NAS_IP_ADDRESS = 4,
	RADIUS_NAS_PORT = 5,
	RADIUS_FRAMED_IP_ADDRESS = 8,
	RADIUS_REPLY_MESSAGE = 18,
	RADIUS_CLASS = 25,
	RADIUS_VENDOR_SPECIFIC = 26,
	RADIUS_CALLING_STATION_ID = 31,
	RADIUS_ACCT_STATUS_TYPE = 40,
	RADIUS_ACCT_DELAY_TIME = 41,
	RADIUS_ACCT_SESSION_ID = 44,
	RADIUS_MESSAGE_AUTHENTICATOR = 80,
	RADIUS_FRAMED_POOL = 88,
};

/* A message as received; borrows its octets. */
struct radius_msg {
	uint8_t code, id;
	struct span octets; /* without those behind the length of the header */
	struct span attrs;
};

struct radius_attr {
	uint8_t type;
	struct span value; /* of a vendor's: with the vendor's number */
};

/* Reads a datagram. False: it is shorter than its length, longer than 4096, or an attribute is
 * malformed. */
bool radius_read(struct span datagram, struct radius_msg *ret) must_check;
/* Reads the next attribute: *rest is attrs of a message at first. False: there are no more. */
bool radius_next(struct span *rest, struct radius_attr *ret);
/* Returns the value of the last attribute of a type, which is the one that counts in Kea, too.
 * False: there is none. */
bool radius_find(const struct radius_msg *m, uint8_t type, struct span *ret);

/* Begins a message of which the authenticator is zero, and whose length radius_end() sets. */
void radius_begin(struct wr *w, enum radius_code code, uint8_t id);
/* Adds an attribute; one that is too long makes the writer bad. */
void radius_add(struct wr *w, uint8_t type, struct span value);
void radius_add_be32(struct wr *w, uint8_t type, uint32_t value);
/* Adds an attribute of a vendor (RFC 2865 5.26). */
void radius_add_vendor(struct wr *w, uint32_t vendor, uint8_t type, struct span value);
/* Returns whether all was written. */
bool radius_end(struct wr *w) must_check;
