/* SPDX-License-Identifier: MPL-2.0 */
/*
 * AF_PACKET sockets: protocol 0 until bind, so that no unfiltered packet is queued and no hook must
 * be removed; bound to one EtherType of one interface. The kernel removes an outer VLAN tag and
 * reports it beside the frame. packet(7).
 */
#include "client/os/sock_link.h"

#include "base/cursor.h"
#include "capture/filter.h"
#include "capture/socket.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <unistd.h>

enum { VLAN_ID_MASK = 0x0fff };

static int configure_socket(int fd, int ifindex, uint16_t protocol, struct filter *f)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET,
				.sll_protocol = htons(protocol),
				.sll_ifindex = ifindex};
	int r = filter_attach(fd, SO_ATTACH_FILTER, f);

	if (r == 0)
		r = sock_set_int(fd, SOL_PACKET, PACKET_AUXDATA, 1);
	if (r == 0)
		r = sock_set_int(fd, SOL_SOCKET, SO_LOCK_FILTER, 1);
	if (r == 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		r = -errno;
	return r;
}

int client_link_open(int ifindex, uint16_t protocol, struct filter *f)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = configure_socket(fd, ifindex, protocol, f);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	return fd;
}

static void meta_of(struct msghdr *h, struct client_frame_meta *m)
{
	struct tpacket_auxdata aux;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA ||
		    c->cmsg_len < CMSG_LEN(sizeof(aux)))
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		m->csum_not_ready = (aux.tp_status &
				     (TP_STATUS_CSUMNOTREADY | TP_STATUS_CSUM_VALID)) != 0;
		if (aux.tp_status & TP_STATUS_VLAN_VALID)
			m->vlan_id = aux.tp_vlan_tci & VLAN_ID_MASK;
	}
}

int client_link_recv(int fd, uint8_t *buf, size_t cap, struct client_frame_meta *ret)
{
	struct sockaddr_ll from = {0};
	union sock_ctrl ctrl;
	struct iovec iov = {buf, cap};
	struct msghdr h = {.msg_name = &from,
			   .msg_namelen = sizeof(from),
			   .msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &ctrl,
			   .msg_controllen = sizeof(ctrl)};
	ssize_t n = recvmsg(fd, &h, MSG_TRUNC | MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	/* a frame whose VLAN tag may be lost cannot be assigned to an interface */
	if (h.msg_flags & MSG_CTRUNC)
		return -EBADMSG;
	*ret = (struct client_frame_meta){
		.outgoing = from.sll_pkttype == PACKET_OUTGOING,
		.otherhost = from.sll_pkttype == PACKET_OTHERHOST,
		.broadcast = from.sll_pkttype == PACKET_BROADCAST ||
			     from.sll_pkttype == PACKET_MULTICAST,
	};
	meta_of(&h, ret);
	return (int)n;
}

int client_link_send(int fd, int ifindex, struct span frame)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_ifindex = ifindex,
				 .sll_halen = ETH_ALEN};
	struct rd r = rd_init(frame);
	ssize_t n;

	rd_copy(&r, to.sll_addr, ETH_ALEN);
	(void)rd_bytes(&r, ETH_ALEN);
	to.sll_protocol = htons(rd_be16(&r));
	if (!rd_ok(&r))
		return -EINVAL;
	do
		n = sendto(fd, frame.p, frame.n, MSG_DONTWAIT, (const struct sockaddr *)&to,
			   sizeof(to));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}
