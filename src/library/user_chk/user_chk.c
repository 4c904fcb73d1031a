/* SPDX-License-Identifier: MPL-2.0 */
/*
 * user_chk: a registry of clients by hardware address. A client that is not in it gets an address
 * of the last subnet; an outcome for each answer is appended to a file, and the registry can give a
 * boot file and a TFTP server. Files are used by a thread (user_chk_keeper.c).
 */
#include "library/user_chk/user_chk.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/ip.h"
#include "base/log.h"
#include "config/config.h"
#include "library/common/library.h"
#include "wire/dhcp4.h"
#include "wire/option_codes.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OUTCOME_LEN = 256 };

static const char registry_default[] = "/tmp/user_chk_registry.txt";
static const char outcome_default[] = "/tmp/user_chk_outcome.txt";

struct user_chk {
	struct arena arena;
	const char *registry, *outcome;
	struct user_keeper *keeper;
	usher_lib *lib;
	bool no_files; /* a check, or a replay: no outcomes, and the registry is not read again */
};

/* The client of a packet, in its memory. */
struct packet_user {
	bool registered;
	struct user user;
};

/* --- Parameters ------------------------------------------------------------------------------- */

/* Returns the name of a file. */
static const char *read_name(struct user_chk *u, const struct json *parameters, const char *key,
			     enum config_dir_kind dir, const char *absent)
{
	const struct json *v = json_get(parameters, key);
	const char *name = v && v->type == JSON_STRING && v->n
				   ? config_file_name(&u->arena, dir, v->s)
				   : absent;

	return name ? arena_strdup(&u->arena, name) : NULL;
}

/* Checks the registry. A start reads it again: parameters have no memory of their own. */
static void check_registry(struct library_problems *p, const struct user_chk *u)
{
	struct config_error err = {0};
	struct file_mark mark;
	struct json_pos at;
	struct users *users = users_read(u->registry, &mark, &err);

	if (users) {
		users_free(users);
		return;
	}
	at = (struct json_pos){.file = err.file, .line = err.pos.line, .col = err.pos.col};
	library_problem(p, err.file[0] ? &at : p->at, "%s", err.text);
}

/* Checks that the file of outcomes, or its directory, can be written. */
static void check_outcome(struct library_problems *p, const struct user_chk *u,
			  const struct json *parameters)
{
	const struct json *v = json_get(parameters, "outcome");
	const struct json_pos *at = v ? &v->pos : p->at;
	const char *slash = strrchr(u->outcome, '/');
	char dir[4096] = "/";
	struct stat st;

	if (lstat(u->outcome, &st) == 0) {
		if (!S_ISREG(st.st_mode) || (st.st_uid != 0 && st.st_uid != geteuid()))
			library_problem(p, at,
					"the outcomes, %.200s: a regular file of root or the "
					"server's user is expected, and no link",
					u->outcome);
		else if (access(u->outcome, W_OK) < 0)
			library_problem(p, at, "the outcomes, %.200s: %s", u->outcome,
					strerror(errno));
		return;
	}
	if (slash && slash > u->outcome && (size_t)(slash - u->outcome) < sizeof(dir)) {
		memcpy(dir, u->outcome, (size_t)(slash - u->outcome));
		dir[slash - u->outcome] = '\0';
	}
	if (access(dir, W_OK | X_OK) < 0)
		library_problem(p, at, "the directory of the outcomes, %.200s: %s", dir,
				strerror(errno));
}

static void parse_user_chk(struct library_problems *p, const struct config *cfg,
			   const struct json *parameters, void *record)
{
	static const struct library_key keys[] = {{"registry", JSON_STRING},
						  {"outcome", JSON_STRING}};
	struct user_chk *u = record;

	(void)cfg;
	(void)library_check_keys(p, parameters, keys, ARRAY_LEN(keys));
	u->registry = read_name(u, parameters, "registry", CONFIG_DIR_DATA, registry_default);
	u->outcome = read_name(u, parameters, "outcome", CONFIG_DIR_LOGS, outcome_default);
	if (!u->registry || !u->outcome) {
		library_problem(p, p->at, "memory is out");
		return;
	}
	check_registry(p, u);
	check_outcome(p, u, parameters);
}

/* --- Packets ---------------------------------------------------------------------------------- */

static struct span hardware_of(const struct dhcp4_msg *q)
{
	return span_of(q->chaddr, q->hlen < sizeof(q->chaddr) ? q->hlen : sizeof(q->chaddr));
}

/* Called at pkt4_receive. */
static int find_client(usher_call *call, void *record)
{
	struct user_chk *u = record;
	struct packet_user *c = arena_new(call->arena, struct packet_user);
	bool failed;

	if (!c)
		return -ENOMEM;
	c->registered = user_keeper_find(u->keeper, hardware_of(call->query), call->arena, &c->user,
					 &failed);
	if (failed)
		return -ENOMEM;
	usher_packet_set(call, c);
	return 0;
}

/* Called at subnet4_select. */
static int restrict_subnet(usher_call *call, void *record)
{
	const struct packet_user *c = usher_packet_get(call);
	const struct config *cfg = call->cfg;

	(void)record;
	if (usher_status(call) != USHER_CONTINUE || (c && c->registered) || !cfg->n_subnets ||
	    usher_msg_type(call->query) == DHCP4_RELEASE ||
	    usher_msg_type(call->query) == DHCP4_DECLINE)
		return 0;
	return usher_set_subnet_id(call, cfg->subnets[cfg->n_subnets - 1].id);
}

