/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Carries out the effects of a step, in order, one function a kind. A failure becomes an event,
 * which the machine receives after the list: so no step is nested in another. Sockets are closed
 * last, because closing a packet socket waits for the kernel and would delay the other effects.
 */
#include "client/os/driver.h"

#include "base/error.h"
#include "client/os/sock.h"
#include "runtime/loop.h"
#include "wire/arp.h"
#include "wire/eth.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

static void raw_readable(void *ctx, uint32_t events);
static void udp_readable(void *ctx, uint32_t events);
static void arp_readable(void *ctx, uint32_t events);

/* --- sockets ---------------------------------------------------------------------------------- */

static void close_later(struct driver *d, struct driver_sock *s)
{
	if (s->fd < 0)
		return;
	loop_remove(s->source);
	s->source = NULL;
	if (d->n_closing < DRIVER_CLOSING)
		d->closing[d->n_closing++] = s->fd;
	else
		(void)close(s->fd);
	s->fd = -1;
}

static void listen_on(struct driver *d, struct driver_sock *s, enum apply_kind kind, uint32_t arg,
		      uint32_t node, loop_fd_fn fn)
{
	int fd, r;

	close_later(d, s);
	fd = privsep_socket(&d->privsep, kind, arg, node);
	r = fd < 0 ? fd : loop_add(d->loop, fd, EPOLLIN, fn, d, &s->source);
	if (r < 0) {
		if (fd >= 0)
			(void)close(fd);
		driver_error(d, apply_kind_name(kind), r);
		d->denied |= kind != APPLY_OPEN_UDP && (r == -EPERM || r == -EACCES);
		/* another program may have the UDP port: the client uses frames then */
		if (kind == APPLY_OPEN_UDP && !client_sock_broken(r))
			d->send_failed = true;
		else
			d->socket_failed = true;
		return;
	}
	s->fd = fd;
}

static void note_sent(struct driver *d, const char *what, int r, bool unicast)
{
	if (r >= 0)
		return;
	driver_error(d, what, r);
	/* a full queue loses the packet: its retransmission replaces it */
	if (client_sock_broken(r))
		d->socket_failed = true;
	else if (unicast)
		d->send_failed = true;
}

static void send_frame(struct driver *d, const struct driver_sock *s, const char *what,
		       struct span frame)
{
	if (s->fd >= 0)
		note_sent(d, what, client_sock_send_frame(s->fd, d->watch.now.ifindex, frame),
			  false);
}

static void send_udp(struct driver *d, const struct effect *e)
{
	if (d->udp.fd >= 0)
		note_sent(d, "send-udp",
			  client_sock_send_udp(d->udp.fd, d->watch.now.ifindex, e->udp.src,
					       e->udp.dst, e->udp.payload),
			  e->udp.dst != UINT32_MAX);
}

/* --- the rest --------------------------------------------------------------------------------- */

static void arm_timer(struct driver *d, int64_t deadline_ns)
{
	struct itimerspec t = {.it_value = {deadline_ns / NS_PER_S, deadline_ns % NS_PER_S}};

	(void)timerfd_settime(d->timer.fd, TFD_TIMER_ABSTIME, &t, NULL);
}

/* Ends the client and reports the missing privilege: a second try would be refused, too. */
static void end_denied(struct driver *d)
{
	driver_error_text(d, "privileges", "CAP_NET_RAW and CAP_NET_ADMIN are needed");
	d->exiting = true;
	d->exit_code = DRIVER_EXIT_FAILED;
	loop_stop(d->loop);
}

/* Reports readiness, behind the answers of the privileged half: ready means that address and routes
 * are there. */
static void wait_for_answers(struct driver *d)
{
	int r = privsep_wait(&d->privsep);

	if (r < 0)
		driver_error(d, "privileged process", r);
}

static void go_background(struct driver *d)
{
	uint8_t ok = 0;

	wait_for_answers(d);
	/* an address that could not be set is no success: the waiting process gets the exit code */
	if (d->configure_failed) {
		d->exiting = true;
		loop_stop(d->loop);
		return;
	}
	d->background = true;
	driver_ask_plain(d, APPLY_DETACH);
	wait_for_answers(d);
	if (d->ready_fd < 0)
		return;
	driver_flush(d);
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		(void)dup2(d->null_fd, fd);
	(void)!write(d->ready_fd, &ok, 1);
	loop_remove(d->waiter);
	d->waiter = NULL;
	(void)close(d->ready_fd);
	d->ready_fd = -1;
}

static void end_client(struct driver *d, int code)
{
	wait_for_answers(d);
	d->exiting = true;
	d->exit_code = code == CLIENT_EXIT_OK && d->opts->quit && d->configure_failed
			       ? DRIVER_EXIT_FAILED
			       : code;
	loop_stop(d->loop);
}

