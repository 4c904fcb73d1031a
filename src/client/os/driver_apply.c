/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The requests that effects make of the privileged half, and its answers: addresses, routes, the
 * lease file, the script.
 */
#include "client/os/driver.h"

#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

int64_t driver_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

void driver_lease_context(const struct driver *d, struct client_lease_context *ret)
{
	*ret = (struct client_lease_context){.boot_ns = driver_now(),
					     .wall_ns = clock_wall_ns(&clock_system)};
	memcpy(ret->iface, d->watch.now.name, sizeof(ret->iface));
	memcpy(ret->mac, d->link.mac, sizeof(ret->mac));
	memcpy(ret->boot_id, d->boot_id, sizeof(ret->boot_id));
	if (d->opts->id_form == CLIENT_ID_GIVEN)
		ret->client_id = span_of(d->opts->client_id, d->opts->client_id_len);
}

static struct apply_request *begin_request(struct driver *d, enum apply_kind kind)
{
	d->request.kind = kind;
	d->request.none = 0;
	return &d->request;
}

static void send_request(struct driver *d)
{
	int e = privsep_ask(&d->privsep, &d->request);

	if (e < 0)
		driver_error(d, apply_kind_name(d->request.kind), e);
}

void driver_ask_plain(struct driver *d, enum apply_kind kind)
{
	(void)begin_request(d, kind);
	send_request(d);
}

void driver_set_address(struct driver *d, const struct effect *e)
{
	begin_request(d, APPLY_SET_ADDRESS)->addr = (struct netconf_address){e->addr.address,
									     e->addr.broadcast,
									     e->addr.valid_s,
									     e->addr.prefix_len};
	send_request(d);
}

void driver_del_address(struct driver *d, const struct effect *e)
{
	begin_request(d, APPLY_DEL_ADDRESS)
		->addr = (struct netconf_address){.address = e->addr.address,
						  .prefix_len = e->addr.prefix_len};
	send_request(d);
}

void driver_routes_of(const struct client_lease *l, struct netconf_routes *ret)
{
	ret->address = l->address;
	ret->mask = l->mask;
	ret->mtu = l->mtu;
	ret->n = l->n_routes;
	memcpy(ret->route, l->route, sizeof(ret->route[0]) * l->n_routes);
}

void driver_set_routes(struct driver *d, const struct client_lease *l)
{
	driver_routes_of(l, &begin_request(d, APPLY_SET_ROUTES)->routes);
	send_request(d);
}

void driver_save_lease(struct driver *d, const struct client_lease *l)
{
	struct apply_file *f = &begin_request(d, APPLY_SAVE_LEASE)->file;
	struct client_lease_context ctx;
	int n;

	driver_lease_context(d, &ctx);
	n = client_lease_encode(l, &ctx, f->data, sizeof(f->data));
	if (n < 0) {
		driver_error(d, "save-lease", n);
		return;
	}
	f->len = (uint32_t)n;
	send_request(d);
}

void driver_run_script(struct driver *d, const struct effect *e)
{
	struct script_job *j = &begin_request(d, APPLY_SCRIPT)->job;

	if (!d->opts->script || d->opts->dry_run)
		return;
	j->reason = e->script.reason;
	j->id = d->privsep.seq + 1;
	j->has_now = e->script.now != NULL;
	j->has_old = e->script.old != NULL;
	if (e->script.now)
		j->now = *e->script.now;
	if (e->script.old)
		j->old = *e->script.old;
	send_request(d);
}

void driver_applied(void *ctx, const struct apply_reply *r)
{
	struct driver *d = ctx;
	char text[64];

	if (r->kind == APPLY_SET_ADDRESS) {
		d->configure_failed = r->result < 0;
		d->denied |= r->result == -EPERM || r->result == -EACCES;
		/* the comparison finds the address absent: the machine restores it, then yields */
		d->reconcile.due |= d->configure_failed && r->result != -ENODEV;
	}
	if (r->kind == APPLY_SET_ADDRESS && r->elsewhere[0]) {
		(void)snprintf(text, sizeof(text), "interface %.15s has the address too",
			       r->elsewhere);
		driver_error_text(d, "set-address", text);
	}
	if (r->kind == APPLY_SCRIPT && r->done && r->result > 0) {
		(void)snprintf(text, sizeof(text), "exit status %d", r->result);
		driver_error_text(d, "script", text);
	} else if (r->kind == APPLY_SET_ROUTES && r->result < 0) {
		(void)snprintf(text, sizeof(text), "route %u: %.40s", r->detail + 1,
			       usher_strerror(r->result));
		driver_error_text(d, "set-routes", text);
	} else if (r->result < 0) {
		driver_error(d, apply_kind_name(r->kind), r->result);
	}
}
