/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The C hook ABI of Usher: the only installed header. A hook library is a shared object that
 * exports the three functions of "Exports of a library" below and may call the usher_* functions
 * declared here. It sees opaque handles only, so it keeps working when the server's internals
 * change.
 *
 * Threads: a callout runs in the worker that owns the packet; callouts of different packets run at
 * the same time in different workers. Handles are valid until the callout returns, except
 * usher_parked, which lives until it is unparked or dropped. Callouts must not block: park instead.
 * One that does not return in time loses its packet, and its worker continues in another thread.
 *
 * Hook points, their arguments and the meaning of each next step: doc/hooks.md.
 */
#ifndef USHER_HOOK_H
#define USHER_HOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define USHER_API __attribute__((visibility("default")))

/*
 * The number of this ABI. A library returns the number that it was built with; the server refuses
 * another one, and its message names both. A new function, enumerator or hook point keeps the
 * number. A function that is removed, or whose arguments or meaning change, raises it: libraries
 * have to be built anew then, and CHANGELOG.md says so. A function that will be removed is marked
 * as deprecated for one released version before that.
 */
#define USHER_HOOK_ABI 1

typedef struct usher_lib usher_lib;	 /* this library, as loaded */
typedef struct usher_call usher_call;	 /* one call of one hook point */
typedef struct dhcp4_msg usher_msg;	 /* a DHCPv4 message */
typedef struct lease usher_lease;	 /* a lease */
typedef struct hook_parked usher_parked; /* a packet that waits */
typedef struct expr usher_expression;	 /* a compiled expression */

/* The next step after the callouts of a hook point. */
enum usher_next_step {
	USHER_CONTINUE = 0,
	USHER_SKIP = 1,
	USHER_DROP = 2,
	USHER_PARK = 3,
};

enum usher_severity { USHER_LOG_DEBUG, USHER_LOG_INFO, USHER_LOG_WARN, USHER_LOG_ERROR };

/*
 * A callout. Returns 0, or a negative errno: the failure is logged and counted, and processing of
 * the packet continues. The next step is set with usher_set_status; a later callout may override
 * it.
 */
typedef int (*usher_callout)(usher_call *call, void *ctx);

/* --- Exports of a library --------------------------------------------------------------------- */

/* Returns USHER_HOOK_ABI as the library was compiled with. */
USHER_API int usher_hook_version(void);
/* Registers callouts. 0, or a negative errno: the configuration is refused. */
USHER_API int usher_hook_load(usher_lib *lib);
/* Frees the memory that load allocated. Optional. No callout runs any more; the library's threads
 * must have ended when it returns. Handles of parked packets may be given back here, or forgotten.
 */
USHER_API void usher_hook_unload(usher_lib *lib);

/* --- The library ------------------------------------------------------------------------------ */

/* Adds a callout at a hook point ("pkt4_receive"). 0, -ENOENT (no such point), -EBUSY (after
 * load). */
USHER_API int usher_register(usher_lib *lib, const char *hook_point, usher_callout fn, void *ctx);
/* Returns the library's "parameters" as JSON text; "null" without. Valid until unload. */
USHER_API const char *usher_parameters(const usher_lib *lib);
/* Returns a string or integer member of the parameters; NULL or `fallback` if it is absent. */
USHER_API const char *usher_parameter_str(const usher_lib *lib, const char *name);
USHER_API int64_t usher_parameter_int(const usher_lib *lib, const char *name, int64_t fallback);
/* Keeps a pointer of the library's own. */
USHER_API void usher_lib_set(usher_lib *lib, void *data);
USHER_API void *usher_lib_get(const usher_lib *lib);
/* Writes one log line under the id HOOKS_LIBRARY_LOG. */
USHER_API void usher_log(usher_lib *lib, enum usher_severity severity, const char *text);

/* --- The call --------------------------------------------------------------------------------- */

