/* SPDX-License-Identifier: MPL-2.0 */
/* The times to wait: pure functions of the count of tries, and of randomness. */
#pragma once

#include "base/clock.h"

#include <stdint.h>

enum { CLIENT_REBOOT_TRIES = 2, CLIENT_REQUEST_TRIES = 4, CLIENT_SHORT_LEASE_S = 10 };

/*
 * Returns the wait after the n-th DISCOVER or REQUEST (n from 1): 1, 2, 4, 8, 16, 32, 64, 64 ...
 * seconds. The first two vary within a tenth, the others within a second. RFC 2131 4.1 begins with
 * 4.
 */
int64_t client_backoff_ns(unsigned n, uint32_t random);
/* Returns the wait after the n-th INIT-REBOOT request; both waits together take at most two
 * seconds. */
int64_t client_reboot_wait_ns(unsigned n, uint32_t random);
/*
 * Returns the wait after the n-th REQUEST of RENEWING or REBINDING: half of the rest of the phase,
 * at least a minute (RFC 2131 4.4.5); in a phase that is too short for that there is one more try
 * in its middle.
 */
int64_t client_reacquire_ns(unsigned n, int64_t now_ns, int64_t phase_end_ns);
/* Returns the pause after the n-th DECLINE in a row (n from 1): 10, 20 ... 300 s. RFC 2131 3.1.5
 * demands 10. */
int64_t client_decline_wait_ns(unsigned n);
/* Returns the pause after the n-th NAK in a row: 0, 1, 2, 4 ... 60 s. */
int64_t client_refused_wait_ns(unsigned n);
/* Returns the pause after the n-th failure of a socket: 1, 2 ... 30 s. The first socket is
 * opened again within 100 ms. */
int64_t client_reopen_wait_ns(unsigned n);
