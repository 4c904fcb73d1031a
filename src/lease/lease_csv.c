/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Kea's lease file, schema 3.0 and older: columns were only ever added at the end. Commas are
 * written as &#x2c; so are control characters and an ampersand that would read as an escape,
 * which Kea's reader undoes like any other. A NUL never is in a good row: it is part
 * of a block that did not reach the disk.
 */
#include "lease/lease_csv.h"

#include "base/error.h"
#include "base/ip.h"

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

static inline char *put_addr(char *p, uint32_t a)
{
	for (int shift = 24; shift >= 0; shift -= 8) {
		p = put_octet(p, a >> shift & 255);
		*p++ = shift ? '.' : ',';
	}
	return p;
}

/* Each pair with a colon, and the last colon is the comma. */
static inline char *put_hex(char *p, struct span s)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < s.n; i++) {
		*p++ = digits[s.p[i] >> 4];
		*p++ = digits[s.p[i] & 15];
		*p++ = ':';
	}
	if (s.n)
		p--;
	*p++ = ',';
	return p;
}

static bool needs_escape(const char *s)
{
	unsigned char c = (unsigned char)*s;

	return c == ',' || c < 0x20 || c == 0x7f || (c == '&' && s[1] == '#' && s[2] == 'x');
}

static void put_text(struct buf *out, const char *s)
{
	while (*s) {
		const char *plain = s;

		while (*s && !needs_escape(s))
			s++;
		buf_add(out, plain, (size_t)(s - plain));
		if (*s)
			buf_printf(out, "&#x%02x", (unsigned)(unsigned char)*s++);
	}
}

static uint8_t row_state(const struct lease *l, bool deleted)
{
	if (!deleted)
		return l->state;
	/* a deleted row must neither lack an identity it needs nor read as kept */
	return l->hw_len || l->client_id_len ? LEASE_ASSIGNED : LEASE_DECLINED;
}

enum {
	HEAD_MAX = 16 + 3 * (LEASE_HW_MAX + LEASE_CLIENT_ID_MAX) + 80,
	TAIL_MAX = 32,
};

/* Up to the host name; *p is where it begins. */
static char *put_head(char *p, const struct lease *l, bool deleted)
{
	int64_t expire = l->cltt + (int64_t)l->valid_lft;

	p = put_addr(p, l->addr);
	p = put_hex(p, lease_hw(l));
	p = put_hex(p, lease_client_id(l));
	p = put_uint(p, deleted ? 0 : l->valid_lft);
	*p++ = ',';
	p = put_uint(p, (uint64_t)(expire < 0 ? 0 : expire));
	*p++ = ',';
	p = put_uint(p, l->subnet_id);
	*p++ = ',';
	*p++ = l->fqdn_fwd ? '1' : '0';
	*p++ = ',';
	*p++ = l->fqdn_rev ? '1' : '0';
	*p++ = ',';
	return p;
}

void lease_csv_format(const struct lease *l, bool deleted, struct buf *out)
{
	char *p;

	if (!buf_reserve(out, HEAD_MAX + TAIL_MAX))
		return;
	p = put_head(out->p + out->len, l, deleted);
	out->len = (size_t)(p - out->p);
	if (l->hostname[0])
		put_text(out, l->hostname);
	if (!buf_reserve(out, TAIL_MAX))
		return;
	p = out->p + out->len;
	*p++ = ',';
	*p++ = (char)('0' + row_state(l, deleted));
	*p++ = ',';
	if (l->user_context) {
		out->len = (size_t)(p - out->p);
		put_text(out, l->user_context);
		if (!buf_reserve(out, TAIL_MAX))
			return;
		p = out->p + out->len;
	}
	*p++ = ',';
	p = put_uint(p, l->pool_id);
	*p++ = '\n';
	*p = '\0';
	out->len = (size_t)(p - out->p);
}

int lease_csv_header(const char *line, size_t n)
{
	static const char full[] = LEASE_CSV_HEADER;
	size_t known = sizeof(full) - 1;
	int columns = 1;

	if (n > 0 && line[n - 1] == '\r')
		n--;
	known = n < known ? n : known;
	if (n == 0 || memcmp(line, full, known) != 0)
		return -USHER_E_SYNTAX;
	/* fewer columns end where one of ours does; more begin behind our last one */
	if (n <= sizeof(full) - 1 ? full[n] != ',' && full[n] != '\0' : line[known] != ',')
		return -USHER_E_SYNTAX;
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			return -USHER_E_SYNTAX;
		columns += line[i] == ',';
	}
	return columns >= LEASE_CSV_MIN_COLUMNS ? columns : -USHER_E_SYNTAX;
}

static bool get_uint(struct span s, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.n == 0 || s.n > 18)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (s.p[i] - '0');
	}
	*ret = v;
	return v <= max;
}

static bool get_bool(struct span s, bool *ret)
{
	*ret = s.n == 1 && s.p[0] == '1';
	return s.n == 1 && (s.p[0] == '0' || s.p[0] == '1');
}

static int get_hex(struct span s, uint8_t *out, size_t cap)
{
	return s.n ? hex_parse((const char *)s.p, s.n, out, cap) : 0;
}

