/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Version and build report.
 */
#include "server/core/version.h"

#include "usher/hook.h"

#define STR2(x) #x
#define STR(x)	STR2(x)

const char *usher_version(void)
{
	return USHER_VERSION;
}

const char *usher_build_report(void)
{
	return "usher-server " USHER_VERSION "\n"
	       "compiler: " __VERSION__ "\n"
	       "hook ABI: " STR(USHER_HOOK_ABI) "\n"
						"lease stores: memfile\n"
						"captures: af_packet, udp, pcap";
}
