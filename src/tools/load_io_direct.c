/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Raw frames on the server's link, each from its client's own hardware address, so the interface
 * listens promiscuously. Unicast goes to the hardware address of the last answer's sender, without
 * ARP. A server that asks by ARP for a client before it answers a renewal gets no ARP answer.
 */
#include "base/clock.h"
#include "capture/link.h"
#include "packet/packet.h"
#include "tools/load_io_backend.h"
#include "wire/dhcp4.h"
#include "wire/udp.h"

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = CAPTURE_BATCH, ARENA_LEN = 64, MR_PROMISC = 1, ADD_MEMBERSHIP = 1 };

struct load_io_direct {
	struct load_io base;
	struct capture *capture;
	struct packet pkts[BATCH];
	struct packet *order[BATCH];
	uint8_t data[BATCH][PACKET_DATA_LEN];
	_Alignas(16) uint8_t arena[BATCH][ARENA_LEN];
	int ifindex;
	struct udp_frame frame; /* around msg */
	uint8_t msg[LOAD_IO_MSG_MAX];
	struct sock_batch batch;
	struct capture_tx tx[BATCH];
	uint8_t out[BATCH][UDP_FRAME_OVERHEAD + LOAD_IO_MSG_MAX];
	unsigned burst;
	uint8_t server_mac[6];
	bool server_known;
};

static struct load_io_direct *direct_of(struct load_io *io)
{
	return container_of(io, struct load_io_direct, base);
}

static void direct_flush(struct load_io *io)
{
	struct load_io_direct *d = direct_of(io);
	unsigned n = (unsigned)d->batch.n;
	int sent;

	if (!n)
		return;
	sent = sock_flush(capture_fd(d->capture), &d->batch);
	io->counts.send_calls++;
	io->counts.sent += (unsigned)sent;
	io->counts.send_errors += n - (unsigned)sent;
	for (unsigned i = 0; i < n && (unsigned)sent < n; i++)
		if (d->tx[i].result < 0)
			io->counts.last_error = d->tx[i].result;
}

static uint8_t *direct_room(struct load_io *io, const struct load_io_dest *dest)
{
	struct load_io_direct *d = direct_of(io);

	d->frame = (struct udp_frame){
		.src = dest->src,
		.dst = dest->dst,
		.sport = DHCP4_CLIENT_PORT,
		.dport = dest->dport,
	};
	memcpy(d->frame.src_mac, dest->src_mac, sizeof(d->frame.src_mac));
	if (dest->dst == UINT32_MAX || !d->server_known)
		memset(d->frame.dst_mac, 0xff, sizeof(d->frame.dst_mac));
	else
		memcpy(d->frame.dst_mac, d->server_mac, sizeof(d->frame.dst_mac));
	return d->msg;
}

static void direct_push(struct load_io *io, size_t len)
{
	struct load_io_direct *d = direct_of(io);
	size_t i = d->batch.n;
	struct wr w = wr_init(d->out[i], sizeof(d->out[i]));

	d->frame.payload = span_of(d->msg, len);
	udp_frame_write(&w, &d->frame);
	sock_batch_raw(&d->batch, &d->tx[i], d->out[i], w.len,
		       link_addr(&d->batch.addr[i], d->ifindex, d->frame.dst_mac));
	if (d->batch.n >= d->burst)
		direct_flush(io);
}

static void hand_out_frame(struct load_io_direct *d, struct packet *p, load_io_fn fn, void *ctx,
			   int64_t now)
{
	if (packet_decode(p) != DROP_NONE) {
		d->base.counts.malformed++;
		return;
	}
	memcpy(d->server_mac, p->l2_src, sizeof(d->server_mac));
	d->server_known = true;
	fn(ctx, packet_app(p), now);
}

static int direct_recv(struct load_io *io, load_io_fn fn, void *ctx)
{
	struct load_io_direct *d = direct_of(io);
	int64_t now;
	int got;

	for (unsigned i = 0; i < BATCH; i++)
		packet_reset(d->order[i]);
	got = capture_recv(d->capture, d->order, BATCH);
	io->counts.recv_calls++;
	if (got <= 0)
		return got;
	now = clock_mono_ns(&clock_system);
	for (int i = 0; i < got; i++)
		hand_out_frame(d, d->order[i], fn, ctx, now);
	io->counts.received += (unsigned)got;
	return got;
}

static void direct_wait(struct load_io *io, int64_t ns)
{
	struct timespec ts = {ns / NS_PER_S, ns % NS_PER_S};
	struct pollfd p = {.fd = capture_fd(direct_of(io)->capture), .events = POLLIN};

	(void)ppoll(&p, 1, &ts, NULL);
}

static uint64_t direct_drops(struct load_io *io)
{
	struct capture_stats s;

	capture_stats(direct_of(io)->capture, &s);
	return s.kernel_drops;
}

static void direct_close(struct load_io *io)
{
	capture_close(direct_of(io)->capture);
	free(direct_of(io));
}

static const struct load_io_ops direct_ops = {
	.room = direct_room,
	.push = direct_push,
	.flush = direct_flush,
	.recv = direct_recv,
	.wait = direct_wait,
	.drops = direct_drops,
	.close = direct_close,
};

/* struct packet_mreq; its header's names clash with those of packet/packet.h */
struct membership {
	int ifindex;
	uint16_t type, alen;
	uint8_t address[8];
};

static int listen_to_all(int fd, int ifindex)
{
	struct membership m = {.ifindex = ifindex, .type = MR_PROMISC};

	return setsockopt(fd, SOL_PACKET, ADD_MEMBERSHIP, &m, sizeof(m)) < 0 ? -errno : 0;
}

int load_io_direct_open(const struct load_io_opts *o, struct load_io **ret)
{
	struct load_io_direct *d = calloc(1, sizeof(*d));
	struct capture_af_packet_opts co = {
		.ifindex = (int)if_nametoindex(o->iface),
		.ifname = o->iface,
		.port = o->port,
		.rcvbuf = LOAD_IO_SOCKET_BUFFER,
	};
	int r = co.ifindex ? 0 : -ENODEV;

	if (!d)
		return -ENOMEM;
	d->base.ops = &direct_ops;
	d->ifindex = co.ifindex;
	d->burst = o->burst < BATCH ? o->burst : BATCH;
	for (unsigned i = 0; i < BATCH; i++) {
		packet_init(&d->pkts[i], d->data[i], sizeof(d->data[i]), d->arena[i],
			    sizeof(d->arena[i]));
		d->order[i] = &d->pkts[i];
	}
	if (r == 0)
		r = capture_af_packet_open(&co, &d->capture);
	if (r == 0)
		r = listen_to_all(capture_fd(d->capture), co.ifindex);
	if (r < 0) {
		direct_close(&d->base);
		return r;
	}
	*ret = &d->base;
	return 0;
}
