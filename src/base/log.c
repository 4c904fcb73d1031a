/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Log lines to stdout, stderr, syslog and files. One mutex keeps lines whole, and is held for no
 * write: each sink has a queue and a thread of its own (log_queue.h), where log_start_threads() was
 * called. Without, a sink that is not ready (poll says so) loses the line. Lost lines are counted.
 * route[id] is the rule of each message, worked out when configured, so log_on() is one load.
 */
#include "base/log.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log_pattern.h"
#include "base/log_queue.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* STAMP_LEN: "2026-11-20 12:00:00.123 " */
enum {
	STAMP_LEN = 24,
	HEAD_LEN = 128,
	LOG_LINE = 4096,
	LOG_MAX_SINKS = LOG_MAX_OUTPUTS + 1,
	LOG_REPEATS = 50
};

/* Two outputs to one file or stream with different patterns are two sinks, of which the second
 * writes through `to`. */
struct sink {
	enum log_sink_kind kind;
	struct sink *to; /* NULL: itself */
	struct log_pattern *pattern;
	char *pattern_text; /* "": none */
	int facility;
	_Atomic int fd;		 /* -1: syslog, or a file that is not open */
	struct log_queue *queue; /* NULL: the logging thread writes */
	_Atomic bool reopen;
	char *path;
	uint64_t maxsize;
	uint64_t size;
	unsigned maxver;
};

struct route {
	uint8_t severity; /* the least that is written */
	int debuglevel;
	uint16_t sinks; /* bit set */
};

struct log {
	struct clock_src clock;
	const char *root; /* of the names of loggers */
	int64_t start_ns;
	pthread_mutex_t lock;
	_Atomic uint32_t on[LOG_N_IDS]; /* bit set of sinks; 0: off */
	struct sink *sinks[LOG_MAX_SINKS];
	size_t n_sinks;
	bool threaded;
	_Atomic bool holding;
	struct buf held; /* under lock: struct held_line and its octets, one behind the other */
	_Atomic uint64_t lost;
	char head[LOG_N_IDS][HEAD_LEN];	  /* of each id's lines, behind the time */
	char logger[LOG_N_IDS][HEAD_LEN]; /* "kea-dhcp4.leases" */
	time_t stamp_sec;		  /* the second of stamp; under lock */
	char stamp[32];
	struct repeats {
		_Atomic int64_t second;
		_Atomic uint32_t written, held_back;
	} repeats[LOG_N_IDS]; /* of warnings and errors; under lock, but for held_back */
};

static const struct {
	const char *name;
	const char *logger;
	uint8_t severity;
} ids[] = {
#define LOG_ID(id, logger, severity) {#id, logger, LOG_SEV_##severity},
#include "base/log_ids.def"
#undef LOG_ID
};

/* Kea's debug levels of its messages; the others of severity DEBUG have level 0. */
static int debug_level(enum log_id id)
{
	enum { HANDLING = 15, BASIC = 40, DETAIL = 50 };

	if (ids[id].severity != LOG_SEV_DEBUG)
		return 0;
	if (id == LOG_DHCP4_PACKET_DROP)
		return HANDLING;
	return id == LOG_DHCP4_PACKET_TRACE ? DETAIL : BASIC;
}

static const char *const severity_names[] = {"DEBUG", "INFO", "WARN", "ERROR", "FATAL", "NONE"};

/* So long the end of a server may wait for its outputs. */
static const int64_t close_wait_ns = 300 * NS_PER_MS;
/* So long a configuration waits for a file that is opened. */
static const int64_t open_wait_ns = 100 * NS_PER_MS;

static void sink_free(void *sink)
{
	struct sink *s = sink;

	if (s->kind == LOG_SINK_FILE && s->fd >= 0)
		(void)close(s->fd);
	log_pattern_free(s->pattern);
	free(s->pattern_text);
	free(s->path);
	free(s);
}

static void sinks_close(struct sink *const *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i]->queue)
			log_queue_close(s[i]->queue, sink_free, close_wait_ns);
		else
			sink_free(s[i]);
	}
}

