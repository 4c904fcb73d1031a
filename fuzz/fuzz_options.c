/* SPDX-License-Identifier: MPL-2.0 */
/* Data as every definition: text(encode(text(data))) == text(data); and the data as text. */
#include "fuzz.h"
#include "wire/option_def.h"

static bool round_trips(const struct option_def *d)
{
	/* texts as they are may hold commas; 81 may be partial; containers hold anything */
	bool plain = d->type != OPTION_STRING && d->type != OPTION_TUPLE && d->code != 81;

	for (size_t i = 0; i < d->n_record; i++)
		plain = plain && d->record[i] != OPTION_STRING;
	return plain && !d->encapsulate[0] && d->code != 125;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct option_def *d = size ? option_def_at(data[0]) : NULL;

	if (!d)
		return 0;
	fuzz_option_text(d, span_of(data + 1, size - 1), round_trips(d));
	fuzz_option_encode(d, span_of(data + 1, size - 1));
	return 0;
}
