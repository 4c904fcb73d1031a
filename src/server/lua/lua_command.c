/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Commands of scripts (haka.command) in the server. Every state has run the script, but requests
 * are answered by the last one, which is shared, under its lock. Values of the other states reach
 * it by haka.shared().
 */
#include "server/lua/lua_hook.h"

#include "base/error.h"

bool lua_command_refuse(void *ctx, const char *name, const char *args, char *why, size_t n)
{
	const struct lua_hook *h = ctx;

	return hook_command_check(h->lib, name, args, why, n) < 0;
}

/* Answers a request by the function of the script. */
static int run_command(usher_call *call, void *ctx)
{
	const struct lua_command *k = ctx;
	struct lua_hook *h = k->hook;
	const char *from = usher_command_requester(call);
	struct script_error err = {0};

	(void)pthread_mutex_lock(&h->shared);
	call->answer = script_command_run(h->states[h->n_states - 1].script, k->command,
					  call->command_args, from ? from : "", call->arena, &err);
	(void)pthread_mutex_unlock(&h->shared);
	if (call->answer)
		return 0;
	usher_log(h->lib, USHER_LOG_ERROR, err.text);
	(void)usher_command_reply(call, CONTROL_ERROR, err.text, NULL);
	return -USHER_E_SCRIPT;
}

int lua_commands_register(struct lua_hook *h)
{
	const struct script_command *c;

	for (unsigned i = 0; i < h->n_states; i++)
		(void)script_command_at(h->states[i].script, 0); /* no more are taken */
	for (size_t i = 0; (c = script_command_at(h->states[h->n_states - 1].script, i)); i++) {
		struct usher_command row = {.name = c->name,
					    .arguments = c->args,
					    .help = c->help,
					    .access = c->writes ? USHER_WRITE : USHER_READ,
					    .fn = run_command,
					    .ctx = &h->commands[i]};
		int r;

		h->commands[i] = (struct lua_command){h, c};
		r = usher_register_command(h->lib, &row);
		if (r < 0)
			return r;
	}
	return 0;
}
