/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Commands about the configuration. config-set, config-test and config-reload either work whole or
 * change nothing. Each reads and checks beside the loop, and applies in its thread.
 */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file/file_text.h"
#include "base/log.h"
#include "base/sha256.h"
#include "config/config.h"
#include "server/manage/command.h"
#include "server/core/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Returns a refusal with all problems, one a line. */
static struct json *refuse_config(struct control_call *c, struct daemon_reading *r)
{
	struct config_problems *p = &r->problems;
	struct json *answer = json_map(c->arena);
	struct buf b;

	if (!p->n)
		config_problems_add(p, &r->first);
	config_problems_sort(p);
	buf_init(&b);
	buf_str(&b, "configuration refused: ");
	for (size_t i = 0; i < p->n; i++) {
		if (i)
			buf_char(&b, '\n');
		config_error_text(&p->items[i], &b);
	}
	(void)json_add(c->arena, answer, "result", json_int(c->arena, CONTROL_ERROR));
	(void)json_add(c->arena, answer, "text",
		       json_str(c->arena, b.failed ? "configuration refused: out of memory" : b.p));
	(void)json_add(c->arena, answer, "arguments", config_problems_list(p, c->arena));
	buf_fini(&b);
	return answer;
}

static void put_running(struct control_call *c, struct json *dhcp4, const char *key, int64_t v)
{
	struct json *old;

	if (v < 0 || !dhcp4)
		return;
	for (old = dhcp4->first; old && strcmp(old->key, key) != 0; old = old->next)
		continue;
	if (old)
		old->i = v;
	else
		(void)json_add(c->arena, dhcp4, key, json_int(c->arena, v));
}

struct json *command_running_config(struct control_call *c, const struct snapshot *s)
{
	struct json *m = json_copy(c->arena, config_effective(s->cfg));

	for (struct json *v = m ? m->first : NULL; v; v = v->next) {
		if (strcmp(v->key, "Dhcp4") != 0)
			continue;
		put_running(c, v, "statistic-default-sample-count", daemon_of(c)->sample_count);
		put_running(c, v, "statistic-default-sample-age", daemon_of(c)->sample_age_s);
	}
	return m;
}

/* Returns the hash of the configuration in effect, as config-get shows it: with the values that
 * commands changed. */
static struct json *running_hash(struct control_call *c, const struct snapshot *s)
{
	const struct server_daemon *d = daemon_of(c);
	char hex[2 * SHA256_LEN + 1] = "";
	struct buf b;

	if (d->sample_count < 0 && d->sample_age_s < 0)
		return json_str(c->arena, config_hash(s->cfg));
	buf_init(&b);
	json_write(command_running_config(c, s), false, &b);
	if (!b.failed)
		sha256_hex(span_of(b.p, b.len), hex);
	buf_fini(&b);
	return json_str(c->arena, hex);
}

static struct json *hash_arg(struct control_call *c, const struct snapshot *s)
{
	struct json *m = json_map(c->arena);

	(void)json_add(c->arena, m, "hash", running_hash(c, s));
	return m;
}

struct json *command_config_get(struct control_call *c)
{
	struct snapshot *s = server_snapshot(&daemon_of(c)->srv);
	struct json *m = command_running_config(c, s);

	(void)json_add(c->arena, m, "hash", running_hash(c, s));
	snapshot_unref(s);
	return command_ok(c, m, "%s", "");
}

struct json *command_config_hash_get(struct control_call *c)
{
	struct snapshot *s = server_snapshot(&daemon_of(c)->srv);
	struct json *m = hash_arg(c, s);

	snapshot_unref(s);
	return command_ok(c, m, "%s", "");
}

struct json *command_server_tag(struct control_call *c)
{
	struct snapshot *s = server_snapshot(&daemon_of(c)->srv);
	struct json *m = json_map(c->arena);

	(void)json_add(c->arena, m, "server-tag", json_str(c->arena, s->cfg->server_tag));
	snapshot_unref(s);
	return command_ok(c, m, "%s", "");
}

/* Refuses: the configuration comes from the file and from commands, there is no other backend. */
struct json *command_backend_pull(struct control_call *c)
{
	return control_answer(c->arena, CONTROL_EMPTY, "No config backend.");
}

/* Returns the arguments without "hash", which config-get adds, so that its answer can be sent
 * back unchanged. */
