/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The requests for the DNS that the server made, in the place of kea-dhcp-ddns.
 */
#include "scn.h"

#include "base/ip.h"
#include "ddns/ddns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ddns_seen {
	struct ddns_request r;
	struct ddns_seen *next;
};

static void see(void *ctx, const struct ddns_request *r)
{
	struct scn *s = ctx;
	struct ddns_seen **at = &s->ddns_seen;
	struct ddns_seen *e = arena_zalloc(&s->arena, sizeof(*e));

	if (!e)
		abort();
	e->r = *r;
	while (*at)
		at = &(*at)->next;
	*at = e;
}

int scn_ddns_open(struct scn *s)
{
	struct ddns_opts o = {.log = s->d.srv.log, .sink = see, .ctx = s};

	return ddns_new(&o, &s->d.srv.ddns);
}

static void describe(const struct ddns_request *r, char *out, size_t n)
{
	char ip[IP_TEXT_LEN];

	(void)snprintf(out, n, "%s %s %s %s mode=%s ttl=%u", r->op == DDNS_ADD ? "add" : "remove",
		       r->fqdn, ip_text(r->addr, ip),
		       r->forward ? r->reverse ? "both" : "forward" : "reverse",
		       ddns_mode_names[r->mode], r->ttl);
}

int scn_no_more_ddns(struct scn *s)
{
	char text[400];

	if (!s->ddns_seen)
		return 0;
	describe(&s->ddns_seen->r, text, sizeof(text));
	return scn_fail(s, "a request for the DNS was not expected: %s", text);
}

static int check_word(struct scn *s, const char *have, const char *word)
{
	char text[402], want[130];

	(void)snprintf(text, sizeof(text), " %s ", have);
	(void)snprintf(want, sizeof(want), " %s ", word);
	return strstr(text, want) ? 0 : scn_fail(s, "expected %s, got: %s", word, have);
}

/* ddns nothing, or ddns add|remove NAME ADDRESS both|forward|reverse [ttl=] [mode=] [dhcid=HEX] */
int do_ddns(struct scn *s)
{
	struct ddns_seen *e = s->ddns_seen;
	char text[400], dhcid[2 * DDNS_DHCID_LEN + 1];

	if (s->n_words == 2 && strcmp(s->word[1], "nothing") == 0)
		return scn_no_more_ddns(s);
	if (!e)
		return scn_fail(s, "there is no request for the DNS");
	s->ddns_seen = e->next;
	describe(&e->r, text, sizeof(text));
	for (size_t i = 0; i < DDNS_DHCID_LEN; i++)
		(void)snprintf(dhcid + 2 * i, 3, "%02X", (unsigned)e->r.dhcid[i]);
	for (size_t i = 1; i < s->n_words; i++) {
		const char *id = scn_arg(s->word[i], "dhcid");

		if (id ? strcmp(id, dhcid) != 0 && scn_fail(s, "the dhcid is %s", dhcid) < 0
		       : check_word(s, text, s->word[i]) < 0)
			return -1;
	}
	return 0;
}
