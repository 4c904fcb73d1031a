/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The client's name, in its lease and in the options 12 and 81 of answers. A reserved name comes
 * first, then option 81, then option 12; the rules are those of the pool, else of the subnet
 * (hostname-char-set, ddns-qualifying-suffix, ddns-replace-client-name, ddns-generated-prefix).
 * They apply whether DNS is updated or not. Names are lower case; those of option 81 end with a
 * dot, those of option 12 do not.
 */
#include "base/cursor.h"
#include "config/config.h"
#include "config/expr.h"
#include "lease/lease.h"
#include "server/stages/response.h"
#include "wire/option_codes.h"

#include <stdio.h>
#include <strings.h>

enum {
	FQDN_FLAG_S = 1,
	FQDN_FLAG_O = 2,
	FQDN_FLAG_E = 4,
	FQDN_FLAG_N = 8,
	FQDN_HEAD = 3,
	LABEL_MAX = 63
};

/* A name being made, in lower case; once it does not fit it stays bad. */
struct name {
	size_t n;
	bool bad;
	char s[LEASE_HOSTNAME_MAX + 1];
};

static void init_name(struct name *m)
{
	m->n = 0;
	m->bad = false;
}

static void put_octet(struct name *m, char c)
{
	if (m->n == LEASE_HOSTNAME_MAX) {
		m->bad = true;
		return;
	}
	m->s[m->n++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static void put_text(struct name *m, const char *s)
{
	while (*s)
		put_octet(m, *s++);
}

static const struct config_names *rules_of(const struct exchange *x)
{
	if (x->pool && x->pool->names)
		return x->pool->names;
	return x->subnet ? &x->subnet->params.names : &x->cfg->params.names;
}

/* Counts the labels of a name; negative: it is no name of DNS. A dot at the end adds none. */
static int count_labels(const char *s, size_t n)
{
	size_t len = 0;
	int labels = 0;

	/* most names have one label */
	if (n && !memchr(s, '.', n))
		return n <= LABEL_MAX ? 1 : -1;
	for (size_t i = 0; i < n; i++) {
		if (s[i] != '.') {
			labels += len == 0;
			if (++len > LABEL_MAX)
				return -1;
			continue;
		}
		if (len == 0 && n > 1)
			return -1;
		len = 0;
	}
	return labels;
}

static bool is_bad(const struct config_names *rules, uint8_t c)
{
	return rules->bad[c / 8] >> (c % 8) & 1;
}

static bool is_text(uint8_t c)
{
	return c >= 0x20 && c != 0x7f;
}

/* Appends the octets in front of the first one that cannot stay; how many. Most names have none. */
static size_t put_good(struct name *m, const struct config_names *rules, const char *s, size_t n)
{
	size_t room = LEASE_HOSTNAME_MAX - m->n, most = n < room ? n : room, i = 0;
	char *to = m->s + m->n;

	for (; i < most && is_text((uint8_t)s[i]) && !is_bad(rules, (uint8_t)s[i]); i++)
		to[i] = (char)(s[i] | (s[i] >= 'A' && s[i] <= 'Z' ? 0x20 : 0));
	m->n += i;
	m->bad |= i == room && n > room;
	return i;
}

/* Replaces the longest match at each place, by a pattern that may match several octets. */
static cold_fn void put_unmatched(struct name *m, const struct config_names *rules, const char *s,
				  size_t n)
{
	struct arena a;

	arena_init(&a);
	for (size_t i = 0; i < n && !m->bad;) {
		size_t len = expr_regex_longest(rules->char_regex, span_of(s, n), i, &a);

		if (len)
			put_text(m, rules->char_replacement);
		else if (is_text((uint8_t)s[i]))
			put_octet(m, s[i]);
		i += len ? len : 1;
		arena_reset(&a);
	}
	arena_fini(&a);
}

/*
 * Replaces the octets that hostname-char-set matches. Octets that no name can have (controls, DEL)
 * are replaced in every case: they would end up in files and logs. Returns whether an octet was one
 * of either.
 */
static bool put_clean(struct name *m, const struct config_names *rules, const char *s, size_t n)
{
	size_t i = put_good(m, rules, s, n);
	bool changed = i < n && !m->bad;

	if (unlikely(changed) && rules->char_regex) {
		put_unmatched(m, rules, s, n);
		return true;
	}
	for (; i < n && !m->bad; i++)
		if (is_bad(rules, (uint8_t)s[i]))
			put_text(m, rules->char_replacement);
		else if (is_text((uint8_t)s[i]))
			put_octet(m, s[i]);
	return changed;
}

static bool ends_with(const struct name *m, const char *suffix, size_t n)
{
	if (m->n < n || strncasecmp(m->s + m->n - n, suffix, n) != 0)
		return false;
	return m->n == n || m->s[m->n - n - 1] == '.';
}

/* Adds the suffix to a name that has neither it nor a dot at its end; dot: the name is to end with
 * one. */
static void qualify_name(struct name *m, const struct config_names *rules, bool dot)
{
	size_t n = strlen(rules->qualifying_suffix);

	if (n && rules->qualifying_suffix[n - 1] == '.')
		n--;
	if (n && m->n && m->s[m->n - 1] != '.' && !ends_with(m, rules->qualifying_suffix, n)) {
		put_octet(m, '.');
		for (size_t i = 0; i < n; i++)
			put_octet(m, rules->qualifying_suffix[i]);
	}
	if (dot && m->n && m->s[m->n - 1] != '.')
		put_octet(m, '.');
	if (!dot && m->n && m->s[m->n - 1] == '.')
		m->n--;
}

/* Generates a name such as "myhost-192-0-2-10", qualified. */
static void generate_name(struct exchange *x, struct name *m, const struct config_names *rules,
			  uint32_t addr, bool dot)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "-%u-%u-%u-%u", addr >> 24, addr >> 16 & 255,
		       addr >> 8 & 255, addr & 255);
	x->name_generated = true;
	put_text(m, rules->generated_prefix);
	put_text(m, text);
	qualify_name(m, rules, dot);
}

