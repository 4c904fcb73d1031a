/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The commands of host_cmds that change reservations. A change of the file of reservations is
 * durable before it takes effect.
 */
#include "server/edit/edit_host.h"

#include "base/error.h"
#include "base/ip.h"
#include "config/config.h"
#include "config/json/json.h"
#include "server/edit/edit_commands.h"
#include "server/hosts/host_file.h"

#include <string.h>

/* --- Bodies ----------------------------------------------------------------------------------- */

/* A reservation that a command adds or replaces. */
struct body {
	struct host_query q; /* subnet and identifier */
	struct json *node;   /* without subnet-id */
	const struct config_subnet *subnet;
	const char *addr; /* text; NULL: none */
};

/* Finds the identifier of a reservation. The load checks it. */
static void find_body_id(struct edit *e, struct body *b)
{
	for (unsigned i = 0; i < HOST_ID_N; i++) {
		const char *text = json_get_str(b->node, config_host_id_names[i]);

		if (!text)
			continue;
		b->q.type = (enum config_host_id)i;
		(void)config_host_id_parse(e->c->arena, text, &b->q.id);
		return;
	}
}

/* Tells the subnet of an address whose reservation names none. */
static void refuse_without_subnet(struct edit *e, const struct body *b)
{
	const struct config_subnet *open = NULL;
	const struct config_subnet *guarded = NULL;
	const struct config_subnet *s = NULL;
	size_t n = 0;

	while ((s = config_subnet_containing(e->cfg, b->q.addr, s))) {
		n++;
		if (!s->classes.n && !open)
			open = s;
		else if (s->classes.n && !guarded)
			guarded = s;
	}
	if (!n)
		edit_refuse(
			e,
			"Mandatory 'subnet-id' parameter missing. The address '%s' belongs to no "
			"configured subnet.",
			b->addr);
	else
		edit_refuse(e,
			    "Mandatory 'subnet-id' parameter missing. The address '%s' belongs to "
			    "%ssubnet '%s' id %u%s",
			    b->addr, open ? "" : "guarded ", (open ? open : guarded)->text,
			    (open ? open : guarded)->id, n > 1 ? " and others." : ".");
}

/* Reads the member "reservation" of the arguments. */
static void read_body(struct edit *e, struct body *b)
{
	const struct json *v = json_get(e->c->args, "reservation");

	if (!e->c->args)
		edit_refuse(e, "no parameters specified for the command");
	b->q.target = edit_host_target(e, TARGET_DATABASE);
	if (!e->ended && !v)
		edit_refuse(e, "reservation must be specified");
	else if (!e->ended && v->type != JSON_MAP)
		edit_refuse(e, "'reservation' must be a map");
	b->q.has_subnet = edit_host_subnet(e, v, &b->q.subnet_id);
	if (e->ended)
		return;
	b->node = json_copy(e->c->arena, v);
	if (b->node) {
		b->node->key = NULL;
		b->node->next = NULL;
		json_remove(b->node, "subnet-id");
	} else {
		edit_refuse(e, "out of memory");
	}
	b->addr = json_get_str(b->node, "ip-address");
	if (b->addr)
		b->q.addr = edit_host_addr(e, b->addr);
	find_body_id(e, b);
}

/* Checks the subnet and the address. */
static void check_place(struct edit *e, struct body *b)
{
	if (e->ended)
		return;
	edit_host_check_subnet(e, b->q.subnet_id);
	b->subnet = b->q.subnet_id ? config_subnet_by_id(e->cfg, b->q.subnet_id) : NULL;
	if (b->subnet && b->q.addr &&
	    (b->q.addr & ip_mask(b->subnet->prefix_len)) != b->subnet->prefix)
		edit_refuse(
			e, "specified reservation '%s' is not matching the IPv4 subnet prefix '%s'",
			b->addr, b->subnet->text);
}

/* Returns the text that names a reservation in Kea's refusals. */
static const char *describe_id(struct edit *e, const struct body *b)
{
	const char *text = config_host_id_text(e->c->arena, b->q.type, b->q.id);

	if (b->q.type == HOST_ID_HW_ADDRESS)
		return arena_printf(e->c->arena, "HW address '%s'", text);
	if (b->q.type == HOST_ID_DUID)
		return arena_printf(e->c->arena, "DUID '%s'", text);
	return arena_printf(e->c->arena, "%s '%s'", config_host_id_names[b->q.type], text);
}

/* Refuses a reservation that another one excludes; old: the one that it replaces. */
static void check_double(struct edit *e, const struct body *b, const struct config_host *old)
{
	const struct config_host *same = b->q.id.n ? config_host_by_id(e->cfg, b->q.subnet_id,
								       b->q.type, b->q.id)
						   : NULL;
	const struct config_host *addr = b->q.addr && e->cfg->ip_reservations_unique
						 ? config_host_by_addr(e->cfg, b->q.subnet_id,
								       b->q.addr)
						 : NULL;

	if (e->ended)
		return;
	if (same && same != old)
		edit_refuse(
			e,
			"failed to add new host using the %s to the IPv4 subnet id '%u' as this "
			"host has already been added",
			describe_id(e, b), b->q.subnet_id);
	else if (addr && addr != old)
		edit_refuse(e,
			    "failed to add new host using the HW address '%s and DUID '%s' to the "
			    "IPv4 subnet id '%u' for the address %s: There's already a reservation "
			    "for this address",
			    b->q.type == HOST_ID_HW_ADDRESS
				    ? config_host_id_text(e->c->arena, b->q.type, b->q.id)
				    : "(null)'",
			    b->q.type == HOST_ID_DUID
				    ? config_host_id_text(e->c->arena, b->q.type, b->q.id)
				    : "(null)",
			    b->q.subnet_id, b->addr);
}

