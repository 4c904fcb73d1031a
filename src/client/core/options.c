/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The command line by its table (args.def). A walk of our own instead of getopt: that one keeps
 * globals, prints by itself, and takes abbreviations that a later option makes ambiguous. Names and
 * classes are checked here, so that nothing of the command line can break a message, a script or a
 * log line.
 */
#include "client/core/options.h"

#include "base/arena.h"
#include "base/error.h"
#include "base/ip.h"
#include "client/core/lease.h"
#include "config/json.h"
#include "wire/fqdn.h"
#include "wire/option_codes.h"
#include "wire/option_def.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum kind {
	KIND_IFACE,
	KIND_ID,
	KIND_HOST,
	KIND_FLAG,
	KIND_TEXT,
	KIND_ADDRESS,
	KIND_PROBE,
	KIND_NO_PROBE,
	KIND_CLASS,
	KIND_LIST,
	KIND_FQDN,
	KIND_BROADCAST,
	KIND_MASK,
	KIND_SECONDS,
	KIND_HELP,
};

enum { TIMEOUT_MAX_S = 86400, LABEL_MAX = 63 };

struct arg {
	char letter;
	const char *name, *argument;
	enum kind kind;
	size_t offset;
	const char *help;
};

static const struct arg args[] = {
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

struct parse {
	struct client_opts *o;
	const struct arg *arg;
	bool host_set;
	char *err;
	size_t err_cap;
};

static int bad(const struct parse *p, int result, const char *expected, const char *got)
{
	(void)snprintf(p->err, p->err_cap, "--%s: expected %s, got \"%s\"", p->arg->name, expected,
		       got);
	return result;
}

static void *field(const struct parse *p)
{
	return (char *)p->o + p->arg->offset;
}

/* --- values ----------------------------------------------------------------------------------- */

/* Names of interfaces as the kernel takes them (dev_valid_name), and nothing that a path could make
 * of them. */
static int take_iface(const struct parse *p, const char *s)
{
	size_t n = strlen(s);
	bool ok = n > 0 && n < CLIENT_IFACE_MAX && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;

	for (size_t i = 0; i < n; i++)
		ok = ok && s[i] > ' ' && s[i] < 127 && s[i] != '/' && s[i] != ':';
	if (!ok)
		return bad(p, -USHER_E_SYNTAX, "the name of an interface, at most 15 characters",
			   s);
	memcpy(p->o->iface, s, n + 1);
	return 0;
}

/* "01:aa:bb": pairs of hex digits with a colon between each. */
static bool is_octets(const char *s)
{
	size_t n = strlen(s);

	if (n < 5 || n % 3 != 2)
		return false;
	for (size_t i = 0; i < n; i++)
		if (i % 3 == 2 ? s[i] != ':' : !isxdigit((unsigned char)s[i]))
			return false;
	return true;
}

static bool printable(const char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s > '~')
			return false;
	return true;
}

static int take_id(const struct parse *p, const char *s)
{
	struct client_opts *o = p->o;
	size_t n = strlen(s);
	int octets;

	o->client_id_len = 0;
	o->id_form = strcmp(s, "none") == 0  ? CLIENT_ID_NONE
		     : strcmp(s, "mac") == 0 ? CLIENT_ID_MAC
					     : CLIENT_ID_GIVEN;
	if (o->id_form != CLIENT_ID_GIVEN)
		return 0;
	if (is_octets(s)) {
		octets = hex_parse(s, n, o->client_id, sizeof(o->client_id));
		if (octets < 0)
			return bad(p, -USHER_E_RANGE, "at most 255 octets", s);
		o->client_id_len = (uint8_t)octets;
		return 0;
	}
	/* RFC 2132 9.14: type 0, then an identifier that is not a hardware address */
	if (n == 0 || n > CLIENT_ID_MAX - 1 || !printable(s))
		return bad(p, -USHER_E_SYNTAX,
			   "1 to 254 printable characters, or hex octets 01:aa:...", s);
	o->client_id[0] = 0;
	memcpy(o->client_id + 1, s, n);
	o->client_id_len = (uint8_t)(n + 1);
	return 0;
}

/*
 * RFC 952, RFC 1123 2.1: labels of letters, digits and inner hyphens; hosts have underscores in
 * their names all the same, and servers accept them.
 */
