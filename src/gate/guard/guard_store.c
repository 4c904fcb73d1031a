/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The bindings in a file, so that a restart of the gate disconnects no client. Its lines are the
 * head "usher-guard 1", a row "ADDRESS MAC PORT VLAN END CLIENT-ID" for each binding, and "sha256
 * DIGEST" of all lines before. END is in seconds since 1970 or "never", CLIENT-ID in hex or "-".
 *
 * The file is written anew as a whole: a temporary file, synced, renamed. The text is made by the
 * gate's thread, which owns the bindings; a thread of its own waits for the disk. A file that is
 * not whole is never used in part.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/sha256.h"
#include "gate/guard/guard_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	N_FIELDS = 6,
	MAX_FILE = 256 << 20,
	READ_STEP = 1 << 16,
	VLAN_BITS = 12,
	VLAN_MAX = 4095,
	SUM_LEN = 7 + 2 * SHA256_LEN + 1
};

#define HEAD "usher-guard 1\n"

struct guard_store {
	const struct file_ops *files;
	char path[GUARD_PATH_LEN], tmp[GUARD_PATH_LEN + 8];
	int64_t due_ns;
	uint64_t saved; /* guard.changes that are on disk, or on their way */
	bool writing;
	_Atomic bool done;
	int result;
	pthread_t thread;
	struct buf text; /* the writer's while writing */
};

/* --- Out -------------------------------------------------------------------------------------- */

static void write_row(struct buf *out, const struct guard *gd, const struct guard_binding *b)
{
	int64_t end = guard_end_on_wall(gd, b);
	char ip[IP_TEXT_LEN];

	buf_printf(out, "%s ", ip_text(b->address, ip));
	buf_hex(out, span_of(b->mac, sizeof(b->mac)), ':');
	buf_printf(out, " %s %u", gd->ports[b->port].name, b->vlan & VLAN_MAX);
	if (b->vlan > VLAN_MAX)
		buf_printf(out, ".%u", b->vlan >> VLAN_BITS);
	buf_char(out, ' ');
	if (end == INT64_MAX)
		buf_str(out, "never ");
	else
		buf_printf(out, "%lld ", (long long)(end / NS_PER_S));
	if (b->id.n)
		buf_hex(out, span_of(b->id.octets, b->id.n), '\0');
	buf_str(out, b->id.n ? "\n" : "-\n");
}

static void write_text(const struct guard *gd, struct buf *out)
{
	const struct guard_binding *b;
	char digest[2 * SHA256_LEN + 1];
	uint32_t at = 0;

	buf_reset(out);
	buf_str(out, HEAD);
	while ((b = guard_bindings_each(gd->bindings, &at)) != NULL)
		if (!b->fixed && b->port < gd->n_ports)
			write_row(out, gd, b);
	sha256_hex(span_of(out->p, out->len), digest);
	buf_printf(out, "sha256 %s\n", digest);
}

static int write_all(const struct file_ops *f, int fd, struct span s)
{
	while (s.n) {
		ssize_t n = f->write(f->ctx, fd, s.p, s.n);

		if (n < 0)
			return (int)n;
		s = span_sub(s, (size_t)n, s.n);
	}
	return f->fdatasync(f->ctx, fd);
}

static int write_file(const struct guard_store *s)
{
	const struct file_ops *f = s->files;
	int fd, r, c;

	if (s->text.failed)
		return -ENOMEM;
	fd = f->open(f->ctx, s->tmp, O_WRONLY | O_CREAT | O_TRUNC, 0640);
	if (fd < 0)
		return fd;
	r = write_all(f, fd, span_of(s->text.p, s->text.len));
	c = f->close(f->ctx, fd);
	r = r < 0 ? r : c;
	if (r == 0)
		r = f->rename(f->ctx, s->tmp, s->path);
	if (r == 0)
		return f->sync_dir(f->ctx, s->path);
	(void)f->unlink(f->ctx, s->tmp);
	return r;
}

static void *writer(void *arg)
{
	struct guard_store *s = arg;

	s->result = write_file(s);
	atomic_store_explicit(&s->done, true, memory_order_release);
	return NULL;
}

/* Counts the result of a save. */
static int count_save(struct guard *gd, int r)
{
	guard_count(gd, r < 0 ? GUARD_COUNT_SAVES_FAILED : GUARD_COUNT_SAVES);
	if (r < 0) {
		/* it is due again */
		gd->store->saved = UINT64_MAX;
		log_msg(gd->o.log, LOG_USHER_GUARD_BINDINGS_SAVE_FAIL, "%s: %s", gd->store->path,
			usher_strerror(r));
	}
	return r;
}

static void wait_for_writer(struct guard *gd)
{
	struct guard_store *s = gd->store;

	if (!s->writing)
		return;
	(void)pthread_join(s->thread, NULL);
	s->writing = false;
	(void)count_save(gd, s->result);
}

