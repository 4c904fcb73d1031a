/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A connection of a requester. Queries are read as long as there is place for them, and worked on
 * in turn, a step of some leases each. Answers wait in a buffer; a reader that does not take them
 * stops the work of its own queries only.
 */
#include "library/lease_query/bulk_impl.h"

#include "base/clock.h"
#include "base/cursor.h"
#include "base/error.h"
#include "base/ip.h"
#include "base/log.h"
#include "lease/lease_db.h"
#include "runtime/loop.h"
#include "wire/dhcp4.h"
#include "wire/option_codes.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* OUT_HIGH: octets that wait for a reader; above it no more are made. MESSAGE_MAX: of an answer. */
enum { READ_LEN = 4096, OUT_HIGH = 64 * 1024, MESSAGE_MAX = 4096, FRAME_MAX = 2 + UINT16_MAX };

static void log_end(const struct bulk_conn *c, const char *reason)
{
	char ip[IP_TEXT_LEN];

	if (log_wants(c->s->o.log, LOG_USHER_BULK_LEASE_QUERY_ENDED))
		log_msg(c->s->o.log, LOG_USHER_BULK_LEASE_QUERY_ENDED, "connection of %s: %s",
			ip_text(c->addr, ip), reason);
}

static void end_conn(struct bulk_conn *c, const char *reason)
{
	if (!c->ended)
		log_end(c, reason);
	c->ended = true;
}

/* --- Answers ---------------------------------------------------------------------------------- */

static size_t unsent(const struct bulk_conn *c)
{
	return c->out.len - c->sent;
}

/* Begins a message to a query; its first one has the server identifier (RFC 6926 7.4). */
static int begin_message(struct bulk_conn *c, struct bulk_run *run, enum dhcp4_type type,
			 const struct bulk_use *u, struct dhcp4_msg *m)
{
	int r;

	dhcp4_init(m, &c->s->arena);
	m->op = DHCP4_BOOTREPLY;
	m->xid = run->q.xid;
	r = dhcp4_opt_set_u8(m, DHCP4_OPT_MESSAGE_TYPE, (uint8_t)type);
	if (r == 0 && !run->begun)
		r = dhcp4_opt_set_u32(m, DHCP4_OPT_SERVER_ID, u->params.ip);
	run->begun = true;
	return r;
}

static int write_message(struct bulk_conn *c, const struct dhcp4_msg *m)
{
	struct dhcp4_encode_opts o = {.max_len = MESSAGE_MAX};
	uint8_t octets[2 + MESSAGE_MAX];
	struct dhcp4_encoded e;
	struct wr w = wr_init(octets, 2);
	int r = dhcp4_encode(m, &o, octets + 2, MESSAGE_MAX, &e);

	if (r < 0)
		return r;
	wr_be16(&w, (uint16_t)e.len);
	buf_add(&c->out, octets, 2 + e.len);
	return c->out.failed ? -ENOMEM : 0;
}

static int answer_lease(struct bulk_conn *c, struct bulk_run *run, const struct bulk_use *u,
			const struct lease *l, int64_t now_s)
{
	struct dhcp4_msg m;
	int r;

	if (!lease_query_has_subnet(u->cfg, l))
		return 0;
	bulk_count(c->s, HOOK_EVENT_BULK_LEASE);
	r = begin_message(c, run, DHCP4_LEASEACTIVE, u, &m);
	if (r == 0)
		r = dhcp4_opt_set_u32(&m, DHCP4_OPT_BASE_TIME, (uint32_t)now_s);
	if (r == 0)
		r = lease_query_fill(&m, l, u->cfg, now_s);
	return r < 0 ? r : write_message(c, &m);
}

static int answer_done(struct bulk_conn *c, struct bulk_run *run, const struct bulk_use *u)
{
	uint8_t status[128];
	struct wr w = wr_init(status, sizeof(status));
	struct dhcp4_msg m;
	int r = begin_message(c, run, DHCP4_LEASEQUERYDONE, u, &m);

	if (r == 0 && run->q.status != BULK_SUCCESS) {
		bulk_count(c->s, HOOK_EVENT_BULK_MISTAKE);
		wr_u8(&w, (uint8_t)run->q.status);
		wr_span(&w, span_str(run->q.reason));
		r = dhcp4_opt_set(&m, DHCP4_OPT_STATUS_CODE, span_of(status, w.len));
	}
	return r < 0 ? r : write_message(c, &m);
}

