/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Lists of the page: subnets and shared networks by their use, leases by a search, reservations.
 */
#include "base/arena.h"
#include "base/ip.h"
#include "config/config.h"
#include "config/json/json.h"
#include "http/page.h"
#include "http/request.h"
#include "http/web.h"
#include "lease/lease_db.h"
#include "lease/lease_store.h"
#include "server/core/snapshot.h"
#include "server/manage/daemon.h"
#include "lease/json/lease_json.h"
#include "server/manage/page.h"
#include "server/view/stat_walk.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* SCAN_MAX: leases that one request looks at; PAGE_LEASES: of them at a time. */
enum { LIMIT_MAX = 200, SCAN_MAX = 65536, PAGE_LEASES = 256 };

const char *page_place(struct arena *a, const struct json *v)
{
	if (!v || !v->pos.line || !v->pos.file || !v->pos.file[0])
		return "";
	return arena_printf(a, "%s:%u", v->pos.file, v->pos.line);
}

/* A subnet or a network with its use. */
struct used {
	const void *what;
	const char *name;
	uint64_t id, used, total, declined;
};

static int compare_ids(const void *a, const void *b)
{
	const struct used *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static int compare_names(const void *a, const void *b)
{
	const struct used *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	return r ? r : compare_ids(a, b);
}

/* Orders by the share that is used; those without a pool come first. */
static int compare_uses(const void *a, const void *b)
{
	const struct used *x = a, *y = b;
	double p = x->total ? (double)x->used / (double)x->total : -1,
	       q = y->total ? (double)y->used / (double)y->total : -1;

	return p < q ? -1 : p > q ? 1 : compare_ids(a, b);
}

static void reverse_rows(struct used *rows, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		struct used t = rows[i];

		rows[i] = rows[n - 1 - i];
		rows[n - 1 - i] = t;
	}
}

static void sort_rows(const struct http_request *r, struct used *rows, size_t n)
{
	const char *sort = http_query(r, "sort");

	if (sort && (strcmp(sort, "network") == 0 || strcmp(sort, "name") == 0))
		qsort(rows, n, sizeof(*rows), compare_names);
	else if (sort && strcmp(sort, "used") == 0)
		qsort(rows, n, sizeof(*rows), compare_uses);
	else
		qsort(rows, n, sizeof(*rows), compare_ids);
	if (http_page_number(r, "down", 0, 1))
		reverse_rows(rows, n);
}

static void count_subnet(struct server_daemon *d, const struct config_subnet *s, struct used *io)
{
	struct lease_counts n;

	lease_db_counts(d->srv.db, s->id, LEASE_ALL_POOLS, &n);
	io->used += n.assigned;
	io->declined += n.declined;
	io->total += stat_subnet_size(s);
}

static struct json *put_used(struct arena *a, struct json *list, const struct used *u)
{
	struct json *v = json_add(a, list, NULL, json_map(a));

	(void)json_add(a, v, "used", json_int(a, (int64_t)u->used));
	(void)json_add(a, v, "total", json_int(a, (int64_t)u->total));
	(void)json_add(a, v, "declined", json_int(a, (int64_t)u->declined));
	return v;
}

static void put_pools(struct server_daemon *d, struct arena *a, struct json *v,
		      const struct config_subnet *s)
{
	struct json *list = json_add(a, v, "pools", json_list(a));
	char first[IP_TEXT_LEN], last[IP_TEXT_LEN];

	for (size_t i = 0; i < s->n_pools; i++) {
		const struct config_pool *p = &s->pools[i];
		struct json *m = json_add(a, list, NULL, json_map(a));
		struct lease_counts n;

		lease_db_counts(d->srv.db, s->id, p->pool_id, &n);
		(void)json_add(a, m, "range",
			       json_printf(a, "%s - %s", ip_text(p->first, first),
					   ip_text(p->last, last)));
		(void)json_add(a, m, "used", json_int(a, (int64_t)n.assigned));
		(void)json_add(a, m, "total", json_int(a, (int64_t)p->last - p->first + 1));
	}
}

/* Begins the answer to a list: a page of n rows. Returns the list of its items. */
static struct json *begin_list(struct http_request *r, struct arena *a, size_t n, struct json **ret,
			       size_t bounds[2])
{
	size_t limit = (size_t)http_page_number(r, "limit", 50, LIMIT_MAX);

	bounds[0] = (size_t)http_page_number(r, "from", 0, n);
	bounds[1] = bounds[0] + limit < n ? bounds[0] + limit : n;
	*ret = json_map(a);
	(void)json_add(a, *ret, "total", json_int(a, (int64_t)n));
	return json_add(a, *ret, "items", json_list(a));
}

