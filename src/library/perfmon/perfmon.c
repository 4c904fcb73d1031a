/* SPDX-License-Identifier: MPL-2.0 */
/*
 * perfmon: measures how long the parts of an exchange take. The times of a packet lie in its
 * memory: the reading of its batch, the begin of its processing (buffer4_receive), and the end
 * (pkt4_send). While monitoring is off, and nobody reads the events in the log, no clock is read.
 */
#include "library/perfmon/perfmon.h"
#include "library/common/library.h"

#include "config/config.h"
#include "hook/hook_lib.h"

#include <errno.h>
#include <stdio.h>

struct times {
	int64_t read_ns, started_ns; /* monotonic */
};

static void parse_perfmon(struct library_problems *p, const struct config *cfg,
			  const struct json *parameters, void *record)
{
	struct perfmon *m = record;

	(void)cfg;
	perfmon_read(p, parameters, &m->arena, &m->params);
	m->monitoring = m->params.monitoring;
	m->reporting = m->params.reporting;
}

/* --- Packets ---------------------------------------------------------------------------------- */

/* Called at buffer4_receive. */
static int begin_packet(struct usher_call *call, void *perfmon)
{
	struct perfmon *p = perfmon;
	struct times *t;

	if (!atomic_load_explicit(&p->monitoring, memory_order_relaxed) &&
	    !log_on(p->log, LOG_PERFMON_DHCP4_PKT_EVENTS))
		return 0;
	t = arena_new(call->arena, struct times);
	if (!t)
		return -ENOMEM;
	t->started_ns = clock_mono_ns(p->clock);
	t->read_ns = call->received_ns && call->received_ns < t->started_ns ? call->received_ns
									    : t->started_ns;
	usher_packet_set(call, t);
	return 0;
}

static int find_kind(const struct usher_call *call)
{
	enum dhcp4_type query = dhcp4_msg_type(call->query);
	enum dhcp4_type response = dhcp4_msg_type(call->response);

	for (int i = 0; i < PERFMON_KINDS; i++)
		if (perfmon_kinds[i].query == query && perfmon_kinds[i].response == response)
			return i;
	return -1;
}

static void log_events(struct perfmon *p, const struct usher_call *call, const struct times *t,
		       int64_t now)
{
	if (log_on(p->log, LOG_PERFMON_DHCP4_PKT_EVENTS))
		log_msg(p->log, LOG_PERFMON_DHCP4_PKT_EVENTS,
			"query: tid=0x%08x events=[buffer_read : 0 us, process_started : %lld us, "
			"process_completed : %lld us]",
			call->query->xid, (long long)((t->started_ns - t->read_ns) / 1000),
			(long long)((now - t->read_ns) / 1000));
}

static void add_durations(struct perfmon *p, const struct usher_call *call, const struct times *t,
			  int64_t now)
{
	const struct config_subnet *s = call->subnet_id
						? config_subnet_by_id(call->cfg, call->subnet_id)
						: NULL;
	struct perfmon_store *store = call->config_data[call->lib->index].data;
	const int64_t parts[PERFMON_PARTS] = {t->started_ns - t->read_ns, now - t->started_ns,
					      now - t->read_ns};
	int kind = find_kind(call);

	if (kind < 0 && log_on(p->log, LOG_PERFMON_DHCP4_PKT_PROCESS_ERROR))
		log_msg(p->log, LOG_PERFMON_DHCP4_PKT_PROCESS_ERROR,
			"Packet event stack was not processed for query tid=0x%08x, reason "
			"messages of these types are not measured",
			call->query->xid);
	for (int i = 0; kind >= 0 && i < PERFMON_PARTS; i++)
		perfmon_add(store, call->worker, s ? (long)s->index : -1,
			    (unsigned)(kind * PERFMON_PARTS + i), parts[i]);
}

