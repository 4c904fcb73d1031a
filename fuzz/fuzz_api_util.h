/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Calls of every function in C that a script can reach, with arguments of every type: numbers at
 * their extremes, forged tables, objects of other classes, functions, coroutines. The functions are
 * found by a walk: one that is added later is found, too.
 */
#pragma once

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

/* Begins with an input, which is borrowed until the next. */
void fuzz_api_begin(const uint8_t *data, size_t size);
/* Takes a number below n from the input; 0 at its end. */
unsigned fuzz_api_pick(unsigned n);
/* Returns how many functions the last walk found since fuzz_api_begin(); 0: there was none. */
unsigned fuzz_api_found(void);
/* haka.probe(...) for rules: walks over its arguments and the globals, and makes calls until the
 * input ends. */
int fuzz_api_probe(lua_State *L);
