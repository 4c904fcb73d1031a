/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Shared by the command_*.c: a call, and how answers are put together.
 */
#pragma once

#include "config/json/json.h"
#include "control/plane.h"
#include "control/rows.h"
#include "gate/run/command.h"

/* Returns the gate that runs the command. */
static inline const struct gate_commands *gate_of(const struct control_call *k)
{
	return k->program;
}

/* Returns the answer "N THINGS", with arguments; `what`: the things. */
struct json *command_done(struct control_call *k, struct json *args, uint64_t n, const char *what);
struct json *command_no_answer(struct control_call *k, unsigned worker);
/* Reads the argument `limit`, by default 100. False: it is not valid, and *ret_answer is the error.
 */
bool command_limit(struct control_call *k, uint32_t *ret, struct json **ret_answer);
/* Reads the argument `address`, in host order; 0: none was given. False: it is not valid, and
 * *ret_answer is the error. */
bool command_address(struct control_call *k, uint32_t *ret, struct json **ret_answer);
/* Adds the commands of the rule file. Returns 0, -ENOMEM, or -ETIMEDOUT. */
int gate_script_commands_add(struct gate_commands *g, struct control_plane *p) must_check;
void command_put(struct control_call *k, struct json *to, const char *name, uint64_t v);

enum { COMMAND_RULES_MAX = 256 };

/* Rules, with the sums of their counters over the workers. */
struct command_rules {
	size_t n;
	struct script_rule *rules; /* [COMMAND_RULES_MAX] */
};
/* Adds the rules of a worker: a gate_worker_fn. */
void command_find_rules(void *rules, const struct gate_worker_view *v);

#define COMMAND(...) CONTROL_DECLARE(__VA_ARGS__)
#include "gate/run/commands.def"
#undef COMMAND
