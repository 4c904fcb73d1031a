/* SPDX-License-Identifier: MPL-2.0 */
/*
 * dns in the engine: what listeners of its events see of the message at hand, and what they may change. Writers
 * give -EROFS under pass-through, -EINVAL outside of an event; what was read before a write is void after it.
 */
#pragma once

#include "gate/dissect.h"
#include "wire/dns.h"

/* During query and response; NULL outside. Borrowed until the listener returns. */
const struct dns_msg *gate_dns_msg(const struct gate *g);

/* All but QR, which the direction decides: -EPERM. */
int gate_dns_set_flags(struct gate *g, uint16_t flags) must_check;
/* Above 15 only with an OPT record to hold the rest: -ERANGE. */
int gate_dns_set_rcode(struct gate *g, uint16_t rcode) must_check;
/* Of a record; a question has none, an OPT's is something else: -EINVAL. */
int gate_dns_set_ttl(struct gate *g, const struct dns_rr *rr, uint32_t ttl) must_check;
/* -EINVAL: no such record. Host order; 16 octets. */
int gate_dns_set_ipv4(struct gate *g, const struct dns_rr *rr, uint32_t address) must_check;
int gate_dns_set_ipv6(struct gate *g, const struct dns_rr *rr, const uint8_t address[16]) must_check;
/* Other names in a question or record: the message is written anew, with compression. -EMSGSIZE: too long. */
int gate_dns_change(struct gate *g, const struct dns_rr *rr, const struct dns_change *c) must_check;

int gate_dns_new(struct gate *g, uint32_t max_flows) must_check;
void gate_dns_free(struct gate *g);
void gate_dns_begin(struct gate *g, struct flow *f);
void gate_dns_end(struct gate *g, struct flow *f);
