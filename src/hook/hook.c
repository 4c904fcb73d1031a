/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The registry of callouts, the loader and the call. A registry is built for one configuration and
 * does not change once published, so calling needs no lock. Each library has an index, which names
 * its slot in the packet's data.
 */
#include "hook/hook.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/object.h"
#include "config/config.h"
#include "config/schema/kea_hooks.h"
#include "hook/hook_lib.h"
#include "hook/host_source.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	enum hook_lot lot;
} points[] = {
#define HOOK(symbol, name, lot, drop) {name, HOOK_LOT_##lot},
#include "hook/hooks.def"
#undef HOOK
};

const char *hook_point_name(enum hook_point p)
{
	return p < HOOK_N_POINTS ? points[p].name : "";
}

enum hook_lot hook_point_lot(enum hook_point p)
{
	return p < HOOK_N_POINTS ? points[p].lot : HOOK_LOT_NONE;
}

bool hook_point_parks(enum hook_point p)
{
	return hook_point_lot(p) != HOOK_LOT_NONE;
}

uint64_t hook_failures(const struct hook_registry *r)
{
	return r ? r->failures : 0;
}

struct hook_commands *hook_commands_of(struct hook_registry *r)
{
	return &r->commands;
}

const struct control_command *hook_registry_commands(struct hook_registry *r, size_t *ret_n)
{
	*ret_n = r ? r->commands.n : 0;
	return r ? r->commands.rows : NULL;
}

void hook_count_failure(struct hook_registry *r, const char *where, const struct usher_lib *lib,
			int e)
{
	(void)atomic_fetch_add(&r->failures, 1);
	log_msg(r->log, LOG_HOOKS_CALLOUT_ERROR, "%s: callout of %s failed: %s", where, lib->path,
		usher_strerror(e));
}

static int callout_add(struct hook_registry *r, enum hook_point p, struct callout c)
{
	if (r->n_callouts[p] == HOOK_MAX_CALLOUTS)
		return -ENOMEM;
	r->callouts[p][r->n_callouts[p]++] = c;
	r->points.any |= 1ULL << p;
	return 0;
}

int usher_register(usher_lib *lib, const char *hook_point, usher_callout fn, void *ctx)
{
	if (!lib->loading)
		return -EBUSY;
	for (unsigned p = 0; p < HOOK_N_POINTS; p++)
		if (strcmp(points[p].name, hook_point) == 0)
			return callout_add(lib->registry, (enum hook_point)p,
					   (struct callout){fn, ctx, lib});
	return -ENOENT;
}

int hook_register_hosts(struct usher_lib *lib, const struct host_source *source)
{
	struct hook_points *p = &lib->registry->points;

	if (!lib->loading)
		return -EBUSY;
	if (p->hosts)
		return -EEXIST;
	p->hosts = source;
	return 0;
}

static struct usher_lib *lib_new(struct hook_registry *r, const char *path)
{
	struct hook_counter *counter;
	struct usher_lib *lib;

	if (r->n_libs == HOOK_MAX_LIBS)
		return NULL;
	lib = &r->libs[r->n_libs];
	*lib = (struct usher_lib){.registry = r, .index = r->n_libs, .log = r->log};
	counter = hook_counter_take(r, path);
	lib->path = strdup(path);
	if (!lib->path || !counter) {
		hook_counter_drop(counter);
		free(lib->path);
		return NULL;
	}
	lib->counter = counter;
	r->n_libs++;
	return lib;
}

int hook_register_builtin(struct hook_registry *r, const char *name, enum hook_point p,
			  usher_callout fn, void *ctx)
{
	struct usher_lib *lib = lib_new(r, name);

	if (!lib)
		return -ENOMEM;
	return callout_add(r, p, (struct callout){fn, ctx, lib});
}

static void *lib_symbol(struct usher_lib *lib, const char *name)
{
	return lib->handle ? dlsym(lib->handle, name) : NULL;
}

struct counting {
	void (*problem)(void *ctx, const struct config_error *e);
	void *ctx;
	size_t n;
};

static void count_problem(void *counting, const struct config_error *e)
{
	struct counting *c = counting;

	c->problem(c->ctx, e);
	c->n++;
}

size_t hook_libraries_check(const struct config *cfg, const struct hook_builtin *builtins,
			    struct log *log,
			    void (*problem)(void *ctx, const struct config_error *e), void *ctx)
{
	struct counting c = {problem, ctx, 0};

	for (size_t i = 0; i < cfg->n_hooks; i++) {
		const struct config_hook_library *h = &cfg->hooks[i];
		const struct hook_builtin *b;
		struct config_error err = {0};
		char why[256];

		if (!h->library)
			continue;
		b = hook_builtin_find(builtins, h->library);
		if (b && b->check)
			b->check(cfg, h, log, count_problem, &c);
		if (b ||
		    object_check(h->library, hook_symbols, HOOK_SYMBOLS, why, sizeof(why)) == 0)
			continue;
		(void)config_error_set(&err, &h->pos, -USHER_E_HOOK, "hook library %s: %s",
				       h->library, why);
		count_problem(&c, &err);
	}
	return c.n;
}

