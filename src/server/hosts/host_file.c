/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The file of reservations: reading with repair, and durable appends.
 */
#include "server/hosts/host_file.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "config/config_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEAD_LINES_MAX = 1000 }; /* and more than half of the file: it is written anew */

struct host_file {
	const struct file_ops *ops;
	struct log *log;
	char *path;
	int64_t len;	/* of the complete lines */
	bool open_line; /* the last of them is complete, and lacks its end */
};

struct host_file *host_file_new(const char *path, const struct file_ops *ops, struct log *log)
{
	struct host_file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	*f = (struct host_file){.ops = ops, .log = log, .path = strdup(path)};
	if (f->path)
		return f;
	free(f);
	return NULL;
}

void host_file_free(struct host_file *f)
{
	if (f)
		free(f->path);
	free(f);
}

const char *host_file_path(const struct host_file *f)
{
	return f->path;
}

/* Opens the file: a descriptor; -errno. flags: of open() beside O_RDWR. */
static int open_file(const struct host_file *f, int flags, int64_t *ret_size)
{
	const struct file_ops *o = f->ops;
	struct file_info info;
	int fd = o->open(o->ctx, f->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags,
			 0640);
	int r;

	if (fd < 0)
		return fd;
	r = o->fstat(o->ctx, fd, &info);
	if (r == 0 && !info.regular)
		r = -EINVAL;
	if (r < 0) {
		(void)o->close(o->ctx, fd);
		return r;
	}
	*ret_size = info.size;
	return fd;
}

/* Reads the whole file. */
static int read_all(const struct host_file *f, int fd, int64_t size, struct arena *a, char **ret)
{
	size_t n = 0;
	char *text = arena_alloc(a, (size_t)size + 1);

	if (!text)
		return -ENOMEM;
	while (n < (size_t)size) {
		ssize_t r = f->ops->read(f->ops->ctx, fd, text + n, (size_t)size - n);

		if (r < 0)
			return (int)r;
		if (!r)
			return -EIO; /* it became shorter */
		n += (size_t)r;
	}
	text[n] = 0;
	*ret = text;
	return 0;
}

