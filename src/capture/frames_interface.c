/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Properties of a network interface: index, hardware address, promiscuous mode, the bridge that it
 * belongs to.
 */
#include "capture/frames_interface.h"

#include "capture/frames.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int frames_interface_of(int fd, const char *name, int *ret_index, uint8_t ret_mac[6])
{
	struct ifreq req = {0};

	if (strlen(name) >= sizeof(req.ifr_name))
		return -ENODEV;
	memcpy(req.ifr_name, name, strlen(name));
	if (ioctl(fd, SIOCGIFHWADDR, &req) < 0)
		return -errno;
	if (req.ifr_hwaddr.sa_family != ARPHRD_ETHER && req.ifr_hwaddr.sa_family != ARPHRD_LOOPBACK)
		return -EPROTONOSUPPORT;
	memcpy(ret_mac, req.ifr_hwaddr.sa_data, 6);
	*ret_index = (int)if_nametoindex(name);
	return *ret_index ? 0 : -ENODEV;
}

int frames_set_promiscuous(int fd, int ifindex)
{
	struct packet_mreq m = {.mr_ifindex = ifindex, .mr_type = PACKET_MR_PROMISC};

	return setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m)) < 0 ? -errno : 0;
}

static int take_master(const struct nlattr *a, void *ctx)
{
	if (mnl_attr_get_type(a) == IFLA_MASTER && mnl_attr_validate(a, MNL_TYPE_U32) >= 0)
		*(uint32_t *)ctx = mnl_attr_get_u32(a);
	return MNL_CB_OK;
}

enum { ANSWER_LEN = 8192 };

bool frames_link_master(const char *ifname, char *ret)
{
	char buf[ANSWER_LEN] = {0};
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	struct ifinfomsg *info;
	uint32_t master = 0;
	ssize_t n = -1;

	if (!nl)
		return false;
	h->nlmsg_type = RTM_GETLINK;
	h->nlmsg_flags = NLM_F_REQUEST;
	info = mnl_nlmsg_put_extra_header(h, sizeof(*info));
	info->ifi_index = (int)if_nametoindex(ifname);
	if (info->ifi_index && mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == 0 &&
	    mnl_socket_sendto(nl, h, h->nlmsg_len) > 0)
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (n > 0 && mnl_nlmsg_ok(h, (int)n) && h->nlmsg_type == RTM_NEWLINK)
		(void)mnl_attr_parse(h, sizeof(*info), take_master, &master);
	(void)mnl_socket_close(nl);
	return master && if_indextoname(master, ret);
}
