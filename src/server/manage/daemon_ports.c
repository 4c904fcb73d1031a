/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Sockets follow the interfaces: whenever netlink reports a change, or the configuration is new,
 * the ports that should be open are worked out and compared with those that are. An interface that
 * is down, renamed or deleted loses its sockets; one that comes up gets new ones, within the same
 * event. Opening that fails is tried again by a timer.
 */
#include "base/error.h"
#include "base/hash.h"
#include "base/ip.h"
#include "base/log.h"
#include "capture/capture.h"
#include "config/config.h"
#include "runtime/iface.h"
#include "runtime/loop.h"
#include "server/manage/daemon_impl.h"
#include "server/core/snapshot.h"
#include "server/worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	RETRY_MS = 500, /* unless service-sockets-retry-wait-time is configured */
	RCVBUF = 8 << 20,
	ARPHRD_ETHERNET = 1
};

static bool has_addr(const struct iface *i, uint32_t addr)
{
	for (size_t j = 0; j < i->n_addrs; j++)
		if (i->addrs[j].addr == addr)
			return true;
	return false;
}

/* Returns the address to serve the interface from; 0: it is not to be served (now). "*" leaves
 * out loopback. */
static uint32_t wanted_addr(const struct config *cfg, const struct iface *i)
{
	if (!i->up || !i->n_addrs)
		return 0;
	for (size_t k = 0; k < cfg->n_interfaces; k++) {
		const struct config_interface *c = &cfg->interfaces[k];
		bool any = strcmp(c->name, "*") == 0;

		if (any ? i->loopback : strcmp(c->name, i->name) != 0)
			continue;
		if (!c->addr)
			return i->addrs[0].addr;
		if (has_addr(i, c->addr))
			return c->addr;
	}
	return 0;
}

static int open_capture(struct server_daemon *d, const struct config *cfg, const struct iface *i,
			uint32_t addr, unsigned worker, struct capture **ret)
{
	unsigned n = d->srv.n_workers;

	if (cfg->socket_udp || i->arp_type != ARPHRD_ETHERNET) {
		struct capture_udp_opts o = {.ifindex = i->ifindex,
					     .ifname = cfg->use_routing ? NULL : i->name,
					     .addr = addr,
					     .port = d->srv.server_port,
					     .reuseport = n > 1,
					     .reuseport_members = n,
					     .rcvbuf = RCVBUF,
					     .offload = cfg->udp_offload};

		return capture_udp_open(&o, ret);
	}
	struct capture_af_packet_opts o = {.ifindex = i->ifindex,
					   .ifname = i->name,
					   .port = d->srv.server_port,
					   .addr = addr,
					   .fanout_members = (int)n,
					   .rcvbuf = RCVBUF,
					   .offload = cfg->udp_offload};

	if (n > 1)
		/* a group of its own for each interface, never 0: one group cannot span two */
		o.fanout_group = (int)((hash_u32((uint32_t)getpid()) ^ (uint32_t)i->ifindex) &
				       0x7fff) +
				 1;
	(void)worker;
	return capture_af_packet_open(&o, ret);
}

/* Descriptors that sockets leave to the control channel, files and libraries; none under a small
 * limit, because packets have priority over commands. */
enum { SPARE_FDS = 48, SMALL_LIMIT = 256 };

static bool fds_left(void)
{
	struct rlimit limit;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	(void)close(fd); /* it was the lowest that is free */
	return getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < SMALL_LIMIT ||
	       (rlim_t)fd + SPARE_FDS < limit.rlim_cur;
}

static bool port_open(struct server_daemon *d, const struct config *cfg, const struct iface *i,
		      uint32_t addr)
{
	char ip[IP_TEXT_LEN];

	for (unsigned w = 0; w < d->srv.n_workers; w++) {
		struct capture *c;
		int r = fds_left() ? open_capture(d, cfg, i, addr, w, &c) : -EMFILE;

		if (r == 0)
			r = worker_attach(d->srv.workers[w], c, i->ifindex);
		if (r < 0) {
			log_msg(d->srv.log, LOG_DHCP4_OPEN_SOCKET_FAIL,
				"interface %s, address %s: %s", i->name, ip_text(addr, ip),
				usher_strerror(r));
			for (unsigned k = 0; k < w; k++)
				worker_detach(d->srv.workers[k], i->ifindex);
			return false;
		}
	}
	log_msg(d->srv.log, LOG_DHCP4_OPEN_SOCKET, "listening on interface %s, address %s, port %u",
		i->name, ip_text(addr, ip), d->srv.server_port);
	return true;
}

