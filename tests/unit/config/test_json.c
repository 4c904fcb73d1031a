/* SPDX-License-Identifier: MPL-2.0 */
/*
 * JSON: accepted texts, places of errors, includes, and that writing and reading agree.
 */
#include "unit/unit.h"

#include "base/error.h"
#include "base/sha256.h"
#include "config/json/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int parse(const char *text, bool dialect, struct arena *a, struct json **ret,
		 struct config_error *e)
{
	struct json_opts o = {.file = "t", .dialect = dialect};

	return json_parse(span_str(text), &o, a, ret, e);
}

static void expect_text(const char *in, const char *out)
{
	struct config_error e;
	struct arena a;
	struct json *v;
	struct buf b;

	arena_init(&a);
	buf_init(&b);
	assert_int_equal(parse(in, true, &a, &v, &e), 0);
	json_write(v, false, &b);
	assert_string_equal(b.p, out);
	buf_fini(&b);
	arena_fini(&a);
}

static void expect_error(const char *in, int result, unsigned line, unsigned col,
			 const char *fragment)
{
	struct config_error e;
	struct arena a;
	struct json *v;

	arena_init(&a);
	assert_int_equal(parse(in, false, &a, &v, &e), result);
	assert_int_equal(e.pos.line, line);
	assert_int_equal(e.pos.col, col);
	assert_string_equal(e.file, "t");
	assert_non_null(strstr(e.text, fragment));
	arena_fini(&a);
}

static void test_values(void **state)
{
	(void)state;
	expect_text(" [ 1, -2, 1.5, 1e3, true, false, null, \"x\", {}, [] ] ",
		    "[1,-2,1.5,1000.0,true,false,null,\"x\",{},[]]");
	expect_text("9223372036854775807", "9223372036854775807");
	expect_text("-9223372036854775808", "-9223372036854775808");
	expect_text("0.1", "0.1");
	expect_text("\"\\u00e4\\ud83d\\ude00\\n\\u0001\\/\"",
		    "\"\xc3\xa4\xf0\x9f\x98\x80\\n\\u0001/\"");
	expect_text("{\"a\":{\"b\":[1,2]}}", "{\"a\":{\"b\":[1,2]}}");
}

static void test_dialect(void **state)
{
	(void)state;
	expect_text("# x\n{ // y\n /* z\n */ \"a\" : [ 1 , ] , }", "{\"a\":[1]}");
}

static void test_errors(void **state)
{
	(void)state;
	expect_error("", -USHER_E_SYNTAX, 1, 1, "the end of the text, expected a value");
	expect_error("{\n  \"a\": tru }", -USHER_E_SYNTAX, 2, 8, "found 'tru', expected a value");
	expect_error("[1,]", -USHER_E_SYNTAX, 1, 4, "expected a value");
	expect_error("[1 2]", -USHER_E_SYNTAX, 1, 4, "expected ',' or ']'");
	expect_error("9223372036854775808", -USHER_E_SYNTAX, 1, 1, "64 bits");
	expect_error("-9223372036854775809", -USHER_E_SYNTAX, 1, 1, "64 bits");
	expect_error("1e999", -USHER_E_SYNTAX, 1, 1, "out of range");
	expect_error("\"\xff\"", -USHER_E_SYNTAX, 1, 2, "UTF-8");
	expect_error("\"\xc0\x80\"", -USHER_E_SYNTAX, 1, 2, "UTF-8");
	expect_error("\"\xed\xa0\x80\"", -USHER_E_SYNTAX, 1, 2, "UTF-8");
	expect_error("\"\\udc00\"", -USHER_E_SYNTAX, 1, 3, "second half");
	expect_error("{\"a\\u0000\":1}", -USHER_E_SYNTAX, 1, 5, "\\u0000");
	expect_error("[\"a\\u0000b\"]", -USHER_E_SYNTAX, 1, 5, "\\u0000");
	expect_error("# no\n1", -USHER_E_SYNTAX, 1, 1, "found '#'");
	expect_error("{\"a\":1,\n \"a\":2}", -USHER_E_EXISTS, 2, 2, "first given at t:1:2");
	expect_error("1 2", -USHER_E_SYNTAX, 1, 3, "expected the end of the text");
}

static void test_many_keys(void **state)
{
	struct config_error e;
	struct arena a;
	struct json *v;
	struct buf b;

	(void)state;
	arena_init(&a);
	buf_init(&b);
	buf_char(&b, '{');
	for (int i = 0; i < 100000; i++)
		buf_printf(&b, "\"k%d\":0,", i);
	buf_str(&b, "\"k77\":1}");
	assert_int_equal(parse(b.p, false, &a, &v, &e), -USHER_E_EXISTS);
	assert_non_null(strstr(e.text, "'k77'"));
	buf_fini(&b);
	arena_fini(&a);
}