static int sink_open_file(struct sink *s)
{
	struct stat st;

	/* a FIFO without a reader is refused, and one whose reader sleeps takes no line: nobody
	 * waits for it */
	s->fd = open(s->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		     0640);
	if (s->fd < 0)
		return -errno;
	s->size = fstat(s->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	return 0;
}

/* A file is left to the sink's first write: opening may take as long as a hung disk likes. */
static int sink_init(struct sink *s, const struct log_output *o)
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

/* The messages about the daemon itself, which Kea logs as "kea-dhcp4.dhcp4". */
static const char own_logger[] = "dhcp4";

/* Does a rule for `rule` ("kea-dhcp4.leases") cover the logger "<root>.<name>"? */
static bool rule_covers(const char *root, const char *rule, const char *name)
{
	size_t n = strlen(root);

	if (strncmp(rule, root, n) != 0)
		return false;
	if (rule[n] == '\0')
		return true;
	return rule[n] == '.' && strcmp(rule + n + 1, name[0] ? name : own_logger) == 0;
}

static void route_ids(const char *root, struct route *routes, const struct log_rule *rules,
		      size_t n, const uint16_t *rule_sinks, bool debug)
{
	for (size_t id = 0; id < LOG_N_IDS; id++) {
		size_t best = 0;

		routes[id] = (struct route){.severity = LOG_SEV_INFO, .sinks = 1};
		for (size_t r = 0; r < n; r++) {
			size_t len = strlen(rules[r].logger);

			if (rule_covers(root, rules[r].logger, ids[id].logger) && len >= best) {
				best = len;
				routes[id].severity = (uint8_t)rules[r].severity;
				routes[id].debuglevel = rules[r].debuglevel;
				routes[id].sinks = rule_sinks[r] ? rule_sinks[r] : 1;
			}
		}
		if (debug) {
			routes[id].severity = LOG_SEV_DEBUG;
			routes[id].debuglevel = INT_MAX;
			routes[id].sinks |= 1;
		}
	}
}

static void sink_rotate(struct sink *s)
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
	(void)sink_open_file(s);
}

/* True if all went out. A partial write on a pipe counts as lost. */
static bool sink_write(struct sink *s, const char *line, size_t n)
{
	struct pollfd p = {.fd = s->fd, .events = POLLOUT};

	if (atomic_exchange(&s->reopen, false)) {
		if (s->fd >= 0)
			(void)close(s->fd);
		(void)sink_open_file(s);
	}
	if (!n)
		return true;

	if (s->kind == LOG_SINK_FILE) {
		if (s->maxsize && s->size + n > s->maxsize && s->maxver)
			sink_rotate(s);
		s->size += n;
		return s->fd >= 0 && write(s->fd, line, n) == (ssize_t)n;
	}
	if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT))
		return false;
	return write(s->fd, line, n) == (ssize_t)n;
}

static int syslog_severity(uint8_t severity)
{
	static const int prio[] = {LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR, LOG_CRIT, LOG_DEBUG};

	return prio[severity];
}

/* The threads' way to a sink. priority: severity, of syslog the facility besides. */
static bool sink_write_queued(void *ctx, uint8_t priority, const char *lines, size_t n)
{
	struct sink *s = ctx;

	if (s->kind != LOG_SINK_SYSLOG)
		return sink_write(s, lines, n);
	if (n)
		syslog(priority, "%.*s", (int)n - 1, lines);
	return true;
}

/* Starts the sinks' threads. A sink without one is written to by the logging threads. */
static void sinks_start(struct sink *const *sinks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!sinks[i]->queue && !sinks[i]->to)
			sinks[i]->queue = log_queue_new(sinks[i]->kind == LOG_SINK_SYSLOG,
							sink_write_queued, sinks[i]);
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

/* The sink of an output among those there are: two loggers with one file write to it through one
 * descriptor, and rotate it once. form: with the same pattern and facility, too. */
static int sink_index(struct sink *const *sinks, size_t n, const struct log_output *o, bool form)
{
	for (size_t i = 0; i < n; i++)
		if (same_target(sinks[i]->kind, sinks[i]->path, o) &&
		    (form ? same_form(sinks[i]->pattern_text, sinks[i]->facility, o)
			  : !sinks[i]->to))
			return (int)i;
	return -1;
}

/* Index of a new or known sink, or -errno. */
static int sink_add(struct sink **sinks, size_t *n, const struct log_output *o)
{
	int i = sink_index(sinks, *n, o, true);
	int base;
	int r;

	if (i >= 0)
		return i;
	if (*n == LOG_MAX_SINKS)
		return -E2BIG;
	sinks[*n] = calloc(1, sizeof(*sinks[0]));
	if (!sinks[*n])
		return -ENOMEM;
	base = sink_index(sinks, *n, o, false);
	sinks[*n]->to = base >= 0 ? sinks[base] : NULL;
	r = sink_init(sinks[*n], o);
	if (r < 0) {
		sink_free(sinks[*n]);
		return r;
	}
	return (int)(*n)++;
}

/* A file that is not open. */
static bool sink_absent(const struct sink *s)
{
	return s->path && (s->to ? s->to->fd : s->fd) < 0;
}

