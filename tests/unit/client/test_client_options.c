/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The command line of usher-client: accepted options, refused ones, and the reasons.
 */
#include "unit/unit.h"

#include "base/attr.h"
#include "base/error.h"
#include "client/core/options.h"

#include <stdio.h>
#include <string.h>

enum { ARGS_MAX = 16 };

static struct client_opts o;
static char err[400];

/* The words of line, split at blanks. */
static int parse(const char *line)
{
	static char copy[2000];
	char *argv[ARGS_MAX] = {copy};
	char *save = NULL;
	int argc = 1;

	(void)snprintf(copy, sizeof(copy), "%s", line);
	for (char *w = strtok_r(copy, " ", &save); w && argc < ARGS_MAX;
	     w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	err[0] = '\0';
	return client_opts_parse(argc, argv, &o, err, sizeof(err));
}

static int parse_one(const char *option, const char *value)
{
	char name[40];
	char copy[600];
	char *argv[] = {name, name, copy};

	(void)snprintf(name, sizeof(name), "%s", option);
	(void)snprintf(copy, sizeof(copy), "%s", value);
	return client_opts_parse(3, argv, &o, err, sizeof(err));
}

static void test_defaults(void **state)
{
	(void)state;
	assert_int_equal(parse(""), 0);
	assert_string_equal(o.iface, "eth0");
	assert_int_equal(o.probe, CLIENT_PROBE_FAST);
	assert_int_equal(o.id_form, CLIENT_ID_MAC);
	assert_int_equal(o.timeout_s, 10);
	assert_true(o.n_prl > 5 && memchr(o.prl, 121, o.n_prl) < memchr(o.prl, 3, o.n_prl));
	assert_false(o.foreground || o.background || o.now || o.quit || o.help);
}

static void test_letters(void **state)
{
	(void)state;
	assert_int_equal(parse("-i wlan0 -fnq -p /run/x.pid -r 192.0.2.7 -H one -h one"), 0);
	assert_string_equal(o.iface, "wlan0");
	assert_true(o.foreground && o.now && o.quit && !o.background);
	assert_int_equal(o.request_address, 0xc0000207);
	assert_string_equal(o.hostname, "one");
	assert_int_equal(parse("-ieth7 -b"), 0);
	assert_string_equal(o.iface, "eth7");
	assert_int_equal(parse("-fieth8"), 0);
	assert_string_equal(o.iface, "eth8");
}

static void test_words(void **state)
{
	(void)state;
	assert_int_equal(
		parse("--interface=eth1 --probe rfc5227 --broadcast=always --timeout 3 --default-mask=24 --json "
		      "--script=/s --state-dir /d --socket /k --inform"),
		0);
	assert_int_equal(o.probe, CLIENT_PROBE_RFC5227);
	assert_int_equal(o.broadcast, CLIENT_BROADCAST_ALWAYS);
	assert_int_equal(o.timeout_s, 3);
	assert_int_equal(o.default_mask, 0xffffff00);
	assert_int_equal(parse("--no-probe"), 0);
	assert_int_equal(o.probe, CLIENT_PROBE_OFF);
	assert_int_equal(parse("--help"), 0);
	assert_true(o.help);
	assert_int_equal(parse("--halp --nonsense"), 0);
	assert_true(o.help);
}

static void test_client_id(void **state)
{
	(void)state;
	assert_int_equal(parse("-c 01:aa:bb:cc:dd:ee:0f"), 0);
	assert_int_equal(o.id_form, CLIENT_ID_GIVEN);
	assert_int_equal(o.client_id_len, 7);
	assert_memory_equal(o.client_id, "\x01\xaa\xbb\xcc\xdd\xee\x0f", 7);
	assert_int_equal(parse("-c laptop"), 0);
	assert_int_equal(o.client_id_len, 7);
	assert_memory_equal(o.client_id, "\0laptop", 7);
	assert_int_equal(parse("-c none"), 0);
	assert_int_equal(o.id_form, CLIENT_ID_NONE);
	assert_int_equal(parse("-c mac"), 0);
	assert_int_equal(o.id_form, CLIENT_ID_MAC);
	assert_int_equal(parse("-c 01:aa:b"), 0); /* no octets: text */
	assert_int_equal(o.client_id[0], 0);
}

static void test_lists(void **state)
{
	(void)state;
	assert_int_equal(parse("--request-options=1,routers,6,6"), 0);
	assert_int_equal(o.n_prl, 3);
	assert_memory_equal(o.prl, "\x01\x03\x06", 3);
	assert_int_equal(parse("--request-options=+v6-only-preferred"), 0);
	assert_int_equal(o.prl[o.n_prl - 1], 108);
	assert_int_equal(parse("--fqdn=host.example.org."), 0);
	assert_int_equal(o.fqdn_len, 18);
	assert_memory_equal(o.fqdn, "\4host\7example\3org", 18);
	assert_int_equal(parse("--vendor-class=a --user-class=b"), 0);
	assert_int_equal(o.vendor_class_len, 1);
	assert_int_equal(o.user_class[0], 'b');
}

static void test_refused(void **state)
{
	static const struct {
		const char *line;
		int result;
		const char *reason;
	} rows[] = {
		{"-x", -USHER_E_UNKNOWN, "no such option: -x"},
		{"--interfac=eth0", -USHER_E_UNKNOWN, "no such option: --interfac=eth0"},
		{"eth0", -USHER_E_UNKNOWN, "unexpected argument: eth0"},
		{"--", -USHER_E_UNKNOWN, "unexpected argument: --"},
		{"-", -USHER_E_UNKNOWN, "unexpected argument: -"},
		{"-i", -USHER_E_SYNTAX, "--interface: IFACE is missing"},
		{"--json=1", -USHER_E_SYNTAX, "--json: expected no value, got \"1\""},
		{"-i 0123456789abcdef", -USHER_E_SYNTAX,
		 "--interface: expected the name of an interface"},
		{"-i ../x", -USHER_E_SYNTAX, "--interface"},
		{"-i ..", -USHER_E_SYNTAX, "--interface"},
		{"-i a:b", -USHER_E_SYNTAX, "--interface"},
		{"-r 192.0.2", -USHER_E_SYNTAX,
		 "--request: expected an address such as 192.0.2.7, got \"192.0.2\""},
		{"-r 256.0.0.1", -USHER_E_SYNTAX, "--request"},
		{"-r 0.0.0.0", -USHER_E_RANGE,
		 "--request: expected an address that a host may have"},
		{"-r 127.0.0.1", -USHER_E_RANGE, "--request"},
		{"-r 224.0.0.1", -USHER_E_RANGE, "--request"},
		{"-r 255.255.255.255", -USHER_E_RANGE, "--request"},
		{"-H -x", -USHER_E_SYNTAX, "--host-name: expected letters"},
		{"-H a..b", -USHER_E_SYNTAX, "--host-name"},
		{"-H a-", -USHER_E_SYNTAX, "--host-name"},
		{"-H a;b", -USHER_E_SYNTAX, "--host-name"},
		{"-H a -h b", -USHER_E_EXISTS, "--hostname: expected one host name"},
		{"--probe=quick", -USHER_E_SYNTAX,
		 "--probe: expected fast|rfc5227|off, got \"quick\""},
		{"--broadcast=yes", -USHER_E_SYNTAX, "--broadcast: expected auto|always|never"},
		{"--timeout=0", -USHER_E_RANGE, "--timeout: expected seconds from 1 to 86400"},
		{"--timeout=-1", -USHER_E_SYNTAX, "--timeout"},
		{"--timeout=99999999999999999999", -USHER_E_RANGE, "--timeout"},
		{"--default-mask=33", -USHER_E_RANGE, "--default-mask"},
		{"--default-mask=255.0.0.0", -USHER_E_SYNTAX, "--default-mask"},
		{"--request-options=0", -USHER_E_SYNTAX, "--request-options"},
		{"--request-options=255", -USHER_E_SYNTAX, "--request-options"},
		{"--request-options=1,,2", -USHER_E_SYNTAX, "--request-options"},
		{"--request-options=nonsense", -USHER_E_SYNTAX, "--request-options"},
		{"--fqdn=host", -USHER_E_SYNTAX, "--fqdn: expected a name of at least two labels"},
		{"--fqdn=.", -USHER_E_SYNTAX, "--fqdn"},
		{"-nb", -USHER_E_EXISTS, "-n and -b exclude each other"},
		{"-fb", -USHER_E_EXISTS, "-f and -b exclude each other"},
		{"--release --keep-address", -USHER_E_EXISTS, "--release and --keep-address"},
		{"--release --keep-lease", -USHER_E_EXISTS,
		 "--release and --keep-address or --keep-lease"},
		{"--inform -r 192.0.2.7", -USHER_E_EXISTS, "--inform takes"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(parse(rows[i].line), rows[i].result);
		if (strncmp(err, rows[i].reason, strlen(rows[i].reason)) != 0)
			fail_msg("%s: %s", rows[i].line, err);
	}
}

/* CVE-2026-10805 and its kind: nothing of the command line gets into a file or a script
 * unchecked. */
static void test_hostile_values(void **state)
{
	static const char *const bad[] = {"", "a\nb", "a\"b", "a\x01", "\xc3\xa9", "a b\x7f"};
	static const char *const options[] = {"-H", "--vendor-class", "--user-class", "-c",
					      "-i", "--fqdn"};
	char longest[400];

	(void)state;
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (size_t k = 0; k < ARRAY_LEN(options); k++) {
		for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
			/* a quote is an ordinary character of a class or an identifier */
			if (strchr(bad[i], '"') && (k == 1 || k == 2 || k == 3 || k == 4))
				continue;
			assert_true(parse_one(options[k], bad[i]) < 0);
			assert_true(err[0]);
		}
		assert_true(parse_one(options[k], longest) < 0);
	}
	assert_int_equal(parse_one("-p", ""), -USHER_E_SYNTAX);
}

static void test_help(void **state)
{
	char line[200];
	size_t n = 0;

	(void)state;
	for (; client_opts_help_line(n, line, sizeof(line)); n++)
		assert_true(strstr(line, "--") && strlen(line) < 150);
	assert_true(n > 25);
}

static bool keep_lease;

static int manifest(const char *text, uint32_t *ret)
{
	return client_opts_manifest(span_str(text), "m.json", ret, &keep_lease, err, sizeof(err));
}

static void test_manifest(void **state)
{
	uint32_t a = 1;

	(void)state;
	assert_int_equal(manifest("{\"default_ip\": \"192.0.2.9\", \"x\": 1}", &a), 0);
	assert_int_equal(a, 0xc0000209);
	assert_int_equal(manifest("{}", &a), 0);
	assert_int_equal(a, 0);
	assert_false(keep_lease);
	assert_int_equal(manifest("{\"keep_lease\": true}", &a), 0);
	assert_true(keep_lease);
	assert_int_equal(manifest("{\"keep_lease\": 1}", &a), -USHER_E_TYPE);
	assert_string_equal(err, "m.json:1:16: keep_lease: expected true or false, got an integer");
	assert_int_equal(manifest("{\"default_ip\": 7}", &a), -USHER_E_TYPE);
	assert_string_equal(
		err, "m.json:1:16: default_ip: expected an address in quotes, got an integer");
	assert_int_equal(manifest("{\"default_ip\": \"10.0.0\"}", &a), -USHER_E_RANGE);
	assert_int_equal(manifest("{\"default_ip\": \"239.1.1.1\"}", &a), -USHER_E_RANGE);
	assert_int_equal(manifest("[]", &a), -USHER_E_TYPE);
	assert_int_equal(manifest("{", &a), -USHER_E_SYNTAX);
	assert_true(strncmp(err, "m.json:1:", 9) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),       cmocka_unit_test(test_letters),
		cmocka_unit_test(test_words),	       cmocka_unit_test(test_client_id),
		cmocka_unit_test(test_lists),	       cmocka_unit_test(test_refused),
		cmocka_unit_test(test_hostile_values), cmocka_unit_test(test_help),
		cmocka_unit_test(test_manifest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