/* Writes a new file, durably. */
static int write_file(const struct host_file *f, const char *path, const void *p, size_t n)
{
	const struct file_ops *o = f->ops;
	int fd = o->open(o->ctx, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	ssize_t done;
	int r;

	if (fd < 0)
		return fd;
	done = o->write(o->ctx, fd, p, n);
	r = done < 0 ? (int)done : done == (ssize_t)n ? o->fdatasync(o->ctx, fd) : -ENOSPC;
	(void)o->close(o->ctx, fd);
	return r < 0 ? r : 0;
}

/* Keeps the part of a line at the end beside the file, and cuts it off. text: the whole file. */
static int move_tail(struct host_file *f, int fd, const char *text, int64_t size)
{
	const struct file_ops *o = f->ops;
	struct arena a;
	char *path;
	int r = -ENOMEM;

	arena_init(&a);
	path = arena_printf(&a, "%s.torn", f->path);
	if (path)
		r = write_file(f, path, text + f->len, (size_t)(size - f->len));
	if (r == 0)
		r = o->ftruncate(o->ctx, fd, (off_t)f->len);
	if (r >= 0)
		r = o->fdatasync(o->ctx, fd);
	if (r >= 0)
		log_msg(f->log, LOG_USHER_HOST_FILE_TORN,
			"%s ended within a line, as after a crash or on a full disk; that part was "
			"moved to %s",
			f->path, path);
	arena_fini(&a);
	return r < 0 ? r : 0;
}

/* --- Reading ---------------------------------------------------------------------------------- */

struct reading {
	struct host_file *f;
	struct arena *a;
	struct config_map index; /* of items, by key */
	struct json **items;	 /* NULL: deleted */
	size_t n_items, cap;
	size_t n_live, n_lines;
	struct config_error *err;
};

/* Returns whether a line has the members of a record. */
static bool is_record(const struct json *v)
{
	const struct json *id = json_get(v, "subnet-id");
	const struct json *host = json_get(v, "reservation");
	bool deleted = false;

	if (!json_get_str(v, "key"))
		return false;
	if (json_get_bool(v, "deleted", &deleted))
		return deleted;
	return id && id->type == JSON_INT && id->i >= 0 && id->i <= UINT32_MAX && host &&
	       host->type == JSON_MAP;
}

static int parse_record(struct reading *r, struct span line, uint32_t number, struct json **ret)
{
	struct json_opts o = {.file = r->f->path};
	int e = json_parse(line, &o, r->a, ret, r->err);

	if (e == 0 && !is_record(*ret))
		e = config_error_set(r->err, &(*ret)->pos, -USHER_E_CONFIG,
				     "a line needs 'key', and 'subnet-id' with 'reservation' or "
				     "'deleted'");
	if (e < 0)
		r->err->pos.line = number;
	return e;
}

static int keep_record(struct reading *r, struct json *v)
{
	struct span key = span_str(json_get_str(v, "key"));
	struct json *item = json_get(v, "deleted") ? NULL : v;
	uint32_t at;

	r->n_lines++;
	if (!config_map_get(&r->index, key, &at)) {
		uint32_t old;

		if (!item)
			return 0;
		if (r->n_items == r->cap) {
			size_t cap = r->cap ? 2 * r->cap : 256;
			struct json **items = arena_array(r->a, struct json *, cap);

			if (!items)
				return -ENOMEM;
			if (r->n_items)
				memcpy(items, r->items, r->n_items * sizeof(struct json *));
			r->items = items;
			r->cap = cap;
		}
		at = (uint32_t)r->n_items++;
		if (config_map_put(&r->index, r->a, key, at, &old) < 0)
			return -ENOMEM;
	}
	r->n_live += !!item - (size_t) !!r->items[at];
	r->items[at] = item;
	return 0;
}

/* Reads the last line, which has no end: it is a record, or the part of one. */
static int read_tail(struct reading *r, const char *tail, size_t n, uint32_t number)
{
	struct config_error ignored;
	struct config_error *err = r->err;
	struct json *v;
	int e;

	r->err = &ignored;
	e = parse_record(r, span_of(tail, n), number, &v);
	r->err = err;
	r->f->open_line = e == 0;
	if (e < 0)
		return e == -ENOMEM ? e : 0;
	r->f->len += (int64_t)n;
	return keep_record(r, v);
}

static int read_lines(struct reading *r, const char *text, int64_t size)
{
	const char *at = text;
	const char *end = text + size;
	uint32_t number = 1;

	for (const char *next; at < end; at = next + 1, number++) {
		struct json *v;
		int e;

		next = memchr(at, '\n', (size_t)(end - at));
		if (!next)
			return read_tail(r, at, (size_t)(end - at), number);
		r->f->len = next + 1 - text;
		if (next == at)
			continue;
		e = parse_record(r, span_of(at, (size_t)(next - at)), number, &v);
		if (e == 0)
			e = keep_record(r, v);
		if (e < 0)
			return e;
	}
	return 0;
}

static void write_record(struct buf *b, const struct json *v)
{
	json_write(v, false, b);
	buf_char(b, '\n');
}

/* Writes the file anew, without lines that were replaced. A failure leaves it as it is. */
static void compact_file(struct reading *r)
{
	struct host_file *f = r->f;
	char *path = arena_printf(r->a, "%s.new", f->path);
	struct buf b;
	int e;

	buf_init(&b);
	for (size_t i = 0; i < r->n_items; i++)
		if (r->items[i])
			write_record(&b, r->items[i]);
	e = !path || b.failed ? -ENOMEM : write_file(f, path, b.p, b.len);
	if (e == 0)
		e = f->ops->rename(f->ops->ctx, path, f->path);
	if (e >= 0) {
		f->len = (int64_t)b.len;
		f->open_line = false;
		e = f->ops->sync_dir(f->ops->ctx, f->path);
	} else if (path) {
		(void)f->ops->unlink(f->ops->ctx, path);
	}
	if (e < 0)
		log_msg(f->log, LOG_USHER_HOST_FILE_COMPACT, "%s was not written anew: %s", f->path,
			usher_strerror(e));
	buf_fini(&b);
}

/* Reads the file, if there is one. */
static int read_file(struct reading *r, bool repair)
{
	struct host_file *f = r->f;
	char *text = NULL;
	int64_t size = 0;
	int fd = open_file(f, 0, &size);
	int e;

	f->len = 0;
	f->open_line = false;
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	e = read_all(f, fd, size, r->a, &text);
	if (e == 0)
		e = read_lines(r, text, size);
	if (e == 0 && repair && f->len < size)
		e = move_tail(f, fd, text, size);
	(void)f->ops->close(f->ops->ctx, fd);
	return e;
}

int host_file_read(struct host_file *f, bool repair, struct arena *a, struct json **ret,
		   struct config_error *err)
{
	struct reading r = {.f = f, .a = a, .err = err};
	struct json *list = json_list(a);
	int e = read_file(&r, repair);

	if (e < 0) {
		if (!err->text[0])
			(void)config_error_set(err, NULL, e, "%s cannot be read: %s", f->path,
					       usher_strerror(e));
		return e;
	}
	if (repair && r.n_lines - r.n_live > DEAD_LINES_MAX && r.n_lines > 2 * r.n_live)
		compact_file(&r);
	for (size_t i = 0; i < r.n_items; i++)
		if (r.items[i])
			(void)json_add(a, list, NULL, r.items[i]);
	*ret = list;
	return list ? 0 : -ENOMEM;
}

/* --- Changes ---------------------------------------------------------------------------------- */

static int read_and_move(struct host_file *f, int fd, int64_t size)
{
	struct arena a;
	char *text = NULL;
	int r;

	arena_init(&a);
	r = read_all(f, fd, size, &a, &text);
	if (r == 0)
		r = move_tail(f, fd, text, size);
	arena_fini(&a);
	return r;
}

/* Opens the file for a change. A new one is durable in its directory; the part of a line at the
 * end of an old one is moved away. */
static int open_to_append(struct host_file *f)
{
	const struct file_ops *o = f->ops;
	int64_t size = 0;
	int fd = open_file(f, 0, &size);
	int r = 0;

	if (fd == -ENOENT) {
		fd = open_file(f, O_CREAT, &size);
		r = fd < 0 ? fd : o->sync_dir(o->ctx, f->path);
		f->len = 0;
		f->open_line = false;
	}
	if (fd < 0)
		return fd;
	if (r >= 0 && size > f->len)
		r = read_and_move(f, fd, size);
	else if (r >= 0 && size < f->len)
		r = -EIO;
	if (r >= 0)
		return fd;
	(void)o->close(o->ctx, fd);
	return r;
}

static int append_record(struct host_file *f, const struct json *v)
{
	const struct file_ops *o = f->ops;
	int fd = v ? open_to_append(f) : -ENOMEM;
	struct buf b;
	ssize_t done;
	int r;

	if (fd < 0)
		return fd;
	buf_init(&b);
	if (f->open_line)
		buf_char(&b, '\n');
	write_record(&b, v);
	done = b.failed ? -ENOMEM : o->write_at(o->ctx, fd, b.p, b.len, (off_t)f->len);
	r = done < 0 ? (int)done : done == (ssize_t)b.len ? o->fdatasync(o->ctx, fd) : -ENOSPC;
	if (r < 0) {
		/* if this fails, too, the next change moves the part of a line away */
		(void)o->ftruncate(o->ctx, fd, (off_t)f->len);
	} else {
		f->len += done;
		f->open_line = false;
	}
	(void)o->close(o->ctx, fd);
	buf_fini(&b);
	return r < 0 ? r : 0;
}

int host_file_put(struct host_file *f, const char *key, uint32_t subnet_id,
		  const struct json *reservation)
{
	struct arena a;
	struct json *m;
	int r;

	arena_init(&a);
	m = json_map(&a);
	(void)json_add(&a, m, "key", json_str(&a, key));
	(void)json_add(&a, m, "subnet-id", json_int(&a, subnet_id));
	r = append_record(f, json_add(&a, m, "reservation", json_copy(&a, reservation)) ? m : NULL);
	arena_fini(&a);
	return r;
}

int host_file_delete(struct host_file *f, const char *key)
{
	struct arena a;
	struct json *m;
	int r;

	arena_init(&a);
	m = json_map(&a);
	(void)json_add(&a, m, "key", json_str(&a, key));
	r = append_record(f, json_add(&a, m, "deleted", json_bool(&a, true)) ? m : NULL);
	arena_fini(&a);
	return r;
}
