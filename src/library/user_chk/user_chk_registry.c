/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The registry is a text file: on each line a JSON map of strings, with "type" (HW_ADDR or DUID),
 * "id" (pairs of digits, with or without colons) and properties. Those of DHCPv6 clients are
 * checked and counted. The default path is below /tmp, so a link, and a file of a stranger, is
 * refused.
 */
#include "library/user_chk/user_chk.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file/file_text.h"
#include "config/json/json.h"
#include "wire/dhcp4.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HARDWARE_MAX = 20, DUID_MAX = 130, OPTION_MAX = 255, DEFAULT_ID_LEN = 4 };

struct reading {
	const char *path;
	struct users *users;
	size_t cap;
	uint32_t line;
	struct config_error *err;
};

/* Reports the reason with its place. Returns false. */
static bool refuse_line(struct reading *r, const struct json_pos *at, const char *reason)
{
	struct json_pos pos = {.file = r->path, .line = r->line, .col = at ? at->col : 1};

	(void)config_error_set(r->err, &pos, -USHER_E_HOOK, "%s", reason);
	return false;
}

/* --- A line ----------------------------------------------------------------------------------- */

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes pairs of digits; colons anywhere do not count. Returns false if it is no such text. */
static bool decode_id(struct arena *arena, const char *text, struct span *ret)
{
	uint8_t *octets = arena_alloc(arena, strlen(text) / 2 + 1);
	size_t digits = 0;

	if (!octets)
		return false;
	for (const char *p = text; *p; p++) {
		int v = digit_value(*p);

		if (*p == ':')
			continue;
		if (v < 0)
			return false;
		octets[digits / 2] = (uint8_t)(digits % 2 ? octets[digits / 2] << 4 | v : v);
		digits++;
	}
	*ret = span_of(octets, digits / 2);
	return digits > 0 && digits % 2 == 0;
}

static bool check_strings(struct reading *r, const struct json *map)
{
	for (const struct json *v = map->first; v; v = v->next)
		if (v->type != JSON_STRING)
			return refuse_line(r, &v->pos, "the value of each member must be a string");
	return true;
}

/* Reads a property that becomes an option. */
static bool read_property(struct reading *r, const struct json *map, const char *name, size_t max,
			  struct span *ret)
{
	const struct json *v = json_get(map, name);

	if (v && v->n > max)
		return refuse_line(r, &v->pos, "'bootfile' may have 127 octets, 'tftp_server' 255");
	*ret = v ? span_of(v->s, v->n) : SPAN_NULL;
	return true;
}

/* Returns room for one more user; NULL: memory is out. */
static struct user *add_user(struct reading *r)
{
	struct users *u = r->users;

	if (u->n == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 64;
		struct user *v = arena_array(&u->arena, struct user, cap);

		if (!v)
			return NULL;
		if (u->n)
			memcpy(v, u->v, u->n * sizeof(*v));
		u->v = v;
		r->cap = cap;
	}
	return &u->v[u->n++];
}

static bool read_user(struct reading *r, const struct json *map)
{
	const struct json *type = json_get(map, "type");
	const struct json *id = json_get(map, "id");
	bool hardware = type && strcmp(type->s, "HW_ADDR") == 0;
	struct user u;
	struct user *to;

	if (!type || (!hardware && strcmp(type->s, "DUID") != 0))
		return refuse_line(r, type ? &type->pos : &map->pos,
				   "'type' must be HW_ADDR or DUID");
	if (!id || !decode_id(&r->users->arena, id->s, &u.id) ||
	    u.id.n > (hardware ? HARDWARE_MAX : DUID_MAX))
		return refuse_line(r, id ? &id->pos : &map->pos,
				   "'id' must be pairs of hexadecimal digits: at most 20 for "
				   "HW_ADDR, 130 for DUID");
	if (!read_property(r, map, "bootfile", DHCP4_FILE_LEN - 1, &u.bootfile) ||
	    !read_property(r, map, "tftp_server", OPTION_MAX, &u.tftp_server))
		return false;
	if (!hardware) {
		r->users->n_others++;
		return true;
	}
	to = add_user(r);
	if (!to)
		return refuse_line(r, NULL, "memory is out");
	*to = u;
	return true;
}

