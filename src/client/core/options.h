/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The command line of usher-client, checked: after client_opts_parse() every value can be used as
 * it is. Parsing is pure: no system calls, no globals; text that is kept as a pointer is borrowed
 * from argv.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

enum {
	CLIENT_IFACE_MAX = 16,
	CLIENT_NAME_MAX = 254,
	CLIENT_CLASS_MAX = 255,
	CLIENT_ID_MAX = 255,
	CLIENT_PRL_MAX = 128,
};

enum client_probe { CLIENT_PROBE_FAST, CLIENT_PROBE_RFC5227, CLIENT_PROBE_OFF };
enum client_broadcast { CLIENT_BROADCAST_AUTO, CLIENT_BROADCAST_ALWAYS, CLIENT_BROADCAST_NEVER };
/* MAC: 01 and the hardware address; GIVEN: client_id; NONE: option 61 is not sent. */
enum client_id_form { CLIENT_ID_MAC, CLIENT_ID_GIVEN, CLIENT_ID_NONE };

struct client_opts {
	char iface[CLIENT_IFACE_MAX];
	enum client_id_form id_form;
	uint8_t client_id[CLIENT_ID_MAX], client_id_len;
	char hostname[CLIENT_NAME_MAX]; /* "": none */
	uint8_t fqdn[255], fqdn_len;	/* labels with the root's (RFC 4702 2.3.1); 0: none */
	uint8_t vendor_class[CLIENT_CLASS_MAX], vendor_class_len;
	uint8_t user_class[CLIENT_CLASS_MAX], user_class_len;
	uint8_t prl[CLIENT_PRL_MAX], n_prl; /* option 55 */
	uint32_t request_address; /* 0: none; of -r, else set by the caller from the manifest */
	bool request_given;	  /* by -r: it counts for more than a kept lease */
	uint32_t default_mask;	  /* for servers that send none; 0: refuse them */
	enum client_probe probe;
	enum client_broadcast broadcast;
	uint32_t timeout_s;			/* time that -n and -b wait for a lease */
	bool foreground, background, now, quit; /* -f -b -n -q */
	bool release, keep_lease, keep_address; /* on STOP; RELEASE is the default */
	bool inform, json, dry_run, help, version;
	const char *pid_file, *script, *state_dir, *socket, *manifest; /* NULL: default or none */
};

/* Sets the defaults: eth0, fast probe, 10 s, the usual request list. */
void client_opts_init(struct client_opts *o);
/*
 * Parses argv[1..] into opts. Returns 0 or -USHER_E_UNKNOWN (no such option), -USHER_E_SYNTAX,
 * -USHER_E_RANGE, -USHER_E_EXISTS (options that exclude each other), with the reason in err. --help
 * ends parsing.
 */
int client_opts_parse(int argc, char *const *argv, struct client_opts *ret, char *err,
		      size_t err_cap) must_check;
/*
 * Reads the text of a manifest.json: the requested address from its key default_ip (0.0.0.0 if
 * there is none) and keep_lease (false if there is none). Returns 0, or -USHER_E_SYNTAX,
 * -USHER_E_TYPE, -USHER_E_RANGE with place and reason in err.
 */
int client_opts_manifest(struct span text, const char *file, uint32_t *ret_address,
			 bool *ret_keep_lease, char *err, size_t err_cap) must_check;
/* Returns line i of the text of --help, built from args.def; NULL at the end. */
const char *client_opts_help_line(size_t i, char *buf, size_t cap);