/* --- The file of reservations ----------------------------------------------------------------- */

static struct host_file *file_of(const struct edit *e)
{
	const struct server_daemon *d = e->c->program;

	return d->hosts;
}

/* Returns the key of a reservation in the file. */
static const char *make_key(struct edit *e, const struct config_host *h)
{
	char *id = NULL;
	struct buf b;

	buf_init(&b);
	for (size_t i = 0; i < h->id.n; i++)
		buf_printf(&b, "%02X", h->id.p[i]);
	if (!b.failed && b.p)
		id = arena_printf(e->c->arena, "%u %s %s", h->subnet_id,
				  config_host_id_names[h->id_type], b.p);
	buf_fini(&b);
	if (!id)
		edit_refuse(e, "out of memory");
	return id;
}

/* Makes the change durable. */
static void store_change(struct edit *e, const struct config *made)
{
	const struct config_change *k = &e->changes[0];
	bool is_new = k->index >= e->cfg->n_hosts;
	const struct config_host *h;
	const char *key;
	int r;

	if (!k->stored)
		return;
	h = k->kind == CHANGE_DELETE_HOST ? &e->cfg->hosts[k->index]
					  : &made->hosts[is_new ? made->n_hosts - 1 : k->index];
	key = make_key(e, h);
	if (!key)
		return;
	r = k->kind == CHANGE_DELETE_HOST ? host_file_delete(file_of(e), key)
					  : host_file_put(file_of(e), key, k->id, k->node);
	if (r < 0)
		edit_refuse(e, "%s cannot be written: %s", host_file_path(file_of(e)),
			    usher_strerror(r));
}

/* Takes a change of the file back, which cannot take effect. */
static void restore_file(struct edit *e)
{
	const struct config_change *k = &e->changes[0];
	const struct config_host *old = k->index < e->cfg->n_hosts ? &e->cfg->hosts[k->index]
								   : NULL;
	const struct config_host *h = old;
	const char *key;

	if (!k->stored)
		return;
	if (!h && e->reading.cfg && e->reading.cfg->n_hosts)
		h = &e->reading.cfg->hosts[e->reading.cfg->n_hosts - 1];
	key = h ? make_key(e, h) : NULL;
	if (key && old)
		(void)!host_file_put(file_of(e), key, old->subnet_id, old->node);
	else if (key)
		(void)!host_file_delete(file_of(e), key);
}

static void plan_change(struct edit *e, const struct config_change *k)
{
	e->changes[0] = *k;
	e->n_changes = 1;
	e->check = store_change;
	e->undo = restore_file;
}

/* --- Commands --------------------------------------------------------------------------------- */

void edit_host_add(struct edit *e)
{
	struct body b = {0};
	bool stored;

	read_body(e, &b);
	if (!e->ended && !b.q.has_subnet && b.q.addr)
		refuse_without_subnet(e, &b);
	if (!e->ended && b.q.target == TARGET_DATABASE && !file_of(e))
		edit_refuse(e, "Host database not available, cannot add host.");
	check_place(e, &b);
	check_double(e, &b, NULL);
	if (e->ended)
		return;
	stored = (b.q.target & TARGET_DATABASE) && file_of(e);
	plan_change(e, &(struct config_change){.kind = CHANGE_PUT_HOST,
					       .id = b.q.subnet_id,
					       .index = UINT32_MAX,
					       .stored = stored,
					       .node = b.node});
	edit_answer(e, NULL, "Host added.%s",
		    b.q.has_subnet ? ""
				   : " subnet-id not specified, assumed global (subnet-id 0).");
}

void edit_host_update(struct edit *e)
{
	const struct config_host *old = NULL;
	struct body b = {0};

	read_body(e, &b);
	if (!e->ended && !b.q.has_subnet)
		edit_refuse(e, "Mandatory 'subnet-id' parameter missing.");
	if (!e->ended && b.q.target == TARGET_DATABASE && !file_of(e))
		edit_refuse(e, "host database not available, cannot update host");
	check_place(e, &b);
	if (e->ended)
		return;
	old = b.q.id.n ? edit_find_host(e->cfg, &b.q) : NULL;
	if (!old)
		edit_refuse(e, "Host not updated (not found).");
	check_double(e, &b, old);
	if (e->ended)
		return;
	plan_change(e, &(struct config_change){.kind = CHANGE_PUT_HOST,
					       .id = b.q.subnet_id,
					       .index = (uint32_t)(old - e->cfg->hosts),
					       .stored = old->stored,
					       .node = b.node});
	edit_answer(e, NULL, "Host updated.");
}

void edit_host_del(struct edit *e)
{
	struct host_query q = edit_host_query(e, TARGET_DATABASE);
	const struct config_host *h = e->ended ? NULL : edit_find_host(e->cfg, &q);

	if (!e->ended && q.target == TARGET_DATABASE && !file_of(e))
		edit_refuse(e, "Host database not available, cannot delete host.");
	if (!e->ended && !h)
		edit_empty(e, NULL, "Host not deleted (not found).");
	if (e->ended)
		return;
	plan_change(e, &(struct config_change){.kind = CHANGE_DELETE_HOST,
					       .id = h->subnet_id,
					       .index = (uint32_t)(h - e->cfg->hosts),
					       .stored = h->stored});
	edit_answer(e, NULL, "Host deleted.");
}