static void run_effect(struct driver *d, const struct effect *e)
{
	switch (e->kind) {
	case EFFECT_SEND_RAW:
		send_frame(d, &d->raw, "send-raw", e->frame);
		break;
	case EFFECT_SEND_UDP:
		send_udp(d, e);
		break;
	case EFFECT_SEND_ARP:
		send_frame(d, &d->arp, "send-arp", e->frame);
		break;
	case EFFECT_LISTEN_RAW:
		listen_on(d, &d->raw, APPLY_OPEN_RAW, e->xid, 0, raw_readable);
		break;
	case EFFECT_CLOSE_RAW:
		close_later(d, &d->raw);
		break;
	case EFFECT_LISTEN_UDP:
		listen_on(d, &d->udp, APPLY_OPEN_UDP, 0, 0, udp_readable);
		break;
	case EFFECT_CLOSE_UDP:
		close_later(d, &d->udp);
		break;
	case EFFECT_LISTEN_ARP:
		listen_on(d, &d->arp, APPLY_OPEN_ARP, e->arp.address, e->arp.node, arp_readable);
		break;
	case EFFECT_CLOSE_ARP:
		close_later(d, &d->arp);
		break;
	case EFFECT_ARM:
		arm_timer(d, e->deadline_ns);
		break;
	case EFFECT_SET_ADDRESS:
		driver_set_address(d, e);
		break;
	case EFFECT_DEL_ADDRESS:
		driver_del_address(d, e);
		break;
	case EFFECT_SET_ROUTES:
		driver_set_routes(d, e->lease);
		break;
	case EFFECT_DEL_ROUTES:
		driver_ask_plain(d, APPLY_DEL_ROUTES);
		break;
	case EFFECT_SAVE_LEASE:
		driver_save_lease(d, e->lease);
		break;
	case EFFECT_DELETE_LEASE:
		driver_ask_plain(d, APPLY_DELETE_LEASE);
		break;
	case EFFECT_SCRIPT:
		driver_run_script(d, e);
		break;
	case EFFECT_NOTIFY:
		driver_notice(d, e);
		break;
	case EFFECT_BACKGROUND:
		go_background(d);
		break;
	case EFFECT_EXIT:
		end_client(d, (int)e->exit_code);
		break;
	case EFFECT_N_KINDS:
		break;
	}
}

static void run_effect_list(struct driver *d)
{
	for (size_t i = 0; i < d->fx.n; i++)
		run_effect(d, &d->fx.item[i]);
	driver_flush(d);
	while (d->n_closing)
		(void)close(d->closing[--d->n_closing]);
}

void driver_reconcile(struct driver *d)
{
	if (reconcile_run(d))
		(void)driver_event(d, CLIENT_EV_ADDRESS_REMOVED);
}

void driver_settled(struct driver *d)
{
	if (d->denied && !d->exiting)
		end_denied(d);
	driver_reconcile(d);
}

void driver_run_effects(struct driver *d)
{
	run_effect_list(d);
	/* each failure is reported once a step; the machine backs off by itself */
	for (int i = 0; i < 4 && (d->socket_failed || d->send_failed) && !d->exiting; i++) {
		enum client_event e = d->socket_failed ? CLIENT_EV_SOCKET_FAILED
						       : CLIENT_EV_SEND_FAILED;

		d->socket_failed = d->send_failed = false;
		if (client_event(&d->client, e, driver_now(), &d->fx))
			run_effect_list(d);
	}
	d->socket_failed = d->send_failed = false;
	driver_settled(d);
}

bool driver_event(struct driver *d, enum client_event e)
{
	if (d->exiting || !client_event(&d->client, e, driver_now(), &d->fx))
		return false;
	driver_run_effects(d);
	return true;
}

/* --- packets ---------------------------------------------------------------------------------- */

static void fail_socket(struct driver *d, const char *what, int err)
{
	driver_error(d, what, err);
	(void)driver_event(d, CLIENT_EV_SOCKET_FAILED);
}

/* Reads a batch of packets at most, and stops when the step replaced the socket. */
static void read_packets(struct driver *d, const struct driver_sock *s, bool udp)
{
	int fd = s->fd;

	for (int i = 0; i < DRIVER_BATCH && s->fd == fd && fd >= 0 && !d->exiting; i++) {
		enum client_drop why;
		int r;

		packet_reset(&d->packet);
		r = client_sock_recv(fd, udp, d->watch.now.ifindex, d->client.lease.address,
				     &d->packet);
		if (r == 0)
			return;
		if (r < 0) {
			if (r == -EREMOTEIO)
				d->n_icmp_ignored++;
			else if (udp && !client_sock_broken(
						r)) /* this host's own error about a datagram */
				(void)driver_event(d, CLIENT_EV_SEND_FAILED);
			else
				fail_socket(d, udp ? "udp" : "raw", r);
			return;
		}
		(void)client_receive(&d->client, &d->packet, driver_now(), &d->fx, &why);
		driver_run_effects(d);
	}
}

static void raw_readable(void *ctx, uint32_t events)
{
	struct driver *d = ctx;

	(void)events;
	read_packets(d, &d->raw, false);
}

static void udp_readable(void *ctx, uint32_t events)
{
	struct driver *d = ctx;

	(void)events;
	read_packets(d, &d->udp, true);
}

/*
 * Returns whether the sender of an ARP packet is another interface of this host: on one segment
 * with two of them the kernel answers on either. RFC 5227 2.1.1, 2.4 exempt all of a host's own
 * hardware addresses.
 */
static bool is_own_arp(struct driver *d, struct span frame)
{
	struct rd r = rd_init(frame);
	struct arp_packet a;
	struct eth_hdr eth;

	return eth_read(&r, &eth) && eth.type == ETH_TYPE_ARP && arp_read(&r, &a) &&
	       memcmp(a.sha, d->link.mac, sizeof(a.sha)) != 0 &&
	       link_owns_mac(&d->reconcile.nl, a.sha);
}

static void arp_readable(void *ctx, uint32_t events)
{
	struct driver *d = ctx;
	int fd = d->arp.fd;

	(void)events;
	for (int i = 0; i < DRIVER_BATCH && d->arp.fd == fd && fd >= 0 && !d->exiting; i++) {
		int n = client_sock_recv_arp(fd, d->packet_data, sizeof(d->packet_data));

		if (n == 0)
			return;
		if (n < 0) {
			fail_socket(d, "arp", n);
			return;
		}
		if (is_own_arp(d, span_of(d->packet_data, (size_t)n))) {
			d->n_own_arp++;
			continue;
		}
		(void)client_receive_arp(&d->client, span_of(d->packet_data, (size_t)n),
					 driver_now(), &d->fx, NULL);
		driver_run_effects(d);
	}
}
