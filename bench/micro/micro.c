/* SPDX-License-Identifier: MPL-2.0 */
/*
 * usher-micro: the server core under callgrind, on a virtual clock, without sockets and threads.
 *
 *   valgrind --tool=callgrind --instr-atstart=no --collect-atstart=no usher-micro -c FILE -p
 * PROFILE -n N
 *
 * Reading the configuration, filling pools and making the clients' messages are not counted:
 * counting runs only while the worker has a batch. So the total divided by the exchanges is the
 * cost of one, lease table, lease file (rows, group write) and log included. run.py has the list of
 * measurements.
 *
 *   -p dora|renew|discover|release   a client's exchange; all but dora and discover bind it first,
 * uncounted -n N        exchanges that are counted (128 more go before them, uncounted, for the
 * caches of the core) -b N        messages a batch (32) -d          clients on the link (default:
 * through relays) -s ADDR     our address, and the interface's (/8) -g ADDR -k STRIDE -S N relays:
 * of client c, ADDR + c % N * STRIDE -j N        each second client's number is moved by N -f ADDR
 * -F N   before all: N leases of strangers from ADDR on, in subnet 1 -a SECONDS  between binding
 * and counting
 */
#include "micro.h"

#include "base/error.h"
#include "base/ip.h"
#include "base/log.h"
#include "config/config.h"
#include "lease/journal/journal.h"
#include "lease/lease_db.h"
#include "runtime/iface.h"
#include "runtime/loop.h"
#include "server/edit/edit_libraries.h"
#include "server/manage/command.h"
#include "server/run/builtins.h"
#include "server/worker/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

enum { SEED = 0x75736872, SLOTS = 1024, WARM_UP = 128, ROWS_MAX = 2 };
#define EPOCH (1800000000LL * NS_PER_S)

enum profile { PROFILE_DORA, PROFILE_RENEW, PROFILE_DISCOVER, PROFILE_RELEASE, PROFILE_N };

static const char *const profile_name[PROFILE_N] = {"dora", "renew", "discover", "release"};

struct micro {
	const char *config_file;
	enum profile profile;
	uint32_t n, batch, fill_first, n_fill;
	int64_t age_s;
	struct micro_clients clients;

	struct virtual_clock clock;
	struct server_daemon d;
	struct micro_wire *wire;
	uint32_t *addr; /* of bound clients, by number */
	bool counting;
	uint64_t offers, acks; /* while counting */
};

static int fail(const char *what, int r)
{
	(void)fprintf(stderr, "usher-micro: %s: %s\n", what, usher_strerror(r));
	return r;
}

/* --- the server ------------------------------------------------------------------------------- */

/* Before the lease file is attached: nothing is written for them. */
static int fill(struct micro *m)
{
	for (uint32_t i = 0; i < m->n_fill; i++) {
		struct lease l = {.addr = m->fill_first + i,
				  .subnet_id = 1,
				  .valid_lft = 86400,
				  .cltt = EPOCH / NS_PER_S,
				  .hw_len = 6,
				  .hw = {0x02, 0xf1}};
		struct lease_change ch;
		int r;

		memcpy(l.hw + 2, &(uint32_t){i}, 4);
		r = lease_db_put(m->d.srv.db, &l, LEASE_PUT_ADD, lease_expect_any(), &ch);
		if (r < 0)
			return r;
	}
	return 0;
}

static int open_store(struct micro *m, const struct config *cfg)
{
	struct journal_opts jo = {.path = cfg->lease_file,
				  .persist = cfg->persist,
				  .clock = &m->d.srv.clock,
				  .log = m->d.srv.log};
	struct journal_load_stats st;

	return journal_open(&jo, m->d.srv.db, &m->d.srv.store, &st);
}

static int open_wire(struct micro *m)
{
	struct iface i = {.ifindex = 1,
			  .name = "bench0",
			  .arp_type = 1,
			  .up = true,
			  .running = true,
			  .n_addrs = 1,
			  .addrs = {{m->clients.server, 8}},
			  .mac = {2, 'u', 's', 'h', 'e', 'r'}};
	struct iface_table *t = iface_table_new(&i, 1);
	struct worker_opts wo = {.n_slots = SLOTS};
	int r;

	if (!t)
		return -ENOMEM;
	server_publish_ifaces(&m->d.srv, t);
	r = worker_add(&m->d.srv, &wo);
	if (r < 0)
		return r;
	r = micro_wire_new(&m->clients, &m->wire);
	return r < 0 ? r : worker_attach(m->d.srv.workers[0], micro_wire_capture(m->wire), 1);
}

