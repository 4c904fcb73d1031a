/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Rows of a program's table of commands:
 *
 *	COMMAND(name, function, access, needs, thread, purpose, arguments)
 *
 * access: READ or WRITE. needs: NOTHING, or a precondition of the program, which defines
 * NEEDS_ of it. thread: MANAGEMENT, the function does everything in the thread of the loop;
 * BACKGROUND, the long part is function_work, which runs beside it (control_command.work).
 * arguments: control/args.h. A table is included with
 *
 *	#define COMMAND(...) CONTROL_ROW(__VA_ARGS__)
 *
 * for its rows, or with CONTROL_DECLARE for declarations of its functions.
 */
#pragma once

#include "control/command.h"

enum { NEEDS_NOTHING = 0 };

#define CONTROL_WORK_MANAGEMENT(function) NULL
#define CONTROL_WORK_BACKGROUND(function) function##_work

#define CONTROL_ROW(name_, function, access_, needs_, thread, purpose, arguments) \
	{                                                                         \
		.name = (name_),                                                  \
		.fn = (function),                                                 \
		.work = CONTROL_WORK_##thread(function),                          \
		.args = (arguments),                                              \
		.help = (purpose),                                                \
		.access = CONTROL_##access_,                                      \
		.needs = NEEDS_##needs_,                                          \
	},

#define CONTROL_DECLARE_MANAGEMENT(function)
#define CONTROL_DECLARE_BACKGROUND(function) void function##_work(struct control_call *c);

#define CONTROL_DECLARE(name_, function, access_, needs_, thread, purpose, arguments) \
	struct json *function(struct control_call *c);                                \
	CONTROL_DECLARE_##thread(function)
