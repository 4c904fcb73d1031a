/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The parts of usherctl that need no program: the command line, the rows of commands and drops, the
 * printer of answers in pieces, frames of a live view, the text of the progress.
 */
#include "unit/unit.h"

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "config/json/json.h"
#include "ctl/args.h"
#include "ctl/frame.h"
#include "ctl/print.h"
#include "ctl/progress.h"
#include "ctl/session.h"
#include "ctl/sink.h"
#include "ctl/top_impl.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- the command line ------------------------------------------------------------------------- */

/* Parses a command line of words with a blank between. */
static int parse_line(const char *line, struct ctl_args *ret)
{
	static char words[512];
	static char *argv[32];
	int argc = 1;

	(void)snprintf(words, sizeof(words), "%s", line);
	argv[0] = (char[]){"usherctl"};
	for (char *w = strtok(words, " "); w; w = strtok(NULL, " "))
		argv[argc++] = w;
	argv[argc] = NULL;
	optind = 0; /* getopt begins again */
	return ctl_args_parse(argc, argv, ret);
}

static void test_args(void **state)
{
	struct ctl_args a;

	(void)state;
	assert_int_equal(parse_line("status-get", &a), 0);
	assert_int_equal(a.program, CTL_SERVER);
	assert_string_equal(a.socket, "/run/kea/kea4-ctrl-socket");
	assert_int_equal(a.timeout_s, 10);
	assert_int_equal(parse_line("client -i eth1 state --json", &a), 0);
	assert_int_equal(a.program, CTL_CLIENT);
	assert_string_equal(a.socket, "/run/usher/client-eth1.sock");
	assert_true(a.json);
	assert_int_equal(parse_line("-t 3 gate flows limit=2 -s /x", &a), 0);
	assert_int_equal(a.program, CTL_GATE);
	assert_int_equal(a.timeout_s, 3);
	assert_string_equal(a.socket, "/x");
	assert_int_equal(a.n_words, 1);
	assert_string_equal(a.words[0], "limit=2");
	assert_int_equal(
		parse_line("--url https://[::1]:8000/p --ca f --cert g --user u:p:w top -b 2", &a),
		0);
	assert_null(a.socket);
	assert_string_equal(a.user, "u:p:w");
	assert_int_equal(a.batch, 2);
}

static void test_args_refused(void **state)
{
	static const char *const lines[] = {
		"",
		"server",
		"-t 0 x",
		"-t 5x x",
		"-w 0 x",
		"--nonsense x",
		"--url ftp://h x",
		"--url h:8000 x",
		"--url http://u:p@h/ x",
		"--url http://h -s /x x",
		"client -i eth0 --url http://h x",
		"--user u x",
		"--ca f x",
		"--url http://h --ca f x",
		"--url https://h --key f x",
		"--url https://h --user :p x",
		"client --url http://h events",
		"client --watch 1 events",
		"--batch 1 status-get",
		"top --json",
		"top gate",
	};
	struct ctl_args a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (parse_line(lines[i], &a) != -1)
			fail_msg("accepted: %s", lines[i]);
	/* behind a slash it is a part of the path */
	assert_int_equal(parse_line("--url http://h/a@b x", &a), 0);
}

/* --- rows ------------------------------------------------------------------------------------- */

static void test_rows(void **state)
{
	(void)state;
	assert_int_equal(ctl_command_access(CTL_SERVER, "status-get"), CTL_READS);
	assert_int_equal(ctl_command_access(CTL_SERVER, "lease4-del"), CTL_WRITES);
	assert_int_equal(ctl_command_access(CTL_GATE, "console"), CTL_LOCAL);
	assert_int_equal(ctl_command_access(CTL_SERVER, "console"), CTL_UNKNOWN);
	assert_string_equal(ctl_nearest(CTL_SERVER, "lease4-gte"), "lease4-get");
	assert_string_equal(ctl_nearest(CTL_CLIENT, "topp"), "top");
	assert_int_equal(ctl_argument_kind("limit"), CTL_INT);
	assert_int_equal(ctl_argument_kind("remove"), CTL_BOOL);
	assert_int_equal(ctl_argument_kind("hw-address"), CTL_TEXT);
	assert_string_equal(ctl_drop_sentence(CTL_SERVER, "drop-no-subnet"),
			    "no subnet for this client");
	assert_string_equal(ctl_drop_sentence(CTL_CLIENT, "XID"), "transaction id is not ours");
	assert_string_equal(ctl_drop_sentence(CTL_CLIENT, "UDP_CHECKSUM"), "UDP checksum is wrong");
	assert_string_equal(ctl_drop_sentence(CTL_GATE, "drop-guard-table-full"),
			    "no room for more clients");
	assert_string_equal(ctl_drop_sentence(CTL_SERVER, "drop-no-subne"), "");
	assert_string_equal(ctl_drop_sentence(CTL_SERVER, "drop-no-subnets"), "");
}

