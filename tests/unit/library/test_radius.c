/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The signatures of RADIUS against the example of RFC 2865 7.1 and against changes of each octet;
 * the codec; dictionaries; sessions and their file.
 */
#include "unit/unit.h"

#include "config/json/json.h"
#include "library/radius/radius_dictionary.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/file/file_text.h"
#include "config/config.h"
#include "library/radius/radius_session.h"
#include "library/radius/radius_sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint8_t request[] = {0x01, 0x00, 0x00, 0x38, 0x0f, 0x40, 0x3f, 0x94, 0x73, 0x97,
				  0x80, 0x57, 0xbd, 0x83, 0xd5, 0xcb, 0x98, 0xf4, 0x22, 0x7a,
				  0x01, 0x06, 0x6e, 0x65, 0x6d, 0x6f, 0x02, 0x12, 0x0d, 0xbe,
				  0x70, 0x8d, 0x93, 0xd4, 0x13, 0xce, 0x31, 0x96, 0xe4, 0x3f,
				  0x78, 0x2a, 0x0a, 0xee, 0x04, 0x06, 0xc0, 0xa8, 0x01, 0x10,
				  0x05, 0x06, 0x00, 0x00, 0x00, 0x03};
static const uint8_t accept_msg[] = {0x02, 0x00, 0x00, 0x26, 0x86, 0xfe, 0x22, 0x0e, 0x76, 0x24,
				     0xba, 0x2a, 0x10, 0x05, 0xf6, 0xbf, 0x9b, 0x55, 0xe0, 0xb2,
				     0x06, 0x06, 0x00, 0x00, 0x00, 0x01, 0x0f, 0x06, 0x00, 0x00,
				     0x00, 0x00, 0x0e, 0x06, 0xc0, 0xa8, 0x01, 0x03};

static struct span secret_of_example(void)
{
	return span_str("xyzzy5461");
}

static bool verify(const uint8_t *p, size_t n, bool need_mac)
{
	struct radius_msg m;

	return radius_read(span_of(p, n), &m) &&
	       radius_verify(&m, span_of(request, sizeof(request)), secret_of_example(), need_mac);
}

static void test_example(void **state)
{
	uint8_t copy[sizeof(accept_msg)], out[64];
	struct wr w = wr_init(out, sizeof(out));
	struct radius_msg m;
	struct span v;

	(void)state;
	assert_true(verify(accept_msg, sizeof(accept_msg), false));
	assert_false(verify(accept_msg, sizeof(accept_msg), true));
	for (size_t i = 0; i < sizeof(copy); i++) {
		memcpy(copy, accept_msg, sizeof(copy));
		copy[i] ^= 1;
		assert_false(verify(copy, sizeof(copy), false));
	}
	radius_begin(&w, RADIUS_ACCESS_REQUEST, 0);
	memcpy(out + RADIUS_AUTH_OFF, request + RADIUS_AUTH_OFF, RADIUS_AUTH_LEN);
	radius_add(&w, RADIUS_USER_NAME, span_str("nemo"));
	assert_true(radius_add_password(&w, span_str("arctangent"), secret_of_example()));
	radius_add_be32(&w, RADIUS_NAS_IP_ADDRESS, 0xc0a80110);
	radius_add_be32(&w, RADIUS_NAS_PORT, 3);
	assert_true(radius_end(&w));
	assert_int_equal(w.len, sizeof(request));
	assert_memory_equal(out, request, sizeof(request));
	assert_true(radius_read(span_of(out, w.len), &m));
	assert_true(radius_find(&m, RADIUS_NAS_PORT, &v) && v.n == 4 && v.p[3] == 3);
	assert_false(radius_find(&m, RADIUS_CLASS, &v));
}

static void test_repeated(void **state)
{
	uint8_t out[64];
	struct wr w = wr_init(out, sizeof(out));
	struct radius_msg m;
	struct span v;

	(void)state;
	radius_begin(&w, RADIUS_ACCESS_ACCEPT, 0);
	radius_add(&w, RADIUS_FRAMED_POOL, span_str("first"));
	radius_add(&w, RADIUS_FRAMED_POOL, span_str("last"));
	radius_add_be32(&w, RADIUS_FRAMED_IP_ADDRESS, 1);
	assert_true(radius_end(&w) && radius_read(span_of(out, w.len), &m));
	assert_true(radius_find(&m, RADIUS_FRAMED_POOL, &v) && span_eq(v, span_str("last")));
}

