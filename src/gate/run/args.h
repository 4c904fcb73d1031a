/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The command line of usher-gate, as args.def has it.
 */
#pragma once

#include "capture/frames.h"
#include "gate/engine/gate_packet.h"
#include "http/args.h"

#include <stdio.h>

enum { GATE_NO_QUEUE = -1 };
#define GATE_SOCKET "/run/usher/gate.sock"

struct gate_args {
	const char *rules; /* NULL: none */
	const char *guard; /* NULL: none */
	const char *in, *out;
	const char *ifnames[FRAMES_MAX_PORTS];
	unsigned n_ifnames;
	int64_t queue; /* GATE_NO_QUEUE: none */
	bool queue_rules;
	bool pass_through, fail_open, ignore_checksums, midstream, drop_overlaps, keep_snapped,
		check, trusted, json, quiet, debug;
	const char *socket;    /* "none": without */
	struct http_args http; /* listen NULL: none */
	const char *alert;     /* NULL: standard output */
	const char *modules;   /* NULL: none */
	unsigned alert_format; /* pretty, oneline, json */
	int64_t instructions, memory_mb;
	int64_t workers, max_flows, max_held;
	uint32_t loaded; /* a bit a dissector */
	bool done;	 /* --help, --version: printed, nothing else is to be done */
};

/* Reads argv as main() has it. 0, or -1 with the reason in err ("--workers: expected …"). */
int gate_args_parse(int argc, char **argv, struct gate_args *ret, char *err, size_t err_cap)
	must_check;
void gate_args_help(FILE *f);
