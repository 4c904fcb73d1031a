/* SPDX-License-Identifier: MPL-2.0 */
/*
 * struct script: one Lua state (LuaJIT) for one worker thread, and its limits. Hosts (the gate, the
 * server's hook library) register their functions; the script layer knows none of them. One thread
 * at a time.
 *
 * RESTRICTED is the default: interpreter only, no way to files, processes, bytecode or raw memory,
 * and three limits. Instructions, counted per outermost call: the work of C functions is charged as
 * well (octets allocated, steps of the pattern matcher, entries sorted). Octets of memory. And, as
 * a net below those, time. TRUSTED has the compiler and all libraries; only memory is limited.
 *
 * A call that fails leaves the state usable. Once a limit is exceeded, no pcall of the script's can
 * hold the error up: it passes all of them to the outermost call.
 */
#pragma once

#include "base/attr.h"
#include "base/clock.h"
#include "base/span.h"

#include <lua.h>

struct log;
struct script;

enum script_profile { SCRIPT_RESTRICTED, SCRIPT_TRUSTED };

enum script_fault {
	SCRIPT_E_NONE,
	SCRIPT_E_SYNTAX,
	SCRIPT_E_RUNTIME,
	SCRIPT_E_BUDGET, /* instructions or time */
	SCRIPT_E_MEMORY,
	SCRIPT_N_FAULTS
};

/* Never an int that means success: script_pcall() returns it when haka.abort() ended the call. */
enum { SCRIPT_ABORTED = 1 };

enum { SCRIPT_TEXT_LEN = 512 };

struct script_error {
	enum script_fault fault;
	char text[SCRIPT_TEXT_LEN]; /* "file:line: text"; "?" stands for an unknown place
				     */
};

/* Returns the state to push arguments on: the main one, or the coroutine that called the C function
 * that asks. */
lua_State *script_lua(struct script *s);
/* Returns the script that a Lua state belongs to. */
struct script *script_of(lua_State *L);
enum script_profile script_profile(const struct script *s);
/* Keeps a pointer of the host's own, for its C functions that get a Lua state. */
void script_set_host(struct script *s, void *host);
void *script_host(lua_State *L);
struct log *script_log(const struct script *s);

/*
 * Runs a file or text as a chunk. Text only: bytecode is refused. The directory of a file becomes
 * the first of the search path. 0, SCRIPT_ABORTED, or -USHER_E_SCRIPT with *err.
 */
int script_run_file(struct script *s, const char *path, struct script_error *err) must_check;
int script_run_text(struct script *s, const char *chunkname, struct span text,
		    struct script_error *err) must_check;

/*
 * Calls as lua_pcall, with the limits: function and arguments are on the stack, as there. May be
 * called from C functions that Lua called; the budget is that of the outermost call. On failure
 * nothing is left on the stack. 0, SCRIPT_ABORTED, or -USHER_E_SCRIPT with *err.
 */
int script_pcall(struct script *s, int nargs, int nresults, struct script_error *err) must_check;
/* Runs fn(L) in a protected call with ud as its only argument (lightuserdata): for C code that may
 * raise. */
int script_protect(struct script *s, lua_CFunction fn, void *ud, struct script_error *err)
	must_check;

/* Charges n instructions, and raises when fewer are left: for C functions that do much for one
 * instruction. */
void script_charge(lua_State *L, uint64_t n);
/* Raises when the C stack is used up ("NAME: nested too deeply", with `what` as NAME): for C
 * functions that call back into Lua. */
void script_check_stack(lua_State *L, const char *what);

/* Reallocates memory of the state, for data that a host keeps for it: as realloc(), with the old
 * length; n = 0 frees. NULL: its limit is reached. */
void *script_memory(struct script *s, void *p, size_t old, size_t n);

/* Adds a module for require(): fn is called once, with the name, and returns it. name is copied. */
int script_module(struct script *s, const char *name, lua_CFunction fn) must_check;
/* Adds a module for require() as Lua text, which is borrowed for the life of the state. */
int script_module_text(struct script *s, const char *name, struct span text) must_check;
/* Adds a function haka.<name>, with ud as upvalue 1 (lightuserdata). */
int script_haka_function(struct script *s, const char *name, lua_CFunction fn, void *ud) must_check;

/*
 * Pushes the table `haka`. script_lazy() makes haka.<name> a value that fn returns when a script
 * first asks for it (fn has the name as upvalue 1). script_run_part() runs lua/<name>.lua with
 * nargs values of the stack. They are for hosts with Lua of their own, inside of protected calls.
 */
void script_push_haka(lua_State *L);
void script_lazy(lua_State *L, const char *name, lua_CFunction fn);
void script_run_part(lua_State *L, const char *name, int nargs, int nresults);

struct script_stats {
	uint64_t calls; /* outermost */
	uint64_t faults[SCRIPT_N_FAULTS];
	uint64_t aborts;
	size_t memory; /* octets now */
	size_t memory_peak;
	size_t memory_max; /* the limit */
};

/* Reads the statistics, in any thread: each number is right, but they are not of one moment. */
void script_stats(const struct script *s, struct script_stats *ret);
const char *script_fault_name(enum script_fault f);
