/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The hook library "lua": runs a script in every state when the configuration is loaded, and raises
 * haka.dissectors.dhcp.events.<hook point> for the hook points that its rules listen to. A rule
 * that fails or overruns its limits is logged with file and line, counted as a failed callout, and
 * its packet continues or is dropped, as "on-error" says.
 */
#include "server/lua/lua_hook.h"

#include "base/error.h"
#include "base/log.h"
#include "base/rng.h"
#include "config/config.h"
#include "script/library/shared.h"
#include "script/script_open.h"
#include "server/lua/lua_library.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MEGABYTE_BITS = 20, MEMORY_MB_MAX = 65536 };
#define INSTRUCTIONS_MIN 1000
#define INSTRUCTIONS_MAX (1LL << 40)

struct parameters {
	const char *script;
	int64_t instructions, memory_mb; /* 0: the script layer's own */
	bool drop_on_error;
};

/* --- parameters ------------------------------------------------------------------------------- */

static int refuse_parameter(struct config_error *err, const struct json_pos *pos, const char *what)
{
	return config_error_set(err, pos, -USHER_E_HOOK, "hook library lua: %s", what);
}

static int read_one(struct parameters *p, const struct json *v, struct config_error *err)
{
	bool number = strcmp(v->key, "instructions") == 0;

	if (strcmp(v->key, "script") == 0) {
		if (v->type != JSON_STRING || !v->n)
			return refuse_parameter(err, &v->pos, "'script' is the path of a file");
		p->script = v->s;
	} else if (number || strcmp(v->key, "memory-mb") == 0) {
		if (v->type != JSON_INT || v->i < (number ? INSTRUCTIONS_MIN : 1) ||
		    v->i > (number ? INSTRUCTIONS_MAX : MEMORY_MB_MAX))
			return refuse_parameter(
				err, &v->pos,
				number ? "'instructions' is a number from 1000 to 2^40"
				       : "'memory-mb' is a number from 1 to 65536");
		*(number ? &p->instructions : &p->memory_mb) = v->i;
	} else if (strcmp(v->key, "on-error") == 0) {
		p->drop_on_error = v->type == JSON_STRING && strcmp(v->s, "drop") == 0;
		if (v->type != JSON_STRING || (!p->drop_on_error && strcmp(v->s, "continue") != 0))
			return refuse_parameter(err, &v->pos,
						"'on-error' is \"continue\" or \"drop\"");
	} else {
		return refuse_parameter(
			err, &v->key_pos,
			"the only parameters are script, instructions, memory-mb and on-error");
	}
	return 0;
}

static int read_parameters(struct parameters *p, const struct config_hook_library *conf,
			   struct config_error *err)
{
	if (conf->parameters && conf->parameters->type == JSON_MAP)
		for (const struct json *v = conf->parameters->first; v; v = v->next) {
			int r = read_one(p, v, err);

			if (r < 0)
				return r;
		}
	return p->script ? 0
			 : refuse_parameter(err, &conf->pos, "the parameter 'script' is missing");
}

/* Writes the path of a script. A relative one begins at the directory of the configuration file. */
static void script_path(char out[PATH_MAX], const char *config_file, const char *script)
{
	const char *slash = script[0] != '/' && config_file ? strrchr(config_file, '/') : NULL;

	(void)snprintf(out, PATH_MAX, "%.*s%s", slash ? (int)(slash + 1 - config_file) : 0,
		       slash ? config_file : "", script);
}

/* --- states ----------------------------------------------------------------------------------- */

static void print_line(void *ctx, struct span line)
{
	const struct lua_hook *h = ctx;

	log_msg(h->log, LOG_USHER_SCRIPT_INFO, "%.*s", (int)line.n, (const char *)line.p);
}

static void drop_packet(struct script_dhcp *d)
{
	const struct lua_state *st = d->ctx;

	usher_set_status(st->call, USHER_DROP);
}

static const struct option_def *by_code(const struct script_dhcp *d, uint32_t code)
{
	const struct lua_state *st = d->ctx;

	return option_defs_by_code(st->call->cfg ? st->call->cfg->defs : NULL, OPTION_SPACE_DHCP4,
				   code);
}

static const struct option_def *by_name(const struct script_dhcp *d, const char *name)
{
	const struct lua_state *st = d->ctx;

	return option_defs_by_name(st->call->cfg ? st->call->cfg->defs : NULL, OPTION_SPACE_DHCP4,
				   name);
}

static const struct script_dhcp_host dhcp_host = {.drop = drop_packet,
						  .by_code = by_code,
						  .by_name = by_name};

