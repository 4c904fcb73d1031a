/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Option codes by name, drawn from options.def: DHCP4_OPT_ROUTERS and so on for the message's own
 * options, RAI_CIRCUIT_ID and so on for those inside option 82.
 */
#pragma once

enum dhcp4_opt_code {
#define DHCP4_OPTION(code, symbol, name, type, flags, record, codec, encapsulate, rfc) \
	DHCP4_OPT_##symbol = code,
#include "wire/options.def"
};

enum dhcp4_rai_code {
#define RAI_OPTION(code, symbol, name, type, flags, record, codec, encapsulate, rfc) \
	RAI_##symbol = code,
#include "wire/options.def"
};
