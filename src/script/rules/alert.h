/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Alerts: the fields of haka.alert{} and alert:update{}, checked and in C, and the sinks of a host
 * that take them. An alert is borrowed for the call of the sink. C code (the guard) may raise
 * alerts too.
 */
#pragma once

#include "script/state/script.h"

#include "base/buf.h"

enum alert_level { ALERT_LEVEL_NONE, ALERT_LOW, ALERT_MEDIUM, ALERT_HIGH, ALERT_NUMBER };
enum alert_completion { ALERT_COMPLETION_NONE, ALERT_FAILED, ALERT_SUCCESSFUL };

/* One of the sources or targets: addresses, or services, of one node. */
struct alert_node {
	bool service;
	const struct span *values;
	size_t n;
};

struct script_alert {
	uint64_t id;
	bool update; /* of the alert of this id: only the fields that are set count */
	int64_t time_ns;
	bool has_start, has_end;
	int64_t start_ns, end_ns;
	enum alert_level severity;
	enum alert_level confidence;
	double confidence_number; /* of ALERT_NUMBER */
	enum alert_completion completion;
	struct span description;	/* empty: none */
	struct span method;		/* its description */
	const struct span *method_refs; /* "cve:2013-1", "http://…" */
	size_t n_method_refs;
	const struct alert_node *sources;
	size_t n_sources;
	const struct alert_node *targets;
	size_t n_targets;
	const uint64_t *refs; /* other alerts */
	size_t n_refs;
};

struct script_alert_sink {
	void (*write)(void *ctx, const struct script_alert *a); /* must not raise */
	void *ctx;
};

enum { SCRIPT_ALERT_SINKS = 8 };

/* Adds a sink of alerts. Without a sink alerts are logged, one line each. 0, or -USHER_E_LIMIT. */
int script_alert_sink(struct script *s, const struct script_alert_sink *sink) must_check;
/* Pushes a node of an alert: haka.alert.address(text), or haka.alert.service(text). */
void script_push_alert_node(lua_State *L, bool service, const char *text);
/* Raises an alert from C; id 0 gets a new one. Returns its id. */
uint64_t script_alert(struct script *s, const struct script_alert *a);
/* Returns how many alerts were raised, updates included. */
uint64_t script_alerts(const struct script *s);

enum alert_format { ALERT_PRETTY, ALERT_ONELINE, ALERT_JSON };

/* Writes the text of an alert, its last line ended. Control characters in values are escaped. */
void alert_text(const struct script_alert *a, enum alert_format format, struct buf *out);

/*
 * A file of alerts that several states (threads) may share: each alert is one write. path NULL:
 * stdout. 0, or -errno.
 */
struct alert_file;
int alert_file_open(const char *path, enum alert_format format, struct alert_file **ret) must_check;
/* Opens it again, after a rotation from outside. 0, or -errno, and the old one stays. */
int alert_file_reopen(struct alert_file *f) must_check;
void alert_file_close(struct alert_file *f);
/* Returns how many alerts could not be written. */
uint64_t alert_file_lost(const struct alert_file *f);
struct script_alert_sink alert_file_sink(struct alert_file *f);
/* Returns the sink that writes to syslog: facility local0, one line each. */
struct script_alert_sink alert_syslog_sink(void);
