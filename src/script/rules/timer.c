/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A heap of slots, ordered by due time, then by when they were armed: equal times call_function in
 * that order. Lua knows a timer by a number made of slot and generation, so that one that has fired
 * cannot be mistaken for another.
 */
#include "script/rules/timer.h"

#include "script/state/class.h"
#include "script/rules/rules_impl.h"

#include "base/log.h"

#include <errno.h>
#include <lauxlib.h>
#include <math.h>

enum { FIRST_SLOTS = 64, NONE = UINT32_MAX };

/* Beyond that a time is never. */
#define SECONDS_MAX 1e9

struct timer {
	int64_t due_ns, period_ns; /* period 0: once */
	uint64_t order;
	uint32_t at; /* in the heap; of free slots: the next one */
	uint32_t generation;
};

struct timer_table {
	struct timer *slots;
	uint32_t *heap;
	uint32_t n, cap, fresh, free; /* fresh: from here on none was ever used */
	uint64_t order;
	int64_t due_ns;
};

static const char key_functions;

static bool is_before(const struct timer_table *t, uint32_t a, uint32_t b)
{
	const struct timer *x = &t->slots[a], *y = &t->slots[b];

	return x->due_ns != y->due_ns ? x->due_ns < y->due_ns : x->order < y->order;
}

static void put_slot(struct timer_table *t, uint32_t at, uint32_t slot)
{
	t->heap[at] = slot;
	t->slots[slot].at = at;
}

static void move_up(struct timer_table *t, uint32_t at, uint32_t slot)
{
	while (at > 0 && is_before(t, slot, t->heap[(at - 1) / 2])) {
		put_slot(t, at, t->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	put_slot(t, at, slot);
}

static void move_down(struct timer_table *t, uint32_t at, uint32_t slot)
{
	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child + 1 < t->n && is_before(t, t->heap[child + 1], t->heap[child]))
			child++;
		if (child >= t->n || !is_before(t, t->heap[child], slot))
			break;
		put_slot(t, at, t->heap[child]);
		at = child;
	}
	put_slot(t, at, slot);
}

static void note_due(struct timer_table *t)
{
	t->due_ns = t->n ? t->slots[t->heap[0]].due_ns : INT64_MAX;
}

/* Removes a slot from the heap; the slot stays taken. */
static void unlink_slot(struct timer_table *t, uint32_t slot)
{
	uint32_t at = t->slots[slot].at, last = t->heap[--t->n];

	if (last != slot) {
		if (at > 0 && is_before(t, last, t->heap[(at - 1) / 2]))
			move_up(t, at, last);
		else
			move_down(t, at, last);
	}
	note_due(t);
}

static void link_slot(struct timer_table *t, uint32_t slot, int64_t due_ns)
{
	t->slots[slot].due_ns = due_ns;
	t->slots[slot].order = t->order++;
	move_up(t, t->n++, slot);
	note_due(t);
}

static void give_slot(struct timer_table *t, uint32_t slot)
{
	t->slots[slot].generation++;
	t->slots[slot].at = t->free;
	t->free = slot;
}

static bool grow_slots(struct script *s)
{
	struct timer_table *t = s->rules->timers;
	uint32_t cap = t->cap ? 2 * t->cap : FIRST_SLOTS;
	struct timer *slots = script_alloc(s, t->slots, t->cap * sizeof(*slots),
					   cap * sizeof(*slots));
	uint32_t *heap;

	if (!slots)
		return false;
	t->slots = slots;
	heap = script_alloc(s, t->heap, t->cap * sizeof(*heap), cap * sizeof(*heap));
	if (!heap) { /* the slots shrink to their old size, which cannot fail */
		t->slots = script_alloc(s, slots, cap * sizeof(*slots), t->cap * sizeof(*slots));
		return false;
	}
	t->heap = heap;
	t->cap = cap;
	return true;
}

/* Takes a free slot. NONE: no memory. */
static uint32_t take_slot(struct script *s)
{
	struct timer_table *t = s->rules->timers;
	uint32_t slot = t->free;

	if (slot != NONE) {
		t->free = t->slots[slot].at;
		return slot;
	}
	if (t->fresh == t->cap && !grow_slots(s))
		return NONE;
	slot = t->fresh++;
	t->slots[slot].generation = 1;
	return slot;
}

static double make_id(const struct timer_table *t, uint32_t slot)
{
	return (double)t->slots[slot].generation * SCRIPT_TIMERS + slot;
}

static void push_functions(lua_State *L)
{
	script_push_key(L, &key_functions);
}

