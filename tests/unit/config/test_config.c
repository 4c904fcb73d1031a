/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The configuration: defaults, inheritance, every tier-A key in its typed place, the effective tree
 * as a fixpoint, look-ups, and a directory of broken files whose first line names the expected
 * error.
 */
#include "unit/unit.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "config/config.h"
#include "config/json/problems.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char warnings[8192];
static int n_warnings;

static void warn(void *ctx, const struct config_error *w)
{
	size_t n = strlen(warnings);

	(void)ctx;
	n_warnings++;
	(void)snprintf(warnings + n, sizeof(warnings) - n, "%s\n", w->text);
}

static const struct config_load_opts opts = {.warn = warn};

static struct config *load_text(const char *text)
{
	struct json_opts o = {.file = "", .dialect = true};
	struct config_error e = {0};
	struct config *c = NULL;
	struct arena a;
	struct json *v;

	arena_init(&a);
	assert_int_equal(json_parse(span_str(text), &o, &a, &v, &e), 0);
	if (config_load_json(v, &opts, &c, &e) < 0)
		fail_msg("%u:%u: %s", e.pos.line, e.pos.col, e.text);
	arena_fini(&a); /* the configuration may not borrow from the input */
	return c;
}

static struct config *load_data(const char *name)
{
	struct config_error e = {0};
	struct config *c = NULL;
	char path[512];

	warnings[0] = '\0';
	n_warnings = 0;
	(void)snprintf(path, sizeof(path), "%s/%s", USHER_TEST_DATA, name);
	if (config_load_file(path, &opts, &c, &e) < 0)
		fail_msg("%s: %u:%u: %s", name, e.pos.line, e.pos.col, e.text);
	return c;
}

/* The tree of config-get is a configuration that gives an equal tree. */
static void check_fixpoint(const struct config *c)
{
	struct config *again;
	struct buf first;
	struct buf second;

	buf_init(&first);
	buf_init(&second);
	json_write(config_effective(c), true, &first);
	again = load_text(first.p);
	json_write(config_effective(again), true, &second);
	assert_string_equal(first.p, second.p);
	assert_string_equal(config_hash(again), config_hash(c));
	config_free(again);
	buf_fini(&first);
	buf_fini(&second);
}

static bool option_is(const struct config_options *o, const char *space, uint32_t code,
		      const char *data, size_t n)
{
	const struct config_option *x = config_option_find(o, space, code);

	return x && span_eq(x->data, span_of(data, n));
}

static void test_defaults(void **state)
{
	struct config *c = load_text("{\"Dhcp4\":{}}");

	(void)state;
	assert_int_equal(c->params.valid_lifetime.value, 7200);
	assert_int_equal(c->params.valid_lifetime.min, 7200);
	assert_int_equal(c->params.valid_lifetime.max, 7200);
	assert_false(c->params.has_renew_timer || c->params.has_rebind_timer ||
		     c->params.calculate_tee_times);
	assert_true(c->params.cache_threshold > 0.24 && c->params.cache_threshold < 0.26);
	assert_true(c->params.match_client_id && !c->params.authoritative);
	assert_true(c->params.reservations_in_subnet && !c->params.reservations_global);
	assert_int_equal(c->params.allocator, ALLOCATOR_ITERATIVE);
	assert_string_equal(c->params.names.char_set, "[^A-Za-z0-9.-]");
	assert_true(c->persist && c->multi_threading && c->echo_client_id &&
		    c->ip_reservations_unique);
	assert_int_equal(c->lfc_interval, 3600);
	assert_int_equal(c->packet_queue_size, 64);
	assert_int_equal(c->parked_packet_limit, 256);
	assert_int_equal(c->decline_probation_s, 86400);
	assert_int_equal(c->reclaim_timer_wait_s, 10);
	assert_int_equal(c->flush_reclaimed_timer_wait_s, 25);
	assert_int_equal(c->hold_reclaimed_s, 3600);
	assert_int_equal(c->max_reclaim_leases, 100);
	assert_int_equal(c->max_reclaim_ms, 250);
	assert_int_equal(c->lease_checks, CHECKS_WARN);
	assert_int_equal(c->durability, DURABILITY_COMMIT);
	assert_int_equal(c->sync_interval_ms, 1000);
	assert_int_equal(c->max_delay_us, 2000);
	assert_int_equal(c->offer_hold_s, 10);
	assert_int_equal(c->callout_deadline_ms, 1000);
	assert_int_equal(c->n_host_ids, 4);
	assert_int_equal(c->n_class_names, CLASS_N_BUILTIN);
	assert_int_equal(config_class_by_name(c, "DROP"), CLASS_DROP);
	assert_int_equal(config_class_by_name(c, "x"), -USHER_E_NOTFOUND);
	assert_null(config_subnet_containing(c, 1, NULL));
	check_fixpoint(c);
	config_free(c);
	config_free(NULL);
}

