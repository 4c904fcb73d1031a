/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Runs scenario files (README.md): scenario FILE.scn ... Each case of a file gets a new world; the
 * lines before the first case are run again for every one. Other modes: --list-coverage FILES,
 * --check-coverage FILES (every drop and every hook status has its scenario).
 */
#include "scn.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int scn_fail(struct scn *s, const char *fmt, ...)
{
	const struct scn_line *l = &s->script.line[s->at < s->script.n ? s->at : s->script.n - 1];
	va_list ap;

	(void)fprintf(stderr, "%s:%u: %s%s", l->file, l->no, s->case_name,
		      s->case_name[0] ? ": " : "");
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "\n    line: %s\n", l->text);
	s->failed = true;
	return -1;
}

static int do_covers(struct scn *s)
{
	return s->n_words > 1 ? 0 : scn_fail(s, "covers ID ...");
}

static const struct {
	const char *name;
	int (*fn)(struct scn *s);
} directives[] = {
	{"answer", do_answer},
	{"at", do_at},
	{"bind", do_bind},
	{"command", do_command},
	{"config", do_config},
	{"covers", do_covers},
	{"crash", do_restart},
	{"ddns", do_ddns},
	{"disk", do_disk},
	{"expect", do_expect},
	{"fail-send", do_fail_send},
	{"file", do_file},
	{"hook", do_hook},
	{"hooked", do_hooked},
	{"iface", do_iface},
	{"kill", do_restart},
	{"lease", do_lease},
	{"lease-file", do_lease_file},
	{"leases", do_leases},
	{"let", do_let},
	{"no-lease", do_no_lease},
	{"queue", do_queue},
	{"receive-queue", do_receive_queue},
	{"reload", do_reload},
	{"reload-refused", do_reload},
	{"restart", do_restart},
	{"run", do_run},
	{"saw", do_saw},
	{"send", do_send},
	{"show", do_show},
	{"stat", do_stat},
	{"unpark", do_unpark},
	{"wait", do_wait},
	{"with", do_with},
	{"write", do_write},
};

static int run_line(struct scn *s)
{
	if (scn_split(s) < 0)
		return -1;
	if (!s->n_words)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(directives); i++)
		if (strcmp(directives[i].name, s->word[0]) == 0)
			return directives[i].fn(s);
	return scn_fail(s, "no such directive");
}

static int run_lines(struct scn *s, size_t from, size_t to)
{
	s->end = to;
	for (s->at = from; s->at < to; s->at++)
		if (run_line(s) < 0 || s->failed)
			return -1;
	s->at = to ? to - 1 : 0;
	return 0;
}

static bool is_case(const struct scn_line *l)
{
	return strncmp(l->text, "case ", 5) == 0;
}

static size_t next_case(const struct scn *s, size_t from)
{
	while (from < s->script.n && !is_case(&s->script.line[from]))
		from++;
	return from;
}

/* The part before the first case, then this one. */
static int run_case(struct scn *s, size_t prelude, size_t from, size_t to)
{
	int r;

	s->failed = false;
	s->case_name = from ? s->script.line[from - 1].text + 5 : "";
	scn_world_init(s);
	r = from ? run_lines(s, 0, prelude) : 0;
	if (r == 0)
		r = run_lines(s, from, to);
	if (r == 0)
		r = scn_no_more_replies(s);
	if (r == 0)
		r = scn_no_more_ddns(s);
	if (r == 0)
		r = scn_check_config(s);
	scn_world_fini(s);
	return r;
}

static int run_file(const char *path, const char *only)
{
	struct scn *s = calloc(1, sizeof(*s));
	unsigned n = 0;
	unsigned bad = 0;
	size_t prelude;
	int r;

	if (!s)
		return -1;
	s->case_name = "";
	r = scn_script_load(&s->script, path, 0);
	prelude = r == 0 ? next_case(s, 0) : 0;
	if (r == 0 && prelude == s->script.n) {
		n = 1;
		bad += run_case(s, 0, 0, s->script.n) < 0;
	}
	for (size_t at = prelude; r == 0 && at < s->script.n;) {
		size_t end = next_case(s, at + 1);

		if (!only || strstr(s->script.line[at].text, only)) {
			n++;
			bad += run_case(s, prelude, at + 1, end) < 0;
		}
		at = end;
	}
	(void)printf("%s: %u cases, %u failed\n", path, n, bad);
	free(s->line_copy);
	free(s->line_words);
	scn_script_free(&s->script);
	free(s);
	return r < 0 || bad ? -1 : 0;
}

int main(int argc, char **argv)
{
	const char *only = getenv("CASE");
	int r = 0;

	if (argc > 1 && strcmp(argv[1], "--list-coverage") == 0)
		return scn_list_coverage(argc - 2, argv + 2) < 0;
	if (argc > 1 && strcmp(argv[1], "--check-coverage") == 0)
		return scn_check_coverage(argc - 2, argv + 2) < 0;
	if (argc < 2) {
		(void)fprintf(stderr,
			      "usage: scenario [--list-coverage|--check-coverage] FILE.scn ...\n");
		return 2;
	}
	for (int i = 1; i < argc; i++)
		r |= run_file(argv[i], only);
	return r < 0;
}
