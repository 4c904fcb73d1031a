/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Is what was acknowledged on disk? Reads lease files in Kea's format, with those that a clean-up has
 * left beside them. One thread.
 */
#pragma once

#include "tools/load_owner.h"
#include "tools/load_template.h"

#include <sys/types.h>

struct load_leases;

/* What a lease has to look like in the file. */
struct load_lease_want {
	uint32_t addr;
	uint8_t mac[LOAD_MAC_LEN];
	int64_t expire_min;	/* wall-clock seconds; INT64_MIN: any */
};

/* Reads the last row of every address in path and its companions. 0, -errno, or -USHER_E_SYNTAX. */
int load_leases_read(const char *path, const struct load_owners *owners, uint64_t first_client,
		     struct load_leases **ret) must_check;
/* Is the last row of addr, which owners knew when the file was read, its owner's and running? */
bool load_leases_good(const struct load_leases *l, uint32_t addr);
void load_leases_free(struct load_leases *l);

/* Looking at a file that is being written. */
struct load_live {
	const char *path;
	int fd;
	ino_t ino;
	dev_t dev;
	off_t from;		/* rows of interest begin here */
	char *buf;
};

int load_live_open(struct load_live *l, const char *path) must_check;
void load_live_close(struct load_live *l);
/* Notes where the file ends now. */
void load_live_mark(struct load_live *l);
/* 1: the row is there; 0: it is not; -errno. Looks behind the mark first, then at all files. */
int load_live_check(struct load_live *l, const struct load_lease_want *w) must_check;