static void check_tier_a_globals(const struct config *c)
{
	assert_int_equal(c->n_interfaces, 2);
	assert_string_equal(c->interfaces[1].name, "eth1");
	assert_int_equal(c->interfaces[1].addr, 0xc0000201);
	assert_true(c->socket_udp && c->use_routing == false);
	assert_string_equal(c->control_sockets[0].path, "/run/usher/server.sock");
	assert_int_equal(c->thread_pool_size, 4);
	assert_int_equal(c->packet_queue_size, 28);
	assert_string_equal(c->lease_file, "/var/lib/usher/leases4.csv");
	assert_int_equal(c->lfc_interval, 1800);
	assert_int_equal(c->durability, DURABILITY_INTERVAL);
	assert_int_equal(c->sync_interval_ms, 500);
	assert_int_equal(c->max_delay_us, 200);
	assert_int_equal(c->offer_hold_s, 20);
	assert_int_equal(c->callout_deadline_ms, 300);
	assert_int_equal(c->params.valid_lifetime.min, 1000);
	assert_int_equal(c->params.renew_timer, 1000);
	assert_true(c->params.authoritative && !c->params.match_client_id);
	assert_int_equal(c->params.next_server, 0xc0000205);
	assert_string_equal(c->params.boot_file_name, "pxelinux.0");
	assert_true(c->params.reservations_global && c->params.reservations_out_of_pool);
	assert_int_equal(c->reclaim_timer_wait_s, 11);
	assert_int_equal(c->n_hooks, 2);
	assert_string_equal(c->hooks[0].library, "libdhcp_lease_cmds.so"); /* built in */
	assert_string_equal(c->hooks[1].library, "/usr/lib/usher/other.so");
	assert_non_null(json_get(c->hooks[1].parameters, "list"));
	assert_int_equal(c->loggers[0].severity, LOG_SEV_DEBUG);
	assert_int_equal(c->loggers[0].outputs[0].maxver, 4);
	assert_int_equal(c->loggers[0].outputs[1].kind, LOG_SINK_SYSLOG);
}

static void check_tier_a_options(const struct config *c)
{
	assert_true(option_is(&c->options, "dhcp4", 6, "\xc0\x00\x02\x35\xc0\x00\x02\x36", 8));
	assert_true(option_is(&c->options, "dhcp4", 15, "example.org", 11));
	assert_true(config_option_find(&c->options, "dhcp4", 15)->always_send);
	assert_true(option_is(&c->options, "dhcp4", 150, "\xc0\x00\x02\x06", 4));
	assert_true(option_is(&c->options, "dhcp4", 252, "http", 4));
	assert_true(option_is(&c->options, "foo", 1, "\x07seven", 6));
	assert_true(option_is(&c->options, "dhcp4", 54, "\xc0\x00\x02\x01", 4));
	assert_string_equal(option_defs_by_code(c->defs, "dhcp4", 222)->encapsulate, "foo");
	assert_int_equal(option_defs_by_name(c->defs, "dhcp4", "tftp150")->code, 150);
	assert_int_equal(option_defs_by_name(c->defs, "dhcp4", "routers")->code, 3);
	assert_null(option_defs_by_name(c->defs, "dhcp4", "nope"));
}

