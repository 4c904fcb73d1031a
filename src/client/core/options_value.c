/* SPDX-License-Identifier: MPL-2.0 */
/* The values of the command line, a function for each kind of args.def. Names and classes are
 * checked here, so that no text of the command line can break a message, a script or a log line. */
#include "client/core/options_impl.h"

#include "base/error.h"
#include "base/ip.h"
#include "client/core/lease.h"
#include "wire/fqdn.h"
#include "wire/option_def.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { TIMEOUT_MAX_S = 86400, LABEL_MAX = 63 };

int client_opts_bad(const struct client_parse *p, int result, const char *expected, const char *got)
{
	(void)snprintf(p->err, p->err_cap, "--%s: expected %s, got \"%s\"", p->arg->name, expected,
		       got);
	return result;
}

static void *field_of(const struct client_parse *p)
{
	return (char *)p->o + p->arg->offset;
}

/* Names of interfaces as the kernel takes them (dev_valid_name), and nothing that a path could make
 * of them. */
static int take_iface(const struct client_parse *p, const char *s)
{
	size_t n = strlen(s);
	bool ok = n > 0 && n < CLIENT_IFACE_MAX && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;

	for (size_t i = 0; i < n; i++)
		ok = ok && s[i] > ' ' && s[i] < 127 && s[i] != '/' && s[i] != ':';
	if (!ok)
		return client_opts_bad(p, -USHER_E_SYNTAX,
				       "the name of an interface, at most 15 characters", s);
	memcpy(p->o->iface, s, n + 1);
	return 0;
}

/* Returns whether a text is octets, "01:aa:bb": pairs of hex digits with a colon between each. */
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

static bool is_printable(const char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s > '~')
			return false;
	return true;
}

static int take_id(const struct client_parse *p, const char *s)
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
			return client_opts_bad(p, -USHER_E_RANGE, "at most 255 octets", s);
		o->client_id_len = (uint8_t)octets;
		return 0;
	}
	/* RFC 2132 9.14: type 0, then an identifier that is not a hardware address */
	if (n == 0 || n > CLIENT_ID_MAX - 1 || !is_printable(s))
		return client_opts_bad(p, -USHER_E_SYNTAX,
				       "1 to 254 printable characters, or hex octets 01:aa:...", s);
	o->client_id[0] = 0;
	memcpy(o->client_id + 1, s, n);
	o->client_id_len = (uint8_t)(n + 1);
	return 0;
}

