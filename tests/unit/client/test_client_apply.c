/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The privileged half: which messages it takes, the hook script's environment and its life, the
 * lease file, and the line between the halves.
 */
#include "unit/unit.h"
#include "unit/unit_dir.h"

#include "base/clock.h"
#include "client/os/history.h"
#include "client/os/privsep.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ADDRESS = 0xc0000205, SERVER = 0xc0000201 };

static char dir[] = "/tmp/usher-test-XXXXXX";
static struct script script;
static struct script_env env;
static struct script_job job;
static struct apply_request request;
static struct apply apply;

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return remove_directory(dir);
}

static int64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void option(struct client_lease *l, uint8_t code, const void *p, size_t n)
{
	uint8_t *to = l->options + l->options_len;

	to[0] = code;
	to[1] = (uint8_t)(n >> 8);
	to[2] = (uint8_t)n;
	memcpy(to + 3, p, n);
	l->options_len = (uint16_t)(l->options_len + 3 + n);
}

static struct client_lease a_lease(void)
{
	struct client_lease l = {
		.address = ADDRESS,
		.mask = 0xffffff00,
		.broadcast = 0xc00002ff,
		.server_id = SERVER,
		.lease_s = 3600,
		.t1_s = 1800,
		.t2_s = 3150,
		.n_routes = 1,
		.route = {{0, SERVER, 0}},
	};

	option(&l, 3, "\xc0\0\2\1", 4);
	return l;
}

static const char *get(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < env.n; i++)
		if (strncmp(env.var[i], name, n) == 0 && env.var[i][n] == '=')
			return env.var[i] + n + 1;
	return NULL;
}

static void build(void)
{
	job.reason = CLIENT_REASON_BOUND;
	job.has_now = 1;
	script_env_build(&env, &job, "eth7");
}

static void test_env(void **state)
{
	(void)state;
	job.now = a_lease();
	job.old = a_lease();
	job.old.address++;
	job.has_old = 1;
	option(&job.now, 6, "\xc0\0\2\1\xc0\0\2\2", 8);
	option(&job.now, 15, "example.org", 12); /* with its NUL */
	option(&job.now, 26, "\5\xdc", 2);
	option(&job.now, 119, "\1a\7example\0\1b\xc0\2", 15);
	option(&job.now, 121, "\10\12\300\0\2\1", 6);
	option(&job.now, 222, "\xab\1", 2);
	build();
	assert_string_equal(get("interface"), "eth7");
	assert_string_equal(get("reason"), "BOUND");
	assert_string_equal(get("ip"), "192.0.2.5");
	assert_string_equal(get("subnet"), "255.255.255.0");
	assert_string_equal(get("mask"), "24");
	assert_string_equal(get("router"), "192.0.2.1");
	assert_string_equal(get("dns"), "192.0.2.1 192.0.2.2");
	assert_string_equal(get("domain"), "example.org");
	assert_string_equal(get("mtu"), "1500");
	assert_string_equal(get("search"), "a.example b.example");
	assert_string_equal(get("lease"), "3600");
	assert_string_equal(get("serverid"), "192.0.2.1");
	assert_string_equal(get("staticroutes"), "0.0.0.0/0 192.0.2.1");
	assert_string_equal(get("opt222"), "ab01");
	assert_string_equal(get("new_ip_address"), "192.0.2.5");
	assert_string_equal(get("new_domain_name_servers"), "192.0.2.1 192.0.2.2");
	assert_string_equal(get("new_rfc3442_classless_static_routes"), "0 192 0 2 1");
	assert_string_equal(get("new_network_number"), "192.0.2.0");
	assert_string_equal(get("old_ip_address"), "192.0.2.6");
	assert_null(env.var[env.n]);
	assert_false(env.full);
}

