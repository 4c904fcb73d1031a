/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The management plane: rows of a program and of a library, the check of arguments, access,
 * preconditions, the author of a request.
 */
#include "unit/unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "config/json/json.h"
#include "control/args.h"
#include "control/plane.h"
#include "control/transport.h"
#include "runtime/background.h"
#include "runtime/loop.h"

#include <stdio.h>

/* --- Descriptions of arguments ---------------------------------------------------------------- */

static struct json *parse(struct arena *a, const char *text)
{
	struct json_opts o = {.file = "", .max_depth = 8};
	struct config_error err;
	struct json *j;

	assert_int_equal(json_parse(span_str(text), &o, a, &j, &err), 0);
	return j;
}

/* Asserts the refusal of arguments; "": they are accepted. */
static void assert_check(const char *description, const char *args, const char *want)
{
	char text[256] = "";
	struct arena a;

	arena_init(&a);
	assert_int_equal(control_args_check(description, args ? parse(&a, args) : NULL, text,
					    sizeof(text)),
			 *want ? -USHER_E_TYPE : 0);
	assert_string_equal(text, want);
	arena_fini(&a);
}

static void test_arguments_by_type(void **state)
{
	(void)state;
	assert_check("", NULL, "");
	assert_check("", "{\"anything\": 1}", "");
	assert_check("name:text", "{\"name\": \"x\"}", "");
	assert_check("name:text", "{\"name\": 1}", "'name' parameter must be a string");
	assert_check("limit:int", "{\"limit\": 1.5}", "'limit' parameter must be a number");
	assert_check("limit:int", "{\"limit\": \"1\"}", "'limit' parameter must be a number");
	assert_check("[force:bool]", "{\"force\": 1}", "'force' parameter must be a boolean");
	assert_check("[m:map] [l:list]", "{\"m\": {}, \"l\": []}", "");
	assert_check("[m:map] [l:list]", "{\"m\": [], \"l\": []}", "'m' parameter must be a map");
	assert_check("[m:map] [l:list]", "{\"l\": {}}", "'l' parameter must be a list");
	assert_check("state:any", "{\"state\": null}", "");
}

static void test_arguments_missing(void **state)
{
	(void)state;
	assert_check("name:text", NULL, "'name' parameter not specified");
	assert_check("name:text", "{\"names\": \"x\"}", "'name' parameter not specified");
	assert_check("from:text limit:int", "{\"from\": \"start\"}",
		     "'limit' parameter not specified");
	assert_check("from:text limit:int", NULL, "'from' and 'limit' must be specified");
	assert_check("[name:text]", NULL, "");
	assert_check("(name:text)", NULL, "");
	assert_check("(name:text)", "{\"name\": 1}", "");
	assert_check("* name:text", NULL, "'name' parameter not specified");
}

static void test_arguments_alternatives(void **state)
{
	static const char both[] = "ip:text | type:text id:text";

	(void)state;
	assert_check(both, "{\"ip\": \"x\"}", "");
	assert_check(both, "{\"type\": \"x\", \"id\": \"y\"}", "");
	assert_check(both, "{\"type\": \"x\"}", "'ip' or 'type' and 'id' must be specified");
	assert_check(both, "{\"type\": \"x\", \"id\": 1}", "'id' parameter must be a string");
	assert_check(both, NULL, "'ip' or 'type' and 'id' must be specified");
}

static void test_descriptions_malformed(void **state)
{
	static const char *const bad[] = {"name",	"name:",       "name:strin", ":text",
					  "[name:text", "(name:text]", "name:text,", "a:text b",
					  "name:texts", "name:text *"};
	struct control_arg arg;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		unsigned alternative = 0;
		size_t at = 0;
		int r;

		do
			r = control_args_next(bad[i], &at, &alternative, &arg);
		while (r == 1);
		assert_int_equal(r, -USHER_E_SYNTAX);
	}
}

/* --- Rows ------------------------------------------------------------------------------------- */

struct world {
	struct arena a;
	struct control_plane *p;
	struct control_requester from;
	const char *refusal;
	unsigned needs, n_runs, n_processed;
	struct control_stream stream;
};

static struct json *run_echo(struct control_call *c)
{
	struct world *w = c->program;

