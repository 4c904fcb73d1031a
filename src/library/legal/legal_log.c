/* SPDX-License-Identifier: MPL-2.0 */
/*
 * legal_log: a record of each lease that is assigned or released, for the authorities. The record
 * of an answer is composed at pkt4_send, behind the other libraries, from the leases that
 * leases4_committed had. A thread writes it (legal_writer.c). Several instances may run at once.
 */
#include "library/legal/legal_log.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/ip.h"
#include "base/log.h"
#include "config/config.h"
#include "lease/lease.h"

#include <errno.h>
#include <string.h>

enum { TEXT_LEN = 2048 };

/* The leases of a packet, in its memory. */
struct committed {
	const struct lease *lease, *deleted; /* NULL: none */
};

static bool is_not_recorded(const usher_call *call)
{
	enum usher_next_step step = usher_status(call);

	return step == USHER_SKIP || step == USHER_DROP;
}

/* Returns whether the user-context of a subnet turns the library off for it. */
static bool is_opted_out(const struct config *cfg, uint32_t subnet_id)
{
	const struct config_subnet *s = subnet_id ? config_subnet_by_id(cfg, subnet_id) : NULL;
	bool wanted = true;

	if (s)
		(void)json_get_bool(json_get(s->node, "user-context"), "legal-logging", &wanted);
	return !wanted;
}

/* Queues a record. One that finds no room is counted, and logged. Returns 0, or a negative errno.
 */
static int put_record(struct legal_log *l, const struct buf *text, enum log_id failure)
{
	int r = text->failed ? -ENOMEM : 0;

	if (r == 0 && !text->len)
		return 0;
	if (r == 0)
		r = legal_writer_put(l->writer, clock_wall_ns(l->clock),
				     span_of(text->p, text->len));
	if (r == 0)
		return 0;
	hook_count_lost(l->lib, 1);
	log_msg(hook_lib_log(l->lib), failure, "a record is lost: %s: %.*s",
		r == -EAGAIN ? "too many records wait to be written" : strerror(-r),
		text->failed ? 0 : (int)(text->len > 200 ? 200 : text->len),
		text->failed ? "" : text->p);
	return r;
}

/* --- Leases ----------------------------------------------------------------------------------- */

/* Adds the value of an expression. The packet's memory is as before: an expression that exhausts it
 * costs no answer. Returns 0, or negative with a reason. */
static int add_value(struct buf *out, usher_call *call, const struct expr *e, const usher_msg *msg,
		     const char **ret_why)
{
	size_t mark = arena_mark(call->arena);
	bool failed = call->arena->failed;
	struct span value;
	int r = library_text(call, e, msg, &value, ret_why);

	if (r == 0)
		buf_add(out, value.p, value.n);
	arena_rewind(call->arena, mark);
	call->arena->failed = failed;
	return r;
}

/* Reports that an expression has no value. */
static void log_no_value(const struct legal_log *l, const struct lease *lease, const char *why)
{
	char ip[IP_TEXT_LEN];

	if (log_wants(hook_lib_log(l->lib), LOG_LEGAL_LOG_LEASE4_RENDER_ERROR))
		log_msg(hook_lib_log(l->lib), LOG_LEGAL_LOG_LEASE4_RENDER_ERROR,
			"lease %s: an expression has no value (%s), the default text is used",
			ip_text(lease->addr, ip), why);
}

/* Writes the configured text. Returns false if there is none, or its expressions fail: the default
 * text is due. */
static bool write_custom(struct legal_log *l, struct buf *out, usher_call *call,
			 const struct lease *lease)
{
	bool request = l->request && call->query;
	bool response = l->response && call->response;
	const char *why = "";
	int r = 0;

	if (request)
		r = add_value(out, call, l->request, call->query, &why);
	if (r == 0 && response)
		r = add_value(out, call, l->response, call->response, &why);
	if (r == 0)
		return request || response;
	log_no_value(l, lease, why);
	buf_reset(out);
	return false;
}

/* Writes the record of a lease. Returns 0, or a negative errno: the callout fails. */
static int log_lease(struct legal_log *l, usher_call *call, const struct lease *lease,
		     bool assigned)
{
	char mem[TEXT_LEN];
	struct buf text;
	int r;

	if (!lease || is_opted_out(call->cfg, lease->subnet_id))
		return 0;
	buf_init_over(&text, mem, sizeof(mem));
	if (!write_custom(l, &text, call, lease))
		legal_log_lease(&text, call, lease, assigned);
	r = put_record(l, &text, LOG_LEGAL_LOG_LEASE4_WRITE_ERROR);
	buf_fini(&text);
	return r;
}

/* Called at leases4_committed. */
static int keep_leases(usher_call *call, void *record)
{
	struct committed *c;

	(void)record;
	if (is_not_recorded(call) || (!call->lease && !call->deleted))
		return 0;
	c = arena_new(call->arena, struct committed);
	if (!c)
		return -ENOMEM;
	*c = (struct committed){call->lease, call->deleted};
	usher_packet_set(call, c);
	return 0;
}

/* Called at pkt4_send. */
static int log_answer(usher_call *call, void *record)
{
	const struct committed *c = usher_packet_get(call);
	int r, released;

	if (is_not_recorded(call) || !c)
		return 0;
	r = log_lease(record, call, c->lease, true);
	released = log_lease(record, call, c->deleted, false);
	return r < 0 ? r : released;
}