/* No value that a shell, or a program started by it, would take for more than a word. */
static void test_env_hostile(void **state)
{
	static const char *const bad[] = {
		"() { :;}; touch canary",
		"a;b",
		"$(reboot)",
		"`id`",
		"a b",
		"a\nb",
		"'&cmd #",
		"-rf",
		"\xc3\xa4",
		"..",
		"",
	};
	uint8_t all[255];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		job.now = a_lease();
		option(&job.now, 12, bad[i], strlen(bad[i]));
		option(&job.now, 15, bad[i], strlen(bad[i]));
		option(&job.now, 17, bad[i], strlen(bad[i]));
		option(&job.now, 67, bad[i], strlen(bad[i]));
		option(&job.now, 56, bad[i], strlen(bad[i]));
		build();
		assert_true(!get("bootfile") || strcmp(bad[i], "..") == 0);
		assert_true(!get("new_root_path") || strcmp(bad[i], "..") == 0);
		assert_null(get("hostname"));
		/* two names are a search list */
		assert_true(!get("new_domain_name") || strcmp(bad[i], "a b") == 0);
		if (get("message"))
			assert_int_equal(strspn(get("message"), "abcdefghijklmnopqrstuvwxyz_.-:/"),
					 strlen(get("message")));
		assert_true(!get("message") || get("message")[0] != '-');
	}
	job.now = a_lease();
	option(&job.now, 17, "10.0.0.1:/srv/root,v4", 22); /* with its NUL */
	option(&job.now, 66, "https://[2001:db8::1]/", 22);
	option(&job.now, 67, "http://boot.example/a-b_c.ipxe", 30);
	build();
	assert_string_equal(get("rootpath"), "10.0.0.1:/srv/root,v4");
	assert_string_equal(get("new_bootfile_name"), "http://boot.example/a-b_c.ipxe");
	assert_null(get("tftp"));
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)(255 - i);
	/* every code, every length: clean lines, nothing torn */
	for (unsigned code = 1; code < 255; code++)
		for (unsigned n = 0; n <= sizeof(all); n += 1 + n / 4) {
			job.now = a_lease();
			option(&job.now, (uint8_t)code, all, n);
			build();
			for (size_t i = 0; i < env.n; i++)
				for (const char *s = env.var[i]; *s; s++)
					assert_true(*s >= ' ' && *s < 127 &&
						    !strchr("`$;&|<>()\\\"'*?[]{}~#!", *s));
		}
}

static void test_env_full(void **state)
{
	uint8_t big[680];

	(void)state;
	memset(big, 'a', sizeof(big));
	job.now = a_lease();
	for (uint8_t code = 200; code < 203; code++)
		option(&job.now, code, big, sizeof(big) - 20);
	build();
	assert_string_equal(get("ip"), "192.0.2.5");
	assert_int_equal(strlen(get("opt200")), 2 * (sizeof(big) - 20));
	assert_null(env.var[env.n]);
}

static void hook(const char *text)
{
	char path[64];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/hook", dir);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fprintf(f, "#!/bin/sh\n%s\n", text) > 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0755), 0);
}

static struct script_result wait_result(void)
{
	struct script_result r = {0};

	for (int i = 0; i < 500; i++) {
		if (script_poll(&script, now_ns(), &r))
			return r;
		(void)poll(NULL, 0, 10);
	}
	fail_msg("the script does not end");
	return r;
}

static void start_script(const char *text)
{
	static char path[64];

	hook(text);
	(void)snprintf(path, sizeof(path), "%s/hook", dir);
	script_init(&script, path, 1);
	job.now = a_lease();
	job.reason = CLIENT_REASON_RENEW;
	job.has_now = 1;
}

static size_t file_size(const char *name)
{
	char path[96];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return stat(path, &st) == 0 ? (size_t)st.st_size : 0;
}

static void test_script(void **state)
{
	struct script_result r;
	char text[128];

	(void)state;
	(void)snprintf(
		text, sizeof(text),
		"[ $1 = renew ] && [ $ip = 192.0.2.5 ] && [ -z \"$HOME\" ] && echo $1 >>%s/ran; exit 3",
		dir);
	start_script(text);
	job.id = 7;
	assert_int_equal(script_add(&script, &job, &r), 0);
	job.id = 8;
	assert_int_equal(script_add(&script, &job, &r), 0);
	r = wait_result();
	assert_int_equal(r.id, 7);
	assert_int_equal(r.status, 3);
	r = wait_result();
	assert_int_equal(r.id, 8);
	assert_int_equal(file_size("ran"), 12);
	assert_true(script_idle(&script));
	assert_int_equal(script_due(&script), 0);
}

static void test_script_faults(void **state)
{
	struct script_result r;

	(void)state;
	start_script("exit 0");
	script.path = "/nonexistent/hook";
	(void)script_add(&script, &job, &r);
	assert_int_equal(wait_result().status, 127);
	start_script("kill -9 $$");
	(void)script_add(&script, &job, &r);
	assert_int_equal(wait_result().status, 128 + SIGKILL);
	/* hangs, and so does its child: the whole group ends at the deadline */
	start_script("sleep 100 & sleep 100");
	script.deadline_ns = 100 * NS_PER_MS;
	(void)script_add(&script, &job, &r);
	assert_int_equal(wait_result().status, -ETIMEDOUT);
	/* a full queue forgets the oldest */
	start_script("sleep 0.2");
	job.id = 1;
	(void)script_add(&script, &job, &r);
	assert_int_equal(script_poll(&script, now_ns(), &r), 0);
	for (uint32_t i = 2; i < 2 + SCRIPT_QUEUE; i++) {
		job.id = i;
		assert_int_equal(script_add(&script, &job, &r), 0);
	}
	job.id = 99;
	assert_int_equal(script_add(&script, &job, &r), 1);
	assert_int_equal(r.id, 2);
	assert_int_equal(r.status, -ECANCELED);
	for (int i = 0; i < 1 + SCRIPT_QUEUE; i++)
		r = wait_result();
	assert_int_equal(r.id, 99);
}

