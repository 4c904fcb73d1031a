/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Frames from words (README.md, "Packets"), whole or damaged as the words say: for queries to the
 * server and for answers to the client. The caller fills in the usual sender and receiver, then
 * words, then frame.
 */
#pragma once

#include "scn.h"

#include "base/cursor.h"

struct scn_build {
	struct scn *s;
	struct wr opts;
	uint8_t opts_mem[1500];
	uint8_t msg[SCN_MSG_MAX];
	size_t msg_len;
	uint8_t head[DHCP4_HDR_LEN + 4];
	uint32_t to_addr; /* where unicast goes */
	uint8_t to_mac[6];
	uint32_t src, dst;
	uint16_t sport, dport;
	uint8_t smac[6], dmac[6];
	bool end, no_type;
	/* damage */
	bool bad_ip_csum, bad_udp_csum, no_udp_csum, fragment, vlan, qinq, ip_options;
	unsigned vlan_id, proto, ethertype, udp_len, ip_len, ihl, pad, cut, cut_frame, flags, count,
		strangers;
	uint8_t tail[1200];
	size_t tail_len; /* behind END */
	uint8_t trailer[256];
	size_t trailer_len; /* behind the datagram */
	uint8_t raw[SCN_MSG_MAX];
	size_t raw_len;
	bool has_raw;
};

/* "DISCOVER" or a number; -1. */
int scn_type_number(const char *t);
void scn_put_be(uint8_t *p, unsigned len, uint32_t v);
/* An empty message with cookie, END last; the caller sets op, ports, addresses. */
void scn_build_init(struct scn_build *b, struct scn *s);
void scn_build_option(struct scn_build *b, int code, const uint8_t *p, size_t n);
/* Reads the value of `from`: 0, or -1 (reported). */
int scn_build_from(struct scn_build *b, const char *who);
/* The words of the current line from `at` on; iface= is the caller's. -1: reported. */
int scn_build_words(struct scn_build *b, size_t at);
/* The message, then the whole frame; its octets. */
size_t scn_build_frame(struct scn_build *b, uint8_t *out, size_t cap);
