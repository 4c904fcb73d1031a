/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A request from the words of the command line: name=value, one JSON text, or @FILE. A file's text
 * is sent unchanged where that is possible, so that the positions in the answer are the file's.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "ctl/commands.h"
#include "ctl/text.h"

struct ctl_session;

struct ctl_request {
	enum ctl_program program;
	const char *command;
	struct json *args; /* NULL: none */
	const char *file;  /* whose text is sent; NULL: none */
	struct buf text;   /* of that file */
	bool included;	   /* the text was made from several files; `made` maps its lines to them */
	struct ctl_text made;
	unsigned n_problems; /* of the text, found before it is sent */
	struct arena arena;
};

/* Reads the words. Returns 0, or -1 with the reason printed. The request is valid in both cases,
 * until ctl_request_fini(). */
int ctl_request_init(struct ctl_request *q, enum ctl_program p, const char *command, char **words,
		     int n_words) must_check;
void ctl_request_fini(struct ctl_request *q);
/* Writes the request. The text of a file begins on the second line. */
void ctl_request_write(const struct ctl_request *q, const struct ctl_session *s, struct buf *out);
/* Prints the problems of a configuration, as the answer lists them, with the name and the lines of
 * its file. Returns false: the answer has none, or there is no file. */
bool ctl_request_problems(const struct ctl_request *q, const struct json *answer);
