/* SPDX-License-Identifier: MPL-2.0 */
/*
 * SAME_CLIENT: holds the client while its lease is decided. INFORM changes nothing and passes.
 */
#include "lease/lease_db.h"
#include "server/core/services.h"
#include "server/core/same_client.h"
#include "server/core/server.h"
#include "server/stages/stages.h"
#include "wire/option_codes.h"

enum verdict stage_same_client(struct exchange *x)
{
	struct exchange *replaced;

	if (x->type == DHCP4_INFORM)
		return VERDICT_CONTINUE;
	x->stage--; /* a waiting exchange resumes at this row */
	if (same_client_take(exchange_server(x)->same_client, x, &replaced) == SAME_CLIENT_MINE) {
		x->stage++;
		return VERDICT_CONTINUE;
	}
	/* from this point another worker may run x: it is not touched any more */
	if (replaced) {
		replaced->parked.dropped = true;
		exchange_resume(replaced);
	}
	return VERDICT_PARK;
}

void same_client_release(struct exchange *x)
{
	struct exchange *waiter = same_client_give(exchange_server(x)->same_client, x);

	while (waiter) {
		struct exchange *next = waiter->next;

		waiter->next = NULL;
		exchange_resume(waiter);
		waiter = next;
	}
}

/* Frees our offer: the client took another server's (RFC 2131 3.1 step 4). */
void same_client_chose_another(struct exchange *x)
{
	struct lease_client who = {x->client_id, x->hw};
	uint32_t addr;

	if (dhcp4_opt_u32(&x->query, DHCP4_OPT_REQUESTED_ADDRESS, &addr))
		lease_db_unhold(exchange_server(x)->db, addr, &who);
}
