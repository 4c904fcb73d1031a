/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Effects: the operations that a step of the state machine requests, in order. The machine itself
 * performs none: its driver carries the list out after the step (the new state is stored by then),
 * and feeds the results back as events. A list and the octets it refers to belong to the driver;
 * pointers to leases are into struct client and hold until the next step. One thread; nothing here
 * allocates.
 *
 * Sockets. LISTEN_x of a socket that is open changes its filter; CLOSE_x of a closed one has
 * no effect. Raw: AF_PACKET made with protocol 0, filter (IPv4, UDP, no fragment, port 68, op 2,
 * the xid), PACKET_AUXDATA, lock, bind; where the filter is locked, another xid takes a new socket,
 * and the old one is closed last (closing takes 8 to 20 ms). UDP: bound to the interface and
 * 0.0.0.0:68, because a NAK is broadcast; the source address goes with each datagram (IP_PKTINFO).
 * ARP: packets that name the address as sender, and probes for it.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

struct client_lease;

enum effect_kind {
#define EFFECT(symbol, name, sentence) EFFECT_##symbol,
#include "client/core/effect.def"
#undef EFFECT
	EFFECT_N_KINDS
};

enum client_notice {
#define NOTICE(symbol, name, error, sentence) CLIENT_NOTICE_##symbol,
#include "client/core/notice.def"
#undef NOTICE
	CLIENT_N_NOTICES
};

/* The reason of a script run; client_reason_udhcpc() and _dhclient() return the words that
 * scripts know. */
enum client_reason {
	CLIENT_REASON_PREINIT, /* deconfig, PREINIT: before the first packet */
	CLIENT_REASON_BOUND,   /* bound, BOUND */
	CLIENT_REASON_REBOOT,  /* bound, REBOOT: the lease of an earlier run */
	CLIENT_REASON_RENEW,   /* renew, RENEW */
	CLIENT_REASON_REBIND,  /* renew, REBIND */
	CLIENT_REASON_INFORM,  /* renew, RENEW: options without a lease */
	CLIENT_REASON_NAK, /* nak, NAK (dhcpcd's word); EXPIRE follows if an address was in use */
	CLIENT_REASON_EXPIRE,  /* deconfig, EXPIRE */
	CLIENT_REASON_RELEASE, /* deconfig, RELEASE */
	CLIENT_REASON_STOP,    /* deconfig, STOP */
	CLIENT_REASON_FAIL,    /* leasefail, FAIL */
	CLIENT_N_REASONS
};

enum client_exit {
	CLIENT_EXIT_OK = 0,
	CLIENT_EXIT_NO_LEASE = 1, /* -n */
	CLIENT_EXIT_USAGE = 2,
	CLIENT_EXIT_LINK_GONE = 3,
};

struct effect {
	enum effect_kind kind;
	union {
		struct span frame; /* SEND_RAW, SEND_ARP: with Ethernet header */
		struct {
			uint32_t src, dst; /* host order; ports 68 and 67 */
			struct span payload;
		} udp;	      /* SEND_UDP */
		uint32_t xid; /* LISTEN_RAW */
		struct {
			uint32_t address, node; /* node 0: none */
		} arp;				/* LISTEN_ARP */
		uint32_t address;		/* LISTEN_UDP */
		int64_t deadline_ns;		/* ARM: CLOCK_BOOTTIME, absolute; 0: no timer */
		struct {
			uint32_t address, broadcast; /* broadcast 0: none (/31, /32) */
			uint32_t valid_s;	     /* from now; UINT32_MAX: for ever */
			uint8_t prefix_len;
		} addr; /* SET_ADDRESS; DEL_ADDRESS: address and prefix_len */
		const struct client_lease *lease; /* SET_ROUTES, SAVE_LEASE */
		struct {
			enum client_reason reason;
			const struct client_lease *now, *old; /* NULL: none */
		} script;
		struct {
			enum client_notice what; /* NAK: client.said has the server's message */
			unsigned from,
				to; /* STATE: enum client_state; DROPPED: to is enum client_drop */
			unsigned event; /* enum client_event of the step */
		} notice;
		enum client_exit exit_code;
	};
};

/* 4 messages of 1,500 octets at most in one step: ARP frames are small, DHCP messages two. */
enum { EFFECTS_MAX = 48, EFFECTS_DATA = 6144 };

struct effects {
	struct effect item[EFFECTS_MAX];
	size_t n;
	uint8_t data[EFFECTS_DATA]; /* memory of frames and payloads */
	size_t data_len;
	bool overflow; /* a step asked for more than fits: a programmer's error, tested */
};

void effects_reset(struct effects *fx);
/* Appends an effect of this kind, to be filled in. Never NULL: past the end the last one is
 * reused. */
struct effect *effects_add(struct effects *fx, enum effect_kind kind);
const char *effect_name(enum effect_kind kind);
const char *effect_sentence(enum effect_kind kind);
const char *client_notice_name(enum client_notice n);
const char *client_notice_sentence(enum client_notice n);
bool client_notice_is_error(enum client_notice n);
/* Returns udhcpc's word for a reason: "bound", "renew", "deconfig", "nak" or "leasefail". */
const char *client_reason_udhcpc(enum client_reason r);
/* Returns dhclient's word for a reason: "BOUND", "RENEW", "REBIND", "REBOOT", "NAK", "EXPIRE",
 * "FAIL", "PREINIT", "RELEASE" or "STOP". */
const char *client_reason_dhclient(enum client_reason r);
