/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A request from its head to the end of its answer. libmicrohttpd calls http_on_request() for the
 * head, for pieces of the body, at its end, and again when a suspended request has its answer.
 */
#include "base/clock.h"
#include "base/log.h"
#include "http/auth.h"
#include "http/request_impl.h"
#include "runtime/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS_MAX = 128, SEND_S = 10, DRAIN_MAX = 65536 };

#define DELAY_NS NS_PER_S

/* --- The head --------------------------------------------------------------------------------- */

static bool route_fits(const struct http_route *t, const char *path)
{
	size_t n = strlen(t->path);

	if (n && t->path[n - 1] == '*')
		return strncmp(t->path, path, n - 1) == 0;
	return strcmp(t->path, path) == 0;
}

/* Finds the route of a request in a table. *known: a route has its path, with any method. */
static bool choose_route(struct http_request *r, const struct http_routes *table, bool *known)
{
	bool head = strcasecmp(r->method, "HEAD") == 0;

	for (size_t i = 0; i < table->n; i++) {
		const struct http_route *t = &table->rows[i];

		if (!route_fits(t, r->path))
			continue;
		*known |= strcmp(t->path, "*") != 0;
		if (strcasecmp(r->method, t->method) == 0 ||
		    (head && strcmp(t->method, "GET") == 0)) {
			r->route = t;
			r->route_ctx = table->ctx;
			return true;
		}
	}
	return false;
}

/* Finds the route of a request. Returns 0 or the status of the refusal. */
static unsigned find_route(struct http_request *r)
{
	const struct http_opts *o = &r->conn->l->o;
	bool known = false;

	if (choose_route(r, &o->routes, &known) || choose_route(r, &o->page, &known))
		return 0;
	/* Kea answers 400 to each method but POST */
	return known ? MHD_HTTP_METHOD_NOT_ALLOWED : MHD_HTTP_BAD_REQUEST;
}

/* Returns whether a Host is an address or "localhost", with or without a port. */
static bool is_literal_host(const char *host)
{
	char name[64];
	const char *end;

	if (!host)
		return true;
	end = host[0] == '[' ? strchr(host, ']') : strrchr(host, ':');
	end = end ? end : host + strlen(host);
	(void)snprintf(name, sizeof(name), "%.*s", (int)(end - host), host);
	if (host[0] == '[')
		return strspn(name + 1, "0123456789abcdefABCDEF:.") == strlen(name + 1);
	return strcasecmp(name, "localhost") == 0 || strspn(name, "0123456789.") == strlen(name);
}

/* Returns whether the page of another site sent the request: such a page may not read or command
 * anything. */
static bool is_foreign(const struct http_request *r)
{
	const char *site = http_header(r, "Sec-Fetch-Site"), *origin = http_header(r, "Origin"),
		   *host = http_header(r, "Host"), *at = origin ? strstr(origin, "://") : NULL;

	if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
		return strcasecmp(r->method, "POST") == 0 || !r->route->page;
	return origin && (!at || !host || strcmp(at + 3, host) != 0);
}

static void on_delay(void *request)
{
	http_refuse(request, MHD_HTTP_UNAUTHORIZED, "Unauthorized");
}

/* Checks the credentials. Returns 0 or 401. */
static unsigned authenticate(struct http_request *r)
{
	struct http_listener *l = r->conn->l;
	const char *header = http_header(r, "Authorization");
	const struct http_user *u;
	bool delay;

	if (!r->config->n_users || (r->route && r->route->open))
		return 0;
	u = http_auth_find(l->auth, r->config, header, r->conn->address, &delay);
	if (u) {
		(void)snprintf(r->user, sizeof(r->user), "%s", u->name);
		r->from.user = r->user;
		r->from.read_only = u->read_only;
		log_msg(l->o.log, LOG_HTTP_CLIENT_REQUEST_AUTHORIZED, "user '%s' of %s", u->name,
			r->conn->address);
		return 0;
	}
	log_msg(l->o.log, LOG_HTTP_CLIENT_REQUEST_NOT_AUTHORIZED, "a request of %s: %s",
		r->conn->address, header ? "wrong user or password" : "no user and password");
	*(header ? &l->counts.wrong_user : &l->counts.without_user) += 1;
	if (delay && loop_timer_new(l->loop, on_delay, r, &r->delay) < 0)
		r->delay = NULL;
	return MHD_HTTP_UNAUTHORIZED;
}

