/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The rows of edit_commands.def and dhcp6_commands.def, by their libraries.
 */
#include "server/edit/edit_libraries.h"

#include "config/schema/kea_hooks.h"
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

#define DHCP6_ROW(owner_, name_, access_)            \
	{                                            \
		.name = (name_),                     \
		.fn = refuse_dhcp6,                  \
		.any_args = true,                    \
		.args = "",                          \
		.help = "refused: it is for DHCPv6", \
		.access = CONTROL_##access_,         \
		.needs = NEEDS_NOTHING,              \
		.owner = (owner_),                   \
	},

static const char class_cmds[] = "class_cmds";
static const char host_cmds[] = "host_cmds";
static const char lease_cmds[] = "lease_cmds";
static const char stat_cmds[] = "stat_cmds";
static const char subnet_cmds[] = "subnet_cmds";

/* Answers any command of DHCPv6. */
static struct json *refuse_dhcp6(struct control_call *c)
{
	return control_answer(c->arena, CONTROL_ERROR,
			      "'%s' is a command for DHCPv6, and this server has DHCPv4 only.",
			      c->name);
}

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
#define DHCP6_SUBNET_CMDS(...) DHCP6_ROW(subnet_cmds, __VA_ARGS__)
#include "server/edit/dhcp6_commands.def"
};
static const struct control_command lease_rows[] = {
#define DHCP6_LEASE_CMDS(...) DHCP6_ROW(lease_cmds, __VA_ARGS__)
#include "server/edit/dhcp6_commands.def"
};
static const struct control_command stat_rows[] = {
#define DHCP6_STAT_CMDS(...) DHCP6_ROW(stat_cmds, __VA_ARGS__)
#include "server/edit/dhcp6_commands.def"
};

const struct daemon_library edit_libraries[] = {
	{KEA_CLASS_CMDS, class_rows, ARRAY_LEN(class_rows), LOG_CLASS_CMDS_INIT_OK,
	 LOG_CLASS_CMDS_DEINIT_OK},
	{KEA_HOST_CMDS, host_rows, ARRAY_LEN(host_rows), LOG_HOST_CMDS_INIT_OK,
	 LOG_HOST_CMDS_DEINIT_OK},
	{KEA_LEASE_CMDS, lease_rows, ARRAY_LEN(lease_rows), LOG_N_IDS, LOG_N_IDS},
	{KEA_STAT_CMDS, stat_rows, ARRAY_LEN(stat_rows), LOG_N_IDS, LOG_N_IDS},
	{KEA_SUBNET_CMDS, subnet_rows, ARRAY_LEN(subnet_rows), LOG_SUBNET_CMDS_INIT_OK,
	 LOG_SUBNET_CMDS_DEINIT_OK},
};
const size_t edit_n_libraries = ARRAY_LEN(edit_libraries);
