/* SPDX-License-Identifier: MPL-2.0 */
/* Finds the end of a JSON text. Receives octets as they come, and builds nothing. */
#pragma once

#include "base/span.h"

struct framing {
	int depth;
	bool started, in_string, escaped;
	char comment; /* 0, '/' (to end of line), '*' (block), 's' (a slash was seen) */
	bool star;    /* in a block comment: the last octet was a star */
};

enum framing_result { FRAMING_MORE, FRAMING_WHOLE, FRAMING_TOO_DEEP, FRAMING_NOT_JSON };

/*
 * Feeds more octets. WHOLE: the outermost brace or bracket was closed within them, or a line ended
 * within a string, where the parser reports an error and stops.
 */
enum framing_result framing_feed(struct framing *f, struct span octets, unsigned max_depth);
