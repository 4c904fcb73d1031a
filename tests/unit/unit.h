/* SPDX-License-Identifier: MPL-2.0 */
/*
 * cmocka with the headers it needs before itself. Included by every unit test, first.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
