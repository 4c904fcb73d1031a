/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The two halves of the client and the line between them. The half that reads the network sends
 * requests; the privileged half (apply.h) carries them out. At first there is one process, and a
 * request is a call: so the first DISCOVER is on its way before the process forks. privsep_split()
 * forks the privileged half; privsep_confine() then removes everything from the half that stays:
 * user, capabilities, and by a system call filter all calls but the few it works with. No packet is
 * read before that.
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
/* Splits the process. Returns 0 or -errno. The privileged half never returns from this call. */
int privsep_split(struct privsep *p, const struct privsep_files *files) must_check;
/* Confines the process permanently. Returns 0 or -errno. Without the privilege to change the
 * user (a container that gives NET_ADMIN and NET_RAW only) the user stays, and the rest is done. */
int privsep_confine(void) must_check;

/* Opens a socket and waits for it. arg: for OPEN_RAW the xid, for OPEN_ARP the address; node:
 * for OPEN_ARP (0: none). Returns a descriptor or -errno. */
int privsep_socket(struct privsep *p, enum apply_kind kind, uint32_t arg, uint32_t node) must_check;
/* Sends a request; r->seq is set, the rest of r is the caller's. The answer comes by told().
 * Returns 0 or -errno. */
int privsep_ask(struct privsep *p, struct apply_request *r) must_check;
/* Takes the answers that have arrived. Returns 0; -EPIPE: the other half ended; -errno. */
int privsep_read(struct privsep *p) must_check;
/* Waits until all requests are done (scripts: begun). Returns 0 or -errno. */
int privsep_wait(struct privsep *p) must_check;
/* Ends the line; waits until the files are removed (not for scripts). */
void privsep_close(struct privsep *p);

/* Loads the system call filter, which was made when the program was built. Returns 0 or -errno. */
int privsep_seccomp(void) must_check;
