/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Leases against subnets, when the lease file is loaded. A lease fits if its subnet exists and
 * contains its address. warn: log it. fix: move it to the subnet that contains it. fix-del: move
 * it, or delete it if there is none. del: delete it. Changes are rows like any other. Contexts are
 * checked as extended-info-checks says.
 */
#include "server/view/lease_check.h"

#include "base/error.h"
#include "base/ip.h"
#include "base/log.h"
#include "config/config.h"
#include "lease/context/relay_upgrade.h"
#include "lease/lease_db.h"
#include "server/core/server.h"

#include <stdlib.h>

enum { PAGE = 256 };

static bool fits_subnet(const struct config *cfg, const struct lease *l)
{
	const struct config_subnet *s = config_subnet_by_id(cfg, l->subnet_id);

	return s && (l->addr & ip_mask(s->prefix_len)) == s->prefix;
}

/* Treats a lease that does not fit. Returns the action, for the log. */
static const char *treat_misfit(struct server *srv, const struct config *cfg, const struct lease *l)
{
	const struct config_subnet *home = config_subnet_containing(cfg, l->addr, NULL);
	enum config_lease_checks mode = cfg->lease_checks;
	struct lease_change change;
	struct lease moved = *l;

	if (mode == CHECKS_DEL || (mode == CHECKS_FIX_DEL && !home))
		return lease_db_del(srv->db, l->addr, lease_expect_row(l), &change) == 0
			       ? "deleted"
			       : "not deleted";
	if ((mode == CHECKS_FIX || mode == CHECKS_FIX_DEL) && home) {
		moved.subnet_id = home->id;
		return lease_db_put(srv->db, &moved, LEASE_PUT_UPDATE, lease_expect_row(l),
				    &change) == 0
			       ? "moved to its subnet"
			       : "not moved";
	}
	return "kept as it is";
}

static uint64_t check_page(struct server *srv, const struct config *cfg, const struct lease *page,
			   size_t n)
{
	char ip[IP_TEXT_LEN];
	uint64_t bad = 0;

	for (size_t i = 0; i < n; i++) {
		const char *done;

		if (fits_subnet(cfg, &page[i]))
			continue;
		bad++;
		done = treat_misfit(srv, cfg, &page[i]);
		log_msg(srv->log, LOG_DHCPSRV_LEASE_SANITY_FAIL,
			"lease %s does not belong to subnet id %u: %s", ip_text(page[i].addr, ip),
			page[i].subnet_id, done);
	}
	return bad;
}

int lease_check_context(struct server *srv, const struct config *cfg, struct arena *a,
			struct lease *l)
{
	struct relay_upgrade u = {.log = srv->log, .how = (enum relay_check)cfg->context_checks};

	return relay_upgrade_lease(&u, a, l);
}

/* Checks and upgrades the contexts of all leases. */
static void check_contexts(struct server *srv, const struct config *cfg)
{
	struct relay_upgrade u = {.db = srv->db,
				  .log = srv->log,
				  .how = (enum relay_check)cfg->context_checks};
	int64_t n = u.how == RELAY_CHECK_NONE ? 0 : relay_upgrade_all(&u);

	if (n < 0)
		log_msg(srv->log, LOG_DHCPSRV_LEASE4_EXTENDED_INFO_SANITY_FAIL,
			"the contexts of the leases cannot be checked: %s", usher_strerror((int)n));
}

uint64_t lease_check(struct server *srv, const struct config *cfg)
{
	struct lease_filter any = {.state = -1};
	struct lease *page = calloc(PAGE, sizeof(*page));
	struct arena contexts;
	uint32_t from = 0;
	uint64_t bad = 0;
	size_t n;

	check_contexts(srv, cfg);
	if (!page || cfg->lease_checks == CHECKS_NONE) {
		free(page);
		return 0;
	}
	arena_init(&contexts);
	while ((n = lease_db_page(srv->db, from, &any, &contexts, page, PAGE)) > 0) {
		bad += check_page(srv, cfg, page, n);
		from = page[n - 1].addr;
		arena_reset(&contexts);
	}
	arena_fini(&contexts);
	free(page);
	return bad;
}
