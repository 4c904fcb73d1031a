/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The resources that the server opens: interfaces, databases, hook libraries, loggers.
 */
#include "config/config_load.h"
#include "config/database/config_database.h"
#include "config/schema/kea_hooks.h"

#include "base/error.h"
#include "base/ip.h"
#include "base/log_pattern.h"
#include "base/object.h"

#include <errno.h>
#include <net/if.h>
#include <unistd.h>

enum { METRICS_MAX_SERIES = 500000 }; /* where the configuration does not limit them */

/* --- interfaces ------------------------------------------------------------------------------- */

/* Parses "*", "eth0" or "eth0/192.0.2.1". */
static int build_interface(struct load *l, const struct json *v, struct config_interface *i)
{
	const char *slash = strchr(v->s, '/');
	size_t n = slash ? (size_t)(slash - v->s) : v->n;

	if (!n || n >= IF_NAMESIZE)
		return load_fail(l, v, "'%.64s' is not the name of an interface", v->s);
	if (slash && ip_parse(slash + 1, v->n - n - 1, &i->addr) < 0)
		return load_fail(l, v, "'%.64s' is not an IPv4 address", slash + 1);
	if (slash && n == 1 && v->s[0] == '*')
		return load_fail(l, v, "'*' cannot have an address");
	i->pos = v->pos;
	i->name = arena_strndup(l->a, v->s, n);
	return i->name ? 0 : load_no_memory(l);
}

static int load_interface_list(struct load *l, const struct json *list)
{
	struct config_interface *items = arena_array(l->a, struct config_interface, list->count);
	struct config_map seen = {0};
	size_t n = 0;
	int bad = 0;

	if (!items)
		return load_no_memory(l);
	for (const struct json *v = list->first; v; v = v->next) {
		uint32_t old;
		int r = build_interface(l, v, &items[n]);

		if (load_fatal(r))
			return r;
		bad = load_both(bad, r);
		if (r < 0)
			continue;
		r = config_map_put(&seen, l->a, span_of(v->s, v->n), 0, &old);
		if (r == 0)
			bad = load_fail(l, v, "interface '%s' is given twice", v->s);
		if (r < 0)
			return load_no_memory(l);
		n++;
	}
	l->c->interfaces = items;
	l->c->n_interfaces = n;
	return bad;
}

static int load_interfaces(struct load *l)
{
	const struct json *m = json_get(l->dhcp4, "interfaces-config");
	const struct json *offload = load_usher_value(l, "udp-offload");
	const struct json *series = load_usher_value(l, "metrics-max-series");
	struct config *c = l->c;

	c->socket_udp = strcmp(load_str(m, "dhcp-socket-type", ""), "udp") == 0;
	c->udp_offload = !offload || offload->b;
	c->metrics_max_series = series ? (uint32_t)series->i : METRICS_MAX_SERIES;
	c->use_routing = strcmp(load_str(m, "outbound-interface", ""), "use-routing") == 0;
	c->re_detect = load_bool(m, "re-detect");
	c->sockets_max_retries = load_u32(m, "service-sockets-max-retries", 0);
	c->sockets_retry_wait_ms = load_u32(m, "service-sockets-retry-wait-time", 0);
	c->sockets_require_all = load_bool(m, "service-sockets-require-all");
	return load_interface_list(l, json_get(m, "interfaces"));
}

/* --- databases ---------------------------------------------------------------------------------- */

/* Returns the key's text; "" where it is not given. */
static const char *text_of(const struct json *m, const char *key)
{
	return load_str(m, key, "");
}

/* Refuses keys that contradict each other. */
static int check_database(struct load *l, const struct json *m, const struct config_database *d)
{
	static const char modes[] = "disable|prefer|require|verify-ca|verify-full";
	const struct json *mode = json_get(m, "ssl-mode");
	const struct json *wait = json_get(m, "connect-timeout");
	int r = 0;

	if (!d->name[0])
		r = load_fail_key(
			l, m,
			"a database of type 'postgresql' needs 'name', the name of the database");
	if (d->password[0] && d->password_file[0])
		r = load_fail(l, json_get(m, "password-file"),
			      "'password' and 'password-file' are given: one of them is enough");
	if (d->ssl_mode[0] && schema_word(modes, d->ssl_mode) < 0)
		r = load_fail(
			l, mode,
			"unknown ssl-mode '%.32s', expected one of disable, prefer, require, verify-ca, verify-full",
			d->ssl_mode);
	if (d->cert_file[0] && !d->key_file[0])
		r = load_fail(l, json_get(m, "cert-file"),
			      "'cert-file' is given without 'key-file'");
	if (d->key_file[0] && !d->cert_file[0])
		r = load_fail(l, json_get(m, "key-file"),
			      "'key-file' is given without 'cert-file'");
	if (wait && wait->i == 0)
		r = load_fail(l, wait, "'connect-timeout' is 0, expected at least 1");
	return r;
}

