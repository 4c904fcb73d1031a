# SPDX-License-Identifier: MPL-2.0
"""A hook library stores the user-context of leases: the answer comes at once, the context outlives a kill, and the lease of
another client stays as it is."""
import os

from lib import dhcp
from lib.client import Client, mac_of
from lib.hook_library import compile_library
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack, subnet

_SLOW = 0x66
_LIBRARY = r"""
#include <usher/hook.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
static usher_lib *self;
static int store(usher_call *call, void *ctx)
{
	char text[80];
	int r;

	(void)ctx;
	if (usher_msg_chaddr(usher_query(call))[1] == 0x66) {
		close(open(DIR "/entered", O_WRONLY | O_CREAT, 0644));
		for (int i = 0; i < 500 && access(DIR "/gate", F_OK) == 0; i++)
			usleep(10000);
	}
	r = usher_lease4_set_context(call, "{ \"site\": \"a, b\" }");
	if (r == 0)
		r = usher_lease4_update(call);
	(void)snprintf(text, sizeof(text), "stored with %d", r);
	usher_log(self, USHER_LOG_INFO, text);
	return 0;
}
int usher_hook_version(void) { return USHER_HOOK_ABI; }
int usher_hook_load(usher_lib *lib)
{
	self = lib;
	return usher_register(lib, "leases4_committed", store, 0);
}
"""


def _library(t):
    work = t.lab.path("context")
    os.makedirs(work, exist_ok=True)
    return compile_library(os.path.join(work, "context.so"), _LIBRARY, "-DDIR=\"%s\"" % work), work


def _context(s, addr):
    return s.ok("lease4-get", {"ip-address": addr}).get("user-context")


@test(tags=("asan", "tsan"))
def test_stored_context_outlives_a_kill(t):
    port = t.wire()
    library, _ = _library(t)
    s = t.server(**{"hooks-libraries": [{"library": library}]})
    clients = [Client(port, mac_of(n)) for n in range(8)]
    for c in clients:  # one at a time: no later packet moves the rows to disk
        ack = c.dora(timeout=slack(1.0), tries=1)
        assert ack.type == dhcp.ACK
    s.kill()
    s.start()
    for c in clients:
        assert _context(s, c.addr) == {"site": "a, b"}, _context(s, c.addr)


@test(timeout=60)
def test_stored_context_of_a_lease_that_another_client_got(t):
    port = t.wire()
    library, work = _library(t)
    s = t.server(subnets=[subnet(pool="10.77.0.10 - 10.77.0.60")], **{"hooks-libraries": [{"library": library}],
        "user-context": {"usher": {"callout-deadline-ms": 60000}}})
    gate = os.path.join(work, "gate")
    with open(gate, "w", encoding="utf-8"):
        pass
    a = Client(port, mac_of(1, _SLOW))
    a.xid += 1
    port.send(a.message(dhcp.REQUEST, [(dhcp.REQUESTED, dhcp.ip4("10.77.0.30")), (dhcp.SERVER_ID, dhcp.ip4("10.77.0.1"))]))
    wait_for("the callout", lambda: os.path.exists(os.path.join(work, "entered")), slack(5))
    s.ok("lease4-del", {"ip-address": "10.77.0.30"})
    s.ok("lease4-add", {"ip-address": "10.77.0.30", "hw-address": "02:00:00:00:00:99", "user-context": {"owner": "other"}})
    os.remove(gate)
    wait_for("the refusal", lambda: "stored with -116" in s.log(), slack(10))
    assert _context(s, "10.77.0.30") == {"owner": "other"}