/* Keeps a copy of the name in the exchange; none if the name is empty or too long. */
static void keep_name(struct exchange *x, struct name *m)
{
	x->hostname = NULL;
	if (m->bad || !m->n)
		return;
	m->s[m->n] = '\0';
	x->hostname = arena_memdup(&x->pkt.arena, m->s, m->n + 1);
}

/* --- option 81 -------------------------------------------------------------------------------- */

/* Labels of the wire form into text. False: malformed. *ret_full: they end with the root (RFC
 * 4702 2.3.1). */
static bool read_labels(struct rd *r, struct name *m, bool *ret_full)
{
	while (rd_left(r)) {
		uint8_t len = rd_u8(r);
		struct span label = rd_bytes(r, len);

		*ret_full = !len;
		if (!len)
			return !rd_left(r);
		if (len > LABEL_MAX || !rd_ok(r))
			return false;
		if (m->n)
			put_octet(m, '.');
		for (size_t i = 0; i < label.n; i++)
			put_octet(m, (char)label.p[i]);
	}
	return true;
}

/* Reads the name in option 81, without a dot at its end. Returns false where the option is
 * absent or malformed. */
static bool read_fqdn(struct exchange *x, struct name *m, bool *ret_full)
{
	struct rd r = rd_init(dhcp4_opt_data(&x->query, DHCP4_OPT_CLIENT_FQDN));
	uint8_t flags = rd_u8(&r);
	struct span text;

	*ret_full = false;
	(void)rd_be16(&r);
	/* RFC 4702 2.1: S must be 0 where N is 1 */
	if (!rd_ok(&r) || ((flags & FQDN_FLAG_S) && (flags & FQDN_FLAG_N)))
		return false;
	x->fqdn_flags = flags & (FQDN_FLAG_S | FQDN_FLAG_N);
	if (flags & FQDN_FLAG_E)
		return read_labels(&r, m, ret_full) && !m->bad;
	text = rd_bytes(&r, rd_left(&r));
	while (text.n && !text.p[text.n - 1])
		text.n--;
	*ret_full = text.n && text.p[text.n - 1] == '.';
	text.n -= *ret_full;
	for (size_t i = 0; i < text.n; i++)
		put_octet(m, (char)text.p[i]);
	return !m->bad && count_labels(m->s, m->n) >= 0;
}

