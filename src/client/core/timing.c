/* SPDX-License-Identifier: MPL-2.0 */
/*
 * RFC 2131 4.1 (back-off), 4.4.5 (renewal), 3.1.5 (DECLINE). All of it is capped, so that no count
 * of tries can shift a bit too far.
 */
#include "client/core/timing.h"

enum { DISCOVER_STEPS = 6, DECLINE_MAX_S = 300, REFUSED_MAX_S = 60, REOPEN_MAX_S = 30 };

static int64_t doubled_s(unsigned n, int64_t first_s, int64_t max_s)
{
	int64_t s = first_s;

	while (n-- > 0 && s < max_s)
		s *= 2;
	return (s < max_s ? s : max_s) * NS_PER_S;
}

/* Returns a random number, uniform in [-width, width]. */
static int64_t jitter_ns(int64_t width, uint32_t random)
{
	return (int64_t)((uint64_t)(2 * width + 1) * random >> 32) - width;
}

int64_t client_backoff_ns(unsigned n, uint32_t random)
{
	int64_t base = doubled_s(n > 0 ? n - 1 : 0, 1, 1LL << DISCOVER_STEPS);
	int64_t width = base < 4 * NS_PER_S ? base / 10 : NS_PER_S;

	return base + jitter_ns(width / 1024, random) * 1024;
}

int64_t client_reboot_wait_ns(unsigned n, uint32_t random)
{
	int64_t base = n <= 1 ? 700 * NS_PER_MS : 1200 * NS_PER_MS;

	return base + jitter_ns(base / 20 / 1024, random) * 1024;
}

int64_t client_reacquire_ns(unsigned n, int64_t now_ns, int64_t phase_end_ns)
{
	int64_t half = phase_end_ns > now_ns ? (phase_end_ns - now_ns) / 2 : 0;

	if (half >= 60 * NS_PER_S)
		return half;
	if (n > 1)
		return 60 * NS_PER_S;
	return half > NS_PER_S ? half : NS_PER_S;
}

int64_t client_decline_wait_ns(unsigned n)
{
	return doubled_s(n > 0 ? n - 1 : 0, 10, DECLINE_MAX_S);
}

int64_t client_refused_wait_ns(unsigned n)
{
	return n <= 1 ? 0 : doubled_s(n - 2, 1, REFUSED_MAX_S);
}

int64_t client_reopen_wait_ns(unsigned n)
{
	return n <= 1 ? 100 * NS_PER_MS : doubled_s(n - 2, 1, REOPEN_MAX_S);
}
