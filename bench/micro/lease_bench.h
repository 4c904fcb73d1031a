/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Shared by the parts of lease_bench: leases that are distinguished by a number, tables full of
 * them, clocks. Everything ends the program when it fails.
 */
#pragma once

#include "base/clock.h"
#include "lease/journal/journal.h"
#include "lease/lease_db.h"

int64_t cpu_ns(void); /* of this thread */
int64_t process_cpu_ns(void);
int64_t mono_ns(void);
void must(int r, const char *what);
/* Lease number n: its own address, hardware address and client identifier of 7 octets. */
void sample(struct lease *l, uint32_t n);
struct lease_client client_of(const struct lease *l);
struct lease_db *bench_db(void);
void fill(struct lease_db *db, uint32_t from, uint32_t n);
uint64_t resident(void);

int bench_ops(int argc, char **argv);
int bench_pools(int argc, char **argv);
int bench_load(int argc, char **argv);
int bench_contend(int argc, char **argv);
int bench_commit(int argc, char **argv);
