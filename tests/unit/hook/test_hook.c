/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The hook ABI and the registry. Functions of include/usher/hook.h are called through CALL, which
 * notes their names; the last test reads the header and fails if one of them was never called.
 */
#include "unit/unit.h"

#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "hook/hook.h"
#include "hook/hook_lib.h"
#include "lease/lease.h"
#include "wire/dhcp4.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAMES_MAX = 128, ARENA_LEN = 4096 };

static const char *called[NAMES_MAX];
static size_t n_called;

static void note(const char *name)
{
	for (size_t i = 0; i < n_called; i++)
		if (strcmp(called[i], name) == 0)
			return;
	called[n_called++] = name;
}

#define CALL(fn) (note(#fn), fn)

/* --- members of a call ------------------------------------------------------------------------ */

struct world {
	struct arena arena;
	struct dhcp4_msg query, response;
	struct lease lease, deleted;
	struct hook_parked parked;
	struct config cfg;
	struct config_subnet subnet;
	unsigned resumed;
	const char *class_name;
	bool unpacks;
};

enum { CONFIG_REFS = 1000 }; /* more than registries give back */

static struct world w;
static uint8_t arena_mem[ARENA_LEN];

static void resume(struct hook_parked *p)
{
	assert_ptr_equal(p, &w.parked);
	w.resumed++;
}

static bool class_has(void *ctx, const char *name)
{
	const struct world *x = ctx;

	return x->class_name && strcmp(x->class_name, name) == 0;
}

static int class_add(void *ctx, const char *name)
{
	struct world *x = ctx;

	x->class_name = name;
	return strcmp(name, "known") == 0 ? 0 : -ENOENT;
}

static int unpack(void *ctx)
{
	return ((struct world *)ctx)->unpacks ? 0 : -1;
}

static struct usher_call call_at(enum hook_point p)
{
	static const uint8_t bytes[] = {1, 2, 3};

	return (struct usher_call){
		.point = p,
		.query = &w.query,
		.response = &w.response,
		.raw = span_of(bytes, 3),
		.raw_cap = 8,
		.iface = "eth0",
		.src = 0x0a000001,
		.dst = 0x0a000002,
		.subnet_id = 7,
		.lease = &w.lease,
		.deleted = &w.deleted,
		.fake_allocation = true,
		.remove_lease = true,
		.arena = &w.arena,
		.cfg = &w.cfg,
		.class_has = class_has,
		.class_add = class_add,
		.unpack = unpack,
		.ctx = &w,
		.parked = &w.parked,
	};
}

static int setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	arena_init_fixed(&w.arena, arena_mem, sizeof(arena_mem));
	dhcp4_init(&w.query, &w.arena);
	dhcp4_init(&w.response, &w.arena);
	w.parked.resume = resume;
	w.parked.refs = 1;
	return 0;
}

/* --- the call --------------------------------------------------------------------------------- */

static void test_call_arguments(void **state)
{
	struct usher_call c = call_at(HOOK_PKT4_RECEIVE);

	(void)state;
	assert_int_equal(CALL(usher_status)(&c), USHER_CONTINUE);
	CALL(usher_set_status)(&c, USHER_SKIP);
	assert_int_equal(usher_status(&c), USHER_SKIP);
	assert_string_equal(CALL(usher_hook_point)(&c), "pkt4_receive");
	assert_ptr_equal(CALL(usher_query)(&c), &w.query);
	assert_ptr_equal(CALL(usher_response)(&c), &w.response);
	assert_string_equal(CALL(usher_interface)(&c), "eth0");
	assert_int_equal(CALL(usher_source)(&c), 0x0a000001);
	assert_int_equal(CALL(usher_destination)(&c), 0x0a000002);
	assert_int_equal(CALL(usher_subnet_id)(&c), 7);
	assert_true(CALL(usher_fake_allocation)(&c));
	assert_true(CALL(usher_remove_lease)(&c));
	assert_ptr_equal(CALL(usher_lease4)(&c), &w.lease);
	assert_ptr_equal(CALL(usher_deleted_lease4)(&c), &w.deleted);
	CALL(usher_set_address_in_use)(&c, true);
	assert_true(c.address_in_use);
	c.iface = NULL;
	assert_string_equal(usher_interface(&c), "");
}