USHER_API enum usher_next_step usher_status(const usher_call *call);
USHER_API void usher_set_status(usher_call *call, enum usher_next_step step);
/* Returns the name of the hook point: "pkt4_receive" and so on. */
USHER_API const char *usher_hook_point(const usher_call *call);
/* Returns the query; NULL at hook points without a packet. At buffer4_receive it is not decoded
 * yet. */
USHER_API usher_msg *usher_query(usher_call *call);
/* Returns the response; NULL where there is none. */
USHER_API usher_msg *usher_response(usher_call *call);
/* Returns the bytes as received (buffer4_receive) or to be sent (buffer4_send); empty at other hook
 * points. */
USHER_API const uint8_t *usher_raw(const usher_call *call, size_t *ret_len);
/* Replaces those bytes (copied); at pkt4_send, before SKIP: packs the response. 0, -ENOSPC, -EINVAL
 * at other hook points. */
USHER_API int usher_set_raw(usher_call *call, const uint8_t *data, size_t len);
/* Decodes the bytes into the query: at buffer4_receive, before SKIP. 0, or -EBADMSG. */
USHER_API int usher_unpack(usher_call *call);
/* Returns the name of the receiving interface; "" without. */
USHER_API const char *usher_interface(const usher_call *call);
USHER_API uint32_t usher_source(const usher_call *call); /* IPv4, host order */
USHER_API uint32_t usher_destination(const usher_call *call);
/* Returns the selected subnet; 0: none. At subnet4_select it may be set to another configured one.
 */
USHER_API uint32_t usher_subnet_id(const usher_call *call);
USHER_API int usher_set_subnet_id(usher_call *call, uint32_t id);
/* Keeps a pointer of this library's with the packet, from hook point to hook point. */
USHER_API void usher_packet_set(usher_call *call, void *data);
USHER_API void *usher_packet_get(const usher_call *call);
/* Checks or adds a class of the query. To add a class that the configuration never names has no
 * effect: -ENOENT. */
USHER_API bool usher_class_has(const usher_call *call, const char *name);
USHER_API int usher_class_add(usher_call *call, const char *name);
/* Sets the value to use for the requested identifier type ("flex-id"): at host4_identifier. */
USHER_API int usher_set_host_id(usher_call *call, const uint8_t *id, size_t len);
/* Reports that the address answered a probe: at lease4_offer, before unpark. */
USHER_API void usher_set_address_in_use(usher_call *call, bool in_use);

/* Returns the command's name, its arguments and the answer as JSON text ("null": none), at
 * command_processed and in a command of a library. NULL at other hook points, and when memory is
 * out. */
USHER_API const char *usher_command_name(const usher_call *call);
USHER_API const char *usher_command_arguments(usher_call *call);
USHER_API const char *usher_command_answer(usher_call *call);
/* Replaces the answer. 0, -EINVAL (no JSON map, or another hook point). */
USHER_API int usher_command_set_answer(usher_call *call, const char *json);
/* Returns the author of the request, for people ("uid 0, pid 12"). NULL: unknown, or another hook
 * point. */
USHER_API const char *usher_command_requester(usher_call *call);

/* --- Commands of a library -------------------------------------------------------------------- */

enum usher_access { USHER_READ, USHER_WRITE };

/*
 * A command for the control channel. fn is called in the management thread, never in a worker, at
 * the same time as callouts in workers, and must not block. It answers by usher_command_reply() or
 * usher_command_set_answer(); without, the result is 0. A negative errno is logged and counted as a
 * failed callout; the result is 1 then.
 */
struct usher_command {
	const char *name; /* of a-z, 0-9 and '-'; at most 63 */
	/*
	 * The description of the arguments, which are checked before fn is called; NULL: none.
	 * "name:type" is required, "[name:type]" optional; one of the alternatives between "|" must
	 * be there. Types: text, int, bool, map, list, any.
	 */
	const char *arguments;
	const char *help;	  /* a line for people; NULL: none */
	enum usher_access access; /* USHER_WRITE: changes state, and leaves an audit line */
	usher_callout fn;
	void *ctx;
};

