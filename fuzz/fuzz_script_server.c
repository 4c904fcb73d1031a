/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Every function in C that a script of usher-server's hook library can get at, called with
 * arguments of every type (fuzz_api_util.h), at a hook point that the input chooses, with the
 * objects of the call: query, response, lease, classes, the handle of a parked packet, a command. A
 * call may fail; it must end, harm nothing, and give each parked packet back once.
 */
#include "fuzz.h"
#include "fuzz_api_util.h"

#include "base/arena.h"
#include "base/clock.h"
#include "config/config.h"
#include "config/json/json.h"
#include "hook/hook_lib.h"
#include "lease/lease.h"
#include "script/state/script_opts.h"
#include "server/lua/lua_hook.h"
#include "wire/dhcp4.h"
#include "wire/option_codes.h"

#include <string.h>

enum { MEMORY = 32 << 20, RAW_LEN = 300, ROUNDS = 2, FUNCTIONS_LEAST = 120 };

static struct {
	struct arena arena;
	struct config cfg;
	struct dhcp4_msg query, response;
	struct lease lease, deleted;
	struct hook_parked parked;
	uint8_t raw[RAW_LEN];
	unsigned resumed, classes;
} w;

static void print(void *ctx, struct span line)
{
	(void)ctx, (void)line;
}

static void resume(struct hook_parked *p)
{
	(void)p;
	w.resumed++;
}

static bool class_has(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "KNOWN") == 0;
}

static int class_add(void *ctx, const char *name)
{
	(void)ctx;
	w.classes += *name != '\0';
	return 0;
}

static int unpack(void *ctx)
{
	(void)ctx;
	return 0;
}

static const char rules[] =
	"local kept = {}\n"
	"for _, point in pairs(haka.dissectors.dhcp.events) do\n"
	" haka.rule{on = point, eval = function(query, call)\n"
	"  local objects = {query, call, kept}\n"
	"  for _, name in ipairs{'query', 'response', 'lease', 'deleted_lease', 'classes'} do\n"
	"   local good, value = pcall(function() return call[name] end)\n"
	"   if good and value ~= nil then objects[#objects + 1] = value end\n"
	"  end\n"
	"  local good, handle = pcall(function() return call:park() end)\n"
	"  if good then objects[#objects + 1] = handle kept[#kept + 1] = handle end\n"
	"  kept[#kept + 1] = query kept[#kept + 1] = call\n" /* they are dead at the next call */
	"  haka.probe(unpack(objects))\n"
	" end}\n"
	"end\n";

static void fill_messages(void)
{
	dhcp4_init(&w.query, &w.arena);
	dhcp4_init(&w.response, &w.arena);
	w.query.hlen = w.response.hlen = 6;
	fuzz_check(dhcp4_opt_set_u8(&w.query, DHCP4_OPT_MESSAGE_TYPE, DHCP4_REQUEST) == 0);
	fuzz_check(dhcp4_opt_set_u8(&w.response, DHCP4_OPT_MESSAGE_TYPE, DHCP4_ACK) == 0);
	w.lease = (struct lease){.addr = 0x0a000005, .subnet_id = 1, .valid_lft = 600, .hw_len = 6};
	w.deleted = w.lease;
}

static void fill_command(usher_call *c)
{
	c->command = "status-get";
	c->command_args = json_map(&w.arena);
	c->answer = json_map(&w.arena);
	fuzz_check(c->command_args && c->answer);
}

/* One call of the hook point. Parked packets are counted as the pipeline counts them. */
static void one_call(struct lua_state *st, enum hook_point point)
{
	usher_call c = {.point = point,
			.cfg = &w.cfg,
			.iface = "eth0",
			.arena = &w.arena,
			.class_has = class_has,
			.class_add = class_add,
			.unpack = unpack};

	w.parked = (struct hook_parked){.refs = 1, .resume = resume};
	fill_messages();
	if (point == HOOK_COMMAND_PROCESSED) {
		fill_command(&c);
	} else if (point != HOOK_DHCP4_SRV_CONFIGURED) {
		c.query = &w.query;
		c.response = point >= HOOK_LEASE4_SELECT ? &w.response : NULL;
		c.lease = &w.lease;
		c.deleted = point == HOOK_LEASES4_COMMITTED ? &w.deleted : NULL;
		c.raw = span_of(w.raw, RAW_LEN);
		c.raw_cap = RAW_LEN;
		c.parked = hook_point_parks(point) ? &w.parked : NULL;
	}
	(void)lua_state_call(st, point, &c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script_opts so = {.profile = SCRIPT_RESTRICTED,
				 .instructions = 2000000,
				 .memory = MEMORY,
				 .call_ms = 500,
				 .print = print,
				 .clock = &clock_system};
	struct script_error err;
	static struct lua_hook h;
	static struct hook_registry registry;
	struct lua_state *st = &h.states[0];
	struct usher_lib *lib = &registry.libs[0];

	fuzz_api_begin(data, size);
	memset(&h, 0, sizeof(h));
	memset(&w, 0, sizeof(w));
	memset(&registry, 0, sizeof(registry));
	arena_init(&w.arena);
	/* scripts compile expressions while they are loaded: here they may at any time */
	arena_init(&lib->arena);
	*lib = (struct usher_lib){.registry = &registry, .loading = true, .arena = lib->arena};
	registry.cfg = &w.cfg;
	registry.n_libs = 1;
	h.lib = lib;
	h.parked_end = &h.parked;
	(void)pthread_mutex_init(&h.park_lock, NULL);
	h.drop_on_error = fuzz_api_pick(2);
	fuzz_check(lua_state_open(st, &h, &so) == 0);
	fuzz_check(script_haka_function(st->script, "probe", fuzz_api_probe, NULL) == 0);
	fuzz_check(script_run_text(st->script, "@server.lua", span_str(rules), &err) == 0);
	for (int i = 0; i < ROUNDS; i++) {
		one_call(st, (enum hook_point)fuzz_api_pick(HOOK_N_POINTS));
		lua_park_retire(&h);
		/* all handles are back, each once */
		fuzz_check(w.parked.refs == 1);
		h.retired = false;
	}
	fuzz_check(fuzz_api_found() > FUNCTIONS_LEAST);
	lua_state_close(st);
	(void)pthread_mutex_destroy(&h.park_lock);
	arena_fini(&lib->arena);
	arena_fini(&w.arena);
	return 0;
}
