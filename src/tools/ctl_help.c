/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The distance of two names is Levenshtein's: characters to insert, remove or replace. A name is
 * near when at most a third of it differs.
 */
#include "tools/ctl_help.h"

#include "base/nearest.h"

#include <stdint.h>
#include <string.h>

struct row {
	const char *name, *what, *arguments;
};

static const struct row server_rows[] = {
#define COMMAND(name, function, needs, what, arguments) {name, what, arguments},
#include "server/manage/commands.def"
#undef COMMAND
};

static const struct row client_rows[] = {
#define COMMAND(symbol, name, what) {name, what, ""},
#include "client/os/command.def"
#undef COMMAND
};

static const struct row gate_rows[] = {
#define COMMAND(name, function, what) {name, what, ""},
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
			(void)fprintf(out, "arguments: %s\n", r->arguments);
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

enum ctl_argument ctl_argument_kind(const char *name)
{
	static const char *const ints[] = {"duration",	 "exit-value",	"expire",    "limit",
					   "max-period", "max-samples", "origin-id", "packets",
					   "pool-id",	 "state",	"subnet-id", "valid-lft",
					   "worker"};
	static const char *const bools[] = {"clear", "force-create", "fqdn-fwd", "fqdn-rev",
					    "remove"};

	for (size_t i = 0; i < ARRAY_LEN(ints); i++)
		if (strcmp(ints[i], name) == 0)
			return CTL_INT;
	for (size_t i = 0; i < ARRAY_LEN(bools); i++)
		if (strcmp(bools[i], name) == 0)
			return CTL_BOOL;
	return CTL_TEXT;
}
