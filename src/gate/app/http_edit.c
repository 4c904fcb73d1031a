/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reads and changes of an HTTP head by listeners. Each write is one edit of the stream, after which
 * the head is read anew: a value that a reader would not find is not written.
 */
#include "gate/app/http_impl.h"

#include <errno.h>
#include <strings.h>

enum { LINE_MAX_LEN = 8192 };

static struct span octets_of(const struct gate_http *h)
{
	return span_of(h->view->octets + h->at, h->head.len);
}

const struct http_head *gate_http_head(const struct gate *g, struct span *ret_octets)
{
	const struct gate_http *h = gate_http_of(g);

	if (!h->view)
		return NULL;
	*ret_octets = octets_of(h);
	return &h->head;
}

struct gate_view *gate_http_body(const struct gate *g)
{
	return gate_http_of(g)->body;
}

bool gate_http_request(const struct gate *g, const struct flow *f, struct http_head *ret,
		       struct span *ret_octets)
{
	const struct http_flow *s = f->app == DISSECT_HTTP ? f->state : NULL;
	const struct http_kept *k = s ? http_kept_first(s) : NULL;

	(void)g;
	if (!k)
		return false;
	*ret_octets = span_of(k->octets, k->len);
	return http_head_read(*ret_octets, false, HTTP_GATE_FLAGS, ret) == HTTP_FAULT_NONE;
}

/* Returns the request whose body is on its way. */
static const struct http_kept *kept_last(const struct http_flow *s)
{
	uint8_t last = (uint8_t)((s->first + s->n - 1) % HTTP_MAX_ASKED);
	const struct http_kept *k = s->kept;

	while (k && k->slot != last)
		k = k->next;
	return s->n ? k : NULL;
}

const struct http_head *gate_http_message(struct gate *g, const struct flow *f, bool response,
					  struct span *ret_octets, bool *ret_live)
{
	struct gate_http *h = gate_http_of(g);
	const struct http_flow *s = f->app == DISSECT_HTTP ? f->state : NULL;
	bool up = h->body && h->body->flow == f && h->body->direction == GATE_UP;
	const struct http_kept *k = NULL;
	struct http_old *old = &h->old[response];

	*ret_live = h->view && h->view->flow == f && h->head.response == response;
	if (*ret_live) {
		*ret_octets = octets_of(h);
		return &h->head;
	}
	if (s && !(h->view && h->view->flow == f && !h->head.response))
		k = !response ? (up ? kept_last(s) : http_kept_first(s)) : up ? NULL : s->answer;
	if (!k)
		return NULL;
	*ret_octets = span_of(k->octets, k->len);
	if (old->kept != k || old->generation != h->generation)
		old->good = http_head_read(*ret_octets, response, HTTP_GATE_FLAGS, &old->head) ==
			    HTTP_FAULT_NONE;
	old->kept = k;
	old->generation = h->generation;
	return old->good ? &old->head : NULL;
}

const uint32_t *gate_http_generation(const struct gate *g)
{
	return &gate_http_of(g)->generation;
}

struct span gate_http_part(const struct gate *g, enum http_part part)
{
	const struct gate_http *h = gate_http_of(g);

	if (!h->view || (h->head.response ? part < HTTP_VERSION : part > HTTP_VERSION))
		return SPAN_NULL;
	return span_of(octets_of(h).p + h->head.part[part].at, h->head.part[part].len);
}

struct span gate_http_field(const struct gate *g, struct span name)
{
	const struct gate_http *h = gate_http_of(g);
	uint16_t i;

	if (!h->view)
		return SPAN_NULL;
	i = http_find(&h->head, octets_of(h), name, 0);
	if (i == h->head.n_fields)
		return SPAN_NULL;
	return span_of(octets_of(h).p + h->head.field[i].value.at, h->head.field[i].value.len);
}

/* --- Writing ---------------------------------------------------------------------------------- */

/* Replaces octets of the head, and reads it anew. */
static int edit_head(struct gate *g, uint32_t at, uint32_t n, struct span with)
{
	struct gate_http *h = gate_http_of(g);
	bool response = h->head.response;
	int r;

	if (h->head.len - n + with.n > HTTP_HEAD_MAX)
		return -EINVAL;
	r = gate_stream_edit(h->view, h->at + at, n, with);
	if (r < 0)
		return r;
	(void)!http_head_read(span_sub(span_of(h->view->octets, h->view->n), h->at, h->view->n),
			      response, HTTP_GATE_FLAGS | HTTP_ALLOW_VERSION, &h->head);
	return 0;
}

static bool is_valid_part(enum http_part part, struct span with)
{
	switch (part) {
	case HTTP_METHOD:
		return http_is_token(with) && with.n <= HTTP_METHOD_MAX;
	case HTTP_URI:
		return http_is_uri(with);
	case HTTP_VERSION:
		return http_has_version_form(with);
	case HTTP_STATUS:
		return http_is_status(with);
	case HTTP_REASON:
		return http_is_value(with);
	case HTTP_N_PARTS:
		break;
	}
	return false;
}