/*
 * Adds a command until the library is unloaded; the texts are copied. 0; -EBUSY (after load);
 * -EINVAL (malformed name or description), -EEXIST (the name is taken): the configuration is
 * refused, with the reason; -ENOSPC, -ENOMEM.
 */
USHER_API int usher_register_command(usher_lib *lib, const struct usher_command *command);
/* Returns an argument of the command; NULL or `fallback` if it is absent or has another type. */
USHER_API const char *usher_command_str(const usher_call *call, const char *name);
USHER_API int64_t usher_command_int(const usher_call *call, const char *name, int64_t fallback);
USHER_API bool usher_command_bool(const usher_call *call, const char *name, bool fallback);
/*
 * Answers the command: result 0 for success, 1 for an error, 3 for an empty result; a text for
 * people, which may be long, and arguments as JSON text, both or either NULL. 0, -EINVAL (no JSON),
 * -ENOMEM.
 */
USHER_API int usher_command_reply(usher_call *call, int result, const char *text,
				  const char *arguments);

/* --- Messages --------------------------------------------------------------------------------- */

enum usher_field {
	USHER_OP,
	USHER_HTYPE,
	USHER_HLEN,
	USHER_HOPS,
	USHER_XID,
	USHER_SECS,
	USHER_FLAGS,
	USHER_CIADDR,
	USHER_YIADDR,
	USHER_SIADDR,
	USHER_GIADDR,
};

USHER_API uint32_t usher_msg_get(const usher_msg *m, enum usher_field f);
USHER_API void usher_msg_set(usher_msg *m, enum usher_field f, uint32_t v);
USHER_API const uint8_t *usher_msg_chaddr(const usher_msg *m); /* 16 octets, hlen of them count */
USHER_API int usher_msg_type(const usher_msg *m);	       /* option 53; 0: none */
/* Returns the data of an option, NULL if it is absent. */
USHER_API const uint8_t *usher_msg_option(const usher_msg *m, uint8_t code, size_t *ret_len);
/* Sets (copied) or removes. 0, -ENOMEM; -ENOENT. */
USHER_API int usher_msg_set_option(usher_msg *m, uint8_t code, const uint8_t *data, size_t len);
USHER_API int usher_msg_del_option(usher_msg *m, uint8_t code);

enum usher_text { USHER_SNAME, USHER_FILE }; /* 64 and 128 octets */

/* Returns the text of a field, up to its first octet of value 0; empty: ret_len is 0. */
USHER_API const uint8_t *usher_msg_text(const usher_msg *m, enum usher_text f, size_t *ret_len);
/* Sets it (copied). 0; -ENOSPC: it fills the field, which needs an octet of value 0 behind it. */
USHER_API int usher_msg_set_text(usher_msg *m, enum usher_text f, const uint8_t *text, size_t len);

/* --- Leases ----------------------------------------------------------------------------------- */

/* Returns the lease in question at lease4_select, lease4_renew, lease4_release, lease4_decline,
 * lease4_expire and lease4_recover. At leases4_committed and lease4_offer it is the first of the
 * new ones. NULL: none. */
USHER_API usher_lease *usher_lease4(usher_call *call);
/* Returns the removed lease, at leases4_committed; NULL: none. */
USHER_API const usher_lease *usher_deleted_lease4(const usher_call *call);
/* Returns whether an expired lease will be deleted, at lease4_expire; else it is kept for its
 * client, or another client gets its address. */
