/* SPDX-License-Identifier: MPL-2.0 */
/* The lease file is written beside its place, synced and renamed. The caller encodes it; this
 * half does not read it. */
#include "client/os/apply.h"

#include "base/file/file_ops.h"
#include "client/os/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMBER_END(member) \
	(offsetof(struct apply_request, member) + sizeof(((const struct apply_request *)0)->member))

static const struct {
	const char *name;
	size_t len;
} kinds[APPLY_N_KINDS] = {
#define APPLY(symbol, name, member) {name, MEMBER_END(member)},
#include "client/os/apply.def"
#undef APPLY
};

bool apply_lease_path(char path[APPLY_PATH_MAX], const char *state_dir, const char *iface)
{
	int n = snprintf(path, APPLY_PATH_MAX, "%s/client-%s.lease", state_dir, iface);

	return n > 0 && n < APPLY_PATH_MAX;
}

int apply_open(struct apply *a, int ifindex, const char *iface, const char *state_dir,
	       const char *script)
{
	a->ifindex = ifindex;
	a->lease_path[0] = '\0';
	script_init(&a->script, script, ifindex);
	if (state_dir && !apply_lease_path(a->lease_path, state_dir, iface))
		return -ENAMETOOLONG;
	return netconf_open(&a->net, ifindex);
}

void apply_close(struct apply *a)
{
	netconf_close(&a->net);
}

size_t apply_request_len(uint32_t kind)
{
	return kind < APPLY_N_KINDS ? kinds[kind].len : 0;
}

const char *apply_kind_name(uint32_t kind)
{
	return kind < APPLY_N_KINDS ? kinds[kind].name : "unknown";
}

/* --- checks ----------------------------------------------------------------------------------- */

static bool mask_ok(uint32_t mask)
{
	return mask && (~mask & (~mask + 1)) == 0;
}

/* Returns whether the broadcast address is valid: none, or an end of the subnet; a /31 and a /32
 * have none. */
static bool broadcast_ok(const struct netconf_address *a, uint32_t mask)
{
	if (!a->broadcast)
		return true;
	return mask < 0xfffffffeU &&
	       (a->broadcast == (a->address | ~mask) || a->broadcast == (a->address & mask));
}

static int check_address(const struct netconf_address *a, bool set)
{
	uint32_t mask;

	if (a->prefix_len < 1 || a->prefix_len > 32 || (a->valid_s != 0) != set)
		return -EINVAL;
	mask = 0xffffffffU << (32 - a->prefix_len);
	return client_address_check(a->address, mask) == CLIENT_DROP_NONE && broadcast_ok(a, mask)
		       ? 0
		       : -EINVAL;
}

static bool route_ok(const struct client_route *x, uint32_t own)
{
	uint32_t host = x->len < 32 ? 0xffffffffU >> x->len : 0;

	return x->len <= 32 && !(x->dest & host) &&
	       (!x->gateway || (client_address_is_unicast(x->gateway) && x->gateway != own));
}

static int check_routes(const struct netconf_routes *r)
{
	if (r->n > CLIENT_LEASE_ROUTES || !mask_ok(r->mask) ||
	    (r->mtu && r->mtu < CLIENT_MTU_MIN) ||
	    client_address_check(r->address, r->mask) != CLIENT_DROP_NONE)
		return -EINVAL;
	for (size_t i = 0; i < r->n; i++)
		if (!route_ok(&r->route[i], r->address))
			return -EINVAL;
	return 0;
}

/* Returns whether the values of a lease may be configured. A lease that came from an INFORM has
 * options only. */
static bool lease_ok(const struct client_lease *l)
{
	if (l->n_routes > CLIENT_LEASE_ROUTES || l->options_len > sizeof(l->options))
		return false;
	for (size_t i = 0; i < l->n_routes; i++)
		if (!route_ok(&l->route[i], l->address))
			return false;
	return !l->address || client_lease_check(l) == CLIENT_DROP_NONE;
}

static int check_job(const struct script_job *j)
{
	if (j->reason >= CLIENT_N_REASONS || j->has_now > 1 || j->has_old > 1)
		return -EINVAL;
	return (j->has_now && !lease_ok(&j->now)) || (j->has_old && !lease_ok(&j->old)) ? -EINVAL
											: 0;
}

int apply_check(const struct apply_request *r, size_t len)
{
	if (len < MEMBER_END(none) || r->kind >= APPLY_N_KINDS || len != kinds[r->kind].len)
		return -EBADMSG;
	switch ((enum apply_kind)r->kind) {
	case APPLY_OPEN_RAW:
		return 0;
	case APPLY_OPEN_ARP:
		return client_address_is_unicast(r->arp.address) &&
				       (!r->arp.node || client_address_is_unicast(r->arp.node))
			       ? 0
			       : -EINVAL;
	case APPLY_SET_ADDRESS:
		return check_address(&r->addr, true);
	case APPLY_DEL_ADDRESS:
		return check_address(&r->addr, false);
	case APPLY_SET_ROUTES:
		return check_routes(&r->routes);
	case APPLY_SAVE_LEASE:
		return r->file.len <= sizeof(r->file.data) ? 0 : -EINVAL;
	case APPLY_SCRIPT:
		return check_job(&r->job);
	case APPLY_OPEN_UDP:
	case APPLY_DEL_ROUTES:
	case APPLY_DELETE_LEASE:
	case APPLY_DETACH:
		return r->none ? -EINVAL : 0;
	case APPLY_N_KINDS:
		break;
	}
	return -EBADMSG;
}

