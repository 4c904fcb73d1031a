/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The environment of the hook script, from script.def and the lease. A variable that does not fit
 * is left out whole: half a value is worse than none.
 */
#include "client/os/script.h"

#include "base/cursor.h"
#include "base/ip.h"
#include "wire/fqdn.h"

#include <stdio.h>
#include <stdlib.h>

enum kind {
	KIND_IPS,
	KIND_NAME,
	KIND_DOMAIN,
	KIND_NAMES,
	KIND_TEXT,
	KIND_WORD,
	KIND_U8,
	KIND_U16,
	KIND_I32
};

static const struct var {
	uint8_t code;
	enum kind kind;
	const char *udhcpc, *dhclient;
} vars[] = {
#define VARIABLE(code, kind, udhcpc, dhclient) {code, KIND_##kind, udhcpc, dhclient},
#include "client/os/script.def"
#undef VARIABLE
};

/* A value being written. */
struct text {
	char *s;
	size_t cap, n;
	bool bad;
};

enum { SMALL_MAX = 320 }; /* a word, a number, an address, a name */

static struct text text_in(char *s, size_t cap)
{
	s[0] = '\0';
	return (struct text){.s = s, .cap = cap};
}

static void text_add(struct text *t, const char *s)
{
	size_t n = strlen(s);

	if (t->bad || n >= t->cap - t->n) {
		t->bad = true;
		return;
	}
	memcpy(t->s + t->n, s, n + 1);
	t->n += n;
}

static void text_num(struct text *t, long long v)
{
	char buf[24];

	(void)snprintf(buf, sizeof(buf), "%lld", v);
	text_add(t, buf);
}

static void text_ip(struct text *t, uint32_t a)
{
	char buf[IP_TEXT_LEN];

	text_add(t, ip_text(a, buf));
}

static void text_blank(struct text *t)
{
	if (t->n)
		text_add(t, " ");
}

/* Appends prefix, name and value as one line. An empty or bad value makes no variable. */
static void put_variable(struct script_env *e, const char *prefix, const char *name,
			 const struct text *v)
{
	size_t room = sizeof(e->text) - e->len;
	int n;

	if (v->bad || !v->n || !name[0])
		return;
	n = snprintf(e->text + e->len, room, "%s%s=%s", prefix, name, v->s);
	if (n < 0 || (size_t)n >= room || e->n == SCRIPT_ENV_MAX) {
		e->full = true;
		return;
	}
	e->var[e->n++] = e->text + e->len;
	e->var[e->n] = NULL;
	e->len += (size_t)n + 1;
}

static void put_str(struct script_env *e, const char *prefix, const char *name, const char *value)
{
	char small[SMALL_MAX];
	struct text t = text_in(small, sizeof(small));

	text_add(&t, value);
	put_variable(e, prefix, name, &t);
}

static void put_ip(struct script_env *e, const char *prefix, const char *name, uint32_t a)
{
	char small[SMALL_MAX];
	struct text t = text_in(small, sizeof(small));

	if (a)
		text_ip(&t, a);
	put_variable(e, prefix, name, &t);
}

static void put_num(struct script_env *e, const char *prefix, const char *name, long long v)
{
	char small[SMALL_MAX];
	struct text t = text_in(small, sizeof(small));

	text_num(&t, v);
	put_variable(e, prefix, name, &t);
}

static bool is_name_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '-' || c == '_';
}

static bool is_text_char(uint8_t c)
{
	return is_name_char(c) || (c && strchr("/:,@%+=", c));
}

/* Returns the octets without closing NULs, which some servers count. */
static struct span without_nul(struct span d)
{
	while (d.n && d.p[d.n - 1] == 0)
		d.n--;
	return d;
}

static void text_name(struct text *t, struct span d)
{
	d = without_nul(d);
	if (!d.n || d.p[0] == '-' || d.p[0] == '.')
		t->bad = true;
	for (size_t i = 0; i < d.n; i++) {
		char c[2] = {(char)d.p[i], '\0'};

		if (!is_name_char(d.p[i]))
			t->bad = true;
		text_add(t, c);
	}
}

