/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Metrics of the leases, their store, and the program. The store answers without waiting for its
 * disk.
 */
#include "config/config.h"
#include "control/plane_count.h"
#include "ddns/ddns.h"
#include "hook/hook.h"
#include "lease/lease_db.h"
#include "lease/lease_store.h"
#include "server/core/snapshot.h"
#include "server/core/version.h"
#include "server/manage/metrics_impl.h"

#include <stdio.h>

/* --- Leases ----------------------------------------------------------------------------------- */

bool metrics_write_leases(struct metrics_run *r)
{
	uint64_t all = lease_db_size(r->d->srv.db);
	struct lease_counts n;

	lease_db_counts(r->d->srv.db, 0, LEASE_ALL_POOLS, &n);
	metrics_labelled(&r->m, "state", "assigned", n.assigned - n.declined);
	metrics_labelled(&r->m, "state", "declined", n.declined);
	/* leases may have changed between the two readings */
	metrics_labelled(&r->m, "state", "reclaimed", all > n.assigned ? all - n.assigned : 0);
	return false;
}

/* Returns the value of the present family. */
static uint64_t read_store(const struct metrics_run *r, const struct lease_store *s)
{
	struct lease_store_stats st = {0};

	lease_store_stats(s, &st);
	switch (r->family) {
	case FAMILY_LEASES_LOADING:
		return lease_store_opening(s) == 1;
	case FAMILY_STORE_UP:
		return lease_store_up(s);
	case FAMILY_STORE_EPOCH:
		return lease_store_epoch(s);
	case FAMILY_STORE_DURABLE:
		return lease_store_durable(s);
	case FAMILY_STORE_PENDING:
		return st.pending;
	case FAMILY_STORE_FAILURES:
		return st.errors;
	case FAMILY_STORE_ROWS:
		return st.rows;
	case FAMILY_STORE_SYNCS:
		return st.syncs;
	case FAMILY_REJECTED_ROWS:
		return r->d->loaded.bad_rows;
	default: /* FAMILY_FILE_BYTES */
		return st.file_bytes;
	}
}

bool metrics_write_store(struct metrics_run *r)
{
	if (r->d->srv.store)
		metrics_value(&r->m, SPAN_NULL, read_store(r, r->d->srv.store));
	return false;
}

bool metrics_write_commits(struct metrics_run *r)
{
	struct lease_store_stats st = {0};
	bool times = r->family == FAMILY_COMMIT_SECONDS;

	if (r->d->srv.store)
		lease_store_stats(r->d->srv.store, &st);
	metrics_histogram(&r->m, SPAN_NULL,
			  times ? &lease_commit_ns_shape : &lease_commit_rows_shape,
			  times ? &st.commit_ns : &st.commit_rows, times);
	return false;
}

bool metrics_write_rewrites(struct metrics_run *r)
{
	struct lease_store_stats st = {0};

	if (r->d->srv.store)
		lease_store_stats(r->d->srv.store, &st);
	if (r->family == FAMILY_REWRITES) {
		metrics_labelled(&r->m, "result", "success", st.rewrites);
		metrics_labelled(&r->m, "result", "failure", st.rewrite_failures);
	} else if (st.rewrites) {
		metrics_seconds(&r->m, SPAN_NULL,
				r->family == FAMILY_REWRITE_SECONDS ? st.rewrite_ns
								    : st.rewritten_ns);
	}
	return false;
}

/* --- Updates of the DNS ----------------------------------------------------------------------- */

/* Returns the value of the present family. */
static uint64_t read_ddns(const struct metrics_run *r)
{
	struct ddns_stats st;

	ddns_stats(r->d->srv.ddns, &st);
	switch (r->family) {
	case FAMILY_DDNS_QUEUED:
		return st.queued;
	case FAMILY_DDNS_SENT:
		return st.sent;
	case FAMILY_DDNS_MERGED:
		return st.merged;
	case FAMILY_DDNS_LOST:
		return st.lost;
	case FAMILY_DDNS_FAILED:
		return st.failed;
	default: /* FAMILY_DDNS_WAITING */
		return st.waiting;
	}
}

bool metrics_write_ddns(struct metrics_run *r)
{
	metrics_value(&r->m, SPAN_NULL, read_ddns(r));
	return false;
}

/* --- The program ------------------------------------------------------------------------------ */

static uint64_t count_connections(const struct server_daemon *d)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < d->n_channels; i++)
		n += channel_connections(d->channels[i]);
	return n;
}

