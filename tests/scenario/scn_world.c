/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The world of a scenario: the server core as replay runs it (one worker, no thread), its
 * interfaces as captures in memory, a clock that moves when the script says so, and a disk in
 * memory which outlives the server. The housekeeping that timers would do is done as the clock
 * passes them.
 */
#include "scn.h"

#include "base/error.h"
#include "base/ip.h"
#include "base/log.h"
#include "capture/capture.h"
#include "config/config.h"
#include "ddns/ddns.h"
#include "lease/journal/journal.h"
#include "lease/lease_db.h"
#include "lease/lease_store_backend.h"
#include "server/view/lease_check.h"
#include "runtime/loop.h"
#include "server/edit/edit_libraries.h"
#include "server/run/builtins.h"
#include "server/core/snapshot.h"
#include "server/worker/worker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SLOTS = 128, SEED = 0x75736872, RUN_TURNS = 4 };
#define SCN_EPOCH  (1800000000LL * NS_PER_S)
#define LEASE_FILE "leases.csv"

void scn_world_init(struct scn *s)
{
	arena_init(&s->arena);
	s->disk = calloc(1, sizeof(*s->disk));
	if (!s->disk)
		abort();
	fake_files_init(s->disk);
	s->disk->mask = 0;
	virtual_clock_init(&s->clock, SCN_EPOCH);
	s->next_xid = 0x10000001;
	scn_hooks_init(s);
	(void)snprintf(s->tmp, sizeof(s->tmp), "/tmp/usher-scenario-XXXXXX");
	if (!mkdtemp(s->tmp))
		abort();
	(void)snprintf(s->config_file, sizeof(s->config_file), "%s/scenario.json", s->tmp);
	scn_let(s, "TMP", s->tmp);
	scn_let(s, "MODULES", getenv("USHER_MODULES") ? getenv("USHER_MODULES") : "modules");
	scn_let(s, "DOC", getenv("USHER_DOC") ? getenv("USHER_DOC") : "doc");
	scn_let(s, "EXAMPLE",
		getenv("USHER_EXAMPLE") ? getenv("USHER_EXAMPLE") : "usher_hook_example.so");
}

static void remove_tmp(const struct scn *s)
{
	DIR *d = opendir(s->tmp);

	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
		(void)unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		(void)closedir(d);
	(void)rmdir(s->tmp);
}

void scn_world_fini(struct scn *s)
{
	scn_world_stop(s);
	remove_tmp(s);
	scn_hooks_fini(s);
	fake_files_fini(s->disk);
	free(s->disk);
	arena_fini(&s->arena);
	for (size_t i = 0; i < s->n_vars; i++)
		free(s->var[i].value);
	s->n_vars = 0;
	s->n_ifaces = 0;
	s->n_queries = 0;
	s->config = NULL;
	s->answer = NULL;
	s->ddns_seen = NULL;
	s->has_reply = false;
}

/* write NAME <<END: a file of the case's directory, where the configuration file would be */
int do_write(struct scn *s)
{
	const char *name = s->n_words > 1 ? s->word[1] : "";
	char path[sizeof(s->tmp) + NAME_MAX + 2];
	const char *text;
	FILE *f;
	int r;

	if (!name[0] || strchr(name, '/') || strlen(name) > NAME_MAX)
		return scn_fail(s, "write NAME <<END");
	(void)snprintf(path, sizeof(path), "%s/%s", s->tmp, name);
	text = scn_text(s);
	f = text ? fopen(path, "we") : NULL;
	r = f ? fputs(text, f) : EOF;
	if (f && fclose(f) == EOF)
		r = EOF;
	if (r != EOF && strncmp(text, "#!", 2) == 0 && chmod(path, 0755) < 0)
		r = EOF;
	return r == EOF ? scn_fail(s, "%s cannot be written", path) : 0;
}

/* Discards logs unless USHER_SCENARIO_DEBUG asks for them, also when a configuration has
 * loggers. */
static void quiet(struct scn *s)
{
	static const struct log_rule none = {.logger = "kea-dhcp4", .severity = LOG_SEV_NONE};

	if (s->d.srv.log && !getenv("USHER_SCENARIO_DEBUG"))
		(void)!log_configure(s->d.srv.log, &none, 1, false);
	else if (s->d.srv.log)
		(void)!log_configure(s->d.srv.log, NULL, 0, true);
}

