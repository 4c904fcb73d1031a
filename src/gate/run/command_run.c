/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Lua from the control channel: each worker runs the text of `usherctl gate run` and `usherctl gate
 * console` in its state, between two batches of packets, within the limits of a rule.
 */
#include "gate/run/command_impl.h"

#include "base/buf.h"
#include "gate/lua/bind.h"
#include "script/state/script.h"

struct running {
	struct span code;
	bool has_rules, ok;
	struct buf out;
	struct script_error err;
};

static void run_in_worker(void *ctx, const struct gate_worker_view *v)
{
	struct running *q = ctx;
	int r;

	if (!v->bind)
		return;
	q->has_rules = true;
	r = gate_bind_eval(v->bind, q->code, &q->out, &q->err);
	q->ok = r == 0 || r == SCRIPT_ABORTED;
}

/* Adds the answer of one worker. False: it has no rules, or does not answer. */
static bool ask_worker(struct control_call *k, unsigned i, struct span code, struct json *list,
		       struct json **ret_answer)
{
	struct running q = {.code = code};
	struct json *m;

	buf_init(&q.out);
	if (!gate_of(k)->ask(gate_of(k)->ctx, i, run_in_worker, &q))
		*ret_answer = command_no_answer(k, i);
	else if (!q.has_rules)
		*ret_answer = control_answer(k->arena, CONTROL_ERROR,
					     "there are no rules: start with RULES.lua");
	if (!*ret_answer) {
		m = json_add(k->arena, list, NULL, json_map(k->arena));
		command_put(k, m, "worker", i);
		(void)json_add(k->arena, m, "printed",
			       json_strn(k->arena, q.out.p ? q.out.p : "", q.out.len));
		if (!q.ok)
			(void)json_add(k->arena, m, "error", json_str(k->arena, q.err.text));
	}
	buf_fini(&q.out);
	return !*ret_answer;
}

struct json *command_run(struct control_call *k)
{
	const struct json *code = k->args ? json_get(k->args, "code") : NULL;
	const struct json *one = k->args ? json_get(k->args, "worker") : NULL;
	struct json *m = json_map(k->arena),
		    *list = json_add(k->arena, m, "workers", json_list(k->arena)), *answer = NULL;
	unsigned n = gate_of(k)->n_workers;

	if (!code || code->type != JSON_STRING)
		return control_answer(k->arena, CONTROL_ERROR, "'code': expected Lua as a text");
	if (one && (one->type != JSON_INT || one->i < 0 || one->i >= n))
		return control_answer(k->arena, CONTROL_ERROR,
				      "'worker': expected a number from 0 to %u", n - 1);
	for (unsigned i = 0; i < n; i++)
		if ((!one || one->i == i) &&
		    !ask_worker(k, i, span_of(code->s, code->n), list, &answer))
			return answer;
	return command_done(k, m, one ? 1 : n, "workers");
}
