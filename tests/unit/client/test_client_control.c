/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The client's control channel without a client at work: every command in every state, where
 * `transition` leads, requests that are none, subscriptions, connections that come, stay and go.
 * The driver has no sockets and no other half: its operations fail, as on a machine where nothing
 * works. Rows 84 and 87 of the hostile list.
 */
#include "unit/unit.h"

#include "base/arena.h"
#include "client/os/command.h"
#include "client/os/control.h"
#include "client/os/driver.h"
#include "config/json/json.h"
#include "control/plane.h"
#include "runtime/loop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { ADDRESS = 0xc0000232, SERVER = 0xc0000201, MANY = 1000 };

static char dir[] = "/tmp/usher-test-XXXXXX";
static char path[64];
static struct client_opts opts;
static struct driver d;
static struct loop *loop;

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir) || loop_new(&loop) < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/ctl", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	loop_free(loop);
	(void)unlink(path);
	return rmdir(dir);
}

static uint32_t random_u32(void *ctx)
{
	(void)ctx;
	return 4;
}

/* --- a client in a state ---------------------------------------------------------------------- */

static bool holds_address(enum client_state s)
{
	return s == CLIENT_BOUND || s == CLIENT_RENEWING || s == CLIENT_REBINDING ||
	       s == CLIENT_INIT_REBOOT;
}

static bool has_link(enum client_state s)
{
	return s != CLIENT_NO_LINK && s != CLIENT_INIT_REBOOT;
}

static void enter(enum client_state s)
{
	static const struct client_random random = {random_u32, NULL};
	struct client_link link = {.mac = {2, 0, 0, 0, 0, 1},
				   .mtu = 1500,
				   .up = has_link(s),
				   .address = ADDRESS};
	struct client *c = &d.client;

	control_plane_free(d.plane);
	memset(&d, 0, sizeof(d));
	assert_int_equal(client_plane_open(&d), 0);
	client_opts_init(&opts);
	opts.foreground = true;
	opts.inform = s == CLIENT_INFORMING || s == CLIENT_INFORMED;
	d.opts = &opts;
	d.loop = loop;
	d.link = link;
	d.raw.fd = d.udp.fd = d.arp.fd = d.timer.fd = d.privsep.fd = d.ready_fd = -1;
	d.background = true; /* says nothing */
	d.privsep.told = driver_applied;
	d.privsep.ctx = &d;
	client_init(c, &opts, &link, &random);
	c->state = s;
	c->lease = (struct client_lease){.address = ADDRESS,
					 .mask = 0xffffff00,
					 .broadcast = 0xc00002ff,
					 .server_id = SERVER,
					 .lease_s = 3600,
					 .t1_s = 1800,
					 .t2_s = 3150,
					 .start_ns = driver_now(),
					 .n_routes = 1,
					 .route = {{0, SERVER, 0}},
					 .options_len = 7,
					 .options = {3, 0, 4, 192, 0, 2, 1}};
	c->offer = c->lease;
	c->configured = holds_address(s);
	c->kept = holds_address(s) || s == CLIENT_NO_LINK || s == CLIENT_REBOOTING
			  ? CLIENT_KEPT_VALID
			  : CLIENT_KEPT_NONE;
	c->confirm = s == CLIENT_NO_LINK;
}

/* One request, and its answer. */
static int run(struct arena *a, const char *text, struct json **ret)
{
	static const struct control_requester from = {.transport = "unix"};
	struct config_error err;
	struct json *request;
	bool subscribe = false;
	int64_t result = -1;
	const char *said;

	assert_int_equal(json_parse(span_str(text), &(struct json_opts){.file = "", .max_depth = 8},
				    a, &request, &err),
			 0);
	*ret = client_command_run(&d, request, &from, a, &subscribe);
	assert_non_null(*ret);
	assert_true(json_get_int(*ret, "result", &result));
	said = json_get_str(*ret, "text");
	assert_true(said && said[0]);
	assert_int_equal(subscribe, strstr(text, "\"events\"") != NULL);
	return (int)result;
}

static const char *const commands[] = {
#define COMMAND(name, function, access, needs, thread, help, arguments) name,
#include "client/os/command.def"
#undef COMMAND
};

