/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The text of metrics in both forms, alone and inside of JSON; buckets; the choice by an Accept
 * header; counts of requests.
 */
#include "unit/unit.h"

#include "base/buckets.h"
#include "base/buf.h"
#include "base/clock.h"
#include "config/json/json.h"
#include "control/metrics.h"
#include "control/plane_count.h"

#include <stdio.h>
#include <stdlib.h>

static const struct metrics_family packets = {"usher_packets_total", METRICS_COUNTER, "",
					      "Packets, \"all\"\nof them \\ here."};
static const struct metrics_family uptime = {"usher_up_seconds", METRICS_GAUGE, "seconds", "Age."};
static const struct metrics_family waits = {"usher_wait_seconds", METRICS_HISTOGRAM, "seconds",
					    "Waits."};
static const struct metrics_family rows = {"usher_rows", METRICS_HISTOGRAM, "", "Rows."};

static struct buf out, labels;
static struct metrics m;

static void begin(enum metrics_form form, bool in_json)
{
	buf_init(&out);
	buf_init(&labels);
	m = (struct metrics){.out = &out, .form = form, .in_json = in_json};
}

static void assert_text(const char *want)
{
	metrics_end(&m);
	assert_false(out.failed);
	assert_string_equal(out.p, want);
	buf_fini(&out);
	buf_fini(&labels);
}

static struct span label(const char *name, const char *value)
{
	metrics_label(&m, &labels, name, value);
	return span_of(labels.p, labels.len);
}

/* --- Families and samples --------------------------------------------------------------------- */

static void test_text(void **state)
{
	(void)state;
	begin(METRICS_TEXT, false);
	metrics_begin(&m, &packets);
	metrics_value(&m, SPAN_NULL, 0);
	(void)label("reason", "too-long");
	metrics_value(&m, label("worker", "1"), UINT64_MAX);
	metrics_begin(&m, &uptime);
	metrics_seconds(&m, SPAN_NULL, 1500000000);
	assert_int_equal(m.samples, 3);
	assert_text("# HELP usher_packets_total Packets, \"all\"\\nof them \\\\ here.\n"
		    "# TYPE usher_packets_total counter\n"
		    "usher_packets_total 0\n"
		    "usher_packets_total{reason=\"too-long\",worker=\"1\"} 18446744073709551615\n"
		    "# HELP usher_up_seconds Age.\n"
		    "# TYPE usher_up_seconds gauge\n"
		    "usher_up_seconds 1.5\n");
}

static void test_openmetrics(void **state)
{
	(void)state;
	begin(METRICS_OPENMETRICS, false);
	metrics_begin(&m, &packets);
	metrics_labelled(&m, "reason", "x", 7);
	metrics_begin(&m, &uptime);
	metrics_seconds(&m, SPAN_NULL, -1);
	assert_text("# HELP usher_packets Packets, \\\"all\\\"\\nof them \\\\ here.\n"
		    "# TYPE usher_packets counter\n"
		    "usher_packets_total{reason=\"x\"} 7\n"
		    "# HELP usher_up_seconds Age.\n"
		    "# TYPE usher_up_seconds gauge\n"
		    "# UNIT usher_up_seconds seconds\n"
		    "usher_up_seconds -0.000000001\n"
		    "# EOF\n");
}

