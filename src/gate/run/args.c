/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Options by their table, read by getopt_long(3); then the checks across options.
 */
#include "gate/run/args.h"

#include "gate/engine/gate.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>

enum kind {
	KIND_HEADING,
	KIND_FLAG,
	KIND_TEXT,
	KIND_PORT,
	KIND_INT,
	KIND_LOAD,
	KIND_FORMAT,
	KIND_OVERLAP,
	KIND_VERSION,
	KIND_HELP
};

static const struct arg {
	char letter;
	const char *name, *argument;
	enum kind kind;
	size_t offset;
	int64_t min, max;
	const char *help;
} args[] = {
#define ARGUMENT(letter, name, argument, kind, field, min, max, help) \
	{letter, name, argument, KIND_##kind, offsetof(struct gate_args, field), min, max, help},
#include "gate/run/args.def"
#undef ARGUMENT
};

enum { N_ARGS = ARRAY_LEN(args), LETTERS_LEN = 2 * N_ARGS + 3, COLUMN = 34 };

void gate_args_help(FILE *f)
{
	(void)fputs(
		"usage: usher-gate [RULES.lua] (-r FILE [-w FILE] | -i IFACE [-i IFACE]... | -q N) [options]\n",
		f);
	for (size_t i = 0; i < N_ARGS; i++) {
		const struct arg *a = &args[i];
		char left[COLUMN + 1];

		if (a->kind == KIND_HEADING) {
			(void)fprintf(f, "\n%s\n", a->help);
			continue;
		}
		(void)snprintf(left, sizeof(left), "  %c%c%s --%s%s%s", a->letter ? '-' : ' ',
			       a->letter ? a->letter : ' ', a->letter ? "," : " ", a->name,
			       *a->argument ? " " : "", a->argument);
		(void)fprintf(f, "%-*s %s\n", COLUMN, left, a->help);
	}
}

struct parse {
	struct gate_args *o;
	const struct arg *arg;
	char *err;
	size_t err_cap;
};

static int report_bad(const struct parse *p, const char *expected, const char *got)
{
	(void)snprintf(p->err, p->err_cap, "--%s: expected %s, got \"%s\"", p->arg->name, expected,
		       got);
	return -1;
}

static void *field(const struct parse *p)
{
	return (char *)p->o + p->arg->offset;
}

static int take_int(const struct parse *p, const char *s)
{
	char expected[64], *end;
	long long v;

	(void)snprintf(expected, sizeof(expected), "a number from %lld to %lld",
		       (long long)p->arg->min, (long long)p->arg->max);
	errno = 0;
	v = strtoll(s, &end, 10);
	if (!*s || *end || errno || v < p->arg->min || v > p->arg->max)
		return report_bad(p, expected, s);
	*(int64_t *)field(p) = v;
	return 0;
}

static int take_port(const struct parse *p, const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > 15 || strpbrk(s, " /"))
		return report_bad(p, "the name of an interface, at most 15 characters", s);
	if (p->o->n_ifnames == FRAMES_MAX_PORTS)
		return report_bad(p, "at most 16 interfaces", s);
	for (unsigned i = 0; i < p->o->n_ifnames; i++)
		if (strcmp(p->o->ifnames[i], s) == 0)
			return report_bad(p, "each interface once", s);
	p->o->ifnames[p->o->n_ifnames++] = s;
	return 0;
}

static int take_load(const struct parse *p, const char *s)
{
	enum gate_dissector d = gate_dissector_find(s);
	char expected[256] = "one of";

	for (unsigned i = 0; i < DISSECT_N; i++) {
		size_t at = strlen(expected);

		(void)snprintf(expected + at, sizeof(expected) - at, " %s",
			       gate_dissector_name((enum gate_dissector)i));
	}
	if (d == DISSECT_N)
		return report_bad(p, expected, s);
	p->o->loaded |= UINT32_C(1) << d;
	return 0;
}

static int take_format(const struct parse *p, const char *s)
{
	static const char *const forms[] = {"pretty", "oneline", "json"};

	for (unsigned i = 0; i < ARRAY_LEN(forms); i++)
		if (strcmp(s, forms[i]) == 0) {
			p->o->alert_format = i;
			return 0;
		}
	return report_bad(p, "pretty, oneline or json", s);
}

static int take_overlap(const struct parse *p, const char *s)
{
	if (strcmp(s, "first") != 0 && strcmp(s, "drop") != 0)
		return report_bad(p, "first or drop", s);
	p->o->drop_overlaps = s[0] == 'd';
	return 0;
}

