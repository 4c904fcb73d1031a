/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Commands about statistics. A statistic is [[value, "time"], ...], newest sample first
 * (samples.h). Names are Kea's; every drop reason has a statistic of its own besides ("drop-...").
 * Answers and errors are Kea's.
 */
#include "base/clock.h"
#include "config/config.h"
#include "lease/lease_db.h"
#include "server/manage/command.h"
#include "server/core/snapshot.h"
#include "server/view/stat_walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct collect {
	struct control_call *c;
	struct json *out;
	struct json *list; /* samples of the current statistic */
	const char *only;  /* NULL: all */
	int64_t now_ns;
	bool found;
	struct stat_now at; /* the requested one */
};

static const char *time_text(int64_t ns, char out[40])
{
	time_t s = (time_t)(ns / NS_PER_S);
	struct tm tm;
	size_t n;

	(void)localtime_r(&s, &tm);
	n = strftime(out, 40, "%Y-%m-%d %H:%M:%S", &tm);
	(void)snprintf(out + n, 40 - n, ".%06d", (int)(ns % NS_PER_S / 1000));
	return out;
}

static void put_sample(void *ctx, const struct sample *v)
{
	struct collect *k = ctx;
	struct arena *a = k->c->arena;
	struct json *pair = json_list(a);
	char when[40];

	(void)json_add(a, pair, NULL, json_int(a, v->value));
	(void)json_add(a, pair, NULL, json_str(a, time_text(v->when_ns, when)));
	(void)json_add(a, k->list, NULL, pair);
}

/* Takes a sample of a statistic and puts its history into the answer, if it exists. */
static void put_statistic(void *ctx, const struct stat_now *v)
{
	struct collect *k = ctx;
	struct samples *s = daemon_of(k->c)->srv.samples;
	char name[STAT_NAME_LEN];

	(void)stat_name(v, name);
	if (k->only && strcmp(k->only, name) != 0)
		return;
	(void)samples_see(s, v, k->now_ns);
	if (!samples_exist(s, v))
		return;
	k->found = true;
	k->at = *v;
	if (!k->out)
		return;
	k->list = json_list(k->c->arena);
	samples_each(s, v, put_sample, k);
	(void)json_add(k->c->arena, k->out, name, k->list);
}

/* Returns the subnet whose statistics are requested; UINT32_MAX: of all, 0: of none. Only the
 * subnet of the requested name is walked, so that ten thousand subnets do not make one name slow.
 */
static uint32_t asked_subnet(const struct collect *k)
{
	if (!k->only)
		return UINT32_MAX;
	return strncmp(k->only, "subnet[", 7) == 0 ? (uint32_t)strtoul(k->only + 7, NULL, 10) : 0;
}

static void walk_all(struct collect *k, stat_fn fn)
{
	struct server *srv = &daemon_of(k->c)->srv;
	struct snapshot *snap = server_snapshot(srv);
	uint32_t asked = asked_subnet(k);

	k->now_ns = clock_wall_ns(&srv->clock);
	stat_walk_server(srv, fn, k);
	stat_walk_libraries(snap, UINT32_MAX, fn, k);
	for (size_t i = 0; i < snap->cfg->n_subnets; i++)
		if (asked == UINT32_MAX || snap->cfg->subnets[i].id == asked)
			stat_walk_subnet(srv, snap, &snap->cfg->subnets[i], fn, k);
	if (asked)
		stat_walk_removed(srv, snap, asked, fn, k);
	snapshot_unref(snap);
}

/* Returns the name that a command concerns; NULL, with the answer in *ret_refusal. */
static const char *name_argument(struct control_call *c, struct json **ret_refusal)
{
	const struct json *v = json_get(c->args, "name");

	*ret_refusal = NULL;
	if (v && v->type == JSON_STRING)
		return v->s;
	*ret_refusal = v ? command_fail(c, "'name' parameter expected to be a string.")
			 : command_fail(c, "Missing mandatory 'name' parameter.");
	return NULL;
}

