/* SPDX-License-Identifier: MPL-2.0 */
/*
 * dns in the engine: the current message for listeners of its events, and its changes. Writers
 * return -EROFS under pass-through, -EINVAL outside of an event; values read before a write are
 * void after it.
 */
#pragma once

#include "gate/engine/dissect.h"
#include "wire/dns.h"

/* Returns the message during query and response; NULL outside. Borrowed until the listener returns.
 */
const struct dns_msg *gate_dns_msg(const struct gate *g);
/* Returns the query as it was forwarded, during response. NULL: it was longer than 512 octets,
 * there was no room to keep it, or response had no listener then. */
const struct dns_msg *gate_dns_query(struct gate *g);
/* Returns the generation, which is another number for each message that is shown. */
const uint32_t *gate_dns_generation(const struct gate *g);
/* Finds record i of a section of one of the two messages. *ret_steps: how many records were read
 * for that. The next one after the last costs one step. False: there is none. */
bool gate_dns_record(struct gate *g, const struct dns_msg *m, enum dns_section s, uint16_t i,
		     struct dns_rr *ret, uint32_t *ret_steps);

int gate_dns_set_id(struct gate *g, uint16_t id) must_check;
/* Sets all flags but QR, which the direction decides: -EPERM. */
int gate_dns_set_flags(struct gate *g, uint16_t flags) must_check;
/* Sets the response code. One above 15 needs an OPT record to hold its upper bits: -ERANGE. */
int gate_dns_set_rcode(struct gate *g, uint16_t rcode) must_check;
/* Sets type and class of a question: the fields of a record depend on them. */
int gate_dns_set_question(struct gate *g, const struct dns_rr *rr, uint16_t type, uint16_t cls)
	must_check;
/* Sets the TTL of a record. A question has none, and that of an OPT record has another meaning:
 * -EINVAL. */
int gate_dns_set_ttl(struct gate *g, const struct dns_rr *rr, uint32_t ttl) must_check;
/* Sets the address of a record: IPv4 in host order, or IPv6 of 16 octets. -EINVAL: the record has
 * no such address. */
int gate_dns_set_ipv4(struct gate *g, const struct dns_rr *rr, uint32_t address) must_check;
int gate_dns_set_ipv6(struct gate *g, const struct dns_rr *rr, const uint8_t address[16])
	must_check;
/* Changes names in a question or record: the message is written anew, with compression. -EMSGSIZE:
 * it is too long. */
int gate_dns_change(struct gate *g, const struct dns_rr *rr, const struct dns_change *c) must_check;

int gate_dns_init(struct gate *g, const struct gate_opts *o) must_check;
void gate_dns_fini(struct gate *g);
void gate_dns_begin(struct gate_walk *w, struct flow *f);
void gate_dns_end(struct gate_walk *w, struct flow *f);
