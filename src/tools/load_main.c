/* SPDX-License-Identifier: MPL-2.0 */
/*
 * usher-load: load generator and checker for DHCPv4 servers. Exit code: 0 good; 1 a check failed;
 * 2 wrong usage (or a resource is not available); 3 no server answered, or more drops than allowed.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "tools/load_engine.h"
#include "tools/load_report.h"
#include "tools/load_responder.h"
#include "wire/dhcp4.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>

enum { EXIT_USAGE = 2, ERR_LEN = 256 };

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static int report_failure(const char *what, int result)
{
	(void)fprintf(stderr, "usher-load: %s: %s\n", what, usher_strerror(result));
	return EXIT_USAGE;
}

static void catch_signals(void)
{
	struct sigaction sa = {.sa_handler = on_signal};

	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
}

static int pin_process(const struct load_opts *o)
{
	cpu_set_t set;

	if (o->cpu == LOAD_NO_CPU)
		return 0;
	CPU_ZERO(&set);
	CPU_SET(o->cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : 0;
}

static int open_io(const struct load_opts *o, struct load_io **ret)
{
	struct load_io_opts io = {
		.bind = o->bind,
		.n_bind = o->n_bind,
		.iface = o->iface,
		.offload = o->offload,
		.burst = (unsigned)o->burst,
		.port = o->direct ? DHCP4_CLIENT_PORT : DHCP4_SERVER_PORT,
	};

	return o->direct ? load_io_direct_open(&io, ret) : load_io_udp_open(&io, ret);
}

static int write_html(const char *path, const struct buf *text)
{
	FILE *f = fopen(path, "we");
	int r = 0;

	if (!f)
		return -errno;
	if (fwrite(text->p, 1, text->len, f) != text->len)
		r = -EIO;
	if (fclose(f) != 0)
		r = -errno;
	return r;
}

static int report(const struct load_result *res, const struct load_opts *o)
{
	struct buf b;
	int r = 0;

	buf_init(&b);
	if (o->json)
		load_report_json(res, o, &b);
	else
		load_report_table(res, o, &b);
	if (!b.failed)
		(void)fputs(b.p, stdout);
	(void)fflush(stdout);
	buf_reset(&b);
	if (o->html) {
		load_report_html(res, o, &b);
		r = write_html(o->html, &b);
	}
	buf_fini(&b);
	return r < 0 ? report_failure(o->html, r) : load_exit_code(res, o);
}

/* Prints the reason for a result other than the numbers. Returns the exit code. */
static int outcome(const struct load_result *res, const struct load_opts *o, int r, const char *why)
{
	int code;

	if (r < 0)
		return report_failure(why ? why : "receiving", r);
	if (why)
		(void)fprintf(stderr, "usher-load: %s\n", why);
	code = report(res, o);
	if (code == 3 && !res->answers)
		(void)fprintf(stderr, "usher-load: no server answered%s%s\n",
			      res->io.last_error ? ": " : "",
			      res->io.last_error ? usher_strerror(res->io.last_error) : "");
	/* a packet socket at the other end of a cable between namespaces gets all segments as one
	 * frame */
	if (code == 3 && !res->answers && res->io.gso)
		(void)fprintf(
			stderr,
			"usher-load: a server on raw sockets behind veth needs --no-offload\n");
	return code;
}

static int run_load(const struct load_opts *o, struct load_io *io)
{
	struct load_engine *e;
	const char *why = NULL;
	int r = load_engine_new(o, io, &stop, &e);

	if (r < 0)
		return report_failure(o->leases ? o->leases : "tables", r);
	r = load_engine_run(e, &why);
	r = outcome(load_engine_result(e), o, r, why);
	load_engine_free(e);
	return r;
}

static int run_responder(const struct load_opts *o, struct load_io *io)
{
	struct load_responder_counts c;
	struct load_io_counts n;
	struct buf b;
	int r = load_responder_run(o, io, &stop, &c);

	if (r < 0)
		return report_failure("receiving", r);
	load_io_counts(io, &n);
	buf_init(&b);
	load_report_responder(&c, &n, o->json, &b);
	if (b.p)
		(void)fputs(b.p, stdout);
	buf_fini(&b);
	return 0;
}

int main(int argc, char **argv)
{
	char err[ERR_LEN];
	struct load_opts o;
	struct load_io *io;
	int r;

	if (load_args_parse(argc, argv, isatty(STDERR_FILENO) == 1, &o, err, sizeof(err)) < 0) {
		(void)fprintf(stderr, "usher-load: %s (--help lists the options)\n", err);
		return EXIT_USAGE;
	}
	if (o.version) {
		(void)puts("usher-load " USHER_VERSION);
		return 0;
	}
	if (o.help) {
		load_args_help();
		return 0;
	}
	catch_signals();
	r = pin_process(&o);
	if (r < 0)
		return report_failure("--cpu", r);
	r = open_io(&o, &io);
	if (r < 0)
		return report_failure(o.direct ? o.iface : "--bind", r);
	r = o.responder ? run_responder(&o, io) : run_load(&o, io);
	load_io_close(io);
	return r;
}
