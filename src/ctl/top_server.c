/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The view of the server. Kea's server answers the same commands, but for the members that it
 * lacks: those lines are left out.
 */
#include "base/clock.h"
#include "config/json/json.h"
#include "ctl/top_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS, STATISTICS, SUBNETS, METRICS }; /* the queries */
enum { DROPS_SHOWN = 8, SUBNETS_SHOWN = 10, WORKERS_SHOWN = 16 };
/* Metrics of more subnets are long: the load of the workers is left out. */
enum { METRICS_SUBNETS = 1000 };

/* Asks for the load of the workers, which the metrics have; for the version once; and for the
 * configuration, which names the subnets, after each reload. */
static void prepare_server(struct top *t)
{
	const struct json *rows = json_get(json_get(top_answer(t, SUBNETS), "result-set"), "rows");
	int64_t reload = top_number(top_answer(t, STATUS), "reload");
	const char *version;

	if (!rows || rows->type != JSON_LIST || rows->count <= METRICS_SUBNETS)
		top_ask_more(t, METRICS, "metrics-get");
	if (t->reloaded >= 0 && reload >= t->reloaded) {
		t->reloaded = reload;
		return;
	}
	t->reloaded = reload;
	arena_reset(&t->kept);
	version = json_get_str(top_ask(t, "version-get"), "text");
	(void)snprintf(t->version, sizeof(t->version), "%.*s",
		       version ? (int)strcspn(version, "\n") : 0, version ? version : "");
	t->config = json_get(json_get(top_ask(t, "config-get"), "arguments"), "Dhcp4");
}

/* Returns the state of the service in a few words. */
static const char *service_state(const struct json *status)
{
	const struct json *dhcp = json_get(status, "dhcp-state");
	const struct json *store = json_get(status, "lease-store");
	const char *sockets = json_get_str(json_get(status, "sockets"), "status");
	bool off = false, loading = false, up = true;

	(void)json_get_bool(dhcp, "globally-disabled", &off);
	(void)json_get_bool(store, "loading", &loading);
	(void)json_get_bool(store, "up", &up);
	if (loading)
		return "loading the lease file";
	if (off)
		return "DISABLED";
	if (!up)
		return "LEASE STORE DOWN";
	return sockets && strcmp(sockets, "ready") != 0 ? "SOCKETS FAILED" : "serving";
}

static void draw_state(struct top *t, struct ctl_frame *f)
{
	const struct json *status = top_answer(t, STATUS), *missing = json_get(status, "missing");
	long long workers = (long long)top_number(status, "thread-pool-size");
	char up[40], reload[40];

	ctl_frame_line(f, "%s, up %s, configured %s ago", service_state(status),
		       top_duration(top_number(status, "uptime"), up),
		       top_duration(top_number(status, "reload"), reload));
	/* without multi-threading the server does not say that it has one */
	ctl_frame_line(f, "%lld workers, %lld parked packets, %lld failures of hooks",
		       workers ? workers : 1, (long long)top_number(status, "parked-packets"),
		       (long long)top_number(status, "hook-failures"));
	if (missing && missing->type == JSON_LIST)
		for (const struct json *m = missing->first; m; m = m->next)
			ctl_frame_line(f, "missing: %s", m->type == JSON_STRING ? m->s : "?");
}

/* Draws the processor time of each worker since the sample before, in percent of one processor. */
static void draw_workers(struct top *t, struct ctl_frame *f)
{
	const char *now = json_get_str(top_answer(t, METRICS), "metrics");
	const char *before = json_get_str(top_answer_before(t, METRICS), "metrics");
	double seconds = (double)(t->now->at_ns - t->before->at_ns) / NS_PER_S, busy;
	char line[256] = "";
	size_t n = 0;

	for (unsigned i = 0; i < WORKERS_SHOWN && (busy = top_busy_seconds(now, i)) >= 0; i++) {
		double past = top_busy_seconds(before, i);

		if (past < 0 || busy < past)
			n += (size_t)snprintf(line + n, sizeof(line) - n, " -");
		else
			n += (size_t)snprintf(line + n, sizeof(line) - n, " %.0f %%",
					      100 * (busy - past) / seconds);
	}
	if (n)
		ctl_frame_line(f, "load of the workers:%s", line);
}

