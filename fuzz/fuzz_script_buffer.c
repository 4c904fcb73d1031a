/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Buffers in Lua against a model: octets in an array, and handles as plain positions that every
 * change moves. After each operation the octets are equal, and a handle gives the result of the
 * model's, or is invalid where the model's is.
 */
#include "fuzz.h"
#include "script/script_open.h"

#include "base/cursor.h"

#include <stdio.h>

enum { HANDLES = 8, MAX_LEN = 4096, STEPS = 400, TEXT = 16 };

/* do_*(slot, other, a, b, text) answer with text; "!" is an error */
static const char driver[] =
	"local B, S, I = haka.vbuffer_from('0123456789'), {}, {} local ops = {\n"
	"function(i, o, a, n) S[i] = B:sub(a, n) end, function(i, o, a, n) S[i] = S[o]:sub(a, n) end,\n"
	"function(i, o, a) I[i] = B:pos(a) end, function(i, o, a) I[i] = S[o]:pos(a) end,\n"
	"function(i, o, a, n, t) S[i]:setstring(t) end, function(i) S[i]:erase() end, function(i, o, a, n, t) S[i]:setfixedstring(t) end,\n"
	"function(i, o, a, n, t) local v = haka.vbuffer_from(t) S[o] = I[i]:insert(v) assert(#v == 0) end,\n"
	"function(i, o, a) I[i]:advance(a) end, function(i, o, a) S[o] = I[i]:sub(a) end, function(i, o) I[o] = I[i]:copy() end,\n"
	"function(i, o, a, n, t) B:append(haka.vbuffer_from(t)) end, function(i, o, a) B[a + 1] = 88 end, function(i) S[i]:zero() end,\n"
	"function(i, o) local ref, v = S[i]:select() assert(ref:copy():insert(v:clone()):erase() == nil) ref:restore(v) end}\n"
	"function step(op, ...) return (pcall(ops[op + 1], ...)) end\n"
	"function all() return B:sub():asstring() end\n"
	"function sub(i) local ok, e = pcall(S[i].asstring, S[i]) return ok and e or '!' .. e end\n"
	"function iter(i) local ok, e = pcall(I[i].copy, I[i]) return ok and e:sub('all'):asstring() or '!' .. e end\n";

enum op {
	SUB,
	SUB_SUB,
	POS,
	SUB_POS,
	SETSTRING,
	ERASE,
	SETFIXED,
	INSERT,
	ADVANCE,
	ITER_SUB,
	COPY,
	APPEND,
	OCTET,
	ZERO,
	SELECT,
	N_OPS
};

struct range {
	bool made, gone, open; /* open: it goes to the end, wherever that is */
	size_t from, to;
};

static struct model {
	uint8_t octets[MAX_LEN];
	size_t n;
	struct range sub[HANDLES], iter[HANDLES];
} m;

static bool moved(size_t *pos, size_t at, size_t gone, size_t came, bool stays)
{
	if (*pos > at && *pos < at + gone)
		return false;
	if (*pos > at || (*pos == at && gone == 0 && !stays))
		*pos += came - gone;
	return true;
}

static void change(size_t at, size_t gone, struct span with)
{
	memmove(m.octets + at + with.n, m.octets + at + gone, m.n - at - gone);
	if (with.n)
		memcpy(m.octets + at, with.p, with.n);
	m.n += with.n - gone;
	if (gone == with.n)
		return;
	for (size_t i = 0; i < HANDLES; i++) {
		struct range *s = &m.sub[i], *it = &m.iter[i];

		if (!moved(&s->from, at, gone, with.n, true) ||
		    !moved(&s->to, at, gone, with.n, false))
			s->gone = true;
		if (!moved(&it->from, at, gone, with.n, true))
			it->gone = true;
		if (!moved(&it->to, at, gone, with.n, false))
			it->to = at;
	}
}

static struct range iter_of(size_t at, size_t to, bool open)
{
	return (struct range){.made = true, .from = at, .to = to, .open = open};
}

