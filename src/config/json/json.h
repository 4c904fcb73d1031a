/* SPDX-License-Identifier: MPL-2.0 */
/*
 * JSON with a position on every node, in Kea's dialect: comments of three styles (#, //,
 * slash-star), includes, a trailing comma with a warning. Duplicate keys are errors. Depth and size
 * are bounded. Nodes live in an arena and are immutable once parsed; builders are for answers and
 * dumps. Used for configuration files and for control requests (strict, without includes).
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

enum json_type { JSON_NULL, JSON_BOOL, JSON_INT, JSON_REAL, JSON_STRING, JSON_LIST, JSON_MAP };

struct json_pos {
	const char *file;   /* "" for a request */
	uint32_t line, col; /* from 1; col counts octets */
};

struct json {
	enum json_type type;
	bool refused;	 /* stands in for a refused value: problems with it are not reported */
	bool incomplete; /* a list or map of which a part is in an include that could not be read */
	struct json_pos pos; /* of the value */
	struct json_pos key_pos;
	const char *key; /* in a map; NULL elsewhere */
	union {
		bool b;
		int64_t i;
		double r;
		struct {
			const char *s; /* NUL ended, none inside */
			size_t n;
		};
		struct {
			struct json *first, *last;
			size_t count;
		};
	};
	struct json *next; /* sibling */
};

/* An error: its place, and the found and expected text. */
struct config_error {
	struct json_pos
		pos;	/* line 0: no position. pos.file is "": the tree may be gone, see file */
	char file[256]; /* the file's name (its end, if it is longer); "" : none */
	char text[512];
};

/* Writes "file:line:col: text", or just the text without a position. */
void config_error_text(const struct config_error *e, struct buf *out);
/* Fills e; returns result, so that callers can `return config_error_set(...)`. */
int config_error_set(struct config_error *e, const struct json_pos *pos, int result,
		     const char *fmt, ...) printf_like(4, 5);

struct json_opts {
	const char *file;      /* name for positions; includes are relative to its directory */
	bool dialect;	       /* comments, includes, trailing commas, Kea's spellings of numbers */
	bool no_include;       /* the dialect without includes (control requests) */
	bool comments;	       /* comments only (control requests, as Kea's) */
	unsigned max_depth;    /* 0: 64 */
	uint32_t pipe_wait_ms; /* the longest time that a FIFO may take to be read to its end; 0:
				  any */
	/* NULL, or asked while a FIFO is being read: true ends the parse with -ECANCELED. */
	bool (*ended)(void *ctx);
	void (*warn)(void *ctx, const struct config_error *w);
	/*
	 * Called for an error that the parser can step over; parsing continues, and the caller
	 * counts. NULL: the first error ends the parse.
	 */
	void (*problem)(void *ctx, const struct config_error *e);
	void *ctx;
};

enum { JSON_MAX_DEPTH = 64, JSON_MAX_INCLUDES = 10 };

/* Parses a text. 0 and a tree (with stand-ins where a problem was reported); -USHER_E_SYNTAX,
 * -USHER_E_DEPTH, -USHER_E_EXISTS (duplicate key), -errno. */
int json_parse(struct span text, const struct json_opts *o, struct arena *arena, struct json **ret,
	       struct config_error *err) must_check;
int json_parse_file(const char *path, const struct json_opts *o, struct arena *arena,
		    struct json **ret, struct config_error *err) must_check;

const char *json_type_name(enum json_type t); /* "a map", "an integer", ... */
struct json *json_get(const struct json *map,
		      const char *key); /* NULL: not a map, or no such key */
const char *json_get_str(const struct json *map, const char *key); /* NULL: absent or no string */
bool json_get_int(const struct json *map, const char *key, int64_t *ret);
bool json_get_bool(const struct json *map, const char *key, bool *ret);

/* Builders. They report no failure: NULL in (memory out) gives NULL out. Strings are copied. */
struct json *json_map(struct arena *a);
struct json *json_list(struct arena *a);
struct json *json_int(struct arena *a, int64_t v);
struct json *json_real(struct arena *a, double v);
struct json *json_bool(struct arena *a, bool v);
struct json *json_str(struct arena *a, const char *s);
struct json *json_strn(struct arena *a, const char *s, size_t n);
struct json *json_printf(struct arena *a, const char *fmt, ...) printf_like(2, 3);
/* Appends v to a list, or to a map under key (copied). Returns v. */
struct json *json_add(struct arena *a, struct json *to, const char *key, struct json *v);
/* Appends v, whose key is set already, to a list or a map. */
void json_append(struct json *to, struct json *v);
/* Removes a member of a map, which may lack it. */
void json_remove(struct json *map, const char *key);
/* Removes a member of a map or a list. */
void json_unlink(struct json *parent, const struct json *member);
/* Replaces or adds a member of a map, as its last one. Returns v. */
struct json *json_set(struct arena *a, struct json *map, const char *key, struct json *v);
struct json *json_copy(struct arena *a, const struct json *v);
/* Returns a copy of a map without one member; an empty map if it is no map. NULL: memory is out. */
struct json *json_copy_without(struct arena *a, const struct json *map, const char *key);

/* Writes the text of a tree: compact, or indented by two spaces a level. Escapes control
 * characters, keeps UTF-8. */
void json_write(const struct json *v, bool pretty, struct buf *out);
/* Appends the text in one line with blanks as Kea writes its answers, which scripts search for
 * '"result": 0'. */
void json_write_spaced(const struct json *v, struct buf *out);
/* Returns whether two trees have equal texts, or are both NULL. False when memory is out. */
bool json_equal(const struct json *a, const struct json *b);
