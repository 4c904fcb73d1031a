/* SPDX-License-Identifier: MPL-2.0 */
/* A stream of bulk lease queries: frames lie inside of it, and a query that is read has a
 * criterion, times in their order, or a status with a reason. */
#include "fuzz.h"
#include "library/lease_query/bulk.h"

#include "base/arena.h"

static void check_query(const struct bulk_query *q)
{
	bool criterion = q->key_len > 0 && q->first <= q->last;

	fuzz_check(q->status == BULK_SUCCESS ? criterion && !q->reason : q->reason != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span stream = span_of(data, size), message;
	struct bulk_query q;
	struct arena arena;
	size_t n;

	arena_init(&arena);
	while ((n = bulk_frame_next(stream, &message)) > 0) {
		fuzz_check(n == message.n + 2 && n <= stream.n);
		if (bulk_query_read(message, &arena, &q) < 0)
			break;
		check_query(&q);
		arena_reset(&arena);
		stream = span_of(stream.p + n, stream.n - n);
	}
	arena_fini(&arena);
	return 0;
}
