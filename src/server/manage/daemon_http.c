/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Control sockets over HTTP and HTTPS. Their files (certificates, keys, passwords) are read at
 * every reload, which is the way to renew them. A socket of an address that the machine does not
 * have yet is tried again; every other fault refuses the configuration.
 */
#include "base/arena.h"
#include "base/error.h"
#include "base/log.h"
#include "base/log_tail.h"
#include "config/config.h"
#include "config/json/json.h"
#include "control/metrics.h"
#include "http/page.h"
#include "http/request.h"
#include "http/web.h"
#include "lease/lease_store.h"
#include "server/manage/daemon_impl.h"
#include "server/manage/metrics.h"
#include "server/manage/page.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* LINES_KEPT: of the log, for the page. */
enum { LINES_KEPT = 500 };

/* --- Routes ----------------------------------------------------------------------------------- */

/* Returns whether a request is for the control agent itself: config-get without a service. Tools of
 * Kea 2 learn from its answer which servers are behind the agent. */
static bool asks_agent(const struct http_request *r, struct arena *a)
{
	struct json_opts jo = {.file = "", .comments = true, .max_depth = JSON_MAX_DEPTH};
	const struct json *service;
	struct config_error err;
	struct json *request;
	const char *name;

	if (json_parse(http_body(r), &jo, a, &request, &err) < 0)
		return false;
	name = json_get_str(request, "command");
	service = json_get(request, "service");
	return name && strcmp(name, "config-get") == 0 &&
	       (!service || (service->type == JSON_LIST && !service->count));
}

/* Answers as the configuration of an agent with this server behind it. */
static void answer_agent(struct server_daemon *d, struct http_request *r, struct arena *a)
{
	struct json *list = json_list(a), *m = json_add(a, list, NULL, json_map(a)), *agent,
		    *socket;

	(void)json_add(a, m, "result", json_int(a, CONTROL_OK));
	agent = json_add(a, json_add(a, m, "arguments", json_map(a)), "Control-agent", json_map(a));
	socket = json_add(a, json_add(a, agent, "control-sockets", json_map(a)), "dhcp4",
			  json_map(a));
	(void)json_add(a, socket, "socket-type", json_str(a, "unix"));
	(void)json_add(a, socket, "socket-name",
		       json_str(a, d->n_channels ? channel_path(d->channels[0]) : ""));
	http_answer_json(r, list);
}

static void answer_command(void *daemon, struct http_request *r)
{
	struct server_daemon *d = daemon;
	unsigned refused;
	struct arena a;

	arena_init(&a);
	if (http_plays_agent(r) && asks_agent(r, &a)) {
		refused = page_authorize(d, http_requester(r), "config-get", http_path(r));
		if (refused)
			http_refuse(r, refused, refused == 403 ? "Forbidden" : "Unauthorized");
		else
			answer_agent(d, r, &a);
	} else {
		http_answer_command(r, d->plane);
	}
	arena_fini(&a);
}

/* Answers 200 when clients get leases, else 503. */
static void answer_ready(void *daemon, struct http_request *r)
{
	struct server_daemon *d = daemon;
	struct http_answer a = {.status = 200, .type = "text/plain", .body = span_str("ready\n")};
	const char *reason = lease_store_opening(d->srv.store) ? "the leases are being loaded\n"
			     : !lease_store_up(d->srv.store) ? "the lease file cannot be written\n"
			     : d->srv.disabled		     ? "the service is disabled\n"
							     : NULL;

	if (reason) {
		a.status = 503;
		a.body = span_str(reason);
	}
	http_answer(r, &a);
}

static void answer_metrics(void *daemon, struct http_request *r)
{
	enum metrics_form form = metrics_form_of(http_header(r, "Accept"));
	struct http_answer a = {.status = 200, .type = metrics_content_type(form)};

	if (server_metrics_stream(daemon, form == METRICS_OPENMETRICS, &a.stream) < 0)
		http_refuse(r, 503, "out of memory");
	else
		http_answer(r, &a);
}

