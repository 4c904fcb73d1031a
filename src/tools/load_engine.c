/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Phases and pace. A phase is a loop: take answers, give up late exchanges, start as many as the
 * window and the rate allow, send, wait. The order of phases: bind (profile renew), warm-up,
 * measure (or the steps of a ramp), each followed by waiting for outstanding answers where its
 * numbers count; then the lease file.
 */
#include "base/clock.h"
#include "tools/load_engine_impl.h"
#include "tools/load_ramp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	PROGRESS_NS = 500 * NS_PER_MS,
	WAIT_MAX_NS = 50 * NS_PER_MS,
	BACKLOG_NS = 20 * NS_PER_MS, /* the pace makes up for at most so much */
	BIND_TRIES = 5,
	FIRST_ANSWER_NS = 3, /* time-outs without any answer, and binding is given up */
};
#define RAMP_STEP_NS (2 * NS_PER_S)

/* --- lifetime --------------------------------------------------------------------------------- */

static int init_tables(struct load_engine *e)
{
	const struct load_opts *o = e->o;
	bool named = o->clients || o->leases;
	int r = load_templates_init(&e->templates, o->options, o->client_id, !o->direct);

	/* printed now, not at the end of the run */
	if (r == 0 && o->leases && access(o->leases, R_OK) < 0)
		r = -errno;

	if (r == 0)
		r = load_clients_init(&e->clients, (uint32_t)o->clients);
	if (r == 0)
		r = load_owners_init(&e->owners, named);
	if (r == 0 && o->live)
		r = load_live_open(&e->live, o->leases, o->first_client);
	return r;
}

static int init_slots(struct load_engine *e)
{
	e->slots = calloc(e->o->window, sizeof(*e->slots));
	e->free_slots = calloc(e->o->window, sizeof(*e->free_slots));
	e->arena_mem = malloc(LOAD_ARENA_LEN);
	if (!e->slots || !e->free_slots || !e->arena_mem)
		return -ENOMEM;
	arena_init_fixed(&e->arena, e->arena_mem, LOAD_ARENA_LEN);
	rng_seed(&e->rng, e->o->seed);
	for (unsigned i = 0; i < e->o->window; i++) {
		e->slots[i].gen = (uint16_t)rng_u64(&e->rng);
		e->free_slots[e->n_free++] = (uint16_t)(e->o->window - 1 - i);
	}
	e->first = e->last = LOAD_NIL;
	return 0;
}

int load_engine_new(const struct load_opts *o, struct load_io *io,
		    const volatile sig_atomic_t *stop, struct load_engine **ret)
{
	struct load_engine *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	e->o = o;
	e->io = io;
	e->stop = stop;
	e->counts = &e->other;
	e->terminal = isatty(STDERR_FILENO) == 1;
	e->stranger = rng_u64(&(struct rng){{o->seed, 1, 2, 3}}) & UINT32_MAX;
	r = init_slots(e);
	if (r == 0)
		r = init_tables(e);
	if (r < 0) {
		load_engine_free(e);
		return r;
	}
	*ret = e;
	return 0;
}

void load_engine_free(struct load_engine *e)
{
	if (!e)
		return;
	load_clients_fini(&e->clients);
	load_owners_fini(&e->owners);
	load_live_close(&e->live);
	free(e->slots);
	free(e->free_slots);
	free(e->arena_mem);
	free(e);
}

const struct load_result *load_engine_result(struct load_engine *e)
{
	load_io_counts(e->io, &e->result.io);
	return &e->result;
}

/* --- progress --------------------------------------------------------------------------------- */

static const char *phase_name(const struct load_engine *e)
{
	return e->binding ? "bind" : e->measuring ? "measure" : "warm-up";
}

static void progress(struct load_engine *e)
{
	const struct load_counts *c = e->counts;
	double ms = (double)NS_PER_MS;
	uint64_t done = c->exchanges + c->drained;
	double rate;

	if (!e->o->progress || e->now_ns < e->progress_ns)
		return;
	rate = done >= e->progress_done ? (double)(done - e->progress_done) * 1e9 /
						  (double)(e->now_ns - e->progress_ns + PROGRESS_NS)
					: 0;
	(void)fprintf(stderr,
		      "%s%s: %.0f exchanges/s, %llu done, %llu dropped, %llu errors, "
		      "p50 %.3f ms, p99 %.3f ms%s",
		      e->terminal ? "\r\033[K" : "", phase_name(e), rate, (unsigned long long)done,
		      (unsigned long long)load_drops(c), (unsigned long long)e->result.n_errors,
		      (double)hist_percentile(&e->result.latency, 0.5) / ms,
		      (double)hist_percentile(&e->result.latency, 0.99) / ms,
		      e->terminal ? "" : "\n");
	(void)fflush(stderr);
	e->progress_done = done;
	e->progress_ns = e->now_ns + PROGRESS_NS;
}

