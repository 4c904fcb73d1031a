/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Message to bytes. First a plan assigns each option to a field or leaves it out, then the fields
 * are written from it. So no option is ever cut off, and the options counted as left out are those
 * that are missing. An option goes whole into one field; within the field it is split into adjacent
 * pieces of at most 255 octets. RFC 2131 4.1, RFC 2132 9.3, RFC 3046 2.1, RFC 3396 5 to 8.
 */
#include "wire/dhcp4.h"

#include "base/cursor.h"
#include "base/error.h"
#include "wire/dhcp4_internal.h"

enum {
	PIECE_MAX = 255,
	OVERLOAD_SIZE = 3,
	END_SIZE = 1,
	/* RFC 2132 9.10: the least maximum is 576 octets of IP datagram */
	MSG_MAX_LEAST = 576 - 28,
};

enum place { PLACE_OUT, PLACE_OPTIONS, PLACE_FILE, PLACE_SNAME };

struct plan {
	uint8_t place[256]; /* by code */
	unsigned n_omitted;
	uint8_t first_omitted;
	uint8_t overload; /* value of option 52, 0: none */
};

static size_t encoded_size(const struct dhcp4_option *o)
{
	size_t pieces = o->data.n ? (o->data.n + PIECE_MAX - 1) / PIECE_MAX : 1;

	return o->data.n + 2 * pieces;
}

/* Returns whether an option is essential: a client cannot use the answer without it. */
static bool essential(uint8_t code)
{
	return code == DHCP4_CODE_TYPE || code == DHCP4_CODE_SERVER_ID ||
	       code == DHCP4_CODE_LEASE_TIME || code == DHCP4_CODE_CLIENT_ID;
}

static bool all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

static bool spend_room(size_t *left, size_t need)
{
	if (need > *left)
		return false;
	*left -= need;
	return true;
}

/* Places the essentials first, then 82, each out of *left. False: the essentials do not fit. */
static bool plan_essentials(struct plan *pl, const struct dhcp4_msg *m, size_t *left)
{
	const struct dhcp4_option *agent = dhcp4_opt(m, DHCP4_CODE_AGENT);

	for (size_t i = 0; i < m->n_opts; i++) {
		if (!essential(m->opts[i].code))
			continue;
		if (!spend_room(left, encoded_size(&m->opts[i])))
			return false;
		pl->place[m->opts[i].code] = PLACE_OPTIONS;
	}
	if (agent && spend_room(left, encoded_size(agent)))
		pl->place[agent->code] = PLACE_OPTIONS;
	return true;
}

static void plan_option(struct plan *pl, const struct dhcp4_option *o, size_t left[4])
{
	size_t need = encoded_size(o);

	/* RFC 3046 2.2: never in sname or file */
	if (pl->place[o->code] != PLACE_OUT)
		return;
	for (int at = PLACE_OPTIONS; at <= PLACE_SNAME && o->code != DHCP4_CODE_AGENT; at++) {
		if (spend_room(&left[at], need)) {
			pl->place[o->code] = (uint8_t)at;
			if (at == PLACE_FILE)
				pl->overload |= DHCP4_OVERLOAD_FILE;
			else if (at == PLACE_SNAME)
				pl->overload |= DHCP4_OVERLOAD_SNAME;
			return;
		}
	}
	if (pl->n_omitted++ == 0)
		pl->first_omitted = o->code;
}

/* Plans the field of each option. room: octets of the options field. False: the essentials do not
 * fit. */
static bool plan_make(struct plan *pl, const struct dhcp4_msg *m, size_t room, bool overload)
{
	size_t left[4] = {0};

	*pl = (struct plan){0};
	if (!spend_room(&room, END_SIZE + (overload ? OVERLOAD_SIZE : 0)))
		return false;
	if (!plan_essentials(pl, m, &room))
		return false;
	left[PLACE_OPTIONS] = room;
	/* a field with content of its own is not taken, also when the caller allowed it */
	if (overload && all_zero(m->file, sizeof(m->file)))
		left[PLACE_FILE] = DHCP4_FILE_LEN - END_SIZE;
	if (overload && all_zero(m->sname, sizeof(m->sname)))
		left[PLACE_SNAME] = DHCP4_SNAME_LEN - END_SIZE;
	for (size_t i = 0; i < m->n_opts; i++)
		if (m->opts[i].code != DHCP4_CODE_OVERLOAD)
			plan_option(pl, &m->opts[i], left);
	return true;
}

static void option_write(struct wr *w, const struct dhcp4_option *o)
{
	struct rd r = rd_init(o->data);

	if (likely(o->data.n <= PIECE_MAX)) {
		uint8_t *p = wr_room(w, o->data.n + 2);

		if (p) {
			p[0] = o->code;
			p[1] = (uint8_t)o->data.n;
			if (o->data.n == 4)
				memcpy(p + 2, o->data.p, 4); /* most are an address or a time */
			else if (o->data.n)
				memcpy(p + 2, o->data.p, o->data.n);
		}
		return;
	}
	do {
		size_t n = rd_left(&r) < PIECE_MAX ? rd_left(&r) : PIECE_MAX;

		wr_u8(w, o->code);
		wr_u8(w, (uint8_t)n);
		wr_span(w, rd_bytes(&r, n));
	} while (rd_left(&r));
}

/* Returns whether all options fit into this many octets of the options field. Most messages do:
 * they need no plan. */
