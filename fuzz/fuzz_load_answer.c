/* SPDX-License-Identifier: MPL-2.0 */
/* The load generator's quick look at an answer and the whole decoder say the same. */
#include "fuzz.h"
#include "tools/load_check.h"
#include "wire/dhcp4.h"
#include "wire/option_codes.h"

static uint8_t quick_mem[LOAD_ARENA_LEN], whole_mem[1 << 20];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena quick, whole;
	struct load_answer a;
	struct dhcp4_msg m;
	uint32_t v = 0;
	uint8_t type;

	arena_init_fixed(&quick, quick_mem, sizeof(quick_mem));
	arena_init_fixed(&whole, whole_mem, sizeof(whole_mem));
	if (size > 1472 || load_answer_parse(span_of(data, size), &quick, &a) != LOAD_E_NONE)
		return 0;
	fuzz_check(dhcp4_decode(span_of(data, size), false, &whole, &m) == 0);
	fuzz_check(a.xid == m.xid && a.yiaddr == m.yiaddr && a.giaddr == m.giaddr);
	fuzz_check(a.type == (dhcp4_opt_u8(&m, DHCP4_OPT_MESSAGE_TYPE, &type) ? type : 0));
	fuzz_check(!dhcp4_opt_u32(&m, DHCP4_OPT_SERVER_ID, &v) || v == a.server_id);
	fuzz_check(dhcp4_opt_u32(&m, DHCP4_OPT_LEASE_TIME, &v) == a.has_lease_time);
	fuzz_check(span_eq(a.client_id, dhcp4_opt_data(&m, DHCP4_OPT_CLIENT_ID)));
	fuzz_check(span_eq(a.agent, dhcp4_opt_data(&m, DHCP4_OPT_AGENT_OPTIONS)));
	return 0;
}
