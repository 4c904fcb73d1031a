/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A reservation is read as a load would read it; the configuration is read only.
 */
#include "config/edit/config_host.h"

#include "base/error.h"
#include "config/config_load.h"

static int make_host(struct load *l, const struct json *in, struct config_host *ret)
{
	struct json *node = NULL;
	int r = load_begin(l);

	if (r == 0)
		r = load_check_map(l, SCHEMA_HOST, in, &node);
	if (r == 0 && !l->n_problems)
		r = load_host(l, node, NULL, ret);
	return r == 0 && l->n_problems ? -USHER_E_CONFIG : r;
}

int config_host_make(const struct config *cfg, const struct json *node, struct arena *a,
		     struct config_host *ret, struct config_error *err)
{
	struct config *c = (struct config *)(uintptr_t)cfg; /* load_host() only reads it */
	struct arena scratch;
	struct load l = {.c = c,
			 .a = a,
			 .scratch = &scratch,
			 .err = err,
			 .dhcp4 = (struct json *)(uintptr_t)c->dhcp4,
			 .defs = (struct option_defs *)(uintptr_t)c->defs,
			 .class_ids = c->index->class_ids,
			 .names_fixed = true,
			 .names_free = true};
	int r;

	*ret = (struct config_host){0};
	arena_init(&scratch);
	r = make_host(&l, node, ret);
	arena_fini(&scratch);
	return r;
}
