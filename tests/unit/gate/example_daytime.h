/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A dissector in C, complete: the example of HACKING.md. Daytime (RFC 867) over UDP: a question is
 * any datagram, an answer one line of printable text. It counts both, and lets no other answer
 * pass.
 */
#pragma once

#include "gate/engine/gate.h"

struct daytime {
	uint64_t asked, answered, refused;
};

/* Of flows to port 13. d outlives the engine. The dissector's number, or negative. */
int daytime_register(struct daytime *d, struct gate *g) must_check;