static const struct http_route routes[] = {
	{"GET", "/metrics", false, false, answer_metrics},
	{"GET", "/readyz", true, false, answer_ready},
	{"GET", "/api/v1/drops", false, true, page_drops},
	{"GET", "/api/v1/subnets", false, true, page_subnets},
	{"GET", "/api/v1/networks", false, true, page_networks},
	{"GET", "/api/v1/leases", false, true, page_leases},
	{"GET", "/api/v1/reservations", false, true, page_reservations},
	{"GET", "/api/v1/config", false, true, page_config},
	{"GET", "/api/v1/health", false, true, page_health},
	{"POST", "*", false, false, answer_command},
};

/* Creates the page and the log behind it. Called when a socket is opened. */
static int prepare_page(struct server_daemon *d)
{
	if (!d->log_tail) {
		d->log_tail = log_tail_new(LINES_KEPT);
		if (!d->log_tail)
			return -ENOMEM;
		log_set_tail(d->srv.log, d->log_tail);
	}
	return d->page ? 0 : page_new(d, &d->page);
}

/* --- Files ------------------------------------------------------------------------------------ */

/* One socket of the configuration while its files are read. */
struct reading {
	const struct config_control_socket *s;
	struct arena *a;
	struct config_error e;
};

static int fail_reading(struct reading *k, const struct json *at, int r, const char *path)
{
	return config_error_set(&k->e, &at->pos, -USHER_E_CONFIG, "%s cannot be read: %s", path,
				r == -EINVAL ? "it is no regular file" : usher_strerror(r));
}

static int read_tls(struct reading *k, struct http_opts *o)
{
	const struct config_control_socket *s = k->s;
	int r;

	if (!s->cert)
		return 0;
	o->cert = http_read_text(k->a, s->cert, &r);
	if (!o->cert)
		return fail_reading(k, json_get(s->node, "cert-file"), r, s->cert);
	o->key = http_read_text(k->a, s->key, &r);
	if (!o->key)
		return fail_reading(k, json_get(s->node, "key-file"), r, s->key);
	o->trust = http_read_trust(k->a, s->trust, &r);
	if (!o->trust)
		return fail_reading(k, json_get(s->node, "trust-anchor"), r, s->trust);
	return 0;
}

/* Reads the first line of a file. */
static char *read_line(struct reading *k, const struct json *at, const char *path)
{
	int r;
	char *text = http_read_text(k->a, path, &r);

	if (!text) {
		(void)fail_reading(k, at, r, path);
		return NULL;
	}
	text[strcspn(text, "\r\n")] = '\0';
	return text;
}

static int read_user(struct reading *k, const struct config_http_user *from, struct http_user *to)
{
	char *line = from->password_file ? read_line(k, from->node, from->password_file) : NULL;
	const char *name = from->user;

	if (from->password_file && !line)
		return -USHER_E_CONFIG;
	if (from->user_file) {
		name = read_line(k, from->node, from->user_file);
		if (!name)
			return -USHER_E_CONFIG;
	}
	if (!name) {
		char *colon = strchr(line, ':');

		if (!colon)
			return config_error_set(&k->e, &from->node->pos, -USHER_E_CONFIG,
						"%s must begin with user:password",
						from->password_file);
		*colon = '\0';
		name = line;
		line = colon + 1;
	}
	if (!name[0] || strchr(name, ':'))
		return config_error_set(&k->e, &from->node->pos, -USHER_E_CONFIG,
					"%s has no name of a user",
					from->user_file ? from->user_file : from->password_file);
	*to = (struct http_user){.name = name,
				 .password = line	      ? line
					     : from->password ? from->password
							      : "",
				 .read_only = from->read_only};
	return 0;
}

/* Makes the options of a listener, with texts in the arena. Returns 0 or -USHER_E_CONFIG with the
 * reason in k->e. */
