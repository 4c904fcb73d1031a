/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The table of standard options (options.def) and its look-ups, and the names of the types.
 * The dhcp4 rows come first and are ordered by code; an index by code is not kept, because
 * configurations resolve definitions once and keep the pointer.
 */
#include "wire/option_def.h"

#include "base/error.h"

#include <string.h>

/* the short words of options.def */
#define ARRAY  OPTION_F_ARRAY
#define SERVER OPTION_F_SERVER_SET
#define NONE      \
	0,        \
	{         \
		0 \
	}
#define F(type) OPTION_##type
#define REC2(a, b)         \
	2,                 \
	{                  \
		F(a), F(b) \
	}
#define REC3(a, b, c)            \
	3,                       \
	{                        \
		F(a), F(b), F(c) \
	}
#define REC4(a, b, c, d)               \
	4,                             \
	{                              \
		F(a), F(b), F(c), F(d) \
	}
static const struct option_def defs[] = {
#define DHCP4_OPTION(code, symbol, name, type, flags, record, codec, encapsulate, rfc) \
	{                                                                              \
		code,  name,   OPTION_SPACE_DHCP4,   OPTION_##type,                    \
		flags, record, OPTION_CODEC_##codec, encapsulate,                      \
		rfc},
#define RAI_OPTION(code, symbol, name, type, flags, record, codec, encapsulate, rfc)              \
	{code,	      name, OPTION_SPACE_RAI, OPTION_##type, flags, record, OPTION_CODEC_##codec, \
	 encapsulate, rfc},
#define CABLELABS_OPTION(code, symbol, name, type, flags, record, codec, encapsulate, rfc) \
	{code,	name,	"cablelabs-client-conf", OPTION_##type,                            \
	 flags, record, OPTION_CODEC_##codec,	 encapsulate,                              \
	 rfc},
#define VENDOR_4491_OPTION(code, symbol, name, type, flags, record, codec, encapsulate, rfc)   \
	{code,	      name, "vendor-4491", OPTION_##type, flags, record, OPTION_CODEC_##codec, \
	 encapsulate, rfc},
#include "wire/options.def"
};

#undef REC4
#undef REC3
#undef REC2
#undef F
#undef NONE
#undef SERVER
#undef ARRAY

static const char *const type_names[OPTION_N_TYPES] = {
	[OPTION_EMPTY] = "empty",	[OPTION_BINARY] = "binary",
	[OPTION_BOOLEAN] = "boolean",	[OPTION_INT8] = "int8",
	[OPTION_INT16] = "int16",	[OPTION_INT32] = "int32",
	[OPTION_UINT8] = "uint8",	[OPTION_UINT16] = "uint16",
	[OPTION_UINT32] = "uint32",	[OPTION_IPV4] = "ipv4-address",
	[OPTION_IPV6] = "ipv6-address", [OPTION_IPV6_PREFIX] = "ipv6-prefix",
	[OPTION_PSID] = "psid",		[OPTION_STRING] = "string",
	[OPTION_TUPLE] = "tuple",	[OPTION_FQDN] = "fqdn",
	[OPTION_RECORD] = "record",	[OPTION_INTERNAL] = "internal",
};

const struct option_def *option_def_by_code(const char *space, uint32_t code)
{
	for (size_t i = 0; i < ARRAY_LEN(defs); i++)
		if (defs[i].code == code && strcmp(defs[i].space, space) == 0)
			return &defs[i];
	return NULL;
}

const struct option_def *option_def_by_name(const char *space, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(defs); i++)
		if (strcmp(defs[i].name, name) == 0 && strcmp(defs[i].space, space) == 0)
			return &defs[i];
	return NULL;
}

const struct option_def *option_def_at(size_t i)
{
	return i < ARRAY_LEN(defs) ? &defs[i] : NULL;
}

enum option_codec option_codec_of(const char *space, uint32_t code, enum option_type type)
{
	const struct option_def *std = option_def_by_code(space, code);

	if (!std || (std->type == OPTION_INTERNAL) != (type == OPTION_INTERNAL))
		return OPTION_CODEC_FIELDS;
	return std->codec;
}

int option_type_parse(const char *name, enum option_type *ret)
{
	for (size_t t = 0; t < OPTION_N_TYPES; t++) {
		if (strcmp(type_names[t], name) == 0) {
			*ret = (enum option_type)t;
			return 0;
		}
	}
	return -USHER_E_UNKNOWN;
}

const char *option_type_name(enum option_type t)
{
	return (unsigned)t < OPTION_N_TYPES ? type_names[t] : "unknown";
}