int load_database(struct load *l, const struct json *m, const struct config_database **ret)
{
	struct config_database *d = arena_alloc(l->a, sizeof(*d));
	const struct json *fail = json_get(m, "on-fail");

	if (!d)
		return load_no_memory(l);
	*d = (struct config_database){
		.name = text_of(m, "name"),
		.host = text_of(m, "host"),
		.user = text_of(m, "user"),
		.password = text_of(m, "password"),
		.password_file = text_of(m, "password-file"),
		.trust_anchor = text_of(m, "trust-anchor"),
		.cert_file = text_of(m, "cert-file"),
		.key_file = text_of(m, "key-file"),
		.ssl_mode = text_of(m, "ssl-mode"),
		.port = load_u32(m, "port", 0),
		.connect_timeout_s = load_u32(m, "connect-timeout", 5),
		.tcp_user_timeout_s = load_u32(m, "tcp-user-timeout", 0),
		.max_tries = load_u32(m, "max-reconnect-tries", 0),
		.wait_ms = load_u32(m, "reconnect-wait-time", 0),
		.on_fail = fail ? (enum config_on_fail)schema_word(
					  "stop-retry-exit|serve-retry-exit|serve-retry-continue",
					  fail->s)
				: ON_FAIL_SERVE_RETRY_CONTINUE,
		.retry_on_startup = load_bool(m, "retry-on-startup"),
		.readonly = load_bool(m, "readonly"),
	};
	*ret = d;
	return check_database(l, m, d);
}

/* Returns whether the type of a database is one that this program has. Reports it, if not. */
static int check_type(struct load *l, const struct json *type)
{
	if (strcmp(type->s, "mysql") == 0)
		return load_fail(
			l, type,
			"lease-database type 'mysql' is not supported, expected memfile or postgresql");
	if (strcmp(type->s, "postgresql") == 0 && !USHER_POSTGRESQL)
		return load_fail(
			l, type,
			"lease-database type 'postgresql' is not supported: this program was built without libpq");
	return 0;
}

static int load_lease_file(struct load *l, const struct json *m)
{
	struct config *c = l->c;

	c->lease_file = load_file_name(l, CONFIG_DIR_DATA, load_str(m, "name", ""));
	return c->lease_file ? 0 : load_no_memory(l);
}

int load_lease_db(struct load *l)
{
	const struct json *m = json_get(l->dhcp4, "lease-database");
	const struct json *type = json_get(m, "type");
	const struct json *durability = load_usher_value(l, "durability");
	const struct json *interval = load_usher_value(l, "interval-ms");
	const struct json *delay = load_usher_value(l, "max-delay-us");
	const struct json *hold = load_usher_value(l, "offer-hold-time");
	const struct json *deadline = load_usher_value(l, "callout-deadline-ms");
	struct config *c = l->c;
	int r = check_type(l, type);

	if (r < 0)
		return r;
	c->persist = load_bool(m, "persist");
	c->lease_file = "";
	if (strcmp(type->s, "postgresql") == 0)
		r = load_database(l, m, &c->lease_database);
	else
		r = load_lease_file(l, m);
	c->lfc_interval = load_u32(m, "lfc-interval", 0);
	c->max_row_errors = load_u32(m, "max-row-errors", 0);
	c->durability = DURABILITY_COMMIT;
	if (durability)
		c->durability = (enum config_durability)schema_word("commit|interval|none",
								    durability->s);
	c->sync_interval_ms = interval ? (uint32_t)interval->i : 1000;
	c->max_delay_us = delay ? (uint32_t)delay->i : 2000;
	c->offer_hold_s = hold ? (uint32_t)hold->i : 10;
	c->callout_deadline_ms = deadline ? (uint32_t)deadline->i : 1000;
	return r;
}

