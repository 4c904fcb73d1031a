/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Requests are in one list in the order of arrival, those that wait for their destination or for a
 * place too; one timer serves their deadlines and the ends of pauses.
 *
 * A request is tried again only if it was not sent: a POST that arrived may have been carried out.
 */
#include "control/outgoing_impl.h"

#include "base/clock.h"
#include "runtime/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t first_pause_ns = 500 * NS_PER_MS, longest_pause_ns = 60 * NS_PER_S;

static int64_t now_ns(void)
{
	return clock_mono_ns(&clock_system);
}

/* --- The end of a request --------------------------------------------------------------------- */

/* Takes a request off its connection; it waits then. */
static void stop_request(struct outgoing_request *r)
{
	struct outgoing *o = r->dest->o;

	if (!r->easy)
		return;
	(void)curl_multi_remove_handle(o->multi, r->easy);
	curl_easy_cleanup(r->easy);
	r->easy = NULL;
	o->running--;
	o->waiting++;
}

static void unlink_request(struct outgoing *o, struct outgoing_request *r)
{
	struct outgoing_request **at = &o->requests;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	if (o->end == &r->next)
		o->end = at;
}

/* Ends a request, and reports it. */
static void end_request(struct outgoing_request *r, int error, int status, const char *text)
{
	struct outgoing_result result = {.error = error, .text = text, .status = status};
	struct outgoing *o = r->dest->o;

	stop_request(r);
	o->waiting--;
	unlink_request(o, r);
	if (!error)
		result.body = span_of(r->answer.p ? r->answer.p : "", r->answer.len);
	r->done(r->ctx, &result);
	buf_fini(&r->body);
	buf_fini(&r->answer);
	free(r);
}

/* --- Sending ---------------------------------------------------------------------------------- */

static size_t take_answer(char *p, size_t size, size_t n, void *ctx)
{
	struct outgoing_request *r = ctx;

	if (r->answer.len + size * n > r->dest->o->opts.max_answer) {
		r->too_long = true;
		return 0;
	}
	buf_add(&r->answer, p, size * n);
	return r->answer.failed ? 0 : size * n;
}

static void set_tls(CURL *e, const struct outgoing_dest *d)
{
	(void)curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (d->ca_file)
		(void)curl_easy_setopt(e, CURLOPT_CAINFO, d->ca_file);
	if (d->cert_file)
		(void)curl_easy_setopt(e, CURLOPT_SSLCERT, d->cert_file);
	if (d->key_file)
		(void)curl_easy_setopt(e, CURLOPT_SSLKEY, d->key_file);
}

/* Begins to send a request. Without memory it waits for the next attempt, or its deadline. */
static void start_request(struct outgoing *o, struct outgoing_request *r, int64_t now)
{
	const struct outgoing_dest *d = r->dest;
	CURL *e = curl_easy_init();

	if (!e)
		return;
	buf_reset(&r->answer);
	r->text[0] = '\0';
	(void)curl_easy_setopt(e, CURLOPT_PRIVATE, r);
	(void)curl_easy_setopt(e, CURLOPT_URL, d->url);
	(void)curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(e, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(e, CURLOPT_POSTFIELDS, r->body.p ? r->body.p : "");
	(void)curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
	(void)curl_easy_setopt(e, CURLOPT_HTTPHEADER, o->headers);
	(void)curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_answer);
	(void)curl_easy_setopt(e, CURLOPT_WRITEDATA, r);
	(void)curl_easy_setopt(e, CURLOPT_ERRORBUFFER, r->text);
	(void)curl_easy_setopt(e, CURLOPT_TIMEOUT_MS,
			       (long)((r->deadline_ns - now) / NS_PER_MS + 1));
	if (d->user) {
		(void)curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		(void)curl_easy_setopt(e, CURLOPT_USERNAME, d->user);
		(void)curl_easy_setopt(e, CURLOPT_PASSWORD, d->password ? d->password : "");
	}
	set_tls(e, d);
	if (curl_multi_add_handle(o->multi, e) != CURLM_OK) {
		curl_easy_cleanup(e);
		return;
	}
	r->easy = e;
	o->waiting--;
	o->running++;
}

/* Returns the first request whose deadline has passed before it was sent, or NULL. */
static struct outgoing_request *find_late(const struct outgoing *o, int64_t now)
{
	for (struct outgoing_request *r = o->requests; r; r = r->next)
		if (!r->easy && r->deadline_ns <= now)
			return r;
	return NULL;
}

