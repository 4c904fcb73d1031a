/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Frames of network interfaces. The kernel's virtio header travels with each frame: work that the
 * kernel left to hardware (checksums, cutting of long segments) is handed back to it on the way
 * out, so an unchanged frame costs no more than copying. A tag that the kernel removed is put back
 * before the frame is read. packet(7).
 */
#include "base/clock.h"
#include "base/cursor.h"
#include "capture/filter.h"
#include "capture/frames_backend.h"
#include "capture/frames_interface.h"
#include "capture/socket.h"
#include "capture/switch.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	MACS_LEN = 12,
	TAG_LEN = 4,
	RECV_CAP = FRAME_MAX_LEN + TAG_LEN,
	CTRL_LEN = CMSG_SPACE(sizeof(struct tpacket_auxdata)) + CMSG_SPACE(sizeof(struct timespec)),
	OUT_MAX = FRAMES_BATCH,
	GROUP_STEP = FRAMES_MAX_PORTS, /* fanout groups: one a port */
};

struct in_batch {
	struct mmsghdr msg[FRAMES_BATCH];
	struct iovec iov[FRAMES_BATCH][2];
	struct virtio_net_hdr hdr[FRAMES_BATCH];
	union {
		struct cmsghdr align;
		uint8_t octets[CTRL_LEN];
	} ctrl[FRAMES_BATCH];
	uint8_t data[FRAMES_BATCH][RECV_CAP];
};

struct out_batch {
	struct mmsghdr msg[OUT_MAX];
	struct iovec iov[OUT_MAX][2];
	struct virtio_net_hdr hdr[OUT_MAX];
	unsigned n;
};

struct port {
	int fd;
	char name[IFNAMSIZ];
	bool down; /* the kernel said so, and nothing came since */
	uint8_t mac[6];
	uint64_t kernel_drops;
	uint32_t mtu;
	int64_t mtu_ns; /* monotonic time when it was read */
	struct out_batch out;
};

struct frames_link {
	struct frames base;
	unsigned n, next; /* next: the port that is read first */
	int epoll;
	uint64_t next_id;
	struct in_batch in;
	struct switch_table macs;
	struct port ports[FRAMES_MAX_PORTS];
};

static struct frames_link *link_source_of(struct frames *f)
{
	return container_of(f, struct frames_link, base);
}

/* Returns the object of a base, without a change of const: container_of() would drop it. `base`
 * stands first in the object. */
static const struct frames_link *const_link_source_of(const struct frames *f)
{
	return (const struct frames_link *)(const void *)f;
}

/* --- In --------------------------------------------------------------------------------------- */

static void batch_in_init(struct in_batch *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		b->iov[i][0] = (struct iovec){&b->hdr[i], sizeof(b->hdr[i])};
		/* room for a tag in front */
		b->iov[i][1] = (struct iovec){b->data[i] + TAG_LEN, FRAME_MAX_LEN};
		b->msg[i].msg_hdr = (struct msghdr){
			.msg_iov = b->iov[i],
			.msg_iovlen = 2,
			.msg_control = b->ctrl[i].octets,
			.msg_controllen = CTRL_LEN,
		};
	}
}

static const struct cmsghdr *control_of(struct msghdr *m, int level, int type)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);

	while (c && (c->cmsg_level != level || c->cmsg_type != type))
		c = CMSG_NXTHDR(m, c);
	return c;
}

/* Puts back the tag that the kernel took off. */
static void put_tag(struct frame *f, const struct tpacket_auxdata *aux)
{
	uint16_t tpid = aux->tp_status & TP_STATUS_VLAN_TPID_VALID ? aux->tp_vlan_tpid
								   : ETH_P_8021Q;
	struct wr w;

	if (f->len < MACS_LEN)
		return;
	memmove(f->data - TAG_LEN, f->data, MACS_LEN);
	f->data -= TAG_LEN;
	f->len += TAG_LEN;
	w = wr_init(f->data + MACS_LEN, TAG_LEN);
	wr_be16(&w, tpid);
	wr_be16(&w, aux->tp_vlan_tci);
	if (f->offload.csum_start)
		f->offload.csum_start = (uint16_t)(f->offload.csum_start + TAG_LEN);
	if (f->offload.hdr_len)
		f->offload.hdr_len = (uint16_t)(f->offload.hdr_len + TAG_LEN);
}