static int take_value(const struct parse *p, const char *value)
{
	switch (p->arg->kind) {
	case KIND_FLAG:
		*(bool *)field(p) = true;
		return 0;
	case KIND_TEXT:
		*(const char **)field(p) = value;
		return *value ? 0 : report_bad(p, "a name", value);
	case KIND_PORT:
		return take_port(p, value);
	case KIND_INT:
		return take_int(p, value);
	case KIND_LOAD:
		return take_load(p, value);
	case KIND_OVERLAP:
		return take_overlap(p, value);
	case KIND_FORMAT:
		return take_format(p, value);
	case KIND_VERSION:
		(void)printf("usher-gate %s\n", USHER_VERSION);
		p->o->done = true;
		return 0;
	case KIND_HELP:
		gate_args_help(stdout);
		p->o->done = true;
		return 0;
	case KIND_HEADING:
		break;
	}
	return -1;
}

/* Makes the options for getopt_long: val is the index in args, plus one so that 0 is free. */
static void options_for_getopt(struct option longs[N_ARGS + 1], char letters[LETTERS_LEN])
{
	size_t n = 0;

	*letters++ = ':';
	for (size_t i = 0; i < N_ARGS; i++) {
		const struct arg *a = &args[i];

		if (a->kind == KIND_HEADING)
			continue;
		longs[n++] = (struct option){a->name,
					     *a->argument ? required_argument : no_argument, NULL,
					     (int)i + 256};
		if (!a->letter)
			continue;
		*letters++ = a->letter;
		if (*a->argument)
			*letters++ = ':';
	}
	longs[n] = (struct option){0};
	*letters = '\0';
}

static const struct arg *arg_of(int c)
{
	if (c >= 256)
		return &args[c - 256];
	for (size_t i = 0; i < N_ARGS; i++)
		if (args[i].letter == c)
			return &args[i];
	return &args[0];
}

static int fits_together(struct gate_args *o, char *err, size_t cap)
{
	int sources = (o->in != NULL) + (o->n_ifnames > 0) + (o->queue != GATE_NO_QUEUE);
	const char *why = NULL;

	if (o->check && !o->rules && !o->guard)
		why = "-t needs a rule file or --guard";
	else if (o->check)
		return 0;
	else if (o->keep_snapped && !o->in)
		why = "--keep-snapped goes with -r";
	else if (sources != 1)
		why = sources ? "only one of -r, -i and -q"
			      : "one of -r, -i and -q says where packets come from; see --help";
	else if (o->out && !o->in)
		why = "-w goes with -r";
	else if (o->queue_rules && o->queue == GATE_NO_QUEUE)
		why = "--queue-rules goes with -q";
	else if (o->queue + o->workers - 1 > UINT16_MAX)
		why = "-q and -j: queue numbers end at 65535";
	else if (o->workers > 1 && o->in)
		why = "-j goes with -i and -q: a file is read by one worker";
	else if (o->guard && o->queue != GATE_NO_QUEUE)
		why = "--guard goes with -i and -r: a queue does not say which port a packet came by";
	else if (o->guard && o->workers > 1)
		why = "--guard goes with one worker: request and answer have to meet";
	if (why)
		(void)snprintf(err, cap, "%s", why);
	return why ? -1 : 0;
}

int gate_args_parse(int argc, char **argv, struct gate_args *ret, char *err, size_t err_cap)
{
	struct gate_args o = {.queue = GATE_NO_QUEUE,
			      .workers = 1,
			      .max_flows = 1 << 20,
			      .max_held = 8192,
			      .instructions = 10000000,
			      .memory_mb = 64,
			      .socket = GATE_SOCKET};
	struct option longs[N_ARGS + 1];
	char letters[LETTERS_LEN];
	int c;

	options_for_getopt(longs, letters);
	optind = 1;
	opterr = 0;
	while ((c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		struct parse p = {&o, NULL, err, err_cap};

		if (c == '?' || c == ':') {
			(void)snprintf(err, err_cap, "%s: %s", argv[optind - 1],
				       c == ':' ? "an argument is missing"
						: "no such option; see --help");
			return -1;
		}
		p.arg = arg_of(c);
		if (take_value(&p, optarg ? optarg : "") < 0)
			return -1;
		if (o.done)
			break;
	}
	if (!o.done && argc - optind > 1) {
		(void)snprintf(err, err_cap, "\"%s\": only one rule file", argv[optind + 1]);
		return -1;
	}
	o.rules = !o.done && optind < argc ? argv[optind] : NULL;
	*ret = o;
	return o.done ? 0 : fits_together(&o, err, err_cap);
}