/* Called for arm(seconds, function, repeats): returns the timer's number. */
static int timer_arm(lua_State *L)
{
	struct script *s = script_of(L);
	struct timer_table *t = s->rules->timers;
	double seconds = script_check_number(L, 1, "timer");
	int64_t ns;
	uint32_t slot;

	luaL_checktype(L, 2, LUA_TFUNCTION);
	if (!(seconds >= 1e-6 && seconds <= SECONDS_MAX))
		return luaL_error(L,
				  "timer: %f seconds are not between a microsecond and a billion",
				  seconds);
	if (t->n >= SCRIPT_TIMERS)
		return luaL_error(L, "timer: more than %d are armed", (int)SCRIPT_TIMERS);
	push_functions(L);
	slot = take_slot(s);
	if (slot == NONE)
		return luaL_error(L, "timer: not enough memory");
	/* the table may have to grow for it, which may fail: nothing is armed before */
	give_slot(t, slot);
	lua_pushvalue(L, 2);
	lua_rawseti(L, -2, (int)slot + 1);
	slot = take_slot(s);
	ns = (int64_t)llround(seconds * 1e9);
	t->slots[slot].period_ns = lua_toboolean(L, 3) ? ns : 0;
	link_slot(t, slot, clock_wall_ns(&s->clock) + ns);
	lua_pushnumber(L, make_id(t, slot));
	return 1;
}

static void forget_function(lua_State *L, uint32_t slot)
{
	push_functions(L);
	lua_pushnil(L);
	lua_rawseti(L, -2, (int)slot + 1); /* the key is there: nothing is allocated */
	lua_pop(L, 1);
}

/* Called for disarm(number): a timer that has fired, or was disarmed, is no fault. */
static int timer_disarm(lua_State *L)
{
	struct timer_table *t = script_of(L)->rules->timers;
	uint64_t id = script_check_uint(L, 1, UINT64_C(1) << 53, "timer");
	uint32_t slot = (uint32_t)(id % SCRIPT_TIMERS);

	if (slot >= t->fresh || t->slots[slot].generation != id / SCRIPT_TIMERS)
		return 0;
	unlink_slot(t, slot);
	forget_function(L, slot);
	give_slot(t, slot);
	return 0;
}

struct firing {
	uint32_t slot;
	bool last;
};

/* Calls the function of a timer, in a protected call. Argument 1: struct firing. */
static int call_function(lua_State *L)
{
	const struct firing *f = lua_touserdata(L, 1);

	push_functions(L);
	lua_rawgeti(L, -1, (int)f->slot + 1);
	if (f->last) {
		forget_function(L, f->slot);
		give_slot(script_of(L)->rules->timers, f->slot);
	}
	lua_call(L, 0, 0);
	return 0;
}

bool script_timer_fire(struct script *s, int64_t after)
{
	struct timer_table *t = s->rules->timers;
	uint32_t slot = t->heap[0];
	struct timer *m = &t->slots[slot];
	struct firing f = {slot, m->period_ns == 0};
	int64_t due = m->due_ns + m->period_ns;
	struct script_error err;
	int r;

	unlink_slot(t, slot);
	if (!f.last) {
		if (due <= after)
			due += (after - due) / m->period_ns * m->period_ns + m->period_ns;
		link_slot(t, slot, due);
	}
	r = script_protect(s, call_function, &f, &err);
	if (r < 0)
		log_msg(s->log, LOG_USHER_SCRIPT_FAULT, "timer: %s", err.text);
	return r >= 0;
}

const int64_t *script_timer_due(const struct script *s)
{
	return &s->rules->timers->due_ns;
}

uint32_t script_timers_armed(const struct script *s)
{
	return s->rules->timers->n;
}

int script_push_timer_functions(lua_State *L)
{
	if (!script_of(L)->rules->has_timers)
		return 0;
	lua_pushcfunction(L, timer_arm);
	lua_pushcfunction(L, timer_disarm);
	return 2;
}

void script_open_timers(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_functions);
	lua_newtable(L);
	lua_rawset(L, LUA_REGISTRYINDEX);
}

int timers_new(struct script *s)
{
	s->rules->timers = script_alloc(s, NULL, 0, sizeof(*s->rules->timers));
	if (!s->rules->timers)
		return -ENOMEM;
	*s->rules->timers = (struct timer_table){.free = NONE, .due_ns = INT64_MAX};
	return 0;
}

void timers_free(struct script *s)
{
	struct timer_table *t = s->rules->timers;

	if (!t)
		return;
	(void)script_alloc(s, t->slots, t->cap * sizeof(*t->slots), 0);
	(void)script_alloc(s, t->heap, t->cap * sizeof(*t->heap), 0);
	(void)script_alloc(s, t, sizeof(*t), 0);
	s->rules->timers = NULL;
}
