/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A driver for fuzz_client that trusts nothing of the machine: its configuration is checked against
 * the messages sent and received, sockets against the messages sent through them, timers against
 * the clock.
 */
#pragma once

#include "base/cursor.h"
#include "client/core/client.h"

enum { FUZZ_CLIENT_STEPS = 64 };

struct fuzz_client {
	struct client c;
	struct client_opts opts;
	struct client_link link;
	struct effects fx;
	int64_t now;
	uint32_t random;
	bool raw, udp, arp, address, exited;
	uint32_t configured;
	uint8_t prefix_len;
	/* the last REQUEST, and the last frame that came in */
	uint32_t asked, asked_server, sent_xid;
	uint32_t got_xid, got_yiaddr;
	bool got_packet;
	unsigned sends;
};

/* A client that started; r begins with its options and its seed. */
void fuzz_client_init(struct fuzz_client *f, struct rd *r);
/* Takes one step's description from r and runs it. */
void fuzz_client_step(struct fuzz_client *f, struct rd *r);
/* STOP: everything must be closed and removed. */
void fuzz_client_end(struct fuzz_client *f);
