/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Options whose value is put together from sub-options: 43 and other encapsulating ones, 125 and 124
 * by enterprise number, and the echo of 82.
 */
#pragma once

#include "server/exchange.h"

struct config;
struct config_option;
struct fill_sources;

/* The value of an option that is made of sub-options; false: it is an ordinary one. */
bool fill_vendor_option(struct exchange *x, const struct fill_sources *s, uint8_t code, struct span *ret);
/* The dhcp4 option that a configured value travels in: itself, or its container. */
uint8_t fill_outer_code(const struct config *cfg, const struct config_option *o);
/* Option 82 as it goes back: RFC 6607 3: without sub-option 152, which we do not support. */
struct span fill_rai_echo(struct exchange *x);
