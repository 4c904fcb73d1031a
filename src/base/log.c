/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Log lines to stdout, stderr, syslog and files. One mutex keeps lines whole and is held during no
 * write: each sink has a queue and a thread of its own (log_queue.h) after log_start_threads().
 * Without threads, a sink that is not ready (by poll) loses the line. Lost lines are counted.
 * route[id] is the rule of each message, computed when configured, so log_on() is one load.
 */
#include "base/log.h"

#include "base/cleanup.h"
#include "base/log_pattern.h"
#include "base/log_sink.h"
#include "base/log_tail.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* STAMP_LEN: "2026-11-20 12:00:00.123 " */
enum { STAMP_LEN = 24, HEAD_LEN = 128, LOG_LINE = 4096, LOG_REPEATS = 50 };

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
	_Atomic bool debugs;		/* any of them has severity DEBUG */
	struct log_sink *sinks[LOG_MAX_SINKS];
	size_t n_sinks;
	bool threaded;
	_Atomic bool holding;
	_Atomic bool own_only; /* only lines of holder that no output wants */
	_Atomic pthread_t holder;
	struct buf held; /* under lock, see log_tail.h */
	_Atomic uint64_t lost;
	struct log_tail *tail;		  /* under lock; NULL: none */
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

static const char *const severity_names[] = {"DEBUG", "INFO", "WARN", "ERROR", "FATAL", "NONE"};

/* The messages about the daemon itself, which Kea logs as "kea-dhcp4.dhcp4". */
static const char own_logger[] = "dhcp4";

/* Returns whether a rule for `rule` ("kea-dhcp4.leases") covers the logger "<root>.<name>". */
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

static bool is_routed(const struct route *r, enum log_id id)
{
	if (ids[id].severity < r->severity)
		return false;
	return ids[id].severity != LOG_SEV_DEBUG || log_debuglevel(id) <= r->debuglevel;
}

int log_configure(struct log *log, const struct log_rule *rules, size_t n, bool debug)
{
	static const struct log_output standard = {.kind = LOG_SINK_STDOUT};
	struct log_sink *fresh[LOG_MAX_SINKS];
	struct log_sink *old[LOG_MAX_SINKS];
	struct route routes[LOG_N_IDS];
	uint16_t rule_sinks[LOG_MAX_RULES] = {0};
	size_t n_fresh = 0, n_old;
	bool debugs = false;
	int r;

	if (n > ARRAY_LEN(rule_sinks))
		return -E2BIG;
	r = log_sink_add(fresh, &n_fresh,
			 &standard); /* sink 0 is always stdout: the default and -d */
	for (size_t i = 0; i < n && r >= 0; i++) {
		for (size_t j = 0; j < rules[i].n_outputs && r >= 0; j++) {
			r = log_sink_add(fresh, &n_fresh, &rules[i].outputs[j]);
			if (r >= 0)
				rule_sinks[i] |= (uint16_t)(1U << r);
		}
	}
	if (r < 0) {
		log_sinks_close(fresh, n_fresh);
		return r;
	}
	if (log->threaded)
		log_sinks_start(fresh, n_fresh);
	log_sinks_open(fresh, n_fresh, rule_sinks, n);
	route_ids(log->root, routes, rules, n, rule_sinks, debug);
	(void)pthread_mutex_lock(&log->lock);
	memcpy(old, log->sinks, sizeof(old));
	n_old = log->n_sinks;
	memcpy(log->sinks, fresh, n_fresh * sizeof(fresh[0]));
	log->n_sinks = n_fresh;
	for (size_t id = 0; id < LOG_N_IDS; id++) {
		log->on[id] = is_routed(&routes[id], (enum log_id)id) ? routes[id].sinks : 0;
		debugs |= log->on[id] && ids[id].severity == LOG_SEV_DEBUG;
	}
	log->debugs = debugs;
	(void)pthread_mutex_unlock(&log->lock);
	log_sinks_close(old, n_old);
	return 0;
}

void log_start_threads(struct log *log)
{
	(void)pthread_mutex_lock(&log->lock);
	log->threaded = true;
	log_sinks_start(log->sinks, log->n_sinks);
	(void)pthread_mutex_unlock(&log->lock);
}

/* Makes the fixed text behind the time in the lines of each id. */
static void make_heads(struct log *log)
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
	make_heads(log);
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
	log_sinks_close(log->sinks, log->n_sinks);
	buf_fini(&log->held);
	(void)pthread_mutex_destroy(&log->lock);
	free(log);
}

void log_reopen(struct log *log)
{
	(void)pthread_mutex_lock(&log->lock);
	for (size_t i = 0; i < log->n_sinks; i++)
		log_sink_reopen(log->sinks[i]);
	(void)pthread_mutex_unlock(&log->lock);
}

/* Works without the lock, which every logging thread takes: only the caller's thread changes the
 * list of sinks. */
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