/* Returns the length of the body that the head announces; 0: none. */
static unsigned long long body_length(const struct http_request *r)
{
	const char *length = http_header(r, "Content-Length");

	return length ? strtoull(length, NULL, 10) : 0;
}

static unsigned check_head(struct http_request *r)
{
	const struct http_listener *l = r->conn->l;
	unsigned status;

	if (MHD_get_connection_values(r->conn->mhd, MHD_HEADER_KIND, NULL, NULL) > FIELDS_MAX)
		return MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE;
	if (http_header(r, "Content-Length") && http_header(r, "Transfer-Encoding"))
		return MHD_HTTP_BAD_REQUEST; /* RFC 9112 6.3 */
	if (body_length(r) > l->o.max_request)
		return MHD_HTTP_CONTENT_TOO_LARGE;
	status = find_route(r);
	if (!status)
		status = authenticate(r);
	if (!status && is_foreign(r))
		status = MHD_HTTP_FORBIDDEN;
	if (!status && r->route->page && !r->config->n_users &&
	    !is_literal_host(http_header(r, "Host")))
		status = MHD_HTTP_MISDIRECTED_REQUEST;
	return status;
}

static struct http_request *begin_request(struct http_listener *l, struct MHD_Connection *mhd,
					  const char *path, const char *method)
{
	const union MHD_ConnectionInfo
		*info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct http_conn *c = info ? info->socket_context : NULL;
	struct http_request *r = c ? calloc(1, sizeof(*r)) : NULL;

	if (!r)
		return NULL;
	c->request = r;
	c->phase = HTTP_BODY;
	c->since_ns = clock_mono_ns(&clock_system);
	r->conn = c;
	r->method = method;
	r->path = path;
	r->config = l->config;
	r->config->uses++;
	r->from = (struct control_requester){.transport = l->config->cert ? "https" : "http",
					     .uid = (uid_t)-1,
					     .address = c->address};
	buf_init(&r->in);
	http_peer_names(r);
	r->refused = check_head(r);
	return r;
}

/* --- The body --------------------------------------------------------------------------------- */

static void take_body(struct http_request *r, const char *data, size_t n)
{
	struct http_listener *l = r->conn->l;

	if (r->refused)
		return;
	if (r->in.len + n > l->o.max_request)
		r->refused = MHD_HTTP_CONTENT_TOO_LARGE;
	else
		buf_add(&r->in, data, n);
	l->held += r->in.cap - r->held;
	r->held = r->in.cap;
	if (r->in.failed || l->held > l->o.max_held)
		r->refused = MHD_HTTP_SERVICE_UNAVAILABLE;
	if (!r->refused)
		return;
	buf_fini(&r->in);
	l->held -= r->held;
	r->held = 0;
}

static const char *text_of(unsigned status)
{
	switch (status) {
	case MHD_HTTP_BAD_REQUEST:
		return "Bad Request";
	case MHD_HTTP_UNAUTHORIZED:
		return "Unauthorized";
	case MHD_HTTP_FORBIDDEN:
		return "Forbidden";
	case MHD_HTTP_METHOD_NOT_ALLOWED:
		return "Method Not Allowed: commands are sent by POST, pages are read by GET";
	case MHD_HTTP_CONTENT_TOO_LARGE:
		return "Content Too Large: the request is too long";
	case MHD_HTTP_MISDIRECTED_REQUEST:
		return "Misdirected Request: without users, the page is served under an address or localhost only";
	case MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE:
		return "Request Header Fields Too Large";
	default:
		return "Service Unavailable: other connections use too much memory, try again";
	}
}

