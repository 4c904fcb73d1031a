/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The two halves of the client and the line between them. The half that reads the network asks; the
 * privileged half (apply.h) does. At first there is one process, and asking is a call: so the first
 * DISCOVER is on its way before anything is forked. privsep_split() forks the privileged half;
 * privsep_confine() then takes everything from the one that stays: user, capabilities, and by a
 * system call filter all calls but the few it works with. No packet is read before that.
 *
 * The privileged half lives until the line is closed and the last script is over.
 */
#pragma once

#include "client/os/apply.h"

struct privsep {
	struct apply *apply;   /* before the split; NULL behind it */
	int fd;		       /* behind the split; -1 */
	pid_t pid;	       /* of the privileged half */
	uint32_t seq, pending; /* requests, and those without an answer */
	void (*told)(void *ctx,
		     const struct apply_reply *r); /* every answer but those of privsep_socket */
	void *ctx;
};

/* Files that the privileged half removes when the line ends; NULL: none. */
struct privsep_files {
	const char *pid_file, *socket;
};

void privsep_init(struct privsep *p, struct apply *apply,
		  void (*told)(void *ctx, const struct apply_reply *r), void *ctx);
/* 0 or -errno. The privileged half never returns from here. */
int privsep_split(struct privsep *p, const struct privsep_files *files) must_check;
/*
 * For good. 0 or -errno. Without the privilege to change the user (a container that gives NET_ADMIN
 * and NET_RAW only) the user stays, and all else is done.
 */
int privsep_confine(void) must_check;

/* A new socket: descriptor or -errno. arg: xid of OPEN_RAW; OPEN_ARP: address, and node (0: none).
 * Waits. */
int privsep_socket(struct privsep *p, enum apply_kind kind, uint32_t arg, uint32_t node) must_check;
/* Asks; r->seq is set, the rest of r the caller's. The answer comes to told(). 0 or -errno. */
int privsep_ask(struct privsep *p, struct apply_request *r) must_check;
/* Takes the answers that are there. 0; -EPIPE: the other half is gone; -errno. */
int privsep_read(struct privsep *p) must_check;
/* Waits until everything asked for is done (scripts: begun). 0 or -errno. */
int privsep_wait(struct privsep *p) must_check;
/* Ends the line; waits until the files are removed (not for scripts). */
void privsep_close(struct privsep *p);

/* The system call filter, made when the program is built. 0 or -errno. */
int privsep_seccomp(void) must_check;