static void test_raw(void **state)
{
	static const uint8_t more[] = {9, 8, 7, 6};
	struct usher_call c = call_at(HOOK_BUFFER4_RECEIVE);
	size_t n;

	(void)state;
	assert_int_equal(CALL(usher_raw)(&c, &n)[2], 3);
	assert_int_equal(n, 3);
	assert_int_equal(CALL(usher_set_raw)(&c, more, 4), 0);
	assert_true(c.raw_replaced);
	assert_memory_equal(usher_raw(&c, &n), more, 4);
	assert_ptr_not_equal(usher_raw(&c, &n), more);
	assert_int_equal(usher_set_raw(&c, more, 9), -ENOSPC);
	c.raw_cap = 0;
	assert_int_equal(usher_set_raw(&c, more, 4), -EINVAL);
	assert_int_equal(CALL(usher_unpack)(&c), -EBADMSG);
	w.unpacks = true;
	assert_int_equal(usher_unpack(&c), 0);
	c.unpack = NULL;
	assert_int_equal(usher_unpack(&c), -EINVAL);
}

static void test_classes(void **state)
{
	struct usher_call c = call_at(HOOK_PKT4_RECEIVE);

	(void)state;
	assert_false(CALL(usher_class_has)(&c, "known"));
	assert_int_equal(CALL(usher_class_add)(&c, "known"), 0);
	assert_true(usher_class_has(&c, "known"));
	assert_int_equal(usher_class_add(&c, "unheard of"), -ENOENT);
	c.class_has = NULL;
	c.class_add = NULL;
	assert_false(usher_class_has(&c, "known"));
	assert_int_equal(usher_class_add(&c, "known"), -EINVAL);
}

static void test_points_of_their_own(void **state)
{
	struct usher_call c = call_at(HOOK_HOST4_IDENTIFIER);

	(void)state;
	assert_int_equal(CALL(usher_set_host_id)(&c, (const uint8_t *)"abc", 3), 0);
	assert_memory_equal(c.host_id.p, "abc", 3);
	assert_int_equal(CALL(usher_set_subnet_id)(&c, 7), -EINVAL);
	c = call_at(HOOK_SUBNET4_SELECT);
	assert_int_equal(usher_set_host_id(&c, (const uint8_t *)"abc", 3), -EINVAL);
}

static void test_command(void **state)
{
	struct usher_call c = call_at(HOOK_COMMAND_PROCESSED);
	struct json *args = json_map(&w.arena);

	(void)state;
	assert_null(CALL(usher_command_name)(&c));
	assert_null(CALL(usher_command_arguments)(&c));
	assert_int_equal(CALL(usher_command_set_answer)(&c, "{}"), -EINVAL);
	(void)json_add(&w.arena, args, "a", json_int(&w.arena, 1));
	c.command = "lease4-get";
	c.answer = args;
	assert_string_equal(usher_command_name(&c), "lease4-get");
	assert_string_equal(usher_command_arguments(&c), "null");
	c.command_args = args;
	assert_non_null(strstr(usher_command_arguments(&c), "\"a\""));
	assert_int_equal(usher_command_set_answer(&c, "[1]"), -EINVAL);
	assert_int_equal(usher_command_set_answer(&c, "{ \"b\""), -EINVAL);
	assert_int_equal(usher_command_set_answer(&c, "{ \"b\": 2 }"), 0);
	assert_non_null(strstr(CALL(usher_command_answer)(&c), "\"b\""));
}

/* --- messages and leases ---------------------------------------------------------------------- */

static void test_fields(void **state)
{
	static const enum usher_field all[] = {USHER_OP,     USHER_HTYPE,  USHER_HLEN,
					       USHER_HOPS,   USHER_XID,	   USHER_SECS,
					       USHER_FLAGS,  USHER_CIADDR, USHER_YIADDR,
					       USHER_SIADDR, USHER_GIADDR};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		CALL(usher_msg_set)(&w.query, all[i], (uint32_t)i + 1);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		assert_int_equal(CALL(usher_msg_get)(&w.query, all[i]), i + 1);
	usher_msg_set(&w.query, USHER_HLEN, 200); /* cannot run over chaddr */
	assert_int_equal(usher_msg_get(&w.query, USHER_HLEN), 16);
	w.query.chaddr[15] = 9;
	assert_int_equal(CALL(usher_msg_chaddr)(&w.query)[15], 9);
}

