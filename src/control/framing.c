/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Finds the end of a JSON text by counting braces and brackets outside strings and comments.
 */
#include "control/framing.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Returns whether an octet belongs to a comment; called for octets behind its first slash. */
static bool in_comment(struct framing *f, char c)
{
	switch (f->comment) {
	case 's':
		f->comment = c == '/' ? '/' : c == '*' ? '*' : 0;
		f->star = false;
		return f->comment != 0; /* the parser refuses a lone slash */
	case '/':
		if (c == '\n')
			f->comment = 0;
		return true;
	case '*':
		if (f->star && c == '/')
			f->comment = 0;
		f->star = c == '*';
		return true;
	default:
		return false;
	}
}

static bool comment_begins(struct framing *f, char c)
{
	f->comment = c == '/' ? 's' : c == '#' ? '/' : 0;
	return f->comment != 0;
}

static bool in_string(struct framing *f, char c)
{
	if (!f->in_string) {
		f->in_string = c == '"';
		return f->in_string;
	}
	if (f->escaped)
		f->escaped = false;
	else if (c == '\\')
		f->escaped = true;
	else if (c == '"')
		f->in_string = false;
	return true;
}

enum framing_result framing_feed(struct framing *f, struct span octets, unsigned max_depth)
{
	for (size_t i = 0; i < octets.n; i++) {
		char c = (char)octets.p[i];

		if (in_comment(f, c))
			continue;
		if (f->in_string && c == '\n')
			return FRAMING_WHOLE;
		if (f->started && in_string(f, c))
			continue;
		if (comment_begins(f, c) || is_space(c))
			continue;
		if (c == '{' || c == '[') {
			f->started = true;
			if (++f->depth > (int)max_depth)
				return FRAMING_TOO_DEEP;
		} else if (!f->started) {
			return FRAMING_NOT_JSON;
		} else if ((c == '}' || c == ']') && --f->depth == 0) {
			return FRAMING_WHOLE;
		}
	}
	return FRAMING_MORE;
}
