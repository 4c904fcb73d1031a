/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One thread: a request waits while the client answers another one, which takes it no time. A
 * client that hangs is given up after two seconds.
 */
#include "ctl/serve.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "config/json/json.h"
#include "control/metrics.h"
#include "ctl/session.h"
#include "http/args.h"
#include "http/metrics.h"
#include "http/page.h"
#include "http/request.h"
#include "http/web.h"
#include "runtime/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { CLIENT_TIMEOUT_S = 2, EXIT_FAILED = 1, EXIT_WRONG_USE = 2 };

/* Of a text in the form of OpenMetrics. */
static const char eof_line[] = "# EOF\n";

static const struct {
	const char *name, *purpose;
} states[] = {
#define STATE(symbol, name, purpose, group) {name, purpose},
#define GROUP(...)
#define EVENT(...)
#define ON(...)
#include "client/core/fsm.def"
#undef STATE
#undef GROUP
#undef EVENT
#undef ON
};

struct serving {
	struct ctl_session *s;
	struct loop *loop;
	struct loop_source *source; /* of the signals */
	struct http_listener *listener;
	struct http_page *page;
	int64_t started_ns;
	int signal_fd;
};

/* Asks the client. Returns the answer, or NULL with the reason in s->error. */
static struct json *ask_client(struct serving *v, const char *command, const struct json *args,
			       struct arena *a)
{
	struct json *answer = NULL;
	struct buf request;

	buf_init(&request);
	ctl_session_request(v->s, command, args, &request);
	if (ctl_session_ask(v->s, &request, NULL, a, &answer) < 0)
		answer = NULL;
	buf_fini(&request);
	return answer;
}

/* --- Commands --------------------------------------------------------------------------------- */

static void answer_list(struct http_request *r, struct arena *a, struct json *answer)
{
	struct json *list = json_list(a);

	(void)json_add(a, list, NULL, json_copy(a, answer));
	http_answer_json(r, list);
}

/* Returns the refusal of a command, or NULL. */
static struct json *refuse_command(const struct http_request *r, const char *name, struct arena *a)
{
	if (strcmp(name, "events") == 0)
		return control_answer(a, CONTROL_ERROR,
				      "events are not supported over HTTP: usherctl client events");
	if (http_requester(r)->read_only && ctl_command_access(CTL_CLIENT, name) != CTL_READS)
		return control_answer(a, CONTROL_ERROR,
				      "'%s' changes state, and the requester has read access only",
				      name);
	return NULL;
}

static void answer_command(void *serving, struct http_request *r)
{
	struct serving *v = serving;
	struct json_opts jo = {.file = "", .comments = true, .max_depth = JSON_MAX_DEPTH};
	const char *type = http_header(r, "Content-Type"), *name = NULL;
	struct config_error err;
	struct json *request = NULL, *answer;
	struct arena a;

	arena_init(&a);
	if (type && strncasecmp(type, "application/json", 16) == 0 &&
	    json_parse(http_body(r), &jo, &a, &request, &err) == 0)
		name = json_get_str(request, "command");
	if (!name) {
		http_refuse(
			r, 400,
			"Bad Request: a command is a map with a string 'command', and of type application/json");
	} else {
		answer = refuse_command(r, name, &a);
		if (!answer)
			answer = ask_client(v, name, json_get(request, "arguments"), &a);
		if (!answer)
			answer = control_answer(&a, CONTROL_ERROR, "%s", v->s->error);
		answer_list(r, &a, answer);
	}
	arena_fini(&a);
}

/* Appends the client's text, and the metrics of the listener before its end. */
static void put_metrics(struct serving *v, const char *text, enum metrics_form form,
			struct buf *out)
{
	struct metrics m = {.out = out, .form = form};
	size_t n = strlen(text), end = strlen(eof_line);

	if (n >= end && strcmp(text + n - end, eof_line) == 0)
		n -= end;
	buf_add(out, text, n);
	http_metrics(&m, &v->listener, 1);
	metrics_end(&m);
}

static void answer_metrics(void *serving, struct http_request *r)
{
	struct serving *v = serving;
	enum metrics_form form = metrics_form_of(http_header(r, "Accept"));
	struct http_answer h = {.status = 200, .type = metrics_content_type(form)};
	const char *text = NULL;
	struct json *args;
	struct arena a;
	struct buf out;

	arena_init(&a);
	buf_init(&out);
	args = json_map(&a);
	(void)json_add(&a, args, "format",
		       json_str(&a, form == METRICS_OPENMETRICS ? "openmetrics" : "text"));
	text = json_get_str(json_get(ask_client(v, "metrics-get", args, &a), "arguments"),
			    "metrics");
	if (text)
		put_metrics(v, text, form, &out);
	h.body = span_of(out.p, out.len);
	if (!text)
		http_refuse(r, 503, "the client does not answer");
	else if (out.failed)
		http_refuse(r, 503, "out of memory");
	else
		http_answer(r, &h);
	buf_fini(&out);
	arena_fini(&a);
}

/* --- The page --------------------------------------------------------------------------------- */

static void describe_client(void *serving, struct arena *a, struct json *about)
{
	struct json *list = json_add(a, about, "states", json_list(a));

	(void)serving;
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		(void)http_page_stage(a, list, states[i].name, states[i].purpose);
}

static void put_fact(struct arena *a, struct json *rows, const char *name, const char *text)
{
	struct json *row = json_add(a, rows, NULL, json_list(a));

	(void)json_add(a, row, NULL, json_str(a, name));
	(void)json_add(a, row, NULL, json_str(a, text));
}

