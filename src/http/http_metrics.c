/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The counters of a listener: they never go down while it is open.
 */
#include "http/metrics.h"

#include "base/attr.h"
#include "base/buf.h"
#include "base/clock.h"
#include "control/metrics.h"
#include "http/http_impl.h"

#include <stdio.h>

/* One listener, whose labels address and port are prepared. */
struct sampled {
	struct metrics *m;
	const struct http_listener *l;
	struct buf *labels;
};

/* Writes a sample with one more label. */
static void write_labelled(const struct sampled *s, const char *label, const char *value,
			   uint64_t n)
{
	size_t len = s->labels->len;

	metrics_label(s->m, s->labels, label, value);
	metrics_value(s->m, span_of(s->labels->p, s->labels->len), n);
	s->labels->len = len;
}

static void write_connections(const struct sampled *s)
{
	metrics_value(s->m, span_of(s->labels->p, s->labels->len), s->l->n_conns);
}

static void write_accepted(const struct sampled *s)
{
	metrics_value(s->m, span_of(s->labels->p, s->labels->len), s->l->counts.accepted);
}

static void write_dropped(const struct sampled *s)
{
	for (unsigned d = 0; d < HTTP_DROP_N; d++)
		write_labelled(s, "reason", http_drop_reason((enum http_drop)d),
			       s->l->counts.drops[d]);
}

static void write_requests(const struct sampled *s)
{
	for (unsigned i = 2; i < HTTP_CLASSES; i++) {
		char text[8];

		(void)snprintf(text, sizeof(text), "%uxx", i);
		write_labelled(s, "status", text, s->l->counts.requests[i]);
	}
}

static void write_refused(const struct sampled *s)
{
	write_labelled(s, "cause", "absent", s->l->counts.without_user);
	write_labelled(s, "cause", "wrong", s->l->counts.wrong_user);
}

static void write_certificate(const struct sampled *s)
{
	if (s->l->config->cert)
		metrics_seconds(s->m, span_of(s->labels->p, s->labels->len),
				s->l->config->expires_s * NS_PER_S);
}

static const struct {
	struct metrics_family head;
	void (*write)(const struct sampled *s);
} families[] = {
#define FAMILY(symbol, name, type, unit, writer, labels, help) \
	{{(name), METRICS_##type, (unit), (help)}, write_##writer},
#include "http/metrics.def"
#undef FAMILY
};

void http_metrics(struct metrics *m, struct http_listener *const *listeners, size_t n)
{
	char text[256], port[8];
	struct buf labels;

	buf_init_over(&labels, text, sizeof(text));
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		metrics_begin(m, &families[i].head);
		for (size_t k = 0; k < n; k++) {
			const struct sampled s = {m, listeners[k], &labels};

			buf_reset(&labels);
			(void)snprintf(port, sizeof(port), "%u", http_open_port(s.l));
			metrics_label(m, &labels, "address", http_address(s.l));
			metrics_label(m, &labels, "port", port);
			families[i].write(&s);
		}
	}
	m->out->failed |= labels.failed;
	buf_fini(&labels);
}
