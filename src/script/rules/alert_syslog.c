/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Alerts to syslog, facility local0 as Haka's: the severity of the alert is the priority.
 */
#include "script/rules/alert.h"

#include <syslog.h>

static int choose_priority(const struct script_alert *a)
{
	switch (a->severity) {
	case ALERT_HIGH:
		return LOG_ALERT;
	case ALERT_MEDIUM:
		return LOG_WARNING;
	case ALERT_LEVEL_NONE:
	case ALERT_LOW:
	case ALERT_NUMBER:
		break;
	}
	return LOG_NOTICE;
}

static void write_to_syslog(void *ctx, const struct script_alert *a)
{
	struct buf text = {0};

	(void)ctx;
	alert_text(a, ALERT_ONELINE, &text);
	if (!text.failed)
		syslog(LOG_LOCAL0 | choose_priority(a), "%s", text.p);
	buf_fini(&text);
}

struct script_alert_sink alert_syslog_sink(void)
{
	return (struct script_alert_sink){write_to_syslog, NULL};
}
