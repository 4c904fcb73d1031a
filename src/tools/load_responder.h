/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A server that stores nothing: OFFER for DISCOVER, ACK for REQUEST, the address computed from
 * chaddr. The generator is measured against it; with wrong answers on purpose it tests the
 * generator's checks.
 */
#pragma once

#include "tools/load_args.h"
#include "tools/load_io.h"

#include <signal.h>

struct load_responder_counts {
	uint64_t offers, acks, ignored;
	double seconds, cpu_us;
};

/* Until *stop or o->time_ns. 0 or -errno. */
int load_responder_run(const struct load_opts *o, struct load_io *io,
		       const volatile sig_atomic_t *stop, struct load_responder_counts *ret)
	must_check;
/* One answer to query, in out[LOAD_IO_MSG_MAX]: its length, 0: none. n: number of the answer (a
 * liar lies now and then); relayed queries only. */
size_t load_responder_answer(const struct load_opts *o, struct span query, uint64_t n, uint8_t *out,
			     uint8_t *ret_type);
