/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Roles of rbac: their choice by each method, every kind of access list, the order of the lists,
 * the catalogue of commands and the files of one, and the places of mistakes.
 */
#include "unit/unit.h"

#include "base/attr.h"
#include "config/json/json.h"
#include "library/common/library.h"
#include "library/rbac/rbac.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The parameters of a library under test. */
struct reading {
	struct rbac rbac;
	struct arena text;
	struct json_pos at;
	struct config_error first;
	size_t n;
};

static void keep_problem(void *reading, const struct config_error *e)
{
	struct reading *r = reading;

	if (r->n++ == 0)
		r->first = *e;
}

static void read_parameters(struct reading *r, const char *text)
{
	const struct json_opts opts = {.file = "f", .dialect = true};
	struct library_problems p = {.library = "l", .at = &r->at, .fn = keep_problem, .ctx = r};
	struct config_error err = {0};
	struct json *m = NULL;

	memset(r, 0, sizeof(*r));
	r->at = (struct json_pos){.file = "f", .line = 99, .col = 1};
	arena_init(&r->rbac.arena);
	arena_init(&r->text);
	if (text && json_parse(span_str(text), &opts, &r->text, &m, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	rbac_read(&p, m, &r->rbac);
	/* the record has copies */
	arena_fini(&r->text);
	arena_init(&r->text);
}

static void drop_parameters(struct reading *r)
{
	arena_fini(&r->rbac.arena);
	arena_fini(&r->text);
}

/* Reads parameters without mistakes. */
static void read_good(struct reading *r, const char *text)
{
	read_parameters(r, text);
	if (r->n)
		fail_msg("%u:%u %s: %s", r->first.pos.line, r->first.pos.col, r->first.text, text);
}

/* --- lists ------------------------------------------------------------------------------------ */

/* Returns whether a list, as `accept-commands` of the role r, has a command. */
static bool list_has(const char *list, const char *command, int access)
{
	struct reading r;
	char text[1024];
	bool ok;

	(void)snprintf(
		text, sizeof(text),
		"{\"assign-role-method\": \"remote-address\",\n"
		"\"commands\": [{\"name\": \"x-get\", \"access\": \"read\", \"hook\": \"x\"}],"
		"\"access-control-lists\": [{\"mine\": {\"commands\": [\"status-get\"]}},"
		" {\"more\": {\"or\": [\"mine\", {\"hook\": \"x\"}]}}],"
		"\"roles\": [{\"name\": \"r\", \"accept-commands\": %s}]}",
		list);
	read_good(&r, text);
	assert_string_equal(r.rbac.roles->name, "r");
	ok = rbac_accepts(&r.rbac, r.rbac.roles, command, access);
	drop_parameters(&r);
	return ok;
}

static void test_lists(void **state)
{
	static const struct {
		const char *list, *has, *lacks;
	} rows[] = {
		{"\"ALL\"", "config-set", NULL},
		{"\"ALL\"", "make-coffee", NULL},
		{"\"NONE\"", NULL, "status-get"},
		{"\"READ\"", "config-get", "config-set"},
		{"\"WRITE\"", "config-set", "config-get"},
		{"\"READ\"", "lease6-get", "make-coffee"},
		{"\"WRITE\"", "subnet6-add", "make-coffee"},
		{"\"mine\"", "status-get", "config-get"},
		{"\"more\"", "status-get", "config-get"},
		{"\"more\"", "x-get", "config-get"},
		{"{\"not\": \"READ\"}", "config-set", "x-get"},
		{"{\"not\": {\"not\": \"READ\"}}", "x-get", "config-set"},
		{"{\"and\": [\"READ\", {\"not\": {\"commands\": [\"config-get\"]}}]}", "status-get",
		 "config-get"},
		{"{\"and\": []}", "config-set", NULL},
		{"{\"or\": [\"mine\", {\"command\": [\"config-get\"]}]}", "config-get",
		 "version-get"},
		{"{\"or\": []}", NULL, "config-get"},
		{"{\"commands\": [\"config-get\", \"x-get\"]}", "x-get", "status-get"},
		{"{\"commands\": []}", NULL, "status-get"},
		{"{\"access\": \"read\"}", "x-get", "shutdown"},
		{"{\"access\": \"write\"}", "shutdown", "x-get"},
		{"{\"hook\": \"subnet_cmds\"}", "network4-add", "class-add"},
		{"{\"hook\": \"x\"}", "x-get", "config-get"},
		{"{\"hook\": \"\"}", "metrics-get", "lease4-get"},
		{"{\"comment\": \"c\", \"hook\": \"cb_cmds\"}", "remote-option4-pool-set",
		 "shutdown"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].has && !list_has(rows[i].list, rows[i].has, -1))
			fail_msg("%s lacks %s", rows[i].list, rows[i].has);
		if (rows[i].lacks && list_has(rows[i].list, rows[i].lacks, -1))
			fail_msg("%s has %s", rows[i].list, rows[i].lacks);
	}
	/* a command that a script added has the access of its row, and no hook */
	assert_true(list_has("\"READ\"", "lua-get", CONTROL_READ));
	assert_false(list_has("\"READ\"", "lua-set", CONTROL_WRITE));
	assert_false(list_has("{\"hook\": \"\"}", "lua-get", CONTROL_READ));
	/* the description counts, not the row */
	assert_false(list_has("\"READ\"", "config-set", CONTROL_READ));
}

/* --- roles ------------------------------------------------------------------------------------ */

/* Returns whether a role, a map, accepts a command. */
static bool role_accepts(const char *role, const char *command)
{
	struct reading r;
	char text[512];
	bool ok;

	(void)snprintf(text, sizeof(text),
		       "{\"assign-role-method\": \"custom-value\", \"default-role\": %s}", role);
	read_good(&r, text);
	ok = rbac_accepts(&r.rbac, &r.rbac.nobody, command, -1);
	drop_parameters(&r);
	return ok;
}

#define BOTH "\"accept-commands\": \"READ\", \"reject-commands\": {\"commands\": [\"config-get\"]}"

static void test_roles(void **state)
{
	static const struct {
		const char *role;
		bool config_get, status_get, config_set;
	} rows[] = {
		{"{}", false, false, false},
		{"{\"other-commands\": \"reject\"}", false, false, false},
		{"{\"other-commands\": \"accept\", \"comment\": \"c\"}", true, true, true},
		{"{" BOTH "}", true, true, false},
		{"{" BOTH ", \"list-match-first\": \"accept\"}", true, true, false},
		{"{" BOTH ", \"list-match-first\": \"reject\"}", false, true, false},
		{"{" BOTH ", \"list-match-first\": \"reject\", \"other-commands\": \"accept\"}",
		 false, true, true},
		{"{\"reject-commands\": \"READ\"}", false, false, false},
		{"{\"reject-commands\": \"READ\", \"other-commands\": \"accept\"}", false, false,
		 true},
		{"{\"accept-commands\": \"ALL\", \"reject-commands\": \"ALL\"}", true, true, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (role_accepts(rows[i].role, "config-get") != rows[i].config_get ||
		    role_accepts(rows[i].role, "status-get") != rows[i].status_get ||
		    role_accepts(rows[i].role, "config-set") != rows[i].config_set)
			fail_msg("%s", rows[i].role);
}

static void test_methods(void **state)
{
	static const struct control_requester all = {.transport = "https",
						     .user = "u",
						     .address = "192.0.2.1",
						     .cert_subject = "s",
						     .cert_issuer = "i"};
	static const struct control_requester none = {.transport = "http", .address = "192.0.2.2"};
	static const struct {
		const char *method, *of_all, *of_none;
		bool tls;
	} rows[] = {
		{"remote-address", "192.0.2.1", "unknown", false},
		{"cert-subject", "s", "default", true},
		{"cert-issuer", "i", "default", true},
		{"basic-authentication", "u", "default", false},
		{"custom-value", "default", "default", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reading r;
		char text[512];

		(void)snprintf(text, sizeof(text),
			       "{\"assign-role-method\": \"%s\", \"roles\": [{\"name\": \"u\"}, "
			       "{\"name\": \"s\"}, {\"name\": \"i\"}, {\"name\": \"192.0.2.1\"}]}",
			       rows[i].method);
		read_good(&r, text);
		assert_string_equal(rbac_role_of(&r.rbac, &all)->name, rows[i].of_all);
		assert_string_equal(rbac_role_of(&r.rbac, &none)->name, rows[i].of_none);
		assert_int_equal(r.rbac.require_tls, rows[i].tls);
		/* neither default-role nor unknown-role is configured */
		assert_false(rbac_accepts(&r.rbac, &r.rbac.nobody, "status-get", -1));
		assert_false(rbac_accepts(&r.rbac, &r.rbac.unknown, "status-get", -1));
		drop_parameters(&r);
	}
}

static void test_settings(void **state)
{
	struct reading r;

	(void)state;
	read_good(&r, "{\"assign-role-method\": \"cert-subject\", \"require-tls\": false,"
		      "\"unknown-role\": {\"accept-commands\": \"READ\","
		      " \"response-filters\": [\"list-commands\"]}, \"comment\": \"c\"}");
	assert_false(r.rbac.require_tls);
	assert_true(r.rbac.unknown.filters_list && !r.rbac.nobody.filters_list);
	drop_parameters(&r);
	read_good(&r, "{\"assign-role-method\": \"remote-address\", \"require-tls\": true}");
	assert_true(r.rbac.require_tls);
	drop_parameters(&r);
}

/* --- mistakes --------------------------------------------------------------------------------- */

#define METHOD "{\"assign-role-method\": \"remote-address\",\n"

static void test_mistakes(void **state)
{
	static const struct {
		const char *text;
		unsigned line, col;
		const char *reason;
	} rows[] = {
		{NULL, 99, 1, "it needs 'assign-role-method'"},
		{"{}", 1, 1, "it needs 'assign-role-method'"},
		{"{\"assign-role-method\": 1}", 1, 24, "must be a string"},
		{"{\"assign-role-method\": \"foobar\"}", 1, 24, "must be remote-address"},
		{METHOD "\"bad\": 1}", 2, 1, "bad"},
		{METHOD "\"require-tls\": 0}", 2, 16, "true or false"},
		{METHOD "\"api-files\": false}", 2, 14, "must be a string"},
		{METHOD "\"api-files\": \"/dev/null\"}", 2, 14, "cannot be read"},
		{METHOD "\"commands\": {}}", 2, 13, "must be a list"},
		{METHOD "\"commands\": [1]}", 2, 14, "a command is a map"},
		{METHOD "\"commands\": [{\"name\": \"x\"}]}", 2, 14, "a command is a map"},
		{METHOD "\"commands\": [{\"name\": \"\", \"access\": \"read\"}]}", 2, 14, "map"},
		{METHOD "\"commands\": [{\"name\": \"x\", \"access\": \"both\"}]}", 2, 14, "map"},
		{METHOD "\"commands\": [{\"name\": \"x\", \"access\": \"read\", \"y\": 1}]}", 2, 46,
		 "y"},
		{METHOD "\"access-control-lists\": {}}", 2, 25, "must be a list"},
		{METHOD "\"access-control-lists\": [\"a\"]}", 2, 26, "map of one member"},
		{METHOD "\"access-control-lists\": [{\"a\": \"ALL\", \"b\": \"ALL\"}]}", 2, 26,
		 "map of one member"},
		{METHOD "\"access-control-lists\": [{\"\": \"ALL\"}]}", 2, 26, "map of one member"},
		{METHOD "\"access-control-lists\": [{\"ALL\": \"NONE\"}]}", 2, 27,
		 "defined already"},
		{METHOD "\"access-control-lists\": [{\"a\": \"b\"}, {\"b\": \"ALL\"}]}", 2, 32,
		 "'b' is no access list"},
		{METHOD "\"roles\": {}}", 2, 10, "must be a list"},
		{METHOD "\"roles\": [\"foo\"]}", 2, 11, "must be a map"},
		{METHOD "\"roles\": [{}]}", 2, 11, "must have a 'name'"},
		{METHOD "\"roles\": [{\"name\": \"\"}]}", 2, 11, "must have a 'name'"},
		{METHOD "\"roles\": [{\"name\": \"a\"}, {\"name\": \"a\"}]}", 2, 26,
		 "'a' is defined already"},
		{METHOD "\"roles\": [{\"name\": \"a\", \"z\": 1}]}", 2, 25, "'z'"},
		{METHOD "\"roles\": [{\"name\": 1}]}", 2, 20, "another type"},
		{METHOD "\"default-role\": []}", 2, 17, "must be a map"},
		{METHOD "\"default-role\": {\"name\": \"a\"}}", 2, 18, "'name'"},
		{METHOD "\"default-role\": {\"other-commands\": \"pass\"}}", 2, 36, "accept"},
		{METHOD "\"default-role\": {\"list-match-first\": \"x\"}}", 2, 38, "accept"},
		{METHOD "\"default-role\": {\"response-filters\": [\"x\"]}}", 2, 39,
		 "response filter"},
		{METHOD "\"unknown-role\": false}", 2, 17, "must be a map"},
		{METHOD "\"unknown-role\": {\"accept-commands\": 1}}", 2, 37, "no access list"},
		{METHOD "\"unknown-role\": {\"accept-commands\": {}}}", 2, 37, "one member"},
		{METHOD "\"unknown-role\": {\"accept-commands\": {\"not\": \"ALL\", \"and\": []}}}",
		 2, 37, "one member"},
		{METHOD "\"unknown-role\": {\"accept-commands\": {\"xor\": []}}}", 2, 38, "'xor'"},
		{METHOD "\"unknown-role\": {\"accept-commands\": {\"or\": {}}}}", 2, 44, "list"},
		{METHOD "\"unknown-role\": {\"accept-commands\": {\"access\": \"all\"}}}", 2, 48,
		 "\"read\" or \"write\""},
		{METHOD "\"unknown-role\": {\"accept-commands\": {\"hook\": 1}}}", 2, 46, "hook"},
		{METHOD "\"unknown-role\": {\"accept-commands\": {\"hook\": \"nohook\"}}}", 2, 46,
		 "'nohook'"},
		{METHOD "\"unknown-role\": {\"reject-commands\": {\"commands\": \"a\"}}}", 2, 50,
		 "list of names"},
		{METHOD "\"unknown-role\": {\"reject-commands\": {\"commands\": [1]}}}", 2, 51,
		 "string"},
		{METHOD "\"unknown-role\": {\"reject-commands\": {\"commands\": [\"conf-get\"]}}}",
		 2, 51, "unknown command 'conf-get'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reading r;

		read_parameters(&r, rows[i].text);
		if (!r.n || r.first.pos.line != rows[i].line || r.first.pos.col != rows[i].col ||
		    !strstr(r.first.text, rows[i].reason))
			fail_msg("%s: %u:%u %s", rows[i].text ? rows[i].text : "none",
				 r.first.pos.line, r.first.pos.col, r.first.text);
		drop_parameters(&r);
	}
}

/* --- the catalogue ---------------------------------------------------------------------------- */

static void test_catalogue_has_commands(void **state)
{
	static const struct {
		const char *name;
		enum control_access access;
		const char *hook;
	} rows[] = {
#define COMMAND(name, fn, access, ...) {(name), CONTROL_##access, NULL},
#include "server/manage/commands.def"
#undef COMMAND
#define CLASS_CMDS(name, fn, access, ...)  {(name), CONTROL_##access, "class_cmds"},
#define HOST_CMDS(name, fn, access, ...)   {(name), CONTROL_##access, "host_cmds"},
#define SUBNET_CMDS(name, fn, access, ...) {(name), CONTROL_##access, "subnet_cmds"},
#include "server/edit/edit_commands.def"
#define DHCP6_LEASE_CMDS(name, access)	{(name), CONTROL_##access, "lease_cmds"},
#define DHCP6_STAT_CMDS(name, access)	{(name), CONTROL_##access, "stat_cmds"},
#define DHCP6_SUBNET_CMDS(name, access) {(name), CONTROL_##access, "subnet_cmds"},
#include "server/edit/dhcp6_commands.def"
		{"extended-info4-upgrade", CONTROL_WRITE, "lease_query"},
		{"perfmon-control", CONTROL_WRITE, "perfmon"},
	};
	const struct rbac_catalogue c = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct rbac_command *k = rbac_find_command(&c, rows[i].name);
		/* Kea's description of config-test has another access than the server's row */
		bool other = strcmp(rows[i].name, "config-test") == 0;

		if (!k || (k->access != rows[i].access) != other)
			fail_msg("%s", rows[i].name);
		if (rows[i].hook)
			assert_string_equal(k->hook, rows[i].hook);
	}
	assert_null(rbac_find_command(&c, "make-coffee"));
}

static char dir[] = "/tmp/usher-rbac-XXXXXX";

static void write_file(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void remove_file(const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(unlink(path), 0);
}

/* Reads the directory, with more parameters. */
static void read_directory(struct reading *r, const char *more)
{
	char text[512];

	(void)snprintf(text, sizeof(text), METHOD "\"api-files\": \"%s\"%s}", dir, more);
	read_parameters(r, text);
}

static int access_of(const struct reading *r, const char *name)
{
	const struct rbac_command *c = rbac_find_command(&r->rbac.catalogue, name);

	return c ? (int)c->access : -1;
}

static void test_files(void **state)
{
	struct reading r;

	(void)state;
	read_directory(&r, "");
	assert_int_equal(r.n, 1);
	assert_non_null(strstr(r.first.text, "no file *.json"));
	drop_parameters(&r);
	write_file("dhcp-disable.json", "// a comment\n{\"name\": \"dhcp-disable\", \"access\": "
					"\"read\", \"brief\": [\"x\"]}\n");
	write_file("a-get.json", "{\"name\":\"a-get\",\"access\":\"read\",\"hook\":\"a_cmds\"}");
	write_file("_template.json", "not JSON");
	write_file("README", "not JSON");
	read_directory(&r, ", \"commands\": [{\"name\": \"a-get\", \"access\": \"write\"}]");
	assert_int_equal(r.n, 0);
	assert_null(r.rbac.catalogue.absent);
	assert_int_equal(access_of(&r, "dhcp-disable"), CONTROL_READ);
	assert_int_equal(access_of(&r, "a-get"), CONTROL_WRITE);
	/* a command of Kea's without a file is unknown; Kea has no files of the server's own */
	assert_int_equal(access_of(&r, "config-get"), -1);
	assert_int_equal(access_of(&r, "metrics-get"), CONTROL_READ);
	drop_parameters(&r);
	read_directory(&r, ", \"default-role\": {\"accept-commands\": \"READ\"}");
	assert_true(rbac_accepts(&r.rbac, &r.rbac.nobody, "dhcp-disable", CONTROL_WRITE));
	assert_false(rbac_accepts(&r.rbac, &r.rbac.nobody, "config-get", CONTROL_READ));
	drop_parameters(&r);
	read_directory(&r, ", \"default-role\": {\"accept-commands\": {\"hook\": \"a_cmds\"}}");
	assert_int_equal(r.n, 0);
	assert_true(rbac_accepts(&r.rbac, &r.rbac.nobody, "a-get", -1));
	drop_parameters(&r);
	/* names are checked against the files */
	read_directory(&r,
		       ", \"default-role\": {\"accept-commands\": {\"hook\": \"subnet_cmds\"}}");
	assert_int_equal(r.n, 1);
	drop_parameters(&r);
	read_directory(
		&r, ", \"default-role\": {\"accept-commands\": {\"commands\": [\"config-get\"]}}");
	assert_int_equal(r.n, 1);
	drop_parameters(&r);
	remove_file("dhcp-disable.json");
	remove_file("a-get.json");
}

static void test_bad_files(void **state)
{
	static const struct {
		const char *text, *reason;
	} rows[] = {{"", "b.json:"},
		    {"\n{\"name\": ", "b.json:2:"},
		    {"\n []", "b.json:2:2: a description"},
		    {"{\"name\": \"b\"}", "b.json:1:1: a description"},
		    {"{\"name\": \"b\", \"access\": \"both\"}", "b.json:1:1: a description"},
		    {"{\"name\": \"b\", \"access\": \"read\", \"hook\": 1}",
		     "b.json:1:1: a description"}};
	struct reading r;
	char path[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		write_file("b.json", rows[i].text);
		read_directory(&r, "");
		if (r.n != 1 || !strstr(r.first.text, rows[i].reason))
			fail_msg("%s: %s", rows[i].text, r.first.text);
		assert_int_equal(r.first.pos.line, 2);
		drop_parameters(&r);
	}
	remove_file("b.json");
	/* a FIFO does not block */
	(void)snprintf(path, sizeof(path), "%s/b.json", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	read_directory(&r, "");
	assert_int_equal(r.n, 1);
	drop_parameters(&r);
	remove_file("b.json");
}

static void test_absent_files(void **state)
{
	struct reading r;

	(void)state;
	read_good(&r, METHOD "\"api-files\": \"/nonexistent/share/kea/api\"}");
	assert_string_equal(r.rbac.catalogue.absent, "/nonexistent/share/kea/api");
	assert_int_equal(access_of(&r, "config-set"), CONTROL_WRITE);
	drop_parameters(&r);
	read_good(&r, METHOD "}");
	assert_null(r.rbac.catalogue.absent);
	assert_int_equal(access_of(&r, "config-set"), CONTROL_WRITE);
	drop_parameters(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_lists),
					   cmocka_unit_test(test_roles),
					   cmocka_unit_test(test_methods),
					   cmocka_unit_test(test_settings),
					   cmocka_unit_test(test_mistakes),
					   cmocka_unit_test(test_catalogue_has_commands),
					   cmocka_unit_test(test_files),
					   cmocka_unit_test(test_bad_files),
					   cmocka_unit_test(test_absent_files)};
	int r;

	if (!mkdtemp(dir))
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	(void)rmdir(dir);
	return r;
}
