/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The comparison runs only while no request is pending, so that a list never contains half of a
 * change of the client's own. It does not act at once: `ip addr flush` works in rounds until it
 * finds no address, and would remove an address that is restored between two of them. A route that
 * vanishes repeatedly is removed by intention or by a fault: after ten repairs in a minute the
 * client reports it and waits for the next change.
 */
#include "client/os/reconcile.h"

#include "client/os/driver.h"
#include "runtime/loop.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { WINDOW_S = 60, REPAIRS_MAX = 10, SETTLE_MS = 100 };

void reconcile_second_look(struct reconcile *r)
{
	uint64_t n;

	(void)!read(r->timer_fd, &n, sizeof(n));
	r->phase = RECONCILE_SECOND;
	r->due = true;
}

int reconcile_open(struct driver *d, loop_fd_fn on_timer)
{
	struct reconcile *r = &d->reconcile;
	int e;

	*r = (struct reconcile){.nl = {.fd = -1}, .timer_fd = -1};
	e = nl_open(&r->nl, 0);
	if (e < 0)
		return e;
	r->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	return r->timer_fd < 0 ? -errno
			       : loop_add(d->loop, r->timer_fd, EPOLLIN, on_timer, d, &r->timer);
}

void reconcile_close(struct reconcile *r)
{
	loop_remove(r->timer);
	if (r->timer_fd >= 0)
		(void)close(r->timer_fd);
	nl_close(&r->nl);
}

/* Returns whether this is the second look at a difference; else arms the timer for it. */
static bool is_second_look(struct reconcile *r)
{
	const struct itimerspec t = {.it_value = {0, SETTLE_MS * NS_PER_MS}};

	if (r->phase == RECONCILE_SECOND) {
		r->phase = RECONCILE_IDLE;
		return true;
	}
	r->phase = RECONCILE_WAIT;
	(void)timerfd_settime(r->timer_fd, 0, &t, NULL);
	return false;
}

/* Returns whether another repair is allowed now. */
static bool take_repair(struct reconcile *r, int64_t now_ns)
{
	if (!r->window_ns || now_ns - r->window_ns >= WINDOW_S * NS_PER_S) {
		r->window_ns = now_ns;
		r->n_repairs = 0;
	}
	return r->n_repairs++ < REPAIRS_MAX;
}

static void repair_routes(struct driver *d, const struct netconf_diff *diff)
{
	struct reconcile *r = &d->reconcile;
	char text[96];

	if (!take_repair(r, driver_now())) {
		if (r->n_repairs == REPAIRS_MAX + 1)
			driver_error_text(d, "routes",
					  "they vanish repeatedly; the client waits for a minute");
		return;
	}
	r->n_repaired++;
	(void)snprintf(text, sizeof(text),
		       "%u were absent, %u were not of the lease; this was corrected",
		       diff->n_missing, diff->n_stale);
	driver_error_text(d, "routes", text);
	driver_set_routes(d, &d->client.lease);
}

/* Puts a difference right. Returns whether the address is absent. */
static bool act_on_difference(struct driver *d, const struct netconf_diff *diff)
{
	struct reconcile *r = &d->reconcile;
	/* the kernel has no routes of an interface that is down; they are compared when it is up */
	bool routes = (diff->n_missing || diff->n_stale) && d->watch.now.admin_up;

	if (!diff->no_address && !routes)
		r->phase = RECONCILE_IDLE;
	else if (!is_second_look(r))
		return false;
	else if (diff->no_address)
		return true;
	else
		repair_routes(d, diff);
	return false;
}

bool reconcile_run(struct driver *d)
{
	struct reconcile *r = &d->reconcile;
	const struct client_lease *l = &d->client.lease;
	struct netconf_diff diff;
	int e;

	if (!r->due || r->phase == RECONCILE_WAIT || d->privsep.pending || d->exiting)
		return false;
	r->due = false;
	if (!d->client.configured || d->opts->dry_run || d->watch.now.gone) {
		r->phase = RECONCILE_IDLE;
		return false;
	}
	r->n_compared++;
	driver_routes_of(l, &d->request.routes);
	e = netconf_compare(&r->nl, d->watch.now.ifindex, (uint8_t)client_prefix_len(l->mask),
			    &d->request.routes, &diff);
	if (e == 0)
		return act_on_difference(d, &diff);
	driver_error(d, "comparison with the kernel", e);
	return false;
}
