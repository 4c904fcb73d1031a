/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Packet slots, and the table of drop reasons.
 */
#include "packet/packet.h"

#include "base/spell.h"

static const char names[DROP_N][SPELL_LEN] = {
	[DROP_NONE] = "",
#define DROP(symbol, statistic, sentence) [DROP_##symbol] = SPELL_DROP(#symbol),
#include "packet/drop.def"
#undef DROP
};

#define DROP(symbol, statistic, sentence) SPELL_FITS(#symbol);
#include "packet/drop.def"
#undef DROP

static const struct drop_info infos[DROP_N] = {
	[DROP_NONE] = {"NONE", names[DROP_NONE], "", "not dropped"},
#define DROP(symbol, statistic, sentence) \
	[DROP_##symbol] = {#symbol, names[DROP_##symbol], statistic, sentence},
#include "packet/drop.def"
#undef DROP
};

const struct drop_info *drop_info(enum drop d)
{
	return &infos[(unsigned)d < DROP_N ? d : DROP_NONE];
}

void packet_init(struct packet *p, uint8_t *data, size_t data_cap, void *arena_mem,
		 size_t arena_cap)
{
	*p = (struct packet){.data = data, .cap = (uint32_t)data_cap};
	arena_init_fixed(&p->arena, arena_mem, arena_cap);
	packet_reset(p);
}

void packet_set_arena(struct packet *p, void *arena_mem, size_t arena_cap)
{
	arena_init_fixed(&p->arena, arena_mem, arena_cap);
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
