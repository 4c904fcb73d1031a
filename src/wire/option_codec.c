/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The codecs of options by number, and option data to text. Data that a codec refuses is shown as
 * hex.
 */
#include "wire/option_internal.h"

static const struct {
	option_read_fn *read;
	option_encode_fn *encode;
} codecs[OPTION_N_CODECS] = {
#define OPTION_CODEC(symbol, read, encode) {read, encode},
#include "wire/option_codecs.def"
};

int option_codec_encode(struct option_enc *e, const struct option_def *def, const char *text)
{
	return codecs[def->codec].encode(e, def, text);
}

bool option_data_valid(const struct option_def *def, struct span data)
{
	return codecs[def->codec].read(def, data, NULL);
}

void option_text(const struct option_def *def, struct span data, struct buf *out)
{
	if (option_data_valid(def, data))
		(void)codecs[def->codec].read(def, data, out);
	else
		buf_hex(out, data, '\0');
}
