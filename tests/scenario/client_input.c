/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Inputs of the client: command line, link, packets, ARP, commands, time.
 */
#include "cscn.h"

#include "scn_build.h"

#include "base/error.h"
#include "base/ip.h"
#include "capture/capture.h"
#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/option_codes.h"
#include "wire/udp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TICKS_MAX = 20000,
	SERVER = 0xc0000201,
	OFFERED = 0xc0000232,
	OPTS_MAX = 40,
	TIGHT_ARENA = 64
};

static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t server_mac[6] = {2, 0, 0, 0, 1, 1};

static uint32_t random_u32(void *ctx)
{
	return (uint32_t)(rng_u64(ctx) >> 32);
}

void cscn_world_init(struct cscn *x)
{
	client_opts_init(&x->opts);
	x->opts.foreground = true;
	x->link = (struct client_link){.mtu = 1500, .up = true};
	memcpy(x->link.mac, our_mac, sizeof(our_mac));
	rng_seed(&x->rng, 4711);
	x->now = CSCN_START_S * NS_PER_S;
	x->started = false;
	x->n_effects = 0;
	client_init(&x->c, &x->opts, &x->link, &(struct client_random){random_u32, &x->rng});
	arena_init(&x->s.arena);
}

void cscn_world_fini(struct cscn *x)
{
	for (size_t i = 0; i < CLIENT_N_STATES; i++)
		x->ran[i] |= x->c.stats.ran[i];
	for (size_t i = 0; i < x->s.n_vars; i++)
		free(x->s.var[i].value);
	x->s.n_vars = 0;
	arena_fini(&x->s.arena);
}

/* --- effects ---------------------------------------------------------------------------------- */

static void keep_udp(struct cscn_effect *k, const struct effect *e)
{
	struct wr w = wr_init(k->frame, sizeof(k->frame));
	struct udp_frame f = {.src = e->udp.src,
			      .dst = e->udp.dst,
			      .sport = 68,
			      .dport = 67,
			      .payload = e->udp.payload};

	memcpy(f.src_mac, our_mac, 6);
	udp_frame_write(&w, &f);
	k->len = w.len;
}

static int keep(struct cscn *x, const struct effect *e)
{
	struct cscn_effect *k;

	if (x->n_effects == CSCN_EFFECTS)
		return scn_fail(&x->s, "more than %d effects", CSCN_EFFECTS);
	k = &x->effect[x->n_effects++];
	k->e = *e;
	k->at_ns = x->now;
	k->taken = false;
	k->len = 0;
	if (e->kind == EFFECT_SEND_UDP)
		keep_udp(k, e);
	if (e->kind == EFFECT_SEND_RAW || e->kind == EFFECT_SEND_ARP) {
		memcpy(k->frame, e->frame.p, e->frame.n);
		k->len = e->frame.n;
	}
	if (e->kind == EFFECT_SET_ROUTES || e->kind == EFFECT_SAVE_LEASE)
		k->lease = *e->lease;
	if (e->kind == EFFECT_SCRIPT && e->script.now)
		k->lease = *e->script.now;
	if (e->kind == EFFECT_SCRIPT && e->script.old)
		k->old = *e->script.old;
	return 0;
}

static int keep_all(struct cscn *x)
{
	if (x->fx.overflow)
		return scn_fail(&x->s, "a step asked for more than the list of effects holds");
	for (size_t i = 0; i < x->fx.n; i++)
		if (keep(x, &x->fx.item[i]) < 0)
			return -1;
	return 0;
}

static void remember(struct cscn *x)
{
	memcpy(x->drop, x->c.stats.drop, sizeof(x->drop));
	memcpy(x->frame_drop, x->c.stats.frame_drop, sizeof(x->frame_drop));
}

/* --- before the start ------------------------------------------------------------------------- */

/* opts WORDS: a command line; -f is given unless "background" stands there. */
int cdo_opts(struct cscn *x)
{
	char *argv[OPTS_MAX] = {x->s.word[0]};
	char err[300] = "";
	bool background = false;
	int n = 1;

	for (size_t i = 1; i < x->s.n_words && n < OPTS_MAX; i++) {
		if (strcmp(x->s.word[i], "background") == 0)
			background = true;
		else
			argv[n++] = x->s.word[i];
	}
	if (client_opts_parse(n, argv, &x->opts, err, sizeof(err)) < 0)
		return scn_fail(&x->s, "%s", err);
	x->opts.foreground = !background && !x->opts.background;
	return 0;
}

