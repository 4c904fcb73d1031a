/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Writes captures to measure the gate with; the same arguments give the same octets.
 *   gate-gen KIND PACKETS FILE [FLOWS]
 * KIND: udp, tcp, http, dns, or mix (a half tcp, a third http, the rest dns). FLOWS conversations
 * are there at a time (1000); one that is over makes room for the next, from another port.
 */
#include "base/rng.h"
#include "wire/checksum.h"
#include "wire/dns.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	MSS = 1448,
	FRAME_CAP = 2000,
	CLIENTS = 4096,
	SERVERS = 256,
	US_A_PACKET = 5,
	BODY_MAX = 6 * MSS
};

enum kind { UDP, TCP, HTTP, DNS, MIX, N_KINDS };
static const char *const kinds[N_KINDS] = {"udp", "tcp", "http", "dns", "mix"};

/* A conversation: `step` is the packet that comes next. */
struct talk {
	enum kind kind;
	uint32_t src, dst;
	uint16_t sport, dport, id;
	uint32_t seq[2];
	unsigned step, requests, left; /* left: octets of the current answer */
	bool chunked, last;
};

struct gen {
	FILE *to;
	struct rng rng;
	enum kind kind;
	uint64_t made;
	uint32_t born;
	unsigned n_talks;
	struct talk *talks;
	uint8_t filler[BODY_MAX];
};

/* --- Frames ----------------------------------------------------------------------------------- */

static void put_le(struct wr *w, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		wr_u8(w, (uint8_t)(v >> 8 * i));
}

static void out(struct gen *g, struct span frame)
{
	uint8_t head[16];
	struct wr w = wr_init(head, sizeof(head));
	uint64_t us = g->made++ * US_A_PACKET;

	put_le(&w, us / 1000000, 4);
	put_le(&w, us % 1000000, 4);
	put_le(&w, frame.n, 4);
	put_le(&w, frame.n, 4);
	if (fwrite(head, 1, w.len, g->to) != w.len ||
	    fwrite(frame.p, 1, frame.n, g->to) != frame.n) {
		perror("gate-gen");
		exit(1);
	}
}

static void file_header(FILE *to)
{
	uint8_t head[24];
	struct wr w = wr_init(head, sizeof(head));

	put_le(&w, 0xa1b2c3d4, 4);
	put_le(&w, 2 | 4 << 16, 4);
	put_le(&w, 0, 8);
	put_le(&w, 65535, 4);
	put_le(&w, 1, 4);
	(void)fwrite(head, 1, w.len, to);
}

static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};

static void datagram(struct gen *g, const struct talk *t, bool down, struct span payload)
{
	uint8_t buf[FRAME_CAP];
	struct wr w = wr_init(buf, sizeof(buf));
	struct udp_frame f = {
		.src = down ? t->dst : t->src,
		.dst = down ? t->src : t->dst,
		.sport = down ? t->dport : t->sport,
		.dport = down ? t->sport : t->dport,
		.payload = payload,
	};

	memcpy(f.dst_mac, macs, 6);
	memcpy(f.src_mac, macs + 6, 6);
	udp_frame_write(&w, &f);
	out(g, span_of(buf, w.len));
}

static void segment(struct gen *g, struct talk *t, bool down, uint8_t flags, struct span data)
{
	static const uint8_t options[12] = {1, 1, 8, 10, 0, 0, 1, 1, 0, 0, 2, 2};
	struct tcp_hdr h = {
		.sport = down ? t->dport : t->sport,
		.dport = down ? t->sport : t->dport,
		.seq = t->seq[down],
		.ack = flags & TCP_ACK ? t->seq[!down] : 0,
		.flags = flags,
		.wnd = 64000,
		.options = span_of(options, sizeof(options)),
	};
	struct ipv4_hdr ip = {.ttl = 64,
			      .proto = IPV4_PROTO_TCP,
			      .frag = IPV4_DF,
			      .src = down ? t->dst : t->src,
			      .dst = down ? t->src : t->dst,
			      .total_len = (uint16_t)(52 + data.n)};
	uint8_t buf[FRAME_CAP];
	struct wr w = wr_init(buf, sizeof(buf));
	uint16_t sum;

	wr_bytes(&w, macs, sizeof(macs));
	wr_be16(&w, 0x0800);
	ipv4_write(&w, &ip);
	tcp_write(&w, &h);
	wr_span(&w, data);
	sum = checksum_fold(
		checksum_add(checksum_pseudo(ip.src, ip.dst, IPV4_PROTO_TCP, 32 + data.n),
			     span_of(buf + 34, w.len - 34)));
	buf[34 + 16] = (uint8_t)(sum >> 8);
	buf[34 + 17] = (uint8_t)sum;
	out(g, span_of(buf, w.len));
	t->seq[down] += (uint32_t)data.n + !!(flags & (TCP_SYN | TCP_FIN));
}

