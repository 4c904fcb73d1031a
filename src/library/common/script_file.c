/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The file is checked when the configuration is read, as in Kea: one that vanishes later fails its
 * runs, with a line of the log for each.
 */
#include "library/common/script_file.h"

#include "base/log.h"
#include "config/config.h"
#include "library/common/library.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *script_file_check(struct library_problems *p, const struct json *name,
			      struct arena *arena)
{
	const char *path = config_file_name(arena, CONFIG_DIR_SCRIPTS, name->s);
	struct stat st;

	if (!path || stat(path, &st) < 0)
		library_problem(p, &name->pos, "'%s': %.200s: %s", name->key, path ? path : name->s,
				strerror(errno));
	else if (!S_ISREG(st.st_mode))
		library_problem(
			p, &name->pos,
			"'%s': %.200s is not a regular file; a script or program is expected",
			name->key, path);
	else if (!(st.st_mode & S_IXUSR) || access(path, X_OK) < 0)
		library_problem(p, &name->pos,
				"'%s': %.200s is not executable for this server (chmod +x)",
				name->key, path);
	return path ? arena_strdup(arena, path) : NULL;
}

static void log_event(void *log, enum child_event e, const char *program, int value)
{
	switch (e) {
	case CHILD_UNSTARTED:
		log_msg(log, LOG_USHER_CHILD_FAILED, "%s cannot be started: %s", program,
			strerror(value));
		break;
	case CHILD_LATE:
		log_msg(log, LOG_USHER_CHILD_LATE,
			"%s has not ended in time: SIGTERM to process group %d", program, value);
		break;
	case CHILD_KILLED:
		log_msg(log, LOG_USHER_CHILD_LATE, "%s does not end: SIGKILL to process group %d",
			program, value);
		break;
	}
}

struct child_pool *script_pool_new(const struct child_limits *limits, struct log *log)
{
	return child_pool_new(limits, log_event, log);
}

int script_children_init(struct script_children *c, usher_lib *lib, const char *library,
			 const struct child_limits *limits)
{
	c->lib = lib;
	c->log = hook_lib_log(lib);
	c->library = library;
	if (!c->pool)
		c->pool = script_pool_new(limits, c->log);
	return c->pool ? 0 : -ENOMEM;
}

void script_children_adopt(struct script_children *c, struct script_children *before)
{
	if (before->pool && !c->pool)
		c->pool = child_pool_ref(before->pool);
}

int script_children_start(struct script_children *c)
{
	return child_pool_start(c->pool);
}

void script_children_run(struct script_children *c, const char *program, const char *arg,
			 struct span env)
{
	int r = child_run(c->pool, program, arg, env);

	if (r == 0)
		return;
	hook_count_lost(c->lib, 1);
	if (log_wants(c->log, LOG_USHER_CHILD_DROPPED))
		log_msg(c->log, LOG_USHER_CHILD_DROPPED, "%s: %s %s is not run: %s", c->library,
			program, arg,
			r == -EAGAIN ? "too many runs wait for earlier ones to end" : strerror(-r));
}

void script_children_fini(struct script_children *c)
{
	unsigned n;

	if (!c->pool)
		return;
	n = child_pool_unref(c->pool);
	c->pool = NULL;
	if (!n)
		return;
	hook_count_lost(c->lib, n);
	log_msg(c->log, LOG_USHER_CHILD_DROPPED,
		"%s: %u runs that had not begun are dropped: the library ends", c->library, n);
}