unsigned http_authorize(const struct http_request *r, const char *command)
{
	const struct http_opts *o = &r->conn->l->o;

	return o->authorize && !r->route->open
		       ? o->authorize(o->routes.ctx, &r->from, command, r->path)
		       : 0;
}

static void dispatch_request(struct http_request *r)
{
	unsigned status;

	r->dispatched = true;
	r->conn->phase = HTTP_BUSY;
	if (r->delay)
		loop_timer_set(r->delay, DELAY_NS);
	else if (r->refused)
		http_refuse(r, r->refused, text_of(r->refused));
	else if (strcmp(r->method, "POST") != 0 && (status = http_authorize(r, NULL)) != 0)
		http_refuse(r, status, text_of(status));
	else
		r->route->fn(r->route_ctx, r);
}

/* Queues the answer of a request, or suspends it until there is one. */
static enum MHD_Result finish_request(struct http_request *r)
{
	struct MHD_Connection *mhd = r->conn->mhd;
	enum MHD_Result result;

	if (r->failed)
		return MHD_NO;
	if (!r->response) {
		r->suspended = true;
		MHD_suspend_connection(mhd);
		return MHD_YES;
	}
	(void)MHD_set_connection_option(mhd, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)SEND_S);
	result = MHD_queue_response(mhd, r->status, r->response);
	MHD_destroy_response(r->response);
	r->response = NULL;
	return result;
}

enum MHD_Result http_on_request(void *listener, struct MHD_Connection *mhd, const char *path,
				const char *method, const char *version, const char *data,
				size_t *n, void **request)
{
	struct http_request *r = *request;

	(void)version;
	if (!r) {
		r = begin_request(listener, mhd, path, method);
		*request = r;
		if (!r)
			return MHD_NO;
		/* a long body that is refused is not waited for, and the connection ends */
		if (!r->refused || r->delay || body_length(r) <= DRAIN_MAX)
			return MHD_YES;
		dispatch_request(r);
		return finish_request(r);
	}
	if (*n) {
		take_body(r, data, *n);
		*n = 0;
		return MHD_YES;
	}
	if (!r->dispatched)
		dispatch_request(r);
	return finish_request(r);
}

void http_on_completed(void *listener, struct MHD_Connection *mhd, void **request,
		       enum MHD_RequestTerminationCode code)
{
	struct http_listener *l = listener;
	struct http_request *r = *request;

	if (!r)
		return;
	*request = NULL;
	if (code == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED)
		http_drop(l, HTTP_DROP_SLOW_ANSWER, r->conn->address);
	(void)MHD_set_connection_option(mhd, MHD_CONNECTION_OPTION_TIMEOUT, 0U);
	r->conn->request = NULL;
	r->conn->phase = HTTP_WAIT;
	r->conn->served = true;
	r->conn->since_ns = clock_mono_ns(&clock_system);
	if (!r->answered && r->cancelled)
		r->cancelled(r->ctx);
	if (r->response)
		MHD_destroy_response(r->response);
	if (r->delay)
		loop_timer_free(r->delay);
	l->held -= r->held;
	buf_fini(&r->in);
	http_config_drop(r->config);
	if (l->closing)
		http_conn_end(r->conn);
	free(r);
}

/* --- For routes ------------------------------------------------------------------------------- */

const char *http_path(const struct http_request *r)
{
	return r->path;
}

const char *http_header(const struct http_request *r, const char *name)
{
	return MHD_lookup_connection_value(r->conn->mhd, MHD_HEADER_KIND, name);
}

const char *http_query(const struct http_request *r, const char *name)
{
	return MHD_lookup_connection_value(r->conn->mhd, MHD_GET_ARGUMENT_KIND, name);
}

bool http_plays_agent(const struct http_request *r)
{
	return r->config->agent;
}

struct span http_body(const struct http_request *r)
{
	return span_of(r->in.p, r->in.len);
}

const struct control_requester *http_requester(const struct http_request *r)
{
	return &r->from;
}

void http_later(struct http_request *r, void (*cancelled)(void *ctx), void *ctx)
{
	r->cancelled = cancelled;
	r->ctx = ctx;
}
