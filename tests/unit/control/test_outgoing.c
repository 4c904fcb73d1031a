/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Outgoing requests against a server of libmicrohttpd in threads of its own: answers, errors,
 * deadlines, pauses of a destination that refuses connections, cancellation, certificates.
 */
#include "unit/unit.h"

#include "base/clock.h"
#include "control/outgoing.h"
#include "runtime/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/x509.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BIG = 100000, PEM_MAX = 4096, SLOW_MS = 1500 };

static struct loop *loop;
static struct outgoing *out;
static _Atomic unsigned n_served;

/* --- The server ------------------------------------------------------------------------------- */

static enum MHD_Result serve(void *ctx, struct MHD_Connection *c, const char *url,
			     const char *method, const char *version, const char *data, size_t *n,
			     void **state)
{
	static int seen;
	static char big[BIG];
	struct MHD_Response *r;
	enum MHD_Result e;
	const char *auth = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization");
	bool is_big = strcmp(url, "/big") == 0;
	unsigned status = 200;

	(void)ctx, (void)version, (void)data;
	if (!*state || *n) {
		*state = &seen;
		*n = 0;
		return MHD_YES;
	}
	n_served++;
	if (strcmp(url, "/slow") == 0)
		(void)usleep(SLOW_MS * 1000);
	if (strcmp(url, "/users") == 0 && (!auth || strcmp(auth, "Basic YTpi") != 0))
		status = 401;
	if (strcmp(method, "POST") != 0)
		status = 405;
	memset(big, 'x', sizeof(big));
	r = is_big ? MHD_create_response_from_buffer(BIG, big, MHD_RESPMEM_PERSISTENT)
		   : MHD_create_response_from_buffer(7, (char[]){"{\"a\":1}"},
						     MHD_RESPMEM_MUST_COPY);
	e = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return e;
}

static struct MHD_Daemon *start_server(uint16_t port, const char *cert, const char *key)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION |
			 (cert ? (unsigned)MHD_USE_TLS : 0);
	struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)cert},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)key},
		{MHD_OPTION_END, 0, NULL},
	};
	struct MHD_Daemon *d = MHD_start_daemon(flags, 0, NULL, NULL, serve, NULL,
						MHD_OPTION_SOCK_ADDR, &sin, MHD_OPTION_ARRAY,
						cert ? tls : &tls[2], MHD_OPTION_END);

	assert_non_null(d);
	return d;
}

static uint16_t port_of(struct MHD_Daemon *d)
{
	return MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port;
}

/* Returns a port of this host where nobody listens. */
static uint16_t free_port(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	(void)close(fd);
	return ntohs(sin.sin_port);
}

/* --- Requests --------------------------------------------------------------------------------- */

struct got {
	unsigned n;
	int error, status;
	size_t len;
	char text[256], body[16];
};

static void note_result(void *ctx, const struct outgoing_result *r)
{
	struct got *g = ctx;

	g->n++;
	g->error = r->error;
	g->status = r->status;
	g->len = r->body.n;
	(void)snprintf(g->text, sizeof(g->text), "%s", r->text);
	(void)snprintf(g->body, sizeof(g->body), "%.*s", (int)r->body.n, (const char *)r->body.p);
}

static struct outgoing_dest *dest_at(const char *scheme, uint16_t port, const char *path,
				     struct outgoing_dest_opts o)
{
	struct outgoing_dest *d;
	char url[64];

	(void)snprintf(url, sizeof(url), "%s://127.0.0.1:%u%s", scheme, port, path);
	o.url = url;
	assert_int_equal(outgoing_dest_new(out, &o, &d), 0);
	return d;
}

static struct outgoing_request *post(struct outgoing_dest *d, int64_t deadline_ms, struct got *g)
{
	struct outgoing_request *r;

	*g = (struct got){0};
	assert_int_equal(outgoing_post(d, span_str("{}"), deadline_ms * NS_PER_MS, note_result, g,
				       &r),
			 0);
	assert_int_equal(g->n, 0);
	return r;
}

static void await(const struct got *g)
{
	int64_t end = clock_mono_ns(&clock_system) + 20 * NS_PER_S;

	while (!g->n && clock_mono_ns(&clock_system) < end)
		assert_int_equal(loop_step(loop, 50), 0);
	assert_int_equal(g->n, 1);
}

static int setup(void **state)
{
	struct outgoing_opts o = {.max_running = 2, .max_waiting = 4, .max_answer = 2 * BIG};

	(void)state;
	n_served = 0;
	o.max_answer = BIG - 1;
	if (loop_new(&o.loop) < 0)
		return -1;
	loop = o.loop;
	return outgoing_new(&o, &out);
}

static int teardown(void **state)
{
	(void)state;
	outgoing_free(out);
	loop_free(loop);
	return 0;
}

