/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A result as one line of JSON, as a table, as a page with plots. Pure: text is appended to out.
 */
#pragma once

#include "base/buf.h"
#include "tools/load_responder.h"
#include "tools/load_result.h"

void load_report_json(const struct load_result *r, const struct load_opts *o, struct buf *out);
void load_report_table(const struct load_result *r, const struct load_opts *o, struct buf *out);
void load_report_html(const struct load_result *r, const struct load_opts *o, struct buf *out);
void load_report_responder(const struct load_responder_counts *c, const struct load_io_counts *io,
			   bool json, struct buf *out);
