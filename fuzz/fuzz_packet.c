/* SPDX-License-Identifier: MPL-2.0 */
/* Octets as an Ethernet frame: the walk to UDP, then the message in it. */
#include "fuzz.h"
#include "packet/packet.h"
#include "wire/dhcp4.h"

static uint8_t slot[PACKET_DATA_LEN], arena_mem[PACKET_ARENA_LEN];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dhcp4_msg m;
	struct packet p;

	if (size < 1 || size - 1 > sizeof(slot))
		return 0;
	packet_init(&p, slot, sizeof(slot), arena_mem, sizeof(arena_mem));
	memcpy(slot, data + 1, size - 1);
	p.len = (uint32_t)(size - 1);
	p.flags = data[0] & PACKET_CSUM_NOT_READY;
	if (packet_decode(&p) != DROP_NONE)
		return 0;
	fuzz_check(p.l3 >= 14 && p.l4 >= p.l3 + 20 && p.app == p.l4 + 8);
	fuzz_check((size_t)p.app + p.app_len <= p.len);
	if (dhcp4_decode(packet_app(&p), true, &p.arena, &m) == 0)
		fuzz_check(m.hlen <= 16 && m.n_opts <= 254);
	return 0;
}
