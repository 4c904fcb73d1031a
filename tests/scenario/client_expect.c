/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Expectations of the client: effects in order of their kind, state, lease, drops, deadlines.
 */
#include "cscn.h"

#include "base/ip.h"
#include "wire/arp.h"
#include "wire/eth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const messages[] = {"DISCOVER", "REQUEST", "DECLINE", "RELEASE", "INFORM"};

static bool is_message(const char *w)
{
	for (size_t i = 0; i < ARRAY_LEN(messages); i++)
		if (strcmp(messages[i], w) == 0)
			return true;
	return false;
}

static bool is_send(enum effect_kind k)
{
	return k == EFFECT_SEND_RAW || k == EFFECT_SEND_UDP;
}

static void effect_text(const struct cscn_effect *k, struct buf *b)
{
	char ip[IP_TEXT_LEN];

	buf_str(b, effect_name(k->e.kind));
	if (k->e.kind == EFFECT_SET_ADDRESS)
		buf_printf(b, " %s/%u valid=%u", ip_text(k->e.addr.address, ip),
			   k->e.addr.prefix_len, k->e.addr.valid_s);
	if (k->e.kind == EFFECT_DEL_ADDRESS)
		buf_printf(b, " %s/%u", ip_text(k->e.addr.address, ip), k->e.addr.prefix_len);
	if (k->e.kind == EFFECT_NOTIFY)
		buf_printf(b, " %s", client_notice_name(k->e.notice.what));
	if (k->e.kind == EFFECT_SCRIPT)
		buf_printf(b, " %s", client_reason_dhclient(k->e.script.reason));
	if (k->e.kind == EFFECT_EXIT)
		buf_printf(b, " %d", (int)k->e.exit_code);
}

static int mismatch(struct cscn *x, const char *what, const char *word)
{
	struct buf b;

	buf_init(&b);
	for (size_t i = 0; i < x->n_effects; i++) {
		struct cscn_effect *k = &x->effect[i];

		if (k->taken || k->e.kind == EFFECT_ARM)
			continue;
		buf_printf(&b, "\n    %9.3f ", (double)(k->at_ns - CSCN_START_S * NS_PER_S) / 1e9);
		if (!is_send(k->e.kind)) {
			effect_text(k, &b);
			continue;
		}
		buf_printf(&b, "%s ", k->e.kind == EFFECT_SEND_RAW ? "raw" : "udp");
		memcpy(x->s.reply.frame, k->frame, k->len);
		memset((uint8_t *)&x->s.reply + sizeof(x->s.reply.frame), 0,
		       sizeof(x->s.reply) - sizeof(x->s.reply.frame));
		x->s.reply.len = k->len;
		if (scn_reply_decode(&x->s, &x->s.reply) == 0)
			scn_reply_text(&x->s.reply, &b);
	}
	(void)scn_fail(&x->s, "%s %s; state %s; not yet spoken of:%s", what, word,
		       client_state_name(x->c.state), b.p ? b.p : " nothing");
	buf_fini(&b);
	return -1;
}

/* --- messages --------------------------------------------------------------------------------- */

static int decode(struct cscn *x, const struct cscn_effect *k)
{
	struct scn_reply *r = &x->s.reply;

	memset((uint8_t *)r + sizeof(r->frame), 0, sizeof(*r) - sizeof(r->frame));
	memcpy(r->frame, k->frame, k->len);
	r->len = k->len;
	r->tx.to_mac = k->e.kind == EFFECT_SEND_RAW;
	if (scn_reply_decode(&x->s, r) < 0)
		return -1;
	if (r->msg[0] != DHCP4_BOOTREQUEST || memcmp(r->msg + 28, x->c.link.mac, 6) != 0 ||
	    r->msg_len < 300 || r->pkt.sport != 68 || r->pkt.dport != 67)
		return scn_fail(&x->s,
				"op, chaddr, length or ports of a message are not a client's");
	return 0;
}

/* time=3.1~0.5: seconds since the case began */
static bool time_is(const struct cscn_effect *k, const char *v)
{
	double want;
	double width = 0.002;
	double at = (double)(k->at_ns - CSCN_START_S * NS_PER_S) / 1e9;

	if (sscanf(v, "%lf~%lf", &want, &width) < 1)
		return false;
	return at >= want - width && at <= want + width;
}