/* --- one round -------------------------------------------------------------------------------- */

/* Returns the number of exchanges that may begin now, by the rate since pace_from_ns. */
static uint64_t paced_budget(struct load_engine *e)
{
	double due = (double)(e->now_ns - e->pace_from_ns) * e->rate / 1e9;
	double backlog = (double)BACKLOG_NS * e->rate / 1e9 + 1;

	if (due <= (double)e->paced)
		return 0;
	/* exchanges that could not be started in time are not started later in a burst */
	if (due - (double)e->paced > backlog) {
		uint64_t lost = (uint64_t)(due - (double)e->paced - backlog);

		e->counts->not_started += lost;
		e->paced += lost;
	}
	return (uint64_t)(due - (double)e->paced);
}

static void start_some(struct load_engine *e)
{
	uint64_t budget = e->rate > 0 ? paced_budget(e) : UINT64_MAX;

	while (budget && e->starts_left && !e->draining) {
		if (e->binding && !load_clients_next_unbound(&e->clients))
			return;
		if (!load_exchange_start(e))
			return;
		budget--;
		e->starts_left--;
		e->paced++;
	}
}

static void start_strangers(struct load_engine *e)
{
	double due = (double)(e->now_ns - e->strangers_from_ns) * e->o->strangers / 1e9;

	while ((double)e->strangers_paced + 1 <= due && !e->draining && !e->binding) {
		load_exchange_stranger(e);
		e->strangers_paced++;
	}
}

/* Returns the time of the next event that no answer causes. */
static int64_t next_event(const struct load_engine *e, int64_t end_ns)
{
	int64_t at = e->now_ns + WAIT_MAX_NS;
	int64_t due;

	if (end_ns < at)
		at = end_ns;
	if (e->first != LOAD_NIL) {
		due = e->slots[e->first].sent_ns + e->o->timeout_ns;
		at = due < at ? due : at;
	}
	if (e->rate > 0 && e->n_free && e->starts_left && !e->draining) {
		due = e->pace_from_ns + (int64_t)((double)(e->paced + 1) * 1e9 / e->rate) + 1;
		at = due < at ? due : at;
	}
	if (e->o->strangers > 0 && !e->draining) {
		due = e->strangers_from_ns +
		      (int64_t)((double)(e->strangers_paced + 1) * 1e9 / e->o->strangers);
		at = due < at ? due : at;
	}
	return at;
}

static int one_round(struct load_engine *e, int64_t end_ns)
{
	int r = load_io_recv(e->io, load_exchange_answer, e);

	/* an ICMP error of an earlier message does not end the run */
	if (r < 0 && r != -ECONNREFUSED && r != -EHOSTUNREACH && r != -ENETUNREACH)
		return r;
	e->now_ns = clock_mono_ns(&clock_system);
	load_exchange_expire(e);
	start_some(e);
	if (e->o->strangers > 0)
		start_strangers(e);
	load_io_flush(e->io);
	progress(e);
	if (r <= 0)
		load_io_wait(e->io, next_event(e, end_ns) - clock_mono_ns(&clock_system));
	return 0;
}

static bool outstanding(const struct load_engine *e)
{
	return e->n_free < e->o->window;
}

static int drain(struct load_engine *e)
{
	int r = 0;

	e->draining = true;
	while (r == 0 && outstanding(e))
		r = one_round(e, INT64_MAX);
	e->draining = false;
	return r;
}

/* Runs rounds until end_ns, or until max exchanges have begun and ended. */
static int run_phase(struct load_engine *e, int64_t end_ns, uint64_t max, double rate)
{
	int r = 0;

	e->now_ns = clock_mono_ns(&clock_system);
	e->pace_from_ns = e->strangers_from_ns = e->now_ns;
	e->paced = e->strangers_paced = 0;
	e->rate = rate;
	e->starts_left = max;
	while (r == 0 && !*e->stop && e->now_ns < end_ns && (e->starts_left || outstanding(e)))
		r = one_round(e, end_ns);
	return r;
}

/* --- phases ----------------------------------------------------------------------------------- */

/* Gets a lease for every client. */
static int bind_all(struct load_engine *e, const char **ret_why)
{
	int64_t begin = clock_mono_ns(&clock_system);
	uint64_t tries = e->o->clients * BIND_TRIES + 100;
	int r = 0;

	e->binding = true;
	e->now_ns = begin;
	e->starts_left = UINT64_MAX;
	while (r == 0 && !*e->stop && e->clients.n_bound < e->o->clients) {
		r = one_round(e, INT64_MAX);
		if (load_drops(e->counts) + e->counts->failed > tries ||
		    (!e->result.answers &&
		     e->now_ns - begin > FIRST_ANSWER_NS * e->o->timeout_ns)) {
			*ret_why = "not every client obtained a lease to renew";
			break;
		}
	}
	if (r == 0)
		r = drain(e);
	e->binding = false;
	return r;
}

