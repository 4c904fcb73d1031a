/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The scenario runner from the inside: a script of directives (README.md has the grammar) is run
 * against the real server core: struct server and one worker without a thread, over captures in
 * memory, a virtual clock and a disk in memory. One thread; nothing outlives its case.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "config/json/json.h"
#include "fake/fake_files.h"
#include "hook/hook.h"
#include "packet/packet.h"
#include "runtime/iface.h"
#include "server/manage/command.h"
#include "wire/dhcp4.h"

enum {
	SCN_WORDS = 96,
	SCN_VARS = 32,
	SCN_IFACES = 8,
	SCN_MSG_MAX = 2400,
	SCN_QUERIES = 512,
	SCN_PARKED = 64,
};

struct scn_line {
	const char *file;
	unsigned no;
	const char *text;
};

/* The lines of a file, includes in place. */
struct scn_script {
	struct scn_line *line;
	size_t n, cap;
	char **mem; /* whole files, to be freed */
	size_t n_mem;
};

/* The fields of a sent query that replies are compared with. */
struct scn_query {
	uint8_t head[DHCP4_HDR_LEN];
	uint32_t max_size; /* option 57, at least 576 */
	bool asks_unicast;
	bool bootp; /* without option 53 */
};

struct scn_reply {
	uint8_t frame[SCN_MSG_MAX];
	size_t len;
	struct capture_reply_tx {
		bool to_mac;
		int ifindex;
	} tx;
	struct packet pkt;  /* decoded; data is frame */
	const uint8_t *msg; /* DHCP message */
	size_t msg_len;
	uint8_t opt_order[256];
	size_t n_order;
	size_t opt_len[256]; /* joined */
	unsigned opt_pieces[256];
	uint8_t opt[256][1600];
	bool has[256];
	uint8_t overload;
};

struct scn;

/* A callout of the test's: its operations, and its arguments at the last run. */
struct scn_hook {
	struct scn *s;
	bool registered;
	enum usher_next_step step;
	char *args;	/* words of the directive; NULL: none */
	unsigned times; /* how often it still acts; UINT32_MAX: always */
	unsigned calls;
	struct buf saw; /* "key=value" words */
};

struct scn {
	/* script */
	struct scn_script script;
	size_t at;  /* the line that runs */
	size_t end; /* of the case */
	const char *case_name;
	bool failed;
	char *word[SCN_WORDS];
	size_t n_words;
	const char *rest; /* the line behind its first word, variables put in */
	char *line_copy, *line_words;
	char tmp[64];	      /* directory of the case */
	char config_file[96]; /* in it: where a configuration file would be */
	struct {
		char name[32];
		char *value;
	} var[SCN_VARS];
	size_t n_vars;

	/* world */
	struct arena arena; /* of the case */
	const struct json *config;
	struct iface iface[SCN_IFACES];
	struct capture *capture[SCN_IFACES];
	size_t n_ifaces;
	struct fake_files *disk;
	struct virtual_clock clock;
	struct server_daemon d;
	bool running;
	int64_t next_reclaim, next_flush;

	/* packets */
	uint32_t next_xid;
	struct scn_query query[SCN_QUERIES];
	size_t n_queries;
	struct scn_reply reply; /* the last one that was expected */
	bool has_reply;
	uint64_t drops[DROP_N]; /* when the last packet was sent */

	/* hooks and commands */
	struct scn_hook hook[HOOK_N_POINTS];
	usher_parked *parked[SCN_PARKED];
	size_t n_parked;
	struct json *answer;
	struct ddns_seen *ddns_seen; /* requests for the DNS that no line spoke of yet */
};

/* Reports at the current line; -1. */
int scn_fail(struct scn *s, const char *fmt, ...) printf_like(2, 3);

/* scn_ddns.c */
int scn_ddns_open(struct scn *s);
int scn_no_more_ddns(struct scn *s);
int do_ddns(struct scn *s);