/* Reads a non-negative integer. Returns NULL, or the answer that refuses. */
static struct json *number_argument(struct control_call *c, const char *key, uint32_t *ret)
{
	const struct json *v = json_get(c->args, key);

	if (!v)
		return command_fail(c, "Missing mandatory '%s' parameter.", key);
	if (v->type != JSON_INT)
		return command_fail(c, "'%s' parameter expected to be an integer.", key);
	if (v->i < 0 || v->i > UINT32_MAX)
		return command_fail(c, "'%s' parameter must be from 0 to %u", key, UINT32_MAX);
	*ret = (uint32_t)v->i;
	return NULL;
}

struct json *command_statistic_get_all(struct control_call *c)
{
	struct collect k = {.c = c, .out = json_map(c->arena)};

	walk_all(&k, put_statistic);
	return command_ok(c, k.out, "%s", "");
}

struct json *command_statistic_global_get_all(struct control_call *c)
{
	struct collect k = {.c = c,
			    .out = json_map(c->arena),
			    .now_ns = clock_wall_ns(&daemon_of(c)->srv.clock)};

	struct snapshot *snap = server_snapshot(&daemon_of(c)->srv);

	stat_walk_server(&daemon_of(c)->srv, put_statistic, &k);
	stat_walk_libraries(snap, 0, put_statistic, &k);
	snapshot_unref(snap);
	return command_ok(c, k.out, "%s", "");
}

struct json *command_statistic_get(struct control_call *c)
{
	struct json *refusal;
	struct collect k = {.c = c, .out = json_map(c->arena), .only = name_argument(c, &refusal)};

	if (!k.only)
		return refusal;
	walk_all(&k, put_statistic);
	return command_ok(c, k.out, "%s", "");
}

/* --- commands that change histories ----------------------------------------------------------- */

/* Finds the statistic of `name`. Returns NULL, or the answer that refuses. */
static struct json *find_statistic(struct control_call *c, struct collect *k)
{
	struct json *refusal;

	*k = (struct collect){.c = c, .only = name_argument(c, &refusal)};
	if (!k->only)
		return refusal;
	walk_all(k, put_statistic);
	return k->found ? NULL : command_fail(c, "No '%s' statistic found", k->only);
}

static struct json *answer_change(const struct collect *k, bool done, const char *what)
{
	return done ? command_ok(k->c, NULL, "Statistic '%s' %s", k->only, what)
		    : command_fail(k->c, "out of memory");
}

struct json *command_statistic_reset(struct control_call *c)
{
	struct collect k;
	struct json *refusal = find_statistic(c, &k);

	return refusal ? refusal
		       : answer_change(&k,
				       samples_reset(daemon_of(c)->srv.samples, &k.at, k.now_ns),
				       "reset.");
}

struct json *command_statistic_remove(struct control_call *c)
{
	struct collect k;
	struct json *refusal = find_statistic(c, &k);

	return refusal ? refusal
		       : answer_change(&k,
				       samples_remove(daemon_of(c)->srv.samples, &k.at, k.now_ns),
				       "removed.");
}

/* Resets a size of a pool: it has no history unless a command makes one. */
static void reset_size(void *ctx, const struct stat_now *v)
{
	struct collect *k = ctx;
	struct samples *s = daemon_of(k->c)->srv.samples;

	if (v->kind == STAT_SIZE)
		(void)!samples_reset(s, v, k->now_ns);
	else
		(void)samples_see(s, v, k->now_ns);
}

struct json *command_statistic_reset_all(struct control_call *c)
{
	struct collect k = {.c = c};

	walk_all(&k, reset_size);
	samples_reset_all(daemon_of(c)->srv.samples, k.now_ns);
	return command_ok(c, NULL, "All statistics reset to neutral values.");
}

struct json *command_statistic_remove_all(struct control_call *c)
{
	struct collect k = {.c = c};

	walk_all(&k, put_statistic);
	samples_remove_all(daemon_of(c)->srv.samples);
	return command_ok(
		c, NULL,
		"Warning: statistic-remove-all command is deprecated. All statistics removed.");
}

