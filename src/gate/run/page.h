/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The gate over HTTP: the web page with its data, the metrics, and the commands.
 */
#pragma once

#include "base/attr.h"
#include "gate/run/command.h"
#include "http/args.h"

struct gate_page;

/* Opens the listener. Returns 0, or negative with the reason in text. */
int gate_page_open(struct gate_commands *g, struct loop *loop, const struct http_args *a,
		   struct gate_page **ret, char text[HTTP_TEXT_MAX]) must_check;
/* Closes all connections. Accepts NULL. */
void gate_page_close(struct gate_page *p);
