/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Server-sent events: each reader has a buffer, and its connection sleeps while that is empty. An
 * event is composed once for all readers.
 */
#include "http/events.h"
#include "http/request_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* WAITING_MAX: octets that may wait for a reader. */
enum { WAITING_MAX = 256 * 1024, BLOCK = 16384 };

struct event_reader {
	struct http_events *e; /* NULL: the subject has ended */
	struct event_reader *next;
	struct http_request *r;
	struct buf out;
	size_t sent;
	bool dropped;
};

struct http_events {
	unsigned max, n;
	struct event_reader *readers;
};

int http_events_new(unsigned max, struct http_events **ret)
{
	struct http_events *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->max = max;
	*ret = e;
	return 0;
}

unsigned http_events_readers(const struct http_events *e)
{
	return e->n;
}

/* Wakes a reader whose connection sleeps. */
static void wake_reader(struct event_reader *v)
{
	if (!v->r->suspended)
		return;
	v->r->suspended = false;
	MHD_resume_connection(v->r->conn->mhd);
}

static void unlink_reader(struct event_reader *v)
{
	struct event_reader **p;

	if (!v->e)
		return;
	for (p = &v->e->readers; *p != v; p = &(*p)->next)
		continue;
	*p = v->next;
	v->e->n--;
	v->e = NULL;
}

void http_events_free(struct http_events *e)
{
	if (!e)
		return;
	while (e->readers) {
		struct event_reader *v = e->readers;

		unlink_reader(v);
		wake_reader(v);
	}
	free(e);
}

static void write_event(struct event_reader *v, const char *name, struct span data)
{
	if (v->sent) {
		memmove(v->out.p, v->out.p + v->sent, v->out.len - v->sent);
		v->out.len -= v->sent;
		v->sent = 0;
	}
	buf_str(&v->out, "event: ");
	buf_str(&v->out, name);
	buf_str(&v->out, "\ndata: ");
	buf_add(&v->out, data.p, data.n);
	buf_str(&v->out, "\n\n");
}

void http_events_send(struct http_events *e, const char *name, struct span data)
{
	struct event_reader *next;

	for (struct event_reader *v = e->readers; v; v = next) {
		next = v->next;
		if (v->out.len - v->sent + data.n <= WAITING_MAX && !v->out.failed) {
			write_event(v, name, data);
		} else {
			http_drop(v->r->conn->l, HTTP_DROP_SLOW_EVENTS, v->r->conn->address);
			v->dropped = true;
			unlink_reader(v);
		}
		wake_reader(v);
	}
}

static ssize_t read_events(void *reader, uint64_t pos, char *to, size_t max)
{
	struct event_reader *v = reader;
	size_t n = v->out.len - v->sent;

	(void)pos;
	if (v->dropped || v->out.failed)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (!n && !v->e)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (!n) {
		v->r->suspended = true;
		MHD_suspend_connection(v->r->conn->mhd);
		return 0;
	}
	n = n < max ? n : max;
	memcpy(to, v->out.p + v->sent, n);
	v->sent += n;
	if (v->sent == v->out.len) {
		buf_reset(&v->out);
		v->sent = 0;
	}
	return (ssize_t)n;
}

static void free_reader(void *reader)
{
	struct event_reader *v = reader;

	unlink_reader(v);
	buf_fini(&v->out);
	free(v);
}

void http_answer_events(struct http_request *r, struct http_events *e)
{
	struct event_reader *v;
	struct MHD_Response *response = NULL;

	if (strcasecmp(r->method, "HEAD") == 0) {
		http_answer(r, &(struct http_answer){.status = MHD_HTTP_OK,
						     .type = "text/event-stream"});
		return;
	}
	if (e->n >= e->max) {
		http_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE,
			    "Service Unavailable: too many event streams");
		return;
	}
	v = calloc(1, sizeof(*v));
	if (v)
		response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_events,
							     v, free_reader);
	if (!response) {
		free(v);
		http_respond(r, NULL, 0);
		return;
	}
	v->e = e;
	v->r = r;
	v->next = e->readers;
	e->readers = v;
	e->n++;
	buf_init(&v->out);
	buf_str(&v->out, "retry: 3000\n\n");
	(void)MHD_add_response_header(response, "Content-Type", "text/event-stream");
	(void)MHD_add_response_header(response, "X-Accel-Buffering", "no");
	http_respond(r, response, MHD_HTTP_OK);
}
