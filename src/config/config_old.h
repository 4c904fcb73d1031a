/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For config_check.c: keys of earlier versions of Kea whose place or form differs.
 */
#pragma once

#include "config/config_load.h"

/* Replaces reservation-mode of Kea 2.2, one word, by the later three keys. */
int load_reservation_mode(struct load *l, const struct json *in, struct json *out) must_check;
/* Moves keys that Kea 2.2 had in a map of Dhcp4 into Dhcp4 itself, as in later versions; a value in
 * Dhcp4 takes precedence. */
int load_move_keys(struct load *l, struct json *out) must_check;
/* Removes a key of a map. */
void load_unlink_key(struct json *map, const char *key);
/* Refuses a map that stood beside "Dhcp4" in Kea 1.x, or belongs to another program's file. */
int load_refuse_beside(struct load *l, const struct json *m);
