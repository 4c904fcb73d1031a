/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The rows of lease_fields.def as data. Members are copied octet by octet: a row has the place and
 * the length of its member, and the kind determines the type.
 */
#include "lease/lease_field.h"

#include <stddef.h>

const struct lease_field lease_fields[LEASE_FIELDS] = {
#define LEASE_FIELD(member, field_kind, longest, csv_name, json_name, print_place) \
	{                                                                          \
		.kind = LEASE_KIND_##field_kind,                                   \
		.offset = offsetof(struct lease, member),                          \
		.size = sizeof(((struct lease *)NULL)->member),                    \
		.place = print_place,                                              \
		.csv = csv_name,                                                   \
		.json = json_name,                                                 \
	},
#include "lease/lease_fields.def"
};

static const char *member_of(const struct lease_field *f, const struct lease *l)
{
	return (const char *)l + f->offset;
}

static char *member_to_set(const struct lease_field *f, struct lease *l)
{
	return (char *)l + f->offset;
}

int64_t lease_field_number(const struct lease_field *f, const struct lease *l)
{
	const char *member = member_of(f, l);
	uint32_t u32;
	int64_t i64;

	if (f->size == sizeof(uint8_t))
		return *(const uint8_t *)member;
	if (f->size == sizeof(u32)) {
		memcpy(&u32, member, sizeof(u32));
		return u32;
	}
	memcpy(&i64, member, sizeof(i64));
	return i64;
}

void lease_field_set_number(const struct lease_field *f, struct lease *l, int64_t value)
{
	char *member = member_to_set(f, l);
	uint32_t u32 = (uint32_t)value;

	if (f->size == sizeof(uint8_t))
		*(uint8_t *)member = (uint8_t)value;
	else if (f->size == sizeof(u32))
		memcpy(member, &u32, sizeof(u32));
	else
		memcpy(member, &value, sizeof(value));
}

const char *lease_field_text(const struct lease_field *f, const struct lease *l)
{
	const char *context;

	if (f->kind == LEASE_KIND_TEXT)
		return member_of(f, l);
	memcpy((void *)&context, member_of(f, l), sizeof(context));
	return context;
}

void lease_field_set_text(const struct lease_field *f, struct lease *l, const char *s, size_t n)
{
	char *member = member_to_set(f, l);

	memcpy(member, s, n);
	member[n] = '\0';
}

void lease_field_set_context(const struct lease_field *f, struct lease *l, const char *s)
{
	memcpy(member_to_set(f, l), (const void *)&s, sizeof(s));
}
