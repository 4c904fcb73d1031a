/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The values that scopes share (lifetimes, timers, boot fields, modes), and the global behaviour:
 * lease store, reclamation, compatibility, identifiers. Inheritance is done before: every scope has
 * all values of its own.
 */
#include "config/config_load.h"
#include "config/expr_node.h"

#include "base/error.h"

enum { SNAME_MAX = 63, FILE_NAME_MAX = 127, PACKET_QUEUE_DEFAULT = 64 };

/* --- values of a scope ------------------------------------------------------------------------ */

int load_triplet(struct load *l, const struct json *map, struct config_triplet *ret)
{
	const struct json *value = json_get(map, "valid-lifetime");
	const struct json *min = json_get(map, "min-valid-lifetime");
	const struct json *max = json_get(map, "max-valid-lifetime");
	const struct json *any = value ? value : min ? min : max;

	*ret = (struct config_triplet){0};
	if (!any)
		return 0;
	ret->set = true;
	ret->value = (uint32_t)any->i;
	ret->min = min ? (uint32_t)min->i : ret->value;
	ret->max = max ? (uint32_t)max->i : ret->value;
	if (ret->min > ret->value)
		return load_fail(l, min, "min-valid-lifetime %u is greater than valid-lifetime %u",
				 ret->min, ret->value);
	if (ret->max < ret->value)
		return load_fail(l, max, "max-valid-lifetime %u is less than valid-lifetime %u",
				 ret->max, ret->value);
	return 0;
}

/* Returns whether the map itself has the key: inherited values are filled in with the place of the
 * map. */
static bool is_own(const struct json *map, const struct json *v)
{
	return v && (v->key_pos.line != map->pos.line || v->key_pos.col != map->pos.col);
}

/* Returns the text of a boot field; "" if it is absent, or does not fit into the message. */
static const char *boot_text(struct load *l, const struct json *map, const char *key, size_t max)
{
	const struct json *v = json_get(map, key);

	if (!v || v->n <= max)
		return v ? v->s : "";
	if (is_own(map, v))
		load_warn(l, v,
			  "'%s' has %zu octets, at most %zu fit into the message: it is not sent",
			  key, v->n, max);
	return "";
}

int load_boot_fields(struct load *l, const struct json *map, bool *ret_has, uint32_t *ret_next,
		     const char **ret_host, const char **ret_file)
{
	const char *host = boot_text(l, map, "server-hostname", SNAME_MAX);
	const char *file = boot_text(l, map, "boot-file-name", FILE_NAME_MAX);

	/* the empty values mean "not given", as in Kea */
	*ret_next = load_addr(map, "next-server");
	*ret_has = *ret_next != 0;
	*ret_host = *host ? host : NULL;
	*ret_file = *file ? file : NULL;
	return 0;
}

static int load_timers(struct load *l, const struct json *map, struct config_params *p)
{
	const struct json *t1 = json_get(map, "renew-timer");
	const struct json *t2 = json_get(map, "rebind-timer");

	p->has_renew_timer = t1 != NULL;
	p->has_rebind_timer = t2 != NULL;
	p->renew_timer = t1 ? (uint32_t)t1->i : 0;
	p->rebind_timer = t2 ? (uint32_t)t2->i : 0;
	if (t1 && t2 && t1->i >= t2->i && (is_own(map, t1) || is_own(map, t2)))
		load_warn(
			l, t1,
			"renew-timer %u is not less than rebind-timer %u: clients are not told T1",
			p->renew_timer, p->rebind_timer);
	p->calculate_tee_times = load_bool(map, "calculate-tee-times");
	p->t1_percent = load_real(map, "t1-percent");
	p->t2_percent = load_real(map, "t2-percent");
	if (p->calculate_tee_times && p->t1_percent >= p->t2_percent)
		load_warn(l, json_get(map, "t1-percent"),
			  "t1-percent %g is not less than t2-percent %g: clients are not told T1",
			  p->t1_percent, p->t2_percent);
	return 0;
}

static enum config_allocator allocator_of(const struct json *map)
{
	return (enum config_allocator)schema_word("iterative|random|flq",
						  load_str(map, "allocator", "iterative"));
}

/* Warns where reservations are promised out of pool, but the subnet's own reservations are not in
 * use. */
static int check_modes(struct load *l, const struct json *map, const struct config_params *p)
{
	const struct json *v = json_get(map, "reservations-out-of-pool");

	if (p->reservations_out_of_pool && !p->reservations_in_subnet && is_own(map, v))
		load_warn(
			l, v,
			"'reservations-out-of-pool' has no effect without 'reservations-in-subnet'");
	return 0;
}

/*
 * Loads hostname-char-set. Each octet is tried once, here, so that a packet costs only a test of a
 * bit. A pattern that may match several octets is run on names instead.
 */
