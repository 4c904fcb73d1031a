/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Runs the client's scenario files: client_scenario FILE.scn ... With --check-coverage first, it
 * fails besides when a row of fsm.def never ran or a row of client/core/drop.def was asserted by no
 * case.
 */
#include "cscn.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int scn_fail(struct scn *s, const char *fmt, ...)
{
	const struct scn_line *l = &s->script.line[s->at < s->script.n ? s->at : s->script.n - 1];
	va_list ap;

	(void)fprintf(stderr, "%s:%u: %s: ", l->file, l->no, s->case_name);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "\n    line: %s\n", l->text);
	s->failed = true;
	return -1;
}

static int cdo_covers(struct cscn *x)
{
	return x->s.n_words > 1 ? 0 : scn_fail(&x->s, "covers ID ...");
}

static int cdo_let(struct cscn *x)
{
	if (x->s.n_words != 4 || strcmp(x->s.word[2], "=") != 0)
		return scn_fail(&x->s, "let NAME = TEXT | xid");
	if (strcmp(x->s.word[3], "xid") == 0) {
		char text[16];

		(void)snprintf(text, sizeof(text), "%u", x->c.xact.xid);
		scn_let(&x->s, x->s.word[1], text);
	} else {
		scn_let(&x->s, x->s.word[1], x->s.word[3]);
	}
	return 0;
}

static const struct {
	const char *name;
	cscn_directive *fn;
} directives[] = {
	{"arp", cdo_arp},	{"at", cdo_at},		  {"bound", cdo_bound},
	{"covers", cdo_covers}, {"dropped", cdo_dropped}, {"due", cdo_due},
	{"event", cdo_event},	{"expect", cdo_expect},	  {"kept", cdo_kept},
	{"lease", cdo_lease},	{"let", cdo_let},	  {"link", cdo_link},
	{"opts", cdo_opts},	{"said", cdo_said},	  {"send", cdo_send},
	{"start", cdo_start},	{"state", cdo_state},	  {"wake", cdo_wake},
};

static int run_line(struct cscn *x)
{
	if (scn_split(&x->s) < 0)
		return -1;
	if (!x->s.n_words)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(directives); i++)
		if (strcmp(directives[i].name, x->s.word[0]) == 0)
			return directives[i].fn(x);
	return scn_fail(&x->s, "no such directive");
}

static int run_lines(struct cscn *x, size_t from, size_t to)
{
	x->s.end = to;
	for (x->s.at = from; x->s.at < to; x->s.at++)
		if (run_line(x) < 0 || x->s.failed)
			return -1;
	x->s.at = to ? to - 1 : 0;
	return 0;
}

static size_t next_case(const struct cscn *x, size_t from)
{
	while (from < x->s.script.n && strncmp(x->s.script.line[from].text, "case ", 5) != 0)
		from++;
	return from;
}

static int run_case(struct cscn *x, size_t prelude, size_t from, size_t to)
{
	int r;

	x->s.failed = false;
	x->s.case_name = x->s.script.line[from - 1].text + 5;
	cscn_world_init(x);
	r = run_lines(x, 0, prelude);
	if (r == 0)
		r = run_lines(x, from, to);
	if (r == 0)
		r = cscn_leftover(x);
	cscn_world_fini(x);
	return r;
}

static int run_file(struct cscn *x, const char *path, const char *only)
{
	unsigned n = 0;
	unsigned bad = 0;
	size_t prelude;

	if (scn_script_load(&x->s.script, path, 0) < 0)
		return -1;
	prelude = next_case(x, 0);
	for (size_t at = prelude; at < x->s.script.n;) {
		size_t end = next_case(x, at + 1);

		if (!only || strstr(x->s.script.line[at].text, only)) {
			n++;
			bad += run_case(x, prelude, at + 1, end) < 0;
		}
		at = end;
	}
	(void)printf("%s: %u cases, %u failed\n", path, n, bad);
	scn_script_free(&x->s.script);
	return bad || !n ? -1 : 0;
}

static int check_coverage(const struct cscn *x)
{
	unsigned bad = 0;

	for (unsigned s = 0; s < CLIENT_N_STATES; s++) {
		for (unsigned e = 0; e < CLIENT_N_EVENTS; e++) {
			if (!client_fsm((enum client_state)s, (enum client_event)e).action ||
			    x->ran[s] >> e & 1)
				continue;
			(void)fprintf(stderr, "%s, %s: no scenario\n",
				      client_state_name((enum client_state)s),
				      client_event_name((enum client_event)e));
			bad++;
		}
	}
	for (unsigned d = 1; d < CLIENT_N_DROPS; d++) {
		if (x->dropped[d])
			continue;
		(void)fprintf(stderr, "drop %s: no scenario\n",
			      client_drop_name((enum client_drop)d));
		bad++;
	}
	return bad ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct cscn *x = calloc(1, sizeof(*x));
	bool check = argc > 1 && strcmp(argv[1], "--check-coverage") == 0;
	int r = 0;

	if (x)
		x->effect = calloc(CSCN_EFFECTS, sizeof(*x->effect));
	if (!x || !x->effect || argc < (check ? 3 : 2)) {
		(void)fprintf(stderr, "usage: client_scenario [--check-coverage] FILE.scn ...\n");
		return 2;
	}
	for (int i = check ? 2 : 1; i < argc; i++)
		r |= run_file(x, argv[i], getenv("CASE"));
	if (check)
		r |= check_coverage(x);
	free(x->s.line_copy);
	free(x->s.line_words);
	free(x->effect);
	free(x);
	return r < 0;
}
