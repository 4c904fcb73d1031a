/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Alerts as text: Haka's form on several lines, Haka's form on one line, and JSON. Fields that are
 * not set are left out. Values come from packets: they cannot end a line, and JSON stays JSON.
 */
#include "script/rules/alert.h"

#include <inttypes.h>
#include <time.h>

static const char *const level_names[] = {"", "low", "medium", "high", ""};
static const char *const completion_names[] = {"", "failed", "successful"};

/* Where lines go: "\n" and tabs, or ", " and nothing. */
struct form {
	struct buf *out;
	bool oneline;
	unsigned depth;
	bool first; /* of a block: no comma before it */
};

static void add_clean(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < 0x20 || s.p[i] == 0x7f)
			buf_printf(out, "\\x%02x", s.p[i]);
		else
			buf_char(out, (char)s.p[i]);
	}
}

static void begin_line(struct form *f, const char *key, const char *between)
{
	if (f->oneline) {
		buf_str(f->out, f->first ? "" : ", ");
	} else {
		buf_char(f->out, '\n');
		for (unsigned i = 0; i < f->depth; i++)
			buf_char(f->out, '\t');
	}
	f->first = false;
	buf_str(f->out, key);
	buf_str(f->out, between);
}

static void open_block(struct form *f, const char *key)
{
	begin_line(f, key, f->oneline ? " = { " : " = {");
	f->depth++;
	f->first = true;
}

static void close_block(struct form *f)
{
	f->depth--;
	f->first = true;
	begin_line(f, f->oneline ? " }" : "}", "");
	f->first = false;
}

static void add_spans(struct buf *out, const struct span *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_str(out, i ? ", " : "");
		add_clean(out, s[i]);
	}
}

static void add_time_line(struct form *f, const char *key, int64_t ns)
{
	time_t s = (time_t)(ns / NS_PER_S);
	char text[64];
	struct tm tm;

	(void)localtime_r(&s, &tm);
	(void)strftime(text, sizeof(text), "%a %b %e %H:%M:%S %Y", &tm);
	begin_line(f, key, " = ");
	buf_str(f->out, text);
}

static void add_text_line(struct form *f, const char *key, struct span s)
{
	if (!s.n)
		return;
	begin_line(f, key, " = ");
	add_clean(f->out, s);
}

static void add_nodes(struct form *f, const char *key, const struct alert_node *n, size_t count)
{
	if (!count)
		return;
	open_block(f, key);
	for (size_t i = 0; i < count; i++) {
		begin_line(f, n[i].service ? "service" : "address", ": ");
		add_spans(f->out, n[i].values, n[i].n);
	}
	close_block(f);
}

static void add_levels(struct form *f, const struct script_alert *a)
{
	if (a->severity)
		add_text_line(f, "severity", span_str(level_names[a->severity]));
	if (a->confidence == ALERT_NUMBER) {
		begin_line(f, "confidence", " = ");
		buf_printf(f->out, "%g", a->confidence_number);
	} else if (a->confidence) {
		add_text_line(f, "confidence", span_str(level_names[a->confidence]));
	}
	if (a->completion)
		add_text_line(f, "completion", span_str(completion_names[a->completion]));
}

static void add_method(struct form *f, const struct script_alert *a)
{
	if (!a->method.n && !a->n_method_refs)
		return;
	open_block(f, "method");
	add_text_line(f, "description", a->method);
	if (a->n_method_refs) {
		begin_line(f, "ref", " = { ");
		add_spans(f->out, a->method_refs, a->n_method_refs);
		buf_str(f->out, " }");
	}
	close_block(f);
}

static void write_text(const struct script_alert *a, bool oneline, struct buf *out)
{
	struct form f = {.out = out, .oneline = oneline, .depth = 1};

	buf_printf(out, "alert: %sid = %" PRIu64, a->update ? "update " : "", a->id);
	if (a->has_start)
		add_time_line(&f, "start time", a->start_ns);
	if (a->has_end)
		add_time_line(&f, "end time", a->end_ns);
	add_levels(&f, a);
	add_text_line(&f, "description", a->description);
	add_method(&f, a);
	add_nodes(&f, "sources", a->sources, a->n_sources);
	add_nodes(&f, "targets", a->targets, a->n_targets);
	if (a->n_refs) {
		begin_line(&f, "ref", " = { ");
		for (size_t i = 0; i < a->n_refs; i++)
			buf_printf(out, "%s%" PRIu64, i ? ", " : "", a->refs[i]);
		buf_str(out, " }");
	}
	buf_char(out, '\n');
}

