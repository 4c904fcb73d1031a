/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The two halves of usher-micro: micro.c is the server core and the measuring, micro_frames.c the
 * clients: their messages, and the capture in memory that carries them. Of the second half only
 * the back end's own copying is measured, which a socket would do as well.
 */
#pragma once

#include "capture/capture.h"

#include <stdbool.h>
#include <stdint.h>

enum { MICRO_BATCH = 64, MICRO_FRAME_LEN = 1024 };

enum micro_message {
	MICRO_DISCOVER = 1,
	MICRO_OFFER = 2,
	MICRO_REQUEST = 3,
	MICRO_ACK = 5,
	MICRO_RELEASE = 7
};

/* How the clients are: relayed through giaddr + (client % n_subnets) * stride, or on the link. */
struct micro_clients {
	bool direct;
	uint32_t server; /* host order, as all addresses here */
	uint32_t giaddr, stride, n_subnets;
	uint32_t jump;	/* added to the number of each second client */
	uint32_t first; /* number of the first client */
};

/* The results of the last batch, by place in it. */
struct micro_answer {
	uint8_t type; /* 0: none */
	uint32_t addr;
};

struct micro_wire;

int micro_wire_new(const struct micro_clients *c, struct micro_wire **ret) must_check;
/* Returns the capture for the worker, which closes it, and with it the wire. */
struct capture *micro_wire_capture(struct micro_wire *w);
/* Client k sends a message of this type at the place `at` of the next batch; addr: the address it
 * asks for (REQUEST after OFFER), or has (renewal: renewing; RELEASE). */
void micro_wire_put(struct micro_wire *w, unsigned at, uint32_t k, enum micro_message type,
		    uint32_t addr, bool renewing);
/* n messages are there to be received, and no answers yet. */
void micro_wire_begin(struct micro_wire *w, unsigned n, int64_t now_ns);
/* The answer to the message at that place. */
struct micro_answer micro_wire_answer(const struct micro_wire *w, unsigned at);
/* The hardware address of client k. */
void micro_mac(const struct micro_clients *c, uint32_t k, uint8_t ret_mac[6]);