/* --- the lease file --------------------------------------------------------------------------- */

static int write_synced(const struct file_ops *f, const char *path, struct span data)
{
	/* O_EXCL: a symbolic link in this place must not choose the file that is written */
	int fd = f->open(f->ctx, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	ssize_t n;
	int r;

	if (fd < 0)
		return fd;
	n = f->write(f->ctx, fd, data.p, data.n);
	r = n < 0 ? (int)n : (size_t)n < data.n ? -ENOSPC : f->fdatasync(f->ctx, fd);
	(void)f->close(f->ctx, fd);
	if (r < 0)
		(void)f->unlink(f->ctx, path);
	return r;
}

static int save_lease(const struct apply *a, struct span data)
{
	const struct file_ops *f = &file_ops_system;
	char tmp[APPLY_PATH_MAX + 4];
	int r;

	if (!a->lease_path[0])
		return 0;
	(void)snprintf(tmp, sizeof(tmp), "%s.new", a->lease_path);
	(void)f->unlink(f->ctx, tmp); /* the file of a run that was killed */
	r = write_synced(f, tmp, data);
	if (r < 0)
		return r;
	r = f->rename(f->ctx, tmp, a->lease_path);
	return r < 0 ? r : f->sync_dir(f->ctx, a->lease_path);
}

static int delete_lease(const struct apply *a)
{
	const struct file_ops *f = &file_ops_system;
	int r;

	if (!a->lease_path[0])
		return 0;
	r = f->unlink(f->ctx, a->lease_path);
	return r == -ENOENT ? 0 : r;
}

/* --- requests --------------------------------------------------------------------------------- */

static int open_socket(const struct apply *a, const struct apply_request *r)
{
	if (r->kind == APPLY_OPEN_RAW)
		return client_sock_open_raw(a->ifindex, r->xid);
	return r->kind == APPLY_OPEN_ARP
		       ? client_sock_open_arp(a->ifindex, r->arp.address, r->arp.node)
		       : client_sock_open_udp(a->ifindex);
}

/* Sets the address, and reports another interface that has it already. Such a host is
 * misconfigured, but its lease is not refused. */
static int set_address(struct apply *a, const struct netconf_address *want, struct apply_reply *ret)
{
	bool is_new = false;
	int r = netconf_set_address(&a->net, want, &is_new);
	int other = r == 0 && is_new ? netconf_elsewhere(&a->net, want->address) : 0;

	_Static_assert(sizeof(ret->elsewhere) == IF_NAMESIZE, "holds a name");
	if (other > 0 && !if_indextoname((unsigned)other, ret->elsewhere))
		ret->elsewhere[0] = '\0';
	return r;
}

/* Gives the caller's output back: a process that reads it to its end need not wait for the
 * client's. */
static int detach_output(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	int r = fd < 0 ? -errno : 0;

	for (int i = 0; r == 0 && i <= STDERR_FILENO; i++)
		if (i != fd && dup2(fd, i) < 0)
			r = -errno;
	if (fd > STDERR_FILENO)
		(void)close(fd);
	return r;
}

static int run_script(struct apply *a, const struct apply_request *r,
		      struct apply_reply *ret_dropped, int *ret_n)
{
	struct script_result gone;

	if (script_add(&a->script, &r->job, &gone)) {
		*ret_dropped = (struct apply_reply){APPLY_SCRIPT, gone.id, gone.status, 1, 0, ""};
		*ret_n = 1;
	}
	return 0;
}

int apply_do(struct apply *a, const struct apply_request *r, size_t len, struct apply_reply *ret,
	     int *ret_fd, struct apply_reply *ret_dropped)
{
	int result = apply_check(r, len), n = 0;
	struct apply_reply dropped;
	size_t failed = 0;

	*ret = (struct apply_reply){.kind = r->kind, .seq = r->seq};
	*ret_fd = -1;
	if (result == 0)
		switch ((enum apply_kind)r->kind) {
		case APPLY_OPEN_RAW:
		case APPLY_OPEN_ARP:
		case APPLY_OPEN_UDP:
			result = open_socket(a, r);
			*ret_fd = result;
			break;
		case APPLY_SET_ADDRESS:
			result = set_address(a, &r->addr, ret);
			break;
		case APPLY_DEL_ADDRESS:
			result = netconf_del_address(&a->net, r->addr.address, r->addr.prefix_len);
			break;
		case APPLY_SET_ROUTES:
			result = netconf_set_routes(&a->net, &r->routes, &failed);
			break;
		case APPLY_DEL_ROUTES:
			result = netconf_del_routes(&a->net);
			break;
		case APPLY_SAVE_LEASE:
			result = save_lease(a, span_of(r->file.data, r->file.len));
			break;
		case APPLY_DELETE_LEASE:
			result = delete_lease(a);
			break;
		case APPLY_SCRIPT:
			result = run_script(a, r, ret_dropped ? ret_dropped : &dropped, &n);
			break;
		case APPLY_DETACH:
			result = detach_output();
			break;
		case APPLY_N_KINDS:
			break;
		}
	ret->result = result < 0 ? result : 0;
	ret->detail = (uint32_t)failed;
	return n;
}

int apply_poll(struct apply *a, int64_t now_ns, struct apply_reply *ret)
{
	struct script_result done;

	if (!script_poll(&a->script, now_ns, &done))
		return 0;
	*ret = (struct apply_reply){APPLY_SCRIPT, done.id, done.status, 1, 0, ""};
	return 1;
}