static void test_options(void **state)
{
	size_t n = 99;

	(void)state;
	assert_null(CALL(usher_msg_option)(&w.query, 12, &n));
	assert_int_equal(n, 0);
	assert_int_equal(CALL(usher_msg_type)(&w.query), 0);
	assert_int_equal(CALL(usher_msg_set_option)(&w.query, 53, (const uint8_t[]){1}, 1), 0);
	assert_int_equal(usher_msg_type(&w.query), 1);
	assert_int_equal(usher_msg_set_option(&w.query, 80, NULL, 0), 0);
	assert_non_null(usher_msg_option(&w.query, 80, &n)); /* there, and empty */
	assert_int_equal(n, 0);
	assert_int_equal(CALL(usher_msg_del_option)(&w.query, 80), 0);
	assert_int_equal(usher_msg_del_option(&w.query, 80), -ENOENT);
	assert_int_equal(usher_msg_set_option(&w.query, 12, arena_mem, sizeof(arena_mem)), -ENOMEM);
}

static void test_texts(void **state)
{
	size_t n;

	(void)state;
	memset(w.query.sname, 'x', sizeof(w.query.sname));
	assert_int_equal(CALL(usher_msg_set_text)(&w.query, USHER_FILE, arena_mem, 128), -ENOSPC);
	assert_int_equal(usher_msg_set_text(&w.query, USHER_FILE, w.query.sname, 4), 0);
	assert_string_equal((const char *)w.query.file, "xxxx");
	assert_ptr_equal(CALL(usher_msg_text)(&w.query, USHER_SNAME, &n), w.query.sname);
	assert_int_equal(n, 64);
	assert_int_equal(usher_msg_set_text(&w.query, USHER_FILE, NULL, 0), 0);
	(void)usher_msg_text(&w.query, USHER_FILE, &n);
	assert_int_equal(n + w.query.file[1], 0);
}

static void test_leases(void **state)
{
	char longest[LEASE_HOSTNAME_MAX + 2];
	size_t n;

	(void)state;
	w.lease = (struct lease){.addr = 0xc0000201,
				 .valid_lft = 3600,
				 .state = LEASE_ASSIGNED,
				 .hw_len = 6,
				 .hw = {1, 2, 3, 4, 5, 6},
				 .client_id_len = 2,
				 .client_id = {7, 8}};
	assert_int_equal(CALL(usher_lease_address)(&w.lease), 0xc0000201);
	assert_int_equal(CALL(usher_lease_lifetime)(&w.lease), 3600);
	assert_int_equal(CALL(usher_lease_set_lifetime)(&w.lease, 60), 0);
	assert_int_equal(usher_lease_lifetime(&w.lease), 60);
	assert_int_equal(usher_lease_set_lifetime(&w.lease, 0), -EINVAL);
	assert_int_equal(CALL(usher_lease_state)(&w.lease), LEASE_ASSIGNED);
	assert_int_equal(CALL(usher_lease_set_hostname)(&w.lease, "host"), 0);
	assert_string_equal(CALL(usher_lease_hostname)(&w.lease), "host");
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(usher_lease_set_hostname(&w.lease, longest), -ENOSPC);
	assert_int_equal(CALL(usher_lease_hw)(&w.lease, &n)[5], 6);
	assert_int_equal(n, 6);
	assert_int_equal(CALL(usher_lease_client_id)(&w.lease, &n)[1], 8);
	assert_int_equal(n, 2);
}

static int stored_context(void *ctx, const struct lease *l, const char **ret)
{
	(void)ctx;
	*ret = l->addr ? "{ \"a\": 1 }" : NULL;
	return 0;
}

static int update_lease(void *ctx)
{
	return ((struct world *)ctx)->unpacks ? 0 : -ESTALE;
}

static void test_lease_context(void **state)
{
	static const struct hook_services services = {.stored_context = stored_context,
						      .update_lease = update_lease};
	struct usher_call c = call_at(HOOK_LEASES4_COMMITTED);
	static char longest[LEASE_CONTEXT_MAX + 16];
	const char *text;

	(void)state;
	c.services = &services;
	w.lease = (struct lease){.addr = 0xc0000201};
	assert_int_equal(CALL(usher_lease4_context)(&c, &text), 0);
	assert_string_equal(text, "{ \"a\": 1 }"); /* the packet has not changed it */
	assert_int_equal(CALL(usher_lease4_set_context)(&c, "{\"b\":2}"), 0);
	assert_int_equal(usher_lease4_context(&c, &text), 0);
	assert_string_equal(text, "{\"b\":2}");
	assert_int_equal(usher_lease4_set_context(&c, "[1]"), -EINVAL);
	assert_int_equal(usher_lease4_set_context(&c, "{"), -EINVAL);
	(void)snprintf(longest, sizeof(longest), "{\"c\":\"%*d\"}", LEASE_CONTEXT_MAX, 1);
	assert_int_equal(usher_lease4_set_context(&c, longest), -ENOSPC);
	assert_int_equal(usher_lease4_context(&c, &text), 0);
	assert_string_equal(text, "{\"b\":2}"); /* a refusal changes nothing */
	assert_int_equal(CALL(usher_lease4_update)(&c), -ESTALE);
	w.unpacks = true;
	assert_int_equal(usher_lease4_update(&c), 0);

	c = call_at(HOOK_LEASE4_SELECT); /* a new lease: nothing is stored yet */
	c.services = &services;
	w.lease.user_context = NULL;
	assert_int_equal(usher_lease4_context(&c, &text), 0);
	assert_null(text);
	assert_int_equal(usher_lease4_update(&c), -EINVAL);
	c = call_at(HOOK_LEASE4_RELEASE);
	assert_int_equal(usher_lease4_set_context(&c, "{}"), -EINVAL);
	c.lease = NULL;
	assert_int_equal(usher_lease4_context(&c, &text), -EINVAL);
}