/* Opens the files. The rules of one that cannot be opened, or not in time, go to stdout as well. */
static void sinks_open(struct sink *const *sinks, size_t n, uint16_t *rule_sinks, size_t n_rules)
{
	for (size_t i = 0; i < n; i++) {
		struct sink *s = sinks[i];

		if (s->kind != LOG_SINK_FILE)
			continue;
		if (!s->queue && !s->to)
			(void)sink_write(s, "", 0);
		else if (!s->to && log_queue_put(s->queue, LOG_SEV_INFO, "", 0))
			log_queue_flush(s->queue, open_wait_ns);
		for (size_t r = 0; r < n_rules && sink_absent(s); r++)
			if (rule_sinks[r] & 1U << i)
				rule_sinks[r] |= 1;
	}
}

static bool routed(const struct route *r, enum log_id id)
{
	if (ids[id].severity < r->severity)
		return false;
	return ids[id].severity != LOG_SEV_DEBUG || debug_level(id) <= r->debuglevel;
}

int log_configure(struct log *log, const struct log_rule *rules, size_t n, bool debug)
{
	static const struct log_output standard = {.kind = LOG_SINK_STDOUT};
	struct sink *fresh[LOG_MAX_SINKS];
	struct sink *old[LOG_MAX_SINKS];
	struct route routes[LOG_N_IDS];
	uint16_t rule_sinks[LOG_MAX_RULES] = {0};
	size_t n_fresh = 0, n_old;
	int r;

	if (n > ARRAY_LEN(rule_sinks))
		return -E2BIG;
	r = sink_add(fresh, &n_fresh, &standard); /* sink 0 is always stdout: the default and -d */
	for (size_t i = 0; i < n && r >= 0; i++) {
		for (size_t j = 0; j < rules[i].n_outputs && r >= 0; j++) {
			r = sink_add(fresh, &n_fresh, &rules[i].outputs[j]);
			if (r >= 0)
				rule_sinks[i] |= (uint16_t)(1U << r);
		}
	}
	if (r < 0) {
		sinks_close(fresh, n_fresh);
		return r;
	}
	if (log->threaded)
		sinks_start(fresh, n_fresh);
	sinks_open(fresh, n_fresh, rule_sinks, n);
	route_ids(log->root, routes, rules, n, rule_sinks, debug);
	(void)pthread_mutex_lock(&log->lock);
	memcpy(old, log->sinks, sizeof(old));
	n_old = log->n_sinks;
	memcpy(log->sinks, fresh, n_fresh * sizeof(fresh[0]));
	log->n_sinks = n_fresh;
	for (size_t id = 0; id < LOG_N_IDS; id++)
		log->on[id] = routed(&routes[id], (enum log_id)id) ? routes[id].sinks : 0;
	(void)pthread_mutex_unlock(&log->lock);
	sinks_close(old, n_old);
	return 0;
}

void log_start_threads(struct log *log)
{
	(void)pthread_mutex_lock(&log->lock);
	log->threaded = true;
	sinks_start(log->sinks, log->n_sinks);
	(void)pthread_mutex_unlock(&log->lock);
}

/* Makes the fixed text behind the time in the lines of each id. */
static void heads_make(struct log *log)
{
	bool server = strcmp(log->root, "kea-dhcp4") == 0;
	int pid = (int)getpid();

	for (unsigned i = 0; i < LOG_N_IDS; i++) {
		const char *name = !ids[i].logger[0] && server ? own_logger : ids[i].logger;

		(void)snprintf(log->logger[i], sizeof(log->logger[i]), "%s%s%s", log->root,
			       name[0] ? "." : "", name);
		(void)snprintf(log->head[i], sizeof(log->head[i]), "%-5s [%.80s/%d] %s ",
			       severity_names[ids[i].severity], log->logger[i], pid, ids[i].name);
	}
}

struct log *log_new(const struct clock_src *clock, const char *root)
{
	struct log *log = calloc(1, sizeof(*log));

	if (!log)
		return NULL;
	log->clock = *clock;
	log->root = root;
	log->start_ns = clock_wall_ns(clock);
	openlog(root, 0, LOG_LOCAL0);
	(void)pthread_mutex_init(&log->lock, NULL);
	heads_make(log);
	if (log_configure(log, NULL, 0, false) < 0) {
		log_free(log);
		return NULL;
	}
	return log;
}

void log_free(struct log *log)
{
	if (!log)
		return;
	sinks_close(log->sinks, log->n_sinks);
	buf_fini(&log->held);
	(void)pthread_mutex_destroy(&log->lock);
	free(log);
}

