/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Requests from their text to their answer. A long command takes its request along, so a transport
 * that loses its connection has nothing to keep alive: it only gives up the answer.
 */
#include "control/transport.h"

#include "base/buf.h"
#include "config/json/json.h"
#include "control/plane_impl.h"

#include <stdlib.h>

/* --- The text --------------------------------------------------------------------------------- */

static void add_problem(void *problems, const struct config_error *e)
{
	const struct config_problems *p = problems;

	/* an error that follows from the one before it has the same place */
	if (!p->n || p->items[p->n - 1].pos.line != e->pos.line ||
	    p->items[p->n - 1].pos.col != e->pos.col)
		config_problems_add(problems, e);
}

void control_request_parse(struct control_request *r, struct span text, unsigned max_depth)
{
	struct json_opts o = {.file = "",
			      .dialect = true,
			      .no_include = true,
			      .comments = true,
			      .max_depth = max_depth,
			      .problem = add_problem,
			      .ctx = &r->problems};
	struct config_error err = {0};
	struct json *root;

	arena_init(&r->arena);
	r->problems = (struct config_problems){0};
	r->root = NULL;
	if (json_parse(text, &o, &r->arena, &root, &err) == 0)
		r->root = root;
	else
		add_problem(&r->problems, &err);
	config_problems_sort(&r->problems);
}

struct json *control_problems_answer(struct arena *a, const struct config_problems *problems,
				     const char *why)
{
	struct json *answer = json_map(a);
	struct buf b;

	buf_init(&b);
	buf_str(&b, why);
	for (size_t i = 0; i < problems->n; i++) {
		const struct config_error *e = &problems->items[i];

		buf_printf(&b, "%sline %u, column %u: %s", i ? "\n" : "", e->pos.line, e->pos.col,
			   e->text);
	}
	(void)json_add(a, answer, "result", json_int(a, CONTROL_ERROR));
	(void)json_add(a, answer, "text", json_str(a, b.failed ? why : b.p));
	/* one problem is in the text as a whole: the answer has the form of Kea's */
	if (problems->n > 1)
		(void)json_add(a, answer, "arguments", config_problems_list(problems, a));
	buf_fini(&b);
	return answer;
}

/* --- Answers that come later ------------------------------------------------------------------ */

static void free_request(struct control_request *r)
{
	config_problems_fini(&r->problems);
	arena_fini(&r->arena);
}

/* Sends an answer to the transport, or frees one that nobody waits for. */
static void deliver_answer(struct control_plane *p, const struct control_reply *reply,
			   const struct control_call *c, struct json *answer)
{
	if (!answer && !c->stream.next)
		answer = c->problems ? control_problems_answer(c->arena, c->problems,
							       "invalid JSON at ")
				     : control_answer(c->arena, CONTROL_ERROR, "out of memory");
	if (p->o.flush_lines)
		p->o.flush_lines(p->o.program);
	if (reply->done)
		reply->done(reply->ctx, answer, &c->stream);
	else if (c->stream.next)
		c->stream.fini(c->stream.ctx);
	if (c->free_result)
		c->free_result(c->result);
}

static void do_work(struct background_job *job)
{
	struct control_pending *c = (struct control_pending *)job;

	if (c->row)
		c->row->work(&c->call);
}

static void drop_pending(struct control_pending *c)
{
	struct control_pending **at = &c->plane->pending;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->plane->n_pending--;
}

static void finish_work(struct background_job *job, bool ended)
{
	struct control_pending *c = (struct control_pending *)job;
	struct json *refusal = NULL, *answer;

	drop_pending(c);
	if (!c->row)
		answer = control_answer(c->call.arena, CONTROL_UNSUPPORTED,
					"'%s' command not supported: its library was removed",
					c->call.name);
	else {
		if (ended)
			refusal = control_answer(c->call.arena, CONTROL_ERROR,
						 "the program ends: nothing was changed");
		answer = control_call_end(c->plane, c->row, &c->call, refusal);
	}
	deliver_answer(c->plane, &c->reply, &c->call, answer);
	free_request(&c->request);
	free(c);
}

/* Copies the texts of a requester to the arena: the transport may free its own. */
static void keep_requester(struct control_requester *from, struct arena *a)
{
	from->user = from->user ? arena_strdup(a, from->user) : NULL;
	from->address = from->address ? arena_strdup(a, from->address) : NULL;
}

/* Hands a checked call over to the thread of long commands. Returns NULL if there is no room. */
static struct control_pending *defer_call(struct control_plane *p, struct control_request *r,
					  const struct control_call *c,
					  const struct control_command *row,
					  const struct control_reply *reply)
{
	struct control_pending *w = p->n_pending < p->o.max_waiting ? calloc(1, sizeof(*w)) : NULL;

	if (!w)
		return NULL;
	w->job = (struct background_job){.work = do_work, .finish = finish_work};
	w->plane = p;
	w->request = *r;
	w->call = *c;
	w->row = row;
	w->reply = *reply;
	keep_requester(&w->request.from, &w->request.arena);
	w->call.arena = &w->request.arena;
	w->call.from = &w->request.from;
	w->call.problems = c->problems ? &w->request.problems : NULL;
	w->call.background = p->o.background;
	w->next = p->pending;
	p->pending = w;
	p->n_pending++;
	background_add(p->o.background, &w->job);
	return w;
}

static bool takes_problems(const struct control_plane *p, const struct control_request *r,
			   const struct control_call *c)
{
	return r->root && r->root->type == JSON_MAP && c->name && p->o.takes_problems &&
	       p->o.takes_problems(c);
}

bool control_takes_problems(struct control_plane *p, const struct control_request *r)
{
	struct arena a;
	struct control_call c;
	bool takes;

	arena_init(&a);
	c = control_call_begin(p, r->root, &r->from, &a);
	takes = takes_problems(p, r, &c);
	arena_fini(&a);
	return takes;
}

/* Returns the refusal of a request without the form of a command, or whose text has problems that
 * the command does not take; NULL. */
static struct json *refuse_text(const struct control_plane *p, const struct control_request *r,
				struct control_call *c)
{
	if (r->root && r->root->type != JSON_MAP && !r->problems.n)
		return control_answer(c->arena, CONTROL_ERROR, "a command must be a map, not %s",
				      json_type_name(r->root->type));
	if (!r->problems.n)
		return NULL;
	c->problems = &r->problems;
	if (takes_problems(p, r, c))
		return NULL;
	return control_problems_answer(c->arena, &r->problems, "invalid JSON at ");
}

struct control_pending *control_plane_answer(struct control_plane *p, struct control_request *r,
					     const struct control_reply *reply)
{
	struct control_request own = *r; /* the transport may free r together with its connection */
	struct control_call c = control_call_begin(p, own.root, &own.from, &own.arena);
	const struct control_command *row = NULL;
	struct json *answer = refuse_text(p, &own, &c);
	struct control_pending *pending;

	if (!answer)
		answer = control_call_check(p, own.root, &c, &row);
	if (!answer && row->work && p->o.background) {
		pending = defer_call(p, &own, &c, row, reply);
		if (pending)
			return pending;
		answer = control_answer(c.arena, CONTROL_ERROR,
					"%u long commands wait already: try again", p->n_pending);
		answer = control_call_end(p, row, &c, answer);
	} else if (!answer) {
		if (row->work)
			row->work(&c);
		answer = control_call_end(p, row, &c, NULL);
	}
	deliver_answer(p, reply, &c, answer);
	free_request(&own);
	return NULL;
}

void control_plane_cancel(struct control_pending *c)
{
	if (c)
		c->reply.done = NULL;
}
