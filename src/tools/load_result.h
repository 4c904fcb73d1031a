/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The results of a run: filled by the engine, read by the reports. Counters of the measured phase,
 * errors of the whole run.
 */
#pragma once

#include "base/hist.h"
#include "tools/load_args.h"
#include "tools/load_check.h"
#include "tools/load_io.h"

/* The answer that a client waits for, and so the step at which an exchange can be lost. */
enum load_step {
	LOAD_STEP_FREE,
	LOAD_STEP_DISCOVER, /* sent; waits for the OFFER */
	LOAD_STEP_REQUEST,  /* sent after an OFFER; waits for the ACK */
	LOAD_STEP_RENEW,
	LOAD_STEP_REBOOT,
	LOAD_N_STEPS
};
const char *load_step_name(enum load_step s);

struct load_counts {
	uint64_t started, exchanges, drained; /* drained: complete after the end of the phase */
	uint64_t by_step[LOAD_N_STEPS];	      /* complete, by the last step */
	uint64_t drops[LOAD_N_STEPS];
	uint64_t failed; /* ended by a NAK */
	uint64_t sent, received, late, releases;
	uint64_t not_started; /* the rate needed more exchanges than the window permits */
	uint64_t strangers_sent, strangers_answered;
};

/* Exchanges a second over time, in a fixed number of equal intervals that get longer with the
 * run. */
enum { LOAD_SERIES_LEN = 240 };
struct load_series {
	int64_t begin_ns, width_ns;
	unsigned n; /* intervals begun */
	uint32_t exchanges[LOAD_SERIES_LEN], drops[LOAD_SERIES_LEN];
};

void load_series_init(struct load_series *s, int64_t now_ns);
void load_series_add(struct load_series *s, int64_t now_ns, uint32_t exchanges, uint32_t drops);

struct load_ramp_step {
	double rate; /* asked for */
	double attained;
	double drop_ratio;
	bool good;
};
enum { LOAD_RAMP_STEPS_MAX = 128, LOAD_SAMPLES = 8, LOAD_SAMPLE_LEN = 200 };

struct load_result {
	struct load_counts counts;
	double seconds; /* of the measured phase */
	double cpu_us;	/* processor time of the measured phase */
	struct hist latency, offer,
		ack; /* ns: whole exchanges, DISCOVER to OFFER, REQUEST to ACK */
	struct load_series series;
	struct load_ramp_step ramp[LOAD_RAMP_STEPS_MAX];
	unsigned n_ramp;
	double ramp_rate; /* the highest good one; 0: none */
	uint64_t errors[LOAD_N_ERRORS];
	uint64_t n_errors;
	char sample[LOAD_SAMPLES][LOAD_SAMPLE_LEN]; /* the texts of the first errors */
	unsigned n_samples;
	uint64_t answers; /* of the whole run */
	uint64_t leases_checked, live_checked, reused;
	uint64_t bound;		  /* clients with a lease at the end */
	uint32_t shortest_lease;  /* seconds; 0: none seen */
	struct load_io_counts io; /* of the whole run */
};

uint64_t load_drops(const struct load_counts *c);
/* Drops among all exchanges that ended; 0 to 1. */
double load_drop_ratio(const struct load_counts *c);
double load_rate(const struct load_result *r);
/* Returns 0, 1 (a check failed) or 3 (no answer, or too many drops). */
int load_exit_code(const struct load_result *r, const struct load_opts *o);
/* Returns the processor time of this process so far, in microseconds. */
double load_cpu_us(void);
