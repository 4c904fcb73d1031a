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

/* Answers until *stop or o->time_ns. Returns 0 or -errno. */
int load_responder_run(const struct load_opts *o, struct load_io *io,
		       const volatile sig_atomic_t *stop, struct load_responder_counts *ret)
	must_check;
/* Writes one answer to a relayed query into out[LOAD_IO_MSG_MAX]. n: the number of the answer,
 * by which wrong ones are chosen. Returns the length, 0: none. */
size_t load_responder_answer(const struct load_opts *o, struct span query, uint64_t n, uint8_t *out,
			     uint8_t *ret_type);
