/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The table of drop reasons.
 */
#include "base/spell.h"
#include "gate/engine/gate_packet.h"

static const char names[GATE_DROP_N][SPELL_LEN] = {
	[GATE_DROP_NONE] = "",
#define DROP(symbol, kind, sentence) [GATE_DROP_##symbol] = SPELL_DROP(#symbol),
#include "gate/engine/drop.def"
#undef DROP
};

#define DROP(symbol, kind, sentence) SPELL_FITS(#symbol);
#include "gate/engine/drop.def"
#undef DROP

static const struct gate_drop_info infos[GATE_DROP_N] = {
	[GATE_DROP_NONE] = {"NONE", names[GATE_DROP_NONE], "not dropped", GATE_KIND_RULE},
#define DROP(symbol, kind, sentence) \
	[GATE_DROP_##symbol] = {#symbol, names[GATE_DROP_##symbol], sentence, GATE_KIND_##kind},
#include "gate/engine/drop.def"
#undef DROP
};

const struct gate_drop_info *gate_drop_info(enum gate_drop d)
{
	return &infos[(unsigned)d < GATE_DROP_N ? d : GATE_DROP_NONE];
}
