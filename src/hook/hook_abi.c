/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The functions of include/usher/hook.h, over the server's own objects. Thin on purpose: the
 * contents of struct usher_call, which the pipeline fills, decide a callout's rights.
 */
#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "hook/hook.h"
#include "hook/hook_lib.h"
#include "lease/lease.h"
#include "wire/dhcp4.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *usher_parameters(const usher_lib *lib)
{
	return lib->parameters ? lib->parameters : "null";
}

const char *usher_parameter_str(const usher_lib *lib, const char *name)
{
	return json_get_str(lib->params, name);
}

int64_t usher_parameter_int(const usher_lib *lib, const char *name, int64_t fallback)
{
	int64_t v;

	return json_get_int(lib->params, name, &v) ? v : fallback;
}

void usher_lib_set(usher_lib *lib, void *data)
{
	lib->data = data;
}

void *usher_lib_get(const usher_lib *lib)
{
	return lib->data;
}

void usher_log(usher_lib *lib, enum usher_severity severity, const char *text)
{
	static const char *const names[] = {"debug", "info", "warning", "error"};

	log_msg(lib->log,
		severity == USHER_LOG_ERROR ? LOG_HOOKS_CALLOUT_ERROR : LOG_HOOKS_LIBRARY_LOG,
		"%s: %s: %s", lib->path, severity <= USHER_LOG_ERROR ? names[severity] : "?", text);
}

enum usher_next_step usher_status(const usher_call *call)
{
	return call->status;
}

void usher_set_status(usher_call *call, enum usher_next_step step)
{
	call->status = step;
}

void hook_drop(struct usher_call *call, unsigned drop)
{
	call->status = USHER_DROP;
	call->drop = drop;
}

const char *usher_hook_point(const usher_call *call)
{
	return hook_point_name(call->point);
}

usher_msg *usher_query(usher_call *call)
{
	return call->query;
}

usher_msg *usher_response(usher_call *call)
{
	return call->response;
}

const uint8_t *usher_raw(const usher_call *call, size_t *ret_len)
{
	*ret_len = call->raw.n;
	return call->raw.p;
}

int usher_set_raw(usher_call *call, const uint8_t *data, size_t len)
{
	uint8_t *copy;

	if (!call->raw_cap)
		return -EINVAL;
	if (len > call->raw_cap)
		return -ENOSPC;
	copy = arena_memdup(call->arena, data, len);
	if (!copy)
		return -ENOSPC;
	call->raw = span_of(copy, len);
	call->raw_replaced = true;
	return 0;
}

int usher_unpack(usher_call *call)
{
	if (!call->unpack)
		return -EINVAL;
	return call->unpack(call->ctx) < 0 ? -EBADMSG : 0;
}

const char *usher_interface(const usher_call *call)
{
	return call->iface ? call->iface : "";
}

uint32_t usher_source(const usher_call *call)
{
	return call->src;
}

uint32_t usher_destination(const usher_call *call)
{
	return call->dst;
}

uint32_t usher_subnet_id(const usher_call *call)
{
	return call->subnet_id;
}

int usher_set_subnet_id(usher_call *call, uint32_t id)
{
	if (call->point != HOOK_SUBNET4_SELECT)
		return -EINVAL;
	if (!config_subnet_by_id(call->cfg, id))
		return -ENOENT;
	call->subnet_id = id;
	call->subnet_set = true;
	return 0;
}

void usher_packet_set(usher_call *call, void *data)
{
	if (call->packet_data)
		call->packet_data[call->lib->index] = data;
}

void *usher_packet_get(const usher_call *call)
{
	return call->packet_data ? call->packet_data[call->lib->index] : NULL;
}

bool usher_class_has(const usher_call *call, const char *name)
{
	return call->class_has && call->class_has(call->ctx, name);
}

int usher_class_add(usher_call *call, const char *name)
{
	return call->class_add ? call->class_add(call->ctx, name) : -EINVAL;
}

