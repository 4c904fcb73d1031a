/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The DHCPv4 message in Lua, over struct dhcp4_msg: the same object in every host, so that a rule
 * runs unchanged in the server and in the gate. Fields have RFC 2131's names; msg.options reads and
 * writes options by code or name, with the types of wire/option_def.h.
 *
 * A host embeds a struct script_dhcp, points it at a message with script_dhcp_begin() and takes it
 * away with script_dhcp_end(): handles that a script kept raise from then on. One thread at a time.
 */
#pragma once

#include "script/state/class.h"

#include "wire/dhcp4.h"
#include "wire/option_def.h"

struct script_dhcp;

struct script_dhcp_host {
	/* msg:drop(). NULL: refused with an error. */
	void (*drop)(struct script_dhcp *d);
	/* Before each write. Negative: it is refused, for this reason. NULL: all are welcome. */
	int (*before)(struct script_dhcp *d);
	/* Called after each write, besides `changed`. NULL: never. */
	void (*changed)(struct script_dhcp *d);
	/* Options that an operator defined; NULL: the standard ones only. name is Kea's. */
	const struct option_def *(*by_code)(const struct script_dhcp *d, uint32_t code);
	const struct option_def *(*by_name)(const struct script_dhcp *d, const char *name);
};

struct script_dhcp {
	struct dhcp4_msg *msg; /* NULL: none now */
	bool changed;	       /* written to since script_dhcp_begin() */
	uint32_t generation;
	const struct script_dhcp_host *host; /* may be NULL */
	void *ctx;			     /* the host's */
	struct buf text;		     /* options as text, kept for its memory */
};

extern const struct script_class script_dhcp_class;

/* Makes the classes known to a state. 0, or -USHER_E_SCRIPT (memory). */
int script_dhcp_register(struct script *s) must_check;
void script_dhcp_init(struct script_dhcp *d, const struct script_dhcp_host *host, void *ctx);
void script_dhcp_fini(struct script_dhcp *d);
void script_dhcp_begin(struct script_dhcp *d, struct dhcp4_msg *msg);
void script_dhcp_end(struct script_dhcp *d);
/* Pushes the message; nil if there is none. May raise. */
void script_dhcp_push(lua_State *L, struct script_dhcp *d);

/*
 * Reads the message type by name ("discover", "DHCPDISCOVER"), for a host's `when`;
 * script_dhcp_type_text() returns the text of one. The others read six octets of hardware address
 * ("02:00:00:00:00:01") as a number, return that of a message, and check that it has six.
 */
int script_dhcp_parse_type(const char *text, uint64_t *ret) must_check;
const char *script_dhcp_type_text(uint64_t type);
int script_dhcp_parse_chaddr(const char *text, uint64_t *ret) must_check;
uint64_t script_dhcp_chaddr(const struct dhcp4_msg *m);
bool script_dhcp_has_chaddr(const struct dhcp4_msg *m);
