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
#include "server/manage/paths.h"
#include "server/core/snapshot.h"

struct checking {
	struct server_daemon *d;
	struct config_error *first;
	size_t n;
};

static void on_problem(void *ctx, const struct config_error *e)
{
	struct checking *k = ctx;

	if (!k->n++)
		*k->first = *e;
	daemon_on_problem(k->d, e);
}

static void on_path(void *ctx, const struct config_error *e)
{
	struct checking *k = ctx;

	if (k->d->o.any_path)
		daemon_warn(k->d, e);
	else
		on_problem(ctx, e);
}

/* Checks everything but names of files, which depend on the requester. */
static void check_rest(struct checking *k, const struct config *cfg)
{
	/* a start reads its configuration before there is a server */
	const struct hook_builtin *builtins = k->d->o.builtins ? k->d->o.builtins
							       : k->d->srv.builtins;

	(void)hook_libraries_check(cfg, builtins, on_problem, k);
	(void)snapshot_limits(cfg, on_problem, k);
	daemon_channels_check(k->d, cfg, on_problem, k);
	daemon_http_check(k->d, cfg, on_problem, k);
}

int daemon_check(struct server_daemon *d, const struct config *cfg, struct config_error *err)
{
	struct snapshot *prev = server_snapshot(&d->srv);
	struct checking k = {d, err, 0};
	struct paths_check paths = {.cfg = cfg,
				    .in_force = prev ? prev->cfg : NULL,
				    .builtins = d->srv.builtins,
				    .problem = on_path,
				    .ctx = &k};

	if (d->untrusted && !cfg->file[0])
		(void)paths_check(&paths);
	/* a file that may not be named is not read either */
	if (!k.n)
		check_rest(&k, cfg);
	snapshot_unref(prev);
	return k.n ? -USHER_E_CONFIG : 0;
}

void daemon_refused(void *ctx, const struct config *cfg)
{
	struct server_daemon *d = ctx;
	struct config_error first;
	struct checking k = {d, &first, 0};

	if (!d->untrusted || cfg->file[0])
		check_rest(&k, cfg);
}