static int open_ifaces(struct scn *s)
{
	struct iface_table *t = iface_table_new(s->iface, s->n_ifaces);

	if (!t)
		return -ENOMEM;
	server_publish_ifaces(&s->d.srv, t);
	for (size_t i = 0; i < s->n_ifaces; i++) {
		int r = capture_memory_new(&s->capture[i]);

		if (r == 0)
			r = worker_attach(s->d.srv.workers[0], s->capture[i], s->iface[i].ifindex);
		if (r < 0)
			return r;
	}
	return 0;
}

static int open_journal(struct scn *s)
{
	struct journal_opts jo = {.path = LEASE_FILE,
				  .persist = true,
				  .files = &s->disk->ops,
				  .clock = &s->d.srv.clock,
				  .log = s->d.srv.log};
	struct journal_load_stats st = {0};

	return journal_open(&jo, s->d.srv.db, &s->d.srv.store, &st);
}

static int start(struct scn *s, struct config_error *err)
{
	struct server_opts so = {.clock = s->clock.src,
				 .seed = SEED,
				 .builtins = server_builtins,
				 .network = HOOK_NETWORK_SILENT,
				 .config_file = s->config_file,
				 .is_command = command_is_own};
	struct worker_opts wo = {.n_slots = SLOTS};
	struct config_load_opts lo = {0};
	struct config *cfg = NULL;
	int r = config_load_json(s->config, &lo, &cfg, err);

	if (r < 0)
		return r;
	memset(&s->d, 0, sizeof(s->d));
	s->d.o.config_file = "scenario.json";
	s->d.o.commands = &server_commands;
	s->d.o.libraries = edit_libraries;
	s->d.o.n_libraries = edit_n_libraries;
	s->d.signal_fd = s->d.pid_fd = s->d.lock_fd = -1;
	so.log = log_new(&s->clock.src, "kea-dhcp4");
	so.offer_hold_s = cfg->offer_hold_s;
	r = server_init(&s->d.srv, &so);
	s->running = r == 0;
	quiet(s);
	if (r == 0)
		r = loop_new(&s->d.loop);
	if (r == 0)
		r = daemon_plane_open(&s->d);
	if (r == 0)
		r = scn_ddns_open(s);
	if (r == 0)
		r = open_journal(s);
	if (r == 0)
		(void)lease_check(&s->d.srv, cfg);
	if (r == 0)
		r = daemon_apply(&s->d, cfg, NULL, err);
	quiet(s);
	if (r < 0) {
		config_free(cfg);
		return r;
	}
	r = worker_add(&s->d.srv, &wo);
	if (r < 0)
		return r;
	daemon_timers(&s->d); /* commands set them; their loop never runs */
	return open_ifaces(s);
}

int scn_world_need(struct scn *s)
{
	struct config_error err = {0};
	int r;

	if (s->running)
		return 0;
	if (!s->config || !s->n_ifaces)
		return scn_fail(s, "a configuration and an interface come first");
	r = start(s, &err);
	if (r < 0)
		return scn_fail(s, "the server does not start: %s: %u:%u: %s", usher_strerror(r),
				err.pos.line, err.pos.col, err.text);
	s->next_reclaim = s->next_flush = s->clock.wall;
	return scn_hooks_register(s);
}

void scn_world_stop(struct scn *s)
{
	struct log *log = s->d.srv.log;

	if (!s->running)
		return;
	s->n_parked = 0;
	workers_free(&s->d.srv);
	ddns_free(s->d.srv.ddns);
	server_fini(&s->d.srv);
	config_problems_fini(&s->d.last_problems);
	control_plane_free(s->d.plane);
	config_problems_fini(&s->d.last_problems);
	loop_free(s->d.loop);
	log_free(log);
	memset(&s->d, 0, sizeof(s->d));
	memset(s->capture, 0, sizeof(s->capture));
	s->running = false;
	for (size_t i = 0; i < HOOK_N_POINTS; i++)
		s->hook[i].registered = false;
}

