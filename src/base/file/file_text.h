/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Whole files as texts, for the management plane: their names, reading and replacement. The calls
 * wait for the disk.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "base/span.h"

#include <sys/types.h>

/*
 * Returns the name of a file that is directly in a directory, a part of path: path is that name, or
 * begins with the n octets of dir, which end with '/' (n 0: the current directory). NULL: path is
 * elsewhere, is hidden, or has control characters (the class of CVE-2025-32802).
 */
const char *file_name_in(const char *dir, size_t n, const char *path);

/*
 * Appends the contents of a regular file of at most max octets to out. Symbolic links are not
 * followed, and FIFOs are not waited for. 0; -errno, -EINVAL: it is not regular, -EFBIG.
 */
int file_read_text(const char *path, size_t max, struct buf *out) must_check;
/* Appends the rest of an open regular file in that way. */
int file_read_open(int fd, size_t max, struct buf *out) must_check;

/*
 * Writes a file beside path, and gives it that name at the end: a crash leaves the old file or the
 * new one. An existing file passes its owner and mode on; mode is for a new one. 0 or -errno: path
 * is as it was.
 */
int file_replace(const char *path, struct span text, mode_t mode) must_check;
