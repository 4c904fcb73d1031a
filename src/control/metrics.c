/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The text of a large server has some hundred thousand lines, so a line is copied together from
 * prepared octets, and numbers are formatted here.
 *
 * https://prometheus.io/docs/instrumenting/exposition_formats/ and the specification of OpenMetrics
 * 1.0.0. In OpenMetrics the family of a counter has the name without _total.
 */
#include "control/metrics.h"

#include "base/buckets.h"
#include "base/buf.h"
#include "base/clock.h"

#include <string.h>

enum { NUMBER_LEN = 20, DECIMALS_S = 9, DECIMALS_RATIO = 6, MILLION = 1000000 };

/* Characters of the text that the form, or a surrounding JSON string, writes as several octets. */
struct spelling {
	const char *quote, *newline;			  /* of the text itself */
	const char *in_quote, *in_newline, *in_backslash; /* inside of a label or a help text */
};

static const struct spelling plain = {"\"", "\n", "\\\"", "\\n", "\\\\"};
static const struct spelling inside_json = {"\\\"", "\\n", "\\\\\\\"", "\\\\n", "\\\\\\\\"};

static const struct spelling *spelling_of(const struct metrics *m)
{
	return m->in_json ? &inside_json : &plain;
}

/* --- Text ------------------------------------------------------------------------------------- */

