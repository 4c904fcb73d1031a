/* SPDX-License-Identifier: MPL-2.0 */
/*
 * JSON and table. The percentiles are one list for both.
 */
#include "tools/load_report.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
	const char *name;
	double p;
} percentiles[] = {{"p50", 0.5},     {"p90", 0.9},	 {"p99", 0.99},
		   {"p99.9", 0.999}, {"p99.99", 0.9999}, {"max", 1}};

static unsigned long long as_ull(uint64_t v)
{
	return v;
}

static double microseconds(const struct hist *h, double p)
{
	return (double)hist_percentile(h, p) / 1000;
}

static double cpu_us_per_exchange(const struct load_result *r)
{
	uint64_t n = r->counts.exchanges + load_drops(&r->counts) + r->counts.failed;

	return n ? r->cpu_us / (double)n : 0;
}

static const char *mode_name(const struct load_opts *o)
{
	return o->direct ? "direct" : "relayed";
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void json_latency(const char *name, const struct hist *h, struct buf *out)
{
	buf_printf(out, ",\"%s\":{", name);
	for (size_t i = 0; i < ARRAY_LEN(percentiles); i++)
		buf_printf(out, "%s\"%s\":%.1f", i ? "," : "", percentiles[i].name,
			   microseconds(h, percentiles[i].p));
	buf_str(out, "}");
}

static void json_steps(const char *name, const uint64_t *n, struct buf *out)
{
	buf_printf(out, ",\"%s\":{", name);
	for (int i = LOAD_STEP_DISCOVER; i < LOAD_N_STEPS; i++)
		buf_printf(out, "%s\"%s\":%llu", i > LOAD_STEP_DISCOVER ? "," : "",
			   load_step_name((enum load_step)i), as_ull(n[i]));
	buf_str(out, "}");
}

static void json_errors(const struct load_result *r, struct buf *out)
{
	buf_str(out, ",\"errors\":{");
	for (int i = 1; i < LOAD_N_ERRORS; i++)
		buf_printf(out, "%s\"%s\":%llu", i > 1 ? "," : "",
			   load_error_name((enum load_error)i), as_ull(r->errors[i]));
	/* the texts are ours, made of letters, digits, spaces and ":,.-" */
	buf_str(out, "},\"first_errors\":[");
	for (unsigned i = 0; i < r->n_samples; i++)
		buf_printf(out, "%s\"%s\"", i ? "," : "", r->sample[i]);
	buf_str(out, "]");
}

static void json_ramp(const struct load_result *r, const struct load_opts *o, struct buf *out)
{
	if (!r->n_ramp)
		return;
	buf_printf(out, ",\"ramp\":{\"rate\":%.1f,\"drop_limit\":%g,\"steps\":[", r->ramp_rate,
		   o->drop_limit);
	for (unsigned i = 0; i < r->n_ramp; i++)
		buf_printf(out,
			   "%s{\"rate\":%.1f,\"attained\":%.1f,\"drop_ratio\":%.6f,\"good\":%s}",
			   i ? "," : "", r->ramp[i].rate, r->ramp[i].attained,
			   r->ramp[i].drop_ratio, r->ramp[i].good ? "true" : "false");
	buf_str(out, "]}");
}

static void json_io(const struct load_io_counts *io, struct buf *out)
{
	buf_printf(out,
		   ",\"io\":{\"send_calls\":%llu,\"recv_calls\":%llu,\"send_errors\":%llu,"
		   "\"kernel_drops\":%llu,\"broken_frames\":%llu,\"gso\":%s,\"gro\":%s}",
		   as_ull(io->send_calls), as_ull(io->recv_calls), as_ull(io->send_errors),
		   as_ull(io->kernel_drops), as_ull(io->malformed), io->gso ? "true" : "false",
		   io->gro ? "true" : "false");
}

static void json_series(const struct load_series *s, struct buf *out)
{
	buf_printf(out, ",\"series\":{\"interval_ms\":%lld,\"exchanges\":[",
		   (long long)(s->width_ns / 1000000));
	for (unsigned i = 0; i < s->n; i++)
		buf_printf(out, "%s%u", i ? "," : "", s->exchanges[i]);
	buf_str(out, "],\"drops\":[");
	for (unsigned i = 0; i < s->n; i++)
		buf_printf(out, "%s%u", i ? "," : "", s->drops[i]);
	buf_str(out, "]}");
}

void load_report_json(const struct load_result *r, const struct load_opts *o, struct buf *out)
{
	const struct load_counts *c = &r->counts;

	buf_printf(out,
		   "{\"profile\":\"%s\",\"mode\":\"%s\",\"options\":\"%s\",\"client_id\":\"%s\"",
		   load_profile_name(o->profile), mode_name(o), load_options_name(o->options),
		   load_who_name(o->client_id));
	buf_printf(out, ",\"exchanges\":%llu,\"drained\":%llu,\"seconds\":%.3f,\"rate\":%.1f",
		   as_ull(c->exchanges), as_ull(c->drained), r->seconds, load_rate(r));
	buf_printf(out, ",\"sent\":%llu,\"received\":%llu,\"drops\":%llu,\"drop_ratio\":%.6f",
		   as_ull(c->sent), as_ull(c->received), as_ull(load_drops(c)), load_drop_ratio(c));
	json_steps("drops_by_step", c->drops, out);
	json_steps("exchanges_by_step", c->by_step, out);
	buf_printf(out, ",\"naks\":%llu,\"late\":%llu,\"releases\":%llu,\"not_started\":%llu",
		   as_ull(c->failed), as_ull(c->late), as_ull(c->releases), as_ull(c->not_started));
	buf_printf(out, ",\"strangers\":{\"sent\":%llu,\"answered\":%llu}",
		   as_ull(c->strangers_sent), as_ull(c->strangers_answered));
	buf_printf(out, ",\"error_count\":%llu", as_ull(r->n_errors));
	json_errors(r, out);
	buf_printf(out,
		   ",\"leases\":{\"held\":%llu,\"checked\":%llu,\"live_checked\":%llu,"
		   "\"reused_after_expiry\":%llu}",
		   as_ull(r->bound), as_ull(r->leases_checked), as_ull(r->live_checked),
		   as_ull(r->reused));
	json_latency("latency_us", &r->latency, out);
	json_latency("offer_latency_us", &r->offer, out);
	json_latency("ack_latency_us", &r->ack, out);
	buf_printf(
		out,
		",\"cpu_us_per_exchange\":%.3f,\"window\":%llu,\"clients\":%llu,\"first_client\":%llu,"
		"\"seed\":%llu",
		cpu_us_per_exchange(r), as_ull(o->window), as_ull(o->clients),
		as_ull(o->first_client), as_ull(o->seed));
	json_io(&r->io, out);
	json_ramp(r, o, out);
	json_series(&r->series, out);
	buf_str(out, "}\n");
}

/* --- table ------------------------------------------------------------------------------------ */

static void print_row(struct buf *out, const char *name, const char *fmt, ...) printf_like(3, 4);
static void print_row(struct buf *out, const char *name, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_printf(out, "%-22s %s\n", name, text);
}

static void table_latency(const struct load_result *r, struct buf *out)
{
	buf_printf(out, "\n%-22s", "latency, ms");
	for (size_t i = 0; i < ARRAY_LEN(percentiles); i++)
		buf_printf(out, " %9s", percentiles[i].name);
	buf_printf(out, "\n%-22s", "whole exchange");
	for (size_t i = 0; i < ARRAY_LEN(percentiles); i++)
		buf_printf(out, " %9.3f", microseconds(&r->latency, percentiles[i].p) / 1000);
	if (r->offer.n) {
		buf_printf(out, "\n%-22s", "DISCOVER to OFFER");
		for (size_t i = 0; i < ARRAY_LEN(percentiles); i++)
			buf_printf(out, " %9.3f", microseconds(&r->offer, percentiles[i].p) / 1000);
	}
	buf_printf(out, "\n%-22s", "REQUEST to ACK");
	for (size_t i = 0; i < ARRAY_LEN(percentiles); i++)
		buf_printf(out, " %9.3f", microseconds(&r->ack, percentiles[i].p) / 1000);
	buf_str(out, "\n");
}

static void table_losses(const struct load_result *r, struct buf *out)
{
	const struct load_counts *c = &r->counts;

	print_row(out, "drops", "%llu (%.4f %%)", as_ull(load_drops(c)), load_drop_ratio(c) * 100);
	for (int i = LOAD_STEP_DISCOVER; i < LOAD_N_STEPS; i++)
		if (c->drops[i])
			print_row(out, "", "%llu after %s", as_ull(c->drops[i]),
				  load_step_name((enum load_step)i));
	if (c->failed)
		print_row(out, "refused (NAK)", "%llu", as_ull(c->failed));
	if (c->late)
		print_row(out, "late or repeated", "%llu", as_ull(c->late));
	if (c->not_started)
		print_row(out, "not started", "%llu: the window was full", as_ull(c->not_started));
	if (r->io.kernel_drops || r->io.send_errors)
		print_row(out, "lost by usher-load", "%llu by full socket buffers, %llu not sent",
			  as_ull(r->io.kernel_drops), as_ull(r->io.send_errors));
	if (c->strangers_sent)
		print_row(out, "strangers", "%llu sent, %llu answered", as_ull(c->strangers_sent),
			  as_ull(c->strangers_answered));
}

static void table_checks(const struct load_result *r, struct buf *out)
{
	print_row(out, "errors", "%llu", as_ull(r->n_errors));
	for (int i = 1; i < LOAD_N_ERRORS; i++)
		if (r->errors[i])
			print_row(out, "", "%llu %s", as_ull(r->errors[i]),
				  load_error_name((enum load_error)i));
	for (unsigned i = 0; i < r->n_samples; i++)
		print_row(out, i ? "" : "the first of them", "%s", r->sample[i]);
	print_row(out, "leases held", "%llu", as_ull(r->bound));
	if (r->leases_checked || r->live_checked)
		print_row(out, "leases on disk", "%llu checked at the end, %llu at their ACK",
			  as_ull(r->leases_checked), as_ull(r->live_checked));
	if (r->reused)
		print_row(out, "reused addresses",
			  "%llu after the shortest lease time (%u s): not checked",
			  as_ull(r->reused), r->shortest_lease);
}

static void table_ramp(const struct load_result *r, const struct load_opts *o, struct buf *out)
{
	if (!r->n_ramp)
		return;
	buf_printf(out, "\n%-22s %10s %10s %10s\n", "ramp", "asked/s", "attained/s", "drops %");
	for (unsigned i = 0; i < r->n_ramp; i++)
		buf_printf(out, "%-22s %10.0f %10.0f %10.4f\n",
			   r->ramp[i].good ? "  good" : "  bad", r->ramp[i].rate,
			   r->ramp[i].attained, r->ramp[i].drop_ratio * 100);
	buf_printf(out, "highest good rate      %.0f exchanges/s with at most %g %% drops\n",
		   r->ramp_rate, o->drop_limit);
}

void load_report_table(const struct load_result *r, const struct load_opts *o, struct buf *out)
{
	const struct load_counts *c = &r->counts;

	print_row(out, "load", "%s, %s, %s options, %llu waiting at a time",
		  load_profile_name(o->profile), mode_name(o), load_options_name(o->options),
		  as_ull(o->window));
	print_row(out, "clients",
		  o->clients ? "%llu, from number %llu"
			     : "new for each exchange (%llu), from number %llu",
		  as_ull(o->clients), as_ull(o->first_client));
	print_row(out, "exchanges", "%llu in %.3f s", as_ull(c->exchanges), r->seconds);
	print_row(out, "rate", "%.1f exchanges/s", load_rate(r));
	print_row(out, "messages", "%llu sent, %llu received%s", as_ull(c->sent),
		  as_ull(c->received),
		  o->direct || r->io.gso ? "" : " (without segmentation offload)");
	if (c->releases)
		print_row(out, "releases", "%llu", as_ull(c->releases));
	table_losses(r, out);
	table_checks(r, out);
	print_row(out, "generator", "%.2f us of processor time an exchange",
		  cpu_us_per_exchange(r));
	table_latency(r, out);
	table_ramp(r, o, out);
}

void load_report_responder(const struct load_responder_counts *c, const struct load_io_counts *io,
			   bool json, struct buf *out)
{
	uint64_t n = c->offers + c->acks;
	double each = c->acks ? c->cpu_us / (double)c->acks : 0;

	if (json)
		buf_printf(out,
			   "{\"offers\":%llu,\"acks\":%llu,\"ignored\":%llu,\"seconds\":%.3f,"
			   "\"cpu_us_per_exchange\":%.3f,\"kernel_drops\":%llu,\"gso\":%s}\n",
			   as_ull(c->offers), as_ull(c->acks), as_ull(c->ignored), c->seconds, each,
			   as_ull(io->kernel_drops), io->gso ? "true" : "false");
	else
		buf_printf(
			out,
			"%llu answers (%llu OFFER, %llu ACK), %llu ignored, %.2f us of processor time "
			"an ACK, %llu lost by full socket buffers\n",
			as_ull(n), as_ull(c->offers), as_ull(c->acks), as_ull(c->ignored), each,
			as_ull(io->kernel_drops));
}
