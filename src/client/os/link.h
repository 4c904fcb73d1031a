/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Watches one interface by netlink: reports its state, and every change as an event. Keyed by the
 * index, so a rename is followed. Needs no privileges. After a lost notification (ENOBUFS) the
 * link's state is read again.
 */
#pragma once

#include "base/attr.h"
#include "client/os/netlink.h"

enum { LINK_NAME_LEN = 16 };

struct link_state {
	int ifindex;
	char name[LINK_NAME_LEN];
	uint8_t mac[6];
	uint16_t mtu;
	bool admin_up, carrier; /* IFF_UP, IFF_LOWER_UP and not dormant */
	bool gone;		/* removed, moved to another namespace, or enslaved */
	bool ethernet, arp;	/* a station on an Ethernet; not IFF_NOARP */
};

static inline bool link_is_up(const struct link_state *s)
{
	return s->admin_up && s->carrier && !s->gone;
}

struct link_watch {
	struct nl nl;
	struct link_state now;
	bool stale; /* a notification was lost, and the state was not requested yet */
};

/* Events that may have occurred since the last call. */
struct link_events {
	bool changed; /* anything in the state */
	bool lost;    /* notifications were lost */
	bool touched; /* addresses or routes of the interface may have changed */
};

/* Opens, and reads the state. 0; -ENODEV: no such interface; -errno. */
int link_watch_open(struct link_watch *w, const char *name) must_check;
void link_watch_close(struct link_watch *w);
/* Reads the notifications that have arrived; w->now is the state then. Never blocks. 0 or -errno of
 * a broken socket. */
int link_watch_read(struct link_watch *w, struct link_events *ret) must_check;
/* Checks whether a client can run on the interface. Returns 0, -ENODEV (it vanished) or
 * -EPROTONOSUPPORT (it is no Ethernet, or has no ARP). */
int link_usable(const struct link_state *s) must_check;
/* Reads the interface's first IPv4 address (for --inform); 0 if it has none. Returns 0 or
 * -errno. */
int link_first_address(int ifindex, uint32_t *ret) must_check;
/* Returns whether a hardware address is of one of this host's interfaces (RFC 5227 2.1.1, 2.4). nl
 * is open. */
bool link_owns_mac(struct nl *nl, const uint8_t mac[6]);
