/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For dissect_tcp.c: octets that the gate holds back and acknowledges in the receiver's place. Their sender repeats what nobody
 * acknowledges, and nothing else: if what is missing to let them go was lost, it would never come again. So the gate
 * takes them over, and sees to it that they arrive, from what it remembers (tcp_history.h). If nothing more comes although
 * nothing is missing, their sender waits for an answer to them, and they go on as they are. Bounded; who finds no place goes
 * on repeating.
 */
#pragma once

#include "gate/tcp_conn.h"

int gate_tcp_vouches_new(struct gate *g) must_check;
void gate_tcp_vouches_free(struct gate *g);

/* The segment at hand is one that is held back, once more: all in order that is there is acknowledged. False: it cannot be
 * taken over. */
bool gate_tcp_vouch(struct gate *g, const struct gate_packet *p, struct tcp_conn *c);
/* The receiver of d said what it has, without data of its own: the same as before, perhaps, for it misses something. */
void gate_tcp_vouched_acked(struct gate *g, struct flow *f, enum gate_direction d, bool again);
/* What was due and did not arrive is sent once more. */
void gate_tcp_vouch_tick(struct gate *g, int64_t now_ns);
