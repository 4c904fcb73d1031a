/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The rows of edit_commands.def, by their libraries.
 */
#include "server/edit/edit_libraries.h"

#include "config/kea_hooks.h"
#include "control/rows.h"
#include "server/edit/edit.h"
#include "server/edit/edit_commands.h"

/* A look-up is done in the loop's thread; a change is planned beside it (control/rows.h). */
#define EDIT_FN_MANAGEMENT   edit_read
#define EDIT_WORK_MANAGEMENT NULL
#define EDIT_FN_BACKGROUND   edit_finish
#define EDIT_WORK_BACKGROUND edit_work

#define EDIT_ROW(owner_, name_, function, access_, needs_, thread, purpose, arguments) \
	{                                                                              \
		.name = (name_),                                                       \
		.fn = EDIT_FN_##thread,                                                \
		.work = EDIT_WORK_##thread,                                            \
		.args = (arguments),                                                   \
		.help = (purpose),                                                     \
		.access = CONTROL_##access_,                                           \
		.needs = NEEDS_##needs_,                                               \
		.ctx = &(struct edit_step){function},                                  \
		.owner = (owner_),                                                     \
	},

static const char class_cmds[] = "class_cmds";
static const char host_cmds[] = "host_cmds";
static const char subnet_cmds[] = "subnet_cmds";

static const struct control_command class_rows[] = {
#define CLASS_CMDS(...) EDIT_ROW(class_cmds, __VA_ARGS__)
#include "server/edit/edit_commands.def"
};
static const struct control_command host_rows[] = {
#define HOST_CMDS(...) EDIT_ROW(host_cmds, __VA_ARGS__)
#include "server/edit/edit_commands.def"
};
static const struct control_command subnet_rows[] = {
#define SUBNET_CMDS(...) EDIT_ROW(subnet_cmds, __VA_ARGS__)
#include "server/edit/edit_commands.def"
};

const struct daemon_library edit_libraries[] = {
	{KEA_CLASS_CMDS, class_rows, ARRAY_LEN(class_rows), LOG_CLASS_CMDS_INIT_OK,
	 LOG_CLASS_CMDS_DEINIT_OK},
	{KEA_HOST_CMDS, host_rows, ARRAY_LEN(host_rows), LOG_HOST_CMDS_INIT_OK,
	 LOG_HOST_CMDS_DEINIT_OK},
	{KEA_SUBNET_CMDS, subnet_rows, ARRAY_LEN(subnet_rows), LOG_SUBNET_CMDS_INIT_OK,
	 LOG_SUBNET_CMDS_DEINIT_OK},
};
const size_t edit_n_libraries = ARRAY_LEN(edit_libraries);
