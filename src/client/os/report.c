/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reports events to people (standard error), programs (--json, subscribers) and the history. Lines
 * are made of numbers and our own words, so no part of them needs escaping. The client waits for no
 * reader.
 */
#include "client/os/driver.h"

#include "base/error.h"
#include "base/ip.h"
#include "client/os/control.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_MAX_LEN = 512 };

struct line {
	char s[LINE_MAX_LEN];
	size_t n;
};

static void add_text(struct line *l, const char *fmt, ...) printf_like(2, 3);

static void add_text(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->s + l->n, sizeof(l->s) - l->n, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->n = l->n + (size_t)n < sizeof(l->s) ? l->n + (size_t)n : sizeof(l->s) - 1;
}

/* Writes the pending lines if the reader has room. Loses them otherwise: a pipe without a reader
 * must not stop the client. The text is shorter than the room of a writable pipe. */
static void write_text(int fd, struct driver_text *t)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	if (t->n && poll(&p, 1, 0) == 1 && p.revents & POLLOUT)
		(void)!write(fd, t->s, t->n);
	t->n = 0;
}

void driver_flush(struct driver *d)
{
	write_text(STDOUT_FILENO, &d->out);
	write_text(STDERR_FILENO, &d->err);
}

static void queue_line(int fd, struct driver_text *t, const struct line *l)
{
	if (l->n > sizeof(t->s) - t->n)
		write_text(fd, t);
	memcpy(t->s + t->n, l->s, l->n);
	t->n += l->n;
}

static bool has_lease(enum client_notice n)
{
	return n == CLIENT_NOTICE_BOUND || n == CLIENT_NOTICE_RENEWED;
}

static void add_lease(struct line *l, const struct client_lease *x, bool json)
{
	char a[IP_TEXT_LEN], s[IP_TEXT_LEN];

	(void)ip_text(x->address, a);
	(void)ip_text(x->server_id, s);
	if (json)
		add_text(l, ",\"address\":\"%s/%u\",\"server\":\"%s\",\"lease\":%u", a,
			 client_prefix_len(x->mask), s, x->lease_s);
	else if (x->lease_s == CLIENT_LEASE_INFINITE)
		add_text(l, ": %s/%u of %s, for ever", a, client_prefix_len(x->mask), s);
	else
		add_text(l, ": %s/%u of %s, for %u s", a, client_prefix_len(x->mask), s,
			 x->lease_s);
}

static void json_line(struct driver *d, const struct effect *e, struct line *l)
{
	const char *name = client_notice_name(e->notice.what);
	int64_t ms = clock_wall_ns(&clock_system) / NS_PER_MS;

	add_text(l, "{\"event\":\"%s\",\"time\":%lld.%03d,\"state\":\"%s\"", name,
		 (long long)(ms / 1000), (int)(ms % 1000),
		 client_state_name(e->notice.what == CLIENT_NOTICE_STATE
					   ? (enum client_state)e->notice.to
					   : d->client.state));
	if (e->notice.what == CLIENT_NOTICE_STATE)
		add_text(l, ",\"from\":\"%s\",\"to\":\"%s\",\"cause\":\"%s\"",
			 client_state_name((enum client_state)e->notice.from),
			 client_state_name((enum client_state)e->notice.to),
			 client_event_name((enum client_event)e->notice.event));
	else if (e->notice.what == CLIENT_NOTICE_DROPPED)
		add_text(l, ",\"reason\":\"%s\"", client_drop_name((enum client_drop)e->notice.to));
	else if (has_lease(e->notice.what))
		add_lease(l, &d->client.lease, true);
	add_text(l, "}");
}

static void text_line(struct driver *d, const struct effect *e, struct line *l)
{
	add_text(l, "usher-client: %s: ", d->watch.now.name);
	if (e->notice.what == CLIENT_NOTICE_STATE)
		add_text(l, "%s", client_state_name((enum client_state)e->notice.to));
	else
		add_text(l, "%s", client_notice_sentence(e->notice.what));
	if (e->notice.what == CLIENT_NOTICE_DROPPED)
		add_text(l, ": %s", client_drop_sentence((enum client_drop)e->notice.to));
	if (has_lease(e->notice.what))
		add_lease(l, &d->client.lease, false);
	add_text(l, "\n");
}

void driver_notice(struct driver *d, const struct effect *e)
{
	struct line l = {.n = 0};

	if (has_lease(e->notice.what))
		history_served(&d->history, clock_wall_ns(&clock_system), &d->client.lease);
	if (client_notice_is_error(e->notice.what))
		history_error(&d->history, clock_wall_ns(&clock_system),
			      client_notice_name(e->notice.what),
			      client_notice_sentence(e->notice.what));
	if (d->opts->json || control_listened(d->control)) {
		json_line(d, e, &l);
		control_event(d->control, span_of(l.s, l.n));
		add_text(&l, "\n");
		if (d->opts->json)
			queue_line(STDOUT_FILENO, &d->out, &l);
	}
	/* dropped packets may come by the thousand; they are only counted */
	if (d->background || e->notice.what == CLIENT_NOTICE_DROPPED)
		return;
	l.n = 0;
	text_line(d, e, &l);
	queue_line(STDERR_FILENO, &d->err, &l);
}

void driver_line(struct driver *d, const char *text)
{
	struct line l = {.n = 0};

	if (d->background)
		return;
	add_text(&l, "usher-client: %s: %s\n", d->watch.now.name, text);
	queue_line(STDERR_FILENO, &d->err, &l);
}

void driver_error_text(struct driver *d, const char *what, const char *cause)
{
	struct line l = {.n = 0};

	history_error(&d->history, clock_wall_ns(&clock_system), what, cause);
	if (d->background)
		return;
	add_text(&l, "usher-client: %s: %s: %s\n", d->watch.now.name, what, cause);
	queue_line(STDERR_FILENO, &d->err, &l);
	driver_flush(d);
}

void driver_error(struct driver *d, const char *what, int err)
{
	driver_error_text(d, what, usher_strerror(err));
}
