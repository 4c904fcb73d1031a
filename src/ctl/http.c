/* SPDX-License-Identifier: MPL-2.0 */
/*
 * HTTP and HTTPS over libcurl: POST with Kea's envelope. The easy handle is kept, so that commands
 * of one session share a connection. No redirect is followed and no proxy is used: the password
 * goes to the server that was named. TLS is verified, always. An answer with another status than
 * 200 is replaced by a sentence.
 */
#include "ctl/session_impl.h"

#include "base/clock.h"
#include "base/error.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

/* One transfer while libcurl makes it. */
struct post {
	struct ctl_transfer *transfer;
	CURL *curl;
	curl_off_t moved; /* octets in both directions, at moved_ns */
	int64_t moved_ns; /* monotonic */
	bool late;	  /* nothing moved within the time-out */
	char why[CURL_ERROR_SIZE];
};

static long status_of(CURL *curl)
{
	long status = 0;

	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

/* Called with a part of the body. That of a refusal ends the transfer: the status is enough. */
static size_t take_body(char *p, size_t size, size_t n, void *ctx)
{
	struct post *x = ctx;

	n *= size;
	if (status_of(x->curl) != 200)
		return CURL_WRITEFUNC_ERROR;
	return ctl_transfer_take(x->transfer, p, n) < 0 ? CURL_WRITEFUNC_ERROR : n;
}

/* Called at least once a second. Ends a transfer without progress. */
static int check_progress(void *ctx, curl_off_t down_sum, curl_off_t down, curl_off_t up_sum,
			  curl_off_t up)
{
	struct post *x = ctx;
	int64_t now = clock_mono_ns(&clock_system);

	(void)down_sum;
	(void)up_sum;
	if (down + up != x->moved) {
		x->moved = down + up;
		x->moved_ns = now;
	}
	x->late = now - x->moved_ns > x->transfer->session->timeout_s * NS_PER_S;
	return x->late;
}

/* --- Failures --------------------------------------------------------------------------------- */

static const struct {
	long status;
	const char *text;
} statuses[] = {
	{301, "the server names another place; usherctl follows no redirection"},
	{302, "the server names another place; usherctl follows no redirection"},
	{400, "the server could not read the request"},
	{403, "this user may not send the command"},
	{404, "there is no control socket at this path"},
	{405, "there is no control socket at this path"},
	{408, "the request did not arrive in time"},
	{413, "the request is too long"},
	{431, "the head of the request is too long"},
	{500, "the server failed"},
	{502, "the server behind a proxy failed"},
	{503, "the server has too many connections"},
};

/* Explains an answer whose status is not 200. */
static int fail_status(struct ctl_session *s, long status)
{
	const char *why = "the server gave no reason that is known";

	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		if (statuses[i].status == status)
			why = statuses[i].text;
	if (status == 401)
		why = s->user ? "user or password is wrong"
			      : "the server requires a user (--user USER[:PASSWORD])";
	return ctl_session_fail(s, "%s: status %ld: %s", s->url, status, why);
}

/* Returns the text of libcurl about the last failure. */
static const char *curl_reason(const struct post *x, CURLcode code)
{
	return x->why[0] ? x->why : curl_easy_strerror(code);
}

static int fail_connect(struct ctl_session *s, const struct post *x)
{
	long number = 0;

	(void)curl_easy_getinfo(x->curl, CURLINFO_OS_ERRNO, &number);
	return ctl_session_fail(
		s, "cannot connect to %s: %s; is %s running, with an HTTP control socket there?",
		s->url, number ? usher_strerror((int)-number) : x->why,
		ctl_program_name(s->program));
}

static int fail_broken(struct ctl_session *s, const struct post *x, CURLcode code)
{
	bool https = strncasecmp(s->url, "https:", 6) == 0;

	return ctl_session_fail(s, "%s: the connection broke: %s%s", s->url, curl_reason(x, code),
				!https	   ? "; a server with TLS needs https://"
				: !s->cert ? "; a server that requires a certificate needs --cert"
					   : "");
}

/* Explains a transfer that libcurl could not make. */
static int fail_transfer(struct ctl_session *s, const struct post *x, CURLcode code)
{
	if (x->late || code == CURLE_OPERATION_TIMEDOUT)
		return ctl_session_fail(s, "%s: no answer within %d s (-t SECONDS)", s->url,
					s->timeout_s);
	switch ((int)code) {
	case CURLE_COULDNT_CONNECT:
		return fail_connect(s, x);
	case CURLE_URL_MALFORMAT:
		return ctl_session_fail(s, "--url %s: %s", s->url, curl_reason(x, code));
	case CURLE_PEER_FAILED_VERIFICATION:
		return ctl_session_fail(
			s,
			"%s: the server's certificate is not accepted: %s; --ca FILE names its CA",
			s->url, curl_reason(x, code));
	case CURLE_SSL_CACERT_BADFILE:
		return ctl_session_fail(s, "--ca %s: no certificate of a CA: %s",
					s->ca ? s->ca : "(of the system)", curl_reason(x, code));
	case CURLE_SSL_CERTPROBLEM:
		return ctl_session_fail(s, "--cert %s, --key %s: %s", s->cert ? s->cert : "(none)",
					s->key ? s->key : "(none)", curl_reason(x, code));
	case CURLE_PARTIAL_FILE:
		return ctl_session_fail(s, "%s: the answer is incomplete: %s", s->url,
					curl_reason(x, code));
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_SSL_CONNECT_ERROR:
		return fail_broken(s, x, code);
	default:
		return ctl_session_fail(s, "%s: %s", s->url, curl_reason(x, code));
	}
}

/* --- The transfer ----------------------------------------------------------------------------- */

/* Sets an option whose value libcurl may refuse. The first refusal stays. */
#define SET(result, curl, option, value)                                     \
	do {                                                                 \
		CURLcode set_ = curl_easy_setopt((curl), (option), (value)); \
		(result) = (result) != CURLE_OK ? (result) : set_;           \
	} while (0)

/* Sets the options of a session, once. */
static CURLcode set_session(const struct ctl_session *s, CURL *curl)
{
	CURLcode r = CURLE_OK;

	SET(r, curl, CURLOPT_URL, s->url);
	SET(r, curl, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(r, curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(r, curl, CURLOPT_FOLLOWLOCATION, 0L);
	SET(r, curl, CURLOPT_NOPROXY, "*");
	SET(r, curl, CURLOPT_NOSIGNAL, 1L);
	SET(r, curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(r, curl, CURLOPT_USERAGENT, "usherctl/" USHER_VERSION);
	SET(r, curl, CURLOPT_POST, 1L);
	SET(r, curl, CURLOPT_CONNECTTIMEOUT, (long)s->timeout_s);
	SET(r, curl, CURLOPT_WRITEFUNCTION, take_body);
	SET(r, curl, CURLOPT_XFERINFOFUNCTION, check_progress);
	SET(r, curl, CURLOPT_NOPROGRESS, 0L);
	if (s->user) {
		SET(r, curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		SET(r, curl, CURLOPT_USERNAME, s->user);
		SET(r, curl, CURLOPT_PASSWORD, s->password);
	}
	SET(r, curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (s->ca) {
		/* this CA alone */
		SET(r, curl, CURLOPT_CAPATH, NULL);
		SET(r, curl, CURLOPT_CAINFO, s->ca);
	}
	if (s->cert)
		SET(r, curl, CURLOPT_SSLCERT, s->cert);
	if (s->key)
		SET(r, curl, CURLOPT_SSLKEY, s->key);
	return r;
}

/* Returns the handle of the session; NULL, with the reason in s->error: there is none. */
static CURL *open_handle(struct ctl_session *s)
{
	CURLcode r;

	if (s->http)
		return s->http;
	r = curl_global_init(CURL_GLOBAL_DEFAULT);
	s->http = r == CURLE_OK ? curl_easy_init() : NULL;
	if (!s->http) {
		(void)ctl_session_fail(s, "libcurl does not start: %s", curl_easy_strerror(r));
		return NULL;
	}
	r = set_session(s, s->http);
	if (r == CURLE_OK)
		return s->http;
	(void)ctl_session_fail(s, "--url %s: libcurl: %s", s->url, curl_easy_strerror(r));
	return NULL;
}

/* Makes the transfer x. Returns 0, or -1 with session->error. */
static int run_post(struct ctl_transfer *t, struct post *x)
{
	struct curl_slist *fields = curl_slist_append(NULL, "Content-Type: application/json");
	struct curl_slist *more;
	CURLcode r = CURLE_OK;

	/* Kea's servers do not answer an Expect */
	more = fields ? curl_slist_append(fields, "Expect:") : NULL;
	SET(r, x->curl, CURLOPT_HTTPHEADER, more);
	SET(r, x->curl, CURLOPT_POSTFIELDS, t->request->p);
	SET(r, x->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->request->len);
	SET(r, x->curl, CURLOPT_WRITEDATA, x);
	SET(r, x->curl, CURLOPT_XFERINFODATA, x);
	SET(r, x->curl, CURLOPT_ERRORBUFFER, x->why);
	if (!more)
		r = CURLE_OUT_OF_MEMORY;
	if (r == CURLE_OK)
		r = curl_easy_perform(x->curl);
	(void)curl_easy_setopt(x->curl, CURLOPT_ERRORBUFFER, NULL);
	(void)curl_easy_setopt(x->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(fields);
	if (t->result < 0) /* the caller explains it */
		return -1;
	if (r != CURLE_OK && (r != CURLE_WRITE_ERROR || status_of(x->curl) == 200))
		return fail_transfer(t->session, x, r);
	return status_of(x->curl) == 200 ? 0 : fail_status(t->session, status_of(x->curl));
}

int ctl_http_send(struct ctl_transfer *t)
{
	CURL *curl = open_handle(t->session);
	struct post x = {.transfer = t, .curl = curl, .moved_ns = clock_mono_ns(&clock_system)};

	return curl ? run_post(t, &x) : -1;
}

void ctl_http_close(void *http)
{
	if (!http)
		return;
	curl_easy_cleanup(http);
	curl_global_cleanup();
}
