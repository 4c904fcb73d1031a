/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The relay's information in the user-context of a lease (store-extended-info), in Kea's form, with
 * upper-case digits:
 *
 *	{"ISC": {"relay-agent-info": {"sub-options": "0x...", "remote-id": "...", "relay-id":
 *"..."}}}
 *
 * Before Kea 2.4, relay-agent-info was the text of sub-options itself; that form is read as well.
 * Contexts have any size, because commands set them, so trees are made in a growing arena of the
 * caller, and packets bound the text that they parse. Any thread.
 */
#pragma once

#include "config/json/json.h"

/* Octets of an option 82 that is taken from a context. */
enum { RELAY_OPTION_MAX = 1024 };

/* sanity-checks.extended-info-checks. Each value checks more than the one before. */
enum relay_check { RELAY_CHECK_NONE, RELAY_CHECK_FIX, RELAY_CHECK_STRICT, RELAY_CHECK_PEDANTIC };

struct relay_info {
	struct span sub_options; /* data of option 82; empty: unknown */
	struct span remote_id, relay_id;
};

/* Appends the context of an option 82. */
void relay_info_write(struct span option, struct buf *out);
/* Parses a context of at most max octets. Returns the map; NULL: it is none, it is longer, or
 * memory is out. */
struct json *relay_context_parse(struct arena *a, const char *text, size_t max);
/* Returns relay-agent-info of a context; NULL: there is none. */
const struct json *relay_info_find(const struct json *context);
/* Appends the text of a context with another relay-agent-info; the other members stay. */
void relay_context_join(struct arena *a, const struct json *context, const struct json *info,
			struct buf *out);
/* Reads the information from a context of at most max octets, in either form. Returns whether there
 * is any; *ret is in arena. */
bool relay_info_read(struct arena *a, const char *text, size_t max, struct relay_info *ret);
/*
 * Checks and upgrades a context (extended-info-checks). 0: it stays. 1: *ret_text replaces it, in
 * arena; NULL: the lease has no context any more; *ret_why: the defect, NULL where it was only
 * upgraded from the older form. -ENOMEM. Source: Kea's behaviour for leases that are loaded or
 * added.
 */
int relay_info_check(struct arena *a, const char *text, enum relay_check how, const char **ret_text,
		     const char **ret_why) must_check;
