/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Commands of Kea's libraries class_cmds, host_cmds and subnet_cmds: they edit the configuration in
 * effect, which config-get shows at once and config-write writes.
 *
 * Each command first runs beside the loop: its plan checks the arguments in Kea's order and with
 * Kea's texts, and makes the changes and the answer. Then the edited configuration is made there,
 * and put into effect in the thread of the loop. No other edit or reload begins before.
 */
#pragma once

#include "config/config.h"
#include "control/command.h"
#include "server/manage/daemon.h"
#include "server/manage/daemon_reading.h"

#include <inttypes.h>

struct snapshot;

enum { EDIT_CHANGES = 1 };

struct edit {
	struct control_call *c;
	struct snapshot *s;	  /* in effect when the work began */
	const struct config *cfg; /* that of s, or base */
	struct config *base;	  /* that of s, loaded again; NULL: it was not needed */
	struct daemon_reading reading;
	/* the plan: single changes, or a tree that is loaded whole */
	struct config_change changes[EDIT_CHANGES];
	size_t n_changes;
	struct json *root;
	const char *prefix;	 /* of the text of a refusal by the load; NULL: none */
	const struct json *test; /* a class's expression, which a refusal quotes; NULL: none */
	/* Checks the edited configuration, beside the loop, as the last step there. NULL: nothing
	 * more is to be checked. */
	void (*check)(struct edit *e, const struct config *made);
	/* Takes back effects of check, in the loop's thread: the configuration was refused after
	 * it. NULL: it has none. */
	void (*undo)(struct edit *e);
	const char *shown; /* the begin of the arguments, for messages */
	struct json *answer;
	bool ended; /* without an effect: answer has the reason */
};

/* The function of a command, which control_command.ctx points to: it fills the edit with the plan
 * of a change, or answers a look-up. */
struct edit_step {
	void (*fn)(struct edit *e);
};

/* Runs a command beside the loop. */
void edit_work(struct control_call *c);
/* Puts the planned edit into effect, in the loop's thread, and returns the answer. */
struct json *edit_finish(struct control_call *c);
/* Answers a command that changes nothing, in the loop's thread. */
struct json *edit_read(struct control_call *c);

/* Writes the message of a command that begins, and sets e->shown. */
void edit_log_begin(struct edit *e);
/* Writes the message of a command that has its answer. */
void edit_log_end(const struct edit *e);

/* Refuses with a text, result 1; the first end of an edit counts. */
void edit_refuse(struct edit *e, const char *fmt, ...) printf_like(2, 3);
/* Ends without a change, result 3. */
void edit_empty(struct edit *e, struct json *arguments, const char *fmt, ...) printf_like(3, 4);
/* Sets the answer of success. */
void edit_answer(struct edit *e, struct json *arguments, const char *fmt, ...) printf_like(3, 4);

/* Returns the arguments, a map; NULL: there are none, the command is refused. */
const struct json *edit_arguments(struct edit *e);
/* Returns the arguments, a map that is not empty, as Kea's parser of commands checks them; NULL:
 * refused. */
const struct json *edit_some_arguments(struct edit *e);
/*
 * Returns the single element of the list in the arguments that has this name; NULL: refused.
 * what: the element, for texts ("subnet"); alone: other arguments are refused.
 */
const struct json *edit_one_element(struct edit *e, const char *name, const char *what, bool alone);
/* Returns a map with a list of that name, which has one element. */
struct json *edit_list_of(struct edit *e, const char *name, struct json *element);
/* Sets e->root to a copy of the configuration's tree, and returns its map Dhcp4. NULL: refused. */
struct json *edit_tree(struct edit *e);
/* Returns the list of a map; it is added, if it is missing. */
struct json *edit_tree_list(struct edit *e, struct json *map, const char *name);
/* Returns the member of a list that has that text or number under key; NULL: none. */
struct json *edit_find_text(const struct json *list, const char *key, const char *text);
struct json *edit_find_id(const struct json *list, int64_t id);