static int read_opts(struct server_daemon *d, struct reading *k, struct http_opts *o)
{
	const struct config_control_socket *s = k->s;
	struct http_user *users = arena_array(k->a, struct http_user, s->n_users);
	struct http_header *headers = arena_array(k->a, struct http_header, s->n_headers);
	int r = 0;

	*o = (struct http_opts){.address = s->address,
				.port = s->port,
				.realm = s->realm,
				.users = users,
				.n_users = s->n_users,
				.headers = headers,
				.n_headers = s->n_headers,
				.routes = {routes, ARRAY_LEN(routes), d},
				.authorize = page_authorize,
				.log = d->srv.log,
				.agent = s->agent};
	if ((s->n_users && !users) || (s->n_headers && !headers))
		return config_error_set(&k->e, &s->node->pos, -USHER_E_CONFIG, "out of memory");
	for (size_t i = 0; i < s->n_headers; i++)
		headers[i] = (struct http_header){s->headers[i].name, s->headers[i].value};
	for (size_t i = 0; i < s->n_users && r == 0; i++)
		r = read_user(k, &s->users[i], &users[i]);
	return r < 0 ? r : read_tls(k, o);
}

/* --- Listeners -------------------------------------------------------------------------------- */

static struct http_listener *find_listener(const struct server_daemon *d,
					   const struct config_control_socket *s)
{
	for (unsigned i = 0; i < d->n_https; i++)
		if (http_is(d->https[i], s->address, s->port))
			return d->https[i];
	return NULL;
}

static bool is_wanted(const struct config *cfg, const char *address, uint16_t port)
{
	for (size_t i = 0; i < cfg->n_control_sockets; i++) {
		const struct config_control_socket *s = &cfg->control_sockets[i];

		if (!s->path && s->port == port && strcmp(s->address, address) == 0)
			return true;
	}
	return false;
}

/* The open listeners, noted for a check in another thread. */
struct noted {
	size_t n;
	struct {
		char address[INET6_ADDRSTRLEN];
		uint16_t port;
		bool tls;
	} at[DAEMON_MAX_CHANNELS];
};

static void note_listeners(struct server_daemon *d, struct noted *ret)
{
	(void)pthread_mutex_lock(&d->channels_lock);
	ret->n = d->n_https;
	for (size_t i = 0; i < ret->n; i++) {
		(void)snprintf(ret->at[i].address, sizeof(ret->at[i].address), "%s",
			       http_address(d->https[i]));
		ret->at[i].port = http_port(d->https[i]);
		ret->at[i].tls = http_has_tls(d->https[i]);
	}
	(void)pthread_mutex_unlock(&d->channels_lock);
}

/* Checks whether a new listener could be opened. The port of a listener that will be closed is
 * free. */
static int check_port(const struct noted *open, const struct config *cfg,
		      const struct config_control_socket *s)
{
	int r = http_check(s->address, s->port);

	if (r == -EADDRNOTAVAIL)
		return 0;
	for (size_t i = 0; r == -EADDRINUSE && i < open->n; i++)
		if (!is_wanted(cfg, open->at[i].address, open->at[i].port) &&
		    open->at[i].port == s->port)
			return 0;
	return r;
}

static int check_place(struct reading *k, const struct noted *open, const struct config *cfg,
		       bool tls)
{
	const struct config_control_socket *s = k->s;
	int r;

	for (size_t i = 0; i < open->n; i++) {
		if (open->at[i].port != s->port || strcmp(open->at[i].address, s->address) != 0)
			continue;
		if (open->at[i].tls == tls)
			return 0;
		return config_error_set(
			&k->e, &s->node->pos, -USHER_E_CONFIG,
			"the socket at %s port %u is open with%s TLS: a reload cannot "
			"change that",
			s->address, s->port, tls ? "out" : "");
	}
	r = check_port(open, cfg, s);
	if (r == 0)
		return 0;
	return config_error_set(&k->e, &s->node->pos, -USHER_E_CONFIG,
				"control socket %s port %u cannot be opened: %s", s->address,
				s->port, usher_strerror(r));
}

static int check_socket(struct server_daemon *d, const struct noted *open, const struct config *cfg,
			struct reading *k)
{
	char text[HTTP_TEXT_MAX];
	struct http_opts o;
	int64_t expires;
	int r = read_opts(d, k, &o);

