/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The metrics of listeners (metrics.def), for the text of a program's metrics. Called in the thread
 * of the event loop.
 */
#pragma once

#include <stddef.h>

struct http_listener;
struct metrics;

/* Writes the families usher_http_*, each with the samples of n listeners. */
void http_metrics(struct metrics *m, struct http_listener *const *listeners, size_t n);
