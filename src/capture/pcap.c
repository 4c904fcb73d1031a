/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Capture files in and out, so that every program runs on a recording. The written file does not
 * depend on the machine or the time of the run: time stamps are those of the last packet read, our
 * hardware address is fixed, and the receiver's is the one its IP address was last seen with.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "capture/capture_backend.h"
#include "packet/packet.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

enum { SNAPLEN = 65535, N_NEIGHBOURS = 4096 };

struct neighbour {
	uint32_t addr;
	uint8_t mac[ETH_ADDR_LEN];
};

struct capture_pcap {
	struct capture base;
	pcap_t *in, *out_link;
	pcap_dumper_t *out; /* NULL: sent frames are only counted */
	bool ended;
	int64_t ts_ns;
	uint8_t last_mac[ETH_ADDR_LEN];
	struct neighbour neighbours[N_NEIGHBOURS]; /* by hash, the newer displaces the older */
	uint8_t frame[SNAPLEN];
};

static const uint8_t own_mac[ETH_ADDR_LEN] = {0x02, 'u', 's', 'h', 'e', 'r'};

static struct capture_pcap *pcap_capture_of(struct capture *c)
{
	return container_of(c, struct capture_pcap, base);
}

/* Returns the object of a base, without a change of const: container_of() would drop it. `base`
 * stands first in the object. */
static const struct capture_pcap *const_pcap_capture_of(const struct capture *c)
{
	return (const struct capture_pcap *)(const void *)c;
}

static struct neighbour *neighbour_slot(struct capture_pcap *p, uint32_t addr)
{
	return &p->neighbours[hash_u32(addr) % N_NEIGHBOURS];
}

/* Remembers which hardware address an IP address sends from. */
static void neighbour_learn(struct capture_pcap *p, struct span frame)
{
	struct rd r = rd_init(frame);
	struct neighbour *n;
	struct eth_hdr eth;
	uint32_t addr;

	if (!eth_read(&r, &eth))
		return;
	memcpy(p->last_mac, eth.src, sizeof(p->last_mac));
	(void)rd_bytes(&r, IPV4_SRC_OFF);
	addr = rd_be32(&r);
	if (!rd_ok(&r) || eth.type != ETH_TYPE_IPV4 || addr == 0)
		return;
	n = neighbour_slot(p, addr);
	n->addr = addr;
	memcpy(n->mac, eth.src, sizeof(n->mac));
}

static int pcap_recv_one(struct capture_pcap *p, struct packet *pkt)
{
	struct pcap_pkthdr *h;
	const u_char *data;
	int r = pcap_next_ex(p->in, &h, &data);

	if (r != 1) {
		p->ended = true;
		return r == PCAP_ERROR_BREAK ? 0 : -USHER_E_TRUNCATED;
	}
	/* opened with nanosecond precision: tv_usec holds nanoseconds */
	p->ts_ns = (int64_t)h->ts.tv_sec * NS_PER_S + h->ts.tv_usec;
	capture_fill(pkt, span_of(data, h->caplen), 0, p->ts_ns);
	if (h->caplen < h->len)
		pkt->flags |= PACKET_TRUNCATED;
	neighbour_learn(p, span_of(data, h->caplen));
	return 1;
}

static int capture_pcap_recv(struct capture *c, struct packet **pkts, size_t n)
{
	struct capture_pcap *p = pcap_capture_of(c);
	size_t got = 0;

	while (got < n && !p->ended) {
		int r = pcap_recv_one(p, pkts[got]);

		/* the packets before the damage are still of use */
		if (r < 0 && got == 0)
			return r;
		got += r > 0;
	}
	return (int)got;
}

static int capture_pcap_send(struct capture *c, struct capture_tx *tx, size_t n)
{
	struct capture_pcap *p = pcap_capture_of(c);
	struct pcap_pkthdr h = {.ts = {p->ts_ns / NS_PER_S, p->ts_ns % NS_PER_S}};
	int sent = 0;

	for (size_t i = 0; i < n; i++) {
		const struct neighbour *nb = neighbour_slot(p, tx[i].dst);
		const uint8_t *mac = nb->addr == tx[i].dst ? nb->mac : p->last_mac;
		size_t len = capture_frame(&tx[i], own_mac, mac, p->frame, sizeof(p->frame));

		tx[i].result = len ? 0 : -EMSGSIZE;
		if (!len)
			continue;
		sent++;
		h.caplen = h.len = (bpf_u_int32)len;
		if (p->out)
			pcap_dump((u_char *)p->out, &h, p->frame);
	}
	/* a full disk must not look like answers sent */
	if (p->out && ferror(pcap_dump_file(p->out))) {
		for (size_t i = 0; i < n; i++)
			tx[i].result = -EIO;
		return 0;
	}
	return sent;
}

static bool capture_pcap_ended(const struct capture *c)
{
	return const_pcap_capture_of(c)->ended;
}

static void capture_pcap_close(struct capture *c)
{
	struct capture_pcap *p = pcap_capture_of(c);

	if (p->out)
		pcap_dump_close(p->out);
	if (p->out_link)
		pcap_close(p->out_link);
	if (p->in)
		pcap_close(p->in);
	free(p);
}

static const struct capture_ops pcap_ops = {
	.name = "pcap",
	.recv = capture_pcap_recv,
	.send = capture_pcap_send,
	.ended = capture_pcap_ended,
	.close = capture_pcap_close,
};

static int open_capture_in(struct capture_pcap *p, const char *path)
{
	char why[PCAP_ERRBUF_SIZE];
	FILE *f = fopen(path, "rbe");

	if (!f)
		return -errno;
	p->in = pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!p->in) {
		(void)fclose(f);
		return -USHER_E_MALFORMED;
	}
	return pcap_datalink(p->in) == DLT_EN10MB ? 0 : -USHER_E_UNSUPPORTED;
}

static int open_capture_out(struct capture_pcap *p, const char *path)
{
	FILE *f = fopen(path, "wbe");

	if (!f)
		return -errno;
	p->out_link = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, SNAPLEN,
							   PCAP_TSTAMP_PRECISION_NANO);
	if (p->out_link)
		p->out = pcap_dump_fopen(p->out_link, f);
	if (!p->out) {
		(void)fclose(f);
		return -ENOMEM;
	}
	return 0;
}

int capture_pcap_open(const char *in_path, const char *out_path, struct capture **ret)
{
	struct capture_pcap *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->base.ops = &pcap_ops;
	r = open_capture_in(p, in_path);
	if (r == 0 && out_path)
		r = open_capture_out(p, out_path);
	if (r < 0) {
		capture_pcap_close(&p->base);
		return r;
	}
	*ret = &p->base;
	return 0;
}
