/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Runs a pattern: all threads of its program side by side, one octet after the other. So time is
 * steps times length.
 */
#include "config/expr_regex_impl.h"

#include "base/error.h"

struct re_threads {
	uint16_t *list;
	unsigned n;
};

struct re_run {
	const struct expr_regex *re;
	uint32_t *mark; /* step was added in this round */
	uint16_t *stack;
	uint32_t round;
	bool bol, eol;
};

/* Adds a step and all steps that follow it without reading. */
static void run_add(struct re_run *run, struct re_threads *to, unsigned at)
{
	unsigned depth = 0;

	run->stack[depth++] = (uint16_t)at;
	while (depth) {
		unsigned pc = run->stack[--depth];
		const struct re_step *s = &run->re->steps[pc];

		if (run->mark[pc] == run->round)
			continue;
		run->mark[pc] = run->round;
		if (s->op == RE_SPLIT)
			run->stack[depth++] = (uint16_t)((int)pc + s->y);
		if (s->op == RE_SPLIT || s->op == RE_JUMP)
			run->stack[depth++] = (uint16_t)((int)pc + s->x);
		else if ((s->op == RE_BOL && run->bol) || (s->op == RE_EOL && run->eol))
			run->stack[depth++] = (uint16_t)(pc + 1);
		else
			to->list[to->n++] = (uint16_t)pc;
	}
}

static void run_step(struct re_run *run, const struct re_threads *now, struct re_threads *next,
		     uint8_t c)
{
	for (unsigned i = 0; i < now->n; i++) {
		const struct re_step *s = &run->re->steps[now->list[i]];

		if ((s->op == RE_CHAR && s->c == c) ||
		    (s->op == RE_SET && (s->set->bits[c / 8] >> c % 8 & 1)))
			run_add(run, next, now->list[i] + 1u);
	}
}

size_t expr_regex_memory(const struct expr_regex *re)
{
	enum { ALIGNMENT = 4 * 16 };

	return re->n * (2 * sizeof(uint16_t) + sizeof(uint32_t) + 2 * sizeof(uint16_t)) +
	       2 * sizeof(uint16_t) + ALIGNMENT;
}

bool expr_regex_is_octet(const struct expr_regex *re)
{
	return re->n == 2 && (re->steps[0].op == RE_CHAR || re->steps[0].op == RE_SET);
}

static bool has_matched(const struct re_run *run, const struct re_threads *now)
{
	for (unsigned i = 0; i < now->n; i++)
		if (run->re->steps[now->list[i]].op == RE_MATCH)
			return true;
	return false;
}

/* Runs a pattern from octet `at` on, until no thread is left. *ret_longest: the octets of the
 * longest match; -1: there is none. Returns 0 or -USHER_E_NOMEM. */
static int run_from(const struct expr_regex *re, struct span s, size_t at, struct arena *scratch,
		    long *ret_longest)
{
	struct re_run run = {.re = re, .bol = at == 0, .eol = at == s.n, .round = 1};
	struct re_threads now = {arena_alloc(scratch, re->n * sizeof(uint16_t)), 0};
	struct re_threads next = {arena_alloc(scratch, re->n * sizeof(uint16_t)), 0};

	run.mark = arena_array(scratch, uint32_t, re->n);
	run.stack = arena_alloc(scratch, (2 * re->n + 2) * sizeof(uint16_t));
	if (!now.list || !next.list || !run.mark || !run.stack)
		return -USHER_E_NOMEM;
	run_add(&run, &now, 0);
	run.bol = false;
	*ret_longest = has_matched(&run, &now) ? 0 : -1;
	for (size_t i = at; i < s.n && now.n; i++) {
		struct re_threads t = now;

		run.round++;
		run.eol = i + 1 == s.n;
		next.n = 0;
		run_step(&run, &now, &next, s.p[i]);
		now = next;
		next = t;
		if (has_matched(&run, &now))
			*ret_longest = (long)(i + 1 - at);
	}
	return 0;
}

int expr_regex_match(const struct expr_regex *re, struct span s, struct arena *scratch)
{
	long longest = -1;
	int r = run_from(re, s, 0, scratch, &longest);

	return r < 0 ? r : longest == (long)s.n;
}

size_t expr_regex_longest(const struct expr_regex *re, struct span s, size_t at,
			  struct arena *scratch)
{
	long longest = -1;

	return run_from(re, s, at, scratch, &longest) == 0 && longest > 0 ? (size_t)longest : 0;
}
