/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Two places a hash, so that two addresses that collide do not chase each other out.
 */
#include "capture/switch.h"

#include "base/clock.h"
#include "base/hash.h"

enum { MAC_LEN = 6, WAYS = 2 };

static uint32_t first_way(const uint8_t *mac)
{
	return (uint32_t)hash_open(span_of(mac, MAC_LEN)) % (SWITCH_SIZE / WAYS) * WAYS;
}

void switch_learn(struct switch_table *t, struct span frame, uint16_t port, int64_t now_ns)
{
	const uint8_t *mac = frame.p + MAC_LEN;
	uint32_t i, oldest;

	if (frame.n < (size_t)2 * MAC_LEN || mac[0] & 1)
		return;
	oldest = first_way(mac);
	for (i = first_way(mac); i < first_way(mac) + WAYS; i++) {
		if (memcmp(t->at[i].mac, mac, MAC_LEN) == 0) {
			oldest = i;
			break;
		}
		if (t->at[i].seen_ns < t->at[oldest].seen_ns)
			oldest = i;
	}
	memcpy(t->at[oldest].mac, mac, MAC_LEN);
	t->at[oldest].port = port;
	t->at[oldest].seen_ns = now_ns;
}

uint32_t switch_ports(const struct switch_table *t, struct span frame, uint16_t port, unsigned n,
		      int64_t now_ns)
{
	uint32_t others = ((UINT32_C(1) << n) - 1) & ~(UINT32_C(1) << port);
	uint32_t way;

	if (frame.n < MAC_LEN || frame.p[0] & 1)
		return others;
	way = first_way(frame.p);
	for (uint32_t i = way; i < way + WAYS; i++)
		if (memcmp(t->at[i].mac, frame.p, MAC_LEN) == 0 && t->at[i].seen_ns &&
		    now_ns - t->at[i].seen_ns < SWITCH_AGE_S * NS_PER_S)
			return others & UINT32_C(1) << t->at[i].port;
	return others;
}
