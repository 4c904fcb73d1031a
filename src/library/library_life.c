/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The life of the built-in libraries: a record is made of the parameters, for a check or for good.
 */
#include "library/library_life.h"

#include "base/error.h"
#include "config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct first_problem {
	struct config_error *err;
	bool any;
};

static void keep_first(void *first, const struct config_error *e)
{
	struct first_problem *f = first;

	if (!f->any)
		*f->err = *e;
	f->any = true;
}

static const struct library *const libraries[] = {
#define LIBRARY(symbol) &library_##symbol,
#include "library/common/libraries.def"
#undef LIBRARY
};

static const struct library *find_library(const char *name)
{
	size_t i = 0;

	while (strcmp(libraries[i]->name, name) != 0)
		i++;
	return libraries[i];
}

/* A library that runs. */
struct running {
	const struct library *library;
	void *record; /* begins with its arena */
};

/* Makes the record of the parameters. NULL: out of memory. */
static void *make_record(const struct library *l, struct library_problems *p,
			 const struct config *cfg, const struct config_hook_library *conf)
{
	const struct json *parameters = conf->parameters;
	struct arena *record = calloc(1, l->size);

	if (!record)
		return NULL;
	arena_init(record);
	if (parameters && parameters->type == JSON_NULL)
		parameters = NULL;
	l->parse(p, cfg, parameters, record);
	return record;
}

static void free_record(void *record)
{
	if (record)
		arena_fini(record);
	free(record);
}

/* The problems of a library on their way to the caller. */
struct passing {
	const struct library *library;
	struct log *log;
	void (*fn)(void *ctx, const struct config_error *e);
	void *ctx;
	bool any;
};

/* Writes the first problem to the log, too. */
static void pass_problem(void *passing, const struct config_error *e)
{
	struct passing *p = passing;

	if (!p->any && p->library->log)
		log_msg(p->log, p->library->log->refused, "%s", e->text);
	p->any = true;
	p->fn(p->ctx, e);
}

void library_check(const struct config *cfg, const struct config_hook_library *conf,
		   struct log *log, void (*problem)(void *ctx, const struct config_error *e),
		   void *ctx)
{
	struct passing passing = {.library = find_library(conf->library),
				  .log = log,
				  .fn = problem,
				  .ctx = ctx};
	struct library_problems p = {.library = conf->library,
				     .at = &conf->pos,
				     .fn = pass_problem,
				     .ctx = &passing};

	free_record(make_record(passing.library, &p, cfg, conf));
}

/* Gives a library the parts of its predecessor that it continues. */
static void adopt_parts(usher_lib *lib, const struct running *run)
{
	usher_lib *before = hook_lib_before(lib);
	const struct running *old = before ? usher_lib_get(before) : NULL;

	if (old && run->library->adopt)
		run->library->adopt(run->record, old->record);
}

int library_load(usher_lib *lib, const struct hook_registry_opts *o,
		 const struct config_hook_library *conf, struct config_error *err)
{
	struct first_problem first = {err, false};
	struct library_problems p = {.library = conf->library,
				     .at = &conf->pos,
				     .fn = keep_first,
				     .ctx = &first};
	struct running *run = calloc(1, sizeof(*run));
	int r = -ENOMEM;

	if (run) {
		run->library = find_library(conf->library);
		run->record = make_record(run->library, &p, o->cfg, conf);
	}
	if (run && run->record && !p.n) {
		if (run->library->attach)
			run->library->attach(run->record, o);
		adopt_parts(lib, run);
		r = run->library->start(lib, run->record);
	}
	if (r == 0 && !p.n) {
		usher_lib_set(lib, run);
		if (run->library->log)
			log_msg(o->log, run->library->log->loaded, "the library is loaded");
		return 0;
	}
	free_record(run ? run->record : NULL);
	free(run);
	if (p.n)
		return -USHER_E_HOOK;
	return config_error_set(err, &conf->pos, -USHER_E_HOOK, "hook library %s: %s",
				conf->library, usher_strerror(r));
}

void library_unload(usher_lib *lib)
{
	struct running *run = usher_lib_get(lib);

	if (run->library->stop)
		run->library->stop(run->record);
	if (run->library->log)
		log_msg(hook_lib_log(lib), run->library->log->unloaded, "the library is unloaded");
	free_record(run->record);
	free(run);
}

enum hook_access library_check_request(usher_lib *lib, const struct hook_asked *asked)
{
	const struct running *run = usher_lib_get(lib);

	return run->library->check_request ? run->library->check_request(run->record, asked)
					   : HOOK_ACCESS_OK;
}

bool library_hides_command(usher_lib *lib, const struct hook_asked *asked)
{
	const struct running *run = usher_lib_get(lib);

	return run->library->hides_command && run->library->hides_command(run->record, asked);
}

void library_statistics(usher_lib *lib, hook_statistic_fn *fn, void *ctx)
{
	const struct running *run = usher_lib_get(lib);

	if (run->library->statistics)
		run->library->statistics(run->record, fn, ctx);
}

const struct json *library_file(const struct config_hook_library *conf, unsigned nth, int *ret_dir)
{
	for (const struct library_file *f = find_library(conf->library)->files; f && f->name; f++) {
		const struct json *v = json_get(conf->parameters, f->name);

		*ret_dir = f->dir;
		if (v && nth-- == 0)
			return v;
	}
	return NULL;
}
