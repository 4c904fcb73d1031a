/* SPDX-License-Identifier: MPL-2.0 */
/*
 * usherctl top: a live view of a program, made of the answers to its commands. Each view sends
 * each of its commands once.
 */
#pragma once

#include "base/attr.h"

struct ctl_session;

/* Shows the program of the session every `seconds`. batch: the number of views to print as text; 0:
 * on the terminal, until q or a signal. Returns the exit code. */
int ctl_top(struct ctl_session *s, int seconds, int batch) must_check;