static void test_depth(void **state)
{
	struct config_error e;
	struct arena a;
	struct json *v;
	char text[200];

	(void)state;
	memset(text, '[', sizeof(text));
	text[64] = '\0';
	memset(text + 64, ']', 64);
	text[128] = '\0';
	arena_init(&a);
	assert_int_equal(parse(text, false, &a, &v, &e), 0);
	memset(text, '[', 65);
	assert_int_equal(parse(text, false, &a, &v, &e), -USHER_E_DEPTH);
	assert_int_equal(e.pos.col, 65);
	arena_fini(&a);
}

static void put_file(const char *dir, const char *name, const char *text)
{
	char path[200];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void test_include(void **state)
{
	static const char *const names[] = {"main.json", "members.inc", "value.inc", "loop.json"};
	struct json_opts o = {.dialect = true};
	char dir[] = "/tmp/usher-json-XXXXXX";
	struct config_error e;
	struct arena a;
	struct json *v;
	char path[200];
	struct buf b;

	(void)state;
	assert_non_null(mkdtemp(dir));
	put_file(
		dir, "main.json",
		"{ \"x\": 1,\n<?include \"members.inc\"?>\n, \"l\": [ 0, <?include \"value.inc\"?> ] }");
	put_file(dir, "members.inc", "\"y\": 2, # two\n\"z\": <?include \"value.inc\"?>");
	put_file(dir, "value.inc", "{ \"v\": 3 }\n");
	put_file(dir, "loop.json", "[ <?include \"loop.json\"?> ]");
	arena_init(&a);
	buf_init(&b);
	(void)snprintf(path, sizeof(path), "%s/main.json", dir);
	assert_int_equal(json_parse_file(path, &o, &a, &v, &e), 0);
	json_write(v, false, &b);
	assert_string_equal(b.p, "{\"x\":1,\"y\":2,\"z\":{\"v\":3},\"l\":[0,{\"v\":3}]}");
	assert_non_null(strstr(json_get(json_get(v, "z"), "v")->pos.file, "value.inc"));
	assert_int_equal(json_get(v, "z")->key_pos.line, 2);
	(void)snprintf(path, sizeof(path), "%s/loop.json", dir);
	assert_int_equal(json_parse_file(path, &o, &a, &v, &e), -USHER_E_SYNTAX);
	assert_non_null(strstr(e.text, "from within itself"));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(dir);
	buf_fini(&b);
	arena_fini(&a);
}

static void test_builders(void **state)
{
	struct arena a;
	struct json *m;
	struct buf b;
	int64_t i;
	bool t;

	(void)state;
	arena_init(&a);
	buf_init(&b);
	m = json_map(&a);
	(void)json_add(&a, m, "i", json_int(&a, 7));
	(void)json_add(&a, m, "b", json_bool(&a, true));
	(void)json_add(&a, m, "s", json_printf(&a, "%d-%s", 1, "x"));
	(void)json_add(&a, json_add(&a, m, "l", json_list(&a)), NULL, json_real(&a, 2));
	json_write(json_copy(&a, m), true, &b);
	assert_string_equal(
		b.p,
		"{\n  \"i\": 7,\n  \"b\": true,\n  \"s\": \"1-x\",\n  \"l\": [\n    2.0\n  ]\n}");
	buf_reset(&b);
	(void)json_add(&a, m, "none", json_map(&a));
	json_write_spaced(m, &b);
	assert_string_equal(
		b.p, "{ \"i\": 7, \"b\": true, \"s\": \"1-x\", \"l\": [ 2.0 ], \"none\": {} }");
	assert_true(json_get_int(m, "i", &i) && i == 7);
	assert_true(json_get_bool(m, "b", &t) && t);
	assert_string_equal(json_get_str(m, "s"), "1-x");
	assert_null(json_add(&a, m, "n", NULL));
	assert_null(json_get(m, "n"));
	buf_fini(&b);
	arena_fini(&a);
}

/* FIPS 180-4's example and the empty input. */
static void test_sha256(void **state)
{
	char hex[65];

	(void)state;
	sha256_hex(span_str("abc"), hex);
	assert_string_equal(hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256_hex(SPAN_NULL, hex);
	assert_string_equal(hex,
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256_hex(span_str("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), hex);
	assert_string_equal(hex,
			    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),	 cmocka_unit_test(test_dialect),
		cmocka_unit_test(test_errors),	 cmocka_unit_test(test_many_keys),
		cmocka_unit_test(test_depth),	 cmocka_unit_test(test_include),
		cmocka_unit_test(test_builders), cmocka_unit_test(test_sha256),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
