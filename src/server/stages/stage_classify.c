/* SPDX-License-Identifier: MPL-2.0 */
/*
 * CLASSIFY and DROP_CLASS: which client classes a packet belongs to. Pass one evaluates the classes
 * that the message alone decides; classes that depend on KNOWN or UNKNOWN wait for the reservations
 * (HOST); the additional ones wait for the lease. An expression that fails leaves its class out.
 */
#include "base/ip.h"
#include "base/log.h"
#include "config/class_index.h"
#include "config/config.h"
#include "server/core/snapshot.h"
#include "server/stages/agent_info.h"
#include "server/stages/stages.h"
#include "server/core/trace.h"
#include "wire/option_codes.h"

static bool client_class_test(void *ctx, const char *name)
{
	return exchange_has_class_name(ctx, name);
}

static struct expr_ctx expr_context(struct exchange *x)
{
	return (struct expr_ctx){
		.msg = &x->query,
		.pkt =
			{
				.iface = exchange_iface_name(x),
				.src = x->pkt.src,
				.dst = x->pkt.dst,
				.len = (uint32_t)x->raw.n,
			},
		.scratch = &x->pkt.arena,
		.member = client_class_test,
		.member_ctx = x,
	};
}

static void eval_failed(struct exchange *x, const struct config_class *c, const char *why)
{
	stats_add(x->stats, METRIC_EVAL_FAILED, 1);
	EXCHANGE_LOG(x, c->template_test ? LOG_DHCPSRV_TEMPLATE_EVAL_ERROR : LOG_DHCPSRV_EVAL_ERROR,
		     "class %s: %s", c->name, why);
	TRACE(x, "class %s: expression failed: %s", c->name, why);
}

static bool is_control(uint8_t c)
{
	return c < 0x20 || c == 0x7f;
}

/* Writes octets as a part of a class name: control octets, which no name of the configuration has,
 * as \xHH, so that octets behind a zero count. Returns the end of the text. */
static char *put_made(char *p, struct span value)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < value.n; i++) {
		uint8_t c = value.p[i];

		if (is_control(c)) {
			p = stpcpy(p, "\\x");
			*p++ = digits[c >> 4];
			*p++ = digits[c & 15];
		} else {
			*p++ = (char)c;
		}
	}
	*p = '\0';
	return p;
}

/* Adds the class of a prefix and octets of the client. Releases the arena's memory behind mark. */
static void add_made_class(struct exchange *x, const char *prefix, struct span value, size_t mark)
{
	size_t n = strlen(prefix) + value.n + 1;
	char *name;

	for (size_t i = 0; i < value.n; i++)
		n += is_control(value.p[i]) ? 3 : 0;
	name = arena_alloc(&x->pkt.arena, n);
	if (!name)
		return;
	(void)put_made(stpcpy(name, prefix), value);
	name = arena_keep(&x->pkt.arena, mark, name, n);
	if (name)
		exchange_add_class_name(x, name);
}

/* Adds the class SPAWN_<name>_<value> of a template class, and the class itself. */
static void classify_template(struct exchange *x, const struct config_class *c,
			      const struct expr_ctx *ctx)
{
	size_t mark = arena_mark(&x->pkt.arena);
	const char *why = "";
	struct span v;
	char *prefix;

	if (expr_string(c->template_test, ctx, &v, &why) < 0) {
		eval_failed(x, c, why);
		return;
	}
	FINDING(x, DHCPSRV_TEMPLATE_EVAL_RESULT, "class %s: %s", c->name, v.n ? "yes" : "no");
	if (!v.n)
		return;
	prefix = arena_printf(&x->pkt.arena, "SPAWN_%s_", c->name);
	if (prefix)
		add_made_class(x, prefix, v, mark);
	exchange_add_class(x, c->id);
}

/* Evaluates one test. Frees the memory of its expression afterwards. */
static void classify_test(struct exchange *x, const struct config_class *c,
			  const struct expr_ctx *ctx)
{
	size_t mark = arena_mark(&x->pkt.arena);
	const char *why = "";
	bool yes = false;
	int r = expr_bool(c->test, ctx, &yes, &why);

	if (r < 0)
		eval_failed(x, c, why);
	FINDING(x, DHCPSRV_EVAL_RESULT, "class %s: %s", c->name, yes ? "yes" : "no");
	arena_rewind(&x->pkt.arena, mark);
	if (yes)
		exchange_add_class(x, c->id);
}

static void classify_one(struct exchange *x, const struct config_class *c)
{
	struct expr_ctx ctx = expr_context(x);

	if (c->template_test)
		classify_template(x, c, &ctx);
	else if (c->test)
		classify_test(x, c, &ctx);
}

