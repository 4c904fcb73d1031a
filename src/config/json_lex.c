/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Characters, white space, comments, includes, strings and numbers of JSON (RFC 8259) in Kea's
 * dialect. Invariant: p <= end in every source, and line_start <= p, so that a column is a
 * difference of pointers. Tokens never cross from one source into another.
 */
#include "config/json_lex.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

enum { FILE_MAX = 512 << 20, PROBLEMS_MAX = 1000 };

static struct json_source *top(struct json_lex *x)
{
	return &x->stack[x->n - 1];
}

struct json_pos json_lex_pos(const struct json_lex *x)
{
	const struct json_source *s = &x->stack[x->n - 1];

	return (struct json_pos){s->file, s->line, (uint32_t)(s->p - s->line_start) + 1};
}

int json_lex_peek(const struct json_lex *x)
{
	const struct json_source *s = &x->stack[x->n - 1];

	return s->p < s->end ? (unsigned char)*s->p : -1;
}

int json_lex_problem(struct json_lex *x, const struct json_pos *pos, int result, const char *fmt,
		     ...)
{
	struct config_error e;
	char text[480];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!x->o->problem || x->n_problems == PROBLEMS_MAX)
		return config_error_set(x->err, pos, result, "%s", text);
	(void)config_error_set(&e, pos, result, "%s", text);
	x->n_problems++;
	x->o->problem(x->o->ctx, &e);
	return 0;
}

void json_lex_warn(struct json_lex *x, const struct json_pos *pos, const char *text)
{
	struct config_error w;

	if (!x->o->warn)
		return;
	(void)config_error_set(&w, pos, 0, "%s", text);
	x->o->warn(x->o->ctx, &w);
}

/* Reports an error at the cursor that can be stepped over. */
static int fail(struct json_lex *x, const char *text)
{
	struct json_pos pos = json_lex_pos(x);

	return json_lex_problem(x, &pos, -USHER_E_SYNTAX, "%s", text);
}

/* A word or a character, as it is named in "found …". */
static void name_found(const struct json_source *s, char *out, size_t cap)
{
	size_t n = 0;

	if (s->p == s->end) {
		(void)snprintf(out, cap, "the end of the text");
		return;
	}
	while (s->p + n < s->end && n < 24 &&
	       ((s->p[n] >= 'a' && s->p[n] <= 'z') || (s->p[n] >= 'A' && s->p[n] <= 'Z') ||
		(s->p[n] >= '0' && s->p[n] <= '9') || s->p[n] == '_' || s->p[n] == '-'))
		n++;
	if (!n && *s->p >= ' ' && *s->p <= '~')
		n = 1;
	if (n)
		(void)snprintf(out, cap, "'%.*s'", (int)n, s->p);
	else
		(void)snprintf(out, cap, "octet 0x%02x", (unsigned char)*s->p);
}

int json_lex_expected(struct json_lex *x, const char *what)
{
	struct json_pos pos = json_lex_pos(x);
	char found[48];

	name_found(top(x), found, sizeof(found));
	return config_error_set(x->err, &pos, -USHER_E_SYNTAX, "found %s, expected %s", found,
				what);
}

int json_lex_unexpected(struct json_lex *x, const char *wanted)
{
	struct json_pos pos = json_lex_pos(x);
	char found[48];

	name_found(top(x), found, sizeof(found));
	return json_lex_problem(x, &pos, -USHER_E_SYNTAX, "found %s, expected %s", found, wanted);
}

/* --- files ------------------------------------------------------------------------------------ */

/* All of fd as malloc'd text. */
static int read_all(int fd, size_t size, char **ret, size_t *ret_n)
{
	auto_free char *p = NULL;
	size_t n = 0;

	if (size > FILE_MAX)
		return -EFBIG;
	p = malloc(size + 1);
	if (!p)
		return -ENOMEM;
	while (n < size) {
		ssize_t r = read(fd, p + n, size - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		n += (size_t)r;
	}
	*ret = TAKE(p);
	*ret_n = n;
	return 0;
}

enum { PIPE_MAX = 256 << 20 };

/* Waits until a FIFO has data or its last writer has gone: 0, or -ETIMEDOUT when that takes longer
 * than until end_ns. */
static int pipe_wait(int fd, int64_t end_ns)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	for (;;) {
		int64_t left = end_ns ? end_ns - clock_mono_ns(&clock_system) : 0;
		int r;

		if (end_ns && left <= 0)
			return -ETIMEDOUT;
		r = poll(&p, 1, end_ns ? (int)(left / NS_PER_MS) + 1 : -1);
		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
	}
}

