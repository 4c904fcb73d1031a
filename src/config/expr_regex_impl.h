/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A compiled pattern: the steps that expr_regex.c makes, and expr_regex_run.c runs.
 */
#pragma once

#include "config/expr_node.h"

enum re_op { RE_CHAR, RE_SET, RE_SPLIT, RE_JUMP, RE_BOL, RE_EOL, RE_MATCH };

struct re_set {
	uint8_t bits[32];
};

struct re_step {
	uint8_t op, c;
	int16_t x, y; /* relative */
	const struct re_set *set;
};

struct expr_regex {
	struct re_step *steps;
	unsigned n;
};
