/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A DHCPv4 message (RFC 2131 section 2, RFC 2132, RFC 3396): decoded from bytes, held as fields and
 * options, encoded to bytes. The same object is the server's query and response, the client's
 * message and the view of hooks and scripts.
 *
 * A decoded message borrows its option data from the packet where an option came in one piece;
 * joined options lie in the arena. The list has each code at most once (RFC 3396 joins repeats), in
 * order of first arrival. One thread at a time.
 */
#pragma once

#include "base/arena.h"
#include "base/span.h"

enum {
	DHCP4_HDR_LEN = 236,	   /* before the magic cookie */
	DHCP4_MIN_LEN = 240,	   /* with the cookie */
	DHCP4_BOOTP_MIN_LEN = 300, /* RFC 1542 2.1: the length that relays and old clients expect */
	DHCP4_MAGIC = 0x63825363,
	DHCP4_CHADDR_LEN = 16,
	DHCP4_SNAME_LEN = 64,
	DHCP4_FILE_LEN = 128,
	DHCP4_FLAG_BROADCAST = 0x8000,
	DHCP4_SERVER_PORT = 67,
	DHCP4_CLIENT_PORT = 68,
};

enum { DHCP4_BOOTREQUEST = 1, DHCP4_BOOTREPLY = 2 };

enum dhcp4_type {
	DHCP4_NOTYPE = 0,
	DHCP4_DISCOVER = 1,
	DHCP4_OFFER,
	DHCP4_REQUEST,
	DHCP4_DECLINE,
	DHCP4_ACK,
	DHCP4_NAK,
	DHCP4_RELEASE,
	DHCP4_INFORM,
	DHCP4_FORCERENEW,
	DHCP4_LEASEQUERY,
	DHCP4_LEASEUNASSIGNED,
	DHCP4_LEASEUNKNOWN,
	DHCP4_LEASEACTIVE,
	DHCP4_BULKLEASEQUERY,
	DHCP4_LEASEQUERYDONE,
	DHCP4_ACTIVELEASEQUERY,
	DHCP4_LEASEQUERYSTATUS,
	DHCP4_TLS,
	DHCP4_N_TYPES
};

struct dhcp4_option {
	uint8_t code;
	struct span data; /* may be longer than 255 octets */
};

struct dhcp4_msg {
	uint8_t op, htype, hlen, hops;
	uint32_t xid;
	uint16_t secs, flags;
	uint32_t ciaddr, yiaddr, siaddr, giaddr; /* host order */
	uint8_t chaddr[DHCP4_CHADDR_LEN];
	uint8_t sname[DHCP4_SNAME_LEN];
	uint8_t file[DHCP4_FILE_LEN];
	struct arena *arena; /* borrowed; option list and joined data live there */
	struct dhcp4_option *opts;
	uint16_t n_opts, cap_opts;
	uint8_t pos[256]; /* code -> index in opts + 1; 0: absent */
};

/* Initialises an empty message that allocates from arena. */
void dhcp4_init(struct dhcp4_msg *m, struct arena *arena);

/* The strictness of reading; each value accepts more than the one before. */
enum dhcp4_leniency { DHCP4_STRICT = 0, DHCP4_LENIENT = 1, DHCP4_TOLERANT = 2 };

/*
 * Decodes bytes to a message. Overload (52) is resolved: options, then file, then sname; an
 * overloaded field is zeroed in the result. A missing END is tolerated, PAD skipped, data behind
 * END ignored. DHCP4_LENIENT (Kea's lenient-option-parsing): a truncated last option is left out
 * instead of refused. DHCP4_TOLERANT serves a client, which cannot choose its servers. Besides, the
 * first 52 of the options field counts; an invalid 52 is ignored, and so is any in file or sname.
 * 0, or -USHER_E_TRUNCATED (shorter than 240 octets, or an option runs over its field),
 * -USHER_E_MALFORMED (cookie, op not 1 or 2, hlen over 16, overload 52 of wrong length or value, 52
 * inside file or sname), -USHER_E_NOMEM. RFC 2131 2, 4.1; RFC 2132 2, 9.3; RFC 3396 5 to 7.
 */
