/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Shared only by the files that convert options to text and back. Readers take a cursor and a
 * buffer for the text. The buffer is NULL where only validity matters: on the packet path, which
 * must not allocate. Writers append to an encoder.
 */
#pragma once

#include "base/cursor.h"
#include "wire/option_def.h"

/* An encoding in progress. */
struct option_enc {
	struct buf out;
	struct arena *arena;
	const char *why;    /* of the first failure */
	const char *unused; /* the part without effect, or NULL */
	bool wide_tuples;   /* their lengths have two octets */
};

/* Reads the data of an option to its end: false if it does not fit. The text goes to out, which may
 * be NULL. */
typedef bool option_read_fn(const struct option_def *def, struct span data, struct buf *out);
/* Appends the data that the text stands for. 0, or negative with the reason in e. */
typedef int option_encode_fn(struct option_enc *e, const struct option_def *def, const char *text);

/* The functions of the codecs; ROUTES (RFC 3442): "10.0.0.0/8 - 192.0.2.1, ..."; DNR (RFC 9463):
 * instances separated by "|", each "priority, name" or
 * "priority, name, address address, key=value key=value"; keys alpn (values separated by "\,"),
 * no-default-alpn, port, dohpath and keyN=hex, in ascending order of their numbers. */
#define OPTION_CODEC(symbol, read, encode) option_read_fn read;
#include "wire/option_codecs.def"
option_encode_fn option_fields_encode, option_wide_tuples_encode, option_routes_encode,
	option_dnr_encode;

/* Encodes a text by the codec of the definition. */
int option_codec_encode(struct option_enc *e, const struct option_def *def, const char *text)
	must_check;

/* Records why and returns e. */
int option_enc_fail(struct option_enc *e, int err, const char *fmt, ...) printf_like(3, 4);
void option_enc_be(struct option_enc *e, uint64_t v, size_t width);
/* Parses a decimal or 0x hex number in [min, max]. */
int option_enc_number(struct option_enc *e, const char *s, int64_t min, int64_t max, int64_t *ret)
	must_check;
int option_enc_ipv4(struct option_enc *e, const char *s) must_check;
int option_enc_fqdn(struct option_enc *e, const char *s) must_check;
int option_enc_hex(struct option_enc *e, const char *s) must_check;
/* Cuts white space off both ends, in place. */
char *option_trim(char *s);
/*
 * Takes the text up to the next sep from *text, trimmed, in the arena. A sep behind a backslash
 * does not count, if that backslash only guards a separator. NULL: *text is used up (*text is NULL
 * then).
 */
char *option_text_split(struct arena *a, const char **text, char sep);

/* Appends formatted text; does nothing if out is NULL. */
void option_put(struct buf *out, const char *fmt, ...) printf_like(2, 3);
void option_put_hex(struct buf *out, struct span s);
void option_put_ipv4(struct buf *out, uint32_t addr);
