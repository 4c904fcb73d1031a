/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Replies: taken from the captures, decoded, compared with the script's expectations.
 */
#include "scn.h"

#include "base/cursor.h"
#include "base/ip.h"
#include "capture/capture.h"
#include "server/worker/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_TURNS = 5000, WAIT_US = 1000 };

bool scn_reply_next(struct scn *s, struct scn_reply *r)
{
	for (size_t i = 0; i < s->n_ifaces; i++) {
		struct capture_tx tx;
		size_t n;

		if (!s->capture[i])
			continue;
		n = capture_memory_pop(s->capture[i], r->frame, sizeof(r->frame), &tx);
		if (!n)
			continue;
		memset((uint8_t *)r + sizeof(r->frame), 0, sizeof(*r) - sizeof(r->frame));
		r->len = n;
		r->tx.to_mac = tx.to_mac;
		r->tx.ifindex = s->iface[i].ifindex;
		return true;
	}
	return false;
}

static int mismatch(struct scn *s, const char *want, const char *why)
{
	struct buf b;

	buf_init(&b);
	scn_reply_text(&s->reply, &b);
	(void)scn_fail(s, "expected %s%s%s\n    got: %s", want, why[0] ? ", " : "", why,
		       b.p ? b.p : "");
	buf_fini(&b);
	return -1;
}

int scn_no_more_replies(struct scn *s)
{
	if (!s->running || !scn_reply_next(s, &s->reply))
		return 0;
	s->has_reply = scn_reply_decode(s, &s->reply) == 0;
	return mismatch(s, "no reply", "");
}

/* --- expect ----------------------------------------------------------------------------------- */

static int expect_drop(struct scn *s, const char *name)
{
	for (unsigned d = 1; d < DROP_N; d++) {
		uint64_t now = server_drop_count(&s->d.srv, (enum drop)d);

		if (strcmp(drop_info((enum drop)d)->symbol, name) == 0 && now == s->drops[d])
			(void)scn_fail(s, "expected one more drop %s, it stands at %llu", name,
				       (unsigned long long)now);
	}
	for (unsigned d = 1; d < DROP_N && s->failed; d++)
		if (server_drop_count(&s->d.srv, (enum drop)d) != s->drops[d])
			(void)fprintf(stderr, "    moved: %s\n", drop_info((enum drop)d)->symbol);
	return s->failed ? -1 : 0;
}

/* expect nothing [drop=NAME ...] */
static int expect_nothing(struct scn *s)
{
	if (scn_no_more_replies(s) < 0)
		return -1;
	for (size_t i = 2; i < s->n_words; i++) {
		const char *v = scn_arg(s->word[i], "drop");

		if (!v)
			return scn_fail(s, "what is %s?", s->word[i]);
		if (expect_drop(s, v) < 0)
			return -1;
	}
	return 0;
}

static void say_drops(struct scn *s)
{
	for (unsigned d = 1; d < DROP_N; d++)
		if (server_drop_count(&s->d.srv, (enum drop)d) != s->drops[d])
			(void)fprintf(stderr, "    dropped: %s\n", drop_info((enum drop)d)->symbol);
}

static int take_reply(struct scn *s, const char *type)
{
	char name[24];

	if (!s->running || !scn_reply_next(s, &s->reply)) {
		(void)scn_fail(s, "expected %s, got nothing", type);
		say_drops(s);
		return -1;
	}
	s->has_reply = true;
	if (scn_reply_decode(s, &s->reply) < 0 || scn_reply_strict(s, &s->reply) < 0)
		return mismatch(s, type, "well formed");
	if (!s->reply.has[53]) /* to a BOOTP client */
		return strcmp(type, "NONE") == 0 ? 0 : mismatch(s, type, "");
	(void)snprintf(name, sizeof(name), "DHCP%s", type);
	if (strcmp(dhcp4_type_name((enum dhcp4_type)s->reply.opt[53][0]), name) != 0)
		return mismatch(s, type, "");
	return 0;
}

static int check_words(struct scn *s, size_t from)
{
	for (size_t i = from; i < s->n_words; i++) {
		int r = scn_check_word(&s->reply, s->word[i]);

		if (r < 0)
			return scn_fail(s, "what is %s?", s->word[i]);
		if (r == 0)
			return mismatch(s, s->word[i], "");
	}
	return 0;
}

