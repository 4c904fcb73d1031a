/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Keys of earlier versions of Kea whose place or form differs. Mere names are rows of
 * config_schema.def.
 */
#include "config/config_load.h"

#include "config/schema/config_schema.h"

int load_reservation_mode(struct load *l, const struct json *in, struct json *out)
{
	static const char *const keys[] = {"reservations-global", "reservations-in-subnet",
					   "reservations-out-of-pool"};
	static const bool modes[][3] = {
		{false, false, false}, {false, false, false}, {false, true, true},
		{false, true, false},  {true, false, false},
	};
	int i = schema_word("disabled|off|out-of-pool|all|global", in->s);

	for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
		int r;

		if (json_get(out, keys[k]) || i < 0)
			return load_fail_key(l, in,
					     "'reservation-mode' and '%s' exclude one another",
					     keys[k]);
		r = load_put(l, out, keys[k], load_keep_place(l, json_bool(l->a, modes[i][k]), in));
		if (r < 0)
			return r;
	}
	return 0;
}

int load_conflict_resolution(struct load *l, const struct json *in, struct json *out)
{
	static const char key[] = "ddns-conflict-resolution-mode";
	const char *mode = in->b ? "check-with-dhcid" : "no-check-with-dhcid";

	if (json_get(out, key))
		return load_fail_key(l, in, "'%s' and '%s' exclude one another", in->key, key);
	load_warn(l, in, "'%s' is the older form of '%s': it counts as '%s'", in->key, key, mode);
	return load_put(l, out, key, load_keep_place(l, json_str(l->a, mode), in));
}

int load_move_keys(struct load *l, struct json *out)
{
	for (size_t i = 0; i < schema_n_moved; i++) {
		const struct schema_moved *m = &schema_moved[i];
		struct json *map = json_get(out, schema_ctx_name(m->from));
		struct json *v = json_get(map, m->old);
		int r;

		if (!v)
			continue;
		if (!v->refused)
			load_warn(l, v, "'%s' in %s is the older name of '%s' in Dhcp4%s", m->old,
				  schema_ctx_name(m->from), m->name,
				  json_get(out, m->name) ? ", which is given and counts" : "");
		json_remove(map, m->old);
		r = json_get(out, m->name) ? 0 : load_put(l, out, m->name, v);
		if (r < 0)
			return r;
	}
	return 0;
}

int load_refuse_beside(struct load *l, const struct json *m)
{
	if (strcmp(m->key, "Logging") == 0)
		return load_fail_key(
			l, m,
			"'Logging' was removed in Kea 1.8: move its list 'loggers' into 'Dhcp4'");
	if (strcmp(m->key, "Dhcp6") == 0 || strcmp(m->key, "DhcpDdns") == 0 ||
	    strcmp(m->key, "Control-agent") == 0 || strcmp(m->key, "Netconf") == 0)
		return load_fail_key(
			l, m, "'%s' belongs into a file of its own: it configures another program",
			m->key);
	if (schema_find(SCHEMA_GLOBAL, m->key) || schema_find_old(SCHEMA_GLOBAL, m->key))
		return load_fail_key(l, m, "'%s' stands beside 'Dhcp4', it belongs inside", m->key);
	return load_fail_key(l, m, "unknown keyword '%.64s' beside 'Dhcp4'", m->key);
}
