/* SPDX-License-Identifier: MPL-2.0 */
/* Kea's libraries whose commands edit the configuration, for daemon_opts. */
#pragma once

#include "server/manage/daemon.h"

extern const struct daemon_library edit_libraries[];
extern const size_t edit_n_libraries;