static void test_answers(void **state)
{
	struct MHD_Daemon *server = start_server(0, NULL, NULL);
	struct outgoing_dest *d = dest_at("http", port_of(server), "/",
					  (struct outgoing_dest_opts){0});
	struct outgoing_dest *with = dest_at("http", port_of(server), "/users",
					     (struct outgoing_dest_opts){.user = "a",
									 .password = "b"});
	struct outgoing_dest *without = dest_at("http", port_of(server), "/users",
						(struct outgoing_dest_opts){0});
	struct outgoing_dest *big = dest_at("http", port_of(server), "/big",
					    (struct outgoing_dest_opts){0});
	struct got g[4];

	(void)state;
	for (int i = 0; i < 4; i++) /* more than run at a time */
		(void)post(d, 5000, &g[i]);
	assert_int_equal(outgoing_post(d, span_str("{}"), NS_PER_S, note_result, NULL, NULL),
			 -ENOSPC);
	for (int i = 0; i < 4; i++) {
		await(&g[i]);
		assert_int_equal(g[i].error, 0);
		assert_int_equal(g[i].status, 200);
		assert_string_equal(g[i].body, "{\"a\":1}");
	}
	(void)post(with, 5000, &g[0]);
	(void)post(without, 5000, &g[1]);
	await(&g[0]);
	await(&g[1]);
	assert_int_equal(g[0].status, 200);
	assert_int_equal(g[1].error, 0);
	assert_int_equal(g[1].status, 401);
	(void)post(big, 5000, &g[2]);
	await(&g[2]);
	assert_int_equal(g[2].error, -EMSGSIZE);
	assert_string_equal(g[2].text, "the answer is too long");
	assert_int_equal(g[2].len, 0);
	assert_int_equal(outgoing_dest_new(out,
					   &(struct outgoing_dest_opts){
						   .url = "file:///etc/passwd"},
					   &d),
			 -EINVAL);
	MHD_stop_daemon(server);
}

static void test_slow(void **state)
{
	struct MHD_Daemon *server = start_server(0, NULL, NULL);
	struct outgoing_dest *d = dest_at("http", port_of(server), "/slow",
					  (struct outgoing_dest_opts){0});
	int64_t began = clock_mono_ns(&clock_system);
	struct got g;

	(void)state;
	(void)post(d, 200, &g);
	await(&g);
	assert_int_equal(g.error, -ETIMEDOUT);
	assert_true(clock_mono_ns(&clock_system) - began < SLOW_MS * NS_PER_MS);
	assert_int_equal(n_served, 1); /* it may have been carried out: it is not sent again */
	MHD_stop_daemon(server);
}

/* A destination that refuses connections is tried again after pauses, until it accepts one. */
static void test_refused(void **state)
{
	struct outgoing_dest_opts o = {.first_pause_ns = 50 * NS_PER_MS,
				       .longest_pause_ns = 100 * NS_PER_MS};
	uint16_t port = free_port();
	struct outgoing_dest *d = dest_at("http", port, "/", o);
	struct MHD_Daemon *server;
	struct got g;

	(void)state;
	(void)post(d, 400, &g);
	await(&g);
	assert_int_equal(g.error, -ETIMEDOUT);
	assert_non_null(strstr(g.text, "onnect"));
	(void)post(d, 10000, &g);
	for (int i = 0; i < 10; i++)
		assert_int_equal(loop_step(loop, 20), 0);
	assert_int_equal(g.n, 0);
	server = start_server(port, NULL, NULL);
	await(&g);
	assert_int_equal(g.error, 0);
	assert_int_equal(g.status, 200);
	MHD_stop_daemon(server);
}

/* A deadline that passes while a try is under way is a deadline, and not a fault of the protocol.
 */
static void test_late_try(void **state)
{
	struct outgoing_dest *d = dest_at("http", free_port(), "/",
					  (struct outgoing_dest_opts){.first_pause_ns = 1,
								      .longest_pause_ns = 1});
	struct got g;

	(void)state;
	for (int i = 0; i < 100; i++) {
		(void)post(d, 1, &g);
		await(&g);
		assert_int_equal(g.error, -ETIMEDOUT);
	}
}

