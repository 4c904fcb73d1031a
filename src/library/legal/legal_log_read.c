/* SPDX-License-Identifier: MPL-2.0 */
/* The parameters of legal_log. Those that concern the other type have no effect, as in Kea. */
#include "library/legal/legal_log.h"

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "library/common/script_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

struct reading {
	struct library_problems *p;
	const struct json *parameters;
	struct legal_log *log;
};

static const struct library_key keys[] = {{"type", JSON_STRING},
					  {"path", JSON_STRING},
					  {"base-name", JSON_STRING},
					  {"time-unit", JSON_STRING},
					  {"count", JSON_INT},
					  {"prerotate", JSON_STRING},
					  {"postrotate", JSON_STRING},
					  {"mark-continuation-lines", JSON_BOOL},
					  {"timestamp-format", JSON_STRING},
					  {"facility", JSON_STRING},
					  {"pattern", JSON_STRING},
					  {"request-parser-format", JSON_STRING},
					  {"response-parser-format", JSON_STRING}};

/* Returns a string parameter, NULL: it is absent or has another type, which was reported. */
static const struct json *string_of(const struct reading *r, const char *name)
{
	const struct json *v = json_get(r->parameters, name);

	return v && v->type == JSON_STRING ? v : NULL;
}

/* Returns whether the type is one that this library has, and sets it. */
static bool read_type(struct reading *r)
{
	const struct json *type = string_of(r, "type");

	if (!type || strcmp(type->s, "logfile") == 0)
		return true;
	r->log->target.syslog = strcmp(type->s, "syslog") == 0;
	if (r->log->target.syslog)
		return true;
	if (strcmp(type->s, "mysql") == 0)
		library_problem(r->p, &type->pos,
				"'type': MySQL is not supported: use logfile or syslog");
	else if (strcmp(type->s, "postgresql") == 0)
		library_problem(r->p, &type->pos, "'type': postgresql is not supported yet");
	else
		library_problem(r->p, &type->pos,
				"'type': '%.64s' is unknown, logfile or syslog is expected",
				type->s);
	return false;
}

static void read_directory(struct reading *r)
{
	const struct json *path = string_of(r, "path");
	struct legal_target *t = &r->log->target;
	const struct json_pos *at = path ? &path->pos : r->p->at;
	struct stat st;

	t->dir = config_dir(CONFIG_DIR_LEGAL_LOG);
	if (path)
		t->dir = config_file_name(&r->log->arena, CONFIG_DIR_LEGAL_LOG, path->s);
	t->dir = t->dir ? arena_strdup(&r->log->arena, t->dir) : NULL;
	if (!t->dir || !t->dir[0])
		library_problem(r->p, at, "'path' must not be empty");
	else if (stat(t->dir, &st) < 0)
		library_problem(r->p, at, "the directory of the records, %.200s: %s", t->dir,
				strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		library_problem(r->p, at, "'path': %.200s is not a directory", t->dir);
	else if (access(t->dir, W_OK | X_OK) < 0)
		library_problem(r->p, at, "'path': this server may not write to %.200s", t->dir);
}

static void read_base(struct reading *r)
{
	const struct json *base = string_of(r, "base-name");

	r->log->target.base = "kea-legal";
	if (!base)
		return;
	if (!base->s[0] || strchr(base->s, '/') || base->n > 128)
		library_problem(r->p, &base->pos,
				"'base-name' must be the beginning of a file's name, at most 128 "
				"octets without a slash");
	r->log->target.base = arena_strdup(&r->log->arena, base->s);
}

static void read_period(struct reading *r)
{
	static const char *const units[] = {[LEGAL_SECOND] = "second",
					    [LEGAL_DAY] = "day",
					    [LEGAL_MONTH] = "month",
					    [LEGAL_YEAR] = "year"};
	const struct json *unit = string_of(r, "time-unit");
	struct legal_period *period = &r->log->target.period;
	const struct json *count = json_get(r->parameters, "count");
	size_t i = 0;

	*period = (struct legal_period){LEGAL_DAY, 1};
	while (unit && i < ARRAY_LEN(units) && strcmp(units[i], unit->s) != 0)
		i++;
	if (unit && i == ARRAY_LEN(units))
		library_problem(r->p, &unit->pos,
				"'time-unit': '%.64s' is unknown, second, day, month or year is "
				"expected",
				unit->s);
	else if (unit)
		period->unit = (enum legal_unit)i;
	if (!count || count->type != JSON_INT)
		return;
	if (count->i < 0 || count->i > UINT32_MAX)
		library_problem(r->p, &count->pos, "'count' must be 0 to %u", UINT32_MAX);
	else
		period->count = (uint32_t)count->i;
}

/* Returns the path of a rotation's script, NULL: there is none. */
static const char *read_script(struct reading *r, const char *name)
{
	const struct json *script = string_of(r, name);

	return script && script->s[0] ? script_file_check(r->p, script, &r->log->arena) : NULL;
}

static void read_stamp(struct reading *r)
{
	const struct json *format = string_of(r, "timestamp-format");
	char out[LEGAL_STAMP_LEN];

	r->log->target.stamp = "%Y-%m-%d %H:%M:%S %Z";
	if (!format || !format->s[0])
		return;
	if (!legal_stamp(format->s, clock_wall_ns(&clock_system), out))
		library_problem(r->p, &format->pos,
				"'timestamp-format': a time of 1 to %d octets is expected",
				LEGAL_STAMP_LEN - 1);
	r->log->target.stamp = arena_strdup(&r->log->arena, format->s);
}

static void read_file(struct reading *r)
{
	struct legal_target *t = &r->log->target;

	read_directory(r);
	read_base(r);
	read_period(r);
	read_stamp(r);
	t->prerotate = read_script(r, "prerotate");
	t->postrotate = read_script(r, "postrotate");
	t->mark = true;
	(void)json_get_bool(r->parameters, "mark-continuation-lines", &t->mark);
}

static void read_syslog(struct reading *r)
{
	const struct json *facility = string_of(r, "facility");
	const struct json *pattern = string_of(r, "pattern");
	struct legal_target *t = &r->log->target;

	t->facility = facility ? log_facility(facility->s) : LOG_LOCAL0;
	if (t->facility < 0)
		library_problem(r->p, &facility->pos,
				"'facility': '%.64s' is unknown, local0 for example is expected",
				facility->s);
	t->pattern = pattern && pattern->s[0] ? arena_strdup(&r->log->arena, pattern->s)
					      : "%-5p [%c] %m";
}

static void read_parameters(struct reading *r, const struct config *cfg)
{
	struct arena *arena = &r->log->arena;

	if (!read_type(r)) /* the other parameters are that type's */
		return;
	(void)library_check_keys(r->p, r->parameters, keys, ARRAY_LEN(keys));
	if (r->log->target.syslog)
		read_syslog(r);
	else
		read_file(r);
	r->log->request = library_expr(r->p, cfg, json_get(r->parameters, "request-parser-format"),
				       false, arena);
	r->log->response = library_expr(r->p, cfg,
					json_get(r->parameters, "response-parser-format"), false,
					arena);
}

void legal_log_parse(struct library_problems *p, const struct config *cfg,
		     const struct json *parameters, void *record)
{
	struct reading r = {p, parameters, record};

	read_parameters(&r, cfg);
}
