/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A rule file's state as one listener an event. The events that rules listen to and
 * the modules that they require decide which dissectors are loaded. A rule that fails ends its
 * packet as the gate's fallback says.
 */
#include "gate/lua/bind.h"

#include "base/error.h"
#include "gate/lua/bind_class.h"
#include "gate/lua/bind_dissect.h"
#include "gate/lua/bind_impl.h"
#include "gate/lua/bind_raise.h"
#include "script/library/console.h"
#include "script/rules/event.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_end(unsigned event)
{
	return event == EVENT_UDP_CONNECTION_end_connection ||
	       event == EVENT_TCP_CONNECTION_end_connection;
}

/* --- Life ------------------------------------------------------------------------------------- */

static int define_events(struct gate_bind *b)
{
	int r = 0;

	for (unsigned i = 0; i < EVENT_N && r == 0; i++) {
		struct hearing *h = &b->events[i];

		*h = (struct hearing){.bind = b, .event = (enum gate_event)i};
		r = script_event_define(b->script, gate_dissector_name(bind_events[i].dissector),
					bind_events[i].name,
					bind_events[i].streamed ? SCRIPT_EVENT_STREAMED : 0,
					&h->id);
		if (r == 0)
			script_event_fields(b->script, h->id,
					    bind_events[i].dissector == DISSECT_DHCP
						    ? bind_when_dhcp
						    : bind_when);
	}
	return r;
}

static int define_classes(struct gate_bind *b)
{
	int r = script_class_register(b->script, &bind_class_flow);

	for (unsigned i = 0; bind_flag_classes[i] && r == 0; i++)
		r = script_class_register(b->script, bind_flag_classes[i]);
	for (unsigned i = 0; bind_dns_classes[i] && r == 0; i++)
		r = script_class_register(b->script, bind_dns_classes[i]);
	for (unsigned i = 0; bind_http_classes[i] && r == 0; i++)
		r = script_class_register(b->script, bind_http_classes[i]);
	for (unsigned i = 0; i < DISSECT_N && r == 0; i++) {
		if (bind_packet_class((enum gate_dissector)i))
			r = script_class_register(b->script,
						  bind_packet_class((enum gate_dissector)i));
	}
	return r == 0 ? bind_modules(b->script) : r;
}

static void release(struct gate_bind *b)
{
	if (!b)
		return;
	if (b->script) {
		bind_dissect_close(b);
		bind_buffers_fini(b);
		bind_streams_close(b);
	}
	bind_script_free(b->g, b->script);
	script_dhcp_fini(&b->dhcp);
	free(b);
}

int gate_bind_new(struct gate *g, const struct script_opts *so, struct gate_bind **ret,
		  struct script_error *err)
{
	struct gate_bind *b = calloc(1, sizeof(*b));
	int r = b ? bind_script_new(g, so, &b->script) : -ENOMEM;

	*err = (struct script_error){.fault = SCRIPT_E_MEMORY, .text = "no memory for a script"};
	if (b) {
		b->g = g;
		b->idle = gate_walk_without_packet(g);
		b->walk = &b->idle;
	}
	if (r == 0) {
		bind_buffers_init(b);
		script_set_host(b->script, b);
	}
	if (r == 0)
		r = bind_streams_open(b, err);
	if (r == 0)
		r = define_events(b);
	if (r == 0)
		r = define_classes(b);
	if (r == 0)
		r = bind_dhcp_open(b, b->script);
	if (r == 0)
		r = bind_policies_define(b, err);
	if (r == 0)
		r = script_protect(b->script, bind_open_http, NULL, err);
	if (r == 0)
		r = script_protect(b->script, bind_open_create, NULL, err);
	if (r == 0)
		r = script_protect(b->script, bind_open_modules, NULL, err);
	if (r == 0)
		r = bind_dissect_open(b, err);
	if (r < 0) {
		release(b);
		return r;
	}
	*ret = b;
	return 0;
}

void gate_bind_free(struct gate_bind *b)
{
	if (!b)
		return;
	gate_end_flows(b->g);
	for (unsigned i = 0; i < EVENT_N; i++)
		if (b->events[i].listens)
			gate_unlisten(b->g, b->events[i].event,
				      is_end(i) ? bind_on_flow_end : bind_on_event, &b->events[i]);
	(void)script_exiting(b->script);
	release(b);
}

/* Adds a listener to each event that rules listen to, and always to the end of flows. */
static int listen(struct gate_bind *b)
{
	int r = 0;

	for (unsigned i = 0; i < EVENT_N && r == 0; i++) {
		struct hearing *h = &b->events[i];
		bool any = script_event_any(b->script, h->id);

		if (any)
			gate_load(b->g, bind_events[i].dissector);
		if (h->listens || (!any && !is_end(i)))
			continue;
		r = gate_listen(b->g, h->event, is_end(i) ? bind_on_flow_end : bind_on_event, h);
		h->listens = r == 0;
	}
	return r;
}

static int begin(struct gate_bind *b, int r, struct script_error *err)
{
	if (r == 0)
		r = listen(b);
	if (r == 0)
		bind_policies_begin(b, b->g);
	if (r == 0 && script_started(b->script) & SCRIPT_RAISE_FAULT) {
		*err = (struct script_error){.fault = SCRIPT_E_RUNTIME,
					     .text = "a rule on haka.events.started failed"};
		r = -USHER_E_SCRIPT;
	}
	return r;
}

int gate_bind_run(struct gate_bind *b, const char *path, struct script_error *err)
{
	return begin(b, script_run_file(b->script, path, err), err);
}

int gate_bind_run_text(struct gate_bind *b, struct span text, struct script_error *err)
{
	return begin(b, script_run_text(b->script, "rules", text, err), err);
}

int gate_bind_eval(struct gate_bind *b, struct span text, struct buf *out, struct script_error *err)
{
	int r = script_eval(b->script, text, out, err), heard = listen(b);

	bind_policies_begin(b, b->g);
	if (r == 0 && heard < 0) {
		*err = (struct script_error){.fault = SCRIPT_E_RUNTIME,
					     .text = "too many listeners"};
		return -USHER_E_SCRIPT;
	}
	return r;
}
