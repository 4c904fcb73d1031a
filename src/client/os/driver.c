/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Start, loop and end of the client's unprivileged half, and the events that are no packets: time,
 * signals, the link, the other half.
 */
#include "client/os/driver.h"

#include "base/error.h"
#include "client/os/control.h"
#include "control/plane.h"
#include "runtime/loop.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

static uint32_t random_u32(void *ctx)
{
	uint32_t v = 0;

	(void)ctx;
	(void)!getrandom(&v, sizeof(v), 0);
	return v;
}

static const struct client_random kernel_random = {random_u32, NULL};

/* --- events ----------------------------------------------------------------------------------- */

static void timer_due(void *ctx, uint32_t events)
{
	struct driver *d = ctx;
	uint64_t n;

	(void)events;
	(void)!read(d->timer.fd, &n, sizeof(n));
	client_tick(&d->client, driver_now(), &d->fx);
	driver_run_effects(d);
}

static enum client_event signal_event(uint32_t signo)
{
	switch (signo) {
	case SIGUSR1:
		return CLIENT_EV_RENEW;
	case SIGUSR2:
		return CLIENT_EV_RELEASE;
	case SIGHUP:
		return CLIENT_EV_RESTART;
	default:
		return CLIENT_EV_STOP;
	}
}

static void stop_at_once(struct driver *d)
{
	d->exiting = true;
	d->exit_code = 0;
	loop_stop(d->loop);
}

static void read_signal(void *ctx, uint32_t events)
{
	struct driver *d = ctx;
	struct signalfd_siginfo si;
	enum client_event e;

	(void)events;
	if (read(d->signals.fd, &si, sizeof(si)) != sizeof(si) || si.ssi_signo == SIGCHLD)
		return;
	e = signal_event(si.ssi_signo);
	/* OFF does not accept STOP: the process just ends */
	if (!driver_event(d, e) && e == CLIENT_EV_STOP && !d->exiting)
		stop_at_once(d);
}

static void line_readable(void *ctx, uint32_t events)
{
	struct driver *d = ctx;
	int r = privsep_read(&d->privsep);

	(void)events;
	if (r >= 0) {
		driver_settled(d);
		return;
	}
	/* without it the interface cannot be configured, and its settings cannot be removed */
	driver_error(d, "privileged process", r);
	d->exiting = true;
	d->exit_code = DRIVER_EXIT_FAILED;
	loop_stop(d->loop);
}

static void second_look_due(void *ctx, uint32_t events)
{
	struct driver *d = ctx;

	(void)events;
	reconcile_second_look(&d->reconcile);
	driver_reconcile(d);
}

static void read_link(const struct link_state *s, const struct client_opts *o,
		      struct client_link *ret)
{
	*ret = (struct client_link){.mtu = s->mtu, .up = link_is_up(s)};
	memcpy(ret->mac, s->mac, sizeof(ret->mac));
	if (o->inform && link_first_address(s->ifindex, &ret->address) < 0)
		ret->address = 0;
}

static void link_changed(struct driver *d)
{
	struct client_link before = d->link;

	if (d->watch.now.gone) {
		(void)driver_event(d, CLIENT_EV_LINK_GONE);
		return;
	}
	memcpy(d->link.mac, d->watch.now.mac, sizeof(d->link.mac));
	d->link.mtu = d->watch.now.mtu;
	d->link.up = link_is_up(&d->watch.now);
	client_set_link(&d->client, &d->link);
	if (memcmp(before.mac, d->link.mac, sizeof(before.mac)) != 0)
		(void)driver_event(d, CLIENT_EV_MAC_CHANGED);
	if (before.up != d->link.up)
		(void)driver_event(d, d->link.up ? CLIENT_EV_LINK_UP : CLIENT_EV_LINK_DOWN);
}

static void netlink_readable(void *ctx, uint32_t events)
{
	struct driver *d = ctx;
	struct link_events ev;
	int r;

	(void)events;
	r = link_watch_read(&d->watch, &ev);
	if (r < 0)
		driver_error(d, "netlink", r);
	d->reconcile.due |= ev.touched || ev.changed;
	if (ev.changed && !d->exiting)
		link_changed(d);
	/* an answer that has arrived already ends its request */
	if (!d->exiting)
		line_readable(d, 0);
}

/* --- start ------------------------------------------------------------------------------------ */

static int watch_fd(struct driver *d, struct driver_sock *s, int fd, loop_fd_fn fn)
{
	if (fd < 0)
		return -errno;
	s->fd = fd;
	return loop_add(d->loop, fd, EPOLLIN, fn, d, &s->source);
}

static int open_signals(struct driver *d)
{
	static const int set[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
	sigset_t s;

	(void)sigemptyset(&s);
	for (size_t i = 0; i < ARRAY_LEN(set); i++)
		(void)sigaddset(&s, set[i]);
	(void)sigprocmask(SIG_BLOCK, &s, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ,
		     SIG_IGN); /* writing past the limit of a file's size is an error like others */
	return watch_fd(d, &d->signals, signalfd(-1, &s, SFD_CLOEXEC | SFD_NONBLOCK), read_signal);
}

int driver_open(struct driver *d, const struct client_opts *o, struct apply *apply)
{
	int r = loop_new(&d->loop);

	d->opts = o;
	d->exit_code = DRIVER_EXIT_FAILED;
	d->raw.fd = d->udp.fd = d->arp.fd = d->timer.fd = d->signals.fd = d->line.fd =
		d->netlink.fd = -1;
	packet_init(&d->packet, d->packet_data, sizeof(d->packet_data), d->packet_arena,
		    sizeof(d->packet_arena));
	privsep_init(&d->privsep, apply, driver_applied, d);
	if (r == 0)
		r = reconcile_open(d, second_look_due);
	if (r == 0)
		r = watch_fd(d, &d->timer,
			     timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK), timer_due);
	if (r == 0)
		r = open_signals(d);
	if (r == 0)
		r = watch_fd(d, &d->netlink, d->watch.nl.fd, netlink_readable);
	if (r < 0)
		return r;
	read_link(&d->watch.now, o, &d->link);
	client_init(&d->client, o, &d->link, &kernel_random);
	return 0;
}

int driver_start(struct driver *d)
{
	(void)driver_event(d, CLIENT_EV_START);
	return d->exiting ? -ECANCELED : 0;
}

int driver_run(struct driver *d)
{
	int r = d->exiting ? 0 : watch_fd(d, &d->line, d->privsep.fd, line_readable);

	if (r == 0 && !d->exiting)
		r = loop_run(d->loop);
	if (r < 0)
		driver_error(d, "event loop", r);
	return d->exit_code;
}

void driver_close(struct driver *d)
{
	struct driver_sock *all[] = {&d->raw, &d->udp, &d->arp, &d->timer, &d->signals, &d->line};

	control_close(d->control);
	control_plane_free(d->plane);
	d->control = NULL;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		loop_remove(all[i]->source);
		if (all[i]->fd >= 0 && all[i] != &d->line)
			(void)close(all[i]->fd);
	}
	loop_remove(d->netlink.source);
	link_watch_close(&d->watch);
	reconcile_close(&d->reconcile);
	privsep_close(&d->privsep);
	loop_free(d->loop);
}
