/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The printer parses no more than it needs: strings, brackets, and the members of the outermost
 * map. The parser behind it, if any, refuses the rest.
 */
#include "ctl/sink.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>

static int take_text(struct ctl_sink *s, const char *p, size_t n)
{
	struct ctl_collector *c = container_of(s, struct ctl_collector, sink);

	if (n > c->max - c->text.len)
		return -EMSGSIZE;
	buf_add(&c->text, p, n);
	return c->text.failed ? -ENOMEM : 0;
}

void ctl_collector_init(struct ctl_collector *c, size_t max)
{
	*c = (struct ctl_collector){.sink = {take_text}, .max = max};
	buf_init(&c->text);
}

void ctl_collector_fini(struct ctl_collector *c)
{
	buf_fini(&c->text);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Takes an octet before or behind the map. Returns 0 or -USHER_E_SYNTAX. */
static int take_outside(struct ctl_printer *p, char c)
{
	if (is_blank(c))
		return 0;
	if (!p->ended && c == '{') {
		p->depth = 1;
		return 0;
	}
	if (!p->ended && !p->listed && c == '[') {
		p->listed = true;
		return 0;
	}
	if (p->ended && p->listed && !p->list_closed && c == ']') {
		p->list_closed = true;
		return 0;
	}
	return -USHER_E_SYNTAX;
}

static void take_string(struct ctl_printer *p, char c)
{
	if (p->escaped)
		p->escaped = false;
	else if (c == '\\')
		p->escaped = true;
	else if (c == '"')
		p->in_string = false;
	if (p->in_string && p->depth == 1 && !p->in_value && p->key_len < sizeof(p->key))
		p->key[p->key_len++] = c;
}

/* Takes an octet of the outermost map that is in no string. */
static void take_member(struct ctl_printer *p, char c)
{
	static const char result[] = "result";

	if (c == ',') {
		p->in_value = p->is_result = false;
		p->key_len = 0;
	} else if (c == ':') {
		p->in_value = true;
		p->is_result = !p->has_result && p->key_len == strlen(result) &&
			       memcmp(p->key, result, p->key_len) == 0;
	} else if (p->is_result && c == '-') {
		p->negative = true;
	} else if (p->is_result && c >= '0' && c <= '9' && p->result < INT32_MAX) {
		p->has_result = true;
		p->result = p->result * 10 + (c - '0');
	}
}

static void take_inside(struct ctl_printer *p, char c)
{
	if (p->in_string) {
		take_string(p, c);
		return;
	}
	if (p->depth == 1)
		take_member(p, c);
	if (c == '"') {
		p->in_string = true;
	} else if (c == '{' || c == '[') {
		p->depth++;
	} else if (c == '}' || c == ']') {
		p->depth--;
		p->ended = p->depth == 0;
	}
}

static int print_part(struct ctl_sink *s, const char *text, size_t n)
{
	struct ctl_printer *p = container_of(s, struct ctl_printer, sink);
	size_t begin = 0;

	for (size_t i = 0; i < n; i++) {
		bool inside = p->depth > 0;

		if (inside)
			take_inside(p, text[i]);
		else if (take_outside(p, text[i]) < 0)
			return -USHER_E_SYNTAX;
		if (!inside && p->depth)
			begin = i;
		/* the map ends here, or the octets do */
		if ((inside && p->ended) || (p->depth && i + 1 == n))
			if (fwrite(text + begin, 1, i + 1 - begin, p->out) != i + 1 - begin)
				return -EPIPE;
	}
	return 0;
}

void ctl_printer_init(struct ctl_printer *p, FILE *out)
{
	*p = (struct ctl_printer){.sink = {print_part}, .out = out};
}

int ctl_printer_end(struct ctl_printer *p, int64_t *ret_result)
{
	if (p->ended || p->depth)
		(void)fputc('\n', p->out);
	if (!p->ended || p->listed != p->list_closed || !p->has_result)
		return -USHER_E_SYNTAX;
	*ret_result = p->negative ? -p->result : p->result;
	return 0;
}