static int check_message(struct cscn *x, const struct cscn_effect *k)
{
	for (size_t i = 2; i < x->s.n_words; i++) {
		const char *w = x->s.word[i];
		const char *v;
		int r;

		if ((v = scn_arg(w, "time")) != NULL)
			r = time_is(k, v);
		else if ((v = scn_arg(w, "via")) != NULL)
			r = strcmp(v, k->e.kind == EFFECT_SEND_RAW ? "raw" : "udp") == 0;
		else if (strcmp(w, "bcast") == 0 || strcmp(w, "no-bcast") == 0)
			r = (x->s.reply.msg[10] >> 7) == (w[0] == 'b');
		else if ((v = scn_arg(w, "min-secs")) != NULL)
			r = x->s.reply.msg[8] * 256 + x->s.reply.msg[9] >= atoi(v);
		else
			r = scn_check_word(&x->s.reply, w);
		if (r < 0)
			return scn_fail(&x->s, "what is %s?", w);
		if (r == 0) {
			struct buf b;

			buf_init(&b);
			scn_reply_text(&x->s.reply, &b);
			(void)scn_fail(&x->s, "not %s at %.3f: %s", w,
				       (double)(k->at_ns - CSCN_START_S * NS_PER_S) / 1e9, b.p);
			buf_fini(&b);
			return -1;
		}
	}
	return 0;
}

static int expect_message(struct cscn *x)
{
	char name[24];

	(void)snprintf(name, sizeof(name), "DHCP%s", x->s.word[1]);
	for (size_t i = 0; i < x->n_effects; i++) {
		struct cscn_effect *k = &x->effect[i];

		if (k->taken || !is_send(k->e.kind))
			continue;
		if (decode(x, k) < 0)
			return -1;
		if (strcmp(dhcp4_type_name((enum dhcp4_type)x->s.reply.opt[53][0]), name) != 0)
			return mismatch(x, "expected", x->s.word[1]);
		k->taken = true;
		return check_message(x, k);
	}
	return mismatch(x, "expected", x->s.word[1]);
}

/* --- other effects ---------------------------------------------------------------------------- */

static bool is_address(const struct cscn_effect *k, const char *w)
{
	char text[32];
	char ip[IP_TEXT_LEN];

	bool del = k->e.kind == EFFECT_DEL_ADDRESS;

	/* of a removed address the prefix is compared only where the line names one */
	if (k->e.kind == EFFECT_SET_ADDRESS || (del && strchr(w, '/')))
		(void)snprintf(text, sizeof(text), "%s/%u", ip_text(k->e.addr.address, ip),
			       k->e.addr.prefix_len);
	else if (del)
		(void)ip_text(k->e.addr.address, text);
	else
		(void)snprintf(text, sizeof(text), "%s", ip_text(k->e.address, ip));
	return strcmp(text, w) == 0;
}

/* 0.0.0.0/0:192.0.2.1,… in order */
static bool is_routes(const struct client_lease *l, const char *w)
{
	struct buf b;
	bool same;

	buf_init(&b);
	buf_str(&b, "");
	for (size_t i = 0; i < l->n_routes; i++) {
		char d[IP_TEXT_LEN];
		char g[IP_TEXT_LEN];

		buf_printf(&b, "%s%s/%u:%s", i ? "," : "", ip_text(l->route[i].dest, d),
			   l->route[i].len,
			   l->route[i].gateway ? ip_text(l->route[i].gateway, g) : "link");
	}
	same = strcmp(b.p, strcmp(w, "none") == 0 ? "" : w) == 0;
	buf_fini(&b);
	return same;
}

static bool is_arp(const struct cscn_effect *k, const char *w)
{
	struct rd r = rd_init(span_of(k->frame, k->len));
	struct eth_hdr eth;
	struct arp_packet a;
	uint32_t want = 0;
	const char *v = strchr(w, '=');

	if (!eth_read(&r, &eth) || !arp_read(&r, &a) || !v ||
	    ip_parse(v + 1, strlen(v + 1), &want) < 0)
		return false;
	/* a station is asked alone */
	if (strncmp(w, "ask=", 4) == 0)
		return a.op == ARP_REQUEST && a.spa && a.spa != want && a.tpa == want &&
		       !eth_is_group(eth.dst);
	return (strncmp(w, "probe=", 6) == 0 && a.spa == 0 && a.tpa == want) ||
	       (strncmp(w, "announce=", 9) == 0 && a.spa == want && a.tpa == want);
}

