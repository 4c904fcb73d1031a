/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The messages of all clients: built once for each kind of client, then copied and patched. A
 * client's number determines its kind, its client identifier, its hardware address and its name, so
 * a client is the same in every run. Read-only after init.
 */
#pragma once

#include "base/span.h"
#include "tools/load_args.h"

enum load_msg {
	LOAD_MSG_DISCOVER,
	LOAD_MSG_REQUEST, /* SELECTING */
	LOAD_MSG_RENEW,
	LOAD_MSG_REBOOT, /* INIT-REBOOT */
	LOAD_MSG_RELEASE,
	LOAD_N_MSGS
};

enum { LOAD_TEMPLATE_MAX = 548, LOAD_KINDS_MAX = 8, LOAD_MAC_LEN = 6, LOAD_SENT_MAX = 64 };

struct load_template {
	uint8_t bytes[LOAD_TEMPLATE_MAX];
	/* offsets of the patched fields; 0: absent */
	uint16_t client_id, requested, server_id, hostname, fqdn, circuit, remote;
	uint16_t agent, agent_len; /* data of option 82 */
};

struct load_templates {
	size_t len; /* of every message: GSO wants them equal */
	unsigned n_kinds;
	uint8_t kind_of[100]; /* by percent */
	enum load_who client_id;
	struct load_template t[LOAD_KINDS_MAX][2][LOAD_N_MSGS]; /* [1]: with client identifier */
};

/* Builds the messages. agent: relay agents add option 82 (not to minimal messages). Returns 0 or
 * a negative result. */
int load_templates_init(struct load_templates *ts, enum load_options set, enum load_who client_id,
			bool agent) must_check;

struct load_ident {
	uint8_t mac[LOAD_MAC_LEN];
	uint8_t kind;
	bool client_id;
	uint32_t tag; /* of its name and its circuit */
};

/* Sets the identity of client number n (40 bits); a stranger has a hardware address that no
 * client has. */
void load_ident_init(const struct load_templates *ts, uint64_t n, bool stranger,
		     struct load_ident *ret);
/* Finds the number of a client's hardware address. Returns false for a stranger or a foreign
 * address. */
bool load_ident_number(struct span hw, uint64_t *ret);

struct load_fields {
	uint32_t xid, ciaddr, giaddr, requested, server_id; /* host order */
};

/* Writes ts->len octets to out. */
void load_message(const struct load_templates *ts, const struct load_ident *id, enum load_msg m,
		  const struct load_fields *f, uint8_t *out);
/* Returns the data of option 61 or 82 in a client's messages, written to buf; empty: the option is
 * absent. */
struct span load_sent_client_id(const struct load_templates *ts, const struct load_ident *id,
				uint8_t buf[LOAD_SENT_MAX]);
struct span load_sent_agent(const struct load_templates *ts, const struct load_ident *id,
			    uint8_t buf[LOAD_SENT_MAX]);
