/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Frames on the ports of a guarded gate: first octet, options; then port, pause in tenths of a
 * second, length (two octets), frame; bit 7 of the port makes the IPv4 header's checksum right.
 * Port 0 is trusted. No answer of a server leaves that came in elsewhere; no request leaves to a
 * client; nobody sends from an address that is not his.
 */
#include "fuzz.h"

#include "base/clock.h"
#include "gate/assembly.h"
#include "gate/guard/guard.h"
#include "wire/checksum.h"
#include "wire/dhcp4.h"
#include "wire/eth.h"
#include "wire/ipv4.h"

enum {
	PORTS = 4,
	FAIL_OPEN = 1,
	AGENT = 2,
	REPLACE = 4,
	STATIC = 8,
	START_S = 1000,
	OUT_LEN = 70000
};

static uint8_t in[OUT_LEN], out[OUT_LEN];

static void make_whole(uint8_t *frame, size_t n)
{
	struct rd r = rd_init(span_of(frame, n));
	struct eth_hdr eth;
	struct ipv4_hdr ip;
	size_t at;

	if (!eth_read(&r, &eth) || eth.type != ETH_TYPE_IPV4)
		return;
	at = n - rd_left(&r);
	if (ipv4_read(&r, &ip) < 0)
		return;
	frame[at + 10] = frame[at + 11] = 0;
	wr_patch_be16(&(struct wr){.base = frame, .cap = n, .len = n}, at + 10,
		      checksum_fold(checksum_add(0, span_of(frame + at, ip.hdr_len))));
}

/* Checks a frame that left, read as a host reads it. */
static void judge(const struct guard *gd, const struct frame *f, size_t n)
{
	struct rd r = rd_init(span_of(out, n));
	struct eth_hdr eth;
	struct ipv4_hdr ip;
	uint16_t dport, vlan = 0;
	const struct guard_binding *b;
	uint8_t op;

	if (!eth_read(&r, &eth) || eth.type != ETH_TYPE_IPV4 || ipv4_read(&r, &ip) < 0 ||
	    ip.frag & IPV4_OFFSET_MASK)
		return;
	for (unsigned i = 0; i < eth.n_tags && !vlan; i++)
		vlan = eth_vlan_id(eth.tci[i]);
	(void)rd_be16(&r);
	dport = rd_be16(&r);
	(void)rd_be32(&r);
	op = rd_u8(&r);
	/* malformed messages from the servers' side may go anywhere under fail-open */
	if (f->port == 0)
		return;
	fuzz_check(ip.proto != IPV4_PROTO_UDP || dport != DHCP4_SERVER_PORT ||
		   (f->not_to & 0xe) == 0xe);
	fuzz_check(ip.proto != IPV4_PROTO_UDP || dport != DHCP4_CLIENT_PORT);
	fuzz_check(ip.proto != IPV4_PROTO_UDP || dport != DHCP4_SERVER_PORT ||
		   op != DHCP4_BOOTREPLY);
	if (ip.src == 0 || (ip.proto == IPV4_PROTO_UDP && dport == DHCP4_SERVER_PORT))
		return;
	b = guard_find(gd, vlan, ip.src);
	fuzz_check(b && (b->port == f->port || b->port == GUARD_ANY_PORT) &&
		   memcmp(b->mac, eth.src, ETH_ADDR_LEN) == 0);
}

static void feed(struct gate *g, struct guard *gd, struct frames *f, struct rd *r)
{
	int64_t now = START_S * NS_PER_S;

	while (rd_left(r)) {
		uint8_t port = rd_u8(r), pause = rd_u8(r);
		struct span s = rd_bytes(r, rd_be16(r));
		struct frame last;
		size_t n;

		if (!rd_ok(r) || !s.n)
			return;
		now += pause * (NS_PER_S / 10);
		memcpy(in, s.p, s.n);
		if (port & 0x80)
			make_whole(in, s.n);
		fuzz_check(frames_memory_push(f, span_of(in, s.n), port % PORTS, now, 0) == 0);
		while (gate_turn(g) > 0)
			;
		guard_tick(gd, now);
		while ((n = frames_memory_pop(f, out, sizeof(out), &last)) != 0)
			judge(gd, &last, n);
	}
}

static void options_of(uint8_t bits, struct gate_opts *o, struct guard_opts *go)
{
	static const struct guard_fixed fixed = {.mac = {2, 0, 0, 0, 0, 7},
						 .address = 0x0a000007,
						 .port = "memory2"};

	gate_opts_default(o);
	o->flows.max_flows = 16;
	o->max_streams = 4;
	o->max_held = 64;
	o->ignore_checksums = true;
	o->fail_open = bits & FAIL_OPEN;
	guard_opts_default(go);
	go->n_ports = 1;
	memcpy(go->ports[0].name, "memory0", sizeof("memory0"));
	go->ports[0].role = GUARD_TRUSTED;
	go->add_agent = bits & AGENT;
	go->agent = bits & REPLACE ? GUARD_AGENT_REPLACE : GUARD_AGENT_DROP;
	go->max_clients = 4;
	go->max_bindings = 6;
	go->max_buckets = 64;
	go->fixed = &fixed;
	go->n_fixed = (bits & STATIC) != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(span_of(data, size));
	struct guard_opts go;
	struct gate_opts o;
	struct guard *gd;
	struct gate *g;
	char err[256];

	options_of(rd_u8(&r), &o, &go);
	fuzz_check(frames_memory_open(FRAME_ETHERNET, &o.frames) == 0);
	fuzz_check(gate_new(&o, &g) == 0 && guard_new(&go, &gd) == 0);
	fuzz_check(guard_attach(gd, g, START_S * NS_PER_S, err, sizeof(err)) == 0);
	feed(g, gd, o.frames, &r);
	gate_release_held(g);
	gate_free(g);
	guard_free(gd);
	frames_close(o.frames);
	return 0;
}
