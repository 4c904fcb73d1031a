/* SPDX-License-Identifier: MPL-2.0 */
/*
 * usher-server: the command line. Flags and exit codes are kea-dhcp4's: 0 good, 1 failed.
 */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "config/json/problems.h"
#include "hook/hook.h"
#include "lease/lease_db.h"
#include "runtime/iface.h"
#include "server/view/absent.h"
#include "server/run/builtins.h"
#include "server/edit/edit_libraries.h"
#include "server/manage/command.h"
#include "server/run/replay.h"
#include "server/core/snapshot.h"
#include "server/core/version.h"

#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char usage[] =
	"usage: usher-server -c FILE [-d] [-p PORT] [-P PORT]\n"
	"       usher-server -t FILE | -T FILE\n"
	"       usher-server -c FILE -r IN.pcap [-w OUT.pcap]\n"
	"       usher-server -v | -V | -W | -h\n"
	"\n"
	"  -c FILE   serve with this configuration (Kea's), in the foreground\n"
	"  -d        debug log and packet traces on stdout\n"
	"  -t FILE   check a configuration as a start would, hook libraries included\n"
	"  -T FILE   alias of -t (Kea distinguishes two depths)\n"
	"  -p PORT   server port (67)\n"
	"  -P PORT   client port (68)\n"
	"  -r, -w    answer a recorded capture on its own clock\n"
	"  -X        let every user of the control channel name files anywhere (Kea's)\n"
	"  --ignore-unknown-hooks  start without those of Kea's hook libraries that are not built in\n"
	"  -v -V -W  version, extended version, build report\n";

struct args {
	const char *config, *check, *in, *out;
	bool debug, ignore_unknown_hooks, any_path;
	uint16_t server_port, client_port;
};

static void print_warning(void *ctx, const struct config_error *w)
{
	struct buf b;

	(void)ctx;
	buf_init(&b);
	config_error_text(w, &b);
	(void)fprintf(stderr, "warning: %s\n", b.p ? b.p : "");
	buf_fini(&b);
}

/* Makes the checks of applying a configuration, without opening sockets, logs and leases. */
static int check_deeper(const char *path, struct config *cfg, struct config_problems *problems,
			struct config_error *err)
{
	struct server_opts so = {.clock = clock_system,
				 .builtins = server_builtins,
				 .network = HOOK_NETWORK_CHECK,
				 .config_file = path,
				 .is_command = command_is_own};
	struct snapshot *s = NULL;
	struct server srv;
	int r;

	so.log = log_new(&clock_system, "kea-dhcp4");
	r = so.log ? server_init(&srv, &so) : -USHER_E_NOMEM;
	if (r == 0) {
		r = snapshot_build(&srv, cfg, NULL, &s, problems, err);
		if (r == 0)
			server_publish_snapshot(&srv, s);
		server_fini(&srv);
	}
	if (r < 0)
		config_free(cfg);
	log_free(so.log);
	return r;
}

static void warn_absent(void *ctx, const struct json_pos *at, const char *text)
{
	(void)ctx;
	(void)fprintf(stderr, "warning: %s:%u:%u: %s\n", at->file, at->line, at->col, text);
}

/* Warns of names in a good configuration that this machine lacks. */
static void warn_machine(const struct config *cfg)
{
	struct iface_table *t = NULL;

	if (iface_table_read(&t) == 0)
		(void)absent_each(cfg, t, warn_absent, NULL);
	iface_table_unref(t);
}

static void print_problems(struct config_problems *p)
{
	config_problems_sort(p);
	for (size_t i = 0; i < p->n; i++) {
		struct buf b;

		buf_init(&b);
		config_error_text(&p->items[i], &b);
		(void)fprintf(stderr, "%s\n", b.p ? b.p : "out of memory");
		buf_fini(&b);
	}
	if (p->n + p->lost > 1)
		(void)fprintf(stderr, "%zu problems\n", p->n + p->lost);
}

/* Checks libraries and limits, also of a configuration that is refused already. */
static void check_rest(void *problems, const struct config *cfg)
{
	(void)hook_libraries_check(cfg, server_builtins, NULL, config_problems_add, problems);
	(void)snapshot_limits(cfg, config_problems_add, problems);
}

