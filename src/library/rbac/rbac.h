/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The parts of the library rbac: the catalogue of commands (rbac_catalogue.c), access lists
 * (rbac_list.c), roles (rbac_read.c), decisions (rbac.c). All of it is unchanged after start.
 */
#pragma once

#include "base/arena.h"
#include "control/command.h"

struct json;
struct json_pos;
struct library_problems;
struct usher_lib;

/* --- Catalogue -------------------------------------------------------------------------------- */

/* A command of the API files, of `commands`, or of the built-in catalogue. hook: "" of a server. */
struct rbac_command {
	const char *name, *hook;
	enum control_access access;
	struct rbac_command *next;
};

struct rbac_catalogue {
	struct rbac_command *first;
	bool from_files;    /* the API files stand in place of rbac_commands.def */
	const char *absent; /* the directory of `api-files`, if it does not exist; NULL */
};

/* Reads the files of a directory, and the list of extra commands; each may be NULL. Without files,
 * or if there is no such directory, the built-in catalogue counts. */
void rbac_read_catalogue(struct library_problems *p, const struct json *dir,
			 const struct json *commands, struct arena *a, struct rbac_catalogue *ret);
/* Returns the description of a command, or NULL. */
const struct rbac_command *rbac_find_command(const struct rbac_catalogue *c, const char *name);
/* Returns whether a command of the catalogue belongs to a hook. */
bool rbac_knows_hook(const struct rbac_catalogue *c, const char *hook);

/* --- Lists ------------------------------------------------------------------------------------ */

enum rbac_kind {
	RBAC_ALL,
	RBAC_NONE,
	RBAC_ACCESS,
	RBAC_NAMES,
	RBAC_HOOK,
	RBAC_NOT,
	RBAC_AND,
	RBAC_OR
};

struct rbac_list {
	enum rbac_kind kind;
	enum control_access access;
	const char *hook;
	const struct json *names;
	const struct rbac_list *first, *next; /* parts; next: in the whole */
};

struct rbac_named {
	const char *name;
	const struct rbac_list *list;
	struct rbac_named *next;
};

struct rbac_reading {
	struct library_problems *p;
	struct arena *arena;
	const struct rbac_catalogue *catalogue;
	struct rbac_named *named; /* access-control-lists so far */
};

/* Reads the definitions of named lists. */
void rbac_read_named(struct rbac_reading *r, const struct json *definitions);
/* Reads a list. NULL: it is absent, or has a mistake, which was reported. */
const struct rbac_list *rbac_read_list(struct rbac_reading *r, const struct json *v);

/* A command as lists see it. access: -1: unknown. hook: NULL: unknown. */
struct rbac_asked {
	const char *name, *hook;
	int access;
};
bool rbac_matches(const struct rbac_list *l, const struct rbac_asked *c);

/* --- Roles ------------------------------------------------------------------------------------ */

struct rbac_role {
	const char *name; /* as in the configuration; "default", "unknown" */
	const struct rbac_list *accept, *reject;
	bool others_pass, reject_first, filters_list;
	struct rbac_role *next;
};

enum rbac_method { RBAC_ADDRESS, RBAC_SUBJECT, RBAC_ISSUER, RBAC_USER, RBAC_CUSTOM, RBAC_METHODS };

struct rbac {
	struct arena arena;
	struct usher_lib *lib;
	enum rbac_method method;
	bool require_tls;
	struct rbac_catalogue catalogue;
	struct rbac_role *roles;
	struct rbac_role nobody, unknown; /* default-role, unknown-role */
};

/* Reads the library's parameters. */
void rbac_read(struct library_problems *p, const struct json *parameters, struct rbac *ret);
/* Returns the role of a requester. */
const struct rbac_role *rbac_role_of(const struct rbac *b, const struct control_requester *from);
/* Returns whether a role accepts a command; access: as the server describes it, -1: unknown. */
bool rbac_accepts(const struct rbac *b, const struct rbac_role *role, const char *name, int access);
