/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The reservations that commands made: they are kept in a file beside the lease file, and are added
 * to each configuration that is read.
 */
#pragma once

#include "server/manage/daemon_reading.h"

/*
 * Reads the file of reservations into the reading. cfg: at start, the configuration that tells its
 * place; NULL: it is known, or there is nothing to read yet. 0, or negative with r->first and
 * r->problems: the file cannot be read completely, and stays as it is.
 */
int daemon_hosts_read(struct daemon_reading *r, const struct config *cfg) must_check;
/*
 * Adds them to the configuration of the reading. The configuration takes precedence: one that
 * contradicts it is left out, with a warning, and stays in the file. 0; -ESTALE: they name classes
 * that have no numbers yet.
 */
int daemon_hosts_add(struct daemon_reading *r) must_check;
