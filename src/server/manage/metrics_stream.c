/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The walk along the families of core/metrics.def. All samples of a family stand together, so a
 * large text passes the subnets once a family; their values are read when the first of these is
 * written, and kept.
 */
#include "server/manage/metrics.h"

#include "control/plane.h"
#include "http/metrics.h"
#include "server/core/snapshot.h"
#include "server/manage/command.h"
#include "server/manage/metrics_impl.h"

#include <errno.h>
#include <stdlib.h>

enum { PIECE_LEN = 24 << 10 };

/* Writes the global statistics that the family publishes. */
static bool metrics_write_statistics(struct metrics_run *r)
{
	for (uint32_t what = 0; what < STAT_SERVER_N; what++) {
		struct stat_series s[2];
		unsigned n = stat_find_series(what, STAT_OF_SERVER, s);

		for (unsigned i = 0; i < n; i++) {
			if (s[i].family != (enum metric_family)r->family)
				continue;
			if (s[i].label[0])
				metrics_labelled(&r->m, s[i].label, s[i].value, r->server[what]);
			else
				metrics_value(&r->m, SPAN_NULL, r->server[what]);
		}
	}
	return false;
}

static const struct {
	struct metrics_family head;
	metrics_writer *write;
} families[] = {
#define FAMILY(symbol, name, type, unit, writer, labels, help) \
	{{(name), METRICS_##type, (unit), (help)}, metrics_write_##writer},
#include "server/core/metrics.def"
#undef FAMILY
};

/* Writes more of the present family, and goes to the next one behind its end. */
static void write_family(struct metrics_run *r)
{
	if (!r->begun) {
		metrics_begin(&r->m, &families[r->family].head);
		r->begun = true;
		r->at = 0;
	}
	if (families[r->family].write(r))
		return;
	r->family++;
	r->begun = false;
}

static bool append_metrics(void *ctx, struct buf *out)
{
	struct metrics_run *r = ctx;
	size_t start = out->len;

	r->m.out = out;
	if (r->as_answer && !r->answer_begun)
		metrics_answer_begin(&r->m);
	r->answer_begun = true;
	while (r->family < FAMILY_N && out->len - start < PIECE_LEN && !out->failed)
		write_family(r);
	out->failed |= r->labels.failed | r->scratch.failed;
	if (out->failed)
		return false;
	if (r->family < FAMILY_N)
		return true;
	http_metrics(&r->m, r->d->https, r->d->n_https);
	metrics_process(&r->m, r->d->srv.started_ns);
	metrics_end(&r->m);
	if (r->as_answer)
		metrics_answer_end(&r->m);
	return false;
}

static void free_metrics(void *ctx)
{
	struct metrics_run *r = ctx;

	snapshot_unref(r->snap);
	buf_fini(&r->labels);
	buf_fini(&r->scratch);
	free(r->subnets);
	free(r->pools);
	free(r);
}

static void take_server_value(void *ctx, const struct stat_now *v)
{
	struct metrics_run *r = ctx;

	r->server[v->key.what] = (uint64_t)v->raw;
}

static int open_metrics(struct server_daemon *d, enum metrics_form form, bool as_answer,
			struct control_stream *ret)
{
	struct metrics_run *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->d = d;
	r->snap = server_snapshot(&d->srv);
	r->m.form = form;
	r->m.in_json = as_answer;
	r->as_answer = as_answer;
	if (metrics_addresses_begin(r) < 0) {
		free_metrics(r);
		return -ENOMEM;
	}
	stat_walk_server(&d->srv, take_server_value, r);
	*ret = (struct control_stream){append_metrics, free_metrics, r};
	return 0;
}

int server_metrics_stream(struct server_daemon *d, bool openmetrics, struct control_stream *ret)
{
	return open_metrics(d, openmetrics ? METRICS_OPENMETRICS : METRICS_TEXT, false, ret);
}

struct json *command_metrics_get(struct control_call *c)
{
	struct control_stream s;
	enum metrics_form form;

	if (!metrics_form_parse(command_str(c, "format"), &form))
		return command_fail(c, "'format' must be \"text\" or \"openmetrics\"");
	if (open_metrics(daemon_of(c), form, true, &s) < 0)
		return command_fail(c, "out of memory");
	return command_stream(c, &s);
}
