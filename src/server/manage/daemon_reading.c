/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A configuration that is being read, its problems and its warnings.
 */
#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "control/command.h"
#include "runtime/background.h"
#include "server/manage/daemon_impl.h"
#include "server/manage/daemon_reading.h"

#include <unistd.h>

static void log_config_error(const struct server_daemon *d, enum log_id id,
			     const struct config_error *err)
{
	struct buf b;

	buf_init(&b);
	config_error_text(err, &b);
	log_msg(d->srv.log, id, "%s", b.p && !b.failed ? b.p : "out of memory");
	buf_fini(&b);
}

void daemon_warn(const struct server_daemon *d, const struct config_error *w)
{
	log_config_error(d, LOG_DHCP4_CONFIG_WARNING, w);
}

void daemon_log_problems(struct daemon_reading *r, enum log_id id)
{
	config_problems_sort(&r->problems);
	if (!r->problems.n)
		log_config_error(r->d, id, &r->first);
	for (size_t i = 0; i < r->problems.n; i++)
		log_config_error(r->d, id, &r->problems.items[i]);
}

void daemon_note_reading(const struct daemon_reading *r, bool refused)
{
	struct server_daemon *d = r->d;

	config_problems_fini(&d->last_problems);
	d->last_problems = (struct config_problems){0};
	d->last_refused = refused;
	if (refused)
		d->reloads_refused++;
	else
		d->reloads_applied++;
	for (size_t i = 0; refused && i < r->problems.n; i++)
		config_problems_add(&d->last_problems, &r->problems.items[i]);
	if (refused && !r->problems.n)
		config_problems_add(&d->last_problems, &r->first);
}

void daemon_reading_init(struct daemon_reading *r, struct server_daemon *d,
			 const struct background *b, const struct control_requester *from)
{
	*r = (struct daemon_reading){.d = d, .background = b};
	r->untrusted = from && from->uid != 0 && from->uid != geteuid();
}

void daemon_reading_fini(struct daemon_reading *r)
{
	config_free(r->cfg);
	r->cfg = NULL;
	config_problems_fini(&r->problems);
}

static void log_warning(void *ctx, const struct config_error *w)
{
	const struct daemon_reading *r = ctx;

	daemon_warn(r->d, w);
}

static void add_problem(void *ctx, const struct config_error *e)
{
	struct daemon_reading *r = ctx;

	config_problems_add(&r->problems, e);
}

static bool is_ending(void *ctx)
{
	const struct daemon_reading *r = ctx;

	return background_is_ending(r->background);
}

static struct config_load_opts load_opts(struct daemon_reading *r)
{
	return (struct config_load_opts){.warn = log_warning,
					 .problem = add_problem,
					 .refused = daemon_refused,
					 .ended = is_ending,
					 .ctx = r,
					 .n_before = r->problems.n,
					 .ignore_unknown_hooks = r->d->o.ignore_unknown_hooks};
}

int daemon_reading_file(struct daemon_reading *r, uint32_t pipe_wait_ms)
{
	struct config_load_opts o = load_opts(r);

	o.pipe_wait_ms = pipe_wait_ms;
	return config_load_file(r->d->o.config_file, &o, &r->cfg, &r->first);
}

int daemon_reading_json(struct daemon_reading *r, const struct json *root)
{
	struct config_load_opts o = load_opts(r);

	return config_load_json(root, &o, &r->cfg, &r->first);
}