/* --- Queries ---------------------------------------------------------------------------------- */

static bool is_running(const struct bulk_conn *c, uint32_t xid)
{
	for (const struct bulk_run *r = c->runs; r; r = r->next)
		if (r->q.xid == xid)
			return true;
	return false;
}

static void take_query(struct bulk_conn *c, const struct bulk_query *q)
{
	struct bulk_run **p = &c->runs;
	struct bulk_run *run;
	char ip[IP_TEXT_LEN];

	if (is_running(c, q->xid)) {
		bulk_count(c->s, HOOK_EVENT_BULK_DUPLICATE);
		log_msg(c->s->o.log, LOG_BULK_LEASE_QUERY_DUPLICATE_XID,
			"connection of %s: a query with the transaction id %08x is in progress",
			ip_text(c->addr, ip), q->xid);
		return;
	}
	run = calloc(1, sizeof(*run));
	if (!run) {
		end_conn(c, "out of memory");
		return;
	}
	bulk_count(c->s, HOOK_EVENT_BULK_QUERY);
	run->q = *q;
	while (*p)
		p = &(*p)->next;
	*p = run;
	c->n_runs++;
}

/* Takes the complete messages out of the buffer. */
static void take_messages(struct bulk_conn *c)
{
	struct bulk_query q uninit;
	struct span message;
	size_t done = 0, n;

	while (!c->ended && c->n_runs < BULK_QUERIES_MAX) {
		n = bulk_frame_next(span_of(c->in.p + done, c->in.len - done), &message);
		if (!n)
			break;
		if (bulk_query_read(message, &c->s->arena, &q) == 0) {
			take_query(c, &q);
		} else {
			bulk_count(c->s, HOOK_EVENT_BULK_BROKEN);
			end_conn(c, "a message that is no bulk lease query");
		}
		arena_reset(&c->s->arena);
		c->progress_ns = clock_mono_ns(&clock_system);
		done += n;
	}
	if (done) {
		memmove(c->in.p, c->in.p + done, c->in.len - done);
		c->in.len -= done;
	}
}

/* --- Work ------------------------------------------------------------------------------------- */

/* Moves the first query behind the others that are worked on; those that wait keep their place. */
static void rotate_runs(struct bulk_conn *c, uint32_t max)
{
	struct bulk_run *first = c->runs, **p = &first->next;

	for (uint32_t i = 1; i < max && *p; i++)
		p = &(*p)->next;
	if (p == &first->next)
		return;
	c->runs = first->next;
	first->next = *p;
	*p = first;
}

/* Carries out a step of a query. Returns 1 if it ended, 0 if not, or negative. */
static int step_query(struct bulk_conn *c, struct bulk_run *run, const struct bulk_use *u)
{
	struct bulk_server *s = c->s;
	int64_t now_s = clock_wall_s(s->o.clock);
	struct lease *page;
	size_t n;
	int r = 0;

	if (run->q.status == BULK_SUCCESS && lease_db_is_loading(s->o.db)) {
		run->q.status = BULK_UNSPEC_FAIL;
		run->q.reason = "the leases are being loaded";
	}
	if (run->q.status != BULK_SUCCESS || run->at == UINT64_MAX) {
		r = answer_done(c, run, u);
		return r < 0 ? r : 1;
	}
	page = arena_array(&s->arena, struct lease, u->params.fetch);
	if (!page)
		return -ENOMEM;
	n = bulk_walk_next(s->o.db, &run->q, &run->at, now_s, &s->arena, page, u->params.fetch);
	for (size_t i = 0; i < n && r == 0; i++)
		r = answer_lease(c, run, u, &page[i], now_s);
	return r;
}

