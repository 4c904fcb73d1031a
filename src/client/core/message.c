/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One table holds the fields and options of each message, as RFC 2131 4.3.6, 4.4.1 and 4.4.4
 * (tables 4 and 5) have it. The option request list is the same in all that ask (RFC 2131 4.4.1).
 */
#include "client/core/message.h"

#include "base/arena.h"
#include "wire/option_codes.h"
#include "wire/udp.h"

enum {
	IP_UDP_LEN = 28,
	MTU_LEAST = 576,
	MTU_MOST = 1500,
	HTYPE_ETHERNET = 1,
	SECS_MAX = 0xffff,
	FQDN_FLAG_S = 1,
	FQDN_FLAG_E = 4, /* the server updates; name in labels */
};

enum has {
	HAS_CIADDR = 1,
	HAS_REQUESTED = 2,  /* option 50 */
	HAS_SERVER_ID = 4,  /* option 54 */
	HAS_WISHES = 8,	    /* request list, size, names and classes */
	MAY_BROADCAST = 16, /* the flag, where it is needed */
	HAS_HINT = 32,	    /* option 50, if there is an address worth asking for */
};

static const struct {
	enum dhcp4_type type;
	unsigned has;
} forms[CLIENT_N_FORMS] = {
	[CLIENT_MSG_DISCOVER] = {DHCP4_DISCOVER, HAS_HINT | HAS_WISHES | MAY_BROADCAST},
	[CLIENT_MSG_SELECT] = {DHCP4_REQUEST,
			       HAS_REQUESTED | HAS_SERVER_ID | HAS_WISHES | MAY_BROADCAST},
	[CLIENT_MSG_REBOOT] = {DHCP4_REQUEST, HAS_REQUESTED | HAS_WISHES | MAY_BROADCAST},
	[CLIENT_MSG_RENEW] = {DHCP4_REQUEST, HAS_CIADDR | HAS_WISHES},
	[CLIENT_MSG_REBIND] = {DHCP4_REQUEST, HAS_CIADDR | HAS_WISHES},
	[CLIENT_MSG_DECLINE] = {DHCP4_DECLINE, HAS_REQUESTED | HAS_SERVER_ID},
	[CLIENT_MSG_RELEASE] = {DHCP4_RELEASE, HAS_CIADDR | HAS_SERVER_ID},
	[CLIENT_MSG_INFORM] = {DHCP4_INFORM, HAS_CIADDR | HAS_WISHES},
};

struct span client_identifier(const struct client *c, uint8_t buf[CLIENT_ID_MAC_LEN])
{
	if (c->opts->id_form == CLIENT_ID_NONE)
		return SPAN_NULL;
	if (c->opts->id_form == CLIENT_ID_GIVEN)
		return span_of(c->opts->client_id, c->opts->client_id_len);
	buf[0] = HTYPE_ETHERNET;
	memcpy(buf + 1, c->link.mac, sizeof(c->link.mac));
	return span_of(buf, CLIENT_ID_MAC_LEN);
}

/* Puts an option of n octets; nothing for n 0. Cannot fail: the arena has room for every option
 * at its longest. */
static void put_option(struct dhcp4_msg *m, uint8_t code, const void *p, size_t n)
{
	int e = n ? dhcp4_opt_set(m, code, span_of(p, n)) : 0;

	(void)e;
}

static void put_address(struct dhcp4_msg *m, uint8_t code, uint32_t v)
{
	int e = v ? dhcp4_opt_set_u32(m, code, v) : 0;

	(void)e;
}

static uint16_t max_size(const struct client *c)
{
	if (c->link.mtu < MTU_LEAST)
		return MTU_LEAST;
	return c->link.mtu > MTU_MOST ? MTU_MOST : c->link.mtu;
}

static void put_name(struct dhcp4_msg *m, const struct client_opts *o)
{
	uint8_t buf[3 + sizeof(o->fqdn)] = {FQDN_FLAG_S | FQDN_FLAG_E, 0, 0};

	/* RFC 4702 3.1: a client that sends 81 does not send 12 */
	if (o->fqdn_len) {
		memcpy(buf + 3, o->fqdn, o->fqdn_len);
		put_option(m, DHCP4_OPT_CLIENT_FQDN, buf, 3U + o->fqdn_len);
	} else {
		put_option(m, DHCP4_OPT_HOST_NAME, o->hostname, strlen(o->hostname));
	}
}

/* Puts the user class option: instances of length and data (RFC 3004 4). */
static void put_user_class(struct dhcp4_msg *m, const struct client_opts *o)
{
	uint8_t buf[1 + CLIENT_CLASS_MAX] = {o->user_class_len};

	if (!o->user_class_len)
		return;
	memcpy(buf + 1, o->user_class, o->user_class_len);
	put_option(m, DHCP4_OPT_USER_CLASS, buf, 1U + o->user_class_len);
}

static void put_wishes(struct dhcp4_msg *m, const struct client *c)
{
	uint16_t size = max_size(c);

	put_option(m, DHCP4_OPT_MAX_MESSAGE_SIZE,
		   (const uint8_t[]){(uint8_t)(size >> 8), (uint8_t)size}, 2);
	put_option(m, DHCP4_OPT_PARAMETER_REQUEST_LIST, c->opts->prl, c->opts->n_prl);
	put_name(m, c->opts);
	put_option(m, DHCP4_OPT_VENDOR_CLASS_ID, c->opts->vendor_class, c->opts->vendor_class_len);
	put_user_class(m, c->opts);
}