/* --- the printer of answers ------------------------------------------------------------------- */

/* Gives a text to a printer, cut in two. Returns the result of the printer's end, or of take(). */
static int print_at(const char *text, size_t cut, char **ret_out, int64_t *ret_result)
{
	struct ctl_printer p;
	size_t n = 0;
	FILE *out = open_memstream(ret_out, &n);
	int r;

	assert_non_null(out);
	ctl_printer_init(&p, out);
	r = p.sink.take(&p.sink, text, cut);
	if (r == 0)
		r = p.sink.take(&p.sink, text + cut, strlen(text) - cut);
	if (r == 0)
		r = ctl_printer_end(&p, ret_result);
	(void)fclose(out);
	return r;
}

/* Checks the printed text and the result, however the answer is cut. */
static void assert_printed(const char *text, const char *want, int64_t want_result)
{
	for (size_t cut = 0; cut <= strlen(text); cut++) {
		int64_t result = -99;
		char *out;

		assert_int_equal(print_at(text, cut, &out, &result), 0);
		assert_string_equal(out, want);
		assert_int_equal(result, want_result);
		free(out);
	}
}

static void test_printer(void **state)
{
	static const char many[] = "{\"arguments\": {\"result\": 7, \"a\": [{\"result\": 8}]}, "
				   "\"text\": \"result]}[{\", \"result\": 3}";
	char listed[sizeof(many) + 8], line[sizeof(many) + 2];

	(void)state;
	assert_printed("{\"result\": 0}", "{\"result\": 0}\n", 0);
	assert_printed(" {\"result\":-1 }\r\n", "{\"result\":-1 }\n", -1);
	assert_printed("[{\"result\": 12}]", "{\"result\": 12}\n", 12);
	assert_printed("\n[ {\"text\": \"\\\"\\\\\", \"result\": 1}\n]\n",
		       "{\"text\": \"\\\"\\\\\", \"result\": 1}\n", 1);
	(void)snprintf(listed, sizeof(listed), "[ %s ]", many);
	(void)snprintf(line, sizeof(line), "%s\n", many);
	assert_printed(many, line, 3);
	assert_printed(listed, line, 3);
}

static void test_printer_refuses(void **state)
{
	static const char *const texts[] = {
		"",
		"<html>",
		"42",
		"[]",
		"[1]",
		"[[{\"result\": 0}]]",
		"{\"result\": 0",
		"[{\"result\": 0}",
		"{\"result\": 0}]",
		"{\"result\": 0}{\"result\": 0}",
		"[{\"result\": 0}, {\"result\": 0}]",
		"{}",
		"{\"text\": \"x\"}",
		"{\"result\": \"0\"}",
		"{\"a\": {\"result\": 0}}",
		"{\"result\": 0, \"text\": \"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		for (size_t cut = 0; cut <= strlen(texts[i]); cut++) {
			int64_t result;
			char *out;

			if (print_at(texts[i], cut, &out, &result) != -USHER_E_SYNTAX)
				fail_msg("accepted: %s", texts[i]);
			free(out);
		}
	}
}

static void test_printer_closed(void **state)
{
	struct ctl_printer p;
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(full);
	(void)setvbuf(full, NULL, _IONBF, 0);
	ctl_printer_init(&p, full);
	assert_int_equal(p.sink.take(&p.sink, "{\"result\": 0}", 13), -EPIPE);
	(void)fclose(full);
}

static void test_collector_limit(void **state)
{
	struct ctl_collector c;

	(void)state;
	ctl_collector_init(&c, 5);
	assert_int_equal(c.sink.take(&c.sink, "abc", 3), 0);
	assert_int_equal(c.sink.take(&c.sink, "def", 3), -EMSGSIZE);
	assert_int_equal(c.sink.take(&c.sink, "de", 2), 0);
	assert_string_equal(c.text.p, "abcde");
	ctl_collector_fini(&c);
}

/* --- requests --------------------------------------------------------------------------------- */

static void test_request(void **state)
{
	struct ctl_session s = {.program = CTL_SERVER, .url = "http://h"};
	struct arena a;
	struct json *args;
	struct buf b;

	(void)state;
	arena_init(&a);
	buf_init(&b);
	args = json_map(&a);
	(void)json_add(&a, args, "n", json_int(&a, 1));
	ctl_session_request(&s, "x\"y", args, &b);
	assert_string_equal(b.p, "{\"command\": \"x\\\"y\", \"service\": [\"dhcp4\"], "
				 "\"arguments\": {\"n\":1}}");
	buf_reset(&b);
	s.program = CTL_GATE;
	ctl_session_request(&s, "x", NULL, &b);
	assert_string_equal(b.p, "{\"command\": \"x\"}");
	buf_fini(&b);
	arena_fini(&a);
}

