/* SPDX-License-Identifier: MPL-2.0 */
/*
 * HTTP/1 heads (RFC 9112 2 to 5): a start line, fields, an empty line.
 */
#include "wire/http.h"

#include "wire/http_internal.h"

#include <strings.h>

enum { TAB = '\t', VERSION_LEN = 8, MAX_DIGITS = 18 };

static const char *const fault_texts[HTTP_N_FAULTS] = {
	"",
#define FAULT(symbol, sentence) sentence,
#include "wire/http_fault.def"
#undef FAULT
};

const char *http_fault_text(enum http_fault f)
{
	return (unsigned)f < HTTP_N_FAULTS ? fault_texts[f] : "";
}

/* --- Characters ------------------------------------------------------------------------------- */

/* RFC 9110 5.6.2 */
static const bool token_char[256] = {
	['!'] = true,	      ['#'] = true,	    ['$'] = true, ['%'] = true,
	['&'] = true,	      ['\''] = true,	    ['*'] = true, ['+'] = true,
	['-'] = true,	      ['.'] = true,	    ['^'] = true, ['_'] = true,
	['`'] = true,	      ['|'] = true,	    ['~'] = true, ['0' ... '9'] = true,
	['A' ... 'Z'] = true, ['a' ... 'z'] = true,
};

bool http_is_token(struct span s)
{
	bool good = s.n > 0;

	for (size_t i = 0; i < s.n; i++)
		good &= token_char[s.p[i]];
	return good;
}

bool http_is_uri(struct span s)
{
	bool good = s.n > 0;

	for (size_t i = 0; i < s.n; i++)
		good &= s.p[i] > ' ' && s.p[i] != 0x7f;
	return good;
}

bool http_is_value(struct span s)
{
	bool bad = false;

	for (size_t i = 0; i < s.n; i++)
		bad |= s.p[i] == '\0' || s.p[i] == '\r' || s.p[i] == '\n';
	return !bad;
}