/* Reads a FIFO to its end, as in `-c <(generate)`. One that nobody writes to must not hold a server
 * that reloads. */
static int read_pipe(int fd, uint32_t wait_ms, char **ret, size_t *ret_n)
{
	int64_t end_ns = wait_ms ? clock_mono_ns(&clock_system) + wait_ms * NS_PER_MS : 0;
	char piece[8192] uninit;
	struct buf b;
	ssize_t n = 1;
	int r = 0;

	buf_init(&b);
	while (r == 0 && n != 0) {
		r = pipe_wait(fd, end_ns);
		if (r < 0)
			break;
		n = read(fd, piece, sizeof(piece));
		if (n > 0)
			buf_add(&b, piece, (size_t)n);
		else if (n < 0 && errno != EINTR && errno != EAGAIN)
			r = -errno;
		if (b.len > PIPE_MAX)
			r = -EFBIG;
	}
	*ret_n = b.len;
	if (r == 0 && b.len == 0)
		buf_char(&b, '\0');
	if (r == 0 && b.failed)
		r = -ENOMEM;
	if (r < 0)
		buf_fini(&b);
	else
		*ret = buf_take(&b);
	return r;
}

static int source_load(const char *path, uint32_t pipe_wait_ms, struct json_source *s)
{
	/* not blocking: a FIFO without a writer would hold the caller in open() */
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	size_t n = 0;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	r = S_ISFIFO(st.st_mode) ? read_pipe(fd, pipe_wait_ms, &s->owned, &n)
				 : read_all(fd, (size_t)st.st_size, &s->owned, &n);
	if (r < 0)
		return r;
	s->p = s->line_start = s->owned;
	s->end = s->p + n;
	s->line = 1;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return 0;
}

static int check_loop(struct json_lex *x, const struct json_source *s)
{
	for (unsigned i = 0; i < x->n; i++)
		if (x->stack[i].ino == s->ino && x->stack[i].dev == s->dev && s->ino)
			return -ELOOP;
	return x->n > JSON_MAX_INCLUDES ? -USHER_E_DEPTH : 0;
}

/* Pushes a file. The error is without text: the caller knows the place. */
int json_lex_open(struct json_lex *x, const char *path)
{
	struct json_source s = {0};
	int r = source_load(path, x->o->pipe_wait_ms, &s);

	if (r == 0)
		r = check_loop(x, &s);
	if (r == 0) {
		s.file = arena_strdup(x->arena, path);
		r = s.file ? 0 : -USHER_E_NOMEM;
	}
	if (r < 0) {
		free(s.owned);
		return r;
	}
	x->stack[x->n++] = s;
	return 0;
}

void json_lex_fini(struct json_lex *x)
{
	while (x->n)
		free(x->stack[--x->n].owned);
}

/* Relative paths are relative to the directory of the including file. */
static const char *include_path(struct json_lex *x, const char *path)
{
	const char *from = top(x)->file;
	const char *slash = path[0] == '/' ? NULL : strrchr(from, '/');

	if (!slash)
		return path;
	return arena_printf(x->arena, "%.*s/%s", (int)(slash - from), from, path);
}

static int include_fail(struct json_lex *x, const struct json_pos *pos, const char *path, int r)
{
	x->lost = true;
	if (r == -ELOOP)
		return json_lex_problem(x, pos, -USHER_E_SYNTAX,
					"'%s' is included from within itself", path);
	if (r == -USHER_E_DEPTH)
		return json_lex_problem(x, pos, r, "includes are nested more than %d deep",
					JSON_MAX_INCLUDES);
	return json_lex_problem(x, pos, r, "cannot include '%s': %s", path, usher_strerror(r));
}