/* The event of a command that is one. */
static int event_of(const char *name)
{
	static const struct {
		const char *name;
		enum client_event event;
	} events[] = {{"renew", CLIENT_EV_RENEW},
		      {"rebind", CLIENT_EV_REBIND},
		      {"release", CLIENT_EV_RELEASE},
		      {"restart", CLIENT_EV_RESTART},
		      {"inform", CLIENT_EV_INFORM}};

	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		if (strcmp(events[i].name, name) == 0)
			return (int)events[i].event;
	return -1;
}

static void in_state(enum client_state s, const char *name)
{
	char text[64];
	struct json *answer;
	struct arena a;
	int r, e = event_of(name);

	arena_init(&a);
	enter(s);
	(void)snprintf(text, sizeof(text), "{\"command\": \"%s\"}", name);
	r = run(&a, text, &answer);
	if (e >= 0)
		assert_int_equal(r, client_fsm(s, (enum client_event)e).action ? CONTROL_OK
									       : CONTROL_CONFLICT);
	else
		assert_int_equal(r, strcmp(name, "transition") == 0 ? CONTROL_ERROR : CONTROL_OK);
	if (r == CONTROL_CONFLICT) {
		assert_int_equal(d.client.state, s);
		assert_non_null(strstr(json_get_str(answer, "text"), client_state_name(s)));
	}
	/* the state that it left can still be queried */
	assert_int_equal(run(&a, "{\"command\": \"state\"}", &answer), CONTROL_OK);
	assert_string_equal(json_get_str(json_get(answer, "arguments"), "state"),
			    client_state_name(d.client.state));
	arena_fini(&a);
}

static void test_every_command_in_every_state(void **state)
{
	(void)state;
	for (unsigned s = 0; s < CLIENT_N_STATES; s++)
		for (size_t i = 0; i < ARRAY_LEN(commands); i++)
			in_state((enum client_state)s, commands[i]);
}

/* --- transition ------------------------------------------------------------------------------- */

/* The table, written by hand: from, to, the state then (INIT is left at once). All other pairs are
 * refused. */
static const struct {
	enum client_state from, to, then;
} ways[] = {
#define OUT(s)                                     \
	{                                          \
		CLIENT_##s, CLIENT_OFF, CLIENT_OFF \
	}
#define WAY(from, to)                                   \
	{                                               \
		CLIENT_##from, CLIENT_##to, CLIENT_##to \
	}
#define ANEW(s)                                           \
	{                                                 \
		CLIENT_##s, CLIENT_INIT, CLIENT_SELECTING \
	}
	{CLIENT_OFF, CLIENT_INIT, CLIENT_SELECTING},
	WAY(OFF, SELECTING),
	OUT(NO_LINK),
	WAY(NO_LINK, RELEASED),
	OUT(INIT),
	WAY(INIT, SELECTING),
	WAY(INIT, RELEASED),
	OUT(SELECTING),
	ANEW(SELECTING),
	WAY(SELECTING, RELEASED),
	OUT(REQUESTING),
	ANEW(REQUESTING),
	WAY(REQUESTING, SELECTING),
	WAY(REQUESTING, RELEASED),
	OUT(PROBING),
	ANEW(PROBING),
	WAY(PROBING, SELECTING),
	WAY(PROBING, RELEASED),
	OUT(DECLINED),
	ANEW(DECLINED),
	WAY(DECLINED, SELECTING),
	WAY(DECLINED, RELEASED),
	OUT(BOUND),
	ANEW(BOUND),
	WAY(BOUND, SELECTING),
	WAY(BOUND, RENEWING),
	WAY(BOUND, REBINDING),
	WAY(BOUND, RELEASED),
	OUT(RENEWING),
	ANEW(RENEWING),
	WAY(RENEWING, SELECTING),
	WAY(RENEWING, REBINDING),
	WAY(RENEWING, RELEASED),
	OUT(REBINDING),
	ANEW(REBINDING),
	WAY(REBINDING, SELECTING),
	WAY(REBINDING, RENEWING),
	WAY(REBINDING, RELEASED),
	OUT(INIT_REBOOT),
	WAY(INIT_REBOOT, NO_LINK),
	WAY(INIT_REBOOT, RELEASED),
	OUT(REBOOTING),
	ANEW(REBOOTING),
	WAY(REBOOTING, SELECTING),
	WAY(REBOOTING, RELEASED),
	/* with --inform INIT leads to INFORMING, never to SELECTING */
	OUT(INFORMING),
	{CLIENT_INFORMING, CLIENT_INIT, CLIENT_INFORMING},
	OUT(INFORMED),
	{CLIENT_INFORMED, CLIENT_INIT, CLIENT_INFORMING},
	WAY(INFORMED, INFORMING),
	OUT(IPV6_ONLY),
	ANEW(IPV6_ONLY),
	WAY(IPV6_ONLY, SELECTING),
	WAY(IPV6_ONLY, RELEASED),
	OUT(RELEASED),
	ANEW(RELEASED),
	WAY(RELEASED, SELECTING),
};