/* Ends requests that are late, starts those whose time has come, and sets the timer for the next.
 */
static void serve_waiting(struct outgoing *o)
{
	int64_t now = now_ns(), next = INT64_MAX;
	struct outgoing_request *late;

	while ((late = find_late(o, now)) != NULL) {
		char text[CURL_ERROR_SIZE];

		(void)snprintf(text, sizeof(text), "%s",
			       late->text[0] ? late->text : "the destination was not reached");
		end_request(late, -ETIMEDOUT, 0, text);
	}
	for (struct outgoing_request *r = o->requests; r; r = r->next) {
		if (r->easy)
			continue;
		if (o->running < o->opts.max_running && r->dest->until_ns <= now)
			start_request(o, r, now);
		if (r->easy)
			continue;
		next = r->deadline_ns < next ? r->deadline_ns : next;
		if (r->dest->until_ns > now && r->dest->until_ns < next)
			next = r->dest->until_ns;
	}
	loop_timer_set(o->wake, next == INT64_MAX ? -1 : next - now);
}

/* Leaves a destination alone: twice as long as before, and up to a quarter less at random. */
static void pause_dest(struct outgoing_dest *d)
{
	d->pause_ns = d->pause_ns ? d->pause_ns * 2 : d->first_pause_ns;
	if (d->pause_ns > d->longest_pause_ns)
		d->pause_ns = d->longest_pause_ns;
	d->until_ns = now_ns() + d->pause_ns -
		      (int64_t)(rng_u64(&d->o->rng) % (uint64_t)(d->pause_ns / 4 + 1));
}

/* Returns whether a request failed before anything of it was sent. */
static bool was_not_sent(CURLcode code)
{
	return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST;
}

/* Returns whether a transfer failed because its deadline passed: also a connection that was refused
 * at that time, for which nothing else remains but another try. */
static bool is_late(CURLcode code)
{
	return code == CURLE_OPERATION_TIMEDOUT || was_not_sent(code);
}

static void finish_transfer(struct outgoing_request *r, CURLcode code)
{
	curl_off_t connected = 0;
	long status = 0;
	char text[CURL_ERROR_SIZE];

	if (was_not_sent(code) && r->deadline_ns > now_ns()) {
		stop_request(r);
		pause_dest(r->dest);
		return;
	}
	(void)curl_easy_getinfo(r->easy, CURLINFO_CONNECT_TIME_T, &connected);
	if (connected)
		r->dest->pause_ns = r->dest->until_ns = 0;
	else
		pause_dest(r->dest);
	(void)curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)snprintf(text, sizeof(text), "%s",
		       code == CURLE_OK ? ""
		       : r->too_long	? "the answer is too long"
		       : r->text[0]	? r->text
					: curl_easy_strerror(code));
	end_request(r,
		    code == CURLE_OK ? 0
		    : r->too_long    ? -EMSGSIZE
		    : is_late(code)  ? -ETIMEDOUT
				     : -EPROTO,
		    (int)status, text);
}

void outgoing_finish(struct outgoing *o)
{
	struct outgoing_request *r;
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(o->multi, &left)) != NULL) {
		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&r);
		finish_transfer(r, m->data.result);
	}
	serve_waiting(o);
}

static void on_wake(void *ctx)
{
	serve_waiting(ctx);
}

/* --- Destinations and requests ---------------------------------------------------------------- */

int outgoing_new(const struct outgoing_opts *opts, struct outgoing **ret)
{
	struct outgoing *o = calloc(1, sizeof(*o));
	int r;

	if (!o)
		return -ENOMEM;
	o->opts = *opts;
	o->opts.max_running = opts->max_running ? opts->max_running : 16;
	o->opts.max_waiting = opts->max_waiting ? opts->max_waiting : 1024;
	o->opts.max_answer = opts->max_answer ? opts->max_answer : 16U << 20;
	o->end = &o->requests;
	rng_seed_system(&o->rng);
	r = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -ENOMEM;
	o->multi = r == 0 ? curl_multi_init() : NULL;
	o->headers = curl_slist_append(NULL, "Content-Type: application/json");
	if (!o->multi || !o->headers)
		r = -ENOMEM;
	if (r == 0)
		r = outgoing_loop_open(o);
	if (r == 0)
		r = loop_timer_new(opts->loop, on_wake, o, &o->wake);
	if (r < 0) {
		outgoing_free(o);
		return r;
	}
	*ret = o;
	return 0;
}

