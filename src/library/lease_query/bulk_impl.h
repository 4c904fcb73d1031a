/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The server of bulk queries from the inside, for the files of this folder only. Its callbacks run
 * in its thread and hold the lock, so a configuration ends between two of them.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "hook/hook_cost.h"
#include "library/lease_query/bulk.h"

#include <pthread.h>

struct loop;
struct loop_source;
struct loop_timer;

/* A query in progress. */
struct bulk_run {
	struct bulk_run *next;
	struct bulk_query q;
	uint64_t at;
	bool begun; /* its first message, which has the server identifier, was written */
};

struct bulk_conn {
	struct bulk_conn *next;
	struct bulk_server *s;
	int fd;
	uint32_t addr;
	struct loop_source *source;
	struct buf in, out;
	size_t sent;	       /* of out */
	struct bulk_run *runs; /* the next one to work on first */
	size_t n_runs;
	int64_t progress_ns; /* of a message read, or octets taken by the reader */
	bool ended;	     /* to be freed at the end of the callback */
};

struct bulk_server {
	struct bulk_server_opts o;
	pthread_mutex_t mu; /* of all below */
	unsigned refs;
	struct bulk_use *uses; /* newest first */
	bool stop;
	int fd, wake;
	pthread_t thread;
	bool threaded;
	struct loop *loop;
	struct loop_source *listen_source, *wake_source;
	struct loop_timer *sweep, *work;
	struct bulk_conn *conns;
	size_t n_conns;
	struct arena arena; /* of one step */
};

static inline void bulk_count(const struct bulk_server *s, enum hook_event e)
{
	if (s->uses)
		hook_count_event(s->uses->lib, e, 1);
}

/* Makes the connection of an accepted socket, and watches it. The socket is closed on failure. */
int bulk_conn_new(struct bulk_server *s, int fd, uint32_t addr) must_check;
void bulk_conn_free(struct bulk_conn *c);
/* Returns whether a connection has queries, and its reader takes the answers. */
bool bulk_conn_has_work(const struct bulk_conn *c);
/* Carries out a step of the next query. */
void bulk_conn_work(struct bulk_conn *c, const struct bulk_use *u);
/* Returns whether a connection was idle for too long, or its requester may not ask any more. */
bool bulk_conn_is_over(const struct bulk_conn *c, const struct bulk_use *u, int64_t now_ns);
/* Frees connections that ended, and plans work. Called at the end of callbacks. */
void bulk_server_settle(struct bulk_server *s);