static void check_tier_a_classes(const struct config *c)
{
	assert_int_equal(c->n_classes, 3);
	assert_non_null(c->classes[0].test);
	assert_int_equal(c->classes[0].next_server, 0xc0000207);
	assert_string_equal(c->classes[0].boot_file_name, "snponly.efi");
	assert_true(option_is(&c->classes[0].options, "dhcp4", 15, "pxe.example.org", 15));
	assert_int_equal(c->classes[0].defs[0].code, 224);
	assert_false(c->classes[0].late);
	assert_true(c->classes[1].late);
	assert_null(c->classes[2].test);
	assert_string_equal(c->class_names[c->classes[2].id], "reserved");
}

static void check_tier_a_topology(const struct config *c)
{
	const struct config_subnet *s = config_subnet_by_id(c, 1);
	const struct config_subnet *ten = config_subnet_by_id(c, 10);
	const struct config_network *n = &c->networks[0];

	assert_int_equal(c->n_subnets, 3);
	assert_int_equal(c->n_pools, 3);
	assert_string_equal(s->text, "192.0.2.0/24");
	assert_int_equal(s->n_relays, 2);
	assert_int_equal(s->classes.n, 2);
	assert_int_equal(s->pools[0].first, 0xc0000280);
	assert_int_equal(s->pools[0].last, 0xc00002bf);
	assert_ptr_equal(c->pool_subnets[s->pools[1].index], s);
	assert_int_equal(n->n_subnets, 2);
	assert_ptr_equal(n->subnets[0], ten);
	assert_ptr_equal(ten->network, n);
	assert_string_equal(ten->interface, "eth2");
	/* subnet < network < global */
	assert_int_equal(s->params.valid_lifetime.value, 4000);
	assert_int_equal(s->params.valid_lifetime.max, 8000);
	assert_int_equal(n->params.valid_lifetime.value, 5000);
	assert_int_equal(n->params.valid_lifetime.max, 8000);
	assert_int_equal(config_subnet_by_id(c, 20)->params.valid_lifetime.value, 5000);
	assert_int_equal(ten->params.valid_lifetime.value, 6000);
	assert_int_equal(ten->params.valid_lifetime.min, 1000);
	assert_int_equal(ten->params.renew_timer, 1000);
	assert_true(ten->params.authoritative);
}

static void check_tier_a_lookups(const struct config *c)
{
	const struct config_subnet *s = config_subnet_by_id(c, 1);

	assert_ptr_equal(config_subnet_containing(c, 0xc0000263, NULL), s);
	assert_null(config_subnet_containing(c, 0xc0000263, s));
	assert_null(config_subnet_containing(c, 0xc0000363, NULL));
	assert_ptr_equal(config_subnet_by_relay(c, 0xc00002fd, NULL), s);
	assert_int_equal(config_subnet_by_relay(c, 0x0a090909, NULL)->id, 20);
	assert_int_equal(config_subnet_by_relay(c, 0x0a080808, NULL)->id, 10);
	assert_null(config_subnet_by_relay(c, 0x0a090909, config_subnet_by_id(c, 20)));
	assert_int_equal(config_subnet_by_interface(c, "eth2", NULL)->id, 10);
	assert_int_equal(config_subnet_by_interface(c, "eth2", config_subnet_by_id(c, 10))->id, 20);
	assert_null(config_subnet_by_interface(c, "eth9", NULL));
	assert_null(config_subnet_by_id(c, 2));
}

