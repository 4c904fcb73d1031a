/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The limits of a script: octets, instructions, time, C stack.
 *
 * The count hook runs every `slice` instructions; with the compiler off it always runs. It cannot
 * interrupt C functions, so those that can do much charge for it, the allocator charges for octets
 * (one instruction for 16), and no allocation may be larger than a quarter of the memory: that
 * bounds the octets that one instruction can copy or compare. As long as there are objects of 256
 * KiB and more the hook runs more often, because an instruction may compare or convert all of one.
 * LuaJIT collects only when its own threshold says so; near the cap the hook collects earlier, at a
 * price.
 */
#include "script/state/script_impl.h"
#include "script/state/state_open.h"

#include <lauxlib.h>
#include <luajit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <time.h>

enum {
	SLICE = 1000,
	SLICE_MIN = 4,
	LARGE_BITS = 18,
	OCTETS_PER_INSTRUCTION = 16,
	RESERVE = 1 << 20,
	C_STACK = 512 * 1024,
	SIZE_STEP = 16
};

/* Of each size. AddressSanitizer must see each use of freed memory. */
#if defined(__has_feature) /* clang's word for it */
#define SANITIZED __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif
enum { KEPT_OCTETS = SANITIZED ? 0 : 256 * 1024 };

static size_t get_memory(const struct script *s)
{
	return atomic_load_explicit(&s->limits.memory, memory_order_relaxed);
}

static bool may_grow(struct script *s, size_t old, size_t n)
{
	size_t max = s->limits.memory_max + (s->limits.reserve ? RESERVE : 0);
	size_t now = get_memory(s);

	if (n > s->limits.object_max || now - old > max || n > max - (now - old)) {
		s->limits.out_of_memory = true;
		return false;
	}
	if (s->limits.depth == 0 || s->limits.reserve || s->profile == SCRIPT_TRUSTED)
		return true;
	s->limits.left -= (int64_t)((n - old) / OCTETS_PER_INSTRUCTION);
	if (s->limits.left > 0)
		return true;
	s->limits.spent = true; /* LuaJIT makes a memory error of it, which script_pcall() tells
				 * from one
				 */
	return false;
}

/* --- Small objects, which come and go by the million: a few of each size are kept ------------- */

/* Returns the class of a size, in steps of 16 octets; 0: too large to be kept. */
static unsigned find_size(size_t n)
{
	return n <= (size_t)SCRIPT_SIZES * SIZE_STEP ? (unsigned)((n + SIZE_STEP - 1) / SIZE_STEP)
						     : 0;
}

static void *take_block(struct script *s, size_t n)
{
	unsigned c = find_size(n);
	void *p = c ? s->limits.kept[c - 1].first : NULL;

	if (!p)
		return malloc(c ? (size_t)c * SIZE_STEP : n);
	memcpy(&s->limits.kept[c - 1].first, p, sizeof(p));
	s->limits.kept[c - 1].n--;
	return p;
}

static void give_block(struct script *s, void *p, size_t n)
{
	unsigned c = find_size(n);

	if (!p || !c || s->limits.kept[c - 1].n >= KEPT_OCTETS / SIZE_STEP / c) {
		free(p);
		return;
	}
	memcpy(p, &s->limits.kept[c - 1].first, sizeof(p));
	s->limits.kept[c - 1].first = p;
	s->limits.kept[c - 1].n++;
}

static void *resize_block(struct script *s, void *p, size_t old, size_t n)
{
	unsigned from = find_size(old), to = find_size(n);
	void *fresh;

	if (!p)
		return take_block(s, n);
	if (!from && !to)
		return realloc(p, n);
	if (from == to)
		return p;
	fresh = take_block(s, n);
	if (fresh) {
		memcpy(fresh, p, old < n ? old : n);
		give_block(s, p, old);
	}
	return fresh;
}

void script_alloc_fini(struct script *s)
{
	for (unsigned c = 1; c <= SCRIPT_SIZES; c++)
		while (s->limits.kept[c - 1].first)
			free(take_block(s, (size_t)c * SIZE_STEP));
}

static void on_count(lua_State *L, lua_Debug *ar);

