/* SPDX-License-Identifier: MPL-2.0 */
/*
 * References to a snapshot: the last one frees it. It is made by snapshot_build.c.
 */
#include "server/core/snapshot.h"

#include "config/config.h"
#include "hook/hook.h"
#include "lease/lease_db.h"

#include <stdlib.h>

struct snapshot *snapshot_ref(struct snapshot *s)
{
	if (s)
		(void)atomic_fetch_add(&s->refs, 1);
	return s;
}

void snapshot_unref(struct snapshot *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	for (size_t i = 0; i < HOOK_MAX_LIBS; i++)
		if (s->hook_data[i].fini)
			s->hook_data[i].fini(s->hook_data[i].data);
	hook_registry_unref(s->hooks);
	lease_pools_unref(s->pools);
	config_free(s->cfg);
	free(s->subnet_stats);
	free(s->server_ids);
	free(s);
}