static struct json *limit_one(struct control_call *c, const char *key, bool by_age,
			      const char *what)
{
	struct collect k;
	struct sample_limit l = {.by_age = by_age};
	struct json *refusal = NULL;

	if (!name_argument(c, &refusal))
		return refusal;
	refusal = number_argument(c, key, &l.n);
	if (!refusal && !by_age && l.n == 0)
		refusal = command_fail(c, "'max-samples' parameter must not be zero");
	if (!refusal)
		refusal = find_statistic(c, &k);
	if (refusal)
		return refusal;
	return answer_change(&k, samples_limit(daemon_of(c)->srv.samples, &k.at, l, k.now_ns),
			     what);
}

struct json *command_statistic_sample_age(struct control_call *c)
{
	return limit_one(c, "duration", true, "duration limit is set.");
}

struct json *command_statistic_sample_count(struct control_call *c)
{
	return limit_one(c, "max-samples", false, "count limit is set.");
}

struct json *command_statistic_sample_age_all(struct control_call *c)
{
	struct sample_limit l = {.by_age = true};
	struct json *refusal = number_argument(c, "duration", &l.n);

	if (refusal)
		return refusal;
	samples_limit_all(daemon_of(c)->srv.samples, l);
	daemon_of(c)->sample_age_s = l.n;
	return command_ok(c, NULL, "All statistics duration limit are set.");
}

struct json *command_statistic_sample_count_all(struct control_call *c)
{
	struct sample_limit l = {.by_age = false};
	struct json *refusal = number_argument(c, "max-samples", &l.n);

	if (!refusal && l.n == 0)
		refusal = command_fail(c, "'max-samples' parameter must not be zero");
	if (refusal)
		return refusal;
	samples_limit_all(daemon_of(c)->srv.samples, l);
	daemon_of(c)->sample_count = l.n;
	return command_ok(c, NULL, "All statistics count limit are set.");
}

/* --- stat-lease4-get -------------------------------------------------------------------------- */

static void stat_row(struct control_call *c, struct json *rows, const struct config_subnet *s)
{
	struct json *row = json_list(c->arena);
	struct lease_counts n;

	lease_db_counts(daemon_of(c)->srv.db, s->id, LEASE_ALL_POOLS, &n);
	(void)json_add(c->arena, row, NULL, json_int(c->arena, s->id));
	(void)json_add(c->arena, row, NULL, json_int(c->arena, (int64_t)stat_subnet_size(s)));
	(void)json_add(c->arena, row, NULL, json_int(c->arena, (int64_t)n.cumulative_assigned));
	(void)json_add(c->arena, row, NULL, json_int(c->arena, (int64_t)n.assigned));
	(void)json_add(c->arena, row, NULL, json_int(c->arena, (int64_t)n.declined));
	(void)json_add(c->arena, rows, NULL, row);
}

/* The subnets of a request: one, some, or all. */
struct stat_choice {
	int64_t first, last;
	char text[64]; /* in Kea's words */
};

/* Reads a subnet id of a range. Returns NULL, or the answer that refuses. */
static struct json *read_bound(struct control_call *c, const struct json *range, const char *key,
			       int64_t *ret)
{
	if (!json_get_int(range, key, ret))
		return command_fail(c, "'%s' parameter missing or not an integer", key);
	return *ret > 0 ? NULL : command_fail(c, "'%s' parameter must be > 0", key);
}

static struct json *read_range(struct control_call *c, const struct json *range,
			       struct stat_choice *ret)
{
	struct json *bad;

	if (json_get(c->args, "subnet-id"))
		return command_fail(c, "cannot specify both subnet-id and subnet-range");
	if (range->type != JSON_MAP)
		return command_fail(c, "subnet-range parameter is not a map");
	bad = read_bound(c, range, "first-subnet-id", &ret->first);
	if (!bad)
		bad = read_bound(c, range, "last-subnet-id", &ret->last);
	if (!bad && ret->last < ret->first)
		bad = command_fail(c, "'last-subnet-id' must be greater than 'first-subnet-id'");
	(void)snprintf(ret->text, sizeof(ret->text), "[subnets %lld through %lld]",
		       (long long)ret->first, (long long)ret->last);
	return bad;
}