int usher_set_host_id(usher_call *call, const uint8_t *id, size_t len)
{
	uint8_t *copy;

	if (call->point != HOOK_HOST4_IDENTIFIER)
		return -EINVAL;
	copy = arena_memdup(call->arena, id, len);
	if (!copy)
		return -ENOSPC;
	call->host_id = span_of(copy, len);
	return 0;
}

void usher_set_address_in_use(usher_call *call, bool in_use)
{
	call->address_in_use = in_use;
}

static const char *json_text(usher_call *call, const struct json *v)
{
	const char *text;
	struct buf b;

	if (!call->command)
		return NULL;
	buf_init(&b);
	if (v)
		json_write(v, false, &b);
	else
		buf_str(&b, "null");
	text = b.failed ? NULL : arena_strdup(call->arena, b.p);
	buf_fini(&b);
	return text;
}

const char *usher_command_name(const usher_call *call)
{
	return call->command;
}

const char *usher_command_arguments(usher_call *call)
{
	return json_text(call, call->command_args);
}

const char *usher_command_answer(usher_call *call)
{
	return json_text(call, call->answer);
}

int usher_command_set_answer(usher_call *call, const char *json)
{
	struct json_opts o = {.file = ""};
	struct config_error err;
	struct json *v;
	char *copy = call->command ? arena_strdup(call->arena, json) : NULL;

	if (!copy || json_parse(span_str(copy), &o, call->arena, &v, &err) < 0 ||
	    v->type != JSON_MAP)
		return -EINVAL;
	call->answer = v;
	return 0;
}

uint32_t usher_msg_get(const usher_msg *m, enum usher_field f)
{
	switch (f) {
	case USHER_OP:
		return m->op;
	case USHER_HTYPE:
		return m->htype;
	case USHER_HLEN:
		return m->hlen;
	case USHER_HOPS:
		return m->hops;
	case USHER_XID:
		return m->xid;
	case USHER_SECS:
		return m->secs;
	case USHER_FLAGS:
		return m->flags;
	case USHER_CIADDR:
		return m->ciaddr;
	case USHER_YIADDR:
		return m->yiaddr;
	case USHER_SIADDR:
		return m->siaddr;
	case USHER_GIADDR:
		return m->giaddr;
	}
	return 0;
}

void usher_msg_set(usher_msg *m, enum usher_field f, uint32_t v)
{
	switch (f) {
	case USHER_OP:
		m->op = (uint8_t)v;
		break;
	case USHER_HTYPE:
		m->htype = (uint8_t)v;
		break;
	case USHER_HLEN:
		m->hlen = v > DHCP4_CHADDR_LEN ? DHCP4_CHADDR_LEN : (uint8_t)v;
		break;
	case USHER_HOPS:
		m->hops = (uint8_t)v;
		break;
	case USHER_XID:
		m->xid = v;
		break;
	case USHER_SECS:
		m->secs = (uint16_t)v;
		break;
	case USHER_FLAGS:
		m->flags = (uint16_t)v;
		break;
	case USHER_CIADDR:
		m->ciaddr = v;
		break;
	case USHER_YIADDR:
		m->yiaddr = v;
		break;
	case USHER_SIADDR:
		m->siaddr = v;
		break;
	case USHER_GIADDR:
		m->giaddr = v;
		break;
	}
}

const uint8_t *usher_msg_chaddr(const usher_msg *m)
{
	return m->chaddr;
}

int usher_msg_type(const usher_msg *m)
{
	return (int)dhcp4_msg_type(m);
}

const uint8_t *usher_msg_option(const usher_msg *m, uint8_t code, size_t *ret_len)
{
	const struct dhcp4_option *o = dhcp4_opt(m, code);

	*ret_len = o ? o->data.n : 0;
	if (!o)
		return NULL;
	return o->data.p ? o->data.p : (const uint8_t *)"";
}

