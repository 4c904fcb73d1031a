/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Writes the text that Prometheus reads: its own format 0.0.4, or OpenMetrics 1.0.0. A family is
 * begun once, and all its samples follow. Values are integers, or times and ratios with a fixed
 * number of decimals: no floating point.
 *
 * Labels are prepared once as octets of the text (metrics_label) and may be used for many samples.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buckets_shape;
struct buckets_sum;
struct buf;

enum metrics_form { METRICS_TEXT, METRICS_OPENMETRICS };
enum metrics_type { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

struct metrics_family {
	const char *name; /* of its samples: that of a counter ends in _total */
	enum metrics_type type;
	const char *unit; /* the last word of the name, such as "seconds"; "": none */
	const char *help;
};

struct metrics {
	struct buf *out;
	enum metrics_form form;
	bool in_json; /* the text is the inside of a JSON string */
	const struct metrics_family *family;
	size_t name_len; /* of the family */
	size_t samples;	 /* written so far, of all families */
};

/* Returns the value of Content-Type. */
const char *metrics_content_type(enum metrics_form form);
/* Returns the form that the value of an Accept header prefers; METRICS_TEXT without a header (NULL)
 * and where both are equal. RFC 9110 12.5.1. */
enum metrics_form metrics_form_of(const char *accept);
/* Reads the argument `format` of the command metrics-get: "text", "openmetrics", or NULL, which is
 * "text". False: it is neither. */
bool metrics_form_parse(const char *name, enum metrics_form *ret);

/* Begins a family, which is borrowed until the next one begins: writes HELP, TYPE and UNIT. */
void metrics_begin(struct metrics *m, const struct metrics_family *f);
/* Appends a label to `labels`. Control characters, and octets that are not UTF-8, become '?'. */
void metrics_label(const struct metrics *m, struct buf *labels, const char *name,
		   const char *value);
/* Writes a sample of the family. labels: prepared by metrics_label(), or empty. */
void metrics_value(struct metrics *m, struct span labels, uint64_t v);
/* Writes a sample with one label. */
void metrics_labelled(struct metrics *m, const char *label, const char *value, uint64_t v);
/* Writes a number of nanoseconds as seconds. */
void metrics_seconds(struct metrics *m, struct span labels, int64_t ns);
/* Writes part / whole with six decimals; 0 where whole is 0. */
void metrics_ratio(struct metrics *m, struct span labels, uint64_t part, uint64_t whole);
/* Writes a histogram. seconds: its values are nanoseconds, and are written as seconds. */
void metrics_histogram(struct metrics *m, struct span labels, const struct buckets_shape *shape,
		       const struct buckets_sum *b, bool seconds);
/* Ends the text. */
void metrics_end(struct metrics *m);

/* Writes the families process_* of this process, with the names of Prometheus' own libraries.
 * started_ns: its start on the wall clock. */
void metrics_process(struct metrics *m, int64_t started_ns);

/* Writes the part of the answer of metrics-get before the text, which is the string `metrics` of
 * its arguments. The function below writes the part behind it. */
void metrics_answer_begin(const struct metrics *m);
void metrics_answer_end(const struct metrics *m);
