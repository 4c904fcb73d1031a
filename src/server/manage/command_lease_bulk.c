/* SPDX-License-Identifier: MPL-2.0 */
/*
 * lease4-bulk-apply: many leases with one command and one wait for the disk, in the form of Kea's
 * lease6-bulk-apply. A mistake in one lease refuses the whole command. A lease that cannot be
 * stored is in the answer, and the others are stored.
 */
#include "base/error.h"
#include "base/ip.h"
#include "config/config.h"
#include "lease/lease_db.h"
#include "server/core/snapshot.h"
#include "server/manage/command.h"
#include "server/manage/command_lease.h"

#include <string.h>

/* Bounds the memory, and the time in the main thread. */
enum { BULK_MAX = 10000 };

struct bulk {
	struct control_call *c;
	const struct json *leases, *deleted; /* lists, or NULL */
	struct lease *put;		     /* [n_put], at most as many as leases has */
	size_t n_put;
	uint32_t *del; /* addresses; as many as deleted has */
	enum lease_put mode;
	uint64_t seq; /* of the last row */
	size_t n;     /* leases that were stored or deleted */
	struct json *failed, *failed_deleted;
};

static size_t count_of(const struct json *list)
{
	return list ? list->count : 0;
}

/* Reads the two lists and the mode. Returns NULL, or the refusal. */
static struct json *read_lists(struct bulk *b)
{
	const struct json *args = b->c->args;
	bool overwrite = true;

	b->leases = json_get(args, "leases");
	b->deleted = json_get(args, "deleted-leases");
	if (!b->leases && !b->deleted)
		return command_fail(b->c, "neither 'deleted-leases' nor 'leases' parameter "
					  "specified");
	if (count_of(b->leases) + count_of(b->deleted) > BULK_MAX)
		return command_fail(b->c, "more than %d leases in one command", BULK_MAX);
	(void)command_bool(b->c, "overwrite", &overwrite);
	b->mode = overwrite ? LEASE_PUT_FORCE : LEASE_PUT_ADD;
	return NULL;
}

/* Names the place of a lease in front of its refusal. */
static struct json *refuse(struct bulk *b, const char *list, size_t i, const struct json *bad)
{
	const char *text = json_get_str(bad, "text");

	return command_fail(b->c, "%s[%zu]: %s", list, i, text ? text : "out of memory");
}

/* Reads the addresses to delete. Returns NULL, or the refusal. */
static struct json *read_deleted(struct bulk *b)
{
	const struct json *v = b->deleted ? b->deleted->first : NULL;
	const char *ip;

	for (size_t i = 0; v; v = v->next, i++) {
		ip = json_get_str(v, "ip-address");
		if (!ip || ip_parse(ip, strlen(ip), &b->del[i]) < 0)
			return command_fail(
				b->c, "deleted-leases[%zu]: 'ip-address' must be an IPv4 address",
				i);
	}
	return NULL;
}

/* Lists a lease that was not stored, with the reason. */
static void list_failure(struct bulk *b, struct json **io_list, uint32_t addr, int result,
			 const char *why)
{
	struct arena *a = b->c->arena;
	struct json *m = json_map(a);
	char ip[IP_TEXT_LEN];

	(void)json_add(a, m, "error-message", json_str(a, why));
	(void)json_add(a, m, "ip-address", json_str(a, ip_text(addr, ip)));
	(void)json_add(a, m, "result", json_int(a, result));
	if (!*io_list)
		*io_list = json_list(a);
	(void)json_add(a, *io_list, NULL, m);
}

/* Reads the leases. One that fits no subnet is listed, another mistake refuses the command. Returns
 * NULL, or the refusal of the first mistake. */
static struct json *read_leases(struct bulk *b, const struct config *cfg)
{
	const struct json *v = b->leases ? b->leases->first : NULL;
	int64_t result = CONTROL_ERROR;
	struct json *bad;

	b->put = arena_alloc(b->c->arena, (count_of(b->leases) + 1) * sizeof(*b->put));
	b->del = arena_alloc(b->c->arena, (count_of(b->deleted) + 1) * sizeof(*b->del));
	if (!b->put || !b->del)
		return command_fail(b->c, "out of memory");
	for (size_t i = 0; v; v = v->next, i++) {
		struct lease *l = &b->put[b->n_put];

		bad = lease_edit_parse(b->c, cfg, v, l);
		if (!bad)
			b->n_put++;
		else if (json_get_int(bad, "result", &result) && result == CONTROL_CONFLICT)
			list_failure(b, &b->failed, l->addr, CONTROL_CONFLICT,
				     json_get_str(bad, "text"));
		else
			return refuse(b, "leases", i, bad);
	}
	return read_deleted(b);
}

static void delete_leases(struct bulk *b)
{
	struct lease_db *db = daemon_of(b->c)->srv.db;
	struct lease_change change;

	for (size_t i = 0; i < count_of(b->deleted); i++) {
		if (lease_db_del(db, b->del[i], lease_expect_any(), &change) < 0) {
			list_failure(b, &b->failed_deleted, b->del[i], CONTROL_EMPTY,
				     "lease not found");
			continue;
		}
		b->seq = change.seq;
		b->n++;
	}
}

static void put_leases(struct bulk *b)
{
	struct lease_db *db = daemon_of(b->c)->srv.db;
	struct lease_change change;
	int r;

	for (size_t i = 0; i < b->n_put; i++) {
		r = lease_db_put(db, &b->put[i], b->mode, lease_expect_any(), &change);
		if (r == -USHER_E_EXISTS) {
			list_failure(b, &b->failed, b->put[i].addr, CONTROL_CONFLICT,
				     "lease already exists");
		} else if (r < 0) {
			list_failure(b, &b->failed, b->put[i].addr, CONTROL_ERROR,
				     usher_strerror(r));
		} else {
			b->seq = change.seq;
			b->n++;
		}
	}
}

/* Returns the answer, with the leases that failed. */
static struct json *answer(struct bulk *b)
{
	struct arena *a = b->c->arena;
	struct json *args = b->failed || b->failed_deleted ? json_map(a) : NULL;
	struct json *m = control_answer(a, b->n ? CONTROL_OK : CONTROL_EMPTY,
					"Bulk apply of %zu IPv4 leases completed.", b->n);

	if (b->failed_deleted)
		(void)json_add(a, args, "failed-deleted-leases", b->failed_deleted);
	if (b->failed)
		(void)json_add(a, args, "failed-leases", b->failed);
	if (args)
		(void)json_add(a, m, "arguments", args);
	return m;
}

struct json *command_lease4_bulk_apply(struct control_call *c)
{
	struct bulk b = {.c = c};
	struct json *bad = read_lists(&b);
	struct snapshot *s;

	if (bad)
		return bad;
	s = server_snapshot(&daemon_of(c)->srv);
	bad = read_leases(&b, s->cfg);
	snapshot_unref(s);
	if (bad)
		return bad;
	delete_leases(&b);
	put_leases(&b);
	bad = command_durable(c, b.seq);
	return bad ? bad : answer(&b);
}