static const struct json *config_arg(struct control_call *c)
{
	struct json *m = json_map(c->arena);

	if (!json_get(c->args, "hash"))
		return c->args;
	for (const struct json *k = c->args->first; k; k = k->next)
		if (strcmp(k->key, "hash") != 0)
			(void)json_add(c->arena, m, k->key, json_copy(c->arena, k));
	m->pos = c->args->pos;
	return m;
}

/* --- Configurations of requests and of the file ------------------------------------------------- */

static void free_reading(void *reading)
{
	daemon_reading_fini(reading);
}

struct daemon_reading *command_begin_reading(struct control_call *c)
{
	struct daemon_reading *r = arena_new(c->arena, struct daemon_reading);

	if (!r)
		return NULL;
	daemon_reading_init(r, daemon_of(c), c->background, c->from);
	c->result = r;
	c->free_result = free_reading;
	return r;
}

/* Loads and checks the configuration in the arguments, beside the loop. */
static void read_arg(struct control_call *c)
{
	struct daemon_reading *r = command_begin_reading(c);

	if (!r || !json_get(c->args, "Dhcp4"))
		return;
	for (size_t i = 0; c->problems && i < c->problems->n; i++)
		config_problems_add(&r->problems, &c->problems->items[i]);
	if (daemon_reading_json(r, config_arg(c)) == 0)
		(void)!daemon_check(r);
}

/* Returns whether a member of the arguments is none of a configuration. The hash is of config-get.
 */
static bool is_foreign(const struct json *k)
{
	return strcmp(k->key, "Dhcp4") != 0 && strcmp(k->key, "hash") != 0;
}

/* Returns the refusal of members beside Dhcp4, in Kea's words; NULL: there is none. *ret_n: their
 * number. */
static struct json *refuse_members(struct control_call *c, size_t *ret_n)
{
	struct json *answer;
	struct buf b;

	*ret_n = 0;
	buf_init(&b);
	for (const struct json *k = c->args->first; k; k = k->next) {
		if (!is_foreign(k))
			continue;
		buf_printf(&b, *ret_n ? " (and '%s')" : "Unsupported '%s' parameter", k->key);
		++*ret_n;
	}
	answer = *ret_n ? command_fail(c, "%s.", b.failed ? "out of memory" : b.p) : NULL;
	buf_fini(&b);
	return answer;
}

/* Returns the refusal of arguments that are no configuration, in Kea's words; NULL: they are one.
 * *ret_n: the number of their problems. */
static struct json *refuse_arguments(struct control_call *c, size_t *ret_n)
{
	const struct json *dhcp4 = json_get(c->args, "Dhcp4");

	*ret_n = 1;
	if (!c->args)
		return command_fail(c, "Missing mandatory 'arguments' parameter.");
	if (!dhcp4)
		return command_fail(c, "Missing mandatory 'Dhcp4' parameter.");
	if (dhcp4->type != JSON_MAP)
		return command_fail(c, "'Dhcp4' parameter expected to be a map.");
	return refuse_members(c, ret_n);
}

/* Returns the refusal of a configuration that was read; NULL: it is a good one. Kea's words are
 * those of one problem: several are listed, as in control_problems_answer(). */
static struct json *refuse_reading(struct control_call *c)
{
	struct daemon_reading *r = c->result;
	size_t n;
	struct json *bad = refuse_arguments(c, &n);

	if (!r)
		return bad ? bad : command_fail(c, "out of memory");
	if (r->problems.n > n || (!bad && !r->cfg))
		return refuse_config(c, r);
	if (bad && r->problems.n > 1)
		(void)json_add(c->arena, bad, "arguments",
			       config_problems_list(&r->problems, c->arena));
	return bad;
}

bool command_takes_problems(const struct control_call *c)
{
	return (strcmp(c->name, "config-test") == 0 || strcmp(c->name, "config-set") == 0) &&
	       json_get(c->args, "Dhcp4");
}

/* Returns the answer to a configuration that is in effect. */
static struct json *answer_in_effect(struct control_call *c)
{
	struct snapshot *s = server_snapshot(&daemon_of(c)->srv);
	struct json *m = hash_arg(c, s);

	snapshot_unref(s);
	return command_ok(c, m, "Configuration successful.");
}

/* Checks the libraries of a configuration for config-test. Runs their code only for a requester
 * who may run it himself. */
static int test_libraries(struct daemon_reading *r)
{
	struct snapshot *prev = server_snapshot(&r->d->srv);
	int e = r->untrusted ? 0
			     : snapshot_check(&r->d->srv, r->cfg, prev, &r->problems, &r->first);

	snapshot_unref(prev);
	return e;
}

void command_config_test_work(struct control_call *c)
{
	read_arg(c);
}

