/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Sums over engines and sources, written out by the tables of drops and dissectors.
 */
#include "gate/run/summary.h"

#include "gate/run/command.h"

void gate_sums_frames(struct gate_sums *s, const struct frames *f)
{
	struct frames_stats fs;

	frames_stats(f, &fs);
	s->frames.octets += fs.octets;
	s->frames.injected += fs.injected;
	s->frames.source_drops += fs.source_drops;
	s->frames.send_errors += fs.send_errors;
}

/* Adds a plugin's count: one name is one dissector, in whichever worker. */
static void add_plugin(struct gate_sums *s, const struct gate_plugin *x)
{
	uint32_t i = 0;

	while (i < s->n_plugins && strcmp(s->plugins[i].name, x->name) != 0)
		i++;
	if (i == GATE_MAX_PLUGINS)
		return;
	if (i == s->n_plugins)
		memcpy(s->plugins[s->n_plugins++].name, x->name, sizeof(x->name));
	s->plugins[i].seen += x->seen;
}

void gate_sums_gate(struct gate_sums *s, struct gate *g)
{
	const struct gate_counters *c = gate_counters(g);
	struct tcp_memory tcp = gate_tcp_memory(g);
	struct flow_stats ls;

	flow_stats(gate_flows(g), &ls);
	s->gate.packets += c->packets;
	s->gate.accepted += c->accepted;
	s->gate.dropped += c->dropped;
	s->gate.modified += c->modified;
	s->gate.held += c->held;
	s->gate.failed_open += c->failed_open;
	s->gate.created += c->created;
	s->gate.injected += c->injected;
	s->gate.overlaps += c->overlaps;
	s->gate.unverified += c->unverified;
	s->gate.trimmed += c->trimmed;
	s->gate.gaps += c->gaps;
	s->gate.snapped += c->snapped;
	for (unsigned i = 0; i < DISSECT_N; i++)
		s->gate.seen[i] += c->seen[i];
	for (unsigned i = 0; i < GATE_DROP_N; i++)
		s->gate.drops[i] += c->drops[i];
	for (int i = 0; i < GATE_MAX_PLUGINS; i++)
		if (gate_plugin(g, GATE_FIRST_PLUGIN + i))
			add_plugin(s, gate_plugin(g, GATE_FIRST_PLUGIN + i));
	s->tcp.unacknowledged += tcp.unacknowledged;
	s->tcp.buffers += tcp.buffers;
	s->flows.live += ls.live;
	s->flows.added += ls.added;
	s->flows.evicted += ls.evicted;
	s->flows.expired += ls.expired;
}

void gate_sums_worker(void *sums, const struct gate_worker_view *v)
{
	gate_sums_gate(sums, v->g);
	gate_sums_frames(sums, v->frames);
	gate_sums_guard(sums, v->guard);
}

void gate_sums_guard(struct gate_sums *s, const struct guard *gd)
{
	if (!gd)
		return;
	guard_counters(gd, &s->guard);
	s->guarded = true;
}

static void print_guard_json(const struct gate_sums *s, FILE *to)
{
	(void)fprintf(to, ", \"guard\": {\"bindings\": %u", s->guard.bindings);
	for (unsigned i = 0; i < GUARD_N_COUNTERS; i++)
		(void)fprintf(to, ", \"%s\": %llu", guard_counter_name((enum guard_counter)i),
			      (unsigned long long)s->guard.n[i]);
	(void)fputc('}', to);
}

static void print_guard(const struct gate_sums *s, FILE *to)
{
	const uint64_t *n = s->guard.n;

	(void)fprintf(
		to,
		"guard: %u bindings (%llu learned, %llu moved, %llu released, %llu ended), %llu requests, %llu answers, %llu alerts\n",
		s->guard.bindings, (unsigned long long)n[GUARD_COUNT_LEARNED],
		(unsigned long long)n[GUARD_COUNT_MOVED],
		(unsigned long long)n[GUARD_COUNT_RELEASED],
		(unsigned long long)n[GUARD_COUNT_EXPIRED],
		(unsigned long long)n[GUARD_COUNT_REQUESTS],
		(unsigned long long)n[GUARD_COUNT_REPLIES],
		(unsigned long long)n[GUARD_COUNT_ALERTS]);
}

