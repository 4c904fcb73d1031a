/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The names are taken from the typed configuration, their places from the tree. A name is compared
 * as text first, so that an absent file needs no look-up. Then the links of the existing part are
 * followed, because a directory below Kea's may belong to another user.
 */
#include "server/view/paths.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "config/config.h"
#include "hook/hook.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

struct place {
	const struct paths_check *c;
	size_t n;
};

static bool has_dots(const char *path)
{
	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");

		if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return true;
		p += n + (p[n] == '/');
	}
	return false;
}

static bool begins_with(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	while (n > 1 && dir[n - 1] == '/')
		n--;
	return strncmp(path, dir, n) == 0 && path[n] == '/' && path[n + strspn(path + n, "/")];
}

/* Returns the directory that a path leads to, as far as it exists; the caller frees the result. */
static char *real_parent(const char *path)
{
	char parent[PATH_MAX];

	if ((size_t)snprintf(parent, sizeof(parent), "%s", path) >= sizeof(parent))
		return NULL;
	for (;;) {
		char *slash = strrchr(parent, '/');
		char *real;

		if (!slash || slash == parent)
			return NULL;
		*slash = '\0';
		real = realpath(parent, NULL);
		if (real)
			return real;
	}
}

bool paths_below(const char *path, const char *dir)
{
	auto_free char *real_dir = NULL;
	auto_free char *real = NULL;

	if (has_dots(path) || !begins_with(path, dir))
		return false;
	real_dir = realpath(dir, NULL);
	if (!real_dir)
		return true; /* the path has no directory to follow */
	real = realpath(path, NULL);
	if (!real)
		real = real_parent(path);
	return real && (strcmp(real, real_dir) == 0 || begins_with(real, real_dir));
}

static void refuse_path(struct place *p, const struct json_pos *pos, const char *what,
			const char *path, enum config_dir_kind kind)
{
	struct config_error err = {0};

	(void)config_error_set(
		&err, pos, -USHER_E_CONFIG,
		"%s %s: this requester may name only files below %s (not restricted: root, the "
		"server's user, the configuration file, or -X)",
		what, path, config_dir(kind));
	p->c->problem(p->c->ctx, &err);
	p->n++;
}

/* --- rules in force --------------------------------------------------------------------------- */

static bool log_in_force(const struct config *cfg, const char *path)
{
	for (size_t i = 0; cfg && i < cfg->n_loggers; i++)
		for (size_t j = 0; j < cfg->loggers[i].n_outputs; j++) {
			const struct log_output *o = &cfg->loggers[i].outputs[j];

			if (o->kind == LOG_SINK_FILE && strcmp(o->path, path) == 0)
				return true;
		}
	return false;
}

static bool socket_in_force(const struct config *cfg, const char *path)
{
	for (size_t i = 0; cfg && i < cfg->n_control_sockets; i++)
		if (cfg->control_sockets[i].path && strcmp(cfg->control_sockets[i].path, path) == 0)
			return true;
	return false;
}

static const struct json *file_of(const struct paths_check *c, const struct config_hook_library *h,
				  unsigned nth, int *ret_dir)
{
	const struct hook_builtin *b = hook_builtin_find(c->builtins, h->library);

	return b && b->file ? b->file(h, nth, ret_dir) : NULL;
}

/* Returns whether the library has this file as this parameter. */
static bool names_file(const struct paths_check *c, const struct config_hook_library *h,
		       const struct json *file)
{
	const struct json *v;
	int dir;

	for (unsigned i = 0; (v = file_of(c, h, i, &dir)) != NULL; i++)
		if (v->type == JSON_STRING && strcmp(v->s, file->s) == 0 &&
		    strcmp(v->key, file->key) == 0)
			return true;
	return false;
}

/* Returns whether the library (or, where file is not NULL, that file of it) is in force. */
static bool hook_in_force(const struct paths_check *c, const char *library, const struct json *file)
{
	for (size_t i = 0; c->in_force && i < c->in_force->n_hooks; i++) {
		const struct config_hook_library *h = &c->in_force->hooks[i];

		if (strcmp(h->library, library) == 0 && (!file || names_file(c, h, file)))
			return true;
	}
	return false;
}

/* --- the names of a configuration ------------------------------------------------------------- */

/* Checks a file that a library of the program runs or writes, or a directory whose files it writes,
 * which may be the one that is allowed. A name without a slash lies in its directory. */
static void check_hook_file(struct place *p, const struct config_hook_library *h,
			    const struct json *file, enum config_dir_kind dir)
{
	bool is_dir = dir == CONFIG_DIR_LEGAL_LOG;
	bool is_script = dir == CONFIG_DIR_HOOKS || dir == CONFIG_DIR_SCRIPTS;
	bool whole = dir == CONFIG_DIR_HOOKS || strchr(file->s, '/');
	char path[PATH_MAX];
	int n;

	if (file->type != JSON_STRING || !file->n || hook_in_force(p->c, h->library, file))
		return;
	n = snprintf(path, sizeof(path), "%s%s%s%s", whole ? "" : config_dir(dir), whole ? "" : "/",
		     file->s, is_dir ? "/file" : "");
	if ((size_t)n >= sizeof(path) || !paths_below(path, config_dir(dir)))
		refuse_path(p, &file->pos,
			    is_dir	? "directory"
			    : is_script ? "script"
					: "file",
			    file->s, dir);
}

