/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Coverage of the scenarios: ids of `covers` lines, drops that an `expect nothing drop=` asserts,
 * and hook points with the status a callout gave. Drops are held against drop.def and statuses
 * against hooks.def, so a new row without a scenario fails here.
 */
#include "scn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cover {
	struct buf words; /* " word word " */
};

/* Statuses that mean something at each point (kea.md 1.2). */
static const char *const statuses[] = {
	"dhcp4_srv_configured:CONTINUE",
	"dhcp4_srv_configured:DROP",
	"buffer4_receive:CONTINUE",
	"buffer4_receive:SKIP",
	"buffer4_receive:DROP",
	"pkt4_receive:CONTINUE",
	"pkt4_receive:SKIP",
	"pkt4_receive:DROP",
	"subnet4_select:CONTINUE",
	"subnet4_select:SKIP",
	"subnet4_select:DROP",
	"subnet4_select:PARK",
	"host4_identifier:CONTINUE",
	"host4_identifier:SKIP",
	"lease4_select:CONTINUE",
	"lease4_select:SKIP",
	"lease4_renew:CONTINUE",
	"lease4_renew:SKIP",
	"lease4_release:CONTINUE",
	"lease4_release:SKIP",
	"lease4_release:DROP",
	"lease4_decline:CONTINUE",
	"lease4_decline:SKIP",
	"lease4_decline:DROP",
	"leases4_committed:CONTINUE",
	"leases4_committed:SKIP",
	"leases4_committed:DROP",
	"leases4_committed:PARK",
	"lease4_offer:CONTINUE",
	"lease4_offer:SKIP",
	"lease4_offer:DROP",
	"lease4_offer:PARK",
	"lease4_server_decline:CONTINUE",
	"pkt4_send:CONTINUE",
	"pkt4_send:SKIP",
	"pkt4_send:DROP",
	"buffer4_send:CONTINUE",
	"buffer4_send:SKIP",
	"buffer4_send:DROP",
	"lease4_expire:CONTINUE",
	"lease4_expire:SKIP",
	"lease4_recover:CONTINUE",
	"lease4_recover:SKIP",
	"command_processed:CONTINUE",
};

static void add(struct cover *c, const char *prefix, const char *word)
{
	char text[160];

	(void)snprintf(text, sizeof(text), " %s%s ", prefix, word);
	if (c->words.p && strstr(c->words.p, text))
		return;
	if (!c->words.len)
		buf_char(&c->words, ' ');
	buf_printf(&c->words, "%s%s ", prefix, word);
}

static void read_line(struct cover *c, const char *line)
{
	char text[1024];
	char *save = NULL;
	char *w;
	char point[80] = "";
	unsigned n = 0;
	bool covers = strncmp(line, "covers ", 7) == 0;
	bool hook = strncmp(line, "hook ", 5) == 0;
	bool expect = strncmp(line, "expect ", 7) == 0;

	if (!covers && !hook && !expect)
		return;
	(void)snprintf(text, sizeof(text), "%s", line);
	for (w = strtok_r(text, " \t", &save); w && *w != '#';
	     w = strtok_r(NULL, " \t", &save), n++) {
		if (covers && n > 0)
			add(c, "", w);
		else if (expect && strncmp(w, "drop=", 5) == 0)
			add(c, "drop:", w + 5);
		else if (hook && n == 1)
			(void)snprintf(point, sizeof(point), "%s", w);
		else if (hook && n == 2) {
			(void)strncat(point, ":", sizeof(point) - strlen(point) - 1);
			(void)strncat(point, w, sizeof(point) - strlen(point) - 1);
			add(c, "hook:", point);
		}
	}
}

static int collect(struct cover *c, int n, char **files)
{
	buf_init(&c->words);
	for (int i = 0; i < n; i++) {
		struct scn_script sc = {0};

		if (scn_script_load(&sc, files[i], 0) < 0)
			return -1;
		for (size_t k = 0; k < sc.n; k++)
			read_line(c, sc.line[k].text);
		scn_script_free(&sc);
	}
	return 0;
}

int scn_list_coverage(int n, char **files)
{
	struct cover c;
	int r = collect(&c, n, files);
	char *save = NULL;

	for (char *w = c.words.p ? strtok_r(c.words.p, " ", &save) : NULL; w;
	     w = strtok_r(NULL, " ", &save))
		(void)printf("%s\n", w);
	buf_fini(&c.words);
	return r;
}

static bool has(const struct cover *c, const char *prefix, const char *word)
{
	char text[160];

	(void)snprintf(text, sizeof(text), " %s%s ", prefix, word);
	return c->words.p && strstr(c->words.p, text);
}

static unsigned check_points(void)
{
	unsigned bad = 0;

	for (int p = 0; p < HOOK_N_POINTS; p++) {
		const char *name = hook_point_name((enum hook_point)p);
		bool found = false;

		for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
			found |= strncmp(statuses[i], name, strlen(name)) == 0 &&
				 statuses[i][strlen(name)] == ':';
		if (!found)
			(void)fprintf(stderr, "hook point %s has no statuses listed here\n", name);
		bad += !found;
	}
	return bad;
}

int scn_check_coverage(int n, char **files)
{
	static const char *const symbols[] = {
#define DROP(symbol, statistic, sentence) #symbol,
#include "packet/drop.def"
#undef DROP
	};
	struct cover c;
	unsigned bad = collect(&c, n, files) < 0;

	for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
		if (!has(&c, "drop:", symbols[i])) {
			(void)fprintf(stderr, "drop %s: no scenario covers it\n", symbols[i]);
			bad++;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		if (!has(&c, "hook:", statuses[i])) {
			(void)fprintf(stderr, "hook %s: no scenario covers it\n", statuses[i]);
			bad++;
		}
	}
	bad += check_points();
	buf_fini(&c.words);
	return bad ? -1 : 0;
}
