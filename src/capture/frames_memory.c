/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The frame source of tests: pushed frames are received, forwarded ones are popped. It may
 * allocate.
 */
#include "capture/frames_backend.h"

#include <errno.h>
#include <stdlib.h>

struct held {
	struct held *next;
	struct frame f;
	uint8_t data[];
};

struct queue {
	struct held *first, **end;
};

struct frames_memory {
	struct frames base;
	uint8_t link;
	struct queue in, lent, out;
};

static struct frames_memory *memory_source_of(struct frames *f)
{
	return container_of(f, struct frames_memory, base);
}

static int queue_put(struct queue *q, const struct frame *f, struct span data)
{
	struct held *h = malloc(sizeof(*h) + data.n);

	if (!h)
		return -ENOMEM;
	*h = (struct held){.f = *f};
	if (data.n)
		memcpy(h->data, data.p, data.n);
	h->f.data = h->data;
	h->f.len = (uint32_t)data.n;
	*q->end = h;
	q->end = &h->next;
	return 0;
}

static struct held *queue_take(struct queue *q)
{
	struct held *h = q->first;

	if (!h)
		return NULL;
	q->first = h->next;
	h->next = NULL;
	if (!q->first)
		q->end = &q->first;
	return h;
}

static void queue_clear(struct queue *q)
{
	for (struct held *h = queue_take(q); h; h = queue_take(q))
		free(h);
}

static int memory_recv(struct frames *f, struct frame *ret, size_t n)
{
	struct frames_memory *m = memory_source_of(f);
	size_t i = 0;

	queue_clear(&m->lent);
	for (; i < n; i++) {
		struct held *h = queue_take(&m->in);

		if (!h)
			break;
		ret[i] = h->f;
		*m->lent.end = h;
		m->lent.end = &h->next;
	}
	return (int)i;
}

static int memory_send(struct frames *f, const struct frame *fr, struct span data, bool injected)
{
	(void)injected;
	return queue_put(&memory_source_of(f)->out, fr, data);
}

static const char *memory_port_name(const struct frames *f, unsigned port)
{
	static const char *const names[] = {"memory0", "memory1", "memory2", "memory3"};

	(void)f;
	return port < ARRAY_LEN(names) ? names[port] : "";
}

static bool memory_port_mac(const struct frames *f, unsigned port, uint8_t ret[6])
{
	const uint8_t mac[6] = {2, 0x6d, 0, 0, 0, (uint8_t)port};

	memcpy(ret, mac, sizeof(mac));
	return *memory_port_name(f, port) != '\0';
}

static void memory_close(struct frames *f)
{
	struct frames_memory *m = memory_source_of(f);

	queue_clear(&m->in);
	queue_clear(&m->lent);
	queue_clear(&m->out);
	free(m);
}

static const struct frames_ops memory_ops = {
	.name = "memory",
	.recv = memory_recv,
	.send = memory_send,
	.port_name = memory_port_name,
	.port_mac = memory_port_mac,
	.close = memory_close,
};

int frames_memory_open(enum frame_link link, struct frames **ret)
{
	struct frames_memory *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->base.ops = &memory_ops;
	m->link = (uint8_t)link;
	m->in.end = &m->in.first;
	m->lent.end = &m->lent.first;
	m->out.end = &m->out.first;
	*ret = &m->base;
	return 0;
}

int frames_memory_push_as(struct frames *f, struct span data, const struct frame *like)
{
	return queue_put(&memory_source_of(f)->in, like, data);
}

int frames_memory_push(struct frames *f, struct span data, uint16_t port, int64_t ts_ns,
		       unsigned flags)
{
	struct frames_memory *m = memory_source_of(f);
	struct frame fr = {.port = port,
			   .side = port,
			   .link = m->link,
			   .flags = (uint8_t)flags,
			   .ts_ns = ts_ns};

	return queue_put(&m->in, &fr, data);
}

size_t frames_memory_pop(struct frames *f, uint8_t *buf, size_t cap, struct frame *ret)
{
	struct held *h = queue_take(&memory_source_of(f)->out);
	size_t len = h ? h->f.len : 0;

	if (!h)
		return 0;
	memcpy(buf, h->data, len < cap ? len : cap);
	if (ret) {
		*ret = h->f;
		ret->data = buf;
	}
	free(h);
	return len;
}
