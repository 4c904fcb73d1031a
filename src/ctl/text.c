/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A member's line begins with its key; an element's with its value. So column 1 is the key's place
 * where there is a key.
 */
#include "ctl/text.h"

#include "base/error.h"

static void begin_line(struct ctl_text *t, const struct json *v)
{
	buf_char(&t->text, '\n');
	buf_add(&t->lines, &v, sizeof(v));
}

static void write_key(struct buf *out, const char *key)
{
	struct json name = {.type = JSON_STRING};

	name.s = key;
	name.n = strlen(key);
	json_write(&name, false, out);
	buf_str(out, ": ");
}

static void write_value(struct ctl_text *t, const struct json *v)
{
	bool map = v->type == JSON_MAP;

	if (!map && v->type != JSON_LIST) {
		json_write(v, false, &t->text);
		return;
	}
	buf_char(&t->text, map ? '{' : '[');
	for (const struct json *e = v->first; e; e = e->next) {
		begin_line(t, e);
		if (map)
			write_key(&t->text, e->key);
		write_value(t, e);
		if (e->next)
			buf_char(&t->text, ',');
	}
	buf_char(&t->text, map ? '}' : ']');
}

int ctl_text_write(struct ctl_text *t, const struct json *tree)
{
	buf_init(&t->text);
	buf_init(&t->lines);
	buf_add(&t->lines, &tree, sizeof(tree));
	write_value(t, tree);
	return t->text.failed || t->lines.failed ? -USHER_E_NOMEM : 0;
}

const struct json_pos *ctl_text_place(const struct ctl_text *t, int64_t line, int64_t column)
{
	const struct json *v;

	if (line < 1 || (uint64_t)line > t->lines.len / sizeof(v))
		return NULL;
	memcpy(&v, t->lines.p + (size_t)(line - 1) * sizeof(v), sizeof(v));
	return v->key && column == 1 ? &v->key_pos : &v->pos;
}

void ctl_text_fini(struct ctl_text *t)
{
	buf_fini(&t->text);
	buf_fini(&t->lines);
}
