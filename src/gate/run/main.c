/* SPDX-License-Identifier: MPL-2.0 */
/*
 * usher-gate: command line, then recorded or live traffic, then the summary. Exit codes: 0 good, 1
 * failed, 2 the command line is wrong.
 */
#include "base/hash.h"
#include "base/log.h"
#include "base/rng.h"
#include "gate/run/args.h"
#include "gate/assembly.h"
#include "gate/run/live.h"
#include "gate/run/offline.h"
#include "gate/run/summary.h"

#include <time.h>

enum { ERR_LEN = 512 };

static double cpu_seconds(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / NS_PER_S;
}

static void options_of(const struct gate_args *a, struct log *log, struct gate_opts *o)
{
	struct rng rng;

	gate_opts_default(o);
	o->log = log;
	o->pass_through = a->pass_through;
	o->fail_open = a->fail_open;
	o->ignore_checksums = a->ignore_checksums;
	o->midstream = a->midstream;
	o->drop_overlaps = a->drop_overlaps;
	o->keep_snapped = a->keep_snapped;
	o->flows.max_flows = (uint32_t)a->max_flows;
	o->max_held = (uint32_t)a->max_held;
	rng_seed_system(&rng);
	o->hash_key = (struct hash_key){rng_u64(&rng), rng_u64(&rng)};
}

/* Opens the log on stderr: results are written to stdout. */
static struct log *log_open(bool debug)
{
	const struct log_output out = {.kind = LOG_SINK_STDERR};
	const struct log_rule rule = {"usher-gate", debug ? LOG_SEV_DEBUG : LOG_SEV_INFO, &out, 1,
				      99};
	struct log *log = log_new(&clock_system, "usher-gate");

	if (log && log_configure(log, &rule, 1, false) < 0) {
		log_free(log);
		return NULL;
	}
	return log;
}

int main(int argc, char **argv)
{
	struct gate_sums sums = {0};
	struct gate_args a;
	struct gate_opts o;
	char err[ERR_LEN];
	struct log *log;
	double began;
	int code;

	if (gate_args_parse(argc, argv, &a, err, sizeof(err)) < 0) {
		(void)fprintf(stderr, "usher-gate: %s\n", err);
		return 2;
	}
	if (a.done)
		return 0;
	log = log_open(a.debug);
	options_of(&a, log, &o);
	began = cpu_seconds();
	if (a.check) {
		code = gate_check(&a, &o);
		log_free(log);
		return code;
	}
	code = a.in ? gate_offline(&a, &o, &sums) : gate_live(&a, &o, &sums);
	if (!a.quiet && sums.began)
		gate_sums_print(&sums, cpu_seconds() - began, a.json, stdout);
	log_free(log);
	return code;
}
