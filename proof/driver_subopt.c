/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Sub-options (43, 82, ...) on a container of arbitrary octets of every length up to OPTS: each
 * result lies inside.
 */
#include "wire/dhcp4.h"

#include "__fc_builtin.h"

enum { OPTS = 8 };

static uint8_t data[OPTS];

int main(void)
{
	struct span s;

	Frama_C_make_unknown((char *)data, sizeof(data));
	for (size_t n = 0; n <= OPTS; n++) {
		struct span all = span_of(data + OPTS - n, n);

		(void)dhcp4_subopts_valid(all);
		if (dhcp4_subopt(all, (uint8_t)Frama_C_interval(0, 255), &s))
			/*@ assert inside: s.n <= n; */
			for (size_t i = 0; i < s.n; i++)
				(void)(s.p[i] + 1);
	}
	return 0;
}
