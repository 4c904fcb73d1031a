/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Writes the families of metrics.def in their order.
 */
#include "client/os/client_metrics.h"

#include "base/buf.h"
#include "base/clock.h"
#include "client/core/drop.h"
#include "client/os/driver.h"

#include <ctype.h>
#include <string.h>

enum client_family {
#define FAMILY(symbol, name, type, unit, writer, labels, help) CLIENT_FAMILY_##symbol,
#include "client/os/metrics.def"
#undef FAMILY
	CLIENT_FAMILY_N
};

enum { WORD_LEN = 64 };

/* A text under way. */
struct client_text {
	struct metrics m;
	const struct driver *d;
	enum client_family family;
	struct buf labels;
};

/* Prepares the labels of a sample: the interface, and one more if its name is not NULL. The value
 * is written in lower case and with hyphens, as in "no-lease-time". */
static struct span label_sample(struct client_text *t, const char *name, const char *value)
{
	char word[WORD_LEN];
	size_t n = 0;

	buf_reset(&t->labels);
	metrics_label(&t->m, &t->labels, "interface", t->d->watch.now.name);
	for (; name && value[n] && n < sizeof(word) - 1; n++)
		word[n] = value[n] == '_' ? '-' : (char)tolower((unsigned char)value[n]);
	word[n] = '\0';
	if (name)
		metrics_label(&t->m, &t->labels, name, word);
	return span_of(t->labels.p, t->labels.len);
}

/* Converts a time of the client to whole seconds of the wall clock, in nanoseconds. */
static int64_t find_wall_time(int64_t at_ns)
{
	int64_t wall = clock_wall_ns(&clock_system) + at_ns - driver_now();

	return (wall + NS_PER_S / 2) / NS_PER_S * NS_PER_S;
}

static void write_states(struct client_text *t)
{
	for (unsigned i = 0; i < CLIENT_N_STATES; i++) {
		bool now = t->d->client.state == (enum client_state)i;

		metrics_value(&t->m,
			      label_sample(t, "state", client_state_name((enum client_state)i)),
			      t->family == CLIENT_FAMILY_STATE ? now : t->d->client.stats.enter[i]);
	}
}

static void write_values(struct client_text *t)
{
	metrics_value(&t->m, label_sample(t, NULL, ""),
		      t->family == CLIENT_FAMILY_CONFIGURED ? t->d->client.configured
							    : t->d->history.n_errors);
}

static void write_expiry(struct client_text *t)
{
	const struct client *c = &t->d->client;

	if (c->kept == CLIENT_KEPT_VALID && c->lease.lease_s != CLIENT_LEASE_INFINITE)
		metrics_seconds(&t->m, label_sample(t, NULL, ""),
				find_wall_time(c->lease.start_ns + c->lease.lease_s * NS_PER_S));
}

static void write_timers(struct client_text *t)
{
	const struct client *c = &t->d->client;

	for (unsigned i = 0; i < CLIENT_N_TIMERS; i++) {
		enum client_event e = client_timer_event((enum client_timer)i);

		if (c->deadline[i])
			metrics_seconds(&t->m, label_sample(t, "timer", client_event_name(e)),
					find_wall_time(c->deadline[i]));
	}
}

static void write_messages(struct client_text *t)
{
	const struct client_stats *s = &t->d->client.stats;
	bool sent = t->family == CLIENT_FAMILY_SENT;

	for (unsigned i = 1; i < DHCP4_N_TYPES; i++) {
		const char *name = dhcp4_type_name((enum dhcp4_type)i);

		if (strncmp(name, "DHCP", sizeof("DHCP") - 1) == 0)
			name += sizeof("DHCP") - 1;
		metrics_value(&t->m, label_sample(t, "type", name),
			      sent ? s->sent[i] : s->received[i]);
	}
	metrics_value(&t->m, label_sample(t, "type", "arp"), sent ? s->arp_sent : s->arp_received);
}

static void write_renewals(struct client_text *t)
{
	const struct client_stats *s = &t->d->client.stats;

	metrics_value(&t->m, label_sample(t, "result", "renewed"), s->renewed);
	metrics_value(&t->m, label_sample(t, "result", "rebound"), s->rebound);
	metrics_value(&t->m, label_sample(t, "result", "refused"), s->refused);
	metrics_value(&t->m, label_sample(t, "result", "expired"), s->expired);
}

static void write_rejected(struct client_text *t)
{
	const struct client_stats *s = &t->d->client.stats;

	for (unsigned i = 1; i < DROP_N; i++)
		if (s->frame_drop[i])
			metrics_value(&t->m,
				      label_sample(t, "reason", drop_info((enum drop)i)->symbol),
				      s->frame_drop[i]);
	for (unsigned i = 1; i < CLIENT_N_DROPS; i++)
		metrics_value(&t->m,
			      label_sample(t, "reason", client_drop_name((enum client_drop)i)),
			      s->drop[i]);
}

static void write_answer(struct client_text *t)
{
	const struct client_stats *s = &t->d->client.stats;
	int64_t ns = t->family == CLIENT_FAMILY_OFFER ? s->offer_ns : s->ack_ns;

	if (ns)
		metrics_seconds(&t->m, label_sample(t, NULL, ""), ns);
}

static void write_build(struct client_text *t)
{
	(void)label_sample(t, NULL, "");
	metrics_label(&t->m, &t->labels, "version", USHER_VERSION);
	metrics_value(&t->m, span_of(t->labels.p, t->labels.len), 1);
}

static const struct {
	struct metrics_family head;
	void (*write)(struct client_text *t);
} families[] = {
#define FAMILY(symbol, name, type, unit, writer, labels, help) \
	{{(name), METRICS_##type, (unit), (help)}, write_##writer},
#include "client/os/metrics.def"
#undef FAMILY
};

void client_metrics(const struct driver *d, enum metrics_form form, struct buf *out)
{
	struct client_text t = {.m = {.out = out, .form = form}, .d = d};

	buf_init(&t.labels);
	for (unsigned i = 0; i < CLIENT_FAMILY_N; i++) {
		t.family = (enum client_family)i;
		metrics_begin(&t.m, &families[i].head);
		families[i].write(&t);
	}
	metrics_end(&t.m);
	out->failed |= t.labels.failed;
	buf_fini(&t.labels);
}
