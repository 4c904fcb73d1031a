/* SPDX-License-Identifier: MPL-2.0 */
/*
 * legal_log from the inside: its parameters (legal_log_read.c), the texts of its records
 * (legal_log_text.c), its callouts (legal_log.c).
 */
#pragma once

#include "base/buf.h"
#include "library/legal/legal_writer.h"
#include "library/common/library.h"

struct legal_log {
	struct arena arena;
	struct legal_target target;
	const struct expr *request, *response; /* NULL: none */
	struct legal_writer *writer;
	usher_lib *lib;
	const struct clock_src *clock;
	bool loaded;   /* it is in effect */
	bool no_files; /* a check, or a replay */
};

/* Reads the parameters; struct library.parse. */
void legal_log_parse(struct library_problems *p, const struct config *cfg,
		     const struct json *parameters, void *record);
/* Writes the record of a lease that was assigned, or released. Sources: Kea 3. */
void legal_log_lease(struct buf *out, usher_call *call, const struct lease *l, bool assigned);
/*
 * Writes the record of a successful command on a lease: lease4-add, -update or -del; for others
 * nothing. Returns the reason why it cannot be written, NULL: none.
 */
const char *legal_log_command(struct buf *out, const char *name, const struct json *arguments,
			      int64_t now_s);
/* Writes a duration as days, hours, minutes and seconds. */
void legal_log_duration(struct buf *out, uint32_t seconds);
/* Writes JSON as Kea does in one line: blanks within braces, members in the order of their names.
 */
void legal_log_json(struct buf *out, const struct json *v);