/* Queues the outcome of an answer. Returns 0 or a negative errno. */
static int put_outcome(struct user_chk *u, const usher_call *call, bool registered)
{
	char mem[OUTCOME_LEN], ip[IP_TEXT_LEN];
	struct buf text;
	int r;

	buf_init_over(&text, mem, sizeof(mem));
	buf_printf(&text, "id_type=HW_ADDR\nclient=hwtype=%u ", call->query->htype);
	buf_hex(&text, hardware_of(call->query), ':');
	buf_printf(&text, "\naddr=%s\nregistered=%s\n\n", ip_text(call->response->yiaddr, ip),
		   registered ? "yes" : "no");
	r = text.failed ? -ENOMEM : user_keeper_put(u->keeper, span_of(text.p, text.len));
	buf_fini(&text);
	if (r == 0)
		return 0;
	hook_count_lost(u->lib, 1);
	if (log_wants(hook_lib_log(u->lib), LOG_USHER_USER_CHK_OUTCOME_FAIL))
		log_msg(hook_lib_log(u->lib), LOG_USHER_USER_CHK_OUTCOME_FAIL,
			"an outcome is lost: %s",
			r == -EAGAIN ? "too many wait to be written" : strerror(-r));
	return r;
}

/* Sets the options of a user. Returns 0 or -ENOMEM. */
static int set_properties(usher_msg *response, const struct user *user)
{
	int r = 0;

	if (user->bootfile.n) {
		r = usher_msg_set_option(response, DHCP4_OPT_BOOT_FILE_NAME, user->bootfile.p,
					 user->bootfile.n);
		if (r == 0)
			r = usher_msg_set_text(response, USHER_FILE, user->bootfile.p,
					       user->bootfile.n);
	}
	if (r == 0 && user->tftp_server.n)
		r = usher_msg_set_option(response, DHCP4_OPT_TFTP_SERVER_NAME, user->tftp_server.p,
					 user->tftp_server.n);
	return r;
}

/* Called at pkt4_send. With SKIP the answer is packed already. */
static int finish_answer(usher_call *call, void *record)
{
	const struct packet_user *c = usher_packet_get(call);
	struct user_chk *u = record;
	int r, e;

	if (usher_status(call) != USHER_CONTINUE || !c || !call->response ||
	    usher_msg_type(call->response) == DHCP4_NAK)
		return 0;
	r = u->no_files ? 0 : put_outcome(u, call, c->registered);
	e = set_properties(call->response, &c->user);
	return e < 0 ? e : r;
}

/* --- Life ------------------------------------------------------------------------------------- */

/* Called at dhcp4_srv_configured: the configuration is in effect. */
static int begin_keeping(usher_call *call, void *record)
{
	struct user_chk *u = record;

	(void)call;
	return u->no_files ? 0 : user_keeper_start(u->keeper);
}

/* Makes the keeper with the users of the registry. Returns 0 or a negative error. */
static int make_keeper(struct user_chk *u)
{
	struct log *log = hook_lib_log(u->lib);
	struct config_error err = {0};
	struct file_mark mark;
	struct users *users = users_read(u->registry, &mark, &err);

	if (!users) {
		log_msg(log, LOG_USER_CHK_HOOK_LOAD_ERROR, "%s:%u:%u: %s", err.file, err.pos.line,
			err.pos.col, err.text);
		return -USHER_E_HOOK;
	}
	log_msg(log, LOG_USHER_USER_CHK_REGISTRY_READ,
		"%zu users by hardware address, %zu others in %s", users->n, users->n_others,
		u->registry);
	u->keeper = user_keeper_new(u->registry, u->outcome, users, &mark, log);
	return u->keeper ? 0 : -ENOMEM;
}

static void attach_user_chk(void *record, const struct hook_registry_opts *o)
{
	struct user_chk *u = record;

	u->no_files = !hook_network_acts(o->network);
}

static int start_user_chk(usher_lib *lib, void *record)
{
	static const struct {
		const char *point;
		usher_callout fn;
	} callouts[] = {{"dhcp4_srv_configured", begin_keeping},
			{"pkt4_receive", find_client},
			{"subnet4_select", restrict_subnet},
			{"pkt4_send", finish_answer}};
	struct user_chk *u = record;
	int r;

	u->lib = lib;
	r = make_keeper(u);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(callouts); i++)
		r = usher_register(lib, callouts[i].point, callouts[i].fn, record);
	if (r < 0)
		(void)user_keeper_free(u->keeper);
	return r;
}

static void stop_user_chk(void *record)
{
	struct user_chk *u = record;
	size_t n = user_keeper_free(u->keeper);

	if (n)
		log_msg(hook_lib_log(u->lib), LOG_USHER_USER_CHK_OUTCOME_FAIL,
			"%zu octets of outcomes are not written yet; they are tried for a minute, "
			"while this server runs",
			n);
}

static const struct library_file files[] = {{"registry", CONFIG_DIR_DATA},
					    {"outcome", CONFIG_DIR_LOGS},
					    {NULL, 0}};

const struct library library_user_chk = {.name = "libdhcp_user_chk.so",
					 .size = sizeof(struct user_chk),
					 .parse = parse_user_chk,
					 .attach = attach_user_chk,
					 .files = files,
					 .start = start_user_chk,
					 .stop = stop_user_chk};