/* --- parking ---------------------------------------------------------------------------------- */

static void test_park(void **state)
{
	struct usher_call c = call_at(HOOK_LEASES4_COMMITTED);
	usher_parked *a = CALL(usher_park)(&c);
	usher_parked *b = usher_park(&c);

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	CALL(usher_unpark)(a);
	(void)atomic_fetch_sub(&w.parked.refs, 1); /* the pipeline's own */
	assert_int_equal(w.resumed, 0);
	CALL(usher_unpark_drop)(b);
	assert_int_equal(w.resumed, 1);
	assert_true(w.parked.dropped);

	w.parked.refs = 0;
	CALL(usher_unpark_in_use)(usher_park(&c));
	assert_true(w.parked.in_use);
	assert_int_equal(w.resumed, 2);

	c = call_at(HOOK_PKT4_RECEIVE);
	assert_null(usher_park(&c));
	c = call_at(HOOK_LEASE4_OFFER);
	c.parked = NULL;
	assert_null(usher_park(&c));
}

/* --- libraries and the registry --------------------------------------------------------------- */

static void test_library(void **state)
{
	static const char text[] = "{ \"path\": \"/x\", \"n\": 7 }";
	struct usher_lib lib = {.path = (char[]){"probe"}, .parameters = (char[]){"{}"}};
	struct json_opts o = {.file = ""};
	struct config_error err;
	struct json *params;
	void *slots[HOOK_MAX_LIBS] = {0};
	struct usher_call c = call_at(HOOK_PKT4_RECEIVE);
	int mine;

	(void)state;
	assert_int_equal(json_parse(span_str(text), &o, &w.arena, &params, &err), 0);
	lib.params = params;
	assert_string_equal(CALL(usher_parameters)(&lib), "{}");
	assert_string_equal(CALL(usher_parameter_str)(&lib, "path"), "/x");
	assert_null(usher_parameter_str(&lib, "n"));
	assert_int_equal(CALL(usher_parameter_int)(&lib, "n", 1), 7);
	assert_int_equal(usher_parameter_int(&lib, "path", 1), 1);
	CALL(usher_lib_set)(&lib, &mine);
	assert_ptr_equal(CALL(usher_lib_get)(&lib), &mine);
	CALL(usher_log)(&lib, USHER_LOG_INFO, "a NULL log writes nothing");
	assert_int_equal(CALL(usher_register)(&lib, "pkt4_receive", NULL, NULL), -EBUSY);

	lib.index = 3;
	c.lib = &lib;
	CALL(usher_packet_set)(&c, &mine);
	assert_null(CALL(usher_packet_get)(&c)); /* no packet here */
	c.packet_data = slots;
	usher_packet_set(&c, &mine);
	assert_ptr_equal(usher_packet_get(&c), &mine);
	assert_ptr_equal(slots[3], &mine);
}

static int says(usher_call *call, void *ctx)
{
	usher_set_status(call, *(enum usher_next_step *)ctx);
	return 0;
}

static int fails(usher_call *call, void *ctx)
{
	(void)call;
	(void)ctx;
	return -EIO;
}

/* Callouts run in order, the last word counts; PARK without a handle, or where it may not be, is
 * CONTINUE. */