USHER_API bool usher_remove_lease(const usher_call *call);
/* Returns whether an OFFER is being made, at lease4_select: nothing will be stored. */
USHER_API bool usher_fake_allocation(const usher_call *call);
USHER_API uint32_t usher_lease_address(const usher_lease *l);
USHER_API uint32_t usher_lease_lifetime(const usher_lease *l);
USHER_API int usher_lease_set_lifetime(usher_lease *l, uint32_t seconds);
USHER_API int usher_lease_state(const usher_lease *l);
USHER_API const char *usher_lease_hostname(const usher_lease *l);
USHER_API int usher_lease_set_hostname(usher_lease *l, const char *name);
USHER_API const uint8_t *usher_lease_hw(const usher_lease *l, size_t *ret_len);
USHER_API const uint8_t *usher_lease_client_id(const usher_lease *l, size_t *ret_len);

/*
 * Reads the user-context of the call's lease, as JSON text in *ret; NULL: none. Where the packet
 * does not change the context, the text is the stored lease's; a new lease (lease4_select) has its
 * own. Valid until the callout returns. 0; -EINVAL (no lease); -ENOSPC: the text is longer than
 * 16,384 octets, or than the memory that the packet has left.
 */
USHER_API int usher_lease4_context(usher_call *call, const char **ret);
/*
 * Sets the user-context of the call's lease to a copy of the text, which is a JSON map. At
 * lease4_select and lease4_renew the context becomes part of the lease that is stored; at
 * leases4_committed and lease4_offer usher_lease4_update() stores it. 0; -EINVAL (no lease, another
 * hook point, no JSON map); -ENOSPC: the text is longer than 16,384 octets, or than the memory that
 * the packet has left; -ENOMEM.
 */
USHER_API int usher_lease4_set_context(usher_call *call, const char *json);
/*
 * Stores the context that usher_lease4_set_context() has set: at leases4_committed of an ACK, and
 * at lease4_offer if the offer is a lease (offer-lifetime). The answer waits until the row is on
 * disk. 0; -EINVAL (another hook point, no context was set, or no lease is stored); -ESTALE: the
 * lease was changed or deleted meanwhile, and nothing is stored; -ENOMEM.
 */
USHER_API int usher_lease4_update(usher_call *call);

/* --- Expressions ------------------------------------------------------------------------------ */

/*
 * Compiles an expression in the language of client classes, in the load function: a condition, or
 * one with octets as its value. It lives until the library is unloaded. Returns 0; -EBUSY (after
 * load); -EINVAL: it is refused, and ret_error (may be NULL) gets the reason, with the column of
 * the text, valid until unload; -ENOMEM.
 */
USHER_API int usher_expression_compile(usher_lib *lib, const char *text, bool condition,
				       const usher_expression **ret, const char **ret_error);
/*
 * Evaluates an expression on the query or the response of the call. The octets are valid until the
 * callout returns. 0; -EINVAL (NULL, another message, or a call without packet); -EDOM: it has no
 * value, and ret_reason (may be NULL) gets the reason, valid until the callout returns.
 */
USHER_API int usher_expression_octets(usher_call *call, const usher_expression *e,
				      const usher_msg *msg, const uint8_t **ret, size_t *ret_len,
				      const char **ret_reason);
USHER_API int usher_expression_holds(usher_call *call, const usher_expression *e,
				     const usher_msg *msg, bool *ret, const char **ret_reason);

/* --- Parking ---------------------------------------------------------------------------------- */

/*
 * Parks the packet: take a handle, then set USHER_PARK and return. The packet is resumed when every
 * handle taken has been given back; a handle keeps it even if a later callout sets another step.
 * subnet4_select, leases4_committed and lease4_offer may park. NULL where parking is not allowed.
 * The handle may be given back from any thread, also before the callout has returned.
 */
USHER_API usher_parked *usher_park(usher_call *call);
/* Gives the handle back; the last one resumes the packet. */
USHER_API void usher_unpark(usher_parked *p);
/* Gives the handle back, and drops the packet (DROP_PARKED_DROPPED). */
USHER_API void usher_unpark_drop(usher_parked *p);
/* Gives the handle back, and reports to lease4_offer that the address is in use. */
USHER_API void usher_unpark_in_use(usher_parked *p);

#ifdef __cplusplus
}
#endif

#endif