/* Writes a JSON string. Octets beyond ASCII are taken as Latin-1: any octets give valid JSON. */
static void write_json_string(struct buf *out, struct span s)
{
	buf_char(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\') {
			buf_char(out, '\\');
			buf_char(out, (char)s.p[i]);
		} else if (s.p[i] == 0) {
			buf_str(out, "\\\\x00"); /* \u0000 is refused by many readers */
		} else if (s.p[i] < 0x20 || s.p[i] >= 0x7f) {
			buf_printf(out, "\\u%04x", s.p[i]);
		} else {
			buf_char(out, (char)s.p[i]);
		}
	}
	buf_char(out, '"');
}

static void write_json_text(struct buf *out, const char *key, struct span s)
{
	if (!s.n)
		return;
	buf_printf(out, ", \"%s\": ", key);
	write_json_string(out, s);
}

static void write_json_time(struct buf *out, const char *key, int64_t ns)
{
	buf_printf(out, "%s\"%s\": %lld.%06lld", out->len > 1 ? ", " : "", key,
		   (long long)(ns / NS_PER_S), (long long)(ns % NS_PER_S / 1000));
}

static void write_json_spans(struct buf *out, const char *key, const struct span *s, size_t n)
{
	buf_printf(out, "%s\"%s\": [", out->p[out->len - 1] == '{' ? "" : ", ", key);
	for (size_t i = 0; i < n; i++) {
		buf_str(out, i ? ", " : "");
		write_json_string(out, s[i]);
	}
	buf_char(out, ']');
}

static void write_json_nodes(struct buf *out, const char *key, const struct alert_node *n,
			     size_t count)
{
	if (!count)
		return;
	buf_printf(out, ", \"%s\": [", key);
	for (size_t i = 0; i < count; i++) {
		buf_str(out, i ? ", {" : "{");
		write_json_spans(out, n[i].service ? "service" : "address", n[i].values, n[i].n);
		buf_char(out, '}');
	}
	buf_char(out, ']');
}

static void write_json(const struct script_alert *a, struct buf *out)
{
	buf_char(out, '{');
	write_json_time(out, "time", a->time_ns);
	buf_printf(out, ", \"id\": %" PRIu64 ", \"update\": %s", a->id,
		   a->update ? "true" : "false");
	if (a->has_start)
		write_json_time(out, "start_time", a->start_ns);
	if (a->has_end)
		write_json_time(out, "end_time", a->end_ns);
	write_json_text(out, "severity", span_str(level_names[a->severity]));
	if (a->confidence == ALERT_NUMBER)
		buf_printf(out, ", \"confidence\": %.10g", a->confidence_number);
	else
		write_json_text(out, "confidence", span_str(level_names[a->confidence]));
	write_json_text(out, "completion", span_str(completion_names[a->completion]));
	write_json_text(out, "description", a->description);
	if (a->method.n || a->n_method_refs) {
		buf_str(out, ", \"method\": {\"description\": ");
		write_json_string(out, a->method);
		write_json_spans(out, "ref", a->method_refs, a->n_method_refs);
		buf_char(out, '}');
	}
	write_json_nodes(out, "sources", a->sources, a->n_sources);
	write_json_nodes(out, "targets", a->targets, a->n_targets);
	for (size_t i = 0; i < a->n_refs; i++)
		buf_printf(out, "%s%" PRIu64, i ? ", " : ", \"ref\": [", a->refs[i]);
	buf_str(out, a->n_refs ? "]}\n" : "}\n");
}

void alert_text(const struct script_alert *a, enum alert_format format, struct buf *out)
{
	if (format == ALERT_JSON) {
		/* pieces look at the text before them */
		struct buf own = {0};

		write_json(a, &own);
		buf_add(out, own.p, own.len);
		buf_fini(&own);
	} else {
		write_text(a, format == ALERT_ONELINE, out);
	}
}