static int64_t time_of(const struct cmsghdr *c)
{
	struct timespec ts;

	if (!c)
		return clock_wall_ns(&clock_system);
	memcpy(&ts, CMSG_DATA(c), sizeof(ts));
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static unsigned flags_of(const struct msghdr *m, const struct virtio_net_hdr *h, bool has_aux)
{
	unsigned flags = h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM ? FRAME_CSUM_NOT_READY : 0;

	if (m->msg_flags & MSG_TRUNC)
		flags |= FRAME_TRUNCATED | FRAME_DAMAGED;
	/* without the kernel's word about it the frame may lack its tag */
	if (m->msg_flags & MSG_CTRUNC || !has_aux)
		flags |= FRAME_DAMAGED;
	return flags;
}

static void fill_frame(struct frames_link *l, size_t i, unsigned port, struct frame *ret)
{
	struct msghdr *m = &l->in.msg[i].msg_hdr;
	const struct cmsghdr *c = control_of(m, SOL_PACKET, PACKET_AUXDATA);
	const struct virtio_net_hdr *h = &l->in.hdr[i];
	size_t len = l->in.msg[i].msg_len > sizeof(*h) ? l->in.msg[i].msg_len - sizeof(*h) : 0;
	struct tpacket_auxdata aux = {0};

	if (c)
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
	*ret = (struct frame){
		.data = l->in.data[i] + TAG_LEN,
		.len = (uint32_t)len,
		.port = (uint16_t)port,
		.side = l->n > 1 ? port + 1 : 0, /* a tap sees both directions by one port */
		.link = FRAME_ETHERNET,
		.flags = (uint8_t)flags_of(m, h, c != NULL),
		.ts_ns = time_of(control_of(m, SOL_SOCKET, SCM_TIMESTAMPNS)),
		.id = l->next_id++,
		.offload = {h->flags, h->gso_type, h->hdr_len, h->gso_size, h->csum_start,
			    h->csum_offset},
	};
	if (aux.tp_status & TP_STATUS_VLAN_VALID)
		put_tag(ret, &aux);
}

/* Called when a socket has no frame. Returns 0, or -ENODEV: the interface is gone. An interface
 * that is down may come up later, and the socket with it. */
static int nothing_came(struct port *p, int error)
{
	struct sockaddr_ll a = {0};
	socklen_t len = sizeof(a);

	if (error == ENETDOWN)
		p->down = true;
	else if (error != EAGAIN && error != EINTR)
		return -error;
	if (!p->down || getsockname(p->fd, (struct sockaddr *)&a, &len) < 0)
		return 0;
	return a.sll_ifindex > 0 ? 0 : -ENODEV;
}

static int recv_port(struct frames_link *l, unsigned port, struct frame *ret, size_t n)
{
	int got;

	batch_in_init(&l->in, n);
	got = recvmmsg(l->ports[port].fd, l->in.msg, (unsigned)n, MSG_DONTWAIT, NULL);
	if (got < 0)
		return nothing_came(&l->ports[port], errno);
	l->ports[port].down = false;
	for (int i = 0; i < got; i++)
		fill_frame(l, (size_t)i, port, &ret[i]);
	return got;
}

/* Receives from one port a batch, in turn, so that no port keeps the others waiting. */
static int link_recv(struct frames *f, struct frame *ret, size_t n)
{
	struct frames_link *l = link_source_of(f);

	for (unsigned i = 0; i < l->n; i++) {
		unsigned port = l->next;
		int got;

		l->next = (l->next + 1) % l->n;
		got = recv_port(l, port, ret, n);
		if (got)
			return got;
	}
	return 0;
}

/* --- Out -------------------------------------------------------------------------------------- */

static int flush_port(struct frames_link *l, struct port *p)
{
	unsigned done = 0;
	int failed = 0;

	while (done < p->out.n) {
		int r = sendmmsg(p->fd, p->out.msg + done, p->out.n - done, MSG_DONTWAIT);
		struct pollfd pfd = {.fd = p->fd, .events = POLLOUT};

		if (r > 0) {
			done += (unsigned)r;
			continue;
		}
		/* a full queue of the interface: wait a moment, then it is lost as on any wire */
		if ((errno == EAGAIN || errno == ENOBUFS) && poll(&pfd, 1, 1) > 0)
			continue;
		if (errno == EINTR)
			continue;
		failed = -errno;
		l->base.stats.send_errors++;
		done++;
	}
	p->out.n = 0;
	return failed;
}

static int link_flush(struct frames *f)
{
	struct frames_link *l = link_source_of(f);
	int r = 0;

	for (unsigned i = 0; i < l->n; i++) {
		int e = l->ports[i].out.n ? flush_port(l, &l->ports[i]) : 0;

		r = r ? r : e;
	}
	return r;
}

static void enqueue_frame(struct frames_link *l, struct port *p, const struct frame *fr,
			  struct span data)
{
	struct out_batch *o = &p->out;
	unsigned i;

	if (o->n == OUT_MAX)
		(void)flush_port(l, p);
	i = o->n++;
	o->hdr[i] = (struct virtio_net_hdr){
		.flags = fr->offload.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = fr->offload.gso_type,
		.hdr_len = fr->offload.hdr_len,
		.gso_size = fr->offload.gso_size,
		.csum_start = fr->offload.csum_start,
		.csum_offset = fr->offload.csum_offset,
	};
	o->iov[i][0] = (struct iovec){&o->hdr[i], sizeof(o->hdr[i])};
	o->iov[i][1] = (struct iovec){(void *)(uintptr_t)data.p, data.n};
	o->msg[i].msg_hdr = (struct msghdr){.msg_iov = o->iov[i], .msg_iovlen = 2};
}

static int link_send(struct frames *f, const struct frame *fr, struct span data, bool injected)
{
	struct frames_link *l = link_source_of(f);
	uint32_t to;

	if (f->passive)
		return 0;
	/* a frame that was dropped teaches nothing: its sender's address may be another's */
	if (l->n > 2 && !injected)
		switch_learn(&l->macs, data, fr->port, fr->ts_ns);
	if (injected && fr->port & FRAME_BACK)
		to = UINT32_C(1) << (fr->port & ~FRAME_BACK);
	else
		to = l->n == 2 ? UINT32_C(2) >> fr->port
			       : switch_ports(&l->macs, data, fr->port, l->n, fr->ts_ns);
	to &= ~fr->not_to;
	for (unsigned i = 0; i < l->n; i++)
		if (to & UINT32_C(1) << i)
			enqueue_frame(l, &l->ports[i], fr, data);
	return 0;
}

/* Returns the MTU of a port. An administrator may change it at any time, so it is read anew each
 * second. */
static uint32_t mtu_of(struct port *p)
{
	int64_t now = clock_mono_ns(&clock_system);
	struct ifreq req = {0};

	if (p->mtu && now - p->mtu_ns < NS_PER_S)
		return p->mtu;
	memcpy(req.ifr_name, p->name, sizeof(req.ifr_name));
	p->mtu = ioctl(p->fd, SIOCGIFMTU, &req) == 0 && req.ifr_mtu > 0 ? (uint32_t)req.ifr_mtu
									: FRAME_MAX_LEN;
	p->mtu_ns = now;
	return p->mtu;
}

static uint32_t link_room(struct frames *f, const struct frame *fr, bool tagged)
{
	struct frames_link *l = link_source_of(f);
	bool back = fr->port & FRAME_BACK;
	unsigned port = fr->port & ~(unsigned)FRAME_BACK;
	uint32_t least = FRAME_MAX_LEN;

	for (unsigned i = 0; i < l->n; i++)
		if ((i == port) == back) {
			uint32_t mtu = mtu_of(&l->ports[i]);

			least = mtu < least ? mtu : least;
		}
	return least + ETH_HLEN + (tagged ? TAG_LEN : 0);
}

/* --- Life ------------------------------------------------------------------------------------- */

static int link_fd(const struct frames *f)
{
	return const_link_source_of(f)->epoll;
}

static const char *link_port_name(const struct frames *f, unsigned port)
{
	return port < const_link_source_of(f)->n ? const_link_source_of(f)->ports[port].name : "";
}

static bool link_port_mac(const struct frames *f, unsigned port, uint8_t ret[6])
{
	if (port >= const_link_source_of(f)->n)
		return false;
	memcpy(ret, const_link_source_of(f)->ports[port].mac, 6);
	return true;
}

static uint64_t link_source_drops(const struct frames *f)
{
	const struct frames_link *l = const_link_source_of(f);
	uint64_t drops = 0;

	for (unsigned i = 0; i < l->n; i++)
		drops += sock_drops(l->ports[i].fd);
	return drops;
}

static void link_close(struct frames *f)
{
	struct frames_link *l = link_source_of(f);

	for (unsigned i = 0; i < l->n; i++)
		if (l->ports[i].fd >= 0)
			(void)close(l->ports[i].fd);
	if (l->epoll >= 0)
		(void)close(l->epoll);
	free(l);
}

static const struct frames_ops link_ops = {
	.name = "link",
	.recv = link_recv,
	.send = link_send,
	.flush = link_flush,
	.fd = link_fd,
	.port_name = link_port_name,
	.port_mac = link_port_mac,
	.room = link_room,
	.source_drops = link_source_drops,
	.close = link_close,
};

static int join_group(int fd, const struct frames_link_opts *o, unsigned port)
{
	int group = (o->group * GROUP_STEP + (int)port) & 0xffff;
	struct filter f;
	struct sock_fprog prog;
	int r = sock_set_int(fd, SOL_PACKET, PACKET_FANOUT, group | PACKET_FANOUT_CBPF << 16);

	if (r < 0)
		return r;
	filter_fanout_pair(&f, o->n_workers);
	prog = (struct sock_fprog){f.n, f.insns};
	return setsockopt(fd, SOL_PACKET, PACKET_FANOUT_DATA, &prog, sizeof(prog)) < 0 ? -errno : 0;
}

/* Sets all options of a port's socket, and binds it last: so no frame is read in another form. */
static int port_configure(struct port *p, const struct frames_link_opts *o, unsigned i)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int r = frames_interface_of(p->fd, o->ifnames[i], &a.sll_ifindex, p->mac);

	if (r == 0)
		r = sock_set_int(p->fd, SOL_PACKET, PACKET_VNET_HDR, 1);
	if (r == 0)
		r = sock_set_int(p->fd, SOL_PACKET, PACKET_AUXDATA, 1);
	if (r == 0)
		r = sock_set_int(p->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
	if (r == 0)
		r = sock_set_int(p->fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	if (r == 0 && o->rcvbuf > 0)
		r = sock_set_rcvbuf(p->fd, o->rcvbuf);
	if (r == 0)
		r = frames_set_promiscuous(p->fd, a.sll_ifindex);
	if (r == 0 && bind(p->fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		r = -errno;
	if (r == 0 && o->n_workers > 1)
		r = join_group(p->fd, o, i);
	return r;
}

static int port_bind(struct frames_link *l, struct port *p, const struct frames_link_opts *o,
		     unsigned i)
{
	struct epoll_event e = {.events = EPOLLIN};
	int r = port_configure(p, o, i);

	if (r < 0)
		return r;
	memcpy(p->name, o->ifnames[i], strlen(o->ifnames[i]) + 1);
	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, p->fd, &e) < 0 ? -errno : 0;
}

static int port_open(struct frames_link *l, const struct frames_link_opts *o, unsigned i)
{
	struct port *p = &l->ports[i];
	int r;

	p->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		return -errno;
	r = port_bind(l, p, o, i);
	if (r < 0)
		(void)close(p->fd);
	return r;
}

int frames_link_open(const struct frames_link_opts *o, struct frames **ret, unsigned *ret_bad)
{
	struct frames_link *l = calloc(1, sizeof(*l));
	int r = 0;

	if (!l)
		return -ENOMEM;
	l->base = (struct frames){.ops = &link_ops, .passive = o->n == 1, .offload = true};
	frames_live(&l->base, &clock_system);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0)
		r = -errno;
	while (r == 0 && l->n < o->n && l->n < FRAMES_MAX_PORTS) {
		*ret_bad = l->n;
		r = port_open(l, o, l->n);
		l->n += r == 0;
	}
	if (r < 0) {
		link_close(&l->base);
		return r;
	}
	*ret = &l->base;
	return 0;
}
