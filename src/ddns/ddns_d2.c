/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Datagrams to kea-dhcp-ddns: two octets of length, then JSON. The socket is connected, so that
 * the kernel reports where nobody listens.
 */
#include "ddns/ddns_d2.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DATAGRAM_MAX = 4096 }; /* the buffer of kea-dhcp-ddns */

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t len;
};

static bool make_address(struct address *a, const char *ip, uint16_t port)
{
	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, ip, &a->v4.sin_addr) == 1) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(port);
		a->len = sizeof(a->v4);
		return true;
	}
	if (inet_pton(AF_INET6, ip, &a->v6.sin6_addr) != 1)
		return false;
	a->v6.sin6_family = AF_INET6;
	a->v6.sin6_port = htons(port);
	a->len = sizeof(a->v6);
	return true;
}

int ddns_d2_open(const struct config_ddns *cfg)
{
	struct address server, sender;
	int fd, r = 0;

	if (!make_address(&server, cfg->server_ip, cfg->server_port))
		return -USHER_E_SYNTAX;
	/* any address of IPv4 is also any one of IPv6 */
	if (!make_address(&sender, cfg->sender_ip, cfg->sender_port) ||
	    sender.any.sa_family != server.any.sa_family)
		(void)!make_address(&sender, server.any.sa_family == AF_INET ? "0.0.0.0" : "::",
				    cfg->sender_port);
	fd = socket(server.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, &sender.any, sender.len) < 0 || connect(fd, &server.any, server.len) < 0)
		r = -errno;
	if (r == 0)
		return fd;
	(void)close(fd);
	return r;
}

int ddns_d2_send(int fd, const struct ddns_request *q, struct buf *b)
{
	int err = 0;
	socklen_t len = sizeof(err);
	size_t n;

	buf_reset(b);
	buf_add(b, "\0\0", 2);
	ddns_ncr_text(q, b);
	n = b->len - 2;
	if (b->failed || n > DATAGRAM_MAX - 2)
		return b->failed ? -ENOMEM : -EMSGSIZE;
	b->p[0] = (char)(n >> 8);
	b->p[1] = (char)n;
	/* an error of an earlier datagram */
	(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (send(fd, b->p, b->len, MSG_NOSIGNAL) < 0)
		return -errno;
	/* on this machine the error is there at once */
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err)
		return -err;
	return 0;
}
