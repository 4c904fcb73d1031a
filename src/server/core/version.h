/* SPDX-License-Identifier: MPL-2.0 */
/* Version and build report of usher-server. */
#pragma once

const char *usher_version(void);
/* Returns the lines of `usher-server -W`: compiler, hook ABI, lease stores, captures. */
const char *usher_build_report(void);