static bool is_name(const char *s, size_t max)
{
	size_t n = strlen(s);
	size_t label = 0;

	if (n == 0 || n > max)
		return false;
	for (size_t i = 0; i <= n; i++) {
		if (s[i] == '.' || s[i] == '\0') {
			if (label == 0 || label > LABEL_MAX || s[i - 1] == '-')
				return false;
			label = 0;
			continue;
		}
		if (!isalnum((unsigned char)s[i]) && s[i] != '_' && (s[i] != '-' || label == 0))
			return false;
		label++;
	}
	return true;
}

static int take_host(struct parse *p, const char *s)
{
	if (!is_name(s, CLIENT_NAME_MAX - 1))
		return bad(
			p, -USHER_E_SYNTAX,
			"letters, digits, underscores, inner hyphens and dots, labels of at most 63",
			s);
	if (p->host_set && strcmp(p->o->hostname, s) != 0)
		return bad(p, -USHER_E_EXISTS, "one host name (-H and -h mean the same)", s);
	p->host_set = true;
	memcpy(p->o->hostname, s, strlen(s) + 1);
	return 0;
}

static int take_fqdn(const struct parse *p, const char *s)
{
	char text[CLIENT_NAME_MAX];
	size_t n = strlen(s);
	int len;

	if (n > 1 && n <= sizeof(text) && s[n - 1] == '.')
		n--;
	(void)snprintf(text, sizeof(text), "%.*s", (int)n, s);
	if (n >= sizeof(text) || !is_name(text, sizeof(text) - 1) || !strchr(text, '.'))
		return bad(p, -USHER_E_SYNTAX,
			   "a name of at least two labels such as host.example.org", s);
	len = fqdn_parse(text, n, p->o->fqdn);
	if (len < 0)
		return bad(p, len, "a name of at most 253 characters", s);
	p->o->fqdn_len = (uint8_t)len;
	return 0;
}

static int take_class(const struct parse *p, const char *s)
{
	size_t n = strlen(s);
	bool vendor = p->arg->offset == offsetof(struct client_opts, vendor_class);
	size_t max = vendor ? CLIENT_CLASS_MAX : CLIENT_CLASS_MAX - 1;

	if (n == 0 || n > max || !printable(s))
		return bad(p, -USHER_E_SYNTAX,
			   vendor ? "1 to 255 printable characters"
				  : "1 to 254 printable characters",
			   s);
	memcpy(field(p), s, n);
	if (vendor)
		p->o->vendor_class_len = (uint8_t)n;
	else
		p->o->user_class_len = (uint8_t)n;
	return 0;
}

static int take_address(const struct parse *p, const char *s)
{
	uint32_t a;

	if (ip_parse(s, strlen(s), &a) < 0)
		return bad(p, -USHER_E_SYNTAX, "an address such as 192.0.2.7", s);
	if (!client_address_is_unicast(a))
		return bad(p, -USHER_E_RANGE, "an address that a host may have", s);
	p->o->request_address = a;
	p->o->request_given = true;
	return 0;
}

static int number(const struct parse *p, const char *s, unsigned long max, const char *expected,
		  uint32_t *ret)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(s, &end, 10);
	if (!isdigit((unsigned char)*s) || *end)
		return bad(p, -USHER_E_SYNTAX, expected, s);
	if (errno || v < 1 || v > max)
		return bad(p, -USHER_E_RANGE, expected, s);
	*ret = (uint32_t)v;
	return 0;
}

static int take_mask(const struct parse *p, const char *s)
{
	uint32_t len;
	int r = number(p, s, 32, "a prefix length from 1 to 32", &len);

	if (r == 0)
		p->o->default_mask = ip_mask(len);
	return r;
}

static int word(const struct parse *p, const char *s, const char *const *words, unsigned n,
		unsigned *ret)
{
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(s, words[i]) == 0) {
			*ret = i;
			return 0;
		}
	}
	return bad(p, -USHER_E_SYNTAX, p->arg->argument, s);
}

