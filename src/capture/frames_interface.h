/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For frames_link.c: properties of a network interface.
 */
#pragma once

#include "base/attr.h"

#include <stdint.h>

/* Finds an Ethernet or loopback interface by name: 0 with index and hardware address, -ENODEV,
 * -EPROTONOSUPPORT. fd: any socket. */
int frames_interface_of(int fd, const char *name, int *ret_index, uint8_t ret_mac[6]) must_check;
/* Lets a packet socket receive frames for other stations, as long as it is open. 0, -errno. */
int frames_set_promiscuous(int fd, int ifindex) must_check;
