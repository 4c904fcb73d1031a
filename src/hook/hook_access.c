/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Decisions of libraries about requests over HTTP: the first refusal counts.
 */
#include "hook/hook_access.h"

#include "hook/hook_lib.h"

enum hook_access hook_access_check(struct hook_registry *r, const struct hook_asked *asked)
{
	enum hook_access a = HOOK_ACCESS_OK;

	for (unsigned i = 0; r && i < r->n_libs && a == HOOK_ACCESS_OK; i++)
		if (r->libs[i].builtin && r->libs[i].builtin->check_request)
			a = r->libs[i].builtin->check_request(&r->libs[i], asked);
	return a;
}

bool hook_access_hides(struct hook_registry *r, const struct hook_asked *asked)
{
	for (unsigned i = 0; r && i < r->n_libs; i++)
		if (r->libs[i].builtin && r->libs[i].builtin->hides_command &&
		    r->libs[i].builtin->hides_command(&r->libs[i], asked))
			return true;
	return false;
}
