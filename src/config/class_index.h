/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Which classes a packet can be in, without asking each. Most tests cannot hold unless one of a few
 * strings (an option, the start of one, a field) has a certain value. Those strings are taken from
 * the packet once, however many classes name them, and looked up; the remaining tests are
 * evaluated. So the cost of classification grows with the classes that a packet may be in, not with
 * all classes.
 */
#pragma once

#include "config/expr.h"

struct config;
struct class_index;

/* Of the finished list of classes. 0, -USHER_E_NOMEM. */
int class_index_new(const struct config *c, struct arena *a, const struct class_index **ret)
	must_check;

/* 64-bit words of a set of classes; bit i is config.classes[i]. */
size_t class_index_words(const struct class_index *x);

/* All classes of a pass. */
void class_index_all(const struct class_index *x, bool late, uint64_t *ret_set);
/*
 * The classes of a pass (late: those that depend on KNOWN or UNKNOWN) whose test may hold or fail
 * with an error; the others' would give false. Those only for additional lists are left out.
 */
void class_index_candidates(const struct class_index *x, const struct expr_ctx *c, bool late,
			    uint64_t *ret_set);
