/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Sinks: descriptors, rotation of files, the threads that write. A sink that is not ready (by poll)
 * loses the line, unless it has a thread.
 */
#include "base/log_sink.h"

#include "base/clock.h"
#include "base/log_pattern.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

/* The longest time that a server waits for its outputs at its end. */
static const int64_t close_wait_ns = 300 * NS_PER_MS;
/* The longest time that a configuration waits until a file is open. */
static const int64_t open_wait_ns = 100 * NS_PER_MS;

static void free_sink(void *sink)
{
	struct log_sink *s = sink;

	if (s->kind == LOG_SINK_FILE && s->fd >= 0)
		(void)close(s->fd);
	log_pattern_free(s->pattern);
	free(s->pattern_text);
	free(s->path);
	free(s);
}

void log_sinks_close(struct log_sink *const *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i]->queue)
			log_queue_close(s[i]->queue, free_sink, close_wait_ns);
		else
			free_sink(s[i]);
	}
}

static int open_file(struct log_sink *s)
{
	struct stat st;

	/* a FIFO without a reader is refused, and one whose reader sleeps takes no line: no thread
	 * waits for it */
	s->fd = open(s->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		     0640);
	if (s->fd < 0)
		return -errno;
	s->size = fstat(s->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	return 0;
}

/* Leaves a file to the sink's first write: opening may take as long as a hung disk likes. */
static int init_sink(struct log_sink *s, const struct log_output *o)
{
	s->kind = o->kind;
	s->fd = -1;
	s->facility = o->facility ? o->facility : LOG_LOCAL0;
	s->pattern_text = strdup(o->pattern ? o->pattern : "");
	if (!s->pattern_text)
		return -ENOMEM;
	if (s->pattern_text[0]) {
		s->pattern = log_pattern_new(s->pattern_text);
		if (!s->pattern)
			return -ENOMEM;
	}
	s->maxsize = o->maxsize;
	s->maxver = o->maxver;
	switch (o->kind) {
	case LOG_SINK_STDOUT:
		s->fd = STDOUT_FILENO;
		return 0;
	case LOG_SINK_STDERR:
		s->fd = STDERR_FILENO;
		return 0;
	case LOG_SINK_SYSLOG:
		return 0;
	case LOG_SINK_FILE:
		s->path = strdup(o->path);
		s->reopen = !s->to;
		return s->path ? 0 : -ENOMEM;
	}
	return -EINVAL;
}

static void rotate_file(struct log_sink *s)
{
	char from[4096];
	char to[4096];

	for (unsigned v = s->maxver; v > 0; v--) {
		(void)snprintf(to, sizeof(to), "%s.%u", s->path, v);
		if (v > 1)
			(void)snprintf(from, sizeof(from), "%s.%u", s->path, v - 1);
		else
			(void)snprintf(from, sizeof(from), "%s", s->path);
		(void)rename(from, to);
	}
	(void)close(s->fd);
	(void)open_file(s);
}

/* Writes to a sink's descriptor. False: not all was written; a partial write on a pipe counts as
 * lost. */
static bool write_line(struct log_sink *s, const char *line, size_t n)
{
	struct pollfd p = {.fd = s->fd, .events = POLLOUT};

	if (atomic_exchange(&s->reopen, false)) {
		if (s->fd >= 0)
			(void)close(s->fd);
		(void)open_file(s);
	}
	if (!n)
		return true;

	if (s->kind == LOG_SINK_FILE) {
		if (s->maxsize && s->size + n > s->maxsize && s->maxver)
			rotate_file(s);
		s->size += n;
		return s->fd >= 0 && write(s->fd, line, n) == (ssize_t)n;
	}
	if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT))
		return false;
	return write(s->fd, line, n) == (ssize_t)n;
}

int log_sink_priority(uint8_t severity)
{
	static const int prio[] = {LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR, LOG_CRIT, LOG_DEBUG};

	return prio[severity];
}

bool log_sink_write(void *ctx, uint8_t priority, const char *lines, size_t n)
{
	struct log_sink *s = ctx;

	if (s->kind != LOG_SINK_SYSLOG)
		return write_line(s, lines, n);
	if (n)
		syslog(priority, "%.*s", (int)n - 1, lines);
	return true;
}

