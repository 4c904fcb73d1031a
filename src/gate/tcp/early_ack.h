/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Early acknowledgement of held data.
 *
 * When a rule holds back part of a stream, the sender keeps retransmitting it, and data lost behind
 * it is not retransmitted at all. To avoid the stall the gate acknowledges held data on the
 * receiver's behalf and takes over its delivery: it keeps a copy (tcp_history.h) and retransmits
 * until the receiver acknowledges.
 *
 * If the sender then stays silent although no data is missing, it is presumably waiting for a reply
 * to the held data, which is therefore released unchanged.
 *
 * The number of connections is bounded. Without a free entry data is held without an
 * acknowledgement, and the sender keeps retransmitting.
 */
#pragma once

#include "gate/tcp/tcp_conn.h"

int early_acks_new(struct gate *g) must_check;
void early_acks_free(struct gate *g);

/* Called for a retransmission of held data: acknowledges all data in order, and takes it over.
 * False: there is no free entry. */
bool early_ack_add(const struct gate_walk *w, struct tcp_conn *c);
/* Called for an acknowledgement of the receiver of d. again: it has no data of its own, so it may
 * be a duplicate for missing data. */
void early_ack_acked(struct gate_walk *w, struct flow *f, enum gate_direction d, bool again);
/* Retransmits data that is due and was not acknowledged. */
void early_acks_tick(struct gate *g, int64_t now_ns);
