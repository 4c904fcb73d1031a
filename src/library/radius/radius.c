/* SPDX-License-Identifier: MPL-2.0 */
/*
 * radius: its life. The thread starts with the configuration in effect.
 */
#include "library/radius/radius.h"
#include "library/common/library.h"

#include "base/buf.h"
#include "base/error.h"
#include "hook/hook_lib.h"

#include <errno.h>
#include <string.h>

static void parse_radius(struct library_problems *p, const struct config *cfg,
			 const struct json *parameters, void *record)
{
	struct radius *r = record;

	radius_read_params(p, cfg, parameters, &r->arena, &r->params);
}

static void write_sessions(void *sessions)
{
	radius_sessions_flush(sessions);
}

/* Sets the reason why the library does not start. why: of the file of sessions; NULL: e is it. */
static void refuse_start(struct config_error *ret, const struct config_error *why, int e)
{
	struct buf b;

	buf_init(&b);
	if (why) {
		buf_str(&b, "session-history: ");
		config_error_text(why, &b);
	} else {
		buf_str(&b, usher_strerror(e));
	}
	(void)config_error_set(ret, NULL, -USHER_E_HOOK, "hook library %s: %s", library_radius.name,
			       b.failed ? "out of memory" : b.p);
	buf_fini(&b);
}

/* Called at dhcp4_srv_configured. */
static int begin_radius(struct usher_call *call, void *radius)
{
	const struct host_source *source = hook_hosts(call->lib->registry);
	struct radius *r = radius;
	struct config_error why = {0};
	int e = 0;

	if (!source) {
		log_msg(r->log, LOG_RADIUS_ACCESS_NO_HOST_CACHE,
			"the library libdhcp_host_cache.so is not loaded");
		if (call->refusal)
			(void)config_error_set(call->refusal, NULL, -USHER_E_HOOK,
					       "hook library %s: it needs libdhcp_host_cache.so",
					       library_radius.name);
		call->status = USHER_DROP;
		return 0;
	}
	r->cache = source->ctx;
	if (!r->sessions)
		e = radius_sessions_new(hook_network_acts(r->network) ? r->params.session_history
								      : NULL,
					r->log, &r->sessions, &why);
	if (e == 0 && !r->client && r->network != HOOK_NETWORK_NONE &&
	    (r->params.access.n_servers || r->params.accounting.n_servers))
		e = radius_client_new(r->log, r->network == HOOK_NETWORK_SILENT, write_sessions,
				      r->sessions, &r->client);
	if (e < 0 && call->refusal)
		refuse_start(call->refusal, r->sessions ? NULL : &why, e);
	if (e < 0)
		call->status = USHER_DROP;
	return 0;
}

/* Keeps the sessions of the instance before, if they have the same file. */
static void adopt_radius(void *record, void *before)
{
	struct radius *r = record, *old = before;
	const char *own = r->params.session_history, *path;

	if (!old->sessions)
		return;
	path = radius_sessions_path(old->sessions);
	if (own && path ? strcmp(own, path) == 0 : !own && !path)
		r->sessions = radius_sessions_ref(old->sessions);
}

static void attach_radius(void *record, const struct hook_registry_opts *o)
{
	struct radius *r = record;

	r->log = o->log;
	r->network = o->network;
}

static int start_radius(usher_lib *lib, void *record)
{
	static const struct {
		const char *point;
		usher_callout fn;
	} callouts[] = {{"dhcp4_srv_configured", begin_radius},
			{"subnet4_select", radius_select},
			{"lease4_select", radius_account_select},
			{"lease4_renew", radius_account_renew},
			{"lease4_release", radius_account_end},
			{"lease4_decline", radius_account_end},
			{"lease4_expire", radius_account_end},
			{"command_processed", radius_account_command}};
	struct radius *r = record;
	int e = 0;

	r->lib = lib;
	(void)pthread_mutex_init(&r->mu, NULL);
	for (size_t i = 0; e == 0 && i < ARRAY_LEN(callouts); i++)
		e = usher_register(lib, callouts[i].point, callouts[i].fn, record);
	if (e < 0)
		(void)pthread_mutex_destroy(&r->mu);
	return e;
}

static void stop_radius(void *record)
{
	struct radius *r = record;

	radius_client_free(r->client);
	if (r->sessions)
		radius_sessions_flush(r->sessions);
	radius_sessions_unref(r->sessions);
	(void)pthread_mutex_destroy(&r->mu);
}

static const struct library_log messages = {LOG_RADIUS_INIT_OK, LOG_RADIUS_CONFIGURATION_FAILED,
					    LOG_RADIUS_DEINIT_OK};

static const struct library_file files[] = {{"session-history", CONFIG_DIR_DATA}, {NULL, 0}};

const struct library library_radius = {.name = "libdhcp_radius.so",
				       .size = sizeof(struct radius),
				       .log = &messages,
				       .parse = parse_radius,
				       .attach = attach_radius,
				       .files = files,
				       .adopt = adopt_radius,
				       .start = start_radius,
				       .stop = stop_radius};