void page_subnets(void *daemon, struct http_request *r)
{
	struct server_daemon *d = daemon;
	struct snapshot *snap = server_snapshot(&d->srv);
	const struct config *cfg = snap->cfg;
	struct used *rows = calloc(cfg->n_subnets + 1, sizeof(*rows));
	struct json *m, *list;
	size_t bounds[2];
	struct arena a;

	arena_init(&a);
	for (size_t i = 0; rows && i < cfg->n_subnets; i++) {
		const struct config_subnet *s = &cfg->subnets[i];

		rows[i] = (struct used){.what = s,
					.id = s->id,
					.name = s->network ? s->network->name : ""};
		count_subnet(d, s, &rows[i]);
	}
	if (rows)
		sort_rows(r, rows, cfg->n_subnets);
	list = begin_list(r, &a, rows ? cfg->n_subnets : 0, &m, bounds);
	for (size_t i = bounds[0]; i < bounds[1]; i++) {
		const struct config_subnet *s = rows[i].what;
		struct json *v = put_used(&a, list, &rows[i]);

		(void)json_add(&a, v, "key", json_printf(&a, "%u", s->id));
		(void)json_add(&a, v, "id", json_int(&a, s->id));
		(void)json_add(&a, v, "subnet", json_str(&a, s->text));
		(void)json_add(&a, v, "network", json_str(&a, rows[i].name));
		put_pools(d, &a, v, s);
	}
	http_answer_json(r, m);
	arena_fini(&a);
	free(rows);
	snapshot_unref(snap);
}

void page_networks(void *daemon, struct http_request *r)
{
	struct server_daemon *d = daemon;
	struct snapshot *snap = server_snapshot(&d->srv);
	const struct config *cfg = snap->cfg;
	struct used *rows = calloc(cfg->n_networks + 1, sizeof(*rows));
	struct json *m, *list;
	size_t bounds[2];
	struct arena a;

	arena_init(&a);
	for (size_t i = 0; rows && i < cfg->n_networks; i++) {
		const struct config_network *n = &cfg->networks[i];

		rows[i] = (struct used){.what = n, .id = i, .name = n->name};
		for (size_t k = 0; k < n->n_subnets; k++)
			count_subnet(d, n->subnets[k], &rows[i]);
	}
	if (rows)
		sort_rows(r, rows, cfg->n_networks);
	list = begin_list(r, &a, rows ? cfg->n_networks : 0, &m, bounds);
	for (size_t i = bounds[0]; i < bounds[1]; i++) {
		const struct config_network *n = rows[i].what;
		struct json *v = put_used(&a, list, &rows[i]);

		(void)json_add(&a, v, "key", json_str(&a, n->name));
		(void)json_add(&a, v, "name", json_str(&a, n->name));
		(void)json_add(&a, v, "subnets", json_int(&a, (int64_t)n->n_subnets));
	}
	http_answer_json(r, m);
	arena_fini(&a);
	free(rows);
	snapshot_unref(snap);
}

/* --- Leases ----------------------------------------------------------------------------------- */

struct search {
	struct server_daemon *d;
	const struct config *cfg;
	struct arena *a;
	struct json *items;
	char text[128]; /* in small letters */
	bool hex;	/* it can be a part of an identifier */
	struct lease_filter filter;
	size_t limit, scanned;
	uint32_t from;
	bool ended;
};

/* Writes octets as pairs of hex digits with colons between them. Returns their number of
 * characters. */
static void write_hex(struct span octets, char *to)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < octets.n; i++) {
		*to++ = digits[octets.p[i] >> 4];
		*to++ = digits[octets.p[i] & 15];
		*to++ = ':';
	}
	to[octets.n ? -1 : 0] = '\0';
}

/* Returns whether one of the lease's texts contains the text of the search. */
static bool is_found(const struct search *s, const struct lease *l)
{
	char text[3 * 256];

	if (!s->text[0] || strstr(ip_text(l->addr, text), s->text))
		return true;
	if (s->hex) {
		write_hex(lease_hw(l), text);
		if (strstr(text, s->text))
			return true;
		write_hex(lease_client_id(l), text);
		if (strstr(text, s->text))
			return true;
	}
	return strcasestr(l->hostname, s->text) != NULL;
}

