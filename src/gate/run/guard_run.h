/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The guard of a program: its configuration, and its alerts in the form and to the places of the
 * rules' alerts.
 */
#pragma once

#include "gate/guard/guard.h"

struct gate_rules;
struct guard_run;
struct script_alert_sink;

/*
 * As the command line has it; *ret is NULL without --guard. keep: bindings are read and saved. It
 * listens before the rules do if it is opened before them. Negative: said on stderr.
 */
/* Reads a configuration and reports its errors. 0, or negative. */
int guard_run_check(const char *path) must_check;
int guard_run_open(struct gate_rules *r, struct gate *g, const struct hash_key *key, bool keep,
		   struct guard_run **ret) must_check;
/* Runs the periodic work of a guard; of NULL: nothing. */
void guard_run_tick(struct guard_run *run, int64_t now_ns);
const struct guard *guard_run_guard(const struct guard_run *run);
/* Saves the bindings and frees the guard. 0, or negative: reported on stderr. The gate is freed
 * already. */
int guard_run_close(struct guard_run *run, int64_t now_ns);

/* Reports an alert of the guard to n sinks; number: of the alert. */
void guard_report(const struct guard_alert *a, uint64_t number,
		  const struct script_alert_sink *sinks, unsigned n);
