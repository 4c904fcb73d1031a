/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For the transports of a session: a transfer, and the two ways of making one.
 */
#pragma once

#include "ctl/progress.h"
#include "ctl/session.h"

struct ctl_transfer {
	struct ctl_session *session;
	const struct buf *request;
	struct ctl_sink *sink;
	struct ctl_progress progress;
	int result; /* negative: the sink ended the transfer */
};

/* Passes n octets of the answer on. Returns 0 or the sink's negative result. */
int ctl_transfer_take(struct ctl_transfer *t, const char *p, size_t n);
/* Writes the reason of a failure to session->error. Returns -1. */
int ctl_session_fail(struct ctl_session *s, const char *fmt, ...) printf_like(2, 3);
/* Makes the transfer over the unix socket. Returns 0, or -1 with session->error. */
int ctl_unix_send(struct ctl_transfer *t) must_check;
/* Makes the transfer over HTTP or HTTPS. Returns 0, or -1 with session->error. */
int ctl_http_send(struct ctl_transfer *t) must_check;
/* Releases session->http. Accepts NULL. */
void ctl_http_close(void *http);
