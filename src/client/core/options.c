/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The command line by its table (args.def). A walk of our own instead of getopt: that one keeps
 * globals, prints by itself, and takes abbreviations that a later option makes ambiguous.
 */
#include "client/core/options_impl.h"

#include "base/error.h"
#include "wire/option_codes.h"

#include <stdio.h>

static const struct client_arg args[] = {
#define ARGUMENT(letter, name, argument, kind, field, help) \
	{letter, name, argument, KIND_##kind, offsetof(struct client_opts, field), help},
#include "client/core/args.def"
#undef ARGUMENT
};

/* RFC 3442: 121 before 3 and 33. */
static const uint8_t default_prl[] = {
	DHCP4_OPT_SUBNET_MASK,	 DHCP4_OPT_CLASSLESS_STATIC_ROUTE,
	DHCP4_OPT_ROUTERS,	 DHCP4_OPT_DOMAIN_NAME_SERVERS,
	DHCP4_OPT_HOST_NAME,	 DHCP4_OPT_DOMAIN_NAME,
	DHCP4_OPT_INTERFACE_MTU, DHCP4_OPT_BROADCAST_ADDRESS,
	DHCP4_OPT_STATIC_ROUTES, DHCP4_OPT_NTP_SERVERS,
	DHCP4_OPT_LEASE_TIME,	 DHCP4_OPT_SERVER_ID,
	DHCP4_OPT_RENEWAL_TIME,	 DHCP4_OPT_REBINDING_TIME,
	DHCP4_OPT_DOMAIN_SEARCH,
};

void client_opts_init(struct client_opts *o)
{
	*o = (struct client_opts){.iface = "eth0", .timeout_s = 10, .n_prl = sizeof(default_prl)};
	memcpy(o->prl, default_prl, sizeof(default_prl));
}

static const struct client_arg *find_arg(const char *name, size_t n, char letter)
{
	for (size_t i = 0; i < ARRAY_LEN(args); i++)
		if (name ? strlen(args[i].name) == n && strncmp(args[i].name, name, n) == 0
			 : args[i].letter && args[i].letter == letter)
			return &args[i];
	return NULL;
}

static int fail_unknown(const struct client_parse *p, const char *what)
{
	(void)snprintf(p->err, p->err_cap, "no such option: %s", what);
	return -USHER_E_UNKNOWN;
}

/* Takes the value of an option: `here` if not NULL, else the next argument. */
static int take_value(struct client_parse *p, const char *here, int argc, char *const *argv, int *i)
{
	if (!here && *i + 1 < argc)
		here = argv[++*i];
	if (!here) {
		(void)snprintf(p->err, p->err_cap, "--%s: %s is missing", p->arg->name,
			       p->arg->argument);
		return -USHER_E_SYNTAX;
	}
	return client_opts_take(p, here);
}

static int take_long_option(struct client_parse *p, int argc, char *const *argv, int *i)
{
	const char *word_at = argv[*i];
	const char *name = word_at + 2;
	size_t n = strcspn(name, "=");

	p->arg = find_arg(name, n, 0);
	if (!p->arg)
		return fail_unknown(p, word_at);
	if (p->arg->argument[0])
		return take_value(p, name[n] ? name + n + 1 : NULL, argc, argv, i);
	if (name[n])
		return client_opts_bad(p, -USHER_E_SYNTAX, "no value", name + n + 1);
	return client_opts_take(p, "");
}

/* Takes an argument of short options: -fnq, -ieth0, or -i followed by eth0. */
static int take_short_options(struct client_parse *p, int argc, char *const *argv, int *i)
{
	const char *s = argv[*i] + 1;

	for (; *s; s++) {
		int r;

		p->arg = find_arg(NULL, 0, *s);
		if (!p->arg)
			return fail_unknown(p, (const char[]){'-', *s, '\0'});
		if (p->arg->argument[0])
			return take_value(p, s[1] ? s + 1 : NULL, argc, argv, i);
		r = client_opts_take(p, "");
		if (r < 0)
			return r;
	}
	return 0;
}

/* Returns the problem of the options as a whole, or NULL. */
static const char *find_problem(const struct client_opts *o)
{
	if (o->now && o->background)
		return "-n and -b exclude each other: without a lease the one ends, the other "
		       "stays";
	if (o->foreground && o->background)
		return "-f and -b exclude each other";
	if (o->release && (o->keep_address || o->keep_lease))
		return "--release and --keep-address or --keep-lease exclude each other";
	if (o->inform && o->request_address)
		return "--inform takes the interface's address, not -r";
	return NULL;
}

int client_opts_parse(int argc, char *const *argv, struct client_opts *ret, char *err,
		      size_t err_cap)
{
	struct client_opts o;
	struct client_parse p = {.o = &o, .err = err, .err_cap = err_cap};
	const char *why;

	client_opts_init(&o);
	for (int i = 1; i < argc && !o.help && !o.version; i++) {
		const char *a = argv[i];
		int r;

		if (a[0] != '-' || !a[1] || strcmp(a, "--") == 0) {
			(void)snprintf(err, err_cap, "unexpected argument: %s", a);
			return -USHER_E_UNKNOWN;
		}
		r = a[1] == '-' ? take_long_option(&p, argc, argv, &i)
				: take_short_options(&p, argc, argv, &i);
		if (r < 0)
			return r;
	}
	why = o.help || o.version ? NULL : find_problem(&o);
	if (why) {
		(void)snprintf(err, err_cap, "%s", why);
		return -USHER_E_EXISTS;
	}
	*ret = o;
	return 0;
}

const char *client_opts_help_line(size_t i, char *buf, size_t cap)
{
	const struct client_arg *a;
	char left[48];

	if (i >= ARRAY_LEN(args))
		return NULL;
	a = &args[i];
	(void)snprintf(left, sizeof(left), "%c%c%s --%s%s%s", a->letter ? '-' : ' ',
		       a->letter ? a->letter : ' ', a->letter ? "," : " ", a->name,
		       a->argument[0] ? " " : "", a->argument);
	(void)snprintf(buf, cap, "  %-34s %s", left, a->help);
	return buf;
}