void scn_world_run(struct scn *s)
{
	for (int i = 0; i < RUN_TURNS; i++)
		while (worker_run_once(s->d.srv.workers[0]))
			continue;
}

/* --- time ------------------------------------------------------------------------------------- */

static void housekeeping(struct scn *s)
{
	struct snapshot *snap = server_snapshot(&s->d.srv);
	const struct config *cfg = snap->cfg;
	int64_t now = s->clock.wall;

	lease_db_expire_holds(s->d.srv.db);
	if (cfg->reclaim_timer_wait_s && now >= s->next_reclaim) {
		server_reclaim(&s->d.srv, cfg->hold_reclaimed_s == 0, cfg->max_reclaim_leases, 0);
		s->next_reclaim = now + cfg->reclaim_timer_wait_s * NS_PER_S;
	}
	if (cfg->flush_reclaimed_timer_wait_s && now >= s->next_flush) {
		server_flush_reclaimed(&s->d.srv);
		s->next_flush = now + cfg->flush_reclaimed_timer_wait_s * NS_PER_S;
	}
	snapshot_unref(snap);
	scn_world_run(s);
}

int scn_advance(struct scn *s, int64_t ns)
{
	int64_t end = s->clock.wall + ns;
	int64_t step = ns > 3600 * NS_PER_S ? ns / 3600 : NS_PER_S;

	if (scn_world_need(s) < 0)
		return -1;
	if (ns < 0) {
		virtual_clock_set(&s->clock, end);
		housekeeping(s);
		return 0;
	}
	while (s->clock.wall < end) {
		int64_t next = s->clock.wall + step < end ? s->clock.wall + step : end;

		virtual_clock_set(&s->clock, next);
		housekeeping(s);
	}
	return 0;
}

/* at +10s, +5m, +2h, +1d; -1d sets the wall clock back */
int do_at(struct scn *s)
{
	char *end;
	long long n = s->n_words == 2 ? strtoll(s->word[1], &end, 10) : 0;
	long long unit;

	if (s->n_words != 2 || end == s->word[1])
		return scn_fail(s, "at +10s");
	unit = *end == 'd' ? 86400 : *end == 'h' ? 3600 : *end == 'm' ? 60 : 1;
	return scn_advance(s, n * unit * NS_PER_S);
}

/* --- setting up ------------------------------------------------------------------------------- */

static int iface_down(struct scn *s, const char *name)
{
	for (size_t i = 0; i < s->n_ifaces; i++) {
		if (strcmp(s->iface[i].name, name) != 0)
			continue;
		if (scn_world_need(s) < 0)
			return -1;
		worker_detach(s->d.srv.workers[0], s->iface[i].ifindex);
		s->capture[i] = NULL;
		return 0;
	}
	return scn_fail(s, "no interface %s", name);
}

static int iface_addr(struct scn *s, struct iface *i, const char *text)
{
	const char *slash = strchr(text, '/');
	uint32_t a;

	if (!slash || ip_parse(text, (size_t)(slash - text), &a) < 0)
		return scn_fail(s, "%s is no address/length", text);
	i->addrs[i->n_addrs++] = (struct iface_addr){a, (uint8_t)atoi(slash + 1)};
	return 0;
}

/* iface eth0 192.0.2.1/24 [more/24 ...] | iface eth0 down */
int do_iface(struct scn *s)
{
	struct iface *i;

	if (s->n_words == 3 && strcmp(s->word[2], "down") == 0)
		return iface_down(s, s->word[1]);
	if (s->running || s->n_words < 3 || s->n_ifaces == SCN_IFACES)
		return scn_fail(s, "iface NAME ADDRESS/LEN, before the server starts");
	i = &s->iface[s->n_ifaces++];
	*i = (struct iface){.ifindex = (int)s->n_ifaces,
			    .arp_type = 1,
			    .up = true,
			    .running = true};
	(void)snprintf(i->name, sizeof(i->name), "%s", s->word[1]);
	memcpy(i->mac, (const uint8_t[]){2, 'u', 's', 'h', 'e', 'r'}, 6);
	for (size_t k = 2; k < s->n_words; k++)
		if (iface_addr(s, i, s->word[k]) < 0)
			return -1;
	return 0;
}