/* As daemon_start does it, without sockets, threads and signals. */
static int bring_up(struct micro *m)
{
	struct config_load_opts lo = {0};
	struct config_error err = {0};
	struct server_opts so = {.clock = m->clock.src, .seed = SEED, .builtins = server_builtins};
	struct config *cfg = NULL;
	int r = config_load_file(m->config_file, &lo, &cfg, &err);

	if (r < 0) {
		(void)fprintf(stderr, "usher-micro: %s: %s\n", m->config_file, err.text);
		return r;
	}
	m->d.o.config_file = m->config_file;
	m->d.o.commands = &server_commands;
	m->d.o.libraries = edit_libraries;
	m->d.o.n_libraries = edit_n_libraries;
	m->d.signal_fd = m->d.pid_fd = m->d.lock_fd = -1;
	so.log = log_new(&m->clock.src, "kea-dhcp4");
	so.offer_hold_s = cfg->offer_hold_s;
	r = so.log ? server_init(&m->d.srv, &so) : -ENOMEM;
	if (r == 0)
		r = fill(m);
	if (r == 0)
		r = loop_new(&m->d.loop);
	if (r == 0)
		r = open_store(m, cfg);
	/* before the first lines of a start, which belong to the counted numbers of no exchange */
	if (r == 0)
		daemon_apply_log(&m->d, cfg);
	if (r == 0)
		r = daemon_apply(&m->d, cfg, NULL, &err);
	if (r < 0) {
		config_free(cfg);
		return fail(err.text[0] ? err.text : "start", r);
	}
	r = open_wire(m);
	return r < 0 ? fail("worker", r) : 0;
}

static void tear_down(struct micro *m)
{
	struct log *log = m->d.srv.log;

	workers_free(&m->d.srv);
	if (m->d.srv.db)
		server_fini(&m->d.srv);
	loop_free(m->d.loop);
	log_free(log);
	free(m->addr);
}

/* --- exchanges -------------------------------------------------------------------------------- */

/* Runs the worker: the counted part. */
static void run_worker(struct micro *m)
{
	if (m->counting)
		CALLGRIND_TOGGLE_COLLECT;
	(void)worker_run_once(m->d.srv.workers[0]);
	if (m->counting)
		CALLGRIND_TOGGLE_COLLECT;
}

/* Lets the worker take and answer the n messages that were put. Those whose lease a callout has
 * stored again wait for a second row. */
static void run(struct micro *m, unsigned n)
{
	virtual_clock_set(&m->clock, m->clock.wall + NS_PER_MS);
	micro_wire_begin(m->wire, n, m->clock.wall);
	run_worker(m);
	for (unsigned i = 0; i < ROWS_MAX && worker_parked(m->d.srv.workers[0]); i++)
		run_worker(m);
	for (unsigned i = 0; m->counting && i < n; i++) {
		m->offers += micro_wire_answer(m->wire, i).type == MICRO_OFFER;
		m->acks += micro_wire_answer(m->wire, i).type == MICRO_ACK;
	}
}

static void discover(struct micro *m, uint32_t first, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		micro_wire_put(m->wire, i, first + i, MICRO_DISCOVER, 0, false);
	run(m, n);
}

static void bind_clients(struct micro *m, uint32_t first, unsigned n)
{
	discover(m, first, n);
	for (unsigned i = 0; i < n; i++)
		micro_wire_put(m->wire, i, first + i, MICRO_REQUEST,
			       micro_wire_answer(m->wire, i).addr, false);
	run(m, n);
	for (unsigned i = 0; i < n; i++)
		m->addr[first + i] = micro_wire_answer(m->wire, i).addr;
}

static void with_address(struct micro *m, uint32_t first, unsigned n, enum micro_message type)
{
	for (unsigned i = 0; i < n; i++)
		micro_wire_put(m->wire, i, first + i, type, m->addr[first + i],
			       type == MICRO_REQUEST);
	run(m, n);
}