void log_reopen(struct log *log)
{
	(void)pthread_mutex_lock(&log->lock);
	for (size_t i = 0; i < log->n_sinks; i++) {
		struct sink *s = log->sinks[i];

		if (s->kind != LOG_SINK_FILE || s->to)
			continue;
		s->reopen = true;
		if (!s->queue)
			(void)sink_write(s, "", 0);
		else
			(void)!log_queue_put(s->queue, LOG_SEV_INFO, "", 0);
	}
	(void)pthread_mutex_unlock(&log->lock);
}

/* Without the lock, which whoever logs wants: only the caller's thread changes the list of
 * sinks. */
void log_flush(struct log *log, int64_t timeout_ns)
{
	for (size_t i = 0; i < log->n_sinks; i++)
		if (log->sinks[i]->queue)
			log_queue_flush(log->sinks[i]->queue, timeout_ns);
}

bool log_on(const struct log *log, enum log_id id)
{
	return log && atomic_load_explicit(&log->on[id], memory_order_relaxed) != 0;
}

uint64_t log_lost(struct log *log)
{
	(void)pthread_mutex_lock(&log->lock);
	for (size_t i = 0; i < log->n_sinks; i++)
		if (log->sinks[i]->queue)
			(void)atomic_fetch_add(&log->lost, log_queue_lost(log->sinks[i]->queue));
	(void)pthread_mutex_unlock(&log->lock);
	return atomic_load_explicit(&log->lost, memory_order_relaxed);
}