/* scn_parse.c */
int scn_script_load(struct scn_script *sc, const char *path, unsigned depth) must_check;
void scn_script_free(struct scn_script *sc);
/* Splits the current line into words, with variables put in. */
int scn_split(struct scn *s) must_check;
/* The heredoc of the current line (its last word is <<TAG), or its rest. In the case's arena. */
const char *scn_text(struct scn *s);
/* JSON of the line's rest or heredoc; NULL: reported. */
struct json *scn_json(struct scn *s);
void scn_let(struct scn *s, const char *name, const char *value);
/* "name=value": the value; NULL if word is not this. */
const char *scn_arg(const char *word, const char *name);
const char *scn_find(const struct scn *s, size_t from, const char *name);
/* Option number of "51=…"; -1. *ret_value: behind the sign. */
int scn_option_word(const char *word, const char **ret_value);
unsigned scn_option_width(int code);

/* Fields of the fixed part. */
struct scn_field {
	const char *name;
	uint16_t off, len;
};
const struct scn_field *scn_field(const char *word, const char **ret_value);

/* scn_value.c */
/*
 * Octets of a value: 10.0.0.1,10.0.0.2 | hex:… | "text" | u8:… u16:… u32:… | aa:bb:… |
 * rep:COUNT:HEXOCTET | sub:1=V/5=V | numbers of `width` octets; joined by +. Count, -1: not a
 * value.
 */
int scn_value(const char *text, unsigned width, uint8_t *out, size_t cap) must_check;
int scn_mac(const char *text, uint8_t out[6]) must_check; /* "7" is 02:00:00:00:00:07 */

/* scn_config.c */
/* Checks that config-set of config-get's answer changes nothing. */
int scn_check_config(struct scn *s) must_check;

/* scn_world.c */
void scn_world_init(struct scn *s);
void scn_world_fini(struct scn *s);
int scn_world_need(struct scn *s) must_check; /* starts the server if it is not running */
void scn_world_stop(struct scn *s);
void scn_world_run(struct scn *s);
int scn_advance(struct scn *s, int64_t ns) must_check;
int do_iface(struct scn *s);
int do_config(struct scn *s);
int do_with(struct scn *s);
int do_write(struct scn *s);
int do_at(struct scn *s);
int do_disk(struct scn *s);
int do_leases(struct scn *s);
int do_restart(struct scn *s);
int do_reload(struct scn *s);
/* Returns the answer of the management plane to a request; a streamed one is read to its end. */
struct json *scn_answer(struct scn *s, const struct json *request);
int do_lease_file(struct scn *s);

/* scn_query.c */
int do_send(struct scn *s);
int do_queue(struct scn *s);
int do_run(struct scn *s);
int do_fail_send(struct scn *s);
int do_receive_queue(struct scn *s);
int scn_send_words(struct scn *s, size_t from, const char *type, bool run, bool *ret_sent);

/* scn_reply.c */
bool scn_reply_next(struct scn *s, struct scn_reply *r);
int do_expect(struct scn *s);
int do_let(struct scn *s);
int do_wait(struct scn *s);
int do_bind(struct scn *s);
int scn_no_more_replies(struct scn *s);
void scn_reply_text(const struct scn_reply *r, struct buf *out);
/* scn_check.c: a word of an expectation. 1 it is so, 0 it is not, -1 no such word */
int scn_check_word(const struct scn_reply *r, const char *w) must_check;
/* scn_strict.c: checks that hold for every reply. -1: reported */
int scn_reply_decode(struct scn *s, struct scn_reply *r);
int scn_reply_strict(struct scn *s, const struct scn_reply *r);

/* scn_state.c */
int do_lease(struct scn *s);
int do_no_lease(struct scn *s);
int do_stat(struct scn *s);
int do_command(struct scn *s);
int do_answer(struct scn *s);
int do_file(struct scn *s);
int do_show(struct scn *s);

/* scn_hooks.c */
void scn_hooks_init(struct scn *s);
void scn_hooks_fini(struct scn *s);
int scn_hooks_register(struct scn *s);
int do_hook(struct scn *s);
int do_saw(struct scn *s);
int do_hooked(struct scn *s);
int do_unpark(struct scn *s);

/* scn_cover.c */
int scn_list_coverage(int n, char **files);
int scn_check_coverage(int n, char **files);
