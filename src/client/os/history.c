/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Rings that forget the oldest.
 */
#include "client/os/history.h"

#include <stdio.h>

void history_error(struct history *h, int64_t wall_ns, const char *what, const char *cause)
{
	struct history_error *e = &h->error[h->n_errors++ % HISTORY_ERRORS];

	e->wall_ns = wall_ns;
	(void)snprintf(e->what, sizeof(e->what), "%s", what);
	(void)snprintf(e->cause, sizeof(e->cause), "%s", cause);
}

const struct history_error *history_error_at(const struct history *h, size_t i)
{
	if (i >= h->n_errors || i >= HISTORY_ERRORS)
		return NULL;
	return &h->error[(h->n_errors - 1 - i) % HISTORY_ERRORS];
}

/* Moves the server's row to the front; a new row replaces the oldest. */
static struct history_server *move_to_front(struct history *h, uint32_t server_id)
{
	struct history_server s = {.server_id = server_id};
	size_t i = 0;

	while (i < h->n_servers && h->server[i].server_id != server_id)
		i++;
	if (i < h->n_servers)
		s = h->server[i];
	else if (h->n_servers < HISTORY_SERVERS)
		h->n_servers++;
	else
		i = HISTORY_SERVERS - 1;
	memmove(&h->server[1], &h->server[0], i * sizeof(s));
	h->server[0] = s;
	return &h->server[0];
}

void history_served(struct history *h, int64_t wall_ns, const struct client_lease *l)
{
	static const uint8_t none[sizeof(l->server_mac)] = {0};
	struct history_server *s = move_to_front(h, l->server_id);

	if (!s->n_acks)
		s->first_wall_ns = wall_ns;
	s->n_acks++;
	s->last_wall_ns = wall_ns;
	s->ip = l->server_ip;
	s->address = l->address;
	/* an answer that came by UDP does not have it */
	if (memcmp(l->server_mac, none, sizeof(none)) != 0)
		memcpy(s->mac, l->server_mac, sizeof(s->mac));
}