/* Called at lease4_release and lease4_decline. */
static int log_given_up(usher_call *call, void *record)
{
	return is_not_recorded(call) ? 0 : log_lease(record, call, call->lease, false);
}

/* --- Commands --------------------------------------------------------------------------------- */

static bool is_recorded(const usher_call *call)
{
	static const char *const names[] = {"lease4-add", "lease4-update", "lease4-del"};
	int64_t result = -1;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(call->command, names[i]) == 0)
			return json_get_int(call->answer, "result", &result) && result == 0;
	return false;
}

/* Called at command_processed. */
static int log_command(usher_call *call, void *record)
{
	struct legal_log *l = record;
	const char *why;
	int64_t subnet_id = 0;
	char mem[TEXT_LEN];
	struct buf text;
	int r = -EINVAL;

	if (!is_recorded(call))
		return 0;
	(void)json_get_int(call->command_args, "subnet-id", &subnet_id);
	if (subnet_id > 0 && subnet_id <= UINT32_MAX &&
	    is_opted_out(call->cfg, (uint32_t)subnet_id))
		return 0;
	buf_init_over(&text, mem, sizeof(mem));
	why = legal_log_command(&text, call->command, call->command_args, clock_wall_s(l->clock));
	if (why)
		log_msg(hook_lib_log(l->lib), LOG_LEGAL_LOG_COMMAND_WRITE_ERROR, "%s: %s",
			call->command, why);
	else
		r = put_record(l, &text, LOG_LEGAL_LOG_COMMAND_WRITE_ERROR);
	buf_fini(&text);
	return r;
}

/* --- Life ------------------------------------------------------------------------------------- */

/* Called at dhcp4_srv_configured: the configuration is in effect. */
static int begin_records(usher_call *call, void *record)
{
	struct legal_log *l = record;
	struct log *log = hook_lib_log(l->lib);

	if (call->edit)
		return 0;
	l->loaded = true;
	if (l->target.syslog)
		log_msg(log, LOG_LEGAL_LOG_SYSLOG_STORE_OPEN, "records of leases go to syslog");
	else
		log_msg(log, LOG_LEGAL_LOG_STORE_OPEN, "records of leases go to %s/%s.*.txt",
			l->target.dir, l->target.base);
	return legal_writer_start(l->writer, l->lib, clock_wall_ns(l->clock));
}

/* Continues the writer of the library before, if it writes exactly so. */
static void adopt_writer(void *record, void *before)
{
	struct legal_log *l = record;
	struct legal_log *old = before;

	if (old->writer && legal_writer_fits(old->writer, &l->target))
		l->writer = legal_writer_ref(old->writer);
}

static void attach_log(void *record, const struct hook_registry_opts *o)
{
	struct legal_log *l = record;

	l->no_files = !hook_network_acts(o->network);
}

static int start_legal_log(usher_lib *lib, void *record)
{
	static const struct {
		const char *point;
		usher_callout fn;
	} callouts[] = {{"dhcp4_srv_configured", begin_records},
			{"leases4_committed", keep_leases},
			{"pkt4_send", log_answer},
			{"lease4_release", log_given_up},
			{"lease4_decline", log_given_up},
			{"command_processed", log_command}};
	struct legal_log *l = record;
	unsigned scripts;
	int r = 0;

	l->lib = lib;
	l->clock = hook_lib_clock(lib);
	if (!l->writer)
		l->writer = legal_writer_new(&l->target, hook_lib_log(lib));
	if (!l->writer)
		return -ENOMEM;
	for (size_t i = 0; !l->no_files && r == 0 && i < ARRAY_LEN(callouts); i++)
		r = usher_register(lib, callouts[i].point, callouts[i].fn, record);
	if (r < 0)
		(void)legal_writer_unref(l->writer, lib, &scripts);
	return r;
}

static void stop_legal_log(void *record)
{
	struct legal_log *l = record;
	unsigned scripts;
	size_t n = legal_writer_unref(l->writer, l->lib, &scripts);

	if (n)
		log_msg(hook_lib_log(l->lib), LOG_LEGAL_LOG_STORE_CLOSE_ERROR,
			"%zu records are not written yet; they are tried for a minute, while this "
			"server runs",
			n);
	if (!scripts)
		return;
	hook_count_lost(l->lib, scripts);
	log_msg(hook_lib_log(l->lib), LOG_USHER_CHILD_DROPPED,
		"%s: %u runs of scripts that had not begun are dropped: the library ends",
		library_legal_log.name, scripts);
}

static const struct library_file files[] = {{"path", CONFIG_DIR_LEGAL_LOG},
					    {"prerotate", CONFIG_DIR_SCRIPTS},
					    {"postrotate", CONFIG_DIR_SCRIPTS},
					    {NULL, 0}};

const struct library library_legal_log = {.name = "libdhcp_legal_log.so",
					  .size = sizeof(struct legal_log),
					  .parse = legal_log_parse,
					  .files = files,
					  .attach = attach_log,
					  .adopt = adopt_writer,
					  .start = start_legal_log,
					  .stop = stop_legal_log};
