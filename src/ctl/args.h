/* SPDX-License-Identifier: MPL-2.0 */
/*
 * usherctl's command line: the program, the options of args.def, a command and its words.
 */
#pragma once

#include "base/attr.h"
#include "ctl/commands.h"

#include <stdbool.h>
#include <sys/un.h>

struct ctl_args {
	enum ctl_program program;
	const char *socket; /* NULL with a URL */
	const char *url, *user, *ca, *cert, *key;
	bool json;
	int timeout_s, watch_s, batch; /* watch_s, batch: 0, not given */
	const char *command;
	char **words; /* [n_words], behind the command; borrowed from argv */
	int n_words;
	char path[sizeof(((const struct sockaddr_un *)0)->sun_path)]; /* of a client's interface */
};

/* Parses the command line. The first word may name the program, and options may stand anywhere.
 * Returns 0; 1: the command line requested a text, which was printed; -1: it is wrong, and the
 * reason was printed. */
int ctl_args_parse(int argc, char **argv, struct ctl_args *ret) must_check;