/* Returns the value of the present family. */
static uint64_t read_program(const struct metrics_run *r)
{
	const struct server_daemon *d = r->d;

	switch (r->family) {
	case FAMILY_HOOK_FAILURES:
		return hook_failures(r->snap->hooks);
	case FAMILY_SERVICE_DISABLED:
		return d->srv.disabled != 0;
	case FAMILY_SOCKET_ERRORS:
		return d->socket_errors;
	case FAMILY_LOG_LOST:
		return log_lost(d->srv.log);
	case FAMILY_RELOAD_OK:
		return !d->last_refused;
	default: /* FAMILY_CONTROL_CONNECTIONS */
		return count_connections(d);
	}
}

bool metrics_write_program(struct metrics_run *r)
{
	switch (r->family) {
	case FAMILY_BUILD_INFO:
		metrics_labelled(&r->m, "version", usher_version(), 1);
		break;
	case FAMILY_CONFIG_INFO:
		metrics_labelled(&r->m, "hash", config_hash(r->snap->cfg), 1);
		break;
	case FAMILY_RELOAD_TIME:
		metrics_seconds(&r->m, SPAN_NULL, r->d->srv.reloaded_ns);
		break;
	default:
		metrics_value(&r->m, SPAN_NULL, read_program(r));
		break;
	}
	return false;
}

static void write_cost(void *ctx, const struct hook_cost *c)
{
	struct metrics_run *r = ctx;

	buf_reset(&r->scratch);
	metrics_label(&r->m, &r->scratch, "library", c->library);
	if (r->family == FAMILY_HOOK_CALLS)
		metrics_value(&r->m, span_of(r->scratch.p, r->scratch.len), c->calls);
	else if (r->family == FAMILY_HOOK_LOST)
		metrics_value(&r->m, span_of(r->scratch.p, r->scratch.len), c->lost);
	else
		metrics_seconds(&r->m, span_of(r->scratch.p, r->scratch.len), c->ns);
}

bool metrics_write_hooks(struct metrics_run *r)
{
	hook_costs_each(r->snap->hooks, write_cost, r);
	return false;
}

static void write_event(void *ctx, const char *library, const char *event, uint64_t n)
{
	struct metrics_run *r = ctx;

	buf_reset(&r->scratch);
	metrics_label(&r->m, &r->scratch, "library", library);
	metrics_label(&r->m, &r->scratch, "event", event);
	metrics_value(&r->m, span_of(r->scratch.p, r->scratch.len), n);
}

bool metrics_write_hook_events(struct metrics_run *r)
{
	hook_events_each(r->snap->hooks, write_event, r);
	return false;
}

static void write_memory(void *ctx, const struct hook_memory *m)
{
	struct metrics_run *r = ctx;
	char number[16], state[16];

	(void)snprintf(number, sizeof(number), "%u", m->number);
	(void)snprintf(state, sizeof(state), "%u", m->state);
	buf_reset(&r->scratch);
	metrics_label(&r->m, &r->scratch, "library", m->library);
	metrics_label(&r->m, &r->scratch, "number", number);
	metrics_label(&r->m, &r->scratch, "state", state);
	metrics_value(&r->m, span_of(r->scratch.p, r->scratch.len),
		      r->family == FAMILY_SCRIPT_MEMORY ? m->used : m->max);
}

bool metrics_write_scripts(struct metrics_run *r)
{
	hook_memory_each(r->snap->hooks, write_memory, r);
	return false;
}

bool metrics_write_reloads(struct metrics_run *r)
{
	metrics_labelled(&r->m, "result", "success", r->d->reloads_applied);
	metrics_labelled(&r->m, "result", "failure", r->d->reloads_refused);
	return false;
}

static void write_count(void *ctx, const char *command, const char *transport, unsigned result,
			uint64_t n)
{
	struct metrics_run *r = ctx;
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", result);
	buf_reset(&r->scratch);
	metrics_label(&r->m, &r->scratch, "command", command);
	metrics_label(&r->m, &r->scratch, "transport", transport);
	metrics_label(&r->m, &r->scratch, "result", text);
	metrics_value(&r->m, span_of(r->scratch.p, r->scratch.len), n);
}

bool metrics_write_requests(struct metrics_run *r)
{
	control_counts_each(control_plane_counts(r->d->plane), write_count, r);
	return false;
}

bool metrics_write_request_times(struct metrics_run *r)
{
	struct buckets_sum sum = {0};

	buckets_read(&control_plane_counts(r->d->plane)->seconds, &sum);
	metrics_histogram(&r->m, SPAN_NULL, &control_seconds_shape, &sum, true);
	return false;
}
