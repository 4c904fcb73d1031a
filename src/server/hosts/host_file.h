/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The file of reservations that commands made (reservation-add), so that they survive a restart.
 * It lies beside the lease file and is appended to, one JSON map a line:
 *
 *	{"key": "1 hw-address 0A1B2C3D4E5F", "subnet-id": 1, "reservation": {…}}
 *	{"key": "1 hw-address 0A1B2C3D4E5F", "deleted": true}
 *
 * A later line replaces an earlier one with its key. A change is durable when its function returns.
 * One thread at a time may use a file.
 */
#pragma once

#include "base/file/file_ops.h"
#include "config/json/json.h"

struct host_file;
struct log;

/* Makes the object, and touches no file. NULL: out of memory. */
struct host_file *host_file_new(const char *path, const struct file_ops *ops, struct log *log);
void host_file_free(struct host_file *f); /* accepts NULL */
const char *host_file_path(const struct host_file *f);

/*
 * Reads the file. *ret: a list of maps with key, subnet-id and reservation, in the order of their
 * first lines; it is empty if there is no file. repair: the part of a line that a crash left at the
 * end is moved to PATH.torn, and a file that is mostly replaced lines is written anew; otherwise
 * that is left for later. 0; negative with *err: the file cannot be read, or has a line that is no
 * such map, and stays as it is.
 */
int host_file_read(struct host_file *f, bool repair, struct arena *a, struct json **ret,
		   struct config_error *err) must_check;

/* Adds or replaces a reservation. 0, -errno: the file is as it was. */
int host_file_put(struct host_file *f, const char *key, uint32_t subnet_id,
		  const struct json *reservation) must_check;
int host_file_delete(struct host_file *f, const char *key) must_check;