static void put_lease(struct search *s, const struct lease *l)
{
	struct json *v = json_add(s->a, s->items, NULL, lease_to_json(s->a, l));
	bool reserved = config_host_by_addr(s->cfg, l->subnet_id, l->addr) != NULL ||
			config_host_by_addr(s->cfg, 0, l->addr) != NULL;

	(void)json_add(s->a, v, "reserved", json_bool(s->a, reserved));
}

/* Looks through leases until enough are found, or one request has done its share. */
static void scan_leases(struct search *s)
{
	struct lease *page = calloc(PAGE_LEASES, sizeof(*page));

	while (page && !s->ended && s->items->count < s->limit && s->scanned < SCAN_MAX) {
		struct arena a;
		size_t n;

		arena_init(&a);
		n = lease_db_page(s->d->srv.db, s->from, &s->filter, &a, page, PAGE_LEASES);
		for (size_t i = 0; i < n && s->items->count < s->limit; i++) {
			s->scanned++;
			s->from = page[i].addr;
			if (is_found(s, &page[i]))
				put_lease(s, &page[i]);
		}
		s->ended = n < PAGE_LEASES && s->items->count < s->limit;
		arena_fini(&a);
	}
	free(page);
}

static void read_search(struct search *s, const struct http_request *r)
{
	static const char *const states[] = {"assigned", "declined", "reclaimed"};
	const char *text = http_query(r, "text"), *state = http_query(r, "state"),
		   *from = http_query(r, "from");

	(void)snprintf(s->text, sizeof(s->text), "%s", text ? text : "");
	for (char *c = s->text; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	s->hex = strspn(s->text, "0123456789abcdef:") == strlen(s->text);
	s->limit = (size_t)http_page_number(r, "limit", 100, LIMIT_MAX);
	s->filter.subnet_id = (uint32_t)http_page_number(r, "subnet", 0, UINT32_MAX);
	s->filter.state = -1;
	for (int i = 0; state && i < (int)ARRAY_LEN(states); i++)
		if (strcmp(state, states[i]) == 0)
			s->filter.state = i;
	if (from && strcmp(from, "start") != 0 && ip_parse(from, strlen(from), &s->from) < 0)
		s->from = 0;
}

void page_leases(void *daemon, struct http_request *r)
{
	struct server_daemon *d = daemon;
	struct snapshot *snap = server_snapshot(&d->srv);
	struct json *m;
	struct arena a;
	struct search s = {.d = d, .cfg = snap->cfg, .a = &a};
	char ip[IP_TEXT_LEN];

	arena_init(&a);
	read_search(&s, r);
	m = json_map(&a);
	s.items = json_add(&a, m, "items", json_list(&a));
	if (!lease_store_opening(d->srv.store))
		scan_leases(&s);
	/* "": there are no more */
	(void)json_add(&a, m, "next", json_str(&a, s.ended ? "" : ip_text(s.from, ip)));
	(void)json_add(&a, m, "scanned", json_int(&a, (int64_t)s.scanned));
	http_answer_json(r, m);
	arena_fini(&a);
	snapshot_unref(snap);
}

/* --- Reservations ----------------------------------------------------------------------------- */

void page_reservations(void *daemon, struct http_request *r)
{
	struct server_daemon *d = daemon;
	struct snapshot *snap = server_snapshot(&d->srv);
	char ip[IP_TEXT_LEN];
	struct json *m, *list;
	size_t bounds[2];
	struct arena a;

	arena_init(&a);
	list = begin_list(r, &a, snap->cfg->n_hosts, &m, bounds);
	for (size_t i = bounds[0]; i < bounds[1]; i++) {
		const struct config_host *h = &snap->cfg->hosts[i];
		struct json *v = json_add(&a, list, NULL, json_map(&a));
		struct buf id;

		buf_init(&id);
		buf_printf(&id, "%s ", config_host_id_names[h->id_type]);
		buf_hex(&id, h->id, ':');
		(void)json_add(&a, v, "key", json_printf(&a, "%zu", i));
		(void)json_add(&a, v, "identifier", json_str(&a, id.failed ? "" : id.p));
		(void)json_add(&a, v, "address", json_str(&a, h->addr ? ip_text(h->addr, ip) : ""));
		(void)json_add(&a, v, "hostname", json_str(&a, h->hostname));
		(void)json_add(&a, v, "subnet", json_int(&a, h->subnet_id));
		(void)json_add(&a, v, "at", json_str(&a, page_place(&a, h->node)));
		buf_fini(&id);
	}
	http_answer_json(r, m);
	arena_fini(&a);
	snapshot_unref(snap);
}