/* Adds a reason to a status line, which may end without it and without the space before it. */
static int add_reason(struct gate *g, struct span with)
{
	const struct gate_http *h = gate_http_of(g);
	uint32_t behind = h->head.part[HTTP_STATUS].at + (uint32_t)h->head.part[HTTP_STATUS].len;
	uint8_t text[LINE_MAX_LEN];
	struct wr w = wr_init(text, sizeof(text));

	if (octets_of(h).p[behind] == ' ')
		behind++;
	else
		wr_u8(&w, ' ');
	wr_span(&w, with);
	return wr_ok(&w) ? edit_head(g, behind, 0, span_of(text, w.len)) : -EINVAL;
}

/* Returns whether a change of the start line changes where the body ends. */
static bool changes_framing(const struct gate_http *h, enum http_part part, struct span with)
{
	/* HTTP/1.0 has no chunks; answers to HEAD and CONNECT differ; some statuses have no body */
	if (part == HTTP_VERSION)
		return h->head.encoded && span_eq(with, span_str("HTTP/1.0"));
	if (part == HTTP_METHOD)
		return h->head.method == HTTP_METHOD_CONNECT || span_eq(with, span_str("CONNECT"));
	if (part == HTTP_STATUS)
		return (with.p[0] == '1') != (h->head.status < 200) ||
		       span_eq(with, span_str("204")) || span_eq(with, span_str("304")) ||
		       h->head.status == 204 || h->head.status == 304;
	return false;
}

int gate_http_set_part(struct gate *g, enum http_part part, struct span with)
{
	const struct gate_http *h = gate_http_of(g);
	struct span is = gate_http_part(g, part);

	if (!is.p || !is_valid_part(part, with))
		return -EINVAL;
	if (changes_framing(h, part, with) && !span_eq(is, with))
		return -EPERM;
	if (part == HTTP_REASON && !is.n)
		return with.n ? add_reason(g, with) : 0;
	return edit_head(g, h->head.part[part].at, h->head.part[part].len, with);
}

static bool is_framing(struct span name)
{
	static const char *const names[] = {"Content-Length", "Transfer-Encoding"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (name.n == strlen(names[i]) &&
		    strncasecmp((const char *)name.p, names[i], name.n) == 0)
			return true;
	return false;
}

static int check_field(const struct gate_http *h, struct span name)
{
	if (!h->view || !http_is_token(name))
		return -EINVAL;
	return is_framing(name) ? -EPERM : 0;
}

/* Removes the fields of a name from index `from` on. Returns how many. */
static int remove_from(struct gate *g, struct span name, uint16_t from)
{
	const struct gate_http *h = gate_http_of(g);
	int n = 0, r;

	for (uint16_t i = from; (i = http_find(&h->head, octets_of(h), name, i)) < h->head.n_fields;
	     n++) {
		uint32_t at = h->head.field[i].name.at;

		r = edit_head(g, at, h->head.field[i].end - at, SPAN_NULL);
		if (r < 0)
			return r;
	}
	return n;
}

int gate_http_remove_field(struct gate *g, struct span name)
{
	int r = check_field(gate_http_of(g), name);

	return r < 0 ? r : remove_from(g, name, 0);
}

static int append_field(struct gate *g, struct span name, struct span value)
{
	uint8_t text[LINE_MAX_LEN];
	struct wr w = wr_init(text, sizeof(text));

	if (gate_http_of(g)->head.n_fields == HTTP_MAX_FIELDS)
		return -EINVAL;
	wr_span(&w, name);
	wr_bytes(&w, ": ", 2);
	wr_span(&w, value);
	wr_bytes(&w, "\r\n", 2);
	return wr_ok(&w) ? edit_head(g, gate_http_of(g)->head.fields_end, 0, span_of(text, w.len))
			 : -EINVAL;
}

int gate_http_set_field(struct gate *g, struct span name, struct span value)
{
	const struct gate_http *h = gate_http_of(g);
	const struct http_field *f;
	int r = check_field(h, name);
	uint16_t i;

	if (r < 0 || !http_is_value(value))
		return r < 0 ? r : -EINVAL;
	i = http_find(&h->head, octets_of(h), name, 0);
	if (i == h->head.n_fields)
		return append_field(g, name, value);
	f = &h->head.field[i];
	/* one without a value gets it behind the colon */
	r = edit_head(g, f->value.len ? f->value.at : f->name.at + f->name.len + 1U, f->value.len,
		      value);
	if (r == 0)
		r = remove_from(g, name, (uint16_t)(i + 1));
	return r < 0 ? r : 0;
}

/* --- Where the body ends ---------------------------------------------------------------------- */

int http_edit_length(struct gate *g, bool chunks)
{
	const struct gate_http *h = gate_http_of(g);
	static const char chunked[] = "Transfer-Encoding: chunked\r\n";
	struct span with = span_of(chunked, chunks ? sizeof(chunked) - 1 : 0),
		    name = span_str("Content-Length");
	uint16_t i = http_find(&h->head, octets_of(h), name, 0);
	int r = remove_from(g, name, (uint16_t)(i + 1));

	if (r < 0)
		return r;
	return edit_head(g, h->head.field[i].name.at,
			 h->head.field[i].end - (uint32_t)h->head.field[i].name.at, with);
}
