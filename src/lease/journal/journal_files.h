/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The files of a journal: their names, their clean-up, their reading at start. Everything here
 * belongs to the committer, but for the steps of a clean-up.
 */
#pragma once

#include "lease/journal/journal_impl.h"

/* --- journal_files.c -------------------------------------------------------------------------- */
/* Writes name + suffix (".1", ".2", ".output", ".completed", ".next"; "" the live file) to out and
 * returns out. */
const char *journal_name(const struct journal *j, const char *suffix, char out[PATH_CAP]);
bool journal_exists(const struct journal *j, const char *suffix);
int journal_write_all(struct journal *j, int fd, const char *p, size_t n) must_check;
/* Renames name + suffix to a new name (.aside-1 ...) and logs it. */
int journal_set_aside(struct journal *j, const char *suffix, const char *why) must_check;
/* Removes the file that an interrupted clean-up left under the name; a file of another kind is set
 * aside. */
int journal_clear(struct journal *j, const char *suffix) must_check;
/* Returns whether this is all of a lease file whose header was being written at a power cut. */
bool journal_torn_header(const char *p, size_t n);
/* Checks the kind of a file. 0: a regular file, or none; 1: a pipe to read from (not for the live
 * file); -USHER_E_FOREIGN: anything else. */
int journal_check_kind(struct journal *j, const char *suffix) must_check;
/* Returns whether the file can be cut without harm to anything but the name. */
bool journal_may_shrink(struct journal *j, const char *suffix);
/* Locks the inode of the live file and stores it. -EADDRINUSE: another server has it. */
int journal_adopt(struct journal *j) must_check;
/* Checks the live file. -USHER_E_CHANGED: the name is no longer this file's, or the file has
 * another length. */
int journal_watch(struct journal *j, off_t expected) must_check;
/* Renames a file that others have put under the live file's name. -EADDRINUSE: another server
 * serves from it. */
int journal_make_way(struct journal *j) must_check;
/* Follows a symbolic link: the journal's files are then beside the link's target. */
int journal_resolve(struct journal *j) must_check;
/* Returns whether .completed is whole. Kea does not sync it, so a power cut can leave any part of
 * it. */
bool journal_completed_whole(struct journal *j);

/* --- journal_kea.c ---------------------------------------------------------------------------- */
/* Returns whether a kea-lfc runs on these files. */
bool journal_kea_cleans(struct journal *j);

/* The files that a kea-lfc renames and removes: .completed, .2, .1; all zeroes: absent. */
struct journal_kea_files {
	struct file_info file[3];
};

void journal_kea_look(struct journal *j, struct journal_kea_files *ret);
bool journal_kea_same(const struct journal_kea_files *a, const struct journal_kea_files *b);

/* --- journal_lfc.c ---------------------------------------------------------------------------- */
/* Makes a new, synced file that has the header. Returns its descriptor, or -errno. */
int journal_create(struct journal *j, const char *suffix) must_check;
/* Renames live -> .1, .next -> live. For the committer, between groups. Takes next_fd. On an error
 * the names are in doubt. */
int journal_rotate(struct journal *j, int next_fd) must_check;
/* Finishes a clean-up once .completed is durable. */
int journal_finish(struct journal *j) must_check;
/* Runs one bounded piece of a clean-up: 1 more to do, 0 done, -errno failed (and aborted). */
int lfc_step(struct journal *j) must_check;
void lfc_abort(struct journal *j);
/* Writes a whole snapshot at once: .1 and .2 are replaced by the contents of the table. */
int journal_snapshot(struct journal *j) must_check;
/* Brings a down store back on a fresh file. Sets fd and good. */
int journal_recover(struct journal *j) must_check;
/* Returns whether there is room for a copy of the table. */
bool journal_has_room(struct journal *j);

/* --- journal_load.c --------------------------------------------------------------------------- */
struct journal_loaded {
	off_t end;	   /* of the live file: where to cut it */
	bool newline;	   /* its last row lacks a newline */
	bool other_header; /* it has other columns than ours */
};
/* Reads every present file into the table; rows that cannot be read are in .rejected, synced. */
int journal_load(struct journal *j, struct journal_load_stats *st, struct journal_loaded *ret)
	must_check;
