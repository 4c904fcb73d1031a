/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The messages of the client (RFC 2131 tables 4 and 5), built into the list of effects.
 */
#pragma once

#include "client/core/action.h"

enum client_form {
	CLIENT_MSG_DISCOVER,
	CLIENT_MSG_SELECT, /* REQUEST of an offer */
	CLIENT_MSG_REBOOT, /* REQUEST of the lease we had */
	CLIENT_MSG_RENEW,  /* REQUEST, unicast */
	CLIENT_MSG_REBIND, /* REQUEST, broadcast */
	CLIENT_MSG_DECLINE,
	CLIENT_MSG_RELEASE,
	CLIENT_MSG_INFORM,
	CLIENT_N_FORMS
};

enum { CLIENT_ID_MAC_LEN = 7 }; /* hardware type and address */

/* Returns the client identifier as sent now (option 61); empty: none. buf holds it where it is made
 * of the hardware address. */
struct span client_identifier(const struct client *c, uint8_t buf[CLIENT_ID_MAC_LEN]);
/* Builds the octets of a message (UDP payload) in fx->data. Never fails: options that do not fit
 * are left out from the end, and the essential ones always fit. */
struct span client_message(struct client *c, enum client_form f, const struct client_lease *about,
			   const struct client_xact *x, int64_t now_ns, struct effects *fx);
/*
 * Builds and sends a message: counts it, opens the socket. In a broadcast frame, from 0.0.0.0 or,
 * in a form with ciaddr, from the lease's address; a RELEASE in a frame to the station that the
 * lease came through.
 */
void step_send_raw(struct client_step *s, enum client_form f, const struct client_lease *about);
/* Sends a message from src (the lease's address, or that of --inform) to dst. */
void step_send_udp(struct client_step *s, enum client_form f, const struct client_lease *about,
		   struct client_xact *x, uint32_t src, uint32_t dst);