static bool read_line(struct reading *r, struct span line)
{
	struct json_opts o = {.file = r->path};
	struct json *map;

	while (line.n && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == ' '))
		line.n--;
	if (!line.n)
		return true;
	if (json_parse(line, &o, &r->users->arena, &map, r->err) < 0) {
		r->err->pos.line = r->line;
		return false;
	}
	if (map->type != JSON_MAP)
		return refuse_line(r, &map->pos, "a map is expected: { \"type\": \"HW_ADDR\", … }");
	return check_strings(r, map) && read_user(r, map);
}

/* --- The file --------------------------------------------------------------------------------- */

static int compare_ids(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	if (c)
		return c;
	return (a.n > b.n) - (a.n < b.n);
}

static int compare_users(const void *a, const void *b)
{
	const struct user *x = a;
	const struct user *y = b;

	return compare_ids(x->id, y->id);
}

/* Puts the users into the order of their ids, each of which is there once. */
static bool sort_users(struct reading *r)
{
	struct users *u = r->users;

	if (u->n)
		qsort(u->v, u->n, sizeof(*u->v), compare_users);
	for (size_t i = 1; i < u->n; i++) {
		char id[3 * HARDWARE_MAX + 1];
		struct buf b;

		if (compare_users(&u->v[i - 1], &u->v[i]) != 0)
			continue;
		buf_init_over(&b, id, sizeof(id));
		buf_hex(&b, u->v[i].id, ':');
		(void)config_error_set(r->err, &(struct json_pos){.file = r->path}, -USHER_E_HOOK,
				       "%s: user %s is there twice", r->path, b.p);
		buf_fini(&b);
		return false;
	}
	return true;
}

static bool read_lines(struct reading *r, struct span text)
{
	while (text.n) {
		const uint8_t *end = memchr(text.p, '\n', text.n);
		size_t n = end ? (size_t)(end - text.p) : text.n;

		r->line++;
		if (!read_line(r, span_of(text.p, n)))
			return false;
		n += end != NULL;
		text = span_of(text.p + n, text.n - n);
	}
	return sort_users(r);
}

/* Checks and reads an open file. Returns 0 or -errno. */
static int read_registry(int fd, struct file_mark *ret_mark, struct buf *out)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*ret_mark = (struct file_mark){st.st_dev, st.st_ino, st.st_size, st.st_mtim};
	if (S_ISREG(st.st_mode) && st.st_uid != 0 && st.st_uid != geteuid())
		return -EPERM;
	return file_read_open(fd, USER_REGISTRY_MAX, out);
}

static int load_text(const char *path, struct file_mark *ret_mark, struct buf *out)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);

	*ret_mark = (struct file_mark){0};
	return fd < 0 ? -errno : read_registry(fd, ret_mark, out);
}

static const char *reason_text(int r)
{
	switch (r) {
	case -EINVAL:
		return "a regular file is expected";
	case -ELOOP:
		return "it must not be a link";
	case -EPERM:
		return "it must belong to root or the server's user";
	case -EFBIG:
		return "it is larger than 16 MiB";
	default:
		return strerror(-r);
	}
}

struct users *users_read(const char *path, struct file_mark *ret_mark, struct config_error *err)
{
	struct reading r = {.path = path, .err = err, .users = calloc(1, sizeof(*r.users))};
	struct buf text;
	int e = -ENOMEM;

	buf_init(&text);
	if (r.users) {
		arena_init(&r.users->arena);
		e = load_text(path, ret_mark, &text);
	}
	if (e < 0)
		(void)config_error_set(err, NULL, -USHER_E_HOOK,
				       "the registry of users, %.200s: %s", path, reason_text(e));
	if (e == 0 && read_lines(&r, span_of(text.p, text.len))) {
		buf_fini(&text);
		return r.users;
	}
	buf_fini(&text);
	users_free(r.users);
	return NULL;
}

void users_free(struct users *u)
{
	if (!u)
		return;
	arena_fini(&u->arena);
	free(u);
}

const struct user *users_find(const struct users *u, struct span id)
{
	size_t low = 0;
	size_t high = u->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = compare_ids(id, u->v[mid].id);

		if (c == 0)
			return &u->v[mid];
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

const struct user *users_default(const struct users *u)
{
	static const uint8_t zero[DEFAULT_ID_LEN] = {0};

	return users_find(u, span_of(zero, sizeof(zero)));
}
