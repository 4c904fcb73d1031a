/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Control sockets: unix, and HTTP or HTTPS with users, headers and TLS, whose files are read when
 * the sockets are opened.
 */
#include "config/config_load.h"

#include <arpa/inet.h>
#include <sys/un.h>

enum { PORT_DEFAULT = 8000 };

static const char address_default[] = "127.0.0.1";
static const char *const http_keys[] = {"socket-address", "socket-port", "authentication",
					"trust-anchor",	  "cert-file",	 "key-file",
					"cert-required",  "http-headers"};

/* Returns whether a socket of the tree is for HTTP. */
static bool is_http(const struct json *v)
{
	const struct json *type = json_get(v, "socket-type");

	return type && !type->refused && type->type == JSON_STRING && strcmp(type->s, "unix") != 0;
}

/* Returns a text that is given and not empty, or NULL. */
static const char *given_text(const struct json *v, const char *key)
{
	const char *s = json_get_str(v, key);

	return s && s[0] ? s : NULL;
}

static int fill_key(struct load *l, struct json *v, const char *key, struct json *value)
{
	if (json_get(v, key))
		return 0;
	if (value)
		value->pos = value->key_pos = v->pos;
	return load_put(l, v, key, value);
}

int load_fill_sockets(struct load *l)
{
	struct json *list = json_get(l->dhcp4, "control-sockets");
	int r = 0;

	for (struct json *v = list ? list->first : NULL; v && r == 0; v = v->next) {
		if (!is_http(v))
			continue;
		r = fill_key(l, v, "socket-address", json_str(l->a, address_default));
		if (r == 0)
			r = fill_key(l, v, "socket-port", json_int(l->a, PORT_DEFAULT));
		if (r == 0 && given_text(v, "cert-file"))
			r = fill_key(l, v, "cert-required", json_bool(l->a, true));
	}
	return r;
}

/* --- unix ------------------------------------------------------------------------------------- */

