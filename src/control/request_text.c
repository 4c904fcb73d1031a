/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Requests as text: the parser reports each problem that it can step over.
 */
#include "control/request_text.h"

#include "base/buf.h"
#include "config/json/json.h"
#include "config/problems.h"

static void on_problem(void *problems, const struct config_error *e)
{
	const struct config_problems *p = problems;

	/* an error that follows from the one before it has the same place */
	if (!p->n || p->items[p->n - 1].pos.line != e->pos.line ||
	    p->items[p->n - 1].pos.col != e->pos.col)
		config_problems_add(problems, e);
}

struct json *control_parse(struct span text, unsigned max_depth, struct arena *a,
			   struct config_problems *problems)
{
	struct json_opts jo = {.file = "",
			       .dialect = true,
			       .no_include = true,
			       .comments = true,
			       .max_depth = max_depth,
			       .problem = on_problem,
			       .ctx = problems};
	struct config_error err = {0};
	struct json *request;

	if (json_parse(text, &jo, a, &request, &err) == 0)
		return request;
	on_problem(problems, &err);
	return NULL;
}

struct json *control_list_problems(struct arena *a, const struct config_problems *problems,
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
	(void)json_add(a, answer, "arguments", config_problems_list(problems, a));
	buf_fini(&b);
	return answer;
}

struct json *control_answer_invalid(struct control_plane *p, const struct json *request,
				    struct config_problems *problems,
				    const struct control_requester *from, struct arena *a)
{
	struct json *answer = NULL;

	config_problems_sort(problems);
	if (request && request->type == JSON_MAP)
		answer = control_plane_invalid(p, request, problems, from, a);
	return answer ? answer : control_list_problems(a, problems, "invalid JSON at ");
}
