/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The distance of two names is Levenshtein's: characters to insert, remove or replace. A name is
 * near when at most a third of it differs.
 */
#include "ctl/commands.h"

#include "base/nearest.h"
#include "control/args.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

struct row {
	const char *name, *what, *arguments;
	enum ctl_access access;
};

enum { ACCESS_READ = CTL_READS, ACCESS_WRITE = CTL_WRITES };

#define COMMAND(name, function, access, needs, thread, what, arguments) \
	{name, what, arguments, (enum ctl_access)ACCESS_##access},
static const struct row server_rows[] = {
#include "server/manage/commands.def"
/* there while hooks-libraries names their library */
#define CLASS_CMDS  COMMAND
#define HOST_CMDS   COMMAND
#define SUBNET_CMDS COMMAND
#include "server/edit/edit_commands.def"
};

static const struct row client_rows[] = {
#include "client/os/command.def"
};

static const struct row gate_rows[] = {
#include "gate/run/commands.def"
};
#undef COMMAND

static const struct {
	enum ctl_program program;
	struct row row;
} local_rows[] = {
#define LOCAL(program, name, what) {CTL_##program, {name, what, "", CTL_LOCAL}},
#include "ctl/local.def"
#undef LOCAL
};

/* A reason for a drop. */
struct reason {
	const char *symbol, *sentence;
};

#define DROP(symbol, statistic, sentence) {#symbol, sentence},
static const struct reason server_drops[] = {
#include "packet/drop.def"
};

static const struct reason gate_drops[] = {
#include "gate/engine/drop.def"
};
#undef DROP

static const struct reason client_drops[] = {
#define DROP(symbol, sentence) {#symbol, sentence},
#include "client/core/drop.def"
#undef DROP
};

static const struct {
	const char *name;
	const struct row *rows;
	size_t n;
	const struct reason *drops;
	size_t n_drops;
} programs[] = {
	[CTL_SERVER] = {"usher-server", server_rows, ARRAY_LEN(server_rows), server_drops,
			ARRAY_LEN(server_drops)},
	[CTL_CLIENT] = {"usher-client", client_rows, ARRAY_LEN(client_rows), client_drops,
			ARRAY_LEN(client_drops)},
	[CTL_GATE] = {"usher-gate", gate_rows, ARRAY_LEN(gate_rows), gate_drops,
		      ARRAY_LEN(gate_drops)},
};

const char *ctl_program_name(enum ctl_program p)
{
	return programs[p].name;
}

/* Returns row i of a program, its own commands first; NULL: there are fewer. */
static const struct row *row_at(enum ctl_program p, size_t i)
{
	if (i < programs[p].n)
		return &programs[p].rows[i];
	i -= programs[p].n;
	for (size_t k = 0; k < ARRAY_LEN(local_rows); k++)
		if (local_rows[k].program == p && i-- == 0)
			return &local_rows[k].row;
	return NULL;
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
	const struct row *r;
	bool found = false;
	int width = 0;

	for (size_t i = 0; (r = row_at(p, i)); i++)
		if ((int)strlen(r->name) > width)
			width = (int)strlen(r->name);
	for (size_t i = 0; (r = row_at(p, i)); i++) {
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
	size_t best_at = strlen(name) / 3 + 1;
	const char *best = NULL;
	const struct row *r;

	for (size_t i = 0; strlen(name) <= NEAREST_NAME_MAX && (r = row_at(p, i)); i++) {
		size_t at = name_distance(name, r->name);

		if (at < best_at) {
			best_at = at;
			best = r->name;
		}
	}
	return best;
}

enum ctl_access ctl_command_access(enum ctl_program p, const char *name)
{
	const struct row *r;

	for (size_t i = 0; (r = row_at(p, i)); i++)
		if (strcmp(r->name, name) == 0)
			return r->access;
	return CTL_UNKNOWN;
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

/* Returns whether a name without its prefix is that of the symbol: case and "-" or "_" do not
 * matter. */
static bool is_symbol(const char *name, const char *symbol)
{
	for (; *name && *symbol; name++, symbol++)
		if (*name != *symbol && !(*name == '-' && *symbol == '_') &&
		    toupper((unsigned char)*name) != *symbol)
			return false;
	return !*name && !*symbol;
}

static const char *find_sentence(enum ctl_program p, const char *name)
{
	for (size_t i = 0; i < programs[p].n_drops; i++)
		if (is_symbol(name, programs[p].drops[i].symbol))
			return programs[p].drops[i].sentence;
	return NULL;
}

const char *ctl_drop_sentence(enum ctl_program p, const char *name)
{
	const char *s;

	name += strncmp(name, "drop-", 5) == 0 ? 5 : 0;
	s = find_sentence(p, name);
	/* the client also counts those of the frame, IP and UDP layers */
	if (!s && p == CTL_CLIENT)
		s = find_sentence(CTL_SERVER, name);
	return s ? s : "";
}
