/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Definitions of options: code, name, type. The standard ones are the rows of options.def;
 * an operator defines more (option-def). From a definition follow: the value's text to bytes
 * (configuration), bytes to text (logs, expressions' .text, traces), and the checks of both.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/span.h"

enum option_type {
	OPTION_EMPTY,
	OPTION_BINARY,
	OPTION_BOOLEAN,
	OPTION_INT8,
	OPTION_INT16,
	OPTION_INT32,
	OPTION_UINT8,
	OPTION_UINT16,
	OPTION_UINT32,
	OPTION_IPV4, /* "ipv4-address" */
	OPTION_IPV6, /* "ipv6-address" */
	OPTION_IPV6_PREFIX,
	OPTION_PSID,
	OPTION_STRING,
	OPTION_TUPLE,
	OPTION_FQDN,
	OPTION_RECORD,
	OPTION_INTERNAL, /* a format of its own, which its codec knows */
	OPTION_N_TYPES
};

enum { OPTION_RECORD_MAX = 16 };

/* The format of the data: a row of option_codecs.def. */
enum option_codec {
#define OPTION_CODEC(symbol, read, encode) OPTION_CODEC_##symbol,
#include "wire/option_codecs.def"
	OPTION_N_CODECS
};

enum option_flag {
	OPTION_F_ARRAY = 1,	 /* the value (or the record's last field) repeats */
	OPTION_F_SERVER_SET = 2, /* computed by the server, or sent by clients only */
};

/* Spaces are named; the built-in ones: */
#define OPTION_SPACE_DHCP4  "dhcp4"
#define OPTION_SPACE_RAI    "dhcp-agent-options-space"
#define OPTION_SPACE_VENDOR "vendor-encapsulated-options-space"
#define OPTION_SPACE_DOCSIS "vendor-4491"

struct option_def {
	uint32_t code;
	const char *name;
	const char *space;
	enum option_type type;
	uint8_t flags;
	uint8_t n_record;
	uint8_t record[OPTION_RECORD_MAX]; /* enum option_type of each field */
	enum option_codec codec;	   /* 0: by the type */
	const char *encapsulate;	   /* space of the sub-options, or "" */
	const char *rfc;
};

/* Returns the standard definition in a built-in space, or NULL. */
const struct option_def *option_def_by_code(const char *space, uint32_t code);
const struct option_def *option_def_by_name(const char *space, const char *name);
/* Returns row i of the table: NULL at the end. */
const struct option_def *option_def_at(size_t i);

/* Returns the format of an operator's definition: that of the standard option of its code, unless
 * just one of the two types is internal. */
enum option_codec option_codec_of(const char *space, uint32_t code, enum option_type type);

/* Finds a type by its name, "uint32" for OPTION_UINT32; -USHER_E_UNKNOWN. */
int option_type_parse(const char *name, enum option_type *ret) must_check;
const char *option_type_name(enum option_type t);

/*
 * Encodes text to bytes by a definition. csv: comma separated fields ("\," is a comma in a string),
 * as Kea's csv-format true; otherwise hex ("0a0b", "0x0a0b", "0a:0b", "0a 0b") or a 'quoted'
 * string. The bytes lie in arena. On failure *ret_why (in arena) names the expectation. On success
 * it is NULL, or names the part of the text without effect (values beyond those that the type has).
 * 0 or -USHER_E_SYNTAX, -USHER_E_RANGE, -USHER_E_NOMEM.
 */
int option_encode_text(const struct option_def *def, const char *text, bool csv,
		       struct arena *arena, struct span *ret, const char **ret_why) must_check;

/* Reads octets as hex or a 'quoted' string, for any option; results as of option_encode_text(). */
int option_encode_raw(const char *text, struct arena *arena, struct span *ret, const char **ret_why)
	must_check;

/* Returns whether these bytes fit the definition (length rules of RFC 2132 and the type). */
bool option_data_valid(const struct option_def *def, struct span data);

/*
 * Writes bytes as text, in the form of the expressions' .text: addresses dotted, numbers decimal,
 * booleans true/false, strings as they are, binary as lower-case hex, fields separated by ", ".
 * Data that does not fit def becomes hex.
 */
void option_text(const struct option_def *def, struct span data, struct buf *out);
