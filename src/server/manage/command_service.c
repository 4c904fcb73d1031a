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

	if (json_get(c->args, "exit-value") && !command_int(c, "exit-value", &exit_value))
		return command_fail(c, "parameter 'exit-value' is not an integer");
	if (exit_value < 0 || exit_value > 255)
		return command_fail(c, "'exit-value' must be an integer from 0 to 255");
	daemon_shutdown(daemon_of(c), (int)exit_value);
	return command_ok(c, NULL, "Shutting down.");
}

/* Kea's numbers of origins. Each relationship of high availability has one of a thousand. */
enum { ORIGIN_USER = 1, ORIGIN_HA_LOCAL = 1000, ORIGIN_HA_REMOTE = 2000, ORIGIN_DB = 3000 };

/* Finds an origin by its number. Returns NULL or the refusal. */
static struct json *origin_by_number(struct control_call *c, int64_t id, unsigned *ret)
{
	if (id == ORIGIN_USER)
		*ret = SERVICE_OFF_USER;
	else if (id >= ORIGIN_HA_LOCAL && id < ORIGIN_HA_REMOTE)
		*ret = SERVICE_OFF_HA_LOCAL;
	else if (id >= ORIGIN_HA_REMOTE && id < ORIGIN_DB)
		*ret = SERVICE_OFF_HA_REMOTE;
	else if (id == ORIGIN_DB)
		*ret = SERVICE_OFF_DB;
	else
		return command_fail(c, "unknown origin %lld: 1 and 1000 to 3000 are known",
				    (long long)id);
	return NULL;
}

/* Finds an origin by its name. Returns NULL or the refusal. */
static struct json *origin_by_name(struct control_call *c, const char *name, unsigned *ret)
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

	for (size_t i = 0; i < ARRAY_LEN(origins); i++) {
		if (strcmp(origins[i].name, name) == 0) {
			*ret = origins[i].bit;
			return NULL;
		}
	}
	return command_fail(c, "invalid value used for 'origin' parameter: %s",
			    name[0] ? name : "(empty string)");
}

/* Reads the origin: origin-id, which counts more, or origin. Returns NULL or the refusal. */
static struct json *parse_origin(struct control_call *c, unsigned *ret)
{
	const struct json *id = json_get(c->args, "origin-id");
	const struct json *origin = json_get(c->args, "origin");

	*ret = SERVICE_OFF_USER;
	if (id && id->type != JSON_INT)
		return command_fail(c, "'origin-id' argument must be a number");
	if (id)
		return origin_by_number(c, id->i, ret);
	if (!origin)
		return NULL;
	if (origin->type == JSON_INT)
		return origin_by_number(c, origin->i, ret);
	return origin->type == JSON_STRING
		       ? origin_by_name(c, origin->s, ret)
		       : command_fail(c, "'origin' argument must be a string or a number");
}

struct json *command_dhcp_disable(struct control_call *c)
{
	const struct json *period = json_get(c->args, "max-period");
	struct json *bad;
	unsigned bit;

	if (period && period->type != JSON_INT)
		return command_fail(c, "'max-period' argument must be a number");
	if (period && (period->i <= 0 || period->i > UINT32_MAX))
		return command_fail(c, "'max-period' must be positive integer");
	bad = parse_origin(c, &bit);
	if (bad)
		return bad;
	(void)atomic_fetch_or(&daemon_of(c)->srv.disabled, bit);
	daemon_enable_after(daemon_of(c), bit, period ? (uint32_t)period->i : 0);
	return period ? command_ok(c, NULL, "DHCPv4 service disabled for %lld seconds",
				   (long long)period->i)
		      : command_ok(c, NULL, "DHCPv4 service disabled");
}

struct json *command_dhcp_enable(struct control_call *c)
{
	unsigned bit;
	struct json *bad = parse_origin(c, &bit);

	if (bad)
		return bad;
	(void)atomic_fetch_and(&daemon_of(c)->srv.disabled, ~bit);
	daemon_enable_after(daemon_of(c), bit, 0);
	return command_ok(c, NULL, "DHCP service successfully enabled");
}

struct json *command_leases_reclaim(struct control_call *c)
{
	const struct json *remove = json_get(c->args, "remove");

	if (!remove)
		return command_fail(c, "Missing mandatory 'remove' parameter.");
	if (remove->type != JSON_BOOL)
		return command_fail(c, "'remove' parameter expected to be a boolean.");
	server_reclaim(&daemon_of(c)->srv, remove->b, 0, 0);
	return command_ok(c, NULL, "Reclamation of expired leases is complete.");
}

struct json *command_lfc_start(struct control_call *c)
{
	struct lease_store *store = daemon_of(c)->srv.store;
	struct lease_store_stats st;
	int r;

	lease_store_stats(store, &st);
	if (lease_store_place(store))
		return control_answer(c->arena, CONTROL_UNSUPPORTED,
				      "the leases are in a database, which needs no clean-up");
	if (!st.persist)
		return control_answer(c->arena, CONTROL_UNSUPPORTED,
				      "'persist' parameter of 'memfile' lease backend was "
				      "configured to 'false'");
	r = lease_store_cleanup(store);
	if (r == -USHER_E_IN_USE)
		return control_answer(c->arena, CONTROL_EMPTY, "kea-lfc already running");
	return r < 0 ? command_fail(c, "failed to start kea-lfc: %s", usher_strerror(r))
		     : command_ok(c, NULL, "kea-lfc started");
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
