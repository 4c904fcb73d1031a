/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The socket to kea-dhcp-ddns: datagrams of a request each, without answers.
 */
#pragma once

#include "ddns/ddns_request.h"

/* Opens the socket. Returns it, or negative. */
int ddns_d2_open(const struct config_ddns *cfg) must_check;
/*
 * Sends one request. 0; -EAGAIN: the socket has no room now; -ECONNREFUSED and others: nobody is
 * there, or the network is away. b: room for its text.
 */
int ddns_d2_send(int fd, const struct ddns_request *r, struct buf *b) must_check;
