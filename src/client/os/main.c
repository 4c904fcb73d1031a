/* SPDX-License-Identifier: MPL-2.0 */
/*
 * usher-client: options, and the order of start and end.
 *   1. options, manifest, interface   2. to the background (a process waits for the result)
 *   3. the privileged half's part     4. kept lease, control channel, pid file
 *   5. the first step: the first packet leaves   6. two halves, confinement   7. the loop
 * No packet is read before 7. Exit codes: enum client_exit, DRIVER_EXIT_FAILED.
 */
#include "client/os/command.h"
#include "client/os/control.h"

#include "base/error.h"
#include "base/ip.h"
#include "client/os/driver.h"
#include "runtime/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_MANIFEST  "/etc/usher/manifest.json"
#define DEFAULT_STATE_DIR "/var/lib/usher"
#define DEFAULT_RUN_DIR	  "/run/usher"

enum { TEXT_MAX = 512, MANIFEST_MAX = 65536 };

static struct driver driver_state;
static struct apply apply_state;

static void print_line(int fd, const char *a, const char *b, const char *c)
{
	char line[TEXT_MAX];
	int n = snprintf(line, sizeof(line), "%s%s%s%s%s\n", a, b[0] ? ": " : "", b,
			 c[0] ? ": " : "", c);

	(void)!write(fd, line, n < TEXT_MAX ? (size_t)n : TEXT_MAX - 1);
}

static void print_problem(const char *what, const char *why)
{
	print_line(STDERR_FILENO, "usher-client", what, why);
}

/* --- 1. options ------------------------------------------------------------------------------- */

static int print_help(void)
{
	char line[TEXT_MAX];

	print_line(STDOUT_FILENO, "usage: usher-client [OPTION]...", "", "");
	for (size_t i = 0; client_opts_help_line(i, line, sizeof(line)); i++)
		print_line(STDOUT_FILENO, line, "", "");
	return CLIENT_EXIT_OK;
}

/* Takes the descriptor: a whole file, of at most cap octets. Length or -errno. */
static int read_all(int fd, uint8_t *buf, size_t cap)
{
	ssize_t n = read(fd, buf, cap);

	if (n < 0)
		n = -errno;
	(void)close(fd);
	return (int)n;
}

static int read_file(const char *path, uint8_t *buf, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -errno : read_all(fd, buf, cap);
}

/* Reads the requested address and keep_lease from the manifest, for values that the command line
 * does not give. Returns 0, or -1 after a message. */
static int read_manifest(struct client_opts *o)
{
	const char *path = o->manifest ? o->manifest : DEFAULT_MANIFEST;
	static uint8_t text[MANIFEST_MAX];
	char err[TEXT_MAX] = "";
	uint32_t address = 0;
	bool keep = false;
	int n;

	n = read_file(path, text, sizeof(text));
	if (n == -ENOENT && !o->manifest)
		return 0;
	if (n < 0 || n == MANIFEST_MAX) {
		print_problem(path, n < 0 ? usher_strerror(n) : "is too long");
		return -1;
	}
	if (client_opts_manifest(span_of(text, (size_t)n), path, &address, &keep, err,
				 sizeof(err)) < 0) {
		print_problem(err, "");
		return -1;
	}
	if (!o->request_given && !o->inform)
		o->request_address = address;
	o->keep_lease |= keep && !o->release;
	return 0;
}

/* Opens descriptors 0 to 2 where the parent left them closed: no socket may become one of them. */
static int open_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO && fcntl(fd, F_SETFD, 0) == 0);
	return fd;
}

/* --- 2. the background ------------------------------------------------------------------------ */

/* Waits, in the process that was started, for the daemon's exit code or for its end. */
static _Noreturn void wait_for_daemon(int fd, pid_t pid)
{
	uint8_t code;
	int st;

	if (read(fd, &code, 1) == 1)
		_exit(code);
	if (waitpid(pid, &st, 0) == pid && WIFEXITED(st))
		_exit(WEXITSTATUS(st));
	_exit(DRIVER_EXIT_FAILED);
}

static int leave_foreground(struct driver *d)
{
	int fd[2];
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid > 0) {
		(void)close(fd[1]);
		wait_for_daemon(fd[0], pid);
	}
	(void)close(fd[0]);
	(void)setsid();
	d->ready_fd = fd[1];
	return 0;
}

/* Called when the starting process has ended: no process waits any more. */
static void waiter_gone(void *ctx, uint32_t events)
{
	struct driver *d = ctx;

	(void)events;
	loop_remove(d->waiter);
	d->waiter = NULL;
	(void)driver_event(d, CLIENT_EV_STOP);
}

