/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The relay's information of stored leases: checked and upgraded when leases are loaded, when a
 * command adds one, and by extended-info4-upgrade. Contexts of any size are parsed, so this is not
 * for packets.
 */
#pragma once

#include "lease/context/relay_info.h"

struct lease;
struct lease_db;
struct log;

struct relay_upgrade {
	struct lease_db *db;
	struct log *log;
	enum relay_check how;
	bool (*ended)(void *ctx); /* NULL, or asked between stretches: true ends the walk */
	void *ctx;
};

/* Checks the context of a lease that will be stored, and logs a defect. Returns whether it changed;
 * -ENOMEM: l is unchanged. */
int relay_upgrade_lease(const struct relay_upgrade *u, struct arena *a, struct lease *l) must_check;
/*
 * Checks all leases, and writes those that change. Returns their number, or a negative errno
 * (-EBUSY while the leases are being loaded). A lease that changes meanwhile is left to the next
 * run. Any thread; the lock of the table is held for 512 records at a time.
 */
int64_t relay_upgrade_all(const struct relay_upgrade *u) must_check;