/* Reads a configuration from a file. The files that it names without a directory are those of the
 * case. */
static const struct json *read_config(struct scn *s, const char *path)
{
	static const char *const directories[] = {"KEA_DHCP_DATA_DIR", "KEA_HOOK_SCRIPTS_PATH",
						  "KEA_LEGAL_LOG_DIR", "KEA_LOG_FILE_DIR"};
	struct json_opts o = {.file = path, .dialect = true};
	struct config_error err = {0};
	struct json *j = NULL;

	for (size_t i = 0; i < ARRAY_LEN(directories); i++)
		(void)setenv(directories[i], s->tmp, true);
	if (json_parse_file(path, &o, &s->arena, &j, &err) < 0) {
		(void)scn_fail(s, "%s:%u:%u: %s", path, err.pos.line, err.pos.col, err.text);
		return NULL;
	}
	return j;
}

/* config <<END, or config FILE.json */
int do_config(struct scn *s)
{
	if (s->running)
		return scn_fail(s, "the server runs: use reload");
	if (s->n_words > 1 && strstr(s->word[1], ".json"))
		s->config = read_config(s, s->word[1]);
	else
		s->config = scn_json(s);
	return s->config ? 0 : -1;
}

/* base with the members of over put in; maps are merged, everything else replaced. */
static struct json *merged(struct arena *a, const struct json *base, const struct json *over)
{
	struct json *m = json_map(a);

	for (const struct json *k = base->first; k; k = k->next) {
		const struct json *o = json_get(over, k->key);

		if (o && o->type == JSON_NULL)
			continue;
		(void)json_add(a, m, k->key,
			       !o					    ? json_copy(a, k)
			       : o->type == JSON_MAP && k->type == JSON_MAP ? merged(a, k, o)
									    : json_copy(a, o));
	}
	for (const struct json *o = over->first; o; o = o->next)
		if (!json_get(base, o->key))
			(void)json_add(a, m, o->key, json_copy(a, o));
	return m;
}

static const struct json * override(struct scn *s, const struct json *over)
{
	struct json *m = json_map(&s->arena);
	const struct json *dhcp4 = json_get(s->config, "Dhcp4");
	const struct json *subnet = json_get(over, "subnet");
	struct json *v;

	v = merged(&s->arena, dhcp4, over);
	if (subnet) { /* "subnet": {…} is merged into the first one */
		const struct json *list = json_get(dhcp4, "subnet4");
		struct json *new = json_list(&s->arena);
		struct json *again = json_map(&s->arena);

		for (const struct json *e = list->first; e; e = e->next)
			(void)json_add(&s->arena, new, NULL,
				       e == list->first ? merged(&s->arena, e, subnet)
							: json_copy(&s->arena, e));
		for (const struct json *k = v->first; k; k = k->next)
			if (strcmp(k->key, "subnet") != 0 && strcmp(k->key, "subnet4") != 0)
				(void)json_add(&s->arena, again, k->key, json_copy(&s->arena, k));
		(void)json_add(&s->arena, again, "subnet4", new);
		v = again;
	}
	(void)json_add(&s->arena, m, "Dhcp4", v);
	return m;
}

/* with {…}: members of Dhcp4 that differ from the file's configuration. */
int do_with(struct scn *s)
{
	const struct json *over = scn_json(s);

	if (!over)
		return -1;
	if (s->running || !s->config)
		return scn_fail(s, "with comes between config and the first packet");
	s->config = override(s, over);
	return 0;
}

/* reload {…} must be taken, reload-refused {…} must not; both hold the members that differ. */
int do_reload(struct scn *s)
{
	bool refused = strcmp(s->word[0], "reload-refused") == 0;
	struct json *request = json_map(&s->arena);
	const struct json *over = scn_json(s);
	const struct json *cfg;
	int64_t result = -1;

	if (!over || scn_world_need(s) < 0)
		return -1;
	cfg = override(s, over);
	(void)json_add(&s->arena, request, "command", json_str(&s->arena, "config-set"));
	(void)json_add(&s->arena, request, "arguments", json_copy(&s->arena, cfg));
	s->answer = scn_answer(s, request);
	quiet(s);
	(void)json_get_int(s->answer, "result", &result);
	if ((result != 0) != refused)
		return scn_fail(s, "reload was %s: %s", refused ? "taken" : "refused",
				json_get_str(s->answer, "text"));
	if (refused)
		return 0;
	s->config = cfg;
	return scn_hooks_register(s);
}

