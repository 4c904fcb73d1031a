/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Bindings from the server itself: its leases, asked for page by page over its control channel
 * (lease4-get-page), so that a gate that started after an address was assigned knows its owner. A
 * thread of its own asks; when it has all leases, the gate's thread takes them over, some at a
 * time. Newer knowledge wins: an acknowledgement that passed since the asking began is newer than
 * the list. A lease does not name its client's port: the port at which the client first uses its
 * address becomes its port.
 */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/ip.h"
#include "base/log.h"
#include "config/json/json.h"
#include "control/request.h"
#include "gate/guard/guard_impl.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
	PAGE = 1000,
	PAGE_BYTES = 16 << 20,
	TIMEOUT_S = 5,
	AT_A_TIME = 512,
	MAC_LEN = 6,
	STATE_ASSIGNED = 0
};

#define LFT_INFINITE UINT32_MAX

struct lease_row {
	uint32_t address;
	uint8_t mac[MAC_LEN];
	struct guard_id id;
	int64_t end_ns; /* on the wall clock */
};

struct guard_server {
	const char *path;
	struct log *log;
	int64_t interval_ns;
	uint32_t max;
	pthread_t thread;
	bool runs;
	pthread_mutex_t lock;
	pthread_cond_t wake; /* it is to end, or the rows were taken */
	bool stop;
	bool failed;	    /* the last time; reported once */
	_Atomic bool ready; /* rows are the gate's until it clears this */
	struct lease_row *rows;
	uint32_t n, cap;
	int64_t asked_ns;	  /* when the list was begun */
	uint64_t reads, failures; /* under lock */
	/* of the gate's thread */
	uint32_t taken; /* rows */
	uint32_t swept; /* of the table */
	uint32_t round; /* of lists */
};

/* --- Asking: the thread ----------------------------------------------------------------------- */