static int link_word(struct cscn *x, const char *w)
{
	const char *v;

	if (strcmp(w, "up") == 0 || strcmp(w, "down") == 0)
		x->link.up = w[0] == 'u';
	else if ((v = scn_arg(w, "mac")) != NULL)
		return scn_mac(v, x->link.mac);
	else if ((v = scn_arg(w, "mtu")) != NULL)
		x->link.mtu = (uint16_t)atoi(v);
	else if ((v = scn_arg(w, "address")) != NULL)
		return ip_parse(v, strlen(v), &x->link.address);
	else
		return -1;
	return 0;
}

static int event(struct cscn *x, enum client_event e)
{
	remember(x);
	x->last_event = client_event(&x->c, e, x->now, &x->fx) ? (int)e : -1;
	return keep_all(x);
}

/* link up|down|mac=M|mtu=N|address=A: a notification of the kernel */
int cdo_link(struct cscn *x)
{
	struct client_link was = x->link;

	for (size_t i = 1; i < x->s.n_words; i++)
		if (link_word(x, x->s.word[i]) < 0)
			return scn_fail(&x->s, "what is %s?", x->s.word[i]);
	client_set_link(&x->c, &x->link);
	if (!x->started)
		return 0;
	if (memcmp(was.mac, x->link.mac, sizeof(was.mac)) != 0 &&
	    event(x, CLIENT_EV_MAC_CHANGED) < 0)
		return -1;
	if (was.up != x->link.up)
		return event(x, x->link.up ? CLIENT_EV_LINK_UP : CLIENT_EV_LINK_DOWN);
	return 0;
}

/* kept ADDRESS [hint] [age=S] [lease=S]: the lease of an earlier run */
int cdo_kept(struct cscn *x)
{
	const char *age = scn_find(&x->s, 1, "age");
	const char *time = scn_find(&x->s, 1, "lease");
	struct client_lease l = {.mask = 0xffffff00, .server_id = SERVER, .lease_s = 3600};
	bool hint = false;

	for (size_t i = 2; i < x->s.n_words; i++)
		hint |= strcmp(x->s.word[i], "hint") == 0;
	if (x->s.n_words < 2 || ip_parse(x->s.word[1], strlen(x->s.word[1]), &l.address) < 0)
		return scn_fail(&x->s, "kept ADDRESS [hint] [age=S] [lease=S]");
	l.lease_s = time ? (uint32_t)strtoul(time, NULL, 10) : 3600;
	l.start_ns = x->now - (age ? atoll(age) : 60) * NS_PER_S;
	client_keep(&x->c, &l, hint ? CLIENT_KEPT_HINT : CLIENT_KEPT_VALID);
	return 0;
}

int cdo_start(struct cscn *x)
{
	x->started = true;
	client_set_link(&x->c, &x->link);
	return event(x, CLIENT_EV_START);
}

/* event NAME [refused]: a command, or an event from the driver */
int cdo_event(struct cscn *x)
{
	bool refused = x->s.n_words > 2 && strcmp(x->s.word[2], "refused") == 0;

	for (unsigned e = 0; x->s.n_words > 1 && e < CLIENT_N_EVENTS; e++) {
		if (strcmp(client_event_name((enum client_event)e), x->s.word[1]) != 0)
			continue;
		if (event(x, (enum client_event)e) < 0)
			return -1;
		if (refused != (x->last_event < 0))
			return scn_fail(&x->s, "%s in %s is %s", x->s.word[1],
					client_state_name(x->c.state),
					refused ? "not refused" : "refused");
		return 0;
	}
	return scn_fail(&x->s, "event NAME [refused]");
}

/* --- packets ---------------------------------------------------------------------------------- */

static bool given(const struct scn *s, int code)
{
	const char *v;

	for (size_t i = 2; i < s->n_words; i++)
		if (scn_option_word(s->word[i], &v) == code)
			return true;
	return false;
}

