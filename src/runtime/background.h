/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Long work of the management thread (reading a large configuration) beside packets: done at the
 * lowest priority, so that a worker that shares the core is never kept waiting for it.
 */
#pragma once

/* Runs fn(ctx) in a thread of its own, at the lowest priority, and waits for it. Returns fn's
 * result. fn must take no lock that workers take: a thread of low priority holds it for long. */
int background_run(int (*fn)(void *ctx), void *ctx);
