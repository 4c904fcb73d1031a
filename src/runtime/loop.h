/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A small event loop over epoll: descriptors and timers. One loop a thread; the main thread's
 * runs signals, the control channel, netlink and housekeeping, a worker's its captures. Callbacks
 * may add and remove sources, their own too.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_source;
struct loop_timer;

typedef void (*loop_fd_fn)(void *ctx, uint32_t events);
typedef void (*loop_timer_fn)(void *ctx);

int loop_new(struct loop **ret) must_check;
void loop_free(struct loop *l);

/* Watches fd (borrowed) for events (EPOLLIN, ...). */
int loop_add(struct loop *l, int fd, uint32_t events, loop_fd_fn fn, void *ctx,
	     struct loop_source **ret) must_check;
int loop_modify(struct loop_source *s, uint32_t events);
/* Stops watching; no callback of this source comes any more. Accepts NULL. */
void loop_remove(struct loop_source *s);

/* Creates a timer, not armed. */
int loop_timer_new(struct loop *l, loop_timer_fn fn, void *ctx, struct loop_timer **ret) must_check;
/* Fires once, delay nanoseconds from now; negative: disarms. */
void loop_timer_set(struct loop_timer *t, int64_t delay_ns);
void loop_timer_free(struct loop_timer *t);

typedef void (*loop_turn_fn)(void *ctx, bool idle);
/* Called once a round, after events were collected and before they are handled. idle: there are
 * none, and the loop is about to wait. */
void loop_on_turn(struct loop *l, loop_turn_fn fn, void *ctx);

/* Runs one round: waits at most timeout_ms (-1: until an event). Returns 0 or -errno. */
int loop_step(struct loop *l, int timeout_ms) must_check;
/* Rounds until loop_stop. */
int loop_run(struct loop *l) must_check;
void loop_stop(struct loop *l);