/* Names with blanks between: option 15 is one name by RFC 2132, but servers put the search list
 * there. */
static void text_domain(struct text *t, struct span d)
{
	d = without_nul(d);
	t->bad = !d.n;
	for (size_t i = 0; i < d.n && !t->bad; i++) {
		size_t from = i;

		while (i < d.n && d.p[i] != ' ')
			i++;
		if (i == from)
			continue;
		text_blank(t);
		text_name(t, span_sub(d, from, i - from));
	}
}

/* Writes a path, a place or a zone. With an octet changed it would be another one, so an unsafe
 * octet makes the value bad. */
static void text_word(struct text *t, struct span d)
{
	d = without_nul(d);
	if (!d.n || d.p[0] == '-')
		t->bad = true;
	for (size_t i = 0; i < d.n; i++) {
		char c[2] = {(char)d.p[i], '\0'};

		if (!is_text_char(d.p[i]))
			t->bad = true;
		text_add(t, c);
	}
}

/* Writes text for people. */
static void text_free(struct text *t, struct span d)
{
	d = without_nul(d);
	for (size_t i = 0; i < d.n; i++) {
		char c[2] = {is_text_char(d.p[i]) ? (char)d.p[i] : '_', '\0'};

		/* a word that begins with a hyphen would be taken for an option */
		if (i == 0 && c[0] == '-')
			c[0] = '_';
		text_add(t, c);
	}
}

static void text_ips(struct text *t, struct span d)
{
	struct rd r = rd_init(d);

	if (d.n % 4)
		t->bad = true;
	while (rd_left(&r) >= 4) {
		text_blank(t);
		text_ip(t, rd_be32(&r));
	}
}

/* Writes names of the domain search list (RFC 3397). A name with unsafe characters is left out;
 * the others stay. */
static void text_names(struct text *t, struct span d)
{
	size_t left = fqdn_budget(d);
	size_t off = 0;
	struct buf b;

	buf_init(&b);
	while (off < d.n && fqdn_read_within(d, &off, false, &left, &b)) {
		char small[SMALL_MAX];
		struct text one = text_in(small, sizeof(small));

		if (b.len > 1 && b.p[b.len - 1] == '.')
			b.len--;
		text_name(&one, span_of(b.p, b.len));
		if (!one.bad && b.len) {
			text_blank(t);
			text_add(t, one.s);
		}
		buf_reset(&b);
	}
	buf_fini(&b);
}

static void text_number(struct text *t, struct span d, size_t width)
{
	struct rd r = rd_init(d);

	if (d.n != width)
		t->bad = true;
	else if (width == 4)
		text_num(t, (int32_t)rd_be32(&r));
	else
		text_num(t, width == 2 ? rd_be16(&r) : rd_u8(&r));
}

static void text_option(struct text *t, enum kind k, struct span d)
{
	switch (k) {
	case KIND_IPS:
		text_ips(t, d);
		break;
	case KIND_NAME:
		text_name(t, d);
		break;
	case KIND_DOMAIN:
		text_domain(t, d);
		break;
	case KIND_NAMES:
		text_names(t, d);
		break;
	case KIND_TEXT:
		text_free(t, d);
		break;
	case KIND_WORD:
		text_word(t, d);
		break;
	case KIND_U8:
		text_number(t, d, 1);
		break;
	case KIND_U16:
		text_number(t, d, 2);
		break;
	case KIND_I32:
		text_number(t, d, 4);
		break;
	}
}

/* Writes a route in udhcpc's form: "10.0.0.0/8 192.0.2.1". */
static void text_route_udhcpc(struct text *t, const struct client_route *r)
{
	char part[48], ip[IP_TEXT_LEN];

	(void)snprintf(part, sizeof(part), "%s/%u ", ip_text(r->dest, ip), r->len);
	text_add(t, part);
	text_ip(t, r->gateway);
}

/* Writes a route in dhclient's form, "8 10 192 0 2 1", with the significant octets of the
 * destination. */
