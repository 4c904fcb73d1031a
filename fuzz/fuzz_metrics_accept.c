/* SPDX-License-Identifier: MPL-2.0 */
/* Any Accept header selects a form, and any text becomes a label of one line. */
#include "fuzz.h"
#include "base/buf.h"
#include "control/metrics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct metrics m = {0};
	struct buf labels;

	fuzz_check(text != NULL);
	/* strndup() would look for a NUL behind the octets under some settings of the sanitizer */
	memcpy(text, data, size);
	text[size] = '\0';
	m.form = metrics_form_of(text);
	fuzz_check(m.form == METRICS_TEXT || m.form == METRICS_OPENMETRICS);
	buf_init(&labels);
	metrics_label(&m, &labels, "accept", text);
	fuzz_check(!memchr(labels.p, '\n', labels.len) && labels.p[labels.len - 1] == '"');
	buf_fini(&labels);
	free(text);
	return 0;
}
