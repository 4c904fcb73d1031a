/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Upgrades of stored leases. Only contexts with a member ISC are looked at.
 */
#include "lease/context/relay_upgrade.h"

#include "base/error.h"
#include "base/ip.h"
#include "base/log.h"
#include "lease/lease_db.h"

#include <errno.h>
#include <stdlib.h>

enum { PAGE = 128 };

int relay_upgrade_lease(const struct relay_upgrade *u, struct arena *a, struct lease *l)
{
	const char *text, *why;
	char ip[IP_TEXT_LEN];
	int r = relay_info_check(a, l->user_context, u->how, &text, &why);

	if (r <= 0)
		return r;
	l->user_context = text;
	if (why)
		log_msg(u->log, LOG_DHCPSRV_LEASE4_EXTENDED_INFO_SANITY_FAIL,
			"lease %s: %s, so it was removed from the context", ip_text(l->addr, ip),
			why);
	else
		log_msg(u->log, LOG_DHCPSRV_LEASE4_EXTENDED_INFO_UPGRADED,
			"lease %s: the relay agent information has its present form",
			ip_text(l->addr, ip));
	return 1;
}

/* Checks a lease and writes it. Returns whether it changed, or negative. */
static int upgrade_stored(const struct relay_upgrade *u, struct arena *a, struct lease *l)
{
	struct lease_change change uninit;
	int r = relay_upgrade_lease(u, a, l);

	if (r <= 0)
		return r;
	r = lease_db_put(u->db, l, LEASE_PUT_UPDATE, lease_expect_row(l), &change);
	if (r == -USHER_E_CHANGED || r == -USHER_E_NOTFOUND)
		return 0;
	return r < 0 ? r : 1;
}

static int64_t walk_leases(const struct relay_upgrade *u, struct arena *a, struct lease *page)
{
	const struct lease_filter with_info = {.context = "\"ISC\"", .state = -1};
	uint64_t at = 0;
	int64_t done = 0;

	while (at <= UINT32_MAX && !(u->ended && u->ended(u->ctx))) {
		size_t n = lease_db_step(u->db, &at, &with_info, a, page, PAGE);

		for (size_t i = 0; i < n; i++) {
			int r = upgrade_stored(u, a, &page[i]);

			if (r < 0)
				return r;
			done += r;
		}
		arena_reset(a);
	}
	return done;
}

int64_t relay_upgrade_all(const struct relay_upgrade *u)
{
	struct lease *page = calloc(PAGE, sizeof(*page));
	struct arena a;
	int64_t r;

	if (!page)
		return -ENOMEM;
	if (lease_db_is_loading(u->db)) {
		free(page);
		return -EBUSY;
	}
	arena_init(&a);
	r = walk_leases(u, &a, page);
	arena_fini(&a);
	free(page);
	return r;
}
