/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Names spelled from the symbols of a table at compile time, character by character, so that the
 * table has each name once: SPELL("drop-", …) is an initializer of a char array, in lower case with
 * hyphens. Symbols of at most 32 characters.
 */
#pragma once

/* Character i of s as it stands in a name; NUL behind its end. */
#define SPELL_AT(s, i) ((i) < sizeof(s) ? (s)[(i) < sizeof(s) ? (i) : 0] : '\0')
#define SPELL_LOWER(c) ((c) == '_' ? '-' : (c) >= 'A' && (c) <= 'Z' ? (c) + ('a' - 'A') : (c))
#define SPELL_CH(s, i) SPELL_LOWER(SPELL_AT(s, i))
#define SPELL_CH4(s, i) \
	SPELL_CH(s, i), SPELL_CH(s, (i) + 1), SPELL_CH(s, (i) + 2), SPELL_CH(s, (i) + 3)
#define SPELL_CH16(s, i) \
	SPELL_CH4(s, i), SPELL_CH4(s, (i) + 4), SPELL_CH4(s, (i) + 8), SPELL_CH4(s, (i) + 12)
#define SPELL_DROP(s)                                                                \
	{                                                                            \
		'd', 'r', 'o', 'p', '-', SPELL_CH16(s, 0U), SPELL_CH16(s, 16U), '\0' \
	}
#define SPELL_FITS(s) _Static_assert(sizeof(s) <= 32, "SPELL_CH16 twice spells 32 characters")

enum { SPELL_LEN = 40 };
