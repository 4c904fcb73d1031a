/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The commands of perfmon. Their answers, and the texts of errors in arguments, are Kea's.
 */
#include "library/common/library.h"
#include "library/perfmon/perfmon.h"

#include "control/command.h"
#include "hook/hook_lib.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int fail_command(usher_call *call, const struct perfmon *p, enum log_id id, const char *text)
{
	log_msg(p->log, id, "%s command processing failed: %s", call->command, text);
	return usher_command_reply(call, CONTROL_ERROR, text, NULL);
}

/* Reads booleans, the only arguments that these commands have. Returns false, with a text, if
 * there is another argument or type. */
static bool read_flags(const struct json *args, const char *const *names, bool *const *values,
		       size_t n, char text[128])
{
	for (const struct json *v = args ? args->first : NULL; v; v = v->next) {
		size_t i = 0;

		while (i < n && strcmp(names[i], v->key) != 0)
			i++;
		if (i == n) {
			(void)snprintf(text, 128, "spurious '%.80s' parameter", v->key);
			return false;
		}
		if (v->type != JSON_BOOL) {
			(void)snprintf(text, 128, "'%s' parameter is not a boolean", v->key);
			return false;
		}
		(void)json_get_bool(args, v->key, values[i]);
	}
	return true;
}

/* Answers with arguments. */
static int answer_command(usher_call *call, int result, const char *text,
			  const struct json *arguments)
{
	struct buf b;
	int r;

	buf_init(&b);
	json_write(arguments, false, &b);
	r = b.failed ? -ENOMEM : usher_command_reply(call, result, text, b.p);
	buf_fini(&b);
	return r;
}

static int run_control(usher_call *call, void *perfmon)
{
	static const char *const names[] = {"enable-monitoring", "stats-mgr-reporting"};
	struct perfmon *p = perfmon;
	bool monitoring = atomic_load(&p->monitoring), reporting = atomic_load(&p->reporting);
	bool *const values[] = {&monitoring, &reporting};
	struct json *m = json_map(call->arena);
	char text[128];

	if (!read_flags(call->command_args, names, values, ARRAY_LEN(names), text))
		return fail_command(call, p, LOG_PERFMON_CMDS_CONTROL_ERROR, text);
	atomic_store(&p->monitoring, monitoring);
	atomic_store(&p->reporting, reporting);
	(void)json_add(call->arena, m, names[0], json_bool(call->arena, monitoring));
	(void)json_add(call->arena, m, names[1], json_bool(call->arena, reporting));
	log_msg(p->log, LOG_PERFMON_CMDS_CONTROL_OK,
		"perfmon-control command success: active monitoring: %s, stats-mgr-reporting: %s",
		monitoring ? "true" : "false", reporting ? "true" : "false");
	return answer_command(call, CONTROL_OK, "perfmon-control success", m);
}

/* --- Durations -------------------------------------------------------------------------------- */

struct listing {
	struct arena *a;
	struct json *list;
	bool rows; /* result-set-format */
	unsigned n;
};

static const char *stamp_text(int64_t ns, char out[40])
{
	time_t s = (time_t)(ns / NS_PER_S);
	struct tm tm;
	size_t n;

	(void)gmtime_r(&s, &tm);
	n = strftime(out, 40, "%Y-%m-%d %H:%M:%S", &tm);
	(void)snprintf(out + n, 40 - n, ".%06d", (int)(ns % NS_PER_S / 1000));
	return out;
}

/* Names of the members of a map and of the columns of a row. */
static const char *const key_names[] = {"query-type", "response-type", "start-event", "stop-event",
					"subnet-id"};
static const char *const value_names[] = {"start-time",		  "occurrences",
					  "min-duration-usecs",	  "max-duration-usecs",
					  "total-duration-usecs", "mean-duration-usecs"};
static const char *const columns[] = {"query-type",	    "response-type",
				      "start-event",	    "end-event",
				      "subnet-id",	    "interval-start",
				      "occurrences",	    "min-duration-usecs",
				      "max-duration-usecs", "total-duration-usecs",
				      "mean-duration-usecs"};

/* Adds a value to a map, or to a row. */
static void put_value(const struct listing *l, struct json *to, const char *name, struct json *v)
{
	(void)json_add(l->a, to, l->rows ? NULL : name, v);
}