	if (r == 0 && o.cert && http_tls_check(&o, &expires, text) < 0)
		return config_error_set(&k->e, &k->s->node->pos, -USHER_E_CONFIG, "%s", text);
	return r < 0 ? r : check_place(k, open, cfg, o.cert != NULL);
}

void daemon_http_check(struct server_daemon *d, const struct config *cfg,
		       void (*problem)(void *ctx, const struct config_error *e), void *ctx)
{
	struct noted open;
	unsigned n = 0;

	note_listeners(d, &open);
	for (size_t i = 0; i < cfg->n_control_sockets; i++) {
		struct reading k = {.s = &cfg->control_sockets[i]};
		struct arena a;
		int r;

		if (k.s->path)
			continue;
		arena_init(&a);
		k.a = &a;
		r = ++n > DAEMON_MAX_CHANNELS
			    ? config_error_set(&k.e, &k.s->node->pos, -USHER_E_CONFIG,
					       "there are at most %d sockets for HTTP",
					       DAEMON_MAX_CHANNELS)
			    : check_socket(d, &open, cfg, &k);
		if (r < 0)
			problem(ctx, &k.e);
		arena_fini(&a);
	}
}

/* Opens a listener, or gives an open one its new settings. */
static int set_listener(struct server_daemon *d, struct http_listener *l, const struct http_opts *o)
{
	int r;

	(void)pthread_mutex_lock(&d->channels_lock);
	if (l)
		r = http_update(l, o);
	else if (d->n_https == DAEMON_MAX_CHANNELS)
		r = -USHER_E_LIMIT;
	else
		r = http_open(d->loop, o, &d->https[d->n_https]);
	d->n_https += !l && r == 0;
	(void)pthread_mutex_unlock(&d->channels_lock);
	return r;
}

static int open_socket(struct server_daemon *d, struct reading *k)
{
	struct http_listener *l = find_listener(d, k->s);
	struct http_opts o;
	int r = prepare_page(d);

	if (r < 0)
		return config_error_set(&k->e, &k->s->node->pos, r, "out of memory");
	r = read_opts(d, k, &o);
	if (r < 0)
		return r;
	o.page = http_page_routes(d->page);
	if (!k->s->cert_required)
		o.trust = NULL;
	r = set_listener(d, l, &o);
	if (r < 0)
		return config_error_set(
			&k->e, &k->s->node->pos, r,
			"control socket %s port %u cannot be opened: %s; the server "
			"will retry",
			k->s->address, k->s->port, usher_strerror(r));
	if (l)
		log_msg(d->srv.log, LOG_HTTP_COMMAND_MGR_SERVICE_UPDATED,
			"the service on %s port %u has its new settings", k->s->address,
			k->s->port);
	return 0;
}

/* Closes the listeners that the configuration has not. */
static void close_unwanted(struct server_daemon *d, const struct config *cfg)
{
	for (unsigned i = d->n_https; i > 0; i--) {
		struct http_listener *l = d->https[i - 1];

		if (is_wanted(cfg, http_address(l), http_port(l)))
			continue;
		(void)pthread_mutex_lock(&d->channels_lock);
		d->https[i - 1] = d->https[--d->n_https];
		(void)pthread_mutex_unlock(&d->channels_lock);
		http_close(l);
	}
}

void daemon_http_open(struct server_daemon *d, const struct config *cfg, bool again)
{
	d->https_missing = 0;
	close_unwanted(d, cfg);
	for (size_t i = 0; i < cfg->n_control_sockets; i++) {
		struct reading k = {.s = &cfg->control_sockets[i]};
		struct arena a;

		if (k.s->path || (again && find_listener(d, k.s)))
			continue;
		arena_init(&a);
		k.a = &a;
		if (open_socket(d, &k) < 0) {
			if (!again)
				daemon_warn(d, &k.e);
			d->https_missing++;
		}
		arena_fini(&a);
	}
}

void daemon_http_drop(struct server_daemon *d)
{
	while (d->n_https)
		http_free(d->https[--d->n_https]);
}
