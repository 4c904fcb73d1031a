/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The metrics of the client (metrics.def) as text for Prometheus. There are no process_* families:
 * the text is for the text files of node_exporter, which has these names itself.
 */
#pragma once

#include "control/metrics.h"

struct buf;
struct driver;

/* Appends the text. */
void client_metrics(const struct driver *d, enum metrics_form form, struct buf *out);
