/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The client's reasons to refuse a packet, drawn from drop.def.
 */
#pragma once

enum client_drop {
	CLIENT_DROP_NONE,
#define DROP(symbol, sentence) CLIENT_DROP_##symbol,
#include "client/core/drop.def"
#undef DROP
	CLIENT_N_DROPS
};

const char *client_drop_name(enum client_drop d); /* "NO_SERVER_ID" */
const char *client_drop_sentence(enum client_drop d);
