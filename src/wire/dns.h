/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DNS messages (RFC 1035, 2181, 3596, 6891). Pure, and without memory of its own: a decoded message
 * is its received octets, checked, and the offsets of its sections. Records are read from these
 * octets one after the other, names on demand. The name that owns a record and the names in its
 * rdata are different things.
 */
#pragma once

#include "base/cursor.h"

enum {
	DNS_PORT = 53,
	DNS_HDR_LEN = 12,
	DNS_FLAGS_OFF = 2,
	DNS_MSG_MAX = 65535,
	DNS_LABEL_MAX = 63,
	DNS_NAME_MAX = 255,  /* with the root's octet */
	DNS_TEXT_MAX = 1024, /* of a name as text, with its NUL */
};

enum dns_section { DNS_QUESTION, DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL, DNS_N_SECTIONS };

/* Bits of the header's second word; opcode and rcode are numbers in it. */
enum dns_flag {
	DNS_QR = 0x8000, /* a response */
	DNS_AA = 0x0400,
	DNS_TC = 0x0200,
	DNS_RD = 0x0100,
	DNS_RA = 0x0080,
	DNS_AD = 0x0020,
	DNS_CD = 0x0010,
};

enum dns_type {
#define DNS_TYPE(symbol, code, form, compress) DNS_TYPE_##symbol = (code),
#include "wire/dns_types.def"
#undef DNS_TYPE
};

enum dns_class {
	DNS_CLASS_IN = 1,
	DNS_CLASS_CH = 3,
	DNS_CLASS_HS = 4,
	DNS_CLASS_NONE = 254,
	DNS_CLASS_ANY = 255
};

enum { DNS_OPCODE_QUERY = 0, DNS_OPCODE_NOTIFY = 4, DNS_OPCODE_UPDATE = 5 };

/* The parts of rdata. */
enum dns_form {
	DNS_FORM_RAW,
	DNS_FORM_IPV4,
	DNS_FORM_IPV6,
	DNS_FORM_NAME,
	DNS_FORM_NAMES, /* two */
	DNS_FORM_SOA,	/* primary server, mailbox, five numbers */
	DNS_FORM_MX,	/* preference, name */
	DNS_FORM_SRV,	/* priority, weight, port, name */
	DNS_FORM_NAPTR, /* order, preference, three strings, name */
	DNS_FORM_TXT,	/* strings */
	DNS_FORM_OPT,	/* options */
	DNS_N_FORMS
};

/* Returns the name of a type, such as "A"; NULL: it has no known name. */
const char *dns_type_name(uint16_t type);
/* Finds the number of a type by its name, in any letter case; -USHER_E_UNKNOWN. */
int dns_type_find(const char *name, uint16_t *ret) must_check;
const char *dns_class_name(uint16_t cls);

/* --- Names ------------------------------------------------------------------------------------ */

/* Labels, each behind its length, and the root's zero; never compressed. len 0: no name. */
struct dns_name {
	uint8_t len;
	uint8_t octets[DNS_NAME_MAX];
};

/* Reads the name at offset `at` of a message, with its pointers resolved. ret_end (may be NULL):
 * the offset behind it. -USHER_E_TRUNCATED; -USHER_E_MALFORMED: too long, or a pointer that does
 * not lead back. */
int dns_name_read(struct span msg, uint32_t at, struct dns_name *ret, uint32_t *ret_end) must_check;
/* Writes a name as text: "www.example.com.", or "." for the root. Characters with a meaning are
 * escaped (RFC 1035 5.1). Returns the length. */
size_t dns_name_text(const struct dns_name *n, char ret[DNS_TEXT_MAX]);
/* Parses the text of a name; the last dot may be left out. -USHER_E_MALFORMED; -USHER_E_RANGE: a
 * label or the whole name is too long. */
int dns_name_parse(struct span text, struct dns_name *ret) must_check;
/* Compares names in any letter case (RFC 4343). */
bool dns_name_eq(const struct dns_name *a, const struct dns_name *b);

/* --- Reading ---------------------------------------------------------------------------------- */

struct dns_msg {
	struct span octets; /* borrowed */
	uint16_t id, flags;
	uint16_t count[DNS_N_SECTIONS];
	uint16_t at[DNS_N_SECTIONS]; /* where they begin */
	uint16_t opt;		     /* offset of the OPT record; 0: none */
};

/* Checks all of a message. -USHER_E_TRUNCATED: it ends before its counts do; -USHER_E_MALFORMED: a
 * name or rdata is wrong, a second OPT record, or octets behind the last one. */
int dns_decode(struct span octets, struct dns_msg *ret) must_check;

