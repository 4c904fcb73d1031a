/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The netfilter rules that send packets to our queues (--queue-rules): put in at the start, taken
 * out at the end.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

/* Packets that we send ourselves carry this mark, and are not queued again. */
enum { QUEUE_MARK = 0x757367 };

struct queue_rules {
	uint16_t first;
	unsigned n;  /* queues first … first + n - 1; both directions of a flow use one queue */
	bool bypass; /* without a gate, packets pass */
};

/* Adds the rules. 0, or -errno: the reason is on stderr, and nothing is left behind. */
int queue_rules_add(const struct queue_rules *r) must_check;
void queue_rules_remove(const struct queue_rules *r);
/*
 * Forks a process that removes the rules when this one ends without queue_rules_unwatch(), however
 * it ends: rules that send packets to a queue without a reader block a host. *ret_fd: the end of
 * its pipe. 0, -errno. Called before there are threads.
 */
int queue_rules_watch(const struct queue_rules *r, int *ret_fd) must_check;
/* Ends the other process, when the rules are removed or were never set. -1: there is none. */
void queue_rules_unwatch(int fd);
