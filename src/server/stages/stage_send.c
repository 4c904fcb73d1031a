/* SPDX-License-Identifier: MPL-2.0 */
/*
 * SEND_CHECK, PACK, SEND: where the response goes (RFC 2131 4.1), its bytes, and into the batch.
 */
#include "base/log.h"
#include "capture/capture.h"
#include "config/config.h"
#include "server/core/services.h"
#include "server/core/server.h"
#include "server/stages/stages.h"
#include "server/core/trace.h"
#include "wire/option_codes.h"

enum { IP_BROADCAST = 0xffffffffU, ARPHRD_ETHERNET = 1, UDP_OVERHEAD = 28, MIN_DATAGRAM = 576 };

static void to_broadcast(struct exchange *x)
{
	x->dst = IP_BROADCAST;
	x->to_mac = true;
	memset(x->dst_mac, 0xff, sizeof(x->dst_mac));
	x->out_ifindex = x->pkt.ifindex;
}

static void to_address(struct exchange *x, uint32_t addr)
{
	x->dst = addr;
	x->to_mac = false;
	x->out_ifindex = 0; /* the kernel's routes take precedence over the arrival interface */
}

/* Returns whether the relay receives at its source port (RFC 8357). The sub-option has length 0. */
static bool relay_port(const struct exchange *x)
{
	struct span sub;

	return dhcp4_subopt(x->rai, RAI_RELAY_PORT, &sub) && sub.n == 0;
}

static bool is_station(const uint8_t mac[6])
{
	static const uint8_t zero[6];

	return !(mac[0] & 1) && memcmp(mac, zero, sizeof(zero)) != 0;
}

/*
 * Returns whether the answer can go to the station that the query came from. That station, a
 * relay's or the last router's, can reach the client. The answer needs neither a route of ours nor
 * ARP, so an unanswered ARP request delays no packet. Kea does so with raw sockets, with any
 * outbound-interface.
 */
static bool can_return(const struct exchange *x)
{
	return !(x->pkt.flags & PACKET_NO_L2) && !x->cfg->socket_udp && is_station(x->pkt.l2_src);
}

static void to_sender(struct exchange *x, uint32_t addr)
{
	x->dst = addr;
	x->to_mac = true;
	memcpy(x->dst_mac, x->pkt.l2_src, sizeof(x->dst_mac));
	x->out_ifindex = x->pkt.ifindex;
}

static void to_host(struct exchange *x, uint32_t addr)
{
	if (can_return(x))
		to_sender(x, addr);
	else
		to_address(x, addr);
}

static void to_relay(struct exchange *x)
{
	to_host(x, x->query.giaddr);
	x->dst_port = relay_port(x) ? x->pkt.sport : exchange_server(x)->server_port;
}

/* Returns whether a frame to the client's own hardware address can be built. */
static bool can_frame(const struct exchange *x)
{
	return x->query.htype == ARPHRD_ETHERNET && x->query.hlen == 6 && !x->cfg->socket_udp &&
	       is_station(x->query.chaddr);
}

static bool can_unicast(const struct exchange *x)
{
	return can_frame(x) && !(x->query.flags & DHCP4_FLAG_BROADCAST);
}

static void to_frame(struct exchange *x, uint32_t addr)
{
	x->dst = addr;
	x->to_mac = true;
	memcpy(x->dst_mac, x->query.chaddr, sizeof(x->dst_mac));
	x->out_ifindex = x->pkt.ifindex;
}

/*
 * Sets the destination of a client with an address. A frame from the client's hardware address
 * proves that the client is on this link, so its ACK needs no ARP, which could stay unanswered. A
 * client behind a router is reached by that router.
 */
static void to_bound(struct exchange *x, uint32_t addr)
{
	if (can_frame(x) && !(x->pkt.flags & PACKET_NO_L2) &&
	    memcmp(x->pkt.l2_src, x->query.chaddr, sizeof(x->pkt.l2_src)) == 0)
		to_frame(x, addr);
	else
		to_host(x, addr);
}

/* Sets the destination for direct clients. A NAK is broadcast, with any ciaddr: that address is the
 * wrong one. */
static void to_client(struct exchange *x)
{
	x->dst_port = exchange_server(x)->client_port;
	if (x->nak_reason) {
		to_broadcast(x);
	} else if (x->type == DHCP4_INFORM) {
		to_bound(x, x->query.ciaddr ? x->query.ciaddr : x->pkt.src);
	} else if (x->query.ciaddr) {
		to_bound(x, x->query.ciaddr);
	} else if (can_unicast(x) && x->response.yiaddr) {
		to_frame(x, x->response.yiaddr);
	} else {
		to_broadcast(x);
	}
}

