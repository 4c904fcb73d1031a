/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The common parts of the commands reservation-*. A reservation has one of two sources, which Kea
 * calls "memory" (the configuration) and "database" (here: the file of reservations).
 */
#pragma once

#include "server/edit/edit.h"

enum host_target { TARGET_MEMORY = 1, TARGET_DATABASE = 2, TARGET_ALL = 3 };

/* A reservation as a command names it. */
struct host_query {
	bool has_subnet;
	uint32_t subnet_id;
	unsigned target; /* of enum host_target */
	bool by_addr;
	uint32_t addr;
	enum config_host_id type;
	struct span id;
};

/* Returns operation-target; by_default where it is absent or "default". */
unsigned edit_host_target(struct edit *e, unsigned by_default);
/* Returns an optional subnet-id (0: global) in *ret; false: it is absent, or the command ended. */
bool edit_host_subnet(struct edit *e, const struct json *args, uint32_t *ret);
/* Refuses a subnet that is not configured. */
void edit_host_check_subnet(struct edit *e, uint32_t subnet_id);
/* Reads an address. */
uint32_t edit_host_addr(struct edit *e, const char *text);
/* Reads identifier-type and identifier. missing: begins the text where one is absent. */
void edit_host_id(struct edit *e, const struct json *args, const char *missing,
		  struct host_query *q);
/* Reads the arguments of reservation-get and reservation-del. */
struct host_query edit_host_query(struct edit *e, unsigned by_default);
/* Returns the reservation, or NULL. */
const struct config_host *edit_find_host(const struct config *cfg, const struct host_query *q);
