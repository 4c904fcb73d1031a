/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The text of scenarios: lines, words, variables, heredocs, JSON.
 */
#include "scn.h"

#include "wire/option_codes.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *p = NULL;
	size_t n = 0;

	if (!f) {
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return NULL;
	}
	if (getdelim(&p, &n, '\0', f) < 0) {
		free(p);
		p = strdup("");
	}
	(void)fclose(f);
	return p;
}

static void keep(struct scn_script *sc, char *mem)
{
	sc->mem = realloc(sc->mem, (sc->n_mem + 1) * sizeof(*sc->mem));
	if (!sc->mem)
		abort();
	sc->mem[sc->n_mem++] = mem;
}

static int include(struct scn_script *sc, const char *from, const char *name, unsigned depth)
{
	const char *slash = strrchr(from, '/');
	char path[512];

	(void)snprintf(path, sizeof(path), "%.*s%s", slash ? (int)(slash - from + 1) : 0, from,
		       name);
	return scn_script_load(sc, path, depth + 1);
}

int scn_script_load(struct scn_script *sc, const char *path, unsigned depth)
{
	char *text = depth < 8 ? read_file(path) : NULL;
	char *name = strdup(path);
	unsigned no = 0;

	if (!text || !name) {
		free(text);
		free(name);
		return -1;
	}
	keep(sc, text);
	keep(sc, name);
	for (char *line = text; line;) {
		char *nl = strchr(line, '\n');

		no++;
		if (nl)
			*nl = '\0';
		while (*line == ' ' || *line == '\t')
			line++;
		if (strncmp(line, "include ", 8) == 0) {
			if (include(sc, path, line + 8, depth) < 0)
				return -1;
		} else {
			if (sc->n == sc->cap) {
				sc->cap = sc->cap ? sc->cap * 2 : 256;
				sc->line = realloc(sc->line, sc->cap * sizeof(*sc->line));
				if (!sc->line)
					abort();
			}
			sc->line[sc->n++] = (struct scn_line){name, no, line};
		}
		line = nl ? nl + 1 : NULL;
	}
	return 0;
}

void scn_script_free(struct scn_script *sc)
{
	for (size_t i = 0; i < sc->n_mem; i++)
		free(sc->mem[i]);
	free(sc->mem);
	free(sc->line);
	*sc = (struct scn_script){0};
}

/* --- words and variables ---------------------------------------------------------------------- */

void scn_let(struct scn *s, const char *name, const char *value)
{
	size_t i;

	for (i = 0; i < s->n_vars && strcmp(s->var[i].name, name) != 0; i++)
		;
	if (i == SCN_VARS)
		abort();
	if (i == s->n_vars)
		s->n_vars++;
	else
		free(s->var[i].value);
	(void)snprintf(s->var[i].name, sizeof(s->var[i].name), "%s", name);
	s->var[i].value = strdup(value);
}

static void put_var(struct scn *s, struct buf *b, const char **p)
{
	size_t n = 0;

	while (isalnum((unsigned char)(*p)[n]) || (*p)[n] == '_')
		n++;
	for (size_t i = 0; i < s->n_vars; i++) {
		if (strlen(s->var[i].name) != n || strncmp(s->var[i].name, *p, n) != 0)
			continue;
		buf_str(b, s->var[i].value);
		*p += n;
		return;
	}
	buf_char(b, '$');
}

static char *with_vars(struct scn *s, const char *text)
{
	struct buf b;

	buf_init(&b);
	buf_str(&b, "");
	while (*text) {
		if (*text == '$') {
			text++;
			put_var(s, &b, &text);
		} else {
			buf_char(&b, *text++);
		}
	}
	return buf_take(&b);
}

/* A word ends at white space outside of quotes; # starts a comment. */
static char *next_word(char **p)
{
	char *w;
	bool quoted = false;

	while (isspace((unsigned char)**p))
		(*p)++;
	if (!**p || **p == '#')
		return NULL;
	for (w = *p; **p && (quoted || !isspace((unsigned char)**p)); (*p)++) {
		if (**p == '\\' && quoted && (*p)[1])
			(*p)++;
		else if (**p == '"')
			quoted = !quoted;
	}
	if (**p)
		*(*p)++ = '\0';
	return w;
}