static inline uint8_t dns_opcode(const struct dns_msg *m)
{
	return m->flags >> 11 & 15;
}

/* Returns the response code, with the upper bits that an OPT record has. */
uint16_t dns_rcode(const struct dns_msg *m);

/* A question, or a record; offsets are those in the message. */
struct dns_rr {
	uint8_t section, form, n_names;
	uint16_t owner; /* of its name */
	uint16_t type, cls;
	uint32_t ttl;
	uint16_t ttl_at; /* 0: a question */
	uint16_t rdata, rdata_len;
	uint16_t name[2]; /* of names in the rdata */
};

struct dns_iter {
	const struct dns_msg *msg;
	uint32_t at;
	uint16_t left;
	uint8_t section;
};

struct dns_iter dns_each(const struct dns_msg *m, enum dns_section s);
/* Reads the next question or record. False: there are no more (or the octets were damaged after
 * they were decoded). */
bool dns_next(struct dns_iter *it, struct dns_rr *ret);
/* Reads record i of a section. */
bool dns_at(const struct dns_msg *m, enum dns_section s, uint16_t i, struct dns_rr *ret);

/* Reads the name that owns the record; cannot fail on a decoded message. */
bool dns_owner(const struct dns_msg *m, const struct dns_rr *rr, struct dns_name *ret);
/* Reads name i of the rdata. False: the rdata has fewer. */
bool dns_rdata_name(const struct dns_msg *m, const struct dns_rr *rr, unsigned i,
		    struct dns_name *ret);
/* Returns the rdata as received: names in it may be compressed. */
struct span dns_rdata(const struct dns_msg *m, const struct dns_rr *rr);

struct dns_soa {
	uint32_t serial, refresh, retry, expire, minimum;
};

struct dns_srv {
	uint16_t priority, weight, port;
};

struct dns_edns {
	uint16_t udp_size, flags; /* flags: bit 15 is DO */
	uint8_t ext_rcode, version;
	struct span options;
};

/* Returns the address of an A record in host order; 0 of a record of another form. */
uint32_t dns_ipv4(const struct dns_msg *m, const struct dns_rr *rr);
/* Returns the 16 octets of an AAAA record; p == NULL: it has another form. */
struct span dns_ipv6(const struct dns_msg *m, const struct dns_rr *rr);
uint16_t dns_mx_preference(const struct dns_msg *m, const struct dns_rr *rr);
struct dns_soa dns_soa(const struct dns_msg *m, const struct dns_rr *rr);
struct dns_srv dns_srv(const struct dns_msg *m, const struct dns_rr *rr);
bool dns_edns(const struct dns_msg *m, struct dns_edns *ret);
/* Reads the next string of a TXT record's rdata; false: no more. */
bool dns_string_next(struct rd *r, struct span *ret);
/* Reads the next option of an OPT record's rdata; false: no more. */
bool dns_option_next(struct rd *r, uint16_t *ret_code, struct span *ret_data);

/* --- Writing ---------------------------------------------------------------------------------- */

enum { DNS_MAX_KNOWN = 256 };

struct dns_writer {
	struct wr w;
	bool compress;
	uint8_t section;
	uint16_t count[DNS_N_SECTIONS];
	uint16_t n_known, known[DNS_MAX_KNOWN]; /* offsets of names that pointers can lead to */
	uint32_t hash[DNS_MAX_KNOWN];		/* of each, with all that is behind it */
	uint16_t slot[2 * DNS_MAX_KNOWN];	/* by hash: number in `known` plus one; 0: free */
};

/* Replacements in a record that is copied; NULL: unchanged. */
struct dns_change {
	const struct dns_name *owner, *rdata[2];
	const uint32_t *ttl;
};

/* Begins a message; its sections are written in their order. dns_write_end() reports a record that
 * does not fit. */
void dns_write_begin(struct dns_writer *d, void *buf, size_t cap, uint16_t id, uint16_t flags);
void dns_write_question(struct dns_writer *d, const struct dns_name *name, uint16_t type,
			uint16_t cls);

struct dns_new_rr {
	const struct dns_name *owner;
	uint16_t type, cls;
	uint32_t ttl;
	struct span rdata; /* names in it are not compressed */
};
void dns_write_rr(struct dns_writer *d, enum dns_section s, const struct dns_new_rr *rr);
/* Writes a question or record of a decoded message, with the replacements of c (NULL: none). */
void dns_write_copy(struct dns_writer *d, const struct dns_msg *m, const struct dns_rr *rr,
		    const struct dns_change *c);
/* Ends the message. -USHER_E_NOSPACE: it did not fit, into buf or into a message. */
int dns_write_end(struct dns_writer *d, size_t *ret_len) must_check;
