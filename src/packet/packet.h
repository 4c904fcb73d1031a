/* SPDX-License-Identifier: MPL-2.0 */
/*
 * struct packet: one slot of a ring: the octets as they came, offsets of the layers, where and
 * when they came in, and an arena of its own for all that is derived from them. Capture fills
 * slots, packet/decode.c sets the offsets, the pipeline works in the arena; after the verdict the
 * slot is reset. A slot belongs to one worker at a time; parking moves the whole slot.
 */
#pragma once

#include "base/arena.h"
#include "base/span.h"

enum { PACKET_DATA_LEN = 2048, PACKET_ARENA_LEN = 24 * 1024, PACKET_NO_LAYER = 0xffff };

enum packet_flag {
	PACKET_CSUM_NOT_READY = 1, /* the kernel left the checksum to hardware: do not check */
	PACKET_BROADCAST = 2,	   /* link-layer broadcast or multicast (or IP broadcast, on UDP) */
	PACKET_OTHERHOST = 4,	   /* frame for another station */
	PACKET_TRUNCATED = 8,	   /* longer than the slot */
	PACKET_NO_L2 = 16, /* came from a UDP socket: data is the payload, addresses are set */
};

/* The reasons of drop.def. DROP_NONE: not dropped. */
enum drop {
	DROP_NONE,
#define DROP(symbol, statistic, sentence) DROP_##symbol,
#include "packet/drop.def"
#undef DROP
	DROP_N
};

struct drop_info {
	const char *symbol;    /* "UDP_CHECKSUM" */
	const char *name;      /* "drop-udp-checksum", the statistic of its own */
	const char *statistic; /* Kea's cause counter or "" */
	const char *sentence;
};

const struct drop_info *drop_info(enum drop d);

struct packet {
	uint8_t *data;
	uint32_t cap, len;
	uint16_t l2, l3, l4, app; /* offsets into data; PACKET_NO_LAYER: not there */
	uint16_t app_len;	  /* octets of UDP payload */
	uint16_t flags;		  /* enum packet_flag */
	uint16_t vlan_id;	  /* 0: none or priority tag only */
	uint16_t sport, dport;
	uint32_t src, dst; /* host order */
	uint8_t l2_src[6], l2_dst[6];
	int ifindex;   /* it came in on */
	int64_t ts_ns; /* wall clock at capture */
	struct arena arena;
};

/* Lays a packet over one slot's memory: data[PACKET_DATA_LEN] and arena memory. */
void packet_init(struct packet *p, uint8_t *data, size_t data_cap, void *arena_mem,
		 size_t arena_cap);
/* Sets other memory for the arena of a slot that holds no packet yet. */
void packet_set_arena(struct packet *p, void *arena_mem, size_t arena_cap);
/* Prepares a slot for the next packet. */
void packet_reset(struct packet *p);

static inline struct span packet_app(const struct packet *p)
{
	return p->app == PACKET_NO_LAYER ? SPAN_NULL : span_of(p->data + p->app, p->app_len);
}

/*
 * Decodes Ethernet to UDP: sets the offsets and addresses, and checks lengths and checksums. Skips
 * VLAN tags (802.1Q, 802.1ad; priority tags too), accepts IP options, cuts off Ethernet padding,
 * accepts UDP checksum 0 and PACKET_CSUM_NOT_READY. Packets with PACKET_NO_L2 count as decoded.
 * Returns DROP_NONE or the reason to drop the packet. RFC 768, 791, 1122 3.2.1.
 */
enum drop packet_decode(struct packet *p) must_check;
