/* SPDX-License-Identifier: MPL-2.0 */
/* The keys of a database: of lease-database, and of an element of hosts-databases. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum config_on_fail {
	ON_FAIL_STOP_RETRY_EXIT,
	ON_FAIL_SERVE_RETRY_EXIT,
	ON_FAIL_SERVE_RETRY_CONTINUE,
};

/* Texts are "" where they are not given. */
struct config_database {
	const char *name, *host, *user, *password, *password_file;
	const char *trust_anchor, *cert_file, *key_file;
	const char *ssl_mode; /* as libpq calls it */
	uint32_t port;	      /* 0: libpq's */
	uint32_t connect_timeout_s, tcp_user_timeout_s;
	uint32_t max_tries; /* to connect again; 0: none, or no limit where on_fail continues */
	uint32_t wait_ms;   /* between them; 0: 50 ms at first, a second at most */
	enum config_on_fail on_fail;
	bool retry_on_startup, readonly;
};