int scn_split(struct scn *s)
{
	const char *text = s->script.line[s->at].text;
	char *p;
	char *w;

	free(s->line_copy);
	free(s->line_words);
	s->line_copy = with_vars(s, text);
	s->line_words = s->line_copy ? strdup(s->line_copy) : NULL;
	if (!s->line_words)
		return scn_fail(s, "memory is out");
	s->n_words = 0;
	for (p = s->line_words; (w = next_word(&p)) != NULL;) {
		if (s->n_words == SCN_WORDS)
			return scn_fail(s, "more than %d words", SCN_WORDS);
		s->word[s->n_words++] = w;
	}
	s->rest = s->line_copy;
	while (*s->rest && !isspace((unsigned char)*s->rest))
		s->rest++;
	while (isspace((unsigned char)*s->rest))
		s->rest++;
	return 0;
}

static int open_braces(const char *p)
{
	int depth = 0;

	for (; *p; p++)
		depth += (*p == '{' || *p == '[') - (*p == '}' || *p == ']');
	return depth;
}

/* Reads JSON, which continues over lines until its braces are closed. */
static const char *text_in_braces(struct scn *s)
{
	const char *text;
	struct buf b;

	buf_init(&b);
	buf_str(&b, s->rest);
	while (open_braces(b.p) > 0 && s->at + 1 < s->end) {
		char *line = with_vars(s, s->script.line[++s->at].text);

		buf_printf(&b, "\n%s", line ? line : "");
		free(line);
	}
	text = arena_strdup(&s->arena, b.p);
	buf_fini(&b);
	return text;
}

const char *scn_text(struct scn *s)
{
	const char *tag = strstr(s->rest, "<<");
	struct buf b;
	const char *text;

	if (!tag)
		return text_in_braces(s);
	tag += 2;
	buf_init(&b);
	buf_str(&b, "");
	while (++s->at < s->end && strcmp(s->script.line[s->at].text, tag) != 0) {
		char *line = with_vars(s, s->script.line[s->at].text);

		buf_str(&b, line ? line : "");
		buf_char(&b, '\n');
		free(line);
	}
	text = s->at < s->end ? arena_strdup(&s->arena, b.p) : NULL;
	buf_fini(&b);
	if (!text)
		(void)scn_fail(s, "no line %s ends this text", tag);
	return text;
}

struct json *scn_json(struct scn *s)
{
	struct json_opts o = {.file = "", .dialect = true};
	struct config_error err = {0};
	const char *text = scn_text(s);
	const char *brace = text ? strpbrk(text, "{[") : NULL;
	struct json *j = NULL;

	if (!text)
		return NULL;
	if (!brace) {
		(void)scn_fail(s, "JSON is expected");
		return NULL;
	}
	if (json_parse(span_of((const uint8_t *)brace, strlen(brace)), &o, &s->arena, &j, &err) <
	    0) {
		(void)scn_fail(s, "%u:%u: %s", err.pos.line, err.pos.col, err.text);
		return NULL;
	}
	return j;
}

const char *scn_arg(const char *word, const char *name)
{
	size_t n = strlen(name);

	return strncmp(word, name, n) == 0 && word[n] == '=' ? word + n + 1 : NULL;
}

const char *scn_find(const struct scn *s, size_t from, const char *name)
{
	for (size_t i = from; i < s->n_words; i++) {
		const char *v = scn_arg(s->word[i], name);

		if (v)
			return v;
	}
	return NULL;
}

int scn_option_word(const char *word, const char **ret_value)
{
	char *end;
	long n = strtol(word, &end, 10);

	if (end == word || *end != '=' || n < 0 || n > 255)
		return -1;
	*ret_value = end + 1;
	return (int)n;
}

unsigned scn_option_width(int code)
{
	switch (code) {
	case DHCP4_OPT_LEASE_TIME:
	case DHCP4_OPT_RENEWAL_TIME:
	case DHCP4_OPT_REBINDING_TIME:
	case DHCP4_OPT_TIME_OFFSET:
	case DHCP4_OPT_V6_ONLY_PREFERRED:
		return 4;
	case DHCP4_OPT_MAX_MESSAGE_SIZE:
	case DHCP4_OPT_INTERFACE_MTU:
		return 2;
	default:
		return 1;
	}
}

const struct scn_field *scn_field(const char *word, const char **ret_value)
{
	static const struct scn_field fields[] = {
		{"op", 0, 1},	   {"htype", 1, 1},    {"hlen", 2, 1},	   {"hops", 3, 1},
		{"xid", 4, 4},	   {"secs", 8, 2},     {"flags", 10, 2},   {"ciaddr", 12, 4},
		{"yiaddr", 16, 4}, {"siaddr", 20, 4},  {"giaddr", 24, 4},  {"chaddr", 28, 16},
		{"sname", 44, 64}, {"file", 108, 128}, {"cookie", 236, 4},
	};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		*ret_value = scn_arg(word, fields[i].name);
		if (*ret_value)
			return &fields[i];
	}
	return NULL;
}