static void check_hooks(struct place *p)
{
	const struct config *cfg = p->c->cfg;

	for (size_t i = 0; i < cfg->n_hooks; i++) {
		const struct config_hook_library *h = &cfg->hooks[i];
		const struct json *file;
		int dir;

		if (!hook_builtin_find(p->c->builtins, h->library) &&
		    !hook_in_force(p->c, h->library, NULL) &&
		    !paths_below(h->library, config_dir(CONFIG_DIR_HOOKS)))
			refuse_path(p, &h->pos, "hook library", h->library, CONFIG_DIR_HOOKS);
		for (unsigned k = 0; (file = file_of(p->c, h, k, &dir)) != NULL; k++)
			check_hook_file(p, h, file, (enum config_dir_kind)dir);
	}
}

static const struct json *nth_item(const struct json *list, size_t n)
{
	const struct json *v = list ? list->first : NULL;

	while (v && n--)
		v = v->next;
	return v;
}

static void check_logs(struct place *p, const struct json *dhcp4)
{
	const struct config *cfg = p->c->cfg;

	for (size_t i = 0; i < cfg->n_loggers; i++)
		for (size_t j = 0; j < cfg->loggers[i].n_outputs; j++) {
			const struct log_output *o = &cfg->loggers[i].outputs[j];
			const struct json *outputs = json_get(nth_item(json_get(dhcp4, "loggers"),
								       i),
							      "output-options");
			const struct json *at = json_get(nth_item(outputs, j), "output");

			if (o->kind == LOG_SINK_FILE && !log_in_force(p->c->in_force, o->path) &&
			    !paths_below(o->path, config_dir(CONFIG_DIR_LOGS)))
				refuse_path(p, at ? &at->pos : NULL, "log output", o->path,
					    CONFIG_DIR_LOGS);
		}
}

/* Returns whether a socket in force names this file. */
static bool file_in_force(const struct config *cfg, const char *path)
{
	for (size_t i = 0; cfg && i < cfg->n_control_sockets; i++) {
		const struct config_control_socket *s = &cfg->control_sockets[i];

		if (s->cert && (strcmp(s->cert, path) == 0 || strcmp(s->key, path) == 0 ||
				strcmp(s->trust, path) == 0))
			return true;
		for (size_t k = 0; k < s->n_users; k++)
			if ((s->users[k].user_file && strcmp(s->users[k].user_file, path) == 0) ||
			    (s->users[k].password_file &&
			     strcmp(s->users[k].password_file, path) == 0))
				return true;
	}
	return false;
}

/* Checks a file that a control socket for HTTP reads; path NULL: none. */
static void check_socket_file(struct place *p, const struct json *at, const char *path)
{
	if (path && !file_in_force(p->c->in_force, path) &&
	    !paths_below(path, config_dir(CONFIG_DIR_SOCKETS)))
		refuse_path(p, &at->pos, "file of a control socket", path, CONFIG_DIR_SOCKETS);
}

static void check_http(struct place *p, const struct config_control_socket *s)
{
	check_socket_file(p, s->node, s->cert);
	check_socket_file(p, s->node, s->key);
	check_socket_file(p, s->node, s->trust);
	for (size_t i = 0; i < s->n_users; i++) {
		check_socket_file(p, s->users[i].node, s->users[i].user_file);
		check_socket_file(p, s->users[i].node, s->users[i].password_file);
	}
}

static void check_sockets(struct place *p)
{
	const struct config *cfg = p->c->cfg;

	for (size_t i = 0; i < cfg->n_control_sockets; i++) {
		const struct config_control_socket *s = &cfg->control_sockets[i];
		const struct json *name = json_get(s->node, "socket-name");

		if (!s->path)
			check_http(p, s);
		else if (!socket_in_force(p->c->in_force, s->path) &&
			 !paths_below(s->path, config_dir(CONFIG_DIR_SOCKETS)))
			refuse_path(p, name ? &name->pos : &s->node->pos, "control socket", s->path,
				    CONFIG_DIR_SOCKETS);
	}
}

static void check_lease_file(struct place *p, const struct json *dhcp4)
{
	const char *path = p->c->cfg->lease_file;
	const struct json *name = json_get(json_get(dhcp4, "lease-database"), "name");

	if (!path || !path[0] ||
	    (p->c->in_force && strcmp(p->c->in_force->lease_file, path) == 0) ||
	    paths_below(path, config_dir(CONFIG_DIR_DATA)))
		return;
	refuse_path(p, name ? &name->pos : NULL, "lease file", path, CONFIG_DIR_DATA);
}

size_t paths_check(const struct paths_check *c)
{
	const struct json *dhcp4 = json_get(config_effective(c->cfg), "Dhcp4");
	struct place p = {.c = c};

	check_hooks(&p);
	check_logs(&p, dhcp4);
	check_sockets(&p);
	check_lease_file(&p, dhcp4);
	return p.n;
}