enum verdict stage_send_check(struct exchange *x)
{
	/* RFC 2131 4.3.5: an INFORM's answer goes to the client itself where it gives its
	 * address */
	if (x->query.giaddr && !(x->type == DHCP4_INFORM && x->query.ciaddr))
		to_relay(x);
	else
		to_client(x);
	TRACE(x, "to %u.%u.%u.%u:%u%s", x->dst >> 24, x->dst >> 16 & 255, x->dst >> 8 & 255,
	      x->dst & 255, x->dst_port, x->to_mac ? " by frame" : "");
	return VERDICT_CONTINUE;
}

/* Returns the largest message that the client accepts (RFC 2132 9.10): its datagram size without
 * IP and UDP headers; never below 576 with them. */
static size_t max_message(const struct exchange *x)
{
	/* a relay that asks for leases accepts any answer, as Kea sends them */
	uint16_t max = x->answered ? EXCHANGE_OUT_LEN : MIN_DATAGRAM;

	if (!dhcp4_opt_u16(&x->query, DHCP4_OPT_MAX_MESSAGE_SIZE, &max) || max < MIN_DATAGRAM)
		max = MIN_DATAGRAM;
	if (max - UDP_OVERHEAD > EXCHANGE_OUT_LEN - UDP_OVERHEAD)
		return EXCHANGE_OUT_LEN - UDP_OVERHEAD;
	return (size_t)max - UDP_OVERHEAD;
}

enum verdict stage_pack(struct exchange *x)
{
	struct dhcp4_encode_opts o = {
		.max_len = max_message(x),
		.no_overload = x->nak_reason != NULL,
		.min_len = DHCP4_BOOTP_MIN_LEN,
	};
	struct dhcp4_encoded e;

	if (dhcp4_encode(&x->response, &o, x->out, EXCHANGE_OUT_LEN, &e) < 0)
		return exchange_drop(x, DROP_PACK_FAILED);
	x->out_len = e.len;
	if (unlikely(x->trace != NULL))
		trace_options(x, LOG_DHCP4_RESPONSE_DATA, &x->response);
	FINDING(x, DHCP4_PACKET_PACK, "%s of %zu octets",
		dhcp4_type_name(dhcp4_msg_type(&x->response)), (size_t)e.len);
	if (e.n_omitted) {
		stats_add(x->stats, METRIC_OPTIONS_OMITTED, e.n_omitted);
		if (e.first_omitted == DHCP4_OPT_AGENT_OPTIONS)
			stats_add(x->stats, METRIC_RAI_OMITTED, 1);
		TRACE(x, "%u options did not fit, first %u", e.n_omitted, e.first_omitted);
	}
	return VERDICT_CONTINUE;
}

static enum metric sent_metric(const struct exchange *x)
{
	switch ((int)dhcp4_msg_type(&x->response)) {
	case DHCP4_OFFER:
		return METRIC_OFFER_SENT;
	case DHCP4_NAK:
		return METRIC_NAK_SENT;
	case DHCP4_LEASEUNASSIGNED:
		return METRIC_LEASE_QUERY_UNASSIGNED_SENT;
	case DHCP4_LEASEUNKNOWN:
		return METRIC_LEASE_QUERY_UNKNOWN_SENT;
	case DHCP4_LEASEACTIVE:
		return METRIC_LEASE_QUERY_ACTIVE_SENT;
	default:
		return METRIC_ACK_SENT;
	}
}

void send_done(struct exchange *x)
{
	stats_add(x->stats, METRIC_SENT, 1);
	stats_add(x->stats, sent_metric(x), 1);
	EXCHANGE_LOG(x, LOG_DHCP4_PACKET_SEND, "%s sent, %zu octets",
		     dhcp4_type_name(dhcp4_msg_type(&x->response)), x->out_len);
}

enum verdict stage_send(struct exchange *x)
{
	struct capture_tx tx = {
		.payload = span_of(x->out, x->out_len),
		.src = x->local_addr,
		.dst = x->dst,
		.sport = exchange_server(x)->server_port,
		.dport = x->dst_port,
		.ifindex = x->out_ifindex,
		.to_mac = x->to_mac,
	};

	if (!x->out_len)
		return exchange_drop(x, DROP_PACK_FAILED); /* pkt4_send set SKIP and packed no
							      octets */
	if (!x->capture)
		return exchange_drop(x, DROP_NO_ROUTE);
	memcpy(tx.dst_mac, x->dst_mac, sizeof(tx.dst_mac));
	exchange_queue_answer(x, &tx);
	return VERDICT_DONE;
}