static int define_events(struct lua_state *st)
{
	int r = 0;

	for (unsigned i = 0; i < HOOK_N_POINTS && r == 0; i++) {
		r = script_event_define(st->script, "dhcp", hook_point_name((enum hook_point)i), 0,
					&st->events[i]);
		if (r == 0)
			script_event_fields(st->script, st->events[i], lua_when_fields);
	}
	return r;
}

int lua_state_open(struct lua_state *st, struct lua_hook *h, const struct script_opts *so)
{
	int r = script_new(so, &st->script);

	st->hook = h;
	script_dhcp_init(&st->query, &dhcp_host, st);
	script_dhcp_init(&st->response, &dhcp_host, st);
	if (r == 0)
		r = script_dhcp_register(st->script);
	if (r == 0)
		r = lua_call_register(st);
	if (r == 0)
		r = lua_park_register(st);
	if (r == 0)
		r = lua_expression_register(st);
	if (r == 0)
		r = define_events(st);
	return r;
}

static int state_run(struct lua_state *st, const char *path, const struct config_hook_library *conf,
		     struct config_error *err)
{
	struct script_error e = {.text = "the script left itself with haka.abort()"};
	int r = script_run_file(st->script, path, &e);

	if (r != 0)
		return refuse_parameter(err, &conf->pos, e.text);
	if (script_started(st->script) & SCRIPT_RAISE_FAULT)
		return refuse_parameter(
			err, &conf->pos,
			"a rule on haka.events.started failed (the log says where)");
	st->running = true;
	return 0;
}

void lua_state_close(struct lua_state *st)
{
	if (st->running)
		(void)script_exiting(st->script);
	script_free(st->script); /* collects and so returns the handles of parked packets */
	script_dhcp_fini(&st->query);
	script_dhcp_fini(&st->response);
}

/* Returns the calling thread's state for the call of a packet, else the shared one, locked. */
static struct lua_state *state_take(struct lua_hook *h, const struct usher_call *call)
{
	struct lua_state *shared = &h->states[h->n_states - 1];
	pthread_t self = pthread_self();

	for (unsigned i = 0; call->query && i + 1 < h->n_states; i++) {
		struct lua_state *st = &h->states[i];

		if (atomic_load_explicit(&st->owned, memory_order_acquire) &&
		    pthread_equal(st->owner, self))
			return st;
	}
	for (unsigned i = 0; call->query && i + 1 < h->n_states; i++) {
		struct lua_state *st = &h->states[i];
		bool no = false;

		if (!atomic_compare_exchange_strong(&st->claimed, &no, true))
			continue;
		st->owner = self;
		atomic_store_explicit(&st->owned, true, memory_order_release);
		return st;
	}
	(void)pthread_mutex_lock(&h->shared);
	return shared;
}

static void state_give(struct lua_hook *h, const struct lua_state *st)
{
	if (st == &h->states[h->n_states - 1])
		(void)pthread_mutex_unlock(&h->shared);
}

/* --- the callout ------------------------------------------------------------------------------ */

static int push_arguments(lua_State *L, void *ctx, bool streamed)
{
	struct lua_state *st = ctx;

	(void)streamed;
	script_dhcp_push(L, &st->query);
	script_push(L, &lua_call_class, st, &st->generation);
	return 2;
}

static bool is_dropped(void *ctx)
{
	const struct lua_state *st = ctx;

	return usher_status(st->call) == USHER_DROP;
}

unsigned lua_state_call(struct lua_state *st, enum hook_point point, usher_call *call)
{
	struct script_raise r = {.ctx = st, .push = push_arguments, .stopped = is_dropped};
	unsigned what;

	lua_call_begin(st, call);
	what = script_raise(st->script, st->events[point], &r);
	if (what & SCRIPT_RAISE_FAULT)
		lua_park_undo(st, st->hook->drop_on_error);
	lua_call_end(st);
	return what;
}

static int call_state(usher_call *call, void *ctx)
{
	const struct lua_point *p = ctx;
	struct lua_hook *h = p->hook;
	struct lua_state *st = state_take(h, call);
	unsigned what = lua_state_call(st, p->point, call);

	state_give(h, st);
	if (what & SCRIPT_RAISE_ABORTED || (what & SCRIPT_RAISE_FAULT && h->drop_on_error))
		usher_set_status(call, USHER_DROP);
	return what & SCRIPT_RAISE_FAULT ? -USHER_E_SCRIPT : 0;
}

/* --- load, retire, unload --------------------------------------------------------------------- */

