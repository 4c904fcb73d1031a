/* SPDX-License-Identifier: MPL-2.0 */
/*
 * bootp: answers BOOTP clients (RFC 951, RFC 1534), whose requests have no option 53. Such a
 * request gets the class BOOTP and is processed as a DHCPREQUEST without an address: its lease has
 * no end. The answer has no options that only DHCP clients know.
 */
#include "library/common/library.h"

#include "wire/dhcp4.h"
#include "wire/option_codes.h"

static const char bootp_class[] = "BOOTP";

struct bootp {
	struct arena arena;
};

static void parse_nothing(struct library_problems *p, const struct config *cfg,
			  const struct json *parameters, void *record)
{
	(void)p, (void)cfg, (void)parameters, (void)record;
}

/* Called at buffer4_receive. A message that cannot be decoded is left to the server, which counts
 * it. */
static int mark_bootp(usher_call *call, void *ctx)
{
	static const uint8_t request = DHCP4_REQUEST;
	usher_msg *query = usher_query(call);
	int r;

	(void)ctx;
	if (usher_status(call) == USHER_DROP)
		return 0;
	if (usher_status(call) == USHER_CONTINUE && usher_unpack(call) < 0)
		return 0;
	usher_set_status(call, USHER_SKIP);
	if (usher_msg_type(query) || usher_msg_get(query, USHER_OP) != DHCP4_BOOTREQUEST)
		return 0;
	r = usher_class_add(call, bootp_class);
	if (r < 0)
		return r;
	return usher_msg_set_option(query, DHCP4_OPT_MESSAGE_TYPE, &request, 1);
}

/* Called at pkt4_send: removes the options of DHCP. BOOTP has no answer that says no (RFC 951 7.3):
 * a NAK is dropped. */
static int strip_options(usher_call *call, void *ctx)
{
	static const uint8_t codes[] =
		{DHCP4_OPT_REQUESTED_ADDRESS, DHCP4_OPT_LEASE_TIME,
		 DHCP4_OPT_OVERLOAD,	      DHCP4_OPT_MESSAGE_TYPE,
		 DHCP4_OPT_SERVER_ID,	      DHCP4_OPT_PARAMETER_REQUEST_LIST,
		 DHCP4_OPT_MESSAGE,	      DHCP4_OPT_MAX_MESSAGE_SIZE,
		 DHCP4_OPT_RENEWAL_TIME,      DHCP4_OPT_REBINDING_TIME,
		 DHCP4_OPT_CLIENT_ID};

	(void)ctx;
	if (!usher_response(call) || !usher_class_has(call, bootp_class))
		return 0;
	if (usher_msg_type(usher_response(call)) == DHCP4_NAK) {
		usher_set_status(call, USHER_DROP);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		(void)usher_msg_del_option(usher_response(call), codes[i]);
	return 0;
}

static int start_bootp(usher_lib *lib, void *record)
{
	int r = usher_register(lib, "buffer4_receive", mark_bootp, record);

	return r < 0 ? r : usher_register(lib, "pkt4_send", strip_options, record);
}

const struct library library_bootp = {.name = "libdhcp_bootp.so",
				      .size = sizeof(struct bootp),
				      .parse = parse_nothing,
				      .start = start_bootp};
