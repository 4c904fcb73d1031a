/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Declarations that the files of this layer share and hosts do not see: the state's own record and
 * the interfaces between its parts.
 */
#pragma once

#include "script/rules/alert.h"
#include "script/state/console.h"
#include "script/rules/event.h"
#include "script/state/script.h"
#include "script/state/shared.h"

#include <stdatomic.h>

/* The registry's own keys: their addresses. */
struct script_keys {
	char haka, loaded, modules, abort;
};
extern const struct script_keys script_keys;

enum { SCRIPT_SIZES = 16, SCRIPT_LARGE = 8 };
enum { SCRIPT_CLASSES = 256 }; /* a power of two; three quarters may be used */

struct event_table;
struct policy_table;
struct script_class;
struct regexp_lib;
struct timer_table;

struct script {
	struct script_head head; /* first: event.h reads it inline */
	lua_State
		*L; /* the coroutine that runs now: C functions that enter Lua again do it there */
	lua_State *main;
	enum script_profile profile;
	unsigned thread;
	struct log *log;
	struct clock_src clock;
	void (*print)(void *ctx, struct span);
	void (*exit)(void *ctx);
	void (*log_level)(void *ctx, const char *level, const char *section);
	bool (*prompt)(void *ctx, const char *prompt, struct buf *line);
	void *ctx;
	char **paths; /* [0] is the directory of the file that was run, or NULL */
	size_t n_paths;

	/* limits.c */
	struct {
		void *first;
		unsigned n;
	} kept[SCRIPT_SIZES]; /* free memory by size */
	size_t memory_max;
	size_t object_max; /* a single allocation: bounds the octets that one instruction can
			    * compare or copy
			    */
	_Atomic size_t memory;
	_Atomic size_t memory_peak;
	uint64_t budget;
	int64_t left;			/* instructions of this outermost call */
	unsigned slice;			/* instructions from hook to hook; 0: there is no hook */
	unsigned slice_max;		/* without large objects */
	unsigned n_large[SCRIPT_LARGE]; /* objects of 2^18 octets and more, by the power of two */
	unsigned call_ms;
	int64_t deadline_ns; /* 0: not asked yet */
	bool spent;	     /* beyond instructions or time */
	bool out_of_memory;  /* an allocation was refused */
	bool reserve;	/* may be used: loading and collecting must not fail for want of a little */
	unsigned depth; /* of script_pcall */
	const char *stack; /* where the C stack was at the outermost call */
	size_t allocated;  /* octets since the last forced collection */
	const char *where; /* the running script, for faults that have no line of their own */
	char limit_text[SCRIPT_TEXT_LEN]; /* which limit was exceeded, and where */
	int on_error;			  /* registry reference of the message handler */

	struct {
		const struct script_class *cls; /* NULL: free */
		int ref;			/* of its metatable */
	} classes[SCRIPT_CLASSES];		/* by hash of the address */
	unsigned n_classes;
	uint32_t n_own; /* objects that scripts wrote fields of */
	/* the last name that an object or table has not: its class (NULL: a table, missed.c), the
	 * name */
	const struct script_class *missed;
	char missed_name[32];
	void *host;

	struct event_table *events;
	struct policy_table *policies;
	int run_actions;	   /* of policies: a C function, made once */
	struct regexp_lib *regexp; /* made when first asked for */
	struct timer_table *timers;
	bool has_timers; /* the host fires them */
	struct script_alert_sink sinks[SCRIPT_ALERT_SINKS];
	size_t n_sinks;
	uint64_t alert_id;
	_Atomic uint64_t alerts;
	bool color;
	struct shared_store *shared, *own_shared; /* own: where the host has none */
	struct buf *captured;			  /* where print() goes; NULL: as the host has it */
	struct buf line;			  /* the last one a person typed */
	struct buf shared_text;			  /* copied texts, kept for their memory */

	_Atomic uint64_t calls;
	_Atomic uint64_t aborts;
	_Atomic uint64_t faults[SCRIPT_N_FAULTS];
};

