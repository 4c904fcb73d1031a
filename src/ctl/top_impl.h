/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For the views of top: their queries, two samples of the answers, and counters between them.
 */
#pragma once

#include "base/arena.h"
#include "ctl/frame.h"

#include <stdbool.h>
#include <stdint.h>

struct ctl_session;
struct json;

enum { TOP_QUERIES = 4, TOP_COUNTERS = 256 };

/* A command of a view. `instead` is sent to a program that does not know it; NULL: none. */
struct top_query {
	const char *command, *instead;
};

struct top_sample {
	struct arena arena;
	const struct json *answers[TOP_QUERIES]; /* NULL: none that is good */
	int64_t at_ns;				 /* monotonic; 0: no sample */
	bool reached;				 /* else error has the reason */
	char error[640];
};

struct top {
	struct ctl_session *session;
	const struct top_view *view;
	struct top_sample samples[2];
	struct top_sample *now, *before;
	bool instead[TOP_QUERIES]; /* the program lacks the command of the query */
	struct arena kept;	   /* of answers that seldom change */
	char version[64];	   /* of the program; "": unknown */
	const struct json *config; /* NULL: unknown */
	int64_t reloaded;	   /* seconds since the last reload, at the last view; -1: none */
};

struct top_view {
	struct top_query queries[TOP_QUERIES]; /* command NULL: the end */
	/* NULL, or called behind each sample: sends the commands that are seldom needed. */
	void (*prepare)(struct top *t);
	void (*draw)(struct top *t, struct ctl_frame *f);
};

/* A counter. rate: each second; negative: unknown. */
struct top_counter {
	const char *name;
	int64_t total;
	double rate;
};

extern const struct top_view top_view_server, top_view_client, top_view_gate;

/* Returns the arguments of the answer to query i, now; NULL: none. */
const struct json *top_answer(const struct top *t, size_t i);
/* Returns the arguments of the answer to query i in the sample before. */
const struct json *top_answer_before(const struct top *t, size_t i);
/* Sends a command outside of the samples. Returns its answer, in the arena t->kept; NULL: none that
 * is good. */
const struct json *top_ask(struct top *t, const char *command);
/* Sends a command that not every view needs. Its answer becomes that to query i of the present
 * sample. A program that does not know the command is not asked again. */
void top_ask_more(struct top *t, size_t i, const char *command);
/* Returns the seconds of processor time of a worker in a text of metrics; -1: it has none. */
double top_busy_seconds(const char *metrics, unsigned worker);
/* Returns the number of a member: an integer, or the newest sample of a statistic; 0: absent. */
int64_t top_number(const struct json *map, const char *name);
/* Reads the counter `name` in the two maps. before: NULL, the rate is unknown. */
struct top_counter top_count(const struct top *t, const struct json *now, const struct json *before,
			     const char *name);
/* Writes a rate in eight columns: "12.3", or "-" for an unknown one. */
const char *top_rate_text(double rate, char out[24]);
/* Writes a duration: "3 d 04:05:06". */
const char *top_duration(int64_t seconds, char out[40]);
/*
 * Appends the counters of a map that have the prefix and are not 0, the greatest
 * first, at most `max`, each with its sentence.
 */
void top_draw_drops(struct top *t, const struct json *now, const struct json *before,
		    const char *prefix, size_t max, struct ctl_frame *f);