static void hook_free(struct lua_hook *h)
{
	for (unsigned i = 0; i < h->n_states; i++)
		lua_state_close(&h->states[i]);
	shared_store_free(h->tables);
	(void)pthread_mutex_destroy(&h->shared);
	(void)pthread_mutex_destroy(&h->park_lock);
	free(h);
}

/* Creates the tables of haka.shared(), new with every configuration as the states are. */
static int tables_new(struct lua_hook *h)
{
	struct hash_key key;
	struct rng rng;

	rng_seed_system(&rng);
	key = (struct hash_key){rng_u64(&rng), rng_u64(&rng)};
	return shared_store_new(0, &key, &h->tables);
}

static int open_states(struct lua_hook *h, const struct hook_registry_opts *o,
		       const struct config_hook_library *conf, struct config_error *err)
{
	unsigned workers = o->n_threads < 1		       ? 1
			   : o->n_threads < SERVER_MAX_WORKERS ? o->n_threads
							       : SERVER_MAX_WORKERS;
	struct parameters p = {0};
	char path[PATH_MAX];
	struct stat info;
	int r = read_parameters(&p, conf, err);

	if (r < 0)
		return r;
	script_path(path, o->config_file, p.script);
	/* a FIFO without a writer would block the server, and only one state could read it */
	if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
		return refuse_parameter(err, &conf->pos, "the script is no regular file");
	h->drop_on_error = p.drop_on_error;
	if (tables_new(h) < 0)
		return refuse_parameter(err, &conf->pos, "not enough memory");
	while (h->n_states <= workers) {
		struct lua_state *st = &h->states[h->n_states];
		struct script_opts so = {
			.profile = SCRIPT_RESTRICTED,
			.instructions = (uint64_t)p.instructions,
			.memory = (size_t)p.memory_mb << MEGABYTE_BITS,
			.thread = h->n_states++,
			.log = o->log,
			.clock = o->clock,
			.print = print_line,
			.refuse_command = lua_command_refuse,
			.ctx = h,
			.shared = h->tables,
		};

		if (lua_state_open(st, h, &so) < 0)
			return refuse_parameter(err, &conf->pos,
						"not enough memory for a Lua state");
		r = state_run(st, path, conf, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Registers each point that rules of any state listen to. A listener that a script adds later is
 * not called. */
static int register_points(struct lua_hook *h)
{
	int r = 0;

	for (unsigned p = 0; p < HOOK_N_POINTS && r == 0; p++) {
		bool any = false;

		for (unsigned i = 0; i < h->n_states; i++)
			any |= script_event_any(h->states[i].script, h->states[i].events[p]);
		h->points[p] = (struct lua_point){h, (enum hook_point)p};
		if (any)
			r = usher_register(h->lib, hook_point_name((enum hook_point)p), call_state,
					   &h->points[p]);
	}
	return r;
}

int lua_hook_load(struct usher_lib *lib, const struct hook_registry_opts *o,
		  const struct config_hook_library *conf, struct config_error *err)
{
	struct lua_hook *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return refuse_parameter(err, &conf->pos, "not enough memory");
	h->lib = lib;
	h->log = o->log;
	h->parked_end = &h->parked;
	(void)pthread_mutex_init(&h->shared, NULL);
	(void)pthread_mutex_init(&h->park_lock, NULL);
	r = open_states(h, o, conf, err);
	if (r == 0 && register_points(h) < 0)
		r = refuse_parameter(err, &conf->pos, "too many callouts at a hook point");
	if (r == 0 && lua_commands_register(h) < 0)
		r = refuse_parameter(err, &conf->pos, "too many commands of hook libraries");
	if (r < 0) {
		hook_free(h);
		return r;
	}
	usher_lib_set(lib, h);
	return 0;
}

void lua_hook_retire(struct usher_lib *lib)
{
	lua_park_retire(usher_lib_get(lib));
}

void lua_hook_unload(struct usher_lib *lib)
{
	hook_free(usher_lib_get(lib));
}

void lua_hook_memory(struct usher_lib *lib, struct hook_memory *m, hook_memory_fn *fn, void *ctx)
{
	const struct lua_hook *h = usher_lib_get(lib);

	for (unsigned i = 0; h && i < h->n_states; i++) {
		struct script_stats s;

		script_stats(h->states[i].script, &s);
		m->state = i;
		m->used = s.memory;
		m->max = s.memory_max;
		fn(ctx, m);
	}
}

const struct json *lua_hook_file(const struct config_hook_library *conf, unsigned nth, int *ret_dir)
{
	*ret_dir = CONFIG_DIR_HOOKS;
	return nth == 0 && conf->parameters ? json_get(conf->parameters, "script") : NULL;
}
