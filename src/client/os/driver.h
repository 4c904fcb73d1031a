/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The client as a process: the machine (client.h) in an event loop, its effects carried out
 * (driver_effects.c), its time, its signals, its control channel. Everything it needs is in this
 * struct; after the start, processing a packet allocates nothing. One thread.
 */
#pragma once

#include "client/core/client.h"
#include "client/os/history.h"
#include "client/core/lease_file.h"
#include "client/os/link.h"
#include "client/os/privsep.h"
#include "client/os/reconcile.h"

struct control;
struct loop;
struct loop_source;

/* A descriptor and its place in the loop. */
struct driver_sock {
	int fd; /* -1: closed */
	struct loop_source *source;
};

/* Lines to be written at the end of a step: one call for all of them. */
struct driver_text {
	char s[2048];
	size_t n;
};

enum {
	DRIVER_CLOSING = 8,
	DRIVER_BATCH = 64,
	DRIVER_EXIT_FAILED = 4, /* beside enum client_exit: could not start, or lost a half */
};

struct driver {
	const struct client_opts *opts;
	struct client client;
	struct effects fx;
	struct history history;
	struct link_watch watch;
	struct reconcile reconcile;
	struct client_link link; /* as the machine knows it */
	struct privsep privsep;
	struct apply_request request; /* the one being put together */
	struct loop *loop;
	struct driver_sock raw, udp, arp, timer, signals, line, netlink;
	struct loop_source *waiter; /* on ready_fd */
	struct control_plane *plane;
	bool subscribe; /* set by the command `events` */
	struct control *control;
	int closing[DRIVER_CLOSING]; /* sockets to be closed when all else of the step is done */
	size_t n_closing;
	/* results of carrying out a step */
	bool socket_failed, send_failed;
	uint64_t n_icmp_ignored, n_own_arp;
	bool configure_failed; /* the last SET_ADDRESS was refused */
	bool denied;	       /* a socket or an address was refused for want of a privilege */
	struct driver_text out, err;
	int ready_fd; /* to the process that waits in the foreground; -1 */
	int null_fd;
	bool background, exiting, ready;
	int exit_code;
	uint8_t boot_id[CLIENT_BOOT_ID_LEN];
	struct packet packet;
	uint8_t packet_data[PACKET_DATA_LEN], packet_arena[PACKET_ARENA_LEN];
};

/* Opens loop, timer, signals, and the machine in OFF. d is zeroed except watch, which is open.
 * Returns 0 or -errno. */
int driver_open(struct driver *d, const struct client_opts *o, struct apply *apply) must_check;
/* Runs the first step, which sends the first packet. Returns 0; -ECANCELED: the first step was
 * also the last. */
int driver_start(struct driver *d) must_check;
/* Runs the loop until the client ends. Returns the exit code. */
int driver_run(struct driver *d);
void driver_close(struct driver *d);

/* --- driver_effects.c ------------------------------------------------------------------------ */
/* Carries out d->fx, and the steps that follow from it. */
void driver_run_effects(struct driver *d);
/* Processes answers that have arrived: ends a client without privileges, compares with the
 * kernel. */
void driver_settled(struct driver *d);
/* Runs an event in the machine, and carries out its effects. Returns false where the state
 * ignores it. */
bool driver_event(struct driver *d, enum client_event e);
/* Compares with the kernel, and takes the event that follows. */
void driver_reconcile(struct driver *d);

/* --- driver_apply.c --------------------------------------------------------------------------- */

/* Returns CLOCK_BOOTTIME in nanoseconds. */
int64_t driver_now(void);
/* Returns interface, identity and times for the lease file. */
void driver_lease_context(const struct driver *d, struct client_lease_context *ret);
/* Fills the routes of a lease into a request of the privileged half. */
void driver_routes_of(const struct client_lease *l, struct netconf_routes *ret);
/*
 * Sends the privileged half a request: without arguments, or (the functions below) with an address,
 * exactly the routes of a lease, a lease file, a run of the script. A failure is reported.
 */
void driver_ask_plain(struct driver *d, enum apply_kind kind);
void driver_set_address(struct driver *d, const struct effect *e);
void driver_del_address(struct driver *d, const struct effect *e);
void driver_set_routes(struct driver *d, const struct client_lease *l);
void driver_save_lease(struct driver *d, const struct client_lease *l);
void driver_run_script(struct driver *d, const struct effect *e);
/* Takes an answer of the privileged half; ctx is the driver. */
void driver_applied(void *ctx, const struct apply_reply *r);

/* --- report.c --------------------------------------------------------------------------------- */
/* Writes a line of the log, behind the name of the program and the interface. */
void driver_line(struct driver *d, const char *text);
/* Writes a notice to the log or, with --json, to standard output; to subscribers; into the
 * history. */
void driver_notice(struct driver *d, const struct effect *e);
/* Writes the reports that wait. */
void driver_flush(struct driver *d);
/* Reports an error outside of the machine: the failed operation, and -errno or our code. */
void driver_error(struct driver *d, const char *what, int err);
void driver_error_text(struct driver *d, const char *what, const char *cause);