/* --- hooks ------------------------------------------------------------------------------------ */

/* Checks whether the library is to be loaded: 1 yes; 0 no, its effect is always there, or the
 * operator ignores it. */
static int check_hook(struct load *l, const struct json *library, const struct kea_hook *k)
{
	const char *why = k->kind == KEA_HOOK_REFUSED ? k->reason : "not supported yet";

	l->c->command_libraries |= kea_command_library(k->file);
	if (k->kind == KEA_HOOK_NOT_KEAS || k->kind == KEA_HOOK_NATIVE)
		return 1;
	if (k->kind == KEA_HOOK_ALWAYS || k->kind == KEA_HOOK_COMMANDS)
		return 0;
	if (!l->o || !l->o->ignore_unknown_hooks)
		return load_fail(l, library, "Kea's hook library %s: %s", library->s, why);
	load_warn(l, library, "Kea's hook library %s: %s; the server runs without it", library->s,
		  why);
	return 0;
}

/* Returns the path of a library, or the name of one of this server's. A name without a dot is of
 * the latter kind. */
static const char *library_path(struct load *l, const char *name, const struct kea_hook *k)
{
	if (k->kind == KEA_HOOK_NATIVE)
		return k->file;
	return strchr(name, '.') ? load_file_name(l, CONFIG_DIR_HOOKS, name) : name;
}

/* Returns whether --ignore-unknown-hooks leaves a library of another origin out: it is missing or
 * not made for Usher. */
static bool skip_foreign(struct load *l, const struct json *library, const char *path)
{
	char why[256];

	if (!l->o || !l->o->ignore_unknown_hooks || !strpbrk(path, "./") ||
	    object_check(path, hook_symbols, HOOK_SYMBOLS, why, sizeof(why)) == 0)
		return false;
	load_warn(l, library, "hook library %s: %s: the server runs without it", path, why);
	return true;
}

static int load_hooks(struct load *l)
{
	const struct json *list = json_get(l->dhcp4, "hooks-libraries");
	struct config_hook_library *items = arena_array(l->a, struct config_hook_library,
							list->count);
	size_t n = 0;
	int bad = 0;

	if (!items)
		return load_no_memory(l);
	for (const struct json *v = list->first; v; v = v->next) {
		const struct json *library = json_get(v, "library");
		struct kea_hook k = kea_hook_of(library->refused ? "" : library->s);
		int r = library->refused ? -USHER_E_CONFIG : check_hook(l, library, &k);

		bad = load_both(bad, r < 0 ? r : 0);
		if (r == 0 && load_count(v, "parameters"))
			load_warn(l, json_get(v, "parameters"),
				  "the parameters of %s are accepted and have no effect", k.file);
		if (r <= 0)
			continue;
		items[n].library = library_path(l, library->s, &k);
		if (!items[n].library)
			return load_no_memory(l);
		if (k.kind != KEA_HOOK_NATIVE && skip_foreign(l, library, items[n].library))
			continue;
		items[n].parameters = json_get(v, "parameters");
		items[n++].pos = library->pos;
	}
	l->c->hooks = items;
	l->c->n_hooks = n;
	return bad;
}

/* --- loggers ---------------------------------------------------------------------------------- */

enum { MAXSIZE_MIN = 204800 };

/* Warns of a log file that cannot be written. The start continues, as in Kea. */
static void warn_directory(struct load *l, const struct json *at, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *dir = slash ? arena_strndup(l->a, path,
						slash > path ? (size_t)(slash - path) : 1)
				: ".";

	if (dir && access(dir, W_OK | X_OK) < 0)
		load_warn(l, at, "log file %s cannot be written: %s; its lines go to stdout", path,
			  usher_strerror(-errno));
}

static int facility_of(struct load *l, const struct json *at, const char *word)
{
	int facility = log_facility(word);

	if (facility >= 0)
		return facility;
	load_warn(l, at, "unknown syslog facility '%.32s': 'user' is used, as in Kea", word);
	return log_facility("user");
}

struct pattern_warning {
	struct load *l;
	const struct json *at;
};

static void warn_conversion(void *ctx, char conversion)
{
	const struct pattern_warning *w = ctx;

	if (conversion)
		load_warn(w->l, w->at, "'%%%c' in a log pattern has no meaning here", conversion);
	else
		load_warn(w->l, w->at, "the log pattern ends within a conversion");
}

