/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A gate over frames that the fuzzer makes up: raw ones, or segments and datagrams of a few
 * conversations that are kept consistent enough to get anywhere.
 */
#pragma once

#include "fuzz.h"

/* Octet 0: options. Then records: kind, length (two octets), data; fuzz_gate_util.c describes their
 * meaning. */
void fuzz_gate_run(struct span input);
