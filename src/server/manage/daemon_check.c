/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Checks of a configuration that need the running server: names of files that its requester may
 * use, hook libraries, control sockets. They change nothing and precede every step with effects. So
 * a refused configuration creates no file, removes none, and runs no code of a library.
 */
#include "base/error.h"
#include "config/config.h"
#include "control/channel.h"
#include "hook/hook.h"
#include "server/manage/daemon_impl.h"
#include "server/manage/daemon_reading.h"
#include "server/view/paths.h"
#include "server/core/snapshot.h"

struct checking {
	struct daemon_reading *r;
	size_t n;
};

static void on_problem(void *ctx, const struct config_error *e)
{
	struct checking *k = ctx;

	if (!k->n++)
		k->r->first = *e;
	config_problems_add(&k->r->problems, e);
}

static void on_path(void *ctx, const struct config_error *e)
{
	struct checking *k = ctx;

	if (k->r->d->o.any_path)
		daemon_warn(k->r->d, e);
	else
		on_problem(ctx, e);
}

/* Checks everything but names of files, which depend on the requester. */
static void check_rest(struct checking *k, const struct config *cfg)
{
	/* a start reads its configuration before there is a server */
	struct server_daemon *d = k->r->d;
	const struct hook_builtin *builtins = d->o.builtins ? d->o.builtins : d->srv.builtins;

	(void)hook_libraries_check(cfg, builtins, d->srv.log, on_problem, k);
	(void)snapshot_limits(cfg, on_problem, k);
	daemon_channels_check(d, cfg, on_problem, k);
	daemon_http_check(d, cfg, on_problem, k);
}

int daemon_check(struct daemon_reading *r)
{
	struct snapshot *prev = server_snapshot(&r->d->srv);
	struct checking k = {r, 0};
	struct paths_check paths = {.cfg = r->cfg,
				    .in_force = prev ? prev->cfg : NULL,
				    .builtins = r->d->srv.builtins,
				    .problem = on_path,
				    .ctx = &k};

	if (r->untrusted && !r->cfg->file[0])
		(void)paths_check(&paths);
	/* a file that may not be named is not read either */
	if (!k.n)
		check_rest(&k, r->cfg);
	snapshot_unref(prev);
	if (!k.n)
		return 0;
	config_free(r->cfg);
	r->cfg = NULL;
	return -USHER_E_CONFIG;
}

void daemon_refused(void *ctx, const struct config *cfg)
{
	struct daemon_reading *r = ctx;
	struct checking k = {r, 1}; /* there is a first problem already */

	if (!r->untrusted || cfg->file[0])
		check_rest(&k, cfg);
}