bool http_is_version(struct span s)
{
	return s.n == VERSION_LEN && memcmp(s.p, "HTTP/1.", VERSION_LEN - 1) == 0 &&
	       s.p[VERSION_LEN - 1] >= '0' && s.p[VERSION_LEN - 1] <= '9';
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

bool http_has_version_form(struct span s)
{
	return s.n == VERSION_LEN && memcmp(s.p, "HTTP/", 5) == 0 && is_digit(s.p[5]) &&
	       s.p[6] == '.' && is_digit(s.p[7]);
}

bool http_is_status(struct span s)
{
	return s.n == 3 && s.p[0] >= '1' && s.p[0] <= '9' && s.p[1] >= '0' && s.p[1] <= '9' &&
	       s.p[2] >= '0' && s.p[2] <= '9';
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == TAB;
}

static struct span trim_space(struct span s)
{
	while (s.n && is_space(s.p[0]))
		s = span_of(s.p + 1, s.n - 1);
	while (s.n && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

static bool match_word(struct span s, const char *word, size_t n)
{
	return s.n == n && strncasecmp((const char *)s.p, word, n) == 0;
}

#define SAME(s, word) match_word((s), (word), sizeof(word) - 1)

struct span http_text(struct span in, struct http_text t)
{
	return span_sub(in, t.at, t.len);
}

static struct http_text text_of(struct span in, struct span part)
{
	return (struct http_text){(uint16_t)(part.n ? part.p - in.p : 0), (uint16_t)part.n};
}

/* --- Lines ------------------------------------------------------------------------------------ */

struct line {
	struct span text;  /* without its end */
	uint32_t at, next; /* offset of it, and behind it */
	bool crlf;
};

static bool line_next(struct span in, uint32_t at, struct line *ret)
{
	const uint8_t *lf = at < in.n ? memchr(in.p + at, '\n', in.n - at) : NULL;
	size_t n;

	if (!lf)
		return false;
	n = (size_t)(lf - (in.p + at));
	ret->at = at;
	ret->next = (uint32_t)(at + n + 1);
	ret->crlf = n && lf[-1] == '\r';
	ret->text = span_of(in.p + at, n - ret->crlf);
	return true;
}

/* Returns whether a start line can begin like this. It may be cut off. */
static bool begins_well(struct span s, bool response)
{
	const uint8_t *space = memchr(s.p, ' ',
				      s.n < HTTP_METHOD_MAX + 1 ? s.n : HTTP_METHOD_MAX + 1);

	if (response)
		return memcmp(s.p, "HTTP/", s.n < 5 ? s.n : 5) == 0;
	if (!space)
		return s.n <= HTTP_METHOD_MAX && http_is_token(s);
	return http_is_token(span_of(s.p, (size_t)(space - s.p)));
}

static enum http_fault version_of(struct span in, struct span v, uint8_t flags, struct http_head *h)
{
	if (v.n != VERSION_LEN || memcmp(v.p, "HTTP/", 5) != 0)
		return HTTP_FAULT_START_LINE;
	if (!http_is_version(v) && !(flags & HTTP_ALLOW_VERSION && http_has_version_form(v)))
		return HTTP_FAULT_VERSION;
	h->minor = (uint8_t)(v.p[VERSION_LEN - 1] - '0');
	h->part[HTTP_VERSION] = text_of(in, v);
	return HTTP_FAULT_NONE;
}

static enum http_fault request_line(struct span in, struct span l, uint8_t flags,
				    struct http_head *h)
{
	const uint8_t *first = memchr(l.p, ' ', l.n), *last = memrchr(l.p, ' ', l.n);
	struct span method, uri;
	enum http_fault f;

	if (!first || first == last)
		return HTTP_FAULT_START_LINE;
	method = span_of(l.p, (size_t)(first - l.p));
	uri = span_of(first + 1, (size_t)(last - first - 1));
	f = version_of(in, span_of(last + 1, l.n - (size_t)(last + 1 - l.p)), flags, h);
	if (f == HTTP_FAULT_NONE && !http_is_uri(uri))
		f = HTTP_FAULT_START_LINE;
	h->part[HTTP_METHOD] = text_of(in, method);
	h->part[HTTP_URI] = text_of(in, uri);
	if (span_eq(method, span_of("HEAD", 4)))
		h->method = HTTP_METHOD_HEAD;
	else if (span_eq(method, span_of("CONNECT", 7)))
		h->method = HTTP_METHOD_CONNECT;
	return f;
}

static enum http_fault status_line(struct span in, struct span l, uint8_t flags,
				   struct http_head *h)
{
	struct span status = span_sub(l, VERSION_LEN + 1, 3),
		    reason = span_sub(l, VERSION_LEN + 5, l.n);
	enum http_fault f = version_of(in, span_sub(l, 0, VERSION_LEN), flags, h);

	if (f != HTTP_FAULT_NONE)
		return f;
	/* the reason phrase may be missing, with its space (RFC 9112 4) */
	if (l.n < VERSION_LEN + 4 || l.p[VERSION_LEN] != ' ' || !http_is_status(status) ||
	    (l.n > VERSION_LEN + 4 && l.p[VERSION_LEN + 4] != ' ') || !http_is_value(reason))
		return HTTP_FAULT_START_LINE;
	h->status = (uint16_t)((status.p[0] - '0') * 100 + (status.p[1] - '0') * 10 +
			       (status.p[2] - '0'));
	h->part[HTTP_STATUS] = text_of(in, status);
	h->part[HTTP_REASON] = text_of(in, reason);
	return HTTP_FAULT_NONE;
}

static enum http_fault start_line(struct span in, const struct line *l, bool response,
				  uint8_t flags, struct http_head *h)
{
	enum http_fault f;

	if (!begins_well(l->text, response))
		return HTTP_FAULT_START_LINE;
	f = response ? status_line(in, l->text, flags, h) : request_line(in, l->text, flags, h);
	return f == HTTP_FAULT_NONE && !l->crlf && !(flags & HTTP_ALLOW_LF) ? HTTP_FAULT_BARE_LF
									    : f;
}

/* --- Fields that determine the end of the message --------------------------------------------- */

/* Takes the next item of a list (RFC 9110 5.6.1). */
static struct span list_next(struct span *rest)
{
	const uint8_t *comma = rest->n ? memchr(rest->p, ',', rest->n) : NULL;
	struct span item = span_of(rest->p, comma ? (size_t)(comma - rest->p) : rest->n);

	*rest = comma ? span_of(comma + 1, rest->n - item.n - 1) : SPAN_NULL;
	return trim_space(item);
}

/* Reads Content-Length: one number, which may be repeated (RFC 9110 8.6). */
static enum http_fault length_field(struct span value, struct http_head *h)
{
	struct span rest = value;

	do {
		struct span s = list_next(&rest);
		uint64_t n = 0;
		bool good = s.n > 0 && s.n <= MAX_DIGITS;

		for (size_t i = 0; good && i < s.n; i++) {
			good = s.p[i] >= '0' && s.p[i] <= '9';
			n = n * 10 + (uint64_t)(s.p[i] - '0');
		}
		if (!good || (h->has_length && h->length != n))
			return HTTP_FAULT_LENGTH;
		h->has_length = true;
		h->length = n;
	} while (rest.p);
	return HTTP_FAULT_NONE;
}

/* Reads Transfer-Encoding: chunked is the last coding, once (RFC 9112 6.1). */
static enum http_fault encoding_field(struct span value, struct http_head *h)
{
	struct span rest = value;

	h->encoded = true;
	do {
		struct span s = list_next(&rest);

		if (s.n == 0 || h->chunked)
			return HTTP_FAULT_ENCODING;
		h->chunked = SAME(s, "chunked");
	} while (rest.p);
	return HTTP_FAULT_NONE;
}

static void connection_field(struct span value, struct http_head *h)
{
	struct span rest = value;

	do {
		struct span s = list_next(&rest);

		if (SAME(s, "close"))
			h->close = true;
		else if (SAME(s, "keep-alive") && h->minor == 0)
			h->close = false;
	} while (rest.p);
}

/* Evaluates a complete field. hosts: the number of Host fields so far. */
static enum http_fault field_meaning(struct span name, struct span value, bool folded,
				     struct http_head *h, unsigned *hosts)
{
	switch (name.n) {
	case sizeof("Host") - 1:
		return SAME(name, "Host") && (*hosts)++ && !h->response ? HTTP_FAULT_HOST
									: HTTP_FAULT_NONE;
	case sizeof("Upgrade") - 1:
		h->upgrade |= SAME(name, "Upgrade");
		return HTTP_FAULT_NONE;
	case sizeof("Connection") - 1:
		if (SAME(name, "Connection"))
			connection_field(value, h);
		return HTTP_FAULT_NONE;
	case sizeof("Content-Length") - 1:
		if (!SAME(name, "Content-Length"))
			return HTTP_FAULT_NONE;
		return folded ? HTTP_FAULT_FOLD : length_field(value, h);
	case sizeof("Transfer-Encoding") - 1:
		if (!SAME(name, "Transfer-Encoding"))
			return HTTP_FAULT_NONE;
		return folded ? HTTP_FAULT_FOLD : encoding_field(value, h);
	default:
		return HTTP_FAULT_NONE;
	}
}

/* --- Fields ----------------------------------------------------------------------------------- */

static enum http_fault field_line(struct span in, const struct line *l, struct http_head *h)
{
	const uint8_t *colon = memchr(l->text.p, ':', l->text.n);
	struct http_field *f = &h->field[h->n_fields];
	struct span name, value;

	if (!colon)
		return HTTP_FAULT_FIELD;
	name = span_of(l->text.p, (size_t)(colon - l->text.p));
	/* RFC 9112 5.1 */
	if (name.n && is_space(name.p[name.n - 1]))
		return HTTP_FAULT_SPACE;
	value = trim_space(span_of(colon + 1, l->text.n - name.n - 1));
	if (!http_is_token(name) || !http_is_value(value))
		return HTTP_FAULT_FIELD;
	if (h->n_fields == HTTP_MAX_FIELDS)
		return HTTP_FAULT_FIELD_LIMIT;
	f->name = text_of(in, name);
	f->value = text_of(in, value);
	f->end = (uint16_t)l->next;
	f->folded = false;
	h->n_fields++;
	return HTTP_FAULT_NONE;
}

/* Adds a folded line to the field before. */
static enum http_fault folded_line(struct span in, const struct line *l, uint8_t flags,
				   struct http_head *h)
{
	struct http_field *f = &h->field[h->n_fields ? h->n_fields - 1 : 0];
	struct span more = trim_space(l->text);

	if (!h->n_fields || !http_is_value(l->text))
		return HTTP_FAULT_FIELD;
	if (!(flags & HTTP_ALLOW_FOLD))
		return HTTP_FAULT_FOLD;
	if (more.n && !f->value.len)
		f->value = text_of(in, more);
	else if (more.n)
		f->value.len = (uint16_t)(more.p + more.n - in.p - f->value.at);
	f->end = (uint16_t)l->next;
	f->folded = true;
	return HTTP_FAULT_NONE;
}

/* Checks the fields together, behind the last one. */
static enum http_fault check_framing(const struct http_head *h)
{
	if (h->encoded && (h->minor == 0 || (!h->chunked && !h->response)))
		return HTTP_FAULT_ENCODING;
	return h->encoded && h->has_length ? HTTP_FAULT_BOTH : HTTP_FAULT_NONE;
}

static enum http_fault meaning(struct span in, struct http_head *h)
{
	enum http_fault f = HTTP_FAULT_NONE;
	unsigned hosts = 0;

	h->close = h->minor == 0;
	for (unsigned i = 0; f == HTTP_FAULT_NONE && i < h->n_fields; i++) {
		const struct http_field *at = &h->field[i];

		f = field_meaning(http_text(in, at->name), http_text(in, at->value), at->folded, h,
				  &hosts);
	}
	return f == HTTP_FAULT_NONE ? check_framing(h) : f;
}

/* Reads all lines. Returns false if the head is not complete; its faults do not matter then. */
static bool read_fields(struct span in, uint32_t at, uint8_t flags, struct http_head *h,
			enum http_fault *fault)
{
	struct line l;

	for (; line_next(in, at, &l); at = l.next) {
		enum http_fault f = HTTP_FAULT_NONE;

		if (!l.crlf && !(flags & HTTP_ALLOW_LF))
			f = HTTP_FAULT_BARE_LF;
		else if (l.text.n && *fault == HTTP_FAULT_NONE)
			f = is_space(l.text.p[0]) ? folded_line(in, &l, flags, h)
						  : field_line(in, &l, h);
		if (*fault == HTTP_FAULT_NONE)
			*fault = f;
		if (!l.text.n) {
			h->fields_end = (uint16_t)l.at;
			h->len = (uint16_t)l.next;
			return true;
		}
	}
	return false;
}

static void clear(struct http_head *h, bool response)
{
	/* n_fields counts the fields that are filled in */
	memset(h, 0, offsetof(struct http_head, field));
	h->response = response;
}

enum http_fault http_head_read(struct span in, bool response, uint8_t flags, struct http_head *ret)
{
	enum http_fault f = HTTP_FAULT_NONE;
	struct line l;

	in = span_sub(in, 0, HTTP_HEAD_MAX);
	clear(ret, response);
	if (!line_next(in, 0, &l))
		return HTTP_FAULT_CUT;
	f = start_line(in, &l, response, flags, ret);
	if (f != HTTP_FAULT_NONE)
		return f;
	if (!read_fields(in, l.next, flags, ret, &f))
		return HTTP_FAULT_CUT;
	return f == HTTP_FAULT_NONE ? meaning(in, ret) : f;
}

bool http_head_begins(struct span in, bool response, uint8_t flags, struct http_head *h,
		      enum http_fault *ret_fault)
{
	struct line l;

	if (line_next(in, 0, &l)) {
		clear(h, response);
		*ret_fault = start_line(in, &l, response, flags, h);
		return true;
	}
	*ret_fault = begins_well(in, response) ? HTTP_FAULT_NONE : HTTP_FAULT_START_LINE;
	return false;
}

uint16_t http_find(const struct http_head *h, struct span in, struct span name, uint16_t from)
{
	uint16_t i = from;

	while (i < h->n_fields &&
	       !match_word(http_text(in, h->field[i].name), (const char *)name.p, name.n))
		i++;
	return i < h->n_fields ? i : h->n_fields;
}
