/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Making a connection, without blocking: libpq's own steps, then the session's settings and the
 * schema's version in one transaction. An attempt that fails is followed by a pause. Once there was
 * a connection, an attempt whose SYN is not answered ends after a second: a host that is back shall
 * be noticed soon, and the kernel would wait for seconds with the next SYN.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/file/file_text.h"
#include "base/log.h"
#include "database/database_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

static const int64_t pause_first_ns = 50 * NS_PER_MS;
static const int64_t pause_longest_ns = 500 * NS_PER_MS;

enum { PASSWORD_MAX = 4096 };

void database_place(const struct config_database *c, char *out, size_t cap)
{
	(void)snprintf(out, cap, "%s at %s port %u", c->name, c->host[0] ? c->host : "localhost",
		       c->port ? c->port : 5432U);
}

/* --- parameters of libpq ------------------------------------------------------------------------ */

struct conn_text {
	const char *key[24], *value[24];
	unsigned n;
	char port[16], connect_timeout[16], user_timeout[24], application[80];
};

static void add_text(struct conn_text *t, const char *key, const char *value)
{
	if (!value || !value[0])
		return;
	t->key[t->n] = key;
	t->value[t->n++] = value;
}

static bool has_tls(const struct config_database *c)
{
	return c->trust_anchor[0] || c->cert_file[0] || c->key_file[0] || c->ssl_mode[0];
}

/* Returns Kea's default of ssl-mode: verified where there is an anchor, as soon as any key of TLS
 * is given. */
static const char *ssl_mode(const struct config_database *c)
{
	if (c->ssl_mode[0] || !has_tls(c))
		return c->ssl_mode;
	return c->trust_anchor[0] ? "verify-ca" : "require";
}

static void fill_text(struct conn_text *t, const struct database *d, const char *password)
{
	const struct config_database *c = d->o.config;

	if (c->port)
		(void)snprintf(t->port, sizeof(t->port), "%u", c->port);
	if (c->tcp_user_timeout_s)
		(void)snprintf(t->user_timeout, sizeof(t->user_timeout), "%llu",
			       c->tcp_user_timeout_s * 1000ULL);
	(void)snprintf(t->connect_timeout, sizeof(t->connect_timeout), "%u", c->connect_timeout_s);
	(void)snprintf(t->application, sizeof(t->application), "usher-server %s", d->o.role);
	add_text(t, "dbname", c->name);
	add_text(t, "host", c->host);
	add_text(t, "port", t->port);
	add_text(t, "user", c->user);
	add_text(t, "password", password);
	add_text(t, "connect_timeout", t->connect_timeout);
	add_text(t, "tcp_user_timeout", t->user_timeout);
	add_text(t, "sslmode", ssl_mode(c));
	add_text(t, "sslrootcert", c->trust_anchor);
	add_text(t, "sslcert", c->cert_file);
	add_text(t, "sslkey", c->key_file);
	if (has_tls(c))
		add_text(t, "gssencmode", "disable");
	add_text(t, "application_name", t->application);
	add_text(t, "client_encoding", "UTF8");
	/* several hosts: the one that can be written */
	if (!c->readonly)
		add_text(t, "target_session_attrs", "read-write");
}

/* Returns the password: that of the configuration, or the first line of its file. */
static const char *find_password(const struct config_database *c, struct buf *text, int *ret_error)
{
	*ret_error = 0;
	if (!c->password_file[0])
		return c->password;
	*ret_error = file_read_text(c->password_file, PASSWORD_MAX, text);
	if (*ret_error < 0 || !text->p)
		return "";
	text->p[strcspn(text->p, "\r\n")] = '\0';
	return text->p;
}

/* --- life of a connection ------------------------------------------------------------------------ */

static void ignore_notice(void *ctx, const char *message)
{
	(void)ctx, (void)message;
}

static int64_t attempt_ns(const struct database *d)
{
	uint32_t s = d->o.config->connect_timeout_s;

	if (d->was_up && d->pq->status(d->conn) == CONNECTION_STARTED)
		return NS_PER_S;
	return (s ? s : 5) * NS_PER_S;
}

static void start_attempt(struct database *d)
{
	struct conn_text text = {0};
	struct buf password;
	char why[256];
	int r;

	buf_init(&password);
	fill_text(&text, d, find_password(d->o.config, &password, &r));
	if (r >= 0) {
		d->state = DATABASE_CONNECTING;
		d->attempt_status = CONNECTION_STARTED;
		d->conn = d->pq->connectStartParams(text.key, text.value, 0);
	}
	if (password.p)
		explicit_bzero(password.p, password.len);
	buf_fini(&password);
	if (r < 0) {
		(void)snprintf(why, sizeof(why), "password-file %s: %s", d->o.config->password_file,
			       strerror(-r));
		database_lose(d, why, false);
		return;
	}
	if (!d->conn || d->pq->status(d->conn) == CONNECTION_BAD) {
		database_lose(d, d->conn ? d->pq->errorMessage(d->conn) : "out of memory", false);
		return;
	}
	(void)d->pq->setNoticeProcessor(d->conn, ignore_notice, NULL);
	loop_timer_set(d->timer, attempt_ns(d));
	/* libpq: as if PQconnectPoll() had returned PGRES_POLLING_WRITING */
	database_watch(d, true);
}

