/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Clients with a request that is not answered yet: only their acknowledgements become bindings.
 * Bounded for each port, so a flood at one port takes no room of another's; forgotten a while after
 * the last request. One thread.
 */
#pragma once

#include "gate/guard/bindings.h"

struct guard_pending {
	uint8_t mac[6];
	uint32_t vlan;
	uint16_t port;
	bool fresh; /* it had no binding at this port when it began to ask */
	uint32_t xid;
	struct guard_id id;
	int64_t asked_ns;
	uint32_t next, newer, older, bucket;
};

struct guard_pendings;

/* Told of each that is forgotten or done. */
typedef void (*guard_pending_gone_fn)(void *ctx, const struct guard_pending *p);

int guard_pendings_new(uint32_t max, const struct hash_key *key, guard_pending_gone_fn gone,
		       void *ctx, struct guard_pendings **ret) must_check;
void guard_pendings_free(struct guard_pendings *t);
/* Returns the pending client with this identifier at this port; NULL: none. */
struct guard_pending *guard_pendings_asking(struct guard_pendings *t, uint32_t vlan,
					    const uint8_t mac[6], uint16_t port,
					    const struct guard_id *id);
/* Returns the request that an answer belongs to; NULL: there is none. */
struct guard_pending *guard_pendings_answered(struct guard_pendings *t, uint32_t vlan,
					      const uint8_t mac[6], uint32_t xid);
/* Adds a request; NULL: there is no room. */
struct guard_pending *guard_pendings_add(struct guard_pendings *t, uint32_t vlan,
					 const uint8_t mac[6], uint16_t port,
					 const struct guard_id *id);
/* Renews a request that its client has repeated. */
void guard_pendings_touch(struct guard_pendings *t, struct guard_pending *p, uint32_t xid,
			  int64_t now_ns);
void guard_pendings_done(struct guard_pendings *t, struct guard_pending *p);
/* Forgets requests from before then. */
void guard_pendings_forget(struct guard_pendings *t, int64_t before_ns);
