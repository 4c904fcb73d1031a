/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Buffers in Lua: Haka's vbuffer, vbuffer_sub and vbuffer_iterator, over any holder of octets. A
 * backend gives the present octets and replaces some by others; all methods are written
 * once, on top of it. Scripts make buffers in memory of their state; a host pushes those of its own
 * (a packet, the data of a stream).
 *
 * Positions are counted in the buffer: they continue where octets are released at the front. A
 * change of length moves the octets behind it: handles follow, by a log of changes that each reads
 * when it is used. A handle between octets that were erased is invalid and raises an error. Octets
 * inserted at an end of a sub belong to the sub; an iterator stays before octets that others
 * insert, and moves behind those that it inserts itself.
 *
 * All functions but the first four may raise (class.h). One thread.
 */
#pragma once

#include "script/state/class.h"

struct script_buffer;
struct script_change;
struct script_mark;

struct script_buffer_ops {
	/* The octets that are there now: NULL, with b->base the position of the first; or why there
	 * are none ("of a packet that is gone"). */
	const char *(*octets)(struct script_buffer *b, struct span *ret);
	/* n octets at off of those become others. idx: a handle of the buffer. 0, -EROFS, -EPERM
	 * (its length may not change), -ERANGE, -EMSGSIZE, -USHER_E_LIMIT. `with` does not lie in
	 * the buffer. */
	int (*replace)(lua_State *L, int idx, struct script_buffer *b, size_t off, size_t n,
		       struct span with);
};

struct script_buffer {
	const struct script_buffer_ops *ops;
	struct script *script;
	void *ctx;		    /* the backend's */
	const uint32_t *generation; /* of its handles (script_push); NULL: they keep it alive */
	uint64_t base;		    /* position of the first octet that is there */
	bool finished;		    /* no more will come behind its end */
	bool read_only;
	bool modified;
	bool logs; /* the backend itself calls script_buffer_changed() */
	bool full; /* no more can be held back */
	uint32_t marks_n, marks_cap, mark_id;
	struct script_mark *marks;
	uint32_t log_n, log_cap;
	struct script_change *log;
	uint64_t seq; /* changes ever made */
};

enum { SCRIPT_BUFFER_LOG = 4096, SCRIPT_BUFFER_MARKS = 1024 };

/* Makes a buffer of a host's; generation as above. */
void script_buffer_init(struct script_buffer *b, struct script *s,
			const struct script_buffer_ops *ops, void *ctx, const uint32_t *generation);
/* Makes a buffer new, because another object is in its place. All handles must be void by their
 * generation. */
void script_buffer_reset(struct script_buffer *b);
/* Frees log and marks. */
void script_buffer_fini(struct script_buffer *b);
/* Called when octets [at, at + gone) became `came` others: handles and marks follow. */
void script_buffer_changed(struct script_buffer *b, uint64_t at, uint64_t gone, uint64_t came);
/* Returns the position at which held octets begin; UINT64_MAX: none are held. */
uint64_t script_buffer_held(const struct script_buffer *b);

/* Octets [from, to) of a buffer; `to` may be SCRIPT_BUFFER_END, which is wherever it ends. */
#define SCRIPT_BUFFER_END UINT64_MAX

struct script_sub {
	struct script_buffer *buffer;
	uint64_t from, to;
	uint64_t seq; /* of the buffer, when these were right */
	bool gone;
	bool narrow; /* octets that others insert at an end do not belong to it */
};

struct script_iter {
	struct script_buffer *buffer;
	uint64_t at, end; /* it goes no further than there; SCRIPT_BUFFER_END: than the buffer */
	uint64_t seq;
	uint64_t meter;	     /* octets it advanced */
	uint64_t hold_meter; /* where octets held for regexp:match begin */
	bool waits;	     /* in a coroutine: its place may change, but is never gone */
	bool behind;	     /* octets that others insert at its position come before it */
	uint32_t mark, hold; /* numbers of marks; 0: none */
	bool gone;
};

extern const struct script_class script_class_vbuffer, script_class_sub, script_class_iter,
	script_class_blocking;

/* Pushes the whole of a buffer from `from` on, a part of it, or an iterator at a position. `of`: a
 * handle of that buffer on the stack, which keeps it alive; 0: the host does. */
void script_push_vbuffer(lua_State *L, int of, struct script_buffer *b, uint64_t from, uint64_t to);
void script_push_sub(lua_State *L, int of, struct script_buffer *b, uint64_t from, uint64_t to);
void script_push_iter(lua_State *L, int of, struct script_buffer *b, uint64_t at, uint64_t end,
		      bool blocking);
/* Pushes a buffer in the state's memory. `with` is copied; with.p may be NULL: octets of value 0.
 */
void script_push_memory(lua_State *L, struct span with);
/* Returns whether the buffer was made by script_push_memory(). */
bool script_buffer_is_memory(const struct script_buffer *b);

/* Returns the octets of a vbuffer or vbuffer_sub, as they are now. */
struct span script_sub_octets(lua_State *L, struct script_sub *sub, const char *what);
/* Returns the octets of an argument that is text, or a vbuffer or vbuffer_sub. They are void after
 * the next change. */
struct span script_check_octets(lua_State *L, int idx, const char *what);
/* Returns the octets from an iterator's position to its end, or to the end of the buffer. */
struct span script_iter_octets(lua_State *L, struct script_iter *it, const char *what);
/* Replaces n octets at off of a sub by others; idx is its handle. */
void script_sub_replace(lua_State *L, int idx, struct script_sub *sub, size_t off, size_t n,
			struct span with, const char *what);
/* Returns whether no more octets can arrive behind the position of the iterator. */
bool script_iter_ended(lua_State *L, struct script_iter *it);
