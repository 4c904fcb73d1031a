/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The report as a page that needs nothing else: two SVG plots (latency by percentile, both axes
 * logarithmic; rate over time) and the table as text.
 */
#include "tools/load_report.h"

#include <math.h>

enum { WIDTH = 820, HEIGHT = 340, LEFT = 70, RIGHT = 20, TOP = 20, BOTTOM = 40 };
enum { PLOT_W = WIDTH - LEFT - RIGHT, PLOT_H = HEIGHT - TOP - BOTTOM };

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>usher-load</title>\n<style>\n"
	"body{font:15px/1.5 system-ui,sans-serif;max-width:56em;margin:2em auto;padding:0 1em;color:#222}\n"
	"pre{background:#f5f5f2;padding:1em;overflow:auto}h2{font-size:1.1em;margin-top:2em}\n"
	"svg{width:100%;height:auto}text{font:12px system-ui,sans-serif;fill:#555}\n"
	".grid{stroke:#ddd}.a{stroke:#1f5f8b}.b{stroke:#c0662b}.c{stroke:#5b8c3a}.line{fill:none;stroke-width:2}\n"
	".ka{fill:#1f5f8b}.kb{fill:#c0662b}.kc{fill:#5b8c3a}.drop{fill:#b22;opacity:.6}\n</style></head><body>\n";

/* --- places ----------------------------------------------------------------------------------- */

/* Percentiles from 0 to 99.999: every power of ten of 1 - p has the same width. */
static double percentile_x(double p)
{
	return LEFT + PLOT_W * (-log10(1 - p)) / 5;
}

struct scale {
	double low, high; /* powers of ten of the ends, microseconds */
};

static double latency_y(const struct scale *s, double us)
{
	double at = us > 0 ? log10(us) : s->low;

	return TOP + PLOT_H * (1 - (at - s->low) / (s->high - s->low));
}

static void open_svg(struct buf *out, const char *title)
{
	buf_printf(out, "<h2>%s</h2>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n",
		   title, WIDTH, HEIGHT, title);
}

static void grid_y(struct buf *out, double y, double v, const char *unit)
{
	buf_printf(
		out,
		"<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/><text x=\"%d\" "
		"y=\"%.1f\" text-anchor=\"end\">%.10g%s</text>\n",
		LEFT, WIDTH - RIGHT, y, y, LEFT - 6, y + 4, v, unit);
}

/* --- latency ---------------------------------------------------------------------------------- */

static void curve(struct buf *out, const struct hist *h, const struct scale *s, const char *class)
{
	if (!h->n)
		return;
	buf_printf(out, "<polyline class=\"line %s\" points=\"", class);
	for (int i = 0; i <= 200; i++) {
		double p = 1 - pow(10, -5.0 * i / 200);

		/* with all but one record below it, a higher percentile adds no information */
		if ((1 - p) * (double)h->n < 0.5)
			break;
		buf_printf(out, "%.1f,%.1f ", percentile_x(p),
			   latency_y(s, (double)hist_percentile(h, p) / 1000));
	}
	buf_str(out, "\"/>\n");
}

static struct scale scale_of(const struct load_result *r)
{
	double low = (double)hist_percentile(&r->latency, 0) / 1000;
	double other = (double)hist_percentile(&r->ack, 0) / 1000;
	double high = (double)r->latency.max / 1000;
	struct scale s;

	low = other > 0 && other < low ? other : low;
	s.low = low > 0 ? floor(log10(low)) : 0;
	s.high = high > 0 ? ceil(log10(high)) : 1;
	if (s.high <= s.low)
		s.high = s.low + 1;
	return s;
}

static void latency_plot(const struct load_result *r, struct buf *out)
{
	static const double ticks[] = {0, 0.9, 0.99, 0.999, 0.9999, 0.99999};
	struct scale s = scale_of(r);

	open_svg(out, "Latency by percentile");
	for (double e = s.low; e <= s.high; e++)
		grid_y(out, latency_y(&s, pow(10, e)), pow(10, e) / 1000, " ms");
	for (size_t i = 0; i < ARRAY_LEN(ticks); i++)
		buf_printf(
			out,
			"<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/><text x=\"%.1f\" "
			"y=\"%d\" text-anchor=\"middle\">%g %%</text>\n",
			percentile_x(ticks[i]), percentile_x(ticks[i]), TOP, HEIGHT - BOTTOM,
			percentile_x(ticks[i]), HEIGHT - BOTTOM + 18, ticks[i] * 100);
	curve(out, &r->latency, &s, "a");
	curve(out, &r->offer, &s, "b");
	curve(out, &r->ack, &s, "c");
	buf_printf(
		out,
		"<text class=\"ka\" x=\"%d\" y=\"%d\">whole exchange</text><text class=\"kb\" x=\"%d\" "
		"y=\"%d\">DISCOVER to OFFER</text><text class=\"kc\" x=\"%d\" y=\"%d\">REQUEST to ACK"
		"</text></svg>\n",
		LEFT + 10, TOP + 14, LEFT + 120, TOP + 14, LEFT + 260, TOP + 14);
}

/* --- rate ------------------------------------------------------------------------------------- */

/* Returns the next round number (1, 2 or 5 times a power of ten) from v on. */
static double round_up(double v)
{
	double p = v > 0 ? pow(10, floor(log10(v))) : 1;

	return v <= p ? p : v <= 2 * p ? 2 * p : v <= 5 * p ? 5 * p : 10 * p;
}

static void rate_plot(const struct load_result *r, struct buf *out)
{
	const struct load_series *s = &r->series;
	double width = (double)s->width_ns / 1e9;
	double step = (double)PLOT_W / (s->n ? s->n : 1);
	double top = 1;

	for (unsigned i = 0; i < s->n; i++)
		top = fmax(top, (s->exchanges[i] + s->drops[i]) / width);
	top = round_up(top);
	open_svg(out, "Exchanges a second over time");
	for (int i = 0; i <= 4; i++)
		grid_y(out, TOP + PLOT_H * (1 - i / 4.0), top * i / 4, "");
	buf_str(out, "<polyline class=\"line a\" points=\"");
	for (unsigned i = 0; i < s->n; i++)
		buf_printf(out, "%.1f,%.1f ", LEFT + (i + 0.5) * step,
			   TOP + PLOT_H * (1 - s->exchanges[i] / width / top));
	buf_str(out, "\"/>\n");
	for (unsigned i = 0; i < s->n; i++) {
		double h = PLOT_H * (s->drops[i] / width / top);

		if (s->drops[i])
			buf_printf(
				out,
				"<rect class=\"drop\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
				LEFT + i * step, HEIGHT - BOTTOM - fmax(h, 1), step, fmax(h, 1));
	}
	buf_printf(
		out,
		"<text x=\"%d\" y=\"%d\">0 s</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\">%.1f s, "
		"drops in red</text></svg>\n",
		LEFT, HEIGHT - BOTTOM + 18, WIDTH - RIGHT, HEIGHT - BOTTOM + 18, s->n * width);
}

void load_report_html(const struct load_result *r, const struct load_opts *o, struct buf *out)
{
	buf_str(out, head);
	buf_printf(out, "<h1>%s, %.0f exchanges/s</h1>\n", load_profile_name(o->profile),
		   load_rate(r));
	latency_plot(r, out);
	rate_plot(r, out);
	/* the table contains no markup characters */
	buf_str(out, "<h2>All results</h2>\n<pre>");
	load_report_table(r, o, out);
	buf_str(out, "</pre>\n</body></html>\n");
}
