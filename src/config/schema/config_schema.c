/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The rows of config_schema.def as tables. Keys are found by walking the rows: a map has few keys,
 * and the first letter decides most comparisons.
 */
#include "config/schema/config_schema.h"

#include "base/nearest.h"

#include <strings.h>

#define X(sym)	 (1u << SCHEMA_##sym)
#define G	 X(GLOBAL)
#define N	 X(NETWORK)
#define S	 X(SUBNET)
#define P	 X(POOL)
#define C	 X(CLASS)
#define R	 X(HOST)
#define ALL_MAPS ((1u << SCHEMA_N) - 1)
#define U32	 ((int64_t)UINT32_MAX)
#define REQ	 SCHEMA_REQ
#define INH	 SCHEMA_INH
#define NOP	 SCHEMA_NOP

#define ROW(maps, name, type, sub, min, max, dflt, words, flags) \
	{maps, name, SCHEMA_##type, sub, min, max, dflt, words, flags},
#define BOOLEAN(maps, name, dflt, flags) ROW(maps, name, BOOL, 0, 0, 0, dflt, NULL, flags)
#define INTEGER(maps, name, min, max, dflt, flags) \
	ROW(maps, name, INT, 0, min, max, dflt, NULL, flags)
#define NUMBER(maps, name, min, max, dflt, flags) \
	ROW(maps, name, REAL, 0, min, max, dflt, NULL, flags)
#define STRING(maps, name, dflt, flags)	      ROW(maps, name, TEXT, 0, 0, 0, dflt, NULL, flags)
#define WORDS(maps, name, words, dflt, flags) ROW(maps, name, ENUM, 0, 0, 0, dflt, words, flags)
#define ADDRESS(maps, name, dflt, flags)      ROW(maps, name, ADDR, 0, 0, 0, dflt, NULL, flags)
#define LIST(maps, name, kind, dflt, flags)   ROW(maps, name, kind, 0, 0, 0, dflt, NULL, flags)
#define MAP(maps, name, sub, dflt, flags) \
	ROW(maps, name, MAP, SCHEMA_##sub, 0, 0, dflt, NULL, flags)
#define MAPS(maps, name, sub, dflt, flags) \
	ROW(maps, name, MAPS, SCHEMA_##sub, 0, 0, dflt, NULL, flags)
#define ANY(maps, name, flags) ROW(maps, name, ANY, 0, 0, 0, NULL, NULL, flags)

const struct schema_key schema_keys[] = {
#include "config/schema/config_schema.def"
};
const size_t schema_n_keys = sizeof(schema_keys) / sizeof(schema_keys[0]);

#undef BOOLEAN
#undef INTEGER
#undef NUMBER
#undef STRING
#undef WORDS
#undef ADDRESS
#undef LIST
#undef MAP
#undef MAPS
#undef ANY

static const struct schema_old olds[] = {
#define OLD_NAME(maps, old, name, wrap) {maps, old, name, wrap},
#include "config/schema/config_schema.def"
#undef OLD_NAME
};

const struct schema_moved schema_moved[] = {
#define MOVED(from, old, name) {SCHEMA_##from, old, name},
#include "config/schema/config_schema.def"
#undef MOVED
};
const size_t schema_n_moved = sizeof(schema_moved) / sizeof(schema_moved[0]);

static const char *const ctx_names[] = {
#define MAP_KIND(sym, name) name,
#include "config/schema/config_schema.def"
#undef MAP_KIND
};

const char *schema_ctx_name(enum schema_ctx ctx)
{
	return ctx_names[ctx];
}

const struct schema_key *schema_find(enum schema_ctx ctx, const char *name)
{
	for (size_t i = 0; i < schema_n_keys; i++)
		if (schema_keys[i].maps >> ctx & 1 && schema_keys[i].name[0] == name[0] &&
		    strcmp(schema_keys[i].name, name) == 0)
			return &schema_keys[i];
	return NULL;
}

const struct schema_old *schema_find_old(enum schema_ctx ctx, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(olds); i++)
		if (olds[i].maps >> ctx & 1 && strcmp(olds[i].old, name) == 0)
			return &olds[i];
	return NULL;
}

const char *schema_suggest(enum schema_ctx ctx, const char *name)
{
	unsigned best = (unsigned)strlen(name) / 3 + 1;
	const char *found = NULL;

	if (strlen(name) > NEAREST_NAME_MAX)
		return NULL;
	for (size_t i = 0; i < schema_n_keys; i++) {
		unsigned d;

		if (!(schema_keys[i].maps >> ctx & 1))
			continue;
		d = name_distance(name, schema_keys[i].name);
		if (d < best || (d == best && !found)) {
			best = d;
			found = schema_keys[i].name;
		}
	}
	return found;
}

int schema_word(const char *words, const char *s)
{
	size_t n = strlen(s);
	int i = 0;

	for (const char *w = words;; i++) {
		size_t len = strcspn(w, "|");

		if (len == n && strncasecmp(w, s, n) == 0)
			return i;
		w += len;
		if (!*w++)
			return -1;
	}
}