static void check_tier_a_hosts(const struct config *c)
{
	const struct config_host *h = config_host_by_id(c, 1, HOST_ID_HW_ADDRESS,
							span_of("\x1a\x1b\x1c\x1d\x1e\x1f", 6));

	assert_int_equal(c->n_hosts, 6);
	assert_non_null(h);
	assert_string_equal(h->hostname, "host-1");
	assert_int_equal(h->addr, 0xc00002c9);
	assert_int_equal(h->next_server, 0xc0000208);
	assert_true(option_is(&h->options, "dhcp4", 12, "h1", 2));
	assert_ptr_equal(config_host_by_addr(c, 1, 0xc00002c9), h);
	assert_null(config_host_by_addr(c, 10, 0xc00002c9));
	assert_non_null(config_host_by_id(c, 1, HOST_ID_CIRCUIT_ID, span_str("port 7")));
	assert_non_null(config_host_by_id(c, 1, HOST_ID_FLEX_ID, span_str("s0mEVaLue")));
	assert_non_null(config_host_by_id(c, 0, HOST_ID_HW_ADDRESS,
					  span_of("\xaa\xbb\xcc\xdd\xee\xff", 6)));
	assert_null(config_host_by_id(c, 1, HOST_ID_DUID, span_str("x")));
}

static void test_tier_a(void **state)
{
	struct config *c = load_data("tier-a.json");

	(void)state;
	/* packet-queue-size, the facility of syslog; for users but root the log file, too */
	assert_int_equal(n_warnings, access("/var/log", W_OK) == 0 ? 2 : 3);
	check_tier_a_globals(c);
	check_tier_a_options(c);
	check_tier_a_classes(c);
	check_tier_a_topology(c);
	check_tier_a_lookups(c);
	check_tier_a_hosts(c);
	check_fixpoint(c);
	config_free(c);
}

static void test_tier_b(void **state)
{
	struct config *c = load_data("tier-b.json");

	(void)state;
	assert_non_null(
		strstr(warnings, "'re-detect' in interfaces-config is accepted and has no effect"));
	assert_true(c->use_routing && !c->re_detect && c->sockets_require_all);
	assert_int_equal(c->sockets_max_retries, 5);
	assert_int_equal(c->sockets_retry_wait_ms, 100);
	assert_true(c->params.calculate_tee_times && c->params.t1_percent < 0.41);
	assert_int_equal(c->params.offer_lifetime, 30);
	assert_int_equal(c->params.allocator, ALLOCATOR_FLQ);
	assert_int_equal(c->lease_checks, CHECKS_FIX_DEL);
	assert_int_equal(c->host_ids[0], HOST_ID_FLEX_ID);
	assert_true(c->exclude_first_last_24 && c->stash_agent_options &&
		    !c->ip_reservations_unique);
	assert_true(c->classes[0].only_additional && c->classes[0].valid_lifetime.set);
	assert_int_equal(c->classes[0].valid_lifetime.min, 50);
	assert_non_null(c->classes[1].template_test);
	assert_int_equal(config_option_find(&c->classes[2].options, "vendor-4491", 2)->vendor_id,
			 4491);
	assert_int_equal(config_option_find(&c->options, "dhcp4", 4)->classes.n, 1);
	assert_true(config_option_find(&c->options, "dhcp4", 7)->never_send);
	assert_int_equal(c->subnets[0].id, 1);
	assert_int_equal(c->subnets[0].pools[0].pool_id, 7);
	assert_int_equal(c->n_hosts, 2);
	check_fixpoint(c);
	config_free(c);
}

