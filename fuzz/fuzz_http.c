/* SPDX-License-Identifier: MPL-2.0 */
/* Octets are the same messages however they were cut on their way. */
#include "fuzz.h"
#include "wire/http.h"

enum { MAX_SAID = 4096 };

struct said {
	unsigned n;
	struct http_step at[MAX_SAID];
	uint32_t head_sum;
};

static struct http_head head;
static struct said whole, cut;

/* Runs of data and framing count as one. */
static void say(struct said *s, struct http_step step)
{
	if (s->n && s->at[s->n - 1].event == step.event && step.event != HTTP_HEAD &&
	    step.event != HTTP_END)
		s->at[s->n - 1].n += step.n;
	else if (s->n < MAX_SAID)
		s->at[s->n++] = step;
}

static void check_head(struct said *s, struct span in)
{
	fuzz_check(head.len <= in.n && head.fields_end < head.len &&
		   head.n_fields <= HTTP_MAX_FIELDS);
	for (unsigned i = 0; i < head.n_fields; i++) {
		fuzz_check(http_is_token(http_text(in, head.field[i].name)) &&
			   head.field[i].end <= head.fields_end);
		s->head_sum = s->head_sum * 31 + head.field[i].value.at + head.field[i].value.len;
	}
	s->head_sum = s->head_sum * 31 + (uint32_t)head.length + head.status + head.method;
}

/* piece: octets that come at a time; 0: all. */
static void run(struct said *s, struct span in, bool responses, uint8_t flags, size_t piece)
{
	size_t there = piece ? 0 : in.n, done = 0;
	struct http_parser p;

	*s = (struct said){0};
	http_init(&p, responses, flags);
	p.answers = flags >> 6;
	for (;;) {
		struct http_step step = http_next(&p, span_of(in.p + done, there - done),
						  there == in.n, &head);

		fuzz_check(step.n <= there - done);
		if (step.event == HTTP_HEAD)
			check_head(s, span_of(in.p + done, there - done));
		if (step.event == HTTP_MORE && there == in.n)
			return;
		if (step.event == HTTP_MORE)
			there += in.n - there < piece ? in.n - there : piece;
		else
			say(s, step);
		if (step.event == HTTP_BAD)
			return;
		done += step.n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t flags = size ? data[0] : 0;
	struct span in = span_of(data + 1, size ? size - 1 : 0);

	if (!size)
		return 0;
	for (int responses = 0; responses < 2; responses++) {
		run(&whole, in, responses, flags, 0);
		for (size_t piece = 1; piece <= 7; piece += 3) {
			run(&cut, in, responses, flags, piece);
			fuzz_check(cut.n == whole.n && cut.head_sum == whole.head_sum);
			fuzz_check(memcmp(cut.at, whole.at, whole.n * sizeof(*whole.at)) == 0);
		}
	}
	return 0;
}
