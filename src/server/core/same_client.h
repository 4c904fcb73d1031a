/* SPDX-License-Identifier: MPL-2.0 */
/*
 * No two exchanges of one client at a time, in any worker: held from SAME_CLIENT until the lease
 * change is handed to the store. A client is its client identifier and its hardware address; one
 * packet may wait behind the holder, a newer one takes its place.
 */
#pragma once

#include "base/attr.h"

struct exchange;
struct hash_key;
struct same_client;

int same_client_new(const struct hash_key *key, struct same_client **ret) must_check;
void same_client_free(struct same_client *s);

enum same_client_result { SAME_CLIENT_MINE, SAME_CLIENT_WAIT };
/* Tries to take the client. WAIT: x is kept and resumed when the holder ends; *ret_replaced is the
 * exchange whose place it took, to be dropped. */
enum same_client_result same_client_take(struct same_client *s, struct exchange *x,
					 struct exchange **ret_replaced);
/* Releases the client. Returns the waiting exchange, if any, which must be resumed (it does not
 * hold the client yet). */
struct exchange *same_client_give(struct same_client *s, struct exchange *x);