static bool word_is(const struct cscn_effect *k, const char *w)
{
	const char *v;

	if ((v = scn_arg(w, "time")) != NULL)
		return time_is(k, v);
	switch ((int)k->e.kind) {
	case EFFECT_SET_ADDRESS:
		if ((v = scn_arg(w, "valid")) != NULL)
			return k->e.addr.valid_s == (strcmp(v, "forever") == 0
							     ? UINT32_MAX
							     : (uint32_t)strtoul(v, NULL, 10));
		return is_address(k, w);
	case EFFECT_DEL_ADDRESS:
	case EFFECT_LISTEN_ARP:
	case EFFECT_LISTEN_UDP:
		return is_address(k, w);
	case EFFECT_SET_ROUTES:
		if ((v = scn_arg(w, "mtu")) != NULL)
			return k->lease.mtu == atoi(v);
		return is_routes(&k->lease, w);
	case EFFECT_SEND_ARP:
		return is_arp(k, w);
	case EFFECT_SCRIPT:
		if ((v = scn_arg(w, "udhcpc")) != NULL)
			return strcmp(client_reason_udhcpc(k->e.script.reason), v) == 0;
		if (strcmp(w, "old") == 0)
			return k->e.script.old != NULL;
		return strcmp(client_reason_dhclient(k->e.script.reason), w) == 0;
	case EFFECT_NOTIFY:
		return strcmp(client_notice_name(k->e.notice.what), w) == 0;
	case EFFECT_EXIT:
		return k->e.exit_code == (enum client_exit)atoi(w);
	default:
		return false;
	}
}

static bool is_kind(const struct cscn_effect *k, const char *name)
{
	return strcmp(effect_name(k->e.kind), name) == 0;
}

/* A notice or a script of many is looked for; of other kinds it is the next one. */
static bool may_skip(const struct cscn_effect *k)
{
	return k->e.kind == EFFECT_NOTIFY || k->e.kind == EFFECT_SCRIPT ||
	       k->e.kind == EFFECT_SEND_ARP;
}

static int expect_effect(struct cscn *x, const char *name, size_t from)
{
	for (size_t i = 0; i < x->n_effects; i++) {
		struct cscn_effect *k = &x->effect[i];
		bool same = true;
		size_t n;

		if (k->taken || !is_kind(k, name))
			continue;
		for (n = from; same && n < x->s.n_words; n++)
			same = word_is(k, x->s.word[n]);
		if (!same && may_skip(k))
			continue;
		if (!same)
			return mismatch(x, "it is not", x->s.word[n - 1]);
		k->taken = true;
		return 0;
	}
	return mismatch(x, "expected", name);
}

static int expect_none(struct cscn *x, const char *name)
{
	bool message = is_message(name);

	for (size_t i = 0; i < x->n_effects; i++) {
		const struct cscn_effect *k = &x->effect[i];

		if (!k->taken && (message ? is_send(k->e.kind) : is_kind(k, name)))
			return mismatch(x, "expected no", name);
	}
	return 0;
}

/* expect MESSAGE words | expect EFFECT words | expect no EFFECT | expect nothing */
int cdo_expect(struct cscn *x)
{
	if (x->s.n_words < 2)
		return scn_fail(&x->s, "expect MESSAGE|EFFECT words");
	if (strcmp(x->s.word[1], "nothing") == 0)
		return cscn_leftover(x);
	if (strcmp(x->s.word[1], "no") == 0 && x->s.n_words == 3)
		return expect_none(x, x->s.word[2]);
	return is_message(x->s.word[1]) ? expect_message(x) : expect_effect(x, x->s.word[1], 2);
}

/* Reports packets and changes of the interface that the script did not expect. */
int cscn_leftover(struct cscn *x)
{
	for (size_t i = 0; i < x->n_effects; i++) {
		struct cscn_effect *k = &x->effect[i];

		if (k->taken)
			continue;
		if (is_send(k->e.kind) || k->e.kind == EFFECT_SET_ADDRESS ||
		    k->e.kind == EFFECT_DEL_ADDRESS || k->e.kind == EFFECT_EXIT ||
		    k->e.kind == EFFECT_BACKGROUND)
			return mismatch(x, "expected nothing more, got", effect_name(k->e.kind));
	}
	return 0;
}

/* --- state ------------------------------------------------------------------------------------ */

int cdo_state(struct cscn *x)
{
	if (x->s.n_words != 2 || strcasecmp(client_state_name(x->c.state), x->s.word[1]) != 0)
		return mismatch(x, "state is not", x->s.n_words > 1 ? x->s.word[1] : "given");
	return 0;
}