static void put_default(struct scn_build *b, int code, uint32_t v)
{
	const char *no = scn_find(b->s, 2, "no");
	char text[8];
	uint8_t be[4];

	(void)snprintf(text, sizeof(text), "%d", code);
	for (const char *p = no; p && *p; p += strcspn(p, ","), p += *p == ',')
		if (strtol(p, NULL, 10) == code)
			return;
	if (given(b->s, code))
		return;
	scn_put_be(be, 4, v);
	scn_build_option(b, code, be, sizeof(be));
}

/* Puts the values of a good server where the line has no others. */
static void put_defaults(struct scn_build *b, int type)
{
	bool offer = type == DHCP4_OFFER || type == DHCP4_ACK;

	for (size_t i = 2; i < b->s->n_words; i++)
		if (strcmp(b->s->word[i], "bare") == 0)
			return;
	put_default(b, DHCP4_OPT_SERVER_ID, SERVER);
	if (!offer)
		return;
	put_default(b, DHCP4_OPT_LEASE_TIME, 3600);
	put_default(b, DHCP4_OPT_SUBNET_MASK, 0xffffff00);
	put_default(b, DHCP4_OPT_ROUTERS, SERVER);
	scn_put_be(b->head + 16, 4, OFFERED);
}

/* Words that are ours, not the frame's: taken off the line. */
static void own_words(struct cscn *x, struct scn_build *b)
{
	struct scn *s = &x->s;
	size_t n = 2;

	for (size_t i = 2; i < s->n_words; i++) {
		if (strcmp(s->word[i], "to-inform") == 0)
			scn_put_be(b->head + 4, 4, x->c.inform.xid);
		else if (strcmp(s->word[i], "tight") == 0)
			x->tight = true;
		else if (strcmp(s->word[i], "udp") == 0)
			x->by_udp = true;
		else if (strcmp(s->word[i], "bare") != 0 && !scn_arg(s->word[i], "no"))
			s->word[n++] = s->word[i];
	}
	s->n_words = n;
}

static int receive(struct cscn *x, const uint8_t *frame, size_t n, unsigned flags)
{
	static uint8_t slot[PACKET_DATA_LEN];
	static uint8_t arena[PACKET_ARENA_LEN];
	struct packet p;

	packet_init(&p, slot, sizeof(slot), arena, x->tight ? TIGHT_ARENA : sizeof(arena));
	memcpy(slot, frame, n < sizeof(slot) ? n : sizeof(slot));
	p.len = (uint32_t)(n < sizeof(slot) ? n : sizeof(slot));
	p.flags = (uint16_t)(flags | (n > sizeof(slot) ? PACKET_TRUNCATED : 0));
	if (x->by_udp && packet_decode(&p) == DROP_NONE) {
		memmove(slot, slot + p.app, p.app_len);
		p.l2 = p.l3 = p.l4 = PACKET_NO_LAYER;
		p.app = 0;
		p.len = p.app_len;
		p.flags |= PACKET_NO_L2;
		memset(p.l2_src, 0, sizeof(p.l2_src));
	}
	x->last_event = client_receive(&x->c, &p, x->now, &x->fx, NULL);
	return keep_all(x);
}

static int build(struct cscn *x, struct scn_build *b)
{
	struct scn *s = &x->s;
	int type = scn_type_number(s->word[1]);

	if (type < 0 && strcmp(s->word[1], "NONE") != 0)
		return scn_fail(s, "%s is no message type", s->word[1]);
	scn_build_init(b, s);
	b->head[0] = DHCP4_BOOTREPLY;
	b->src = SERVER;
	b->sport = DHCP4_SERVER_PORT;
	b->dport = DHCP4_CLIENT_PORT;
	b->to_addr = OFFERED;
	memcpy(b->smac, server_mac, 6);
	memcpy(b->to_mac, x->link.mac, 6);
	memcpy(b->head + 28, x->link.mac, 6);
	scn_put_be(b->head + 4, 4, x->c.xact.xid);
	if (type >= 0)
		scn_build_option(b, DHCP4_OPT_MESSAGE_TYPE, (const uint8_t[]){(uint8_t)type}, 1);
	put_defaults(b, type);
	own_words(x, b);
	return scn_build_words(b, 2);
}

