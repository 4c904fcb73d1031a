/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The directory of a unit test, for tests that work on files.
 */
#pragma once

#include <ftw.h>
#include <stdio.h>

static inline int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

/* Removes a directory with its contents; symbolic links are not followed. 0, or not. */
static inline int remove_directory(const char *dir)
{
	return nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
