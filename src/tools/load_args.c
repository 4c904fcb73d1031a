/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The command line of usher-load: values by the table, then the checks across options.
 */
#include "tools/load_args.h"

#include "base/clock.h"
#include "base/ip.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind {
	KIND_HEADING,
	KIND_FLAG,
	KIND_NO,
	KIND_INT,
	KIND_REAL,
	KIND_TEXT,
	KIND_MS,
	KIND_SEC,
	KIND_BIND,
	KIND_SERVER,
	KIND_POOL,
	KIND_PROFILE,
	KIND_SET,
	KIND_WHO,
	KIND_LIE,
	KIND_HELP,
};

struct arg {
	const char *name, *argument;
	enum kind kind;
	size_t offset;
	double min, max;
	const char *help;
};

static const struct arg args[] = {
#define ARGUMENT(name, argument, kind, field, min, max, help)                          \
	{name,		argument,      KIND_##kind, offsetof(struct load_opts, field), \
	 (double)(min), (double)(max), help},
#include "tools/load_args.def"
#undef ARGUMENT
};

static const char *const profiles[] = {"dora", "renew", "release", "mixed"};
static const char *const sets[] = {"minimal", "typical", "mixed"};
static const char *const whos[] = {"yes", "no", "mixed"};
static const char *const lies[] = {"none",	"duplicate",  "xid",	   "chaddr",
				   "server-id", "address",    "giaddr",	   "type",
				   "nak",	"lease-time", "client-id", "malformed"};

const char *load_profile_name(enum load_profile p)
{
	return profiles[p];
}

const char *load_options_name(enum load_options o)
{
	return sets[o];
}

const char *load_who_name(enum load_who w)
{
	return whos[w];
}

struct parse {
	struct load_opts *o;
	const struct arg *arg;
	char *err;
	size_t err_cap;
};

static int report_value(const struct parse *p, const char *expected, const char *got)
{
	(void)snprintf(p->err, p->err_cap, "--%s: expected %s, got \"%s\"", p->arg->name, expected,
		       got);
	return -1;
}

static void *field_of(const struct parse *p)
{
	return (char *)p->o + p->arg->offset;
}

static int take_number(const struct parse *p, const char *s, double *ret)
{
	char expected[80];
	char *end;
	double v;

	(void)snprintf(expected, sizeof(expected), "a number from %g to %g", p->arg->min,
		       p->arg->max);
	errno = 0;
	v = strtod(s, &end);
	if (!*s || *end || errno || !(v >= p->arg->min && v <= p->arg->max))
		return report_value(p, expected, s);
	*ret = v;
	return 0;
}

static int take_integer(const struct parse *p, const char *s, uint64_t *ret)
{
	char *end;
	double v;

	if (take_number(p, s, &v) < 0)
		return -1;
	errno = 0;
	*ret = strtoull(s, &end, 10);
	return *end || errno ? report_value(p, "a whole number", s) : 0;
}

static int take_duration(const struct parse *p, const char *s, int64_t unit)
{
	double v;

	if (take_number(p, s, &v) < 0)
		return -1;
	*(int64_t *)field_of(p) = (int64_t)(v * (double)unit);
	return 0;
}

static int take_name(const struct parse *p, const char *s, const char *const *words, size_t n,
		     unsigned *ret)
{
	char expected[160] = "one of";

	for (size_t i = 0; i < n; i++) {
		size_t at = strlen(expected);

		if (strcmp(s, words[i]) == 0) {
			*ret = (unsigned)i;
			return 0;
		}
		(void)snprintf(expected + at, sizeof(expected) - at, "%s %s", i ? "," : "",
			       words[i]);
	}
	return report_value(p, expected, s);
}

static int bind_address(const struct parse *p, const char *s)
{
	struct load_opts *o = p->o;

	if (o->n_bind == LOAD_BINDS_MAX)
		return report_value(p, "at most 64 addresses", s);
	if (ip_parse(s, strlen(s), &o->bind[o->n_bind]) < 0)
		return report_value(p, "an address such as 192.0.2.1", s);
	o->n_bind++;
	return 0;
}