static int keep_row(struct guard_server *s, const struct lease_row *row)
{
	if (s->n == s->cap) {
		uint32_t cap = s->cap ? 2 * s->cap : PAGE;
		struct lease_row *rows = realloc(s->rows, cap * sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		s->rows = rows;
		s->cap = cap;
	}
	s->rows[s->n++] = *row;
	return 0;
}

/* Reads a lease of the answer. 0: it does not bind an address to an Ethernet client; negative: it
 * is no lease at all. */
static int row_of(const struct json *lease, struct lease_row *ret)
{
	const struct json *ip = json_get(lease, "ip-address"), *hw = json_get(lease, "hw-address"),
			  *id = json_get(lease, "client-id");
	uint8_t octets[256];
	int64_t cltt, lft, state = STATE_ASSIGNED;
	int n;

	if (!ip || ip->type != JSON_STRING || ip_parse(ip->s, ip->n, &ret->address) < 0)
		return -USHER_E_MALFORMED;
	if (!json_get_int(lease, "cltt", &cltt) || !json_get_int(lease, "valid-lft", &lft) ||
	    cltt < 0 || lft < 0 || cltt > INT32_MAX * INT64_C(8) || lft > LFT_INFINITE)
		return -USHER_E_MALFORMED;
	(void)json_get_int(lease, "state", &state);
	if (state != STATE_ASSIGNED || !hw || hw->type != JSON_STRING ||
	    hex_parse(hw->s, hw->n, ret->mac, sizeof(ret->mac)) != MAC_LEN)
		return 0;
	n = id && id->type == JSON_STRING && id->n ? hex_parse(id->s, id->n, octets, sizeof(octets))
						   : 0;
	guard_id_of(span_of(octets, n > 0 ? (size_t)n : 0), &ret->id);
	ret->end_ns = lft == LFT_INFINITE || cltt + lft > INT64_MAX / NS_PER_S
			      ? INT64_MAX
			      : (cltt + lft) * NS_PER_S;
	return 1;
}

/* Takes the leases of an answer. Returns their number, and the last one's address in *last. */
static int take_page(struct guard_server *s, const struct json *answer, uint32_t *last)
{
	const struct json *args = json_get(answer, "arguments"),
			  *leases = args ? json_get(args, "leases") : NULL;
	int64_t result = -1;
	int n = 0;

	if (json_get_int(answer, "result", &result) && result == 3) /* there are none */
		return 0;
	if (result == 1 ||
	    result == 2) /* it is reading its file, for example; or knows no such command */
		return result == 1 ? -EAGAIN : -USHER_E_UNSUPPORTED;
	if (result != 0 || !leases || leases->type != JSON_LIST)
		return -USHER_E_MALFORMED;
	for (const struct json *lease = leases->first; lease; lease = lease->next, n++) {
		struct lease_row row;
		int r = row_of(lease, &row);

		/* a list that does not advance would be requested for ever */
		if (r < 0 || row.address <= *last)
			return -USHER_E_MALFORMED;
		*last = row.address;
		if (r > 0)
			r = keep_row(s, &row);
		if (r < 0)
			return r;
	}
	return n;
}

static int ask_page(struct guard_server *s, uint32_t *last, struct arena *a)
{
	struct json_opts jo = {.file = "answer"};
	struct config_error err;
	struct json *answer;
	struct buf out, in;
	char ip[IP_TEXT_LEN];
	auto_close int fd = control_connect(s->path, SOCK_STREAM, TIMEOUT_S);
	int r;

	if (fd < 0)
		return fd;
	buf_init(&out);
	buf_init(&in);
	buf_printf(
		&out,
		"{\"command\": \"lease4-get-page\", \"arguments\": {\"from\": \"%s\", \"limit\": %d}}",
		*last ? ip_text(*last, ip) : "start", PAGE);
	r = out.failed ? -ENOMEM : control_transfer(fd, &out, PAGE_BYTES, &in);
	if (r == 0)
		r = json_parse(span_of(in.p, in.len), &jo, a, &answer, &err);
	if (r == 0)
		r = take_page(s, answer, last);
	buf_fini(&out);
	buf_fini(&in);
	return r;
}

static int ask_all(struct guard_server *s)
{
	uint32_t last = 0;
	struct arena a;
	int r;

	s->n = 0;
	s->asked_ns = clock_wall_ns(&clock_system);
	arena_init(&a);
	do {
		r = ask_page(s, &last, &a);
		arena_reset(&a);
		if (r >= 0 && s->n > s->max)
			r = -USHER_E_LIMIT;
	} while (r == PAGE);
	arena_fini(&a);
	return r < 0 ? r : 0;
}

static void count_read(struct guard_server *s, int r)
{
	(void)pthread_mutex_lock(&s->lock);
	s->reads++;
	s->failures += r < 0;
	(void)pthread_mutex_unlock(&s->lock);
	if (r < 0 && !s->failed)
		log_msg(s->log, LOG_USHER_GUARD_SERVER_FAIL, "%s: %s; asked again and again",
			s->path, usher_strerror(r));
	if (r == 0 && s->failed)
		log_msg(s->log, LOG_USHER_GUARD_SERVER_BACK, "%s: answers again, %u leases",
			s->path, s->n);
	s->failed = r < 0;
}

/* Waits until the rows are taken, then until the next time. True: the thread is to end. */
static bool wait_for_next(struct guard_server *s)
{
	struct timespec at;
	int64_t ns;
	bool stop;

	(void)clock_gettime(CLOCK_MONOTONIC, &at);
	ns = at.tv_sec * NS_PER_S + at.tv_nsec + s->interval_ns;
	at = (struct timespec){ns / NS_PER_S, ns % NS_PER_S};
	(void)pthread_mutex_lock(&s->lock);
	while (!s->stop && atomic_load_explicit(&s->ready, memory_order_acquire))
		(void)pthread_cond_wait(&s->wake, &s->lock);
	while (!s->stop && pthread_cond_timedwait(&s->wake, &s->lock, &at) != ETIMEDOUT)
		;
	stop = s->stop;
	(void)pthread_mutex_unlock(&s->lock);
	return stop;
}

static void *asker(void *arg)
{
	struct guard_server *s = arg;

	do {
		int r = ask_all(s);

		count_read(s, r);
		if (r == 0)
			atomic_store_explicit(&s->ready, true, memory_order_release);
	} while (!wait_for_next(s));
	return NULL;
}

/* --- Taking over: the gate's thread ----------------------------------------------------------- */

static void take_row(struct guard *gd, const struct lease_row *row, int64_t now_ns)
{
	struct guard_server *s = gd->server;
	uint32_t vlan = gd->o.server_vlan;
	struct guard_binding *b = guard_bindings_find(gd->bindings, vlan, row->address);
	int64_t end = guard_from_wall(gd, row->end_ns);

	if (end <= now_ns || (b && (b->fixed || b->since_ns >= s->asked_ns - gd->ahead_ns)))
		return;
	if (b && memcmp(b->mac, row->mac, MAC_LEN) != 0) {
		guard_unbind(gd, b);
		guard_count(gd, GUARD_COUNT_TAKEN);
		b = NULL;
	}
	if (!b) {
		b = guard_bindings_add(gd->bindings, vlan, row->address, row->mac);
		guard_count(gd, b ? GUARD_COUNT_READ : GUARD_COUNT_UNBOUND);
		gd->changes++;
	}
	if (!b)
		return;
	b->id = row->id;
	b->server_round = s->round;
	if (b->end_ns != end)
		guard_bindings_end(gd->bindings, b, end);
}

/* Removes bindings that were on an earlier list and are not on this one: the server has taken their
 * leases back. */
static bool sweep(struct guard *gd)
{
	struct guard_server *s = gd->server;
	const struct guard_binding *b;

	for (int i = 0; i < AT_A_TIME; i++) {
		b = guard_bindings_each(gd->bindings, &s->swept);
		if (!b)
			return true;
		if (!b->fixed && b->server_round && b->server_round != s->round &&
		    b->since_ns < s->asked_ns - gd->ahead_ns) {
			guard_unbind(gd, guard_bindings_find(gd->bindings, b->vlan, b->address));
			guard_count(gd, GUARD_COUNT_WITHDRAWN);
		}
	}
	return false;
}

static void taken(struct guard_server *s)
{
	s->taken = s->swept = 0;
	(void)pthread_mutex_lock(&s->lock);
	atomic_store_explicit(&s->ready, false, memory_order_release);
	(void)pthread_cond_signal(&s->wake);
	(void)pthread_mutex_unlock(&s->lock);
}

void guard_server_tick(struct guard *gd, int64_t now_ns)
{
	struct guard_server *s = gd->server;

	if (!atomic_load_explicit(&s->ready, memory_order_acquire))
		return;
	if (s->taken == 0 && s->swept == 0)
		s->round++;
	for (int i = 0; i < AT_A_TIME && s->taken < s->n; i++)
		take_row(gd, &s->rows[s->taken++], now_ns);
	if (s->taken == s->n && sweep(gd))
		taken(s);
}

void guard_server_counters(struct guard_server *s, uint64_t *ret_reads, uint64_t *ret_failures)
{
	(void)pthread_mutex_lock(&s->lock);
	*ret_reads = s->reads;
	*ret_failures = s->failures;
	(void)pthread_mutex_unlock(&s->lock);
}

/* --- Life ------------------------------------------------------------------------------------- */

int guard_server_new(struct guard *gd, struct guard_server **ret)
{
	struct guard_server *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;

	if (!s)
		return -ENOMEM;
	s->path = gd->o.server;
	s->log = gd->o.log;
	s->interval_ns = gd->o.server_ns;
	s->max = gd->o.max_bindings;
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&s->wake, &attr);
	(void)pthread_condattr_destroy(&attr);
	*ret = s;
	return 0;
}

int guard_server_start(struct guard *gd, int64_t now_ns)
{
	struct guard_server *s = gd->server;
	int r = ask_all(s);

	/* before the first packet: clients with a lease are known from the start */
	count_read(s, r);
	if (r == 0) {
		atomic_store(&s->ready, true);
		while (atomic_load(&s->ready))
			guard_server_tick(gd, now_ns);
		log_msg(s->log, LOG_USHER_GUARD_SERVER_READ, "%s: %u leases", s->path, s->n);
	}
	r = pthread_create(&s->thread, NULL, asker, s);
	s->runs = r == 0;
	return -r;
}

void guard_server_free(struct guard_server *s)
{
	if (!s)
		return;
	if (s->runs) {
		(void)pthread_mutex_lock(&s->lock);
		s->stop = true;
		(void)pthread_cond_signal(&s->wake);
		(void)pthread_mutex_unlock(&s->lock);
		(void)pthread_join(s->thread, NULL);
	}
	(void)pthread_cond_destroy(&s->wake);
	(void)pthread_mutex_destroy(&s->lock);
	free(s->rows);
	free(s);
}
