/* SPDX-License-Identifier: MPL-2.0 */
/* Commands about the service: version, disable and enable, maintenance of the lease file, traces
 * of packets, shutdown. */
#include "server/manage/command.h"

#include "base/error.h"
#include "base/ip.h"
#include "lease/lease_store.h"
#include "server/core/trace.h"
#include "server/core/version.h"

#include <string.h>

struct json *command_version(struct control_call *c)
{
	struct json *m = json_map(c->arena);

	(void)json_add(c->arena, m, "extended", json_str(c->arena, usher_build_report()));
	return command_ok(c, m, "%s", usher_version());
}

struct json *command_build_report(struct control_call *c)
{
	return command_ok(c, NULL, "%s", usher_build_report());
}

struct json *command_shutdown(struct control_call *c)
{
	int64_t exit_value = 0;

	if (json_get(c->args, "exit-value") &&
	    (!command_int(c, "exit-value", &exit_value) || exit_value < 0 || exit_value > 255))
		return command_fail(c, "'exit-value' must be an integer from 0 to 255");
	daemon_shutdown(daemon_of(c), (int)exit_value);
	return command_ok(c, NULL, "shutting down");
}

static int origin_bits(struct control_call *c, unsigned *ret)
{
	static const struct {
		const char *name;
		unsigned bit;
	} origins[] = {
		{"user", SERVICE_OFF_USER},
		{"ha-partner", SERVICE_OFF_HA_REMOTE},
		{"ha-remote", SERVICE_OFF_HA_REMOTE},
		{"ha-local", SERVICE_OFF_HA_LOCAL},
	};
	const char *name = command_str(c, "origin");

	*ret = SERVICE_OFF_USER;
	for (size_t i = 0; name && i < ARRAY_LEN(origins); i++) {
		if (strcmp(origins[i].name, name) == 0) {
			*ret = origins[i].bit;
			return 0;
		}
	}
	return name ? -USHER_E_UNKNOWN : 0;
}

struct json *command_dhcp_disable(struct control_call *c)
{
	int64_t period = 0;
	unsigned bit;

	if (origin_bits(c, &bit) < 0)
		return command_fail(c, "unknown 'origin': user, ha-partner, ha-local are known");
	if (json_get(c->args, "max-period") &&
	    (!command_int(c, "max-period", &period) || period <= 0 || period > UINT32_MAX))
		return command_fail(c, "'max-period' must be a positive integer (seconds)");
	(void)atomic_fetch_or(&daemon_of(c)->srv.disabled, bit);
	daemon_enable_after(daemon_of(c), bit, (uint32_t)period);
	return period ? command_ok(c, NULL, "DHCPv4 service disabled for %lld seconds",
				   (long long)period)
		      : command_ok(c, NULL, "DHCPv4 service disabled");
}

struct json *command_dhcp_enable(struct control_call *c)
{
	unsigned bit;

	if (origin_bits(c, &bit) < 0)
		return command_fail(c, "unknown 'origin': user, ha-partner, ha-local are known");
	(void)atomic_fetch_and(&daemon_of(c)->srv.disabled, ~bit);
	daemon_enable_after(daemon_of(c), bit, 0);
	return command_ok(c, NULL, "DHCP service successfully enabled");
}

struct json *command_leases_reclaim(struct control_call *c)
{
	bool remove;

	if (!command_bool(c, "remove", &remove))
		return command_fail(c, "'remove' (true or false) is missing");
	server_reclaim(&daemon_of(c)->srv, remove, 0, 0);
	return command_ok(c, NULL, "Reclamation of expired leases is complete.");
}

struct json *command_lfc_start(struct control_call *c)
{
	int r = lease_store_cleanup(daemon_of(c)->srv.store);

	return r < 0 ? command_fail(c, "clean-up does not start: %s", usher_strerror(r))
		     : command_ok(c, NULL, "clean-up of the lease file started");
}

/* --- packet trace ----------------------------------------------------------------------------- */

static int hex_arg(struct control_call *c, const char *name, uint8_t *out, size_t cap,
		   struct span *ret)
{
	const char *s = command_str(c, name);
	int n;

	*ret = SPAN_NULL;
	if (!s)
		return json_get(c->args, name) ? -USHER_E_TYPE : 0;
	n = hex_parse(s, strlen(s), out, cap);
	if (n > 0)
		*ret = span_of(out, (size_t)n);
	return n;
}

struct json *command_trace_start(struct control_call *c)
{
	uint8_t hw[16];
	uint8_t id[255];
	struct span hw_span;
	struct span id_span;
	int64_t packets = 100;

	if (hex_arg(c, "hw-address", hw, sizeof(hw), &hw_span) < 0)
		return command_fail(c, "'hw-address' must be hex octets, as in 00:11:22:33:44:55");
	if (hex_arg(c, "client-id", id, sizeof(id), &id_span) < 0)
		return command_fail(c, "'client-id' must be hex octets");
	if (json_get(c->args, "packets") &&
	    (!command_int(c, "packets", &packets) || packets < 1 || packets > 1000000))
		return command_fail(c, "'packets' must be an integer from 1 to 1000000");
	tracer_start(daemon_of(c)->srv.tracer, hw_span, id_span, (unsigned)packets);
	return command_ok(c, NULL, "tracing %lld packets", (long long)packets);
}

struct json *command_trace_stop(struct control_call *c)
{
	tracer_stop(daemon_of(c)->srv.tracer);
	return command_ok(c, NULL, "tracing stopped");
}

struct json *command_trace_get(struct control_call *c)
{
	struct json *m = json_map(c->arena);
	bool clear = false;

	(void)command_bool(c, "clear", &clear);
	(void)json_add(c->arena, m, "traces",
		       tracer_get(daemon_of(c)->srv.tracer, c->arena, clear));
	return command_ok(c, m, "%s", "");
}
