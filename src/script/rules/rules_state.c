/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The life of the rules' part of a state.
 */
#include "script/rules/rules_impl.h"
#include "script/state/script_opts.h"

#include <errno.h>
#include <stdlib.h>

int rules_state_new(struct script *s, const struct script_opts *o)
{
	s->rules = calloc(1, sizeof(*s->rules));
	if (!s->rules)
		return -ENOMEM;
	s->rules->has_timers = o->timers;
	return timers_new(s);
}

void rules_state_free(struct script *s)
{
	if (!s->rules)
		return;
	timers_free(s);
	free(s->rules);
	s->rules = NULL;
}