static void test_limits(void **state)
{
	static uint8_t big[RADIUS_LEN_MAX + 100], long_value[256];
	struct wr w = wr_init(big, sizeof(big));
	struct radius_msg m;

	(void)state;
	radius_begin(&w, RADIUS_ACCOUNTING_REQUEST, 1);
	radius_add(&w, 1, span_of(long_value, RADIUS_VALUE_MAX));
	assert_true(radius_end(&w) && radius_read(span_of(big, w.len), &m));
	radius_add(&w, 1, span_of(long_value, RADIUS_VALUE_MAX + 1));
	assert_false(radius_end(&w));
	w = wr_init(big, sizeof(big));
	radius_begin(&w, RADIUS_ACCOUNTING_REQUEST, 1);
	radius_add_vendor(&w, 9, 1, span_of(long_value, RADIUS_VENDOR_VALUE_MAX));
	assert_true(radius_end(&w));
	radius_add_vendor(&w, 9, 1, span_of(long_value, RADIUS_VENDOR_VALUE_MAX + 1));
	assert_false(radius_end(&w));
	w = wr_init(big, sizeof(big));
	radius_begin(&w, RADIUS_ACCOUNTING_REQUEST, 1);
	while (w.len <= RADIUS_LEN_MAX)
		radius_add(&w, 1, span_of(long_value, 100));
	assert_false(radius_end(&w));
}

/* --- dictionaries ----------------------------------------------------------------------------- */

static int read_text(const char *text, struct arena *a, struct radius_dictionary *d,
		     struct config_error *err)
{
	char path[] = "/tmp/usher-radius-XXXXXX";
	int fd = mkstemp(path), r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
	r = radius_dictionary_read(path, a, d, err);
	(void)unlink(path);
	return r;
}

static void refuse_text(const char *text, unsigned line)
{
	struct radius_dictionary d = {0};
	struct config_error err = {0};
	struct arena a;

	arena_init(&a);
	assert_true(read_text(text, &a, &d, &err) < 0);
	assert_int_equal(err.pos.line, line);
	arena_fini(&a);
}

static void test_dictionary(void **state)
{
	struct radius_dictionary d = {0};
	struct config_error err = {0};
	const struct radius_name *n;
	struct arena a;

	(void)state;
	arena_init(&a);
	assert_int_equal(radius_name_find(&d, 0, "Framed-Pool", 0)->type, RADIUS_FRAMED_POOL);
	assert_null(radius_name_find(&d, 0, NULL, 0));
	assert_null(radius_name_find(&d, 0, "Framed-Pool", 1));
	assert_int_equal(radius_vendor_find(&d, "311"), 311);
	assert_int_equal(radius_vendor_find(&d, "X"), 0);
	assert_int_equal(read_text("# c\n\nATTRIBUTE Own 0x50\tinteger # more\nVALUE Own A 1\n"
				   "VENDOR X 9\nBEGIN-VENDOR X\nATTRIBUTE X-A 1 ipaddr\n"
				   "END-VENDOR X\nATTRIBUTE Big 300 string",
				   &a, &d, &err),
			 0);
	n = radius_name_find(&d, 0, "Own", 0);
	assert_true(n && n->type == 0x50 && n->kind == RADIUS_INTEGER);
	assert_ptr_equal(radius_name_find(&d, 0, NULL, 0x50), n);
	n = radius_name_find(&d, 9, "X-A", 0);
	assert_true(n && n->kind == RADIUS_IPV4);
	assert_null(radius_name_find(&d, 0, "X-A", 0));
	assert_null(radius_name_find(&d, 0, "Big", 0));
	assert_int_equal(radius_vendor_find(&d, "X"), 9);
	arena_fini(&a);
	refuse_text("\nATTRIBUTE A 1", 2);
	refuse_text("VALUE Service-Type A", 1);
	refuse_text("VALUE Service-Type A 4294967296", 1);
	refuse_text("\n$INCLUDE /nonexistent/x\n", 2);
	refuse_text("ATTRIBUTE A x string", 1);
	refuse_text("VENDOR A", 1);
	refuse_text("\n\nBEGIN-VENDOR A", 3);
	refuse_text("VENDOR A 1\nBEGIN-VENDOR A\n", 2);
}

