/* SPDX-License-Identifier: MPL-2.0 */
/*
 * lease_cmds below the server: the places of mistakes in its parameters, and its callouts with
 * every status of a callout in front of it, with contexts of all kinds, and with failures.
 */
#include "unit/unit.h"

#include "base/attr.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/log_tail.h"
#include "config/config.h"
#include "hook/hook_lib.h"
#include "lease/lease.h"
#include "library/library_life.h"
#include "wire/option_codes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { CONFIG_REFS = 1000, ARENA_LEN = 65536 }; /* more references than registries give back */

/* --- mistakes --------------------------------------------------------------------------------- */

struct mistakes {
	struct config_error first;
	size_t n;
};

static void keep_problem(void *mistakes, const struct config_error *e)
{
	struct mistakes *m = mistakes;

	if (m->n++ == 0)
		m->first = *e;
}

static struct json *parse(struct arena *a, const char *text)
{
	const struct json_opts opts = {.file = "f"};
	struct config_error err = {0};
	struct json *v = NULL;

	if (text && json_parse(span_str(text), &opts, a, &v, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return v;
}

/* Checks parameters; returns the mistakes. */
static struct mistakes check_parameters(const char *text)
{
	struct config_hook_library h = {.library = "libdhcp_lease_cmds.so",
					.pos = {.file = "f", .line = 99, .col = 1}};
	struct mistakes m = {.n = 0};
	struct config cfg = {0};
	struct arena a;

	arena_init(&a);
	h.parameters = parse(&a, text);
	library_check(&cfg, &h, NULL, keep_problem, &m);
	arena_fini(&a);
	return m;
}

#define LIST "{ \"binding-variables\":\n [ "
#define GOOD "{\"name\":\"a\",\"expression\":\"'a'\",\"source\":\"query\"}"

static void test_mistakes(void **state)
{
	static const struct {
		const char *text;
		unsigned line, col;
		const char *reason;
		size_t n;
	} rows[] = {
		{"{ \"variables\": [] }", 1, 3, "unknown parameter 'variables'", 1},
		{"{ \"binding-variables\": {} }", 1, 24, "must be a list", 1},
		{"{ \"binding-variables\": \"a\" }", 1, 24, "must be a list", 1},
		{LIST "1 ] }", 2, 4, "must be a map", 1},
		{LIST GOOD ", \"a\" ] }", 2, 54, "must be a map", 1},
		{LIST "{} ] }", 2, 4, "needs 'name'", 3},
		{LIST "{\"name\":\"a\",\"source\":\"query\"} ] }", 2, 4, "needs 'expression'", 1},
		{LIST "{\"name\":\"a\",\"expression\":\"'a'\"} ] }", 2, 4, "needs 'source'", 1},
		{LIST "{\"name\":7,\"expression\":\"'a'\",\"source\":\"query\"} ] }", 2, 12,
		 "'name' must be a string", 1},
		{LIST "{\"name\":\"\",\"expression\":\"'a'\",\"source\":\"query\"} ] }", 2, 12,
		 "'name' must not be empty", 1},
		{LIST "{\"name\":\"a\",\"expression\":\"\",\"source\":\"query\"} ] }", 2, 29,
		 "'expression' must not be empty", 1},
		{LIST "{\"name\":\"a\",\"expression\":[],\"source\":\"query\"} ] }", 2, 29,
		 "'expression' must be a string", 1},
		{LIST "{\"name\":\"a\",\"expression\":\"'a\",\"source\":\"query\"} ] }", 2, 30, "",
		 1},
		{LIST "{\"name\":\"a\",\"expression\":\"pkt4.no\",\"source\":\"query\"} ] }", 2, 30,
		 "", 1},
		/* a condition is no text */
		{LIST
		 "{\"name\":\"a\",\"expression\":\"member('KNOWN')\",\"source\":\"query\"} ] }",
		 2, 30, "", 1},
		{LIST "{\"name\":\"a\",\"expression\":\"'a'\",\"source\":\"BOTH\"} ] }", 2, 44,
		 "\"query\" or \"response\"", 1},
		{LIST "{\"name\":\"a\",\"expression\":\"'a'\",\"source\":true} ] }", 2, 44,
		 "'source' must be a string", 1},
		{LIST
		 "{\"name\":\"a\",\"expression\":\"'a'\",\"source\":\"query\",\"comment\":\"\"} ] }",
		 2, 52,
		 "unknown parameter 'comment', the parameters are name, expression and source", 1},
		/* also where another variable has the name already; and every mistake counts */
		{LIST GOOD ",\n{\"name\":\"a\",\"expression\":\"no\",\"source\":\"x\"} ] }", 3, 40,
		 "\"query\" or \"response\"", 2},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mistakes m = check_parameters(rows[i].text);

		if (m.n != rows[i].n || m.first.pos.line != rows[i].line ||
		    m.first.pos.col != rows[i].col || !strstr(m.first.text, rows[i].reason))
			fail_msg("%s: %zu, %u:%u %s", rows[i].text, m.n, m.first.pos.line,
				 m.first.pos.col, m.first.text);
	}
	assert_int_equal(check_parameters(NULL).n, 0);
	assert_int_equal(check_parameters("{}").n, 0);
	assert_int_equal(check_parameters(LIST "] }").n, 0);
	assert_int_equal(check_parameters(LIST GOOD "," GOOD "] }").n, 0);
}

/* --- callouts --------------------------------------------------------------------------------- */

struct world {
	struct arena arena, text;
	uint8_t memory[ARENA_LEN];
	struct dhcp4_msg query, response;
	struct lease lease;
	struct config cfg;
	struct config_hook_library hooks[2];
	struct hook_registry *registry;
	struct virtual_clock clock;
	struct log *log;
	struct log_tail *tail;
	const char *stored; /* the context that the table has */
	enum usher_next_step front;
	int update;	  /* result of the next one */
	unsigned updates; /* so many were asked for */
};

static struct world w;

/* The callout in front of the library. */
static int set_status(usher_call *call, void *ctx)
{
	(void)ctx;
	usher_set_status(call, w.front);
	return 0;
}

static int load_front(struct usher_lib *lib, const struct hook_registry_opts *o,
		      const struct config_hook_library *conf, struct config_error *err)
{
	(void)o, (void)conf, (void)err;
	assert_int_equal(usher_register(lib, "leases4_committed", set_status, NULL), 0);
	return usher_register(lib, "lease4_offer", set_status, NULL);
}

static void unload_front(struct usher_lib *lib)
{
	(void)lib;
}

static const struct hook_builtin builtins[] =
	{{.name = "front", .load = load_front, .unload = unload_front},
	 {.name = "libdhcp_lease_cmds.so", .load = library_load, .unload = library_unload},
	 {0}};

static int stored_context(void *ctx, const struct lease *l, const char **ret)
{
	(void)ctx;
	assert_int_equal(l->addr, 0xc000020a);
	*ret = w.stored;
	return w.stored && strlen(w.stored) > LEASE_CONTEXT_MAX ? -ENOSPC : 0;
}

static int update_lease(void *ctx)
{
	(void)ctx;
	w.updates++;
	if (w.update == 0)
		w.stored = w.lease.user_context;
	return w.update;
}

static const struct hook_services services = {.stored_context = stored_context,
					      .update_lease = update_lease};

/* Begins a world with these parameters. */
static void begin_world(const char *parameters)
{
	struct hook_registry_opts o = {.cfg = &w.cfg, .builtins = builtins};
	struct config_error err = {0};

	memset(&w, 0, sizeof(w));
	arena_init(&w.text);
	arena_init_fixed(&w.arena, w.memory, sizeof(w.memory));
	dhcp4_init(&w.query, &w.arena);
	dhcp4_init(&w.response, &w.arena);
	w.lease.addr = 0xc000020a;
	w.hooks[0].library = "front";
	w.hooks[1] = (struct config_hook_library){.library = "libdhcp_lease_cmds.so",
						  .parameters = parse(&w.text, parameters)};
	w.cfg = (struct config){.refs = CONFIG_REFS, .hooks = w.hooks, .n_hooks = 2};
	virtual_clock_init(&w.clock, 0);
	w.log = log_new(&w.clock.src, "kea-dhcp4");
	w.tail = log_tail_new(16);
	log_set_tail(w.log, w.tail);
	o.log = w.log;
	if (hook_registry_new(&o, &w.registry, &err) < 0)
		fail_msg("%s", err.text);
}

static void end_world(void)
{
	hook_registry_unref(w.registry);
	log_set_tail(w.log, NULL);
	log_free(w.log);
	log_tail_free(w.tail);
	arena_fini(&w.text);
}

/* Calls the callouts of a point for an answer of this type (0: there is none). */
static void call_point(enum hook_point p, enum dhcp4_type type)
{
	struct usher_call c = {.point = p,
			       .query = &w.query,
			       .response = type ? &w.response : NULL,
			       .lease = &w.lease,
			       .arena = &w.arena,
			       .cfg = &w.cfg,
			       .offer_stored = true,
			       .services = &services,
			       .ctx = &w};

	w.lease.user_context = NULL;
	if (dhcp4_msg_type(&w.response) != type)
		assert_int_equal(dhcp4_opt_set_u8(&w.response, DHCP4_OPT_MESSAGE_TYPE,
						  (uint8_t)type),
				 0);
	(void)hook_call(w.registry, &c);
}

static void commit(void)
{
	call_point(HOOK_LEASES4_COMMITTED, DHCP4_ACK);
}

static void find_line(void *pattern, const char *line)
{
	const char **p = pattern;

	if (*p && strstr(line, *p))
		*p = NULL;
}

static void assert_logged(const char *pattern)
{
	const char *p = pattern;

	(void)log_tail_read(w.tail, 0, find_line, &p);
	if (p)
		fail_msg("no line of the log has: %s", pattern);
}

#define ONE \
	"{\"binding-variables\":[{\"name\":\"v\",\"expression\":\"option[60].text\",\"source\":\"query\"}]}"
#define VALUE(text) "{\"ISC\":{\"binding-variables\":{\"v\":\"" text "\"}}}"

static void set_vendor(const char *text)
{
	assert_int_equal(dhcp4_opt_set(&w.query, 60, span_str(text)), 0);
}

static void test_status_in_front(void **state)
{
	(void)state;
	begin_world(ONE);
	set_vendor("a");
	for (w.front = USHER_SKIP; w.front <= USHER_DROP; w.front++) {
		commit();
		call_point(HOOK_LEASE4_OFFER, DHCP4_OFFER);
	}
	assert_int_equal(w.updates, 0);
	w.front = USHER_PARK;
	commit();
	assert_int_equal(w.updates, 1);
	assert_string_equal(w.stored, VALUE("a"));
	w.front = USHER_CONTINUE;
	commit(); /* nothing has changed */
	call_point(HOOK_LEASE4_OFFER, DHCP4_OFFER);
	assert_int_equal(w.updates, 1);
	set_vendor("b");
	call_point(HOOK_LEASE4_OFFER, DHCP4_OFFER);
	assert_int_equal(w.updates, 2);
	assert_string_equal(w.stored, VALUE("b"));
	set_vendor("c");
	call_point(HOOK_LEASES4_COMMITTED, DHCP4_NAK);
	call_point(HOOK_LEASES4_COMMITTED, (enum dhcp4_type)0);
	assert_int_equal(w.updates, 2);
	assert_int_equal(hook_failures(w.registry), 0);
	end_world();
}

static void test_contexts(void **state)
{
	static const struct {
		const char *stored, *expected;
		unsigned updates;
	} rows[] = {
		{"{}", VALUE("a"), 1},
		{"[1]", VALUE("a"), 1},
		{"no JSON", VALUE("a"), 1},
		{"{ \"ISC\": null }", VALUE("a"), 1},
		{"{\"x\":{\"ISC\":1}}",
		 "{\"x\":{\"ISC\":1},\"ISC\":{\"binding-variables\":{\"v\":\"a\"}}}", 1},
		{"{ \"ISC\": { \"binding-variables\": { \"v\": \"a\" } } }", NULL, 0},
		{"{ \"ISC\": { \"b\": 1, \"binding-variables\": { \"v\": \"\\u0061\" } }, \"k\": 2 }",
		 NULL, 0},
		{VALUE("ab"), VALUE("a"), 1},
		{VALUE(""), VALUE("a"), 1},
		{"{\"ISC\":{\"binding-variables\":{\"v\":97}}}", VALUE("a"), 1},
		{"{\"ISC\":{\"binding-variables\":{\"w\":\"a\"}}}", VALUE("a"), 1},
		{"{\"ISC\":{\"binding-variables\":{\"v\":\"a\",\"w\":\"a\"}}}", VALUE("a"), 1},
		{"{\"\\\"k\\u00e9\\n\":1}",
		 "{\"\\\"k\xc3\xa9\\n\":1,\"ISC\":{\"binding-variables\":{\"v\":\"a\"}}}", 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		begin_world(ONE);
		set_vendor("a");
		w.stored = rows[i].stored;
		commit();
		assert_int_equal(w.updates, rows[i].updates);
		assert_string_equal(w.stored, rows[i].expected ? rows[i].expected : rows[i].stored);
		commit();
		assert_int_equal(w.updates, rows[i].updates);
		end_world();
	}
}

/* Every octet is written in Kea's form, and read as the same value in each form. */
static void test_octets(void **state)
{
	char text[64];
	struct buf b;

	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		const uint8_t octets[] = {'x', (uint8_t)c, 'y'};
		struct json *v;

		begin_world(ONE);
		assert_int_equal(dhcp4_opt_set(&w.query, 60, span_of(octets, sizeof(octets))), 0);
		commit();
		assert_int_equal(w.updates, 1);
		if (c == 0)
			assert_string_equal(w.stored, VALUE("x\\ufffdy"));
		if (c >= 0x7f) {
			(void)snprintf(text, sizeof(text), VALUE("x\\u%04xy"), c);
			assert_string_equal(w.stored, text);
		}
		/* as JSON of the server writes it, with UTF-8 */
		v = parse(&w.text, w.stored);
		buf_init(&b);
		json_write(v, false, &b);
		w.stored = arena_strdup(&w.text, b.p);
		buf_fini(&b);
		commit();
		assert_int_equal(w.updates, 1);
		end_world();
	}
}

static void test_failures(void **state)
{
	static char longest[LEASE_CONTEXT_MAX + 16];

	(void)state;
	begin_world(
		"{\"binding-variables\":[{\"name\":\"a\",\"expression\":\"'x'\",\"source\":\"response\"},"
		"{\"name\":\"v\",\"expression\":\"addrtotext(option[60].hex)\",\"source\":\"query\"}]}");
	set_vendor("abc");
	commit();
	assert_int_equal(hook_failures(w.registry), 1);
	assert_logged("LEASE_CMDS_LEASES4_COMMITTED_FAILED");
	assert_logged("lease 192.0.2.10 are not stored: variable 'v': addrtotext needs 4 or 16");
	call_point(HOOK_LEASE4_OFFER, DHCP4_OFFER);
	assert_int_equal(hook_failures(w.registry), 2);
	assert_logged("LEASE_CMDS_LEASE4_OFFER_FAILED");
	assert_int_equal(w.updates, 0);

	set_vendor("abcd");
	w.update = -ESTALE;
	commit();
	assert_int_equal(hook_failures(w.registry), 3);
	assert_logged("changed or deleted meanwhile");
	w.update = -ENOMEM;
	commit();
	assert_int_equal(hook_failures(w.registry), 4);

	w.update = 0;
	(void)snprintf(longest, sizeof(longest), "{\"c\":\"%*d\"}", LEASE_CONTEXT_MAX - 20, 1);
	w.stored = longest;
	commit();
	assert_int_equal(hook_failures(w.registry), 5);
	assert_logged("longer than 16384 octets");
	(void)snprintf(longest, sizeof(longest), "{\"c\":\"%*d\"}", LEASE_CONTEXT_MAX, 1);
	commit();
	assert_int_equal(hook_failures(w.registry), 6);
	assert_int_equal(w.updates, 2);
	end_world();
}

/* The packet's memory runs out at each place: no answer is held up, and no half of a context is
 * stored. */
static void test_memory(void **state)
{
	unsigned stored = 0, failed = 0;

	(void)state;
	for (size_t left = 0; left < 3000; left += 8) {
		begin_world(ONE);
		set_vendor("acme");
		commit(); /* the type of the response has its memory */
		w.stored = "{\"k\":1}";
		w.updates = 0;
		w.arena.cap = w.arena.used + left;
		call_point(HOOK_LEASES4_COMMITTED, DHCP4_ACK);
		stored += w.updates;
		failed += hook_failures(w.registry) > 0;
		assert_int_equal(w.updates + hook_failures(w.registry), 1);
		end_world();
	}
	assert_true(stored && failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mistakes), cmocka_unit_test(test_status_in_front),
		cmocka_unit_test(test_contexts), cmocka_unit_test(test_octets),
		cmocka_unit_test(test_failures), cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
