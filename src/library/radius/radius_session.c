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
#include "base/hash.h"
#include "base/ip.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUCKETS = 4096, LINES_MAX = 1 << 20, MS = 1000 };

static const char header[] = "address,seconds,milliseconds\n";

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

static void add_line(struct radius_sessions *s, uint32_t addr, int64_t at_ms)
{
	char ip[IP_TEXT_LEN];

	if (s->fd < 0)
		return;
	if (s->lines.len < LINES_MAX)
		buf_printf(&s->lines, "%s,%lld,%lld\n", ip_text(addr, ip), (long long)(at_ms / MS),
			   (long long)(at_ms % MS));
	else
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

/* Reads a line of the file. Returns false if it is malformed. */
static bool parse_session(struct radius_sessions *s, const char *line)
{
	const char *comma = strchr(line, ',');
	long long seconds, ms;
	uint32_t addr;

	if (strcmp(line, "address,seconds,milliseconds") == 0)
		return true;
	return comma && ip_parse(line, (size_t)(comma - line), &addr) == 0 &&
	       sscanf(comma, ",%15lld,%4lld", &seconds, &ms) == 2 && seconds >= 0 && ms >= 0 &&
	       set_session(s, addr, seconds * MS + ms);
}

static int read_file(struct radius_sessions *s)
{
	char line[128];
	FILE *f = fopen(s->path, "re");
	unsigned bad = 0, n = 0;

	if (!f)
		return errno == ENOENT ? 0 : -errno;
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\r\n")] = '\0';
		bad += line[0] && !parse_session(s, line);
		n++;
	}
	(void)fclose(f);
	log_msg(s->log, LOG_RADIUS_SESSION_HISTORY_LOADED, "%u lines of %s, %u malformed", n,
		s->path, bad);
	return 0;
}

/* Writes the file anew, with the sessions that are open, and keeps it open to append. */
static int renew_file(struct radius_sessions *s)
{
	char tmp[4096];
	int r;

	if ((size_t)snprintf(tmp, sizeof(tmp), "%s.new", s->path) >= sizeof(tmp))
		return -ENAMETOOLONG;
	(void)unlink(tmp);
	s->fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (s->fd < 0)
		return -errno;
	buf_str(&s->lines, header);
	for (size_t i = 0; i < BUCKETS; i++)
		for (const struct session *e = s->buckets[i]; e; e = e->next)
			add_line(s, e->addr, e->at_ms);
	r = write_lines(s->fd, &s->lines);
	buf_fini(&s->lines);
	buf_init(&s->lines);
	if (r == 0 && rename(tmp, s->path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(tmp);
	return r;
}

int radius_sessions_new(const char *path, struct log *log, struct radius_sessions **ret)
{
	struct radius_sessions *s = calloc(1, sizeof(*s));
	int r = 0;

	if (!s)
		return -ENOMEM;
	s->refs = 1;
	s->fd = -1;
	s->log = log;
	buf_init(&s->lines);
	(void)pthread_mutex_init(&s->mu, NULL);
	(void)pthread_mutex_init(&s->writing, NULL);
	if (path) {
		s->path = strdup(path);
		r = s->path ? read_file(s) : -ENOMEM;
		if (r == 0)
			r = renew_file(s);
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
