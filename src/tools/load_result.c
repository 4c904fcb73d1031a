/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Results computed from the counters.
 */
#include "tools/load_result.h"

#include "base/clock.h"

#include <string.h>
#include <sys/resource.h>

enum { FIRST_WIDTH_NS = 100 * NS_PER_MS };

const char *load_step_name(enum load_step s)
{
	static const char *const names[LOAD_N_STEPS] = {"free", "discover", "request", "renew",
							"reboot"};

	return names[s];
}

void load_series_init(struct load_series *s, int64_t now_ns)
{
	*s = (struct load_series){.begin_ns = now_ns, .width_ns = FIRST_WIDTH_NS};
}

/* Joins each two intervals to one. */
static void halve(struct load_series *s)
{
	for (unsigned i = 0; i < LOAD_SERIES_LEN / 2; i++) {
		s->exchanges[i] = s->exchanges[2 * i] + s->exchanges[2 * i + 1];
		s->drops[i] = s->drops[2 * i] + s->drops[2 * i + 1];
	}
	memset(s->exchanges + LOAD_SERIES_LEN / 2, 0, sizeof(s->exchanges) / 2);
	memset(s->drops + LOAD_SERIES_LEN / 2, 0, sizeof(s->drops) / 2);
	s->width_ns *= 2;
	s->n = (s->n + 1) / 2;
}

void load_series_add(struct load_series *s, int64_t now_ns, uint32_t exchanges, uint32_t drops)
{
	int64_t at = (now_ns - s->begin_ns) / s->width_ns;

	if (at < 0)
		return;
	while (at >= LOAD_SERIES_LEN) {
		halve(s);
		at = (now_ns - s->begin_ns) / s->width_ns;
	}
	s->exchanges[at] += exchanges;
	s->drops[at] += drops;
	if ((unsigned)at >= s->n)
		s->n = (unsigned)at + 1;
}

uint64_t load_drops(const struct load_counts *c)
{
	uint64_t n = 0;

	for (int i = 0; i < LOAD_N_STEPS; i++)
		n += c->drops[i];
	return n;
}

double load_drop_ratio(const struct load_counts *c)
{
	uint64_t drops = load_drops(c);
	uint64_t all = drops + c->exchanges + c->drained + c->failed;

	return all ? (double)drops / (double)all : 0;
}

double load_rate(const struct load_result *r)
{
	if (r->n_ramp)
		return r->ramp_rate;
	return r->seconds > 0 ? (double)r->counts.exchanges / r->seconds : 0;
}

int load_exit_code(const struct load_result *r, const struct load_opts *o)
{
	if (r->n_errors)
		return 1;
	if (!r->answers || !(r->counts.exchanges + r->counts.drained))
		return 3;
	if (o->ramp)
		return r->ramp_rate > 0 ? 0 : 3;
	return o->drop_limit >= 0 && load_drop_ratio(&r->counts) * 100 > o->drop_limit ? 3 : 0;
}

double load_cpu_us(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}