static void skip_blanks(struct json_source *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t'))
		s->p++;
}

/* At "<?": <?include "path"?> */
static int lex_include(struct json_lex *x)
{
	struct json_pos pos = json_lex_pos(x);
	struct json_source *s = top(x);
	const char *raw;
	const char *path;
	size_t n;
	int r;

	if (s->end - s->p < 9 || memcmp(s->p, "<?include", 9) != 0)
		return json_lex_expected(x, "<?include \"file\"?>");
	s->p += 9;
	skip_blanks(s);
	if (json_lex_peek(x) != '"')
		return json_lex_expected(x, "the file's name in quotes");
	r = json_lex_string(x, &raw, &n);
	if (r < 0)
		return r;
	skip_blanks(s);
	if (s->end - s->p < 2 || memcmp(s->p, "?>", 2) != 0)
		return json_lex_expected(x, "'?>'");
	s->p += 2;
	path = strlen(raw) == n && n ? include_path(x, raw) : NULL;
	if (!path)
		return json_lex_problem(x, &pos, -USHER_E_SYNTAX, "the include names no file");
	r = json_lex_open(x, path);
	if (r == -ENOENT && path != raw && json_lex_open(x, raw) == 0)
		return 0; /* Kea: relative to the working directory */
	return r < 0 ? include_fail(x, &pos, path, r) : 0;
}

/* --- white space ------------------------------------------------------------------------------ */

static void skip_line(struct json_source *s)
{
	while (s->p < s->end && *s->p != '\n')
		s->p++;
}

static void newline(struct json_source *s)
{
	s->p++;
	s->line++;
	s->line_start = s->p;
}

/* At slash-star. */
static int skip_block(struct json_lex *x)
{
	struct json_pos pos = json_lex_pos(x);
	struct json_source *s = top(x);

	for (s->p += 2; s->p < s->end;) {
		if (s->end - s->p >= 2 && s->p[0] == '*' && s->p[1] == '/') {
			s->p += 2;
			return 0;
		}
		if (*s->p == '\n')
			newline(s);
		else
			s->p++;
	}
	return config_error_set(x->err, &pos, -USHER_E_SYNTAX,
				"the comment that begins here has no end");
}

/* One comment or include at the cursor: 1 skipped, 0 none there. */
static int skip_extra(struct json_lex *x)
{
	struct json_source *s = top(x);
	char next = s->end - s->p >= 2 ? s->p[1] : '\0';

	if (*s->p == '#' || (*s->p == '/' && next == '/')) {
		skip_line(s);
		return 1;
	}
	if (*s->p == '/' && next == '*')
		return skip_block(x) < 0 ? -USHER_E_SYNTAX : 1;
	if (x->o->dialect && !x->o->no_include && *s->p == '<') {
		int r = lex_include(x);

		return r < 0 ? r : 1;
	}
	return 0;
}

static bool pop_source(struct json_lex *x)
{
	if (x->n == 1)
		return false;
	free(top(x)->owned);
	x->n--;
	return true;
}

int json_lex_skip(struct json_lex *x)
{
	for (;;) {
		struct json_source *s = top(x);
		int r;

		if (s->p == s->end) {
			if (!pop_source(x))
				return 0;
			continue;
		}
		if (*s->p == '\n') {
			newline(s);
			continue;
		}
		if (*s->p == ' ' || *s->p == '\t' || *s->p == '\r') {
			s->p++;
			continue;
		}
		r = x->o->dialect || x->o->comments ? skip_extra(x) : 0;
		if (r <= 0)
			return r;
	}
}

/* --- strings ---------------------------------------------------------------------------------- */

static int hex4(const char *p, const char *end)
{
	int v = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = p[i];

		v <<= 4;
		if (c >= '0' && c <= '9')
			v |= c - '0';
		else if (c >= 'a' && c <= 'f')
			v |= c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			v |= c - 'A' + 10;
		else
			return -1;
	}
	return v;
}

