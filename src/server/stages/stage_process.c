/* SPDX-License-Identifier: MPL-2.0 */
/*
 * PROCESS: sends an exchange to the function of its message type.
 */
#include "base/attr.h"
#include "lease/lease_store.h"
#include "server/stages/response.h"
#include "server/core/server.h"
#include "server/stages/stages.h"

/* Returns whether the store is down. Without durability no lease may be promised, not even by an
 * offer. */
static bool store_down(const struct exchange *x)
{
	const struct lease_store *s = exchange_server(x)->store;

	return s && !lease_store_up(s);
}

/* Returns whether the table is not complete yet: a client with a lease would be offered another
 * address, or another client's. */
static bool still_loading(const struct exchange *x)
{
	const struct lease_store *s = exchange_server(x)->store;

	return s && lease_store_opening(s) != 0;
}

static enum verdict process_by_type(struct exchange *x)
{
	switch ((int)x->type) {
	case DHCP4_DISCOVER:
		return process_discover(x);
	case DHCP4_REQUEST:
		return process_request(x);
	case DHCP4_RELEASE:
		return process_release(x);
	case DHCP4_DECLINE:
		return process_decline(x);
	case DHCP4_INFORM:
		return process_inform(x);
	default:
		return exchange_drop(x, DROP_BAD_TYPE);
	}
}

/* Handles a message while nothing can be made durable: a running lease may be confirmed. */
static cold_fn enum verdict process_without_store(struct exchange *x)
{
	if (x->type == DHCP4_REQUEST && lease_store_confirms(exchange_server(x)->store))
		return process_request_confirm(x);
	return exchange_drop(x, DROP_STORE_DOWN);
}

enum verdict stage_process(struct exchange *x)
{
	enum verdict v;

	if (x->type != DHCP4_INFORM && still_loading(x))
		return exchange_drop(x, DROP_LEASES_LOADING);
	if (x->type != DHCP4_INFORM && store_down(x))
		return process_without_store(x);
	v = process_by_type(x);
	if (v == VERDICT_CONTINUE)
		host_late_classes(x);
	return v;
}
