/* SPDX-License-Identifier: MPL-2.0 */
/* A configuration that was put together from several files, as text of which each value has a
 * line of its own, and the map from a place in that text to the place in its file. */
#pragma once

#include "base/buf.h"
#include "config/json/json.h"

struct ctl_text {
	struct buf text;
	struct buf lines; /* of const struct json *: the value of each line, or NULL */
};

/* Writes a tree. The tree is borrowed as long as the text is used. Returns 0 or -USHER_E_NOMEM. */
int ctl_text_write(struct ctl_text *t, const struct json *tree) must_check;
/* Returns the place, in the files that were read, of line and column of the text; NULL: it has
 * none. */
const struct json_pos *ctl_text_place(const struct ctl_text *t, int64_t line, int64_t column);
void ctl_text_fini(struct ctl_text *t);
