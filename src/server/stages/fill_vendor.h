/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Options whose value is put together from sub-options: 43 and other encapsulating ones, 125 and
 * 124 by enterprise number, and the echo of 82.
 */
#pragma once

#include "server/core/exchange.h"

struct config_option;
struct fill_sources;

/* Makes the value of an option that consists of sub-options (of codes in config.containers).
 * own: the data configured for the code itself, or NULL. Returns false for an ordinary option. */
bool fill_vendor_option(struct exchange *x, const struct fill_sources *s, uint8_t code,
			const struct config_option *own, struct span *ret);
/* Returns option 82 as it is echoed: without sub-option 152, which we do not support (RFC 6607
 * 3). */
struct span fill_rai_echo(struct exchange *x);
/* Codes of the sub-options that a DOCSIS client asks for: sub-option 1 of its 125. */
struct span fill_docsis_oro(const struct exchange *x);
