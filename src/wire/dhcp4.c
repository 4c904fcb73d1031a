/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The message object: its option list, typed readers and setters, sub-option containers.
 * Invariants: pos[code] is the index of code in opts plus one, or 0; no code is in the list twice,
 * codes 0 (PAD) and 255 (END) never. RFC 2131 2, RFC 2132, RFC 3046 2.0.
 */
#include "wire/dhcp4.h"

#include "base/cursor.h"
#include "base/error.h"
#include "wire/dhcp4_internal.h"

enum { OPTS_MIN_CAP = 16, SUBOPT_END = 255 };

void dhcp4_init(struct dhcp4_msg *m, struct arena *arena)
{
	*m = (struct dhcp4_msg){.arena = arena};
}

int dhcp4_opts_reserve(struct dhcp4_msg *m, size_t cap)
{
	struct dhcp4_option *opts;

	if (cap <= m->cap_opts)
		return 0;
	opts = arena_alloc(m->arena, cap * sizeof(*opts));
	if (!opts)
		return -USHER_E_NOMEM;
	if (m->n_opts)
		memcpy(opts, m->opts, m->n_opts * sizeof(*opts));
	m->opts = opts;
	m->cap_opts = (uint16_t)cap;
	return 0;
}

bool dhcp4_opt_u8(const struct dhcp4_msg *m, uint8_t code, uint8_t *ret)
{
	struct rd r = rd_init(dhcp4_opt_data(m, code));

	if (r.n != 1)
		return false;
	*ret = rd_u8(&r);
	return true;
}

bool dhcp4_opt_u16(const struct dhcp4_msg *m, uint8_t code, uint16_t *ret)
{
	struct rd r = rd_init(dhcp4_opt_data(m, code));

	if (r.n != 2)
		return false;
	*ret = rd_be16(&r);
	return true;
}

bool dhcp4_opt_u32(const struct dhcp4_msg *m, uint8_t code, uint32_t *ret)
{
	struct rd r = rd_init(dhcp4_opt_data(m, code));

	if (r.n != 4)
		return false;
	*ret = rd_be32(&r);
	return true;
}

enum dhcp4_type dhcp4_msg_type(const struct dhcp4_msg *m)
{
	uint8_t v;

	if (!dhcp4_opt_u8(m, DHCP4_CODE_TYPE, &v) || v >= DHCP4_N_TYPES)
		return DHCP4_NOTYPE;
	return (enum dhcp4_type)v;
}

const char *dhcp4_type_name(enum dhcp4_type t)
{
	static const char *const names[DHCP4_N_TYPES] = {
		[DHCP4_DISCOVER] = "DHCPDISCOVER",
		[DHCP4_OFFER] = "DHCPOFFER",
		[DHCP4_REQUEST] = "DHCPREQUEST",
		[DHCP4_DECLINE] = "DHCPDECLINE",
		[DHCP4_ACK] = "DHCPACK",
		[DHCP4_NAK] = "DHCPNAK",
		[DHCP4_RELEASE] = "DHCPRELEASE",
		[DHCP4_INFORM] = "DHCPINFORM",
		[DHCP4_FORCERENEW] = "DHCPFORCERENEW",
		[DHCP4_LEASEQUERY] = "DHCPLEASEQUERY",
		[DHCP4_LEASEUNASSIGNED] = "DHCPLEASEUNASSIGNED",
		[DHCP4_LEASEUNKNOWN] = "DHCPLEASEUNKNOWN",
		[DHCP4_LEASEACTIVE] = "DHCPLEASEACTIVE",
		[DHCP4_BULKLEASEQUERY] = "DHCPBULKLEASEQUERY",
		[DHCP4_LEASEQUERYDONE] = "DHCPLEASEQUERYDONE",
		[DHCP4_ACTIVELEASEQUERY] = "DHCPACTIVELEASEQUERY",
		[DHCP4_LEASEQUERYSTATUS] = "DHCPLEASEQUERYSTATUS",
		[DHCP4_TLS] = "DHCPTLS",
	};

	if ((unsigned)t >= DHCP4_N_TYPES || !names[t])
		return "UNKNOWN";
	return names[t];
}

int dhcp4_opt_set_ref(struct dhcp4_msg *m, uint8_t code, struct span data)
{
	if (code == DHCP4_CODE_PAD || code == DHCP4_CODE_END)
		return -USHER_E_RANGE;
	if (m->pos[code]) {
		m->opts[m->pos[code] - 1].data = data;
		return 0;
	}
	if (m->n_opts == m->cap_opts) {
		size_t cap = m->cap_opts ? (size_t)m->cap_opts * 2 : OPTS_MIN_CAP;

		if (dhcp4_opts_reserve(m, cap) < 0)
			return -USHER_E_NOMEM;
	}
	dhcp4_opt_append(m, code, data);
	return 0;
}

int dhcp4_opt_set(struct dhcp4_msg *m, uint8_t code, struct span data)
{
	const void *copy = arena_memdup(m->arena, data.p, data.n);

	if (!copy)
		return -USHER_E_NOMEM;
	return dhcp4_opt_set_ref(m, code, span_of(copy, data.n));
}

int dhcp4_opt_set_u8(struct dhcp4_msg *m, uint8_t code, uint8_t v)
{
	return dhcp4_opt_set(m, code, span_of(&v, 1));
}

int dhcp4_opt_set_u32(struct dhcp4_msg *m, uint8_t code, uint32_t v)
{
	void *p = arena_alloc(m->arena, sizeof(v));
	struct wr w = wr_init(p, sizeof(v));

	if (!p)
		return -USHER_E_NOMEM;
	wr_be32(&w, v);
	return dhcp4_opt_set_ref(m, code, span_of(p, sizeof(v)));
}

bool dhcp4_opt_del(struct dhcp4_msg *m, uint8_t code)
{
	size_t at = m->pos[code];

	if (!at)
		return false;
	m->pos[code] = 0;
	m->n_opts--;
	for (size_t i = at - 1; i < m->n_opts; i++) {
		m->opts[i] = m->opts[i + 1];
		m->pos[m->opts[i].code] = (uint8_t)(i + 1);
	}
	return true;
}

/* Reads the next sub-option. False at the end (the cursor stays good) or where the container
 * breaks. */
static bool subopt_next(struct rd *r, uint8_t *ret_code, struct span *ret)
{
	if (!rd_left(r))
		return false;
	*ret_code = rd_u8(r);
	/* RFC 2132 8.4: a vendor may close 43 with END; a lone 255 cannot be anything else */
	if (*ret_code == SUBOPT_END && !rd_left(r))
		return false;
	*ret = rd_bytes(r, rd_u8(r));
	return rd_ok(r);
}

bool dhcp4_subopt(struct span container, uint8_t code, struct span *ret)
{
	struct rd r = rd_init(container);
	struct span data;
	uint8_t c;

	while (subopt_next(&r, &c, &data)) {
		if (c == code) {
			*ret = data;
			return true;
		}
	}
	*ret = SPAN_NULL;
	return false;
}

bool dhcp4_subopts_valid(struct span container)
{
	struct rd r = rd_init(container);
	struct span data;
	uint8_t c;

	while (subopt_next(&r, &c, &data))
		;
	return rd_ok(&r);
}