static int load_char_set(struct load *l, const struct json *map, struct config_names *p)
{
	const struct json *v = json_get(map, "hostname-char-set");
	const struct expr_regex *re = NULL;
	const char *why = "";
	uint8_t *bits;
	size_t at;

	if (l->char_set && strcmp(l->char_set, p->char_set) == 0) {
		p->bad = l->char_set_bits;
		p->char_regex = l->char_set_regex;
		return 0;
	}
	bits = arena_zalloc(l->a, 32);
	if (!bits)
		return load_no_memory(l);
	if (*p->char_set) {
		if (expr_regex_compile(span_str(p->char_set), l->a, &re, &at, &why) < 0)
			return load_fail(l, v, "hostname-char-set: %s at character %zu", why,
					 at + 1);
		for (unsigned c = 0; c < 256; c++) {
			uint8_t octet = (uint8_t)c;

			if (!expr_regex_is_octet(re) ||
			    expr_regex_match(re, span_of(&octet, 1), l->a) == 1)
				bits[c / 8] |= (uint8_t)(1U << (c % 8));
		}
	}
	l->char_set = p->char_set;
	l->char_set_bits = bits;
	l->char_set_regex = re && !expr_regex_is_octet(re) ? re : NULL;
	p->bad = bits;
	p->char_regex = l->char_set_regex;
	return 0;
}

int load_names(struct load *l, const struct json *map, const struct config_names *outer,
	       struct config_names *ret)
{
	static const struct config_names none = {.generated_prefix = "myhost",
						 .qualifying_suffix = "",
						 .char_set = "",
						 .char_replacement = "",
						 .updates = {.send = true}};
	const char *replace = json_get_str(map, "ddns-replace-client-name");

	*ret = outer ? *outer : none;
	if (replace)
		ret->replace = (enum config_replace_name)
			schema_word("never|always|when-present|when-not-present", replace);
	ret->generated_prefix = load_str(map, "ddns-generated-prefix", ret->generated_prefix);
	ret->qualifying_suffix = load_str(map, "ddns-qualifying-suffix", ret->qualifying_suffix);
	ret->char_set = load_str(map, "hostname-char-set", ret->char_set);
	ret->char_replacement = load_str(map, "hostname-char-replacement", ret->char_replacement);
	return load_both(load_updates(l, map, &ret->updates), load_char_set(l, map, ret));
}

int load_params(struct load *l, const struct json *map, const struct config_params *outer,
		struct config_params *p)
{
	int r = load_triplet(l, map, &p->valid_lifetime);

	r = load_both(r, load_timers(l, map, p));
	p->offer_lifetime = load_u32(map, "offer-lifetime", 0);
	p->cache_threshold = load_real(map, "cache-threshold");
	p->has_cache_max_age = json_get(map, "cache-max-age") != NULL;
	p->cache_max_age = load_u32(map, "cache-max-age", 0);
	p->store_extended_info = load_bool(map, "store-extended-info");
	p->authoritative = load_bool(map, "authoritative");
	p->match_client_id = load_bool(map, "match-client-id");
	p->next_server = load_addr(map, "next-server");
	p->server_hostname = boot_text(l, map, "server-hostname", SNAME_MAX);
	p->boot_file_name = boot_text(l, map, "boot-file-name", FILE_NAME_MAX);
	p->allocator = allocator_of(map);
	p->adaptive_lease_time_threshold = load_real(map, "adaptive-lease-time-threshold");
	p->reservations_global = load_bool(map, "reservations-global");
	p->reservations_in_subnet = load_bool(map, "reservations-in-subnet");
	p->reservations_out_of_pool = load_bool(map, "reservations-out-of-pool");
	r = load_both(r, load_names(l, map, outer ? &outer->names : NULL, &p->names));
	return load_both(r, check_modes(l, map, p));
}

/* --- global ----------------------------------------------------------------------------------- */

static void load_reclaim(struct load *l)
{
	const struct json *m = json_get(l->dhcp4, "expired-leases-processing");
	struct config *c = l->c;

	c->reclaim_timer_wait_s = load_u32(m, "reclaim-timer-wait-time", 0);
	c->flush_reclaimed_timer_wait_s = load_u32(m, "flush-reclaimed-timer-wait-time", 0);
	c->hold_reclaimed_s = load_u32(m, "hold-reclaimed-time", 0);
	c->max_reclaim_leases = load_u32(m, "max-reclaim-leases", 0);
	c->max_reclaim_ms = load_u32(m, "max-reclaim-time", 0);
	c->unwarned_reclaim_cycles = load_u32(m, "unwarned-reclaim-cycles", 0);
	m = json_get(l->dhcp4, "sanity-checks");
	c->lease_checks = (enum config_lease_checks)schema_word("none|warn|fix|fix-del|del",
								load_str(m, "lease-checks",
									 "warn"));
	c->context_checks = (enum config_context_checks)
		schema_word("none|fix|strict|pedantic", load_str(m, "extended-info-checks", "fix"));
}