void outgoing_free(struct outgoing *o)
{
	if (!o)
		return;
	while (o->dests)
		outgoing_dest_free(o->dests);
	if (o->multi)
		(void)curl_multi_cleanup(o->multi);
	curl_slist_free_all(o->headers);
	if (o->timer)
		loop_timer_free(o->timer);
	if (o->wake)
		loop_timer_free(o->wake);
	curl_global_cleanup();
	free(o);
}

/* Copies a text; *ok becomes false without memory. */
static char *copy_text(const char *s, bool *ok)
{
	char *copy = s ? strdup(s) : NULL;

	*ok = *ok && (!s || copy);
	return copy;
}

static void free_texts(struct outgoing_dest *d)
{
	free(d->url);
	free(d->user);
	free(d->password);
	free(d->ca_file);
	free(d->cert_file);
	free(d->key_file);
}

int outgoing_dest_new(struct outgoing *o, const struct outgoing_dest_opts *opts,
		      struct outgoing_dest **ret)
{
	struct outgoing_dest *d;
	bool ok = true;

	if (strncmp(opts->url, "http://", 7) != 0 && strncmp(opts->url, "https://", 8) != 0)
		return -EINVAL;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	*d = (struct outgoing_dest){
		.o = o,
		.next = o->dests,
		.url = copy_text(opts->url, &ok),
		.user = copy_text(opts->user, &ok),
		.password = copy_text(opts->password, &ok),
		.ca_file = copy_text(opts->ca_file, &ok),
		.cert_file = copy_text(opts->cert_file, &ok),
		.key_file = copy_text(opts->key_file, &ok),
		.owner = opts->owner,
		.first_pause_ns = opts->first_pause_ns ? opts->first_pause_ns : first_pause_ns,
		.longest_pause_ns = opts->longest_pause_ns ? opts->longest_pause_ns
							   : longest_pause_ns,
	};
	if (!ok) {
		free_texts(d);
		free(d);
		return -ENOMEM;
	}
	o->dests = d;
	*ret = d;
	return 0;
}

static bool is_match(const struct outgoing_request *r, const struct outgoing_dest *dest,
		     const void *owner)
{
	return dest ? r->dest == dest : r->dest->owner == owner;
}

/* Cancels the requests to one destination, or to all of an owner (dest NULL). */
static void cancel_requests(struct outgoing *o, const struct outgoing_dest *dest, const void *owner)
{
	struct outgoing_request *r = o->requests;

	while (r) {
		if (!is_match(r, dest, owner)) {
			r = r->next;
			continue;
		}
		outgoing_cancel(r);
		r = o->requests; /* a callback may have changed the list */
	}
}

void outgoing_dest_free(struct outgoing_dest *d)
{
	struct outgoing_dest **at;

	if (!d)
		return;
	cancel_requests(d->o, d, NULL);
	for (at = &d->o->dests; *at != d; at = &(*at)->next)
		continue;
	*at = d->next;
	free_texts(d);
	free(d);
}

void outgoing_cancel_owner(struct outgoing *o, const void *owner)
{
	cancel_requests(o, NULL, owner);
}

int outgoing_post(struct outgoing_dest *d, struct span body, int64_t deadline_ns,
		  outgoing_done done, void *ctx, struct outgoing_request **ret)
{
	struct outgoing *o = d->o;
	struct outgoing_request *r;

	if (o->waiting >= o->opts.max_waiting)
		return -ENOSPC;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	buf_init(&r->body);
	buf_init(&r->answer);
	buf_add(&r->body, body.p, body.n);
	if (r->body.failed) {
		free(r);
		return -ENOMEM;
	}
	r->dest = d;
	r->deadline_ns = now_ns() + deadline_ns;
	r->done = done;
	r->ctx = ctx;
	*o->end = r;
	o->end = &r->next;
	o->waiting++;
	loop_timer_set(o->wake, 0);
	if (ret)
		*ret = r;
	return 0;
}

void outgoing_cancel(struct outgoing_request *r)
{
	loop_timer_set(r->dest->o->wake, 0); /* another one may have its place */
	end_request(r, -ECANCELED, 0, "the request was cancelled");
}
