/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The environment of run_script's children: variables with Kea's names, each "NAME=value" with a
 * NUL behind it. An object that is absent has all its variables, with empty values. Pure.
 */
#pragma once

#include "base/buf.h"
#include "hook/hook.h"

/* Puts QUERY4_…: the query; its option 82 and two sub-options only if they are there. */
void run_script_put_query(struct buf *env, usher_call *call);
/* Puts SUBNET4_…: the selected subnet. */
void run_script_put_subnet(struct buf *env, usher_call *call);
/* Puts PKT4_…: the identity of the client in the query. */
void run_script_put_client(struct buf *env, usher_call *call);
/* Puts <prefix>_…: a lease, NULL: none. */
void run_script_put_lease(struct buf *env, usher_call *call, const char *prefix,
			  const struct lease *l);
/* Puts <prefix>_SIZE and <prefix>_AT0_…: a list of one lease, or of none. */
void run_script_put_leases(struct buf *env, usher_call *call, const char *prefix,
			   const struct lease *l);
/* Puts one variable. */
void run_script_put(struct buf *env, const char *name, const char *value);
