/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Declarations that the files of buffers share.
 */
#pragma once

#include "script/buffer/buffer.h"
#include "script/state/script_impl.h"

#include <lauxlib.h>

/* Replaces n octets at off by others; idx: a handle of the buffer. Charges; raises with
 * `what`. */
void buffer_replace(lua_State *L, int idx, struct script_buffer *b, size_t off, size_t n,
		    struct span with, const char *what);
/* Returns the octets of the buffer, or raises. */
struct span buffer_octets(lua_State *L, struct script_buffer *b, const char *what);
/* Holds octets back from a position on, for the coroutine that asks. Returns the mark's number. */
uint32_t buffer_mark(lua_State *L, struct script_buffer *b, uint64_t at);
void buffer_unmark(struct script_buffer *b, uint32_t id);
/* Removes the mark by which an iterator holds octets back, if it has one. */
void buffer_unhold(struct script_iter *it);
/* Returns the position of a mark; 0: there is none of that number. */
uint64_t buffer_mark_at(const struct script_buffer *b, uint32_t id);
/* Adds a border, which is the end of a piece. Borders move as marks do and hold nothing: they are
 * made at the end only, and removed at the front. */
void buffer_border(lua_State *L, struct script_buffer *b, uint64_t at);
bool buffer_first_border(const struct script_buffer *b, uint64_t *ret);
/* Moves the newest border. */
void buffer_move_border(struct script_buffer *b, uint64_t at);
void buffer_drop_border(struct script_buffer *b);
/* Removes the first n octets of a buffer in memory. */
void buffer_memory_take(struct script_buffer *b, size_t n);
/* Returns whether the coroutine that asks holds any octets back. */
bool buffer_marked_by(lua_State *L, const struct script_buffer *b);
/* Raises an error at the place in the script that called, not in Lua of our own. */
int __attribute__((format(printf, 2, 3))) buffer_error(lua_State *L, const char *fmt, ...);

/* Checks a number as script_check_uint() does; an error is that of buffer_error(). */
size_t buffer_check_uint(lua_State *L, int idx, uint64_t max, const char *what);

/* An argument that is inserted: a vbuffer, which is emptied afterwards (buffer_take_done), or
 * text. */
struct buffer_source {
	struct script_sub *sub; /* NULL: text */
	int idx;
	struct span octets;
};
struct buffer_source buffer_take(lua_State *L, int idx, const struct script_buffer *into,
				 const char *what);
void buffer_take_done(lua_State *L, const struct buffer_source *s, const char *what);

/* Metamethods that vbuffer and vbuffer_sub share: b[i], #b. */
extern const luaL_Reg buffer_sub_meta[];
int buffer_sub_index(lua_State *L, void *obj);
bool buffer_sub_newindex(lua_State *L, void *obj);

void buffer_open_memory(lua_State *L);
void buffer_open_iters(lua_State *L);
int buffer_register_stream(struct script *s) must_check;
void buffer_open_stream(lua_State *L);