int dhcp4_decode(struct span bytes, enum dhcp4_leniency how, struct arena *arena,
		 struct dhcp4_msg *ret_msg) must_check;

struct dhcp4_encode_opts {
	size_t max_len;	  /* of the DHCP message (UDP payload) the receiver takes; >= 548 */
	bool no_overload; /* sname and file carry the boot fields and must stay */
	size_t min_len;	  /* pad with zeros up to this; normally DHCP4_BOOTP_MIN_LEN */
};

struct dhcp4_encoded {
	size_t len;
	unsigned n_omitted;    /* options left out because they did not fit */
	uint8_t first_omitted; /* code of the first of them */
	bool overloaded;
};

/*
 * Encodes a message to bytes, options in the order of opts[]. An option longer than 255 octets is
 * split (RFC 3396). Options that do not fit into max_len move to file, then sname (option 52 is
 * written then), whole options only; 53, 54, 51, 61 and 82 never move. Options that fit nowhere are
 * left out from the end and counted. 82, where present, is the last option before END (RFC 3046
 * 2.1). 0, or -USHER_E_NOSPACE if cap does not hold the essentials.
 */
int dhcp4_encode(const struct dhcp4_msg *m, const struct dhcp4_encode_opts *o, uint8_t *buf,
		 size_t cap, struct dhcp4_encoded *ret) must_check;

/* Returns an option by its code; NULL if absent. The result is valid until the message changes. */
static inline const struct dhcp4_option *dhcp4_opt(const struct dhcp4_msg *m, uint8_t code)
{
	return m->pos[code] ? &m->opts[m->pos[code] - 1] : NULL;
}

/* Returns the data of an option, or an empty span if absent. */
static inline struct span dhcp4_opt_data(const struct dhcp4_msg *m, uint8_t code)
{
	const struct dhcp4_option *o = dhcp4_opt(m, code);

	return o ? o->data : SPAN_NULL;
}

/* Reads an option of fixed size. False if the option is absent or has another length. */
bool dhcp4_opt_u8(const struct dhcp4_msg *m, uint8_t code, uint8_t *ret);
bool dhcp4_opt_u16(const struct dhcp4_msg *m, uint8_t code, uint16_t *ret);
bool dhcp4_opt_u32(const struct dhcp4_msg *m, uint8_t code, uint32_t *ret);

/* Returns the message type (option 53 of length 1), else DHCP4_NOTYPE. */
enum dhcp4_type dhcp4_msg_type(const struct dhcp4_msg *m);
/* Returns "DHCPDISCOVER" and so on; "UNKNOWN" for a type without a name. */
const char *dhcp4_type_name(enum dhcp4_type t);

/* Sets an option: replaces, or appends at the end. The data is copied. 0 or -USHER_E_NOMEM. */
int dhcp4_opt_set(struct dhcp4_msg *m, uint8_t code, struct span data) must_check;
/* Sets an option, as dhcp4_opt_set(), but borrows data, which must outlive the message. */
int dhcp4_opt_set_ref(struct dhcp4_msg *m, uint8_t code, struct span data) must_check;
int dhcp4_opt_set_u8(struct dhcp4_msg *m, uint8_t code, uint8_t v) must_check;
int dhcp4_opt_set_u32(struct dhcp4_msg *m, uint8_t code, uint32_t v) must_check;
/* Removes an option; false if it was absent. */
bool dhcp4_opt_del(struct dhcp4_msg *m, uint8_t code);

/*
 * Finds the first sub-option with a code in a container (43, 82, ...): code, length, data. Returns
 * whether it is there. *ret is an empty span with p == NULL if it is absent or the container is
 * broken before it.
 */
bool dhcp4_subopt(struct span container, uint8_t code, struct span *ret);
/* Returns whether the container is a whole sequence of sub-options. */
bool dhcp4_subopts_valid(struct span container);