/*
 * Returns whether a text is a host name of at most max characters: labels of letters, digits and
 * inner hyphens (RFC 952, RFC 1123 2.1). Underscores pass, because hosts have them in their names
 * and servers accept them.
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

static int take_host(struct client_parse *p, const char *s)
{
	if (!is_name(s, CLIENT_NAME_MAX - 1))
		return client_opts_bad(
			p, -USHER_E_SYNTAX,
			"letters, digits, underscores, inner hyphens and dots, labels of at most 63",
			s);
	if (p->host_set && strcmp(p->o->hostname, s) != 0)
		return client_opts_bad(p, -USHER_E_EXISTS,
				       "one host name (-H and -h mean the same)", s);
	p->host_set = true;
	memcpy(p->o->hostname, s, strlen(s) + 1);
	return 0;
}

static int take_fqdn(const struct client_parse *p, const char *s)
{
	char text[CLIENT_NAME_MAX];
	size_t n = strlen(s);
	int len;

	if (n > 1 && n <= sizeof(text) && s[n - 1] == '.')
		n--;
	(void)snprintf(text, sizeof(text), "%.*s", (int)n, s);
	if (n >= sizeof(text) || !is_name(text, sizeof(text) - 1) || !strchr(text, '.'))
		return client_opts_bad(p, -USHER_E_SYNTAX,
				       "a name of at least two labels such as host.example.org", s);
	len = fqdn_parse(text, n, p->o->fqdn);
	if (len < 0)
		return client_opts_bad(p, len, "a name of at most 253 characters", s);
	p->o->fqdn_len = (uint8_t)len;
	return 0;
}

static int take_class(const struct client_parse *p, const char *s)
{
	size_t n = strlen(s);
	bool vendor = p->arg->offset == offsetof(struct client_opts, vendor_class);
	size_t max = vendor ? CLIENT_CLASS_MAX : CLIENT_CLASS_MAX - 1;

	if (n == 0 || n > max || !is_printable(s))
		return client_opts_bad(p, -USHER_E_SYNTAX,
				       vendor ? "1 to 255 printable characters"
					      : "1 to 254 printable characters",
				       s);
	memcpy(field_of(p), s, n);
	if (vendor)
		p->o->vendor_class_len = (uint8_t)n;
	else
		p->o->user_class_len = (uint8_t)n;
	return 0;
}

static int take_address(const struct client_parse *p, const char *s)
{
	uint32_t a;

	if (ip_parse(s, strlen(s), &a) < 0)
		return client_opts_bad(p, -USHER_E_SYNTAX, "an address such as 192.0.2.7", s);
	if (!client_address_is_unicast(a))
		return client_opts_bad(p, -USHER_E_RANGE, "an address that a host may have", s);
	p->o->request_address = a;
	p->o->request_given = true;
	return 0;
}

static int take_number(const struct client_parse *p, const char *s, unsigned long max,
		       const char *expected, uint32_t *ret)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(s, &end, 10);
	if (!isdigit((unsigned char)*s) || *end)
		return client_opts_bad(p, -USHER_E_SYNTAX, expected, s);
	if (errno || v < 1 || v > max)
		return client_opts_bad(p, -USHER_E_RANGE, expected, s);
	*ret = (uint32_t)v;
	return 0;
}

static int take_mask(const struct client_parse *p, const char *s)
{
	uint32_t len;
	int r = take_number(p, s, 32, "a prefix length from 1 to 32", &len);

	if (r == 0)
		p->o->default_mask = ip_mask(len);
	return r;
}

static int take_word_of(const struct client_parse *p, const char *s, const char *const *words,
			unsigned n, unsigned *ret)
{
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(s, words[i]) == 0) {
			*ret = i;
			return 0;
		}
	}
	return client_opts_bad(p, -USHER_E_SYNTAX, p->arg->argument, s);
}

static int take_word(const struct client_parse *p, const char *s)
{
	static const char *const probes[] = {"fast", "rfc5227", "off"};
	static const char *const flags[] = {"auto", "always", "never"};
	unsigned v = 0;
	int r = p->arg->kind == KIND_PROBE ? take_word_of(p, s, probes, ARRAY_LEN(probes), &v)
					   : take_word_of(p, s, flags, ARRAY_LEN(flags), &v);

	if (r < 0)
		return r;
	if (p->arg->kind == KIND_PROBE)
		p->o->probe = (enum client_probe)v;
	else
		p->o->broadcast = (enum client_broadcast)v;
	return 0;
}

/* --- the request list ------------------------------------------------------------------------- */

static int parse_option_code(const char *s)
{
	const struct option_def *d = option_def_by_name(OPTION_SPACE_DHCP4, s);
	char *end;
	long v;

	if (d)
		return (int)d->code;
	v = strtol(s, &end, 10);
	return isdigit((unsigned char)*s) && !*end && v >= 1 && v <= 254 ? (int)v : -1;
}

static int add_to_list(struct client_opts *o, int code)
{
	if (memchr(o->prl, code, o->n_prl))
		return 0;
	if (o->n_prl == CLIENT_PRL_MAX)
		return -1;
	o->prl[o->n_prl++] = (uint8_t)code;
	return 0;
}

static int take_list(const struct client_parse *p, const char *s)
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
		code = n < sizeof(one) ? parse_option_code(one) : -1;
		if (code < 0)
			return client_opts_bad(
				p, -USHER_E_SYNTAX,
				"numbers from 1 to 254 or names of options, by comma", s);
		if (add_to_list(p->o, code) < 0)
			return client_opts_bad(p, -USHER_E_RANGE, "at most 128 options", s);
		if (!at[n])
			return 0;
		at += n + 1;
	}
}

/* --- all kinds ------------------------------------------------------------------------------- */

int client_opts_take(struct client_parse *p, const char *s)
{
	switch (p->arg->kind) {
	case KIND_FLAG:
	case KIND_HELP:
		*(bool *)field_of(p) = true;
		return 0;
	case KIND_NO_PROBE:
		p->o->probe = CLIENT_PROBE_OFF;
		return 0;
	case KIND_TEXT:
		*(const char **)field_of(p) = s;
		return *s ? 0 : client_opts_bad(p, -USHER_E_SYNTAX, "a path", s);
	case KIND_SECONDS:
		return take_number(p, s, TIMEOUT_MAX_S, "seconds from 1 to 86400", field_of(p));
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
