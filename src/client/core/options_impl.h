/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The command line from the inside, shared by options.c (the walk along the arguments) and
 * options_value.c (the value of each kind).
 */
#pragma once

#include "client/core/options.h"

enum client_arg_kind {
	KIND_IFACE,
	KIND_ID,
	KIND_HOST,
	KIND_FLAG,
	KIND_TEXT,
	KIND_ADDRESS,
	KIND_PROBE,
	KIND_NO_PROBE,
	KIND_CLASS,
	KIND_LIST,
	KIND_FQDN,
	KIND_BROADCAST,
	KIND_MASK,
	KIND_SECONDS,
	KIND_HELP,
};

struct client_arg {
	char letter;
	const char *name, *argument;
	enum client_arg_kind kind;
	size_t offset;
	const char *help;
};

struct client_parse {
	struct client_opts *o;
	const struct client_arg *arg;
	bool host_set;
	char *err;
	size_t err_cap;
};

/* Fills the message of a value that is not the expected one. Returns result. */
int client_opts_bad(const struct client_parse *p, int result, const char *expected,
		    const char *got);
/* Takes a value of the option p->arg. 0, or negative with the message. */
int client_opts_take(struct client_parse *p, const char *s) must_check;