static int then_of(enum client_state from, enum client_state to)
{
	for (size_t i = 0; i < ARRAY_LEN(ways); i++)
		if (ways[i].from == from && ways[i].to == to)
			return (int)ways[i].then;
	return -1;
}

static void one_way(enum client_state from, enum client_state to)
{
	int then = then_of(from, to), r;
	char text[96];
	struct json *answer;
	struct arena a;

	arena_init(&a);
	enter(from);
	(void)snprintf(text, sizeof(text),
		       "{\"command\": \"transition\", \"arguments\": {\"to\": \"%s\"}}",
		       client_state_name(to));
	r = run(&a, text, &answer);
	if (r != (then < 0 ? CONTROL_CONFLICT : CONTROL_OK) ||
	    (int)d.client.state != (then < 0 ? (int)from : then))
		fail_msg("%s to %s: %d, %s; now %s", client_state_name(from), client_state_name(to),
			 r, json_get_str(answer, "text"), client_state_name(d.client.state));
	/* refused: with the possible states, and nothing was done */
	if (then < 0) {
		assert_int_equal(d.client.kept != CLIENT_KEPT_NONE,
				 d.client.lease.address && d.client.kept);
		assert_non_null(strstr(json_get_str(answer, "text"),
				       from == to ? "already" : "possible: "));
	}
	arena_fini(&a);
}

static void test_transition(void **state)
{
	(void)state;
	for (unsigned from = 0; from < CLIENT_N_STATES; from++)
		for (unsigned to = 0; to < CLIENT_N_STATES; to++)
			one_way((enum client_state)from, (enum client_state)to);
}

/* Conditions of the way: the link, and the kept lease. */
static void test_transition_depends(void **state)
{
	enum client_event e;
	struct client *scratch = malloc(sizeof(*scratch));

	(void)state;
	assert_non_null(scratch);
	enter(CLIENT_RELEASED);
	d.client.link.up = false;
	assert_int_equal(client_way_to(&d.client, CLIENT_NO_LINK, driver_now(), scratch, &d.fx, &e),
			 0);
	assert_true(client_way_to(&d.client, CLIENT_SELECTING, driver_now(), scratch, &d.fx, &e) <
		    0);
	enter(CLIENT_INIT);
	d.client.kept = CLIENT_KEPT_VALID;
	d.client.confirm = true;
	assert_int_equal(client_way_to(&d.client, CLIENT_REBOOTING, driver_now(), scratch, &d.fx,
				       &e),
			 0);
	assert_int_equal(e, CLIENT_EV_RENEW);
	assert_int_equal(client_way_to(&d.client, CLIENT_SELECTING, driver_now(), scratch, &d.fx,
				       &e),
			 0);
	assert_int_equal(e, CLIENT_EV_RESTART);
	assert_int_equal(d.client.state, CLIENT_INIT);
	assert_int_equal(d.client.stats.sent[DHCP4_DISCOVER], 0);
	free(scratch);
}

/* --- connections ------------------------------------------------------------------------------ */

static struct control *control;

static void open_control(void)
{
	enter(CLIENT_BOUND);
	assert_int_equal(client_control_open(&d, loop, path, &control), 0);
	d.control = control;
}