struct json *command_config_test(struct control_call *c)
{
	struct json *bad = refuse_reading(c);

	if (bad)
		return bad;
	if (test_libraries(c->result) < 0)
		return refuse_config(c, c->result);
	return command_ok(c, NULL,
			  "Configuration seems sane. Control-socket, hook-libraries, and D2 "
			  "configuration were sanity checked, but not applied.");
}

void command_config_set_work(struct control_call *c)
{
	read_arg(c);
}

struct json *command_config_set(struct control_call *c)
{
	struct daemon_reading *r = c->result;
	struct json *bad = refuse_reading(c);

	int e;

	if (bad) {
		if (r)
			daemon_note_reading(r, true);
		return bad;
	}
	e = daemon_apply(daemon_of(c), r->cfg, &r->problems, &r->first);
	daemon_note_reading(r, e < 0);
	if (e < 0)
		return refuse_config(c, r);
	r->cfg = NULL; /* it is in effect */
	return answer_in_effect(c);
}

void command_config_reload_work(struct control_call *c)
{
	struct daemon_reading *r = command_begin_reading(c);

	if (r)
		daemon_reload_read(r);
}

struct json *command_config_reload(struct control_call *c)
{
	if (!c->result)
		return command_fail(c, "out of memory");
	return daemon_reload_apply(c->result) < 0 ? refuse_config(c, c->result)
						  : answer_in_effect(c);
}

/* --- config-write ----------------------------------------------------------------------------- */

/* Returns the path to write to, or NULL. Accepts names in the directory of the configuration
 * file only, no paths (the class of CVE-2025-32802). */
static const char *write_target(struct control_call *c, const char *name)
{
	const char *conf = daemon_of(c)->o.config_file;
	const char *slash = strrchr(conf, '/');
	size_t dir = slash ? (size_t)(slash - conf) + 1 : 0;

	if (!name || !name[0])
		return conf;
	name = file_name_in(conf, dir, name);
	return name ? arena_printf(c->arena, "%.*s%s", (int)dir, conf, name) : NULL;
}

/* Returns whether a configuration may be written to the path: it is free, or holds a
 * configuration. A socket, a lease file or a library is never replaced. */
static bool is_replaceable(const char *path)
{
	char head[512] = "";
	struct stat st;
	auto_close int fd = -1;
	ssize_t n;

	if (lstat(path, &st) < 0)
		return errno == ENOENT;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	n = read(fd, head, sizeof(head) - 1);
	if (n < 0)
		return false;
	for (const char *p = head; *p; p++)
		if (!strchr(" \t\r\n", *p))
			return *p == '{' || *p == '/' || *p == '#';
	return st.st_size == 0 || n == sizeof(head) - 1;
}

/* Writes the configuration in effect to a file, beside the loop. Returns the answer. */
static struct json *write_config(struct control_call *c)
{
	const char *name = command_str(c, "filename");
	const char *path = write_target(c, name);
	auto_free char *real = NULL;
	struct snapshot *s;
	struct json *m;
	struct buf b;
	int r;

	if (json_get(c->args, "filename") && !name)
		return command_fail(c, "passed parameter 'filename' is not a string");
	if (!path)
		return command_fail(c,
				    "not allowed to write config into %s: it is no file in the "
				    "directory of %s",
				    name, daemon_of(c)->o.config_file);
	real = realpath(path, NULL); /* a symbolic link is followed */
	if (!is_replaceable(real ? real : path))
		return command_fail(c,
				    "not allowed to write config into %s: it exists and is not a "
				    "configuration file",
				    path);
	if (real)
		path = arena_printf(c->arena, "%s", real);
	s = server_snapshot(&daemon_of(c)->srv);
	buf_init(&b);
	json_write(command_running_config(c, s), true, &b);
	buf_char(&b, '\n');
	snapshot_unref(s);
	r = b.failed ? -ENOMEM : file_replace(path, span_of(b.p, b.len), 0640);
	if (r < 0) {
		buf_fini(&b);
		return command_fail(c, "%s cannot be written: %s", path, usher_strerror(r));
	}
	m = json_map(c->arena);
	(void)json_add(c->arena, m, "size", json_int(c->arena, (int64_t)b.len));
	(void)json_add(c->arena, m, "filename", json_str(c->arena, path));
	buf_fini(&b);
	return command_ok(c, m, "Configuration written to %s successful", path);
}

void command_config_write_work(struct control_call *c)
{
	c->result = write_config(c);
}

struct json *command_config_write(struct control_call *c)
{
	return c->result;
}