static int server_address(const struct parse *p, const char *s)
{
	const char *colon = strchr(s, ':');
	size_t n = colon ? (size_t)(colon - s) : strlen(s);
	char *end = NULL;
	long port = colon ? strtol(colon + 1, &end, 10) : 67;

	if (ip_parse(s, n, &p->o->server) < 0 || !p->o->server || (colon && (!colon[1] || *end)) ||
	    port < 1 || port > 65535)
		return report_value(p, "ADDRESS or ADDRESS:PORT", s);
	p->o->server_port = (uint16_t)port;
	return 0;
}

static int pool_prefix(const struct parse *p, const char *s)
{
	const char *slash = strchr(s, '/');
	char *end = NULL;
	long len = slash ? strtol(slash + 1, &end, 10) : -1;

	if (!slash || !slash[1] || *end || len < 1 || len > 30 ||
	    ip_parse(s, (size_t)(slash - s), &p->o->pool) < 0 ||
	    p->o->pool & ~ip_mask((unsigned)len))
		return report_value(p, "a prefix of 1 to 30 bits such as 10.0.0.0/8", s);
	p->o->pool_bits = 32 - (unsigned)len;
	return 0;
}

/* The words of a kind; the place of the word is the enum's value. */
static const struct {
	enum kind kind;
	const char *const *words;
	size_t n;
} word_lists[] = {
	{KIND_PROFILE, profiles, ARRAY_LEN(profiles)},
	{KIND_SET, sets, ARRAY_LEN(sets)},
	{KIND_WHO, whos, ARRAY_LEN(whos)},
	{KIND_LIE, lies, ARRAY_LEN(lies)},
};

static int take_word(const struct parse *p, const char *s)
{
	for (size_t i = 0; i < ARRAY_LEN(word_lists); i++)
		if (word_lists[i].kind == p->arg->kind)
			return take_name(p, s, word_lists[i].words, word_lists[i].n, field_of(p));
	return -1;
}

static int take_value(const struct parse *p, const char *s)
{
	switch (p->arg->kind) {
	case KIND_FLAG:
	case KIND_HELP:
		*(bool *)field_of(p) = true;
		return 0;
	case KIND_NO:
		*(bool *)field_of(p) = false;
		return 0;
	case KIND_INT:
		return take_integer(p, s, field_of(p));
	case KIND_REAL:
		return take_number(p, s, field_of(p));
	case KIND_MS:
		return take_duration(p, s, NS_PER_MS);
	case KIND_SEC:
		return take_duration(p, s, NS_PER_S);
	case KIND_TEXT:
		*(const char **)field_of(p) = s;
		return *s ? 0 : report_value(p, "a name", s);
	case KIND_BIND:
		return bind_address(p, s);
	case KIND_SERVER:
		return server_address(p, s);
	case KIND_POOL:
		return pool_prefix(p, s);
	case KIND_PROFILE:
		p->o->profile_set = true;
		return take_word(p, s);
	case KIND_SET:
	case KIND_WHO:
	case KIND_LIE:
		return take_word(p, s);
	case KIND_HEADING:
		break;
	}
	return -1;
}

/* Returns the problem of the options as a whole, or NULL. */
static const char *target_problem(const struct load_opts *o)
{
	if (o->direct && o->relayed)
		return "--direct and --relayed exclude each other";
	if (o->direct && (!o->iface || o->n_bind || o->server))
		return "--direct takes -i IFACE, no --bind and no --server";
	if (!o->direct && o->iface)
		return "-i is for --direct";
	if (!o->direct && !o->n_bind)
		return "--bind GIADDR is missing (or --direct -i IFACE)";
	if (!o->direct && !o->responder && !o->server)
		return "--server ADDR is missing";
	for (unsigned i = 0; i < o->n_bind; i++)
		if (!o->bind[i])
			return "--bind: 0.0.0.0 is no relay agent's address";
	return NULL;
}

static const char *load_problem(const struct load_opts *o)
{
	if (o->lie != LOAD_LIE_NONE)
		return "--lie is for --responder";
	if (!o->profile_set)
		return "--profile dora, renew, release or mixed is missing";
	if ((o->profile == LOAD_RENEW || o->profile == LOAD_MIXED) && !o->clients)
		return "--profile renew and mixed take --clients N, at least 1";
	if (o->exchanges && o->time_ns)
		return "--time and --exchanges exclude each other";
	if (o->ramp && (o->exchanges || o->time_ns))
		return "--ramp finds its end itself: no --time, no --exchanges";
	if (o->live && !o->leases)
		return "--check-leases-live takes --leases FILE";
	return NULL;
}

