/* SPDX-License-Identifier: MPL-2.0 */
/*
 * INFORM: options without a lease, either as the whole purpose (--inform) or beside a lease, whose
 * own exchange it does not touch. RFC 2131 4.4.3.
 */
#include "client/core/action.h"
#include "client/core/message.h"
#include "client/core/timing.h"

#include "base/cursor.h"
#include "wire/option_codes.h"

static const uint32_t everybody = 0xffffffffU;

static bool is_inform_alone(const struct client_step *s)
{
	return s->c->state == CLIENT_INFORMING;
}

static void send_once(struct client_step *s)
{
	struct client *c = s->c;
	uint32_t src = is_inform_alone(s) ? c->link.address : c->lease.address;
	uint32_t dst = is_inform_alone(s) ? everybody : c->lease.server_id;

	c->inform.tries++;
	/* without an address no answer can reach the client; an address may still be set */
	if (src)
		step_send_udp(s, CLIENT_MSG_INFORM, is_inform_alone(s) ? NULL : &c->lease,
			      &c->inform, src, dst);
	step_timer(s, CLIENT_TIMER_INFORM, client_backoff_ns(c->inform.tries, step_random(s)));
}

void action_send_inform(struct client_step *s)
{
	step_new_xact(s, &s->c->inform);
	send_once(s);
}

void action_inform_again(struct client_step *s)
{
	struct client *c = s->c;

	if (!is_inform_alone(s) && c->inform.tries >= CLIENT_REQUEST_TRIES) {
		c->inform.active = false;
		step_notify(s, CLIENT_NOTICE_NO_ANSWER);
		return;
	}
	send_once(s);
}

void action_take_options(struct client_step *s)
{
	struct client *c = s->c;

	c->lease = *s->msg->lease;
	c->lease.address = c->link.address;
	c->inform.active = false;
	step_timer_off(s, CLIENT_TIMER_INFORM);
	step_script(s, CLIENT_REASON_INFORM, &c->lease, NULL);
	step_notify(s, CLIENT_NOTICE_OPTIONS);
	step_ready(s);
}

/* Returns whether an option is a term of the lease itself, which the answer to an INFORM does not
 * change. */
static bool of_lease(uint8_t code)
{
	return code == DHCP4_OPT_LEASE_TIME || code == DHCP4_OPT_RENEWAL_TIME ||
	       code == DHCP4_OPT_REBINDING_TIME || code == DHCP4_OPT_SERVER_ID ||
	       code == DHCP4_OPT_MESSAGE_TYPE || code == DHCP4_OPT_SUBNET_MASK;
}

/* Appends options of a lease. Without `unless`: all but the terms of the lease. With `unless`:
 * the terms of the lease, and the options that `unless` does not have. */
static void append_options(struct wr *w, const struct client_lease *from,
			   const struct client_lease *unless)
{
	struct rd r = rd_init(span_of(from->options, from->options_len));

	while (rd_left(&r)) {
		uint8_t code = rd_u8(&r);
		struct span data = rd_bytes(&r, rd_be16(&r));
		bool skip = unless ? !of_lease(code) && client_lease_option(unless, code).p
				   : of_lease(code);

		if (!rd_ok(&r) || skip || wr_left(w) < data.n + 3)
			continue;
		wr_u8(w, code);
		wr_be16(w, (uint16_t)data.n);
		wr_span(w, data);
	}
}

void action_merge_options(struct client_step *s)
{
	struct client *c = s->c;
	struct wr w = wr_init(c->lease.options, sizeof(c->lease.options));

	c->old = c->lease;
	c->has_old = true;
	append_options(&w, s->msg->lease, NULL);
	append_options(&w, &c->old, s->msg->lease);
	c->lease.options_len = (uint16_t)w.len;
	c->inform.active = false;
	step_timer_off(s, CLIENT_TIMER_INFORM);
	step_script(s, CLIENT_REASON_INFORM, &c->lease, &c->old);
	step_notify(s, CLIENT_NOTICE_OPTIONS);
}
