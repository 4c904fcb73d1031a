# SPDX-License-Identifier: MPL-2.0
"""A callout that takes its time in one worker while the other worker and the control channel change the lease that the
first one has read: an address is never acknowledged to two clients."""

import os

from lib import dhcp
from lib.client import Client, Ledger, mac_of
from lib.hook_library import compile_library
from lib.netns import wait_for
from lib.runner import test
from lib.server import slack, subnet

_SLOW = 0x66  # the second octet of a client whose callouts wait
# Waits while the file "gate" is there, five seconds at most; says so by the file "entered". "skip": sets SKIP then.
_LIBRARY = """
#include <usher/hook.h>
#include <fcntl.h>
#include <unistd.h>
static int slow(usher_call *call, void *ctx)
{
	(void)ctx;
	if (usher_msg_chaddr(usher_query(call))[1] != 0x66 || access(DIR "/gate", F_OK) < 0)
		return 0;
	close(open(DIR "/entered", O_WRONLY | O_CREAT, 0644));
	for (int i = 0; i < 500 && access(DIR "/gate", F_OK) == 0; i++)
		usleep(10000);
	if (access(DIR "/skip", F_OK) == 0)
		usher_set_status(call, USHER_SKIP);
	return 0;
}
int usher_hook_version(void) { return USHER_HOOK_ABI; }
int usher_hook_load(usher_lib *lib)
{
	static const char *const points[] = {POINTS};
	for (unsigned i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		if (usher_register(lib, points[i], slow, 0) < 0)
			return -1;
	return 0;
}
"""
X, Y = "10.77.0.30", "10.77.0.31"


def _library(directory, point):
    return compile_library(os.path.join(directory, "slow.so"), _LIBRARY, "-DDIR=\"%s\"" % directory, "-DPOINTS=\"%s\"" % point)


def _touch(directory, name):
    with open(os.path.join(directory, name), "w", encoding="utf-8"):
        pass


def _selecting(client, addr):
    client.xid += 1
    return client.message(dhcp.REQUEST, [(dhcp.REQUESTED, dhcp.ip4(addr)), (dhcp.SERVER_ID, dhcp.ip4("10.77.0.1"))])


def _take(port, ledger, block):
    """Clients ask for X until one is answered: those of the worker that waits are not. Its client, or None."""
    for n in range(1, 33):
        c = Client(port, mac_of(n, block))
        r = c.ask(_selecting(c, X), timeout=slack(0.3), tries=1)
        if r and r.type == dhcp.ACK:
            ledger.ack(c)
            return c
        if r:
            return None
    raise AssertionError("no worker answers")


def _send_slow(how, a, port):
    if how == "lease4_select":
        port.send(_selecting(a, Y))
    elif how == "lease4_renew":
        a.xid += 1
        port.send(a.message(dhcp.REQUEST, ciaddr=X))
    elif how == "lease4_release":
        a.release()
    else:
        a.decline()


CASES = {point + "_skip" * skip: (point, skip)
         for point in ("lease4_select", "lease4_renew", "lease4_release", "lease4_decline") for skip in (False, True)}


@test(timeout=90, cases=CASES)
def test_G3_two_workers_and_a_slow_callout(t, case):
    """The slow client's lease is deleted and given to another one while its callout waits."""
    point, skip = case
    port = t.wire()
    work = t.lab.path("slow")
    os.makedirs(work, exist_ok=True)
    s = t.server(subnets=[subnet(pool="10.77.0.10 - 10.77.0.60")], **{
        "hooks-libraries": [{"library": _library(work, point)}], "cache-threshold": 0.0,
        "user-context": {"usher": {"callout-deadline-ms": 60000}}})
    ledger = Ledger()
    a = Client(port, mac_of(1, _SLOW))
    assert a.ask(_selecting(a, X)).type == dhcp.ACK
    _touch(work, "gate")
    if skip:
        _touch(work, "skip")
    _send_slow(point, a, port)
    wait_for("the callout", lambda: os.path.exists(os.path.join(work, "entered")), slack(5))
    assert s.command("lease4-del", {"ip-address": X})["result"] == 0
    b = _take(port, ledger, 0x21)
    assert b, "the address that was deleted is not given out"
    os.remove(os.path.join(work, "gate"))
    # the answers to all that was queued at the worker that waited, the slow client's among them
    for r in port.collect(slack(0.7)):
        assert r.msg.type != dhcp.ACK or r.msg.yiaddr != X or r.msg.chaddr == b.mac, \
            "%s was acknowledged to %s as well" % (X, r.msg.chaddr.hex(":"))
    third = _take(port, ledger, 0x22)
    assert third is None, "%s was acknowledged to a third client" % X
    ledger.check()
    assert s.command("lease4-get", {"ip-address": X})["arguments"]["hw-address"] == b.mac.hex(":")
    assert b.renew().type == dhcp.ACK
