/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Options of command lines: every text is read before the listener opens.
 */
#include "base/arena.h"
#include "base/error.h"
#include "http/args.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USERS_MAX = 64 };

static const char read_only[] = "read-only ";

static int printf_like(3, 4) fail_args(char text[HTTP_TEXT_MAX], int r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, HTTP_TEXT_MAX, fmt, ap);
	va_end(ap);
	return r;
}

/* Parses an address and a port behind the last colon. */
static int parse_listen(struct arena *a, const char *listen, struct http_opts *o)
{
	const char *colon = strrchr(listen, ':');
	char *address = arena_strdup(a, listen), *end;
	unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;

	if (!address || !colon || !colon[1] || *end || port > UINT16_MAX)
		return -EINVAL;
	address[colon - listen] = '\0';
	if (address[0] == '[' && colon > listen && colon[-1] == ']') {
		address[colon - listen - 1] = '\0';
		address++;
	}
	o->address = address;
	o->port = (uint16_t)port;
	return http_is_address(address) ? 0 : -EINVAL;
}

/* Reads the lines of the file of users. */
static int read_users(struct arena *a, const char *path, struct http_opts *o,
		      char text[HTTP_TEXT_MAX])
{
	struct http_user *users = arena_array(a, struct http_user, USERS_MAX);
	unsigned number = 0;
	char *save = NULL;
	int r;
	char *all = http_read_text(a, path, &r);

	if (!all || !users)
		return fail_args(text, r, "%s cannot be read: %s", path, usher_strerror(r));
	for (char *line = strtok_r(all, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct http_user *u = &users[o->n_users];
		char *colon;

		number++;
		if (line[0] == '#' || strspn(line, " \t\r") == strlen(line))
			continue;
		line[strcspn(line, "\r")] = '\0';
		u->read_only = strncmp(line, read_only, sizeof(read_only) - 1) == 0;
		line += u->read_only ? sizeof(read_only) - 1 : 0;
		colon = strchr(line, ':');
		if (!colon || colon == line || o->n_users == USERS_MAX - 1)
			return fail_args(
				text, -USHER_E_CONFIG,
				"%s: line %u with text: expected user:password, and at most %d of them",
				path, number, USERS_MAX - 1);
		*colon = '\0';
		u->name = line;
		u->password = colon + 1;
		o->n_users++;
	}
	if (!o->n_users)
		return fail_args(text, -USHER_E_CONFIG,
				 "%s has no user: nobody could send a command", path);
	o->users = users;
	return 0;
}

static int read_texts(struct arena *a, const struct http_args *in, struct http_opts *o,
		      char text[HTTP_TEXT_MAX])
{
	int64_t expires;
	int r;

	if (!in->cert != !in->key || (in->trust && !in->cert))
		return fail_args(text, -USHER_E_CONFIG, "TLS needs a certificate and its key");
	if (!in->cert)
		return 0;
	o->cert = http_read_text(a, in->cert, &r);
	if (!o->cert)
		return fail_args(text, r, "%s cannot be read: %s", in->cert, usher_strerror(r));
	o->key = http_read_text(a, in->key, &r);
	if (!o->key)
		return fail_args(text, r, "%s cannot be read: %s", in->key, usher_strerror(r));
	if (in->trust && !(o->trust = http_read_trust(a, in->trust, &r)))
		return fail_args(text, r, "%s cannot be read: %s", in->trust, usher_strerror(r));
	return http_tls_check(o, &expires, text);
}

int http_open_args(struct loop *loop, const struct http_args *in, struct http_opts *o,
		   struct http_listener **ret, char text[HTTP_TEXT_MAX])
{
	struct arena a;
	int r;

	arena_init(&a);
	r = parse_listen(&a, in->listen, o);
	if (r < 0)
		(void)fail_args(
			text, r,
			"%s: expected ADDRESS:PORT with a literal address, such as 127.0.0.1:8000",
			in->listen);
	if (r == 0 && in->users)
		r = read_users(&a, in->users, o, text);
	if (r == 0)
		r = read_texts(&a, in, o, text);
	if (r == 0) {
		r = http_open(loop, o, ret);
		if (r < 0)
			(void)fail_args(text, r, "%s cannot be opened: %s", in->listen,
					usher_strerror(r));
	}
	arena_fini(&a);
	return r;
}
