/* SPDX-License-Identifier: MPL-2.0 */
/*
 * usherctl leases: copies all leases of a server, whatever its store is, to a new file in the form
 * of Kea's lease file, or from such a file into the server. The files are those that
 * `kea-admin lease-dump` writes and `kea-admin lease-upload` reads.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>

struct ctl_session;

/* The exit code of an import that left leases out. */
enum { CTL_LEASES_CONFLICT = 4 };

/* Carries out export FILE, or import FILE [overwrite=true]. Returns the exit code. */
int ctl_leases(struct ctl_session *s, char **words, int n_words);
/* Writes all leases to a file that must not exist. An export that fails leaves no file. Returns the
 * exit code. */
int ctl_leases_export(struct ctl_session *s, const char *path);
/*
 * Reads a lease file to its end, and refuses it if a row has a mistake; then sends its leases, the
 * last row of each address. overwrite: replace leases that the server has, else they are left out
 * and listed. Returns the exit code.
 */
int ctl_leases_import(struct ctl_session *s, const char *path, bool overwrite);
