/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Compares the addresses and routes of the client's state with the kernel's, and corrects them. The
 * kernel is asked, never assumed: after every notification about the interface, and after every own
 * change, which causes one. One thread.
 */
#pragma once

#include "client/os/netlink.h"
#include "runtime/loop.h"

struct driver;

struct reconcile {
	struct nl nl; /* for lists only: nothing is subscribed to */
	int timer_fd;
	struct loop_source *timer;
	bool due; /* something may have changed since the last comparison */
	/* a difference was found, and waits for its second look; that look is next */
	enum { RECONCILE_IDLE, RECONCILE_WAIT, RECONCILE_SECOND } phase;
	int64_t window_ns;		 /* when the count began; 0: never */
	unsigned n_repairs;		 /* in this window */
	uint64_t n_compared, n_repaired; /* ever */
};

/* Opens the sockets and the timer of the comparison, in d->reconcile. on_timer is called with d
 * when a difference is due for its second look. 0 or -errno. */
int reconcile_open(struct driver *d, loop_fd_fn on_timer) must_check;
void reconcile_close(struct reconcile *r);
/* Called when the timer fired: makes the next comparison the second look at a difference. */
void reconcile_second_look(struct reconcile *r);
/*
 * Compares, if that is due and no request is on its way to the privileged half. A difference that
 * is still there a tenth of a second later is corrected: absent or stale routes are set again, a
 * bounded number of times a minute. Returns true when the address is absent, which the caller turns
 * into the event ADDRESS_REMOVED.
 */
bool reconcile_run(struct driver *d) must_check;