static void draw_store(struct top *t, struct ctl_frame *f)
{
	const struct json *now = json_get(top_answer(t, STATUS), "lease-store");
	const struct json *before = json_get(top_answer_before(t, STATUS), "lease-store");
	const char *durability = json_get_str(now, "durability");
	char rows[24], commits[24], syncs[24];

	if (!now)
		return;
	ctl_frame_line(f,
		       "lease file: %s, %lld rows (%s/s), %lld commits (%s/s), %lld syncs (%s/s)",
		       durability ? durability : "?", (long long)top_number(now, "rows"),
		       top_rate_text(top_count(t, now, before, "rows").rate, rows),
		       (long long)top_number(now, "commits"),
		       top_rate_text(top_count(t, now, before, "commits").rate, commits),
		       (long long)top_number(now, "syncs"),
		       top_rate_text(top_count(t, now, before, "syncs").rate, syncs));
	ctl_frame_line(
		f, "            %lld rows pending, %lld unsynced, largest commit %lld, %lld errors",
		(long long)top_number(now, "pending"), (long long)top_number(now, "unsynced"),
		(long long)top_number(now, "largest-commit"), (long long)top_number(now, "errors"));
}

/* --- Messages --------------------------------------------------------------------------------- */

static void write_counter(struct top *t, const char *name, char *out, size_t cap)
{
	const struct json *now = top_answer(t, STATISTICS);
	struct top_counter c = top_count(t, now, top_answer_before(t, STATISTICS), name);
	char rate[24];

	(void)snprintf(out, cap, "%12lld %9s", (long long)c.total, top_rate_text(c.rate, rate));
}

static void draw_messages(struct top *t, struct ctl_frame *f)
{
	static const struct {
		const char *left, *received, *right, *sent;
	} lines[] = {
		{"DISCOVER", "pkt4-discover-received", "OFFER", "pkt4-offer-sent"},
		{"REQUEST", "pkt4-request-received", "ACK", "pkt4-ack-sent"},
		{"DECLINE", "pkt4-decline-received", "NAK", "pkt4-nak-sent"},
		{"RELEASE", "pkt4-release-received", "all sent", "pkt4-sent"},
		{"INFORM", "pkt4-inform-received", "dropped", "pkt4-receive-drop"},
		{"all received", "pkt4-received", "lost by the kernel", "usher-kernel-drops"},
	};
	char received[64], sent[64];

	ctl_frame_heading(f, "%-14s %12s %9s   %-18s %12s %9s", "RECEIVED", "total", "/s", "SENT",
			  "total", "/s");
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		write_counter(t, lines[i].received, received, sizeof(received));
		write_counter(t, lines[i].sent, sent, sizeof(sent));
		ctl_frame_line(f, "%-14s %s   %-18s %s", lines[i].left, received, lines[i].right,
			       sent);
	}
}

/* --- Subnets ---------------------------------------------------------------------------------- */

struct subnet {
	int64_t id, total, assigned, declined;
};

/* Returns the place of a column of stat-lease4-get; -1: absent. */
static int find_column(const struct json *columns, const char *name)
{
	int i = 0;

	for (const struct json *c = columns ? columns->first : NULL; c; c = c->next, i++)
		if (c->type == JSON_STRING && strcmp(c->s, name) == 0)
			return i;
	return -1;
}

static int64_t read_column(const struct json *row, int column)
{
	const struct json *v = row->type == JSON_LIST ? row->first : NULL;

	for (int i = 0; v && i < column; i++)
		v = v->next;
	return v && column >= 0 && v->type == JSON_INT ? v->i : 0;
}

/* Reads the rows of stat-lease4-get into the arena of the sample. */
static struct subnet *read_subnets(struct top *t, size_t *ret_n)
{
	const struct json *set = json_get(top_answer(t, SUBNETS), "result-set");
	const struct json *columns = json_get(set, "columns"), *rows = json_get(set, "rows");
	int id = find_column(columns, "subnet-id"), total = find_column(columns, "total-addresses");
	int assigned = find_column(columns, "assigned-addresses");
	int declined = find_column(columns, "declined-addresses");
	size_t n = rows && rows->type == JSON_LIST ? rows->count : 0;
	struct subnet *list = n ? arena_array(&t->now->arena, struct subnet, n) : NULL;
	size_t i = 0;

