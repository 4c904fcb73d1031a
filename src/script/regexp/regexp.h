/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Regular expressions on PCRE2, with '%' as a second escape character ("%d" is "\d", "%%" a '%'),
 * and with bounds: on steps, depth and heap of a match, and on memory, which is the state's. JIT
 * where the system allows it.
 *
 * A sink matches a stream piece by piece: it keeps the octets that a match that has
 * begun, or a look-behind, may still need. A set matches many patterns at once (Vectorscan, if
 * built with it). No function here raises but script_regexp_*().
 */
#pragma once

#include "script/state/script.h"

struct regexp_lib; /* of one state */
struct regexp;
struct regexp_set;

enum { REGEXP_CASE_INSENSITIVE = 1, REGEXP_EXTENDED = 2 };

enum {
	REGEXP_STEPS = 1000 * 1000,   /* of one match */
	REGEXP_PATTERN_MAX = 65536,   /* octets */
	REGEXP_PATTERNS_MAX = 20000,  /* compiled, of a state */
	REGEXP_TAIL_MAX = 256 * 1024, /* octets a sink keeps */
};

struct regexp_error {
	size_t offset; /* in the pattern */
	char text[160];
};

/* Octets of the subject or stream: from first to before last. */
struct regexp_result {
	uint64_t first, last;
};

struct regexp_lib *regexp_lib_of(struct script *s);
/* Compiles a pattern. 0, -USHER_E_SYNTAX with *err, -USHER_E_LIMIT, -ENOMEM. */
int regexp_compile(struct regexp_lib *lib, struct span pattern, unsigned options,
		   struct regexp **ret, struct regexp_error *err) must_check;
void regexp_free(struct regexp *re);
/* Searches `subject` from octet `from` on. Returns 1 and *ret, 0, or -USHER_E_LIMIT: more than
 * `steps` (0: REGEXP_STEPS) were needed; -ENOMEM. */
int regexp_match(const struct regexp *re, struct span subject, size_t from, uint32_t steps,
		 struct regexp_result *ret) must_check;

struct regexp_sink {
	const struct regexp *re; /* borrowed; fini does without */
	struct regexp_lib *lib;
	uint8_t *tail; /* octets that may still be needed */
	size_t len, cap;
	size_t from;	/* where in tail the search continues */
	uint64_t base;	/* where in the stream tail begins */
	bool partial;	/* a match may have begun */
	bool truncated; /* a match that had begun was given up: it was longer than REGEXP_TAIL_MAX
			 */
};

void regexp_sink_init(struct regexp_sink *k, const struct regexp *re);
void regexp_sink_fini(struct regexp_sink *k);
/* Feeds a piece of the stream, and returns the next match, if there is one by now: results of
 * regexp_match(). eof: no more octets will arrive. */
int regexp_feed(struct regexp_sink *k, struct span piece, bool eof, uint32_t steps,
		struct regexp_result *ret) must_check;

/* Compiles many patterns, which are searched at once. loop: PCRE2 one after another, also when
 * Vectorscan is built in. err->offset is of pattern *ret_which. */
int regexp_set_new(struct regexp_lib *lib, const struct span *patterns, size_t n, unsigned options,
		   bool loop, struct regexp_set **ret, struct regexp_error *err, size_t *ret_which)
	must_check;
void regexp_set_free(struct regexp_set *set);
size_t regexp_set_size(const struct regexp_set *set);
/*
 * Sets hits[i] for each pattern that matches. Returns how many were set that were not before,
 * -USHER_E_LIMIT, -ENOMEM.
 */
int regexp_set_match(struct regexp_set *set, struct span subject, uint32_t steps, bool *hits)
	must_check;
struct regexp_set_sink;
int regexp_set_sink_new(struct regexp_set *set, struct regexp_set_sink **ret) must_check;
void regexp_set_sink_free(struct regexp_set_sink *k);
size_t regexp_set_sink_size(const struct regexp_set_sink *k);
/* Feeds a piece of the stream: results of regexp_set_match(), but `hits` are only the new ones. */
int regexp_set_feed(struct regexp_set_sink *k, struct span piece, bool eof, uint32_t steps,
		    bool *hits) must_check;
/* Returns "vectorscan" or "pcre2". */
const char *regexp_set_engine(const struct regexp_set *set);

/* Turns a negative result into a raised error; charges for a match over n octets. */
void script_regexp_charge(lua_State *L, size_t n, int result);
/* Returns how many steps a match may take now. */
uint32_t script_regexp_steps(lua_State *L);
