/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The list of scopes an exchange takes option values from, made once a response.
 */
#pragma once

#include "server/exchange.h"

struct config_option;
struct config_options;

enum { FILL_SOURCES_MAX = 48 };

struct fill_sources {
	const struct config_options *scope[FILL_SOURCES_MAX];
	size_t n;
};

void fill_sources(const struct exchange *x, struct fill_sources *s);
/* The first value whose class tag fits; NULL if there is none or any scope says never-send. */
const struct config_option *fill_source_option(const struct exchange *x, const struct fill_sources *s,
					       const char *space, uint32_t code);
