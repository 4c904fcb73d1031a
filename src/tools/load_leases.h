/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Checks that acknowledged leases are on disk. Reads lease files in Kea's format, with those that a
 * clean-up has left beside them. One thread.
 */
#pragma once

#include "tools/load_owner.h"

#include <stdio.h>

struct load_leases;

/* Reads the last row of every address in path and its companions. 0, -errno, or -USHER_E_SYNTAX. */
int load_leases_read(const char *path, const struct load_owners *owners, uint64_t first_client,
		     struct load_leases **ret) must_check;
/* Returns whether the last row of addr, which owners knew when the file was read, is its owner's
 * and still running. */
bool load_leases_good(const struct load_leases *l, uint32_t addr);
void load_leases_free(struct load_leases *l);

/*
 * A lease file that is being written: every row is read once, when it is first asked for. The last
 * row of each address is kept, eight octets an address in use.
 */
struct load_live {
	const char *path;
	uint64_t first_client;
	FILE *f;
	int columns;	       /* 0: the header was not read yet */
	struct load_row *rows; /* by address */
	char *line;
	size_t line_cap;
};

/* Opens the file and reads its present rows. 0, -errno, or -USHER_E_SYNTAX. */
int load_live_open(struct load_live *l, const char *path, uint64_t first_client) must_check;
void load_live_close(struct load_live *l);
/*
 * Reads on to the end: 1: the last row of addr is the client's and runs until expire_min or longer;
 * 0: it is not; -errno.
 */
int load_live_check(struct load_live *l, uint32_t addr, uint32_t client, int64_t expire_min)
	must_check;