/* Returns the seconds since we began; never 0, because some relays and servers drop requests that
 * have just begun. */
static uint16_t elapsed_secs(const struct client_xact *x, int64_t now_ns)
{
	int64_t s = (now_ns - x->start_ns) / NS_PER_S;

	return (uint16_t)(s < 1 ? 1 : s > SECS_MAX ? SECS_MAX : s);
}

static void fill_header(struct dhcp4_msg *m, struct client *c, unsigned has,
			const struct client_lease *about, const struct client_xact *x)
{
	m->op = DHCP4_BOOTREQUEST;
	m->htype = HTYPE_ETHERNET;
	m->hlen = sizeof(c->link.mac);
	m->xid = x->xid;
	memcpy(m->chaddr, c->link.mac, sizeof(c->link.mac));
	if (has & HAS_CIADDR)
		m->ciaddr = about ? about->address : c->link.address;
	if (has & MAY_BROADCAST && x->broadcast)
		m->flags = DHCP4_FLAG_BROADCAST;
}

static uint32_t hinted_address(const struct client *c)
{
	if (c->kept != CLIENT_KEPT_NONE)
		return c->lease.address;
	/* a wanted address that is in use elsewhere is not requested repeatedly */
	return c->declines ? 0 : c->opts->request_address;
}

struct span client_message(struct client *c, enum client_form f, const struct client_lease *about,
			   const struct client_xact *x, int64_t now_ns, struct effects *fx)
{
	unsigned has = forms[f].has;
	struct dhcp4_encode_opts eo = {.max_len = (size_t)max_size(c) - IP_UDP_LEN,
				       .no_overload = true,
				       .min_len = DHCP4_BOOTP_MIN_LEN};
	struct dhcp4_encoded done = {0};
	uint8_t id_buf[CLIENT_ID_MAC_LEN];
	struct span id = client_identifier(c, id_buf);
	struct dhcp4_msg m;
	struct arena arena;
	uint8_t *out = fx->data + fx->data_len;

	arena_init_fixed(&arena, c->scratch, sizeof(c->scratch));
	dhcp4_init(&m, &arena);
	fill_header(&m, c, has, about, x);
	/* RFC 2131 4.4.1: the REQUEST repeats secs of its DISCOVER; table 5: none where the
	 * message asks for nothing */
	if (has & HAS_WISHES)
		m.secs = f == CLIENT_MSG_SELECT ? x->secs : elapsed_secs(x, now_ns);
	put_option(&m, DHCP4_OPT_MESSAGE_TYPE, (const uint8_t[]){(uint8_t)forms[f].type}, 1);
	put_option(&m, DHCP4_OPT_CLIENT_ID, id.p, id.n);
	if (has & HAS_HINT)
		put_address(&m, DHCP4_OPT_REQUESTED_ADDRESS, hinted_address(c));
	if (has & HAS_REQUESTED && about)
		put_address(&m, DHCP4_OPT_REQUESTED_ADDRESS, about->address);
	if (has & HAS_SERVER_ID && about)
		put_address(&m, DHCP4_OPT_SERVER_ID, about->server_id);
	if (has & HAS_WISHES)
		put_wishes(&m, c);
	if (dhcp4_encode(&m, &eo, out, sizeof(fx->data) - fx->data_len, &done) < 0) {
		fx->overflow = true;
		return SPAN_NULL;
	}
	fx->data_len += done.len;
	c->stats.sent[forms[f].type]++;
	return span_of(out, done.len);
}

void step_send_raw(struct client_step *s, enum client_form f, const struct client_lease *about)
{
	struct client *c = s->c;
	struct udp_frame frame = {.dst_mac = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
				  .dst = 0xffffffffU,
				  .sport = DHCP4_CLIENT_PORT,
				  .dport = DHCP4_SERVER_PORT};
	struct wr w;

	step_listen_raw(s);
	/* RFC 2131 4.1: a client with an address sends from it */
	if (forms[f].has & HAS_CIADDR)
		frame.src = about->address;
	if (f == CLIENT_MSG_RELEASE) {
		memcpy(frame.dst_mac, c->node_mac, sizeof(frame.dst_mac));
		frame.dst = about->server_id;
	}
	frame.payload = client_message(c, f, about, &c->xact, s->now, s->fx);
	memcpy(frame.src_mac, c->link.mac, sizeof(frame.src_mac));
	w = wr_init(s->fx->data + s->fx->data_len, sizeof(s->fx->data) - s->fx->data_len);
	udp_frame_write(&w, &frame);
	s->fx->overflow |= !wr_ok(&w);
	effects_add(s->fx, EFFECT_SEND_RAW)->frame = span_of(w.base, w.len);
	s->fx->data_len += w.len;
	c->xact.sent_ns = s->now;
}

void step_send_udp(struct client_step *s, enum client_form f, const struct client_lease *about,
		   struct client_xact *x, uint32_t src, uint32_t dst)
{
	struct span payload;
	struct effect *e;

	step_listen_udp(s);
	payload = client_message(s->c, f, about, x, s->now, s->fx);
	e = effects_add(s->fx, EFFECT_SEND_UDP);
	e->udp.src = src;
	e->udp.dst = dst;
	e->udp.payload = payload;
	x->sent_ns = s->now;
}