static bool all_fit(const struct dhcp4_msg *m, size_t room)
{
	size_t need = END_SIZE;

	for (size_t i = 0; i < m->n_opts; i++)
		need += encoded_size(&m->opts[i]);
	return need <= room;
}

static void field_write(struct wr *w, const struct dhcp4_msg *m, const struct plan *pl,
			enum place at)
{
	for (size_t i = 0; i < m->n_opts; i++) {
		const struct dhcp4_option *o = &m->opts[i];

		if (pl->place[o->code] == at && o->code != DHCP4_CODE_AGENT)
			option_write(w, o);
	}
}

/* Writes the options of an overloaded field, or the field's own content. No plan: nothing is
 * overloaded. */
static void boot_field_write(struct wr *w, const struct dhcp4_msg *m, const struct plan *pl,
			     enum place at)
{
	size_t len = at == PLACE_FILE ? DHCP4_FILE_LEN : DHCP4_SNAME_LEN;
	uint8_t bit = at == PLACE_FILE ? DHCP4_OVERLOAD_FILE : DHCP4_OVERLOAD_SNAME;
	size_t end = w->len + len;

	if (!pl || !(pl->overload & bit)) {
		wr_bytes(w, at == PLACE_FILE ? m->file : m->sname, len);
		return;
	}
	field_write(w, m, pl, at);
	wr_u8(w, DHCP4_CODE_END);
	wr_zero(w, end - w->len);
}

static void header_write(struct wr *w, const struct dhcp4_msg *m, const struct plan *pl)
{
	wr_u8(w, m->op);
	wr_u8(w, m->htype);
	wr_u8(w, m->hlen);
	wr_u8(w, m->hops);
	wr_be32(w, m->xid);
	wr_be16(w, m->secs);
	wr_be16(w, m->flags);
	wr_be32(w, m->ciaddr);
	wr_be32(w, m->yiaddr);
	wr_be32(w, m->siaddr);
	wr_be32(w, m->giaddr);
	wr_bytes(w, m->chaddr, sizeof(m->chaddr));
	boot_field_write(w, m, pl, PLACE_SNAME);
	boot_field_write(w, m, pl, PLACE_FILE);
	wr_be32(w, DHCP4_MAGIC);
}

static void options_write(struct wr *w, const struct dhcp4_msg *m, const struct plan *pl)
{
	field_write(w, m, pl, PLACE_OPTIONS);
	if (pl->overload)
		option_write(w, &(struct dhcp4_option){DHCP4_CODE_OVERLOAD,
						       span_of(&pl->overload, 1)});
	/* RFC 3046 2.1: last but for END */
	if (pl->place[DHCP4_CODE_AGENT] == PLACE_OPTIONS)
		option_write(w, dhcp4_opt(m, DHCP4_CODE_AGENT));
	wr_u8(w, DHCP4_CODE_END);
}

/* Writes a message in which all options fit, in order; 52 is the encoder's own, and 82 comes
 * last. */
static void plain_write(struct wr *w, const struct dhcp4_msg *m)
{
	const struct dhcp4_option *agent = dhcp4_opt(m, DHCP4_CODE_AGENT);

	header_write(w, m, NULL);
	for (size_t i = 0; i < m->n_opts; i++) {
		const struct dhcp4_option *o = &m->opts[i];

		if (o != agent && o->code != DHCP4_CODE_OVERLOAD)
			option_write(w, o);
	}
	if (agent)
		option_write(w, agent);
	wr_u8(w, DHCP4_CODE_END);
}

/* Writes by the plan: options that do not fit are overloaded or left out. -USHER_E_NOSPACE: the
 * essentials do not fit. */
static int planned_write(struct wr *w, const struct dhcp4_msg *m, const struct dhcp4_encode_opts *o,
			 size_t room, struct plan *pl)
{
	struct plan with;

	if (!plan_make(pl, m, room, false))
		return -USHER_E_NOSPACE;
	/* overload costs three octets itself: only where it carries more than it displaces */
	if (pl->n_omitted && !o->no_overload && plan_make(&with, m, room, true) &&
	    with.n_omitted < pl->n_omitted)
		*pl = with;
	header_write(w, m, pl);
	options_write(w, m, pl);
	return 0;
}

int dhcp4_encode(const struct dhcp4_msg *m, const struct dhcp4_encode_opts *o, uint8_t *buf,
		 size_t cap, struct dhcp4_encoded *ret)
{
	size_t limit = o->max_len > MSG_MAX_LEAST ? o->max_len : MSG_MAX_LEAST;
	struct wr w = wr_init(buf, cap);
	struct dhcp4_encoded e = {0};

	if (limit > cap)
		limit = cap;
	if (limit < DHCP4_MIN_LEN)
		return -USHER_E_NOSPACE;
	if (all_fit(m, limit - DHCP4_MIN_LEN)) {
		plain_write(&w, m);
	} else {
		struct plan pl;

		if (planned_write(&w, m, o, limit - DHCP4_MIN_LEN, &pl) < 0)
			return -USHER_E_NOSPACE;
		e.n_omitted = pl.n_omitted;
		e.first_omitted = pl.first_omitted;
		e.overloaded = pl.overload != 0;
	}
	if (w.len < o->min_len && wr_ok(&w))
		wr_zero(&w, (o->min_len < cap ? o->min_len : cap) - w.len);
	if (!wr_ok(&w))
		return -USHER_E_NOSPACE;
	e.len = w.len;
	*ret = e;
	return 0;
}
