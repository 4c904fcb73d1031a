/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The cursors, by induction. A reader over a buffer keeps `p + n is its end`, a writer `len <=
 * cap`. From every state that keeps it (every size up to CAP, every position, bad or not) one call
 * of every function with every length is made on arbitrary octets: none reads or writes outside,
 * and the state behind it keeps the invariant again. So no sequence of calls ever does. The loops
 * are unrolled: each state is analysed apart, nothing is approximated.
 */
#include "base/cursor.h"

#include "__fc_builtin.h"

enum { CAP = 6 };

static uint8_t buf[CAP], out[CAP], src[CAP + 1];

static void read_call(struct rd *r, int call, size_t n)
{
	uint8_t copy[CAP + 1];
	struct span s;
	struct rd sub;

	switch (call) {
	case 0:
		(void)rd_u8(r);
		break;
	case 1:
		(void)rd_be16(r);
		break;
	case 2:
		(void)rd_be32(r);
		break;
	case 3:
		rd_copy(r, copy, n);
		break;
	case 4:
		sub = rd_sub(r, n);
		/*@ assert sub_is_inside: sub.n <= n && (sub.bad || sub.n == n); */
		(void)rd_be16(&sub);
		break;
	default:
		s = rd_bytes(r, n);
		/*@ assert all_or_nothing: s.n == n || (s.n == 0 && r->bad); */
		for (size_t i = 0; i < s.n; i++)
			src[i] = s.p[i];
	}
}

static void read_all(void)
{
	for (size_t left = 0; left <= CAP; left++)
		for (size_t n = 0; n <= CAP + 1; n++)
			for (int call = 0; call < 6; call++)
				for (int bad = 0; bad < 2; bad++) {
					struct rd r = {buf + CAP - left, left, bad};

					read_call(&r, call, n);
					/*@ assert end_stays: r.p + r.n == &buf[0] + CAP && r.n <=
					 * left; */
					/*@ assert bad_is_sticky: !bad || (r.bad && r.n == left); */
				}
}

static void write_call(struct wr *w, int call, size_t n)
{
	switch (call) {
	case 0:
		wr_u8(w, src[0]);
		break;
	case 1:
		wr_be16(w, (uint16_t)Frama_C_interval(0, 65535));
		break;
	case 2:
		wr_be32(w, (uint32_t)Frama_C_interval(0, 65535) << 16);
		break;
	case 3:
		wr_bytes(w, src, n);
		break;
	case 4:
		wr_zero(w, n);
		break;
	case 5:
		wr_span(w, span_of(src, n));
		break;
	default:
		wr_patch_be16(w, n, (uint16_t)Frama_C_interval(0, 65535));
	}
}

static void write_all(void)
{
	for (size_t cap = 0; cap <= CAP; cap++)
		for (size_t len = 0; len <= cap; len++)
			for (size_t n = 0; n <= CAP + 1; n++)
				for (int call = 0; call < 7; call++)
					for (int bad = 0; bad < 2; bad++) {
						/* the buffer ends where its capacity does */
						struct wr w = {out + CAP - cap, cap, len, bad};

						write_call(&w, call, n);
						/*@ assert len_within_cap: w.len <= w.cap && w.cap
						 * == cap; */
						/*@ assert bad_is_sticky: !bad || (w.bad && w.len ==
						 * len); */
					}
}

int main(void)
{
	Frama_C_make_unknown((char *)buf, sizeof(buf));
	Frama_C_make_unknown((char *)src, sizeof(src));
	read_all();
	write_all();
	return 0;
}