static void test_older_spellings(void **state)
{
	struct config *c = load_data("kea-2.2.json");

	(void)state;
	assert_non_null(strstr(warnings, "extra comma"));
	assert_string_equal(c->control_sockets[0].path, "/tmp/kea4.sock");
	assert_true(c->params.reservations_in_subnet && c->params.reservations_out_of_pool);
	assert_int_equal(c->subnets[0].prefix, 0xc0000300); /* the given id is kept */
	assert_int_equal(c->subnets[1].id, 2);
	assert_int_equal(c->subnets[2].id, 3);
	assert_true(c->subnets[1].params.reservations_global &&
		    !c->subnets[1].params.reservations_in_subnet);
	assert_int_equal(c->subnets[1].classes.n, 1);
	assert_int_equal(c->subnets[1].additional.n, 1);
	assert_int_equal(c->subnets[1].relays[0], 0xc00002fa);
	assert_true(c->classes[0].only_additional);
	assert_int_equal(c->loggers[0].n_outputs, 1);
	check_fixpoint(c);
	config_free(c);
}

static void test_overlapping_subnets(void **state)
{
	struct config *c = load_text(
		"{\"Dhcp4\":{\"subnet4\":["
		"{\"id\":3,\"subnet\":\"10.0.0.0/8\"},{\"id\":1,\"subnet\":\"10.1.0.0/16\"},"
		"{\"id\":2,\"subnet\":\"0.0.0.0/0\"},{\"id\":9,\"subnet\":\"10.1.1.1/32\"}]}}");
	static const uint32_t want[] = {1, 2, 3, 9};
	const struct config_subnet *s = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		s = config_subnet_containing(c, 0x0a010101, s);
		assert_int_equal(s ? s->id : 0, want[i]);
	}
	assert_null(config_subnet_containing(c, 0x0a010101, s));
	config_free(c);
}

/* Enough of everything for a quadratic step to be felt; every entry is found again. */
static void test_scale(void **state)
{
	enum { SUBNETS = 2000, HOSTS = 20 };
	struct config *c;
	struct buf b;

	(void)state;
	buf_init(&b);
	buf_str(&b, "{\"Dhcp4\":{\"subnet4\":[");
	for (unsigned i = 0; i < SUBNETS; i++) {
		buf_printf(&b, "%s{\"subnet\":\"10.%u.%u.0/24\",\"reservations\":[", i ? "," : "",
			   i >> 8, i & 255);
		for (unsigned k = 1; k <= HOSTS; k++)
			buf_printf(&b, "%s{\"duid\":\"%06x%02x\",\"ip-address\":\"10.%u.%u.%u\"}",
				   k > 1 ? "," : "", i, k, i >> 8, i & 255, k);
		buf_str(&b, "]}");
	}
	buf_str(&b, "]}}");
	c = load_text(b.p);
	buf_fini(&b);
	assert_int_equal(c->n_hosts, SUBNETS * HOSTS);
	for (size_t i = 0; i < c->n_hosts; i++) {
		const struct config_host *h = &c->hosts[i];

		assert_ptr_equal(config_host_by_id(c, h->subnet_id, HOST_ID_DUID, h->id), h);
		assert_ptr_equal(config_host_by_addr(c, h->subnet_id, h->addr), h);
		assert_int_equal(config_subnet_containing(c, h->addr, NULL)->id, h->subnet_id);
	}
	config_free(c);
}

/* config-get shows an option completely. */
static void test_effective_option(void **state)
{
	struct config *c = load_text(
		"{\"Dhcp4\":{\"option-data\":[{\"name\":\"routers\",\"data\":\"10.0.0.1\"}]}}");
	const struct json *o = json_get(json_get(config_effective(c), "Dhcp4"), "option-data")
				       ->first;
	int64_t code = 0;
	bool csv = false;

	(void)state;
	assert_true(json_get_int(o, "code", &code) && code == 3);
	assert_true(json_get_bool(o, "csv-format", &csv) && csv);
	assert_string_equal(json_get_str(o, "space"), "dhcp4");
	check_fixpoint(c);
	config_free(c);
}