void log_sinks_start(struct log_sink *const *sinks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!sinks[i]->queue && !sinks[i]->to)
			sinks[i]->queue = log_queue_new(sinks[i]->kind == LOG_SINK_SYSLOG,
							log_sink_write, sinks[i]);
}

static bool same_target(enum log_sink_kind kind, const char *path, const struct log_output *o)
{
	return kind == o->kind && (kind != LOG_SINK_FILE || strcmp(path, o->path) == 0);
}

static bool same_form(const char *pattern, int facility, const struct log_output *o)
{
	return strcmp(pattern ? pattern : "", o->pattern ? o->pattern : "") == 0 &&
	       (o->kind != LOG_SINK_SYSLOG || facility == (o->facility ? o->facility : LOG_LOCAL0));
}

bool log_output_same(const struct log_output *a, const struct log_output *b)
{
	return same_target(a->kind, a->path, b) &&
	       same_form(a->pattern, a->facility ? a->facility : LOG_LOCAL0, b);
}

/* Returns the index of an output's sink among n, -1: there is none. Two loggers with one file write
 * to it through one descriptor, and rotate it once. form: compares pattern and facility, too. */
static int find_sink(struct log_sink *const *sinks, size_t n, const struct log_output *o, bool form)
{
	for (size_t i = 0; i < n; i++)
		if (same_target(sinks[i]->kind, sinks[i]->path, o) &&
		    (form ? same_form(sinks[i]->pattern_text, sinks[i]->facility, o)
			  : !sinks[i]->to))
			return (int)i;
	return -1;
}

int log_sink_add(struct log_sink **sinks, size_t *n, const struct log_output *o)
{
	int i = find_sink(sinks, *n, o, true);
	int base;
	int r;

	if (i >= 0)
		return i;
	if (*n == LOG_MAX_SINKS)
		return -E2BIG;
	sinks[*n] = calloc(1, sizeof(*sinks[0]));
	if (!sinks[*n])
		return -ENOMEM;
	base = find_sink(sinks, *n, o, false);
	sinks[*n]->to = base >= 0 ? sinks[base] : NULL;
	r = init_sink(sinks[*n], o);
	if (r < 0) {
		free_sink(sinks[*n]);
		return r;
	}
	return (int)(*n)++;
}

/* Returns whether a sink is a file that is not open. */
static bool is_absent(const struct log_sink *s)
{
	return s->path && (s->to ? s->to->fd : s->fd) < 0;
}

void log_sinks_open(struct log_sink *const *sinks, size_t n, uint16_t *rule_sinks, size_t n_rules)
{
	for (size_t i = 0; i < n; i++) {
		struct log_sink *s = sinks[i];

		if (s->kind != LOG_SINK_FILE)
			continue;
		if (!s->queue && !s->to)
			(void)write_line(s, "", 0);
		else if (!s->to && log_queue_put(s->queue, LOG_SEV_INFO, "", 0))
			log_queue_flush(s->queue, open_wait_ns);
		for (size_t r = 0; r < n_rules && is_absent(s); r++)
			if (rule_sinks[r] & 1U << i)
				rule_sinks[r] |= 1;
	}
}

void log_sink_reopen(struct log_sink *s)
{
	if (s->kind != LOG_SINK_FILE || s->to)
		return;
	s->reopen = true;
	if (!s->queue)
		(void)write_line(s, "", 0);
	else
		(void)!log_queue_put(s->queue, LOG_SEV_INFO, "", 0);
}

int log_facility(const char *name)
{
	static const struct {
		const char *name;
		int facility;
	} rows[] = {
		{"kern", LOG_KERN},	{"user", LOG_USER},	    {"mail", LOG_MAIL},
		{"daemon", LOG_DAEMON}, {"auth", LOG_AUTH},	    {"syslog", LOG_SYSLOG},
		{"lpr", LOG_LPR},	{"news", LOG_NEWS},	    {"uucp", LOG_UUCP},
		{"cron", LOG_CRON},	{"authpriv", LOG_AUTHPRIV}, {"ftp", LOG_FTP},
		{"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1},	    {"local2", LOG_LOCAL2},
		{"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4},	    {"local5", LOG_LOCAL5},
		{"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7},	    {"security", LOG_AUTH},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcasecmp(rows[i].name, name) == 0)
			return rows[i].facility;
	return -1;
}
