/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The metrics of the server as text for Prometheus (core/metrics.def), for GET /metrics and the
 * command metrics-get. The text is made in pieces of some hundred lines, and no lock of the lease
 * table is held for longer than one subnet takes.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>

struct control_stream;
struct server_daemon;

/*
 * Begins the text: *ret appends it piece by piece, without an answer around it. openmetrics: in the
 * form of OpenMetrics (control/metrics.h). The text is that of the configuration in effect now,
 * also if another one takes effect before its end; the counters of a subnet are of one moment.
 * Returns 0 or -ENOMEM.
 */
int server_metrics_stream(struct server_daemon *d, bool openmetrics, struct control_stream *ret)
	must_check;
