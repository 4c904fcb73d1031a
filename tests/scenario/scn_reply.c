/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Replies: taken from the captures, decoded, held against what the script expects.
 */
#include "scn.h"

#include "base/cursor.h"
#include "base/ip.h"
#include "capture/capture.h"
#include "server/worker.h"

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

static void text_option(const struct scn_reply *r, unsigned code, struct buf *out)
{
	buf_printf(out, " %u=hex:", code);
	buf_hex(out, span_of(r->opt[code], r->opt_len[code]), 0);
	if (r->opt_len[code] == 4)
		buf_printf(out, "(%u.%u.%u.%u)", r->opt[code][0], r->opt[code][1], r->opt[code][2], r->opt[code][3]);
}

void scn_reply_text(const struct scn_reply *r, struct buf *out)
{
	char ip[IP_TEXT_LEN];

	buf_printf(out, "%s to=%s:%u", r->has[53] ? dhcp4_type_name((enum dhcp4_type)r->opt[53][0]) : "no type",
		   ip_text(r->pkt.dst, ip), r->pkt.dport);
	buf_printf(out, " src=%s frame=", ip_text(r->pkt.src, ip));
	buf_hex(out, span_of(r->pkt.l2_dst, 6), ':');
	buf_printf(out, r->tx.to_mac ? "" : "(routed)");
	for (unsigned off = 12; r->msg && off < 28; off += 4) {
		static const char *const names[] = {"ciaddr", "yiaddr", "siaddr", "giaddr"};

		buf_printf(out, " %s=%u.%u.%u.%u", names[off / 4 - 3], r->msg[off], r->msg[off + 1],
			   r->msg[off + 2], r->msg[off + 3]);
	}
	for (size_t i = 0; i < r->n_order; i++)
		text_option(r, r->opt_order[i], out);
}