static int build_unix(struct load *l, const struct json *v, struct config_control_socket *ret)
{
	const struct json *name = json_get(v, "socket-name");
	int bad = 0;

	for (size_t i = 0; i < ARRAY_LEN(http_keys); i++) {
		const struct json *k = json_get(v, http_keys[i]);

		if (k)
			bad = load_fail_key(l, k, "'%s' is for sockets of type http and https",
					    http_keys[i]);
	}
	if (!name || !name->n)
		return load_fail(l, name ? name : v, "a unix control socket needs 'socket-name'");
	ret->path = load_file_name(l, CONFIG_DIR_SOCKETS, name->s);
	if (!ret->path)
		return load_no_memory(l);
	if (strlen(ret->path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return load_fail(l, name, "the path of a unix socket has at most %zu octets",
				 sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
	return bad;
}

/* --- HTTP ------------------------------------------------------------------------------------- */

static int build_user(struct load *l, const struct json *v, const char *directory,
		      struct config_http_user *ret)
{
	const struct json *user = json_get(v, "user"), *password = json_get(v, "password"), *access;
	const char *user_file = json_get_str(v, "user-file"),
		   *password_file = json_get_str(v, "password-file");

	*ret = (struct config_http_user){.user = user ? user->s : NULL,
					 .password = password ? password->s : NULL,
					 .node = v};
	if (user && user_file)
		return load_fail(l, v, "'user' and 'user-file' exclude each other");
	if (password && password_file)
		return load_fail(l, v, "'password' and 'password-file' exclude each other");
	if (!user && !user_file && !password_file)
		return load_fail(l, v, "a client needs 'user', 'user-file' or 'password-file'");
	if (user && (!user->n || strchr(user->s, ':')))
		return load_fail(l, user, "'user' must not be empty, and has no colon");
	if (password && (strcmp(password->s, "1234") == 0 || strcmp(password->s, "*****") == 0 ||
			 strcmp(password->s, "keatest") == 0))
		return load_fail(l, password,
				 "this password is known from examples: choose another");
	if (password)
		load_warn(l, password, "a password in clear text: 'password-file' is safer");
	ret->user_file = user_file ? arena_printf(l->a, "%s/%s", directory, user_file) : NULL;
	ret->password_file = password_file ? arena_printf(l->a, "%s/%s", directory, password_file)
					   : NULL;
	if ((user_file && !ret->user_file) || (password_file && !ret->password_file))
		return load_no_memory(l);
	access = json_get(json_get(json_get(v, "user-context"), "usher"), "access");
	ret->read_only = access && !access->refused && strcasecmp(access->s, "read") == 0;
	return 0;
}

static int build_users(struct load *l, const struct json *v, struct config_control_socket *ret)
{
	const struct json *auth = json_get(v, "authentication"), *list = json_get(auth, "clients");
	struct config_http_user *items;
	int bad = 0;

	ret->realm = load_str(auth, "realm", "kea-dhcpv4-server");
	if (!list)
		return 0;
	items = arena_array(l->a, struct config_http_user, list->count);
	if (!items)
		return load_no_memory(l);
	for (const struct json *u = list->first; u; u = u->next) {
		int r = build_user(l, u, load_str(auth, "directory", ""), &items[ret->n_users++]);

		if (load_fatal(r))
			return r;
		bad = load_both(bad, r);
	}
	ret->users = items;
	return bad;
}

/* Returns whether a text can be the name (RFC 9110 5.1) or the value of a header. */
static bool is_header_text(const char *s, bool name)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f ||
		    (name && strchr(" \"(),/:;<=>?@[\\]{}", *s)))
			return false;
	return true;
}

static int build_headers(struct load *l, const struct json *v, struct config_control_socket *ret)
{
	const struct json *list = json_get(v, "http-headers");
	struct config_http_header *items;

	if (!list)
		return 0;
	items = arena_array(l->a, struct config_http_header, list->count);
	if (!items)
		return load_no_memory(l);
	for (const struct json *h = list->first; h; h = h->next) {
		const struct json *name = json_get(h, "name"), *value = json_get(h, "value");

		if (!name || !value || name->refused || value->refused)
			continue;
		if (!name->n || !is_header_text(name->s, true))
			return load_fail(l, name, "this is no name of a header");
		if (!value->n || !is_header_text(value->s, false))
			return load_fail(l, value, "this is no value of a header");
		items[ret->n_headers++] = (struct config_http_header){name->s, value->s};
	}
	ret->headers = items;
	return 0;
}

static int build_tls(struct load *l, const struct json *v, struct config_control_socket *ret)
{
	ret->trust = given_text(v, "trust-anchor");
	ret->cert = given_text(v, "cert-file");
	ret->key = given_text(v, "key-file");
	ret->cert_required = load_bool(v, "cert-required");
	if (!ret->trust && !ret->cert && !ret->key)
		return strcmp(ret->type, "https") == 0
			       ? load_fail(l, json_get(v, "socket-type"),
					   "a socket of type https needs 'trust-anchor', "
					   "'cert-file' and 'key-file'")
			       : 0;
	if (!ret->trust || !ret->cert || !ret->key)
		return load_fail(
			l, v,
			"'%s' is missing: TLS needs 'trust-anchor', 'cert-file' and 'key-file'",
			!ret->trust  ? "trust-anchor"
			: !ret->cert ? "cert-file"
				     : "key-file");
	return 0;
}

static int build_http(struct load *l, const struct json *v, struct config_control_socket *ret)
{
	const struct json *name = json_get(v, "socket-name"), *address;
	struct in6_addr any;
	int bad = 0, r;

	if (name)
		bad = load_fail_key(l, name, "'socket-name' is for sockets of type unix");
	address = json_get(v, "socket-address");
	ret->address = address->refused ? address_default : address->s;
	ret->port = (uint16_t)load_u32(v, "socket-port", PORT_DEFAULT);
	if (inet_pton(AF_INET, ret->address, &any) != 1 &&
	    inet_pton(AF_INET6, ret->address, &any) != 1)
		bad = load_fail(l, address, "'%s' is no IPv4 or IPv6 address", ret->address);
	ret->agent = load_bool(json_get(json_get(v, "user-context"), "usher"), "control-agent");
	r = build_users(l, v, ret);
	if (!load_fatal(r))
		r = load_both(r, build_headers(l, v, ret));
	if (!load_fatal(r))
		r = load_both(r, build_tls(l, v, ret));
	if (r == 0 && bad == 0 && !ret->cert && !ret->n_users)
		load_warn(l, v,
			  "commands over HTTP without TLS and without users: each program that "
			  "reaches %s port %u controls this server",
			  ret->address, ret->port);
	return load_both(bad, r);
}

/* --- all -------------------------------------------------------------------------------------- */

static int check_twice(struct load *l, const struct config_control_socket *items, size_t n,
		       const struct config_control_socket *last)
{
	for (size_t i = 0; i < n; i++)
		if (!last->path && !items[i].path && items[i].port == last->port && last->port &&
		    strcmp(items[i].address, last->address) == 0)
			return load_fail(l, last->node, "%s port %u has a socket at %s already",
					 last->address, last->port, load_place(l, items[i].node));
	return 0;
}

int load_sockets(struct load *l)
{
	const struct json *list = json_get(l->dhcp4, "control-sockets");
	struct config_control_socket *items = arena_array(l->a, struct config_control_socket,
							  list->count);
	size_t n = 0;
	int bad = 0;

	if (!items)
		return load_no_memory(l);
	for (const struct json *v = list->first; v; v = v->next) {
		const struct json *type = json_get(v, "socket-type");
		struct config_control_socket *s = &items[n];
		int r;

		if (!type || type->refused) {
			bad = -USHER_E_CONFIG;
			continue;
		}
		*s = (struct config_control_socket){.type = type->s, .node = v};
		r = is_http(v) ? build_http(l, v, s) : build_unix(l, v, s);
		if (r == 0)
			r = check_twice(l, items, n, s);
		if (load_fatal(r))
			return r;
		bad = load_both(bad, r);
		n += r == 0;
	}
	l->c->control_sockets = items;
	l->c->n_control_sockets = n;
	return bad;
}
