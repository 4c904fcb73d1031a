/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Walks an exchange down stages.def. The order is in the table; this file runs a row: the hook
 * before it, its function, the hook behind it, and the effect of a verdict. An exchange that
 * resumes starts at exchange.stage, which always names the next row.
 */
#include "server/worker/pipeline.h"

#include "server/core/exchange_hook.h"
#include "server/core/snapshot.h"
#include "server/core/trace.h"
#include "server/stages/stages.h"

enum when { BEFORE, AFTER, INSIDE };
enum on_skip { STEP, NEXT, DROP, NO_SUBNET, IGNORE };

static const struct row {
	enum verdict (*fn)(struct exchange *x);
	enum hook_point hook;
	enum when when;
	enum on_skip on_skip;
} rows[] = {
#define STAGE(symbol, fn, hook, when, skip, does) {fn, HOOK_##hook, when, skip},
#include "server/core/stages.def"
#undef STAGE
};

/* Calls the hook of a row. CONTINUE: the row runs; *ret_skip: the callouts set SKIP. */
static enum verdict row_hook(struct exchange *x, const struct row *row, bool *ret_skip)
{
	enum usher_next_step step;
	bool park = false;

	*ret_skip = false;
	if (hook_point_parks(row->hook))
		step = exchange_hook_parking(x, row->hook, &park);
	else
		step = exchange_hook(x, row->hook, NULL, NULL);
	if (park)
		return VERDICT_PARK;
	if (step == USHER_DROP || (step == USHER_SKIP && row->on_skip == DROP))
		return exchange_drop(x, x->drop ? x->drop : exchange_hook_drop(row->hook));
	*ret_skip = step == USHER_SKIP;
	return VERDICT_CONTINUE;
}

static void row_skipped(struct exchange *x, const struct row *row)
{
	if (row->on_skip == NO_SUBNET)
		x->subnet = NULL;
	else if (row->on_skip == NEXT)
		x->skip_next = true;
}

/* Handles an answer or a named drop by a library that decoded the query itself. Returns whether it
 * was one. */
static bool take_over(struct exchange *x, enum verdict v)
{
	bool named = v == VERDICT_DROP && x->unpacked && x->drop != DROP_HOOK_BUFFER4_RECEIVE;

	if (!x->answered && !named)
		return false;
	unpack_derive(x);
	if (v == VERDICT_CONTINUE)
		x->stage = STAGE_SEND_CHECK;
	return true;
}

/* Runs a row whose hook has a callout, or that a callout may have left out by SKIP. It is not
 * inlined, so that the walk without hooks keeps its registers. */
static noinline_fn enum verdict row_run_hooked(struct exchange *x, const struct row *row)
{
	bool leave_out = x->skip_next;
	bool skip = false;
	enum verdict v = VERDICT_CONTINUE;

	if (x->answered)
		return row->fn(x);
	x->skip_next = false;
	if (row->when == BEFORE && hook_any(x->snap->hooks, row->hook)) {
		v = row_hook(x, row, &skip);
		leave_out |= skip;
		if (row->fn == stage_unpack && unlikely(take_over(x, v)))
			return v;
	}
	if (v == VERDICT_CONTINUE && !leave_out)
		v = row->fn(x);
	if (v == VERDICT_CONTINUE && row->when == AFTER && hook_any(x->snap->hooks, row->hook)) {
		v = row_hook(x, row, &skip);
		if (v == VERDICT_CONTINUE && skip)
			row_skipped(x, row);
	}
	return v;
}

enum verdict pipeline_run(struct exchange *x)
{
	return pipeline_run_to(x, STAGE_N);
}

/* Counts a walk that ended in a stage. */
static void count_walk(const struct exchange *x, size_t end, enum verdict v)
{
	stats_count(&x->stats->walk[x->begun][end][v], 1);
}

/* Drops an exchange that another party ended while it was parked. */
static enum verdict drop_ended(struct exchange *x)
{
	count_walk(x, x->parked_at, VERDICT_DROP);
	return exchange_drop(x, x->late	 ? DROP_CALLOUT_LATE
				: x->lot ? DROP_PARKED_DROPPED
					 : DROP_DUPLICATE);
}

void pipeline_leave(struct exchange *x)
{
	x->parked_at = (uint8_t)(x->stage - 1);
	count_walk(x, x->parked_at, VERDICT_PARK);
}

/* Adds the verdict of a row to the trace. Not inlined: few exchanges are traced. */
static cold_fn void trace_row(struct exchange *x, const struct row *row, enum verdict v)
{
	static const char *const texts[] = {"done", "drop", "parked", "sent"};

	TRACE(x, "%s: %s", stage_name((enum stage)(row - rows)), texts[v & 3]);
}

/* Continues behind subnet4_select with the subnet that a library found meanwhile. */
static cold_fn enum verdict continue_with(struct exchange *x)
{
	enum usher_next_step step = exchange_hook_resumed(x);

	if (step == USHER_DROP) {
		count_walk(x, x->parked_at, VERDICT_DROP);
		return exchange_drop(x,
				     x->drop ? x->drop : exchange_hook_drop(HOOK_SUBNET4_SELECT));
	}
	if (step == USHER_SKIP)
		x->subnet = NULL;
	return VERDICT_CONTINUE;
}

enum verdict pipeline_run_to(struct exchange *x, enum stage end)
{
	enum verdict v = VERDICT_CONTINUE;
	bool hooked = hook_any_at_all(x->snap->hooks);
	const struct row *row = rows;

	if (x->parked.dropped)
		return drop_ended(x);
	exchange_leave_lot(x); /* the exchange may have resumed from a parking row */
	if (unlikely(x->parked.then) && continue_with(x) == VERDICT_DROP)
		return VERDICT_DROP;
	while (v == VERDICT_CONTINUE && x->stage < end) {
		row = &rows[x->stage++];
		v = unlikely(hooked) ? row_run_hooked(x, row) : row->fn(x);
		if (unlikely(x->pkt.arena.failed) && (v == VERDICT_CONTINUE || v == VERDICT_DROP))
			v = exchange_drop(x,
					  x->refused ? DROP_CALLOUT_LATE : DROP_PROCESSING_FAILED);
		if (v == VERDICT_PARK) {
			x->parked_at = (uint8_t)(row - rows);
			break;
		}
		if (unlikely(x->trace != NULL))
			trace_row(x, row, v);
	}
	if (v != VERDICT_CONTINUE)
		count_walk(x, (size_t)(row - rows), v);
	return v;
}