static const char *responder_problem(const struct load_opts *o)
{
	if (o->direct || o->n_bind != 1)
		return "--responder takes one --bind ADDR";
	if (o->profile_set || o->server)
		return "--responder takes no --profile and no --server";
	return NULL;
}

static int check_options(const struct load_opts *o, char *err, size_t cap)
{
	const char *why = target_problem(o);

	if (!why)
		why = o->responder ? responder_problem(o) : load_problem(o);
	if (!why)
		return 0;
	(void)snprintf(err, cap, "%s", why);
	return -1;
}

static void set_defaults(struct load_opts *o)
{
	if (!o->responder && !o->ramp && !o->exchanges && !o->time_ns)
		o->time_ns = 10 * NS_PER_S;
	if (o->ramp && o->drop_limit < 0)
		o->drop_limit = 1;
	if (o->ramp && o->rate <= 0)
		o->rate = 1000;
	if (o->clients && o->window > o->clients)
		o->window = o->clients;
}

/* Fills getopt's list from the table; the value of each option is its place in the table. */
static void long_options(struct option *out)
{
	for (size_t i = 0; i < ARRAY_LEN(args); i++)
		if (args[i].kind != KIND_HEADING)
			*out++ = (struct option){args[i].name,
						 args[i].argument ? required_argument : no_argument,
						 NULL, (int)i + 256};
	*out = (struct option){0};
}

static const struct arg *arg_of(int c)
{
	const char *name = c == 'i' ? "interface" : "help";

	if (c >= 256)
		return &args[c - 256];
	for (size_t i = 0; i < ARRAY_LEN(args); i++)
		if (strcmp(args[i].name, name) == 0)
			return &args[i];
	return NULL;
}

int load_args_parse(int argc, char **argv, bool progress, struct load_opts *ret, char *err,
		    size_t err_cap)
{
	struct option longs[ARRAY_LEN(args) + 1];
	struct parse p = {.o = ret, .err = err, .err_cap = err_cap};
	int c;

	*ret = (struct load_opts){
		.window = 256,
		.timeout_ns = NS_PER_S,
		.drop_limit = -1,
		.seed = 1,
		.burst = 64,
		.options = LOAD_OPTIONS_TYPICAL,
		.cpu = LOAD_NO_CPU,
		.offload = true,
		.progress = progress,
		.pool = 0x40000000,
		.pool_bits = 30,
	};
	long_options(longs);
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":i:h", longs, NULL)) >= 0) {
		if (c == '?' || c == ':') {
			(void)snprintf(err, err_cap, "%s: %s", argv[optind - 1],
				       c == ':' ? "its argument is missing" : "no such option");
			return -1;
		}
		p.arg = arg_of(c);
		if (take_value(&p, optarg ? optarg : "") < 0)
			return -1;
	}
	if (ret->help || ret->version)
		return 0;
	if (optind < argc) {
		(void)snprintf(err, err_cap, "%s: no such argument", argv[optind]);
		return -1;
	}
	if (check_options(ret, err, err_cap) < 0)
		return -1;
	set_defaults(ret);
	return 0;
}

void load_args_help(void)
{
	char left[64];

	(void)puts("usage: usher-load --bind GIADDR --server ADDR --profile PROFILE [OPTIONS]\n"
		   "       usher-load --direct -i IFACE --profile PROFILE [OPTIONS]\n"
		   "       usher-load --responder --bind ADDR [OPTIONS]");
	for (size_t i = 0; i < ARRAY_LEN(args); i++) {
		if (args[i].kind == KIND_HEADING) {
			(void)printf("\n%s:\n", args[i].help);
			continue;
		}
		(void)snprintf(left, sizeof(left), "--%s%s%s", args[i].name,
			       args[i].argument ? " " : "",
			       args[i].argument ? args[i].argument : "");
		(void)printf("  %-22s %s\n", left, args[i].help);
	}
}