static void test_comment(void **state)
{
	struct config *c = load_text(
		"{\"Dhcp4\":{\"comment\":\"hello\",\"user-context\":{\"a\":1}}}");
	const struct json *context = json_get(json_get(config_effective(c), "Dhcp4"),
					      "user-context");

	(void)state;
	assert_string_equal(json_get_str(context, "comment"), "hello");
	assert_null(json_get(json_get(config_effective(c), "Dhcp4"), "comment"));
	check_fixpoint(c);
	config_free(c);
}

/* --- files that Kea loads and we once did not ------------------------------------------------- */

static bool read_expectation(const char *path, const char *word, unsigned *line, unsigned *col,
			     char *text, size_t cap);

static struct config_error warnings_seen[64];
static size_t n_warnings_seen;

static void on_warning_seen(void *ctx, const struct config_error *w)
{
	(void)ctx;
	if (n_warnings_seen < ARRAY_LEN(warnings_seen))
		warnings_seen[n_warnings_seen++] = *w;
}

static void check_accepted(const char *path)
{
	struct config_load_opts o = {.warn = on_warning_seen};
	struct config_error e = {0};
	struct config *c = NULL;
	bool found = false;
	unsigned line;
	unsigned col;
	char text[600];

	n_warnings_seen = 0;
	if (config_load_file(path, &o, &c, &e) < 0)
		fail_msg("%s: %u:%u: %s", path, e.pos.line, e.pos.col, e.text);
	check_fixpoint(c);
	config_free(c);
	if (!read_expectation(path, "warns", &line, &col, text, sizeof(text)))
		return;
	for (size_t i = 0; i < n_warnings_seen; i++)
		found |= warnings_seen[i].pos.line == line && warnings_seen[i].pos.col == col &&
			 strstr(warnings_seen[i].text, text);
	if (!found)
		fail_msg("%s: no warning %u:%u %s", path, line, col, text);
}

static void each_file(const char *name, void (*check)(const char *path), int at_least)
{
	char path[600];
	struct dirent *entry;
	int n = 0;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/%s", USHER_TEST_DATA, name);
	d = opendir(path);
	assert_non_null(d);
	while ((entry = readdir(d)) != NULL) {
		if (!strstr(entry->d_name, ".json"))
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s/%s", USHER_TEST_DATA, name,
			       entry->d_name);
		check(path);
		n++;
	}
	(void)closedir(d);
	assert_true(n >= at_least);
}

static void test_accepted(void **state)
{
	(void)state;
	each_file("accepted", check_accepted, 8);
}

/* --- the fixed point of every file ------------------------------------------------------------ */

static int n_fixpoints;

/* Checks the fixed point of a file, if it loads. */
static int visit_file(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	struct config_error e = {0};
	struct config *c = NULL;

	(void)st;
	(void)ftw;
	if (kind != FTW_F || !strstr(path, ".json") || config_load_file(path, NULL, &c, &e) < 0)
		return 0;
	print_message("%s\n", path);
	check_fixpoint(c);
	config_free(c);
	n_fixpoints++;
	return 0;
}

static void test_fixpoints(void **state)
{
	(void)state;
	assert_int_equal(nftw(USHER_TEST_DATA, visit_file, 8, FTW_PHYS), 0);
	assert_true(n_fixpoints >= 20);
	n_fixpoints = 0;
	assert_int_equal(nftw(USHER_EXAMPLES, visit_file, 8, FTW_PHYS), 0);
	assert_true(n_fixpoints >= 10);
}

/* --- all problems of a file in one run -------------------------------------------------------- */

/* Takes the problem that a marker in the text announces out of the list. */
static void take_problem(struct config_problems *p, unsigned line, const char *marker)
{
	unsigned col = 0;
	int at = 0;
	char text[200];

	assert_int_equal(sscanf(marker, "// problem: %u %n", &col, &at), 1);
	(void)snprintf(text, sizeof(text), "%s", marker + at);
	text[strcspn(text, "\n")] = '\0';
	if (strstr(text, " // problem"))
		*strstr(text, " // problem") = '\0';
	for (size_t i = 0; i < p->n; i++) {
		if (p->items[i].pos.line != line || p->items[i].pos.col != col ||
		    !strstr(p->items[i].text, text))
			continue;
		p->items[i].pos.line = 0;
		return;
	}
	fail_msg("no problem %u:%u: %s", line, col, text);
}

