/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The list of effects, and the names of its members, drawn from effect.def and notice.def.
 */
#include "client/core/effects.h"

void effects_reset(struct effects *fx)
{
	fx->n = 0;
	fx->data_len = 0;
	fx->overflow = false;
}

struct effect *effects_add(struct effects *fx, enum effect_kind kind)
{
	struct effect *e;

	if (fx->n == EFFECTS_MAX) {
		fx->overflow = true;
		fx->n--;
	}
	e = &fx->item[fx->n++];
	*e = (struct effect){.kind = kind};
	return e;
}

struct row {
	const char *name, *sentence;
	bool error;
};

static const struct row effects[] = {
#define EFFECT(symbol, name, sentence) {name, sentence, false},
#include "client/core/effect.def"
#undef EFFECT
};

static const struct row notices[] = {
#define NOTICE(symbol, name, error, sentence) {name, sentence, error},
#include "client/core/notice.def"
#undef NOTICE
};

const char *effect_name(enum effect_kind kind)
{
	return effects[kind].name;
}

const char *effect_sentence(enum effect_kind kind)
{
	return effects[kind].sentence;
}

const char *client_notice_name(enum client_notice n)
{
	return notices[n].name;
}

const char *client_notice_sentence(enum client_notice n)
{
	return notices[n].sentence;
}

bool client_notice_is_error(enum client_notice n)
{
	return notices[n].error;
}

static const struct {
	const char *udhcpc, *dhclient;
} reasons[CLIENT_N_REASONS] = {
	[CLIENT_REASON_PREINIT] = {"deconfig", "PREINIT"},
	[CLIENT_REASON_BOUND] = {"bound", "BOUND"},
	[CLIENT_REASON_REBOOT] = {"bound", "REBOOT"},
	[CLIENT_REASON_RENEW] = {"renew", "RENEW"},
	[CLIENT_REASON_REBIND] = {"renew", "REBIND"},
	[CLIENT_REASON_INFORM] = {"renew", "RENEW"},
	[CLIENT_REASON_NAK] = {"nak", "NAK"},
	[CLIENT_REASON_EXPIRE] = {"deconfig", "EXPIRE"},
	[CLIENT_REASON_RELEASE] = {"deconfig", "RELEASE"},
	[CLIENT_REASON_STOP] = {"deconfig", "STOP"},
	[CLIENT_REASON_FAIL] = {"leasefail", "FAIL"},
};

const char *client_reason_udhcpc(enum client_reason r)
{
	return reasons[r].udhcpc;
}

const char *client_reason_dhclient(enum client_reason r)
{
	return reasons[r].dhclient;
}