static int hex_val(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes the escapes in place. The new length, or -1: a NUL. */
static int64_t unescape(char *s, size_t n)
{
	size_t out = 0;

	if (memchr(s, '\0', n))
		return -1;
	if (!memchr(s, '&', n))
		return (int64_t)n;
	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		if (c == '&' && n - i >= 5 && s[i + 1] == '#' && s[i + 2] == 'x' &&
		    hex_val(s[i + 3]) >= 0 && hex_val(s[i + 4]) >= 0) {
			c = (char)(hex_val(s[i + 3]) << 4 | hex_val(s[i + 4]));
			i += 4;
			if (c == '\0')
				return -1;
		}
		s[out++] = c;
	}
	return (int64_t)out;
}

static const char *get_identity(const struct span *f, struct lease *l)
{
	int n;

	if (ip_parse((const char *)f[0].p, f[0].n, &l->addr) < 0)
		return "address is not a dotted quad";
	n = get_hex(f[1], l->hw, sizeof(l->hw));
	if (n < 0)
		return "hwaddr is not hexadecimal or too long";
	l->hw_len = (uint8_t)n;
	n = get_hex(f[2], l->client_id, sizeof(l->client_id));
	if (n < 0)
		return "client_id is not hexadecimal or too long";
	l->client_id_len = (uint16_t)n;
	return NULL;
}

/* A state of DHCPv6 that lease4-add and lease4-update of Kea 3.x accept too; Kea treats such a
 * lease as assigned. */
enum { KEA_REGISTERED = 4 };

static const char *get_numbers(const struct span *f, struct lease *l)
{
	uint64_t v[5] = {0};

	if (!get_uint(f[3], UINT32_MAX, &v[0]))
		return "valid_lifetime is not a number";
	if (!get_uint(f[4], INT64_MAX, &v[1]))
		return "expire is not a number";
	if (!get_uint(f[5], UINT32_MAX, &v[2]))
		return "subnet_id is not a number";
	if (!get_bool(f[6], &l->fqdn_fwd) || !get_bool(f[7], &l->fqdn_rev))
		return "fqdn_fwd and fqdn_rev are 0 or 1";
	if (f[9].p && !get_uint(f[9], KEA_REGISTERED, &v[3]))
		return "state is not 0 to 4";
	if (f[11].p && f[11].n && !get_uint(f[11], UINT32_MAX, &v[4]))
		return "pool_id is not a number";
	l->valid_lft = (uint32_t)v[0];
	l->cltt = (int64_t)v[1] - (int64_t)v[0];
	l->subnet_id = (uint32_t)v[2];
	l->state = v[3] == KEA_REGISTERED ? LEASE_ASSIGNED : (uint8_t)v[3];
	l->pool_id = (uint32_t)v[4];
	if (!l->hw_len && !l->client_id_len && l->state != LEASE_DECLINED && l->valid_lft)
		return "neither hwaddr nor client_id";
	return NULL;
}

static const char *get_texts(char *line, const struct span *f, struct lease *l)
{
	char *host = line + (f[8].p - (const uint8_t *)line);
	int64_t n = unescape(host, f[8].n);

	if (n < 0 || n > LEASE_HOSTNAME_MAX)
		return "hostname has a NUL or is too long";
	memcpy(l->hostname, host, (size_t)n);
	l->hostname[n] = '\0';
	l->user_context = NULL;
	if (f[10].n) {
		char *ctx = line + (f[10].p - (const uint8_t *)line);

		n = unescape(ctx, f[10].n);
		if (n < 0)
			return "user_context has a NUL";
		ctx[n] = '\0'; /* on the comma or the newline */
		l->user_context = ctx;
	}
	return NULL;
}

/* The fields that we know, and the number of all there are. */
static int split(char *line, size_t n, struct span *f)
{
	char *end = line + n;

	for (int k = 0;; k++) {
		char *comma = memchr(line, ',', (size_t)(end - line));

		if (k < LEASE_CSV_COLUMNS)
			f[k] = span_of(line, (size_t)((comma ? comma : end) - line));
		if (!comma)
			return k + 1;
		line = comma + 1;
	}
}

/* Returns whether a row has a valid length, as Kea reads them: the header's columns, ours, or any
 * number between. */
static bool is_row_length(int k, int columns)
{
	if (columns < LEASE_CSV_COLUMNS)
		return k >= columns && k <= LEASE_CSV_COLUMNS;
	return k >= LEASE_CSV_COLUMNS && k <= columns;
}

int lease_csv_parse_any(char *line, size_t n, int columns, struct lease *ret, const char **ret_why)
{
	struct span f[LEASE_CSV_COLUMNS] = {{NULL, 0}};
	const char *why = NULL;
	int k;

	if (n > 0 && line[n - 1] == '\r')
		n--;
	k = split(line, n, f);
	if (!is_row_length(k, columns))
		why = "wrong number of columns";
	if (!why)
		why = get_identity(f, ret);
	if (!why)
		why = get_numbers(f, ret);
	if (!why)
		why = get_texts(line, f, ret);
	if (!why)
		return 0;
	*ret_why = why;
	return -USHER_E_SYNTAX;
}

int lease_csv_parse(char *line, size_t n, int columns, struct lease *ret, const char **ret_why)
{
	char behind = line[n];
	bool usual;

	line[n] = '\n';
	usual = lease_csv_scan((const uint8_t *)line, (const uint8_t *)line + n, ret);
	line[n] = behind;
	return usual ? 0 : lease_csv_parse_any(line, n, columns, ret, ret_why);
}