	w->n_runs++;
	return control_answer(c->arena, CONTROL_OK, "%s by %s", c->name,
			      c->ctx ? (const char *)c->ctx : "the program");
}

static bool next_none(void *ctx, struct buf *out)
{
	(void)ctx;
	(void)out;
	return false;
}

static struct json *run_stream(struct control_call *c)
{
	c->stream.next = next_none;
	return NULL;
}

static const char *refuse_needs(void *program, unsigned needs)
{
	struct world *w = program;

	w->needs = needs;
	return needs ? w->refusal : NULL;
}

static struct json *note_processed(struct control_call *c, struct json *answer)
{
	((struct world *)c->program)->n_processed++;
	return answer;
}

static char library[] = "a library";

static const struct control_command own_rows[] = {
	{.name = "get", .fn = run_echo, .args = "[name:text]", .help = "reads"},
	{.name = "all", .fn = run_stream, .args = "", .help = "streams", .needs = 2},
	{.name = "del", .fn = run_echo, .args = "", .help = "writes", .access = CONTROL_WRITE},
};

static int setup(void **state)
{
	static struct world w;
	struct control_plane_opts o = {.program = &w,
				       .service = "dhcp4",
				       .refuse = refuse_needs,
				       .processed = note_processed};

	w = (struct world){.from = {.transport = "unix", .uid = 1000, .pid = 7}};
	arena_init(&w.a);
	if (control_plane_new(&o, &w.p) < 0 ||
	    control_plane_add(w.p, own_rows, ARRAY_LEN(own_rows)) < 0)
		return -1;
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	control_plane_free(w->p);
	arena_fini(&w->a);
	return 0;
}

/* Asserts the result and the text of the answer to a request. */
static void assert_answer(struct world *w, const char *request, int64_t result, const char *text)
{
	struct json *answer = control_plane_answer_now(w->p, parse(&w->a, request), &w->from, &w->a,
						       &w->stream);
	int64_t have = -1;

	assert_true(json_get_int(answer, "result", &have));
	assert_int_equal(have, result);
	assert_string_equal(json_get_str(answer, "text"), text);
}

static void test_commands_by_row(void **state)
{
	struct world *w = *state;

	assert_answer(w, "{\"command\": \"get\"}", CONTROL_OK, "get by the program");
	assert_answer(w, "{\"command\": \"got\"}", CONTROL_UNSUPPORTED,
		      "'got' command not supported.");
	assert_answer(w, "{\"command\": \"get\", \"arguments\": {\"name\": 3}}", CONTROL_ERROR,
		      "'name' parameter must be a string");
	assert_answer(w, "{\"command\": \"get\", \"arguments\": []}", CONTROL_ERROR,
		      "invalid command 'get': expected 'arguments' to be a map, got list instead");
	assert_answer(
		w, "{\"command\": \"get\", \"argument\": {}}", CONTROL_ERROR,
		"Error during command processing: invalid command: unsupported parameter 'argument'");
	assert_int_equal(w->n_runs, 1);
	assert_int_equal(w->n_processed, 2);
}

static void test_services(void **state)
{
	struct world *w = *state;

	assert_answer(w, "{\"command\": \"get\", \"service\": [\"dhcp4\"]}", CONTROL_OK,
		      "get by the program");
	assert_answer(w, "{\"command\": \"get\", \"service\": [\"\"]}", CONTROL_OK,
		      "get by the program");
	assert_answer(w, "{\"command\": \"get\", \"service\": []}", CONTROL_OK,
		      "get by the program");
	assert_answer(w, "{\"command\": \"get\", \"service\": [\"dhcp6\"]}", CONTROL_ERROR,
		      "'service' names 'dhcp6': this server is 'dhcp4'");
	assert_answer(w, "{\"command\": \"get\", \"service\": \"dhcp4\"}", CONTROL_ERROR,
		      "'service' must be a list, this is a string");
	assert_int_equal(w->n_runs, 3);
}

static void test_access(void **state)
{
	struct world *w = *state;

	w->from.read_only = true;
	assert_answer(w, "{\"command\": \"del\"}", CONTROL_ERROR,
		      "'del' changes state, and the requester has read access only");
	assert_answer(w, "{\"command\": \"get\"}", CONTROL_OK, "get by the program");
	w->from.read_only = false;
	assert_answer(w, "{\"command\": \"del\"}", CONTROL_OK, "del by the program");
}