static void test_cancelled(void **state)
{
	static const char owner[] = "a library";
	struct MHD_Daemon *server = start_server(0, NULL, NULL);
	struct outgoing_dest *mine = dest_at("http", port_of(server), "/slow",
					     (struct outgoing_dest_opts){.owner = owner});
	struct outgoing_dest *other = dest_at("http", port_of(server), "/",
					      (struct outgoing_dest_opts){0});
	struct outgoing_request *r;
	struct got g[4];

	(void)state;
	r = post(mine, 10000, &g[0]);
	outgoing_cancel(r); /* before it is sent */
	assert_int_equal(g[0].error, -ECANCELED);
	(void)post(mine, 10000, &g[0]);
	(void)post(mine, 10000, &g[1]);
	(void)post(mine, 10000, &g[2]); /* waits for a place */
	(void)post(other, 10000, &g[3]);
	for (int i = 0; i < 20 && !n_served; i++)
		assert_int_equal(loop_step(loop, 50), 0);
	outgoing_cancel_owner(out, owner);
	for (int i = 0; i < 3; i++)
		assert_int_equal(g[i].error, -ECANCELED);
	await(&g[3]);
	assert_int_equal(g[3].error, 0);
	(void)post(mine, 10000, &g[0]);
	outgoing_dest_free(mine);
	outgoing_dest_free(NULL);
	assert_int_equal(g[0].error, -ECANCELED);
	(void)post(other, 10000, &g[3]);
	outgoing_free(out);
	out = NULL;
	assert_int_equal(g[3].error, -ECANCELED);
	MHD_stop_daemon(server);
}

/* --- Certificates ----------------------------------------------------------------------------- */

/* Makes a key and a certificate of 127.0.0.1 that signs itself. */
static void make_certificate(char cert[PEM_MAX], char key[PEM_MAX])
{
	static const uint8_t address[4] = {127, 0, 0, 1};
	gnutls_x509_privkey_t k;
	gnutls_x509_crt_t c;
	size_t n = PEM_MAX, m = PEM_MAX;

	assert_int_equal(gnutls_x509_privkey_init(&k), 0);
	assert_int_equal(gnutls_x509_privkey_generate(k, GNUTLS_PK_ECDSA,
						      GNUTLS_CURVE_TO_BITS(
							      GNUTLS_ECC_CURVE_SECP256R1),
						      0),
			 0);
	assert_int_equal(gnutls_x509_crt_init(&c), 0);
	assert_int_equal(gnutls_x509_crt_set_version(c, 3), 0);
	assert_int_equal(gnutls_x509_crt_set_serial(c, "\1", 1), 0);
	assert_int_equal(gnutls_x509_crt_set_dn(c, "CN=test", NULL), 0);
	assert_int_equal(gnutls_x509_crt_set_activation_time(c, time(NULL) - 3600), 0);
	assert_int_equal(gnutls_x509_crt_set_expiration_time(c, time(NULL) + 3600), 0);
	assert_int_equal(gnutls_x509_crt_set_basic_constraints(c, 1, -1), 0);
	assert_int_equal(gnutls_x509_crt_set_subject_alt_name(c, GNUTLS_SAN_IPADDRESS, address,
							      sizeof(address), GNUTLS_FSAN_SET),
			 0);
	assert_int_equal(gnutls_x509_crt_set_key(c, k), 0);
	assert_int_equal(gnutls_x509_crt_sign2(c, c, k, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_crt_export(c, GNUTLS_X509_FMT_PEM, cert, &n), 0);
	assert_int_equal(gnutls_x509_privkey_export(k, GNUTLS_X509_FMT_PEM, key, &m), 0);
	cert[n] = key[m] = '\0';
	gnutls_x509_crt_deinit(c);
	gnutls_x509_privkey_deinit(k);
}

static void write_pem(char path[32], const char *pem)
{
	int fd;

	(void)snprintf(path, 32, "/tmp/usher-ca-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, pem, strlen(pem)), (ssize_t)strlen(pem));
	(void)close(fd);
}

static void test_certificates(void **state)
{
	static char cert[PEM_MAX], key[PEM_MAX], other_cert[PEM_MAX], other_key[PEM_MAX];
	char right[32], wrong[32];
	struct MHD_Daemon *server;
	struct got g;

	(void)state;
	make_certificate(cert, key);
	make_certificate(other_cert, other_key);
	write_pem(right, cert);
	write_pem(wrong, other_cert);
	server = start_server(0, cert, key);
	(void)post(dest_at("https", port_of(server), "/",
			   (struct outgoing_dest_opts){.ca_file = right}),
		   10000, &g);
	await(&g);
	assert_string_equal(g.text, "");
	assert_int_equal(g.error, 0);
	assert_int_equal(g.status, 200);
	n_served = 0;
	(void)post(dest_at("https", port_of(server), "/",
			   (struct outgoing_dest_opts){.ca_file = wrong}),
		   10000, &g);
	await(&g);
	assert_int_equal(g.error, -EPROTO);
	assert_non_null(strstr(g.text, "certificate"));
	(void)post(dest_at("http", port_of(server), "/", (struct outgoing_dest_opts){0}), 10000,
		   &g);
	await(&g);
	assert_int_equal(g.error, -EPROTO);
	assert_int_equal(n_served, 0);
	MHD_stop_daemon(server);
	(void)unlink(right);
	(void)unlink(wrong);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_late_try, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancelled, setup, teardown),
		cmocka_unit_test_setup_teardown(test_certificates, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
