/* SPDX-License-Identifier: MPL-2.0 */
/*
 * -r IN.pcap -w OUT.pcap: a capture through the same pipeline, on the capture's clock. Leases are
 * kept in memory only; everything random is seeded with a constant: two runs give the same bytes.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct hook_builtin;

struct replay_opts {
	const char *config_file;
	const char *in, *out; /* out may be NULL */
	bool debug;
	uint16_t server_port, client_port;
	const struct hook_builtin *builtins; /* hook libraries in the program */
	bool ignore_unknown_hooks; /* start without those of Kea's libraries that are not built in
				    */
};

/* Runs a replay. Returns the exit code. */
int replay_run(const struct replay_opts *o) must_check;
