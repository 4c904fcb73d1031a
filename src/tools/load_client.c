/* SPDX-License-Identifier: MPL-2.0 */
/* Selects the next client. Of a finite number of clients the one that has been idle longest
 * comes next, and none waits twice. Without a number, every exchange has a new client. */
#include "tools/load_engine_impl.h"

#include <errno.h>
#include <stdlib.h>

int load_clients_init(struct load_clients *cs, uint32_t n)
{
	*cs = (struct load_clients){.n = n, .n_idle = n};
	if (!n)
		return 0;
	cs->c = calloc(n, sizeof(*cs->c));
	cs->idle = calloc(n, sizeof(*cs->idle));
	if (!cs->c || !cs->idle)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		cs->idle[i] = i;
	return 0;
}

void load_clients_fini(struct load_clients *cs)
{
	free(cs->c);
	free(cs->idle);
	*cs = (struct load_clients){0};
}

static uint32_t wrap_index(const struct load_clients *cs, uint64_t i)
{
	return (uint32_t)(i % cs->n);
}

bool load_clients_take(struct load_clients *cs, uint32_t *ret)
{
	if (!cs->c) {
		*ret = cs->fresh++;
		return true;
	}
	if (!cs->n_idle)
		return false;
	*ret = cs->idle[cs->head];
	cs->head = wrap_index(cs, (uint64_t)cs->head + 1);
	cs->n_idle--;
	return true;
}

void load_clients_give(struct load_clients *cs, uint32_t client, bool front)
{
	if (!cs->c)
		return;
	if (front) {
		cs->head = wrap_index(cs, (uint64_t)cs->head + cs->n - 1);
		cs->idle[cs->head] = client;
	} else {
		cs->idle[wrap_index(cs, (uint64_t)cs->head + cs->n_idle)] = client;
	}
	cs->n_idle++;
}

bool load_clients_next_unbound(const struct load_clients *cs)
{
	return cs->n_idle && !cs->c[cs->idle[cs->head]].addr;
}

void load_clients_bind(struct load_clients *cs, uint32_t client, uint32_t addr, uint32_t server_id)
{
	if (!cs->c)
		return;
	if (!cs->c[client].addr != !addr)
		cs->n_bound += addr ? 1 : UINT32_MAX;
	cs->c[client] = (struct load_client){addr, server_id};
}
