/* SPDX-License-Identifier: MPL-2.0 */
/*
 * run_script: runs a script for changes of leases, with the facts of the change in its environment.
 * A callout composes the environment and queues the run; a thread of the library does the rest
 * (base/child.h). No packet waits for a script, and a script changes no packet.
 */
#include "library/run_script.h"

#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "library/common/library.h"
#include "library/common/script_file.h"

#include <errno.h>

/* ENV_LEN: enough for a query with agent options and two leases. */
enum { RUNNING_MAX = 16, QUEUE_MAX = 1024, DEADLINE_S = 30, GRACE_S = 5, ENV_LEN = 6144 };

struct run_script {
	struct arena arena;
	const char *name; /* of the script */
	const struct json *sync;
	struct script_children children;
	usher_lib *lib;
	bool loaded;	  /* it is in effect, and said so */
	bool no_programs; /* a check, or a replay */
};

static void parse_script(struct library_problems *p, const struct config *cfg,
			 const struct json *parameters, void *record)
{
	static const struct library_key keys[] = {{"name", JSON_STRING}, {"sync", JSON_BOOL}};
	const struct json *name = json_get(parameters, "name");
	struct run_script *s = record;

	(void)cfg;
	(void)library_check_keys(p, parameters, keys, ARRAY_LEN(keys));
	if (!name)
		library_problem(
			p, parameters ? &parameters->pos : p->at,
			"the parameter 'name' is missing: the path of a script is expected");
	if (!name || name->type != JSON_STRING)
		return;
	s->name = script_file_check(p, name, &s->arena);
	s->sync = json_get(parameters, "sync");
}

/* --- Hook points ------------------------------------------------------------------------------ */

static bool is_left_alone(const usher_call *call)
{
	enum usher_next_step step = usher_status(call);

	return step == USHER_SKIP || step == USHER_DROP;
}

/* Queues a run with a complete environment. Returns 0 or -ENOMEM. */
static int queue_run(struct run_script *s, const usher_call *call, struct buf *env)
{
	int r = env->failed ? -ENOMEM : 0;

	if (r == 0)
		script_children_run(&s->children, s->name, usher_hook_point(call),
				    span_of(env->p, env->len));
	buf_fini(env);
	return r;
}

/* Called at leases4_committed. */
static int run_committed(usher_call *call, void *record)
{
	char mem[ENV_LEN];
	struct buf env;

	if (is_left_alone(call))
		return 0;
	buf_init_over(&env, mem, sizeof(mem));
	run_script_put_query(&env, call);
	run_script_put_leases(&env, call, "LEASES4", call->lease);
	run_script_put_leases(&env, call, "DELETED_LEASES4", call->deleted);
	return queue_run(record, call, &env);
}

/* Called at lease4_renew. */
static int run_renew(usher_call *call, void *record)
{
	char mem[ENV_LEN];
	struct buf env;

	if (is_left_alone(call))
		return 0;
	buf_init_over(&env, mem, sizeof(mem));
	run_script_put_query(&env, call);
	run_script_put_subnet(&env, call);
	run_script_put_client(&env, call);
	run_script_put_lease(&env, call, "LEASE4", call->lease);
	return queue_run(record, call, &env);
}

/* Called at lease4_release and lease4_decline. */
static int run_given_up(usher_call *call, void *record)
{
	char mem[ENV_LEN];
	struct buf env;

	if (is_left_alone(call))
		return 0;
	buf_init_over(&env, mem, sizeof(mem));
	run_script_put_query(&env, call);
	run_script_put_lease(&env, call, "LEASE4", call->lease);
	return queue_run(record, call, &env);
}

/* Called at lease4_expire and lease4_recover. */
static int run_ended(usher_call *call, void *record)
{
	char mem[ENV_LEN];
	struct buf env;

	if (is_left_alone(call))
		return 0;
	buf_init_over(&env, mem, sizeof(mem));
	run_script_put_lease(&env, call, "LEASE4", call->lease);
	if (call->point == HOOK_LEASE4_EXPIRE)
		run_script_put(&env, "REMOVE_LEASE", usher_remove_lease(call) ? "true" : "false");
	return queue_run(record, call, &env);
}

/* --- Life ------------------------------------------------------------------------------------- */

/* Called at dhcp4_srv_configured: the configuration is in effect. */
static int begin_runs(usher_call *call, void *record)
{
	struct run_script *s = record;
	struct log *log = hook_lib_log(s->lib);

	if (call->edit)
		return 0;
	s->loaded = true;
	log_msg(log, LOG_RUN_SCRIPT_LOAD, "changes of leases run %s", s->name);
	if (s->sync)
		log_msg(log, LOG_DHCP4_CONFIG_WARNING,
			"hook library %s: 'sync' has no effect: scripts always run beside the "
			"packets",
			library_run_script.name);
	return script_children_start(&s->children);
}

static void adopt_children(void *record, void *before)
{
	struct run_script *s = record;
	struct run_script *old = before;

	script_children_adopt(&s->children, &old->children);
}

static void attach_run_script(void *record, const struct hook_registry_opts *o)
{
	struct run_script *s = record;

	s->no_programs = !hook_network_acts(o->network);
}

static int start_run_script(usher_lib *lib, void *record)
{
	static const struct child_limits limits = {.running = RUNNING_MAX,
						   .queued = QUEUE_MAX,
						   .deadline_ns = DEADLINE_S * NS_PER_S,
						   .grace_ns = GRACE_S * NS_PER_S};
	static const struct {
		const char *point;
		usher_callout fn;
	} callouts[] = {{"dhcp4_srv_configured", begin_runs}, {"leases4_committed", run_committed},
			{"lease4_renew", run_renew},	      {"lease4_release", run_given_up},
			{"lease4_decline", run_given_up},     {"lease4_expire", run_ended},
			{"lease4_recover", run_ended}};
	struct run_script *s = record;
	int r = script_children_init(&s->children, lib, library_run_script.name, &limits);

	s->lib = lib;
	for (size_t i = 0; !s->no_programs && r == 0 && i < ARRAY_LEN(callouts); i++)
		r = usher_register(lib, callouts[i].point, callouts[i].fn, record);
	if (r < 0)
		script_children_fini(&s->children);
	return r;
}

static void stop_run_script(void *record)
{
	struct run_script *s = record;

	if (s->loaded)
		log_msg(hook_lib_log(s->lib), LOG_RUN_SCRIPT_UNLOAD, "%s is not run any more",
			s->name);
	script_children_fini(&s->children);
}

static const struct library_file files[] = {{"name", CONFIG_DIR_SCRIPTS}, {NULL, 0}};

const struct library library_run_script = {.name = "libdhcp_run_script.so",
					   .size = sizeof(struct run_script),
					   .parse = parse_script,
					   .attach = attach_run_script,
					   .files = files,
					   .adopt = adopt_children,
					   .start = start_run_script,
					   .stop = stop_run_script};
