/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The parts of the library ping_check: parameters (ping_read.c), probes in and out
 * (ping_channel.c), the checks in progress (ping_engine.c), callouts (ping_check.c).
 */
#pragma once

#include "base/arena.h"
#include "hook/hook.h"

struct config;
struct json;
struct library_problems;
struct log;

/* --- Parameters ------------------------------------------------------------------------------- */

struct ping_params {
	bool enable;
	uint32_t requests; /* before an address without a reply is free */
	uint32_t timeout_ms;
	uint32_t cltt_s;
	bool arp;
};

extern const struct ping_params ping_defaults;

/* The parameters of the subnets of a configuration. */
struct ping_table {
	struct arena arena;
	struct ping_params *subnets; /* index = that of the subnet */
	bool enabled;		     /* for one of them */
};

/* Reads the library's parameters (NULL: none) and reports mistakes. */
struct ping_params ping_read_library(struct library_problems *p, const struct json *map);
/* Reads those of all subnets, which inherit from the library's. t->arena is initialised. */
void ping_read_subnets(struct library_problems *p, const struct config *cfg,
		       const struct ping_params *library, struct ping_table *t);

/* --- Channel ---------------------------------------------------------------------------------- */

enum ping_kind {
	PING_OTHER, /* a packet that is no answer */
	PING_REPLY,
	PING_UNREACHABLE,
	PING_ARP,
};

struct ping_answer {
	enum ping_kind kind;
	uint32_t addr;	  /* that was asked for; host order */
	uint16_t id, seq; /* of echo */
	int ifindex;	  /* of ARP */
};

/* The way of probes to the network. fds: of echo and ARP, for the loop; -1: never ready. Never
 * blocks; one thread. */
struct ping_channel {
	int echo_fd, arp_fd;
	/* 0 or -errno. */
	int (*send_echo)(struct ping_channel *c, uint32_t addr, uint16_t id, uint16_t seq);
	void (*send_arp)(struct ping_channel *c, const struct hook_link *link, uint32_t addr);
	/* Read one packet. 1; 0: there is none now; -errno: the socket is broken. */
	int (*read_echo)(struct ping_channel *c, struct ping_answer *ret);
	int (*read_arp)(struct ping_channel *c, struct ping_answer *ret);
	void (*close)(struct ping_channel *c);
};

/* Opens raw sockets, which need CAP_NET_RAW. 0, -EPERM, -errno. */
int ping_channel_open(struct ping_channel **ret) must_check;
/* Makes a channel that sends nothing. */
int ping_channel_silent(struct ping_channel **ret) must_check;

/* --- Engine ----------------------------------------------------------------------------------- */

struct ping_engine;

/* Starts the thread. Takes the channel over, also on failure. 0, -errno. */
int ping_engine_new(struct ping_channel *channel, struct log *log, struct ping_engine **ret)
	must_check;
/* Ends the thread, and forgets the checks in progress. Accepts NULL. */
void ping_engine_free(struct ping_engine *e);

enum ping_begun {
	PING_BEGUN, /* the packet is parked */
	PING_BUSY,  /* the address is being checked for another packet */
	PING_DOWN,  /* the channel is down, or the packet cannot be parked */
};
/* Begins the check of an address for the packet of a call, which it parks. link: to ask by ARP as
 * well; NULL: not. Any thread. */
enum ping_begun ping_engine_check(struct ping_engine *e, usher_call *call, uint32_t addr,
				  const struct ping_params *p, const struct hook_link *link);
