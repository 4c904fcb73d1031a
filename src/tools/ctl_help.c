/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The distance of two names is Levenshtein's: characters to insert, remove or replace. A name is
 * near when at most a third of it differs.
 */
#include "tools/ctl_help.h"

#include "base/nearest.h"
#include "control/args.h"

#include <stdint.h>
#include <string.h>

struct row {
	const char *name, *what, *arguments;
};

static const struct row server_rows[] = {
#define COMMAND(name, function, access, needs, thread, what, arguments) {name, what, arguments},
#include "server/manage/commands.def"
#undef COMMAND
};

static const struct row client_rows[] = {
#define COMMAND(name, function, access, needs, thread, what, arguments) {name, what, arguments},
#include "client/os/command.def"
#undef COMMAND
};

static const struct row gate_rows[] = {
#define COMMAND(name, function, access, needs, thread, what, arguments) {name, what, arguments},
#include "gate/run/commands.def"
#undef COMMAND
	{"console", "reads lines of Lua and has each run by the rules of every worker", ""},
};

static const struct {
	const char *name;
	const struct row *rows;
	size_t n;
} programs[] = {
	[CTL_SERVER] = {"usher-server", server_rows, ARRAY_LEN(server_rows)},
	[CTL_CLIENT] = {"usher-client", client_rows, ARRAY_LEN(client_rows)},
	[CTL_GATE] = {"usher-gate", gate_rows, ARRAY_LEN(gate_rows)},
};

const char *ctl_program_name(enum ctl_program p)
{
	return programs[p].name;
}

/* Prints a description of arguments (control/args.h), without the marks of the author. */
static void print_description(const char *arguments, FILE *out)
{
	(void)fputs("arguments: ", out);
	for (; *arguments; arguments++)
		if (!strchr("()", *arguments))
			(void)fputc(*arguments, out);
	(void)fputc('\n', out);
}

bool ctl_help(enum ctl_program p, const char *name, FILE *out)
{
	bool found = false;
	int width = 0;

	for (size_t i = 0; i < programs[p].n; i++)
		if ((int)strlen(programs[p].rows[i].name) > width)
			width = (int)strlen(programs[p].rows[i].name);
	for (size_t i = 0; i < programs[p].n; i++) {
		const struct row *r = &programs[p].rows[i];

		if (name && strcmp(r->name, name) != 0)
			continue;
		found = true;
		(void)fprintf(out, "%-*s  %s\n", name ? 0 : width, r->name, r->what);
		if (r->arguments[0] && name)
			print_description(r->arguments, out);
	}
	return found;
}

const char *ctl_nearest(enum ctl_program p, const char *name)
{
	const char *best = NULL;
	size_t best_at = strlen(name) / 3 + 1;

	for (size_t i = 0; i < programs[p].n && strlen(name) <= NEAREST_NAME_MAX; i++) {
		size_t at = name_distance(name, programs[p].rows[i].name);

		if (at < best_at) {
			best_at = at;
			best = programs[p].rows[i].name;
		}
	}
	return best;
}

/* Finds the type of an argument in a description. */
static bool find_type(const char *description, const char *name, enum control_type *ret)
{
	unsigned alternative = 0;
	struct control_arg arg;
	size_t at = 0;

	while (control_args_next(description, &at, &alternative, &arg) == 1)
		if (arg.name.n == strlen(name) && memcmp(arg.name.p, name, arg.name.n) == 0) {
			*ret = arg.type;
			return true;
		}
	return false;
}

enum ctl_argument ctl_argument_kind(const char *name)
{
	enum control_type type = CONTROL_TEXT;
	bool found = false;

	for (size_t p = 0; p < ARRAY_LEN(programs); p++)
		for (size_t i = 0; i < programs[p].n && !found; i++)
			found = find_type(programs[p].rows[i].arguments, name, &type);
	return type == CONTROL_INT ? CTL_INT : type == CONTROL_BOOL ? CTL_BOOL : CTL_TEXT;
}