/* Called at pkt4_send. */
static int end_packet(struct usher_call *call, void *perfmon)
{
	const struct times *t = usher_packet_get(call);
	struct perfmon *p = perfmon;
	int64_t now;

	if (!t || call->status == USHER_SKIP || call->status == USHER_DROP || !call->response)
		return 0;
	now = clock_mono_ns(p->clock);
	log_events(p, call, t, now);
	if (atomic_load_explicit(&p->monitoring, memory_order_relaxed) && call->config_data &&
	    call->config_data[call->lib->index].data)
		add_durations(p, call, t, now);
	return 0;
}

/* --- Statistics ------------------------------------------------------------------------------- */

struct passing {
	hook_statistic_fn *fn;
	void *ctx;
};

static void pass_mean(void *passing, const struct perfmon_shown *d)
{
	const struct perfmon_kind *kind = &perfmon_kinds[d->pair / PERFMON_PARTS];
	const struct perfmon_part *part = &perfmon_parts[d->pair % PERFMON_PARTS];
	const struct passing *pass = passing;
	char prefix[40] = "", name[160];

	if (d->mean_us < 0)
		return;
	if (d->subnet_id)
		(void)snprintf(prefix, sizeof(prefix), "subnet-id[%u].", d->subnet_id);
	(void)snprintf(name, sizeof(name), "%sperfmon.%s-%s.%s-%s.mean-usecs", prefix,
		       dhcp4_type_name(kind->query), dhcp4_type_name(kind->response), part->start,
		       part->stop);
	pass->fn(pass->ctx, &(struct hook_statistic){.subnet_id = d->subnet_id,
						     .number = d->pair,
						     .name = name,
						     .value = d->mean_us});
}

static void show_means(void *record, hook_statistic_fn *fn, void *ctx)
{
	struct passing pass = {fn, ctx};

	perfmon_each(record, pass_mean, &pass);
}

/* --- Life ------------------------------------------------------------------------------------- */

/* Called at dhcp4_srv_configured. */
static int configure_perfmon(struct usher_call *call, void *perfmon)
{
	struct perfmon *p = perfmon;
	struct perfmon_store *s = call->config_data ? perfmon_store_new(p, call->cfg) : NULL;

	if (!s) {
		call->status = USHER_DROP;
		return -ENOMEM;
	}
	call->config_data[call->lib->index] = (struct hook_config_data){s, perfmon_store_free};
	log_msg(p->log, LOG_PERFMON_DHCP4_SOCKET_RECEIVED_TIME_SUPPORT,
		"Kernel supports socket received time? No");
	return 0;
}

static void attach_perfmon(void *record, const struct hook_registry_opts *o)
{
	struct perfmon *p = record;
	bool coarse = !o->clock || o->clock->mono_ns == clock_coarse.mono_ns;

	p->clock = coarse ? &clock_system : o->clock;
	p->n_workers = o->n_threads ? o->n_threads : 1;
	p->log = o->log;
}

static int start_perfmon(usher_lib *lib, void *record)
{
	static const struct {
		const char *point;
		usher_callout fn;
	} callouts[] = {{"dhcp4_srv_configured", configure_perfmon},
			{"buffer4_receive", begin_packet},
			{"pkt4_send", end_packet}};
	struct perfmon *p = record;
	int r = perfmon_commands(lib, p);

	(void)pthread_mutex_init(&p->mu, NULL);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(callouts); i++)
		r = usher_register(lib, callouts[i].point, callouts[i].fn, record);
	if (r < 0)
		(void)pthread_mutex_destroy(&p->mu);
	return r;
}

static void stop_perfmon(void *record)
{
	struct perfmon *p = record;

	(void)pthread_mutex_destroy(&p->mu);
}

static const struct library_log messages = {LOG_PERFMON_INIT_OK, LOG_PERFMON_INIT_FAILED,
					    LOG_PERFMON_DEINIT_OK};

const struct library library_perfmon = {.name = "libdhcp_perfmon.so",
					.size = sizeof(struct perfmon),
					.log = &messages,
					.parse = parse_perfmon,
					.attach = attach_perfmon,
					.start = start_perfmon,
					.stop = stop_perfmon,
					.statistics = show_means};
