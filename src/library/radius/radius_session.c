/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A table by address, and lines for the file in Kea's format, "address,seconds,milliseconds", where
 * 0 seconds end a session. Lines wait in memory, up to a bound, until the library's thread writes
 * them: lines beyond it are lost, with a message.
 */
#include "library/radius/radius_session.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file/file_text.h"
#include "base/hash.h"
#include "base/ip.h"
#include "base/log.h"
#include "config/config.h"
#include "library/common/library_thread.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUCKETS = 4096, LINES_MAX = 1 << 20, MS = 1000, SECONDS_MAX = INT32_MAX };

static const char header[] = "address,seconds,milliseconds";

struct session {
	struct session *next;
	uint32_t addr;
	int64_t at_ms;
};

struct radius_sessions {
	_Atomic unsigned refs;
	char *path; /* NULL: none */
	struct log *log;
	int fd;
	pthread_mutex_t writing; /* keeps the order of lines in the file */
	pthread_mutex_t mu;	 /* of all below */
	struct session *buckets[BUCKETS];
	struct buf lines;
	bool lost;
};

/* --- The table -------------------------------------------------------------------------------- */

static struct session **find_place(struct radius_sessions *s, uint32_t addr)
{
	struct session **at = &s->buckets[hash_u32(addr) % BUCKETS];

	while (*at && (*at)->addr != addr)
		at = &(*at)->next;
	return at;
}

/* Sets the begin of a session; 0: it ends. Returns false when memory is out. */
static bool set_session(struct radius_sessions *s, uint32_t addr, int64_t at_ms)
{
	struct session **at = find_place(s, addr), *old = *at;

	if (!at_ms) {
		if (old)
			*at = old->next;
		free(old);
		return true;
	}
	if (!old) {
		old = calloc(1, sizeof(*old));
		if (!old)
			return false;
		old->addr = addr;
		*at = old;
	}
	old->at_ms = at_ms;
	return true;
}

static void write_line(struct buf *out, uint32_t addr, int64_t at_ms)
{
	char ip[IP_TEXT_LEN];

	buf_printf(out, "%s,%lld,%lld\n", ip_text(addr, ip), (long long)(at_ms / MS),
		   (long long)(at_ms % MS));
}

static void add_line(struct radius_sessions *s, uint32_t addr, int64_t at_ms)
{
	if (s->path && s->lines.len < LINES_MAX)
		write_line(&s->lines, addr, at_ms);
	else if (s->path)
		s->lost = true;
}

int64_t radius_session(struct radius_sessions *s, uint32_t addr, bool begin, int64_t now_ms,
		       bool *ret_known)
{
	const struct session *found;
	int64_t at_ms;

	(void)pthread_mutex_lock(&s->mu);
	found = *find_place(s, addr);
	*ret_known = found != NULL;
	at_ms = found ? found->at_ms : now_ms;
	if (begin || !found) {
		at_ms = now_ms;
		(void)set_session(s, addr, at_ms);
		add_line(s, addr, at_ms);
	}
	(void)pthread_mutex_unlock(&s->mu);
	return at_ms;
}

void radius_session_end(struct radius_sessions *s, uint32_t addr)
{
	(void)pthread_mutex_lock(&s->mu);
	(void)set_session(s, addr, 0);
	add_line(s, addr, 0);
	(void)pthread_mutex_unlock(&s->mu);
}

/* --- The file --------------------------------------------------------------------------------- */

