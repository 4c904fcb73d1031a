/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Declarations that the files of this layer share and hosts do not see: the state's own record and
 * the interfaces between its parts.
 */
#pragma once

#include "script/state/limits_impl.h"
#include "script/state/missed_impl.h"
#include "script/state/script_head.h"

#include <stdatomic.h>

/* The registry's own keys: their addresses. */
struct script_keys {
	char haka, loaded, modules, abort;
};
extern const struct script_keys script_keys;

enum { SCRIPT_CLASSES = 256 }; /* a power of two; three quarters may be used */

/* The classes that are known to a state (class.c). */
struct script_classes {
	struct {
		const struct script_class *cls; /* NULL: free */
		int ref;			/* of its metatable */
	} table[SCRIPT_CLASSES];		/* by hash of the address */
	unsigned n;
	uint32_t n_own; /* objects that scripts wrote fields of */
};

struct library_state;
struct regexp_lib;
struct rules_state;

struct script {
	struct script_head head; /* first: event.h and policy.h read it inline */
	lua_State *L; /* the coroutine that runs now: C functions that enter Lua do it there */
	lua_State *main;
	enum script_profile profile;
	unsigned thread;
	struct log *log;
	struct clock_src clock;
	void *host;
	char **paths; /* [0] is the directory of the file that was run, or NULL */
	size_t n_paths;
	const char *where; /* the running script, for faults that have no line of their own */
	int on_error;	   /* registry reference of the message handler */

	struct script_limits limits;
	struct script_classes classes;
	struct script_missed missed;
	/* parts of other folders, which make and free them */
	struct library_state *library;
	struct rules_state *rules;
	struct regexp_lib *regexp; /* made when first asked for */

	_Atomic uint64_t calls;
	_Atomic uint64_t aborts;
	_Atomic uint64_t faults[SCRIPT_N_FAULTS];
};

/* Pushes the value of the registry under the address of a variable. */
static inline void script_push_key(lua_State *L, const char *key)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)key);
	lua_rawget(L, LUA_REGISTRYINDEX);
}

/* Stores the value at the top, which is taken, in the registry under the address of a variable. */
static inline void script_set_key(lua_State *L, const char *key)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)key);
	lua_insert(L, -2);
	lua_rawset(L, LUA_REGISTRYINDEX);
}

static inline void script_count(_Atomic uint64_t *n)
{
	/* one writer: no need for a locked instruction */
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

/* Calls like script_pcall(), with a message handler that is on the stack already. */
int script_call(struct script *s, int nargs, int nresults, int handler, struct script_error *err);

/* Raises the error at idx if no pcall of a script may catch it: a spent budget, no memory,
 * haka.abort(). */
void script_rethrow(lua_State *L, int idx);

/* Returns whether the text opens with "file:line: ". */
bool script_has_place(const char *text);
/* Writes the line of the innermost function in Lua as "file:line"; skip_own: not of Lua of our own
 * ("[usher]"). False: there is none, and `out` is unchanged. */
bool script_find_line(lua_State *L, bool skip_own, char *out, size_t n);
/*
 * Pushes a lightuserdata outside of a protected call: LuaJIT notes the upper half of a pointer when
 * it sees a new one, which must not fail for want of memory.
 */
void script_push_pointer(struct script *s, const void *p);
/* Loads text as a function onto the stack. Returns the status of lua_load(). */
int script_load(lua_State *L, struct span text, const char *chunkname);
/* Returns the text at the top of the stack. Replaces it before if it has octets of value 0: they
 * become "\\x00". */
const char *script_visible(lua_State *L);
/* Returns the text of a file without byte order mark, to be freed; NULL with *ret_why. */
char *script_read_file(const char *path, size_t *ret_len, const char **ret_why);
/* Makes the directory of a file the first of the search path. 0, or -ENOMEM. */
int script_first_path(struct script *s, const char *file);