/* Returns the class of a large size, from 2^18 on: 0 for 256 to 512 KiB. -1: a smaller one. */
static int find_large(size_t n)
{
	int c = n >> LARGE_BITS ? (int)(sizeof(n) * 8) - 1 - __builtin_clzl(n) - LARGE_BITS : -1;

	return c < SCRIPT_LARGE ? c : SCRIPT_LARGE - 1;
}

/* Called when large objects come or go: sets the instructions from hook to hook by the largest that
 * is left. */
static void note_large(struct script *s, size_t old, size_t n)
{
	int from = find_large(old), to = find_large(n), c = SCRIPT_LARGE;
	unsigned slice;

	if (from == to || !s->limits.slice)
		return;
	if (from >= 0)
		s->limits.n_large[from]--;
	if (to >= 0)
		s->limits.n_large[to]++;
	while (c > 0 && s->limits.n_large[c - 1] == 0)
		c--;
	slice = MAX(s->limits.slice_max >> c, SLICE_MIN);
	if (slice == s->limits.slice)
		return;
	s->limits.left -= s->limits.slice; /* the count begins anew */
	s->limits.slice = slice;
	(void)lua_sethook(s->L, on_count, LUA_MASKCOUNT, (int)slice);
}

void *script_alloc(void *ud, void *p, size_t old, size_t n)
{
	struct script *s = ud;
	void *fresh;
	size_t now;

	if (!p)
		old = 0;
	if (n == 0) {
		if (unlikely(old >> LARGE_BITS))
			note_large(s, old, 0);
		give_block(s, p, old);
		atomic_store_explicit(&s->limits.memory, get_memory(s) - old, memory_order_relaxed);
		return NULL;
	}
	if (n > old && !may_grow(s, old, n))
		return NULL;
	fresh = resize_block(s, p, old, n);
	if (!fresh) {
		s->limits.out_of_memory = true;
		return n <= old ? p : NULL;
	}
	if (unlikely((old | n) >> LARGE_BITS))
		note_large(s, old, n);
	s->limits.allocated += n > old ? n - old : 0;
	now = get_memory(s) - old + n;
	atomic_store_explicit(&s->limits.memory, now, memory_order_relaxed);
	if (now > atomic_load_explicit(&s->limits.memory_peak, memory_order_relaxed))
		atomic_store_explicit(&s->limits.memory_peak, now, memory_order_relaxed);
	return fresh;
}

void *script_memory(struct script *s, void *p, size_t old, size_t n)
{
	return script_alloc(s, p, old, n);
}

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/*
 * Returns whether the call has used its processor time. The coarse clock of the day is cheap and
 * runs at least as fast, so the thread's clock is read only when that one says so: a script must
 * not fail because other programs had the processor.
 */
static bool is_late(struct script *s)
{
	int64_t now = read_clock(CLOCK_MONOTONIC_COARSE), used;

	if (s->limits.deadline_ns == 0) {
		s->limits.deadline_ns = now + s->limits.call_ms * NS_PER_MS;
		s->limits.cpu_ns = read_clock(CLOCK_THREAD_CPUTIME_ID);
	}
	if (now < s->limits.deadline_ns)
		return false;
	used = read_clock(CLOCK_THREAD_CPUTIME_ID) - s->limits.cpu_ns;
	if (used >= s->limits.call_ms * NS_PER_MS)
		return true;
	s->limits.deadline_ns = now + s->limits.call_ms * NS_PER_MS - used;
	return false;
}

static void __attribute__((noreturn))
raise_spent(lua_State *L, struct script *s, const lua_Debug *ar, bool time)
{
	int line = ar->currentline > 0 ? ar->currentline : 0;

	if (time)
		(void)snprintf(s->limits.text, sizeof(s->limits.text),
			       "%s:%d: more than %u ms in one call", ar->short_src, line,
			       s->limits.call_ms);
	else
		(void)snprintf(s->limits.text, sizeof(s->limits.text),
			       "%s:%d: more than %llu instructions in one call", ar->short_src,
			       line, (unsigned long long)s->limits.budget);
	s->limits.spent = true;
	lua_pushlightuserdata(L, NULL);
	(void)lua_error(L);
	abort(); /* lua_error does not return */
}

/* Returns whether a collection is worth its cost: little memory is left, and enough was allocated
 * since the last one. */
