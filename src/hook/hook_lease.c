/* SPDX-License-Identifier: MPL-2.0 */
/* The functions of the hook ABI that read, set and store the user-context of a call's lease. */
#include "hook/hook.h"

#include "base/buf.h"
#include "config/config.h"
#include "lease/lease.h"

#include <errno.h>
#include <string.h>

/* Octets of the packet's memory that stay for the rest of its way. */
enum { MEMORY_RESERVE = 2048 };

const char *hook_keep_context(struct arena *a, const char *text)
{
	size_t n = strnlen(text, LEASE_CONTEXT_MAX + 1);

	if (n > LEASE_CONTEXT_MAX || (!a->grows && a->cap - a->used < n + MEMORY_RESERVE))
		return NULL;
	return arena_strndup(a, text, n);
}

/* Returns whether a lease without a context leaves the context of the stored lease unchanged. */
static bool may_keep_stored(const usher_call *call)
{
	return call->services && call->point != HOOK_LEASE4_SELECT;
}

int usher_lease4_context(usher_call *call, const char **ret)
{
	const char *text;
	int r;

	*ret = NULL;
	if (!call->lease)
		return -EINVAL;
	if (!call->lease->user_context && may_keep_stored(call)) {
		r = call->services->stored_context(call->ctx, call->lease, &text);
		if (r < 0)
			return r;
		*ret = text;
		return 0;
	}
	if (call->lease->user_context &&
	    strnlen(call->lease->user_context, LEASE_CONTEXT_MAX + 1) > LEASE_CONTEXT_MAX)
		return -ENOSPC;
	*ret = call->lease->user_context;
	return 0;
}

/* Writes the text of a map compactly, on one line. -EINVAL: it is none. */
static int write_map(const char *json, struct buf *out)
{
	struct json_opts o = {.file = ""};
	struct config_error err uninit;
	struct arena a;
	struct json *m;
	int r = -EINVAL;

	arena_init(&a);
	if (json_parse(span_str(json), &o, &a, &m, &err) == 0 && m->type == JSON_MAP) {
		json_write(m, false, out);
		r = out->failed ? -ENOMEM : 0;
	}
	r = a.failed ? -ENOMEM : r;
	arena_fini(&a);
	return r;
}

static bool may_set(const usher_call *call)
{
	return call->lease &&
	       (call->point == HOOK_LEASE4_SELECT || call->point == HOOK_LEASE4_RENEW ||
		call->point == HOOK_LEASES4_COMMITTED || call->point == HOOK_LEASE4_OFFER);
}

int usher_lease4_set_context(usher_call *call, const char *json)
{
	const char *text;
	struct buf b;
	int r;

	if (!may_set(call))
		return -EINVAL;
	buf_init(&b);
	r = write_map(json, &b);
	if (r == 0) {
		text = hook_keep_context(call->arena, b.p);
		r = text ? 0 : -ENOSPC;
		call->lease->user_context = text ? text : call->lease->user_context;
	}
	buf_fini(&b);
	return r;
}

int usher_lease4_update(usher_call *call)
{
	if ((call->point != HOOK_LEASES4_COMMITTED && call->point != HOOK_LEASE4_OFFER) ||
	    !call->lease || !call->services)
		return -EINVAL;
	return call->services->update_lease(call->ctx);
}