/* Texts of the network do not reach the terminal as orders. */
static void test_terminal_orders(void **state)
{
	static const char *const answers[] = {
		"{\"result\": 0, \"text\": \"a\\u001b[2J\\u009bK\"}",
		"{\"result\": 0, \"arguments\": {\"leases\": [{\"ip-address\": \"10.0.0.1\", \"hostname\": \"\\u001b]0;x\\u0007\"}]}}",
		"{\"result\": 0, \"arguments\": {\"traces\": [\"query option 12 host-name: \\u001b[8m\"]}}",
		"{\"result\": 0, \"arguments\": {\"name\": \"\\u007f\\u001bc\"}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct config_error err;
		struct arena a;
		struct json *v;
		char *text;
		size_t n;
		FILE *out = open_memstream(&text, &n);

		arena_init(&a);
		assert_int_equal(json_parse(span_str(answers[i]), &(struct json_opts){.file = ""},
					    &a, &v, &err),
				 0);
		ctl_print("x", v, out);
		assert_int_equal(fclose(out), 0);
		assert_true(n > 2);
		for (size_t k = 0; k < n; k++)
			assert_true((unsigned char)text[k] >= ' ' || text[k] == '\n');
		assert_null(strstr(text, "\xc2\x9b"));
		assert_null(strchr(text, 0x7f));
		free(text);
		arena_fini(&a);
	}
}

static void test_busy_seconds(void **state)
{
	static const char text[] = "# TYPE usher_worker_busy_seconds_total counter\n"
				   "usher_worker_busy_seconds_total{worker=\"0\"} 1.500000000\n"
				   "usher_worker_busy_seconds_total{worker=\"12\"} 2\n";

	(void)state;
	assert_int_equal((int)(top_busy_seconds(text, 0) * 1000), 1500);
	assert_int_equal((int)(top_busy_seconds(text, 12) * 1000), 2000);
	assert_int_equal((int)top_busy_seconds(text, 1), -1);
	assert_int_equal((int)top_busy_seconds(NULL, 0), -1);
}

/* --- frames and progress ---------------------------------------------------------------------- */

static void test_frame(void **state)
{
	struct ctl_frame f;
	char *text;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	(void)state;
	ctl_frame_init(&f);
	ctl_frame_print(&f, out);
	ctl_frame_heading(&f, "title");
	ctl_frame_line(&f, "%s", "");
	ctl_frame_line(&f, "a\033[2Jb\nc\177\303\244");
	ctl_frame_print(&f, out);
	(void)fflush(out);
	assert_string_equal(text, "title\n\na?[2Jb?c???\n");
	rewind(out);
	ctl_frame_draw(&f, 2, 3, out);
	(void)fclose(out);
	assert_string_equal(text, "\033[H\033[1mtit\033[0m\033[K\r\n\033[K\033[J");
	free(text);
	ctl_frame_fini(&f);
}

static void test_progress_text(void **state)
{
	char text[CTL_PROGRESS_TEXT];

	(void)state;
	ctl_progress_text(12345678, 3 * NS_PER_S, text);
	assert_string_equal(text, "12.3 MB, 4.1 MB/s");
	ctl_progress_text(999, 2 * NS_PER_S, text);
	assert_string_equal(text, "999 B, 500 B/s");
	ctl_progress_text(512000000, NS_PER_S, text);
	assert_string_equal(text, "512 MB, 512 MB/s");
	ctl_progress_text(5, 0, text);
	assert_string_equal(text, "5 B, 0 B/s");
}

static void test_bar_text(void **state)
{
	struct ctl_bar b = {.done = 250000, .total = 1000000};
	char text[CTL_BAR_TEXT];

	(void)state;
	ctl_bar_text(&b, 5 * NS_PER_S, text);
	assert_string_equal(text,
			    "[######                  ]  25 %, 250,000 of 1,000,000, 50,000/s, "
			    "15 s left");
	b.done = 1000100; /* the total was an estimate */
	ctl_bar_text(&b, 10 * NS_PER_S, text);
	assert_string_equal(text,
			    "[########################] 100 %, 1,000,100 of 1,000,000, 100,010/s, "
			    "0 s left");
	b = (struct ctl_bar){.done = 12};
	ctl_bar_text(&b, 0, text);
	assert_string_equal(text, "12, 0/s");
	b = (struct ctl_bar){.total = UINT64_MAX, .done = UINT64_MAX};
	ctl_bar_text(&b, 1, text);
	assert_true(strlen(text) < sizeof(text));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_args),
		cmocka_unit_test(test_args_refused),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_printer),
		cmocka_unit_test(test_printer_refuses),
		cmocka_unit_test(test_printer_closed),
		cmocka_unit_test(test_collector_limit),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_terminal_orders),
		cmocka_unit_test(test_busy_seconds),
		cmocka_unit_test(test_frame),
		cmocka_unit_test(test_progress_text),
		cmocka_unit_test(test_bar_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
