/* SPDX-License-Identifier: MPL-2.0 */
/*
 * usherctl client serve: the page, metrics and commands of a client over HTTP. The client itself is
 * small and has no HTTP: this process sends its commands to the client's channel.
 */
#pragma once

#include "base/attr.h"

struct ctl_session;

/* Serves until SIGINT or SIGTERM. words: ADDRESS:PORT, then users=FILE, cert=FILE, key=FILE,
 * trust=FILE. Returns the exit code. */
int ctl_serve(struct ctl_session *s, char **words, int n_words);
