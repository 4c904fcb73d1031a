/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The text of a request: parsed in full, with all of its problems, in the dialect of control
 * requests (comments, no includes). Every transport of text uses it.
 */
#pragma once

#include "base/span.h"
#include "control/plane.h"

/* Parses a request. Returns it, or NULL where the parser stops. Appends to *problems. */
struct json *control_parse(struct span text, unsigned max_depth, struct arena *a,
			   struct config_problems *problems);
/* Returns the answer to a request whose text has problems: the command's own, or their list.
 * request: NULL, or the part that could be read. Sorts *problems. */
struct json *control_answer_invalid(struct control_plane *p, const struct json *request,
				    struct config_problems *problems,
				    const struct control_requester *from, struct arena *a);
/* Returns the answer that lists *problems behind the text `why`. */
struct json *control_list_problems(struct arena *a, const struct config_problems *problems,
				   const char *why);