/* --- 4. lease, channel, pid file -------------------------------------------------------------- */

static void read_boot_id(struct driver *d)
{
	uint8_t text[40];
	char hex[40];
	size_t k = 0;
	int n = read_file("/proc/sys/kernel/random/boot_id", text, sizeof(text));

	for (int i = 0; i < n; i++)
		if (text[i] != '-' && text[i] != '\n')
			hex[k++] = (char)text[i];
	if (hex_parse(hex, k, d->boot_id, sizeof(d->boot_id)) != sizeof(d->boot_id))
		memset(d->boot_id, 0, sizeof(d->boot_id));
}

/* Reads a file that only this user can have written. Returns its length or -errno. */
static int read_own(const char *path, uint8_t *buf, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	    !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return read_all(fd, buf, cap);
	(void)close(fd);
	return -EPERM;
}

static void load_lease(struct driver *d, const char *path)
{
	uint8_t text[CLIENT_LEASE_FILE_MAX];
	struct client_lease_context ctx;
	enum client_kept kept;
	int n = path[0] ? read_own(path, text, sizeof(text)) : -ENOENT;

	if (n == -ENOENT)
		return;
	if (n >= 0) {
		driver_lease_context(d, &ctx);
		n = client_lease_decode(span_of(text, (size_t)n), &ctx, &d->client.in, &kept);
	}
	if (n < 0)
		driver_error(d, "kept lease", n);
	else
		client_keep(&d->client, &d->client.in, kept);
}

static int open_control(struct driver *d, const struct client_opts *o, char path[TEXT_MAX])
{
	int r;

	if (o->socket) {
		(void)snprintf(path, TEXT_MAX, "%s", o->socket);
	} else {
		(void)mkdir(DEFAULT_RUN_DIR, 0755);
		(void)snprintf(path, TEXT_MAX, DEFAULT_RUN_DIR "/client-%s.sock", o->iface);
	}
	r = client_control_open(d, d->loop, path, &d->control);
	if (r == 0)
		return 0;
	if (r == -EADDRINUSE) {
		print_problem(path, "another client is running there");
		return r;
	}
	/* a file system that cannot be written does not keep a host from its address */
	print_problem(path, usher_strerror(r));
	path[0] = '\0';
	return 0;
}

/* Returns whether a file may be replaced by a pid file: a regular one that holds digits only. */
static bool is_pid_file(int fd)
{
	char text[32];
	struct stat st;
	ssize_t n = fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ? -1
							       : pread(fd, text, sizeof(text), 0);

	for (ssize_t i = 0; i < n; i++)
		if ((text[i] < '0' || text[i] > '9') && text[i] != '\n')
			return false;
	return n >= 0 && n < (ssize_t)sizeof(text);
}

/* Writes the pid file. Follows no symbolic link, and does not overwrite a file with other
 * contents. Returns 0 or -errno. */
static int write_pid(const char *path)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);

	if (fd < 0)
		return -errno;
	if (!is_pid_file(fd) || ftruncate(fd, 0) < 0)
		n = -EEXIST;
	else
		n = write(fd, text, (size_t)n) == n ? 0 : -EIO;
	(void)close(fd);
	return n;
}

/* Reports a script that cannot run before the first event; the client runs without it. */
static void check_script(const char *path)
{
	if (path && access(path, X_OK) < 0)
		print_problem(path, errno == ENOENT ? "the script does not exist"
						    : "the script cannot be run");
}

/* --- privileges ------------------------------------------------------------------------------- */

/* Returns whether the process has the capabilities that it needs; prints the missing one.
 * capabilities(7). */
static bool may_do(const struct client_opts *o)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
	const struct {
		unsigned bit;
		const char *text;
		bool needed;
	} caps[] = {
		{CAP_NET_RAW, "CAP_NET_RAW is missing: packets cannot be sent", !o->inform},
		{CAP_NET_ADMIN, "CAP_NET_ADMIN is missing: the interface cannot be configured",
		 !o->inform && !o->dry_run},
	};

	if (syscall(SYS_capget, &head, data) < 0)
		return true; /* the first use finds out */
	for (size_t i = 0; i < ARRAY_LEN(caps); i++)
		if (caps[i].needed && !(data[0].effective & 1U << caps[i].bit)) {
			print_problem("privileges", caps[i].text);
			return false;
		}
	return true;
}

/* --- the order -------------------------------------------------------------------------------- */

