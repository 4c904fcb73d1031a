/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Packet slots, and the table of drop reasons. The statistics' names are spelled from the symbols
 * at compile time, character by character, so that drop.def says each name once.
 */
#include "packet/packet.h"

enum { NAME_LEN = 40 };

/* Character i of s as it stands in a name; NUL behind its end. */
#define AT(s, i)    ((i) < sizeof(s) ? (s)[(i) < sizeof(s) ? (i) : 0] : '\0')
#define LOWER(c)    ((c) == '_' ? '-' : (c) >= 'A' && (c) <= 'Z' ? (c) + ('a' - 'A') : (c))
#define CH(s, i)    LOWER(AT(s, i))
#define CH4(s, i)   CH(s, i), CH(s, (i) + 1), CH(s, (i) + 2), CH(s, (i) + 3)
#define CH16(s, i)  CH4(s, i), CH4(s, (i) + 4), CH4(s, (i) + 8), CH4(s, (i) + 12)
#define SPELL(s)    {'d', 'r', 'o', 'p', '-', CH16(s, 0U), CH16(s, 16U), '\0'}

static const char names[DROP_N][NAME_LEN] = {
	[DROP_NONE] = "",
#define D(symbol, statistic, sentence) [DROP_##symbol] = SPELL(#symbol),
#include "packet/drop.def"
#undef D
};

#define D(symbol, statistic, sentence)                                                             \
	_Static_assert(sizeof(#symbol) <= 32, "CH16 twice spells 32 characters");
#include "packet/drop.def"
#undef D

static const struct drop_info infos[DROP_N] = {
	[DROP_NONE] = {"NONE", names[DROP_NONE], "", "not dropped"},
#define D(symbol, statistic, sentence)                                                             \
	[DROP_##symbol] = {#symbol, names[DROP_##symbol], statistic, sentence},
#include "packet/drop.def"
#undef D
};

const struct drop_info *drop_info(enum drop d)
{
	return &infos[(unsigned)d < DROP_N ? d : DROP_NONE];
}

void packet_init(struct packet *p, uint8_t *data, size_t data_cap, void *arena_mem, size_t arena_cap)
{
	*p = (struct packet){.data = data, .cap = (uint32_t)data_cap};
	arena_init_fixed(&p->arena, arena_mem, arena_cap);
	packet_reset(p);
}

void packet_reset(struct packet *p)
{
	struct arena arena = p->arena;

	arena_reset(&arena);
	*p = (struct packet){
		.data = p->data,
		.cap = p->cap,
		.l2 = PACKET_NO_LAYER,
		.l3 = PACKET_NO_LAYER,
		.l4 = PACKET_NO_LAYER,
		.app = PACKET_NO_LAYER,
		.arena = arena,
	};
}