/* --- Conversations ---------------------------------------------------------------------------- */

static void begin(struct gen *g, struct talk *t)
{
	uint32_t n = g->born++, what = rng_below(&g->rng, 100);

	*t = (struct talk){.kind = g->kind};
	if (g->kind == MIX)
		t->kind = what < 50 ? TCP : what < 85 ? HTTP : DNS;
	t->src = 0x0a010000 + n % CLIENTS;
	t->sport = (uint16_t)(1024 + n / CLIENTS % 64000);
	t->dst = 0x0a020000 + rng_below(&g->rng, SERVERS);
	t->dport = t->kind == HTTP  ? 80
		   : t->kind == DNS ? 53
				    : (uint16_t)(5000 + rng_below(&g->rng, 20));
	t->id = (uint16_t)rng_u64(&g->rng);
	t->seq[0] = (uint32_t)rng_u64(&g->rng);
	t->seq[1] = (uint32_t)rng_u64(&g->rng);
	t->requests = 1 + rng_below(&g->rng, 6);
}

static struct dns_name host_name(uint32_t n, const char *in)
{
	struct dns_name name = {.len = 0};
	char text[80];

	(void)snprintf(text, sizeof(text), "host%u.%s", n, in);
	(void)!dns_name_parse(span_str(text), &name);
	return name;
}

static bool dns_step(struct gen *g, struct talk *t)
{
	struct dns_name asked = host_name(t->id, "some.zone.example.com."),
			real = host_name(t->id % 7, "cdn.example.net.");
	struct dns_name root = {.len = 1};
	struct dns_new_rr rr = {&asked, DNS_TYPE_CNAME, DNS_CLASS_IN, 300,
				span_of(real.octets, real.len)};
	uint8_t buf[512];
	struct dns_writer w;
	size_t n = 0;

	dns_write_begin(&w, buf, sizeof(buf), t->id, t->step ? DNS_QR | DNS_RD | DNS_RA : DNS_RD);
	w.compress = true;
	dns_write_question(&w, &asked, DNS_TYPE_A, DNS_CLASS_IN);
	if (t->step) {
		dns_write_rr(&w, DNS_ANSWER, &rr);
		for (uint8_t i = 0; i <= t->id % 4; i++) {
			uint8_t address[4] = {192, 0, 2, i};

			rr = (struct dns_new_rr){&real, DNS_TYPE_A, DNS_CLASS_IN, 60,
						 span_of(address, 4)};
			dns_write_rr(&w, DNS_ANSWER, &rr);
		}
	}
	rr = (struct dns_new_rr){.owner = &root, .type = DNS_TYPE_OPT, .cls = 1232};
	dns_write_rr(&w, DNS_ADDITIONAL, &rr);
	(void)!dns_write_end(&w, &n);
	datagram(g, t, t->step, span_of(buf, n));
	return ++t->step < 2;
}

static bool udp_step(struct gen *g, struct talk *t)
{
	datagram(g, t, t->step % 4 == 3, span_of(g->filler, 64 + t->step * 50));
	return ++t->step < 8;
}

/* SYN, SYN ACK, ACK; true: that was one of them. */
static bool handshake(struct gen *g, struct talk *t)
{
	if (t->step > 2)
		return false;
	segment(g, t, t->step == 1,
		t->step == 0   ? TCP_SYN
		: t->step == 1 ? TCP_SYN | TCP_ACK
			       : TCP_ACK,
		SPAN_NULL);
	t->step++;
	return true;
}

/* FIN, FIN, ACK. False: it is over. */
static bool farewell(struct gen *g, struct talk *t, unsigned step)
{
	segment(g, t, step == 1, step < 2 ? TCP_FIN | TCP_ACK : TCP_ACK, SPAN_NULL);
	t->step++;
	return step < 2;
}

static bool tcp_step(struct gen *g, struct talk *t)
{
	unsigned data = 4 + t->requests * 4;

	if (handshake(g, t))
		return true;
	if (t->step >= 3 + data)
		return farewell(g, t, t->step - 3 - data);
	/* data down, and an acknowledgement of every second */
	if (t->step++ % 3 == 2)
		segment(g, t, false, TCP_ACK, t->step % 4 ? SPAN_NULL : span_of(g->filler, 100));
	else
		segment(g, t, true, TCP_ACK | TCP_PSH, span_of(g->filler, t->step % 2 ? MSS : 300));
	return true;
}