static int mismatch(struct scn *s, const char *want, const char *why)
{
	struct buf b;

	buf_init(&b);
	scn_reply_text(&s->reply, &b);
	(void)scn_fail(s, "expected %s%s%s\n    got: %s", want, why[0] ? ", " : "", why, b.p ? b.p : "");
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

/* --- expect ------------------------------------------------------------------------------------- */

static bool is_to(const struct scn_reply *r, const char *v)
{
	char text[32];
	char ip[IP_TEXT_LEN];

	if (strchr(v, ':'))
		(void)snprintf(text, sizeof(text), "%s:%u", ip_text(r->pkt.dst, ip), r->pkt.dport);
	else
		(void)ip_text(r->pkt.dst, text);
	return strcmp(text, v) == 0;
}

static bool is_frame(const struct scn_reply *r, const char *v)
{
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint8_t mac[6];

	if (strcmp(v, "routed") == 0)
		return !r->tx.to_mac;
	if (strcmp(v, "broadcast") == 0)
		return r->tx.to_mac && memcmp(r->pkt.l2_dst, all, 6) == 0;
	return scn_mac(v, mac) == 0 && r->tx.to_mac && memcmp(r->pkt.l2_dst, mac, 6) == 0;
}

/* The codes are there, in this order, whatever is between them. */
static bool is_order(const struct scn_reply *r, const char *v)
{
	size_t at = 0;

	while (*v) {
		char *end;
		unsigned long code = strtoul(v, &end, 10);

		while (at < r->n_order && r->opt_order[at] != code)
			at++;
		if (at == r->n_order)
			return false;
		v = *end ? end + 1 : end;
	}
	return true;
}

static bool is_only(const struct scn_reply *r, const char *v)
{
	size_t n = 0;

	while (*v) {
		char *end;

		if (!r->has[strtoul(v, &end, 10) & 255])
			return false;
		n++;
		v = *end ? end + 1 : end;
	}
	return n == r->n_order;
}

static bool is_src(const struct scn_reply *r, const char *v)
{
	char ip[IP_TEXT_LEN];

	return strcmp(ip_text(r->pkt.src, ip), v) == 0;
}

static bool is_last(const struct scn_reply *r, const char *v)
{
	return r->n_order && r->opt_order[r->n_order - 1] == atoi(v);
}

static bool is_overload(const struct scn_reply *r, const char *v)
{
	return r->overload == atoi(v);
}

static bool is_max_len(const struct scn_reply *r, const char *v)
{
	return r->msg_len + 28 <= strtoul(v, NULL, 10);
}

static bool is_iface(const struct scn_reply *r, const char *v)
{
	return r->tx.ifindex == atoi(v);
}

static bool is_no(const struct scn_reply *r, const char *v)
{
	return !r->has[atoi(v) & 255];
}

static bool is_has(const struct scn_reply *r, const char *v)
{
	return r->has[atoi(v) & 255];
}

/* pieces=CODE:N, an option that came in N instances */
static bool is_pieces(const struct scn_reply *r, const char *v)
{
	const char *colon = strchr(v, ':');

	return colon && r->opt_pieces[atoi(v) & 255] == strtoul(colon + 1, NULL, 10);
}

static bool is_length(const struct scn_reply *r, const char *v)
{
	const char *colon = strchr(v, ':');

	return colon && r->opt_len[atoi(v) & 255] == strtoul(colon + 1, NULL, 10);
}

static const struct {
	const char *name;
	bool (*ok)(const struct scn_reply *r, const char *v);
} checks[] = {
	{"to", is_to}, {"frame", is_frame}, {"order", is_order}, {"only", is_only}, {"src", is_src},
	{"last", is_last}, {"overload", is_overload}, {"max-len", is_max_len}, {"iface", is_iface},
	{"no", is_no}, {"has", is_has}, {"pieces", is_pieces}, {"length", is_length},
};

/* 1 it is so, 0 it is not, -1 no such check */
static int check_word(const struct scn_reply *r, const char *w)
{
	uint8_t want[1600] = {0};
	const char *v;
	const struct scn_field *f;
	int code;
	int n;

	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		v = scn_arg(w, checks[i].name);
		if (v)
			return checks[i].ok(r, v);
	}
	f = scn_field(w, &v);
	if (f) {
		n = scn_value(v, f->len > 4 ? 1 : f->len, want, f->len);
		return n < 0 ? -1 : memcmp(r->msg + f->off, want, f->len) == 0;
	}
	code = scn_option_word(w, &v);
	n = code < 0 ? -1 : scn_value(v, scn_option_width(code), want, sizeof(want));
	if (n < 0)
		return -1;
	return r->has[code] && r->opt_len[code] == (size_t)n && memcmp(r->opt[code], want, (size_t)n) == 0;
}

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
	(void)snprintf(name, sizeof(name), "DHCP%s", type);
	if (strcmp(dhcp4_type_name((enum dhcp4_type)s->reply.opt[53][0]), name) != 0)
		return mismatch(s, type, "");
	return 0;
}

static int check_words(struct scn *s, size_t from)
{
	for (size_t i = from; i < s->n_words; i++) {
		int r = check_word(&s->reply, s->word[i]);

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
			buf_str(&b, ip_text((uint32_t)s->reply.msg[f->off] << 24 | s->reply.msg[f->off + 1] << 16 |
					    s->reply.msg[f->off + 2] << 8 | s->reply.msg[f->off + 3], text));
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
	(void)snprintf(request, sizeof(request), "50=%u.%u.%u.%u", s->reply.msg[16], s->reply.msg[17],
		       s->reply.msg[18], s->reply.msg[19]);
	(void)snprintf(server, sizeof(server), "54=%u.%u.%u.%u", s->reply.opt[54][0], s->reply.opt[54][1],
		       s->reply.opt[54][2], s->reply.opt[54][3]);
	if (named && check_word(&s->reply, want) != 1)
		return mismatch(s, want, "in the OFFER");
	s->word[s->n_words++] = server;
	s->word[s->n_words++] = request;
	if (scn_send_words(s, 2, "REQUEST", true, NULL) < 0 || take_reply(s, "ACK") < 0)
		return -1;
	if (named && check_word(&s->reply, want) != 1)
		return mismatch(s, want, "in the ACK");
	return 0;
}
