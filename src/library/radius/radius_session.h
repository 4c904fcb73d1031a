/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The sessions of accounting: the time when each address was assigned, and its file, which outlives
 * the server. Instances of the library that follow each other share them.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct config_error;
struct log;

/* Milliseconds of wall time from here on: 7 March 2018, 11:00 UTC, as in Kea. */
#define RADIUS_SESSION_EPOCH_S 1520420400

struct radius_sessions;

/*
 * Makes the sessions of a file, which need not exist; NULL: they are in memory only. 0, or negative
 * with a reason in err: the file cannot be read or written, or is another one. Such a file stays as
 * it is; of a last line without its end, which a killed process has left, the rest is removed.
 */
int radius_sessions_new(const char *path, struct log *log, struct radius_sessions **ret,
			struct config_error *err) must_check;
struct radius_sessions *radius_sessions_ref(struct radius_sessions *s);
void radius_sessions_unref(struct radius_sessions *s); /* accepts NULL */
/* Returns the path; NULL: none. */
const char *radius_sessions_path(const struct radius_sessions *s);
/* Returns the begin of the session of an address, in milliseconds. begin: a new one begins now,
 * also where none is known. *ret_known: there was one. Any thread. */
int64_t radius_session(struct radius_sessions *s, uint32_t addr, bool begin, int64_t now_ms,
		       bool *ret_known);
void radius_session_end(struct radius_sessions *s, uint32_t addr);
/* Writes the changes to the file. May wait for the disk. */
void radius_sessions_flush(struct radius_sessions *s);