const struct json *load_usher_value(struct load *l, const char *key)
{
	static const char *const older[] = {"lease-database", "interfaces-config"};
	const struct json *usher = json_get(json_get(l->dhcp4, "user-context"), "usher");
	const struct json *v = json_get(usher, key);

	for (size_t i = 0; i < ARRAY_LEN(older); i++) {
		const struct json *map = json_get(l->dhcp4, older[i]);
		const struct json *old = json_get(json_get(json_get(map, "user-context"), "usher"),
						  key);

		if (!old)
			continue;
		load_warn(
			l, old,
			"'%s' stands in user-context.usher of %s, it belongs into user-context.usher of Dhcp4%s",
			key, older[i], v ? ", where it is given and counts" : "");
		v = v ? v : old;
	}
	return v;
}

static int load_host_ids(struct load *l)
{
	const struct json *list = json_get(l->dhcp4, "host-reservation-identifiers");
	uint8_t *ids = arena_array(l->a, uint8_t, HOST_ID_N);
	size_t n = 0;
	int bad = 0;

	if (!ids)
		return load_no_memory(l);
	if (!list->count)
		return load_fail(l, list, "'host-reservation-identifiers' is empty");
	for (const struct json *v = list->first; v; v = v->next) {
		int id = schema_word("hw-address|duid|circuit-id|client-id|flex-id", v->s);

		if (id < 0)
			bad = load_fail(
				l, v,
				"unknown identifier '%.32s', expected one of hw-address, duid, circuit-id, client-id, flex-id",
				v->s);
		else if (n && memchr(ids, id, n))
			bad = load_fail(l, v, "identifier '%s' is given twice", v->s);
		else
			ids[n++] = (uint8_t)id;
	}
	l->c->host_ids = ids;
	l->c->n_host_ids = n;
	return bad;
}

static int refuse(struct load *l)
{
	const struct json *hosts = json_get(l->dhcp4, "hosts-databases");
	const struct json *control = json_get(l->dhcp4, "config-control");

	int r = 0;

	if (hosts && hosts->count)
		r = load_fail(
			l, hosts,
			"'hosts-databases' is not supported: reservations are read from this configuration");
	if (control && load_count(control, "config-databases"))
		r = load_fail(
			l, control,
			"'config-control' is not supported: there is no configuration backend");
	return r;
}

static void load_behaviour(struct load *l)
{
	const struct json *m = json_get(l->dhcp4, "compatibility");
	const struct json *d = l->dhcp4;
	struct config *c = l->c;

	c->lenient_option_parsing = load_bool(m, "lenient-option-parsing");
	c->ignore_server_id = load_bool(m, "ignore-dhcp-server-identifier");
	c->ignore_rai_link_selection = load_bool(m, "ignore-rai-link-selection");
	c->exclude_first_last_24 = load_bool(m, "exclude-first-last-24");
	c->decline_probation_s = load_u32(d, "decline-probation-period", 0);
	c->echo_client_id = load_bool(d, "echo-client-id");
	c->early_global_reservations_lookup = load_bool(d, "early-global-reservations-lookup");
	c->ip_reservations_unique = load_bool(d, "ip-reservations-unique");
	c->reservations_lookup_first = load_bool(d, "reservations-lookup-first");
	c->stash_agent_options = load_bool(d, "stash-agent-options");
	c->server_tag = load_str(d, "server-tag", "");
	c->parked_packet_limit = load_u32(d, "parked-packet-limit", 0);
	c->sample_count = load_u32(d, "statistic-default-sample-count", 0);
	c->sample_age_s = load_u32(d, "statistic-default-sample-age", 0);
	m = json_get(d, "multi-threading");
	c->multi_threading = load_bool(m, "enable-multi-threading");
	c->thread_pool_size = load_u32(m, "thread-pool-size", 0);
	c->packet_queue_size = load_u32(m, "packet-queue-size", 0);
	if (c->packet_queue_size != PACKET_QUEUE_DEFAULT)
		load_warn(
			l, json_get(m, "packet-queue-size"),
			"'packet-queue-size' is accepted and has no effect: the kernel has the queue");
}

int load_globals(struct load *l)
{
	int r = refuse(l);

	load_reclaim(l);
	load_behaviour(l);
	r = load_both(r, load_lease_db(l));
	r = load_both(r, load_host_ids(l));
	r = load_both(r, load_ddns(l));
	r = load_both(r, load_params(l, l->dhcp4, NULL, &l->c->params));
	return load_both(r, load_options(l, l->dhcp4, &l->c->options));
}
