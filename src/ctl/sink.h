/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Receivers of the octets of an answer. An answer is a map {"result": …, "text": …, "arguments":
 * …}, over HTTP within a list of one. The collector keeps it, up to a limit. The printer passes the
 * map on while it arrives, in constant memory, whatever its length.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"

#include <stdio.h>

struct ctl_sink {
	/* Takes n octets. Returns 0; a negative result ends the transfer. */
	int (*take)(struct ctl_sink *s, const char *p, size_t n);
};

struct ctl_collector {
	struct ctl_sink sink;
	struct buf text;
	size_t max;
};

struct ctl_printer {
	struct ctl_sink sink;
	FILE *out;
	unsigned depth; /* 0: outside of the map */
	bool in_string, escaped;
	bool listed, list_closed; /* within a list of one */
	bool ended;		  /* the map was closed */
	bool in_value;		  /* at depth 1: behind the colon */
	bool is_result;		  /* that value is the result */
	bool negative, has_result;
	char key[8]; /* of a member of the map, cut off */
	size_t key_len;
	int64_t result;
};

/* Collects at most `max` octets; a longer answer ends with -EMSGSIZE. */
void ctl_collector_init(struct ctl_collector *c, size_t max);
void ctl_collector_fini(struct ctl_collector *c);
/* Prints to `out`, which is borrowed. take() fails with -USHER_E_SYNTAX for octets that are no
 * answer, and with -EPIPE if out cannot be written. */
void ctl_printer_init(struct ctl_printer *p, FILE *out);
/* Ends the text with a newline. Returns 0 and the result of the answer, or -USHER_E_SYNTAX: it is
 * incomplete or has no result. */
int ctl_printer_end(struct ctl_printer *p, int64_t *ret_result) must_check;