static int check(uint32_t kind)
{
	request.kind = kind;
	return apply_check(&request, apply_request_len(kind));
}

static void test_check(void **state)
{
	(void)state;
	for (uint32_t k = 0; k < APPLY_N_KINDS; k++) {
		memset(&request, 0xff, sizeof(request));
		request.kind = k;
		/* nothing but an xid is sane at its largest, and no length but its own is taken */
		assert_int_equal(check(k), k == APPLY_OPEN_RAW ? 0 : -EINVAL);
		assert_int_equal(apply_check(&request, apply_request_len(k) - 1), -EBADMSG);
		assert_int_equal(apply_check(&request, apply_request_len(k) + 1), -EBADMSG);
	}
	request.kind = APPLY_N_KINDS;
	assert_int_equal(apply_check(&request, 12), -EBADMSG);
	assert_int_equal(apply_check(&request, 0), -EBADMSG);
	request.addr = (struct netconf_address){ADDRESS, 0, 60, 24};
	assert_int_equal(check(APPLY_SET_ADDRESS), 0);
	request.addr.address = 0xc0000200; /* the network's */
	assert_int_equal(check(APPLY_SET_ADDRESS), -EINVAL);
	request.addr.address = 0xe0000001; /* multicast */
	assert_int_equal(check(APPLY_SET_ADDRESS), -EINVAL);
	request.addr = (struct netconf_address){ADDRESS, 0, 60, 33};
	assert_int_equal(check(APPLY_SET_ADDRESS), -EINVAL);
	request.routes = (struct netconf_routes){ADDRESS, 0xffffff00, 0, 1, {{0, SERVER, 0}}};
	assert_int_equal(check(APPLY_SET_ROUTES), 0);
	request.routes.route[0].dest = 1; /* host bits */
	assert_int_equal(check(APPLY_SET_ROUTES), -EINVAL);
	request.routes.route[0] = (struct client_route){0, 0xff000000, 0};
	assert_int_equal(check(APPLY_SET_ROUTES), -EINVAL);
	request.routes.n = CLIENT_LEASE_ROUTES + 1;
	assert_int_equal(check(APPLY_SET_ROUTES), -EINVAL);
	memset(&request, 0, sizeof(request));
	request.job.has_now = 1;
	request.job.now = a_lease();
	assert_int_equal(check(APPLY_SCRIPT), 0);
	request.job.now.options_len = CLIENT_LEASE_OPTIONS + 1;
	assert_int_equal(check(APPLY_SCRIPT), -EINVAL);
	request.job.now = a_lease();
	request.job.now.route[0].len = 200;
	assert_int_equal(check(APPLY_SCRIPT), -EINVAL);
}

static int told_result, told_n;

static void told(void *ctx, const struct apply_reply *r)
{
	(void)ctx;
	told_result = r->result;
	told_n++;
}

static void save(struct privsep *p)
{
	memset(&request, 0, sizeof(request));
	request.kind = APPLY_SAVE_LEASE;
	request.file.len = 5;
	memcpy(request.file.data, "lease", 5);
	assert_int_equal(privsep_ask(p, &request), 0);
}

static void test_lease_file(void **state)
{
	struct privsep p;
	char path[APPLY_PATH_MAX];

	(void)state;
	assert_int_equal(apply_open(&apply, 1, "t0", dir, NULL), 0);
	privsep_init(&p, &apply, told, NULL);
	save(&p);
	assert_int_equal(told_result, 0);
	assert_int_equal(file_size("client-t0.lease"), 5);
	/* a link where the new file would be is not followed */
	(void)snprintf(path, sizeof(path), "%s/client-t0.lease.new", dir);
	assert_int_equal(symlink("/dev/full", path), 0);
	save(&p);
	assert_int_equal(told_result, 0);
	assert_int_equal(file_size("client-t0.lease"), 5);
	request.kind = APPLY_DELETE_LEASE;
	request.none = 0;
	assert_int_equal(privsep_ask(&p, &request), 0);
	assert_int_equal(told_result, 0);
	assert_int_equal(file_size("client-t0.lease"), 0);
	(void)snprintf(apply.lease_path, sizeof(apply.lease_path), "/nonexistent/x");
	save(&p);
	assert_int_equal(told_result, -ENOENT);
	apply_close(&apply);
}

