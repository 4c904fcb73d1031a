/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A configuration that is being read, its problems and its warnings.
 */
#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "config/edit/config_edit.h"
#include "control/command.h"
#include "runtime/background.h"
#include "server/manage/daemon_impl.h"
#include "server/manage/daemon_hosts.h"
#include "server/manage/daemon_reading.h"

#include <errno.h>
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
	arena_init(&r->arena);
	r->untrusted = from && from->uid != 0 && from->uid != geteuid();
}

void daemon_reading_fini(struct daemon_reading *r)
{
	config_free(r->cfg);
	r->cfg = NULL;
	config_problems_fini(&r->problems);
	arena_fini(&r->arena);
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

/* A source of a configuration: a tree, or the file. */
struct source {
	const struct json *root; /* NULL: the file */
	uint32_t pipe_wait_ms;
};

/* Loads a configuration; the classes in changes that follow get numbers. */
static int load_source(struct daemon_reading *r, const struct source *from)
{
	struct config_load_opts o = load_opts(r);
	size_t n = r->n_stored + r->n_changes;
	struct config_change *changes = arena_array(&r->arena, struct config_change, n);

	if (!changes)
		return config_error_set(&r->first, NULL, -USHER_E_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		changes[i] = i < r->n_stored ? r->stored[i] : r->changes[i - r->n_stored];
	o.changes = changes;
	o.n_changes = n;
	o.pipe_wait_ms = from->pipe_wait_ms;
	return from->root ? config_load_json(from->root, &o, &r->cfg, &r->first)
			  : config_load_file(r->d->o.config_file, &o, &r->cfg, &r->first);
}

/* Loads a configuration, and adds the reservations of the file of reservations. */
static int read_source(struct daemon_reading *r, const struct source *from)
{
	bool first = !r->d->hosts && !r->d->srv.db;
	int e = daemon_hosts_read(r, NULL);

	if (e == 0)
		e = load_source(r, from);
	if (e == 0 && first)
		e = daemon_hosts_read(r, r->cfg);
	if (e == 0)
		e = daemon_hosts_add(r);
	if (e == -ESTALE && first) {
		/* they name classes that the configuration does not */
		config_free(r->cfg);
		r->cfg = NULL;
		e = load_source(r, from);
		if (e == 0)
			e = daemon_hosts_add(r);
	}
	if (e < 0 && r->cfg) {
		config_free(r->cfg);
		r->cfg = NULL;
	}
	return e;
}

int daemon_reading_file(struct daemon_reading *r, uint32_t pipe_wait_ms)
{
	struct source from = {.pipe_wait_ms = pipe_wait_ms};

	return read_source(r, &from);
}

int daemon_reading_json(struct daemon_reading *r, const struct json *root)
{
	struct source from = {.root = root};

	return read_source(r, &from);
}

int daemon_reading_edit(struct daemon_reading *r, const struct config *from,
			const struct config_change *changes, size_t n)
{
	struct config_load_opts o = load_opts(r);

	return config_edit(from, changes, n, &o, &r->cfg, &r->first);
}
