/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The services of a worker that stages use. A worker stands above the stages: it fills the table
 * (worker/) and puts it into each of its exchanges.
 */
#pragma once

#include "server/core/exchange.h"

struct stage_services {
	void (*wait_durable)(struct exchange *x);
	void (*queue_answer)(struct exchange *x, const struct capture_tx *tx);
	/* Called before and behind a callout of an external library, as in struct hook_services.
	 * hanging: the number of its calls that hang. */
	uint64_t (*enter_callout)(struct exchange *x, _Atomic unsigned *hanging);
	void (*leave_callout)(struct exchange *x, _Atomic unsigned *hanging, uint64_t token);
};

/* Lets an exchange wait until exchange.wait_seq is on disk. Its stage returns PARK. */
static inline void exchange_wait_durable(struct exchange *x)
{
	x->services->wait_durable(x);
}

/* Puts an answer into the worker's batch. Its stage returns DONE. */
static inline void exchange_queue_answer(struct exchange *x, const struct capture_tx *tx)
{
	x->services->queue_answer(x, tx);
}

/* Hands a parked exchange back to its worker, which continues it. Any thread. */
static inline void exchange_resume(struct exchange *x)
{
	x->parked.resume(&x->parked);
}