int usher_msg_set_option(usher_msg *m, uint8_t code, const uint8_t *data, size_t len)
{
	return dhcp4_opt_set(m, code, span_of(data, len)) < 0 ? -ENOMEM : 0;
}

int usher_msg_del_option(usher_msg *m, uint8_t code)
{
	return dhcp4_opt_del(m, code) ? 0 : -ENOENT;
}

const uint8_t *usher_msg_text(const usher_msg *m, enum usher_text f, size_t *ret_len)
{
	const uint8_t *p = f == USHER_SNAME ? m->sname : m->file;

	*ret_len = strnlen((const char *)p, f == USHER_SNAME ? sizeof(m->sname) : sizeof(m->file));
	return p;
}

int usher_msg_set_text(usher_msg *m, enum usher_text f, const uint8_t *text, size_t len)
{
	uint8_t *p = f == USHER_SNAME ? m->sname : m->file;
	size_t cap = f == USHER_SNAME ? sizeof(m->sname) : sizeof(m->file);

	if (len >= cap)
		return -ENOSPC;
	memset(p, 0, cap);
	if (len)
		memcpy(p, text, len);
	return 0;
}

usher_lease *usher_lease4(usher_call *call)
{
	return call->lease;
}

const usher_lease *usher_deleted_lease4(const usher_call *call)
{
	return call->deleted;
}

bool usher_remove_lease(const usher_call *call)
{
	return call->remove_lease;
}

bool usher_fake_allocation(const usher_call *call)
{
	return call->fake_allocation;
}

/* The functions that read a lease: of each row in lease_fields.def that names one. */
#define GET_NUMBER(member, hook, type)                \
	type usher_lease_##hook(const usher_lease *l) \
	{                                             \
		return l->member;                     \
	}
#define GET_STATE(member, hook, type)                \
	int usher_lease_##hook(const usher_lease *l) \
	{                                            \
		return l->member;                    \
	}
#define GET_FLAG(member, hook, type)                  \
	bool usher_lease_##hook(const usher_lease *l) \
	{                                             \
		return l->member;                     \
	}
#define GET_OCTETS(member, hook, type)                                           \
	const uint8_t *usher_lease_##hook(const usher_lease *l, size_t *ret_len) \
	{                                                                        \
		*ret_len = l->member##_len;                                      \
		return l->member;                                                \
	}
#define GET_TEXT(member, hook, type)                         \
	const char *usher_lease_##hook(const usher_lease *l) \
	{                                                    \
		return l->member;                            \
	}
#define LEASE_FIELD(...)
#define LEASE_HOOK_FIELD(member, kind, longest, csv, json, place, hook)          \
	LEASE_PICK_##kind(GET_NUMBER, GET_STATE, GET_FLAG, GET_OCTETS, GET_TEXT, \
			  GET_TEXT)(member, hook, LEASE_TYPE_##kind)
#include "lease/lease_fields.def"

int usher_lease_set_lifetime(usher_lease *l, uint32_t seconds)
{
	if (seconds == 0)
		return -EINVAL;
	l->valid_lft = seconds;
	return 0;
}

int usher_lease_set_hostname(usher_lease *l, const char *name)
{
	if (strlen(name) > LEASE_HOSTNAME_MAX)
		return -ENOSPC;
	(void)snprintf(l->hostname, sizeof(l->hostname), "%s", name);
	return 0;
}

usher_parked *usher_park(usher_call *call)
{
	if (!call->parked || !hook_point_parks(call->point))
		return NULL;
	(void)atomic_fetch_add(&call->parked->refs, 1);
	call->took_handle = true;
	return call->parked;
}

void usher_unpark(usher_parked *p)
{
	if (atomic_fetch_sub(&p->refs, 1) == 1)
		p->resume(p);
}

void usher_unpark_drop(usher_parked *p)
{
	p->dropped = true;
	usher_unpark(p);
}

void usher_unpark_in_use(usher_parked *p)
{
	p->in_use = true;
	usher_unpark(p);
}
