/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The rows of args.def, as options of getopt_long() and as the text of --help.
 */
#include "ctl/args.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_OPTION = 256 }; /* numbers of options, above every letter */

enum option_name {
	OPTION_FIRST_ = FIRST_OPTION - 1,
#define OPTION(symbol, name, letter, argument, completion, help) OPTION_##symbol,
#include "ctl/args.def"
#undef OPTION
	OPTION_END_
};

static const struct row {
	const char *name;
	char letter;
	const char *argument, *help;
} rows[] = {
#define OPTION(symbol, name, letter, argument, completion, help) {name, letter, argument, help},
#include "ctl/args.def"
#undef OPTION
};

static const char
	synopsis[] = "usage: usherctl [server|client|gate] [OPTIONS] COMMAND [ARGUMENTS]\n"
		     "       usherctl [server|client|gate] help [COMMAND]\n"
		     "       usherctl [server|client|gate] top [--batch N]\n";

static const char examples[] =
	"\n"
	"ARGUMENTS is a JSON map, @FILE with one, or name=value words:\n"
	"  usherctl -s /run/kea/kea4-ctrl-socket lease4-get ip-address=192.0.2.10\n"
	"  usherctl --url https://dhcp.example:8000 --ca ca.pem --user admin status-get\n"
	"  usherctl config-set @new.json\n"
	"  usherctl client -i eth1 state\n"
	"  usherctl client transition RENEWING\n"
	"\n"
	"help lists the commands of the server, or of the program named; help COMMAND explains one.\n"
	"list-commands asks the running program.\n"
	"\n";

/* Prints a text in lines of at most 100 columns, each behind `indent` blanks; the first line
 * continues the present one. */
static void print_wrapped(const char *text, int indent, FILE *out)
{
	int column = indent;

	while (*text) {
		size_t n = strcspn(text, " ");

		if (column > indent && column + 1 + (int)n > 100) {
			(void)fprintf(out, "\n%*s", indent, "");
			column = indent;
		}
		column += fprintf(out, "%s%.*s", column > indent ? " " : "", (int)n, text);
		text += n;
		text += strspn(text, " ");
	}
	(void)fputc('\n', out);
}

static void print_options(FILE *out)
{
	enum { INDENT = 29 };
	char left[48];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		char letter[8] = "    ";

		if (r->letter)
			(void)snprintf(letter, sizeof(letter), "-%c, ", r->letter);
		(void)snprintf(left, sizeof(left), "  %s--%s%s%s", letter, r->name,
			       r->argument ? " " : "", r->argument ? r->argument : "");
		(void)fprintf(out, "%-*s ", INDENT - 1, left);
		print_wrapped(r->help, INDENT, out);
	}
}

/* Prints the reason why the command line is wrong. Returns -1. */
static int refuse_args(const char *option, const char *reason)
{
	(void)fprintf(stderr, "usherctl: %s%s%s\n%susherctl --help has the options.\n", option,
		      option[0] ? ": " : "", reason, synopsis);
	return -1;
}

/* Takes a word that names a program. Returns whether it was one. */
static bool take_program(struct ctl_args *a, const char *word)
{
	static const char *const names[] =
		{[CTL_SERVER] = "server", [CTL_CLIENT] = "client", [CTL_GATE] = "gate"};

	for (size_t i = 0; word && i < ARRAY_LEN(names); i++)
		if (strcmp(word, names[i]) == 0) {
			a->program = (enum ctl_program)i;
			return true;
		}
	return false;
}

static const char *default_socket(struct ctl_args *a, const char *iface)
{
	const char *env = getenv("USHER_CONTROL_SOCKET");

	if (env && env[0] && !iface)
		return env;
	if (a->program == CTL_GATE)
		return "/run/usher/gate.sock";
	if (a->program == CTL_SERVER)
		return "/run/kea/kea4-ctrl-socket";
	(void)snprintf(a->path, sizeof(a->path), "/run/usher/client-%s.sock",
		       iface ? iface : "eth0");
	return a->path;
}

/* Reads a number from 1 to max. Returns 0, or -1 with the reason printed. */
static int read_number(const char *option, const char *s, long max, int *ret)
{
	char *end, reason[160];
	long v = strtol(s, &end, 10);

	if (*s && !*end && v >= 1 && v <= max) {
		*ret = (int)v;
		return 0;
	}
	(void)snprintf(reason, sizeof(reason), "expected a number from 1 to %ld, not '%.40s'", max,
		       s);
	return refuse_args(option, reason);
}

/* Returns the place of an option whose value is kept as it is; NULL: another option. */
static const char **text_place(struct ctl_args *a, int option, const char **iface)
{
	switch (option) {
	case OPTION_SOCKET:
		return &a->socket;
	case OPTION_INTERFACE:
		return iface;
	case OPTION_URL:
		return &a->url;
	case OPTION_USER:
		return &a->user;
	case OPTION_CA:
		return &a->ca;
	case OPTION_CERT:
		return &a->cert;
	case OPTION_KEY:
		return &a->key;
	default:
		return NULL;
	}
}