int do_expect(struct scn *s)
{
	if (s->n_words < 2)
		return scn_fail(s, "expect TYPE ... | expect nothing [drop=NAME]");
	if (strcmp(s->word[1], "nothing") == 0)
		return expect_nothing(s);
	return take_reply(s, s->word[1]) < 0 ? -1 : check_words(s, 2);
}

/* let NAME = field | option number | text */
int do_let(struct scn *s)
{
	const char *v;
	char word[64];
	char text[3300];
	struct buf b;

	if (s->n_words != 4 || strcmp(s->word[2], "=") != 0)
		return scn_fail(s, "let NAME = FIELD");
	(void)snprintf(word, sizeof(word), "%s=", s->word[3]);
	buf_init(&b);
	if (scn_field(word, &v)) {
		const struct scn_field *f = scn_field(word, &v);

		if (!s->has_reply)
			return scn_fail(s, "there is no reply");
		if (f->len == 4)
			buf_str(&b, ip_text((uint32_t)s->reply.msg[f->off] << 24 |
						    s->reply.msg[f->off + 1] << 16 |
						    s->reply.msg[f->off + 2] << 8 |
						    s->reply.msg[f->off + 3],
					    text));
	} else if (scn_option_word(word, &v) >= 0) {
		int code = scn_option_word(word, &v);

		buf_str(&b, "hex:");
		buf_hex(&b, span_of(s->reply.opt[code], s->reply.opt_len[code]), 0);
	} else {
		buf_str(&b, s->word[3]);
	}
	scn_let(s, s->word[1], b.p);
	buf_fini(&b);
	return 0;
}

/* wait: for another thread, until there is a reply or five seconds are over */
int do_wait(struct scn *s)
{
	for (int i = 0; i < WAIT_TURNS; i++) {
		struct capture_stats st;
		uint64_t sent = 0;

		scn_world_run(s);
		for (size_t k = 0; k < s->n_ifaces; k++) {
			capture_stats(s->capture[k], &st);
			sent += st.sent;
		}
		if (sent > (s->n_words > 1 ? strtoul(s->word[1], NULL, 10) : 0))
			return 0;
		(void)usleep(WAIT_US);
	}
	return scn_fail(s, "no reply came");
}

/* bind CLIENT [= ADDRESS] [words for both messages]: DISCOVER to ACK */
int do_bind(struct scn *s)
{
	bool named = s->n_words > 3 && strcmp(s->word[2], "=") == 0;
	static char from_word[] = "from";
	char request[24];
	char server[24];
	char want[32];
	size_t skip = named ? 4 : 2;
	size_t n = s->n_words - (s->n_words > skip ? skip : s->n_words);
	char *words[SCN_WORDS];

	if (s->n_words < 2 || n + 6 > SCN_WORDS)
		return scn_fail(s, "bind CLIENT [= ADDRESS] ...");
	(void)snprintf(want, sizeof(want), "yiaddr=%s", named ? s->word[3] : "");
	memcpy(words, s->word + skip, n * sizeof(*words));
	s->word[2] = from_word;
	s->word[3] = s->word[1];
	memcpy(s->word + 4, words, n * sizeof(*words));
	s->n_words = 4 + n;
	if (scn_send_words(s, 2, "DISCOVER", true, NULL) < 0 || take_reply(s, "OFFER") < 0)
		return -1;
	(void)snprintf(request, sizeof(request), "50=%u.%u.%u.%u", s->reply.msg[16],
		       s->reply.msg[17], s->reply.msg[18], s->reply.msg[19]);
	(void)snprintf(server, sizeof(server), "54=%u.%u.%u.%u", s->reply.opt[54][0],
		       s->reply.opt[54][1], s->reply.opt[54][2], s->reply.opt[54][3]);
	if (named && scn_check_word(&s->reply, want) != 1)
		return mismatch(s, want, "in the OFFER");
	s->word[s->n_words++] = server;
	s->word[s->n_words++] = request;
	if (scn_send_words(s, 2, "REQUEST", true, NULL) < 0 || take_reply(s, "ACK") < 0)
		return -1;
	if (named && scn_check_word(&s->reply, want) != 1)
		return mismatch(s, want, "in the ACK");
	return 0;
}
