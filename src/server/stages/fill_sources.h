/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The list of scopes an exchange takes option values from, made once a response.
 */
#pragma once

#include "config/config.h"
#include "server/core/exchange.h"

struct fill_sources {
	const struct config_options **scope;
	size_t n, cap;
	struct code_set
		codes; /* top-level codes that one of them has, or that may hold sub-options */
	bool always;   /* one of them has an always-send option */
};

/* Lists the sources of an exchange, in the packet's arena. */
void fill_sources(struct exchange *x, struct fill_sources *s);
/* Returns the first value whose class tag fits; NULL: there is none, or a scope has never-send. */
const struct config_option *fill_source_option(const struct exchange *x,
					       const struct fill_sources *s, const char *space,
					       uint32_t code);
/* Returns the value of a code in space dhcp4, as fill_source_option() does. A bit set tells at
 * once that no scope has the code, which is the usual case. */
const struct config_option *fill_top_option(const struct exchange *x, const struct fill_sources *s,
					    uint8_t code);
