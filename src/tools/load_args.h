/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The options of usher-load, from the rows of load_args.def.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOAD_BINDS_MAX = 64, LOAD_WINDOW_MAX = 32768 };

enum load_profile { LOAD_DORA, LOAD_RENEW, LOAD_RELEASE, LOAD_MIXED };
enum load_options { LOAD_OPTIONS_MINIMAL, LOAD_OPTIONS_TYPICAL, LOAD_OPTIONS_MIXED };
enum load_who { LOAD_WHO_YES, LOAD_WHO_NO, LOAD_WHO_MIXED };
/* Wrong answers of the responder, for tests of the checker. */
enum load_lie {
	LOAD_LIE_NONE,
	LOAD_LIE_DUPLICATE,
	LOAD_LIE_XID,
	LOAD_LIE_CHADDR,
	LOAD_LIE_SERVER_ID,
	LOAD_LIE_ADDRESS,
	LOAD_LIE_GIADDR,
	LOAD_LIE_TYPE,
	LOAD_LIE_NAK,
	LOAD_LIE_LEASE_TIME,
	LOAD_LIE_CLIENT_ID,
	LOAD_LIE_MALFORMED,
};

struct load_opts {
	bool relayed, direct, responder, help, version;
	uint32_t bind[LOAD_BINDS_MAX]; /* host order */
	unsigned n_bind;
	uint32_t server;
	uint16_t server_port;
	const char *iface;
	enum load_profile profile;
	bool profile_set;
	uint64_t clients, first_client, window;
	int64_t time_ns, warmup_ns, timeout_ns;
	uint64_t exchanges; /* 0: time counts */
	double rate;	    /* 0: as fast as possible */
	bool ramp;
	double drop_limit; /* percent; negative: none */
	enum load_options options;
	enum load_who client_id;
	double strangers;
	uint64_t seed;
	const char *leases;
	bool live;
	uint64_t cpu; /* LOAD_NO_CPU: any */
	uint64_t burst;
	bool offload;
	bool json, progress;
	const char *html;
	uint32_t pool;
	unsigned pool_bits; /* host bits of the pool */
	enum load_lie lie;
};

#define LOAD_NO_CPU UINT64_MAX

/* Parses the command line. Returns 0, or -1 with the reason in err ("--window: ..."). progress:
 * the default of --progress. */
int load_args_parse(int argc, char **argv, bool progress, struct load_opts *ret, char *err,
		    size_t err_cap) must_check;
void load_args_help(void);
const char *load_profile_name(enum load_profile p);
const char *load_options_name(enum load_options o);
const char *load_who_name(enum load_who w);
