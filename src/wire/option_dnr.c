/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Option 162, encrypted DNS resolvers (RFC 9463 5), as text
 *   100, resolver.example., 192.0.2.1 192.0.2.2, alpn=dot port=853 | 200, other.example.
 * Service parameters are those of RFC 9460 14.3.2; ipv4hint and ipv6hint are forbidden here (RFC
 * 9463 3.1.5), a key without a text form is keyN=hex. Keys ascend strictly, as on the wire.
 */
#include "base/error.h"
#include "base/ip.h"
#include "wire/fqdn.h"
#include "wire/option_internal.h"

#include <ctype.h>
#include <stdio.h>

enum { KEY_ALPN = 1, KEY_NO_DEFAULT_ALPN = 2, KEY_PORT = 3, KEY_DOHPATH = 7 };

static const struct {
	const char *name;
	uint16_t key;
} keys[] = {
	{"alpn", KEY_ALPN},
	{"no-default-alpn", KEY_NO_DEFAULT_ALPN},
	{"port", KEY_PORT},
	{"dohpath", KEY_DOHPATH},
};

static int key_parse(struct option_enc *e, const char *name, int64_t *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(keys[i].name, name) == 0) {
			*ret = keys[i].key;
			return 0;
		}
	}
	if (strncmp(name, "key", 3) != 0)
		return option_enc_fail(e, -USHER_E_SYNTAX, "unknown service parameter '%.100s'",
				       name);
	return option_enc_number(e, name + 3, 0, UINT16_MAX, ret);
}

static int alpn_encode(struct option_enc *e, const char *value)
{
	char *id;

	while ((id = option_text_split(e->arena, &value, ',')) != NULL) {
		size_t n = strlen(id);

		if (n == 0 || n > 255)
			return option_enc_fail(e, -USHER_E_RANGE, "alpn of %zu octets", n);
		option_enc_be(e, n, 1);
		buf_add(&e->out, id, n);
	}
	return 0;
}

static int value_encode(struct option_enc *e, int64_t key, bool by_number, const char *value)
{
	uint8_t octets[256];
	int64_t port;
	int r;

	if (by_number) {
		r = hex_parse(value, strlen(value), octets, sizeof(octets));
		if (r < 0)
			return option_enc_fail(e, r, "'%.100s' is not hexadecimal", value);
		buf_add(&e->out, octets, (size_t)r);
		return 0;
	}
	if (key == KEY_ALPN)
		return alpn_encode(e, value);
	if (key == KEY_PORT) {
		r = option_enc_number(e, value, 0, UINT16_MAX, &port);
		if (r == 0)
			option_enc_be(e, (uint64_t)port, 2);
		return r;
	}
	if (key == KEY_NO_DEFAULT_ALPN && *value)
		return option_enc_fail(e, -USHER_E_SYNTAX, "no-default-alpn takes no value");
	buf_str(&e->out, value);
	return 0;
}

/* Writes the length of the octets behind at + width into the width octets at `at`. */
static int length_patch(struct option_enc *e, size_t at, size_t width)
{
	struct wr w = wr_init(e->out.p, e->out.len);
	size_t n = e->out.len - at - width;

	if (e->out.failed)
		return -USHER_E_NOMEM;
	if (n > (width == 1 ? 255U : 65535U))
		return option_enc_fail(e, -USHER_E_RANGE, "%zu octets are too long", n);
	w.len = at;
	if (width == 1)
		wr_u8(&w, (uint8_t)n);
	else
		wr_be16(&w, (uint16_t)n);
	return 0;
}

static int param_encode(struct option_enc *e, const char *text, int64_t *last_key)
{
	const char *value = text;
	char *name = option_text_split(e->arena, &value, '=');
	int64_t key;
	size_t at;
	int r;

	if (!name)
		return -USHER_E_NOMEM;
	r = key_parse(e, name, &key);
	if (r < 0)
		return r;
	if (key <= *last_key)
		return option_enc_fail(e, -USHER_E_SYNTAX, "'%.100s': keys must ascend", text);
	*last_key = key;
	option_enc_be(e, (uint64_t)key, 2);
	at = e->out.len;
	option_enc_be(e, 0, 2);
	r = value_encode(e, key, strncmp(name, "key", 3) == 0, value ? value : "");
	return r < 0 ? r : length_patch(e, at, 2);
}

/* Appends the length octet and the addresses, which spaces separate. */
static int addresses_encode(struct option_enc *e, const char *text)
{
	size_t at = e->out.len;
	char *word;

	option_enc_be(e, 0, 1);
	while ((word = option_text_split(e->arena, &text, ' ')) != NULL) {
		int r = *word ? option_enc_ipv4(e, word) : 0;

		if (r < 0)
			return r;
	}
	return length_patch(e, at, 1);
}

/* Replaces "\\," by ",": lists may be written as in every other option's text. */
static void commas_unescape(char *s)
{
	char *to = s;

	for (; *s; s++)
		if (s[0] != '\\' || s[1] != ',')
			*to++ = *s;
	*to = '\0';
}

