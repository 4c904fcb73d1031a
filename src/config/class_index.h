/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Finds the classes that a packet can be in, without a test of each. Most tests cannot hold unless
 * one of a few strings (an option, the start of one, a field) has a certain value. Those strings
 * are taken from the packet once, independent of the number of classes that name them, and looked
 * up; the remaining tests are evaluated. So the cost of classification grows with the classes that
 * a packet may be in, not with all classes.
 */
#pragma once

#include "config/expr.h"

struct config;
struct class_index;

/* Builds the index of the finished list of classes. 0, -USHER_E_NOMEM. */
int class_index_new(const struct config *c, struct arena *a, const struct class_index **ret)
	must_check;

/* Returns the number of 64-bit words of a set of classes; bit i is config.classes[i]. */
size_t class_index_words(const struct class_index *x);

/* Writes the set of all classes of a pass. */
void class_index_all(const struct class_index *x, bool late, uint64_t *ret_set);
/*
 * Writes the set of the classes of a pass whose test may hold or fail with an error; the tests of
 * the others would give false. late: the pass of the classes that depend on KNOWN or UNKNOWN.
 * Classes only for additional lists are left out.
 */
void class_index_candidates(const struct class_index *x, const struct expr_ctx *c, bool late,
			    uint64_t *ret_set);