static void text_route_dhclient(struct text *t, const struct client_route *r)
{
	char part[48];

	text_num(t, r->len);
	for (unsigned k = 0; k < (r->len + 7U) / 8; k++) {
		(void)snprintf(part, sizeof(part), " %u", r->dest >> (24 - 8 * k) & 255);
		text_add(t, part);
	}
	(void)snprintf(part, sizeof(part), " %u %u %u %u", r->gateway >> 24, r->gateway >> 16 & 255,
		       r->gateway >> 8 & 255, r->gateway & 255);
	text_add(t, part);
}

static void put_routes(struct script_env *e, const char *prefix, const struct client_lease *l,
		       bool udhcpc)
{
	struct text t = text_in(e->value, sizeof(e->value));

	if (!client_lease_option(l, 121).p)
		return;
	for (size_t i = 0; i < l->n_routes; i++) {
		text_blank(&t);
		if (udhcpc)
			text_route_udhcpc(&t, &l->route[i]);
		else
			text_route_dhclient(&t, &l->route[i]);
	}
	put_variable(e, prefix, udhcpc ? "staticroutes" : "rfc3442_classless_static_routes", &t);
}

static const struct var *var_of(uint8_t code)
{
	for (size_t i = 0; i < ARRAY_LEN(vars); i++)
		if (vars[i].code == code)
			return &vars[i];
	return NULL;
}

static void put_option(struct script_env *e, const char *prefix, uint8_t code, struct span d,
		       bool udhcpc)
{
	const struct var *v = var_of(code);
	struct text t = text_in(e->value, sizeof(e->value));
	char name[8], hex[3];

	if (v) {
		text_option(&t, v->kind, d);
		put_variable(e, udhcpc ? "" : prefix, udhcpc ? v->udhcpc : v->dhclient, &t);
		return;
	}
	if (!udhcpc)
		return;
	for (size_t i = 0; i < d.n; i++) {
		(void)snprintf(hex, sizeof(hex), "%02x", d.p[i]);
		text_add(&t, hex);
	}
	(void)snprintf(name, sizeof(name), "opt%u", code);
	put_variable(e, "", name, &t);
}

static void put_options(struct script_env *e, const char *prefix, const struct client_lease *l,
			bool udhcpc)
{
	struct rd r = rd_init(span_of(l->options, l->options_len));

	while (rd_left(&r)) {
		uint8_t code = rd_u8(&r);
		struct span d = rd_bytes(&r, rd_be16(&r));

		if (rd_ok(&r))
			put_option(e, prefix, code, d, udhcpc);
	}
}

static void put_udhcpc(struct script_env *e, const struct client_lease *l)
{
	put_ip(e, "", "ip", l->address);
	put_ip(e, "", "subnet", l->mask);
	if (l->mask)
		put_num(e, "", "mask", client_prefix_len(l->mask));
	put_ip(e, "", "broadcast", l->broadcast);
	put_ip(e, "", "serverid", l->server_id);
	if (l->address)
		put_num(e, "", "lease", l->lease_s);
	put_routes(e, "", l, true);
	put_options(e, "", l, true);
}

static void put_dhclient(struct script_env *e, const char *prefix, const struct client_lease *l)
{
	put_ip(e, prefix, "ip_address", l->address);
	put_ip(e, prefix, "subnet_mask", l->mask);
	if (l->address)
		put_ip(e, prefix, "network_number", l->address & l->mask);
	put_ip(e, prefix, "broadcast_address", l->broadcast);
	put_ip(e, prefix, "dhcp_server_identifier", l->server_id);
	if (l->address)
		put_num(e, prefix, "dhcp_lease_time", l->lease_s);
	put_routes(e, prefix, l, false);
	put_options(e, prefix, l, false);
}

void script_env_build(struct script_env *e, const struct script_job *job, const char *iface)
{
	enum client_reason reason = (enum client_reason)job->reason;

	e->n = e->len = 0;
	e->full = false;
	put_str(e, "", "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	put_str(e, "", "interface", iface);
	put_str(e, "", "reason", client_reason_dhclient(reason));
	if (job->has_now) {
		put_udhcpc(e, &job->now);
		put_dhclient(e, "new_", &job->now);
	}
	if (job->has_old)
		put_dhclient(e, "old_", &job->old);
}
