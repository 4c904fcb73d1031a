/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The schema of the configuration: config_schema.def as tables, and look-ups in them. Constant;
 * any thread.
 */
#pragma once

#include "config/json/json.h"

enum schema_ctx {
#define MAP_KIND(sym, name) SCHEMA_##sym,
#include "config/schema/config_schema.def"
#undef MAP_KIND
	SCHEMA_N
};

enum schema_type {
	SCHEMA_BOOL,
	SCHEMA_INT,
	SCHEMA_REAL,
	SCHEMA_TEXT,
	SCHEMA_ENUM,
	SCHEMA_ADDR,
	SCHEMA_STRINGS,
	SCHEMA_ADDRS,
	SCHEMA_MAP,
	SCHEMA_MAPS,
	SCHEMA_ANY,
};

enum schema_flag {
	SCHEMA_REQ = 1,
	SCHEMA_INH = 2,
	SCHEMA_NOP = 4,
};

struct schema_key {
	uint32_t maps; /* bits by enum schema_ctx */
	const char *name;
	enum schema_type type;
	enum schema_ctx sub; /* of maps */
	int64_t min, max;
	const char *dflt;  /* JSON text, or NULL */
	const char *words; /* of an enum: "a|b" */
	unsigned flags;
};

struct schema_old {
	uint32_t maps;
	const char *old, *name;
	bool wrap;
};

/* A key that stood in a map inside of Dhcp4 and belongs to Dhcp4 itself. */
struct schema_moved {
	enum schema_ctx from;
	const char *old, *name;
};

extern const struct schema_moved schema_moved[];
extern const size_t schema_n_moved;
extern const struct schema_key schema_keys[];
extern const size_t schema_n_keys;

const char *schema_ctx_name(enum schema_ctx ctx);
const struct schema_key *schema_find(enum schema_ctx ctx, const char *name);
/* Returns the row of an older name, or NULL. */
const struct schema_old *schema_find_old(enum schema_ctx ctx, const char *name);
/* Returns the key nearest to name, or NULL if none is near. */
const char *schema_suggest(enum schema_ctx ctx, const char *name);
/* Returns the place in "a|b|c" of the word equal to s but for case; -1: none. */
int schema_word(const char *words, const char *s);