/* Opens the object and checks its version. */
static int lib_open(struct usher_lib *lib, const struct json_pos *pos, struct config_error *err)
{
	int (*version)(void);
	int r;

	lib->handle = dlopen(lib->path, RTLD_NOW | RTLD_LOCAL);
	if (!lib->handle)
		return config_error_set(err, pos, -USHER_E_HOOK, "hook library %s: %s", lib->path,
					dlerror());
	*(void **)&version = lib_symbol(lib, "usher_hook_version");
	if (!version || !lib_symbol(lib, "usher_hook_load"))
		return config_error_set(
			err, pos, -USHER_E_HOOK,
			"hook library %s: it lacks usher_hook_version and usher_hook_load "
			"(a C library for Usher is expected)",
			lib->path);
	r = version();
	if (r != USHER_HOOK_ABI)
		return config_error_set(
			err, pos, -USHER_E_HOOK,
			"hook library %s: built for hook ABI %d, this server has %d", lib->path, r,
			USHER_HOOK_ABI);
	return 0;
}

/* Lets a library register. */
static int lib_register(struct usher_lib *lib, const struct json_pos *pos, struct config_error *err)
{
	int (*load)(usher_lib *);
	int r;

	*(void **)&load = lib_symbol(lib, "usher_hook_load");
	lib->loading = true;
	r = load(lib);
	lib->loading = false;
	lib->loaded = r >= 0;
	if (lib->refusal)
		return config_error_set(err, pos, -USHER_E_HOOK, "hook library %s: %s", lib->path,
					lib->refusal);
	if (r < 0)
		return config_error_set(err, pos, -USHER_E_HOOK,
					"hook library %s: usher_hook_load failed: %s", lib->path,
					usher_strerror(r));
	return 0;
}

static int lib_load(struct usher_lib *lib, const struct hook_registry_opts *o,
		    const struct config_hook_library *conf, struct config_error *err)
{
	int r;

	if (lib->builtin) {
		lib->loading = true;
		r = lib->builtin->load(lib, o, conf, err);
		lib->loading = false;
	} else {
		r = lib_register(lib, &conf->pos, err);
	}
	if (r < 0)
		return r;
	lib->loaded = true;
	log_msg(lib->log, LOG_HOOKS_LIBRARY_LOADED, "hook library %s loaded", lib->path);
	return 0;
}

static void lib_unload(struct usher_lib *lib)
{
	void (*unload)(usher_lib *);

	*(void **)&unload = lib_symbol(lib, "usher_hook_unload");
	if (lib->loaded && unload)
		unload(lib);
	else if (lib->loaded && lib->builtin)
		lib->builtin->unload(lib);
	if (lib->loaded)
		log_msg(lib->log, LOG_HOOKS_LIBRARY_UNLOADED, "hook library %s unloaded",
			lib->path);
	if (lib->handle)
		(void)dlclose(lib->handle);
	free(lib->path);
	free(lib->parameters);
	free(lib->refusal);
	hook_counter_drop(lib->counter);
	arena_fini(&lib->arena);
}

static int lib_parameters(struct usher_lib *lib, const struct json *params)
{
	struct buf b;

	arena_init(&lib->arena);
	buf_init(&b);
	if (params)
		json_write(params, false, &b);
	else
		buf_str(&b, "null");
	lib->parameters = buf_take(&b);
	if (!lib->parameters)
		return -ENOMEM;
	lib->params = params ? json_copy(&lib->arena, params) : NULL;
	return 0;
}

/* Reports a library that cannot be loaded; the first one becomes *err. */
static int library_problem(const struct hook_registry_opts *o, int r, int before,
			   const struct config_error *e, struct config_error *err)
{
	if (o->problem)
		o->problem(o->ctx, e);
	if (before < 0)
		return before;
	*err = *e;
	return r;
}

static int library_begin(struct hook_registry *r, const struct hook_registry_opts *o,
			 const struct config_hook_library *h, struct config_error *err)
{
	struct usher_lib *lib = lib_new(r, h->library);
	int e;

	if (!lib)
		return config_error_set(err, &h->pos, -USHER_E_LIMIT, "at most %d hook libraries",
					HOOK_MAX_LIBS);
	lib->builtin = hook_builtin_find(o->builtins, lib->path);
	e = lib_parameters(lib, h->parameters);
	if (e < 0)
		return config_error_set(err, &h->pos, e, "out of memory");
	return lib->builtin ? 0 : lib_open(lib, &h->pos, err);
}

/* Loads the libraries in two passes. Each pass continues behind a library that fails, so that
 * one run reports all of them. */
static int registry_fill(struct hook_registry *r, const struct hook_registry_opts *o,
			 struct config_error *err)
{
	const struct config *cfg = o->cfg;
	struct config_error one;
	bool opened;
	int all = 0;

