/* SPDX-License-Identifier: MPL-2.0 */
/*
 * lease4-write: all leases as a new lease file, written beside the loop. The table is copied in
 * short pieces, so each row is as its lease was at some moment of the command. The files of the
 * journal are never written to: it alone puts rows into them, in their order.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file/file_text.h"
#include "config/config.h"
#include "lease/lease_csv.h"
#include "lease/lease_db.h"
#include "lease/lease_store.h"
#include "runtime/background.h"
#include "server/core/snapshot.h"
#include "server/manage/command.h"
#include "server/manage/daemon_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_LEASES = 24, WRITE_OCTETS = 256 << 10, BACKUPS_MAX = 100 };

/* --- the target ------------------------------------------------------------------------------- */

/* Returns the length of the directory in a path, with its slash. */
static size_t dir_length(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) + 1 : 0;
}

/* Returns the path to write to: a name alone, or in the directory of the lease file. NULL: another
 * path (the class of CVE-2025-32802). */
static const char *lease_target(struct control_call *c, const char *name)
{
	struct snapshot *s = server_snapshot(&daemon_of(c)->srv);
	const char *file = daemon_lease_path(s->cfg, c->arena);
	size_t dir = file ? dir_length(file) : 0;
	const char *path = NULL;

	name = dir ? file_name_in(file, dir, name) : NULL;
	if (name)
		path = arena_printf(c->arena, "%.*s%s", (int)dir, file, name);
	snapshot_unref(s);
	return path;
}

/* Returns whether a path is the lease file in use or one of the files beside it. */
static bool is_journal_file(const char *path, const char *live)
{
	static const char *const rest[] = {"",	    ".1",    ".2",   ".output",	 ".completed",
					   ".next", ".lock", ".pid", ".rejected"};
	const char *name = path + dir_length(path);
	const char *own = live + dir_length(live);
	size_t n = strlen(own);
	struct stat a;
	struct stat b;

	if (!live[0])
		return false;
	if (stat(path, &a) == 0 && stat(live, &b) == 0 && a.st_dev == b.st_dev &&
	    a.st_ino == b.st_ino)
		return true;
	if (strncmp(name, own, n) != 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(rest); i++)
		if (strcmp(name + n, rest[i]) == 0)
			return true;
	return strncmp(name + n, ".aside-", 7) == 0;
}

/* Returns the refusal of a target; NULL: it may be written. */
static struct json *refuse_target(struct control_call *c, const char *path)
{
	const struct lease_store *store = daemon_of(c)->srv.store;
	struct snapshot *s = server_snapshot(&daemon_of(c)->srv);
	const char *live = store ? lease_store_path(store) : "";
	const char *configured = live[0] ? daemon_lease_path(s->cfg, c->arena) : NULL;
	struct json *bad = NULL;
	struct stat st;

	if (is_journal_file(path, live) || (configured && is_journal_file(path, configured)))
		bad = command_fail(
			c,
			"'filename' parameter is invalid: '%s' belongs to the lease file "
			"in use, which has all leases already; kea-lfc-start cleans it "
			"up",
			path);
	else if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		bad = command_fail(
			c, "'filename' parameter is invalid: '%s' exists and is not a regular file",
			path);
	snapshot_unref(s);
	return bad;
}

/* --- the new file ----------------------------------------------------------------------------- */