/* Adds a row for each option of a list. */
static void put_options(struct arena *a, struct json *rows, const char *prefix,
			const struct json *options)
{
	for (const struct json *o = options->first; o; o = o->next) {
		const char *name = json_get_str(o, "name"), *text = json_get_str(o, "text");
		const struct json *code = json_get(o, "code");

		put_fact(a, rows,
			 arena_printf(a, "%soption %lld %s", prefix,
				      code ? (long long)code->i : 0LL, name ? name : ""),
			 text ? text : "");
	}
}

/* Adds the members of a map as rows of name and value; maps within it with their names before. */
static void put_facts(struct arena *a, struct json *rows, const char *prefix,
		      const struct json *map)
{
	for (const struct json *m = map && map->type == JSON_MAP ? map->first : NULL; m;
	     m = m->next) {
		const char *name = arena_printf(a, "%s%s", prefix, m->key);
		struct buf text;

		if (m->type == JSON_MAP) {
			put_facts(a, rows, arena_printf(a, "%s ", name), m);
		} else if (m->type == JSON_LIST && strcmp(m->key, "options") == 0) {
			put_options(a, rows, prefix, m);
		} else if (m->type == JSON_STRING || (m->type == JSON_LIST && !m->first)) {
			put_fact(a, rows, name, m->type == JSON_STRING ? m->s : "none");
		} else {
			buf_init(&text);
			json_write(m, false, &text);
			put_fact(a, rows, name, text.failed ? "" : text.p);
			buf_fini(&text);
		}
	}
}

static const char *compose_client(void *serving, struct arena *a, struct json *m)
{
	struct serving *v = serving;
	const struct json *state = json_get(ask_client(v, "state", NULL, a), "arguments"),
			  *counts = json_get(ask_client(v, "statistics", NULL, a), "arguments");
	const char *name = json_get_str(state, "state");
	struct json *facts;

	http_page_state(a, m, v->started_ns, name ? name : "the client does not answer",
			!name			   ? "bad"
			: json_get(state, "lease") ? "good"
						   : "warn");
	(void)json_add(a, m, "machine", json_str(a, name ? name : ""));
	(void)json_add(a, m, "head", json_list(a));
	facts = json_add(a, m, "facts", json_list(a));
	put_facts(a, facts, "", state);
	put_facts(a, facts, "", counts);
	return NULL;
}

/* Creates the page. Its log has no lines: the client writes its own. */
static int create_page(struct serving *v)
{
	static const char *const views[] = {"machine"};
	struct http_page_opts o = {.program = "usher-client",
				   .version = USHER_VERSION,
				   .views = views,
				   .n_views = ARRAY_LEN(views),
				   .describe = describe_client,
				   .compose = compose_client,
				   .ctx = v};

	return http_page_new(v->loop, &o, &v->page);
}

static const struct http_route routes[] = {
	{"GET", "/metrics", false, false, answer_metrics},
	{"POST", "*", false, false, answer_command},
};

/* --- Life ------------------------------------------------------------------------------------- */

static void stop_serving(void *serving, uint32_t events)
{
	struct serving *v = serving;

	(void)events;
	loop_stop(v->loop);
}

static int parse_serve_words(char **words, int n_words, struct http_args *ret)
{
	const char **const places[] = {&ret->users, &ret->cert, &ret->key, &ret->trust};
	static const char *const names[] = {"users=", "cert=", "key=", "trust="};

	*ret = (struct http_args){.listen = n_words ? words[0] : NULL};
	for (int i = 1; i < n_words; i++) {
		size_t k = 0;

		while (k < ARRAY_LEN(names) && strncmp(words[i], names[k], strlen(names[k])) != 0)
			k++;
		if (k == ARRAY_LEN(names))
			return -EINVAL;
		*places[k] = words[i] + strlen(names[k]);
	}
	return ret->listen ? 0 : -EINVAL;
}

static int begin_serving(struct serving *v, const struct http_args *args, char text[HTTP_TEXT_MAX])
{
	struct http_opts o = {.realm = "usher-client", .routes = {routes, ARRAY_LEN(routes), v}};
	sigset_t set;
	int r;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	v->started_ns = clock_wall_ns(&clock_system);
	v->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	r = v->signal_fd < 0 ? -errno : loop_new(&v->loop);
	if (r == 0)
		r = loop_add(v->loop, v->signal_fd, EPOLLIN, stop_serving, v, &v->source);
	if (r == 0)
		r = create_page(v);
	if (r < 0)
		return r;
	o.page = http_page_routes(v->page);
	return http_open_args(v->loop, args, &o, &v->listener, text);
}

int ctl_serve(struct ctl_session *s, char **words, int n_words)
{
	char text[HTTP_TEXT_MAX] = "out of memory";
	struct serving v = {.s = s, .signal_fd = -1};
	struct http_args args;
	int r;

	if (parse_serve_words(words, n_words, &args) < 0) {
		(void)fputs(
			"usherctl: serve: expected ADDRESS:PORT [users=FILE] [cert=FILE] [key=FILE] [trust=FILE]\n",
			stderr);
		return EXIT_WRONG_USE;
	}
	s->timeout_s = CLIENT_TIMEOUT_S;
	s->quiet = true;
	r = begin_serving(&v, &args, text);
	if (r < 0)
		(void)fprintf(stderr, "usherctl: serve: %s\n", text);
	if (r == 0) {
		(void)fprintf(stderr, "usherctl: serving on %s\n", args.listen);
		r = loop_run(v.loop);
	}
	http_page_free(v.page);
	http_free(v.listener);
	loop_remove(v.source);
	if (v.loop)
		loop_free(v.loop);
	if (v.signal_fd >= 0)
		(void)close(v.signal_fd);
	return r < 0 ? EXIT_FAILED : 0;
}