/* Reads the choice of subnets. Returns NULL, or the answer that refuses. */
static struct json *read_choice(struct control_call *c, struct stat_choice *ret)
{
	const struct json *range = json_get(c->args, "subnet-range");

	*ret = (struct stat_choice){0, UINT32_MAX, "[all subnets]"};
	if (json_get(c->args, "subnet-id")) {
		if (!command_int(c, "subnet-id", &ret->first))
			return command_fail(c, "'subnet-id' parameter is not integer");
		if (ret->first <= 0)
			return command_fail(c, "'subnet-id' parameter must be > 0");
		ret->last = ret->first;
		(void)snprintf(ret->text, sizeof(ret->text), "[subnet-id=%lld]",
			       (long long)ret->first);
	}
	return range ? read_range(c, range, ret) : NULL;
}

static int compare_subnets(const void *a, const void *b)
{
	const struct config_subnet *const *x = a;
	const struct config_subnet *const *y = b;

	return ((*x)->id > (*y)->id) - ((*x)->id < (*y)->id);
}

/* Returns the rows of the chosen subnets, by their ids; NULL: no memory. */
static struct json *stat_rows(struct control_call *c, const struct stat_choice *choice)
{
	struct snapshot *s = server_snapshot(&daemon_of(c)->srv);
	const struct config_subnet **chosen = arena_array(c->arena, const struct config_subnet *,
							  s->cfg->n_subnets + 1);
	struct json *rows = chosen ? json_list(c->arena) : NULL;
	size_t n = 0;

	for (size_t i = 0; rows && i < s->cfg->n_subnets; i++)
		if (s->cfg->subnets[i].id >= choice->first && s->cfg->subnets[i].id <= choice->last)
			chosen[n++] = &s->cfg->subnets[i];
	if (n)
		qsort(chosen, n, sizeof(*chosen), compare_subnets);
	for (size_t i = 0; i < n; i++)
		stat_row(c, rows, chosen[i]);
	snapshot_unref(s);
	return rows;
}

/* Answers that no subnet is chosen. */
static struct json *answer_no_rows(struct control_call *c, const struct stat_choice *choice)
{
	struct json *m;

	if (choice->first && choice->first == choice->last && !json_get(c->args, "subnet-range"))
		m = control_answer(c->arena, CONTROL_EMPTY,
				   "stat-lease4-get%s: no matching data, subnet-id: %lld does not "
				   "exist",
				   choice->text, (long long)choice->first);
	else
		m = control_answer(c->arena, CONTROL_EMPTY,
				   "stat-lease4-get%s: no matching data, selected ID range: %lld "
				   "through %lld includes no known subnets",
				   choice->text, (long long)choice->first,
				   (long long)(choice->last == UINT32_MAX ? 0 : choice->last));
	(void)json_add(c->arena, m, "arguments", json_map(c->arena));
	return m;
}

struct json *command_stat_lease4(struct control_call *c)
{
	static const char *const columns[] = {"subnet-id", "total-addresses",
					      "cumulative-assigned-addresses", "assigned-addresses",
					      "declined-addresses"};
	struct arena *a = c->arena;
	struct json *cols = json_list(a);
	struct json *set = json_map(a);
	struct json *args = json_map(a);
	struct stat_choice choice;
	struct json *rows;
	struct json *bad = read_choice(c, &choice);
	char when[40];

	if (bad)
		return bad;
	rows = stat_rows(c, &choice);
	if (!rows)
		return command_fail(c, "out of memory");
	if (!rows->count)
		return answer_no_rows(c, &choice);
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		(void)json_add(a, cols, NULL, json_str(a, columns[i]));
	(void)json_add(a, set, "columns", cols);
	(void)json_add(a, set, "rows", rows);
	(void)json_add(a, set, "timestamp",
		       json_str(a, time_text(clock_wall_ns(&daemon_of(c)->srv.clock), when)));
	(void)json_add(a, args, "result-set", set);
	return command_ok(c, args, "stat-lease4-get%s: %zu rows found", choice.text, rows->count);
}