/* send TYPE words: a server's packet */
int cdo_send(struct cscn *x)
{
	struct scn_build *b = calloc(1, sizeof(*b));
	uint8_t out[SCN_MSG_MAX + 100];
	int r;

	if (!b || x->s.n_words < 2) {
		free(b);
		return scn_fail(&x->s, "send TYPE ...");
	}
	remember(x);
	x->tight = x->by_udp = false;
	r = build(x, b);
	for (unsigned i = 0; r == 0 && i < b->count; i++)
		r = receive(x, out, scn_build_frame(b, out, sizeof(out)), b->flags);
	free(b);
	return r;
}

/* arp request|reply|OP spa= tpa= sha= dmac= [cut=N] */
int cdo_arp(struct cscn *x)
{
	struct scn *s = &x->s;
	struct arp_packet a = {.op = ARP_REPLY, .sha = {2, 0, 0, 0, 9, 9}};
	struct eth_hdr eth = {.dst = {255, 255, 255, 255, 255, 255}, .type = ETH_TYPE_ARP};
	const char *spa = scn_find(s, 2, "spa");
	const char *tpa = scn_find(s, 2, "tpa");
	const char *sha = scn_find(s, 2, "sha");
	const char *cut = scn_find(s, 2, "cut");
	const char *dmac = scn_find(s, 2, "dmac");
	uint8_t out[64];
	struct wr w = wr_init(out, sizeof(out));

	if (s->n_words < 2 || (spa && ip_parse(spa, strlen(spa), &a.spa) < 0) ||
	    (tpa && ip_parse(tpa, strlen(tpa), &a.tpa) < 0) || (sha && scn_mac(sha, a.sha) < 0) ||
	    (dmac && scn_mac(dmac, eth.dst) < 0))
		return scn_fail(s, "arp request|reply spa= tpa= sha= dmac= [cut=N]");
	a.op = strcmp(s->word[1], "request") == 0 ? ARP_REQUEST
	       : strcmp(s->word[1], "reply") == 0 ? ARP_REPLY
						  : 9;
	memcpy(eth.src, a.sha, 6);
	eth_write(&w, &eth);
	arp_write(&w, &a);
	remember(x);
	x->last_event = client_receive_arp(&x->c, span_of(out, cut ? (size_t)atoi(cut) : w.len),
					   x->now, &x->fx, NULL);
	return keep_all(x);
}

/* --- time ------------------------------------------------------------------------------------- */

static int parse_time(struct cscn *x, int64_t *ret)
{
	char *end = NULL;
	double v = x->s.n_words == 2 && x->s.word[1][0] == '+' ? strtod(x->s.word[1] + 1, &end)
							       : -1;
	double unit = !end		       ? 0
		      : strcmp(end, "ms") == 0 ? 1e-3
		      : *end == 's'	       ? 1
		      : *end == 'm'	       ? 60
		      : *end == 'h'	       ? 3600
		      : *end == 'd'	       ? 86400
					       : 0;

	if (v < 0 || unit <= 0)
		return scn_fail(&x->s, "at +N(ms|s|m|h|d)");
	*ret = x->now + llround(v * unit * 1e9);
	return 0;
}

/* at +10s: the clock moves, timers run when they are due */
int cdo_at(struct cscn *x)
{
	unsigned ticks = 0;
	int64_t until;

	if (parse_time(x, &until) < 0)
		return -1;
	remember(x);
	while (client_deadline(&x->c) && client_deadline(&x->c) <= until) {
		int64_t due = client_deadline(&x->c);

		if (++ticks > TICKS_MAX)
			return scn_fail(&x->s, "busy: %d timers ran", TICKS_MAX);
		x->now = due > x->now ? due : x->now;
		client_tick(&x->c, x->now, &x->fx);
		if (keep_all(x) < 0)
			return -1;
	}
	x->now = until;
	return 0;
}

/* wake +2h: the machine slept so long; all that is due runs now */
int cdo_wake(struct cscn *x)
{
	int64_t until;
	unsigned ticks = 0;

	if (parse_time(x, &until) < 0)
		return -1;
	x->now = until;
	while (client_deadline(&x->c) && client_deadline(&x->c) <= until) {
		if (++ticks > CLIENT_N_TIMERS)
			return scn_fail(&x->s, "more than %d timers ran", CLIENT_N_TIMERS);
		client_tick(&x->c, x->now, &x->fx);
		if (keep_all(x) < 0)
			return -1;
	}
	return 0;
}
