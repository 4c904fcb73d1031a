/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The lines of a lease file, one after the other, for journal_load.c, which opens the files.
 */
#pragma once

#include "lease/journal/journal_files.h"

struct loader {
	struct journal *j;
	struct rows *rows;
	struct reject *reject;
	struct journal_load_stats *st;
	const char *suffix;
	char name[PATH_CAP];
	int fd;
	char *buf; /* cap + 1 octets */
	size_t cap, len;
	struct buf copy; /* of a row that is read with care, which writes to it */
	off_t at;	 /* file position of the current line */
	uint64_t line;
	int columns;
	off_t end;	/* behind the last line that is not torn */
	bool newline;	/* the row before `end` lacks its newline */
	bool no_header; /* zeroes are in its place */
	bool cut_short; /* the rest of a line that is too long follows */
	/* a line with zeroes, until it is known whether anything follows */
	uint64_t torn_line;
	off_t torn_at;
	struct lease row;
	int result;
};

/*
 * Reads the open file to its end: rows go to l->rows, those that cannot be read to l->reject, and
 * l->end is the place where the file is to be cut. 0; -USHER_E_FOREIGN: it is no DHCPv4 lease file;
 * -USHER_E_LIMIT: too many bad rows; -ECANCELED: the server ends; -errno.
 */
int journal_read_lines(struct loader *l) must_check;