void classify_pass(struct exchange *x, bool late)
{
	const struct class_index *index = x->cfg->class_index;
	size_t n = class_index_words(index);
	struct expr_ctx ctx = expr_context(x);
	uint64_t *may;

	if (!x->cfg->n_classes)
		return;
	/* one set for all passes: the results of later passes stay behind it in the arena */
	if (!x->class_may)
		x->class_may = arena_alloc(&x->pkt.arena, n * sizeof(*may));
	may = x->class_may;
	if (!may)
		return;
	if (x->trace)
		class_index_all(index, late, may); /* a trace lists also the tests that are false */
	else
		class_index_candidates(index, &ctx, late, may);
	for (size_t w = 0; w < n; w++)
		for (uint64_t bits = may[w]; bits; bits &= bits - 1)
			classify_one(x, &x->cfg->classes[w * 64 + (size_t)__builtin_ctzll(bits)]);
}

/* Returns whether the template class spawns classes of this name. */
static bool spawns(const struct config_class *c, const char *name)
{
	size_t n = strlen(c->name);

	return strncmp(name, "SPAWN_", 6) == 0 && strncmp(name + 6, c->name, n) == 0 &&
	       name[6 + n] == '_';
}

static void remove_spawned(struct exchange *x, const struct config_class *c)
{
	uint32_t n = 0;

	for (uint32_t i = x->n_class_order; i-- > 0;)
		if (spawns(c, x->cfg->class_names[x->class_order[i]]))
			exchange_remove_class(x, x->class_order[i]);
	for (uint32_t i = 0; i < x->n_extra_classes; i++)
		if (!spawns(c, x->extra_classes[i]))
			x->extra_classes[n++] = x->extra_classes[i];
	x->n_extra_classes = n;
}

void classify_again(struct exchange *x)
{
	for (size_t i = 0; i < x->cfg->n_classes; i++) {
		const struct config_class *c = &x->cfg->classes[i];

		if (c->template_test)
			remove_spawned(x, c);
		if (c->test || c->template_test)
			exchange_remove_class(x, c->id);
	}
}

/* Adds the listed classes: those without a test at once, those with a test if it holds now. */
static void classify_list(struct exchange *x, const struct config_class_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct config_class *c = x->cfg->class_by_id[l->ids[i]];

		if (c && (c->test || c->template_test))
			classify_one(x, c);
		else if (c)
			exchange_add_class(x, c->id);
	}
}

void classify_additional(struct exchange *x)
{
	if (x->pool)
		classify_list(x, &x->pool->additional);
	if (x->subnet)
		classify_list(x, &x->subnet->additional);
	if (x->subnet && x->subnet->network)
		classify_list(x, &x->subnet->network->additional);
}

/* Sets VENDOR_CLASS_<option 60>, which the configuration or a callout may test. */
static void classify_vendor(struct exchange *x)
{
	struct span vendor = dhcp4_opt_data(&x->query, DHCP4_OPT_VENDOR_CLASS_ID);

	if (vendor.n)
		add_made_class(x, "VENDOR_CLASS_", vendor, arena_mark(&x->pkt.arena));
}

/* Writes the addresses of the message to the trace. */
static void trace_addresses(struct exchange *x)
{
	char ip[IP_TEXT_LEN];
	uint32_t addr;

	if (dhcp4_opt_u32(&x->query, DHCP4_OPT_REQUESTED_ADDRESS, &addr))
		TRACE(x, "requests %s", ip_text(addr, ip));
	if (x->query.ciaddr)
		TRACE(x, "ciaddr %s", ip_text(x->query.ciaddr, ip));
	if (x->query.giaddr)
		TRACE(x, "giaddr %s", ip_text(x->query.giaddr, ip));
}

enum verdict stage_classify(struct exchange *x)
{
	unpack_derive(x);
	trace_begin(x);
	EXCHANGE_LOG(x, LOG_DHCP4_PACKET_RECEIVED, "%s received on interface %s",
		     dhcp4_type_name(x->type), exchange_iface_name(x));
	TRACE(x, "%s from %s", dhcp4_type_name(x->type), exchange_label(x));
	if (unlikely(x->trace != NULL)) {
		trace_addresses(x);
		trace_note(x, LOG_DHCP4_BUFFER_UNPACK, "%zu octets, %u options", (size_t)x->raw.n,
			   (unsigned)x->query.n_opts);
		trace_options(x, LOG_DHCP4_QUERY_DATA, &x->query);
	}
	exchange_add_class(x, CLASS_ALL);
	if (unlikely(x->cfg->stash_agent_options))
		agent_info_recover(x);
	if (x->cfg->names_vendor_classes || hook_any_at_all(x->snap->hooks) || x->trace)
		classify_vendor(x);
	classify_pass(x, false);
	return VERDICT_CONTINUE;
}

enum verdict stage_drop_class(struct exchange *x)
{
	if (hook_any(x->snap->hooks, HOOK_PKT4_RECEIVE) && accept_again(x) != VERDICT_CONTINUE)
		return VERDICT_DROP;
	if (exchange_has_builtin(x, CLASS_DROP))
		return exchange_drop(x, DROP_CLASS_DROP);
	return VERDICT_CONTINUE;
}