/* Returns the length of the UTF-8 sequence at s (RFC 3629), or 0: these octets are not one. */
static size_t utf8_len(const unsigned char *s)
{
	size_t n = *s >= 0xf0 ? 4 : *s >= 0xe0 ? 3 : 2;

	if (*s < 0xc2 || *s > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* overlong forms, surrogates, numbers above 10ffff */
	if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) ||
	    (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

/* Appends a text inside of quotes, or of HELP. */
static void put_text(const struct spelling *k, struct buf *out, const char *text, bool quoted)
{
	const unsigned char *s = (const unsigned char *)text;

	while (*s) {
		size_t n = *s < 0x80 ? 1 : utf8_len(s);

		if (*s == '\\')
			buf_str(out, k->in_backslash);
		else if (*s == '\n')
			buf_str(out, k->in_newline);
		else if (*s == '"')
			buf_str(out, quoted ? k->in_quote : k->quote);
		else if (n == 0 || *s < ' ' || *s == 0x7f)
			buf_char(out, '?');
		else
			buf_add(out, s, n);
		s += n ? n : 1;
	}
}

/* Writes v in decimal, right-aligned in text. Returns the first digit. */
static char *format_number(char text[NUMBER_LEN], uint64_t v)
{
	char *p = text + NUMBER_LEN;

	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	return p;
}

/* Appends whole.part, where part has so many decimals; without trailing zeros. */
static void put_decimal(struct buf *out, uint64_t whole, uint64_t part, unsigned decimals)
{
	char text[NUMBER_LEN];
	char *p = format_number(text, whole);

	buf_add(out, p, (size_t)(text + NUMBER_LEN - p));
	if (!part)
		return;
	while (part % 10 == 0) {
		part /= 10;
		decimals--;
	}
	buf_char(out, '.');
	p = format_number(text, part);
	for (size_t i = (size_t)(text + NUMBER_LEN - p); i < decimals; i++)
		buf_char(out, '0');
	buf_add(out, p, (size_t)(text + NUMBER_LEN - p));
}

/* --- Families and samples --------------------------------------------------------------------- */

static void put_head(const struct metrics *m, const char *kind, size_t name_len, const char *text)
{
	const struct spelling *k = spelling_of(m);

	buf_str(m->out, "# ");
	buf_str(m->out, kind);
	buf_char(m->out, ' ');
	buf_add(m->out, m->family->name, name_len);
	buf_char(m->out, ' ');
	/* OpenMetrics escapes quotes in HELP, too */
	put_text(k, m->out, text, m->form == METRICS_OPENMETRICS);
	buf_str(m->out, k->newline);
}

void metrics_begin(struct metrics *m, const struct metrics_family *f)
{
	static const char *const types[] = {
		[METRICS_COUNTER] = "counter",
		[METRICS_GAUGE] = "gauge",
		[METRICS_HISTOGRAM] = "histogram",
	};
	size_t n;

	m->family = f;
	m->name_len = strlen(f->name);
	n = m->name_len;
	if (m->form == METRICS_OPENMETRICS && f->type == METRICS_COUNTER)
		n -= sizeof("_total") - 1;
	put_head(m, "HELP", n, f->help);
	put_head(m, "TYPE", n, types[f->type]);
	if (m->form == METRICS_OPENMETRICS && f->unit[0])
		put_head(m, "UNIT", n, f->unit);
}

void metrics_label(const struct metrics *m, struct buf *labels, const char *name, const char *value)
{
	const struct spelling *k = spelling_of(m);

	buf_char(labels, labels->len ? ',' : '{');
	buf_str(labels, name);
	buf_char(labels, '=');
	buf_str(labels, k->quote);
	put_text(k, labels, value, true);
	buf_str(labels, k->quote);
}

/* Writes a sample up to its value. */
static void put_sample(struct metrics *m, const char *suffix, struct span labels)
{
	struct buf *out = m->out;

	buf_add(out, m->family->name, m->name_len);
	if (suffix[0])
		buf_str(out, suffix);
	if (labels.n) {
		buf_add(out, labels.p, labels.n);
		buf_char(out, '}');
	}
	buf_char(out, ' ');
	m->samples++;
}

static void put_value(struct metrics *m, const char *suffix, struct span labels, uint64_t v)
{
	put_sample(m, suffix, labels);
	put_decimal(m->out, v, 0, 0);
	buf_str(m->out, spelling_of(m)->newline);
}

void metrics_value(struct metrics *m, struct span labels, uint64_t v)
{
	size_t need = m->name_len + labels.n + NUMBER_LEN + sizeof("} \\n");
	char text[NUMBER_LEN];
	const char *digits;
	char *p;

	/* what put_value() does, in one piece: most lines of a large text are written here */
	if (m->out->cap - m->out->len <= need && !buf_reserve(m->out, need))
		return;
	p = m->out->p + m->out->len;
	memcpy(p, m->family->name, m->name_len);
	p += m->name_len;
	if (labels.n) {
		memcpy(p, labels.p, labels.n);
		p += labels.n;
		*p++ = '}';
	}
	*p++ = ' ';
	digits = format_number(text, v);
	memcpy(p, digits, (size_t)(text + NUMBER_LEN - digits));
	p += text + NUMBER_LEN - digits;
	if (m->in_json)
		*p++ = '\\';
	*p++ = m->in_json ? 'n' : '\n';
	*p = '\0';
	m->out->len = (size_t)(p - m->out->p);
	m->samples++;
}

void metrics_labelled(struct metrics *m, const char *label, const char *value, uint64_t v)
{
	char text[256];
	struct buf labels;

	buf_init_over(&labels, text, sizeof(text));
	metrics_label(m, &labels, label, value);
	metrics_value(m, span_of(labels.p, labels.len), v);
	buf_fini(&labels);
}

void metrics_seconds(struct metrics *m, struct span labels, int64_t ns)
{
	uint64_t n = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;

	put_sample(m, "", labels);
	if (ns < 0)
		buf_char(m->out, '-');
	put_decimal(m->out, n / NS_PER_S, n % NS_PER_S, DECIMALS_S);
	buf_str(m->out, spelling_of(m)->newline);
}

void metrics_ratio(struct metrics *m, struct span labels, uint64_t part, uint64_t whole)
{
	uint64_t rest = whole ? part % whole : 0;

	put_sample(m, "", labels);
	put_decimal(m->out, whole ? part / whole : 0,
		    whole ? (uint64_t)((unsigned __int128)rest * MILLION / whole) : 0,
		    DECIMALS_RATIO);
	buf_str(m->out, spelling_of(m)->newline);
}

/* Writes a bucket: n values are not above the bound. */
static void put_bucket(struct metrics *m, struct span labels, const char *bound, uint64_t n)
{
	char text[512];
	struct buf all;

	buf_init_over(&all, text, sizeof(text));
	buf_add(&all, labels.p, labels.n);
	metrics_label(m, &all, "le", bound);
	put_value(m, "_bucket", span_of(all.p, all.len), n);
	buf_fini(&all);
}

/* Writes a bound. OpenMetrics wants a decimal point in it. */
static void format_bound(const struct metrics *m, uint64_t bound, bool seconds, struct buf *ret)
{
	buf_reset(ret);
	if (seconds)
		put_decimal(ret, bound / NS_PER_S, bound % NS_PER_S, DECIMALS_S);
	else
		put_decimal(ret, bound, 0, 0);
	if (m->form == METRICS_OPENMETRICS && !strchr(ret->p, '.'))
		buf_str(ret, ".0");
}

void metrics_histogram(struct metrics *m, struct span labels, const struct buckets_shape *shape,
		       const struct buckets_sum *b, bool seconds)
{
	char text[64];
	struct buf bound;
	uint64_t n = 0;

	buf_init_over(&bound, text, sizeof(text));
	for (unsigned i = 0; i < shape->n; i++) {
		n += b->n[i];
		format_bound(m, shape->first << i, seconds, &bound);
		put_bucket(m, labels, bound.p, n);
	}
	n += b->n[shape->n];
	put_bucket(m, labels, "+Inf", n);
	put_sample(m, "_sum", labels);
	put_decimal(m->out, seconds ? b->sum / NS_PER_S : b->sum, seconds ? b->sum % NS_PER_S : 0,
		    DECIMALS_S);
	buf_str(m->out, spelling_of(m)->newline);
	put_value(m, "_count", labels, n);
	buf_fini(&bound);
}

void metrics_end(struct metrics *m)
{
	if (m->form == METRICS_OPENMETRICS) {
		buf_str(m->out, "# EOF");
		buf_str(m->out, spelling_of(m)->newline);
	}
}

/* --- Forms ------------------------------------------------------------------------------------ */

const char *metrics_content_type(enum metrics_form form)
{
	return form == METRICS_OPENMETRICS
		       ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		       : "text/plain; version=0.0.4; charset=utf-8";
}

bool metrics_form_parse(const char *name, enum metrics_form *ret)
{
	*ret = name && strcmp(name, "openmetrics") == 0 ? METRICS_OPENMETRICS : METRICS_TEXT;
	return !name || *ret == METRICS_OPENMETRICS || strcmp(name, "text") == 0;
}

void metrics_answer_begin(const struct metrics *m)
{
	buf_printf(m->out, "{ \"arguments\": { \"format\": \"%s\", \"metrics\": \"",
		   m->form == METRICS_OPENMETRICS ? "openmetrics" : "text");
}

void metrics_answer_end(const struct metrics *m)
{
	buf_printf(m->out, "\" }, \"result\": 0, \"text\": \"%zu samples\" }", m->samples);
}