static size_t end_of(const struct range *it)
{
	return it->open || it->to > m.n ? m.n : it->to;
}

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Applies the driver's operation to the model. False: it is an error. */
static bool apply(enum op op, size_t i, size_t o, size_t a, size_t n, struct span text)
{
	struct range *s = &m.sub[i], *it = &m.iter[i], *so = &m.sub[o];
	bool with_sub = op == SETSTRING || op == ERASE || op == SETFIXED || op == ZERO ||
			op == SELECT;
	bool with_iter = op == INSERT || op == ADVANCE || op == ITER_SUB || op == COPY;
	bool with_other = op == SUB_SUB || op == SUB_POS;
	static const uint8_t zeros[MAX_LEN];
	size_t step, at;

	if ((with_sub && (!s->made || s->gone)) || (with_iter && (!it->made || it->gone)) ||
	    (with_other && (!so->made || so->gone)))
		return false;
	switch (op) {
	case SUB:
		a = min(a, m.n);
		*s = iter_of(a, a + min(n, m.n - a), false);
		break;
	case SUB_SUB:
		a = min(so->from + a, so->to);
		*s = iter_of(a, a + min(n, so->to - a), false);
		break;
	case POS:
		*it = iter_of(min(a, m.n), 0, true);
		break;
	case SUB_POS:
		*it = iter_of(min(so->from + a, so->to), so->to, false);
		break;
	case SETSTRING:
		change(s->from, s->to - s->from, text);
		break;
	case ERASE:
		change(s->from, s->to - s->from, SPAN_NULL);
		break;
	case SETFIXED:
		if (text.n > s->to - s->from)
			return false;
		change(s->from, text.n, text);
		break;
	case INSERT:
		at = it->from;
		change(at, 0, text);
		it->from += text.n;
		*so = iter_of(at, at + text.n, false);
		break;
	case ADVANCE:
		it->from += min(a, end_of(it) > it->from ? end_of(it) - it->from : 0);
		break;
	case ITER_SUB:
		step = min(a, end_of(it) > it->from ? end_of(it) - it->from : 0);
		*so = iter_of(it->from, it->from + step, false);
		it->from += step;
		break;
	case COPY:
		m.iter[o] = *it;
		break;
	case APPEND:
		change(m.n, 0, text);
		break;
	case OCTET:
		if (a >= m.n)
			return false;
		m.octets[a] = 'X';
		break;
	case ZERO:
		change(s->from, s->to - s->from, span_of(zeros, s->to - s->from));
		break;
	case SELECT: {
		uint8_t kept[MAX_LEN];
		size_t len = s->to - s->from;

		at = s->from;
		memcpy(kept, m.octets + at, len);
		change(at, len, SPAN_NULL);
		/* put in by a copy of the place, and taken out again */
		change(at, 0, span_of(kept, len));
		change(at, len, SPAN_NULL);
		change(at, 0, span_of(kept, len));
		break;
	}
	case N_OPS:
		break;
	}
	return true;
}

/* Calls a function of the driver that answers with text. */
static void check(lua_State *L, struct script *s, const char *fn, int arg, bool valid,
		  struct span want)
{
	struct script_error err;
	struct span got;

	lua_getglobal(L, fn);
	lua_pushinteger(L, arg);
	fuzz_check(script_pcall(s, 1, 1, &err) == 0);
	got.p = (const uint8_t *)lua_tolstring(L, -1, &got.n);
	if (valid)
		fuzz_check(span_eq(got, want));
	else
		fuzz_check(got.n > 1 && got.p[0] == '!' && strstr((const char *)got.p, "invalid"));
	lua_pop(L, 1);
}

static void compare(lua_State *L, struct script *s, const struct range *r, const char *fn, size_t i)
{
	size_t to = r->open ? m.n : r->to;

	if (r->made)
		check(L, s, fn, (int)i, !r->gone,
		      span_of(m.octets + r->from, to > r->from ? to - r->from : 0));
}

static bool step(lua_State *L, struct script *s, struct rd *r)
{
	enum op op = (enum op)(rd_u8(r) % N_OPS);
	size_t i = rd_u8(r) % HANDLES, o = rd_u8(r) % HANDLES, a = rd_u8(r) % 24, n = rd_u8(r) % 24;
	struct span text = rd_bytes(r, rd_u8(r) % TEXT);
	struct script_error err;

	if (!rd_ok(r) || m.n + TEXT > MAX_LEN)
		return false;
	lua_getglobal(L, "step");
	lua_pushinteger(L, op);
	lua_pushinteger(L, (int)i);
	lua_pushinteger(L, (int)o);
	lua_pushinteger(L, (int)a);
	lua_pushinteger(L, (int)n);
	lua_pushlstring(L, text.n ? (const char *)text.p : "", text.n);
	fuzz_check(script_pcall(s, 6, 1, &err) == 0);
	fuzz_check(lua_toboolean(L, -1) == apply(op, i, o, a, n, text));
	lua_pop(L, 1);
	check(L, s, "all", 0, true, span_of(m.octets, m.n));
	for (size_t k = 0; k < HANDLES; k++) {
		compare(L, s, &m.sub[k], "sub", k);
		compare(L, s, &m.iter[k], "iter", k);
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script_error err = {0};
	struct rd r = rd_init(span_of(data, size));
	struct script *s;

	m = (struct model){.octets = "0123456789", .n = 10};
	fuzz_check(script_new(&(struct script_opts){.memory = 8 << 20}, &s) == 0);
	fuzz_check(script_run_text(s, "@driver.lua", span_str(driver), &err) == 0);
	for (int i = 0; i < STEPS && step(script_lua(s), s, &r); i++)
		;
	fuzz_check(lua_gettop(script_lua(s)) == 0);
	script_free(s);
	return 0;
}