int guard_store_save(struct guard *gd, int64_t now_ns)
{
	struct guard_store *s = gd->store;

	wait_for_writer(gd);
	s->due_ns = now_ns + gd->o.save_ns;
	if (s->saved == gd->changes)
		return 0;
	s->saved = gd->changes;
	write_text(gd, &s->text);
	return count_save(gd, write_file(s));
}

void guard_store_tick(struct guard *gd, int64_t now_ns)
{
	struct guard_store *s = gd->store;

	if (s->writing && !atomic_load_explicit(&s->done, memory_order_acquire))
		return;
	wait_for_writer(gd);
	if (now_ns < s->due_ns || s->saved == gd->changes)
		return;
	s->due_ns = now_ns + gd->o.save_ns;
	s->saved = gd->changes;
	write_text(gd, &s->text);
	atomic_store(&s->done, false);
	s->writing = pthread_create(&s->thread, NULL, writer, s) == 0;
	if (!s->writing)
		(void)count_save(gd, -EAGAIN);
}

/* --- In --------------------------------------------------------------------------------------- */

struct row {
	struct guard_binding b;
	char *port;
};

struct reading {
	struct guard *gd;
	char *err;
	size_t err_cap;
	unsigned line;
};

static int damaged(const struct reading *in, const char *expected, const char *got)
{
	(void)snprintf(in->err, in->err_cap, "%s:%u: expected %s, got \"%.40s\"",
		       in->gd->store->path, in->line, expected, got);
	return -USHER_E_MALFORMED;
}

static bool number(const char *s, long long max, int64_t *ret)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(s, &end, 10);
	if (*s < '0' || *s > '9' || *end || errno || v > max)
		return false;
	*ret = v;
	return true;
}

static int fields_of(const struct reading *in, char *line, char *ret[N_FIELDS])
{
	unsigned n = 0;

	for (char *at = line; at && n < N_FIELDS; n++) {
		ret[n] = at;
		at = strchr(at, ' ');
		if (at)
			*at++ = '\0';
		if (n == N_FIELDS - 1 && at)
			return damaged(in, "the end of the line", at);
	}
	return n == N_FIELDS
		       ? 0
		       : damaged(in,
				 "address, hardware address, port, VLAN, end and client identifier",
				 line);
}

/* Reads a VLAN as text: "100"; "100.20": two tags, the outer one first. */
static bool vlan_of(char *text, uint32_t *ret)
{
	char *dot = strchr(text, '.');
	int64_t outer, inner = 0;

	if (dot)
		*dot = '\0';
	if (!number(text, VLAN_MAX, &outer) || (dot && !number(dot + 1, VLAN_MAX, &inner)))
		return false;
	*ret = (uint32_t)(outer | inner << VLAN_BITS);
	return true;
}

static int parse_row(const struct reading *in, char *line, struct row *ret)
{
	struct row row = {0};
	int64_t end_s = INT64_MAX / NS_PER_S;
	char *f[N_FIELDS];
	int n, r = fields_of(in, line, f);

	if (r < 0)
		return r;
	if (ip_parse(f[0], strlen(f[0]), &row.b.address) < 0)
		return damaged(in, "an address", f[0]);
	if (hex_parse(f[1], strlen(f[1]), row.b.mac, sizeof(row.b.mac)) != (int)sizeof(row.b.mac))
		return damaged(in, "a hardware address", f[1]);
	if (!vlan_of(f[3], &row.b.vlan))
		return damaged(in, "a VLAN", f[3]);
	if (strcmp(f[4], "never") != 0 && !number(f[4], INT64_MAX / NS_PER_S, &end_s))
		return damaged(in, "the end in seconds, or \"never\"", f[4]);
	n = strcmp(f[5], "-") == 0
		    ? 0
		    : hex_parse(f[5], strlen(f[5]), row.b.id.octets, sizeof(row.b.id.octets));
	if (n < 0)
		return damaged(in, "a client identifier in hex, or \"-\"", f[5]);
	row.b.id.n = (uint8_t)n;
	row.b.end_ns = strcmp(f[4], "never") == 0 ? INT64_MAX
						  : guard_from_wall(in->gd, end_s * NS_PER_S);
	row.port = f[2];
	*ret = row;
	return 0;
}

/* Restores one binding, if it is still good and its port exists. */
static bool restore(struct guard *gd, const struct row *row, int64_t now_ns)
{
	struct guard_binding *b = guard_bindings_find(gd->bindings, row->b.vlan, row->b.address);
	unsigned port = 0;

	while (port < gd->n_ports && strcmp(gd->ports[port].name, row->port) != 0)
		port++;
	if (b || port == gd->n_ports || row->b.end_ns <= now_ns)
		return false;
	b = guard_bindings_add(gd->bindings, row->b.vlan, row->b.address, row->b.mac);
	if (!b)
		return false;
	b->id = row->b.id;
	guard_set_port(gd, b, (uint16_t)port);
	guard_bindings_end(gd->bindings, b, row->b.end_ns);
	return true;
}