static int params_encode(struct option_enc *e, const char *text)
{
	int64_t last_key = -1;
	char *word;

	while ((word = option_text_split(e->arena, &text, ' ')) != NULL) {
		int r;

		commas_unescape(word);
		r = *word ? param_encode(e, word, &last_key) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int name_encode(struct option_enc *e, const char *name)
{
	size_t at = e->out.len;
	int r;

	option_enc_be(e, 0, 1);
	r = option_enc_fqdn(e, name);
	return r < 0 ? r : length_patch(e, at, 1);
}

static int instance_encode(struct option_enc *e, const char *text)
{
	char *priority = option_text_split(e->arena, &text, ',');
	char *name = option_text_split(e->arena, &text, ',');
	char *addresses = option_text_split(e->arena, &text, ',');
	size_t at = e->out.len;
	int64_t v;
	int r;

	if (!priority || !name)
		return option_enc_fail(e, -USHER_E_SYNTAX, "\"priority, name, …\" expected");
	option_enc_be(e, 0, 2);
	r = option_enc_number(e, priority, 0, UINT16_MAX, &v);
	if (r < 0)
		return r;
	option_enc_be(e, (uint64_t)v, 2);
	r = name_encode(e, name);
	if (r == 0 && addresses)
		r = addresses_encode(e, addresses);
	/* the rest, with its commas, is parameters */
	if (r == 0 && text)
		r = params_encode(e, text);
	return r < 0 ? r : length_patch(e, at, 2);
}

int option_dnr_encode(struct option_enc *e, const struct option_def *def, const char *text)
{
	char *instance;

	(void)def;
	while ((instance = option_text_split(e->arena, &text, '|')) != NULL) {
		int r = instance_encode(e, instance);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Returns whether these octets can stand in the text unchanged. */
static bool plain(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!isgraph(s.p[i]) || strchr(",\\|=", s.p[i]))
			return false;
	return s.n > 0;
}

/* Reads the list of alpn ids; false if it is malformed or an id is not plain. */
static bool alpn_read(struct span value, struct buf *out)
{
	struct rd r = rd_init(value);
	bool first = true;

	while (rd_left(&r)) {
		struct span id = rd_bytes(&r, rd_u8(&r));

		if (!plain(id))
			return false;
		option_put(out, "%s", first ? "" : "\\,");
		if (out)
			buf_add(out, id.p, id.n);
		first = false;
	}
	return rd_ok(&r) && !first;
}

static void param_text(unsigned key, struct span value, struct buf *out)
{
	struct rd r = rd_init(value);

	if (key == KEY_ALPN && alpn_read(value, NULL)) {
		option_put(out, "alpn=");
		(void)alpn_read(value, out);
	} else if (key == KEY_NO_DEFAULT_ALPN && !value.n) {
		option_put(out, "no-default-alpn");
	} else if (key == KEY_PORT && value.n == 2) {
		option_put(out, "port=%u", rd_be16(&r));
	} else if (key == KEY_DOHPATH && plain(value)) {
		option_put(out, "dohpath=");
		buf_add(out, value.p, value.n);
	} else {
		option_put(out, "key%u%s", key, value.n ? "=" : "");
		buf_hex(out, value, '\0');
	}
}

static bool params_read(struct rd *r, struct buf *out)
{
	const char *before = ", ";
	int last = -1;

	while (rd_left(r)) {
		unsigned key = rd_be16(r);
		struct span value = rd_bytes(r, rd_be16(r));

		if (!rd_ok(r) || (int)key <= last)
			return false;
		last = (int)key;
		option_put(out, "%s", before);
		before = " ";
		if (out)
			param_text(key, value, out);
	}
	return true;
}

static bool addresses_read(struct rd *r, struct buf *out)
{
	size_t n = rd_u8(r);
	const char *before = ", ";

	if (n == 0 || n % 4)
		return false;
	for (; n; n -= 4) {
		option_put(out, "%s", before);
		option_put_ipv4(out, rd_be32(r));
		before = " ";
	}
	return rd_ok(r);
}

static bool instance_read(struct rd *r, struct buf *out)
{
	struct rd in = rd_sub(r, rd_be16(r));
	unsigned priority = rd_be16(&in);
	struct span name = rd_bytes(&in, rd_u8(&in));
	size_t off = 0;

	option_put(out, "%u, ", priority);
	if (!rd_ok(&in) || !fqdn_read(name, &off, false, out) || off != name.n)
		return false;
	/* a name alone: RFC 9463 3.1.6 */
	if (!rd_left(&in))
		return true;
	return addresses_read(&in, out) && params_read(&in, out);
}

bool option_dnr_read(const struct option_def *def, struct span data, struct buf *out)
{
	struct rd r = rd_init(data);

	(void)def;
	if (!instance_read(&r, out))
		return false;
	while (rd_left(&r)) {
		option_put(out, " | ");
		if (!instance_read(&r, out))
			return false;
	}
	return true;
}