/* leases loading | leases loaded: as if the file were so big that serving began before its end */
int do_leases(struct scn *s)
{
	bool loading = s->n_words == 2 && strcmp(s->word[1], "loading") == 0;

	if (s->n_words != 2 || (!loading && strcmp(s->word[1], "loaded") != 0))
		return scn_fail(s, "leases loading | leases loaded");
	if (scn_world_need(s) < 0)
		return -1;
	s->d.srv.store->opening = loading;
	s->d.srv.store->up = !loading;
	return 0;
}

/* --- the disk --------------------------------------------------------------------------------- */

/* disk ok | disk fail enospc|eio-write|eio-sync|eio */
int do_disk(struct scn *s)
{
	static const struct {
		const char *name;
		unsigned mask;
		int err;
	} how[] = {
		{"enospc", FAKE_CALL_WRITE, ENOSPC},
		{"eio-write", FAKE_CALL_WRITE, EIO},
		{"eio-sync", FAKE_CALL_SYNC, EIO},
		{"eio", FAKE_CALL_ANY, EIO},
	};

	if (scn_world_need(s) < 0)
		return -1;
	s->disk->mask = 0;
	s->disk->calls = 0;
	s->disk->first = 1;
	s->disk->last = UINT64_MAX;
	if (s->n_words == 2 && strcmp(s->word[1], "ok") == 0)
		return 0;
	for (size_t i = 0; s->n_words == 3 && i < ARRAY_LEN(how); i++) {
		if (strcmp(how[i].name, s->word[2]) != 0)
			continue;
		s->disk->mask = how[i].mask;
		s->disk->err = how[i].err;
		return 0;
	}
	return scn_fail(s, "disk ok | disk fail enospc|eio-write|eio-sync|eio");
}

/* The files of image, written anew and synced: the crash after this one starts from them. */
static struct fake_files *settled(const struct fake_files *image)
{
	struct fake_files *f = calloc(1, sizeof(*f));

	if (!f)
		abort();
	fake_files_init(f);
	f->mask = 0;
	for (int i = 0; i < FAKE_NAMES; i++) {
		const struct fake_file *x = image->dir[i].name[0]
						    ? fake_files_get(image, image->dir[i].name)
						    : NULL;
		int fd = x ? f->ops.open(f, image->dir[i].name, O_WRONLY | O_CREAT, 0640) : -1;

		if (fd < 0)
			continue;
		if (x->len)
			(void)f->ops.write(f, fd, x->p, x->len);
		(void)f->ops.fdatasync(f, fd);
		(void)f->ops.close(f, fd);
	}
	(void)f->ops.sync_dir(f, ".");
	return f;
}

/* restart: a clean stop. kill: written data is there. crash: only synced data is. */
int do_restart(struct scn *s)
{
	bool clean = strcmp(s->word[0], "restart") == 0;
	struct fake_files image;
	struct rng rng;

	if (scn_world_need(s) < 0)
		return -1;
	if (clean) {
		scn_world_stop(s);
		return scn_world_need(s);
	}
	rng_seed(&rng, SEED);
	fake_files_crash(s->disk, s->disk->n_ops,
			 strcmp(s->word[0], "crash") == 0 ? FAKE_LOSE_UNSYNCED : FAKE_LOSE_NOTHING,
			 &rng, &image);
	scn_world_stop(s);
	fake_files_fini(s->disk);
	free(s->disk);
	s->disk = settled(&image);
	fake_files_fini(&image);
	return scn_world_need(s);
}

/* lease-file <<END: the file on disk before the server starts, or (running) more rows behind its
 * end */
int do_lease_file(struct scn *s)
{
	const char *text = scn_text(s);

	if (!text)
		return -1;
	if (s->running)
		return scn_fail(s, "lease-file comes before the server starts");
	fake_files_put(s->disk, LEASE_FILE, text, strlen(text));
	return 0;
}
