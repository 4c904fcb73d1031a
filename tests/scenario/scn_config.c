/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The fixed point of configurations: config-set of config-get's answer is accepted, and the next
 * answer is equal. It is checked at the end of every case, with the configuration that is in effect
 * then, whether the case loaded it, a reload or commands that edit it.
 */
#include "scn.h"

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

/* Sends a command, its arguments as text; NULL: none. Returns the answer, or NULL after a failure
 * of the case. */
static const struct json *ask_command(struct scn *s, const char *name, const char *args)
{
	struct json *request = json_map(&s->arena);
	struct json_opts o = {.file = ""};
	struct config_error err = {0};
	const struct json *answer;
	struct json *v = NULL;
	int64_t result = -1;

	(void)json_add(&s->arena, request, "command", json_str(&s->arena, name));
	if (args && json_parse(span_str(args), &o, &s->arena, &v, &err) < 0) {
		(void)scn_fail(s, "the answer to config-get is no JSON: %s", err.text);
		return NULL;
	}
	if (v)
		(void)json_add(&s->arena, request, "arguments", v);
	answer = scn_answer(s, request);
	if (!json_get_int(answer, "result", &result) || result != 0) {
		(void)scn_fail(s, "%s at the end of the case: %s", name,
			       json_get_str(answer, "text"));
		return NULL;
	}
	return answer;
}

/* Appends the arguments of config-get's answer as text. */
static int get_config(struct scn *s, struct buf *ret)
{
	const struct json *answer = ask_command(s, "config-get", NULL);

	if (!answer)
		return -1;
	json_write(json_get(answer, "arguments"), true, ret);
	return ret->failed ? scn_fail(s, "memory is out") : 0;
}

/* Names the first line that differs. */
static int fail_differs(struct scn *s, const char *a, const char *b)
{
	while (*a && *a == *b) {
		size_t n = strcspn(a, "\n");

		if (strncmp(a, b, n + 1) != 0)
			break;
		a += n + (a[n] != '\0');
		b += n + (b[n] != '\0');
	}
	return scn_fail(s, "config-set of config-get's answer changes it: '%.*s' is then '%.*s'",
			(int)strcspn(a, "\n"), a, (int)strcspn(b, "\n"), b);
}

int scn_check_config(struct scn *s)
{
	struct buf first;
	struct buf second;
	int r;

	if (!s->running)
		return 0;
	buf_init(&first);
	buf_init(&second);
	r = get_config(s, &first);
	if (r == 0 && !ask_command(s, "config-set", first.p))
		r = -1;
	if (r == 0)
		r = get_config(s, &second);
	if (r == 0 && strcmp(first.p, second.p) != 0)
		r = fail_differs(s, first.p, second.p);
	buf_fini(&first);
	buf_fini(&second);
	return r;
}