	for (size_t i = 0; i < cfg->n_hooks && r->n_libs == i; i++) {
		int e = library_begin(r, o, &cfg->hooks[i], &one);

		if (e < 0)
			all = library_problem(o, e, all, &one, err);
	}
	opened = all == 0;
	for (size_t i = 0; opened && i < r->n_libs; i++) {
		int e = lib_load(&r->libs[i], o, &cfg->hooks[i], &one);

		if (e < 0)
			all = library_problem(o, e, all, &one, err);
	}
	return all;
}

int hook_registry_new(const struct hook_registry_opts *o, struct hook_registry **ret,
		      struct config_error *err)
{
	struct hook_registry *r = calloc(1, sizeof(*r));
	int e;

	if (!r)
		return -ENOMEM;
	r->refs = 1;
	r->log = o->log;
	/* a callout takes less than a tick of the coarse clock */
	r->clock = !o->clock || o->clock->mono_ns == clock_coarse.mono_ns ? &clock_system
									  : o->clock;
	r->before = o->before;
	if (o->cfg)
		r->cfg = config_ref((struct config *)(uintptr_t)o->cfg);
	r->failures = hook_failures(o->before);
	r->commands.is_taken = o->is_command;
	e = registry_fill(r, o, err);
	r->before = NULL;
	if (e < 0) {
		hook_registry_unref(r);
		return e;
	}
	*ret = r;
	return 0;
}

struct hook_registry *hook_registry_ref(struct hook_registry *r)
{
	if (r)
		(void)atomic_fetch_add(&r->refs, 1);
	return r;
}

void hook_registry_unref(struct hook_registry *r)
{
	if (!r || atomic_fetch_sub(&r->refs, 1) != 1)
		return;
	for (unsigned i = r->n_libs; i > 0; i--)
		lib_unload(&r->libs[i - 1]);
	config_free(r->cfg);
	free(r);
}

bool hook_registry_reloads(const struct hook_registry *r)
{
	if (r && r->has_expressions)
		return true;
	for (unsigned i = 0; r && i < r->n_libs; i++)
		if (r->libs[i].builtin)
			return true;
	return false;
}

bool hook_registry_external(const struct hook_registry *r)
{
	for (unsigned i = 0; r && i < r->n_libs; i++)
		if (r->libs[i].handle)
			return true;
	return false;
}

void hook_registry_retire(struct hook_registry *r)
{
	for (unsigned i = 0; r && i < r->n_libs; i++)
		if (r->libs[i].builtin && r->libs[i].builtin->retire)
			r->libs[i].builtin->retire(&r->libs[i]);
}

/* Counts and logs a call of a library that began at start_ns. Returns the present time. */
static int64_t count_call(const struct hook_registry *r, enum hook_point p, struct usher_lib *lib,
			  int64_t start_ns)
{
	int64_t now_ns = clock_mono_ns(r->clock);

	if (unlikely(log_wants(r->log, LOG_HOOKS_CALLOUT_CALLED)))
		log_msg(r->log, LOG_HOOKS_CALLOUT_CALLED,
			"hook library %s was called at %s, for %lld microseconds", lib->path,
			points[p].name, (long long)((now_ns - start_ns) / 1000));
	atomic_fetch_add_explicit(&lib->counter->calls, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&lib->counter->ns, (uint64_t)(now_ns - start_ns),
				  memory_order_relaxed);
	return now_ns;
}

/* Calls a callout that may hang. */
static int call_external(const struct callout *c, struct usher_call *call)
{
	const struct hook_services *s = call->services;
	uint64_t token = s ? s->enter(call->ctx, &c->lib->hanging) : HOOK_NOT_WATCHED;
	int r;

	if (unlikely(token == HOOK_REFUSED)) {
		call->status = USHER_DROP;
		call->refused = true;
		return 0;
	}
	r = c->fn(call, c->ctx);
	if (s)
		s->leave(call->ctx, &c->lib->hanging, token);
	return r;
}

enum usher_next_step hook_call(struct hook_registry *r, struct usher_call *call)
{
	int64_t start_ns = clock_mono_ns(r->clock);
	enum hook_point p = call->point;

	call->status = USHER_CONTINUE;
	for (unsigned i = 0; i < r->n_callouts[p]; i++) {
		const struct callout *c = &r->callouts[p][i];
		int e;

		if (call->edit && !c->lib->builtin)
			continue;
		call->lib = c->lib;
		e = c->lib->handle ? call_external(c, call) : c->fn(call, c->ctx);
		start_ns = count_call(r, p, c->lib, start_ns);
		if (e < 0)
			hook_count_failure(r, points[p].name, c->lib, e);
	}
	if (call->status == USHER_PARK && (points[p].lot == HOOK_LOT_NONE || !call->took_handle))
		call->status = USHER_CONTINUE;
	return call->status;
}