static void add_key(const struct listing *l, struct json *to, const struct perfmon_shown *d)
{
	const struct perfmon_kind *kind = &perfmon_kinds[d->pair / PERFMON_PARTS];
	const struct perfmon_part *part = &perfmon_parts[d->pair % PERFMON_PARTS];
	const char *texts[] = {dhcp4_type_name(kind->query), dhcp4_type_name(kind->response),
			       part->start, part->stop};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		put_value(l, to, key_names[i], json_str(l->a, texts[i]));
	put_value(l, to, key_names[4], json_int(l->a, d->subnet_id));
}

static void list_duration(void *listing, const struct perfmon_shown *d)
{
	struct listing *l = listing;
	const struct perfmon_interval *i = &d->past;
	const int64_t values[] = {(int64_t)i->n, i->min / 1000, i->max / 1000, i->total / 1000,
				  perfmon_mean(i) / 1000};
	struct json *one = l->rows ? json_list(l->a) : json_map(l->a);
	struct json *key = l->rows ? one : json_map(l->a);
	char when[40];

	add_key(l, key, d);
	if (!l->rows)
		(void)json_add(l->a, one, "duration-key", key);
	put_value(l, one, value_names[0],
		  json_str(l->a, i->n ? stamp_text(i->start_wall_ns, when) : "<none>"));
	for (size_t k = 0; k < ARRAY_LEN(values); k++)
		put_value(l, one, value_names[k + 1], json_int(l->a, values[k]));
	(void)json_add(l->a, l->list, NULL, one);
	l->n++;
}

/* Puts the list into the arguments. */
static void put_durations(const struct listing *l, struct json *arguments)
{
	struct json *set = json_map(l->a), *names = json_list(l->a);

	if (!l->rows) {
		(void)json_add(l->a, arguments, "durations", l->list);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		(void)json_add(l->a, names, NULL, json_str(l->a, columns[i]));
	(void)json_add(l->a, set, "columns", names);
	(void)json_add(l->a, set, "rows", l->list);
	(void)json_add(l->a, arguments, "durations-result-set", set);
}

static int run_get_all(usher_call *call, void *perfmon)
{
	static const char *const names[] = {"result-set-format"};
	struct perfmon *p = perfmon;
	struct listing l = {.a = call->arena, .list = json_list(call->arena)};
	bool *const values[] = {&l.rows};
	struct json *m = json_map(call->arena);
	char text[128];

	if (!read_flags(call->command_args, names, values, ARRAY_LEN(names), text))
		return fail_command(call, p, LOG_PERFMON_CMDS_GET_ALL_DURATIONS_ERROR, text);
	perfmon_each(p, list_duration, &l);
	(void)json_add(l.a, m, "interval-width-secs",
		       json_int(l.a, p->params.interval_ns / NS_PER_S));
	(void)json_add(l.a, m, "timestamp",
		       json_str(l.a, stamp_text(clock_wall_ns(p->clock), text)));
	(void)json_add(l.a, m, names[0], json_bool(l.a, l.rows));
	put_durations(&l, m);
	log_msg(p->log, LOG_PERFMON_CMDS_GET_ALL_DURATIONS_OK,
		"perfmon-get-all-durations returning %u durations", l.n);
	(void)snprintf(text, sizeof(text), "perfmon-get-all-durations: %u found", l.n);
	return answer_command(call, l.n ? CONTROL_OK : CONTROL_EMPTY, text, m);
}

int perfmon_commands(usher_lib *lib, struct perfmon *p)
{
	const struct usher_command control =
		{.name = "perfmon-control",
		 .arguments = "[enable-monitoring:any] [stats-mgr-reporting:any]",
		 .help = "switch the measuring of durations, and their statistics",
		 .access = USHER_WRITE,
		 .fn = run_control,
		 .ctx = p};
	const struct usher_command get_all = {.name = "perfmon-get-all-durations",
					      .arguments = "[result-set-format:any]",
					      .help = "durations of the past interval",
					      .access = USHER_READ,
					      .fn = run_get_all,
					      .ctx = p};
	int r = usher_register_command(lib, &control);

	return r < 0 ? r : usher_register_command(lib, &get_all);
}