	for (const struct json *r = list ? rows->first : NULL; r; r = r->next)
		list[i++] = (struct subnet){read_column(r, id), read_column(r, total),
					    read_column(r, assigned), read_column(r, declined)};
	*ret_n = i;
	return list;
}

static double subnet_use(const struct subnet *s)
{
	return s->total > 0 ? 100 * (double)s->assigned / (double)s->total : 0;
}

static int compare_subnets(const void *a, const void *b)
{
	const struct subnet *x = a, *y = b;
	double ux = subnet_use(x), uy = subnet_use(y);

	return ux < uy ? 1 : ux > uy ? -1 : (x->id > y->id) - (x->id < y->id);
}

/* Finds the prefix of a subnet in a list of the configuration; NULL: it is not there. */
static const char *find_prefix(const struct json *list, int64_t id)
{
	for (const struct json *s = list && list->type == JSON_LIST ? list->first : NULL; s;
	     s = s->next)
		if (top_number(s, "id") == id)
			return json_get_str(s, "subnet");
	return NULL;
}

static const char *subnet_prefix(const struct top *t, int64_t id)
{
	const struct json *networks = json_get(t->config, "shared-networks");
	const char *prefix = find_prefix(json_get(t->config, "subnet4"), id);

	for (const struct json *n = networks && networks->type == JSON_LIST ? networks->first
									    : NULL;
	     n && !prefix; n = n->next)
		prefix = find_prefix(json_get(n, "subnet4"), id);
	return prefix ? prefix : "";
}

static void draw_sums(const struct subnet *list, size_t n, struct ctl_frame *f)
{
	struct subnet sum = {0};

	for (size_t i = 0; i < n; i++) {
		sum.total += list[i].total;
		sum.assigned += list[i].assigned;
		sum.declined += list[i].declined;
	}
	ctl_frame_line(f, "leases: %lld of %lld addresses (%.1f %%), %lld declined, %zu subnets",
		       (long long)sum.assigned, (long long)sum.total, subnet_use(&sum),
		       (long long)sum.declined, n);
}

static void draw_subnets(struct top *t, struct subnet *list, size_t n, struct ctl_frame *f)
{
	ctl_frame_heading(f, "%-12s %-20s %12s %12s %12s %7s", "SUBNET", "prefix", "assigned",
			  "declined", "addresses", "use");
	if (n)
		qsort(list, n, sizeof(list[0]), compare_subnets);
	for (size_t i = 0; i < n && i < SUBNETS_SHOWN; i++)
		ctl_frame_line(f, "%-12lld %-20s %12lld %12lld %12lld %5.1f %%",
			       (long long)list[i].id, subnet_prefix(t, list[i].id),
			       (long long)list[i].assigned, (long long)list[i].declined,
			       (long long)list[i].total, subnet_use(&list[i]));
	if (n > SUBNETS_SHOWN)
		ctl_frame_line(f, "and %zu more", n - SUBNETS_SHOWN);
}

static void draw_server(struct top *t, struct ctl_frame *f)
{
	struct subnet *list;
	size_t n;

	list = read_subnets(t, &n);
	draw_state(t, f);
	draw_workers(t, f);
	if (n)
		draw_sums(list, n, f);
	draw_store(t, f);
	ctl_frame_line(f, "%s", "");
	draw_messages(t, f);
	ctl_frame_line(f, "%s", "");
	top_draw_drops(t, top_answer(t, STATISTICS), top_answer_before(t, STATISTICS), "drop-",
		       DROPS_SHOWN, f);
	if (!n)
		return;
	ctl_frame_line(f, "%s", "");
	draw_subnets(t, list, n, f);
}

const struct top_view top_view_server = {
	.queries = {[STATUS] = {"status-get", NULL},
		    [STATISTICS] = {"statistic-global-get-all", "statistic-get-all"},
		    [SUBNETS] = {"stat-lease4-get", NULL}},
	.prepare = prepare_server,
	.draw = draw_server,
};
