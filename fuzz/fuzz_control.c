/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Requests (divided by NUL; the first octet says how they are cut into pieces) as the command
 * channel takes them: framing, JSON, dispatcher. A request that parses as a map was seen whole by
 * framing, and has a valid answer.
 */
#include "fuzz_server_util.h"

#include "control/channel.h"
#include "control/transport.h"

/* An answer that is made as it is read: all of it, which is valid JSON as well. */
static void read_stream(struct control_stream stream)
{
	struct config_error err;
	struct arena a;
	struct json *v;
	struct buf b;

	if (!stream.next)
		return;
	buf_init(&b);
	arena_init(&a);
	while (stream.next(stream.ctx, &b))
		continue;
	stream.fini(stream.ctx);
	fuzz_check(json_parse(span_of(b.p, b.len), &(struct json_opts){.file = ""}, &a, &v, &err) ==
		   0);
	arena_fini(&a);
	buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct control_requester from = {.transport = "unix"};
	static struct fuzz_server f;
	struct control_stream stream;
	struct config_error err;
	struct arena a;
	struct json *v;

	fuzz_server_init(&f);
	for (size_t at = 1, n = 0; at < size; at += n + 1) {
		const uint8_t *nul = memchr(data + at, '\0', size - at);
		struct span text = span_of(data + at, nul ? (size_t)(nul - data) - at : size - at);
		bool whole = fuzz_framing(text, data[0] % 64 + 1U);

		n = text.n;
		arena_init(&a);
		if (json_parse(text,
			       &(struct json_opts){.file = "", .comments = true, .max_depth = 64},
			       &a, &v, &err) == 0 &&
		    v->type == JSON_MAP && fuzz_control_harmless(v)) {
			fuzz_check(whole);
			fuzz_answer_check(
				control_plane_answer_now(f.d.plane, v, &from, &a, &stream));
			read_stream(stream);
		}
		arena_fini(&a);
	}
	fuzz_server_fini(&f);
	return 0;
}