int log_least_debuglevel(void)
{
	int least = INT_MAX;

	for (unsigned i = 0; i < LOG_N_IDS; i++)
		if (ids[i].severity == LOG_SEV_DEBUG && debug_level((enum log_id)i) < least)
			least = debug_level((enum log_id)i);
	return least;
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

const char *log_id_name(enum log_id id)
{
	return ids[id].name;
}

/* Replaces control characters: text of strangers must not make two lines of one. */
static void line_clean(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

/* "2026-11-20 12:00:00.123 " into out; the second is rendered when it changes. With lock. */
static void stamp_put(struct log *log, int64_t now, char out[STAMP_LEN])
{
	time_t sec = (time_t)(now / NS_PER_S);
	unsigned ms = (unsigned)(now % NS_PER_S / NS_PER_MS);
	struct tm tm;

	if (sec != log->stamp_sec || !log->stamp[0]) {
		(void)localtime_r(&sec, &tm);
		(void)strftime(log->stamp, sizeof(log->stamp), "%Y-%m-%d %H:%M:%S.", &tm);
		log->stamp_sec = sec;
	}
	memcpy(out, log->stamp, STAMP_LEN - 4);
	out[STAMP_LEN - 4] = (char)('0' + ms / 100);
	out[STAMP_LEN - 3] = (char)('0' + ms / 10 % 10);
	out[STAMP_LEN - 2] = (char)('0' + ms % 10);
	out[STAMP_LEN - 1] = ' ';
}

/* the daemon's own words (a refused reload) are few, and each is meant for somebody */
static bool repeats_limited(enum log_id id)
{
	return ids[id].severity >= LOG_SEV_WARN && ids[id].logger[0];
}

/* A fault must not flood the log. False: this line is held back. *ret_before: how many were. With
 * lock. */
static bool repeat_ok(struct log *log, enum log_id id, uint32_t *ret_before)
{
	struct repeats *r = &log->repeats[id];
	int64_t now = clock_mono_ns(&log->clock) / NS_PER_S;

	*ret_before = 0;
	if (!repeats_limited(id))
		return true;
	if (now != r->second) {
		*ret_before = atomic_exchange(&r->held_back, 0);
		r->written = 0;
		r->second = now;
	}
	if (r->written == LOG_REPEATS) {
		r->held_back++;
		return false;
	}
	r->written++;
	return true;
}

bool log_wants(struct log *log, enum log_id id)
{
	struct repeats *r;

	if (!log_on(log, id))
		return false;
	r = &log->repeats[id];
	if (!repeats_limited(id) || r->written < LOG_REPEATS ||
	    clock_mono_ns(&log->clock) / NS_PER_S != r->second)
		return true;
	(void)atomic_fetch_add_explicit(&r->held_back, 1, memory_order_relaxed);
	return false;
}

/* A message on its way to the sinks: its line in the default form, and the fields that patterns
 * need. */
struct message {
	enum log_id id;
	const char *line;
	size_t n, head; /* head: octets before the text */
	struct log_record record;
};

/* The line of a sink; *ret: its octets, in `buf` if it has a pattern. */
static size_t sink_line(struct sink *s, const struct message *m, char *buf, const char **ret)
{
	if (s->pattern) {
		*ret = buf;
		return log_pattern_line(s->pattern, &m->record, buf, LOG_LINE);
	}
	*ret = s->kind == LOG_SINK_SYSLOG ? m->line + STAMP_LEN : m->line;
	return (size_t)(m->line + m->n - *ret);
}

static bool sink_put(struct sink *s, const struct message *m, char *buf)
{
	struct sink *to = s->to ? s->to : s;
	uint8_t severity = ids[m->id].severity;
	int priority = s->kind == LOG_SINK_SYSLOG ? s->facility | syslog_severity(severity)
						  : severity;
	const char *line;
	size_t n = sink_line(s, m, buf, &line);

	if (to->queue)
		return log_queue_put(to->queue, (uint8_t)priority, line, n);
	return sink_write_queued(to, (uint8_t)priority, line, n);
}

static void sinks_write(struct log *log, const struct message *m, bool also_stdout)
{
	char buf[LOG_LINE] uninit;
	uint32_t on = log->on[m->id];

	for (size_t i = 0; i < log->n_sinks; i++)
		if (on & 1U << i && (also_stdout || log->sinks[i]->kind != LOG_SINK_STDOUT) &&
		    !sink_put(log->sinks[i], m, buf))
			(void)atomic_fetch_add(&log->lost, 1);
}

/* A line that is kept, in front of its octets. */
struct held_line {
	int64_t wall_ns;
	enum log_id id;
	size_t n, head;
};

enum { HELD_MAX = 1 << 20 };

/* With lock. */
static void hold_line(struct log *log, const struct message *m, int64_t now)
{
	struct held_line h = {now, m->id, m->n, m->head};

	if (log->held.len > HELD_MAX) {
		(void)atomic_fetch_add(&log->lost, 1);
		return;
	}
	buf_add(&log->held, &h, sizeof(h));
	buf_add(&log->held, m->line, m->n);
}

/* Completes a message and writes it. With lock. */
static void write_message(struct log *log, char line[LOG_LINE], struct message *m, int64_t now,
			  bool also_stdout)
{
	stamp_put(log, now, line);
	m->record = (struct log_record){
		.wall_ns = now,
		.since_start_ns = now - log->start_ns,
		.severity = severity_names[ids[m->id].severity],
		.logger = log->logger[m->id],
		.id = ids[m->id].name,
		.text = line + m->head,
		.text_len = m->n - m->head,
	};
	line[m->n++] = '\n';
	line[m->n] = '\0';
	sinks_write(log, m, also_stdout);
}

void log_hold(struct log *log)
{
	log->holding = true;
}

void log_forget(struct log *log)
{
	(void)pthread_mutex_lock(&log->lock);
	log->holding = false;
	buf_fini(&log->held);
	(void)pthread_mutex_unlock(&log->lock);
}

void log_release(struct log *log)
{
	char line[LOG_LINE] uninit;
	struct held_line h;

	(void)pthread_mutex_lock(&log->lock);
	for (size_t at = 0; !log->held.failed && at + sizeof(h) <= log->held.len;
	     at += sizeof(h) + h.n) {
		struct message m = {.line = line};

		memcpy(&h, log->held.p + at, sizeof(h));
		memcpy(line, log->held.p + at + sizeof(h), h.n);
		m.id = h.id;
		m.n = h.n;
		m.head = h.head;
		write_message(log, line, &m, h.wall_ns, false);
	}
	(void)pthread_mutex_unlock(&log->lock);
	log_forget(log);
}

void log_msg(struct log *log, enum log_id id, const char *fmt, ...)
{
	char line[LOG_LINE] uninit;
	struct message m = {.id = id,
			    .line = line,
			    .head = strlen(log ? log->head[id] : "") + STAMP_LEN};
	va_list ap;
	uint32_t before;

	if (!log_on(log, id) && !(log && log->holding))
		return;
	memcpy(line + STAMP_LEN, log->head[id], m.head - STAMP_LEN);
	va_start(ap, fmt);
	(void)vsnprintf(line + m.head, sizeof(line) - m.head - 64, fmt, ap);
	va_end(ap);
	line_clean(line + m.head);
	m.n = m.head + strlen(line + m.head);
	(void)pthread_mutex_lock(&log->lock);
	if (repeat_ok(log, id, &before)) {
		int64_t now = clock_wall_ns(&log->clock);

		if (before)
			m.n += (size_t)snprintf(line + m.n, LOG_LINE - m.n - 1,
						" (%u like it held back)", before);
		if (log->holding)
			hold_line(log, &m, now);
		write_message(log, line, &m, now, true);
	}
	(void)pthread_mutex_unlock(&log->lock);
}
