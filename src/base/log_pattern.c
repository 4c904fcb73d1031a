/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A pattern is a list of parts: text that never changes, and fields. Process, host and environment
 * are text already. The text of a time is rendered once a second; %q, %Q and %s in it are marks
 * that each line replaces.
 */
#include "base/log_pattern.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TIME_LEN = 128, FORMAT_LEN = 96, MARK_MS = 1, MARK_US = 2, MARK_S = 3 };

static const char standard_time[] = "%Y-%m-%d %H:%M:%S";

struct part {
	char kind; /* the conversion; 0: text */
	bool left;
	size_t min, max;   /* max 0: none */
	size_t components; /* of %c; 0: all */
	char *text;	   /* or the format of a time, with marks */
	char *shown;	   /* that time, rendered */
	time_t second;	   /* when */
};

struct log_pattern {
	struct part *parts;
	size_t n;
	bool failed;
};

struct out {
	char *p;
	size_t n, cap;
};

static void put_octets(struct out *o, const char *s, size_t n)
{
	size_t left = o->cap - o->n;

	if (n > left)
		n = left;
	memcpy(o->p + o->n, s, n);
	o->n += n;
}

/* --- compiling -------------------------------------------------------------------------------- */

static struct part *add_part(struct log_pattern *p, char kind)
{
	struct part *parts = realloc(p->parts, (p->n + 1) * sizeof(*parts));

	if (!parts) {
		p->failed = true;
		return NULL;
	}
	p->parts = parts;
	parts[p->n] = (struct part){.kind = kind, .second = -1};
	return &parts[p->n++];
}

static void set_text(struct log_pattern *p, struct part *t, const char *s, size_t n)
{
	if (!t)
		return;
	t->text = strndup(s, n);
	if (!t->text)
		p->failed = true;
}

/* Sets the format of a time. %q, %Q and %s become marks: strftime knows no fractions, and takes
 * each time for a local one. */
static void set_time(struct log_pattern *p, struct part *t, const char *s, size_t n)
{
	if (!t)
		return;
	set_text(p, t, n ? s : standard_time, n ? n : sizeof(standard_time) - 1);
	t->shown = malloc(TIME_LEN);
	if (!t->text || !t->shown) {
		p->failed = true;
		return;
	}
	t->text[strnlen(t->text, FORMAT_LEN)] = '\0';
	for (char *c = t->text; *c; c++) {
		if (c[0] != '%' || !c[1])
			continue;
		if (strchr("qQs", c[1])) {
			c[0] = c[1] == 'q' ? MARK_MS : c[1] == 'Q' ? MARK_US : MARK_S;
			memmove(c + 1, c + 2, strlen(c + 2) + 1);
		} else {
			c++;
		}
	}
}

/* Reads the conversion that begins with % at s: its end and its parts. */
struct conversion {
	bool left;
	size_t min, max;
	char kind;
	const char *braces; /* the text in {}, NULL: none */
	size_t braces_len;
	const char *end;
};

static size_t number(const char **s)
{
	size_t n = 0;

	for (; **s >= '0' && **s <= '9'; (*s)++)
		n = n < 1000 ? n * 10 + (size_t)(**s - '0') : n;
	return n;
}

static struct conversion scan_conversion(const char *s)
{
	struct conversion c = {0};
	const char *close;

	s++;
	c.left = *s == '-';
	s += c.left;
	c.min = number(&s);
	if (*s == '.') {
		s++;
		c.max = number(&s);
	}
	c.kind = *s;
	c.end = *s ? s + 1 : s;
	close = *c.end == '{' ? strchr(c.end, '}') : NULL;
	if (close && strchr("DdcE", c.kind)) {
		c.braces = c.end + 1;
		c.braces_len = (size_t)(close - c.braces);
		c.end = close + 1;
	}
	return c;
}

/* Returns whether log4cplus has this conversion: "%%", for example, but not "%5%". */
static bool is_known(const struct conversion *c)
{
	static const char known[] = "DdpcmnitTrhHxXE%";

	return c->kind && strchr(known, c->kind) &&
	       (c->kind != '%' || (!c->left && !c->min && !c->max));
}

/* Returns a text that every line has unchanged. NULL: it changes. */
static const char *fixed_text(const struct conversion *c, char buf[256])
{
	char name[64];
	const char *v;

	switch (c->kind) {
	case '%':
		return "%";
	case 'n':
		return "\n";
	case 'i':
		(void)snprintf(buf, 256, "%d", (int)getpid());
		return buf;
	case 'h':
	case 'H':
		return gethostname(buf, 255) == 0 ? buf : "";
	case 'E':
		(void)snprintf(name, sizeof(name), "%.*s", (int)c->braces_len,
			       c->braces ? c->braces : "");
		v = getenv(name);
		(void)snprintf(buf, 256, "%s", v ? v : "");
		return buf;
	case 'x':
	case 'X':
		return "";
	default:
		return NULL;
	}
}

static void add_conversion(struct log_pattern *p, const char *s, const struct conversion *c)
{
	char buf[256] = "";
	const char *fixed = fixed_text(c, buf);
	struct part *t;

	if (!is_known(c)) {
		set_text(p, add_part(p, 0), s, (size_t)(c->end - s));
		return;
	}
	t = add_part(p, fixed ? 0 : c->kind);
	if (!t)
		return;
	t->left = c->left;
	t->min = c->min;
	t->max = c->max;
	if (fixed)
		set_text(p, t, fixed, strlen(fixed));
	if (c->kind == 'D' || c->kind == 'd')
		set_time(p, t, c->braces, c->braces_len);
	if (c->kind == 'c' && c->braces)
		t->components = strtoul(c->braces, NULL, 10);
}