static void test_registry(void **state)
{
	static enum usher_next_step drop = USHER_DROP;
	static enum usher_next_step skip = USHER_SKIP;
	static enum usher_next_step park = USHER_PARK;
	struct config_error err = {0};
	struct hook_registry *r = NULL;
	struct usher_call c = call_at(HOOK_PKT4_RECEIVE);

	(void)state;
	w.cfg.refs = CONFIG_REFS;
	assert_false(hook_any(NULL, HOOK_PKT4_RECEIVE));
	assert_int_equal(hook_registry_new(&(struct hook_registry_opts){.cfg = &w.cfg}, &r, &err),
			 0);
	assert_false(hook_any(r, HOOK_PKT4_RECEIVE));
	assert_int_equal(hook_register_builtin(r, "a", HOOK_PKT4_RECEIVE, says, &drop), 0);
	assert_int_equal(hook_register_builtin(r, "b", HOOK_PKT4_RECEIVE, fails, NULL), 0);
	assert_int_equal(hook_register_builtin(r, "c", HOOK_PKT4_RECEIVE, says, &skip), 0);
	assert_true(hook_any(r, HOOK_PKT4_RECEIVE));
	assert_int_equal(hook_call(r, &c), USHER_SKIP);
	assert_int_equal(hook_failures(r), 1);
	assert_int_equal(hook_register_builtin(r, "d", HOOK_PKT4_RECEIVE, says, &park), 0);
	assert_int_equal(hook_call(r, &c), USHER_CONTINUE);
	assert_int_equal(hook_register_builtin(r, "e", HOOK_LEASES4_COMMITTED, says, &park), 0);
	c = call_at(HOOK_LEASES4_COMMITTED);
	assert_int_equal(hook_call(r, &c), USHER_CONTINUE);
	assert_ptr_equal(hook_registry_ref(r), r);
	hook_registry_unref(r);
	hook_registry_unref(r);
}

/* --- libraries in the program ----------------------------------------------------------------- */

static unsigned n_retired, n_unloaded;

static int inside_load(struct usher_lib *lib, const struct hook_registry_opts *o,
		       const struct config_hook_library *conf, struct config_error *err)
{
	(void)o;
	if (conf->parameters)
		return config_error_set(err, &conf->pos, -USHER_E_HOOK, "takes no parameters");
	return usher_register(lib, "pkt4_receive", fails, NULL);
}

static void inside_retire(struct usher_lib *lib)
{
	(void)lib;
	n_retired++;
}

static void inside_unload(struct usher_lib *lib)
{
	(void)lib;
	n_unloaded++;
}

static const struct hook_builtin builtins[] =
	{{.name = "inside", .load = inside_load, .retire = inside_retire, .unload = inside_unload},
	 {0}};

static int load(const char *path, struct hook_registry **ret, struct config_error *err)
{
	struct config_hook_library h = {.library = path};
	static struct config cfg; /* the registry keeps it */

	cfg = (struct config){.refs = CONFIG_REFS, .hooks = &h, .n_hooks = 1};
	return hook_registry_new(&(struct hook_registry_opts){.cfg = &cfg, .builtins = builtins},
				 ret, err);
}

static void test_load(void **state)
{
	struct config_error err = {0};
	struct hook_registry *r = NULL;

	(void)state;
	assert_int_equal(load("/nowhere/x.so", &r, &err), -USHER_E_HOOK);
	assert_non_null(strstr(err.text, "/nowhere/x.so"));
	assert_int_equal(load("libc.so.6", &r, &err), -USHER_E_HOOK);
	assert_non_null(strstr(err.text, "usher_hook_version"));
	assert_int_equal(load(getenv("USHER_EXAMPLE"), &r, &err), 0);
	assert_true(hook_any(r, HOOK_BUFFER4_RECEIVE));
	assert_true(hook_any(r, HOOK_BUFFER4_SEND));
	assert_false(hook_any(r, HOOK_LEASE4_SELECT));
	hook_registry_unref(r);
	/* the loader has called the exports of libraries */
	note("usher_hook_version");
	note("usher_hook_load");
	note("usher_hook_unload");
}

static void test_builtin(void **state)
{
	static const struct json params = {.type = JSON_MAP};
	struct config_hook_library h = {.library = "inside", .parameters = &params};
	struct config cfg = {.refs = CONFIG_REFS, .hooks = &h, .n_hooks = 1};
	struct usher_call c = call_at(HOOK_PKT4_RECEIVE);
	struct config_error err = {0};
	struct hook_registry *r = NULL;

	(void)state;
	n_retired = n_unloaded = 0;
	assert_int_equal(hook_registry_new(&(struct hook_registry_opts){.cfg = &cfg,
									.builtins = builtins},
					   &r, &err),
			 -USHER_E_HOOK);
	assert_non_null(strstr(err.text, "takes no parameters"));
	assert_int_equal(n_unloaded, 0);
	assert_int_equal(load("inside", &r, &err), 0);
	assert_true(hook_registry_reloads(r));
	assert_false(hook_registry_reloads(NULL));
	assert_int_equal(hook_call(r, &c), USHER_CONTINUE);
	assert_int_equal(hook_failures(r), 1);
	hook_registry_retire(NULL);
	hook_registry_retire(r);
	assert_int_equal(n_retired, 1);
	hook_registry_unref(r);
	assert_int_equal(n_unloaded, 1);
}

