/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The capture that tests and simulation use: two queues of frames on the heap. Pushed frames are
 * received in order; sent packets are popped in order, as Ethernet frames.
 * Unlike other back ends it allocates: it is never on a live packet path.
 */
#include "capture/capture_backend.h"
#include "packet/packet.h"
#include "wire/udp.h"

#include <errno.h>
#include <stdlib.h>

struct node {
	struct node *next;
	struct capture_memory_frame in; /* of the receive queue; frame is data below */
	struct capture_tx tx;		/* of the sent queue */
	size_t len;
	uint8_t data[];
};

struct queue {
	struct node *head;
	struct node **tail;
};

struct capture_memory {
	struct capture base;
	struct queue rx, sent;
	size_t n_rx, limit;
	unsigned n_fail;
	int fail_err;
};

static const uint8_t own_mac[6] = {0x02, 'u', 's', 'h', 'e', 'r'};
static const uint8_t any_mac[6] = {0};

static void queue_init(struct queue *q)
{
	q->head = NULL;
	q->tail = &q->head;
}

static void queue_push(struct queue *q, struct node *n)
{
	n->next = NULL;
	*q->tail = n;
	q->tail = &n->next;
}

static struct node *queue_pop(struct queue *q)
{
	struct node *n = q->head;

	if (!n)
		return NULL;
	q->head = n->next;
	if (!q->head)
		q->tail = &q->head;
	return n;
}

static struct capture_memory *memory_capture_of(struct capture *c)
{
	return container_of(c, struct capture_memory, base);
}

static int capture_memory_recv(struct capture *c, struct packet **pkts, size_t n)
{
	size_t got = 0;

	while (got < n) {
		struct node *f = queue_pop(&memory_capture_of(c)->rx);

		if (!f)
			break;
		capture_fill(pkts[got], span_of(f->data, f->len), f->in.ifindex, f->in.ts_ns);
		pkts[got]->flags |= f->in.flags;
		free(f);
		got++;
		memory_capture_of(c)->n_rx--;
	}
	return (int)got;
}

static int send_one(struct capture_memory *m, const struct capture_tx *tx)
{
	size_t cap = tx->payload.n + UDP_FRAME_OVERHEAD;
	struct node *f;

	if (m->n_fail) {
		m->n_fail--;
		return -m->fail_err;
	}
	f = calloc(1, sizeof(*f) + cap);
	if (!f)
		return -ENOMEM;
	f->tx = *tx;
	f->len = capture_frame(tx, own_mac, any_mac, f->data, cap);
	if (!f->len) {
		free(f);
		return -EMSGSIZE;
	}
	queue_push(&m->sent, f);
	return 0;
}

static int capture_memory_send(struct capture *c, struct capture_tx *tx, size_t n)
{
	int sent = 0;

	for (size_t i = 0; i < n; i++) {
		tx[i].result = send_one(memory_capture_of(c), &tx[i]);
		sent += tx[i].result == 0;
	}
	return sent;
}

static unsigned capture_memory_backlog(const struct capture *c)
{
	const struct capture_memory *m = memory_capture_of((struct capture *)(uintptr_t)c);

	return m->limit ? (unsigned)(m->n_rx * 1000 / m->limit) : 0;
}

static void capture_memory_close(struct capture *c)
{
	struct capture_memory *m = memory_capture_of(c);
	struct node *f;

	while ((f = queue_pop(&m->rx)) != NULL)
		free(f);
	while ((f = queue_pop(&m->sent)) != NULL)
		free(f);
	free(m);
}

static const struct capture_ops memory_ops = {
	.name = "memory",
	.recv = capture_memory_recv,
	.send = capture_memory_send,
	.backlog = capture_memory_backlog,
	.close = capture_memory_close,
};

int capture_memory_new(struct capture **ret)
{
	struct capture_memory *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->base.ops = &memory_ops;
	queue_init(&m->rx);
	queue_init(&m->sent);
	*ret = &m->base;
	return 0;
}

int capture_memory_push(struct capture *c, const struct capture_memory_frame *f)
{
	struct node *n = calloc(1, sizeof(*n) + f->frame.n);

	if (!n)
		return -ENOMEM;
	n->in = *f;
	n->len = f->frame.n;
	if (f->frame.n)
		memcpy(n->data, f->frame.p, f->frame.n);
	queue_push(&memory_capture_of(c)->rx, n);
	memory_capture_of(c)->n_rx++;
	return 0;
}

size_t capture_memory_pop(struct capture *c, uint8_t *buf, size_t cap, struct capture_tx *ret_tx)
{
	struct node *f = queue_pop(&memory_capture_of(c)->sent);
	size_t len;

	if (!f)
		return 0;
	len = f->len < cap ? f->len : cap;
	memcpy(buf, f->data, len);
	if (ret_tx) {
		*ret_tx = f->tx;
		ret_tx->payload = span_sub(span_of(buf, len), UDP_FRAME_OVERHEAD, len);
	}
	free(f);
	return len;
}

void capture_memory_fail_sends(struct capture *c, unsigned n, int err)
{
	memory_capture_of(c)->n_fail = n;
	memory_capture_of(c)->fail_err = err;
}

void capture_memory_limit(struct capture *c, size_t n)
{
	memory_capture_of(c)->limit = n;
}
