/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Problems and warnings of the configuration that is being read.
 */
#include "base/buf.h"
#include "base/log.h"
#include "config/config.h"
#include "server/manage/daemon_impl.h"

static void log_config_error(struct server_daemon *d, enum log_id id,
			     const struct config_error *err)
{
	struct buf b;

	buf_init(&b);
	config_error_text(err, &b);
	log_msg(d->srv.log, id, "%s", b.p && !b.failed ? b.p : "out of memory");
	buf_fini(&b);
}

void daemon_warn(void *ctx, const struct config_error *w)
{
	log_config_error(ctx, LOG_DHCP4_CONFIG_WARNING, w);
}

void daemon_on_problem(void *ctx, const struct config_error *e)
{
	struct server_daemon *d = ctx;

	config_problems_add(&d->problems, e);
}

void daemon_log_problems(struct server_daemon *d, enum log_id id, const struct config_error *err)
{
	config_problems_sort(&d->problems);
	if (!d->problems.n)
		log_config_error(d, id, err);
	for (size_t i = 0; i < d->problems.n; i++)
		log_config_error(d, id, &d->problems.items[i]);
}
