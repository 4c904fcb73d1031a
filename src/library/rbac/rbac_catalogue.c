/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The catalogue of commands: files in the form of Kea's API files, of which the members name,
 * access and hook are read, or rbac_commands.def; and the parameter `commands`. A later command
 * replaces an earlier one of its name.
 */
#include "library/common/library.h"
#include "library/rbac/rbac.h"

#include "base/error.h"
#include "config/json/json.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 4096, FILE_LEN_MAX = 256 * 1024 };

static const struct rbac_command kea_commands[] = {
#define API(name_, access_, hook_) {(name_), (hook_), CONTROL_##access_, NULL},
#include "library/rbac/rbac_commands.def"
};
static const struct rbac_command own_commands[] = {
#define OWN(name_, access_) {(name_), "", CONTROL_##access_, NULL},
#include "library/rbac/rbac_commands.def"
};

static const struct rbac_command *find_row(const struct rbac_command *rows, size_t n,
					   const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

const struct rbac_command *rbac_find_command(const struct rbac_catalogue *c, const char *name)
{
	const struct rbac_command *k = c->first;

	while (k && strcmp(k->name, name) != 0)
		k = k->next;
	if (!k && !c->from_files)
		k = find_row(kea_commands, ARRAY_LEN(kea_commands), name);
	return k ? k : find_row(own_commands, ARRAY_LEN(own_commands), name);
}

bool rbac_knows_hook(const struct rbac_catalogue *c, const char *hook)
{
	for (const struct rbac_command *k = c->first; k; k = k->next)
		if (strcmp(k->hook, hook) == 0)
			return true;
	for (size_t i = 0; !c->from_files && i < ARRAY_LEN(kea_commands); i++)
		if (strcmp(kea_commands[i].hook, hook) == 0)
			return true;
	return !hook[0];
}

/* --- Descriptions ----------------------------------------------------------------------------- */

/* Adds a command from its description, a map. Returns false if that is malformed. */
static bool add_description(struct arena *a, const struct json *m, struct rbac_catalogue *ret)
{
	const char *name = json_get_str(m, "name");
	const char *access = json_get_str(m, "access");
	const char *hook = json_get_str(m, "hook");
	bool writes = access && strcmp(access, "write") == 0;
	struct rbac_command *c;

	if (!name || !name[0] || !access || (!writes && strcmp(access, "read") != 0) ||
	    (!hook && json_get(m, "hook")))
		return false;
	c = arena_new(a, struct rbac_command);
	if (!c)
		return false;
	*c = (struct rbac_command){.name = arena_strdup(a, name),
				   .hook = arena_strdup(a, hook ? hook : ""),
				   .access = writes ? CONTROL_WRITE : CONTROL_READ,
				   .next = ret->first};
	if (!c->name || !c->hook)
		return false;
	ret->first = c;
	return true;
}

/* The directory of API files while it is read. */
struct api_files {
	struct library_problems *p;
	const struct json *param; /* api-files */
	int fd;
	struct arena *arena;
	struct rbac_catalogue *catalogue;
};

/* Reads a regular file of the directory. Returns its text in the arena, or SPAN_NULL. */
static struct span read_description(const struct api_files *f, const char *name, struct arena *a)
{
	int fd = openat(f->fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct span text = SPAN_NULL;
	struct stat st;
	char *p;

	if (fd < 0)
		return SPAN_NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= FILE_LEN_MAX) {
		p = arena_alloc(a, (size_t)st.st_size + 1);
		if (p && read(fd, p, (size_t)st.st_size) == st.st_size)
			text = span_of(p, (size_t)st.st_size);
	}
	(void)close(fd);
	return text;
}

static void read_file(const struct api_files *f, const char *name)
{
	const struct json_opts opts = {.file = "", .comments = true, .max_depth = 16};
	struct config_error err = {.text = "it cannot be read, or is too long"};
	struct json *m = NULL;
	struct arena own;
	struct span text;
	bool ok;

	arena_init(&own);
	text = read_description(f, name, &own);
	ok = text.p && json_parse(text, &opts, &own, &m, &err) == 0;
	if (ok && (m->type != JSON_MAP || !add_description(f->arena, m, f->catalogue))) {
		err = (struct config_error){
			.pos = m->pos,
			.text = "a description of a command is a map with 'name' and 'access' "
				"(\"read\" or \"write\"), and maybe 'hook'"};
		ok = false;
	}
	if (!ok)
		library_problem(f->p, &f->param->pos, "'api-files': %.100s/%.100s:%u:%u: %.200s",
				f->param->s, name, err.pos.line, err.pos.col, err.text);
	arena_fini(&own);
}

/* Returns whether Kea reads a file of this name. */
static bool is_api_file(const char *name)
{
	size_t n = strlen(name);

	return name[0] >= 'a' && name[0] <= 'z' && n > 5 && strcmp(name + n - 5, ".json") == 0;
}

static void read_files(struct library_problems *p, const struct json *dir, struct arena *a,
		       struct rbac_catalogue *ret)
{
	struct api_files f = {.p = p, .param = dir, .arena = a, .catalogue = ret};
	DIR *d = opendir(dir->s);
	const struct dirent *e;
	unsigned n = 0;

	if (!d && errno == ENOENT) {
		ret->absent = dir->s;
		return;
	}
	ret->from_files = true;
	if (!d) {
		library_problem(p, &dir->pos,
				"'api-files': the directory %.200s cannot be read: %s", dir->s,
				usher_strerror(-errno));
		return;
	}
	f.fd = dirfd(d);
	while ((e = readdir(d)) != NULL && n <= FILES_MAX)
		if (is_api_file(e->d_name) && n++ < FILES_MAX)
			read_file(&f, e->d_name);
	(void)closedir(d);
	if (!n || n > FILES_MAX)
		library_problem(p, &dir->pos,
				"'api-files': %.200s has %s file *.json, it must have 1 to %d",
				dir->s, n ? "one more" : "no", FILES_MAX);
}

void rbac_read_catalogue(struct library_problems *p, const struct json *dir,
			 const struct json *commands, struct arena *a, struct rbac_catalogue *ret)
{
	static const struct library_key keys[] = {{"name", JSON_STRING},
						  {"access", JSON_STRING},
						  {"hook", JSON_STRING},
						  {"comment", JSON_STRING}};
	const struct json *v = commands && commands->type == JSON_LIST ? commands->first : NULL;

	if (dir && dir->type == JSON_STRING)
		read_files(p, dir, a, ret);
	for (; v; v = v->next)
		if (v->type != JSON_MAP || (library_check_keys(p, v, keys, ARRAY_LEN(keys)) &&
					    !add_description(a, v, ret)))
			library_problem(p, &v->pos,
					"a command is a map with 'name' and 'access' (\"read\" or "
					"\"write\")");
}
