/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The privileged half of the client: opens sockets, configures the interface, keeps the lease file,
 * runs the script. Its requests are messages of fixed size from a process that reads the network,
 * which an attacker may therefore control: every field of every message is checked, and no field
 * names an interface, a file or a program. Before the process is split, and in tests, function
 * calls pass these messages. One thread.
 */
#pragma once

#include "client/os/netconf.h"
#include "client/os/script.h"

enum apply_kind {
#define APPLY(symbol, name, member) APPLY_##symbol,
#include "client/os/apply.def"
#undef APPLY
	APPLY_N_KINDS
};

enum { APPLY_FILE_MAX = 8192, APPLY_PATH_MAX = 256 };

struct apply_file {
	uint32_t len;
	uint8_t data[APPLY_FILE_MAX];
};

/* The packets that an ARP socket receives. */
struct apply_arp {
	uint32_t address;
	uint32_t node; /* a station that a request is sent to; 0: none */
};

struct apply_request {
	uint32_t kind; /* enum apply_kind */
	uint32_t seq;
	union {
		uint32_t none; /* 0 */
		uint32_t xid;
		struct apply_arp arp;
		struct netconf_address addr;
		struct netconf_routes routes;
		struct apply_file file;
		struct script_job job;
	};
};

/* A SCRIPT has two replies: one when it is queued, one when it is done. */
struct apply_reply {
	uint32_t kind, seq;
	int32_t result;	 /* 0 or more, or -errno; of a script that is done: struct script_result */
	uint32_t done;	 /* 1: a script ended */
	uint32_t detail; /* SET_ROUTES: the number of the route that was refused first */
	char elsewhere[16]; /* SET_ADDRESS of a new one: another interface that has it already; "":
			       none */
};

struct apply {
	int ifindex;
	struct netconf net;
	struct script script;
	char lease_path[APPLY_PATH_MAX]; /* "": leases are not kept */
};

/* Opens the privileged half. state_dir and script are borrowed for the lifetime of a; NULL:
 * none. Returns 0 or -errno. */
int apply_open(struct apply *a, int ifindex, const char *iface, const char *state_dir,
	       const char *script) must_check;
void apply_close(struct apply *a);

/* Returns the length of a request of this kind; 0: no such kind. */
size_t apply_request_len(uint32_t kind);
const char *apply_kind_name(uint32_t kind);
/* Checks the length and the values of a request. Returns 0, -EBADMSG (length, kind) or -EINVAL
 * (a value). Pure. */
int apply_check(const struct apply_request *r, size_t len) must_check;
/*
 * Checks and carries out a request. The reply is always filled; *ret_fd is a new descriptor, or -1.
 * Returns 1, with the event in *ret_dropped (NULL: not wanted), when a script run was dropped in
 * favour of this one; else 0.
 */
int apply_do(struct apply *a, const struct apply_request *r, size_t len, struct apply_reply *ret,
	     int *ret_fd, struct apply_reply *ret_dropped);
/* Returns 1 with *ret filled when a script ended, else 0. Call it as script_poll(). */
int apply_poll(struct apply *a, int64_t now_ns, struct apply_reply *ret) must_check;
/* Writes the path of this interface's lease file in state_dir. Returns false if it does not fit. */
bool apply_lease_path(char path[APPLY_PATH_MAX], const char *state_dir, const char *iface)
	must_check;
