/* SPDX-License-Identifier: MPL-2.0 */
/*
 * flex_option from the inside: its parameters as rows, shared by the reader of parameters and the
 * editor of messages.
 */
#pragma once

#include "library/common/library.h"

struct option_def;

enum flex_action { FLEX_ADD, FLEX_SUPERSEDE, FLEX_REMOVE };

/* One change of one option or sub-option. Classes: NULL, no condition. */
struct flex_entry {
	uint8_t code; /* of the option, or of the one that contains it */
	bool is_sub;  /* a sub-option of that */
	uint32_t sub_code;
	uint32_t enterprise;	      /* of option 125; 0: none */
	const struct option_def *def; /* NULL: octets */
	bool csv;		      /* the expression's text, read by the definition */
	enum flex_action action;
	const struct expr *expr;
	const char *container_class, *client_class;
	bool from_response, to_query;	   /* evaluated on; changes */
	bool keep_container, no_container; /* container-remove, container-add are false */
	size_t order;			   /* in the text */
};

struct flex_option {
	struct arena arena;
	struct flex_entry *entries; /* by code, then in the order of the text */
	size_t n;
};

/* Reads the parameters into the record, as library.parse. */
void flex_option_parse(struct library_problems *p, const struct config *cfg,
		       const struct json *parameters, void *record);
