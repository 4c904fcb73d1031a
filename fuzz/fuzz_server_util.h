/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A whole server in memory for fuzz targets: a fixed configuration, a virtual clock, no sockets, no
 * threads, no files. Made anew for every input, so that an input says all there is to say.
 */
#pragma once

#include "base/cursor.h"
#include "config/json/json.h"
#include "fuzz.h"
#include "packet/packet.h"
#include "server/manage/command.h"
#include "wire/dhcp4.h"

enum { FUZZ_HOLDERS = 64, FUZZ_CLIENTS = 8 };

/* The promises to clients: one entry an address. */
struct fuzz_holder {
	uint32_t addr;
	int64_t until; /* seconds; nobody else may be given it before */
	bool declined;
	uint8_t cid[255], hw[16];
	size_t cid_len, hw_len;
};

struct fuzz_server {
	struct virtual_clock clock;
	struct server_daemon d;
	struct capture *capture;
	struct fuzz_holder holders[FUZZ_HOLDERS];
	size_t n_holders;
	uint32_t offered[FUZZ_CLIENTS]; /* last address that each client was offered */
	int64_t next_reclaim, next_flush;

	/* the packet on its way, as the harness understands it */
	uint8_t frame[PACKET_DATA_LEN];
	struct wr out;
	struct arena arena;
	struct dhcp4_msg query;
	bool is_query;
	unsigned client;
};

void fuzz_server_init(struct fuzz_server *f);
void fuzz_server_fini(struct fuzz_server *f);

/* Takes one step from the input: a frame in f->out and the time on the clock. False at the end. */
bool fuzz_server_next(struct fuzz_server *f, struct rd *in);
/* Runs the frame through the pipeline, checks its answers and counters. */
void fuzz_server_run(struct fuzz_server *f);

/* Feeds octets in pieces of `piece` to framing: is a whole request seen? Checks that one piece
 * finds the same. */
bool fuzz_framing(struct span octets, size_t piece);
/* Would it touch files or sockets of this machine? Those requests are left out. */
bool fuzz_control_harmless(const struct json *request);
/* The answer is a map with a result, and valid JSON as it is written. */
void fuzz_answer_check(const struct json *answer);