static void step(struct micro *m, enum profile p, uint32_t first, unsigned n)
{
	switch (p) {
	case PROFILE_DORA:
		bind_clients(m, first, n);
		break;
	case PROFILE_DISCOVER:
		discover(m, first, n);
		break;
	case PROFILE_RENEW:
		with_address(m, first, n, MICRO_REQUEST);
		break;
	case PROFILE_RELEASE:
		with_address(m, first, n, MICRO_RELEASE);
		break;
	case PROFILE_N:
		break;
	}
}

static void stretch(struct micro *m, enum profile p, uint32_t first, uint32_t n)
{
	for (uint32_t i = 0; i < n; i += m->batch)
		step(m, p, first + i, n - i < m->batch ? n - i : m->batch);
}

static int measure(struct micro *m)
{
	bool binds_first = m->profile == PROFILE_RENEW || m->profile == PROFILE_RELEASE;

	m->addr = calloc(WARM_UP + m->n, sizeof(*m->addr));
	if (!m->addr)
		return fail("clients", -ENOMEM);
	if (binds_first)
		stretch(m, PROFILE_DORA, 0, WARM_UP + m->n);
	virtual_clock_set(&m->clock, m->clock.wall + m->age_s * NS_PER_S);
	stretch(m, m->profile, 0, WARM_UP);
	CALLGRIND_START_INSTRUMENTATION;
	m->counting = true;
	stretch(m, m->profile, WARM_UP, m->n);
	m->counting = false;
	CALLGRIND_STOP_INSTRUMENTATION;
	(void)printf("{\"exchanges\": %u, \"offers\": %llu, \"acks\": %llu}\n", m->n,
		     (unsigned long long)m->offers, (unsigned long long)m->acks);
	return 0;
}

/* --- command line ----------------------------------------------------------------------------- */

static bool parse_addr(const char *s, uint32_t *ret)
{
	return ip_parse(s, strlen(s), ret) == 0;
}

static bool parse_u32(const char *s, uint32_t *ret)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	*ret = (uint32_t)v;
	return *s && !*end && v <= UINT32_MAX;
}

static bool parse_profile(const char *s, enum profile *ret)
{
	for (enum profile p = 0; p < PROFILE_N; p++)
		if (strcmp(s, profile_name[p]) == 0) {
			*ret = p;
			return true;
		}
	return false;
}

static bool parse_one(struct micro *m, int c)
{
	uint32_t v;

	switch (c) {
	case 'c':
		m->config_file = optarg;
		return true;
	case 'p':
		return parse_profile(optarg, &m->profile);
	case 'n':
		return parse_u32(optarg, &m->n) && m->n > 0;
	case 'b':
		return parse_u32(optarg, &m->batch) && m->batch > 0 && m->batch <= MICRO_BATCH;
	case 'd':
		m->clients.direct = true;
		return true;
	case 's':
		return parse_addr(optarg, &m->clients.server);
	case 'g':
		return parse_addr(optarg, &m->clients.giaddr);
	case 'k':
		return parse_u32(optarg, &m->clients.stride);
	case 'S':
		return parse_u32(optarg, &m->clients.n_subnets) && m->clients.n_subnets > 0;
	case 'j':
		return parse_u32(optarg, &m->clients.jump);
	case 'f':
		return parse_addr(optarg, &m->fill_first);
	case 'F':
		return parse_u32(optarg, &m->n_fill);
	case 'a':
		if (!parse_u32(optarg, &v))
			return false;
		m->age_s = v;
		return true;
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	struct micro *m = calloc(1, sizeof(*m));
	bool good = m != NULL;
	int c;
	int r;

	if (!m)
		return 1;
	m->n = 2000;
	m->batch = 32;
	m->clients = (struct micro_clients){.server = 0x0a000001,
					    .giaddr = 0x0a000001,
					    .n_subnets = 1};
	while (good && (c = getopt(argc, argv, "c:p:n:b:ds:g:k:S:j:f:F:a:")) >= 0)
		good = parse_one(m, c);
	if (!good || !m->config_file || optind < argc) {
		(void)fprintf(
			stderr,
			"usage: usher-micro -c FILE -p dora|renew|discover|release [-n N] ... "
			"(see the top of bench/micro/micro.c)\n");
		free(m);
		return 1;
	}
	virtual_clock_init(&m->clock, EPOCH);
	r = bring_up(m);
	if (r == 0)
		r = measure(m);
	tear_down(m);
	free(m);
	return r < 0 ? 1 : 0;
}
