/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Connections that end before their client ends them: each has a row of drop.def.
 */
#include "base/log.h"
#include "http/http_impl.h"

static const struct {
	enum log_id id;
	const char *reason, *sentence;
} drops[] = {
#define DROP(symbol, id, reason, sentence) {LOG_##id, reason, sentence},
#include "http/drop.def"
#undef DROP
};

const char *http_drop_reason(enum http_drop d)
{
	return drops[d].reason;
}

void http_drop(struct http_listener *l, enum http_drop d, const char *address)
{
	l->counts.drops[d]++;
	log_msg(l->o.log, drops[d].id, "the connection of %s ends: %s", address, drops[d].sentence);
}
