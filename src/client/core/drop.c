/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Names of the client's drops.
 */
#include "client/core/drop.h"

static const struct {
	const char *name, *sentence;
} rows[CLIENT_N_DROPS] = {
	[CLIENT_DROP_NONE] = {"NONE", "not dropped"},
#define DROP(symbol, sentence) [CLIENT_DROP_##symbol] = {#symbol, sentence},
#include "client/core/drop.def"
#undef DROP
};

const char *client_drop_name(enum client_drop d)
{
	return rows[d].name;
}

const char *client_drop_sentence(enum client_drop d)
{
	return rows[d].sentence;
}
