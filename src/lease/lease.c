/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Whose lease is it: by client identifier where both sides have one, else by hardware address (RFC
 * 2131 4.2). A lease without identity (declined) belongs to no client.
 */
#include "lease/lease.h"

bool lease_is_of(const struct lease *l, const struct lease_client *c)
{
	if (l->client_id_len && c->client_id.n)
		return span_eq(lease_client_id(l), c->client_id);
	return l->hw_len && span_eq(lease_hw(l), c->hw);
}
