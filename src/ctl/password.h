/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Asks a person for a password on the terminal, without echo.
 */
#pragma once

#include "base/attr.h"

/* Asks for the password of the user. The caller frees it. Returns 0; -ENXIO or another -errno:
 * there is no terminal; -ENOMEM. */
int ctl_password_ask(const char *user, char **ret) must_check;
