/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A request to the privileged half, from a process that an attacker may control: a request that
 * passes apply_check has the length of its kind and is an address that a host may have, routes that
 * lead somewhere, a file that fits, or a script whose environment is clean. The checks are written
 * anew here. The first octet is the kind, with 0x80 the length is off by the second octet.
 */
#include "fuzz.h"

#include "client/os/apply.h"

enum { MTU_LEAST = 576, OFF_BY_SOME = 0x80 };

static struct apply_request request;

/* --- our own checks of usable values ---------------------------------------------------------- */

static bool is_host(uint32_t a)
{
	return a >> 24 != 0 && a >> 24 != 127 && a < 0xe0000000U;
}

static bool is_usable(uint32_t a, unsigned len)
{
	uint32_t host = len < 32 ? 0xffffffffU >> len : 0;

	return is_host(a) && len >= 1 && len <= 32 &&
	       (len >= 31 || ((a & host) != 0 && (a & host) != host));
}

static unsigned length_of(uint32_t mask)
{
	unsigned n = 0;

	while (n < 32 && mask & 1U << (31 - n))
		n++;
	/* nothing set behind the first hole */
	fuzz_check(n == 32 || (mask & 0xffffffffU >> n) == 0);
	return n;
}

static void check_address(const struct netconf_address *a)
{
	uint32_t host = a->prefix_len < 32 ? 0xffffffffU >> a->prefix_len : 0;

	fuzz_check(is_usable(a->address, a->prefix_len) && a->valid_s > 0);
	fuzz_check(!a->broadcast || a->broadcast == (a->address | host) ||
		   a->broadcast == (a->address & ~host));
	fuzz_check(!a->broadcast || a->broadcast != a->address);
}

static void check_route(const struct client_route *r, uint32_t own)
{
	fuzz_check(r->len <= 32 && (r->len == 32 || (r->dest & 0xffffffffU >> r->len) == 0));
	fuzz_check(!r->gateway || (is_host(r->gateway) && r->gateway != own));
}

static void check_routes(const struct netconf_routes *r)
{
	fuzz_check(is_usable(r->address, length_of(r->mask)));
	fuzz_check(!r->mtu || r->mtu >= MTU_LEAST);
	fuzz_check(r->n <= CLIENT_LEASE_ROUTES);
	for (size_t i = 0; i < r->n; i++)
		check_route(&r->route[i], r->address);
}

static void check_lease(const struct client_lease *l)
{
	fuzz_check(l->n_routes <= CLIENT_LEASE_ROUTES && l->options_len <= sizeof(l->options));
	for (size_t i = 0; i < l->n_routes; i++)
		check_route(&l->route[i], l->address);
	if (l->address)
		fuzz_check(is_usable(l->address, length_of(l->mask)) && l->lease_s &&
			   is_host(l->server_id));
}

/* No line holds characters that a shell takes for more than a word, and none is torn. */
static void check_environment(const struct script_job *j)
{
	static struct script_env env;

	script_env_build(&env, j, "eth0");
	fuzz_check(env.n <= SCRIPT_ENV_MAX && !env.var[env.n] && env.len <= sizeof(env.text));
	for (size_t i = 0; i < env.n; i++) {
		const char *line = env.var[i], *value = strchr(line, '=');

		fuzz_check(value && value > line && value[1]);
		/* a word that begins with a hyphen is an option to somebody; a number below zero is
		 * ours */
		fuzz_check(value[1] != '-' || strspn(value + 2, "0123456789") == strlen(value + 2));
		fuzz_check(strspn(line, "abcdefghijklmnopqrstuvwxyzPATH_0123456789") ==
			   (size_t)(value - line));
		for (const char *s = value; *s; s++)
			fuzz_check(*s >= ' ' && *s < 127 &&
				   !strchr("`$;&|<>()\\\"'*?[]{}~#!^", *s));
	}
}

static void check_passed(const struct apply_request *r)
{
	switch ((enum apply_kind)r->kind) {
	case APPLY_OPEN_RAW:
		break;
	case APPLY_OPEN_ARP:
		fuzz_check(is_host(r->arp.address) && (!r->arp.node || is_host(r->arp.node)));
		break;
	case APPLY_DEL_ADDRESS:
	case APPLY_SET_ADDRESS:
		check_address(&r->addr);
		break;
	case APPLY_SET_ROUTES:
		check_routes(&r->routes);
		break;
	case APPLY_SAVE_LEASE:
		fuzz_check(r->file.len <= sizeof(r->file.data));
		break;
	case APPLY_SCRIPT:
		fuzz_check(r->job.reason < CLIENT_N_REASONS && r->job.has_now <= 1 &&
			   r->job.has_old <= 1);
		if (r->job.has_now)
			check_lease(&r->job.now);
		if (r->job.has_old)
			check_lease(&r->job.old);
		check_environment(&r->job);
		break;
	case APPLY_OPEN_UDP:
	case APPLY_DETACH:
	case APPLY_DEL_ROUTES:
	case APPLY_DELETE_LEASE:
		fuzz_check(r->none == 0);
		break;
	case APPLY_N_KINDS:
		fuzz_check(false);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len, n;

	if (size < 2)
		return 0;
	memset(&request, 0, sizeof(request));
	request.kind = (data[0] & ~OFF_BY_SOME) % (APPLY_N_KINDS + 1);
	len = apply_request_len(request.kind);
	n = sizeof(request) - offsetof(struct apply_request, none);
	memcpy(&request.none, data + 2, size - 2 < n ? size - 2 : n);
	if (data[0] & OFF_BY_SOME)
		len += data[1];
	if (apply_check(&request, len) < 0)
		return 0;
	fuzz_check(request.kind < APPLY_N_KINDS && len == apply_request_len(request.kind));
	check_passed(&request);
	return 0;
}