/* Cleans each label by itself. Returns false if one of them becomes empty. */
static bool clean_labels(struct name *to, const struct config_names *rules, const struct name *from)
{
	size_t at = 0;

	while (at < from->n) {
		const char *dot = memchr(from->s + at, '.', from->n - at);
		size_t end = dot ? (size_t)(dot - from->s) : from->n;
		size_t before;

		if (to->n)
			put_octet(to, '.');
		before = to->n;
		(void)put_clean(to, rules, from->s + at, end - at);
		if (to->n == before)
			return false;
		at = end + 1;
	}
	return true;
}

static void name_by_fqdn(struct exchange *x, const struct config_names *rules,
			 const struct name *given, bool full, uint32_t addr)
{
	struct name m uninit;

	init_name(&m);
	if (rules->replace == REPLACE_NAME_ALWAYS || rules->replace == REPLACE_NAME_WHEN_PRESENT ||
	    !given->n) {
		if (addr)
			generate_name(x, &m, rules, addr, true);
	} else if (!clean_labels(&m, rules, given)) {
		x->answer_fqdn = false; /* no character of the name can be answered */
		return;
	} else if (full) {
		put_octet(&m, '.');
	} else {
		qualify_name(&m, rules, true);
	}
	keep_name(x, &m);
}

/* --- option 12 -------------------------------------------------------------------------------- */

static void name_by_host_name(struct exchange *x, const struct config_names *rules, uint32_t addr)
{
	const struct dhcp4_option *o = dhcp4_opt(&x->query, DHCP4_OPT_HOST_NAME);
	struct span s = o ? o->data : SPAN_NULL;
	struct name m uninit;
	int labels;

	init_name(&m);
	while (s.n && (!s.p[s.n - 1] || s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	while (s.n && (*s.p == ' ' || *s.p == '\t'))
		s = span_sub(s, 1, s.n);
	labels = count_labels((const char *)s.p, s.n);
	if (o && (!s.n || labels < 0))
		return; /* not a name: treated as absent */
	if (!o ? rules->replace == REPLACE_NAME_ALWAYS ||
			    rules->replace == REPLACE_NAME_WHEN_NOT_PRESENT
	       : rules->replace == REPLACE_NAME_ALWAYS ||
			    rules->replace == REPLACE_NAME_WHEN_PRESENT || !labels) {
		if (addr)
			generate_name(x, &m, rules, addr, false);
	} else if (o) {
		if (put_clean(&m, rules, (const char *)s.p, s.n))
			labels = count_labels(m.s, m.n);
		if (labels < 1)
			return;
		if (labels == 1)
			qualify_name(&m, rules, false);
	}
	keep_name(x, &m);
}

/* --- Who updates the DNS ---------------------------------------------------------------------- */

/*
 * Decides about updates, and answers the flags of option 81 (RFC 4702 4): S for a server that adds
 * the address to the name, N for one that adds nothing, O where S differs from the client's.
 */
static cold_fn void decide_updates(struct exchange *x, const struct config_updates *u)
{
	bool wants = x->fqdn_flags & FQDN_FLAG_S;
	bool refuses = x->fqdn_flags & FQDN_FLAG_N;
	bool forward = u->send;
	bool reverse = u->send;

	if (x->answer_fqdn && u->send) {
		forward = wants || (refuses ? u->override_no_update : u->override_client_update);
		reverse = forward || !refuses;
	}
	x->fqdn_flags = (uint8_t)((forward ? FQDN_FLAG_S : 0) | (reverse ? 0 : FQDN_FLAG_N) |
				  (forward != wants ? FQDN_FLAG_O : 0));
	x->fqdn_fwd = forward && x->hostname;
	x->fqdn_rev = reverse && x->hostname;
}

void client_name(struct exchange *x, uint32_t addr)
{
	const struct config_names *rules = rules_of(x);
	struct name given uninit, m uninit;
	bool full;

	init_name(&given);
	init_name(&m);
	x->hostname = NULL;
	x->named = true;
	x->answer_fqdn = read_fqdn(x, &given, &full);
	if (x->host && x->host->hostname[0]) {
		put_text(&m, x->host->hostname);
		qualify_name(&m, rules, x->answer_fqdn);
		keep_name(x, &m);
	} else if (x->answer_fqdn) {
		name_by_fqdn(x, rules, &given, full, addr);
	} else {
		name_by_host_name(x, rules, addr);
	}
	if (unlikely(x->cfg->ddns.enabled))
		decide_updates(x, &rules->updates);
}
