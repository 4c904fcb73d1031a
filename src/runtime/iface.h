/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The machine's interfaces and their IPv4 addresses, as immutable tables, and a monitor that makes
 * a new table whenever netlink reports a change. Readers hold a reference; they never wait.
 */
#pragma once

#include "base/attr.h"
#include "base/cleanup.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IFACE_NAME_LEN = 16, IFACE_ADDRS_MAX = 256 };

struct iface_addr {
	uint32_t addr; /* host order */
	uint8_t prefix_len;
};

struct iface {
	int ifindex;
	char name[IFACE_NAME_LEN];
	uint16_t arp_type; /* ARPHRD_* */
	uint8_t mac[6];
	bool up, running, loopback, multicast, broadcast;
	bool accept_any; /* every destination is ours (replay of a capture) */
	uint32_t
		serve_addr; /* the one to serve from where a configuration names it; 0: the first */
	size_t n_addrs;
	struct iface_addr addrs[IFACE_ADDRS_MAX];
};

struct iface_table {
	_Atomic int refs;
	size_t n;
	struct iface *items;
};

struct iface_table *iface_table_ref(struct iface_table *t);
void iface_table_unref(struct iface_table *t);
DEFINE_UNREFP(iface_table)
/* Returns a table made by hand (tests, replay); items are copied. NULL when memory is out. */
struct iface_table *iface_table_new(const struct iface *items, size_t n);
/* Reads the kernel's. 0 or -errno. */
int iface_table_read(struct iface_table **ret) must_check;
const struct iface *iface_by_index(const struct iface_table *t, int ifindex);
const struct iface *iface_by_name(const struct iface_table *t, const char *name);
/* Returns whether an address belongs to this machine, on any interface. */
bool iface_owns(const struct iface_table *t, uint32_t addr);
/* Returns whether addr is the directed broadcast of one of the interface's networks. */
bool iface_is_broadcast(const struct iface *i, uint32_t addr);
bool iface_table_eq(const struct iface_table *a, const struct iface_table *b);

struct loop;
struct iface_monitor;

/* Calls changed() from the loop whenever links or addresses changed. */
int iface_monitor_open(struct loop *loop, void (*changed)(void *ctx), void *ctx,
		       struct iface_monitor **ret) must_check;
void iface_monitor_close(struct iface_monitor *m);
