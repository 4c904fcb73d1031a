/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The facts of an active lease in a message, for answers over UDP and TCP. Times are
 * remaining ones: the requester adds them to its own clock. RFC 4388 6.1, 6.4.2
 */
#include "library/lease_query/lease_query.h"

#include "base/error.h"
#include "config/config.h"
#include "lease/context/relay_info.h"
#include "wire/dhcp4.h"
#include "wire/option_codes.h"

#include <net/if_arp.h>
#include <stdlib.h>

/* --- Requesters ------------------------------------------------------------------------------- */

static int compare_ranges(const void *a, const void *b)
{
	const struct lease_query_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

void lease_query_sort(struct lease_query_requesters *r)
{
	size_t n = 0;

	if (r->n)
		qsort(r->ranges, r->n, sizeof(*r->ranges), compare_ranges);
	for (size_t i = 0; i < r->n; i++) {
		struct lease_query_range *last = n ? &r->ranges[n - 1] : NULL;

		if (last && (last->last == UINT32_MAX || r->ranges[i].first <= last->last + 1)) {
			if (r->ranges[i].last > last->last)
				last->last = r->ranges[i].last;
		} else {
			r->ranges[n++] = r->ranges[i];
		}
	}
	r->n = n;
}

bool lease_query_may_ask(const struct lease_query_requesters *r, uint32_t addr)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (r->ranges[mid].last < addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low < r->n && r->ranges[low].first <= addr;
}

/* --- An active lease -------------------------------------------------------------------------- */

static int set_number(struct dhcp4_msg *m, uint8_t code, int64_t v)
{
	return dhcp4_opt_set_u32(m, code, v > UINT32_MAX ? UINT32_MAX : (uint32_t)v);
}

/* Sets T2 and T1 as configured for the lease, less the elapsed time, where T1 < T2 < the remaining
 * time holds. */
static int set_timers(struct dhcp4_msg *m, const struct config_params *p, uint32_t lft,
		      int64_t elapsed)
{
	int64_t ceiling = (int64_t)lft - elapsed;
	int64_t t1 = 0, t2 = 0;
	int r = 0;

	if (p->has_rebind_timer)
		t2 = p->rebind_timer;
	else if (p->calculate_tee_times)
		t2 = (int64_t)(p->t2_percent * lft);
	if (p->has_renew_timer)
		t1 = p->renew_timer;
	else if (p->calculate_tee_times)
		t1 = (int64_t)(p->t1_percent * lft);
	t1 -= elapsed;
	t2 -= elapsed;
	if (t2 > 0 && t2 < ceiling) {
		r = set_number(m, DHCP4_OPT_REBINDING_TIME, t2);
		ceiling = t2;
	}
	if (r == 0 && t1 > 0 && t1 < ceiling)
		r = set_number(m, DHCP4_OPT_RENEWAL_TIME, t1);
	return r;
}

static int set_times(struct dhcp4_msg *m, const struct lease *l, const struct config_params *p,
		     int64_t now_s)
{
	int64_t elapsed = now_s > l->cltt ? now_s - l->cltt : 0;
	bool infinite = l->valid_lft == LEASE_INFINITE;
	int64_t left = (int64_t)l->valid_lft - elapsed;
	int r = set_number(m, DHCP4_OPT_CLIENT_LAST_TRANSACTION_TIME, elapsed);

	if (r == 0)
		r = set_number(m, DHCP4_OPT_LEASE_TIME,
			       infinite	  ? LEASE_INFINITE
			       : left > 0 ? left
					  : 0);
	return r < 0 || infinite ? r : set_timers(m, p, l->valid_lft, elapsed);
}

/* Sets option 82 as the relay sent it with the lease's last packet. */
static int set_relay_info(struct dhcp4_msg *m, const struct lease *l)
{
	struct relay_info info;
	struct arena a;
	int r = 0;

	if (!l->user_context)
		return 0;
	arena_init(&a);
	if (relay_info_read(&a, l->user_context, LEASE_CONTEXT_MAX, &info) && info.sub_options.n)
		r = dhcp4_opt_set(m, DHCP4_OPT_AGENT_OPTIONS, info.sub_options);
	arena_fini(&a);
	return r;
}

bool lease_query_has_subnet(const struct config *cfg, const struct lease *l)
{
	return config_subnet_by_id(cfg, l->subnet_id) != NULL;
}

int lease_query_fill(struct dhcp4_msg *m, const struct lease *l, const struct config *cfg,
		     int64_t now_s)
{
	const struct config_subnet *s = config_subnet_by_id(cfg, l->subnet_id);
	int r = 0;

	if (!s)
		return -USHER_E_NOTFOUND;
	m->ciaddr = l->addr;
	/* the type is not stored: Ethernet, as in Kea. An address that is too long has no place */
	if (l->hw_len && l->hw_len <= sizeof(m->chaddr)) {
		m->htype = ARPHRD_ETHER;
		m->hlen = (uint8_t)l->hw_len;
		memcpy(m->chaddr, l->hw, l->hw_len);
	}
	if (l->client_id_len)
		r = dhcp4_opt_set(m, DHCP4_OPT_CLIENT_ID, lease_client_id(l));
	if (r == 0)
		r = set_times(m, l, &s->params, now_s);
	return r < 0 ? r : set_relay_info(m, l);
}
