/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Validity of option data by every definition of options.def, on arbitrary octets of every length
 * up to DATA: integers, addresses, names with compression, routes, tuples, records, resolvers.
 */
#include "wire/option_def.h"

#include "__fc_builtin.h"

#ifndef DATA
#define DATA 4
#endif

static uint8_t data[DATA];

int main(void)
{
	const struct option_def *d;

	Frama_C_make_unknown((char *)data, sizeof(data));
	for (size_t i = 0; (d = option_def_at(i)) != NULL; i++)
		for (size_t n = 0; n <= DATA; n++)
			(void)option_data_valid(d, span_of(data + DATA - n, n));
	return 0;
}
