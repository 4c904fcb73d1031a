/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Inside the regular expressions: memory of the state, and the engine of sets that was built in
 * (regexp_vectorscan.c or regexp_noscan.c).
 */
#pragma once

#include "script/regexp/regexp.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct regexp_lib {
	struct script *s;
	pcre2_general_context *general;
	pcre2_compile_context *compile;
	pcre2_match_context *match;
	pcre2_match_data *data;
	pcre2_jit_stack *stack;
	unsigned n_patterns;
};

/* Allocates accounted memory: NULL when the state's limit is reached. */
void *regexp_alloc(struct regexp_lib *lib, size_t n);
void regexp_release(struct regexp_lib *lib, void *p);
void regexp_lib_free(struct regexp_lib *lib);
/* Translates "%d" to "\d", into `out`, which has room for the pattern's length. Returns the length.
 */
size_t regexp_translate(struct span pattern, char *out);

/* Matches the sub or iterator at idx, which is moved. Returns the number of results for Lua; -1: it
 * is neither. */
int regexp_match_buffer(lua_State *L, const struct regexp *re, int idx, bool createsub);
/* Feeds the next piece of the iterator at idx, which waits. *seq: changes of its buffer that the
 * sink knows. Pushes the result; true: it is final. */
bool regexp_step(lua_State *L, int idx, struct regexp_sink *k, uint64_t *seq, bool createsub);

/* Estimates the states of an automaton for a pattern, translated or not: atoms, times their
 * repetitions; at most 2^20. */
size_t regexp_weight(const char *pattern);

/* An engine that scans for many patterns at once. Patterns are translated, ended by NUL. */
struct scan;
struct scan_stream;
/* Returns whether the engine accepts this pattern. */
bool scan_takes(const char *pattern, unsigned options);
/* Compiles patterns for the engine: a hit of patterns[i] is reported as ids[i]. NULL: the engine
 * cannot. */
struct scan *scan_new(const char *const *patterns, const unsigned *ids, unsigned n,
		      unsigned options);
void scan_free(struct scan *s);
int scan_block(struct scan *s, struct span subject, bool *hits);
struct scan_stream *scan_open(struct scan *s);
int scan_feed(struct scan_stream *st, struct span piece, bool eof, bool *hits);
void scan_close(struct scan_stream *st);

void script_open_regexp_kinds(lua_State *L);
/* Opens the module regexp/pcre. */
int script_open_regexp(lua_State *L);
