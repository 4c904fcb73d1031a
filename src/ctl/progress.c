/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Four lines a second at most, each over the last one.
 */
#include "ctl/progress.h"

#include "base/clock.h"

#include <stdio.h>
#include <unistd.h>

static const int64_t first_ns = NS_PER_S, step_ns = 250 * NS_PER_MS;

/* Writes a number of octets with three digits or more and its unit. */
static void write_octets(double n, char *out, size_t cap)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
	size_t i = 0;

	for (; n >= 1000 && i < 4; i++)
		n /= 1000;
	(void)snprintf(out, cap, "%.*f %s", i && n < 100 ? 1 : 0, n, units[i]);
}

void ctl_progress_text(uint64_t octets, int64_t elapsed_ns, char out[CTL_PROGRESS_TEXT])
{
	char sum[24], rate[24];

	write_octets((double)octets, sum, sizeof(sum));
	write_octets(elapsed_ns > 0 ? (double)octets * NS_PER_S / (double)elapsed_ns : 0, rate,
		     sizeof(rate));
	(void)snprintf(out, CTL_PROGRESS_TEXT, "%s, %s/s", sum, rate);
}

void ctl_progress_begin(struct ctl_progress *p, bool quiet)
{
	*p = (struct ctl_progress){.on = !quiet && isatty(STDERR_FILENO)};
	p->began_ns = clock_mono_ns(&clock_system);
	p->next_ns = p->began_ns + first_ns;
}

void ctl_progress_add(struct ctl_progress *p, size_t n)
{
	char text[CTL_PROGRESS_TEXT];
	int64_t now;

	p->octets += n;
	if (!p->on)
		return;
	now = clock_mono_ns(&clock_system);
	if (now < p->next_ns)
		return;
	p->next_ns = now + step_ns;
	p->printed = true;
	ctl_progress_text(p->octets, now - p->began_ns, text);
	(void)fprintf(stderr, "\r%s\033[K", text);
}

void ctl_progress_end(struct ctl_progress *p)
{
	if (p->printed)
		(void)fputs("\r\033[K", stderr);
	p->printed = false;
}
