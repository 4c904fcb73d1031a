/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Queries: puts the packet of a send directive into a capture.
 */
#include "scn_build.h"

#include "capture/capture.h"
#include "wire/option_codes.h"

#include <stdlib.h>
#include <string.h>

static void remember(struct scn_build *b)
{
	struct scn *s = b->s;
	struct scn_query *q = &s->query[s->n_queries++ % SCN_QUERIES];

	*q = (struct scn_query){.max_size = 576, .bootp = b->no_type};
	memcpy(q->head, b->msg, sizeof(q->head));
	for (size_t i = 0; i + 4 <= b->opts.len; i += 2U + b->opts.base[i + 1])
		if (b->opts.base[i] == 57 && b->opts.base[i + 1] == 2) {
			unsigned v = (unsigned)b->opts.base[i + 2] << 8 | b->opts.base[i + 3];

			q->max_size = v > 576 ? v : 576;
		}
}

static struct iface *iface_of(struct scn *s, size_t at)
{
	const char *name = scn_find(s, at, "iface");

	for (size_t i = 0; name && i < s->n_ifaces; i++)
		if (strcmp(s->iface[i].name, name) == 0)
			return &s->iface[i];
	return &s->iface[0];
}

static int push(struct scn_build *b, const struct iface *iface)
{
	struct scn *s = b->s;
	uint8_t out[SCN_MSG_MAX];
	struct capture_memory_frame f = {
		.frame = span_of(out, scn_build_frame(b, out, sizeof(out))),
		.ifindex = iface->ifindex,
		.ts_ns = s->clock.wall,
		.flags = (uint16_t)b->flags,
	};
	struct capture *c = s->capture[iface - s->iface];

	if (!c || capture_memory_push(c, &f) < 0)
		return scn_fail(s, "the interface is down");
	remember(b);
	return 0;
}

/* From a client to servers. */
static void defaults(struct scn_build *b, const struct iface *iface)
{
	b->sport = DHCP4_CLIENT_PORT;
	b->dport = DHCP4_SERVER_PORT;
	b->head[0] = DHCP4_BOOTREQUEST;
	scn_put_be(b->head + 4, 4, b->s->next_xid++);
	if (!iface->n_addrs)
		return;
	b->to_addr = iface->addrs[0].addr;
	memcpy(b->to_mac, iface->mac, sizeof(b->to_mac));
}

static int begin(struct scn_build *b, size_t at, const char *type)
{
	struct scn *s = b->s;
	int n = scn_type_number(type);

	for (size_t i = at; i < s->n_words; i++)
		b->no_type |= strcmp(s->word[i], "no-type") == 0;
	if (n < 0 && strcmp(type, "NONE") != 0)
		return scn_fail(s, "%s is no message type", type);
	if (n >= 0 && !b->no_type)
		scn_build_option(b, DHCP4_OPT_MESSAGE_TYPE, (const uint8_t[]){(uint8_t)n}, 1);
	return scn_build_words(b, at);
}

/* Another hardware address and transaction. */
static void become_stranger(struct scn_build *b, unsigned i)
{
	b->smac[1] = 0x5f;
	scn_put_be(b->smac + 2, 4, i);
	memcpy(b->head + 28, b->smac, 6);
	scn_put_be(b->head + 4, 4, b->s->next_xid++);
}

static int push_all(struct scn_build *b, const struct iface *iface, bool run)
{
	struct scn *s = b->s;
	int r = 0;

	for (unsigned d = 0; d < DROP_N && run; d++)
		s->drops[d] = server_drop_count(&s->d.srv, (enum drop)d);
	for (unsigned i = 0; r == 0 && i < b->strangers; i++) {
		become_stranger(b, i);
		r = push(b, iface);
		if (!run)
			continue;
		scn_world_run(s);
		while (scn_reply_next(s, &s->reply))
			s->has_reply = false;
	}
	for (unsigned i = 0; r == 0 && i < b->count && !b->strangers; i++)
		r = push(b, iface);
	if (r == 0 && run)
		scn_world_run(s);
	return r;
}

int scn_send_words(struct scn *s, size_t at, const char *type, bool run, bool *ret_sent)
{
	struct scn_build *b = calloc(1, sizeof(*b));
	const struct iface *iface = iface_of(s, at);
	int r = b ? scn_world_need(s) : -1;

	if (r == 0 && run)
		r = scn_no_more_replies(s);
	if (r == 0) {
		scn_build_init(b, s);
		defaults(b, iface);
		r = begin(b, at, type);
	}
	if (r == 0)
		r = push_all(b, iface, run);
	if (ret_sent)
		*ret_sent = r == 0;
	free(b);
	return r;
}

int do_send(struct scn *s)
{
	if (s->n_words < 2)
		return scn_fail(s, "send TYPE from CLIENT ...");
	return scn_send_words(s, 2, s->word[1], true, NULL);
}

/* queue: like send, but nothing runs before `run` */
int do_queue(struct scn *s)
{
	if (s->n_words < 2)
		return scn_fail(s, "queue TYPE from CLIENT ...");
	return scn_send_words(s, 2, s->word[1], false, NULL);
}

int do_run(struct scn *s)
{
	if (scn_world_need(s) < 0)
		return -1;
	for (unsigned d = 0; d < DROP_N; d++)
		s->drops[d] = server_drop_count(&s->d.srv, (enum drop)d);
	scn_world_run(s);
	return 0;
}

/* fail-send COUNT ERRNO */
int do_fail_send(struct scn *s)
{
	if (s->n_words != 3 || scn_world_need(s) < 0)
		return scn_fail(s, "fail-send COUNT ERRNO");
	capture_memory_fail_sends(s->capture[0], (unsigned)atoi(s->word[1]), atoi(s->word[2]));
	return 0;
}

/* receive-queue FRAMES */
int do_receive_queue(struct scn *s)
{
	if (s->n_words != 2 || scn_world_need(s) < 0)
		return scn_fail(s, "receive-queue FRAMES");
	capture_memory_limit(s->capture[0], (size_t)atoi(s->word[1]));
	return 0;
}