/* Checks a configuration, for -t and -T. The server starts with a configuration that passes. */
static int check_config(const char *path, const struct args *a)
{
	struct config_problems problems = {0};
	struct config_load_opts lo = {.warn = print_warning,
				      .problem = config_problems_add,
				      .refused = check_rest,
				      .ctx = &problems,
				      .ignore_unknown_hooks = a->ignore_unknown_hooks};
	struct config_error err = {0};
	struct config *cfg;
	int r = config_load_file(path, &lo, &cfg, &err);

	if (r == 0) {
		warn_machine(cfg);
		check_rest(&problems, cfg);
		if (problems.n) {
			config_free(cfg);
			r = -USHER_E_CONFIG;
		} else {
			r = check_deeper(path, cfg, &problems, &err);
			if (r < 0)
				config_problems_add(&problems, &err);
		}
	}
	if (r == 0)
		(void)printf("%s is a good configuration\n", path);
	else
		print_problems(&problems);
	config_problems_fini(&problems);
	return r < 0;
}

static bool parse_port(const char *s, uint16_t *ret)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	if (!*s || *end || v == 0 || v > 65535) {
		(void)fprintf(stderr, "usher-server: '%s' is not a port (1 to 65535)\n", s);
		return false;
	}
	*ret = (uint16_t)v;
	return true;
}

enum { OPT_IGNORE_HOOKS = 256 };

static const struct option long_options[] = {
	{"ignore-unknown-hooks", no_argument, NULL, OPT_IGNORE_HOOKS},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'v'},
	{NULL, 0, NULL, 0},
};

enum { EXIT_USAGE = 2 };

/* Returns -1 to continue; else the exit code. */
static int parse_args(int argc, char **argv, struct args *a)
{
	int c;

	while ((c = getopt_long(argc, argv, "c:dt:T:p:P:r:w:XvVWh", long_options, NULL)) >= 0) {
		switch (c) {
		case 'c':
			a->config = optarg;
			break;
		case 'd':
			a->debug = true;
			break;
		case 't':
		case 'T':
			a->check = optarg;
			break;
		case OPT_IGNORE_HOOKS:
			a->ignore_unknown_hooks = true;
			break;
		case 'r':
			a->in = optarg;
			break;
		case 'w':
			a->out = optarg;
			break;
		case 'X':
			a->any_path = true;
			break;
		case 'p':
		case 'P':
			if (!parse_port(optarg, c == 'p' ? &a->server_port : &a->client_port))
				return EXIT_USAGE;
			break;
		case 'v':
			(void)printf("%s\n", usher_version());
			return 0;
		case 'V':
			(void)printf("%s\n%s\n", usher_version(), usher_build_report());
			return 0;
		case 'W':
			(void)printf("%s\n", usher_build_report());
			return 0;
		case 'h':
			(void)fputs(usage, stdout);
			return 0;
		default:
			(void)fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "usher-server: unknown argument '%s'\n%s", argv[optind],
			      usage);
		return EXIT_USAGE;
	}
	return -1;
}

static int run_daemon(const struct args *a)
{
	struct daemon_opts o = {.config_file = a->config,
				.debug = a->debug,
				.server_port = a->server_port,
				.client_port = a->client_port,
				.builtins = server_builtins,
				.commands = &server_commands,
				.libraries = edit_libraries,
				.n_libraries = edit_n_libraries,
				.ignore_unknown_hooks = a->ignore_unknown_hooks,
				.any_path = a->any_path};
	struct server_daemon *d = calloc(1, sizeof(*d));
	int code = 1;

	if (!d)
		return 1;
	if (daemon_start(d, &o) == 0)
		code = daemon_run(d);
	daemon_stop(d);
	free(d);
	return code;
}

/* Tunes malloc. Memory that is allocated while packets run (texts of leases) is small and stays.
 * A thread's own heap would grow page by page, with a system call each. */
static void tune_malloc(void)
{
	(void)mallopt(M_ARENA_MAX, 1);
	(void)mallopt(M_TOP_PAD, 4 << 20);
}

/* Raises the limit of descriptors as far as permitted: each interface takes two in each worker. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* Descriptors 0 to 2 are open before all others: a log line to standard output must not enter a
 * pipe of ours. */
static void open_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		(void)close(fd);
}

int main(int argc, char **argv)
{
	struct args a = {0};
	int code;

	open_standard();
	code = parse_args(argc, argv, &a);
	raise_descriptors();
	tune_malloc();
	if (code >= 0)
		return code;
	if (a.check)
		return check_config(a.check, &a);
	if (!a.config) {
		(void)fprintf(stderr, "usher-server: a configuration file is needed (-c FILE)\n%s",
			      usage);
		return EXIT_USAGE;
	}
	if (a.in) {
		struct replay_opts o = {.config_file = a.config,
					.in = a.in,
					.out = a.out,
					.debug = a.debug,
					.server_port = a.server_port,
					.client_port = a.client_port,
					.builtins = server_builtins,
					.ignore_unknown_hooks = a.ignore_unknown_hooks};

		return replay_run(&o);
	}
	return run_daemon(&a);
}
