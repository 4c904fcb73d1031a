/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The messages of the commands, with Kea's ids: one about the end of each, and for reservations one
 * about its begin.
 */
#include "server/edit/edit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "config/json/json.h"

#include <string.h>

/* Octets of arguments in a message. */
enum { SHOWN_MAX = 2000 };

/* No message, as in Kea. */
#define NONE LOG_N_IDS

static const struct messages {
	const char *command;
	enum log_id begun, done, empty, failed;
} rows[] = {
#define CLASS(command, word, empty) \
	{command, NONE, LOG_CLASS_CMDS_CLASS_##word, empty, LOG_CLASS_CMDS_CLASS_##word##_FAILED},
#define HOST(command, word)                                                           \
	{command, LOG_HOST_CMDS_RESERV_##word, LOG_HOST_CMDS_RESERV_##word##_SUCCESS, \
	 LOG_HOST_CMDS_RESERV_##word##_SUCCESS, LOG_HOST_CMDS_RESERV_##word##_FAILED},
#define SUBNET(command, done, empty, failed) \
	{command, NONE, LOG_SUBNET_CMDS_##done, empty, LOG_SUBNET_CMDS_##failed##_FAILED},
#include "server/edit/edit_messages.def"
#undef CLASS
#undef HOST
#undef SUBNET
};

static const struct messages *find_messages(const char *command)
{
	size_t i = 0;

	while (strcmp(rows[i].command, command) != 0)
		i++;
	return &rows[i];
}

/* Returns the begin of the arguments as text, in the arena; "": there are none. */
static const char *show_arguments(const struct edit *e)
{
	struct buf out;
	char *shown;
	size_t n;

	if (!e->c->args)
		return "";
	buf_init(&out);
	json_write(e->c->args, false, &out);
	n = out.len < SHOWN_MAX ? out.len : SHOWN_MAX;
	shown = out.failed ? NULL : arena_memdup(e->c->arena, out.p, n + 1);
	if (shown)
		shown[n] = '\0';
	buf_fini(&out);
	return shown ? shown : "";
}

static void write_message(const struct edit *e, enum log_id id, const char *text)
{
	const struct server_daemon *d = e->c->program;

	if (id != NONE)
		log_msg(d->srv.log, id, "%s: %s%s%s", e->c->name, text,
			e->shown[0] ? ", arguments " : "", e->shown);
}

void edit_log_begin(struct edit *e)
{
	const struct server_daemon *d = e->c->program;
	const struct messages *m = find_messages(e->c->name);
	bool shown = log_on(d->srv.log, m->failed) || log_on(d->srv.log, m->done);

	e->shown = shown ? show_arguments(e) : "";
	write_message(e, m->begun, "begins");
}

void edit_log_end(const struct edit *e)
{
	const struct messages *m = find_messages(e->c->name);
	const char *text = json_get_str(e->answer, "text");
	int64_t result = CONTROL_ERROR;

	(void)json_get_int(e->answer, "result", &result);
	write_message(e,
		      result == CONTROL_OK	? m->done
		      : result == CONTROL_EMPTY ? m->empty
						: m->failed,
		      text ? text : "");
}