/* The problems of a file are those that its markers announce, and no others. The number of them. */
static size_t check_problems(const char *path)
{
	struct config_problems p = {0};
	struct config_load_opts o = {.problem = config_problems_add, .ctx = &p};
	struct config_error e = {0};
	struct config *c = NULL;
	unsigned line = 0;
	char text[500];
	size_t n;
	FILE *f;

	assert_int_equal(config_load_file(path, &o, &c, &e), -USHER_E_CONFIG);
	n = p.n;
	config_problems_sort(&p);
	for (size_t i = 1; i < p.n; i++)
		assert_true(p.items[i].pos.line >= p.items[i - 1].pos.line);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(text, sizeof(text), f)) {
		line++;
		for (const char *m = strstr(text, "// problem:"); m;
		     m = strstr(m + 1, "// problem:"))
			take_problem(&p, line, m);
	}
	(void)fclose(f);
	for (size_t i = 0; i < p.n; i++)
		if (p.items[i].pos.line)
			fail_msg("%s:%u:%u: %s", path, p.items[i].pos.line, p.items[i].pos.col,
				 p.items[i].text);
	config_problems_fini(&p);
	return n;
}

static void test_problems(void **state)
{
	(void)state;
	assert_int_equal(check_problems(USHER_TEST_DATA "/problems.json"), 39);
}

static void check_follow_ups(const char *path)
{
	assert_true(check_problems(path) > 1);
}

/* A reference to a refused part is no problem of its own. */
static void test_follow_ups(void **state)
{
	(void)state;
	each_file("follow-ups", check_follow_ups, 2);
}

/* --- broken files ----------------------------------------------------------------------------- */

static bool read_expectation(const char *path, const char *word, unsigned *line, unsigned *col,
			     char *text, size_t cap)
{
	char first[600] = "";
	char form[40];
	FILE *f = fopen(path, "r");
	int at = 0;

	if (!f)
		return false;
	if (!fgets(first, sizeof(first), f))
		first[0] = '\0';
	(void)fclose(f);
	first[strcspn(first, "\n")] = '\0';
	(void)snprintf(form, sizeof(form), "// %s: ", word);
	if (strncmp(first, form, strlen(form)) != 0 ||
	    sscanf(first + strlen(form), "%u:%u %n", line, col, &at) != 2)
		return false;
	(void)snprintf(text, cap, "%s", first + strlen(form) + at);
	return true;
}

static void check_broken(const char *path)
{
	struct config_error e = {0};
	struct config *c = NULL;
	unsigned line;
	unsigned col;
	char text[600];

	if (!read_expectation(path, "expect", &line, &col, text, sizeof(text)))
		fail_msg("%s: no expectation", path);
	if (config_load_file(path, NULL, &c, &e) == 0)
		fail_msg("%s: loads", path);
	if (e.pos.line != line || e.pos.col != col || !strstr(e.text, text))
		fail_msg("%s: got %u:%u %s", path, e.pos.line, e.pos.col, e.text);
}

static void test_broken(void **state)
{
	(void)state;
	each_file("broken", check_broken, 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_tier_a),
		cmocka_unit_test(test_tier_b),
		cmocka_unit_test(test_older_spellings),
		cmocka_unit_test(test_overlapping_subnets),
		cmocka_unit_test(test_comment),
		cmocka_unit_test(test_effective_option),
		cmocka_unit_test(test_scale),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_fixpoints),
		cmocka_unit_test(test_problems),
		cmocka_unit_test(test_follow_ups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
