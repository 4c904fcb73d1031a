/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Users and passwords of requests: basic authentication, late refusals of an address that fails
 * often.
 */
#pragma once

#include "base/attr.h"

struct http_auth;
struct http_config;
struct http_user;

int http_auth_new(struct http_auth **ret) must_check;
void http_auth_free(struct http_auth *a);
/* Returns the user of an Authorization header (NULL: none was sent), or NULL. *ret_delay: the
 * refusal is to be late, because several came from this address. */
const struct http_user *http_auth_find(struct http_auth *a, const struct http_config *c,
				       const char *header, const char *address, bool *ret_delay);
