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

/* A value of an integer attribute. */
struct radius_value {
	const char *name;
	uint32_t vendor; /* of the attribute */
	uint8_t type;	 /* of the attribute */
	uint32_t value;
	const struct radius_value *next;
};

/* Attributes, values and vendors of the file; zeros: none. */
struct radius_dictionary {
	const struct radius_name *names;
	const struct radius_value *values;
	const struct radius_vendor *vendors;
};

/* Reads a file, and the files of its $INCLUDE lines, relative to the including file. All memory is
 * in arena. 0, -errno if path cannot be read, -USHER_E_SYNTAX with the place and the reason in
 * *err. Lines of other kinds than ATTRIBUTE, VALUE, VENDOR, BEGIN-VENDOR and END-VENDOR are
 * ignored, and values of attributes that are unknown or no integers. */
int radius_dictionary_read(const char *path, struct arena *arena, struct radius_dictionary *ret,
			   struct config_error *err) must_check;
/* Returns the attribute of a vendor (0: none) by its name or number, or both (name NULL, type 0:
 * any). NULL: unknown. */
const struct radius_name *radius_name_find(const struct radius_dictionary *d, uint32_t vendor,
					   const char *name, uint8_t type);
/* Finds the value of an integer attribute by its name. */
bool radius_value_find(const struct radius_dictionary *d, const struct radius_name *of,
		       const char *name, uint32_t *ret);
/* Returns the number of a vendor, by name or in digits; 0: unknown. */
uint32_t radius_vendor_find(const struct radius_dictionary *d, const char *text);
