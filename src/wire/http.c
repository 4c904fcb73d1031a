/* SPDX-License-Identifier: MPL-2.0 */
/*
 * HTTP/1 messages, one after the other (RFC 9112 6, 7, 9). The results do not depend on how the
 * octets were cut into segments.
 */
#include "wire/http.h"

#include "wire/http_internal.h"

enum { MAX_HEX = 15, LINE_MAX_LEN = 8192 };

void http_init(struct http_parser *p, bool responses, uint8_t flags)
{
	*p = (struct http_parser){.responses = responses, .flags = flags};
}

void http_to_tunnel(struct http_parser *p)
{
	p->state = HTTP_IN_TUNNEL;
}

void http_no_tunnel(struct http_parser *p)
{
	if (p->state == HTTP_AT_ANSWER)
		p->state = HTTP_AT_HEAD;
}

static struct http_step make_step(enum http_event e, size_t n)
{
	return (struct http_step){.event = e, .n = (uint32_t)n};
}

static struct http_step refuse_input(enum http_fault f)
{
	return (struct http_step){.event = HTTP_BAD, .fault = f};
}

/* --- Heads ------------------------------------------------------------------------------------ */

/* Returns whether the head has its empty line; octets [*scanned, in.n) are new. */
static bool head_ends(struct span in, uint32_t *scanned)
{
	size_t at = *scanned > 2 ? *scanned - 2 : 0;
	const uint8_t *lf;

	while (at < in.n && (lf = memchr(in.p + at, '\n', in.n - at)) != NULL) {
		struct span next = span_sub(in, (size_t)(lf - in.p) + 1, 2);

		if ((next.n && next.p[0] == '\n') ||
		    (next.n == 2 && memcmp(next.p, "\r\n", 2) == 0))
			return true;
		at = (size_t)(lf - in.p) + 1;
	}
	*scanned = (uint32_t)in.n;
	return false;
}

/* Returns the state that reads the body of a message. The order of the rules is that of RFC 9112
 * 6.3. */
static uint8_t body_of(const struct http_parser *p, const struct http_head *h)
{
	bool response = h->response;

	if (response &&
	    (h->status == 101 || (p->answers == HTTP_METHOD_CONNECT && h->status / 100 == 2)))
		return HTTP_IN_TUNNEL;
	if (response && (p->answers == HTTP_METHOD_HEAD || h->status < 200 || h->status == 204 ||
			 h->status == 304))
		return HTTP_AT_END;
	if (!response && h->method == HTTP_METHOD_CONNECT)
		return HTTP_AT_END;
	if (h->chunked)
		return HTTP_AT_SIZE;
	if (h->has_length && !h->encoded)
		return h->length ? HTTP_AT_LENGTH : HTTP_AT_END;
	return response ? HTTP_AT_CLOSE : HTTP_AT_END;
}

static struct http_step incomplete(struct http_parser *p, struct span in, bool end,
				   struct http_head *h)
{
	enum http_fault f = HTTP_FAULT_NONE;

	if (!p->begun)
		p->begun = http_head_begins(in, p->responses, p->flags, h, &f);
	if (f != HTTP_FAULT_NONE)
		return refuse_input(f);
	if (in.n >= HTTP_HEAD_MAX)
		return refuse_input(HTTP_FAULT_HEAD_LIMIT);
	return end ? refuse_input(HTTP_FAULT_CUT) : make_step(HTTP_MORE, 0);
}

/* Returns the length of an empty line before a request (RFC 9112 2.2); 0: there is none. */
static uint32_t empty_line(const struct http_parser *p, struct span in)
{
	if (p->responses || p->scanned)
		return 0;
	if (in.p[0] == '\n' && p->flags & HTTP_ALLOW_LF)
		return 1;
	return in.n > 1 && memcmp(in.p, "\r\n", 2) == 0 ? 2 : 0;
}

static struct http_step at_head(struct http_parser *p, struct span in, bool end,
				struct http_head *h)
{
	enum http_fault f;
	uint32_t n;

	if (!in.n)
		return make_step(HTTP_MORE, 0);
	n = empty_line(p, in);
	if (n)
		return make_step(HTTP_FRAMING, n);
	if (in.n == 1 && in.p[0] == '\r' && !p->responses && !end)
		return make_step(HTTP_MORE, 0);
	in = span_sub(in, 0, HTTP_HEAD_MAX);
	/* mostly it comes in one piece */
	f = !p->scanned || head_ends(in, &p->scanned)
		    ? http_head_read(in, p->responses, p->flags, h)
		    : HTTP_FAULT_CUT;
	if (f == HTTP_FAULT_CUT) {
		p->scanned = (uint32_t)in.n;
		return incomplete(p, in, end, h);
	}
	if (f != HTTP_FAULT_NONE)
		return refuse_input(f);
	p->scanned = 0;
	p->begun = false;
	p->digits = 0;
	p->left = h->length;
	p->connect = h->method == HTTP_METHOD_CONNECT;
	p->interim = h->response && h->status < 200;
	p->state = body_of(p, h);
	if (p->state == HTTP_AT_SIZE)
		p->left = 0;
	return make_step(HTTP_HEAD, h->len);
}

