/* SPDX-License-Identifier: MPL-2.0 */
/*
 * State of the server: leases, statistics, answers to commands.
 */
#include "scn.h"

#include "base/ip.h"
#include "control/transport.h"
#include "lease/lease_db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_TURNS = 5000, FILE_TURN_US = 1000 };

static int get_lease(struct scn *s, struct lease *ret)
{
	uint32_t a;

	if (s->n_words < 2 || ip_parse(s->word[1], strlen(s->word[1]), &a) < 0)
		return scn_fail(s, "an address is expected");
	if (scn_world_need(s) < 0)
		return -1;
	return lease_db_get(s->d.srv.db, a, &s->arena, ret, NULL) < 0 ? 0 : 1;
}

static void hex_text(struct span v, char *out, size_t cap)
{
	struct buf b;

	buf_init(&b);
	buf_str(&b, "");
	buf_hex(&b, v, ':');
	(void)snprintf(out, cap, "%s", b.p);
	buf_fini(&b);
}

static int lease_word(struct scn *s, const struct lease *l, const char *w)
{
	const struct {
		const char *name;
		long long v;
	} numbers[] = {
		{"state", l->state},
		{"valid", l->valid_lft},
		{"subnet", l->subnet_id},
		{"pool", l->pool_id},
		{"left", (long long)(l->cltt + l->valid_lft - s->clock.wall / NS_PER_S)},
	};
	char text[800];
	const char *v;

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		v = scn_arg(w, numbers[i].name);
		if (v && strtoll(v, NULL, 10) != numbers[i].v)
			return scn_fail(s, "expected %s, got %lld", w, numbers[i].v);
		if (v)
			return 0;
	}
	if ((v = scn_arg(w, "hw")) != NULL) {
		uint8_t mac[6] = {0};

		if (*v && scn_mac(v, mac) < 0)
			return scn_fail(s, "%s is no client", v);
		if (!span_eq(lease_hw(l), *v ? span_of(mac, 6) : SPAN_NULL)) {
			hex_text(lease_hw(l), text, sizeof(text));
			return scn_fail(s, "expected %s, got %s", w, text);
		}
		return 0;
	}
	if ((v = scn_arg(w, "client-id")) != NULL)
		hex_text(lease_client_id(l), text, sizeof(text));
	else if ((v = scn_arg(w, "hostname")) != NULL)
		(void)snprintf(text, sizeof(text), "%s", l->hostname);
	else if ((v = scn_arg(w, "context")) != NULL)
		return l->user_context && strstr(l->user_context, v)
			       ? 0
			       : scn_fail(s, "expected %s, got %s", w,
					  l->user_context ? l->user_context : "none");
	else
		return scn_fail(s, "what is %s?", w);
	return strcmp(v, text) == 0 ? 0 : scn_fail(s, "expected %s, got %s", w, text);
}

/* lease ADDRESS state=0 hw=1 client-id=.. hostname=.. valid=.. left=.. subnet=.. pool=..
 * context=.. */
int do_lease(struct scn *s)
{
	struct lease l;
	int r = get_lease(s, &l);

	if (r == 0)
		return scn_fail(s, "there is no lease");
	for (size_t i = 2; r > 0 && i < s->n_words; i++)
		if (lease_word(s, &l, s->word[i]) < 0)
			return -1;
	return r < 0 ? -1 : 0;
}

int do_no_lease(struct scn *s)
{
	struct lease l;
	int r = get_lease(s, &l);

	if (r > 0 && l.state != LEASE_OFFERED)
		return scn_fail(s, "there is a lease, state %d", l.state);
	return r < 0 ? -1 : 0;
}

struct json *scn_answer(struct scn *s, const struct json *request)
{
	struct control_requester from = {.transport = "unix"};
	struct json_opts o = {.file = ""};
	struct config_error err = {0};
	struct control_stream stream;
	struct json *answer = control_plane_answer_now(s->d.plane, request, &from, &s->arena,
						       &stream);
	struct buf b;

	if (!stream.next)
		return answer;
	buf_init(&b);
	while (stream.next(stream.ctx, &b))
		continue;
	stream.fini(stream.ctx);
	if (json_parse(span_str(arena_strndup(&s->arena, b.p, b.len)), &o, &s->arena, &answer,
		       &err) < 0)
		(void)scn_fail(s, "streamed answer: %s", err.text);
	buf_fini(&b);
	return answer;
}

static struct json *run_command(struct scn *s, const char *name, const struct json *args)
{
	struct json *m = json_map(&s->arena);

	(void)json_add(&s->arena, m, "command", json_str(&s->arena, name));
	if (args)
		(void)json_add(&s->arena, m, "arguments", json_copy(&s->arena, args));
	return scn_answer(s, m);
}

