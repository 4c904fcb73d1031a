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
/* Sends `out`, then appends the peer's answer to *in until the peer closes, at most `max` octets.
 * 0; -errno; -EMSGSIZE: the answer is longer. */
int control_transfer(int fd, const struct buf *out, size_t max, struct buf *in) must_check;
