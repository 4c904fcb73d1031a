/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Files that include others are put together here, because the server includes nothing in a
 * request.
 */
#include "ctl/request.h"

#include "base/error.h"
#include "config/json/json.h"
#include "ctl/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int print_failure(const char *what, const char *why)
{
	(void)fprintf(stderr, "usherctl: %s: %s\n", what, why);
	return -1;
}

/*
 * Returns the value of a word. The command's row decides about integers ("12") and booleans
 * ("true"). Other words are text: a host name may be 123, and 001122334455 is a hardware address.
 */
static struct json *word_value(struct arena *a, const char *name, const char *s)
{
	char *end;
	long long v;

	switch (ctl_argument_kind(name)) {
	case CTL_BOOL:
		if (strcmp(s, "true") == 0 || strcmp(s, "false") == 0)
			return json_bool(a, s[0] == 't');
		break;
	case CTL_INT:
		errno = 0;
		v = strtoll(s, &end, 10);
		if (*s && !*end && errno == 0)
			return json_int(a, v);
		break;
	case CTL_TEXT:
		break;
	}
	return json_str(a, s);
}

/* Takes the text of a file that includes no other, so that it can be sent unchanged. Returns
 * false for other files. */
static bool take_file(struct ctl_request *q, const char *path)
{
	FILE *f = fopen(path, "re");
	char part[4096];
	size_t n;

	if (!f)
		return false;
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		buf_add(&q->text, part, n);
	buf_char(&q->text, '\0');
	(void)fclose(f);
	if (q->text.failed || strstr(q->text.p, "<?include"))
		return false;
	q->text.len--;
	q->file = path;
	return true;
}

/* Makes a text of the tree, for a file that includes others. */
static int make_text(struct ctl_request *q, const char *path, const struct json *tree)
{
	q->file = path;
	q->included = true;
	return ctl_text_write(&q->made, tree);
}

static int print_problem(const char *file, int64_t line, int64_t column, const char *text)
{
	return fprintf(stderr, "%s:%lld:%lld: %s\n", file, (long long)line, (long long)column,
		       text) < 0;
}

static void on_problem(void *ctx, const struct config_error *e)
{
	struct ctl_request *q = ctx;

	q->n_problems++;
	(void)print_problem(e->file, e->pos.line, e->pos.col, e->text);
}

/* Parses a JSON text, or @FILE. */
static int parse_text(struct ctl_request *q, const char *text)
{
	bool config = q->program == CTL_SERVER && strncmp(q->command, "config-", 7) == 0;
	struct json_opts o = {.file = text[0] == '@' ? text + 1 : "argument",
			      .dialect = true,
			      .problem = on_problem,
			      .ctx = q};
	struct config_error err = {0};
	struct buf b;
	int r;

	if (text[0] == '@')
		r = json_parse_file(text + 1, &o, &q->arena, &q->args, &err);
	else
		r = json_parse(span_str(text), &o, &q->arena, &q->args, &err);
	if (r == 0 && q->n_problems)
		return -USHER_E_SYNTAX;
	if (r == 0 && text[0] == '@' && config && !take_file(q, text + 1))
		r = make_text(q, text + 1, q->args);
	if (r < 0) {
		buf_init(&b);
		config_error_text(&err, &b);
		(void)print_failure("arguments", b.p ? b.p : usher_strerror(r));
		buf_fini(&b);
	}
	return r;
}

/* Reads the arguments: name=value words, one JSON text, or @FILE. */
static int read_words(struct ctl_request *q, char **words, int n)
{
	if (n == 0)
		return 0;
	if (n == 1 && strchr("{@[", words[0][0]))
		return parse_text(q, words[0]);
	q->args = json_map(&q->arena);
	if (q->program == CTL_CLIENT && n == 1 && strcmp(q->command, "transition") == 0 &&
	    !strchr(words[0], '=')) {
		(void)json_add(&q->arena, q->args, "to", json_str(&q->arena, words[0]));
		return 0;
	}
	for (int i = 0; i < n; i++) {
		char *eq = strchr(words[i], '=');

		if (!eq)
			return print_failure(words[i], "expected name=value or a JSON map");
		*eq = '\0';
		(void)json_add(&q->arena, q->args, words[i],
			       word_value(&q->arena, words[i], eq + 1));
	}
	return 0;
}

int ctl_request_init(struct ctl_request *q, enum ctl_program p, const char *command, char **words,
		     int n_words)
{
	*q = (struct ctl_request){.program = p, .command = command};
	arena_init(&q->arena);
	buf_init(&q->text);
	return read_words(q, words, n_words) < 0 ? -1 : 0;
}

void ctl_request_fini(struct ctl_request *q)
{
	buf_fini(&q->text);
	ctl_text_fini(&q->made);
	arena_fini(&q->arena);
}

void ctl_request_write(const struct ctl_request *q, const struct ctl_session *s, struct buf *out)
{
	const struct buf *text = q->included ? &q->made.text : &q->text;

	ctl_session_request(s, q->command, q->file ? NULL : q->args, out);
	if (!q->file || out->failed)
		return;
	out->len--; /* the closing brace */
	buf_str(out, ", \"arguments\":\n");
	buf_add(out, text->p, text->len);
	buf_str(out, "\n}");
}

bool ctl_request_problems(const struct ctl_request *q, const struct json *answer)
{
	const struct json *list = json_get(json_get(answer, "arguments"), "errors");

	if (!q->file || !list || list->type != JSON_LIST)
		return false;
	for (const struct json *e = list->first; e; e = e->next) {
		const char *text = json_get_str(e, "text");
		const struct json_pos *at;
		int64_t line = 0, column = 0;

		(void)json_get_int(e, "line", &line);
		(void)json_get_int(e, "column", &column);
		line -= line > 0; /* the request's first line stands before the text */
		at = q->included ? ctl_text_place(&q->made, line, column) : NULL;
		if (at)
			(void)print_problem(at->file, at->line, at->col, text ? text : "?");
		else
			(void)print_problem(q->file, line, column, text ? text : "?");
	}
	return true;
}