/* --- Chunks (RFC 9112 7.1) -------------------------------------------------------------------- */

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool size_octet(struct http_parser *p, uint8_t c)
{
	int v = hex_value(c);

	if (v >= 0) {
		p->left = p->left << 4 | (uint64_t)v;
		return ++p->digits <= MAX_HEX;
	}
	p->scanned = 0;
	p->state = c == '\r' ? HTTP_AT_SIZE_LF : HTTP_AT_EXTENSION;
	return p->digits && (c == '\r' || c == ';' || c == ' ' || c == '\t');
}

/* Reads an octet of a line of which only the end is of interest. */
static bool line_octet(struct http_parser *p, uint8_t c, enum http_state behind)
{
	if (c == '\r')
		p->state = (uint8_t)behind;
	return ++p->scanned <= LINE_MAX_LEN && (c >= ' ' || c == '\r' || c == '\t');
}

/* Reads one octet of framing. False: it is not valid there. */
static bool framing_octet(struct http_parser *p, uint8_t c)
{
	switch ((enum http_state)p->state) {
	case HTTP_AT_SIZE:
		return size_octet(p, c);
	case HTTP_AT_EXTENSION:
		return line_octet(p, c, HTTP_AT_SIZE_LF);
	case HTTP_AT_SIZE_LF:
		p->scanned = 0;
		p->digits = 0;
		p->state = p->left ? HTTP_AT_CHUNK : HTTP_AT_TRAILER;
		return c == '\n';
	case HTTP_AT_CHUNK_CR:
		p->state = HTTP_AT_CHUNK_LF;
		return c == '\r';
	case HTTP_AT_CHUNK_LF:
		p->state = HTTP_AT_SIZE;
		return c == '\n';
	case HTTP_AT_TRAILER:
		p->state = HTTP_IN_TRAILER;
		if (c == '\r')
			p->state = HTTP_LAST_LF;
		return c == '\r' || (c > ' ' && line_octet(p, c, HTTP_TRAILER_LF));
	case HTTP_IN_TRAILER:
		return line_octet(p, c, HTTP_TRAILER_LF);
	case HTTP_TRAILER_LF:
		p->state = HTTP_AT_TRAILER;
		return c == '\n';
	case HTTP_LAST_LF:
		p->scanned = 0;
		p->state = HTTP_AT_END;
		return c == '\n';
	case HTTP_AT_HEAD:
	case HTTP_AT_LENGTH:
	case HTTP_AT_CLOSE:
	case HTTP_AT_CHUNK:
	case HTTP_AT_END:
	case HTTP_AT_ANSWER:
	case HTTP_IN_TUNNEL:
		break;
	}
	return false;
}

static struct http_step read_framing(struct http_parser *p, struct span in)
{
	size_t n = 0;

	while (n < in.n && p->state != HTTP_AT_CHUNK && p->state != HTTP_AT_END) {
		struct http_parser before = *p;

		/* the trailer is a separate step */
		if (n && before.state == HTTP_AT_TRAILER && !p->scanned)
			break;

		if (!framing_octet(p, in.p[n])) {
			*p = before;
			return n ? make_step(HTTP_FRAMING, n) : refuse_input(HTTP_FAULT_CHUNK);
		}
		n++;
	}
	return make_step(n ? HTTP_FRAMING : HTTP_MORE, n);
}

/* --- Bodies ----------------------------------------------------------------------------------- */

static struct http_step counted(struct http_parser *p, struct span in, enum http_state behind)
{
	uint64_t n = in.n < p->left ? in.n : p->left;

	p->left -= n;
	if (!p->left)
		p->state = (uint8_t)behind;
	return make_step(n ? HTTP_DATA : HTTP_MORE, n);
}

static struct http_step until_close(struct http_parser *p, struct span in, bool end)
{
	if (in.n)
		return make_step(HTTP_DATA, in.n);
	if (!end)
		return make_step(HTTP_MORE, 0);
	p->state = HTTP_AT_HEAD;
	return make_step(HTTP_END, 0);
}

struct http_step http_next(struct http_parser *p, struct span in, bool end, struct http_head *head)
{
	switch ((enum http_state)p->state) {
	case HTTP_AT_HEAD:
		return at_head(p, in, end, head);
	case HTTP_AT_LENGTH:
		return counted(p, in, HTTP_AT_END);
	case HTTP_AT_CLOSE:
		return until_close(p, in, end);
	case HTTP_AT_CHUNK:
		return counted(p, in, HTTP_AT_CHUNK_CR);
	case HTTP_AT_END:
		p->state = p->connect && !p->responses ? HTTP_AT_ANSWER : HTTP_AT_HEAD;
		return make_step(HTTP_END, 0);
	case HTTP_AT_ANSWER:
		return in.n ? refuse_input(HTTP_FAULT_EARLY) : make_step(HTTP_MORE, 0);
	case HTTP_IN_TUNNEL:
		return make_step(in.n ? HTTP_TUNNEL : HTTP_MORE, in.n);
	case HTTP_AT_SIZE:
	case HTTP_AT_EXTENSION:
	case HTTP_AT_SIZE_LF:
	case HTTP_AT_CHUNK_CR:
	case HTTP_AT_CHUNK_LF:
	case HTTP_AT_TRAILER:
	case HTTP_IN_TRAILER:
	case HTTP_TRAILER_LF:
	case HTTP_LAST_LF:
		break;
	}
	return read_framing(p, in);
}
