/* SPDX-License-Identifier: MPL-2.0 */
/* Expressions of libraries: compiled when they are loaded, evaluated on the messages of a call. */
#include "hook/hook.h"

#include "base/buf.h"
#include "base/error.h"
#include "config/config.h"
#include "config/expr.h"
#include "hook/hook_lib.h"

#include <errno.h>
#include <string.h>

struct expr_ctx hook_expr_ctx(usher_call *call, const usher_msg *msg)
{
	return (struct expr_ctx){.msg = msg,
				 .pkt = {usher_interface(call), call->src, call->dst,
					 (uint32_t)call->query_len},
				 .scratch = call->arena,
				 .member = call->class_has,
				 .member_ctx = call->ctx};
}

/* Returns the text of a refusal, which lives as long as the library. */
static const char *keep_error(usher_lib *lib, const struct config_error *err)
{
	const char *text;
	struct buf b;

	buf_init(&b);
	config_error_text(err, &b);
	text = b.failed ? NULL : arena_strdup(&lib->arena, b.p);
	buf_fini(&b);
	return text ? text : "refused";
}

int usher_expression_compile(usher_lib *lib, const char *text, bool condition,
			     const usher_expression **ret, const char **ret_error)
{
	const struct config *cfg = lib->registry->cfg;
	struct expr_opts o = {.defs = cfg ? cfg->defs : NULL};
	struct json_pos at = {.file = "", .line = 1, .col = 1};
	struct config_error err = {0};
	struct expr *e;
	int r;

	if (!lib->loading)
		return -EBUSY;
	r = expr_compile(span_str(text), condition, &o, &at, &lib->arena, &e, &err);
	if (r < 0 && ret_error)
		*ret_error = keep_error(lib, &err);
	if (r < 0)
		return r == -ENOMEM ? r : -EINVAL;
	*ret = e;
	lib->registry->has_expressions = true;
	return 0;
}

/* Returns whether a message is one of the call, and there is memory for values. */
static bool is_of_call(const usher_call *call, const usher_msg *msg)
{
	return msg && call->arena && (msg == call->query || msg == call->response);
}

static int report_reason(int r, const char *why, const char **ret_reason)
{
	if (r < 0 && ret_reason)
		*ret_reason = why ? why : "";
	return r < 0 ? -EDOM : 0;
}

int usher_expression_octets(usher_call *call, const usher_expression *e, const usher_msg *msg,
			    const uint8_t **ret, size_t *ret_len, const char **ret_reason)
{
	struct expr_ctx c = hook_expr_ctx(call, msg);
	const char *why = NULL;
	struct span value;
	int r;

	if (!e || !is_of_call(call, msg))
		return -EINVAL;
	r = expr_string(e, &c, &value, &why);
	if (r == 0) {
		*ret = value.p ? value.p : (const uint8_t *)"";
		*ret_len = value.n;
	}
	return report_reason(r, why, ret_reason);
}

int usher_expression_holds(usher_call *call, const usher_expression *e, const usher_msg *msg,
			   bool *ret, const char **ret_reason)
{
	struct expr_ctx c = hook_expr_ctx(call, msg);
	const char *why = NULL;

	if (!e || !is_of_call(call, msg))
		return -EINVAL;
	return report_reason(expr_bool(e, &c, ret, &why), why, ret_reason);
}