/* dropped NAME: the last packet, by a row of client/core/drop.def or packet/drop.def */
int cdo_dropped(struct cscn *x)
{
	const char *name = x->s.n_words == 2 ? x->s.word[1] : "";

	for (unsigned d = 1; d < CLIENT_N_DROPS; d++) {
		if (strcmp(client_drop_name((enum client_drop)d), name) == 0 &&
		    x->c.stats.drop[d] > x->drop[d]) {
			x->dropped[d] = true;
			return 0;
		}
	}
	for (unsigned d = 1; d < DROP_N; d++)
		if (strcmp(drop_info((enum drop)d)->symbol, name) == 0 &&
		    x->c.stats.frame_drop[d] > x->frame_drop[d])
			return 0;
	for (unsigned d = 1; d < CLIENT_N_DROPS; d++)
		if (x->c.stats.drop[d] > x->drop[d])
			(void)fprintf(stderr, "    dropped: %s\n",
				      client_drop_name((enum client_drop)d));
	for (unsigned d = 1; d < DROP_N; d++)
		if (x->c.stats.frame_drop[d] > x->frame_drop[d])
			(void)fprintf(stderr, "    dropped: %s\n", drop_info((enum drop)d)->symbol);
	return scn_fail(&x->s, "no such drop: %s", name);
}

static bool lease_word(const struct client_lease *l, const char *w)
{
	const struct {
		const char *name;
		uint32_t v;
	} numbers[] = {{"lease", l->lease_s}, {"t1", l->t1_s}, {"t2", l->t2_s}, {"mtu", l->mtu}};
	char ip[IP_TEXT_LEN];
	const char *v;
	uint8_t want[1600];
	int code;
	int n;

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if ((v = scn_arg(w, numbers[i].name)) != NULL)
			return numbers[i].v == (strcmp(v, "infinite") == 0
							? UINT32_MAX
							: (uint32_t)strtoul(v, NULL, 10));
	if ((v = scn_arg(w, "mask")) != NULL)
		return strcmp(ip_text(l->mask, ip), v) == 0;
	if ((v = scn_arg(w, "server")) != NULL)
		return strcmp(ip_text(l->server_id, ip), v) == 0;
	if ((v = scn_arg(w, "routes")) != NULL)
		return is_routes(l, v);
	if ((v = scn_arg(w, "no")) != NULL)
		return !client_lease_option(l, (uint8_t)atoi(v)).p;
	if ((v = scn_arg(w, "server-mac")) != NULL)
		return scn_mac(v, want) == 0 && memcmp(want, l->server_mac, 6) == 0;
	code = scn_option_word(w, &v);
	n = code < 0 ? -1 : scn_value(v, scn_option_width(code), want, sizeof(want));
	return n >= 0 && span_eq(client_lease_option(l, (uint8_t)code), span_of(want, (size_t)n));
}

/* lease ADDRESS words: the lease in force */
int cdo_lease(struct cscn *x)
{
	const struct client_lease *l = &x->c.lease;
	char ip[IP_TEXT_LEN];

	if (x->s.n_words < 2 || strcmp(ip_text(l->address, ip), x->s.word[1]) != 0)
		return scn_fail(&x->s, "the lease is %s", ip_text(l->address, ip));
	for (size_t i = 2; i < x->s.n_words; i++)
		if (!lease_word(l, x->s.word[i]))
			return scn_fail(&x->s,
					"not %s: mask %s lease %u t1 %u t2 %u mtu %u, %u routes",
					x->s.word[i], ip_text(l->mask, ip), l->lease_s, l->t1_s,
					l->t2_s, l->mtu, l->n_routes);
	return 0;
}

/* said "TEXT": the words of the last NAK */
int cdo_said(struct cscn *x)
{
	char want[300];

	(void)snprintf(want, sizeof(want), "\"%s\"", x->c.said);
	if (x->s.n_words != 2 || strcmp(want, x->s.word[1]) != 0)
		return scn_fail(&x->s, "said %s", want);
	return 0;
}

/* due SECONDS[~WIDTH] | due never: the nearest deadline from now */
int cdo_due(struct cscn *x)
{
	double left = (double)(client_deadline(&x->c) - x->now) / 1e9;
	double want;
	double width = 0.002;

	if (x->s.n_words == 2 && strcmp(x->s.word[1], "never") == 0)
		return client_deadline(&x->c) ? scn_fail(&x->s, "something is due in %.3f s", left)
					      : 0;
	if (x->s.n_words != 2 || sscanf(x->s.word[1], "%lf~%lf", &want, &width) < 1)
		return scn_fail(&x->s, "due SECONDS[~WIDTH] | due never");
	if (!client_deadline(&x->c) || left < want - width || left > want + width)
		return scn_fail(&x->s, "due in %.3f s", client_deadline(&x->c) ? left : -1.0);
	return 0;
}

/* bound [ADDRESS/LEN]: the address was set, nothing else is open, and the state is BOUND */
int cdo_bound(struct cscn *x)
{
	if (x->c.state != CLIENT_BOUND)
		return mismatch(x, "state is not", "BOUND");
	return expect_effect(x, "set-address", 1);
}