static int write_lines(int fd, const struct buf *b)
{
	size_t done = 0;

	while (done < b->len) {
		ssize_t n = write(fd, b->p + done, b->len - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

void radius_sessions_flush(struct radius_sessions *s)
{
	struct buf lines;
	bool lost;
	int r;

	(void)pthread_mutex_lock(&s->writing);
	(void)pthread_mutex_lock(&s->mu);
	lines = s->lines;
	lost = s->lost;
	buf_init(&s->lines);
	s->lost = false;
	(void)pthread_mutex_unlock(&s->mu);
	r = lines.len ? write_lines(s->fd, &lines) : 0;
	(void)pthread_mutex_unlock(&s->writing);
	if (r < 0 || lost)
		log_msg(s->log, LOG_RADIUS_SESSION_HISTORY_APPEND_FAILED,
			"sessions are missing in %s: %s", s->path,
			r < 0 ? usher_strerror(r) : "too many waited");
	buf_fini(&lines);
}

/* Sets the reason of a failure of the whole file. Returns r. */
static int fail_file(const struct radius_sessions *s, int r, struct config_error *err)
{
	return config_error_set(err, NULL, r, "%s: %s", s->path,
				r == -EINVAL ? "it is no regular file" : usher_strerror(r));
}

/* Reads a number of decimal digits up to max and the octet behind it. Returns NULL: it is none. */
static const char *read_digits(const char *p, char end, long long max, long long *ret)
{
	*ret = 0;
	if (*p < '0' || *p > '9')
		return NULL;
	for (; *p >= '0' && *p <= '9' && *ret <= max; p++)
		*ret = 10 * *ret + (*p - '0');
	return *ret <= max && *p == end ? p + 1 : NULL;
}

/* Reads a line behind the first one. 0; -EINVAL: it is malformed. */
static int read_session(struct radius_sessions *s, const char *line)
{
	const char *comma = strchr(line, ',');
	long long seconds, ms;
	uint32_t addr;

	if (!comma || ip_parse(line, (size_t)(comma - line), &addr) != 0)
		return -EINVAL;
	comma = read_digits(comma + 1, ',', SECONDS_MAX, &seconds);
	if (!comma || !read_digits(comma, '\0', MS - 1, &ms))
		return -EINVAL;
	return set_session(s, addr, seconds * MS + ms) ? 0 : -ENOMEM;
}

/* Reads all lines. *ret_n: their number. A line that is malformed is refused with its place. */
static int read_rows(struct radius_sessions *s, FILE *f, unsigned *ret_n, struct config_error *err)
{
	auto_free char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	errno = 0;
	for (*ret_n = 0; (n = getline(&line, &cap, f)) > 0; ++*ret_n) {
		struct json_pos at = {.file = s->path, .line = *ret_n + 1, .col = 1};
		bool whole = line[n - 1] == '\n';
		int r = -EINVAL;

		line[n - whole] = '\0';
		if (*ret_n == 0)
			r = whole && strcmp(line, header) == 0 ? 0 : -EINVAL;
		else if (!whole)
			break;
		else if (strlen(line) + 1 == (size_t)n)
			r = read_session(s, line);
		if (r < 0)
			return config_error_set(err, &at, r == -ENOMEM ? r : -USHER_E_HOOK,
						r == -ENOMEM ? "out of memory"
						: *ret_n == 0
							? "this is no file of sessions, which "
							  "begins with address,seconds,"
							  "milliseconds"
							: "an address, seconds and "
							  "milliseconds are expected");
	}
	return ferror(f) ? fail_file(s, errno ? -errno : -EIO, err) : 0;
}

static int read_file(struct radius_sessions *s, struct config_error *err)
{
	int fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	unsigned n;
	FILE *f;
	int r;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		r = fd < 0 ? -errno : -EINVAL;
		if (fd >= 0)
			(void)close(fd);
		return fail_file(s, r, err);
	}
	f = fdopen(fd, "r");
	if (!f) {
		(void)close(fd);
		return fail_file(s, -ENOMEM, err);
	}
	r = read_rows(s, f, &n, err);
	(void)fclose(f);
	if (r == 0)
		log_msg(s->log, LOG_RADIUS_SESSION_HISTORY_LOADED, "%u lines of %s", n, s->path);
	return r;
}

/* Writes the file anew, with the sessions that are open, and keeps it open to append. */
static int renew_file(struct radius_sessions *s, struct config_error *err)
{
	struct buf text;
	int r;

	buf_init(&text);
	buf_printf(&text, "%s\n", header);
	for (size_t i = 0; i < BUCKETS; i++)
		for (const struct session *e = s->buckets[i]; e; e = e->next)
			write_line(&text, e->addr, e->at_ms);
	r = text.failed ? -ENOMEM : file_replace(s->path, span_of(text.p, text.len), 0640);
	buf_fini(&text);
	if (r == 0)
		s->fd = library_open_append(s->path, O_NOFOLLOW, 0640);
	if (r == 0 && s->fd < 0)
		r = s->fd;
	return r == 0 ? 0 : fail_file(s, r, err);
}

int radius_sessions_new(const char *path, struct log *log, struct radius_sessions **ret,
			struct config_error *err)
{
	struct radius_sessions *s = calloc(1, sizeof(*s));
	int r = 0;

	if (!s)
		return config_error_set(err, NULL, -ENOMEM, "out of memory");
	s->refs = 1;
	s->fd = -1;
	s->log = log;
	buf_init(&s->lines);
	(void)pthread_mutex_init(&s->mu, NULL);
	(void)pthread_mutex_init(&s->writing, NULL);
	if (path) {
		s->path = strdup(path);
		r = s->path ? read_file(s, err)
			    : config_error_set(err, NULL, -ENOMEM, "out of memory");
		if (r == 0)
			r = renew_file(s, err);
	}
	if (r < 0)
		radius_sessions_unref(s);
	else
		*ret = s;
	return r;
}

const char *radius_sessions_path(const struct radius_sessions *s)
{
	return s->path;
}

struct radius_sessions *radius_sessions_ref(struct radius_sessions *s)
{
	(void)atomic_fetch_add(&s->refs, 1);
	return s;
}

void radius_sessions_unref(struct radius_sessions *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	if (s->fd >= 0)
		(void)close(s->fd);
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct session *e = s->buckets[i], *next; e; e = next) {
			next = e->next;
			free(e);
		}
	}
	buf_fini(&s->lines);
	free(s->path);
	(void)pthread_mutex_destroy(&s->mu);
	(void)pthread_mutex_destroy(&s->writing);
	free(s);
}
