/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The rule file of the command line, with its alerts, shared by gate_offline and gate_live.
 */
#pragma once

#include "gate/run/args.h"

struct alert_file;
struct alert_ring;
struct gate;
struct gate_bind;
struct hash_key;
struct log;
struct script_alert_sink;
struct shared_store;

enum { GATE_ALERT_SINKS = 2 };

struct gate_rules {
	const struct gate_args *args;
	struct log *log;
	struct alert_file *alerts; /* shared by all workers; NULL: none are asked for */
	bool syslog;
	bool interactive; /* somebody may be asked, on standard input: one recorded capture, one
			     worker */
	struct shared_store *shared; /* of haka.shared() */
	struct alert_ring *ring;     /* the last ones, for the control channel */
};

/* Opens where alerts go. 0, or negative: said on stderr. */
int gate_rules_init(struct gate_rules *r, const struct gate_args *a, struct log *log,
		    const struct hash_key *key) must_check;
void gate_rules_fini(struct gate_rules *r);
/* Fills in the sinks of alerts, in ret[GATE_ALERT_SINKS]. Returns how many. */
unsigned gate_rules_sinks(struct gate_rules *r, struct script_alert_sink *ret);
/* Loads the dissectors of --load, and the rule file into a state of its own, for worker number
 * `worker`; *ret is NULL without a rule file. 0, or negative: said on stderr. */
int gate_rules_load(struct gate_rules *r, struct gate *g, unsigned worker, struct gate_bind **ret)
	must_check;