static void test_preconditions(void **state)
{
	struct world *w = *state;

	w->refusal = "not now";
	assert_answer(w, "{\"command\": \"all\"}", CONTROL_ERROR, "not now");
	assert_int_equal(w->needs, 2);
	assert_null(w->stream.next);
	w->refusal = NULL;
	assert_null(control_plane_answer_now(w->p, parse(&w->a, "{\"command\": \"all\"}"), &w->from,
					     &w->a, &w->stream));
	assert_ptr_equal(w->stream.next, next_none);
}

static void note_name(void *ctx, const struct control_command *row)
{
	buf_printf(ctx, "%s ", row->name);
}

static void assert_names(struct world *w, const char *want)
{
	struct buf names;

	buf_init(&names);
	control_plane_each(w->p, note_name, &names);
	assert_false(names.failed);
	assert_string_equal(names.p, want);
	buf_fini(&names);
}

static void test_rows_of_a_library(void **state)
{
	static const struct control_command more[] = {
		{.name = "zone", .fn = run_echo, .args = "", .ctx = library, .owner = library},
		{.name = "box", .fn = run_echo, .args = "", .ctx = library, .owner = library},
	};
	static const char reloaded[] = "the library again";
	static const struct control_command again[] = {
		{.name = "box", .fn = run_echo, .args = "", .owner = reloaded},
		{.name = "new", .fn = run_echo, .args = "", .owner = reloaded},
	};
	static const struct control_command taken[] = {
		{.name = "new", .fn = run_echo, .args = "", .help = ""},
		{.name = "get", .fn = run_echo, .args = "", .help = ""},
	};
	static const struct control_command twice[] = {
		{.name = "two", .fn = run_echo, .args = "", .help = ""},
		{.name = "two", .fn = run_echo, .args = "", .help = ""},
	};
	static const struct control_command malformed = {.name = "m", .fn = run_echo, .args = "x"};
	struct world *w = *state;

	assert_int_equal(control_plane_add(w->p, more, 2), 0);
	assert_names(w, "all box del get zone ");
	assert_answer(w, "{\"command\": \"box\"}", CONTROL_OK, "box by a library");
	assert_int_equal(control_plane_add(w->p, taken, 2), -USHER_E_EXISTS);
	assert_int_equal(control_plane_add(w->p, twice, 2), -USHER_E_EXISTS);
	assert_int_equal(control_plane_add(w->p, &malformed, 1), -USHER_E_SYNTAX);
	assert_null(control_plane_describe(w->p, "no-such", &w->a));
	assert_int_equal(control_plane_describe(w->p, NULL, &w->a)->count, 5);
	assert_string_equal(json_get_str(control_plane_describe(w->p, "del", &w->a)->first,
					 "access"),
			    "write");
	assert_int_equal(control_plane_add(w->p, again, 2), -USHER_E_EXISTS);
	assert_int_equal(control_plane_replace(w->p, library, taken, 2), -USHER_E_EXISTS);
	assert_names(w, "all box del get zone ");
	assert_int_equal(control_plane_replace(w->p, library, again, 2), 0);
	assert_names(w, "all box del get new ");
	assert_answer(w, "{\"command\": \"box\"}", CONTROL_OK, "box by the program");
	control_plane_remove(w->p, reloaded);
	assert_names(w, "all del get ");
	assert_answer(w, "{\"command\": \"box\"}", CONTROL_UNSUPPORTED,
		      "'box' command not supported.");
}

/* --- Requests of transports ------------------------------------------------------------------- */

static _Atomic bool at_work;

static void work_until_end(struct control_call *c)
{
	at_work = true;
	while (!background_is_ending(c->background))
		continue;
}

static void work_shortly(struct control_call *c)
{
	c->result = arena_strdup(c->arena, "done");
}

static struct json *run_result(struct control_call *c)
{
	return control_answer(c->arena, CONTROL_OK, "%s of %s", (const char *)c->result,
			      c->from->user);
}

