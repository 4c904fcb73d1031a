/* SPDX-License-Identifier: MPL-2.0 */
/*
 * rbac: a request over HTTP or HTTPS has a role, and the role accepts or rejects its command. Unix
 * sockets are not concerned. A requester without a role, or with one that is not configured, may do
 * nothing unless default-role or unknown-role accepts the command.
 */
#include "library/rbac/rbac.h"
#include "library/common/library.h"

#include "base/log.h"

#include <string.h>

static void parse_rbac(struct library_problems *p, const struct config *cfg,
		       const struct json *parameters, void *record)
{
	(void)cfg;
	rbac_read(p, parameters, record);
}

/* Returns the name of the requester's role; "": none. */
static const char *name_of(const struct rbac *b, const struct control_requester *from)
{
	const char *const names[RBAC_METHODS] = {[RBAC_ADDRESS] = from->address,
						 [RBAC_SUBJECT] = from->cert_subject,
						 [RBAC_ISSUER] = from->cert_issuer,
						 [RBAC_USER] = from->user};

	return names[b->method] ? names[b->method] : "";
}

const struct rbac_role *rbac_role_of(const struct rbac *b, const struct control_requester *from)
{
	const char *name = name_of(b, from);

	if (!name[0])
		return &b->nobody;
	for (const struct rbac_role *r = b->roles; r; r = r->next)
		if (strcmp(r->name, name) == 0)
			return r;
	return &b->unknown;
}

bool rbac_accepts(const struct rbac *b, const struct rbac_role *role, const char *name, int access)
{
	const struct rbac_command *known = rbac_find_command(&b->catalogue, name);
	struct rbac_asked c = {.name = name, .access = b->catalogue.from_files ? -1 : access};
	bool accept, reject;

	if (known) {
		c.hook = known->hook;
		c.access = (int)known->access;
	}
	accept = role->accept && rbac_matches(role->accept, &c);
	reject = role->reject && rbac_matches(role->reject, &c);
	if (accept && reject)
		return !role->reject_first;
	return accept || (!reject && role->others_pass);
}

/* --- Requests --------------------------------------------------------------------------------- */

/* Writes and counts a refusal. */
static void report_refusal(const struct rbac *b, const struct hook_asked *asked, const char *status,
			   enum hook_event event)
{
	log_msg(hook_lib_log(b->lib), LOG_RBAC_AUTH_RESPONSE,
		"%s: command '%.64s' of %s over %s, role '%.64s'", status, asked->command,
		asked->from->address, asked->from->transport, name_of(b, asked->from));
	hook_count_event(b->lib, event, 1);
}

static enum hook_access check_request(void *record, const struct hook_asked *asked)
{
	const struct rbac *b = record;
	const struct rbac_role *role = rbac_role_of(b, asked->from);
	struct log *log = hook_lib_log(b->lib);

	if (b->require_tls && strcmp(asked->from->transport, "https") != 0) {
		log_msg(log, LOG_RBAC_TRACE_AUTH_NO_TLS_REJECT, "%s has no TLS",
			asked->from->address);
		report_refusal(b, asked, "401 Unauthorized", HOOK_EVENT_RBAC_WITHOUT_TLS);
		return HOOK_ACCESS_UNAUTHORIZED;
	}
	if (rbac_accepts(b, role, asked->command, asked->access)) {
		log_msg(log, LOG_RBAC_TRACE_AUTH_ACCEPT, "role '%.64s', of '%.64s': '%.64s'",
			role->name, name_of(b, asked->from), asked->command);
		return HOOK_ACCESS_OK;
	}
	log_msg(log, LOG_RBAC_TRACE_AUTH_REJECT, "role '%.64s', of '%.64s': '%.64s'", role->name,
		name_of(b, asked->from), asked->command);
	report_refusal(b, asked, "403 Forbidden", HOOK_EVENT_RBAC_REFUSED);
	return HOOK_ACCESS_FORBIDDEN;
}

static bool hides_command(void *record, const struct hook_asked *asked)
{
	const struct rbac *b = record;
	const struct rbac_role *role = rbac_role_of(b, asked->from);

	return role->filters_list && strcmp(asked->command, "list-commands") != 0 &&
	       !rbac_accepts(b, role, asked->command, asked->access);
}

static int start_rbac(usher_lib *lib, void *record)
{
	struct rbac *b = record;

	b->lib = lib;
	if (b->catalogue.absent)
		log_msg(hook_lib_log(lib), LOG_USHER_RBAC_API_FILES_ABSENT,
			"'api-files' names %s, which does not exist: the server's own descriptions "
			"of the commands are used",
			b->catalogue.absent);
	return 0;
}

static const struct library_log messages = {LOG_RBAC_LOAD_OK, LOG_RBAC_LOAD_FAILED,
					    LOG_RBAC_UNLOAD_OK};

const struct library library_rbac = {.name = "libdhcp_rbac.so",
				     .size = sizeof(struct rbac),
				     .log = &messages,
				     .parse = parse_rbac,
				     .start = start_rbac,
				     .check_request = check_request,
				     .hides_command = hides_command};
