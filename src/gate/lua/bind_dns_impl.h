/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Shared by bind_dns.c (messages) and bind_dns_record.c: handles of DNS are of numbers, not of
 * memory.
 */
#pragma once

#include "gate/lua/bind_class.h"
#include "gate/app/dissect_dns.h"

/* The object of a handle. */
struct bind_dns_at {
	struct gate *g;
	const struct dns_msg *msg;
	bool sent; /* the query, which cannot be changed any more */
	enum dns_section section;
	uint16_t index;
};

/* Encodes one of the two messages, a section and a record as a handle's object; bind_dns_at()
 * decodes it, and raises when the message is gone. */
void *bind_dns_code(bool sent, enum dns_section s, uint32_t index);
struct bind_dns_at bind_dns_at(lua_State *L, const void *obj);
void bind_dns_push(lua_State *L, const struct script_class *cls, struct gate *g, void *obj);
/* Raises if it is the query, which has been sent. */
void bind_dns_check_unsent(lua_State *L, const struct bind_dns_at *a, const char *what);

extern const struct script_class bind_class_dns_question, bind_class_dns_record,
	bind_class_dns_records;