static void http_request(struct gen *g, struct talk *t)
{
	char text[FRAME_CAP];
	int n = snprintf(
		text, sizeof(text),
		"GET /some/path/to/page-%u.html?session=%u HTTP/1.1\r\nHost: www%u.example.com\r\n"
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0\r\n"
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
		"Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n"
		"Cookie: id=%08x%08x; theme=dark\r\nUpgrade-Insecure-Requests: 1\r\n\r\n",
		rng_below(&g->rng, 1000), t->id, t->dst & 0xff, t->seq[0], t->seq[1]);

	segment(g, t, false, TCP_ACK | TCP_PSH, span_of(text, (size_t)n));
}

/* A head, and as much of the body as there is room for; the rest is t->left. */
static void http_response(struct gen *g, struct talk *t)
{
	uint8_t text[MSS];
	unsigned body = rng_below(&g->rng, BODY_MAX);
	bool chunked = body && rng_below(&g->rng, 4) == 0;
	size_t n = (size_t)snprintf(
		(char *)text, sizeof(text),
		"HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 00:00:00 GMT\r\nServer: example/1.0\r\n"
		"Content-Type: text/html; charset=utf-8\r\nCache-Control: max-age=60\r\n"
		"ETag: \"%08x\"\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive\r\n",
		t->seq[1]);
	size_t room;

	n += (size_t)snprintf((char *)text + n, sizeof(text) - n,
			      chunked ? "Transfer-Encoding: chunked\r\n\r\n%x\r\n"
				      : "Content-Length: %u\r\n\r\n",
			      body);
	room = sizeof(text) - n < body ? sizeof(text) - n : body;
	memcpy(text + n, g->filler, room);
	t->left = (unsigned)(body - room);
	t->chunked = chunked;
	segment(g, t, true, TCP_ACK | TCP_PSH, span_of(text, n + room));
}

static void http_body(struct gen *g, struct talk *t)
{
	unsigned n = t->left < MSS - 7 ? t->left : MSS - 7;
	uint8_t text[MSS];
	size_t len = n;

	memcpy(text, g->filler, n);
	t->left -= n;
	if (!t->left && t->chunked) {
		memcpy(text + n, "\r\n0\r\n\r\n", 7);
		len += 7;
		t->chunked = false;
	}
	segment(g, t, true, TCP_ACK, span_of(text, len));
}

static bool http_step(struct gen *g, struct talk *t)
{
	if (handshake(g, t))
		return true;
	if (t->left || t->chunked) {
		http_body(g, t);
		return true;
	}
	if (t->requests == 0)
		return farewell(g, t, t->step - 3);
	if (!t->last) {
		http_request(g, t);
	} else {
		http_response(g, t);
		t->requests--;
	}
	t->last = !t->last;
	return true;
}

static bool step(struct gen *g, struct talk *t)
{
	switch (t->kind) {
	case TCP:
		return tcp_step(g, t);
	case HTTP:
		return http_step(g, t);
	case DNS:
		return dns_step(g, t);
	case UDP:
	case MIX:
	case N_KINDS:
		break;
	}
	return udp_step(g, t);
}

static int usage(void)
{
	(void)fprintf(stderr, "usage: gate-gen udp|tcp|http|dns|mix PACKETS FILE [FLOWS]\n");
	return 2;
}

int main(int argc, char **argv)
{
	static struct gen g;
	uint64_t packets;

	while (argc > 1 && g.kind < N_KINDS && strcmp(argv[1], kinds[g.kind]) != 0)
		g.kind++;
	if ((argc != 4 && argc != 5) || g.kind == N_KINDS)
		return usage();
	packets = strtoull(argv[2], NULL, 10);
	g.n_talks = argc == 5 ? (unsigned)strtoul(argv[4], NULL, 10) : 1000;
	g.talks = g.n_talks ? calloc(g.n_talks, sizeof(*g.talks)) : NULL;
	if (!packets || !g.talks)
		return usage();
	g.to = fopen(argv[3], "wbe");
	if (!g.to) {
		(void)fprintf(stderr, "gate-gen: %s: %s\n", argv[3], strerror(errno));
		return 1;
	}
	rng_seed(&g.rng, 1);
	for (size_t i = 0; i < sizeof(g.filler); i++)
		g.filler[i] = (uint8_t)('a' + i % 26);
	file_header(g.to);
	for (unsigned i = 0; i < g.n_talks; i++)
		begin(&g, &g.talks[i]);
	while (g.made < packets) {
		struct talk *t = &g.talks[rng_below(&g.rng, g.n_talks)];

		if (!step(&g, t))
			begin(&g, t);
	}
	free(g.talks);
	return fclose(g.to) == 0 ? 0 : 1;
}
