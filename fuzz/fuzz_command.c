/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Arguments of commands: requests (divided by NUL) as a transport takes them, through framing,
 * parser, plane and check of the arguments. The first octet of each picks a row: of the server, or
 * one of ours, whose function relies on all that its description promises. Beyond the rows, the
 * text is a request by itself. The first octet of the input says how requests are cut into pieces.
 */
#include "fuzz_server_util.h"

#include "base/buf.h"
#include "control/args.h"
#include "control/plane.h"
#include "control/transport.h"

#include <stdio.h>

enum { ROWS_MAX = 160 };

/* Reads an argument as a command does that trusts the check. */
static void touch_argument(const struct json *v, enum control_type type)
{
	if (type == CONTROL_TEXT)
		fuzz_check(v->type == JSON_STRING && strlen(v->s) == v->n);
	else if (type == CONTROL_INT)
		fuzz_check(v->type == JSON_INT);
	else if (type == CONTROL_BOOL)
		fuzz_check(v->type == JSON_BOOL);
	else if (type == CONTROL_MAP)
		fuzz_check(v->type == JSON_MAP && (v->count == 0) == !v->first);
	else if (type == CONTROL_LIST)
		fuzz_check(v->type == JSON_LIST && (v->count == 0) == !v->first);
}

/* Checks that the arguments are as the description promises: types, and one alternative whole. */
static struct json *touch_all(struct control_call *c)
{
	unsigned alternative = 0, now = 0;
	bool whole = true, any_whole = false;
	struct control_arg a;
	size_t at = 0;
	char name[64];

	while (control_args_next(c->ctx, &at, &alternative, &a) == 1) {
		const struct json *v;

		(void)snprintf(name, sizeof(name), "%.*s", (int)a.name.n, (const char *)a.name.p);
		v = json_get(c->args, name);
		if (a.alternative != now) {
			any_whole = any_whole || whole;
			whole = true;
			now = a.alternative;
		}
		if (v && a.presence != CONTROL_OWN_CHECK)
			touch_argument(v, a.type);
		whole = whole && (v || a.presence != CONTROL_REQUIRED);
	}
	fuzz_check(whole || any_whole);
	return control_answer(c->arena, CONTROL_OK, "%s", c->name);
}

#define OWN_ROW(name_, args_)                                                                  \
	{                                                                                      \
		.name = (name_), .fn = touch_all, .args = (args_), .help = "", .ctx = (char[]) \
		{                                                                              \
			args_                                                                  \
		}                                                                              \
	}

static const struct control_command own_rows[] = {
	OWN_ROW("own-required", "a:text b:int c:bool d:map e:list f:any"),
	OWN_ROW("own-optional", "[a:text] [b:int] [c:bool] [d:map] [e:list] [f:any]"),
	OWN_ROW("own-checks", "(a:text) (b:int) c:text"),
	OWN_ROW("own-alternatives", "a:text | b:int c:bool | [d:map] e:list"),
	OWN_ROW("own-empty", "a:text | [b:int]"),
	OWN_ROW("own-none", ""),
};

struct names {
	const char *name[ROWS_MAX];
	unsigned n;
};

static void note_name(void *ctx, const struct control_command *row)
{
	struct names *k = ctx;

	fuzz_check(k->n < ROWS_MAX);
	k->name[k->n++] = row->name;
}

/* Checks an answer, also one that is made as it is read; *ctx counts. */
static void check_answer(void *ctx, const struct json *answer, const struct control_stream *stream)
{
	struct config_error err;
	struct arena a;
	struct json *v;
	struct buf b;

	(*(unsigned *)ctx)++;
	if (!stream->next) {
		fuzz_answer_check(answer);
		return;
	}
	buf_init(&b);
	arena_init(&a);
	while (stream->next(stream->ctx, &b))
		continue;
	stream->fini(stream->ctx);
	fuzz_check(json_parse(span_of(b.p, b.len), &(struct json_opts){.file = ""}, &a, &v, &err) ==
		   0);
	arena_fini(&a);
	buf_fini(&b);
}

/* Sends one request, whose first octet is the row. */
static void send_request(struct fuzz_server *f, const struct names *k, struct span in, size_t piece)
{
	struct control_request r;
	unsigned answers = 0;
	bool whole, own = in.n && in.p[0] < k->n;
	struct buf text;

	buf_init(&text);
	if (own)
		buf_printf(&text, "{\"command\": \"%s\", \"arguments\": ", k->name[in.p[0]]);
	buf_add(&text, in.p + own, in.n - own);
	if (own)
		buf_char(&text, '}');
	whole = fuzz_framing(span_of(text.p, text.len), piece);
	control_request_parse(&r, span_of(text.p, text.len), 64);
	r.from = (struct control_requester){.transport = "unix", .read_only = piece > 32};
	if (r.root && !r.problems.n && r.root->type == JSON_MAP)
		fuzz_check(whole);
	if (!r.root || fuzz_control_harmless(r.root)) {
		fuzz_check(!control_plane_answer(f->d.plane, &r,
						 &(struct control_reply){check_answer, &answers}));
		fuzz_check(answers == 1);
	} else {
		config_problems_fini(&r.problems);
		arena_fini(&r.arena);
	}
	buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz_server f;
	struct names k = {.n = 0};

	fuzz_server_init(&f);
	fuzz_check(control_plane_add(f.d.plane, own_rows, ARRAY_LEN(own_rows)) == 0);
	control_plane_each(f.d.plane, note_name, &k);
	for (size_t at = 1, n = 0; at < size; at += n + 1) {
		/* the octet of the row may be 0 */
		const uint8_t *nul = at + 1 < size ? memchr(data + at + 1, '\0', size - at - 1)
						   : NULL;

		n = nul ? (size_t)(nul - data) - at : size - at;
		send_request(&f, &k, span_of(data + at, n), data[0] % 64 + 1U);
	}
	fuzz_server_fini(&f);
	return 0;
}
