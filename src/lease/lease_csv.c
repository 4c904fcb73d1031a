/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Writes Kea's lease file, schema 3.0: a row is generated from the rows of lease_fields.def, so
 * that it costs no more than code by hand. Commas are written as &#x2c; so are control characters
 * and an ampersand that would read as an escape, which Kea's reader undoes like any other.
 */
#include "lease/lease_csv.h"

#include "base/error.h"

/* "00" to "99" */
static const char pairs[] =
	"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
	"5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

static unsigned n_digits(uint64_t v)
{
	unsigned n = 1;

	for (; v >= 10000; v /= 10000)
		n += 4;
	return n + (v >= 10) + (v >= 100) + (v >= 1000);
}

static inline char *put_uint(char *p, uint64_t v)
{
	char *end = p + n_digits(v);

	for (p = end; v >= 100; v /= 100)
		memcpy(p -= 2, pairs + v % 100 * 2, 2);
	if (v >= 10)
		memcpy(p - 2, pairs + v * 2, 2);
	else
		p[-1] = (char)('0' + v);
	return end;
}

static inline char *put_digit(char *p, unsigned v)
{
	*p = (char)('0' + v);
	return p + 1;
}

static inline char *put_octet(char *p, unsigned v)
{
	if (v >= 100)
		*p++ = (char)('0' + v / 100);
	if (v >= 10) {
		memcpy(p, pairs + v % 100 * 2, 2);
		return p + 2;
	}
	*p++ = (char)('0' + v);
	return p;
}

static inline char *put_address(char *p, uint32_t a)
{
	for (int shift = 24; shift >= 0; shift -= 8) {
		p = put_octet(p, a >> shift & 255);
		if (shift)
			*p++ = '.';
	}
	return p;
}

/* Writes pairs of digits with a colon behind each, and removes the last colon. */
static inline char *put_pairs(char *p, struct span s)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < s.n; i++) {
		*p++ = digits[s.p[i] >> 4];
		*p++ = digits[s.p[i] & 15];
		*p++ = ':';
	}
	return s.n ? p - 1 : p;
}

static bool needs_escape(const char *s)
{
	unsigned char c = (unsigned char)*s;

	return c == ',' || c < 0x20 || c == 0x7f || (c == '&' && s[1] == '#' && s[2] == 'x');
}

enum { ESCAPE_LEN = 5 }; /* "&#x2c" */

static char *put_escape(char *p, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";

	memcpy(p, "&#x", 3);
	p[3] = digits[c >> 4];
	p[4] = digits[c & 15];
	return p + ESCAPE_LEN;
}

/* Writes s with its escapes: at most ESCAPE_LEN times its length. */
static char *put_text(char *p, const char *s)
{
	while (*s) {
		const char *plain = s;

		while (*s && !needs_escape(s))
			s++;
		memcpy(p, plain, (size_t)(s - plain));
		p += s - plain;
		if (*s)
			p = put_escape(p, (unsigned char)*s++);
	}
	return p;
}

static inline uint64_t expire_of(const struct lease *l)
{
	int64_t expire = l->cltt + (int64_t)l->valid_lft;

	return (uint64_t)(expire < 0 ? 0 : expire);
}

/* Returns the lifetime of the row: 0 deletes the lease, unless it is a released one. */
static inline uint32_t row_lifetime(const struct lease *l, bool deleted)
{
	if (deleted)
		return 0;
	return unlikely(l->state == LEASE_RECLAIMED && !l->valid_lft) ? 1 : l->valid_lft;
}

static inline uint8_t row_state(const struct lease *l, bool deleted)
{
	if (!deleted)
		return l->state;
	/* a deleted row must neither lack an identity it needs nor read as kept */
	return l->hw_len || l->client_id_len ? LEASE_ASSIGNED : LEASE_DECLINED;
}

/* The longest text of a column, with its comma; that of a CONTEXT is added by the writer. */
#define LEN_ADDRESS(longest)   sizeof("255.255.255.255")
#define LEN_HARDWARE(longest)  (3 * (longest) + 1)
#define LEN_CLIENT_ID(longest) (3 * (longest) + 1)
#define LEN_LIFETIME(longest)  sizeof("4294967295")
#define LEN_TIME(longest)      sizeof("18446744073709551615")
#define LEN_NUMBER(longest)    sizeof("4294967295")
#define LEN_OPTIONAL(longest)  sizeof("4294967295")
#define LEN_FLAG(longest)      sizeof("1")
#define LEN_TEXT(longest)      (ESCAPE_LEN * (longest) + 1)
#define LEN_STATE(longest)     sizeof("255")
#define LEN_CONTEXT(longest)   1

enum {
	ROW_MAX = 1
#define LEASE_FIELD(member, kind, longest, ...) +LEN_##kind(longest)
#include "lease/lease_fields.def"
};

static size_t context_len(const char *context)
{
	return context ? ESCAPE_LEN * strlen(context) : 0;
}

#define PUT_ADDRESS(member)   put_address(p, l->member)
#define PUT_HARDWARE(member)  put_pairs(p, span_of(l->member, l->member##_len))
#define PUT_CLIENT_ID(member) put_pairs(p, span_of(l->member, l->member##_len))
#define PUT_LIFETIME(member)  put_uint(p, row_lifetime(l, deleted))
#define PUT_TIME(member)      put_uint(p, expire_of(l))
#define PUT_NUMBER(member)    put_uint(p, l->member)
#define PUT_OPTIONAL(member)  put_uint(p, l->member)
#define PUT_FLAG(member)      put_digit(p, l->member)
#define PUT_TEXT(member)      put_text(p, l->member)
#define PUT_STATE(member)     put_digit(p, row_state(l, deleted))
#define PUT_CONTEXT(member)   (l->member ? put_text(p, l->member) : p)

void lease_csv_format(const struct lease *l, bool deleted, struct buf *out)
{
	size_t room = ROW_MAX
#define LEASE_FIELD(member, kind, ...) LEASE_PICK_##kind(, , , , , +context_len(l->member))
#include "lease/lease_fields.def"
		;
	char *p;

	if (!buf_reserve(out, room))
		return;
	p = out->p + out->len;
#define LEASE_FIELD(member, kind, ...) \
	p = PUT_##kind(member);        \
	*p++ = ',';
#include "lease/lease_fields.def"
	p[-1] = '\n';
	*p = '\0';
	out->len = (size_t)(p - out->p);
}

const char *lease_csv_head(void)
{
	/* a comma before each column is one too many */
	static const char text[] =
#define LEASE_FIELD(member, kind, longest, csv, ...) "," csv
#include "lease/lease_fields.def"
		"\n";

	return text + 1;
}

int lease_csv_header(const char *line, size_t n)
{
	const char *full = lease_csv_head();
	size_t full_len = LEASE_CSV_HEAD_LEN - 1;
	size_t known;
	int columns = 1;

	if (n > 0 && line[n - 1] == '\r')
		n--;
	known = n < full_len ? n : full_len;
	if (n == 0 || memcmp(line, full, known) != 0)
		return -USHER_E_SYNTAX;
	/* fewer columns end where one of ours does; more begin behind our last one */
	if (n <= full_len ? full[n] != ',' && full[n] != '\n' : line[known] != ',')
		return -USHER_E_SYNTAX;
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			return -USHER_E_SYNTAX;
		columns += line[i] == ',';
	}
	return columns >= LEASE_CSV_MIN_COLUMNS ? columns : -USHER_E_SYNTAX;
}