static void close_control(void)
{
	control_close(control);
	d.control = NULL;
	assert_int_equal(unlink(path), 0);
}

static void turn(void)
{
	for (int i = 0; i < 20; i++)
		assert_int_equal(loop_step(loop, 0), 0);
}

static int connect_one(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	memcpy(sa.sun_path, path, strlen(path));
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* The result of a request; -1: the connection was closed; -2: nothing came. */
static int ask(int fd, const void *text, size_t n)
{
	static char buf[CONTROL_ANSWER_MAX];
	struct config_error err;
	struct json *v;
	int64_t result = -3;
	struct arena a;
	ssize_t got;

	if (send(fd, text, n, MSG_NOSIGNAL) < 0)
		return -1;
	turn();
	got = recv(fd, buf, sizeof(buf), 0);
	if (got <= 0)
		return got < 0 && errno == EAGAIN ? -2 : -1;
	arena_init(&a);
	assert_int_equal(json_parse(span_of(buf, (size_t)got),
				    &(struct json_opts){.file = "", .max_depth = 8}, &a, &v, &err),
			 0);
	assert_true(json_get_int(v, "result", &result));
	arena_fini(&a);
	return (int)result;
}

static int ask_text(int fd, const char *text)
{
	return ask(fd, text, strlen(text));
}

static size_t count_fds(void)
{
	DIR *x = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(x);
	while (readdir(x))
		n++;
	(void)closedir(x);
	return n;
}

static void test_malformed(void **state)
{
	static const char *const bad[] = {
		"{",
		"[]",
		"null",
		"17",
		"\"state\"",
		"{}",
		"{\"command\": 1}",
		"{\"command\": [\"state\"]}",
		"{\"command\": null}",
		"{\"command\": \"state\", \"arguments\": []}",
		"{\"version\": 99}",
		"{\"command\": \"transition\"}",
		"{\"command\": \"transition\", \"arguments\": {\"to\": 1}}",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
		"\xff\xfe",
		"{\"command\": \"transition\", \"arguments\": {\"to\": \"BOUND\\u0000\"}}",
		"{\"command\": \"transition\", \"arguments\": {\"to\": \"\"}}",
		"{\"command\": \"state\"} x",
		"{\"command\": \"state\",}",
	};
	static char big[CONTROL_REQUEST_MAX + 1];
	int fd;

	(void)state;
	open_control();
	fd = connect_one();
	assert_true(fd >= 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (ask_text(fd, bad[i]) != CONTROL_ERROR)
			fail_msg("%s", bad[i]);
	assert_int_equal(ask_text(fd, "{\"command\": \"STATE\"}"), CONTROL_UNSUPPORTED);
	assert_int_equal(ask_text(fd, "{\"command\": \"\"}"), CONTROL_UNSUPPORTED);
	assert_int_equal(ask(fd, "{\"command\": \"state\"}\0x", 22), CONTROL_ERROR);
	/* the largest that is read, and one more */
	memset(big, ' ', sizeof(big));
	memcpy(big, "{\"command\": \"state\"}", 20);
	assert_int_equal(ask(fd, big, CONTROL_REQUEST_MAX), CONTROL_OK);
	assert_int_equal(ask(fd, big, CONTROL_REQUEST_MAX + 1), -1);
	(void)close(fd);
	/* a message of no octets is an end */
	fd = connect_one();
	assert_int_equal(ask(fd, "", 0), -1);
	(void)close(fd);
	assert_int_equal(d.client.state, CLIENT_BOUND);
	close_control();
}

static void test_connections(void **state)
{
	int fd[CONTROL_CLIENTS], extra;
	size_t fds;
	char c;

	(void)state;
	open_control();
	fds = count_fds();
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		fd[i] = connect_one();
		assert_int_equal(ask_text(fd[i], "{\"command\": \"state\"}"), CONTROL_OK);
	}
	/* one more is closed at once, and those that are there do not notice */
	extra = connect_one();
	assert_true(extra >= 0);
	turn();
	assert_int_equal(recv(extra, &c, 1, 0), 0);
	(void)close(extra);
	assert_int_equal(ask_text(fd[0], "{\"command\": \"list-commands\"}"), CONTROL_OK);
	(void)close(fd[0]);
	turn();
	fd[0] = connect_one();
	assert_int_equal(ask_text(fd[0], "{\"command\": \"errors\"}"), CONTROL_OK);
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		(void)close(fd[i]);
	for (int i = 0; i < MANY; i++) {
		extra = connect_one();
		if (extra >= 0)
			(void)close(extra);
		if (i % 5 == 0)
			turn();
	}
	for (int i = 0; i < MANY / CONTROL_CLIENTS; i++)
		turn();
	/* a thousand half-open questions leave nothing */
	extra = connect_one();
	assert_int_equal(ask_text(extra, "{\"command\": \"state\"}"), CONTROL_OK);
	(void)close(extra);
	turn();
	assert_int_equal(count_fds(), fds);
	close_control();
}

static void test_events(void **state)
{
	char buf[512];
	int reads, slow, leaves;
	unsigned n = 0;

	(void)state;
	open_control();
	assert_false(control_listened(control));
	reads = connect_one();
	slow = connect_one();
	leaves = connect_one();
	assert_int_equal(ask_text(reads, "{\"command\": \"events\"}"), CONTROL_OK);
	assert_int_equal(ask_text(slow, "{\"command\": \"events\"}"), CONTROL_OK);
	assert_int_equal(ask_text(leaves, "{\"command\": \"events\"}"), CONTROL_OK);
	assert_true(control_listened(control));
	(void)close(leaves);
	/* a step tells both; one that asks beside listening gets both in order */
	assert_true(driver_event(&d, CLIENT_EV_RENEW));
	assert_true(recv(reads, buf, sizeof(buf), 0) > 0);
	assert_non_null(memmem(buf, sizeof(buf), "RENEWING", 8));
	while (recv(reads, buf, sizeof(buf), 0) > 0)
		continue;
	/* a subscriber that does not read is disconnected when its queue is full; the client does
	 * not wait for it */
	for (n = 0; n < 100000; n++) {
		control_event(control, span_str("{\"event\":\"dropped\"}"));
		if (recv(reads, buf, sizeof(buf), 0) <= 0)
			break;
	}
	assert_int_equal(n, 100000);
	while (recv(slow, buf, sizeof(buf), 0) > 0)
		continue;
	assert_int_equal(recv(slow, buf, sizeof(buf), 0), 0);
	assert_int_equal(ask_text(reads, "{\"command\": \"state\"}"), CONTROL_OK);
	(void)close(reads);
	(void)close(slow);
	turn();
	assert_false(control_listened(control));
	close_control();
}

/* Asks without taking answers: let go, too. */
static void test_does_not_read(void **state)
{
	int fd, other;

	(void)state;
	open_control();
	fd = connect_one();
	other = connect_one();
	for (int i = 0; i < MANY; i++) {
		if (send(fd, "{\"command\": \"state\"}", 20, MSG_NOSIGNAL) < 0)
			break;
		turn();
	}
	assert_true(send(fd, "{}", 2, MSG_NOSIGNAL) < 0);
	assert_int_equal(ask_text(other, "{\"command\": \"state\"}"), CONTROL_OK);
	(void)close(fd);
	(void)close(other);
	close_control();
}

static void test_path(void **state)
{
	struct control *second = NULL;
	char long_path[256];
	struct stat st;
	int fd;

	(void)state;
	open_control();
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(client_control_open(&d, loop, path, &second), -EADDRINUSE);
	assert_null(second);
	/* the dead one's name is taken over */
	control_close(control);
	d.control = NULL;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(client_control_open(&d, loop, path, &control), 0);
	close_control();
	/* a file is not a socket, and stays */
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_true(client_control_open(&d, loop, path, &second) < 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(unlink(path), 0);
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(client_control_open(&d, loop, long_path, &second), -ENAMETOOLONG);
	assert_int_equal(client_control_open(&d, loop, "/nonexistent/ctl", &second), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_command_in_every_state),
		cmocka_unit_test(test_transition),
		cmocka_unit_test(test_transition_depends),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_connections),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_does_not_read),
		cmocka_unit_test(test_path),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