static void test_decimals(void **state)
{
	static const struct {
		int64_t ns;
		const char *want;
	} times[] = {
		{0, "usher_up_seconds 0\n"},
		{1, "usher_up_seconds 0.000000001\n"},
		{999999999, "usher_up_seconds 0.999999999\n"},
		{1000000000, "usher_up_seconds 1\n"},
		{1700000000123000000, "usher_up_seconds 1700000000.123\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		begin(METRICS_TEXT, false);
		metrics_begin(&m, &uptime);
		buf_reset(&out);
		metrics_seconds(&m, SPAN_NULL, times[i].ns);
		assert_text(times[i].want);
	}
	begin(METRICS_TEXT, false);
	metrics_begin(&m, &uptime);
	buf_reset(&out);
	metrics_ratio(&m, SPAN_NULL, 0, 0);
	metrics_ratio(&m, SPAN_NULL, 1, 3);
	metrics_ratio(&m, SPAN_NULL, 5, 5);
	metrics_ratio(&m, SPAN_NULL, UINT64_MAX - 1, UINT64_MAX);
	assert_text("usher_up_seconds 0\n"
		    "usher_up_seconds 0.333333\n"
		    "usher_up_seconds 1\n"
		    "usher_up_seconds 0.999999\n");
}

static void test_labels_are_escaped(void **state)
{
	(void)state;
	begin(METRICS_TEXT, false);
	metrics_begin(&m, &packets);
	buf_reset(&out);
	metrics_value(&m, label("n", "a\"b\\c\nd\te\177f\303\244\360\237\220\202"), 1);
	/* an octet alone, an overlong form, a surrogate, a cut sequence */
	buf_reset(&labels);
	metrics_value(&m, label("n", "\200|\300\257|\355\240\200|\343\201"), 2);
	assert_text("usher_packets_total{n=\"a\\\"b\\\\c\\nd?e?f\303\244\360\237\220\202\"} 1\n"
		    "usher_packets_total{n=\"?|??|???|??\"} 2\n");
}

/* The text inside of a JSON answer, once it is parsed, is that which is written alone. */
static void write_all(void)
{
	static const struct buckets_shape shape = {.first = 25000, .n = 3};
	struct buckets_sum sum = {.n = {1, 0, 2, 3}, .sum = 1234567890};

	metrics_begin(&m, &packets);
	metrics_labelled(&m, "name", "back\\slash \"quoted\"\nline", 5);
	metrics_begin(&m, &waits);
	buf_reset(&labels);
	metrics_histogram(&m, label("type", "of\"fer"), &shape, &sum, true);
	metrics_process(&m, 1700000000 * NS_PER_S);
	metrics_end(&m);
}

static void compare_json(enum metrics_form form)
{
	struct json_opts o = {.file = ""};
	struct config_error err;
	struct json *answer;
	struct arena a;
	char *alone;
	const char *inside, *cut;

	begin(form, false);
	write_all();
	alone = buf_take(&out);
	buf_fini(&labels);
	begin(form, true);
	metrics_answer_begin(&m);
	write_all();
	metrics_answer_end(&m);
	arena_init(&a);
	assert_int_equal(json_parse(span_of(out.p, out.len), &o, &a, &answer, &err), 0);
	assert_int_equal(json_get(answer, "result")->i, 0);
	inside = json_get_str(json_get(answer, "arguments"), "metrics");
	/* the values of the process are others by then */
	cut = strstr(inside, "process_cpu_seconds_total ");
	assert_non_null(cut);
	assert_memory_equal(inside, alone, (size_t)(cut - inside));
	assert_string_equal(json_get_str(json_get(answer, "arguments"), "format"),
			    form == METRICS_OPENMETRICS ? "openmetrics" : "text");
	free(alone);
	arena_fini(&a);
	buf_fini(&out);
	buf_fini(&labels);
}

static void test_inside_json(void **state)
{
	(void)state;
	compare_json(METRICS_TEXT);
	compare_json(METRICS_OPENMETRICS);
}

static void test_process(void **state)
{
	unsigned long long resident = 0;
	const char *at;

	(void)state;
	begin(METRICS_TEXT, false);
	metrics_process(&m, 1700000000 * NS_PER_S);
	at = strstr(out.p, "\nprocess_resident_memory_bytes ");
	assert_non_null(at);
	assert_int_equal(sscanf(strchr(at, ' '), " %llu", &resident), 1);
	assert_true(resident > 4096);
	assert_non_null(strstr(out.p, "process_start_time_seconds 1700000000\n"));
	at = strstr(out.p, "\nprocess_open_fds ");
	assert_non_null(at);
	assert_true(strtoul(strchr(at, ' '), NULL, 10) >= 3);
	buf_fini(&out);
	buf_fini(&labels);
}

/* --- Buckets ---------------------------------------------------------------------------------- */

static void test_buckets(void **state)
{
	static const struct buckets_shape s = {.first = 25, .n = 4}; /* 25 50 100 200 */
	static const struct {
		uint64_t v;
		unsigned bucket;
	} values[] = {{0, 0},	{1, 0},	  {25, 0},  {26, 1},  {50, 1},	      {51, 2},
		      {100, 2}, {101, 3}, {200, 3}, {201, 4}, {UINT64_MAX, 4}};
	static const struct buckets_shape ones = {.first = 1, .n = 3}; /* 1 2 4 */
	struct buckets b = {0};
	struct buckets_sum sum = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		assert_int_equal(buckets_find(&s, values[i].v), values[i].bucket);
	for (unsigned v = 0; v <= 5; v++)
		buckets_add(&b, &ones, v);
	buckets_read(&b, &sum);
	buckets_read(&b, &sum);
	assert_int_equal(sum.n[0], 4);
	assert_int_equal(sum.n[1], 2);
	assert_int_equal(sum.n[2], 4);
	assert_int_equal(sum.n[3], 2);
	assert_int_equal(sum.sum, 30);
}

static void test_histogram(void **state)
{
	static const struct buckets_shape shape = {.first = 500000000, .n = 2}, ones = {1, 2};
	struct buckets_sum sum = {.n = {1, 2, 4}, .sum = 2500000000};

	(void)state;
	begin(METRICS_OPENMETRICS, false);
	metrics_begin(&m, &waits);
	metrics_histogram(&m, label("type", "ack"), &shape, &sum, true);
	metrics_begin(&m, &rows);
	metrics_histogram(&m, SPAN_NULL, &ones, &sum, false);
	assert_text("# HELP usher_wait_seconds Waits.\n"
		    "# TYPE usher_wait_seconds histogram\n"
		    "# UNIT usher_wait_seconds seconds\n"
		    "usher_wait_seconds_bucket{type=\"ack\",le=\"0.5\"} 1\n"
		    "usher_wait_seconds_bucket{type=\"ack\",le=\"1.0\"} 3\n"
		    "usher_wait_seconds_bucket{type=\"ack\",le=\"+Inf\"} 7\n"
		    "usher_wait_seconds_sum{type=\"ack\"} 2.5\n"
		    "usher_wait_seconds_count{type=\"ack\"} 7\n"
		    "# HELP usher_rows Rows.\n"
		    "# TYPE usher_rows histogram\n"
		    "usher_rows_bucket{le=\"1.0\"} 1\n"
		    "usher_rows_bucket{le=\"2.0\"} 3\n"
		    "usher_rows_bucket{le=\"+Inf\"} 7\n"
		    "usher_rows_sum 2500000000\n"
		    "usher_rows_count 7\n"
		    "# EOF\n");
}

/* --- Forms ------------------------------------------------------------------------------------ */

static void test_accept(void **state)
{
	static const struct {
		const char *accept;
		enum metrics_form want;
	} rows_of[] = {
		{NULL, METRICS_TEXT},
		{"", METRICS_TEXT},
		{"*/*", METRICS_TEXT},
		{"text/html, application/xhtml+xml, */*;q=0.8", METRICS_TEXT},
		{"application/openmetrics-text", METRICS_OPENMETRICS},
		{"Application/OpenMetrics-Text ; Version = 1.0.0", METRICS_OPENMETRICS},
		{"application/openmetrics-text;version=0.0.1", METRICS_TEXT},
		{"application/openmetrics-text;version=1.0.0;q=0", METRICS_TEXT},
		{"application/openmetrics-text;q=0.5,text/plain;q=0.5", METRICS_TEXT},
		{"application/openmetrics-text;q=0.5,text/plain;q=0.499", METRICS_OPENMETRICS},
		{"application/openmetrics-text;q=0.499,text/plain;version=0.0.4;q=0.5",
		 METRICS_TEXT},
		/* Prometheus 2.45 and 3.0 */
		{"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		 METRICS_OPENMETRICS},
		{"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,/;q=0.1",
		 METRICS_OPENMETRICS},
		/* not to be read */
		{";;,;q=,=;,", METRICS_TEXT},
		{"application/openmetrics-text;q=x", METRICS_TEXT},
		{"text/plain;x=\"a,application/openmetrics-text\"", METRICS_TEXT},
		{"text/plain;x=\"never closed, application/openmetrics-text", METRICS_TEXT},
	};
	enum metrics_form form;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows_of); i++)
		assert_int_equal(metrics_form_of(rows_of[i].accept), rows_of[i].want);
	assert_true(metrics_form_parse(NULL, &form) && form == METRICS_TEXT);
	assert_true(metrics_form_parse("openmetrics", &form) && form == METRICS_OPENMETRICS);
	assert_true(metrics_form_parse("text", &form) && form == METRICS_TEXT);
	assert_false(metrics_form_parse("xml", &form));
	assert_string_equal(metrics_content_type(METRICS_TEXT),
			    "text/plain; version=0.0.4; charset=utf-8");
	assert_string_equal(metrics_content_type(METRICS_OPENMETRICS),
			    "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

/* --- Counts of requests ----------------------------------------------------------------------- */

static void list_count(void *ctx, const char *command, const char *transport, unsigned result,
		       uint64_t n)
{
	buf_printf(ctx, "%s %s %u: %llu\n", command, transport, result, (unsigned long long)n);
}

static void test_request_counts(void **state)
{
	struct control_counts c = {0};
	struct buckets_sum sum = {0};

	(void)state;
	control_count(&c, "status-get", "unix", 0, 10);
	control_count(&c, "config-get", "https", 0, 40000);
	control_count(&c, "status-get", "unix", 0, -5);
	control_count(&c, "status-get", "http", 1, 1);
	control_count(&c, "", "unix", 2, 1);
	control_count(&c, "status-get", "http", 99, 1); /* counts as an error */
	control_count(&c, "status-get", "pigeon", 0, 1);
	buf_init(&out);
	control_counts_each(&c, list_count, &out);
	assert_string_equal(out.p, " unix 2: 1\n"
				   "config-get https 0: 1\n"
				   "status-get unix 0: 2\n"
				   "status-get http 1: 2\n");
	buckets_read(&c.seconds, &sum);
	assert_int_equal(sum.n[0], 6);
	assert_int_equal(sum.n[1], 1);
	buf_fini(&out);
	control_counts_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),	    cmocka_unit_test(test_openmetrics),
		cmocka_unit_test(test_decimals),    cmocka_unit_test(test_labels_are_escaped),
		cmocka_unit_test(test_inside_json), cmocka_unit_test(test_process),
		cmocka_unit_test(test_buckets),	    cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_accept),	    cmocka_unit_test(test_request_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