/* --- expressions, losses, predecessors -------------------------------------------------------- */

static const usher_expression *octets_of, *condition_of;
static unsigned n_evaluated;

static int evaluate(usher_call *c, void *ctx)
{
	const char *reason = NULL;
	const uint8_t *p = NULL;
	struct dhcp4_msg other;
	bool holds = false;
	size_t n = 0;

	(void)ctx;
	n_evaluated++;
	assert_int_equal(CALL(usher_expression_octets)(c, octets_of, c->query, &p, &n, &reason), 0);
	assert_int_equal(n, 3);
	assert_memory_equal(p, "abx", 3);
	assert_int_equal(CALL(usher_expression_holds)(c, condition_of, c->query, &holds, NULL), 0);
	assert_true(holds);
	assert_int_equal(usher_expression_holds(c, condition_of, c->response, &holds, NULL), 0);
	assert_false(holds);
	/* the response has no option 60 of four octets */
	assert_int_equal(usher_expression_octets(c, octets_of, c->response, &p, &n, &reason),
			 -EDOM);
	assert_non_null(strstr(reason, "4"));
	assert_int_equal(usher_expression_octets(c, octets_of, c->response, &p, &n, NULL), -EDOM);
	dhcp4_init(&other, &w.arena);
	assert_int_equal(usher_expression_octets(c, octets_of, &other, &p, &n, &reason), -EINVAL);
	assert_int_equal(usher_expression_holds(c, condition_of, NULL, &holds, NULL), -EINVAL);
	assert_int_equal(usher_expression_holds(c, NULL, c->query, &holds, NULL), -EINVAL);
	return 0;
}

static int expression_load(struct usher_lib *lib, const struct hook_registry_opts *o,
			   const struct config_hook_library *conf, struct config_error *err)
{
	static const char text[] = "concat('ab', ifelse(option[60].exists, option[60].hex, "
				   "uint32totext(0x01)))";
	const usher_expression *e = NULL;
	const char *error = NULL;

	(void)o, (void)conf, (void)err;
	assert_int_equal(CALL(usher_expression_compile)(lib, "option[60.hex", false, &e, &error),
			 -EINVAL);
	assert_non_null(strstr(error, "1:10"));
	assert_int_equal(usher_expression_compile(lib, "option[60].hex", true, &e, NULL), -EINVAL);
	assert_null(e);
	assert_int_equal(usher_expression_compile(lib, text, false, &octets_of, &error), 0);
	assert_int_equal(usher_expression_compile(lib, "option[60].hex == 'x'", true, &condition_of,
						  &error),
			 0);
	return usher_register(lib, "pkt4_receive", evaluate, NULL);
}

static void test_expressions(void **state)
{
	static const struct hook_builtin inside[] = {{.name = "lib",
						      .load = expression_load,
						      .unload = inside_unload},
						     {0}};
	struct config_hook_library h[] = {{.library = "lib"}, {.library = "lib"}};
	struct config cfg = {.refs = CONFIG_REFS, .hooks = h, .n_hooks = 2};
	struct hook_registry_opts o = {.cfg = &cfg, .builtins = inside};
	struct usher_call c = call_at(HOOK_PKT4_RECEIVE);
	struct hook_registry *r = NULL, *next = NULL;
	const usher_expression *e = NULL;
	struct config_error err = {0};

	(void)state;
	assert_int_equal(hook_registry_new(&o, &r, &err), 0);
	assert_int_equal(dhcp4_opt_set(&w.query, 60, span_str("x")), 0);
	n_evaluated = 0;
	(void)hook_call(r, &c);
	assert_int_equal(n_evaluated, 2);
	assert_int_equal(hook_failures(r), 0);
	c.arena = NULL;
	assert_int_equal(usher_expression_octets(&c, octets_of, c.query, &(const uint8_t *){0},
						 &(size_t){0}, NULL),
			 -EINVAL);
	assert_int_equal(usher_expression_compile(&r->libs[0], "'x'", false, &e, NULL), -EBUSY);
	assert_true(hook_registry_reloads(r));

	/* losses are those of a name, and continue; a library follows that of its place */
	assert_int_equal(hook_lost(r), 0);
	hook_count_lost(&r->libs[0], 2);
	hook_count_lost(&r->libs[1], 3);
	assert_int_equal(hook_lost(r), 5);
	o.before = r;
	assert_int_equal(hook_registry_new(&o, &next, &err), 0);
	assert_int_equal(hook_lost(next), 5);
	next->before = r;
	assert_ptr_equal(hook_lib_before(&next->libs[0]), &r->libs[0]);
	assert_ptr_equal(hook_lib_before(&next->libs[1]), &r->libs[1]);
	r->n_libs = 1;
	assert_null(hook_lib_before(&next->libs[1]));
	r->n_libs = 2;
	next->before = NULL;
	assert_null(hook_lib_before(&next->libs[0]));
	assert_int_equal(hook_lost(NULL), 0);
	hook_registry_unref(r);
	hook_registry_unref(next);
}