static void send_out(struct bulk_conn *c)
{
	while (unsent(c)) {
		ssize_t n = send(c->fd, c->out.p + c->sent, unsent(c), MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EAGAIN)
				end_conn(c, usher_strerror(-errno));
			break;
		}
		c->sent += (size_t)n;
		c->progress_ns = clock_mono_ns(&clock_system);
	}
	if (c->sent) {
		memmove(c->out.p, c->out.p + c->sent, unsent(c));
		c->out.len -= c->sent;
		c->sent = 0;
	}
}

static void watch_conn(struct bulk_conn *c)
{
	uint32_t events = (c->n_runs < BULK_QUERIES_MAX ? EPOLLIN : 0U) |
			  (unsent(c) ? EPOLLOUT : 0U);

	if (!c->ended && loop_modify(c->source, events) < 0)
		end_conn(c, "it cannot be watched");
}

bool bulk_conn_has_work(const struct bulk_conn *c)
{
	return !c->ended && c->runs && unsent(c) < OUT_HIGH;
}

void bulk_conn_work(struct bulk_conn *c, const struct bulk_use *u)
{
	uint32_t max = u->params.max_queries ? u->params.max_queries : BULK_QUERIES_MAX;
	struct bulk_run *run = c->runs;
	int r = step_query(c, run, u);

	arena_reset(&c->s->arena);
	if (r < 0) {
		end_conn(c, usher_strerror(r));
	} else if (r > 0) {
		c->runs = run->next;
		c->n_runs--;
		free(run);
		take_messages(c); /* those that had no place */
	} else {
		rotate_runs(c, max);
	}
	send_out(c);
	watch_conn(c);
}

/* --- Reading ---------------------------------------------------------------------------------- */

static void read_in(struct bulk_conn *c)
{
	uint8_t octets[READ_LEN];
	size_t room = FRAME_MAX - c->in.len;
	ssize_t n = recv(c->fd, octets, room < READ_LEN ? room : READ_LEN, MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		end_conn(c, n == 0 ? "closed by the requester" : usher_strerror(-errno));
	} else if (n > 0) {
		buf_add(&c->in, octets, (size_t)n);
		if (c->in.failed)
			end_conn(c, "out of memory");
	}
}

static void conn_ready(void *conn, uint32_t events)
{
	struct bulk_conn *c = conn;
	struct bulk_server *s = c->s;

	(void)pthread_mutex_lock(&s->mu);
	if (events & EPOLLOUT)
		send_out(c);
	if (!c->ended && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) && c->in.len < FRAME_MAX)
		read_in(c);
	take_messages(c);
	watch_conn(c);
	bulk_server_settle(s);
	(void)pthread_mutex_unlock(&s->mu);
}

/* --- Life ------------------------------------------------------------------------------------- */

int bulk_conn_new(struct bulk_server *s, int fd, uint32_t addr)
{
	struct bulk_conn *c = calloc(1, sizeof(*c));
	int r = c ? 0 : -ENOMEM;

	if (r == 0)
		r = loop_add(s->loop, fd, EPOLLIN, conn_ready, c, &c->source);
	if (r < 0) {
		(void)close(fd);
		free(c);
		return r;
	}
	c->s = s;
	c->fd = fd;
	c->addr = addr;
	c->progress_ns = clock_mono_ns(&clock_system);
	buf_init(&c->in);
	buf_init(&c->out);
	c->next = s->conns;
	s->conns = c;
	s->n_conns++;
	return 0;
}

void bulk_conn_free(struct bulk_conn *c)
{
	for (struct bulk_run *next; c->runs; c->runs = next) {
		next = c->runs->next;
		free(c->runs);
	}
	loop_remove(c->source);
	(void)close(c->fd);
	buf_fini(&c->in);
	buf_fini(&c->out);
	free(c);
}

bool bulk_conn_is_over(const struct bulk_conn *c, const struct bulk_use *u, int64_t now_ns)
{
	if (!lease_query_may_ask(u->requesters, c->addr)) {
		log_end(c, "its address is not among the requesters any more");
		return true;
	}
	if (bulk_conn_has_work(c) || now_ns - c->progress_ns < (int64_t)u->params.idle_s * NS_PER_S)
		return false;
	bulk_count(c->s, HOOK_EVENT_BULK_IDLE);
	log_end(c, unsent(c) ? "the requester does not read" : "idle");
	return true;
}