static int take_word(const struct parse *p, const char *s)
{
	static const char *const probes[] = {"fast", "rfc5227", "off"};
	static const char *const flags[] = {"auto", "always", "never"};
	unsigned v = 0;
	int r = p->arg->kind == KIND_PROBE ? word(p, s, probes, ARRAY_LEN(probes), &v)
					   : word(p, s, flags, ARRAY_LEN(flags), &v);

	if (r < 0)
		return r;
	if (p->arg->kind == KIND_PROBE)
		p->o->probe = (enum client_probe)v;
	else
		p->o->broadcast = (enum client_broadcast)v;
	return 0;
}

/* --- the request list ------------------------------------------------------------------------- */

static int option_code(const char *s)
{
	const struct option_def *d = option_def_by_name(OPTION_SPACE_DHCP4, s);
	char *end;
	long v;

	if (d)
		return (int)d->code;
	v = strtol(s, &end, 10);
	return isdigit((unsigned char)*s) && !*end && v >= 1 && v <= 254 ? (int)v : -1;
}

static int list_add(struct client_opts *o, int code)
{
	if (memchr(o->prl, code, o->n_prl))
		return 0;
	if (o->n_prl == CLIENT_PRL_MAX)
		return -1;
	o->prl[o->n_prl++] = (uint8_t)code;
	return 0;
}

static int take_list(const struct parse *p, const char *s)
{
	const char *at = s;

	if (*at == '+')
		at++;
	else
		p->o->n_prl = 0;
	for (;;) {
		char one[64];
		size_t n = strcspn(at, ",");
		int code;

		(void)snprintf(one, sizeof(one), "%.*s", (int)n, at);
		code = n < sizeof(one) ? option_code(one) : -1;
		if (code < 0)
			return bad(p, -USHER_E_SYNTAX,
				   "numbers from 1 to 254 or names of options, by comma", s);
		if (list_add(p->o, code) < 0)
			return bad(p, -USHER_E_RANGE, "at most 128 options", s);
		if (!at[n])
			return 0;
		at += n + 1;
	}
}

/* --- the walk --------------------------------------------------------------------------------- */

static int take(struct parse *p, const char *s)
{
	switch (p->arg->kind) {
	case KIND_FLAG:
	case KIND_HELP:
		*(bool *)field(p) = true;
		return 0;
	case KIND_NO_PROBE:
		p->o->probe = CLIENT_PROBE_OFF;
		return 0;
	case KIND_TEXT:
		*(const char **)field(p) = s;
		return *s ? 0 : bad(p, -USHER_E_SYNTAX, "a path", s);
	case KIND_SECONDS:
		return number(p, s, TIMEOUT_MAX_S, "seconds from 1 to 86400", field(p));
	case KIND_IFACE:
		return take_iface(p, s);
	case KIND_ID:
		return take_id(p, s);
	case KIND_HOST:
		return take_host(p, s);
	case KIND_FQDN:
		return take_fqdn(p, s);
	case KIND_CLASS:
		return take_class(p, s);
	case KIND_LIST:
		return take_list(p, s);
	case KIND_ADDRESS:
		return take_address(p, s);
	case KIND_MASK:
		return take_mask(p, s);
	case KIND_PROBE:
	case KIND_BROADCAST:
		return take_word(p, s);
	}
	return -USHER_E_UNKNOWN;
}

static const struct arg *find(const char *name, size_t n, char letter)
{
	for (size_t i = 0; i < ARRAY_LEN(args); i++)
		if (name ? strlen(args[i].name) == n && strncmp(args[i].name, name, n) == 0
			 : args[i].letter && args[i].letter == letter)
			return &args[i];
	return NULL;
}

static int unknown(const struct parse *p, const char *what)
{
	(void)snprintf(p->err, p->err_cap, "no such option: %s", what);
	return -USHER_E_UNKNOWN;
}

/* The value that is here, else the next argument. */
static int valued(struct parse *p, const char *here, int argc, char *const *argv, int *i)
{
	if (!here && *i + 1 < argc)
		here = argv[++*i];
	if (!here) {
		(void)snprintf(p->err, p->err_cap, "--%s: %s is missing", p->arg->name,
			       p->arg->argument);
		return -USHER_E_SYNTAX;
	}
	return take(p, here);
}

static int long_option(struct parse *p, int argc, char *const *argv, int *i)
{
	const char *word_at = argv[*i];
	const char *name = word_at + 2;
	size_t n = strcspn(name, "=");

	p->arg = find(name, n, 0);
	if (!p->arg)
		return unknown(p, word_at);
	if (p->arg->argument[0])
		return valued(p, name[n] ? name + n + 1 : NULL, argc, argv, i);
	if (name[n])
		return bad(p, -USHER_E_SYNTAX, "no value", name + n + 1);
	return take(p, "");
}

