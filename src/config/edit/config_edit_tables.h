/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Inside of an edit: its state, and the tables of the edited configuration.
 */
#pragma once

#include "config/config_load.h"

struct config_piece;

struct edit {
	struct load l;
	struct config *c;	      /* being made */
	struct config_piece *objects; /* of the changes */
	struct arena scratch;
	struct config_subnet *subnets; /* all, by id */
	size_t n_subnets;
	struct config_host *hosts;
	size_t n_hosts;
	bool subnets_changed, hosts_changed;
};

/* Makes the tables that changed and their look-ups, in pieces of their own. 0, -USHER_E_CONFIG,
 * -USHER_E_NOMEM. */
int edit_tables(struct edit *e) must_check;
