/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The commands on files: the long part runs beside the loop. A file is written whole beside its
 * name first; one that is read takes effect whole or not at all.
 */
#include "library/host_cache/host_cache.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file/file_text.h"
#include "base/log.h"
#include "config/config.h"
#include "control/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MAX = 1 << 30 };

/* --- Names ------------------------------------------------------------------------------------ */

/* Returns the path that the arguments name: a name alone, or in the directory of data files. NULL
 * with a reason: it is another one. */
static const char *find_path(struct control_call *call, const char **ret_why)
{
	const char *dir = config_dir(CONFIG_DIR_DATA);
	const struct json *v = call->args;
	size_t n = strlen(dir);
	const char *name;

	*ret_why = !v			    ? "no parameters specified for the command"
		   : v->type != JSON_STRING ? "invalid (not a string) parameter"
		   : !v->n		    ? "invalid (empty string) parameter"
					    : NULL;
	if (*ret_why)
		return NULL;
	while (n > 1 && dir[n - 1] == '/')
		n--;
	*ret_why = arena_printf(call->arena,
				"parameter is invalid: invalid path specified: '%s', supported "
				"path is '%.*s'",
				v->s, (int)n, dir);
	dir = arena_printf(call->arena, "%.*s/", (int)n, dir);
	name = dir ? file_name_in(dir, n + 1, v->s) : NULL;
	return name ? arena_printf(call->arena, "%s%s", dir, name) : NULL;
}

/* --- cache-write ------------------------------------------------------------------------------ */

/* Returns whether a file may be replaced: it is absent, empty, or a list as this command writes.
 * Lease files and others are in this directory, too. */
static bool is_replaceable(const char *path)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	char c = '[';

	if (fd < 0)
		return errno == ENOENT;
	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && read(fd, &c, 1) >= 0 && c == '[';
}

/* Writes the entries as a list, a line each. */
static int print_entries(struct cached_host *const *list, size_t n, struct buf *out)
{
	buf_str(out, "[\n");
	for (size_t i = 0; i < n; i++) {
		struct arena a;
		struct json *m;

		arena_init(&a);
		m = cached_host_show(&a, list[i]);
		if (m)
			json_write(m, false, out);
		buf_str(out, i + 1 < n ? ",\n" : "\n");
		arena_fini(&a);
		if (!m)
			return -ENOMEM;
	}
	buf_str(out, "]\n");
	return out->failed ? -ENOMEM : 0;
}

static struct json *write_entries(struct control_call *call)
{
	struct host_cache *c = call->ctx;
	const char *why, *path = find_path(call, &why);
	struct cached_host **list;
	struct buf text;
	size_t n = 0;
	int r;

	if (!path)
		return host_cache_fail(call, LOG_HOST_CACHE_COMMAND_WRITE_FAILED, "%s", why);
	if (!is_replaceable(path))
		return host_cache_fail(call, LOG_HOST_CACHE_COMMAND_WRITE_FAILED,
				       "'%s' exists, and is no file of cache-write", path);
	list = host_cache_list(c, &n);
	buf_init(&text);
	r = list ? print_entries(list, n, &text) : -ENOMEM;
	host_cache_list_free(list, n);
	if (r == 0)
		r = file_replace(path, span_of(text.p, text.len), 0640);
	buf_fini(&text);
	if (r < 0)
		return host_cache_fail(call, LOG_HOST_CACHE_COMMAND_WRITE_FAILED,
				       "Unable to open file '%s' for writing: %s", path,
				       usher_strerror(r));
	log_msg(c->log, LOG_HOST_CACHE_COMMAND_WRITE,
		"cache-write command successful (dumped: %zu)", n);
	return control_answer(call->arena, CONTROL_OK, "%zu entries dumped to '%s'.", n, path);
}

void host_cache_write_work(struct control_call *call)
{
	call->result = write_entries(call);
}

struct json *host_cache_write(struct control_call *call)
{
	return call->result;
}

/* --- cache-load ------------------------------------------------------------------------------- */

/* The outcome of the part beside the loop. */
struct loaded {
	const char *path;
	struct json *refusal; /* NULL: it was read */
	struct cached_host **list;
	size_t n;
};

static void free_loaded(void *loaded)
{
	struct loaded *l = loaded;

	if (l)
		host_cache_list_free(l->list, l->n);
}

/* Makes the entries of a text, or sets the reason why not. */
static int make_entries(const struct host_cache *c, struct span text, struct loaded *l,
			struct config_error *err)
{
	struct json_opts o = {.file = ""};
	struct json *list;
	struct arena a;
	int r;

	arena_init(&a);
	r = json_parse(text, &o, &a, &list, err);
	if (r == 0 && list->type != JSON_LIST)
		r = config_error_set(err, &list->pos, -USHER_E_CONFIG, "a list is expected");
	if (r == 0) {
		l->list = calloc(list->count + 1, sizeof(*l->list));
		r = l->list ? 0 : -USHER_E_NOMEM;
	}
	for (const struct json *v = r == 0 ? list->first : NULL; v && r == 0; v = v->next) {
		r = cached_host_read(c->cfg, v, &l->list[l->n], err);
		l->n += r == 0;
	}
	arena_fini(&a);
	return r;
}

static void load_file(struct control_call *call, struct loaded *l)
{
	struct config_error err = {0};
	struct buf text;
	int r;

	buf_init(&text);
	r = file_read_text(l->path, FILE_MAX, &text);
	if (r < 0)
		l->refusal = host_cache_fail(call, LOG_HOST_CACHE_COMMAND_LOAD_FAILED,
					     "'%s' cannot be read: %s", l->path, usher_strerror(r));
	else
		r = make_entries(call->ctx, span_of(text.p ? text.p : "", text.len), l, &err);
	buf_fini(&text);
	if (r < 0 && !l->refusal)
		l->refusal = host_cache_fail(call, LOG_HOST_CACHE_COMMAND_LOAD_FAILED,
					     "%s:%u:%u: %s", l->path, err.pos.line, err.pos.col,
					     err.text[0] ? err.text : "out of memory");
}

void host_cache_load_work(struct control_call *call)
{
	struct loaded *l = arena_new(call->arena, struct loaded);
	const char *why = NULL;

	if (!l)
		return;
	call->result = l;
	call->free_result = free_loaded;
	l->path = find_path(call, &why);
	if (l->path)
		load_file(call, l);
	else
		l->refusal = host_cache_fail(call, LOG_HOST_CACHE_COMMAND_LOAD_FAILED, "%s", why);
}

struct json *host_cache_load(struct control_call *call)
{
	struct host_cache *c = call->ctx;
	struct loaded *l = call->result;
	size_t doubles = 0, n;

	if (!l)
		return control_answer(call->arena, CONTROL_ERROR, "out of memory");
	if (l->refusal)
		return l->refusal;
	n = l->n;
	for (size_t i = 0; i < n; i++)
		doubles += host_cache_insert(c, l->list[i]);
	l->n = 0; /* the cache has them */
	log_msg(c->log, LOG_HOST_CACHE_COMMAND_LOAD,
		"cache-load command successful (loaded: %zu, overwritten: %zu)", n, doubles);
	return control_answer(call->arena, CONTROL_OK,
			      "%zu entries loaded from '%s' (%zu overwritten by more recent "
			      "entries).",
			      n, l->path, doubles);
}
