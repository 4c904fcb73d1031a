/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The reservations that commands made, and configurations. The file is read whenever a
 * configuration is: beside the loop, where other work on configurations and the file waits.
 */
#include "server/manage/daemon_hosts.h"

#include "base/error.h"
#include "base/ip.h"
#include "config/config.h"
#include "config/edit/config_edit.h"
#include "server/hosts/host_file.h"
#include "server/manage/daemon_impl.h"

#include <errno.h>
#include <string.h>

/* --- Reading ---------------------------------------------------------------------------------- */

/* Makes the object of the file, whose place the configuration at start tells: before there are
 * leases. */
static int open_hosts(struct server_daemon *d, const struct config *cfg)
{
	struct arena a;
	const char *lease_file;
	const char *path;

	if (!cfg || !cfg->persist || d->hosts || d->srv.db)
		return 0;
	arena_init(&a);
	lease_file = daemon_lease_path(cfg, &a);
	path = lease_file ? arena_printf(&a, "%s.reservations", lease_file) : NULL;
	if (path)
		d->hosts = host_file_new(path, &file_ops_system, d->srv.log);
	arena_fini(&a);
	return d->hosts ? 0 : -ENOMEM;
}

static int make_changes(struct daemon_reading *r, const struct json *list)
{
	size_t n = 0;

	r->stored = arena_array(&r->arena, struct config_change, list->count);
	r->stored_items = arena_array(&r->arena, const struct json *, list->count);
	if (!r->stored || !r->stored_items)
		return -ENOMEM;
	for (const struct json *v = list->first; v; v = v->next, n++) {
		r->stored_items[n] = v;
		r->stored[n] = (struct config_change){.kind = CHANGE_PUT_HOST,
						      .id = (uint32_t)json_get(v, "subnet-id")->i,
						      .index = UINT32_MAX,
						      .stored = true,
						      .node = json_get(v, "reservation")};
	}
	r->n_stored = n;
	return 0;
}

int daemon_hosts_read(struct daemon_reading *r, const struct config *cfg)
{
	struct config_error err = {0};
	struct json *list = NULL;
	int e = open_hosts(r->d, cfg);

	if (e == 0 && !r->d->hosts)
		return 0;
	if (e == 0)
		e = host_file_read(r->d->hosts, r->d->lock_fd >= 0, &r->arena, &list, &err);
	if (e == 0)
		e = make_changes(r, list);
	if (e == 0)
		return 0;
	if (!err.text[0])
		(void)config_error_set(&err, NULL, e, "reservations: %s", usher_strerror(e));
	r->first = err;
	config_problems_add(&r->problems, &err);
	return e;
}

/* --- Addition to a configuration ---------------------------------------------------------------- */

static void warn_left_out(struct daemon_reading *r, size_t i, const char *why)
{
	struct config_error w = {0};

	(void)config_error_set(&w, NULL, 0, "the reservation '%s' in %s has no effect: %s",
			       json_get_str(r->stored_items[i], "key"), host_file_path(r->d->hosts),
			       why);
	daemon_warn(r->d, &w);
}

/* Returns the reason for which a reservation contradicts the configuration, or NULL. Only the cases
 * that can concern many: config_edit() finds the others. */
static const char *contradiction(const struct config *cfg, const struct config_change *k)
{
	const struct config_subnet *s = k->id ? config_subnet_by_id(cfg, k->id) : NULL;
	const char *text = json_get_str(k->node, "ip-address");
	uint32_t addr;

	if (k->id && !s)
		return "its subnet is not configured";
	if (!text || ip_parse(text, strlen(text), &addr) < 0)
		return NULL;
	if (s && (addr & ip_mask(s->prefix_len)) != s->prefix)
		return "its address is not in the subnet";
	if (cfg->ip_reservations_unique && config_host_by_addr(cfg, k->id, addr))
		return "the configuration reserves its address";
	return NULL;
}

/* Adds some of the reservations. Those that are refused are found by halves. */
static int add_range(struct daemon_reading *r, size_t from, size_t to)
{
	struct config_load_opts o = {0};
	struct config_error err = {0};
	struct config *made = NULL;
	size_t mid = from + (to - from) / 2;
	int e;

	if (from == to)
		return 0;
	e = config_edit(r->cfg, r->stored + from, to - from, &o, &made, &err);
	if (e == 0) {
		config_free(r->cfg);
		r->cfg = made;
		return 0;
	}
	if (e == -ESTALE || e == -USHER_E_NOMEM)
		return e;
	if (to - from == 1) {
		warn_left_out(r, from, err.text);
		return 0;
	}
	e = add_range(r, from, mid);
	return e < 0 ? e : add_range(r, mid, to);
}

int daemon_hosts_add(struct daemon_reading *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_stored; i++) {
		const char *why = contradiction(r->cfg, &r->stored[i]);

		if (why) {
			warn_left_out(r, i, why);
			continue;
		}
		r->stored[n] = r->stored[i];
		r->stored_items[n++] = r->stored_items[i];
	}
	r->n_stored = n;
	return add_range(r, 0, n);
}
