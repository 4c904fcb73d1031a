/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The other end of the command channel: one request, one answer, over a connection of its own.
 * Blocks, at most `timeout_s` a step, so it is for programs and threads that have nothing else to
 * do.
 */
#pragma once

#include "base/attr.h"

#include <stddef.h>

struct buf;

/* Connects to the socket at `path`. type: SOCK_STREAM, or SOCK_SEQPACKET for whole messages.
 * Returns a descriptor or -errno. */
int control_connect(const char *path, int type, int timeout_s) must_check;
/* Takes n octets of an answer. Returns 0; a negative result ends the transfer. */
typedef int (*control_take_fn)(void *ctx, const char *p, size_t n);

/* Sends `out`, then passes the octets of the peer's answer to `take` until the peer closes. Returns
 * 0, -errno, or the negative result of `take`. */
int control_transfer_to(int fd, const struct buf *out, control_take_fn take, void *ctx) must_check;
/* Sends `out`, then appends the peer's answer to *in until the peer closes, at most `max` octets.
 * 0; -errno; -EMSGSIZE: the answer is longer. */
int control_transfer(int fd, const struct buf *out, size_t max, struct buf *in) must_check;