static int check_interface(struct driver *d, const struct client_opts *o)
{
	int r = link_watch_open(&d->watch, o->iface);

	if (r == 0)
		r = link_usable(&d->watch.now);
	if (r < 0)
		print_problem(o->iface, r == -EPROTONOSUPPORT ? "it is not an Ethernet with ARP"
							      : usher_strerror(r));
	return r;
}

/* Opens everything that the client needs before its first step. Returns 0 or an exit code. */
static int prepare_client(struct driver *d, struct apply *a, const struct client_opts *o,
			  char socket_path[TEXT_MAX], bool *ret_pid_file)
{
	const char *state_dir = o->dry_run ? NULL : o->state_dir ? o->state_dir : DEFAULT_STATE_DIR;
	int r = apply_open(a, d->watch.now.ifindex, o->iface, state_dir, o->script);

	if (r == 0)
		r = driver_open(d, o, a);
	if (r == 0 && !d->watch.now.admin_up && !o->dry_run)
		r = netconf_link_up(&a->net);
	if (r == 0 && d->ready_fd >= 0)
		r = loop_add(d->loop, d->ready_fd, 0, waiter_gone, d, &d->waiter);
	if (r < 0) {
		print_problem("start", usher_strerror(r));
		return DRIVER_EXIT_FAILED;
	}
	if (state_dir && !o->state_dir)
		(void)mkdir(state_dir, 0755);
	read_boot_id(d);
	load_lease(d, a->lease_path);
	if (open_control(d, o, socket_path) < 0)
		return DRIVER_EXIT_FAILED;
	r = o->pid_file ? write_pid(o->pid_file) : 0;
	if (r < 0)
		print_problem(o->pid_file, r == -EEXIST ? "is not a pid file and is not overwritten"
							: usher_strerror(r));
	*ret_pid_file = r == 0;
	return 0;
}

/* Splits the process into its two halves and confines this one to the network. Returns 0 or
 * -errno, after a message. */
static int split_process(struct driver *d, const struct privsep_files *files)
{
	int r = privsep_split(&d->privsep, files);

	if (r == 0)
		r = privsep_confine();
	if (r < 0)
		print_problem("confinement", usher_strerror(r));
	return r;
}

/* Removes the files that the privileged half would remove, where there never was one. */
static void remove_files(const struct privsep_files *files)
{
	if (files->pid_file)
		(void)unlink(files->pid_file);
	if (files->socket)
		(void)unlink(files->socket);
}

static int run_client(struct driver *d, struct apply *a, const struct client_opts *o)
{
	struct privsep_files files = {.pid_file = o->pid_file};
	char socket_path[TEXT_MAX] = "";
	bool background, has_pid_file;
	int code;

	if (check_interface(d, o) < 0)
		return CLIENT_EXIT_LINK_GONE;
	if (o->dry_run && !d->watch.now.admin_up) {
		print_problem(o->iface, "the interface is down, and --dry-run does not set it up");
		return DRIVER_EXIT_FAILED;
	}
	if (!may_do(o))
		return DRIVER_EXIT_FAILED;
	check_script(o->script);
	/* -q ends with the lease, but -b does not wait for it at this point */
	background = !o->foreground && !o->dry_run && (!o->quit || o->background);
	if (background && leave_foreground(d) < 0)
		return DRIVER_EXIT_FAILED;
	code = prepare_client(d, a, o, socket_path, &has_pid_file);
	if (code)
		return code;
	a->script.quiet = background;
	if (!has_pid_file)
		files.pid_file = NULL;
	files.socket = socket_path[0] ? socket_path : NULL;
	if (driver_start(d) == 0 && split_process(d, &files) < 0)
		code = DRIVER_EXIT_FAILED;
	else
		code = driver_run(d);
	driver_close(d);
	if (d->privsep.apply)
		remove_files(&files);
	return code;
}

int main(int argc, char **argv)
{
	static struct client_opts opts;
	struct driver *d = &driver_state;
	char err[TEXT_MAX] = "";

	d->ready_fd = -1;
	d->null_fd = open_standard();
	client_opts_init(&opts);
	if (client_opts_parse(argc, argv, &opts, err, sizeof(err)) < 0) {
		print_problem(err, "try --help");
		return CLIENT_EXIT_USAGE;
	}
	if (opts.help)
		return print_help();
	if (opts.version) {
		print_line(STDOUT_FILENO, "usher-client " USHER_VERSION, "", "");
		return CLIENT_EXIT_OK;
	}
	if (read_manifest(&opts) < 0)
		return CLIENT_EXIT_USAGE;
	return run_client(d, &apply_state, &opts);
}
