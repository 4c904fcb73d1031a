# SPDX-License-Identifier: MPL-2.0
"""Callouts of an external library that do not return: each costs its own exchange only. Other clients of the same worker are
served, reloads and the end of the server work, and the exchange is dropped by name when its callout returns."""
import os

from lib.client import Client, mac_of
from lib.hook_library import compile_library
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack, subnet

_SLOW = 0x66  # the second octet of a client whose callouts wait while the file "gate" is there
_LIBRARY = """
#include <usher/hook.h>
#include <unistd.h>
static int hang(usher_call *call, void *ctx)
{
	(void)ctx;
	if (usher_msg_chaddr(usher_query(call))[1] != 0x66)
		return 0;
	while (access(DIR "/gate", F_OK) == 0)
		usleep(5000);
	(void)usher_lease4(call);
	usher_set_status(call, USHER_SKIP);
	return 0;
}
int usher_hook_version(void) { return USHER_HOOK_ABI; }
int usher_hook_load(usher_lib *lib)
{
	return usher_register(lib, POINT, hang, 0);
}
"""


def _serve(t, point, workers=1, **conf):
    port = t.wire()
    work = t.lab.path("hang")
    os.makedirs(work, exist_ok=True)
    library = compile_library(os.path.join(work, "hang.so"), _LIBRARY, "-DDIR=\"%s\"" % work, "-DPOINT=\"%s\"" % point)
    s = t.server(subnets=[subnet(pool="10.77.0.10 - 10.77.0.200")], **{
        "hooks-libraries": [{"library": library}],
        "multi-threading": {"enable-multi-threading": True, "thread-pool-size": workers, "packet-queue-size": 0},
        "user-context": {"usher": {"callout-deadline-ms": 300}}, **conf})
    gate = os.path.join(work, "gate")
    with open(gate, "w", encoding="utf-8"):
        pass
    return s, port, gate


def _late(s):
    return s.stat("usher-callouts-late")


POINTS = {p: p for p in ("pkt4_receive", "subnet4_select", "host4_identifier", "lease4_select", "lease4_offer", "leases4_committed",
                         "pkt4_send")}


@test(timeout=60, cases=POINTS, tags=["tsan", "asan"])
def test_hanging_callout_costs_its_exchange(t, point):
    """One worker: a client whose callout hangs, and a hundred others that come with it and behind it."""
    s, port, gate = _serve(t, point, **{"host-reservation-identifiers": ["hw-address", "flex-id"]})
    slow, first = Client(port, mac_of(1, _SLOW)), Client(port, mac_of(1, 0x20))
    if point == "leases4_committed":
        port.send(slow.message(3, [(50, bytes((10, 77, 0, 150))), (54, bytes((10, 77, 0, 1)))]))
    else:
        port.send(slow.discover())
    first.dora(timeout=slack(1), tries=5)
    wait_for("the late callout", lambda: _late(s) == 1, slack(5))
    for i in range(2, 100):
        Client(port, mac_of(i, 0x20)).dora(timeout=slack(1), tries=3)
    # a reload keeps the library of the call
    s.conf["valid-lifetime"] = 1800
    s.write_conf()
    assert s.command("config-reload")["result"] == 0
    assert s.stat("drop-callout-late") == 0
    os.remove(gate)
    wait_for("the drop", lambda: s.stat("drop-callout-late") == 1, slack(5))
    assert s.logged("USHER_CALLOUT_LATE")
    # the client has lost one exchange only
    a = Client(port, mac_of(1, _SLOW))
    if point in ("pkt4_receive", "lease4_select", "subnet4_select", "pkt4_send"):
        assert first.renew() and s.alive()  # SKIP of this callout gives no address
    else:
        a.dora(timeout=slack(1), tries=3)
    assert s.stat("usher-packets-parked") >= 0 and s.term() == 0


@test(timeout=90, tags=["tsan"])
def test_hanging_callouts_of_many(t):
    """More hang than may: the library is not called for others any more, and is again when its calls have returned."""
    s, port, gate = _serve(t, "pkt4_receive", workers=2)
    clients = [Client(port, mac_of(i, _SLOW)) for i in range(1, 61)]
    for c in clients:
        port.send(c.discover())
    wait_for("all that may hang, and the drops of the others", lambda: _late(s) + s.stat("drop-callout-late") == 60, slack(30))
    assert 32 <= _late(s) <= 34, _late(s)
    assert Client(port, mac_of(1, 0x20)).offer(timeout=slack(0.5), tries=1) is None, "its callout was not called"
    os.remove(gate)
    wait_for("the drops", lambda: s.stat("drop-callout-late") == 61, slack(10))
    Client(port, mac_of(2, 0x20)).dora(timeout=slack(1), tries=3)
    assert s.term() == 0


@test(timeout=60, tags=["tsan", "asan"])
def test_hanging_callout_at_the_end(t):
    """A server ends while a callout hangs; its leases are on disk, and it starts again."""
    s, port, _ = _serve(t, "lease4_select")
    kept = Client(port, mac_of(1, 0x20))
    kept.dora()
    port.send(Client(port, mac_of(1, _SLOW)).discover())
    wait_for("the late callout", lambda: _late(s) == 1, slack(5))
    assert s.term(timeout=slack(10)) == 0
    assert s.logged("have not returned")
    s.start(write=False)
    assert s.ok("lease4-get", {"ip-address": kept.addr})["hw-address"] == kept.mac.hex(":")
    assert kept.renew(timeout=slack(1)).type == 5
