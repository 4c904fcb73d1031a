/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Names of attributes and vendors: the standard ones, and those of a dictionary file in the format
 * of FreeRADIUS and Kea.
 */
#pragma once

#include "base/arena.h"

struct config_error;

enum radius_kind { RADIUS_STRING, RADIUS_INTEGER, RADIUS_IPV4, RADIUS_IPV6, RADIUS_PREFIX6 };

struct radius_name {
	const char *name;
	uint32_t vendor; /* 0: none */
	uint8_t type;
	enum radius_kind kind;
	const struct radius_name *next;
};

struct radius_vendor {
	const char *name;
	uint32_t number;
	const struct radius_vendor *next;
};

/* Attributes and vendors of the file; zeros: none. */
struct radius_dictionary {
	const struct radius_name *names;
	const struct radius_vendor *vendors;
};

/* Reads a file. All memory is in arena. 0, -errno, -USHER_E_SYNTAX with the place and the reason in
 * *err. Lines of other kinds than ATTRIBUTE, VENDOR, BEGIN-VENDOR and END-VENDOR are ignored. */
int radius_dictionary_read(const char *path, struct arena *arena, struct radius_dictionary *ret,
			   struct config_error *err) must_check;
/* Returns the attribute of a vendor (0: none) by its name or number, or both (name NULL, type 0:
 * any). NULL: unknown. */
const struct radius_name *radius_name_find(const struct radius_dictionary *d, uint32_t vendor,
					   const char *name, uint8_t type);
/* Returns the number of a vendor, by name or in digits; 0: unknown. */
uint32_t radius_vendor_find(const struct radius_dictionary *d, const char *text);