static bool should_collect(const struct script *s, size_t full)
{
	size_t now = get_memory(s);
	size_t room = now < s->limits.memory_max ? (s->limits.memory_max - now) / 2 : 0;
	size_t enough = MAX(MIN(room, s->limits.memory_max / 16), s->limits.memory_max / 256);

	return now >= full && s->limits.allocated >= enough;
}

static void collect_early(lua_State *L, struct script *s)
{
	if (!should_collect(s, s->limits.memory_max / 4 * 3))
		return;
	s->limits.left -= (int64_t)(get_memory(s) / (4 * OCTETS_PER_INSTRUCTION));
	s->limits.allocated = 0;
	(void)lua_gc(L, LUA_GCCOLLECT, 0);
}

static void on_count(lua_State *L, lua_Debug *ar)
{
	struct script *s = script_of(L);
	bool time = false;

	if (s->limits.depth == 0)
		return;
	s->limits.left -= s->limits.slice;
	collect_early(L, s);
	if (s->limits.left > 0 && !s->limits.spent && !s->limits.out_of_memory &&
	    !(time = is_late(s)))
		return;
	if (lua_getinfo(L, "Sl", ar) == 0)
		ar->short_src[0] = '?', ar->short_src[1] = '\0';
	raise_spent(L, s, ar, time);
}

void script_limits_init(struct script *s, const struct script_opts *o)
{
	struct script_limits *l = &s->limits;

	l->budget = o->instructions ? o->instructions : SCRIPT_INSTRUCTIONS;
	l->memory_max = o->memory ? o->memory : SCRIPT_MEMORY;
	l->object_max = o->profile == SCRIPT_TRUSTED ? l->memory_max : l->memory_max / 4;
	l->call_ms = o->call_ms ? o->call_ms : SCRIPT_CALL_MS;
}

void script_limits_on(struct script *s)
{
	if (s->profile == SCRIPT_TRUSTED) {
		/* nothing collects early here */
		(void)lua_gc(s->L, LUA_GCSETPAUSE, 150);
		return;
	}
	s->limits.slice_max = s->limits.budget < 8 * SLICE ? (unsigned)(s->limits.budget / 8) + 1
							   : SLICE;
	s->limits.slice = s->limits.slice_max;
	(void)luaJIT_setmode(s->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
	(void)lua_sethook(s->L, on_count, LUA_MASKCOUNT, (int)s->limits.slice);
}

void script_arm(struct script *s)
{
	/* the hook's count continues from the call before: a slice more, so that no call gets less
	 * than the budget */
	s->limits.left = (int64_t)s->limits.budget + s->limits.slice;
	s->limits.deadline_ns = 0;
	s->limits.spent = false;
	s->limits.out_of_memory = false;
	s->limits.text[0] = '\0';
	s->limits.stack = __builtin_frame_address(0);
}

void script_arm_again(struct script *s)
{
	s->limits.left = (int64_t)s->limits.budget + s->limits.slice;
	s->limits.deadline_ns = 0;
}

static int collect_garbage(lua_State *L)
{
	(void)lua_gc(L, LUA_GCCOLLECT, 0);
	return 0;
}

void script_make_room(struct script *s)
{
	if (!s->limits.out_of_memory && !should_collect(s, s->limits.memory_max / 16 * 15))
		return;
	s->limits.reserve = true;
	/* twice: objects with a finalizer go in the second */
	for (int i = 0; i < 2; i++)
		if (lua_cpcall(s->L, collect_garbage, NULL) != 0)
			lua_pop(s->L, 1);
	s->limits.reserve = false;
	s->limits.allocated = 0;
}

void script_charge(lua_State *L, uint64_t n)
{
	struct script *s = script_of(L);
	lua_Debug ar = {.short_src = "?"};

	if (s->profile == SCRIPT_TRUSTED || s->limits.depth == 0)
		return;
	s->limits.left = n < (uint64_t)s->limits.left ? s->limits.left - (int64_t)n : 0;
	if (s->limits.left > 0)
		return;
	if (lua_getstack(L, 1, &ar))
		(void)lua_getinfo(L, "Sl", &ar);
	raise_spent(L, s, &ar, false);
}

void script_check_stack(lua_State *L, const char *what)
{
	const struct script *s = script_of(L);
	const char *here = __builtin_frame_address(0);

	if (s->limits.depth && s->limits.stack - here > C_STACK)
		luaL_error(L, "%s: nested too deeply", what);
}
