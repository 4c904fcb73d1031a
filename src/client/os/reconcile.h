/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Compares the addresses and routes that the client believes in with the kernel's, and puts them
 * right. The kernel is asked, never assumed: after every notification about the interface, and
 * after every own change, which causes one. One thread.
 */
#pragma once

#include "client/os/netlink.h"

struct driver;
struct loop_source;

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

/* Opens the sockets and the timer of the comparison, in d->reconcile. 0 or -errno. */
int reconcile_open(struct driver *d) must_check;
void reconcile_close(struct reconcile *r);
/*
 * Compares, if that is due and no request is on its way to the privileged half. A difference that
 * is still there a tenth of a second later is put right: an absent address becomes the event
 * ADDRESS_REMOVED, absent or stale routes are set again, a bounded number of times a minute.
 */
void reconcile_run(struct driver *d);
/* Returns whether a hardware address is of one of this host's interfaces (RFC 5227 2.1.1, 2.4). */
bool reconcile_is_own_mac(struct reconcile *r, const uint8_t mac[6]);