static inline void script_count(_Atomic uint64_t *n)
{
	/* one writer: no need for a locked instruction */
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

/* script_pcall() with a message handler that is on the stack already. */
int script_call(struct script *s, int nargs, int nresults, int handler, struct script_error *err);

/* limits.c: the allocator, the hook, the arming */
void *script_alloc(void *ud, void *p, size_t old, size_t n);
/* Frees the kept blocks; called last of all. */
void script_alloc_fini(struct script *s);
void script_limits_on(struct script *s);
void script_arm(struct script *s);
/* In the middle of a call that waited for a person: all of it once more. */
void script_arm_again(struct script *s);
/* When the outermost call has ended: collects if memory is full. */
void script_make_room(struct script *s);
/* Raises if no pcall may hold this error up: a spent budget, no memory, haka.abort(). The error is
 * at idx. */
void script_rethrow(lua_State *L, int idx);

/* Does the text open with "file:line: "? */
bool script_has_place(const char *text);
/* Writes the line of the innermost function in Lua as "file:line"; skip_own: not of Lua of our own
 * ("[usher]"). False: there is none, and `out` is unchanged. */
bool script_find_line(lua_State *L, bool skip_own, char *out, size_t n);
/* The panic function of the state: no error can occur outside of a protected call. */
int script_on_panic(lua_State *L);
/* Registers the message handler. */
void script_open_errors(lua_State *L);
/* Makes the table haka. */
void script_open_haka(lua_State *L);

/* Each opens one part, in a protected call, its table on no stack. */
void script_open_sandbox(lua_State *L);
void script_open_strings(lua_State *L);
void script_open_require(lua_State *L);
void script_open_addr(lua_State *L);
/* The module protocol/ipv4 of a host that has no dissector of that name. */
int script_open_ipv4(lua_State *L);

void script_open_time(lua_State *L);
void script_open_say(lua_State *L);
void script_open_alert(lua_State *L);
void script_open_policy(lua_State *L);
int script_policies_new(struct script *s);
void script_open_regexp_kinds(lua_State *L);
/* The module regexp/pcre. */
int script_open_regexp(lua_State *L);
void script_open_languages(lua_State *L);
/* Opens members of haka that are made at their first use. */
void script_open_lazy(lua_State *L);
int script_open_shared(struct script *s) must_check;
/* The module color. */
int script_open_color(lua_State *L);

/*
 * lua_pushlightuserdata outside of a protected call: LuaJIT notes the upper half of a pointer when
 * it sees a new one, which must not fail for want of memory.
 */
void script_push_pointer(struct script *s, const void *p);
/* Loads text as a function onto the stack: a lua_load status. */
int script_load(lua_State *L, struct span text, const char *chunkname);
/* missed.c: the table at the top, which stays, is named in errors about members that it has not. */
void script_watch_table(lua_State *L, const char *name);
void script_open_missed(lua_State *L);
/* An __index that notes the name, for the table at 1. */
int script_table_missed(lua_State *L);
/* Adds names to the error at the top: those near to the member that is nil; that of the function at
 * an index (0: unknown). Returns how many names were compared. */
unsigned script_explain(lua_State *L, int function);
/* Writes the name of a function into "bad argument #1 to '?'" at the top; other texts stay as they
 * are. */
void script_name_function(lua_State *L, const char *name);
/* Pushes the message about a name that a class has not: "ipv4 has no 'drp'; did you mean
 * 'drop'?" */
void script_push_missed(lua_State *L, const struct script_class *cls, const char *name);
/* The text at the top of the stack, which is replaced if it has octets of value 0: they become
 * "\\x00". */
const char *script_visible(lua_State *L);
/* The text of a file, to be freed, without byte order mark. NULL with *ret_why. */
char *script_read_file(const char *path, size_t *ret_len, const char **ret_why);
/* The first of the search path. */
int script_first_path(struct script *s, const char *file);
