/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Shared by the three files of the dhcp4 codec alone: the codes with a meaning
 * for the codec itself, and the growth of the option list.
 */
#pragma once

#include "wire/dhcp4.h"

enum {
	DHCP4_CODE_PAD = 0,
	DHCP4_CODE_LEASE_TIME = 51,
	DHCP4_CODE_OVERLOAD = 52,
	DHCP4_CODE_TYPE = 53,
	DHCP4_CODE_SERVER_ID = 54,
	DHCP4_CODE_CLIENT_ID = 61,
	DHCP4_CODE_AGENT = 82,
	DHCP4_CODE_END = 255,
};

/* Values of option 52, RFC 2132 9.3. */
enum { DHCP4_OVERLOAD_FILE = 1, DHCP4_OVERLOAD_SNAME = 2 };

/* Makes room for cap options in the list. 0 or -USHER_E_NOMEM. */
int dhcp4_opts_reserve(struct dhcp4_msg *m, size_t cap) must_check;

/* Appends a code that is not there yet; there is room. */
static inline void dhcp4_opt_append(struct dhcp4_msg *m, uint8_t code, struct span data)
{
	m->opts[m->n_opts++] = (struct dhcp4_option){code, data};
	m->pos[code] = (uint8_t)m->n_opts;
}