/* --- Commands --------------------------------------------------------------------------------- */

static int answer_call(usher_call *call, void *ctx)
{
	const char *how = CALL(usher_command_str)(call, "how");

	assert_string_equal(ctx, "mine");
	assert_string_equal(usher_hook_point(call), "");
	assert_null(usher_query(call));
	assert_string_equal(CALL(usher_command_requester)(call), "uid 7, pid 8");
	assert_int_equal(CALL(usher_command_int)(call, "n", -1), 5);
	assert_int_equal(usher_command_int(call, "how", -1), -1);
	assert_true(CALL(usher_command_bool)(call, "yes", false));
	assert_true(usher_command_bool(call, "n", true));
	if (strcmp(how, "fails") == 0)
		return -EIO;
	if (strcmp(how, "says nothing") == 0)
		return 0;
	if (strcmp(how, "no result") == 0)
		return usher_command_set_answer(call, "{ \"a\": 1 }");
	assert_int_equal(CALL(usher_command_reply)(call, -1, NULL, NULL), -EINVAL);
	assert_int_equal(usher_command_reply(call, 0, NULL, "{ x"), -EINVAL);
	return usher_command_reply(call, 3, "none", "{ \"list\": [] }");
}

static const struct usher_command good = {.name = "inside-get",
					  .arguments = "how:text n:int [yes:bool]",
					  .help = "Answers.",
					  .access = USHER_READ,
					  .fn = answer_call,
					  .ctx = (char[]){"mine"}};

static bool is_version_get(const char *name)
{
	return strcmp(name, "version-get") == 0;
}

static void assert_refused(struct usher_lib *lib, struct usher_command c, int result)
{
	assert_int_equal(CALL(usher_register_command)(lib, &c), result);
}

static int load_commands(struct usher_lib *lib, const struct hook_registry_opts *o,
			 const struct config_hook_library *conf, struct config_error *err)
{
	struct usher_command c = good;
	char why[256];

	(void)o;
	if (conf->parameters && usher_register_command(lib, &good) == -EEXIST)
		return config_error_set(err, &conf->pos, -USHER_E_HOOK, "%s", lib->refusal);
	assert_refused(lib, good, 0);
	assert_refused(lib, good, -EEXIST);
	assert_string_equal(lib->refusal,
			    "command 'inside-get' is a command of hook library inside already");
	c.name = "version-get";
	assert_refused(lib, c, -EEXIST);
	assert_int_equal(hook_command_check(lib, c.name, "", why, sizeof(why)), -EEXIST);
	assert_string_equal(why, "command 'version-get' is a command of the server already");
	c.name = "Get";
	assert_refused(lib, c, -EINVAL);
	c.name = "more-get";
	c.arguments = "how:texts";
	assert_refused(lib, c, -EINVAL);
	c.arguments = NULL;
	c.fn = NULL;
	assert_refused(lib, c, -EINVAL);
	c.fn = answer_call;
	c.name = why;
	for (unsigned i = 1; i <= HOOK_MAX_COMMANDS; i++) {
		(void)snprintf(why, sizeof(why), "more-%u", i);
		assert_refused(lib, c, i < HOOK_MAX_COMMANDS ? 0 : -ENOSPC);
	}
	return 0;
}