static size_t utf8_put(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 63));
		out[2] = (char)(0x80 | (c & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 63));
	out[2] = (char)(0x80 | (c >> 6 & 63));
	out[3] = (char)(0x80 | (c & 63));
	return 4;
}

/* Length of the UTF-8 sequence at p, or 0 (RFC 3629: no overlong forms, no surrogates). */
static size_t utf8_len(const char *p, const char *end)
{
	const uint8_t *u = (const uint8_t *)p;
	size_t left = (size_t)(end - p);
	size_t n = u[0] < 0x80	 ? 1
		   : u[0] < 0xc2 ? 0
		   : u[0] < 0xe0 ? 2
		   : u[0] < 0xf0 ? 3
		   : u[0] < 0xf5 ? 4
				 : 0;

	if (!n || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
	    (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
		return 0;
	return n;
}

/* At the 'u' of an escape: one code point, two escapes for a surrogate pair. */
static int lex_unicode(struct json_lex *x, char *out, size_t *n)
{
	struct json_source *s = top(x);
	int hi = hex4(s->p + 1, s->end);
	int lo;

	if (hi <= 0 || (hi >= 0xdc00 && hi <= 0xdfff)) {
		/* names, paths and option texts end at a NUL everywhere else */
		int r = fail(x,
			     hi < 0 ? "\\u is not followed by four hexadecimal digits"
			     : hi == 0
				     ? "\\u0000 cannot stand in a string"
				     : "\\u escape is the second half of a pair without the first");

		s->p += hi < 0 ? 1 : 5;
		return r;
	}
	s->p += 5;
	if (hi < 0xd800 || hi > 0xdbff) {
		*n += utf8_put(out + *n, (uint32_t)hi);
		return 0;
	}
	lo = s->end - s->p >= 2 && s->p[0] == '\\' && s->p[1] == 'u' ? hex4(s->p + 2, s->end) : -1;
	if (lo < 0xdc00 || lo > 0xdfff)
		return fail(x, "\\u escape is the first half of a pair without the second");
	s->p += 6;
	*n += utf8_put(out + *n, 0x10000 + (((uint32_t)hi & 0x3ff) << 10) + ((uint32_t)lo & 0x3ff));
	return 0;
}

/* At a backslash. */
static int lex_escape(struct json_lex *x, char *out, size_t *n)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	struct json_source *s = top(x);
	const char *at;

	s->p++;
	if (s->p == s->end)
		return json_lex_expected(x, "the rest of a string");
	if (*s->p == 'u')
		return lex_unicode(x, out, n);
	at = *s->p ? strchr(from, *s->p) : NULL;
	if (!at)
		return json_lex_unexpected(x, "one of \" \\ / b f n r t u after a backslash");
	out[(*n)++] = to[at - from];
	s->p++;
	return 0;
}

/* One character of a string, not the closing quote. */
static int lex_char(struct json_lex *x, char *out, size_t *n)
{
	struct json_source *s = top(x);
	struct json_pos pos;
	size_t len;

	if (*s->p == '\\')
		return lex_escape(x, out, n);
	if (*s->p == '\n') {
		pos = json_lex_pos(x);
		return config_error_set(x->err, &pos, -USHER_E_SYNTAX,
					"the string is not closed on its line");
	}
	if ((unsigned char)*s->p < 0x20) {
		int r = fail(x, "a control character in a string must be escaped");

		s->p++;
		return r;
	}
	len = utf8_len(s->p, s->end);
	if (!len && x->o->dialect)
		len = 1; /* Kea takes any octet */
	if (!len)
		return fail(x, "the string is not valid UTF-8");
	memcpy(out + *n, s->p, len);
	*n += len;
	s->p += len;
	return 0;
}

/* Returns an upper bound of the decoded length: the octets before the closing quote. */
static size_t raw_len(const struct json_source *s)
{
	const char *p = s->p + 1;

	while (p < s->end && *p != '"' && *p != '\n')
		p += *p == '\\' && p + 1 < s->end ? 2 : 1;
	return (size_t)(p - s->p);
}

int json_lex_string(struct json_lex *x, const char **ret, size_t *ret_n)
{
	struct json_source *s = top(x);
	struct json_pos pos = json_lex_pos(x);
	char *out = arena_alloc(x->arena, raw_len(s) + 4);
	size_t n = 0;

	if (!out)
		return config_error_set(x->err, &pos, -USHER_E_NOMEM, "out of memory");
	s->p++;
	for (;;) {
		int r;

		if (s->p == s->end)
			return config_error_set(x->err, &pos, -USHER_E_SYNTAX,
						"the string that begins here is not closed");
		if (*s->p == '"')
			break;
		r = lex_char(x, out, &n);
		if (r < 0)
			return r;
	}
	s->p++;
	out[n] = '\0';
	*ret = out;
	*ret_n = n;
	return 0;
}

/* --- numbers ---------------------------------------------------------------------------------- */

static size_t digits(const char *p, const char *end)
{
	size_t n = 0;

	while (p + n < end && p[n] >= '0' && p[n] <= '9')
		n++;
	return n;
}

/*
 * Length of the number at p by RFC 8259 section 6, 0 if it is none; sets *ret_real. Kea's dialect
 * also has leading zeros, ".5" and "5.".
 */
static size_t number_len(const char *p, const char *end, bool dialect, bool *ret_real)
{
	const char *q = p + (p < end && *p == '-');
	size_t whole = digits(q, end);
	size_t part = 0;

	*ret_real = false;
	if (!dialect && (!whole || (whole > 1 && *q == '0')))
		return 0;
	q += whole;
	if (q < end && *q == '.') {
		part = digits(q + 1, end);
		if (!part && !dialect)
			return 0;
		q += part + 1;
		*ret_real = true;
	}
	if (!whole && !part)
		return 0;
	if (q < end && (*q == 'e' || *q == 'E')) {
		size_t n;

		q++;
		q += q < end && (*q == '+' || *q == '-');
		n = digits(q, end);
		if (!n)
			return 0;
		q += n;
		*ret_real = true;
	}
	return (size_t)(q - p);
}

static bool parse_int(const char *p, size_t n, int64_t *ret)
{
	bool neg = *p == '-';
	int64_t v = 0;

	for (size_t i = neg; i < n; i++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_sub_overflow(v, (int64_t)(p[i] - '0'), &v))
			return false;
	if (!neg && v == INT64_MIN)
		return false;
	*ret = neg ? v : -v;
	return true;
}

/* Steps over a number that was refused. */
static int refuse_number(struct json_lex *x, struct json *ret, const char *text)
{
	struct json_source *s = top(x);
	int r = fail(x, text);

	ret->type = JSON_NULL;
	ret->refused = true;
	while (s->p < s->end && *s->p && strchr("0123456789.eE+-", *s->p))
		s->p++;
	return r;
}

/* Kea takes "010" for ten, with a warning. */
static void warn_zeros(struct json_lex *x, const char *p, size_t n)
{
	struct json_pos pos = json_lex_pos(x);

	if (n && *p == '-') {
		p++;
		n--;
	}
	if (n > 1 && p[0] == '0' && p[1] >= '0' && p[1] <= '9')
		json_lex_warn(x, &pos, "leading zeros of a number are ignored: it is decimal");
}

int json_lex_number(struct json_lex *x, struct json *ret)
{
	struct json_source *s = top(x);
	bool real;
	size_t n = number_len(s->p, s->end, x->o->dialect, &real);
	char text[400];

	if (!n)
		return refuse_number(x, ret, "a number is written like 0, -12, 1.5 or 1e3");
	warn_zeros(x, s->p, n);
	if (!real) {
		ret->type = JSON_INT;
		if (!parse_int(s->p, n, &ret->i))
			return refuse_number(x, ret, "the integer does not fit into 64 bits");
		s->p += n;
		return 0;
	}
	if (n >= sizeof(text))
		return refuse_number(x, ret, "the number has too many digits");
	memcpy(text, s->p, n);
	text[n] = '\0';
	ret->type = JSON_REAL;
	ret->r = strtod(text, NULL);
	if (!isfinite(ret->r))
		return refuse_number(x, ret, "the number is out of range");
	s->p += n;
	return 0;
}
