/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Expectations of a message, word by word: fields, options, destination.
 */
#include "scn.h"

#include "base/ip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Returns whether the codes are there, in this order, with any others between them. */
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
	{"to", is_to},
	{"frame", is_frame},
	{"order", is_order},
	{"only", is_only},
	{"src", is_src},
	{"last", is_last},
	{"overload", is_overload},
	{"max-len", is_max_len},
	{"iface", is_iface},
	{"no", is_no},
	{"has", is_has},
	{"pieces", is_pieces},
	{"length", is_length},
};

int scn_check_word(const struct scn_reply *r, const char *w)
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
	return r->has[code] && r->opt_len[code] == (size_t)n &&
	       memcmp(r->opt[code], want, (size_t)n) == 0;
}