static int measure_once(struct load_engine *e, int64_t time_ns, uint64_t exchanges, double rate)
{
	int64_t begin = clock_mono_ns(&clock_system);
	int64_t end = time_ns ? begin + time_ns : INT64_MAX;
	double cpu = load_cpu_us();
	int r = run_phase(e, end, exchanges ? exchanges : UINT64_MAX, rate);

	/* a number of exchanges ends with the last of them, not with the wait for a lost one */
	if (exchanges && e->last_done_ns > begin)
		end = e->last_done_ns;
	else if (e->now_ns < end)
		end = e->now_ns;
	e->result.seconds += (double)(end - begin) / 1e9;
	e->result.cpu_us += load_cpu_us() - cpu;
	return r == 0 ? drain(e) : r;
}

static int ramp_step(struct load_engine *e, double rate, bool *ret_good)
{
	struct load_result *res = &e->result;
	struct load_counts *before = &e->other; /* nothing else counts during a ramp */
	struct load_counts c;
	double seconds = res->seconds;
	struct load_ramp_step s = {.rate = rate};
	int r;

	*before = res->counts;
	r = measure_once(e, RAMP_STEP_NS, 0, rate);
	c = res->counts;
	c.exchanges -= before->exchanges;
	c.drained -= before->drained;
	c.failed -= before->failed;
	for (int i = 0; i < LOAD_N_STEPS; i++)
		c.drops[i] -= before->drops[i];
	seconds = res->seconds - seconds;
	s.drop_ratio = load_drop_ratio(&c);
	/* answers that arrive during the last wait belong to exchanges that were started in time */
	s.attained = seconds > 0 ? (double)(c.exchanges + c.drained) / seconds : 0;
	s.good = load_ramp_good(rate, s.attained, s.drop_ratio, e->o->drop_limit);
	if (s.good && s.attained > res->ramp_rate)
		res->ramp_rate = s.attained;
	res->ramp[res->n_ramp++] = s;
	*ret_good = s.good;
	return r;
}

static int run_ramp(struct load_engine *e)
{
	struct load_ramp ramp;
	bool good;
	int r;

	load_ramp_init(&ramp, e->o->rate);
	do {
		r = ramp_step(e, ramp.rate, &good);
	} while (r == 0 && !*e->stop && e->result.n_ramp < LOAD_RAMP_STEPS_MAX &&
		 load_ramp_next(&ramp, good));
	return r;
}

static int measure(struct load_engine *e)
{
	e->counts = &e->result.counts;
	e->measuring = true;
	e->progress_done = 0;
	load_series_init(&e->result.series, clock_mono_ns(&clock_system));
	return e->o->ramp ? run_ramp(e)
			  : measure_once(e, e->o->time_ns, e->o->exchanges, e->o->rate);
}

static int check_leases(struct load_engine *e, const char **ret_why)
{
	struct load_leases *l;
	uint64_t addr = 0;
	int r = load_leases_read(e->o->leases, &e->owners, e->o->first_client, &l);

	if (r < 0) {
		*ret_why = e->o->leases;
		return r;
	}
	for (; load_owners_next(&e->owners, &addr); addr++) {
		struct load_slot s = {.client = load_owners_of(&e->owners, (uint32_t)addr)};
		struct load_answer a = {.yiaddr = (uint32_t)addr};

		e->result.leases_checked++;
		if (!load_leases_good(l, (uint32_t)addr))
			load_engine_error(e, LOAD_E_ROW_MISSING, &s, &a);
	}
	load_leases_free(l);
	return 0;
}

int load_engine_run(struct load_engine *e, const char **ret_why)
{
	int r = 0;

	*ret_why = NULL;
	e->progress_ns = clock_mono_ns(&clock_system) + PROGRESS_NS;
	if (e->o->profile == LOAD_RENEW)
		r = bind_all(e, ret_why);
	if (r == 0 && !*ret_why && e->o->warmup_ns)
		r = run_phase(e, clock_mono_ns(&clock_system) + e->o->warmup_ns, UINT64_MAX,
			      e->o->rate);
	if (r == 0 && !*ret_why)
		r = measure(e);
	if (e->o->progress && e->terminal)
		(void)fprintf(stderr, "\n");
	e->result.bound = e->owners.n;
	if (r == 0 && e->o->leases)
		r = check_leases(e, ret_why);
	return r;
}
