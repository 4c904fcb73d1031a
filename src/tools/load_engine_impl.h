/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The inside of the generator, shared by its files: load_engine.c (phases, pace), load_exchange.c
 * (the waiting clients and their answers), load_client.c (choice of the next client).
 *
 * A transaction id is the slot in its low half and the slot's generation in its high half: an
 * answer leads to its client without a search, and one to an earlier exchange is distinguished from
 * a wrong one.
 */
#pragma once

#include "base/rng.h"
#include "tools/load_engine.h"
#include "tools/load_leases.h"
#include "tools/load_owner.h"
#include "tools/load_template.h"

enum {
	LOAD_NIL = 0xffff,
	LOAD_STRANGER_SLOT = 0xffff, /* no slot: no client waits */
	LOAD_LATE_MAX = 4096,	     /* generations an answer may be late */
};

/* A waiting client. */
struct load_slot {
	int64_t begin_ns, sent_ns;
	uint32_t client; /* from the first client on */
	uint32_t addr, server_id;
	uint16_t gen;
	uint16_t prev, next; /* in the order of sent_ns */
	uint8_t step;	     /* enum load_step */
	bool release;	     /* releases its lease at the end */
	struct load_ident id;
};

/* One of a finite number of clients. */
struct load_client {
	uint32_t addr, server_id; /* its lease; 0: none */
};

struct load_clients {
	struct load_client *c; /* NULL: every exchange has a new client */
	uint32_t *idle;	       /* ring of the idle ones, the longest idle first */
	uint32_t n, head, n_idle;
	uint32_t fresh; /* number of the next new client */
	uint32_t n_bound;
};

int load_clients_init(struct load_clients *cs, uint32_t n) must_check;
void load_clients_fini(struct load_clients *cs);
/* Takes the next client; false: none is idle. */
bool load_clients_take(struct load_clients *cs, uint32_t *ret);
/* Gives it back; front: to be the next again. */
void load_clients_give(struct load_clients *cs, uint32_t client, bool front);
/* Returns whether the next client has no lease. */
bool load_clients_next_unbound(const struct load_clients *cs);
void load_clients_bind(struct load_clients *cs, uint32_t client, uint32_t addr, uint32_t server_id);

struct load_engine {
	const struct load_opts *o;
	struct load_io *io;
	const volatile sig_atomic_t *stop;
	struct load_templates templates;
	struct load_clients clients;
	struct load_owners owners;
	struct rng rng;
	struct arena arena; /* of the answer parser */
	uint8_t *arena_mem;

	struct load_slot *slots;
	uint16_t *free_slots;
	unsigned n_free;
	uint16_t first, last; /* of the waiting slots */

	struct load_result result;
	struct load_counts *counts; /* of the present phase */
	struct load_counts other;   /* of exchanges that are not measured */
	bool measuring, draining, binding;

	/* the pace of the phase that runs; rate 0: none */
	double rate;
	int64_t pace_from_ns;
	uint64_t paced; /* starts since then */
	uint64_t starts_left;
	int64_t strangers_from_ns;
	uint64_t strangers_paced;
	uint64_t stranger; /* number of the next stranger */

	struct load_live live;
	bool live_armed;
	uint16_t live_slot;
	int64_t live_next_ns, live_wall_s;

	int64_t now_ns, first_ack_ns, last_done_ns;
	int64_t progress_ns;
	uint64_t progress_done;
	bool terminal;
};

/* Starts one exchange; false: no slot or no client is free. */
bool load_exchange_start(struct load_engine *e);
void load_exchange_stranger(struct load_engine *e);
/* Takes a received message; a load_io_fn. */
void load_exchange_answer(void *ctx, struct span msg, int64_t now_ns);
/* Gives up the clients that waited too long. */
void load_exchange_expire(struct load_engine *e);
/* Counts an error, and keeps the text of the first ones. */
void load_engine_error(struct load_engine *e, enum load_error err, const struct load_slot *s,
		       const struct load_answer *a) cold_fn;
