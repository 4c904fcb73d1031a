/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The text of scenarios: lines, words, variables, heredocs, and values in their many spellings.
 */
#include "scn.h"

#include "base/ip.h"
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

	(void)snprintf(path, sizeof(path), "%.*s%s", slash ? (int)(slash - from + 1) : 0, from, name);
	return scn_script_load(sc, path, depth + 1);
}

int scn_script_load(struct scn_script *sc, const char *path, unsigned depth)
{
	char *text = depth < 4 ? read_file(path) : NULL;
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

/* JSON goes on over as many lines as its braces are open. */
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
	if (json_parse(span_of((const uint8_t *)brace, strlen(brace)), &o, &s->arena, &j, &err) < 0) {
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
		{"op", 0, 1},	   {"htype", 1, 1},   {"hlen", 2, 1},	 {"hops", 3, 1},
		{"xid", 4, 4},	   {"secs", 8, 2},    {"flags", 10, 2},	 {"ciaddr", 12, 4},
		{"yiaddr", 16, 4}, {"siaddr", 20, 4}, {"giaddr", 24, 4}, {"chaddr", 28, 16},
		{"sname", 44, 64}, {"file", 108, 128}, {"cookie", 236, 4},
	};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		*ret_value = scn_arg(word, fields[i].name);
		if (*ret_value)
			return &fields[i];
	}
	return NULL;
}

/* --- values -------------------------------------------------------------------------------------- */

static int numbers(const char *p, unsigned width, uint8_t *out, size_t cap)
{
	size_t n = 0;

	for (;;) {
		char *end;
		long long v = strtoll(p, &end, 0);

		if (end == p || n + width > cap)
			return -1;
		for (unsigned i = width; i > 0; i--)
			out[n++] = (uint8_t)((unsigned long long)v >> (8 * (i - 1)));
		if (!*end)
			return (int)n;
		if (*end != ',')
			return -1;
		p = end + 1;
	}
}

static int addresses(const char *p, uint8_t *out, size_t cap)
{
	size_t n = 0;

	for (;;) {
		size_t len = strcspn(p, ",");
		uint32_t a;

		if (n + 4 > cap || ip_parse(p, len, &a) < 0)
			return -1;
		for (int i = 3; i >= 0; i--)
			out[n++] = (uint8_t)(a >> (8 * i));
		if (!p[len])
			return (int)n;
		p += len + 1;
	}
}

static int quoted(const char *p, uint8_t *out, size_t cap)
{
	size_t n = 0;

	for (p++; *p && *p != '"' && n < cap; p++) {
		unsigned v = (uint8_t)*p;

		if (*p == '\\' && p[1] == 'x' && sscanf(p + 2, "%2x", &v) == 1)
			p += 3;
		else if (*p == '\\' && *++p)
			v = *p == '0' ? 0 : *p == 'n' ? '\n' : (uint8_t)*p;
		out[n++] = (uint8_t)v;
	}
	return *p == '"' && !p[1] ? (int)n : -1;
}

static int repeated(const char *p, uint8_t *out, size_t cap)
{
	unsigned count;
	unsigned octet;

	if (sscanf(p, "%u:%x", &count, &octet) != 2 || count > cap)
		return -1;
	memset(out, (int)octet, count);
	return (int)count;
}

/* 1="x"/5=10.0.0.0: code, length, value of each. */
static int subs(const char *p, uint8_t *out, size_t cap)
{
	size_t n = 0;

	while (*p) {
		char one[1200];
		const char *v;
		int code;
		int len;

		if (n + 2 > cap)
			return -1;
		(void)snprintf(one, sizeof(one), "%.*s", (int)strcspn(p, "/"), p);
		p += strcspn(p, "/");
		p += *p == '/';
		code = scn_option_word(one, &v);
		if (code < 0)
			return -1;
		len = *v ? scn_value(v, 1, out + n + 2, cap - n - 2) : 0;
		if (len < 0 || len > 255)
			return -1;
		out[n] = (uint8_t)code;
		out[n + 1] = (uint8_t)len;
		n += (size_t)len + 2;
	}
	return (int)n;
}

static bool is_address(const char *p)
{
	unsigned dots = 0;

	for (; isdigit((unsigned char)*p) || *p == '.'; p++)
		dots += *p == '.';
	return dots == 3 && (!*p || *p == ',');
}

/* The + between two parts, outside of quotes. */
static const char *find_plus(const char *p)
{
	bool in = false;

	for (; *p && (in || *p != '+'); p++) {
		if (in && *p == '\\' && p[1])
			p++;
		else if (*p == '"')
			in = !in;
	}
	return *p ? p : NULL;
}

static int joined(const char *text, const char *plus, unsigned width, uint8_t *out, size_t cap)
{
	char first[3000];
	int a;
	int b;

	(void)snprintf(first, sizeof(first), "%.*s", (int)(plus - text), text);
	a = scn_value(first, width, out, cap);
	b = a < 0 ? -1 : scn_value(plus + 1, width, out + a, cap - (size_t)a);
	return b < 0 ? -1 : a + b;
}

int scn_value(const char *text, unsigned width, uint8_t *out, size_t cap)
{
	const char *plus = strncmp(text, "sub:", 4) == 0 ? NULL : find_plus(text);

	if (plus)
		return joined(text, plus, width, out, cap);
	if (text[0] == '"')
		return quoted(text, out, cap);
	if (strcmp(text, "hex:") == 0 || !text[0])
		return 0;
	if (strncmp(text, "hex:", 4) == 0)
		return hex_parse(text + 4, strlen(text + 4), out, cap);
	if (strncmp(text, "rep:", 4) == 0)
		return repeated(text + 4, out, cap);
	if (strncmp(text, "sub:", 4) == 0)
		return subs(text + 4, out, cap);
	if (strncmp(text, "u8:", 3) == 0)
		return numbers(text + 3, 1, out, cap);
	if (strncmp(text, "u16:", 4) == 0)
		return numbers(text + 4, 2, out, cap);
	if (strncmp(text, "u32:", 4) == 0)
		return numbers(text + 4, 4, out, cap);
	if (is_address(text))
		return addresses(text, out, cap);
	if (strchr(text, ':'))
		return hex_parse(text, strlen(text), out, cap);
	return numbers(text, width, out, cap);
}

int scn_mac(const char *text, uint8_t out[6])
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end)
		return hex_parse(text, strlen(text), out, 6) == 6 ? 0 : -1;
	memcpy(out, (const uint8_t[]){2, 0, 0, 0, (uint8_t)(n >> 8), (uint8_t)n}, 6);
	return 0;
}
