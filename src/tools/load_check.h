/* SPDX-License-Identifier: MPL-2.0 */
/* Checks answers. Pure: reads the relevant fields of the octets, and compares them with the
 * expectation of the waiting client. The errors are the rows of load_error.def. */
#pragma once

#include "base/arena.h"
#include "base/attr.h"
#include "base/span.h"

enum load_error {
	LOAD_E_NONE,
#define LOAD_ERROR(symbol, name, sentence) LOAD_E_##symbol,
#include "tools/load_error.def"
#undef LOAD_ERROR
	LOAD_N_ERRORS
};

const char *load_error_name(enum load_error e);
const char *load_error_sentence(enum load_error e);

struct load_answer {
	uint32_t xid, yiaddr, giaddr; /* host order */
	uint32_t server_id, lease_time;
	bool has_lease_time;
	uint8_t type; /* 0: none */
	uint8_t chaddr[16];
	struct span client_id, agent; /* borrowed; p NULL: absent */
};

enum { LOAD_ARENA_LEN = 64 * 1024 };

/* Parses an answer. arena (LOAD_ARENA_LEN, reset here) holds joined options until the next call;
 * the rest points into bytes. Returns LOAD_E_NONE, LOAD_E_MALFORMED or LOAD_E_OP. */
enum load_error load_answer_parse(struct span bytes, struct arena *arena, struct load_answer *ret)
	must_check;

/* The expected answer. */
struct load_expect {
	const uint8_t *mac; /* [6] */
	uint8_t type;	    /* DHCP4_OFFER or DHCP4_ACK */
	uint32_t giaddr;
	uint32_t server_id;    /* 0: any */
	uint32_t addr;	       /* 0: any */
	struct span client_id; /* as it was sent; empty: none */
	struct span agent;
};

enum load_error load_answer_check(const struct load_answer *a, const struct load_expect *x)
	must_check;