static int write_out(int fd, struct buf *b)
{
	const char *p = b->p;
	size_t n = b->len;

	if (b->failed)
		return -ENOMEM;
	while (n) {
		ssize_t r = write(fd, p, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r < 0 ? -errno : -EIO;
		p += r;
		n -= (size_t)r;
	}
	buf_reset(b);
	return 0;
}

/* Copies all leases to a file, and syncs it. 0 or -errno; -ECANCELED: the program ends. */
static int copy_leases(struct control_call *c, int fd)
{
	struct lease *page = arena_alloc(c->arena, COPY_LEASES * sizeof(*page));
	struct lease_db *db = daemon_of(c)->srv.db;
	size_t n = COPY_LEASES;
	uint32_t from = 0;
	struct buf b;
	int r = page ? 0 : -ENOMEM;

	buf_init(&b);
	buf_str(&b, lease_csv_head());
	while (r == 0 && n == COPY_LEASES) {
		struct arena contexts;

		arena_init(&contexts);
		n = lease_db_page(db, from, NULL, &contexts, page, COPY_LEASES);
		for (size_t i = 0; i < n; i++)
			lease_csv_format(&page[i], false, &b);
		arena_fini(&contexts);
		if (n)
			from = page[n - 1].addr;
		if (n < COPY_LEASES || b.len >= WRITE_OCTETS || b.failed)
			r = write_out(fd, &b);
		if (r == 0 && c->background && background_is_ending(c->background))
			r = -ECANCELED;
	}
	buf_fini(&b);
	return r == 0 && fsync(fd) < 0 ? -errno : r;
}

/* Gives a file that exists a second name, <path>.bak<pid>, or one with a number where that is
 * taken. So no content is lost, and the name is never absent. 0 or -errno. */
static int keep_backup(struct control_call *c, const char *path)
{
	const char *name = arena_printf(c->arena, "%s.bak%d", path, (int)getpid());
	int r = -ENOMEM;

	for (int i = 1; name && i <= BACKUPS_MAX; i++) {
		if (link(path, name) == 0 || errno == ENOENT)
			return 0;
		r = -errno;
		if (r != -EEXIST)
			return r;
		name = arena_printf(c->arena, "%s.bak%d-%d", path, (int)getpid(), i);
	}
	return r;
}

static int sync_directory(const char *path)
{
	char dir[4096];
	auto_close int fd = -1;

	if ((size_t)snprintf(dir, sizeof(dir), "%.*s", (int)dir_length(path), path) >= sizeof(dir))
		return -ENAMETOOLONG;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* Writes all leases to a new file and gives it its name at the end. 0 or -errno; then the old file
 * is as it was. */
static int write_leases(struct control_call *c, const char *path)
{
	const char *tmp = arena_printf(c->arena, "%s.tmp%d", path, (int)getpid());
	auto_close int fd = -1;
	int r;

	if (!tmp)
		return -ENOMEM;
	(void)unlink(tmp); /* of a process that had this number and crashed */
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return -errno;
	r = copy_leases(c, fd);
	if (r == 0)
		r = keep_backup(c, path);
	if (r == 0 && rename(tmp, path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(tmp);
	return r < 0 ? r : sync_directory(path);
}

/* Returns the refusal of a path in another directory, or without a name. */
static struct json *answer_bad_path(struct control_call *c, const char *name)
{
	struct snapshot *s = server_snapshot(&daemon_of(c)->srv);
	const char *file = daemon_lease_path(s->cfg, c->arena);
	size_t given = dir_length(name);
	struct json *bad;

	if (!name[given])
		bad = command_fail(c, "'filename' parameter is invalid: path: '%s' has no filename",
				   name);
	else
		bad = command_fail(c,
				   "'filename' parameter is invalid: invalid path specified: '%s', "
				   "supported path is '%.*s'",
				   name, (int)(file ? dir_length(file) - 1 : 0), file ? file : "");
	snapshot_unref(s);
	return bad;
}

static struct json *answer_write(struct control_call *c)
{
	const struct json *name = json_get(c->args, "filename");
	struct json *bad;
	const char *path;
	int r;

	if (!c->args)
		return command_fail(c, "no parameters specified for the command");
	if (!name)
		return command_fail(c, "'filename' parameter not specified");
	if (name->type != JSON_STRING)
		return command_fail(c, "'filename' parameter must be a string");
	path = lease_target(c, name->s);
	if (!path)
		return answer_bad_path(c, name->s);
	bad = refuse_target(c, path);
	if (bad)
		return bad;
	r = write_leases(c, path);
	return r < 0 ? command_fail(c, "%s cannot be written: %s", path, usher_strerror(r))
		     : command_ok(c, NULL, "IPv4 lease database into '%s'.", path);
}

void command_lease4_write_work(struct control_call *c)
{
	c->result = answer_write(c);
}

struct json *command_lease4_write(struct control_call *c)
{
	return c->result;
}