static void test_split(void **state)
{
	static char hook_path[64], mark[64];
	struct privsep_files files = {mark, NULL};
	struct privsep p;
	int fd, st;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	(void)snprintf(mark, sizeof(mark), "%s/mark", dir);
	(void)snprintf(hook_path, sizeof(hook_path), "%s/hook", dir);
	hook("exit 5");
	fd = open(mark, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(apply_open(&apply, 1, "lo", dir, hook_path), 0);
	privsep_init(&p, &apply, told, NULL);
	assert_int_equal(privsep_split(&p, &files), 0);
	told_n = 0;
	save(&p);
	assert_int_equal(privsep_wait(&p), 0);
	assert_int_equal(told_n, 1);
	assert_int_equal(told_result, 0);
	fd = privsep_socket(&p, APPLY_OPEN_UDP, 0, 0);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(privsep_socket(&p, APPLY_OPEN_UDP, 1, 0), -EINVAL);
	/* garbage is answered, not obeyed */
	assert_int_equal(send(p.fd, "garbage", 7, 0), 7);
	p.pending++;
	assert_int_equal(privsep_wait(&p), 0);
	assert_int_equal(told_result, -EBADMSG);
	memset(&request, 0, sizeof(request));
	request.kind = APPLY_SCRIPT;
	assert_int_equal(privsep_ask(&p, &request), 0);
	assert_int_equal(privsep_wait(&p), 0);
	for (int i = 0; i < 300 && told_result != 5; i++) {
		(void)poll(NULL, 0, 10);
		assert_int_equal(privsep_read(&p), 0);
	}
	assert_int_equal(told_result, 5);
	/* the files are gone when the line is, also while a script still runs: the next run may
	 * begin */
	hook("sleep 0.5");
	assert_int_equal(privsep_ask(&p, &request), 0);
	assert_int_equal(privsep_wait(&p), 0);
	privsep_close(&p);
	assert_int_equal(access(mark, F_OK), -1);
	assert_int_equal(waitpid(p.pid, &st, WNOHANG), 0);
	assert_int_equal(waitpid(p.pid, &st, 0), p.pid);
	assert_true(WIFEXITED(st) && WEXITSTATUS(st) == 0);
}

/* In a child: the rights left after confinement. */
static void test_confine(void **state)
{
	int st;
	pid_t pid;

	(void)state;
	if (geteuid() != 0 || USHER_TEST_SANITIZED)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (privsep_confine() < 0 || getuid() == 0)
			_exit(1);
		(void)open("/etc/passwd", O_RDONLY | O_CLOEXEC);
		_exit(2);
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_true(WIFSIGNALED(st));
	assert_int_equal(WTERMSIG(st), SIGSYS);
}

static void test_history(void **state)
{
	static struct history h;
	struct client_lease l = a_lease();

	(void)state;
	assert_null(history_error_at(&h, 0));
	for (int i = 0; i < HISTORY_ERRORS + 3; i++)
		history_error(&h, i, "what", i == HISTORY_ERRORS + 2 ? "last" : "cause");
	assert_string_equal(history_error_at(&h, 0)->cause, "last");
	assert_int_equal(history_error_at(&h, HISTORY_ERRORS - 1)->wall_ns, 3);
	assert_null(history_error_at(&h, HISTORY_ERRORS));
	for (uint32_t i = 0; i < HISTORY_SERVERS + 2; i++) {
		l.server_id = SERVER + i;
		history_served(&h, i, &l);
	}
	l.server_id = SERVER + 5;
	history_served(&h, 100, &l);
	assert_int_equal(h.n_servers, HISTORY_SERVERS);
	assert_int_equal(h.server[0].server_id, SERVER + 5);
	assert_int_equal(h.server[0].n_acks, 2);
	assert_int_equal(h.server[0].first_wall_ns, 5);
	assert_int_equal(h.server[1].server_id, SERVER + HISTORY_SERVERS + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_env),	      cmocka_unit_test(test_env_hostile),
		cmocka_unit_test(test_env_full),      cmocka_unit_test(test_script),
		cmocka_unit_test(test_script_faults), cmocka_unit_test(test_check),
		cmocka_unit_test(test_lease_file),    cmocka_unit_test(test_split),
		cmocka_unit_test(test_confine),	      cmocka_unit_test(test_history),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