/* Takes one option that has no place for a text. Returns 0, 1 or -1 as ctl_args_parse(). */
static int take_option(struct ctl_args *a, int option)
{
	switch (option) {
	case OPTION_JSON:
		a->json = true;
		return 0;
	case OPTION_TIMEOUT:
		return read_number("--timeout", optarg, 86400, &a->timeout_s);
	case OPTION_WATCH:
		return read_number("--watch", optarg, 86400, &a->watch_s);
	case OPTION_BATCH:
		return read_number("--batch", optarg, 1000000, &a->batch);
	case OPTION_HELP:
		(void)fputs(synopsis, stdout);
		(void)fputs(examples, stdout);
		print_options(stdout);
		return 1;
	case OPTION_VERSION:
		(void)puts("usherctl " USHER_VERSION);
		return 1;
	default: /* getopt_long() has printed the reason */
		(void)fputs(synopsis, stderr);
		return -1;
	}
}

/* Reads the options, behind the first `begin` words. */
static int read_options(struct ctl_args *a, int begin, int argc, char **argv, const char **iface)
{
	struct option longs[ARRAY_LEN(rows) + 1] = {0};
	char shorts[2 * ARRAY_LEN(rows) + 1];
	size_t n = 0;
	int o, r = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		longs[i] = (struct option){rows[i].name, rows[i].argument ? 1 : 0, NULL,
					   FIRST_OPTION + (int)i};
		if (rows[i].letter)
			shorts[n++] = rows[i].letter;
		if (rows[i].letter && rows[i].argument)
			shorts[n++] = ':';
	}
	shorts[n] = '\0';
	optind = begin;
	while (r == 0 && (o = getopt_long(argc, argv, shorts, longs, NULL)) >= 0) {
		const char **place;

		for (size_t i = 0; i < ARRAY_LEN(rows); i++)
			if (rows[i].letter && o == rows[i].letter)
				o = FIRST_OPTION + (int)i;
		place = text_place(a, o, iface);
		if (place)
			*place = optarg;
		else
			r = take_option(a, o);
	}
	return r;
}

/* Checks the options for --url. */
static int check_url(const struct ctl_args *a, const char *iface)
{
	bool https = a->url && strncasecmp(a->url, "https://", 8) == 0;
	const char *host = a->url ? strstr(a->url, "://") : NULL;

	if (!a->url && (a->user || a->ca || a->cert || a->key))
		return refuse_args("--user, --ca, --cert, --key", "these are for --url");
	if (!a->url)
		return 0;
	if (a->socket || iface)
		return refuse_args("--url", "it replaces --socket and --interface");
	if (!https && strncasecmp(a->url, "http://", 7) != 0)
		return refuse_args("--url", "expected http://HOST:PORT or https://HOST:PORT");
	if (memchr(host + 3, '@', strcspn(host + 3, "/?#")))
		return refuse_args("--url", "the user belongs to --user");
	if (!https && (a->ca || a->cert || a->key))
		return refuse_args("--ca, --cert, --key", "these need a URL with https");
	if (a->key && !a->cert)
		return refuse_args("--key", "it needs --cert");
	if (a->user && (!a->user[0] || a->user[0] == ':'))
		return refuse_args("--user", "expected USER or USER:PASSWORD");
	return 0;
}

static int check_command(const struct ctl_args *a)
{
	bool top = strcmp(a->command, "top") == 0;

	if (a->batch && !top)
		return refuse_args("--batch", "only for top");
	if (top && (a->json || a->n_words))
		return refuse_args("top", "it takes no arguments, and has no form as JSON");
	if (a->program != CTL_CLIENT || strcmp(a->command, "events") != 0)
		return 0;
	if (a->url)
		return refuse_args("events", "events need the client's socket, not --url");
	return a->watch_s ? refuse_args("--watch", "events follow by themselves") : 0;
}

int ctl_args_parse(int argc, char **argv, struct ctl_args *ret)
{
	const char *iface = NULL;
	bool named;
	int r;

	*ret = (struct ctl_args){.timeout_s = 10};
	named = take_program(ret, argc > 1 ? argv[1] : NULL);
	r = read_options(ret, named ? 2 : 1, argc, argv, &iface);
	if (r != 0)
		return r;
	if (!named && take_program(ret, optind < argc ? argv[optind] : NULL))
		optind++;
	if (optind >= argc)
		return refuse_args("", "there is no command");
	ret->command = argv[optind++];
	ret->words = argv + optind;
	ret->n_words = argc - optind;
	r = check_url(ret, iface);
	if (r < 0)
		return r;
	if (!ret->url && !ret->socket)
		ret->socket = default_socket(ret, iface);
	return check_command(ret);
}
