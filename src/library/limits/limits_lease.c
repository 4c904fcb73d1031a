/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The classes of a packet in the context of its lease, in Kea's form:
 *
 *	{"ISC": {"client-classes": ["ALL", "gold"]}}
 *
 * Other members of the context stay. Contexts have any size, because commands set them: small ones
 * are handled on the stack.
 */
#include "library/limits/limits.h"
#include "library/common/library.h"

#include "config/json/json.h"

static const char member[] = "client-classes";

enum { STACK_OCTETS = 4096 };

/* Parses a context. NULL: it is none, or not a map. */
static struct json *read_context(struct arena *a, const char *text)
{
	const struct json_opts opts = {.file = ""};
	struct config_error err uninit;
	struct json *m;

	if (!text || json_parse(span_str(text), &opts, a, &m, &err) < 0 || m->type != JSON_MAP)
		return NULL;
	return m;
}

/* --- Names in a context ----------------------------------------------------------------------- */

static void visit_names(const struct json *context,
			void (*each)(void *ctx, const char *name, size_t n), void *ctx)
{
	const struct json *list = json_get(json_get(context, "ISC"), member);

	if (!list || list->type != JSON_LIST)
		return;
	for (const struct json *v = list->first; v; v = v->next)
		if (v->type == JSON_STRING && v->n)
			each(ctx, v->s, v->n);
}

void limits_names(const char *context, void (*each)(void *ctx, const char *name, size_t n),
		  void *ctx)
{
	uint8_t memory[STACK_OCTETS] uninit;
	const struct json *m;
	struct arena a;

	if (!strstr(context, member) || strlen(context) > LIMITS_CONTEXT_MAX)
		return;
	arena_init_fixed(&a, memory, sizeof(memory));
	m = read_context(&a, context);
	if (a.failed) {
		arena_init(&a);
		m = read_context(&a, context);
	}
	visit_names(m, each, ctx);
	arena_fini(&a);
}

/* --- A context with the classes --------------------------------------------------------------- */

static struct json *list_classes(struct usher_call *call, struct arena *a)
{
	struct json *list = json_list(a);
	const char *name;
	int id;

	for (uint32_t i = 0; (name = call->class_at(call->ctx, i, &id)) != NULL; i++)
		(void)json_add(a, list, NULL, json_str(a, name));
	return list;
}

static const char *write_limit_context(struct usher_call *call, const char *old, struct arena *a)
{
	const struct json *had = read_context(a, old);
	struct json *isc = json_copy_without(a, json_get(had, "ISC"), member);
	struct json *m = json_copy_without(a, had, "ISC");
	const char *text = NULL;
	struct buf b;

	(void)json_add(a, isc, member, list_classes(call, a));
	(void)json_add(a, m, "ISC", isc);
	if (a->failed)
		return NULL;
	buf_init(&b);
	json_write(m, false, &b);
	text = b.failed ? NULL : arena_strdup(call->arena, b.p);
	buf_fini(&b);
	return text;
}

const char *limits_context(struct usher_call *call, const char *old)
{
	uint8_t memory[STACK_OCTETS] uninit;
	const char *text;
	struct arena a;

	arena_init_fixed(&a, memory, sizeof(memory));
	text = write_limit_context(call, old, &a);
	if (a.failed) {
		arena_init(&a);
		text = write_limit_context(call, old, &a);
		arena_fini(&a);
	}
	return text;
}
