/* SPDX-License-Identifier: MPL-2.0 */
/*
 * user_chk from the inside: the registry of users (user_chk_registry.c), the thread that reads it
 * again when it changes and writes the outcomes (user_chk_keeper.c), callouts (user_chk.c).
 */
#pragma once

#include "base/arena.h"
#include "base/span.h"
#include "hook/hook.h"

#include <sys/types.h>
#include <time.h>

struct config_error;
struct log;

/* --- The registry ----------------------------------------------------------------------------- */

/* Properties of a user; empty: none. */
struct user {
	struct span id; /* of a hardware address */
	struct span bootfile, tftp_server;
};

/* The users of a file. Immutable. */
struct users {
	struct arena arena;
	struct user *v; /* by id */
	size_t n;
	size_t n_others; /* users whose ids are those of DHCPv6 clients */
};

enum { USER_REGISTRY_MAX = 16 << 20 };

/* The state of a file, to notice changes. */
struct file_mark {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec changed;
};

/*
 * Reads a registry: a line for each user, a JSON map. The caller frees the result by
 * users_free(). ret_mark is set also if reading fails. NULL: err has the place and the reason.
 */
struct users *users_read(const char *path, struct file_mark *ret_mark, struct config_error *err)
	must_check;
/* Accepts NULL. */
void users_free(struct users *u);
/* Returns the user with this id, or NULL. */
const struct user *users_find(const struct users *u, struct span id);
/* Returns the user whose properties are those of clients that are not registered, or NULL. */
const struct user *users_default(const struct users *u);

/* --- The thread ------------------------------------------------------------------------------- */

struct user_keeper;

enum { USER_OUTCOME_BYTES = 1 << 20 };

/* Makes a keeper, without a thread; the names are copied, users are owned from now on. NULL: memory
 * is out, and users are freed. */
struct user_keeper *user_keeper_new(const char *registry, const char *outcome, struct users *users,
				    const struct file_mark *mark, struct log *log) must_check;
/* Starts the thread. 0, or -errno. */
int user_keeper_start(struct user_keeper *k) must_check;
/*
 * Looks a client up. Returns whether it is registered. ret: its properties, or those of the
 * default user, copied to the arena. Never waits for a file. ret_failed: memory was out.
 */
bool user_keeper_find(struct user_keeper *k, struct span id, struct arena *arena, struct user *ret,
		      bool *ret_failed);
/* Queues an outcome, whole lines. 0; -EAGAIN: no room, it is lost. Never waits. */
int user_keeper_put(struct user_keeper *k, struct span text) must_check;
/*
 * Ends the thread, which writes the outcomes first; waits at most 300 ms. If a file system does not
 * answer, the thread ends later. Accepts NULL. Returns the number of octets that are not written.
 */
size_t user_keeper_free(struct user_keeper *k);
