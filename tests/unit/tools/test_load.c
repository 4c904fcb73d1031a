/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The parts of usher-load: command line, templates, the checks of an answer, owners of addresses,
 * lease files, the search of a ramp.
 */
#include "unit/unit.h"

#include "base/error.h"
#include "lease/lease_csv.h"
#include "tools/load_check.h"
#include "tools/load_leases.h"
#include "tools/load_ramp.h"
#include "tools/load_responder.h"
#include "tools/load_template.h"
#include "wire/dhcp4.h"
#include "wire/option_codes.h"
#include "unit/lease_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- command line ----------------------------------------------------------------------------- */

static int parse(const char *line, struct load_opts *o, char *err)
{
	static char text[512];
	char *argv[40];
	int argc = 0;

	(void)snprintf(text, sizeof(text), "usher-load %s", line);
	for (char *w = strtok(text, " "); w; w = strtok(NULL, " "))
		argv[argc++] = w;
	argv[argc] = NULL;
	return load_args_parse(argc, argv, false, o, err, 256);
}

static void test_args_good(void **state)
{
	struct load_opts o;
	char err[256];

	(void)state;
	assert_int_equal(
		parse("--bind 10.0.0.1 --bind 10.0.1.1 --server 10.9.9.9:1067 --profile renew "
		      "--clients 100 --window 300 --time 1.5 --rate 5000 --timeout 250 --options mixed "
		      "--client-id no --no-offload --burst 8 --json --progress --seed 9",
		      &o, err),
		0);
	assert_int_equal(o.n_bind, 2);
	assert_int_equal(o.bind[1], 0x0a000101);
	assert_int_equal(o.server, 0x0a090909);
	assert_int_equal(o.server_port, 1067);
	assert_int_equal(o.profile, LOAD_RENEW);
	assert_int_equal(o.window, 100); /* no more than there are clients */
	assert_int_equal(o.time_ns, 1500000000);
	assert_int_equal(o.timeout_ns, 250000000);
	assert_int_equal(o.options, LOAD_OPTIONS_MIXED);
	assert_int_equal(o.client_id, LOAD_WHO_NO);
	assert_false(o.offload);
	assert_true(o.json && o.progress);
	assert_int_equal(parse("--direct -i eth0 --profile dora", &o, err), 0);
	assert_string_equal(o.iface, "eth0");
	assert_int_equal(o.time_ns, 10000000000);
	assert_true(o.offload);
	assert_true(o.drop_limit < 0);
	assert_int_equal(parse("--direct -i eth0 --profile dora --ramp", &o, err), 0);
	assert_true(o.drop_limit == 1 && o.rate == 1000 && o.time_ns == 0);
	assert_int_equal(parse("--responder --bind 10.0.0.1 --pool 10.0.0.0/8 --lie xid", &o, err),
			 0);
	assert_int_equal(o.pool_bits, 24);
	assert_int_equal(o.lie, LOAD_LIE_XID);
	assert_int_equal(parse("--help --bogus", &o, err), -1);
	assert_int_equal(parse("--help", &o, err), 0);
	assert_true(o.help);
}