/* Reads the rows of a text that ends with NUL and a correct checksum. It reads them twice: nothing
 * is taken of a file that is not good to its end. */
static int parse_rows(struct reading *in, char *text, size_t len, int64_t now_ns)
{
	unsigned good = 0, all = 0;
	struct row row;
	char *copy = malloc(len + 1);
	int r = copy ? 0 : -ENOMEM;

	for (int pass = 0; pass < 2 && r == 0; pass++) {
		char *next;

		memcpy(copy, text, len + 1);
		in->line = 2;
		for (char *line = copy + sizeof(HEAD) - 1; line < copy + len && r == 0;
		     line = next, in->line++) {
			char *end = strchr(line, '\n');

			next = end ? end + 1 : copy + len;
			if (end)
				*end = '\0';
			r = end ? parse_row(in, line, &row)
				: damaged(in, "the end of the line", line);
			all += pass == 1;
			good += pass == 1 && r == 0 && restore(in->gd, &row, now_ns);
		}
	}
	free(copy);
	if (r == 0)
		log_msg(in->gd->o.log, LOG_USHER_GUARD_BINDINGS_LOADED,
			"%s: %u bindings, %u not used (ended, or not for this gate)",
			in->gd->store->path, good, all - good);
	return r;
}

static int parse_text(struct reading *in, struct buf *text, int64_t now_ns)
{
	char digest[2 * SHA256_LEN + 1], expected[SUM_LEN + 1];
	size_t rows;

	in->line = 1;
	if (text->len < sizeof(HEAD) - 1 + SUM_LEN ||
	    memcmp(text->p, HEAD, sizeof(HEAD) - 1) != 0 || memchr(text->p, '\0', text->len))
		return damaged(in, "a file that begins with \"usher-guard 1\"",
			       text->p ? text->p : "");
	rows = text->len - SUM_LEN;
	for (size_t i = 0; i < rows; i++)
		in->line += text->p[i] == '\n';
	sha256_hex(span_of(text->p, rows), digest);
	(void)snprintf(expected, sizeof(expected), "sha256 %s\n", digest);
	if (memcmp(text->p + rows, expected, SUM_LEN) != 0)
		return damaged(in, "the checksum of the lines before", text->p + rows);
	text->p[rows] = '\0';
	return parse_rows(in, text->p, rows, now_ns);
}

static int read_file(const struct guard_store *s, struct buf *ret)
{
	const struct file_ops *f = s->files;
	int fd = f->open(f->ctx, s->path, O_RDONLY, 0);
	ssize_t n = 1;

	while (fd >= 0 && n > 0 && ret->len < MAX_FILE && buf_reserve(ret, READ_STEP + 1)) {
		n = f->read(f->ctx, fd, ret->p + ret->len, READ_STEP);
		ret->len += n > 0 ? (size_t)n : 0;
		ret->p[ret->len] = '\0';
	}
	if (fd >= 0)
		(void)f->close(f->ctx, fd);
	return fd < 0 ? fd : n < 0 ? (int)n : ret->failed ? -ENOMEM : 0;
}

static int put_aside(struct guard *gd, const char *why)
{
	struct guard_store *s = gd->store;
	char aside[GUARD_PATH_LEN + 16];

	(void)snprintf(aside, sizeof(aside), "%s.damaged", s->path);
	log_msg(gd->o.log, LOG_USHER_GUARD_BINDINGS_DAMAGED, "%s; kept as %s, no binding is known",
		why, aside);
	return s->files->rename(s->files->ctx, s->path, aside);
}

int guard_store_load(struct guard *gd, int64_t now_ns, char *err, size_t err_cap)
{
	struct guard_store *s = gd->store;
	struct reading in = {.gd = gd, .err = err, .err_cap = err_cap};
	struct buf text;
	int r;

	buf_init(&text);
	s->due_ns = now_ns + gd->o.save_ns;
	r = read_file(s, &text);
	if (r < 0 && r != -ENOENT)
		(void)snprintf(err, err_cap, "%s: %s", s->path, usher_strerror(r));
	if (r == 0)
		r = parse_text(&in, &text, now_ns);
	buf_fini(&text);
	if (r == -USHER_E_MALFORMED && !gd->o.refuse_damaged)
		r = put_aside(gd, err);
	/* bindings read from the file are on disk */
	s->saved = gd->changes;
	return r == -ENOENT ? 0 : r;
}

int guard_store_new(struct guard *gd, struct guard_store **ret)
{
	struct guard_store *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->files = gd->o.files ? gd->o.files : &file_ops_system;
	(void)snprintf(s->path, sizeof(s->path), "%s", gd->o.file);
	(void)snprintf(s->tmp, sizeof(s->tmp), "%s.tmp", gd->o.file);
	buf_init(&s->text);
	*ret = s;
	return 0;
}

void guard_store_free(struct guard_store *s)
{
	if (!s)
		return;
	if (s->writing)
		(void)pthread_join(s->thread, NULL);
	buf_fini(&s->text);
	free(s);
}
