/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Commands of hook libraries: rows of the management plane, in the registry of the configuration
 * that loads the libraries. The program adds and removes them with the registry. A name belongs to
 * one owner; a library that registers a taken one is refused, even if it ignores the error.
 */
#include "hook/hook.h"

#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "control/args.h"
#include "hook/hook_lib.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* --- Registration ----------------------------------------------------------------------------- */

static bool is_command_name(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n && !name[n] && n < HOOK_COMMAND_NAME_LEN;
}

static const struct hook_command *find_command(const struct hook_commands *k, const char *name)
{
	for (size_t i = 0; i < k->n; i++)
		if (strcmp(k->rows[i].name, name) == 0)
			return &k->commands[i];
	return NULL;
}

int hook_command_check(struct usher_lib *lib, const char *name, const char *args, char *why,
		       size_t n)
{
	const struct hook_commands *k = hook_commands_of(lib->registry);
	const struct hook_command *taken = find_command(k, name);

	if (!is_command_name(name)) {
		(void)snprintf(why, n, "the command name '%.80s': 1 to %d of a-z, 0-9 and '-'",
			       name, HOOK_COMMAND_NAME_LEN - 1);
		return -EINVAL;
	}
	if (!control_args_are_valid(args)) {
		(void)snprintf(
			why, n,
			"command '%s': the description of its arguments is malformed: '%.120s'",
			name, args);
		return -EINVAL;
	}
	if (k->is_taken && k->is_taken(name)) {
		(void)snprintf(why, n, "command '%s' is a command of the server already", name);
		return -EEXIST;
	}
	if (taken) {
		(void)snprintf(why, n, "command '%s' is a command of hook library %.200s already",
			       name, taken->lib->path);
		return -EEXIST;
	}
	return 0;
}

static struct json *run_command(struct control_call *c);

int usher_register_command(usher_lib *lib, const struct usher_command *command)
{
	struct hook_commands *k = hook_commands_of(lib->registry);
	struct control_command row = {
		.name = command->name,
		.fn = run_command,
		.args = command->arguments ? command->arguments : "",
		.help = command->help ? command->help : "",
		.access = command->access == USHER_READ ? CONTROL_READ : CONTROL_WRITE,
		.ctx = &k->commands[k->n],
	};
	int r;

	if (!command->name || !command->fn)
		return lib->loading ? -EINVAL : -EBUSY;
	r = hook_register_row(lib, &row);
	if (r == 0)
		k->commands[k->n - 1] = (struct hook_command){lib, command->fn, command->ctx};
	return r;
}

int hook_register_row(struct usher_lib *lib, const struct control_command *row)
{
	struct hook_commands *k = hook_commands_of(lib->registry);
	struct control_command *to = &k->rows[k->n];
	char why[512];
	int r;

	if (!lib->loading)
		return -EBUSY;
	r = hook_command_check(lib, row->name, row->args, why, sizeof(why));
	if (r < 0 && !lib->refusal)
		lib->refusal = strdup(why);
	if (r < 0)
		return r;
	if (k->n == HOOK_MAX_COMMANDS)
		return -ENOSPC;
	*to = *row;
	to->name = arena_strdup(&lib->arena, row->name);
	to->args = arena_strdup(&lib->arena, row->args);
	to->help = arena_strdup(&lib->arena, row->help);
	to->owner = lib->registry;
	if (!to->name || !to->args || !to->help)
		return -ENOMEM;
	k->commands[k->n++] = (struct hook_command){.lib = lib};
	return 0;
}

/* --- Calls ------------------------------------------------------------------------------------ */

/* Called for each request: calls the function of the library, and checks its answer. */
static struct json *run_command(struct control_call *c)
{
	const struct hook_command *h = c->ctx;
	struct usher_call call = {.point = HOOK_NONE,
				  .arena = c->arena,
				  .lib = h->lib,
				  .command = c->name,
				  .command_args = c->args,
				  .command_from = c->from};
	int64_t result;
	int r = h->fn(&call, h->ctx);

	if (r < 0)
		hook_count_failure(h->lib->registry, c->name, h->lib, r);
	if (r < 0 && !call.answer)
		return control_answer(c->arena, CONTROL_ERROR, "command '%s' of %s failed: %s",
				      c->name, h->lib->path, usher_strerror(r));
	if (!call.answer)
		(void)usher_command_reply(&call, 0, NULL, NULL);
	if (!call.answer || !json_get_int(call.answer, "result", &result))
		return control_answer(c->arena, CONTROL_ERROR,
				      "command '%s': the answer of %s has no 'result'", c->name,
				      h->lib->path);
	return call.answer;
}

const char *usher_command_str(const usher_call *call, const char *name)
{
	return json_get_str(call->command_args, name);
}

int64_t usher_command_int(const usher_call *call, const char *name, int64_t fallback)
{
	int64_t v;

	return json_get_int(call->command_args, name, &v) ? v : fallback;
}

bool usher_command_bool(const usher_call *call, const char *name, bool fallback)
{
	bool v;

	return json_get_bool(call->command_args, name, &v) ? v : fallback;
}

const char *usher_command_requester(usher_call *call)
{
	char text[CONTROL_REQUESTER_LEN];

	if (!call->command_from)
		return NULL;
	return arena_strdup(call->arena, control_requester_text(call->command_from, text));
}

int usher_command_reply(usher_call *call, int result, const char *text, const char *arguments)
{
	struct json_opts o = {.file = ""};
	struct config_error err;
	struct json *m, *v = NULL;
	const char *copy;

	if (!call->command || result < 0)
		return -EINVAL;
	if (arguments) {
		copy = arena_strdup(call->arena, arguments);
		if (!copy || json_parse(span_str(copy), &o, call->arena, &v, &err) < 0)
			return -EINVAL;
	}
	m = json_map(call->arena);
	(void)json_add(call->arena, m, "result", json_int(call->arena, result));
	if (text)
		(void)json_add(call->arena, m, "text", json_str(call->arena, text));
	if (v)
		(void)json_add(call->arena, m, "arguments", v);
	if (!m)
		return -ENOMEM;
	call->answer = m;
	return 0;
}