static const struct control_command long_rows[] = {
	{.name = "short-work", .fn = run_result, .work = work_shortly, .args = "", .help = ""},
	{.name = "endless", .fn = run_result, .work = work_until_end, .args = "", .help = ""},
	{.name = "of-library",
	 .fn = run_result,
	 .work = work_shortly,
	 .args = "",
	 .help = "",
	 .owner = library},
};

struct got {
	unsigned n;
	char text[256];
};

static void note_answer(void *ctx, const struct json *answer, const struct control_stream *stream)
{
	struct got *g = ctx;

	g->n++;
	(void)snprintf(g->text, sizeof(g->text), "%s",
		       stream->next ? "a stream" : json_get_str(answer, "text"));
}

static struct control_pending *request_text(struct world *w, const char *text, struct got *g)
{
	struct control_reply reply = {note_answer, g};
	struct control_request r;
	char user[8] = "admin"; /* gone before a late answer */

	*g = (struct got){0};
	control_request_parse(&r, span_str(text), 8);
	r.from = (struct control_requester){.transport = "http", .uid = (uid_t)-1, .user = user};
	return control_plane_answer(w->p, &r, &reply);
}

static void test_answers_at_once(void **state)
{
	struct world *w = *state;
	struct got g;

	assert_null(request_text(w, "{\"command\": \"get\"}", &g));
	assert_string_equal(g.text, "get by the program");
	assert_null(request_text(w, "{\"command\": \"all\"}", &g));
	assert_string_equal(g.text, "a stream");
	assert_null(request_text(w, "[1]", &g));
	assert_string_equal(g.text, "a command must be a map, not a list");
	assert_null(request_text(w, "{\"command\": \"get\", \"command\": 1}", &g));
	assert_memory_equal(g.text, "invalid JSON at line 1, column 20", 33);
	assert_int_equal(g.n, 1);
}

/* Runs the loop until an answer is there. */
static void await_answer(struct loop *l, const struct got *g)
{
	for (int i = 0; i < 1000 && !g->n; i++)
		assert_int_equal(loop_step(l, 10), 0);
	assert_int_equal(g->n, 1);
}

static void open_long(struct world *w, struct loop **ret_loop, struct background **ret_b)
{
	struct control_plane_opts o = {.program = w, .refuse = refuse_needs};

	control_plane_free(w->p);
	assert_int_equal(loop_new(ret_loop), 0);
	assert_int_equal(background_new(*ret_loop, ret_b), 0);
	o.background = *ret_b;
	assert_int_equal(control_plane_new(&o, &w->p), 0);
	assert_int_equal(control_plane_add(w->p, long_rows, ARRAY_LEN(long_rows)), 0);
}

static void test_answers_later(void **state)
{
	struct world *w = *state;
	struct got first, second, third, fourth;
	struct background *b;
	struct loop *l;

	open_long(w, &l, &b);
	assert_non_null(request_text(w, "{\"command\": \"short-work\"}", &first));
	assert_non_null(request_text(w, "{\"command\": \"of-library\"}", &second));
	control_plane_cancel(request_text(w, "{\"command\": \"short-work\"}", &third));
	assert_non_null(request_text(w, "{\"command\": \"endless\"}", &fourth));
	assert_int_equal(first.n, 0);
	control_plane_remove(w->p, library); /* its command waits */
	await_answer(l, &first);
	assert_string_equal(first.text, "done of admin");
	await_answer(l, &second);
	assert_string_equal(second.text,
			    "'of-library' command not supported: its library was removed");
	while (!at_work)
		assert_int_equal(loop_step(l, 10), 0);
	assert_int_equal(third.n, 0);
	background_free(b);
	assert_string_equal(fourth.text, "the program ends: nothing was changed");
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments_by_type),
		cmocka_unit_test(test_arguments_missing),
		cmocka_unit_test(test_arguments_alternatives),
		cmocka_unit_test(test_descriptions_malformed),
		cmocka_unit_test_setup_teardown(test_commands_by_row, setup, teardown),
		cmocka_unit_test_setup_teardown(test_services, setup, teardown),
		cmocka_unit_test_setup_teardown(test_access, setup, teardown),
		cmocka_unit_test_setup_teardown(test_preconditions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rows_of_a_library, setup, teardown),
		cmocka_unit_test_setup_teardown(test_answers_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_answers_later, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