static void continue_attempt(struct database *d)
{
	PostgresPollingStatusType s = d->pq->connectPoll(d->conn);

	switch (s) {
	case PGRES_POLLING_OK:
		database_begin(d);
		return;
	case PGRES_POLLING_FAILED:
		database_lose(d, d->pq->errorMessage(d->conn), false);
		return;
	case PGRES_POLLING_READING:
	case PGRES_POLLING_WRITING:
	case PGRES_POLLING_ACTIVE:
		break;
	}
	if (d->attempt_status == CONNECTION_STARTED &&
	    d->pq->status(d->conn) != CONNECTION_STARTED) {
		d->attempt_status = CONNECTION_MADE;
		loop_timer_set(d->timer, attempt_ns(d));
	}
	database_watch(d, s == PGRES_POLLING_WRITING);
}

static void on_ready(void *ctx, uint32_t events)
{
	struct database *d = ctx;

	(void)events;
	if (d->state == DATABASE_CONNECTING)
		continue_attempt(d);
	else
		database_work(d);
}

void database_watch(struct database *d, bool write)
{
	int fd = d->pq->socket(d->conn);
	uint32_t events = write && d->state == DATABASE_CONNECTING ? EPOLLOUT
			  : write				   ? EPOLLIN | EPOLLOUT
								   : EPOLLIN;

	/* libpq tries one address after the other, with a socket each, perhaps of one number */
	if (d->source && d->state == DATABASE_CONNECTING) {
		loop_remove(d->source);
		d->source = NULL;
	}
	if (d->source && write == d->wants_write)
		return;
	d->wants_write = write;
	if (d->source)
		(void)loop_modify(d->source, events);
	else if (fd < 0 || loop_add(d->o.loop, fd, events, on_ready, d, &d->source) < 0)
		database_reset(d, "the event loop does not take the connection");
}

/* Returns the first line of an error, without a final newline. */
static void copy_line(char *out, size_t cap, const char *text)
{
	size_t n = strcspn(text, "\r\n");

	(void)snprintf(out, cap, "%.*s", (int)(n < cap ? n : cap - 1), text);
}

static int64_t next_pause(struct database *d, bool was_up)
{
	if (d->o.config->wait_ms)
		return d->o.config->wait_ms * NS_PER_MS;
	if (was_up)
		d->pause_ns = 0; /* at once: a connection that ended says little about the next */
	else
		d->pause_ns = d->pause_ns ? d->pause_ns * 2 : pause_first_ns;
	if (d->pause_ns > pause_longest_ns)
		d->pause_ns = pause_longest_ns;
	return d->pause_ns;
}

void database_lose(struct database *d, const char *why, bool for_good)
{
	bool was_up = d->state == DATABASE_UP;
	char line[256];

	copy_line(line, sizeof(line), why);
	loop_remove(d->source);
	d->source = NULL;
	if (d->conn)
		d->pq->finish(d->conn);
	d->conn = NULL;
	d->n_sent = 0;
	d->resetting = false;
	d->state = DATABASE_PAUSE;
	d->was_up = d->was_up || was_up;
	loop_timer_set(d->timer, next_pause(d, was_up));
	d->o.down(d->o.ctx, line, was_up, for_good);
}

static void on_timer(void *ctx)
{
	struct database *d = ctx;

	if (d->resetting && d->refused) {
		d->refused = false;
		database_refuse(d);
		return;
	}
	if (d->resetting) {
		database_lose(d, d->reset_why, false);
		return;
	}
	switch (d->state) {
	case DATABASE_PAUSE:
		start_attempt(d);
		break;
	case DATABASE_CONNECTING:
		database_lose(d, "no connection within connect-timeout", false);
		break;
	case DATABASE_CHECKING:
	case DATABASE_UP:
		database_lose(d, "no answer within 5 seconds", false);
		break;
	}
}

void database_reset(struct database *d, const char *why)
{
	if (d->state == DATABASE_PAUSE || d->resetting)
		return;
	d->resetting = true;
	copy_line(d->reset_why, sizeof(d->reset_why), why);
	loop_timer_set(d->timer, 0);
}

int database_open(const struct database_opts *o, struct database **ret)
{
	struct database *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	d->o = *o;
	d->pq = o->pq;
	r = loop_timer_new(o->loop, on_timer, d, &d->timer);
	if (r < 0) {
		free(d);
		return r;
	}
	loop_timer_set(d->timer, 0);
	*ret = d;
	return 0;
}

void database_close(struct database *d)
{
	if (!d)
		return;
	loop_remove(d->source);
	if (d->conn)
		d->pq->finish(d->conn);
	loop_timer_free(d->timer);
	free(d);
}

const struct database_schema *database_schema(const struct database *d)
{
	return &d->schema;
}