/* stat NAME VALUE */
int do_stat(struct scn *s)
{
	struct json *args = json_map(&s->arena);
	const struct json *v;
	int64_t got = -1;

	if (s->n_words != 3 || scn_world_need(s) < 0)
		return scn_fail(s, "stat NAME VALUE");
	(void)json_add(&s->arena, args, "name", json_str(&s->arena, s->word[1]));
	v = json_get(json_get(run_command(s, "statistic-get", args), "arguments"), s->word[1]);
	if (v && v->first && v->first->first)
		got = v->first->first->i;
	if (got != strtoll(s->word[2], NULL, 10))
		return scn_fail(s, "expected %s %s, got %lld", s->word[1], s->word[2],
				(long long)got);
	return 0;
}

/* command NAME [{arguments}], or command NAME bare [value] for one that is no map */
int do_command(struct scn *s)
{
	struct json *args = NULL;

	if (s->n_words < 2 || scn_world_need(s) < 0)
		return scn_fail(s, "command NAME {…}");
	if (strpbrk(s->rest, "{[<")) {
		args = scn_json(s);
		if (!args)
			return -1;
		if (s->n_words > 2 && strcmp(s->word[2], "bare") == 0)
			args = args->first;
	}
	s->answer = run_command(s, s->word[1], args);
	scn_world_run(s);
	return 0;
}

static const struct json *at_path(const struct json *j, const char *path)
{
	while (j && *path == '/') {
		char key[128];
		size_t n = strcspn(path + 1, "/=~");

		(void)snprintf(key, sizeof(key), "%.*s", (int)n, path + 1);
		path += n + 1;
		if (j->type == JSON_LIST) {
			const struct json *e = j->first;

			for (int i = atoi(key); e && i > 0; i--)
				e = e->next;
			j = e;
		} else {
			j = json_get(j, key);
		}
	}
	return j;
}

static void json_text(const struct json *j, struct buf *b)
{
	if (j && j->type == JSON_STRING)
		buf_add(b, j->s, j->n);
	else if (j)
		json_write(j, false, b);
	else
		buf_str(b, "(absent)");
}

/* result=0 text~part text="a sentence" /arguments/leases/0/hw-address=… */
static int answer_word(struct scn *s, const char *w)
{
	char path[256];
	char want[512];
	size_t n = strcspn(w, "=~");
	size_t quote = w[n] && w[n + 1] == '"';
	struct buf b;
	bool ok;

	(void)snprintf(want, sizeof(want), "%s", w[n] ? w + n + 1 + quote : "");
	if (quote && want[0])
		want[strlen(want) - 1] = '\0';
	(void)snprintf(path, sizeof(path), "%s%.*s", w[0] == '/' ? "" : "/", (int)n, w);
	buf_init(&b);
	json_text(at_path(s->answer, path), &b);
	ok = w[n] == '~' ? strstr(b.p, want) != NULL : w[n] == '=' && strcmp(b.p, want) == 0;
	if (!ok)
		(void)scn_fail(s, "expected %s, got %s", w, b.p);
	buf_fini(&b);
	return ok ? 0 : -1;
}

int do_answer(struct scn *s)
{
	if (!s->answer)
		return scn_fail(s, "there was no command");
	for (size_t i = 1; i < s->n_words; i++)
		if (answer_word(s, s->word[i]) < 0)
			return -1;
	return 0;
}

static bool has_line(const char *path, const char *want)
{
	char line[512];
	bool found = false;
	FILE *f = fopen(path, "re");

	while (f && !found && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		found = strcmp(line, want) == 0;
	}
	if (f)
		(void)fclose(f);
	return found;
}

/* file PATH "line": the line is in the file, or another thread writes it within five seconds */
int do_file(struct scn *s)
{
	uint8_t want[512] = {0};

	if (s->n_words != 3 || scn_value(s->word[2], 1, want, sizeof(want) - 1) < 0)
		return scn_fail(s, "file PATH \"line\"");
	for (int i = 0; i < FILE_TURNS; i++) {
		scn_world_run(s);
		if (has_line(s->word[1], (const char *)want))
			return 0;
		(void)usleep(FILE_TURN_US);
	}
	return scn_fail(s, "the line is not in %s", s->word[1]);
}

/* show reply | answer: for authors of scenarios */
int do_show(struct scn *s)
{
	struct buf b;

	buf_init(&b);
	buf_str(&b, "");
	if (s->n_words == 2 && strcmp(s->word[1], "answer") == 0 && s->answer)
		json_write(s->answer, true, &b);
	else if (s->has_reply)
		scn_reply_text(&s->reply, &b);
	(void)printf("%s\n", b.p);
	buf_fini(&b);
	return 0;
}