/* -fnq, -ieth0, -i eth0 */
static int short_options(struct parse *p, int argc, char *const *argv, int *i)
{
	const char *s = argv[*i] + 1;

	for (; *s; s++) {
		int r;

		p->arg = find(NULL, 0, *s);
		if (!p->arg)
			return unknown(p, (const char[]){'-', *s, '\0'});
		if (p->arg->argument[0])
			return valued(p, s[1] ? s + 1 : NULL, argc, argv, i);
		r = take(p, "");
		if (r < 0)
			return r;
	}
	return 0;
}

/* Returns the problem of the options as a whole, or NULL. */
static const char *problem(const struct client_opts *o)
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
	struct parse p = {.o = &o, .err = err, .err_cap = err_cap};
	const char *why;

	client_opts_init(&o);
	for (int i = 1; i < argc && !o.help && !o.version; i++) {
		const char *a = argv[i];
		int r;

		if (a[0] != '-' || !a[1] || strcmp(a, "--") == 0) {
			(void)snprintf(err, err_cap, "unexpected argument: %s", a);
			return -USHER_E_UNKNOWN;
		}
		r = a[1] == '-' ? long_option(&p, argc, argv, &i)
				: short_options(&p, argc, argv, &i);
		if (r < 0)
			return r;
	}
	why = o.help || o.version ? NULL : problem(&o);
	if (why) {
		(void)snprintf(err, err_cap, "%s", why);
		return -USHER_E_EXISTS;
	}
	*ret = o;
	return 0;
}

const char *client_opts_help_line(size_t i, char *buf, size_t cap)
{
	const struct arg *a;
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

/* --- manifest --------------------------------------------------------------------------------- */

static int manifest_address(const struct json *root, const char *file, uint32_t *ret, char *err,
			    size_t cap)
{
	const struct json *v = json_get(root, "default_ip");
	uint32_t a;

	*ret = 0;
	if (!v)
		return 0;
	if (v->type != JSON_STRING) {
		(void)snprintf(err, cap,
			       "%s:%u:%u: default_ip: expected an address in quotes, got %s", file,
			       v->pos.line, v->pos.col, json_type_name(v->type));
		return -USHER_E_TYPE;
	}
	if (ip_parse(v->s, v->n, &a) < 0 || !client_address_is_unicast(a)) {
		(void)snprintf(err, cap,
			       "%s:%u:%u: default_ip: expected an address that a host may have, "
			       "got \"%s\"",
			       file, v->pos.line, v->pos.col, v->s);
		return -USHER_E_RANGE;
	}
	*ret = a;
	return 0;
}

static int manifest_keep_lease(const struct json *root, const char *file, bool *ret, char *err,
			       size_t cap)
{
	const struct json *v = json_get(root, "keep_lease");

	*ret = v && v->type == JSON_BOOL && v->b;
	if (!v || v->type == JSON_BOOL)
		return 0;
	(void)snprintf(err, cap, "%s:%u:%u: keep_lease: expected true or false, got %s", file,
		       v->pos.line, v->pos.col, json_type_name(v->type));
	return -USHER_E_TYPE;
}

int client_opts_manifest(struct span text, const char *file, uint32_t *ret_address,
			 bool *ret_keep_lease, char *err, size_t err_cap)
{
	struct json_opts o = {.file = file};
	struct config_error e = {0};
	struct arena arena;
	struct json *root = NULL;
	int r;

	arena_init(&arena);
	r = json_parse(text, &o, &arena, &root, &e);
	if (r < 0)
		(void)snprintf(err, err_cap, "%s:%u:%u: %s", file, e.pos.line, e.pos.col, e.text);
	if (r == 0 && root->type != JSON_MAP) {
		r = -USHER_E_TYPE;
		(void)snprintf(err, err_cap, "%s: expected a map", file);
	}
	if (r == 0)
		r = manifest_address(root, file, ret_address, err, err_cap);
	if (r == 0)
		r = manifest_keep_lease(root, file, ret_keep_lease, err, err_cap);
	arena_fini(&arena);
	return r;
}
