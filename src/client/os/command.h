/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The commands of the control channel (command.def), which act on the driver.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>

struct arena;
struct control;
struct control_requester;
struct driver;
struct json;
struct loop;

/* Creates the management plane of the driver. Returns 0 or -ENOMEM. */
int client_plane_open(struct driver *d) must_check;
/* Answers one request; *ret_subscribe: the connection wants events from now on. */
struct json *client_command_run(struct driver *d, const struct json *request,
				const struct control_requester *from, struct arena *a,
				bool *ret_subscribe);
/* Opens a control channel (control_open) on which these commands answer. 0 or -errno. */
int client_control_open(struct driver *d, struct loop *loop, const char *path, struct control **ret)
	must_check;
