/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Names of the configuration that the machine lacks (now): interfaces, and directories of control
 * sockets. The server runs without them. That is logged when a configuration takes effect and every
 * ten minutes while it lasts; status-get lists it.
 */
#include "base/log.h"
#include "config/config.h"
#include "runtime/iface.h"
#include "server/view/absent.h"
#include "server/manage/daemon_impl.h"
#include "server/core/snapshot.h"

#include <stdio.h>
#include <string.h>

enum { REPEAT_S = 600, RETRY_S = 2, LINES_MAX = 20 };

struct lines {
	struct server_daemon *d;
	unsigned n;
};

static void log_absent(void *ctx, const struct json_pos *at, const char *text)
{
	struct lines *l = ctx;

	if (l->n++ < LINES_MAX)
		log_msg(l->d->srv.log, LOG_DHCP4_CONFIG_WARNING, "%s%s%u:%u: %s", at->file,
			at->file[0] ? ":" : "", at->line, at->col, text);
}

static void log_all(struct server_daemon *d, const struct config *cfg, const struct iface_table *t)
{
	struct lines l = {d, 0};

	(void)absent_each(cfg, t, log_absent, &l);
	if (l.n > LINES_MAX)
		log_msg(d->srv.log, LOG_DHCP4_CONFIG_WARNING, "%u more interfaces do not exist",
			l.n - LINES_MAX);
}

void daemon_absent_check(struct server_daemon *d, bool now)
{
	struct snapshot *s = server_snapshot(&d->srv);
	struct iface_table *t = server_ifaces(&d->srv);
	int64_t second = clock_mono_ns(&d->srv.clock) / NS_PER_S;

	if (now || second >= d->absent_logged_s + REPEAT_S) {
		d->absent_logged_s = second;
		if (s && t)
			log_all(d, s->cfg, t);
	}
	if (s && (d->channels_missing || d->https_missing) &&
	    second >= d->channels_tried_s + RETRY_S) {
		d->channels_tried_s = second;
		daemon_channels_retry(d, s->cfg);
		daemon_http_open(d, s->cfg, true);
	}
	iface_table_unref(t);
	snapshot_unref(s);
}