/* Returns the mode to open a socket with: a socket of another mode is opened again. */
static unsigned socket_mode(const struct config *cfg)
{
	return cfg->socket_udp | cfg->use_routing << 1 | cfg->udp_offload << 2;
}

static struct daemon_port *port_find(struct server_daemon *d, int ifindex)
{
	for (size_t k = 0; k < d->n_ports; k++)
		if (d->ports[k].ifindex == ifindex)
			return &d->ports[k];
	return NULL;
}

static void port_drop(struct server_daemon *d, struct daemon_port *p)
{
	if (!p->failed) {
		for (unsigned w = 0; w < d->srv.n_workers; w++)
			worker_detach(d->srv.workers[w], p->ifindex);
		log_msg(d->srv.log, LOG_DHCP4_INTERFACE_CHANGE,
			"interface %s is not served any more", p->name);
	}
	*p = d->ports[--d->n_ports];
}

static void ports_close_gone(struct server_daemon *d, const struct config *cfg,
			     const struct iface_table *t)
{
	for (size_t k = d->n_ports; k > 0; k--) {
		struct daemon_port *p = &d->ports[k - 1];
		const struct iface *i = iface_by_index(t, p->ifindex);

		if (!i || wanted_addr(cfg, i) != p->addr || strcmp(i->name, p->name) != 0 ||
		    p->failed || p->mode != socket_mode(cfg))
			port_drop(d, p);
	}
}

static void ports_open_new(struct server_daemon *d, const struct config *cfg,
			   const struct iface_table *t)
{
	for (size_t k = 0; k < t->n; k++) {
		const struct iface *i = &t->items[k];
		uint32_t addr = wanted_addr(cfg, i);
		struct daemon_port *grown;

		if (!addr || port_find(d, i->ifindex))
			continue;
		if (d->n_ports == WORKER_MAX_PORTS) {
			log_msg(d->srv.log, LOG_DHCP4_OPEN_SOCKET_FAIL,
				"interface %s is not served: there are more than %d interfaces",
				i->name, WORKER_MAX_PORTS);
			d->socket_errors++;
			continue;
		}
		grown = reallocarray(d->ports, d->n_ports + 1, sizeof(*grown));
		if (!grown)
			return;
		d->ports = grown;
		d->ports[d->n_ports] = (struct daemon_port){.ifindex = i->ifindex,
							    .addr = addr,
							    .mode = socket_mode(cfg)};
		(void)snprintf(d->ports[d->n_ports].name, sizeof(d->ports[0].name), "%s", i->name);
		d->ports[d->n_ports].failed = !port_open(d, cfg, i, addr);
		d->socket_errors += d->ports[d->n_ports].failed;
		d->n_ports++;
	}
}

/* Workers answer from the configured address where there is one. */
static void mark_serve_addr(const struct config *cfg, struct iface_table *t)
{
	for (size_t k = 0; k < t->n; k++)
		t->items[k].serve_addr = wanted_addr(cfg, &t->items[k]);
}

static int64_t retry_ns(const struct config *cfg)
{
	return (cfg->sockets_max_retries ? cfg->sockets_retry_wait_ms : RETRY_MS) * NS_PER_MS;
}

void daemon_sync_ports(struct server_daemon *d)
{
	struct snapshot *s = server_snapshot(&d->srv);
	struct iface_table *old = server_ifaces(&d->srv);
	struct iface_table *t = NULL;
	int r = iface_table_read(&t);

	if (r < 0) {
		log_msg(d->srv.log, LOG_DHCP4_OPEN_SOCKET_FAIL, "interfaces cannot be read: %s",
			usher_strerror(r));
		loop_timer_set(d->retry, retry_ns(s->cfg));
	} else {
		mark_serve_addr(s->cfg, t);
		if (!iface_table_eq(old, t))
			server_publish_ifaces(&d->srv, iface_table_ref(t));
		d->socket_errors = 0;
		ports_close_gone(d, s->cfg, t);
		ports_open_new(d, s->cfg, t);
		loop_timer_set(d->retry, d->socket_errors ? retry_ns(s->cfg) : -1);
	}
	iface_table_unref(t);
	iface_table_unref(old);
	snapshot_unref(s);
}
