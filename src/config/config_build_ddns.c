/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The map dhcp-ddns, and the keys for updates of the DNS in a scope.
 */
#include "config/config_load.h"

#include "config/schema/config_schema.h"

#include <arpa/inet.h>
#include <string.h>

#define MODES "check-with-dhcid|no-check-with-dhcid|check-exists-with-dhcid|no-check-without-dhcid"

static void load_flag(const struct json *map, const char *key, bool *p)
{
	if (json_get(map, key))
		*p = load_bool(map, key);
}

/* Checks the keys for the TTL that stand in one map. */
static int check_ttl(struct load *l, const struct json *map)
{
	static const char *const others[] = {"ddns-ttl-percent", "ddns-ttl-min", "ddns-ttl-max"};
	const struct json *ttl = json_get(map, "ddns-ttl");
	const struct json *max = json_get(map, "ddns-ttl-max");
	const struct json *percent = json_get(map, "ddns-ttl-percent");
	int r = 0;

	for (size_t i = 0; ttl && i < ARRAY_LEN(others); i++)
		if (json_get(map, others[i]))
			r = load_both(r, load_fail_key(l, json_get(map, others[i]),
						       "'%s' and 'ddns-ttl' exclude one another",
						       others[i]));
	if (max && max->i && json_get(map, "ddns-ttl-min") &&
	    json_get(map, "ddns-ttl-min")->i > max->i)
		r = load_both(r, load_fail(l, max, "'ddns-ttl-max' is less than 'ddns-ttl-min'"));
	if (percent && load_real(map, "ddns-ttl-percent") <= 0)
		r = load_both(r, load_fail(l, percent, "'ddns-ttl-percent' is 0, expected more"));
	return r;
}

int load_updates(struct load *l, const struct json *map, struct config_updates *p)
{
	const char *mode = json_get_str(map, "ddns-conflict-resolution-mode");

	load_flag(map, "ddns-send-updates", &p->send);
	load_flag(map, "ddns-override-no-update", &p->override_no_update);
	load_flag(map, "ddns-override-client-update", &p->override_client_update);
	load_flag(map, "ddns-update-on-renew", &p->on_renew);
	if (mode)
		p->mode = (enum config_conflict_mode)schema_word(MODES, mode);
	p->ttl = load_u32(map, "ddns-ttl", p->ttl);
	p->ttl_min = load_u32(map, "ddns-ttl-min", p->ttl_min);
	p->ttl_max = load_u32(map, "ddns-ttl-max", p->ttl_max);
	if (json_get(map, "ddns-ttl-percent"))
		p->ttl_percent = load_real(map, "ddns-ttl-percent");
	return check_ttl(l, map);
}

/* Returns the family of an address; 0: it is none. */
static int family_of(const char *text)
{
	struct in6_addr a6;
	struct in_addr a4;

	if (inet_pton(AF_INET, text, &a4) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, text, &a6) == 1 ? AF_INET6 : 0;
}

static int check_addresses(struct load *l, const struct json *m, const struct config_ddns *d)
{
	const struct json *server = json_get(m, "server-ip");
	const struct json *sender = json_get(m, "sender-ip");
	bool any = !*d->sender_ip || strcmp(d->sender_ip, "0.0.0.0") == 0;

	if (!family_of(d->server_ip))
		return load_fail(l, server, "'server-ip' is '%.64s', expected an IP address",
				 d->server_ip);
	if (*d->sender_ip && !family_of(d->sender_ip))
		return load_fail(l, sender, "'sender-ip' is '%.64s', expected an IP address",
				 d->sender_ip);
	if (!any && family_of(d->server_ip) != family_of(d->sender_ip))
		return load_fail(
			l, sender,
			"'sender-ip' and 'server-ip' are of different protocols: IPv4 and IPv6");
	if (strcmp(d->server_ip, d->sender_ip) == 0 && d->server_port == d->sender_port)
		return load_fail(l, sender,
				 "'sender-ip' and 'sender-port' are those of the server");
	return 0;
}

int load_ddns(struct load *l)
{
	const struct json *m = json_get(l->dhcp4, "dhcp-ddns");
	struct config_ddns *d = &l->c->ddns;
	const struct json *protocol = json_get(m, "ncr-protocol");
	const struct json *size = json_get(m, "max-queue-size");
	int r = 0;

	*d = (struct config_ddns){.server_ip = load_str(m, "server-ip", "127.0.0.1"),
				  .sender_ip = load_str(m, "sender-ip", "0.0.0.0"),
				  .server_port = (uint16_t)load_u32(m, "server-port", 53001),
				  .sender_port = (uint16_t)load_u32(m, "sender-port", 0),
				  .max_queue_size = load_u32(m, "max-queue-size", 1024)};
	if (!m)
		return 0;
	d->enabled = load_bool(m, "enable-updates");
	if (protocol && strcasecmp(protocol->s, "UDP") != 0)
		r = load_fail(l, protocol, "ncr-protocol '%s' is not supported, expected UDP",
			      protocol->s);
	if (size && !d->max_queue_size)
		r = load_both(r, load_fail(l, size, "'max-queue-size' is 0, expected more"));
	return load_both(r, check_addresses(l, m, d));
}
