/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The common course of the commands that edit the configuration.
 */
#include "server/edit/edit.h"

#include "base/arena.h"
#include "base/error.h"
#include "config/config.h"
#include "config/json/json.h"
#include "server/core/snapshot.h"

#include <errno.h>

/* --- The course ------------------------------------------------------------------------------- */

static void free_edit(void *edit)
{
	struct edit *e = edit;

	daemon_reading_fini(&e->reading);
	config_free(e->base);
	snapshot_unref(e->s);
}

/* Loads a tree whole. */
static int load_tree(struct edit *e, const struct json *root)
{
	e->reading.changes = e->changes;
	e->reading.n_changes = e->n_changes;
	return daemon_reading_json(&e->reading, root);
}

/* Loads the configuration before the edit again, and plans the edit of that one. */
static int plan_again(struct edit *e, void (*plan)(struct edit *e))
{
	int r = edit_tree(e) ? load_tree(e, e->root) : -ENOMEM;

	if (r < 0)
		return r;
	e->base = e->reading.cfg;
	e->cfg = e->base;
	e->reading.cfg = NULL;
	e->root = NULL;
	e->n_changes = 0;
	plan(e);
	return e->ended ? 0 : daemon_reading_edit(&e->reading, e->cfg, e->changes, e->n_changes);
}

/* Returns whether a problem is one of the text of e->test. */
static bool is_in_test(const struct edit *e, const struct json_pos *at)
{
	const struct json *t = e->test;

	return t && at->line == t->pos.line && at->col >= t->pos.col &&
	       at->col <= t->pos.col + t->n + 1;
}

/* Refuses with the first problem of the load. */
static void refuse_load(struct edit *e, int r)
{
	const struct config_error *err = &e->reading.first;
	const char *text = err->text[0] ? err->text : usher_strerror(r);

	if (is_in_test(e, &err->pos))
		edit_refuse(e, "expression: [%s] error: %s", e->test->s, text);
	else
		edit_refuse(e, "%s%s", e->prefix ? e->prefix : "", text);
}

/* Makes the edited configuration. */
static void make_edit(struct edit *e, void (*plan)(struct edit *e))
{
	int r;

	if (e->root) {
		r = load_tree(e, e->root);
	} else {
		r = daemon_reading_edit(&e->reading, e->cfg, e->changes, e->n_changes);
		if (r == -ESTALE)
			r = plan_again(e, plan);
	}
	if (r == 0 && e->reading.cfg)
		e->reading.cfg->edited = true;
	if (r < 0)
		refuse_load(e, r);
	else if (e->check && !e->ended)
		e->check(e, e->reading.cfg);
}

static void begin_edit(struct edit *e, struct control_call *c)
{
	struct server_daemon *d = c->program;

	daemon_reading_init(&e->reading, d, c->background, c->from);
	e->c = c;
	e->s = server_snapshot(&d->srv);
	e->cfg = e->s->cfg;
	edit_log_begin(e);
}

void edit_work(struct control_call *c)
{
	const struct edit_step *plan = c->ctx;
	struct edit *e = arena_new(c->arena, struct edit);

	if (!e)
		return;
	begin_edit(e, c);
	c->result = e;
	c->free_result = free_edit;
	plan->fn(e);
	if (!e->ended)
		make_edit(e, plan->fn);
}

/* Puts a planned edit into effect. */
static void apply_edit(struct edit *e)
{
	if (daemon_apply_edit(e->c->program, e->reading.cfg, &e->reading.first) == 0) {
		e->reading.cfg = NULL; /* it is in effect */
		return;
	}
	if (e->undo)
		e->undo(e);
	edit_refuse(e, "%s", e->reading.first.text);
}

struct json *edit_finish(struct control_call *c)
{
	struct edit *e = c->result;

	if (!e)
		return control_answer(c->arena, CONTROL_ERROR, "out of memory");
	if (!e->ended)
		apply_edit(e);
	edit_log_end(e);
	return e->answer;
}

struct json *edit_read(struct control_call *c)
{
	const struct edit_step *answer = c->ctx;
	struct edit e = {.c = c};

	begin_edit(&e, c);
	answer->fn(&e);
	edit_log_end(&e);
	free_edit(&e);
	return e.answer;
}