struct log_pattern *log_pattern_new(const char *text)
{
	struct log_pattern *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	while (*text) {
		size_t n = strcspn(text, "%");
		struct conversion c;

		if (n) {
			set_text(p, add_part(p, 0), text, n);
			text += n;
			continue;
		}
		c = scan_conversion(text);
		add_conversion(p, text, &c);
		text = c.end;
	}
	if (p->failed) {
		log_pattern_free(p);
		return NULL;
	}
	return p;
}

void log_pattern_free(struct log_pattern *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++) {
		free(p->parts[i].text);
		free(p->parts[i].shown);
	}
	free(p->parts);
	free(p);
}

void log_pattern_unknown(const char *text, log_pattern_fn fn, void *ctx)
{
	while ((text = strchr(text, '%')) != NULL) {
		struct conversion c = scan_conversion(text);

		if (!is_known(&c) || strchr("xX", c.kind))
			fn(ctx, c.kind);
		text = c.end;
	}
}

bool log_pattern_has(const char *text, char conversion)
{
	struct conversion c = {0};

	while (c.kind != conversion && (text = strchr(text, '%')) != NULL) {
		c = scan_conversion(text);
		text = c.end;
	}
	return c.kind == conversion;
}

/* --- formatting ------------------------------------------------------------------------------- */

static void put_time(struct out *o, struct part *t, int64_t wall_ns)
{
	time_t second = (time_t)(wall_ns / NS_PER_S);
	unsigned us = (unsigned)(wall_ns % NS_PER_S / 1000);
	char digits[24];

	if (second != t->second) {
		struct tm tm;

		(void)(t->kind == 'D' ? localtime_r(&second, &tm) : gmtime_r(&second, &tm));
		t->shown[0] = '\0';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		if (strftime(t->shown, TIME_LEN, t->text, &tm) == 0)
			t->shown[0] = '\0';
#pragma GCC diagnostic pop
		t->second = second;
	}
	for (const char *s = t->shown; *s;) {
		size_t n = strcspn(s, "\001\002\003");

		put_octets(o, s, n);
		s += n;
		if (!*s)
			break;
		if (*s == MARK_S)
			(void)snprintf(digits, sizeof(digits), "%lld", (long long)second);
		else if (*s == MARK_US)
			(void)snprintf(digits, sizeof(digits), "%03u.%03u", us / 1000, us % 1000);
		else
			(void)snprintf(digits, sizeof(digits), "%03u", us / 1000);
		put_octets(o, digits, strlen(digits));
		s++;
	}
}

/* Returns the last n components of a logger's name. */
static const char *last_components(const char *name, size_t n)
{
	const char *at = name + strlen(name);

	while (n && at > name) {
		if (*--at == '.' && --n == 0)
			return at + 1;
	}
	return at;
}

static void put_field(struct out *o, struct part *t, const struct log_record *r)
{
	char digits[32];
	const char *s = digits;

	switch (t->kind) {
	case 0:
		s = t->text;
		break;
	case 'D':
	case 'd':
		put_time(o, t, r->wall_ns);
		return;
	case 'p':
		s = r->severity;
		break;
	case 'c':
		s = t->components ? last_components(r->logger, t->components) : r->logger;
		break;
	case 'm':
		put_octets(o, r->id, strlen(r->id));
		put_octets(o, " ", 1);
		put_octets(o, r->text, r->text_len);
		return;
	case 'r':
		(void)snprintf(digits, sizeof(digits), "%lld",
			       (long long)(r->since_start_ns / NS_PER_MS));
		break;
	case 'T':
		(void)snprintf(digits, sizeof(digits), "%d", (int)gettid());
		break;
	default: /* t */
		(void)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)pthread_self());
		break;
	}
	put_octets(o, s, strlen(s));
}

/* Applies widths as log4cplus does: too long a field keeps its end, too short a one is filled with
 * blanks. */
static void fit_width(struct out *o, size_t from, const struct part *t)
{
	size_t n = o->n - from;
	size_t fill;

	if (t->max && n > t->max) {
		memmove(o->p + from, o->p + o->n - t->max, t->max);
		o->n = from + t->max;
		return;
	}
	fill = n < t->min ? t->min - n : 0;
	if (fill > o->cap - o->n)
		fill = o->cap - o->n;
	if (!t->left)
		memmove(o->p + from + fill, o->p + from, n);
	memset(t->left ? o->p + o->n : o->p + from, ' ', fill);
	o->n += fill;
}

size_t log_pattern_line(struct log_pattern *p, const struct log_record *r, char *out, size_t cap)
{
	struct out o = {out, 0, cap - 1}; /* one for the newline */

	for (size_t i = 0; i < p->n; i++) {
		struct part *t = &p->parts[i];
		size_t from = o.n;

		put_field(&o, t, r);
		if (t->min || t->max)
			fit_width(&o, from, t);
	}
	if (!o.n || out[o.n - 1] != '\n')
		out[o.n++] = '\n';
	return o.n;
}