/* Each with a word that the error must have. */
static void test_args_bad(void **state)
{
	static const char *const lines[][2] = {
		{"--profile dora", "--bind"},
		{"--bind 10.0.0.1 --profile dora", "--server"},
		{"--bind 10.0.0.1 --server 10.0.0.2", "--profile"},
		{"--bind 10.0.0 --server 10.0.0.2 --profile dora", "--bind: expected"},
		{"--bind 0.0.0.0 --server 10.0.0.2 --profile dora", "0.0.0.0"},
		{"--bind 10.0.0.1 --server 10.0.0.2:0 --profile dora", "--server: expected"},
		{"--bind 10.0.0.1 --server 10.0.0.2: --profile dora", "--server: expected"},
		{"--direct --profile dora", "-i"},
		{"--direct --relayed -i eth0 --profile dora", "exclude"},
		{"--direct -i eth0 --server 10.0.0.2 --profile dora", "--server"},
		{"--bind 10.0.0.1 --server 10.0.0.2 -i eth0 --profile dora", "-i"},
		{"--direct -i eth0 --profile nothing", "dora, renew, release, mixed"},
		{"--direct -i eth0 --profile renew", "--clients"},
		{"--direct -i eth0 --profile mixed", "--clients"},
		{"--direct -i eth0 --profile dora --window 0",
		 "--window: expected a number from 1 to 32768"},
		{"--direct -i eth0 --profile dora --window 40000", "--window"},
		{"--direct -i eth0 --profile dora --window 1.5", "whole number"},
		{"--direct -i eth0 --profile dora --window x", "--window"},
		{"--direct -i eth0 --profile dora --window", "argument is missing"},
		{"--direct -i eth0 --profile dora --time -1", "--time"},
		{"--direct -i eth0 --profile dora --time nan", "--time"},
		{"--direct -i eth0 --profile dora --rate 0", "--rate"},
		{"--direct -i eth0 --profile dora --drop-limit 101", "--drop-limit"},
		{"--direct -i eth0 --profile dora --time 1 --exchanges 5", "exclude"},
		{"--direct -i eth0 --profile dora --ramp --time 1", "--ramp"},
		{"--direct -i eth0 --profile dora --check-leases-live", "--leases"},
		{"--direct -i eth0 --profile dora --options some", "minimal, typical, mixed"},
		{"--direct -i eth0 --profile dora --client-id maybe", "yes, no, mixed"},
		{"--direct -i eth0 --profile dora --lie xid", "--responder"},
		{"--direct -i eth0 --profile dora more", "more"},
		{"--bogus", "--bogus: no such option"},
		{"-z", "no such option"},
		{"--responder", "--bind"},
		{"--responder --bind 10.0.0.1 --bind 10.0.0.2", "one --bind"},
		{"--responder --bind 10.0.0.1 --profile dora", "--profile"},
		{"--responder --bind 10.0.0.1 --pool 10.0.0.1/8", "prefix"},
		{"--responder --bind 10.0.0.1 --pool 10.0.0.0", "prefix"},
		{"--responder --bind 10.0.0.1 --lie badly", "duplicate"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct load_opts o;
		char err[256] = "";

		if (parse(lines[i][0], &o, err) != -1 || !strstr(err, lines[i][1]))
			fail_msg("%s: \"%s\" lacks \"%s\"", lines[i][0], err, lines[i][1]);
	}
}

/* --- templates -------------------------------------------------------------------------------- */

static struct load_templates ts;
static uint8_t arena_mem[LOAD_ARENA_LEN];
static struct arena arena;

static void decode(const uint8_t *msg, struct dhcp4_msg *m)
{
	arena_init_fixed(&arena, arena_mem, sizeof(arena_mem));
	assert_int_equal(dhcp4_decode(span_of(msg, ts.len), false, &arena, m), 0);
}

/* Checks the contents of a message of each kind (RFC 2131 table 5). */
static void check_message(const struct load_ident *id, enum load_msg kind, bool agent)
{
	struct load_fields f = {.xid = 0x12345678,
				.ciaddr = kind == LOAD_MSG_RENEW ? 0x0a000005 : 0,
				.giaddr = 0x0a000001,
				.requested = 0x0a000006,
				.server_id = 0x0a000007};
	static const uint8_t types[] = {DHCP4_DISCOVER, DHCP4_REQUEST, DHCP4_REQUEST, DHCP4_REQUEST,
					DHCP4_RELEASE};
	uint8_t out[LOAD_TEMPLATE_MAX];
	uint8_t buf[LOAD_SENT_MAX];
	struct dhcp4_msg m;
	uint32_t v;

	load_message(&ts, id, kind, &f, out);
	decode(out, &m);
	assert_int_equal(dhcp4_msg_type(&m), types[kind]);
	assert_int_equal(m.op, DHCP4_BOOTREQUEST);
	assert_int_equal(m.xid, f.xid);
	assert_int_equal(m.ciaddr, f.ciaddr);
	assert_int_equal(m.giaddr, f.giaddr);
	assert_memory_equal(m.chaddr, id->mac, 6);
	assert_int_equal(dhcp4_opt_u32(&m, DHCP4_OPT_REQUESTED_ADDRESS, &v),
			 kind == LOAD_MSG_REQUEST || kind == LOAD_MSG_REBOOT);
	if (kind == LOAD_MSG_REQUEST)
		assert_int_equal(v, f.requested);
	assert_int_equal(dhcp4_opt_u32(&m, DHCP4_OPT_SERVER_ID, &v),
			 kind == LOAD_MSG_REQUEST || kind == LOAD_MSG_RELEASE);
	if (kind == LOAD_MSG_RELEASE)
		assert_int_equal(v, f.server_id);
	assert_true(span_eq(dhcp4_opt_data(&m, DHCP4_OPT_CLIENT_ID),
			    load_sent_client_id(&ts, id, buf)));
	assert_int_equal(dhcp4_opt_data(&m, DHCP4_OPT_CLIENT_ID).n, id->client_id ? 7 : 0);
	assert_true(span_eq(dhcp4_opt_data(&m, DHCP4_OPT_AGENT_OPTIONS),
			    load_sent_agent(&ts, id, buf)));
	assert_int_equal(dhcp4_opt_data(&m, DHCP4_OPT_AGENT_OPTIONS).n > 0, agent);
	assert_true(dhcp4_subopts_valid(dhcp4_opt_data(&m, DHCP4_OPT_AGENT_OPTIONS)));
}

static void test_templates(void **state)
{
	(void)state;
	for (int set = LOAD_OPTIONS_MINIMAL; set <= LOAD_OPTIONS_MIXED; set++) {
		for (int relayed = 0; relayed < 2; relayed++) {
			bool kinds[LOAD_KINDS_MAX] = {false};
			unsigned n_kinds = 0;

			assert_int_equal(load_templates_init(&ts, (enum load_options)set,
							     LOAD_WHO_MIXED, relayed != 0),
					 0);
			assert_true(ts.len >= DHCP4_BOOTP_MIN_LEN);
			for (uint64_t n = 0; n < 300; n++) {
				struct load_ident id;

				load_ident_init(&ts, n * 0x1234567, false, &id);
				n_kinds += !kinds[id.kind];
				kinds[id.kind] = true;
				for (int m = 0; m < LOAD_N_MSGS; m++)
					check_message(&id, (enum load_msg)m,
						      relayed && set != LOAD_OPTIONS_MINIMAL);
			}
			assert_int_equal(n_kinds, set == LOAD_OPTIONS_MIXED ? 6 : 1);
		}
	}
}

/* A client is the same in every run, no two are alike, and a stranger is nobody's. */
static void test_identities(void **state)
{
	struct load_ident a;
	struct load_ident b;
	uint64_t n;

	(void)state;
	assert_int_equal(load_templates_init(&ts, LOAD_OPTIONS_MIXED, LOAD_WHO_MIXED, true), 0);
	load_ident_init(&ts, 0x123456789a, false, &a);
	load_ident_init(&ts, 0x123456789a, false, &b);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_true(load_ident_number(span_of(a.mac, 6), &n));
	assert_int_equal(n, 0x123456789a);
	load_ident_init(&ts, 0x123456789b, false, &b);
	assert_memory_not_equal(a.mac, b.mac, 6);
	load_ident_init(&ts, 0x123456789a, true, &b);
	assert_memory_not_equal(a.mac, b.mac, 6);
	assert_false(load_ident_number(span_of(b.mac, 6), &n));
	assert_false(load_ident_number(span_of(a.mac, 5), &n));
}

/* --- the checks of an answer ------------------------------------------------------------------ */

struct check_case {
	struct load_ident id;
	uint8_t id_buf[LOAD_SENT_MAX], agent_buf[LOAD_SENT_MAX];
	struct load_expect x;
	uint8_t answer[LOAD_IO_MSG_MAX];
	size_t len;
};

/* The responder's answer to the client's REQUEST, wrong in one way. */
static void answer(struct check_case *c, enum load_lie lie)
{
	struct load_opts o = {.bind = {0x0a630001},
			      .n_bind = 1,
			      .pool = 0x40000000,
			      .pool_bits = 30,
			      .lie = lie};
	struct load_fields f = {.xid = 0x11223344,
				.giaddr = 0x0a000001,
				.server_id = 0x0a630001,
				.requested = 0x40000006};
	uint8_t query[LOAD_TEMPLATE_MAX];
	uint8_t type;

	assert_int_equal(load_templates_init(&ts, LOAD_OPTIONS_TYPICAL, LOAD_WHO_YES, true), 0);
	load_ident_init(&ts, 5, false, &c->id);
	load_message(&ts, &c->id, LOAD_MSG_REQUEST, &f, query);
	c->len = load_responder_answer(&o, span_of(query, ts.len), 0, c->answer, &type);
	assert_true(c->len > 0);
	c->x = (struct load_expect){
		.mac = c->id.mac,
		.type = DHCP4_ACK,
		.giaddr = f.giaddr,
		.server_id = f.server_id,
		.addr = f.requested,
		.client_id = load_sent_client_id(&ts, &c->id, c->id_buf),
		.agent = load_sent_agent(&ts, &c->id, c->agent_buf),
	};
}

static enum load_error verdict(struct check_case *c)
{
	struct load_answer a;
	enum load_error e;

	arena_init_fixed(&arena, arena_mem, sizeof(arena_mem));
	e = load_answer_parse(span_of(c->answer, c->len), &arena, &a);
	return e ? e : load_answer_check(&a, &c->x);
}

static void test_each_lie_is_caught(void **state)
{
	static const struct {
		enum load_lie lie;
		enum load_error error;
	} cases[] = {
		{LOAD_LIE_NONE, LOAD_E_NONE},
		{LOAD_LIE_CHADDR, LOAD_E_CHADDR},
		{LOAD_LIE_SERVER_ID, LOAD_E_SERVER_ID_CHANGED},
		{LOAD_LIE_ADDRESS, LOAD_E_ADDRESS_CHANGED},
		{LOAD_LIE_GIADDR, LOAD_E_GIADDR},
		{LOAD_LIE_TYPE, LOAD_E_TYPE},
		{LOAD_LIE_NAK, LOAD_E_NAK},
		{LOAD_LIE_LEASE_TIME, LOAD_E_LEASE_TIME},
		{LOAD_LIE_CLIENT_ID, LOAD_E_CLIENT_ID},
		{LOAD_LIE_MALFORMED, LOAD_E_MALFORMED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct check_case c;

		answer(&c, cases[i].lie);
		if (verdict(&c) != cases[i].error)
			fail_msg("lie %d: %s, not %s", (int)cases[i].lie,
				 load_error_name(verdict(&c)), load_error_name(cases[i].error));
	}
}

static void test_other_faults(void **state)
{
	struct check_case c;

	(void)state;
	answer(&c, LOAD_LIE_NONE);
	for (c.len = 0; c.len < 299; c.len++) { /* cut off anywhere before END */
		if (c.len < 240)
			assert_int_equal(verdict(&c), LOAD_E_MALFORMED);
		assert_int_not_equal(verdict(&c), LOAD_E_NONE);
	}
	assert_int_equal(verdict(&c), LOAD_E_NONE);
	answer(&c, LOAD_LIE_NONE);
	c.answer[0] = DHCP4_BOOTREQUEST;
	assert_int_equal(verdict(&c), LOAD_E_OP);
	answer(&c, LOAD_LIE_NONE);
	c.answer[2] = 7;
	assert_int_equal(verdict(&c), LOAD_E_OP);
	answer(&c, LOAD_LIE_NONE);
	c.answer[28 + 8] = 1; /* behind hlen octets of chaddr */
	assert_int_equal(verdict(&c), LOAD_E_CHADDR);
	answer(&c, LOAD_LIE_NONE);
	memset(c.answer + 16, 0, 4);
	assert_int_equal(verdict(&c), LOAD_E_ADDRESS);
	answer(&c, LOAD_LIE_NONE);
	assert_int_equal(c.answer[243], DHCP4_OPT_SERVER_ID);
	memset(c.answer + 245, 0, 4);
	assert_int_equal(verdict(&c), LOAD_E_SERVER_ID);
	answer(&c, LOAD_LIE_NONE);
	c.answer[244] = 3; /* a server identifier of three octets; the fourth is PAD */
	assert_int_equal(verdict(&c), LOAD_E_MALFORMED);
	answer(&c, LOAD_LIE_NONE);
	c.agent_buf[4] ^= 1;
	assert_int_equal(verdict(&c), LOAD_E_AGENT);
}

/* Options in pieces and in overloaded fields mean the same as whole ones. */
static void test_joined_and_overloaded(void **state)
{
	static const uint8_t pieces[] = {53, 1, 5, 54, 2, 10, 99, 54, 2, 0, 1, 52, 1, 1, 255};
	static const uint8_t file[] = {51, 4, 0, 0, 14, 16, 255};
	struct check_case c;
	struct load_answer a;

	(void)state;
	answer(&c, LOAD_LIE_NONE);
	memset(c.answer + 240, 0, c.len - 240);
	memcpy(c.answer + 240, pieces, sizeof(pieces));
	memcpy(c.answer + 108, file, sizeof(file));
	arena_init_fixed(&arena, arena_mem, sizeof(arena_mem));
	assert_int_equal(load_answer_parse(span_of(c.answer, c.len), &arena, &a), LOAD_E_NONE);
	assert_int_equal(a.server_id, 0x0a630001);
	assert_int_equal(a.lease_time, 3600);
	assert_int_equal(a.type, DHCP4_ACK);
}

/* --- addresses -------------------------------------------------------------------------------- */

static void test_owners(void **state)
{
	struct load_owners o;
	uint64_t addr = 0;

	(void)state;
	assert_int_equal(load_owners_init(&o, true), 0);
	assert_true(load_owners_claim(&o, 0xffffffff, 7));
	assert_true(load_owners_claim(&o, 0x0a000001, 1));
	assert_true(load_owners_claim(&o, 0x0a000001, 1));
	assert_false(load_owners_claim(&o, 0x0a000001, 2));
	assert_int_equal(load_owners_of(&o, 0x0a000001), 1);
	assert_true(load_owners_claim(&o, 0, 0));
	assert_int_equal(o.n, 3);
	assert_true(load_owners_next(&o, &addr) && addr == 0);
	addr++;
	assert_true(load_owners_next(&o, &addr) && addr == 0x0a000001);
	addr++;
	assert_true(load_owners_next(&o, &addr) && addr == 0xffffffff);
	addr++;
	assert_false(load_owners_next(&o, &addr));
	load_owners_release(&o, 0x0a000001);
	load_owners_release(&o, 0x0a000001);
	assert_int_equal(o.n, 2);
	assert_true(load_owners_claim(&o, 0x0a000001, 2));
	load_owners_fini(&o);
	assert_int_equal(load_owners_init(&o, false), 0);
	assert_true(load_owners_claim(&o, 0x0a000001, 1));
	assert_false(load_owners_claim(&o, 0x0a000001, 1));
	load_owners_release(&o, 0x0a000001);
	assert_true(load_owners_claim(&o, 0x0a000001, 2));
	load_owners_fini(&o);
}

/* --- lease files ------------------------------------------------------------------------------ */

static char dir[64], path[128];

static int make_dir(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/usher-load-test-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/leases.csv", dir);
	return 0;
}

static int remove_dir(void **state)
{
	static const char *const ends[] = {"", ".1", ".2", ".completed"};
	char name[160];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		(void)unlink(name);
	}
	return rmdir(dir);
}

static void append(const char *suffix, const char *text)
{
	char name[160];
	FILE *f;

	(void)snprintf(name, sizeof(name), "%s%s", path, suffix);
	f = fopen(name, "ae");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

#define HEADER			   LEASE_FILE_HEADER "\n"
#define ROW(addr, mac, lft, state) addr "," mac ",," lft ",4000000000,1,0,0,," state ",,0\n"

static void test_leases_at_the_end(void **state)
{
	struct load_owners o;
	struct load_leases *l;

	(void)state;
	assert_int_equal(load_owners_init(&o, true), 0);
	for (uint32_t i = 0; i < 8; i++)
		assert_true(load_owners_claim(&o, 0x0a000000 + i, i));
	assert_int_equal(load_leases_read(path, &o, 100, &l), -ENOENT);
	append(".2", HEADER ROW("10.0.0.0", "02:00:00:00:00:64", "3600", "0")
			     ROW("10.0.0.1", "02:00:00:00:00:65", "3600", "0"));
	append("", HEADER ROW("10.0.0.1", "02:00:00:00:00:65", "0", "0") /* deleted */
	       ROW("10.0.0.2", "02:00:00:00:00:67", "3600", "0")	 /* another client's */
	       ROW("10.0.0.3", "02:00:00:00:00:67", "3600", "3")	 /* released */
	       ROW("10.0.0.4", "02:00:00:00:00:69", "3600", "0")
		       ROW("10.0.0.4", "02:00:00:00:00:68", "3600", "0")
			       ROW("10.0.0.5", "06:00:00:00:00:69", "3600", "0") /* a stranger's */
	       "10.0.0.6,02:00:00:00:00:6a,,3600,4000000000,1,0,0,,0,,0");	 /* torn */
	assert_int_equal(load_leases_read(path, &o, 100, &l), 0);
	assert_true(load_leases_good(l, 0x0a000000));
	assert_false(load_leases_good(l, 0x0a000001));
	assert_false(load_leases_good(l, 0x0a000002));
	assert_false(load_leases_good(l, 0x0a000003));
	assert_true(load_leases_good(l, 0x0a000004));
	assert_false(load_leases_good(l, 0x0a000005));
	assert_false(load_leases_good(l, 0x0a000006));
	assert_false(load_leases_good(l, 0x0a000007));
	load_leases_free(l);
	/* a clean-up that has finished replaces .2 and .1 */
	append(".completed", HEADER ROW("10.0.0.7", "02:00:00:00:00:6b", "3600", "0"));
	assert_int_equal(load_leases_read(path, &o, 100, &l), 0);
	assert_false(load_leases_good(l, 0x0a000000));
	assert_true(load_leases_good(l, 0x0a000007));
	load_leases_free(l);
	append(".completed", "x");
	load_owners_fini(&o);
}

static void test_no_lease_file(void **state)
{
	struct load_owners o;
	struct load_leases *l;

	(void)state;
	assert_int_equal(load_owners_init(&o, true), 0);
	append("", "this,is,no,lease,file\n");
	assert_int_equal(load_leases_read(path, &o, 0, &l), -USHER_E_SYNTAX);
	load_owners_fini(&o);
}

static void test_leases_live(void **state)
{
	struct load_live l;
	char moved[160];

	(void)state;
	assert_int_equal(load_live_open(&l, path, 100), -ENOENT);
	load_live_close(&l);
	append(".2", HEADER ROW("10.0.0.9", "02:00:00:00:00:6d", "3600", "0"));
	append("", HEADER ROW("10.0.0.1", "02:00:00:00:00:65", "3600", "0"));
	assert_int_equal(load_live_open(&l, path, 100), 0);
	assert_int_equal(load_live_check(&l, 0x0a000009, 9, 0), 1);
	assert_int_equal(load_live_check(&l, 0x0a000001, 1, 0), 1);
	assert_int_equal(load_live_check(&l, 0x0a000001, 1, 4000000000), 1);
	assert_int_equal(load_live_check(&l, 0x0a000001, 1, 4000000001), 0);
	assert_int_equal(load_live_check(&l, 0x0a000001, 2, 0), 0);
	assert_int_equal(load_live_check(&l, 0x0a000002, 2, 0), 0);
	append("", "10.0.0.2,02:00:00:00:00:66,,3600,4000");
	assert_int_equal(load_live_check(&l, 0x0a000002, 2, 0), 0);
	append("", "000000,1,0,0,,0,,0\n");
	assert_int_equal(load_live_check(&l, 0x0a000002, 2, 0), 1);
	append("", ROW("10.0.0.2", "02:00:00:00:00:66", "0", "0"));
	assert_int_equal(load_live_check(&l, 0x0a000002, 2, 0), 0);
	/* a clean-up takes the file away: its last row and those of the new one both count */
	append("", ROW("10.0.0.3", "02:00:00:00:00:67", "3600", "0"));
	(void)snprintf(moved, sizeof(moved), "%s.1", path);
	assert_int_equal(rename(path, moved), 0);
	append("", HEADER ROW("10.0.0.4", "02:00:00:00:00:68", "4294967295", "0"));
	assert_int_equal(load_live_check(&l, 0x0a000003, 3, 0), 1);
	assert_int_equal(load_live_check(&l, 0x0a000004, 4, UINT32_MAX), 1);
	load_live_close(&l);
}

/* --- ramp ------------------------------------------------------------------------------------- */

/* Finds the limit of a server from below and from above, in a bounded number of steps. */
static void test_ramp(void **state)
{
	static const double starts[] = {10, 1000, 80000, 1000000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
		const double limit = 50000;
		struct load_ramp r;
		unsigned steps = 1;

		load_ramp_init(&r, starts[i]);
		while (load_ramp_next(&r, r.rate <= limit))
			assert_true(++steps < LOAD_RAMP_STEPS_MAX);
		assert_true(r.good <= limit && r.good >= limit * 0.97);
	}
	assert_true(load_ramp_good(1000, 990, 0.009, 1));
	assert_false(load_ramp_good(1000, 990, 0.011, 1));
	assert_false(load_ramp_good(1000, 900, 0, 1));
}

static void test_ramp_without_a_good_rate(void **state)
{
	struct load_ramp r;

	(void)state;
	load_ramp_init(&r, 1000);
	while (load_ramp_next(&r, false))
		;
	assert_true(r.good == 0 && r.rate < 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_args_good),
		cmocka_unit_test(test_args_bad),
		cmocka_unit_test(test_templates),
		cmocka_unit_test(test_identities),
		cmocka_unit_test(test_each_lie_is_caught),
		cmocka_unit_test(test_other_faults),
		cmocka_unit_test(test_joined_and_overloaded),
		cmocka_unit_test(test_owners),
		cmocka_unit_test_setup_teardown(test_leases_at_the_end, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_no_lease_file, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_leases_live, make_dir, remove_dir),
		cmocka_unit_test(test_ramp),
		cmocka_unit_test(test_ramp_without_a_good_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