/* Calls the first command of a registry with the text `how`, and asserts its answer. */
static void assert_command(struct hook_registry *r, const char *how, int64_t result,
			   const char *text)
{
	struct control_requester from = {.transport = "unix", .uid = 7, .pid = 8};
	struct control_call c = {.name = "inside-get", .from = &from};
	struct json *args, *answer;
	const struct control_command *row;
	struct arena a;
	int64_t have = -1;
	size_t n;

	arena_init(&a);
	args = json_map(&a);
	(void)json_add(&a, args, "how", json_str(&a, how));
	(void)json_add(&a, args, "n", json_int(&a, 5));
	(void)json_add(&a, args, "yes", json_bool(&a, true));
	row = hook_registry_commands(r, &n);
	assert_int_equal(n, HOOK_MAX_COMMANDS);
	c.args = args;
	c.arena = &a;
	c.ctx = row->ctx;
	answer = row->fn(&c);
	assert_true(json_get_int(answer, "result", &have));
	assert_int_equal(have, result);
	if (text)
		assert_string_equal(json_get_str(answer, "text"), text);
	else
		assert_null(json_get(answer, "text"));
	arena_fini(&a);
}

static void test_commands(void **state)
{
	static const struct hook_builtin inside[] = {{.name = "inside",
						      .load = load_commands,
						      .retire = inside_retire,
						      .unload = inside_unload},
						     {0}};
	static const struct json params = {.type = JSON_MAP};
	struct config_hook_library h[2] = {{.library = "inside"},
					   {.library = "inside", .parameters = &params}};
	struct config cfg = {.refs = CONFIG_REFS, .hooks = h, .n_hooks = 1};
	struct hook_registry_opts o = {.cfg = &cfg,
				       .builtins = inside,
				       .is_command = is_version_get};
	const struct control_command *row;
	struct config_error err = {0};
	struct hook_registry *r = NULL;
	size_t n = 1;

	(void)state;
	assert_null(hook_registry_commands(NULL, &n));
	assert_int_equal(n, 0);
	assert_int_equal(hook_registry_new(&o, &r, &err), 0);
	row = hook_registry_commands(r, &n);
	assert_string_equal(row->name, "inside-get");
	assert_string_equal(row->args, good.arguments);
	assert_string_equal(row->help, "Answers.");
	assert_int_equal(row->access, CONTROL_READ);
	assert_ptr_equal(row->owner, r);
	assert_command(r, "answers", 3, "none");
	assert_command(r, "says nothing", 0, NULL);
	assert_command(r, "no result", 1,
		       "command 'inside-get': the answer of inside has no 'result'");
	assert_int_equal(hook_failures(r), 0);
	assert_command(r, "fails", 1, "command 'inside-get' of inside failed: Input/output error");
	assert_int_equal(hook_failures(r), 1);
	hook_registry_unref(r);
	cfg.n_hooks = 2; /* a name belongs to the library that registered it first */
	assert_int_equal(hook_registry_new(&o, &r, &err), -USHER_E_HOOK);
	assert_string_equal(err.text,
			    "command 'inside-get' is a command of hook library inside already");
}

/* --- the header ------------------------------------------------------------------------------- */

static void test_every_function_was_called(void **state)
{
	FILE *f = fopen(USHER_HOOK_H_PATH, "re");
	char line[256];
	unsigned n = 0;

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		char *name = strstr(line, "USHER_API ") == line ? strchr(line, '(') : NULL;
		bool found = false;

		if (!name)
			continue;
		*name = '\0';
		while (name > line && (name[-1] == '_' || (name[-1] >= 'a' && name[-1] <= 'z') ||
				       (name[-1] >= '0' && name[-1] <= '9')))
			name--;
		for (size_t i = 0; i < n_called; i++)
			found |= strcmp(called[i], name) == 0;
		if (!found)
			print_error("%s is never called\n", name);
		assert_true(found);
		n++;
	}
	(void)fclose(f);
	assert_int_equal(n, n_called);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_call_arguments, setup),
		cmocka_unit_test_setup(test_raw, setup),
		cmocka_unit_test_setup(test_classes, setup),
		cmocka_unit_test_setup(test_points_of_their_own, setup),
		cmocka_unit_test_setup(test_command, setup),
		cmocka_unit_test_setup(test_fields, setup),
		cmocka_unit_test_setup(test_options, setup),
		cmocka_unit_test_setup(test_texts, setup),
		cmocka_unit_test_setup(test_leases, setup),
		cmocka_unit_test_setup(test_lease_context, setup),
		cmocka_unit_test_setup(test_park, setup),
		cmocka_unit_test_setup(test_library, setup),
		cmocka_unit_test_setup(test_registry, setup),
		cmocka_unit_test_setup(test_load, setup),
		cmocka_unit_test_setup(test_builtin, setup),
		cmocka_unit_test_setup(test_expressions, setup),
		cmocka_unit_test_setup(test_commands, setup),
		cmocka_unit_test(test_every_function_was_called),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
