/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The choice of the form by an Accept header (RFC 9110 12.5.1): media ranges, each with parameters
 * and a weight. A header that cannot be read prefers nothing.
 */
#include "control/metrics.h"

#include <string.h>
#include <strings.h>
#include <strings.h>

enum { WEIGHT_MAX = 1000 }; /* q=1 */

/* An element of the list: TYPE;NAME=VALUE;NAME=VALUE. */
struct range {
	struct span type;
	unsigned weight; /* thousandths */
	struct span version;
};

static bool same_word(struct span s, const char *word)
{
	return s.n == strlen(word) && strncasecmp((const char *)s.p, word, s.n) == 0;
}

/* Returns the text from *p to one of the characters in `ends`, without blanks around it. An end
 * inside of quotes does not count. *p is then at the end. */
static struct span read_until(const char **p, const char *ends)
{
	const char *begin, *end;
	bool quoted = false;

	while (**p == ' ' || **p == '\t')
		(*p)++;
	begin = *p;
	for (; **p && (quoted || !strchr(ends, **p)); (*p)++)
		quoted = quoted != (**p == '"');
	end = *p;
	while (end > begin && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return span_of((const uint8_t *)begin, (size_t)(end - begin));
}

/* Reads a weight, "0.5"; 0 where it is malformed. */
static unsigned read_weight(struct span s)
{
	unsigned v = 0, unit = WEIGHT_MAX;

	for (size_t i = 0; i < s.n && i < sizeof("0.000") - 1; i++) {
		if (i == 1 && s.p[i] == '.')
			continue;
		if (s.p[i] < '0' || s.p[i] > '9')
			return 0;
		v += (unsigned)(s.p[i] - '0') * unit;
		unit /= 10;
	}
	return v < WEIGHT_MAX ? v : WEIGHT_MAX;
}

/* Reads the next element of the list. False: that was all. */
static bool read_range(const char **p, struct range *ret)
{
	while (**p == ',' || **p == ' ' || **p == '\t')
		(*p)++;
	if (!**p)
		return false;
	*ret = (struct range){.weight = WEIGHT_MAX};
	ret->type = read_until(p, ";,");
	while (**p == ';') {
		struct span name, value = {0};

		(*p)++;
		name = read_until(p, "=;,");
		if (**p == '=') {
			(*p)++;
			value = read_until(p, ";,");
		}
		if (same_word(name, "q"))
			ret->weight = read_weight(value);
		else if (same_word(name, "version"))
			ret->version = value;
	}
	return true;
}

/* Returns whether the element names the form in a version that is written here. */
static bool is_openmetrics(const struct range *r)
{
	return same_word(r->type, "application/openmetrics-text") &&
	       (!r->version.n || same_word(r->version, "1.0.0"));
}

static bool is_text(const struct range *r)
{
	return (same_word(r->type, "text/plain") &&
		(!r->version.n || same_word(r->version, "0.0.4"))) ||
	       same_word(r->type, "text/*") || same_word(r->type, "*/*");
}

enum metrics_form metrics_form_of(const char *accept)
{
	unsigned open = 0, text = 0;
	struct range r;

	while (accept && read_range(&accept, &r)) {
		if (is_openmetrics(&r) && r.weight > open)
			open = r.weight;
		else if (is_text(&r) && r.weight > text)
			text = r.weight;
	}
	return open > text ? METRICS_OPENMETRICS : METRICS_TEXT;
}
