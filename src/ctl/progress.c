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

/* Starts a line, whose first text comes after delay_ns. */
static void line_begin(struct ctl_line *l, int64_t delay_ns, bool quiet)
{
	*l = (struct ctl_line){.on = !quiet && isatty(STDERR_FILENO)};
	l->began_ns = clock_mono_ns(&clock_system);
	l->next_ns = l->began_ns + delay_ns;
}

/* Returns the time since the start if a text is to be printed now; -1: it is not. */
static int64_t line_due(struct ctl_line *l)
{
	int64_t now;

	if (!l->on)
		return -1;
	now = clock_mono_ns(&clock_system);
	if (now < l->next_ns)
		return -1;
	l->next_ns = now + step_ns;
	return now - l->began_ns;
}

static void line_print(struct ctl_line *l, const char *text)
{
	l->printed = true;
	(void)fprintf(stderr, "\r%s\033[K", text);
}

static void line_end(struct ctl_line *l)
{
	if (l->printed)
		(void)fputs("\r\033[K", stderr);
	l->printed = false;
}

void ctl_progress_begin(struct ctl_progress *p, bool quiet)
{
	p->octets = 0;
	line_begin(&p->line, first_ns, quiet);
}

void ctl_progress_add(struct ctl_progress *p, size_t n)
{
	char text[CTL_PROGRESS_TEXT];
	int64_t ns;

	p->octets += n;
	ns = line_due(&p->line);
	if (ns < 0)
		return;
	ctl_progress_text(p->octets, ns, text);
	line_print(&p->line, text);
}

void ctl_progress_end(struct ctl_progress *p)
{
	line_end(&p->line);
}

/* --- of a task -------------------------------------------------------------------------------- */

enum { BAR_CELLS = 24 };

/* Writes a number with a comma between each three digits. */
static const char *grouped(uint64_t n, char out[32])
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
	size_t at = 0;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	out[at] = '\0';
	return out;
}

void ctl_bar_text(const struct ctl_bar *b, int64_t elapsed_ns, char out[CTL_BAR_TEXT])
{
	uint64_t done = b->total && b->done > b->total ? b->total : b->done;
	double rate = elapsed_ns > 0 ? (double)b->done * NS_PER_S / (double)elapsed_ns : 0;
	unsigned cells = b->total ? (unsigned)(done * BAR_CELLS / b->total) : 0;
	char sum[32], all[32], speed[32], bar[BAR_CELLS + 1];

	(void)grouped(b->done, sum);
	(void)grouped((uint64_t)rate, speed);
	if (!b->total) {
		(void)snprintf(out, CTL_BAR_TEXT, "%s, %s/s", sum, speed);
		return;
	}
	for (unsigned i = 0; i < BAR_CELLS; i++)
		bar[i] = i < cells ? '#' : ' ';
	bar[BAR_CELLS] = '\0';
	(void)snprintf(out, CTL_BAR_TEXT, "[%s] %3u %%, %s of %s, %s/s, %.0f s left", bar,
		       (unsigned)(done * 100 / b->total), sum, grouped(b->total, all), speed,
		       rate >= 1 ? (double)(b->total - done) / rate : 0);
}

void ctl_bar_begin(struct ctl_bar *b, uint64_t total, bool quiet)
{
	b->done = 0;
	b->total = total;
	line_begin(&b->line, step_ns, quiet);
}

void ctl_bar_add(struct ctl_bar *b, uint64_t n)
{
	char text[CTL_BAR_TEXT];
	int64_t ns;

	b->done += n;
	ns = line_due(&b->line);
	if (ns < 0)
		return;
	ctl_bar_text(b, ns, text);
	line_print(&b->line, text);
}

void ctl_bar_end(struct ctl_bar *b)
{
	line_end(&b->line);
}
