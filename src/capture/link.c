/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The socket is opened with protocol 0, gets its filter, and only then is bound, so nothing
 * unfiltered is ever queued. It is bound to every protocol, because a frame under an in-band VLAN
 * tag does not have IPv4's; the filter keeps that cheap. packet(7).
 */
#include "capture/link.h"

#include "capture/filter.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { VLAN_ID_MASK = 0x0fff };

/* Linux 6.3 and later; Debian 12's headers lack the name */
#ifndef PACKET_FANOUT_FLAG_IGNORE_OUTGOING
#define PACKET_FANOUT_FLAG_IGNORE_OUTGOING 0x4000
#endif

static int hardware_address(int fd, const char *ifname, uint8_t ret_mac[6])
{
	struct ifreq req = {0};

	if (strlen(ifname) >= sizeof(req.ifr_name))
		return -ENODEV;
	memcpy(req.ifr_name, ifname, strlen(ifname));
	if (ioctl(fd, SIOCGIFHWADDR, &req) < 0)
		return -errno;
	if (req.ifr_hwaddr.sa_family != ARPHRD_ETHER && req.ifr_hwaddr.sa_family != ARPHRD_LOOPBACK)
		return -EPROTONOSUPPORT;
	memcpy(ret_mac, req.ifr_hwaddr.sa_data, 6);
	return 0;
}

static int link_bind(int fd, int ifindex)
{
	struct sockaddr_ll a = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = ifindex,
	};

	return bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
}

static int fanout_join(int fd, int group)
{
	struct filter f;
	struct sock_fprog prog;
	int r = sock_set_int(fd, SOL_PACKET, PACKET_FANOUT,
			     (group & 0xffff) |
				     (PACKET_FANOUT_CBPF | PACKET_FANOUT_FLAG_IGNORE_OUTGOING)
					     << 16);

	if (r ==
	    -EINVAL) /* an older kernel does not know the last flag; link_meta tells the frames */
		r = sock_set_int(fd, SOL_PACKET, PACKET_FANOUT,
				 (group & 0xffff) | PACKET_FANOUT_CBPF << 16);
	if (r < 0)
		return r;
	filter_fanout_chaddr(&f);
	prog = (struct sock_fprog){f.n, f.insns};
	if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT_DATA, &prog, sizeof(prog)) < 0)
		return -errno;
	return 0;
}

static int link_configure(int fd, const struct link_opts *o, uint8_t ret_mac[6])
{
	struct filter f;
	int r = hardware_address(fd, o->ifname, ret_mac);

	filter_udp_port(&f, o->port);
	if (r == 0)
		r = filter_attach(fd, SO_ATTACH_FILTER, &f);
	if (r == 0)
		r = sock_set_int(fd, SOL_PACKET, PACKET_AUXDATA, 1);
	/* kernels before 4.20 lack it; link_meta finds these frames in any case */
	if (r == 0 && sock_set_int(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1) < 0)
		errno = 0;
	if (r == 0 && o->rcvbuf > 0)
		r = sock_set_rcvbuf(fd, o->rcvbuf);
	if (r == 0)
		r = link_bind(fd, o->ifindex);
	if (r == 0 && o->fanout_group > 0)
		r = fanout_join(fd, o->fanout_group);
	return r;
}

int link_open(const struct link_opts *o, uint8_t ret_mac[6])
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = link_configure(fd, o, ret_mac);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	return fd;
}

struct link_meta link_meta(struct sock_batch *b, size_t i)
{
	const struct cmsghdr *c = sock_cmsg(b, i, SOL_PACKET, PACKET_AUXDATA);
	struct tpacket_auxdata aux = {0};
	struct sockaddr_ll from;

	memcpy(&from, &b->addr[i], sizeof(from));
	if (c)
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
	return (struct link_meta){
		.outgoing = from.sll_pkttype == PACKET_OUTGOING,
		.otherhost = from.sll_pkttype == PACKET_OTHERHOST,
		.broadcast = from.sll_pkttype == PACKET_BROADCAST ||
			     from.sll_pkttype == PACKET_MULTICAST,
		/* CSUM_VALID: somebody below has checked it, so there is no need to do it again */
		.csum_not_ready = (aux.tp_status &
				   (TP_STATUS_CSUMNOTREADY | TP_STATUS_CSUM_VALID)) != 0,
		.vlan_id = aux.tp_status & TP_STATUS_VLAN_VALID ? aux.tp_vlan_tci & VLAN_ID_MASK
								: 0,
		.ifindex = from.sll_ifindex,
	};
}

socklen_t link_addr(union sock_addr *a, int ifindex, const uint8_t mac[6])
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = ifindex,
		.sll_halen = ETH_ALEN,
	};

	memcpy(to.sll_addr, mac, ETH_ALEN);
	memcpy(a, &to, sizeof(to));
	return sizeof(to);
}