bool log_debugs(const struct log *log)
{
	return log && atomic_load_explicit(&log->debugs, memory_order_relaxed);
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

/* Replaces control characters: text from strangers must not split a line in two. */
static void clean_line(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

/* Writes "2026-11-20 12:00:00.123 " to out; the text of the second is rendered when it changes.
 * Called with the lock. */
static void write_stamp(struct log *log, int64_t now, char out[STAMP_LEN])
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

/* Returns whether repetitions of a message are limited. The daemon's own messages (a refused
 * reload) are few, and each is meant for somebody. */
static bool is_limited(enum log_id id)
{
	return ids[id].severity >= LOG_SEV_WARN && ids[id].logger[0];
}

/* Checks whether a message may be written: a fault must not flood the log. False: this line is held
 * back. *ret_before: the number held back before it. Called with the lock. */
static bool may_repeat(struct log *log, enum log_id id, uint32_t *ret_before)
{
	struct repeats *r = &log->repeats[id];
	int64_t now = clock_mono_ns(&log->clock) / NS_PER_S;

	*ret_before = 0;
	if (!is_limited(id))
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
	if (!is_limited(id) || r->written < LOG_REPEATS ||
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

/* Formats the line of a sink. Returns its length; *ret: its octets, in `buf` if the sink has a
 * pattern. */
static size_t format_line(struct log_sink *s, const struct message *m, char *buf, const char **ret)
{
	if (s->pattern) {
		*ret = buf;
		return log_pattern_line(s->pattern, &m->record, buf, LOG_LINE);
	}
	*ret = s->kind == LOG_SINK_SYSLOG ? m->line + STAMP_LEN : m->line;
	return (size_t)(m->line + m->n - *ret);
}

static bool put_line(struct log_sink *s, const struct message *m, char *buf)
{
	struct log_sink *to = s->to ? s->to : s;
	uint8_t severity = ids[m->id].severity;
	int priority = s->kind == LOG_SINK_SYSLOG ? s->facility | log_sink_priority(severity)
						  : severity;
	const char *line;
	size_t n = format_line(s, m, buf, &line);

	if (to->queue)
		return log_queue_put(to->queue, (uint8_t)priority, line, n);
	return log_sink_write(to, (uint8_t)priority, line, n);
}

static void write_to_sinks(struct log *log, const struct message *m, bool also_stdout)
{
	char buf[LOG_LINE] uninit;
	uint32_t on = log->on[m->id];

	for (size_t i = 0; i < log->n_sinks; i++)
		if (on & 1U << i && (also_stdout || log->sinks[i]->kind != LOG_SINK_STDOUT) &&
		    !put_line(log->sinks[i], m, buf))
			(void)atomic_fetch_add(&log->lost, 1);
}

/* Returns whether a line is kept until log_release() or log_forget(). */
static bool keeps_line(const struct log *log, enum log_id id)
{
	return log->holding &&
	       (!log->own_only || (!log_on(log, id) && pthread_equal(log->holder, pthread_self())));
}

/* Keeps a line. Called with the lock. */
static void hold_line(struct log *log, const struct message *m, int64_t now)
{
	struct held_line h = {now, m->id, m->n, m->head, log_on(log, m->id)};

	if (!log_held_add(&log->held, &h, m->line))
		(void)atomic_fetch_add(&log->lost, 1);
}

/* Completes a message and writes it. kept: it will be written again when it is released. Called
 * with the lock. */
static void write_message(struct log *log, char line[LOG_LINE], struct message *m, int64_t now,
			  bool also_stdout, bool kept)
{
	write_stamp(log, now, line);
	m->record = (struct log_record){
		.wall_ns = now,
		.since_start_ns = now - log->start_ns,
		.severity = severity_names[ids[m->id].severity],
		.logger = log->logger[m->id],
		.id = ids[m->id].name,
		.text = line + m->head,
		.text_len = m->n - m->head,
	};
	if (log->tail && !kept && log_on(log, m->id))
		log_tail_add(log->tail, line, m->n);
	line[m->n++] = '\n';
	line[m->n] = '\0';
	write_to_sinks(log, m, also_stdout);
}

void log_set_tail(struct log *log, struct log_tail *t)
{
	(void)pthread_mutex_lock(&log->lock);
	log->tail = t;
	(void)pthread_mutex_unlock(&log->lock);
}

void log_hold(struct log *log)
{
	log->own_only = false;
	log->holding = true;
}

void log_hold_own(struct log *log)
{
	log->own_only = true;
	log->holder = pthread_self();
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
	size_t at = 0;

	(void)pthread_mutex_lock(&log->lock);
	log->holding = false;
	while (log_held_next(&log->held, &at, &h, line)) {
		struct message m = {.id = h.id, .line = line, .n = h.n, .head = h.head};

		write_message(log, line, &m, h.wall_ns, !h.shown, false);
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
	bool kept;

	if (!log_on(log, id) && (!log || !keeps_line(log, id)))
		return;
	memcpy(line + STAMP_LEN, log->head[id], m.head - STAMP_LEN);
	va_start(ap, fmt);
	(void)vsnprintf(line + m.head, sizeof(line) - m.head - 64, fmt, ap);
	va_end(ap);
	clean_line(line + m.head);
	m.n = m.head + strlen(line + m.head);
	(void)pthread_mutex_lock(&log->lock);
	if (may_repeat(log, id, &before)) {
		int64_t now = clock_wall_ns(&log->clock);

		if (before)
			m.n += (size_t)snprintf(line + m.n, LOG_LINE - m.n - 1,
						" (%u like it held back)", before);
		kept = keeps_line(log, id);
		if (kept)
			hold_line(log, &m, now);
		write_message(log, line, &m, now, true, kept);
	}
	(void)pthread_mutex_unlock(&log->lock);
}
