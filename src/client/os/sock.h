/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The client's three sockets. Opening needs privileges, using them none: one process may open them
 * and hand the descriptors to another. Each is non-blocking, closed on exec, tied to one interface
 * by its index (a new name does not matter), and never reads a frame of another one. Descriptors
 * are the caller's.
 *
 * Packet sockets are made for protocol 0, get their filter, are locked (SO_LOCK_FILTER: nobody can
 * widen the filter later) and are then bound, once. Binding again and closing wait for the kernel
 * (8 to 20 ms).
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

struct packet;

/* Frames to UDP port 68 with op 2 and this xid; no fragments. Descriptor or -errno. */
int client_sock_open_raw(int ifindex, uint32_t xid) must_check;
/* Opens a socket for ARP about this address: claims and probes; and for ARP from node (0: none).
 * Descriptor or -errno. */
int client_sock_open_arp(int ifindex, uint32_t address, uint32_t node) must_check;
/* Opens a UDP socket at 0.0.0.0:68. Returns a descriptor or -errno. */
int client_sock_open_udp(int ifindex) must_check;

/*
 * Receives one packet into a reset slot, of the packet socket (udp false: frame and flags of the
 * kernel) or the UDP socket (payload and addresses). own: this host's address, by which its errors
 * differ from those that other hosts report. Returns 1; 0: none is there now; -EREMOTEIO: ICMP of
 * other hosts; -EBADMSG: the kernel's control data did not fit; -errno of a broken socket, or of a
 * datagram that this host could not send.
 */
int client_sock_recv(int fd, bool udp, int ifindex, uint32_t own, struct packet *p) must_check;
/* Receives an ARP frame. Returns its length; 0: none is there (our own are left out); -errno. */
int client_sock_recv_arp(int fd, uint8_t *buf, size_t cap) must_check;
/* Sends a frame with its Ethernet header. Returns 0 or -errno. */
int client_sock_send_frame(int fd, int ifindex, struct span frame) must_check;
/* Sends a datagram from src:68 to dst:67. Returns 0 or -errno. */
int client_sock_send_udp(int fd, int ifindex, uint32_t src, uint32_t dst, struct span payload)
	must_check;
/* Returns whether an error of a socket lasts until a new socket is opened. */
bool client_sock_broken(int err);