static void print_json(const struct gate_sums *s, double seconds, FILE *to)
{
	(void)fprintf(
		to,
		"{\"packets\": %llu, \"octets\": %llu, \"accepted\": %llu, \"dropped\": %llu, \"modified\": %llu, "
		"\"injected\": %llu, \"forged\": %llu, \"forged-in\": %llu, \"failed-open\": %llu, \"tcp-overlaps\": %llu, "
		"\"tcp-unverified\": %llu, \"tcp-trimmed\": %llu, \"tcp-gaps\": %llu, \"snapped\": %llu, \"source-drops\": %llu, \"send-errors\": %llu, "
		"\"flows-added\": %llu, \"flows-evicted\": %llu, \"cpu-seconds\": %.6f",
		(unsigned long long)s->gate.packets, (unsigned long long)s->frames.octets,
		(unsigned long long)s->gate.accepted, (unsigned long long)s->gate.dropped,
		(unsigned long long)s->gate.modified, (unsigned long long)s->frames.injected,
		(unsigned long long)s->gate.created, (unsigned long long)s->gate.injected,
		(unsigned long long)s->gate.failed_open, (unsigned long long)s->gate.overlaps,
		(unsigned long long)s->gate.unverified, (unsigned long long)s->gate.trimmed,
		(unsigned long long)s->gate.gaps, (unsigned long long)s->gate.snapped,
		(unsigned long long)s->frames.source_drops,
		(unsigned long long)s->frames.send_errors, (unsigned long long)s->flows.added,
		(unsigned long long)s->flows.evicted, seconds);
	(void)fputs(", \"dissectors\": {", to);
	for (unsigned i = 0; i < DISSECT_N; i++)
		(void)fprintf(to, "%s\"%s\": %llu", i ? ", " : "",
			      gate_dissector_name((enum gate_dissector)i),
			      (unsigned long long)s->gate.seen[i]);
	for (uint32_t i = 0; i < s->n_plugins; i++)
		(void)fprintf(to, ", \"%s\": %llu", s->plugins[i].name,
			      (unsigned long long)s->plugins[i].seen);
	(void)fputs("}, \"drops\": {", to);
	for (unsigned i = 1, n = 0; i < GATE_DROP_N; i++)
		if (s->gate.drops[i])
			(void)fprintf(to, "%s\"%s\": %llu", n++ ? ", " : "",
				      gate_drop_info((enum gate_drop)i)->name,
				      (unsigned long long)s->gate.drops[i]);
	(void)fputc('}', to);
	if (s->guarded)
		print_guard_json(s, to);
	(void)fputs("}\n", to);
}

void gate_sums_print(const struct gate_sums *s, double seconds, bool json, FILE *to)
{
	if (json) {
		print_json(s, seconds, to);
		return;
	}
	(void)fprintf(
		to,
		"%llu packets: %llu accepted (%llu modified), %llu dropped, %llu injected; %llu flows\n",
		(unsigned long long)s->gate.packets, (unsigned long long)s->gate.accepted,
		(unsigned long long)s->gate.modified, (unsigned long long)s->gate.dropped,
		(unsigned long long)s->frames.injected, (unsigned long long)s->flows.added);
	if (seconds > 0)
		(void)fprintf(to, "%.3f s of CPU, %.0f packets/s, %.0f ns a packet\n", seconds,
			      (double)s->gate.packets / seconds,
			      seconds * 1e9 / (double)(s->gate.packets ? s->gate.packets : 1));
	if (s->guarded)
		print_guard(s, to);
	for (unsigned i = 1; i < GATE_DROP_N; i++)
		if (s->gate.drops[i])
			(void)fprintf(to, "  %10llu %s\n", (unsigned long long)s->gate.drops[i],
				      gate_drop_info((enum gate_drop)i)->sentence);
	if (s->gate.failed_open)
		(void)fprintf(to, "  %10llu of these were forwarded (--fail-open)\n",
			      (unsigned long long)s->gate.failed_open);
	if (s->gate.overlaps)
		(void)fprintf(
			to,
			"  %10llu TCP segments were retransmitted with other octets; the first copies were forwarded\n",
			(unsigned long long)s->gate.overlaps);
	if (s->gate.gaps)
		(void)fprintf(
			to,
			"  %10llu places where the capture lacks TCP octets: rules saw zeros there\n",
			(unsigned long long)s->gate.gaps);
	if (s->gate.snapped)
		(void)fprintf(
			to,
			"  %10llu frames were cut off by the capture and forwarded unchanged (--keep-snapped)\n",
			(unsigned long long)s->gate.snapped);
	if (s->gate.unverified)
		(void)fprintf(
			to,
			"  %10llu TCP retransmissions could not be compared with the first copies: dropped\n",
			(unsigned long long)s->gate.unverified);
	if (s->gate.trimmed)
		(void)fprintf(
			to,
			"  %10llu TCP segments were forwarded without octets that their receiver has acknowledged\n",
			(unsigned long long)s->gate.trimmed);
	if (s->frames.source_drops)
		(void)fprintf(to, "  %10llu lost before they were seen\n",
			      (unsigned long long)s->frames.source_drops);
}