/* Returns the value of an attribute's name, or fallback. */
static uint32_t find_value(const struct radius_dictionary *d, const char *attribute,
			   const char *name, uint32_t fallback)
{
	const struct radius_name *of = radius_name_find(d, 0, attribute, 0);
	uint32_t v = fallback;

	assert_non_null(of);
	(void)radius_value_find(d, of, name, &v);
	return v;
}

static void test_values(void **state)
{
	struct radius_dictionary d = {0};
	struct config_error err = {0};
	const struct radius_name *n;
	uint32_t v = 0;
	struct arena a;

	(void)state;
	arena_init(&a);
	assert_string_equal(radius_name_find(&d, 0, NULL, 2)->name, "User-Password");
	assert_int_equal(radius_name_find(&d, 0, "Password", 0)->type, 2);
	assert_int_equal(radius_name_find(&d, 0, "Tunnel-Private-Group-ID", 0)->type, 81);
	assert_int_equal(find_value(&d, "Service-Type", "Framed-User", 99), 2);
	assert_int_equal(find_value(&d, "Tunnel-Type", "VLAN", 99), 13);
	assert_int_equal(find_value(&d, "Service-Type", "Nothing", 99), 99);
	assert_int_equal(read_text("VALUE Service-Type Framed-User 20\nVALUE Service-Type X -1\n"
				   "VALUE None A 1\nVALUE User-Name A 1\nVENDOR V 9\n"
				   "BEGIN-VENDOR V\nATTRIBUTE V-I 6 integer\nVALUE V-I B 0x10\n"
				   "END-VENDOR V\n",
				   &a, &d, &err),
			 0);
	assert_int_equal(find_value(&d, "Service-Type", "Framed-User", 99), 20);
	assert_int_equal(find_value(&d, "Service-Type", "Login-User", 99), 1);
	assert_int_equal(find_value(&d, "Service-Type", "X", 99), UINT32_MAX);
	n = radius_name_find(&d, 9, "V-I", 0);
	assert_true(n && radius_value_find(&d, n, "B", &v) && v == 16);
	assert_false(radius_value_find(&d, n, "Framed-User", &v));
	arena_fini(&a);
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* A file is found beside the file that includes it; a mistake has the place in the included file,
 * and a file that includes itself is refused. */
static void test_include(void **state)
{
	char dir[] = "/tmp/usher-radius-XXXXXX", first[64], second[64];
	struct radius_dictionary d = {0};
	struct config_error err = {0};
	struct arena a;

	(void)state;
	arena_init(&a);
	assert_non_null(mkdtemp(dir));
	(void)snprintf(first, sizeof(first), "%s/first", dir);
	(void)snprintf(second, sizeof(second), "%s/second", dir);
	write_text(first, "$INCLUDE second\nATTRIBUTE B 201 string\n");
	write_text(second, "ATTRIBUTE A 200 string\n");
	assert_int_equal(radius_dictionary_read(first, &a, &d, &err), 0);
	assert_int_equal(radius_name_find(&d, 0, "A", 0)->type, 200);
	assert_int_equal(radius_name_find(&d, 0, "B", 0)->type, 201);
	write_text(second, "\n\nATTRIBUTE A\n");
	assert_int_equal(radius_dictionary_read(first, &a, &d, &err), -USHER_E_SYNTAX);
	assert_int_equal(err.pos.line, 3);
	assert_string_equal(err.file, second);
	write_text(second, "$INCLUDE first\n");
	assert_int_equal(radius_dictionary_read(first, &a, &d, &err), -USHER_E_SYNTAX);
	assert_non_null(strstr(err.text, "nested"));
	(void)unlink(first);
	(void)unlink(second);
	(void)rmdir(dir);
	arena_fini(&a);
}

/* --- sessions --------------------------------------------------------------------------------- */

static void test_sessions(void **state)
{
	static const char lines[] = "address,seconds,milliseconds\n10.0.0.1,5,7\n10.0.0.2,6,0\n"
				    "10.0.0.2,0,0\n10.0.0.9,12";
	char path[] = "/tmp/usher-radius-XXXXXX", line[64];
	int fd = mkstemp(path);
	struct radius_sessions *s = NULL, *again = NULL;
	struct config_error err = {0};
	bool known;
	FILE *f;

	(void)state;
	assert_int_equal(write(fd, lines, strlen(lines)), (ssize_t)strlen(lines));
	(void)close(fd);
	assert_int_equal(radius_sessions_new(path, NULL, &s, &err), 0);
	assert_int_equal(radius_session(s, 0x0a000001, false, 99, &known), 5007);
	assert_true(known);
	assert_int_equal(radius_session(s, 0x0a000002, false, 8001, &known), 8001);
	assert_false(known);
	assert_int_equal(radius_session(s, 0x0a000001, true, 9002, &known), 9002);
	radius_session_end(s, 0x0a000002);
	radius_sessions_flush(s);
	radius_sessions_unref(radius_sessions_ref(s));
	radius_sessions_unref(s);
	assert_int_equal(radius_sessions_new(path, NULL, &again, &err), 0);
	assert_int_equal(radius_session(again, 0x0a000001, false, 1, &known), 9002);
	(void)radius_session(again, 0x0a000002, false, 1, &known);
	assert_false(known);
	radius_sessions_unref(again);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	assert_string_equal(line, "address,seconds,milliseconds\n");
	assert_non_null(fgets(line, sizeof(line), f));
	assert_string_equal(line, "10.0.0.1,9,2\n");
	assert_null(fgets(line, sizeof(line), f));
	(void)fclose(f);
	(void)unlink(path);
	assert_true(radius_sessions_new("/nonexistent/x", NULL, &s, &err) < 0);
	assert_string_equal(err.text, "/nonexistent/x: No such file or directory");
}

/* A file that is another one, or damaged, is refused with its place and stays as it is. */
static void test_foreign_sessions(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
	} files[] = {
		{"address,hwaddr,client_id\n10.0.0.1,02:00:00:00:00:01,01\n", 1},
		{"address,seconds,milliseconds", 1},
		{"address,seconds,milliseconds\n10.0.0.1,5,7\nx\n10.0.0.2,6,0\n", 3},
		{"address,seconds,milliseconds\n10.0.0.1,5,7,8\n", 2},
		{"address,seconds,milliseconds\n10.0.0.1,5,1000\n", 2},
		{"address,seconds,milliseconds\n10.0.0.1,-5,0\n", 2},
		{"address,seconds,milliseconds\n10.0.0.1,99999999999999999999,0\n", 2},
		{"address,seconds,milliseconds\n\n", 2},
		{"[]\n", 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char path[] = "/tmp/usher-radius-XXXXXX";
		size_t n = strlen(files[i].text);
		struct radius_sessions *s = NULL;
		struct config_error err = {0};
		int fd = mkstemp(path);
		struct buf b;

		assert_int_equal(write(fd, files[i].text, n), (ssize_t)n);
		(void)close(fd);
		assert_int_equal(radius_sessions_new(path, NULL, &s, &err), -USHER_E_HOOK);
		assert_int_equal(err.pos.line, files[i].line);
		assert_string_equal(err.file, path);
		buf_init(&b);
		assert_int_equal(file_read_text(path, 1000, &b), 0);
		assert_string_equal(b.p, files[i].text);
		buf_fini(&b);
		(void)unlink(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example),		 cmocka_unit_test(test_limits),
		cmocka_unit_test(test_dictionary),	 cmocka_unit_test(test_values),
		cmocka_unit_test(test_include),		 cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_foreign_sessions), cmocka_unit_test(test_repeated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