/* Returns the pattern of an output; NULL: the default form. */
static const char *pattern_of(struct load *l, const struct json *node)
{
	const struct json *v = json_get(node, "pattern");
	struct pattern_warning w = {l, v};

	if (!v || !v->n)
		return NULL;
	log_pattern_unknown(v->s, warn_conversion, &w);
	if (!log_pattern_has(v->s, 'm'))
		load_warn(l, v,
			  "the log pattern has no '%%m': its lines do not contain the message");
	return v->s;
}

static int build_output(struct load *l, const struct json *node, struct log_output *o)
{
	static const struct {
		const char *word;
		enum log_sink_kind kind;
	} kinds[] = {
		{"stdout", LOG_SINK_STDOUT},
		{"stderr", LOG_SINK_STDERR},
		{"syslog", LOG_SINK_SYSLOG},
	};
	const struct json *maxsize = json_get(node, "maxsize");
	const char *name = load_str(node, "output", "");

	*o = (struct log_output){.kind = LOG_SINK_FILE, .path = name};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(name, kinds[i].word) == 0)
			o->kind = kinds[i].kind;
	if (strncmp(name, "syslog:", 7) == 0) {
		o->kind = LOG_SINK_SYSLOG;
		o->facility = facility_of(l, json_get(node, "output"), name + 7);
	}
	o->pattern = pattern_of(l, node);
	o->path = o->kind == LOG_SINK_FILE ? load_file_name(l, CONFIG_DIR_LOGS, name) : name;
	if (!o->path)
		return load_no_memory(l);
	if (o->kind == LOG_SINK_FILE)
		warn_directory(l, json_get(node, "output"), o->path);
	o->maxsize = (uint64_t)maxsize->i;
	if (maxsize->i > 0 && maxsize->i < MAXSIZE_MIN) {
		load_warn(l, maxsize, "'maxsize' is %lld, the least is %d, which is used",
			  (long long)maxsize->i, MAXSIZE_MIN);
		o->maxsize = MAXSIZE_MIN;
	}
	o->maxver = load_u32(node, "maxver", 1);
	if (!o->maxver)
		o->maxver = 1;
	return 0;
}

static enum log_severity severity_of(const struct json *node)
{
	static const enum log_severity order[] = {LOG_SEV_FATAL, LOG_SEV_ERROR, LOG_SEV_WARN,
						  LOG_SEV_INFO,	 LOG_SEV_DEBUG, LOG_SEV_NONE};
	int i = schema_word("FATAL|ERROR|WARN|INFO|DEBUG|NONE", load_str(node, "severity", "INFO"));

	return order[i];
}

static int build_logger(struct load *l, const struct json *node, struct config_logger *g)
{
	const struct json *list = json_get(node, "output-options");
	struct log_output *outputs = arena_array(l->a, struct log_output, list->count);

	if (!outputs)
		return load_no_memory(l);
	*g = (struct config_logger){
		.name = load_str(node, "name", ""),
		.severity = severity_of(node),
		.debuglevel = (int)load_u32(node, "debuglevel", 0),
		.outputs = outputs,
	};
	if (g->severity == LOG_SEV_DEBUG && g->debuglevel < log_least_debuglevel())
		load_warn(l, json_get(node, "severity"),
			  "severity DEBUG with a debuglevel below %d logs no more than INFO",
			  log_least_debuglevel());
	for (const struct json *v = list->first; v; v = v->next) {
		int r = build_output(l, v, &outputs[g->n_outputs++]);

		if (r < 0)
			return r;
	}
	return 0;
}

static int load_loggers(struct load *l)
{
	const struct json *list = json_get(l->dhcp4, "loggers");
	struct config_logger *items = arena_array(l->a, struct config_logger, list->count);
	int bad = 0;

	if (!items)
		return load_no_memory(l);
	l->c->loggers = items;
	for (const struct json *v = list->first; v; v = v->next) {
		struct config_logger *g = &items[l->c->n_loggers++];
		int r = build_logger(l, v, g);

		g->pos = v->pos;
		if (load_fatal(r))
			return r;
		bad = load_both(bad, r);
	}
	return bad;
}

int load_services(struct load *l)
{
	int r = load_interfaces(l);

	r = load_both(r, load_sockets(l));
	r = load_both(r, load_hooks(l));
	return load_both(r, load_loggers(l));
}
