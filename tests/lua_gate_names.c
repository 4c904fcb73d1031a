/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For lua_doc_test.py: prints the names in a rule file of usher-gate besides those of lua_names.c,
 * one a line: fields and methods of the classes of packets, flows and messages; members of
 * haka.dissectors; additions of the gate to modules.
 */
#include "gate/assembly.h"
#include "gate/lua/bind.h"
#include "gate/lua/bind_class.h"

#include <stdio.h>
#include <stdlib.h>

static const char names[] =
	"local seen = {}\n"
	"local function say(n) if not seen[n] then seen[n] = true print(n) end end\n"
	"for name, d in pairs(haka.dissectors) do if name == d.name then for k, v in pairs(d) do\n"
	" if k == 'events' or k == 'policies' then for e in pairs(v) do say(name .. '.' .. k .. '.' .. e) end\n"
	" elseif type(v) == 'table' then for f in pairs(v) do say(name .. '.' .. k .. '.' .. f) end\n"
	" else say('dissector.' .. k) end end end end\n"
	"local udp, tcp = require('protocol/udp_connection').helper, require('protocol/tcp_connection').helper\n"
	"for k in pairs(udp) do say('udp_connection.helper.' .. k) end for k in pairs(tcp) do say('tcp_connection.helper.' .. k) end\n"
	"for k in pairs(haka.dissector) do say('haka.dissector.' .. k) end for k in pairs(haka.helper) do say('haka.helper.' .. k) end\n"
	"local D = haka.dissector.new{type = udp.UdpFlowDissector, name = 'd'}\n"
	"for _, k in ipairs{'register_event', 'register_streamed_event'} do if D[k] then say('class:' .. k) end end\n"
	"D.grammar, D.state_machine = 1, 2 say('class.grammar') say('class.state_machine')\n"
	"for k in pairs(require('class').super(haka.helper.FlowDissector).method) do if not k:find('^__') and k ~= 'forge' then\n"
	" say('object:' .. k) end end\n"
	"local ipv4 = require('protocol/ipv4')\n"
	"for k in pairs(ipv4) do if k:find('checksum') then say('ipv4.' .. k) end end\n"
	"for _, k in ipairs{'process', 'reduce'} do if ipv4.inet_checksum()[k] then say('inet_checksum:' .. k) end end\n"
	"if haka.capture_mode then say('haka.capture_mode') end\n"
	"for _, m in ipairs{'packet', 'udp', 'http'} do if require('protocol/' .. m) then say('protocol/' .. m) end end\n";

/* A query that was sent has the fields of any message. */
static void tell(const struct script_class *cls)
{
	bool fields = strcmp(cls->name, "dns_query") != 0;

	for (const struct script_field *f = fields ? cls->fields : NULL; f && f->name; f++)
		(void)printf("%s.%s\n", cls->name, f->name);
	for (const struct script_method *m = cls->methods; m && m->name; m++)
		(void)printf("%s:%s\n", cls->name, m->name);
}

static void tell_all(const struct script_class *const *list)
{
	for (; *list; list++)
		tell(*list);
}

int main(void)
{
	struct script_opts so = {0};
	struct script_error err = {0};
	struct gate_bind *b;
	struct gate_opts o;
	struct gate *g;

	gate_opts_default(&o);
	o.flows.max_flows = 1;
	if (frames_memory_open(FRAME_ETHERNET, &o.frames) < 0 || gate_new(&o, &g) < 0 ||
	    gate_bind_new(g, &so, &b, &err) < 0)
		return 1;
	for (unsigned d = 0; d < DISSECT_N; d++)
		if (bind_packet_class((enum gate_dissector)d) && d != DISSECT_DHCP)
			tell(bind_packet_class((enum gate_dissector)d));
	tell_all(bind_flag_classes);
	tell_all(bind_dns_classes);
	tell_all(bind_http_classes);
	tell(&bind_class_flow);
	if (script_run_text(gate_bind_script(b), "@names", span_str(names), &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	(void)fflush(stdout);
	gate_bind_free(b);
	gate_free(g);
	frames_close(o.frames);
	return 0;
}
